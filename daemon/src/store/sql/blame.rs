//! What a failure means for its creator: nothing, a hold until the bank account changes, or a hold until somebody has looked.
use super::{DB, Tx};
use crate::store::{StoreError, types::By};
use payout_shared::{
    absence::NOT_PAID_HOLD,
    attempt::AttemptState,
    id::PayoutId,
    payout::ObjectStatus,
    retry::{BANK_HOLD, Blame, blame},
};
use sqlx::Row;

/// Attempts of a creator that are looked back on.
const LOOK_BACK: i64 = 10;

/// Holds the creator when the failure is theirs to mend. The failed attempt is written already.
pub(super) async fn hold(
    tx: &mut Tx,
    now_ms: i64,
    creator: &str,
    (payout, cause): (&PayoutId, &str),
    what: &str,
    by: &By,
) -> Result<(), StoreError> {
    let before = earlier(tx, creator).await?;
    // The newest of them is this one.
    let judged = blame(cause, before.get(1..).unwrap_or_default());
    let Some(hold_cause) = judged.hold_cause() else { return Ok(()) };
    if judged == Blame::Bank && is_replaced(tx, payout).await? {
        return Ok(());
    }
    let reason = match judged {
        Blame::Bank => format!("payout {payout} failed for its bank account: {cause} ({what})"),
        Blame::Refusals | Blame::Nobody => format!("payout {payout} is one of several refused in a row: {cause} ({what})"),
    };
    place(tx, now_ms, creator, hold_cause, &reason, &by.to_string()).await
}

/// The bank account that it went to was replaced meanwhile: its failure says nothing of the new one.
async fn is_replaced(tx: &mut Tx, payout: &PayoutId) -> Result<bool, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT EXISTS (SELECT 1 FROM creator_payouts p JOIN account_banks b ON b.account_id = p.account_id AND b.currency = p.currency \
         WHERE p.id = $1 AND b.destination_id <> p.destination_id)",
    )
    .bind(payout.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}

/// The causes of the creator's create attempts, newest first; `None` for one that went well.
async fn earlier(tx: &mut Tx, creator: &str) -> Result<Vec<Option<String>>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT t.state, t.object_status, COALESCE(t.error_code, t.error_type, '?') FROM creator_payouts p \
         JOIN payout_attempts t ON t.payout_id = p.id WHERE p.creator_id = $1 AND t.kind = 'create' \
         AND t.state IN ('executed', 'refused') ORDER BY t.created_at_ms DESC, t.key DESC LIMIT $2",
    )
    .bind(creator)
    .bind(LOOK_BACK)
    .fetch_all(&mut **tx)
    .await?;
    let read = |row: &<DB as sqlx::Database>::Row| {
        let (state, status, code): (String, Option<String>, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let refused = AttemptState::parse(&state) == Some(AttemptState::Refused);
        let failed = status.as_deref().and_then(ObjectStatus::parse) == Some(ObjectStatus::Failed);
        Ok((refused || failed).then_some(code))
    };
    found.iter().map(read).collect()
}

/// The bank accounts of these creators have changed: what held them for the old one is over. Gives who was released.
pub(super) async fn lift(tx: &mut Tx, now_ms: i64, creators: &[String]) -> Result<Vec<String>, StoreError> {
    let mut released = Vec::new();
    for creator in creators {
        let done = sqlx::query::<DB>(
            "UPDATE creator_holds SET released_by = $1, released_at_ms = $2 WHERE creator_id = $3 AND cause = $4 \
             AND released_at_ms IS NULL",
        )
        .bind(By::Engine.to_string())
        .bind(now_ms)
        .bind(creator)
        .bind(BANK_HOLD)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() > 0 {
            released.push(creator.clone());
        }
    }
    Ok(released)
}

/// Holds a creator for a cause; one that is held for it already stays so.
pub(super) async fn place(tx: &mut Tx, now_ms: i64, creator: &str, cause: &str, reason: &str, by: &str) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "INSERT INTO creator_holds (creator_id, cause, reason, placed_by, placed_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(creator)
    .bind(cause)
    .bind(reason)
    .bind(by)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whom two people's word about a payout has held is free again when nothing of theirs is looked for any more.
pub(super) async fn lift_not_paid(tx: &mut Tx, now_ms: i64, creator: &str) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE creator_holds SET released_by = $1, released_at_ms = $2 WHERE creator_id = $3 AND cause = $4 AND released_at_ms IS NULL \
         AND NOT EXISTS (SELECT 1 FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id \
         WHERE t.vouched_at_ms IS NOT NULL AND p.creator_id = $3)",
    )
    .bind(By::Engine.to_string())
    .bind(now_ms)
    .bind(creator)
    .bind(NOT_PAID_HOLD)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
