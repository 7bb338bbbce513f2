//! One payout with everything known of it.
use super::{DB, Pool, Tx, journal_read, rows};
use crate::store::{
    StoreError,
    door_types::{AttemptRow, ItemRow, PayoutRow, PayoutShow},
};
use payout_shared::{
    attempt::{AttemptKind, AttemptState},
    earning::EarningKind,
    id::PayoutId,
};
use sqlx::{AssertSqlSafe, Row};

/// Items shown; more are only counted.
const ITEMS_MAX: i64 = 200;

/// One payout, its timeline, items and attempts, as of one moment.
pub(in crate::store) async fn payout(pool: &Pool, id: &PayoutId) -> Result<PayoutShow, StoreError> {
    let mut tx = super::begin_snapshot(pool).await?;
    let text = format!(
        "SELECT {} FROM creator_payouts p JOIN payout_runs r ON r.id = p.run_id WHERE p.id = $1",
        rows::PAYOUT_COLUMNS
    );
    let row = sqlx::query::<DB>(AssertSqlSafe(text))
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| StoreError::NotFound { what: "payout", name: id.to_string() })?;
    let row = rows::payout(&row)?;
    let (items, items_total) = items(&mut tx, id).await?;
    Ok(PayoutShow {
        timeline: journal_read::of_payout(&mut tx, id).await?,
        attempts: attempts(&mut tx, id).await?,
        same_cause: same_cause(&mut tx, &row).await?,
        row,
        items,
        items_total,
    })
}

async fn items(tx: &mut Tx, id: &PayoutId) -> Result<(Vec<ItemRow>, i64), StoreError> {
    let total = sqlx::query::<DB>("SELECT COUNT(*) FROM payout_items WHERE payout_id = $1")
        .bind(id.as_str())
        .fetch_one(&mut **tx)
        .await?
        .try_get(0)?;
    let found = sqlx::query::<DB>(
        "SELECT i.earning_id, e.kind, i.amount_minor, e.source_id, e.earned_at_ms, i.released_at_ms IS NOT NULL \
         FROM payout_items i JOIN creator_earnings e ON e.id = i.earning_id WHERE i.payout_id = $1 ORDER BY i.earning_id LIMIT $2",
    )
    .bind(id.as_str())
    .bind(ITEMS_MAX)
    .fetch_all(&mut **tx)
    .await?;
    let items = found.iter().map(|row| {
        let kind: String = row.try_get(1)?;
        Ok(ItemRow {
            earning_id: row.try_get(0)?,
            kind: EarningKind::parse(&kind).ok_or_else(|| rows::strange("an item of", id.as_str(), &kind))?,
            amount_minor: row.try_get(2)?,
            source_id: row.try_get(3)?,
            earned_at_ms: row.try_get(4)?,
            released: row.try_get(5)?,
        })
    });
    Ok((items.collect::<Result<_, StoreError>>()?, total))
}

async fn attempts(tx: &mut Tx, id: &PayoutId) -> Result<Vec<AttemptRow>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT key, kind, number, state, on_wire, sends, ambiguous_sends, absent_listings, stripe_object_id, object_status, \
         http_status, error_type, error_code, error_message, request_id, first_sent_stripe_ms, last_sent_stripe_ms, \
         absent_first_stripe_ms, no_resend \
         FROM payout_attempts WHERE payout_id = $1 ORDER BY created_at_ms, kind, number",
    )
    .bind(id.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let attempts = found.iter().map(|row| {
        let (kind, state): (String, String) = (row.try_get(1)?, row.try_get(3)?);
        Ok(AttemptRow {
            key: row.try_get(0)?,
            kind: AttemptKind::parse(&kind).ok_or_else(|| rows::strange("an attempt of", id.as_str(), &kind))?,
            number: row.try_get(2)?,
            state: AttemptState::parse(&state).ok_or_else(|| rows::strange("an attempt of", id.as_str(), &state))?,
            on_wire: row.try_get(4)?,
            sends: row.try_get(5)?,
            ambiguous_sends: row.try_get(6)?,
            absent_listings: row.try_get(7)?,
            absent_first_stripe_ms: row.try_get(17)?,
            no_resend: row.try_get(18)?,
            stripe_object_id: row.try_get(8)?,
            object_status: row.try_get(9)?,
            http_status: row.try_get(10)?,
            error_type: row.try_get(11)?,
            error_code: row.try_get(12)?,
            error_message: row.try_get(13)?,
            request_id: row.try_get(14)?,
            first_sent_stripe_ms: row.try_get(15)?,
            last_sent_stripe_ms: row.try_get(16)?,
        })
    });
    attempts.collect()
}

async fn same_cause(tx: &mut Tx, row: &PayoutRow) -> Result<i64, StoreError> {
    let Some(cause) = &row.cause else { return Ok(0) };
    let found = sqlx::query::<DB>("SELECT COUNT(*) FROM creator_payouts WHERE run_id = $1 AND cause = $2 AND id <> $3")
        .bind(row.run_id.as_str())
        .bind(cause)
        .bind(row.id.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Ok(found.try_get(0)?)
}
