//! Taking a run back, at the engine's pace: what was never sent is voided, what is pending is canceled at Stripe, what is paid is reversed where
//! that was approved, and what nobody knows is looked up at its own object. Each pass does a bounded piece, so that a kill loses nothing.
use super::{
    Done, Engine, IDLE_MS,
    lead::Lease,
    observe,
    record::{meta, put_back_ms},
};
use crate::{
    clock::BootMs,
    store::{
        StoreError,
        types::{AttemptChange, By, Change, Gate, RunRow, UndoBodies, UndoIntent, UndoLeft, UndoUnresolved},
    },
    stripe::{MoneyRequest, ReadError, Stripe, wire},
};
use payout_shared::{
    answer::{self, PayoutObject, Sent},
    attempt::{AttemptKind, AttemptState},
    consequence::backoff_ms,
    payout::{ObjectStatus, PayoutEvent},
    run::RunEvent,
    undo::{AfterLook, UndoAsked, UndoSends, looked, undone},
};
use std::sync::Arc;

/// Payouts voided in one pass.
const VOIDS_MAX: i64 = 200;
/// Objects looked up at once.
const LOOKS_MAX: usize = 16;
/// What Stripe refused for good isn't asked for again.
const NEVER_MS: i64 = i64::MAX;

/// The bodies of cancels and reversals, as they are committed.
const BODIES: UndoBodies = UndoBodies { cancel: |_| wire::cancel_body(), reverse: wire::reverse_body };

impl Engine {
    /// Does the next piece of taking a run back.
    pub(super) async fn take_back(&mut self, lease: Lease, run: &RunRow) -> Result<BootMs, StoreError> {
        let later = self.parts.clock.boot().plus_ms(IDLE_MS);
        let voided = self.parts.store.void_planned(lease.fence, &run.id, VOIDS_MAX).await?;
        if voided > 0 {
            tracing::warn!(run = %run.label, voided, "payouts of a run that is taken back were given up before they were sent");
            self.again = true;
            self.parts.changed.tell();
            return Ok(later);
        }
        let left = self.parts.store.undo_left(&run.id).await?;
        if left.is_done() {
            self.run_event(lease, run, RunEvent::FinishAbort, None).await?;
            return Ok(later);
        }
        let may_go = !self.stopping && left.confirmed && self.send_undo(lease, run, left).await?;
        // Only the rate is waited for so closely: what is on the wire wakes the engine, and a shut gate opens by itself.
        let waits_for_rate = may_go && self.flying.len() < self.parts.limits.create_concurrency();
        Ok(if waits_for_rate && left.cancels_due + left.reversals_due > 0 {
            self.parts.limits.next_create_at().min(later)
        } else {
            later
        })
    }

    /// Sends what is due and may leave; false: the gate is shut.
    async fn send_undo(&mut self, lease: Lease, run: &RunRow, left: UndoLeft) -> Result<bool, StoreError> {
        for (kind, due) in [(AttemptKind::Cancel, left.cancels_due), (AttemptKind::Reverse, left.reversals_due)] {
            let Some(gate) = self.undo_gate(lease) else { return Ok(false) };
            if due == 0 {
                continue;
            }
            let may = i64::try_from(self.may_leave(usize::try_from(due).unwrap_or(0))).unwrap_or(0);
            if may == 0 {
                continue;
            }
            let intents = match self.parts.store.intend_undo(gate, (kind, &run.id), may, BODIES).await {
                Ok(intents) => intents,
                Err(error) => {
                    self.doubt();
                    return Err(error);
                }
            };
            if !intents.is_empty() {
                self.parts.changed.tell();
            }
            for intent in intents {
                self.fly_undo(intent, BootMs(gate.send_before_ms));
            }
        }
        Ok(true)
    }

    fn fly_undo(&mut self, intent: UndoIntent, send_before: BootMs) {
        let path = match intent.kind {
            AttemptKind::Reverse => wire::reverse_path(&intent.object),
            AttemptKind::Cancel | AttemptKind::Create => wire::cancel_path(&intent.object),
        };
        let request = MoneyRequest {
            account: intent.account.clone(),
            key: intent.key.clone(),
            path,
            body: intent.body.clone(),
            send_before,
        };
        self.launch(intent.token, request, |sent, latency_ms| Done::Undone { intent, sent, latency_ms });
    }

    /// The change that an answer to a cancel or a reversal makes.
    pub(super) fn undone(&self, intent: &UndoIntent, sent: &Sent) -> Change {
        let asked = UndoAsked {
            kind: intent.kind,
            key: intent.key.clone(),
            account: intent.account.clone(),
            object: intent.object.clone(),
            amount_minor: intent.amount.minor,
            currency: intent.amount.currency,
            mode: self.parts.store.mode(),
        };
        let effect = undone(&asked, sent, intent.ambiguous_before);
        if effect.slow_down {
            self.slow_down(sent);
        }
        if effect.page {
            tracing::error!(payout = %intent.payout_id, run = %intent.run_id, kind = intent.kind.as_str(), answer = ?sent,
                "an answer that must not be: somebody has to look at it now");
        }
        let now_ms = self.parts.clock.now_ms();
        let wait_ms = match effect.attempt {
            AttemptState::Waiting => Some(put_back_ms(sent)),
            // What Stripe refused it has done already; what may be at work there should be done by then.
            AttemptState::Unknown if effect.ambiguous => Some(self.parts.settings.resolve_first_ms),
            AttemptState::Unknown => Some(0),
            AttemptState::Executed if intent.kind == AttemptKind::Reverse => Some(super::reversal::LOOK_AGAIN_MS),
            AttemptState::Intended | AttemptState::Executed | AttemptState::Refused | AttemptState::Withdrawn => None,
        };
        // What was done as asked is no trouble, and has no cause.
        let cause = (effect.attempt != AttemptState::Executed).then(|| answer::cause(sent));
        let kind = intent.kind.as_str();
        tracing::info!(run = %intent.run_id, payout = %intent.payout_id, kind, cause, attempt = effect.attempt.as_str(), "answered: {kind}");
        let mut attempt = AttemptChange {
            key: intent.key.clone(),
            token: Some(intent.token),
            state: Some(effect.attempt),
            answered: true,
            ambiguous: effect.ambiguous,
            no_resend: effect.no_resend,
            request_id: meta(sent).and_then(|meta| meta.request_id.clone()),
            ..AttemptChange::default()
        };
        super::record::keep_answer(&mut attempt, sent);
        attempt.object = attempt.object.filter(|_| effect.attempt == AttemptState::Executed);
        Change {
            event: effect.event,
            failure_reason: Some(format!("{kind}: {}", super::record::what_came(sent))),
            cause,
            attempt: Some(attempt),
            not_before_ms: wait_ms.map(|wait_ms| now_ms.saturating_add(wait_ms)),
            detail: serde_json::json!({"kind": kind, "attempt": effect.attempt.as_str()}),
            ..Change::new(intent.payout_id.clone(), By::Engine)
        }
    }

    /// Starts a look at the object of each cancel or reversal that nobody knows the outcome of.
    pub(super) async fn look_up(&mut self) -> Result<(), StoreError> {
        let room = LOOKS_MAX.saturating_sub(self.looking.len());
        let Some(stripe) = self.parts.stripe.clone().filter(|_| room > 0) else { return Ok(()) };
        let waiting = self.parts.store.undo_unresolved(i64::try_from(LOOKS_MAX * 2).unwrap_or(0)).await?;
        let open: Vec<UndoUnresolved> =
            waiting.into_iter().filter(|one| !self.looking.contains(&one.key)).take(room).collect();
        for one in open {
            self.looking.insert(one.key.clone());
            let (stripe, done) = (stripe.clone(), self.done_tx.clone());
            tokio::spawn(async move {
                let result = see(&stripe, &one).await;
                let now_ms = stripe.time().map(|(now_ms, _)| now_ms);
                let _ = done.send(Done::LookedUp { one, result: Box::new(result), now_ms }).await;
            });
        }
        Ok(())
    }

    /// The changes that a look at the object makes: what the object says is its create attempt's, as in any other sighting; then what is
    /// known of the cancel or reversal.
    pub(super) fn looked_up(
        &self,
        one: &UndoUnresolved,
        result: &Result<Seen, ReadError>,
        stripe_now_ms: Option<i64>,
    ) -> Vec<Change> {
        let now_ms = self.parts.clock.now_ms();
        let again_ms = now_ms.saturating_add(backoff_ms(one.sends, self.parts.settings.resolve_first_ms));
        let mut change = Change { not_before_ms: Some(again_ms), ..Change::new(one.payout_id.clone(), By::Engine) };
        let (seen, stripe_now_ms) = match (result, stripe_now_ms) {
            (Ok(seen), Some(stripe_now_ms)) => (seen, stripe_now_ms),
            (Ok(_), None) => return vec![change],
            (Err(error), _) => {
                tracing::warn!(payout = %one.payout_id, kind = one.kind.as_str(), %error, "its object could not be looked up");
                change.failure_reason = Some(error.to_string());
                return vec![change];
            }
        };
        let sends = UndoSends {
            first_sent_ms: one.first_sent_stripe_ms,
            last_sent_ms: one.last_sent_stripe_ms,
            no_resend: one.no_resend,
            ambiguous: one.ambiguous_sends > 0,
        };
        let after = looked(one.kind, &sends, &seen.object, stripe_now_ms);
        let mut attempt = AttemptChange { key: one.key.clone(), ..AttemptChange::default() };
        match after {
            AfterLook::Done => {
                attempt.state = Some(AttemptState::Executed);
                attempt.object = seen.reversal.clone();
                change.event = (one.kind == AttemptKind::Reverse).then_some(PayoutEvent::Reverse);
                change.not_before_ms = Some(now_ms);
            }
            AfterLook::Refused => {
                attempt.state = Some(AttemptState::Refused);
                change.event = (one.kind == AttemptKind::Reverse).then_some(PayoutEvent::RefuseReverse);
                // One that is pending still: Stripe will not cancel it, and isn't asked again.
                let is_pending = seen.object.status == Some(ObjectStatus::Pending);
                change.not_before_ms = Some(if is_pending { NEVER_MS } else { now_ms });
            }
            AfterLook::Again => {
                attempt.state = Some(AttemptState::Waiting);
                change.not_before_ms = Some(now_ms);
            }
            AfterLook::Later => {}
        }
        change.attempt = Some(attempt);
        change.failure_reason = Some(format!("{} looked up at its object: {}", one.kind.as_str(), words(after)));
        change.detail = serde_json::json!({
            "object": seen.object.id.as_str(), "status": seen.object.status.map(|status| status.as_str()),
        });
        vec![observe::seen(&one.create, seen.object.clone(), By::Engine), change]
    }

    /// The gate of a cancel or a reversal: the key works, Stripe's Date is known and near ours.
    fn undo_gate(&mut self, lease: Lease) -> Option<Gate> {
        let stripe_now_ms = self.stripe_now()?;
        let now = self.parts.clock.boot();
        Some(Gate {
            fence: lease.fence,
            now_ms: self.parts.clock.now_ms(),
            stripe_now_ms,
            send_before_ms: lease.until.min(now.plus_ms(super::send::SEND_WINDOW_MS)).0,
        })
    }
}

const fn words(after: AfterLook) -> &'static str {
    match after {
        AfterLook::Done => "it was executed",
        AfterLook::Refused => "it was not executed, and will not be",
        AfterLook::Again => "not executed: the same key again",
        AfterLook::Later => "not executed so far",
    }
}

/// What a look showed.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The payout's own object.
    pub(super) object: PayoutObject,
    /// The payout that reverses it, where there is one.
    pub(super) reversal: Option<PayoutObject>,
}

async fn see(stripe: &Arc<dyn Stripe>, one: &UndoUnresolved) -> Result<Seen, ReadError> {
    let object = stripe.payout(one.account.clone(), one.object.clone()).await?;
    let reversal = match (&object.reversed_by, one.kind) {
        (Some(reversal), AttemptKind::Reverse) => Some(stripe.payout(one.account.clone(), reversal.clone()).await?),
        (Some(_) | None, AttemptKind::Create | AttemptKind::Cancel | AttemptKind::Reverse) => None,
    };
    Ok(Seen { object, reversal })
}
