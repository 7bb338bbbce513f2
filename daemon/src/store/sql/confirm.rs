//! Confirmation: what an account's balance transactions say of sales that events only estimated, and of what was taken or given back of
//! converted ones. What an account was paid by then isn't changed: it is told.
use super::{DB, Pool, Tx, begin, commit, entries, journal, lease, rows, terms::Terms, told};
use crate::store::{
    StoreError,
    types::{Booking, Fence, Note, ToConfirm},
};
use payout_shared::{
    currency::Currency,
    entries::{Fact, Movement},
    id::AccountId,
};
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeMap;

const ROWS_PER_STATEMENT: usize = 500;
/// An account with estimated sales is read again after this, milliseconds.
const AGAIN_MS: i64 = 86_400_000;

/// An estimated sale.
struct Estimate {
    id: i64,
    charge: String,
    currency: Currency,
    net_minor: i64,
    /// It is or was part of a payout.
    is_spent: bool,
    /// Something hangs on it.
    has_more: bool,
}

/// Asks for accounts behind a place whose estimates can be confirmed: expected on the balance by now, or of a currency that isn't sure.
pub(super) fn to_confirm_query(now_ms: i64, after: &str, limit: i64) -> super::Query {
    sqlx::query::<DB>(
        "SELECT e.account_id, MIN(e.earned_at_ms), MAX(CASE WHEN e.kind <> 'sale' OR EXISTS (SELECT 1 FROM transfers t \
         WHERE t.charge_id = e.source_id AND t.destination_payment IS NOT NULL) THEN 0 ELSE 1 END) = 1 FROM creator_earnings e JOIN creator_stripe_accounts a ON a.account_id = e.account_id \
         WHERE NOT e.confirmed AND e.account_id > $1 AND (e.available_on_ms <= $2 OR NOT e.settles_as_charged) \
         AND a.confirm_after_ms <= $2 GROUP BY e.account_id ORDER BY e.account_id LIMIT $3",
    )
    .bind(after.to_owned())
    .bind(now_ms)
    .bind(limit)
}

/// Accounts whose estimates can be confirmed, and when the oldest of these was earned.
pub(in crate::store) async fn to_confirm(
    pool: &Pool,
    now_ms: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<ToConfirm>, StoreError> {
    let found = to_confirm_query(now_ms, after, limit).fetch_all(pool).await?;
    let read = |row: &rows::AnyRow| {
        Ok(ToConfirm {
            account: AccountId::new(row.try_get::<String, _>(0)?),
            earned_from_ms: row.try_get(1)?,
            lacks_transfer: row.try_get(2)?,
        })
    };
    found.iter().map(read).collect()
}

/// Writes what the account's balance says, and books what waited for it or differs. One transaction; repeating it changes nothing.
pub(in crate::store) async fn confirm(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    account: &AccountId,
    movements: &[Movement],
    is_all: bool,
) -> Result<Booking, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let (mut booking, mut notes) = (Booking::default(), Vec::new());
    for chunk in movements.chunks(ROWS_PER_STATEMENT) {
        let of: BTreeMap<&str, &Movement> =
            chunk.iter().filter_map(|movement| Some((movement.source.as_deref()?, movement))).collect();
        if of.is_empty() {
            continue;
        }
        let charges = sales(&mut tx, account, &of, &mut booking, &mut notes).await?;
        let mut changed = settled(&mut tx, now_ms, account, &of).await?;
        // What waited for these sales.
        changed.extend(waiting_of(&mut tx, &charges).await?);
        add(&mut booking, entries::book(&mut tx, now_ms, &changed).await?);
        rebook(&mut tx, now_ms, &charges, &mut booking).await?;
    }
    settle(&mut tx, account).await?;
    if is_all {
        sqlx::query::<DB>("UPDATE creator_stripe_accounts SET confirm_after_ms = $1 WHERE account_id = $2")
            .bind(now_ms.saturating_add(AGAIN_MS))
            .bind(account.as_str())
            .execute(&mut *tx)
            .await?;
    }
    notes.extend(entries::note(&booking));
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    commit(tx).await?;
    Ok(booking)
}

fn add(booking: &mut Booking, more: Booking) {
    for (kind, count) in more.entries {
        let sum = booking.entries.entry(kind).or_default();
        *sum = sum.saturating_add(count);
    }
    booking.of.extend(more.of);
    booking.broken.extend(more.broken);
}

/// Reserves and whatever else depends on what these sales came to.
async fn rebook(tx: &mut Tx, now_ms: i64, charges: &[String], booking: &mut Booking) -> Result<(), StoreError> {
    if charges.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = charges.iter().map(String::as_str).collect();
    let terms = Terms::read(tx).await?;
    entries::book_charges(tx, now_ms, &names, &terms, booking).await
}

/// Confirms estimated sales; gives their charges.
async fn sales(
    tx: &mut Tx,
    account: &AccountId,
    of: &BTreeMap<&str, &Movement>,
    booking: &mut Booking,
    notes: &mut Vec<Note>,
) -> Result<Vec<String>, StoreError> {
    let found = estimates(tx, account, of).await?;
    let (mut charges, mut writes) = (Vec::new(), Vec::new());
    for (estimate, movement) in &found {
        let same = estimate.net_minor == movement.net_minor && estimate.currency == movement.currency;
        let moves = estimate.currency != movement.currency && estimate.has_more;
        if !same && (estimate.is_spent || moves) {
            let sentence = format!(
                "charge {} was booked as {} {} and came to {} {} on account {account}: it was paid, or built upon, before that was known",
                estimate.charge, estimate.net_minor, estimate.currency, movement.net_minor, movement.currency
            );
            notes.push(Note {
                actor: "engine".to_owned(),
                action: "earnings.differ".to_owned(),
                reason: Some(sentence.clone()),
                detail: serde_json::json!({
                    "charge": estimate.charge, "account": account.as_str(), "transaction": movement.id,
                    "booked_minor": estimate.net_minor, "booked_currency": estimate.currency.as_str(),
                    "settled_minor": movement.net_minor, "settled_currency": movement.currency.as_str(),
                }),
                ..Note::default()
            });
            booking.differs.push(sentence);
            writes.push((estimate.id, None));
        } else if estimate.is_spent {
            writes.push((estimate.id, None));
        } else {
            writes.push((estimate.id, Some((*movement, same))));
            charges.push(estimate.charge.clone());
        }
    }
    write(tx, &writes).await?;
    mature_reserves(tx, &charges).await?;
    Ok(charges)
}

/// Estimated sales of the account whose payments are among the movements.
async fn estimates<'a>(
    tx: &mut Tx,
    account: &AccountId,
    of: &BTreeMap<&str, &'a Movement>,
) -> Result<Vec<(Estimate, &'a Movement)>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT e.id, e.source_id, e.currency, e.amount_minor, (EXISTS (SELECT 1 FROM creator_payouts p JOIN payout_items i \
         ON i.payout_id = p.id AND i.earning_id = e.id WHERE p.account_id = e.account_id) OR EXISTS (SELECT 1 FROM foreign_payouts o \
         JOIN payout_items i ON i.payout_id = o.object_id AND i.earning_id = e.id WHERE o.account_id = e.account_id \
         AND o.adopted_at_ms IS NOT NULL)), EXISTS (SELECT 1 FROM creator_earnings d WHERE d.charge_id = e.source_id), t.destination_payment FROM transfers t \
         JOIN creator_earnings e ON e.source_type = 'charge' AND e.source_id = t.charge_id AND e.kind = 'sale' \
         WHERE NOT e.confirmed AND e.account_id = ",
    );
    query.push_bind(account.as_str().to_owned()).push(" AND t.destination_payment IN (");
    let mut list = query.separated(", ");
    for source in of.keys() {
        list.push_bind((*source).to_owned());
    }
    query.push(") ORDER BY e.id");
    let mut found = Vec::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (code, payment): (String, String) = (row.try_get(2)?, row.try_get(6)?);
        let Some(movement) = of.get(payment.as_str()) else { continue };
        let estimate = Estimate {
            id: row.try_get(0)?,
            charge: row.try_get(1)?,
            currency: rows::currency(&code)?,
            net_minor: row.try_get(3)?,
            is_spent: row.try_get(4)?,
            has_more: row.try_get(5)?,
        };
        found.push((estimate, *movement));
    }
    Ok(found)
}

/// A sale's entry, and what its balance says where the entry may still change: whether that is the same sum.
type Write<'a> = (i64, Option<(&'a Movement, bool)>);

/// Sales are confirmed; those that may still change get what the balance says.
async fn write(tx: &mut Tx, writes: &[Write<'_>]) -> Result<(), StoreError> {
    for chunk in writes.chunks(ROWS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new("UPDATE creator_earnings SET confirmed = TRUE WHERE id IN (");
        let mut list = update.separated(", ");
        for (id, _) in chunk {
            list.push_bind(*id);
        }
        update.push(")");
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    let same: Vec<(i64, &Movement)> =
        writes.iter().filter_map(|(id, said)| said.filter(|(_, same)| *same).map(|(said, _)| (*id, said))).collect();
    let other: Vec<(i64, &Movement)> =
        writes.iter().filter_map(|(id, said)| said.filter(|(_, same)| !*same).map(|(said, _)| (*id, said))).collect();
    for chunk in same.chunks(ROWS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new("UPDATE creator_earnings SET available_on_ms = v.column2 FROM (");
        update.push_values(chunk, |mut row, (id, said)| {
            row.push_bind(*id).push_bind(said.available_on_ms);
        });
        update.push(") AS v WHERE id = v.column1");
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    for chunk in other.chunks(ROWS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new(
            "UPDATE creator_earnings SET available_on_ms = v.column2, currency = v.column3, amount_minor = v.column4, \
             gross_minor = v.column5, fee_minor = v.column6 FROM (",
        );
        update.push_values(chunk, |mut row, (id, said)| {
            row.push_bind(*id)
                .push_bind(said.available_on_ms)
                .push_bind(said.currency.to_string())
                .push_bind(said.net_minor)
                .push_bind(said.amount_minor)
                .push_bind(said.amount_minor.saturating_sub(said.net_minor));
        });
        update.push(") AS v WHERE id = v.column1");
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// What is kept back of these sales matures with them, as far as it isn't part of a payout.
async fn mature_reserves(tx: &mut Tx, charges: &[String]) -> Result<(), StoreError> {
    let names: Vec<&str> = charges.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    let terms = Terms::read(tx).await?;
    let sales = entries::sales(tx, &names, &terms).await?;
    let sales: Vec<_> = sales.iter().filter(|(_, stored)| stored.sale.reserved_minor() > 0).collect();
    for chunk in sales.chunks(ROWS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new(
            "UPDATE creator_earnings SET available_on_ms = CASE kind WHEN 'reserve_hold' THEN v.column2 ELSE v.column3 END FROM (",
        );
        update.push_values(chunk, |mut row, (charge, stored)| {
            row.push_bind(*charge).push_bind(stored.sale.available_on_ms).push_bind(stored.sale.release_on_ms());
        });
        update.push(
            ") AS v WHERE charge_id = v.column1 AND kind IN ('reserve_hold', 'reserve_release') AND NOT EXISTS (SELECT 1 \
             FROM creator_payouts p JOIN payout_items i ON i.payout_id = p.id AND i.earning_id = creator_earnings.id \
             WHERE p.account_id = creator_earnings.account_id) AND NOT EXISTS (SELECT 1 FROM foreign_payouts o JOIN payout_items i \
             ON i.payout_id = o.object_id AND i.earning_id = creator_earnings.id WHERE o.account_id = creator_earnings.account_id \
             AND o.adopted_at_ms IS NOT NULL)",
        );
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Facts of the account that these movements settle: how much left or came, as the account's balance has it.
async fn settled(
    tx: &mut Tx,
    now_ms: i64,
    account: &AccountId,
    of: &BTreeMap<&str, &Movement>,
) -> Result<Vec<Fact>, StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(
        " FROM earning_facts f WHERE f.settled_minor IS NULL AND f.kind IN ('reversal', 'fee_refund') AND f.account_id = ",
    );
    query.push_bind(account.as_str().to_owned()).push(" AND f.balance_source IN (");
    let mut list = query.separated(", ");
    for source in of.keys() {
        list.push_bind((*source).to_owned());
    }
    query.push(")");
    let mut changed = Vec::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (fact, _) = told::fact(&row)?;
        let movement = fact.balance_source.as_deref().and_then(|source| of.get(source));
        if let Some(settled) = movement.and_then(|movement| movement.net_minor.checked_abs()) {
            changed.push(Fact { settled_minor: Some(settled), ..fact });
        }
    }
    told::write(tx, now_ms, &changed).await?;
    Ok(changed)
}

/// What was taken or given back is no estimate any more where the balance has said what it came to. Entries of one object are that object
/// and its corrections (`trr_1`, `trr_1#2`).
async fn settle(tx: &mut Tx, account: &AccountId) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE creator_earnings SET confirmed = TRUE WHERE NOT confirmed AND account_id = $1 AND kind IN ('refund', 'fee_refund') \
         AND EXISTS (SELECT 1 FROM earning_facts f WHERE f.charge_id = creator_earnings.charge_id AND f.settled_minor IS NOT NULL \
         AND (f.fact_id = creator_earnings.source_id OR f.fact_id || '#' = substr(creator_earnings.source_id, 1, length(f.fact_id) + 1)))",
    )
    .bind(account.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Facts that waited for these sales.
async fn waiting_of(tx: &mut Tx, charges: &[String]) -> Result<Vec<Fact>, StoreError> {
    if charges.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(" FROM earning_facts f WHERE NOT f.booked AND f.charge_id IN (");
    let mut list = query.separated(", ");
    for charge in charges {
        list.push_bind(charge.clone());
    }
    query.push(")");
    let found = query.build().persistent(false).fetch_all(&mut **tx).await?;
    found.iter().map(|row| Ok(told::fact(row)?.0)).collect()
}
