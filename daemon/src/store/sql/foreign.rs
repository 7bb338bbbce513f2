//! Payout objects on our accounts that no payout of ours explains.
use super::{DB, Tx};
use crate::store::StoreError;
use payout_shared::{answer::PayoutObject, id::PayoutId};
use sqlx::Row;

/// Remembers an object that no payout's newest attempt explains: shown, never dropped.
pub(super) async fn record(
    tx: &mut Tx,
    now_ms: i64,
    object: &PayoutObject,
    payout: Option<&PayoutId>,
    why: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query::<DB>(
        "INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, payout_id, why, first_seen_ms, \
         created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (object_id) DO UPDATE SET status = \
         CASE WHEN foreign_payouts.status IN ('failed', 'canceled') THEN foreign_payouts.status ELSE excluded.status END",
    )
    .bind(object.id.as_str())
    .bind(object.account.as_str())
    .bind(object.currency.as_str())
    .bind(object.amount_minor)
    .bind(object.status.map_or("?", |status| status.as_str()))
    .bind(object.automatic)
    .bind(payout.map(PayoutId::as_str))
    .bind(why)
    .bind(now_ms)
    .bind(object.created_s.saturating_mul(1_000))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Was the object noted beside this payout, as a late one of it?
pub(super) async fn is_of(tx: &mut Tx, object: &PayoutObject, payout: &PayoutId) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM foreign_payouts WHERE object_id = $1 AND payout_id = $2)";
    let row = sqlx::query::<DB>(query).bind(object.id.as_str()).bind(payout.as_str()).fetch_one(&mut **tx).await?;
    Ok(row.try_get(0)?)
}
