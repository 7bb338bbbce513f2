//! An unknown payout of which two people say that it was not paid, before that is proven: its earnings are free, its creator stays held, and it
//! is looked for until a listing that counts doesn't show it.
use super::{DB, FOR_UPDATE_OF_P, Tx, change, claim, requests};
use crate::store::{
    StoreError,
    door_types::{NewRequest, RequestRow},
    types::{AttemptChange, By, Change, Note},
};
use payout_shared::{
    absence::NOT_PAID_HOLD,
    approval::{RequestKind, RequestState},
    attempt::AttemptState,
    id::PayoutId,
    payout::{PayoutEvent, PayoutState},
    plan::SkipReason,
};
use sqlx::AssertSqlSafe;

/// Two people agreed.
pub(super) async fn vouch(
    tx: &mut Tx,
    now_ms: i64,
    request: &RequestRow,
    by: &By,
    reason: &str,
) -> Result<Vec<Note>, StoreError> {
    let payout = PayoutId::new(&request.subject);
    let detail = requests::detail(request)?;
    let key = detail["key"].as_str().ok_or_else(|| StoreError::Broken(format!("request {} names no key", request.id)))?;
    claim::still_unknown(tx, &payout, key).await?;
    let sentence = format!("two people said that it was not paid ({reason}): its earnings are free for a later run");
    let held = format!("payout {payout} was said not to be paid: nothing leaves until Stripe's list proves it, 25 h after its last send");
    let change = Change {
        event: Some(PayoutEvent::ProveAbsent),
        cause: Some(NOT_PAID_HOLD.to_owned()),
        failure_reason: Some(sentence.clone()),
        attempt: Some(AttemptChange {
            key: key.to_owned(),
            state: Some(AttemptState::Withdrawn),
            no_resend: true,
            vouched: Some(true),
            ..AttemptChange::default()
        }),
        hold: Some((NOT_PAID_HOLD.to_owned(), held)),
        skip: Some((SkipReason::NeverExecuted, sentence)),
        not_before_ms: Some(now_ms),
        detail: serde_json::json!({"request": request.id}),
        ..Change::new(payout, by.clone())
    };
    Ok(change::in_tx(tx, now_ms, &[change]).await?.1)
}

/// Its payout is looked at and locked before the request is, as whatever changes the payout does: two that wait for each other end neither.
pub(super) async fn lock_first(tx: &mut Tx, request: &str) -> Result<(), StoreError> {
    sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT p.id FROM creator_payouts p WHERE p.id = (SELECT q.subject FROM requests q WHERE q.id = $1 AND q.kind = 'not_paid'){FOR_UPDATE_OF_P}"
    )))
    .bind(request)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(())
}

/// Nobody is asked about what isn't unknown.
pub(super) async fn refuse_unless_unknown(tx: &mut Tx, new: &NewRequest) -> Result<(), StoreError> {
    let key = new.detail["key"].as_str().ok_or_else(|| StoreError::Refused("the attempt that was not paid isn't named".to_owned()))?;
    claim::still_unknown(tx, &PayoutId::new(&new.subject), key).await
}

/// The payout is no longer unknown: what people were asked about it has its answer, except by what they agreed to in this very change.
pub(super) async fn close(tx: &mut Tx, now_ms: i64, change: &Change, state: PayoutState) -> Result<Vec<Note>, StoreError> {
    let agreed = change.detail["request"].as_str().filter(|_| change.attempt.as_ref().is_some_and(|attempt| attempt.vouched == Some(true)));
    let why = format!("payout {} is {} by now", change.payout_id, state.as_str().replace('_', " "));
    let mut notes = Vec::new();
    for open in requests::open_about(tx, RequestKind::NotPaid, change.payout_id.as_str()).await? {
        if agreed != Some(open.id.as_str()) {
            requests::decide(tx, now_ms, &open.id, RequestState::Expired, &By::Engine, &why).await?;
            notes.push(requests::note(&open, "expire", &By::Engine, &why));
        }
    }
    Ok(notes)
}
