//! Late executions, and reversals that failed late, against the entries that they spent: what Stripe paid out for a payout beyond the entries
//! that are locked in it is owed by its purse (`overpaid`), until the money is seen back.
use super::{DB, Tx};
use crate::store::{StoreError, types::Note};
use payout_shared::{answer::PayoutObject, earning::EarningKind, id::PayoutId, payout::PayoutState};
use sqlx::Row;

/// Brings the overpaid entries of a payout to what they must come to, after one of its objects was seen. `own`: the payout's own object,
/// which is no late one, even when it was taken for one before that was known.
pub(super) async fn settle(
    tx: &mut Tx,
    now_ms: i64,
    payout: &PayoutId,
    (state, own): (PayoutState, Option<&str>),
    object: &PayoutObject,
) -> Result<Option<Note>, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT p.creator_id, p.account_id, p.currency, p.amount_minor, \
         CAST(COALESCE((SELECT SUM(f.amount_minor) FROM foreign_payouts f WHERE f.payout_id = p.id AND f.account_id = p.account_id \
           AND f.currency = p.currency AND f.status NOT IN ('failed', 'canceled') AND f.object_id <> $2), 0) AS BIGINT), \
         CAST(COALESCE((SELECT SUM(i.amount_minor) FROM payout_items i WHERE i.payout_id = p.id AND i.released_at_ms IS NULL), 0) AS BIGINT), \
         CAST(COALESCE((SELECT SUM(e.amount_minor) FROM creator_earnings e WHERE e.kind = 'overpaid' AND e.account_id = p.account_id \
           AND e.currency = p.currency AND EXISTS (SELECT 1 FROM (SELECT f.object_id AS id FROM foreign_payouts f WHERE f.payout_id = p.id \
             UNION ALL SELECT u.stripe_object_id FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'reverse') o \
           WHERE e.source_id = o.id OR e.source_id LIKE o.id || '#%')), 0) AS BIGINT) \
         FROM creator_payouts p WHERE p.id = $1",
    )
    .bind(payout.as_str())
    .bind(own.unwrap_or(""))
    .fetch_one(&mut **tx)
    .await?;
    let (amount, late, locked, booked): (i64, i64, i64, i64) =
        (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    let own = if own.is_some() && is_out(state) { amount } else { 0 };
    let too_much = || StoreError::Broken(format!("what was paid for payout {payout} does not fit into 64 bits"));
    let paid = own.checked_add(late).and_then(|paid| paid.checked_sub(locked)).ok_or_else(too_much)?;
    // Only what left beyond its entries; while a payout's money is on its way back they are locked without any of it being out.
    let target = paid.max(0).saturating_neg();
    let missing = target.checked_sub(booked).ok_or_else(too_much)?;
    if missing == 0 {
        return Ok(None);
    }
    let (creator, account, currency): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let taken = sqlx::query::<DB>(
        "SELECT COUNT(*) FROM creator_earnings WHERE kind = 'overpaid' AND account_id = $1 AND currency = $2 \
         AND (source_id = $3 OR source_id LIKE $4)",
    )
    .bind(&account)
    .bind(&currency)
    .bind(object.id.as_str())
    .bind(format!("{}#%", object.id))
    .fetch_one(&mut **tx)
    .await?;
    let source_id = match taken.try_get::<i64, _>(0)? {
        0 => object.id.to_string(),
        taken => format!("{}#{}", object.id, taken.saturating_add(1)),
    };
    let at_ms = object.created_s.saturating_mul(1_000);
    sqlx::query::<DB>(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
         source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $5, 0, 'payout', $6, $7, $7, $8)",
    )
    .bind(creator)
    .bind(&account)
    .bind(&currency)
    .bind(EarningKind::Overpaid.as_str())
    .bind(missing)
    .bind(&source_id)
    .bind(at_ms)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(Some(Note {
        actor: "engine".to_owned(),
        action: "earnings.overpaid".to_owned(),
        payout_id: Some(payout.to_string()),
        detail: serde_json::json!({"object": object.id.as_str(), "amount_minor": missing, "currency": currency, "account": account}),
        ..Note::default()
    }))
}

/// Money of the payout's own object is out, or may be.
const fn is_out(state: PayoutState) -> bool {
    match state {
        PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Reversing => true,
        PayoutState::Planned
        | PayoutState::Submitting
        | PayoutState::Unknown
        | PayoutState::Voided
        | PayoutState::Failed
        | PayoutState::Canceled
        | PayoutState::Returned
        | PayoutState::Reversed => false,
    }
}
