//! One pass: each step asks the store what is due and does a bounded piece of it.
use super::{Engine, FOLLOW_MS, IDLE_MS, lead::Lease};
use crate::{
    clock::BootMs,
    store::{
        StoreError,
        types::{By, PlanContext, RunRow, WorkLeft},
    },
};
use payout_shared::run::{RunEvent, RunState, RunVerdict};

impl Engine {
    /// Everything that is due, once. Answers first, so that no decision is made on less than what is known.
    pub(super) async fn pass(&mut self) -> Result<BootMs, StoreError> {
        self.again = false;
        self.context = None;
        let now = self.parts.clock.boot();
        self.remember().await?;
        let Some(lease) = self.lead().await? else {
            return Ok(now.plus_ms(FOLLOW_MS));
        };
        self.take(None);
        self.record(lease).await?;
        self.inherit(lease).await?;
        self.observe(lease).await?;
        self.keep_books(lease).await?;
        self.break_runs(lease).await?;
        if !self.stopping && !self.is_kept_back() {
            self.retry_due(lease).await?;
        }
        self.tell_drifts().await?;
        self.keep_platform();
        self.tell_holding().await?;
        let mut next = now.plus_ms(IDLE_MS);
        let runs = self.parts.store.open_runs().await?;
        let beside_a_run = runs.iter().any(|run| run.state == RunState::Running);
        for run in runs {
            next = next.min(self.advance(lease, run).await?);
        }
        if !self.stopping {
            self.resolve().await?;
            self.look_up().await?;
            self.look_at_reversals().await?;
            self.poll(lease, beside_a_run).await?;
            self.sweep_events(lease).await?;
        }
        self.settle_runs(lease).await?;
        self.catch_up(lease).await?;
        Ok(if self.again { now } else { next })
    }

    /// The policies in force, asked of the store once a pass.
    pub(super) async fn context(&mut self) -> Result<PlanContext, StoreError> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let context = self.parts.store.plan_context().await?;
        self.context = Some(context.clone());
        Ok(context)
    }

    /// The same with what two people allow beyond them in a run's cycle: asked each time, it is used up by one payout.
    pub(super) async fn context_of(&mut self, run: &RunRow) -> Result<PlanContext, StoreError> {
        let overrides = self.parts.store.overrides(run.label.date).await?;
        Ok(PlanContext { overrides, ..self.context().await? })
    }

    async fn advance(&mut self, lease: Lease, run: RunRow) -> Result<BootMs, StoreError> {
        let later = self.parts.clock.boot().plus_ms(IDLE_MS);
        // Only what is on the wire is awaited: these books have forgotten something, and nothing is decided by them.
        if self.is_kept_back() && run.state != RunState::Pausing {
            return Ok(later);
        }
        match run.state {
            RunState::Planning if !self.stopping => self.plan(lease, &run).await,
            RunState::Planned if run.approval_missing => {
                self.run_event(lease, &run, RunEvent::AskApproval, None).await?;
                Ok(later)
            }
            RunState::AwaitingApproval => {
                if self.parts.store.ask_approval(lease.fence, &run).await? {
                    tracing::warn!(run = %run.label, "run {} waits for two people: payout requests", run.label);
                    self.parts.changed.tell();
                }
                Ok(later)
            }
            RunState::Planned => {
                if self.may_begin(&run) {
                    self.run_event(lease, &run, RunEvent::Begin, None).await?;
                }
                Ok(later)
            }
            RunState::Running => {
                let room = i64::try_from(self.parts.limits.create_concurrency()).unwrap_or(i64::MAX);
                let left = self.parts.store.work_left(&run.id, room).await?;
                if self.complete(lease, &run, left).await? {
                    return Ok(later);
                }
                if self.stopping { Ok(later) } else { self.send(lease, &run, left).await }
            }
            RunState::Pausing => {
                if self.parts.store.work_left(&run.id, 0).await?.in_flight == 0 {
                    self.run_event(lease, &run, RunEvent::Drain, None).await?;
                }
                Ok(later)
            }
            RunState::Aborting => self.take_back(lease, &run).await,
            RunState::Planning
            | RunState::Paused
            | RunState::Completed
            | RunState::CompletedWithFailures
            | RunState::Settled
            | RunState::Missed
            | RunState::Aborted => Ok(later),
        }
    }

    async fn complete(&mut self, lease: Lease, run: &RunRow, left: WorkLeft) -> Result<bool, StoreError> {
        if !left.is_done() {
            return Ok(false);
        }
        let event = if left.failed { RunEvent::CompleteWithFailures } else { RunEvent::Complete };
        self.run_event(lease, run, event, None).await
    }

    /// A run's change of state; a refusal (somebody paused it meanwhile) is no error: the next pass sees it as it is.
    pub(super) async fn run_event(
        &mut self,
        lease: Lease,
        run: &RunRow,
        event: RunEvent,
        reason: Option<&str>,
    ) -> Result<bool, StoreError> {
        match self.parts.store.change_run(Some(lease.fence), &run.id, event, &By::Engine, reason).await {
            Ok((after, RunVerdict::Move(_), _)) => {
                tracing::info!(run = %run.label, state = after.state.as_str(), "run {}: {}", run.label, after.state.as_str());
                self.parts.changed.tell();
                self.again = true;
                Ok(true)
            }
            Ok((_, RunVerdict::Stale | RunVerdict::Illegal, _)) => Ok(false),
            Err(StoreError::Refused(why)) => {
                tracing::debug!(run = %run.label, why, "a change of the run came too late");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
