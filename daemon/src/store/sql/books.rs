//! The books: every invariant, checked on one moment of the database. Each violation is one sentence with its ids.
use super::{
    DB, Pool, Tx, before, books_entries, journal_read,
    purses::{PlanRun, push_mature},
    rows,
};
use crate::store::{
    StoreError,
    door_types::{BooksReport, PurseTotal},
    types::PlanContext,
};
use futures::TryStreamExt;
use payout_shared::{
    books::{self, PayoutSums, PurseSums},
    currency::Currency,
    id::AccountId,
    payout::PayoutState,
};
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeMap;

/// Rows of one rule's violations that are read: past them the books are beyond a list.
const ROWS_PER_RULE: i64 = 1000;

/// Rules that the database can judge by itself: each query gives the rows that break it, as up to three texts for its sentence.
const RULES: [(&str, &str); 16] = [
    (
        "earning {0} is locked into {1} payouts at once",
        "SELECT CAST(earning_id AS TEXT), CAST(COUNT(*) AS TEXT), '' FROM payout_items WHERE released_at_ms IS NULL \
         GROUP BY earning_id HAVING COUNT(*) > 1",
    ),
    (
        "purse {0} {1} has {2} active payouts at once",
        "SELECT account_id, currency, CAST(COUNT(*) AS TEXT) FROM creator_payouts \
         WHERE state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit') \
         GROUP BY account_id, currency HAVING COUNT(*) > 1",
    ),
    (
        "payout {0} holds earning {1}, which is another purse's or of another amount",
        "SELECT i.payout_id, CAST(i.earning_id AS TEXT), '' FROM payout_items i JOIN creator_payouts p ON p.id = i.payout_id \
         JOIN creator_earnings e ON e.id = i.earning_id \
         WHERE e.account_id <> p.account_id OR e.currency <> p.currency OR e.amount_minor <> i.amount_minor",
    ),
    (
        "{0} create attempts have one body (the keys {1} and {2})",
        "SELECT CAST(COUNT(*) AS TEXT), MIN(key), MAX(key) FROM payout_attempts WHERE kind = 'create' \
         GROUP BY body HAVING COUNT(*) > 1",
    ),
    (
        "the body of attempt {0} is not what payout {1} is: amount, currency, account or destination differ",
        "SELECT a.key, a.payout_id, '' FROM payout_attempts a JOIN creator_payouts p ON p.id = a.payout_id \
         WHERE a.kind = 'create' AND (a.amount_minor <> p.amount_minor OR a.currency <> p.currency \
         OR a.account_id <> p.account_id OR a.run_id <> p.run_id \
         OR (a.destination_id <> p.destination_id AND a.number >= p.attempts))",
    ),
    (
        "payout {0} is {1} and no executed attempt of it has its object {2}",
        "SELECT p.id, p.state, COALESCE(p.stripe_payout_id, '(none)') FROM creator_payouts p \
         WHERE p.state IN ('pending', 'in_transit', 'paid', 'settled', 'returned', 'canceled', 'reversing', 'reversed') \
         AND NOT EXISTS (SELECT 1 FROM payout_attempts a WHERE a.payout_id = p.id AND a.kind = 'create' \
         AND a.state = 'executed' AND a.stripe_object_id = p.stripe_payout_id)",
    ),
    // Its own object's status may be told late and out of order: there the payout's state is what counts.
    (
        "payout {0} is {1}, but Stripe executed its attempt {2} and the money has not come back",
        "SELECT p.id, p.state, a.key FROM creator_payouts p JOIN payout_attempts a ON a.payout_id = p.id AND a.kind = 'create' \
         WHERE p.state IN ('planned', 'submitting', 'unknown', 'voided', 'failed', 'canceled', 'returned') \
         AND a.state = 'executed' AND a.object_status IN ('pending', 'in_transit', 'paid') \
         AND (p.stripe_payout_id IS NULL OR p.stripe_payout_id <> a.stripe_object_id)",
    ),
    (
        "payout {0} is {1}, but there is no attempt {2} of it",
        "SELECT p.id, p.state, CAST(p.attempts AS TEXT) FROM creator_payouts p WHERE p.state IN ('submitting', 'unknown') \
         AND NOT EXISTS (SELECT 1 FROM payout_attempts a WHERE a.payout_id = p.id AND a.kind = 'create' AND a.number = p.attempts)",
    ),
    (
        "payout {0} is voided, but its attempt {1} is {2}",
        "SELECT p.id, a.key, a.state FROM creator_payouts p JOIN payout_attempts a ON a.payout_id = p.id AND a.kind = 'create' \
         WHERE p.state = 'voided' AND (a.on_wire OR a.state IN ('intended', 'unknown'))",
    ),
    (
        "payout {0} is {1} and its attempt {2} is still on the wire as far as is stored",
        "SELECT p.id, p.state, a.key FROM creator_payouts p JOIN payout_attempts a ON a.payout_id = p.id AND a.kind = 'create' \
         WHERE a.on_wire AND p.state = 'planned'",
    ),
    (
        "payout {0} is not the outcome of its purse in run {1} (that is {2})",
        "SELECT p.id, p.run_id, COALESCE(o.payout_id, o.reason, 'nothing') FROM creator_payouts p \
         LEFT JOIN run_outcomes o ON o.run_id = p.run_id AND o.account_id = p.account_id AND o.currency = p.currency \
         WHERE p.state <> 'voided' AND (o.payout_id IS NULL OR o.payout_id <> p.id)",
    ),
    (
        "the outcome of purse {0} in run {1} names payout {2}, which is not one of that purse and run",
        "SELECT o.account_id || ' ' || o.currency, o.run_id, o.payout_id FROM run_outcomes o WHERE o.payout_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM creator_payouts p WHERE p.id = o.payout_id AND p.run_id = o.run_id \
         AND p.account_id = o.account_id AND p.currency = o.currency)",
    ),
    (
        "Stripe's object {0} is claimed by {1} attempts ({2})",
        "SELECT stripe_object_id, CAST(COUNT(*) AS TEXT), MIN(key) FROM payout_attempts \
         WHERE kind = 'create' AND stripe_object_id IS NOT NULL GROUP BY stripe_object_id HAVING COUNT(*) > 1",
    ),
    (
        "earning {0} is locked by {1}, which is neither a payout nor an adopted one of its purse",
        "SELECT CAST(i.earning_id AS TEXT), i.payout_id, '' FROM payout_items i JOIN creator_earnings e ON e.id = i.earning_id \
         LEFT JOIN creator_payouts p ON p.id = i.payout_id LEFT JOIN foreign_payouts f ON f.object_id = i.payout_id \
         AND f.account_id = e.account_id AND f.currency = e.currency AND f.adopted_at_ms IS NOT NULL \
         WHERE p.id IS NULL AND f.object_id IS NULL",
    ),
    (
        "adopted payout {0} took {1}, but the entries that it locks come to {2}",
        "SELECT f.object_id, CAST(f.amount_minor AS TEXT), CAST(COALESCE(SUM(e.amount_minor), 0) AS TEXT) FROM foreign_payouts f \
         LEFT JOIN payout_items i ON i.payout_id = f.object_id AND i.released_at_ms IS NULL \
         LEFT JOIN creator_earnings e ON e.id = i.earning_id AND e.amount_minor = i.amount_minor \
         WHERE f.adopted_at_ms IS NOT NULL GROUP BY f.object_id, f.amount_minor, f.returned_at_ms \
         HAVING COALESCE(SUM(e.amount_minor), 0) <> CASE WHEN f.returned_at_ms IS NULL THEN f.amount_minor ELSE 0 END",
    ),
    (
        "adopted payout {0} is payout {1} as well",
        "SELECT f.object_id, MIN(t.payout_id), '' FROM foreign_payouts f JOIN payout_attempts t ON t.stripe_object_id = f.object_id \
         WHERE f.adopted_at_ms IS NOT NULL AND f.returned_at_ms IS NULL GROUP BY f.object_id",
    ),
];

/// All rules in one question: each row begins with the number of the rule that it breaks.
fn all_of(rules: &[(&str, &str)]) -> String {
    let arm = |(number, (_, query)): (usize, &(&str, &str))| {
        let query = books_entries::filled(query);
        format!("SELECT CAST({number} AS BIGINT), q.* FROM ({query} LIMIT {ROWS_PER_RULE}) q")
    };
    rules.iter().enumerate().map(arm).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Checks all of it, as of now under this policy; the journal's chain where that is wanted.
pub(in crate::store) async fn check(
    pool: &Pool,
    now_ms: i64,
    context: &PlanContext,
    with_journal: bool,
) -> Result<BooksReport, StoreError> {
    let mut tx = super::begin_snapshot(pool).await?;
    let mut report = BooksReport::default();
    check_purses(&mut tx, now_ms, context, &mut report).await?;
    check_payouts(&mut tx, &mut report).await?;
    let rules: Vec<(&str, &str)> = RULES.into_iter().chain(books_entries::RULES).collect();
    for row in sqlx::query::<DB>(sqlx::AssertSqlSafe(all_of(&rules))).fetch_all(&mut *tx).await? {
        let rule = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        let mut told = rules.get(rule).map_or_else(|| format!("rule {rule}"), |(sentence, _)| (*sentence).to_owned());
        for (index, place) in ["{0}", "{1}", "{2}"].into_iter().enumerate() {
            told = told.replace(place, &row.try_get::<String, _>(index.saturating_add(1))?);
        }
        report.violation(told);
    }
    books_entries::check_charges(&mut tx, &mut report).await?;
    let left = before::is_left();
    let facts = format!("SELECT COUNT(*), COUNT(CASE WHEN {left} THEN 1 END) FROM earning_facts f WHERE NOT f.booked");
    let row = sqlx::query::<DB>(sqlx::AssertSqlSafe(facts)).fetch_one(&mut *tx).await?;
    report.facts_before = row.try_get(1)?;
    report.facts_waiting = row.try_get::<i64, _>(0)?.saturating_sub(report.facts_before);
    if !with_journal {
        return Ok(report);
    }
    let journal = journal_read::verify_in(&mut tx).await?;
    report.journal_rows = journal.rows;
    if let Some(bad) = journal.first_bad {
        report.violation(format!("journal row {bad} is not what was written: the chain breaks there"));
    }
    Ok(report)
}

/// Asks for entries by purse, as [`purse`] reads them (what an adopted payout locks was paid by it), as of now; its WHERE and GROUP BY are the caller's.
pub(super) fn purses_query(now_ms: i64, context: &PlanContext) -> QueryBuilder<DB> {
    let now = PlanRun { cutoff_ms: now_ms, instant_ms: now_ms, ..PlanRun::of_all() };
    let mut query = QueryBuilder::<DB>::new(PURSES);
    // A sale that isn't mature is immature but for what will be kept back of it: that is reserved from the start.
    let parts = [
        ("mature", "", ""),
        ("immature", "NOT ", " AND e.kind <> 'reserve_release'"),
        ("reserved", "NOT ", " AND e.kind = 'reserve_release'"),
    ];
    for (part, counts, of) in parts {
        query.push(", CAST(SUM(CASE WHEN i.earning_id IS NULL AND ").push(counts);
        push_mature(&mut query, &now, context);
        query.push(of).push(" THEN e.amount_minor ELSE 0 END) AS BIGINT) AS ").push(part);
    }
    query.push(FROM);
    query
}

const PURSES: &str = "SELECT e.account_id, e.currency, CAST(SUM(e.amount_minor) AS BIGINT), \
     CAST(SUM(CASE WHEN i.earning_id IS NULL THEN e.amount_minor ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN p.state = 'planned' THEN i.amount_minor ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN p.state IN ('submitting', 'unknown', 'pending', 'in_transit') THEN i.amount_minor ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN p.state IN ('paid', 'settled', 'reversing', 'reversed') OR p.id IS NULL THEN COALESCE(i.amount_minor, 0) \
       ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN p.state IN ('failed', 'canceled', 'returned') THEN i.amount_minor ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN p.state = 'voided' THEN i.amount_minor ELSE 0 END) AS BIGINT), \
     CAST(SUM(CASE WHEN i.earning_id IS NULL AND NOT e.confirmed THEN e.amount_minor ELSE 0 END) AS BIGINT) AS estimated, \
     CAST(SUM(CASE WHEN e.kind IN ('dispute_hold', 'dispute_release') AND NOT EXISTS (SELECT 1 FROM creator_earnings l \
     WHERE l.charge_id = e.charge_id AND l.kind = 'dispute_lost') THEN -e.amount_minor ELSE 0 END) AS BIGINT) AS disputed";
const FROM: &str = " FROM creator_earnings e LEFT JOIN payout_items i ON i.earning_id = e.id AND i.released_at_ms IS NULL \
     LEFT JOIN creator_payouts p ON p.id = i.payout_id";

/// The sums of one purse, of [`purses_query`].
pub(super) fn purse(row: &rows::AnyRow) -> Result<PurseSums, StoreError> {
    let (account, code): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(PurseSums {
        account: AccountId::new(account),
        currency: rows::currency(&code)?,
        entries_minor: row.try_get(2)?,
        free_minor: row.try_get(3)?,
        planned_minor: row.try_get(4)?,
        in_flight_minor: row.try_get(5)?,
        paid_minor: row.try_get(6)?,
        returning_minor: row.try_get(7)?,
        voided_minor: row.try_get(8)?,
        mature_minor: row.try_get("mature")?,
        immature_minor: row.try_get("immature")?,
        reserved_minor: row.try_get("reserved")?,
        estimated_minor: row.try_get("estimated")?,
        disputed_minor: row.try_get("disputed")?,
    })
}

async fn check_purses(
    tx: &mut Tx,
    now_ms: i64,
    context: &PlanContext,
    report: &mut BooksReport,
) -> Result<(), StoreError> {
    let mut totals: BTreeMap<Currency, PurseTotal> = BTreeMap::new();
    let mut query = purses_query(now_ms, context);
    query.push(" GROUP BY e.account_id, e.currency");
    let mut found = query.build().fetch(&mut **tx);
    while let Some(row) = found.try_next().await? {
        let sums = purse(&row)?;
        report.purses = report.purses.saturating_add(1);
        books::check_purse(&sums).into_iter().for_each(|sentence| report.violation(sentence));
        if !add(totals.entry(sums.currency).or_insert_with(|| nothing(sums.currency)), &sums) {
            report.violation(format!("the totals of {} do not fit into 64 bits any more", sums.currency));
        }
    }
    report.totals = totals.into_values().collect();
    Ok(())
}

const fn nothing(currency: Currency) -> PurseTotal {
    PurseTotal {
        currency,
        entries_minor: 0,
        free_minor: 0,
        planned_minor: 0,
        in_flight_minor: 0,
        paid_minor: 0,
        returning_minor: 0,
    }
}

/// Adds a purse to its currency's totals; `false` when one of them doesn't fit.
fn add(total: &mut PurseTotal, sums: &PurseSums) -> bool {
    let pairs = [
        (&mut total.entries_minor, sums.entries_minor),
        (&mut total.free_minor, sums.free_minor),
        (&mut total.planned_minor, sums.planned_minor),
        (&mut total.in_flight_minor, sums.in_flight_minor),
        (&mut total.paid_minor, sums.paid_minor),
        (&mut total.returning_minor, sums.returning_minor),
    ];
    let mut fits = true;
    for (sum, more) in pairs {
        match sum.checked_add(more) {
            Some(more) => *sum = more,
            None => fits = false,
        }
    }
    fits
}

async fn check_payouts(tx: &mut Tx, report: &mut BooksReport) -> Result<(), StoreError> {
    let mut found = sqlx::query::<DB>(
        "SELECT p.id, p.currency, p.amount_minor, p.state, p.stripe_payout_id IS NOT NULL, \
         CAST(COALESCE(SUM(i.amount_minor), 0) AS BIGINT), \
         CAST(SUM(CASE WHEN i.payout_id IS NOT NULL AND i.released_at_ms IS NULL THEN 1 ELSE 0 END) AS BIGINT), \
         COUNT(i.earning_id), EXISTS (SELECT 1 FROM foreign_payouts f WHERE f.payout_id = p.id AND f.status NOT IN ('failed', 'canceled')) \
         FROM creator_payouts p LEFT JOIN payout_items i ON i.payout_id = p.id GROUP BY p.id",
    )
    .fetch(&mut **tx);
    while let Some(row) = found.try_next().await? {
        let (id, code, word): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
        let state = rows::payout_state(&id, &word)?;
        let executed: bool = row.try_get(4)?;
        let (must_be_released, must_be_locked) = expected(state, executed);
        let sums = PayoutSums {
            payout_id: id,
            currency: rows::currency(&code)?,
            amount_minor: row.try_get(2)?,
            items_minor: row.try_get(5)?,
            items_unreleased: row.try_get(6)?,
            items: row.try_get(7)?,
            // A late object that lives has spent its entries, whatever the payout's own state is.
            must_be_released: must_be_released && !row.try_get::<bool, _>(8)?,
            must_be_locked,
        };
        report.payouts = report.payouts.saturating_add(1);
        books::check_payout(&sums).into_iter().for_each(|sentence| report.violation(sentence));
    }
    Ok(())
}

/// Must its items be released, must they be locked?
fn expected(state: PayoutState, executed: bool) -> (bool, bool) {
    match state {
        PayoutState::Voided => (true, false),
        PayoutState::Failed => (!executed, false),
        PayoutState::Planned
        | PayoutState::Submitting
        | PayoutState::Unknown
        | PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Reversing => (false, true),
        PayoutState::Canceled | PayoutState::Returned | PayoutState::Reversed => (false, false),
    }
}
