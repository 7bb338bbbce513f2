//! What a run has come to: counts, sums, causes of trouble, newest failures. Reads only.
use super::{DB, Pool, Query, checks, pages, purses, reversals, rows, runs};
use crate::store::{
    StoreError,
    door_types::{CauseRow, MoneyCount, PayoutFilter, PayoutRow, PayoutSort, RunCounts},
};
use payout_shared::{id::RunId, money::Money, payout::PayoutState};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use std::collections::{BTreeMap, BTreeSet};

const MINUTE_MS: i64 = 60_000;

/// Purses still to plan are counted one by one up to so many; more are told by the number of accounts they may be of.
const COUNTED_MAX: i64 = 2_000;

/// Asks for a run's payouts by state and currency: counted in one index, without the rows.
pub(super) fn states_query(id: &RunId) -> Query {
    sqlx::query::<DB>(
        "SELECT state, currency, COUNT(*), CAST(SUM(amount_minor) AS BIGINT) FROM creator_payouts WHERE run_id = $1 \
         GROUP BY state, currency",
    )
    .bind(id.as_str().to_owned())
}

/// Asks for a run's outcomes by reason.
pub(super) fn reasons_query(id: &RunId) -> Query {
    sqlx::query::<DB>("SELECT reason, COUNT(*) FROM run_outcomes WHERE run_id = $1 GROUP BY reason ORDER BY 2 DESC, 1")
        .bind(id.as_str().to_owned())
}

/// Counts and sums of one run, as of one moment.
pub(in crate::store) async fn counts(pool: &Pool, id: &RunId) -> Result<RunCounts, StoreError> {
    let mut tx = super::begin_snapshot(pool).await?;
    let mut counts = RunCounts::default();
    let (mut states, mut money) = (BTreeMap::new(), BTreeMap::new());
    let found = states_query(id).fetch_all(&mut *tx).await?;
    for row in &found {
        let (word, code): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let state = rows::payout_state("of a count", &word)?;
        let (count, sum): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        *states.entry(state).or_insert(0) += count;
        counts.payouts += count;
        counts.answered += if state.is_unanswered() { 0 } else { count };
        let (total, sent): &mut (i64, i64) = money.entry(rows::currency(&code)?).or_default();
        *total = total.saturating_add(if state == PayoutState::Voided { 0 } else { sum });
        *sent = sent.saturating_add(if is_sent(state) { sum } else { 0 });
    }
    counts.states = states.into_iter().collect();
    counts.money = money
        .into_iter()
        .map(|(currency, (total_minor, sent_minor))| MoneyCount { currency, total_minor, sent_minor })
        .collect();
    let found = reasons_query(id).fetch_all(&mut *tx).await?;
    for row in &found {
        let (reason, count): (Option<String>, i64) = (row.try_get(0)?, row.try_get(1)?);
        counts.purses += count;
        if let Some(reason) = reason {
            counts.skipped += count;
            counts.skips.push((reason, count));
        }
    }
    counts.reads = checks::reads(&mut *tx, id).await?.all();
    counts.in_flight = runs::in_flight(&mut tx, id).await?;
    counts.reversals_to_approve = reversals::to_approve(&mut tx, id).await?;
    (counts.to_plan, counts.to_read) = to_plan(&mut tx, id).await?;
    Ok(counts)
}

/// Stripe has it, and it isn't known to have come back.
fn is_sent(state: PayoutState) -> bool {
    match state {
        PayoutState::Pending | PayoutState::InTransit | PayoutState::Paid | PayoutState::Settled => true,
        PayoutState::Planned
        | PayoutState::Submitting
        | PayoutState::Unknown
        | PayoutState::Voided
        | PayoutState::Failed
        | PayoutState::Canceled
        | PayoutState::Returned
        | PayoutState::Reversing
        | PayoutState::Reversed => false,
    }
}

/// Purses with free entries behind the place where planning goes on, and how many of their accounts are to be read before. Of very
/// many: at most so many, told by the accounts behind the place, since counting a million entries anew for each look at the screen
/// would take longer than planning them.
async fn to_plan(tx: &mut super::Tx, id: &RunId) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query::<DB>("SELECT plan_finished, named_only, plan_after FROM payout_runs WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| StoreError::NotFound { what: "run", name: id.to_string() })?;
    let (finished, named, place): (bool, bool, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if finished {
        return Ok((0, 0));
    }
    if !named {
        let mut behind = purses::keys_query(&purses::PlanRun::of_all(), &place, COUNTED_MAX);
        let behind = behind.build().fetch_all(&mut **tx).await?.len();
        if i64::try_from(behind).is_ok_and(|behind| behind >= COUNTED_MAX) {
            let row = accounts_behind_query(&place).build().fetch_one(&mut **tx).await?;
            return Ok((row.try_get(0)?, row.try_get(1)?));
        }
    }
    let mut query = QueryBuilder::<DB>::new(
        "SELECT COUNT(*), COUNT(DISTINCT CASE WHEN a.stale OR a.read_at_ms IS NULL THEN a.account_id END) FROM \
         (SELECT DISTINCT e.account_id, e.currency FROM creator_earnings e WHERE TRUE",
    );
    if let Some((account, currency)) = purses::place_key(&place) {
        query.push(" AND (e.account_id, e.currency) > (").push_bind(account.to_owned());
        query.push(", ").push_bind(currency.to_owned()).push(")");
    }
    if named {
        query.push(" AND e.creator_id IN (SELECT creator_id FROM payout_run_creators WHERE run_id = ");
        query.push_bind(id.as_str().to_owned()).push(")");
    }
    query.push(
        " AND NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id AND i.released_at_ms IS NULL)) purses \
         LEFT JOIN creator_stripe_accounts a ON a.account_id = purses.account_id",
    );
    let row = query.build().fetch_one(&mut **tx).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Asks for the number of accounts behind a place, and how many of them were never read or are known to be old.
pub(super) fn accounts_behind_query(place: &str) -> QueryBuilder<DB> {
    let account = purses::place_key(place).map_or("", |(account, _)| account);
    let mut query = QueryBuilder::<DB>::new("SELECT (SELECT COUNT(*) FROM creator_stripe_accounts WHERE account_id > ");
    query.push_bind(account.to_owned());
    query.push("), (SELECT COUNT(*) FROM creator_stripe_accounts WHERE (stale OR read_at_ms IS NULL) AND account_id > ");
    query.push_bind(account.to_owned()).push(")");
    query
}

/// The causes of trouble in a run, the most frequent first.
pub(in crate::store) async fn causes(pool: &Pool, now_ms: i64, id: &RunId) -> Result<Vec<CauseRow>, StoreError> {
    let mut tx = super::begin_snapshot(pool).await?;
    let found = causes_query(now_ms, id).fetch_all(&mut *tx).await?;
    let mut amounts: BTreeMap<(String, String), Vec<Money>> = BTreeMap::new();
    let sums = cause_sums_query(id).fetch_all(&mut *tx).await?;
    for row in &sums {
        let code: String = row.try_get(2)?;
        let money = Money::new(row.try_get(3)?, rows::currency(&code)?);
        amounts.entry((row.try_get(0)?, row.try_get(1)?)).or_default().push(money);
    }
    let known = known_elsewhere(&mut tx, id).await?;
    found.iter().map(|row| cause(row, &mut amounts, &known)).collect()
}

/// Asks for the causes of a run.
pub(super) fn causes_query(now_ms: i64, id: &RunId) -> Query {
    let buckets: Vec<String> = (0..10_i64).map(|n| bucket(now_ms, n)).collect();
    let text = format!(
        "SELECT p.cause, p.state, COUNT(*), COUNT(DISTINCT p.creator_id), MIN(p.changed_at_ms), MAX(p.changed_at_ms), {} \
         FROM creator_payouts p WHERE p.run_id = $1 AND p.cause IS NOT NULL AND p.state <> 'voided' \
         GROUP BY p.cause, p.state ORDER BY 3 DESC, 1, 2",
        buckets.join(", ")
    );
    sqlx::query::<DB>(AssertSqlSafe(text)).bind(id.as_str().to_owned())
}

/// Asks for the sums of a run's causes.
pub(super) fn cause_sums_query(id: &RunId) -> Query {
    sqlx::query::<DB>(
        "SELECT cause, state, currency, CAST(SUM(amount_minor) AS BIGINT) FROM creator_payouts \
         WHERE run_id = $1 AND cause IS NOT NULL GROUP BY cause, state, currency ORDER BY currency",
    )
    .bind(id.as_str().to_owned())
}

/// The n-th of ten minutes up to now. The numbers are ours, so they stand in the text.
fn bucket(now_ms: i64, n: i64) -> String {
    let from = now_ms.saturating_sub((10 - n) * MINUTE_MS);
    let until = now_ms.saturating_sub((9 - n) * MINUTE_MS);
    format!("CAST(SUM(CASE WHEN p.changed_at_ms > {from} AND p.changed_at_ms <= {until} THEN 1 ELSE 0 END) AS BIGINT)")
}

fn cause(
    row: &rows::AnyRow,
    amounts: &mut BTreeMap<(String, String), Vec<Money>>,
    known: &BTreeSet<String>,
) -> Result<CauseRow, StoreError> {
    let (cause, word): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let mut last_10_min = [0; 10];
    for (index, minute) in last_10_min.iter_mut().enumerate() {
        *minute = row.try_get(index + 6)?;
    }
    Ok(CauseRow {
        state: rows::payout_state("of a cause", &word)?,
        count: row.try_get(2)?,
        creators: row.try_get(3)?,
        first_ms: row.try_get(4)?,
        last_ms: row.try_get(5)?,
        last_10_min,
        is_new: !known.contains(&cause),
        amounts: amounts.remove(&(cause.clone(), word)).unwrap_or_default(),
        cause,
    })
}

/// Causes of this run that another run has too.
async fn known_elsewhere(tx: &mut super::Tx, id: &RunId) -> Result<BTreeSet<String>, StoreError> {
    let found = sqlx::query::<DB>(
        // Before and after, each a seek: "another run" would be found by reading all of this one.
        "SELECT here.cause FROM (SELECT DISTINCT cause FROM creator_payouts WHERE run_id = $1 AND cause IS NOT NULL) here \
         WHERE EXISTS (SELECT 1 FROM creator_payouts p WHERE p.cause = here.cause AND p.run_id < $1) \
            OR EXISTS (SELECT 1 FROM creator_payouts p WHERE p.cause = here.cause AND p.run_id > $1)",
    )
    .bind(id.as_str())
    .fetch_all(&mut **tx)
    .await?;
    found.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Asks for the newest failed and returned payouts of a run, newest first.
pub(super) fn newest_failures_query(id: &RunId, limit: i64) -> QueryBuilder<DB> {
    let filter = PayoutFilter {
        run: Some(id.clone()),
        states: vec![PayoutState::Failed, PayoutState::Returned],
        ..PayoutFilter::default()
    };
    pages::list_query(&filter, PayoutSort::Changed, false, None, limit)
}

/// The newest failed and returned payouts of a run, newest first.
pub(in crate::store) async fn newest_failures(
    pool: &Pool,
    id: &RunId,
    limit: i64,
) -> Result<Vec<PayoutRow>, StoreError> {
    newest_failures_query(id, limit).build().fetch_all(pool).await?.iter().map(rows::payout).collect()
}
