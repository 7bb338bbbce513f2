//! Sending: the gate, the rate, the guard with its intent, and then the request, as a task of its own.
use super::{Done, Engine, IDLE_MS, lead::Lease};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        types::{Gate, Intended, Intent, RunRow, Wanted, WorkLeft},
    },
    stripe::{
        MoneyRequest, ReadError,
        agree::{CLOCKS_APART_MAX_MS, DATE_AGE_MAX_MS},
        create_body,
    },
};
use payout_shared::{
    answer::Sent,
    canary::Judgement,
    id::{AccountId, PayoutId},
};

/// A request leaves within this of its intent, or not at all, milliseconds.
pub(super) const SEND_WINDOW_MS: i64 = 5_000;
/// The platform's account is asked for again this much later while something is wrong, milliseconds.
const PLATFORM_RETRY_MS: i64 = 5_000;

/// Whether the key is known to work.
#[derive(Debug, Default)]
pub(super) struct Platform {
    good: bool,
    asking: bool,
    ask_at: Option<BootMs>,
    /// How far Stripe's clock was ahead of ours when it was last asked, milliseconds.
    ahead_ms: i64,
}

impl Platform {
    /// Stripe has just refused the key: nothing leaves until it takes it.
    pub(super) const fn doubt(&mut self) {
        self.good = false;
    }

    /// Its answer is here: it may be asked for again.
    pub(super) const fn answered(&mut self) {
        self.asking = false;
    }
}

impl Engine {
    /// Keeps the key proven and Stripe's Date fresh by one small read when there is reason to.
    pub(super) fn keep_platform(&mut self) {
        let Some(stripe) = self.parts.stripe.clone() else { return };
        let now = self.parts.clock.boot();
        let fresh = stripe.time().is_some_and(|(stripe_ms, age_ms)| {
            age_ms < DATE_AGE_MAX_MS / 2 && !self.has_jumped(self.ahead_ms(stripe_ms))
        });
        if self.platform.asking || (self.platform.good && fresh) || self.platform.ask_at.is_some_and(|at| now < at) {
            return;
        }
        self.platform.asking = true;
        let done = self.done_tx.clone();
        tokio::spawn(async move {
            let _ = done.send(Done::Platform(stripe.platform().await)).await;
        });
    }

    fn ahead_ms(&self, stripe_ms: i64) -> i64 {
        stripe_ms.saturating_sub(self.parts.clock.now_ms())
    }

    /// The clocks are apart and weren't when Stripe was last asked: one of them was set, and only Stripe can say which.
    fn has_jumped(&self, ahead_ms: i64) -> bool {
        let too_far = |ms: i64| ms.saturating_abs() > CLOCKS_APART_MAX_MS;
        too_far(ahead_ms) && too_far(ahead_ms.saturating_sub(self.platform.ahead_ms))
    }

    pub(super) async fn platform_read(&mut self, result: Result<AccountId, ReadError>) -> Result<(), StoreError> {
        self.platform.ask_at = Some(self.parts.clock.boot().plus_ms(PLATFORM_RETRY_MS));
        match result {
            Ok(account) => {
                let told = self.parts.stripe.as_ref().and_then(|stripe| stripe.time());
                let ahead_ms = told.map_or(0, |(stripe_ms, _)| self.ahead_ms(stripe_ms));
                match self.parts.store.stamp_platform(&account, told.map(|(stripe_ms, _)| stripe_ms)).await {
                    Ok(()) => self.platform_good(ahead_ms),
                    Err(StoreError::Refused(why)) => self.stripe_bad(&why),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => {
                // An unreachable Stripe says nothing against the key; a refusal does.
                self.platform.good &= !matches!(error, ReadError::Refused(_));
                self.stripe_bad(&error.to_string());
            }
        }
        Ok(())
    }

    fn platform_good(&mut self, ahead_ms: i64) {
        self.platform.good = true;
        self.platform.ahead_ms = ahead_ms;
        if self.parts.health.good(Topic::Stripe) {
            tracing::info!("Stripe answers again");
            self.parts.changed.tell();
        }
    }

    fn stripe_bad(&mut self, why: &str) {
        if self.parts.health.bad(Topic::Stripe, why) {
            tracing::error!(why, "nothing is sent until Stripe takes our key");
            self.parts.changed.tell();
        }
    }

    /// Stripe's time now, when the gate is open on this machine's side: a key that works, Stripe's Date known and near ours.
    pub(super) fn stripe_now(&mut self) -> Option<i64> {
        let stripe = self.parts.stripe.as_ref()?;
        if !self.platform.good {
            return None;
        }
        let (stripe_ms, age_ms) = stripe.time()?;
        if age_ms > DATE_AGE_MAX_MS {
            return None;
        }
        let apart = self.ahead_ms(stripe_ms);
        if apart.saturating_abs() > CLOCKS_APART_MAX_MS {
            let why = format!(
                "this machine's clock and Stripe's are {} s apart: nothing is sent until they agree",
                apart / 1000
            );
            if self.parts.health.bad(Topic::Clock, &why) {
                tracing::error!(apart_ms = apart, "{why}");
                self.parts.changed.tell();
            }
            return None;
        }
        if self.parts.health.good(Topic::Clock) {
            self.parts.changed.tell();
        }
        Some(stripe_ms)
    }

    /// A run may begin when its instant has come by Stripe's own time.
    pub(super) fn may_begin(&mut self, run: &RunRow) -> bool {
        self.stripe_now().is_some_and(|now| now >= run.instant_ms)
    }

    /// Sends as many as may leave now: resends of unknown ones first, then planned ones.
    pub(super) async fn send(&mut self, lease: Lease, run: &RunRow, left: WorkLeft) -> Result<BootMs, StoreError> {
        let now = self.parts.clock.boot();
        let Some(stripe_now_ms) = self.stripe_now().filter(|stripe_now| *stripe_now >= run.instant_ms) else {
            return Ok(now.plus_ms(IDLE_MS));
        };
        let gate = Gate {
            fence: lease.fence,
            now_ms: self.parts.clock.now_ms(),
            stripe_now_ms,
            send_before_ms: lease.until.min(now.plus_ms(SEND_WINDOW_MS)).0,
        };
        self.forget_old_listings();
        let mut again = self.resend.remove(&run.id).unwrap_or_default();
        if !again.is_empty() {
            let may = self.may_leave(again.len());
            let rest = again.split_off(may.min(again.len()));
            if !rest.is_empty() {
                self.resend.insert(run.id.clone(), rest);
            }
            let these: Vec<PayoutId> = again.into_iter().map(|(id, _)| id).collect();
            self.leave(gate, run, Wanted::Resend(&these)).await?;
        }
        if left.due > 0 {
            // The canary first: of what may leave by it only what was looked at takes a token of the rate.
            let (most, put_back) = match self.canary(lease, run).await? {
                Judgement::Passed => (i64::MAX, false),
                Judgement::Failed => return Ok(now.plus_ms(IDLE_MS)),
                Judgement::Leave(0) => (i64::MAX, true),
                Judgement::Leave(more) => (more, false),
            };
            let ready = self.look_ahead(run, most, put_back).await?;
            let may = self.may_leave(ready);
            let count = i64::try_from(may).unwrap_or(0);
            self.leave(gate, run, if put_back { Wanted::PutBack(count) } else { Wanted::Due(count) }).await?;
            let more = ready > may && self.flying.len() < self.parts.limits.create_concurrency();
            return Ok(if more {
                self.parts.limits.next_create_at().min(now.plus_ms(IDLE_MS))
            } else {
                now.plus_ms(IDLE_MS)
            });
        }
        // What is due already waits for an answer or a token, and both wake the engine.
        let due_in = left.next_due_ms().map(|due| due.saturating_sub(gate.now_ms)).filter(|due_in| *due_in > 0);
        Ok(now.plus_ms(due_in.map_or(IDLE_MS, |due_in| due_in.min(IDLE_MS))))
    }

    /// Whether all of a run may leave, or only its first payouts; a run whose first ones failed is paused by this.
    async fn canary(&mut self, lease: Lease, run: &RunRow) -> Result<Judgement, StoreError> {
        if run.canary_judged {
            return Ok(Judgement::Passed);
        }
        let policies = self.context().await?.rules.policies;
        if policies.canary_count() == 0 {
            return Ok(Judgement::Passed);
        }
        let rule = (policies.canary_count(), policies.canary_fail_bp());
        match self.parts.store.judge_canary(lease.fence, &run.id, rule).await {
            Ok(judgement) => {
                if judgement == Judgement::Failed {
                    tracing::error!(run = %run.label, "run {} is paused: too many of its first payouts failed", run.label);
                    self.parts.changed.tell();
                }
                Ok(judgement)
            }
            // Somebody stopped it meanwhile: nothing leaves in this pass.
            Err(StoreError::Refused(_)) => Ok(Judgement::Failed),
            Err(error) => Err(error),
        }
    }

    /// How many of `wanted` may leave now, by what is in flight and by the rate; takes their tokens.
    pub(super) fn may_leave(&self, wanted: usize) -> usize {
        let room = self.parts.limits.create_concurrency().saturating_sub(self.flying.len());
        self.parts.limits.take_creates(wanted.min(room))
    }

    async fn leave(&mut self, gate: Gate, run: &RunRow, wanted: Wanted<'_>) -> Result<(), StoreError> {
        if matches!(wanted, Wanted::Due(0) | Wanted::PutBack(0) | Wanted::Resend([])) {
            return Ok(());
        }
        let mut context = self.context_of(run).await?;
        // One moment for all: what is fresh for one question is so for the others.
        context.rules.at_ms = gate.now_ms;
        let outcome = match self.parts.store.intend(gate, &run.id, wanted, &context, create_body).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.doubt();
                return Err(error);
            }
        };
        let Intended { intents, barred } = outcome;
        if !intents.is_empty() || !barred.is_empty() {
            self.parts.changed.tell();
        }
        for intent in intents {
            self.fly(intent, BootMs(gate.send_before_ms));
        }
        for (payout, reason) in barred {
            tracing::warn!(run = %run.label, payout = %payout, reason = reason.as_str(), "a payout was not sent: its guard is shut");
        }
        Ok(())
    }

    fn fly(&mut self, intent: Intent, send_before: BootMs) {
        let request = MoneyRequest {
            account: intent.account.clone(),
            key: intent.key.clone(),
            path: "/v1/payouts".to_owned(),
            body: intent.body.clone(),
            send_before,
        };
        self.launch(intent.token, request, |sent, latency_ms| Done::Sent { intent, sent, latency_ms });
    }

    /// The one place that a money request leaves from. Its intent is committed, under this token; what becomes of it comes back as `done`
    /// says, with how long it took (milliseconds).
    pub(super) fn launch(
        &mut self,
        token: i64,
        request: MoneyRequest,
        done: impl FnOnce(Sent, i64) -> Done + Send + 'static,
    ) {
        let Some(stripe) = self.parts.stripe.clone() else { return };
        self.flying.insert((request.key.clone(), token));
        let (done_tx, clock) = (self.done_tx.clone(), self.parts.clock.clone());
        tokio::spawn(async move {
            let begun = clock.boot();
            let sent = stripe.send(request).await;
            let _ = done_tx.send(done(sent, clock.boot().ms_since(begun))).await;
        });
    }
}
