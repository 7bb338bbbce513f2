//! What Stripe told, recorded: transfers, whose an account is, and facts, each object once as last told. Entries follow in `entries`, in the
//! same transaction.
use super::{DB, Pool, Tx, begin, commit, entries, import, inbox, journal, lease, rows};
use crate::store::{
    StoreError,
    types::{Booking, Fence, Note},
};
use payout_shared::{
    entries::{Fact, FactKind, Told, Transfer},
    id::AccountId,
};
use sqlx::{QueryBuilder, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Seventeen binds a row stay below SQLite's 32,766 binds a statement.
const ROWS_PER_STATEMENT: usize = 500;

/// Columns of [`fact`], of `earning_facts f`.
pub(super) const COLUMNS: &str = "f.fact_id, f.kind, f.charge_id, f.account_id, f.transfer_id, f.currency, f.amount_minor, f.fee_minor, \
     f.moved_minor, f.status, f.at_ms, f.said_ms, f.due_ms, f.balance_source, f.settled_minor, f.booked";

/// A fact of [`COLUMNS`], and whether its entries are booked.
pub(super) fn fact(row: &rows::AnyRow) -> Result<(Fact, bool), StoreError> {
    let (id, kind, code): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(5)?);
    let kind = FactKind::parse(&kind).ok_or_else(|| rows::strange("fact", &id, &kind))?;
    let fact = Fact {
        id,
        kind,
        charge: row.try_get(2)?,
        account: row.try_get::<Option<String>, _>(3)?.map(AccountId::new),
        transfer: row.try_get(4)?,
        currency: rows::currency(&code)?,
        amount_minor: row.try_get(6)?,
        fee_minor: row.try_get(7)?,
        moved_minor: row.try_get(8)?,
        status: row.try_get(9)?,
        at_ms: row.try_get(10)?,
        said_ms: row.try_get(11)?,
        due_ms: row.try_get(12)?,
        balance_source: row.try_get(13)?,
        settled_minor: row.try_get(14)?,
    };
    Ok((fact, row.try_get(15)?))
}

/// Records what webhooks tell, books what follows, and marks them as looked at: one transaction. Telling it again changes nothing.
pub(in crate::store) async fn record(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    told: &[Told],
    outcomes: &[(i64, String)],
) -> Result<Booking, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let mut notes = owners(&mut tx, now_ms, told).await?;
    transfers(&mut tx, told).await?;
    let changed = facts(&mut tx, now_ms, told).await?;
    let booking = entries::book(&mut tx, now_ms, &changed).await?;
    notes.extend(entries::note(&booking));
    inbox::mark(&mut tx, now_ms, outcomes).await?;
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    commit(tx).await?;
    Ok(booking)
}

/// Accounts that are new to us and name their creator. One that is known stays whose it is: the contradiction is told.
async fn owners(tx: &mut Tx, now_ms: i64, told: &[Told]) -> Result<Vec<Note>, StoreError> {
    let mut named = BTreeMap::new();
    for told in told {
        if let Told::Owner { account, creator, country } = told {
            named.insert(account.as_str(), (creator.as_str(), country.as_deref().unwrap_or("")));
        }
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let known = known_owners(tx, named.keys().copied()).await?;
    let mut notes = Vec::new();
    for (account, (creator, _)) in &named {
        if let Some(owner) = known.get(*account).filter(|owner| owner.as_str() != *creator) {
            tracing::error!(account, creator, owner, "an account's metadata names another creator than the one it belongs to");
            notes.push(note_of("account.contradiction", account, creator, Some(owner)));
        }
    }
    named.retain(|account, _| !known.contains_key(*account));
    let creators: BTreeSet<&str> = named.values().map(|(creator, _)| *creator).collect();
    import::upsert_creators(tx, &creators).await?;
    let new: Vec<_> = named.iter().collect();
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO creator_stripe_accounts (account_id, creator_id, country, is_current, created_at_ms) ",
        );
        insert.push_values(chunk, |mut row, (account, (creator, country))| {
            row.push_bind(**account).push_bind(*creator).push_bind(*country).push_bind(false).push_bind(now_ms);
        });
        insert.push(" ON CONFLICT (account_id) DO NOTHING");
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    make_current(tx, &creators).await?;
    notes.extend(named.iter().map(|(account, (creator, _))| note_of("account.new", account, creator, None)));
    Ok(notes)
}

fn note_of(action: &str, account: &str, creator: &str, owner: Option<&String>) -> Note {
    Note {
        actor: "engine".to_owned(),
        action: action.to_owned(),
        detail: serde_json::json!({"account": account, "creator": creator, "belongs_to": owner}),
        ..Note::default()
    }
}

async fn known_owners(
    tx: &mut Tx,
    accounts: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT account_id, creator_id FROM creator_stripe_accounts WHERE account_id IN (");
    let mut list = query.separated(", ");
    for account in accounts {
        list.push_bind(account.to_owned());
    }
    query.push(")");
    let found = query.build().persistent(false).fetch_all(&mut **tx).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Of creators without a current account the first of theirs becomes it. A current one is never replaced by what an event says.
async fn make_current(tx: &mut Tx, creators: &BTreeSet<&str>) -> Result<(), StoreError> {
    if creators.is_empty() {
        return Ok(());
    }
    let mut update = QueryBuilder::<DB>::new(
        "UPDATE creator_stripe_accounts SET is_current = TRUE WHERE account_id IN (SELECT MIN(a.account_id) FROM creator_stripe_accounts a \
         WHERE NOT EXISTS (SELECT 1 FROM creator_stripe_accounts c WHERE c.creator_id = a.creator_id AND c.is_current) AND a.creator_id IN (",
    );
    let mut list = update.separated(", ");
    for creator in creators {
        list.push_bind((*creator).to_owned());
    }
    update.push(") GROUP BY a.creator_id)");
    update.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

async fn transfers(tx: &mut Tx, told: &[Told]) -> Result<(), StoreError> {
    let mut all: BTreeMap<&str, &Transfer> = BTreeMap::new();
    for told in told {
        if let Told::Transfer(transfer) = told {
            all.insert(&transfer.id, transfer);
        }
    }
    let all: Vec<&Transfer> = all.into_values().collect();
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO transfers (transfer_id, account_id, amount_minor, currency, charge_id, destination_payment, created_ms) ",
        );
        insert.push_values(chunk, |mut row, transfer| {
            row.push_bind(&transfer.id)
                .push_bind(transfer.account.as_str())
                .push_bind(transfer.amount_minor)
                .push_bind(transfer.currency.to_string())
                .push_bind(&transfer.charge)
                .push_bind(&transfer.destination_payment)
                .push_bind(transfer.created_ms);
        });
        insert.push(
            " ON CONFLICT (transfer_id) DO UPDATE SET charge_id = COALESCE(transfers.charge_id, excluded.charge_id), \
             destination_payment = COALESCE(transfers.destination_payment, excluded.destination_payment)",
        );
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Lays what is told over what is known; gives what it changed.
async fn facts(tx: &mut Tx, now_ms: i64, told: &[Told]) -> Result<Vec<Fact>, StoreError> {
    let news: Vec<&Fact> =
        told.iter().filter_map(|told| if let Told::Fact(fact) = told { Some(fact) } else { None }).collect();
    let ids: BTreeSet<&str> = news.iter().map(|fact| fact.id.as_str()).collect();
    let mut known = load(tx, &ids).await?;
    let mut changed: BTreeMap<&str, Fact> = BTreeMap::new();
    for news in news {
        let next = match known.get(news.id.as_str()) {
            None => Some(news.clone()),
            Some(known) if known.kind != news.kind => {
                tracing::error!(fact = news.id, was = known.kind.as_str(), is = news.kind.as_str(), "an object of two kinds: not noted");
                None
            }
            Some(known) => known.with(news),
        };
        if let Some(next) = next {
            known.insert(news.id.clone(), next.clone());
            changed.insert(&news.id, next);
        }
    }
    let changed: Vec<Fact> = changed.into_values().collect();
    write(tx, now_ms, &changed).await?;
    Ok(changed)
}

/// Facts as they are known, by their ids.
async fn load(tx: &mut Tx, ids: &BTreeSet<&str>) -> Result<BTreeMap<String, Fact>, StoreError> {
    let mut known = BTreeMap::new();
    let ids: Vec<&&str> = ids.iter().collect();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<DB>::new("SELECT ");
        query.push(COLUMNS).push(" FROM earning_facts f WHERE f.fact_id IN (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind((**id).to_owned());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
            let (fact, _) = fact(&row)?;
            known.insert(fact.id.clone(), fact);
        }
    }
    Ok(known)
}

/// Writes facts as they are known now: their entries are to be looked at again. A refund by itself has none.
pub(super) async fn write(tx: &mut Tx, now_ms: i64, facts: &[Fact]) -> Result<(), StoreError> {
    for chunk in facts.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO earning_facts (fact_id, kind, charge_id, account_id, transfer_id, currency, amount_minor, fee_minor, moved_minor, \
             status, at_ms, said_ms, due_ms, balance_source, settled_minor, booked, created_at_ms) ",
        );
        insert.push_values(chunk, |mut row, fact| {
            row.push_bind(&fact.id)
                .push_bind(fact.kind.as_str())
                .push_bind(&fact.charge)
                .push_bind(fact.account.as_ref().map(AccountId::to_string))
                .push_bind(&fact.transfer)
                .push_bind(fact.currency.to_string())
                .push_bind(fact.amount_minor)
                .push_bind(fact.fee_minor)
                .push_bind(fact.moved_minor)
                .push_bind(&fact.status)
                .push_bind(fact.at_ms)
                .push_bind(fact.said_ms)
                .push_bind(fact.due_ms)
                .push_bind(&fact.balance_source)
                .push_bind(fact.settled_minor)
                .push_bind(fact.kind == FactKind::Refund)
                .push_bind(now_ms);
        });
        insert.push(
            " ON CONFLICT (fact_id) DO UPDATE SET charge_id = excluded.charge_id, account_id = excluded.account_id, \
             transfer_id = excluded.transfer_id, amount_minor = excluded.amount_minor, status = excluded.status, at_ms = excluded.at_ms, \
             said_ms = excluded.said_ms, due_ms = excluded.due_ms, balance_source = excluded.balance_source, \
             settled_minor = excluded.settled_minor, booked = excluded.booked",
        );
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}
