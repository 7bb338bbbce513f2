//! An attempt of a payout under change: what is stored of it, what is news, and which one a payout is judged by when a later one is given up.
use super::{DB, FOR_UPDATE, Tx};
use crate::store::{StoreError, types::AttemptChange};
use payout_shared::{
    attempt::{AttemptKind, AttemptState},
    consequence::{attempt_after, status_after},
    id::PayoutId,
    payout::ObjectStatus,
};
use sqlx::{AssertSqlSafe, Row};

/// An attempt under change, as read under its lock.
pub(super) struct Known {
    pub(super) state: AttemptState,
    pub(super) token: i64,
    pub(super) object: Option<String>,
    pub(super) status: Option<ObjectStatus>,
    pub(super) on_wire: bool,
    /// The how manyth create attempt it is; `None` = it is none.
    pub(super) create: Option<i64>,
}

pub(super) async fn read(tx: &mut Tx, key: &str) -> Result<Known, StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT state, token, stripe_object_id, object_status, on_wire, kind, number FROM payout_attempts WHERE key = $1{FOR_UPDATE}"
    )))
    .bind(key)
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| StoreError::NotFound { what: "attempt", name: key.to_owned() })?;
    let state: String = row.try_get(0)?;
    let state = AttemptState::parse(&state)
        .ok_or_else(|| StoreError::Broken(format!("attempt {key} has the unknown state {state:?}")))?;
    let status: Option<String> = row.try_get(3)?;
    let status = status.as_deref().and_then(ObjectStatus::parse);
    let (kind, number): (String, i64) = (row.try_get(5)?, row.try_get(6)?);
    let create = (kind == AttemptKind::Create.as_str()).then_some(number);
    Ok(Known { state, token: row.try_get(1)?, object: row.try_get(2)?, status, on_wire: row.try_get(4)?, create })
}

/// `own`: the object is this attempt's; an odd one is recorded beside it only.
pub(super) async fn write(
    tx: &mut Tx,
    now_ms: i64,
    change: &AttemptChange,
    known: &Known,
    own: bool,
) -> Result<(), StoreError> {
    let next = change.state.map_or(known.state, |news| attempt_after(known.state, news));
    let object = change.object.as_ref().filter(|_| own);
    let told = object.and_then(|object| object.status);
    let status = status_after(known.status, told);
    // Also when it is told late, of one that has failed since.
    let is_paid = status == Some(ObjectStatus::Paid) || (known.create.is_some() && told == Some(ObjectStatus::Paid));
    sqlx::query::<DB>(
        "UPDATE payout_attempts SET state = $2, on_wire = on_wire AND NOT $3, ambiguous_sends = ambiguous_sends + $4, \
         no_resend = no_resend OR $5, absent_listings = absent_listings + $6, \
         absent_first_stripe_ms = COALESCE(absent_first_stripe_ms, $15), absent_last_stripe_ms = COALESCE($16, absent_last_stripe_ms), \
         arrival_ms = COALESCE($17, arrival_ms), paid_seen_ms = COALESCE(paid_seen_ms, $18), \
         vouched_at_ms = CASE WHEN $19 THEN NULL ELSE COALESCE(vouched_at_ms, $20) END, \
         stripe_object_id = COALESCE(stripe_object_id, $7), object_status = $8, \
         http_status = COALESCE($9, http_status), error_type = COALESCE($10, error_type), \
         error_code = COALESCE($11, error_code), error_message = COALESCE($12, error_message), \
         request_id = COALESCE($13, request_id), answered_at_ms = COALESCE($14, answered_at_ms) WHERE key = $1",
    )
    .bind(&change.key)
    .bind(next.as_str())
    .bind(change.answered)
    .bind(i64::from(change.ambiguous))
    .bind(change.no_resend)
    .bind(i64::from(change.absent.is_some()))
    .bind(object.map(|object| object.id.as_str()))
    .bind(status.map(|status| status.as_str()))
    .bind(change.http_status.map(i64::from))
    .bind(&change.error_type)
    .bind(change.error_code.as_ref().or_else(|| object.and_then(|object| object.failure_code.as_ref())))
    .bind(change.error_message.as_ref().or_else(|| object.and_then(|object| object.failure_message.as_ref())))
    .bind(&change.request_id)
    .bind(change.answered.then_some(now_ms))
    .bind(change.absent.and_then(|(at_ms, counts)| counts.then_some(at_ms)))
    .bind(change.absent.map(|(at_ms, _)| at_ms))
    .bind(object.and_then(|object| object.arrival_date_s).map(|s| s.saturating_mul(1_000)))
    .bind(is_paid.then_some(now_ms))
    .bind(change.vouched == Some(false))
    .bind((change.vouched == Some(true)).then_some(now_ms))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What the last attempt that was made of a payout is.
pub(super) struct Last {
    pub(super) number: i64,
    pub(super) object: Option<String>,
    /// Stripe said at some time that it was paid.
    pub(super) was_paid: bool,
}

/// A retry was given up: the payout counts the attempts that were made of it, and is to go to the bank account that the last one names. Gives
/// what that one is.
pub(super) async fn last_again(tx: &mut Tx, payout: &PayoutId) -> Result<Last, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT number, stripe_object_id, paid_seen_ms IS NOT NULL, destination_id FROM payout_attempts \
         WHERE payout_id = $1 AND kind = 'create' ORDER BY number DESC LIMIT 1",
    )
    .bind(payout.as_str())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| StoreError::Broken(format!("payout {payout} was to be tried again, and there is no attempt of it")))?;
    let last = Last { number: row.try_get(0)?, object: row.try_get(1)?, was_paid: row.try_get(2)? };
    sqlx::query::<DB>("UPDATE creator_payouts SET attempts = $2, destination_id = $3 WHERE id = $1")
        .bind(payout.as_str())
        .bind(last.number)
        .bind(row.try_get::<String, _>(3)?)
        .execute(&mut **tx)
        .await?;
    Ok(last)
}
