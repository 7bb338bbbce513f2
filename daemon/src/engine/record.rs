//! Recording: everything that tasks brought back becomes changes, in one transaction a batch. What the database doesn't take is
//! kept and tried again: an answer is never dropped.
use super::{Done, Engine, RECORD_MAX, lead::Lease, observe, resolve::Look};
use crate::{
    health::Topic,
    store::{
        StoreError,
        types::{AttemptChange, By, Change, Intent, Unresolved},
    },
    tell::figures::Outcome,
};
use payout_shared::{
    answer::{self, AnswerMeta, Asked, Class, Effect, Sent, is_bank_code},
    attempt::AttemptState,
    consequence::backoff_ms,
    id::{PayoutId, RunId},
    payout::PayoutEvent,
    retry::RETRY_AFTER_MS,
    run::RunEvent,
};

/// A send that wasn't executed leaves again this much later, milliseconds; Stripe's own `Retry-After` wins.
const PUT_BACK_MS: i64 = 1_000;
/// And no more than this much, whatever was said: the limiter obeys `Retry-After` for a minute, too.
const PUT_BACK_MAX_MS: i64 = 60_000;

/// What recording a batch leads to beside its changes.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    accounts: Vec<crate::store::door_types::AccountRead>,
    pause: Vec<(RunId, String)>,
}

impl Engine {
    /// The answer to this key's send under this token waits to be recorded.
    pub(super) fn is_arrived(&self, key: &str, token: i64) -> bool {
        self.arrived.iter().any(|done| match done {
            Done::Sent { intent, .. } => intent.key == key && intent.token == token,
            Done::Undone { intent, .. } => intent.key == key && intent.token == token,
            Done::Account { .. }
            | Done::Accounts { .. }
            | Done::Listed { .. }
            | Done::LookedUp { .. }
            | Done::Looked(_)
            | Done::Reversal { .. }
            | Done::Moved { .. }
            | Done::Polled(_)
            | Done::Events { .. }
            | Done::Platform(_) => false,
        })
    }

    pub(super) fn is_arrived_listing(&self, id: &PayoutId) -> bool {
        self.arrived.iter().any(|done| matches!(done, Done::Listed { payout, .. } if payout.payout_id == *id))
    }

    /// Records what has arrived.
    pub(super) async fn record(&mut self, lease: Lease) -> Result<(), StoreError> {
        if self.arrived.is_empty() {
            return Ok(());
        }
        let arrived = std::mem::take(&mut self.arrived);
        let (mut batch, mut kept) = (Batch::default(), Vec::with_capacity(arrived.len()));
        let (mut platform, mut moved, mut looked) = (None, Vec::new(), Vec::new());
        let mut swept = Vec::new();
        for done in arrived {
            match done {
                // What is asked for again isn't kept: only answers to money requests and listings are.
                Done::Platform(result) => {
                    self.platform.answered();
                    platform = Some(result);
                }
                Done::Moved { account, result } => {
                    self.books.asked.remove(&account);
                    moved.push((account, result));
                }
                Done::Account { account, result } => batch.accounts.extend(self.account_read(account, result)),
                Done::Accounts { after, result } => batch.accounts.extend(self.swept(after, result)),
                Done::Looked(look) => {
                    self.looks.ended(&look.0.account);
                    looked.push(look);
                }
                Done::Polled(_) | Done::Events { .. } => {
                    self.sweep_ended(&done);
                    swept.push(done);
                }
                Done::Sent { .. }
                | Done::Undone { .. }
                | Done::Listed { .. }
                | Done::LookedUp { .. }
                | Done::Reversal { .. } => kept.push(done),
            }
        }
        self.arrived = kept;
        for position in 0..self.arrived.len() {
            self.changes_of(position, &mut batch);
        }
        // Answers to money requests first: what else came with them may fail, and is asked for again.
        if !batch.changes.is_empty() {
            self.write(lease, &batch.changes).await?;
            self.parts.changed.tell();
        }
        self.recorded();
        self.again |= !self.done_rx.is_empty() || batch.changes.len() >= RECORD_MAX;
        for (run_id, reason) in batch.pause {
            let run = self.parts.store.run(run_id.as_str()).await?;
            tracing::error!(run = %run.label, reason, "the run is paused: the cause is not one creator's");
            self.run_event(lease, &run, RunEvent::Pause, Some(&reason)).await?;
        }
        if let Some(result) = platform {
            self.platform_read(result).await?;
        }
        if !batch.accounts.is_empty() {
            self.parts.store.record_accounts(lease.fence, &batch.accounts).await?;
        }
        for (account, result) in moved {
            self.moved(lease, &account, result).await?;
        }
        if !looked.is_empty() {
            self.record_looks(lease, looked).await?;
        }
        self.record_sweeps(lease, swept).await
    }

    /// Writes a batch of changes. One that the books can't take (a row is gone, or says what can't be) is told and left to people: it stops
    /// nobody else's.
    pub(super) async fn write(&mut self, lease: Lease, changes: &[Change]) -> Result<(), StoreError> {
        match self.parts.store.change(lease.fence, changes).await {
            Err(StoreError::Broken(_) | StoreError::NotFound { .. }) => {}
            done => {
                self.note_failures(&done?);
                return Ok(());
            }
        }
        for change in changes {
            match self.parts.store.change(lease.fence, std::slice::from_ref(change)).await {
                Err(error @ (StoreError::Broken(_) | StoreError::NotFound { .. })) => {
                    tracing::error!(payout = %change.payout_id, %error, change = ?change,
                        "a payout's books are broken: this was not recorded, and nothing more is done for it by itself");
                }
                done => self.note_failures(&done?),
            }
        }
        Ok(())
    }

    /// The batch is in the books: forget it.
    fn recorded(&mut self) {
        for done in std::mem::take(&mut self.arrived) {
            match done {
                Done::Sent { intent, sent, latency_ms } => {
                    self.flying.remove(&(intent.key, intent.token));
                    self.parts.figures.record(latency_ms, outcome(&sent));
                }
                Done::Undone { intent, sent, latency_ms } => {
                    self.flying.remove(&(intent.key, intent.token));
                    self.parts.figures.record(latency_ms, outcome(&sent));
                }
                Done::Listed { payout, .. } => {
                    self.listing.remove(&payout.payout_id);
                }
                Done::LookedUp { one, .. } => {
                    self.looking.remove(&one.key);
                }
                Done::Reversal { one, .. } => {
                    self.looking.remove(&one.key);
                }
                Done::Account { .. }
                | Done::Accounts { .. }
                | Done::Moved { .. }
                | Done::Looked(_)
                | Done::Polled(_)
                | Done::Events { .. }
                | Done::Platform(_) => {}
            }
        }
    }

    fn changes_of(&mut self, position: usize, batch: &mut Batch) {
        let mode = self.parts.store.mode();
        match &self.arrived[position] {
            Done::Sent { intent, sent, .. } => {
                let asked = Asked {
                    key: intent.key.clone(),
                    account: intent.account.clone(),
                    amount_minor: intent.amount.minor,
                    currency: intent.amount.currency,
                    mode,
                    destination: intent.destination.clone(),
                };
                let effect = answer::effect(&asked, sent, intent.ambiguous_before);
                if effect.slow_down {
                    self.slow_down(sent);
                }
                if effect.page {
                    tracing::error!(payout = %intent.payout_id, run = %intent.run_id, class = ?effect.class, answer = ?sent,
                        "an answer that must not be: somebody has to look at it now");
                }
                let cause = answer::cause(sent);
                if effect.pause_run {
                    batch.pause.push((intent.run_id.clone(), format!("Stripe refused everybody: {cause}")));
                }
                log(intent, sent, &effect, &cause);
                batch.changes.push(self.answered(intent, sent, &effect, cause));
            }
            Done::Listed { payout, result, at } => {
                let (payout, result, at) = (payout.clone(), result.clone(), *at);
                match result {
                    Ok(Look { object: Some(object), .. }) => {
                        self.parts.health.good(Topic::Stripe);
                        let again_ms = self.parts.clock.now_ms().saturating_add(RETRY_AFTER_MS);
                        batch.changes.push(observe::found(&payout, object, again_ms));
                    }
                    Ok(Look { listed_ms: Some(listed_ms), .. }) => {
                        batch.changes.push(self.absent(&payout, listed_ms, at));
                    }
                    Ok(Look { .. }) => {
                        tracing::warn!(payout = %payout.payout_id, "a listing without a Date says nothing");
                        batch.changes.push(self.again_later(&payout, "Stripe's list had no Date: it proves nothing"));
                    }
                    Err(error) => {
                        tracing::warn!(payout = %payout.payout_id, %error, "an unknown payout could not be looked for: it stays unknown");
                        batch.changes.push(self.again_later(&payout, &error.to_string()));
                    }
                }
            }
            Done::Undone { intent, sent, .. } => batch.changes.push(self.undone(intent, sent)),
            Done::LookedUp { one, result, now_ms } => batch.changes.extend(self.looked_up(one, result, *now_ms)),
            Done::Reversal { one, result } => batch.changes.push(self.reversal_looked(one, result)),
            Done::Account { .. }
            | Done::Accounts { .. }
            | Done::Moved { .. }
            | Done::Looked(_)
            | Done::Polled(_)
            | Done::Events { .. }
            | Done::Platform(_) => {}
        }
    }

    fn again_later(&self, payout: &Unresolved, why: &str) -> Change {
        let again_ms = self.parts.clock.now_ms().saturating_add(self.parts.settings.resolve_first_ms);
        observe::looked_in_vain(payout, again_ms, why)
    }

    /// An answer said that we are too fast.
    pub(super) fn slow_down(&self, sent: &Sent) {
        let meta = meta(sent);
        let reason = meta.and_then(|meta| meta.limited_reason.as_deref());
        self.parts.limits.slow_down(reason, meta.and_then(|meta| meta.retry_after_ms));
    }

    /// The change that an answer to a create makes.
    fn answered(&self, intent: &Intent, sent: &Sent, effect: &Effect, cause: String) -> Change {
        let now_ms = self.parts.clock.now_ms();
        let meta = meta(sent);
        let not_before_ms = match effect.attempt {
            AttemptState::Waiting => Some(now_ms.saturating_add(put_back_ms(sent))),
            AttemptState::Unknown => {
                let tries = i64::from(intent.ambiguous_before) * 2;
                Some(now_ms.saturating_add(backoff_ms(tries, self.parts.settings.resolve_first_ms)))
            }
            AttemptState::Intended | AttemptState::Executed | AttemptState::Refused | AttemptState::Withdrawn => None,
        };
        let sentence = sentence(intent, sent, effect.class);
        let mut attempt = AttemptChange {
            key: intent.key.clone(),
            token: Some(intent.token),
            state: Some(effect.attempt),
            answered: true,
            ambiguous: effect.ambiguous,
            no_resend: effect.no_resend,
            request_id: meta.and_then(|meta| meta.request_id.clone()),
            ..AttemptChange::default()
        };
        keep_answer(&mut attempt, sent);
        Change {
            event: Some(effect.event),
            // What the bank account is to blame for is held where the failure is recorded, whichever way it is heard of.
            hold: (effect.hold_creator && !is_bank_code(&cause)).then(|| (cause.clone(), sentence.clone())),
            cause: Some(cause),
            failure_reason: Some(sentence),
            attempt: Some(attempt),
            not_before_ms,
            detail: detail(sent, effect),
            ..Change::new(intent.payout_id.clone(), By::Engine)
        }
    }
}

/// What an attempt keeps of its answer.
pub(super) fn keep_answer(attempt: &mut AttemptChange, sent: &Sent) {
    match sent {
        Sent::Object { object, .. } => {
            attempt.http_status = Some(200);
            attempt.object = Some(object.clone());
        }
        Sent::Error { status, error, .. } => {
            attempt.http_status = Some(*status);
            attempt.error_type = Some(error.kind.clone());
            attempt.error_code = error.code.clone();
            attempt.error_message = error.message.clone();
        }
        Sent::Unreadable { status, detail, .. } => {
            attempt.http_status = Some(*status);
            attempt.error_message = Some(detail.clone());
        }
        Sent::NeverLeft { detail } | Sent::Lost { detail } => attempt.error_message = Some(detail.clone()),
    }
}

/// What wasn't executed leaves again this much later, milliseconds.
pub(super) fn put_back_ms(sent: &Sent) -> i64 {
    meta(sent).and_then(|meta| meta.retry_after_ms).unwrap_or(PUT_BACK_MS).clamp(PUT_BACK_MS, PUT_BACK_MAX_MS)
}

pub(super) fn meta(sent: &Sent) -> Option<&AnswerMeta> {
    match sent {
        Sent::Object { meta, .. } | Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => Some(meta),
        Sent::NeverLeft { .. } | Sent::Lost { .. } => None,
    }
}

/// What the timeline keeps of an answer.
fn detail(sent: &Sent, effect: &Effect) -> serde_json::Value {
    let meta = meta(sent);
    serde_json::json!({
        "class": effect.class,
        "request_id": meta.and_then(|meta| meta.request_id.as_deref()),
        "replayed": meta.is_some_and(|meta| meta.replayed),
        "should_retry": meta.and_then(|meta| meta.should_retry),
        "limited_reason": meta.and_then(|meta| meta.limited_reason.as_deref()),
        "date_ms": meta.and_then(|meta| meta.date_ms),
        "status": match sent {
            Sent::Error { status, .. } | Sent::Unreadable { status, .. } => Some(*status),
            Sent::Object { .. } => Some(200),
            Sent::NeverLeft { .. } | Sent::Lost { .. } => None,
        },
    })
}

/// What happened, for people.
pub(super) fn what_came(sent: &Sent) -> String {
    match sent {
        Sent::Object { object, .. } => format!("Stripe has it as {}", object.id),
        Sent::Error { status, error, .. } => {
            format!("Stripe answered {status}: {}", error.message.as_deref().unwrap_or("no message"))
        }
        Sent::Unreadable { status, detail, .. } => {
            format!("Stripe answered {status}, which could not be read ({detail})")
        }
        Sent::NeverLeft { detail } => format!("it did not leave ({detail})"),
        Sent::Lost { detail } => format!("no answer from Stripe ({detail})"),
    }
}

/// What happened and what comes next, for people.
fn sentence(intent: &Intent, sent: &Sent, class: Class) -> String {
    let what = what_came(sent);
    let next = match class {
        Class::Done => return what,
        Class::Differs => "it differs from what was asked: the creator is held until somebody has looked",
        Class::CreatorLevel => "the creator is held",
        Class::RunLevel => "nobody can be paid with this key: the run is paused",
        Class::Refused => "not sent again by itself",
        Class::KeyMisused => "unknown, and never sent again by itself: a fault of this program",
        Class::InFlight | Class::Unknown => "unknown: looked for at Stripe, then asked again with the same key",
        Class::Limited | Class::NotExecuted if intent.ambiguous_before => {
            "an earlier send is unknown: looked for at Stripe"
        }
        Class::Limited | Class::NotExecuted => "leaves again by itself with the same key",
    };
    format!("{what}; {next}")
}

fn outcome(sent: &Sent) -> Outcome {
    match sent {
        Sent::Object { .. } => Outcome::Done,
        Sent::Error { status: 429, .. } | Sent::Unreadable { status: 429, .. } => Outcome::Limited,
        Sent::Error { status, .. } | Sent::Unreadable { status, .. } if *status >= 500 => Outcome::ServerError,
        Sent::Error { .. } => Outcome::Failed,
        Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => Outcome::None,
    }
}

fn log(intent: &Intent, sent: &Sent, effect: &Effect, cause: &str) {
    let request = meta(sent).and_then(|meta| meta.request_id.as_deref()).unwrap_or("-");
    match effect.event {
        PayoutEvent::Refuse => {
            tracing::warn!(run = %intent.run_id, payout = %intent.payout_id, cause, request, "refused: {cause}");
        }
        PayoutEvent::LoseAnswer => {
            tracing::warn!(run = %intent.run_id, payout = %intent.payout_id, cause, request, "unknown, not retried blindly: {cause}");
        }
        PayoutEvent::PutBack => {
            tracing::warn!(run = %intent.run_id, payout = %intent.payout_id, cause, request, "not executed, leaves again: {cause}");
        }
        PayoutEvent::Intend
        | PayoutEvent::Object(..)
        | PayoutEvent::Void
        | PayoutEvent::ProveAbsent
        | PayoutEvent::Requeue
        | PayoutEvent::GiveUp
        | PayoutEvent::IntendReverse
        | PayoutEvent::Reverse
        | PayoutEvent::RefuseReverse
        | PayoutEvent::Settle => {
            tracing::debug!(run = %intent.run_id, payout = %intent.payout_id, request, class = ?effect.class, "answered");
        }
    }
}
