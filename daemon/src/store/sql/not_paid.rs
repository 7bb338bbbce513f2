//! An unknown payout of which two people say that it was not paid, before that is proven: its earnings are free, its creator stays held, and it
//! is looked for until a listing that counts doesn't show it.
use super::{Tx, change, claim, requests};
use crate::store::{
    StoreError,
    door_types::RequestRow,
    types::{AttemptChange, By, Change, Note},
};
use payout_shared::{
    absence::NOT_PAID_HOLD, attempt::AttemptState, id::PayoutId, payout::PayoutEvent, plan::SkipReason,
};

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
