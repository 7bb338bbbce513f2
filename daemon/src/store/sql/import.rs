//! Earnings from a file: one transaction, thousands of rows a statement. A sale is named by its charge; the same charge with the same
//! values is known, with other values it is a contradiction and nothing at all is imported.
use super::{DB, Pool, Tx, begin, commit, current, entries, journal};
use crate::store::{
    StoreError,
    door_types::{EarningRow, ImportDone, ImportError, RowError},
    types::{By, Note},
};
use payout_shared::id::CreatorId;
use sqlx::{QueryBuilder, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Twelve binds a row stay below SQLite's 32,766 binds a statement.
const ROWS_PER_STATEMENT: usize = 1000;
/// Contradictions named; a file that has more is of another world.
const ERRORS_MAX: usize = 100;

/// Imports checked rows, telling `progress` how many are written so far. A crash before the commit imports nothing.
pub(in crate::store) async fn import(
    pool: &Pool,
    now_ms: i64,
    rows: &[EarningRow],
    file_name: &str,
    by: &By,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<ImportDone, ImportError> {
    let accounts = accounts_of(rows)?;
    let mut tx = begin(pool).await?;
    let mut notes = upsert_accounts(&mut tx, now_ms, &accounts, by).await?;
    let creators: BTreeSet<&str> = accounts.values().map(|row| row.creator.as_str()).collect();
    upsert_creators(&mut tx, &creators).await?;
    let (mut imported, mut written, mut errors) = (0_u64, 0_u64, Vec::new());
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let new = insert_entries(&mut tx, now_ms, chunk).await?;
        // What hangs on these sales: their reserves, and what Stripe told of them before.
        let charges = chunk.iter().map(|row| (row.source_id.as_str(), row.earned_at_ms));
        entries::book_imported(&mut tx, now_ms, charges).await?;
        if new < count(chunk.len()) {
            errors.extend(contradictions(&mut tx, chunk).await?);
            if errors.len() >= ERRORS_MAX {
                break;
            }
        }
        imported = imported.saturating_add(new);
        written = written.saturating_add(count(chunk.len()));
        progress(written);
    }
    if !errors.is_empty() {
        return Err(ImportError::Rows(errors));
    }
    let known = written.saturating_sub(imported);
    let creators = count(creators.len());
    let note = Note {
        actor: by.to_string(),
        action: "earnings.import".to_owned(),
        detail: serde_json::json!({ "file": file_name, "imported": imported, "known": known, "creators": creators }),
        ..Note::default()
    };
    notes.push(note);
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(ImportDone { imported, known, creators, seq })
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Each account with the row of its newest earning. One account of two creators is refused.
fn accounts_of(rows: &[EarningRow]) -> Result<BTreeMap<&str, &EarningRow>, ImportError> {
    let (mut accounts, mut errors) = (BTreeMap::<&str, &EarningRow>::new(), Vec::new());
    for row in rows {
        let newest = accounts.entry(row.account.as_str()).or_insert(row);
        if newest.creator != row.creator {
            errors.push(RowError {
                line: row.line,
                column: "stripe_account_id",
                what: format!(
                    "{} is {}'s by line {}, and {}'s by this one",
                    row.account, newest.creator, newest.line, row.creator
                ),
            });
        } else if row.earned_at_ms > newest.earned_at_ms {
            *newest = row;
        }
    }
    errors.truncate(ERRORS_MAX);
    if errors.is_empty() { Ok(accounts) } else { Err(ImportError::Rows(errors)) }
}

/// Adds accounts that are new to us: a creator's new account becomes the current one (of several, that with the newest earning), older
/// ones are kept, and each that was current is told. What Stripe said of known ones stays.
async fn upsert_accounts(
    tx: &mut Tx,
    now_ms: i64,
    accounts: &BTreeMap<&str, &EarningRow>,
    by: &By,
) -> Result<Vec<Note>, ImportError> {
    let mut owners: HashMap<String, String> = HashMap::new();
    let all: Vec<&&EarningRow> = accounts.values().collect();
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let mut query =
            QueryBuilder::<DB>::new("SELECT account_id, creator_id FROM creator_stripe_accounts WHERE account_id IN (");
        let mut list = query.separated(", ");
        for row in chunk {
            list.push_bind(row.account.as_str());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
            owners.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    let wrong: Vec<RowError> = all
        .iter()
        .filter_map(|row| {
            owners.get(row.account.as_str()).filter(|owner| *owner != row.creator.as_str()).map(|o| (row, o))
        })
        .take(ERRORS_MAX)
        .map(|(row, owner)| RowError {
            line: row.line,
            column: "stripe_account_id",
            what: format!("{} belongs to creator {owner}, not to {}", row.account, row.creator),
        })
        .collect();
    if !wrong.is_empty() {
        return Err(ImportError::Rows(wrong));
    }
    let new: Vec<&EarningRow> =
        all.into_iter().filter(|row| !owners.contains_key(row.account.as_str())).copied().collect();
    let mut current: HashMap<&CreatorId, &EarningRow> = HashMap::new();
    for row in &new {
        let best = current.entry(&row.creator).or_insert(row);
        if row.earned_at_ms > best.earned_at_ms {
            *best = row;
        }
    }
    let is_current = |row: &EarningRow| current.get(&row.creator).is_some_and(|best| best.account == row.account);
    let replaced = insert_accounts(tx, now_ms, &new, is_current).await?;
    let note = |(creator, from): (String, String)| {
        let to = current.get(&CreatorId::new(&creator)).map_or("", |row| row.account.as_str());
        current::replaced(&creator, Some(&from), to, &by.to_string(), Some("earnings were imported of a new account"))
    };
    Ok(replaced.into_iter().map(note).collect())
}

/// Inserts new accounts; gives the creators whose current one they replace, each with that one.
async fn insert_accounts(
    tx: &mut Tx,
    now_ms: i64,
    new: &[&EarningRow],
    is_current: impl Fn(&EarningRow) -> bool,
) -> Result<Vec<(String, String)>, ImportError> {
    let mut replaced = Vec::new();
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        // The current account changes hands before the new one comes in: at most one is current at any time.
        let mut update = QueryBuilder::<DB>::new(
            "UPDATE creator_stripe_accounts SET is_current = FALSE WHERE is_current AND creator_id IN (",
        );
        let mut list = update.separated(", ");
        for row in chunk {
            list.push_bind(row.creator.as_str());
        }
        update.push(") RETURNING creator_id, account_id");
        for row in update.build().persistent(false).fetch_all(&mut **tx).await? {
            replaced.push((row.try_get(0)?, row.try_get(1)?));
        }
    }
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO creator_stripe_accounts (account_id, creator_id, country, is_current, created_at_ms) ",
        );
        insert.push_values(chunk, |mut values, row| {
            values
                .push_bind(row.account.as_str())
                .push_bind(row.creator.as_str())
                .push_bind(&row.country)
                .push_bind(is_current(row))
                .push_bind(now_ms);
        });
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(replaced)
}

/// The platform's row and our settings for creators that have none: switched on; what is set already stays.
pub(super) async fn upsert_creators(tx: &mut Tx, creators: &BTreeSet<&str>) -> Result<(), StoreError> {
    for chunk in creators.iter().collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
        // An adopted users table needn't have a unique index that a conflict could name.
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO users (supabase_id, is_creator, payout_enabled) SELECT v.column1, TRUE, TRUE FROM (",
        );
        insert.push_values(chunk, |mut row, creator| {
            row.push_bind(**creator);
        });
        insert.push(") AS v WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.supabase_id = v.column1)");
        insert.build().persistent(false).execute(&mut **tx).await?;
        let mut insert = QueryBuilder::<DB>::new("INSERT INTO creator_payout_settings (creator_id, payout_enabled) ");
        insert.push_values(chunk, |mut row, creator| {
            row.push_bind(**creator).push_bind(true);
        });
        insert.push(" ON CONFLICT (creator_id) DO NOTHING");
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Inserts what isn't known by its charge; gives how many that were.
async fn insert_entries(tx: &mut Tx, now_ms: i64, rows: &[EarningRow]) -> Result<u64, ImportError> {
    let mut insert = QueryBuilder::<DB>::new(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
         source_id, earned_at_ms, available_on_ms, created_at_ms) ",
    );
    insert.push_values(rows, |mut values, row| {
        values
            .push_bind(row.creator.as_str())
            .push_bind(row.account.as_str())
            .push_bind(row.currency.as_str())
            .push_bind("sale")
            // The rows are checked: 0 ≤ fee ≤ gross.
            .push_bind(row.gross_minor.saturating_sub(row.fee_minor))
            .push_bind(row.gross_minor)
            .push_bind(row.fee_minor)
            .push_bind("charge")
            .push_bind(&row.source_id)
            .push_bind(row.earned_at_ms)
            .push_bind(row.available_on_ms)
            .push_bind(now_ms);
    });
    insert.push(" ON CONFLICT (source_type, source_id, kind) DO NOTHING");
    Ok(insert.build().persistent(false).execute(&mut **tx).await?.rows_affected())
}

/// Rows whose charge is stored with other values.
async fn contradictions(tx: &mut Tx, rows: &[EarningRow]) -> Result<Vec<RowError>, ImportError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT e.source_id, e.account_id, e.currency, e.gross_minor, e.fee_minor, e.earned_at_ms, f.fact_id IS NOT NULL \
         FROM creator_earnings e LEFT JOIN earning_facts f ON f.fact_id = e.source_id AND f.kind = 'sale' \
         WHERE e.source_type = 'charge' AND e.kind = 'sale' AND e.source_id IN (",
    );
    let mut list = query.separated(", ");
    for row in rows {
        list.push_bind(&row.source_id);
    }
    query.push(")");
    let mut stored = HashMap::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let id: String = row.try_get(0)?;
        let values: (String, String, i64, i64, i64, bool) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
        stored.insert(id, values);
    }
    let mut errors = Vec::new();
    for row in rows {
        let Some((account, currency, gross, fee, earned_at, told)) = stored.get(&row.source_id) else {
            return Err(StoreError::Broken(format!("charge {} was neither inserted nor found", row.source_id)).into());
        };
        let differs = [
            ("stripe_account_id", account.clone(), row.account.to_string()),
            ("currency", currency.clone(), row.currency.to_string()),
            ("gross_minor", gross.to_string(), row.gross_minor.to_string()),
            ("fee_minor", fee.to_string(), row.fee_minor.to_string()),
            ("earned_at", moment(*earned_at), moment(row.earned_at_ms)),
        ];
        // What Stripe told of a sale has Stripe's own moment, and the currency that it settled in.
        let asked = match told {
            false => differs.len(),
            true if *currency == row.currency.to_string() => 4,
            true => 1,
        };
        errors.extend(differs.into_iter().take(asked).filter(|(_, known, new)| known != new).map(|(column, known, new)| {
            RowError {
                line: row.line,
                column,
                what: format!("charge {} is stored with {known}, this line says {new}", row.source_id),
            }
        }));
    }
    errors.truncate(ERRORS_MAX);
    Ok(errors)
}

fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |at| at.to_string())
}
