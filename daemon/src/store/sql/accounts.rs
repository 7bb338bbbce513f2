//! What Stripe last said of accounts: which are to be read again, and what a read says. A bank account that replaces another one is
//! marked with the time: a swapped bank account is how money is stolen.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, blame, commit, facts::BANK_UNUSABLE, journal, lease, purses, rows};
use crate::store::{
    StoreError,
    door_types::{AccountRead, AccountRow, BANK_REMOVED, BankRead},
    types::{By, Fence, Note, RunRow},
};
use payout_shared::{
    id::{AccountId, CreatorId, DestinationId},
    retry::BANK_HOLD,
};
use sqlx::{QueryBuilder, Row};
use std::collections::HashMap;

/// Accounts per transaction's statement: ten binds each stay far below both databases' limits.
const ACCOUNTS_PER_STATEMENT: usize = 500;

/// Asks which accounts between two places are to be read: never read, known to be old, or read before that time, and with free
/// entries. The run names its creators or none.
pub(super) fn to_read_query(run: &RunRow, read_before_ms: i64, last: &purses::Key) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT a.account_id FROM creator_stripe_accounts a WHERE a.account_id <= ");
    query.push_bind(last.0.clone());
    if let Some((account, _)) = purses::place_key(&run.plan_after) {
        // The account of the place has other currencies behind it, maybe.
        query.push(" AND a.account_id >= ").push_bind(account.to_owned());
    }
    query.push(" AND (a.stale OR a.read_at_ms IS NULL OR a.read_at_ms < ").push_bind(read_before_ms).push(")");
    if run.named_only {
        query.push(" AND a.creator_id IN (SELECT n.creator_id FROM payout_run_creators n WHERE n.run_id = ");
        query.push_bind(run.id.as_str().to_owned()).push(")");
    }
    query.push(
        " AND EXISTS (SELECT 1 FROM creator_earnings e WHERE e.account_id = a.account_id AND NOT EXISTS \
         (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id AND i.released_at_ms IS NULL)) ORDER BY a.account_id",
    );
    query
}

/// The accounts to be read before the next page of a run's plan can be decided, in order of their ids: at most a page of them.
pub(in crate::store) async fn to_read(
    pool: &Pool,
    run: &RunRow,
    creators: Option<&[CreatorId]>,
    read_before_ms: i64,
    page: i64,
) -> Result<Vec<AccountId>, StoreError> {
    let mut connection = pool.acquire().await?;
    let of = purses::PlanRun::of(run, creators);
    let Some(end) = purses::end_of_page(&mut connection, &of, &run.plan_after, page).await? else {
        return Ok(Vec::new());
    };
    let found = to_read_query(run, read_before_ms, &end.last).build().fetch_all(&mut *connection).await?;
    found.iter().map(|row| Ok(AccountId::new(row.try_get::<String, _>(0)?))).collect()
}

/// How many accounts there are, and what is known of how many of them is old.
pub(in crate::store) async fn old(pool: &Pool, read_before_ms: i64) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT COUNT(*), COALESCE(CAST(SUM(CASE WHEN stale OR read_at_ms IS NULL OR read_at_ms < $1 THEN 1 ELSE 0 END) AS BIGINT), 0) \
         FROM creator_stripe_accounts",
    )
    .bind(read_before_ms)
    .fetch_one(pool)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Says that what is known of an account is old; `false` when no such account is known.
pub(in crate::store) async fn mark_stale(pool: &Pool, account: &AccountId) -> Result<bool, StoreError> {
    let done = sqlx::query::<DB>("UPDATE creator_stripe_accounts SET stale = TRUE WHERE account_id = $1")
        .bind(account.as_str())
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Records what Stripe said; unknown accounts are left out. A journal row tells of each account that could be paid before and can't
/// now, or the other way, and of each replaced bank account. Crash before the commit: nothing; they are read again.
pub(in crate::store) async fn record(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    reads: &[AccountRead],
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let mut notes = Vec::new();
    for chunk in reads.chunks(ACCOUNTS_PER_STATEMENT) {
        let ids: Vec<&str> = chunk.iter().map(|read| read.account.as_str()).collect();
        let before = load(&mut tx, &ids, FOR_UPDATE).await?;
        let known: Vec<(&AccountRead, &AccountRow)> =
            chunk.iter().filter_map(|read| Some((read, before.get(read.account.as_str())?))).collect();
        if known.is_empty() {
            continue;
        }
        write_accounts(&mut tx, &known).await?;
        write_banks(&mut tx, now_ms, &known).await?;
        notes.extend(lift_holds(&mut tx, now_ms, with_new_banks(&known)).await?);
        notes.extend(known.iter().filter_map(|(read, before)| note(read, before)));
    }
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    Ok(commit(tx).await?)
}

/// Whose bank account was replaced, or takes payouts again.
fn with_new_banks(known: &[(&AccountRead, &AccountRow)]) -> Vec<String> {
    let is_unusable = |bank: &BankRead| BANK_UNUSABLE.contains(&bank.status.as_str());
    // One that wasn't shown for a while (its account couldn't be read) and is shown again is the same as before.
    let was_unusable = |stored: &BankRead| is_unusable(stored) && stored.status != BANK_REMOVED;
    let is_new = |bank: &BankRead, before: &AccountRow| {
        let stored = before.banks.iter().find(|(stored, _)| stored.currency == bank.currency);
        stored.is_some_and(|(stored, _)| stored.destination != bank.destination || was_unusable(stored)) && !is_unusable(bank)
    };
    let changed = known.iter().filter(|(read, before)| read.banks.iter().any(|bank| is_new(bank, before)));
    changed.map(|(_, before)| before.creator.to_string()).collect()
}

/// A hold for failures of a bank account ends with it.
async fn lift_holds(tx: &mut Tx, now_ms: i64, creators: Vec<String>) -> Result<Vec<Note>, StoreError> {
    let released = blame::lift(tx, now_ms, &creators).await?;
    let note = |creator: String| Note {
        actor: By::Engine.to_string(),
        action: "creator.release".to_owned(),
        reason: Some("the bank account has changed".to_owned()),
        detail: serde_json::json!({ "creator": creator, "cause": BANK_HOLD }),
        ..Note::default()
    };
    Ok(released.into_iter().map(note).collect())
}

/// One account, as stored.
pub(in crate::store) async fn one(pool: &Pool, account: &AccountId) -> Result<AccountRow, StoreError> {
    let mut tx = pool.begin().await?;
    load(&mut tx, &[account.as_str()], "")
        .await?
        .remove(account.as_str())
        .ok_or_else(|| StoreError::NotFound { what: "account", name: account.to_string() })
}

/// A creator's accounts, the current one first.
pub(in crate::store) async fn all_of(pool: &Pool, creator: &CreatorId) -> Result<Vec<AccountRow>, StoreError> {
    let mut tx = pool.begin().await?;
    of_creator(&mut tx, creator).await
}

/// The same within a transaction.
pub(super) async fn of_creator(tx: &mut Tx, creator: &CreatorId) -> Result<Vec<AccountRow>, StoreError> {
    let found = sqlx::query::<DB>("SELECT account_id FROM creator_stripe_accounts WHERE creator_id = $1")
        .bind(creator.as_str())
        .fetch_all(&mut **tx)
        .await?;
    let ids: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut accounts = Vec::new();
    for chunk in ids.chunks(ACCOUNTS_PER_STATEMENT) {
        let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
        accounts.extend(load(tx, &ids, "").await?.into_values());
    }
    accounts.sort_by(|a, b| (!a.is_current, a.account.as_str()).cmp(&(!b.is_current, b.account.as_str())));
    Ok(accounts)
}

async fn load(tx: &mut Tx, ids: &[&str], lock: &str) -> Result<HashMap<String, AccountRow>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT account_id, creator_id, country, is_current, payouts_enabled, charges_enabled, details_submitted, \
         disabled_reason, schedule_interval, read_at_ms, stale FROM creator_stripe_accounts WHERE account_id IN (",
    );
    push_ids(&mut query, ids);
    query.push(") ORDER BY account_id").push(lock);
    let mut accounts = HashMap::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (id, creator): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let account = AccountRow {
            account: AccountId::new(&id),
            creator: CreatorId::new(creator),
            country: row.try_get(2)?,
            is_current: row.try_get(3)?,
            payouts_enabled: row.try_get(4)?,
            charges_enabled: row.try_get(5)?,
            details_submitted: row.try_get(6)?,
            disabled_reason: row.try_get(7)?,
            schedule_interval: row.try_get(8)?,
            read_at_ms: row.try_get(9)?,
            stale: row.try_get(10)?,
            banks: Vec::new(),
        };
        accounts.insert(id, account);
    }
    let mut query = QueryBuilder::<DB>::new(
        "SELECT account_id, currency, destination_id, status, changed_at_ms, bank_name, country FROM account_banks WHERE account_id IN (",
    );
    push_ids(&mut query, ids);
    query.push(") ORDER BY account_id, currency");
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (id, code, destination): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let bank = BankRead {
            currency: rows::currency(&code)?,
            destination: DestinationId::new(destination),
            status: row.try_get(3)?,
            bank_name: row.try_get(5)?,
            country: row.try_get(6)?,
        };
        if let Some(account) = accounts.get_mut(&id) {
            account.banks.push((bank, row.try_get(4)?));
        }
    }
    Ok(accounts)
}

fn push_ids(query: &mut QueryBuilder<DB>, ids: &[&str]) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind((*id).to_owned());
    }
}

async fn write_accounts(tx: &mut Tx, known: &[(&AccountRead, &AccountRow)]) -> Result<(), StoreError> {
    let mut update = QueryBuilder::<DB>::new(
        "UPDATE creator_stripe_accounts SET country = v.column2, payouts_enabled = v.column3, charges_enabled = v.column4, \
         details_submitted = v.column5, disabled_reason = v.column6, schedule_interval = v.column7, read_at_ms = v.column8, \
         stale = FALSE FROM (",
    );
    update.push_values(known, |mut row, (read, before)| {
        row.push_bind(read.account.as_str().to_owned())
            .push_bind(read.country.clone().unwrap_or_else(|| before.country.clone()))
            .push_bind(read.payouts_enabled)
            .push_bind(read.charges_enabled)
            .push_bind(read.details_submitted)
            .push_bind(read.disabled_reason.clone())
            .push_bind(read.schedule_interval.clone())
            .push_bind(read.read_at_ms);
    });
    update.push(") AS v WHERE account_id = v.column1");
    update.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

async fn write_banks(tx: &mut Tx, now_ms: i64, known: &[(&AccountRead, &AccountRow)]) -> Result<(), StoreError> {
    let mut banks = Vec::new();
    for (read, before) in known {
        for bank in &read.banks {
            let stored = before.banks.iter().find(|(stored, _)| stored.currency == bank.currency);
            let changed_at_ms = match stored {
                None => None,
                Some((stored, changed_at_ms)) if stored.destination == bank.destination => *changed_at_ms,
                Some(_) => Some(now_ms),
            };
            banks.push((&read.account, bank.clone(), changed_at_ms));
        }
        for (stored, changed_at_ms) in &before.banks {
            if !read.banks.iter().any(|bank| bank.currency == stored.currency) {
                let gone = BankRead { status: BANK_REMOVED.to_owned(), ..stored.clone() };
                banks.push((&read.account, gone, *changed_at_ms));
            }
        }
    }
    for chunk in banks.chunks(ACCOUNTS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO account_banks (account_id, currency, destination_id, status, changed_at_ms, bank_name, country) ",
        );
        insert.push_values(chunk, |mut row, (account, bank, changed_at_ms)| {
            row.push_bind(account.as_str())
                .push_bind(bank.currency.as_str().to_owned())
                .push_bind(bank.destination.as_str())
                .push_bind(&bank.status)
                .push_bind(*changed_at_ms)
                .push_bind(bank.bank_name.clone())
                .push_bind(bank.country.clone());
        });
        insert.push(
            " ON CONFLICT (account_id, currency) DO UPDATE SET destination_id = excluded.destination_id, \
             status = excluded.status, changed_at_ms = excluded.changed_at_ms, bank_name = excluded.bank_name, \
             country = excluded.country",
        );
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// What is told of a read: nothing of the first one, nor of one that changes nothing about being paid.
fn note(read: &AccountRead, before: &AccountRow) -> Option<Note> {
    before.read_at_ms?;
    let manual = |interval: &Option<String>| interval.as_deref() == Some("manual");
    let payable = |enabled: bool, interval: &Option<String>| enabled && manual(interval);
    let was = payable(before.payouts_enabled, &before.schedule_interval);
    let is = payable(read.payouts_enabled, &read.schedule_interval);
    let replaced: Vec<serde_json::Value> = before
        .banks
        .iter()
        .filter_map(|(stored, _)| {
            let now = read.banks.iter().find(|bank| bank.currency == stored.currency);
            let same = now.is_some_and(|bank| bank.destination == stored.destination);
            (!same && (now.is_some() || stored.status != BANK_REMOVED)).then(|| {
                serde_json::json!({
                    "currency": stored.currency.as_str(),
                    "from": stored.destination.as_str(),
                    "to": now.map(|bank| bank.destination.as_str()),
                })
            })
        })
        .collect();
    if was == is && replaced.is_empty() {
        return None;
    }
    Some(Note {
        actor: By::Engine.to_string(),
        action: "account.change".to_owned(),
        from_state: Some(if was { "payable" } else { "not_payable" }.to_owned()),
        to_state: Some(if is { "payable" } else { "not_payable" }.to_owned()),
        reason: read.disabled_reason.clone(),
        detail: serde_json::json!({
            "account": read.account.as_str(), "creator": before.creator.as_str(), "banks_replaced": replaced,
            "schedule": read.schedule_interval,
        }),
        ..Note::default()
    })
}
