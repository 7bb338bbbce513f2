//! Creators: their ids page by page, and one of them whole. What the plan would decide is asked of the plan's own reading.
use super::{DB, Pool, Tx, accounts, before, begin_snapshot, books, cohort_ask, holds, plan, purses, rows};
use crate::store::{
    StoreError,
    door_types::{CreatorShow, PayoutRow, PlatformRefund},
    types::{PlanContext, PlannedPurse},
};
use payout_shared::{id::CreatorId, money::Money};
use sqlx::{AssertSqlSafe, Row};

/// Payouts shown of one creator.
const PAYOUTS: i64 = 6;
/// Refunds shown of one creator.
const REFUNDS: i64 = 20;
/// Purses of one creator per page of the plan.
const PURSES: i64 = 1000;

/// Creators that have an account, in order of their ids.
pub(in crate::store) async fn after(pool: &Pool, after: &str, limit: i64) -> Result<Vec<CreatorId>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT DISTINCT creator_id FROM creator_stripe_accounts WHERE creator_id > $1 ORDER BY creator_id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    found.iter().map(|row| Ok(CreatorId::new(row.try_get::<String, _>(0)?))).collect()
}

/// One creator, as of one moment.
pub(in crate::store) async fn show(
    pool: &Pool,
    creator: &CreatorId,
    now_ms: i64,
    context: &PlanContext,
) -> Result<CreatorShow, StoreError> {
    let mut tx = begin_snapshot(pool).await?;
    if !rows::creator_is_known(&mut tx, creator.as_str()).await? {
        return Err(StoreError::NotFound { what: "creator", name: creator.to_string() });
    }
    let flags = sqlx::query::<DB>(
        "SELECT u.payout_enabled, s.payout_enabled, u.payout_beta_enabled OR NOT (SELECT beta_open FROM daemon_state WHERE id = 1), \
         CAST(s.minimum_payout_amount AS TEXT) FROM (SELECT CAST($1 AS TEXT) AS creator_id) q \
         LEFT JOIN users u ON u.supabase_id = q.creator_id LEFT JOIN creator_payout_settings s ON s.creator_id = q.creator_id",
    )
    .bind(creator.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let decided = decided(&mut tx, creator, now_ms, context).await?;
    Ok(CreatorShow {
        creator: creator.clone(),
        user_enabled: flags.try_get::<Option<bool>, _>(0)?.unwrap_or(false),
        settings_enabled: flags.try_get::<Option<bool>, _>(1)?.unwrap_or(false),
        beta_open: flags.try_get::<Option<bool>, _>(2)?.unwrap_or(false),
        minimum: flags.try_get(3)?,
        cohort: cohort_ask::place(&mut tx, creator).await?,
        tags: cohort_ask::tags(&mut tx, creator).await?,
        accounts: accounts::of_creator(&mut tx, creator).await?,
        holds: holds::of_creator(&mut tx, creator, "").await?,
        purses: purses(&mut tx, creator, now_ms, context, decided).await?,
        payouts: payouts(&mut tx, creator).await?,
        platform_refunds: platform_refunds(&mut tx, creator).await?,
        platform_refunds_total: count(&mut tx, creator, &format!("SELECT COUNT(*) {PLATFORM_REFUNDS}")).await?,
        facts_waiting: count(&mut tx, creator, &format!("{UNBOOKED} AND NOT ({})", before::is_left())).await?,
        facts_before: count(&mut tx, creator, &format!("{UNBOOKED} AND {}", before::is_left())).await?,
    })
}

/// Refunds of a creator's sales that came without a reversal and went through.
const PLATFORM_REFUNDS: &str = "FROM creator_earnings s JOIN earning_facts f ON f.charge_id = s.source_id WHERE s.creator_id = $1 \
     AND s.source_type = 'charge' AND s.kind = 'sale' AND f.kind = 'refund' AND f.transfer_id IS NULL AND f.status NOT IN ('failed', 'canceled')";
/// What was told of a creator's accounts, or of their sales, and isn't booked.
const UNBOOKED: &str = "SELECT COUNT(*) FROM earning_facts f WHERE NOT f.booked AND (EXISTS (SELECT 1 FROM creator_stripe_accounts a \
     WHERE a.account_id = f.account_id AND a.creator_id = $1) OR EXISTS (SELECT 1 FROM creator_earnings s WHERE s.source_type = 'charge' \
     AND s.source_id = f.charge_id AND s.kind = 'sale' AND s.creator_id = $1))";

async fn count(tx: &mut Tx, creator: &CreatorId, query: &str) -> Result<i64, StoreError> {
    let text = AssertSqlSafe(query.to_owned());
    Ok(sqlx::query::<DB>(text).bind(creator.as_str()).fetch_one(&mut **tx).await?.try_get(0)?)
}

async fn platform_refunds(tx: &mut Tx, creator: &CreatorId) -> Result<Vec<PlatformRefund>, StoreError> {
    let text = format!(
        "SELECT f.fact_id, f.charge_id, f.amount_minor, f.currency, f.at_ms {PLATFORM_REFUNDS} ORDER BY f.at_ms DESC, f.fact_id DESC \
         LIMIT {REFUNDS}"
    );
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(creator.as_str()).fetch_all(&mut **tx).await?;
    found
        .iter()
        .map(|row| {
            let (minor, code): (i64, String) = (row.try_get(2)?, row.try_get(3)?);
            let amount = Money { minor, currency: rows::currency(&code)? };
            Ok(PlatformRefund { refund: row.try_get(0)?, charge: row.try_get(1)?, amount, at_ms: row.try_get(4)? })
        })
        .collect()
}

/// What a run asked for now would decide of each purse with a free entry.
async fn decided(
    tx: &mut Tx,
    creator: &CreatorId,
    now_ms: i64,
    context: &PlanContext,
) -> Result<Vec<PlannedPurse>, StoreError> {
    let run = purses::PlanRun {
        id: "",
        cutoff_ms: now_ms,
        instant_ms: now_ms,
        creators: Some(std::slice::from_ref(creator)),
    };
    let (mut decided, mut after) = (Vec::new(), Some(String::new()));
    while let Some(place) = after {
        let page = plan::preview_in(&mut *tx, &run, &place, PURSES, context).await?;
        decided.extend(page.purses);
        after = page.next_after;
    }
    Ok(decided)
}

async fn purses(
    tx: &mut Tx,
    creator: &CreatorId,
    now_ms: i64,
    context: &PlanContext,
    mut decided: Vec<PlannedPurse>,
) -> Result<Vec<(payout_shared::books::PurseSums, Option<PlannedPurse>)>, StoreError> {
    let mut query = books::purses_query(now_ms, context);
    query.push(" WHERE e.creator_id = ").push_bind(creator.to_string());
    query.push(" GROUP BY e.account_id, e.currency ORDER BY e.account_id, e.currency");
    let found = query.build().fetch_all(&mut **tx).await?;
    found
        .iter()
        .map(|row| {
            let sums = books::purse(row)?;
            let at = decided.iter().position(|purse| purse.account == sums.account && purse.currency == sums.currency);
            Ok((sums, at.map(|at| decided.swap_remove(at))))
        })
        .collect()
}

async fn payouts(tx: &mut Tx, creator: &CreatorId) -> Result<Vec<PayoutRow>, StoreError> {
    let text = format!(
        "SELECT {} FROM creator_payouts p JOIN payout_runs r ON r.id = p.run_id WHERE p.creator_id = $1 \
         ORDER BY p.created_at_ms DESC, p.id DESC LIMIT {PAYOUTS}",
        rows::PAYOUT_COLUMNS
    );
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(creator.as_str()).fetch_all(&mut **tx).await?;
    found.iter().map(rows::payout).collect()
}
