//! What becomes of a reversal that Stripe has made: a negative payout that the bank may refuse, at once or later. Its money counts only when the
//! bank has kept to it for a week, and a last look says so.
use super::{Done, Engine};
use crate::{
    store::{
        StoreError,
        types::{AttemptChange, By, Change, KnownReversal},
    },
    stripe::ReadError,
};
use payout_shared::{
    answer::PayoutObject,
    attempt::AttemptState,
    payout::{ObjectStatus, PayoutEvent},
};

/// Reversals looked at at once.
const LOOKS_MAX: usize = 16;
/// A reversal that isn't paid yet is looked at this often, milliseconds; its webhooks come first.
pub(super) const LOOK_AGAIN_MS: i64 = 6 * 60 * 60 * 1000;
/// A reversal has to stay paid for so long, milliseconds.
const HOLDS_AFTER_MS: i64 = 7 * 24 * 60 * 60 * 1000;

impl Engine {
    /// Starts a look at each reversal whose time has come.
    pub(super) async fn look_at_reversals(&mut self) -> Result<(), StoreError> {
        let room = LOOKS_MAX.saturating_sub(self.looking.len());
        let Some(stripe) = self.parts.stripe.clone().filter(|_| room > 0) else { return Ok(()) };
        let due = self.parts.store.reversed_due(i64::try_from(LOOKS_MAX * 2).unwrap_or(0)).await?;
        let open: Vec<KnownReversal> =
            due.into_iter().filter(|one| !self.looking.contains(&one.key)).take(room).collect();
        for one in open {
            let Some(object) = one.object.clone() else { continue };
            self.looking.insert(one.key.clone());
            let (stripe, done) = (stripe.clone(), self.done_tx.clone());
            tokio::spawn(async move {
                let result = stripe.payout(one.account.clone(), object).await;
                let _ = done.send(Done::Reversal { one, result }).await;
            });
        }
        Ok(())
    }

    /// The change that a look at a reversal makes.
    pub(super) fn reversal_looked(&self, one: &KnownReversal, result: &Result<PayoutObject, ReadError>) -> Change {
        let now_ms = self.parts.clock.now_ms();
        match result {
            Ok(object) => {
                let held = object.status == Some(ObjectStatus::Paid)
                    && one.paid_seen_ms.is_some_and(|paid_ms| now_ms.saturating_sub(paid_ms) >= HOLDS_AFTER_MS);
                Change { reversal_held: held, ..sighted(one, object.clone(), By::Engine, now_ms) }
            }
            Err(error) => {
                tracing::warn!(payout = %one.payout_id, %error, "a reversal could not be looked at");
                Change {
                    failure_reason: Some(error.to_string()),
                    not_before_ms: Some(now_ms.saturating_add(LOOK_AGAIN_MS)),
                    ..Change::new(one.payout_id.clone(), By::Engine)
                }
            }
        }
    }
}

/// Is this object that reversal?
pub(super) fn is_of(one: &KnownReversal, object: &PayoutObject) -> bool {
    match &one.object {
        Some(known) => *known == object.id,
        None => {
            object.original_payout.as_ref() == Some(&one.original) && object.key.as_deref() == Some(one.key.as_str())
        }
    }
}

/// The change that seeing a reversal's object makes.
pub(super) fn sighted(one: &KnownReversal, object: PayoutObject, by: By, now_ms: i64) -> Change {
    let (event, wait_ms) = match object.status {
        Some(ObjectStatus::Failed | ObjectStatus::Canceled) => (Some(PayoutEvent::RefuseReverse), 0),
        Some(ObjectStatus::Paid) => {
            let since_ms = one.paid_seen_ms.unwrap_or(now_ms);
            let left_ms = since_ms.saturating_add(HOLDS_AFTER_MS).saturating_sub(now_ms);
            (Some(PayoutEvent::Reverse), left_ms.max(0))
        }
        Some(ObjectStatus::Pending | ObjectStatus::InTransit) => (Some(PayoutEvent::Reverse), LOOK_AGAIN_MS),
        None => (None, LOOK_AGAIN_MS),
    };
    Change {
        event,
        cause: object.failure_code.clone(),
        failure_reason: object.failure_message.clone(),
        not_before_ms: Some(now_ms.saturating_add(wait_ms)),
        detail: serde_json::json!({
            "reversal": object.id.as_str(), "status": object.status.map(|status| status.as_str()),
        }),
        attempt: Some(AttemptChange {
            key: one.key.clone(),
            state: Some(AttemptState::Executed),
            object: Some(object),
            ..AttemptChange::default()
        }),
        ..Change::new(one.payout_id.clone(), by)
    }
}
