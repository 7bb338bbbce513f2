//! Trying again and stopping by itself: failed payouts whose cause has passed are planned again, and a run in which too much fails pauses.
use super::{Engine, lead::Lease};
use crate::store::{
    StoreError,
    types::{By, Changed, RetryAsk},
};
use payout_shared::{
    breaker,
    id::PayoutId,
    payout::{PayoutState, Verdict},
    run::RunEvent,
};

/// Payouts tried again by themselves in one pass.
const RETRIES_MAX: i64 = 200;

impl Engine {
    /// Plans failed payouts again whose time has come.
    pub(super) async fn retry_due(&mut self, lease: Lease) -> Result<(), StoreError> {
        let due = self.parts.store.retries_due(RETRIES_MAX).await?;
        if due.is_empty() {
            return Ok(());
        }
        let payouts: Vec<(PayoutId, Option<i64>)> = due.into_iter().map(|id| (id, None)).collect();
        let (context, by) = (self.context().await?, By::Engine);
        let reason = Some("its cause may have passed: tried again by itself");
        let ask = RetryAsk { payouts: &payouts, context: &context, by: &by, reason, by_itself: true };
        for done in self.parts.store.retry(Some(lease.fence), &ask).await? {
            match done.refused {
                None => tracing::info!(payout = %done.payout_id, "a failed payout is tried again"),
                Some(why) => {
                    tracing::warn!(payout = %done.payout_id, why = why.why(), "a failed payout is not tried again now")
                }
            }
        }
        self.again = true;
        self.parts.changed.tell();
        Ok(())
    }

    /// Remembers which runs have news for their breakers.
    pub(super) fn note_failures(&mut self, changed: &[Changed]) {
        let failed = changed.iter().filter(|changed| {
            matches!(changed.verdict, Some(Verdict::Move(PayoutState::Failed | PayoutState::Returned)))
        });
        self.failures_in.extend(failed.map(|changed| changed.run_id.clone()));
    }

    /// Pauses each run in which too much fails. It stays paused until a person resumes it.
    pub(super) async fn break_runs(&mut self, lease: Lease) -> Result<(), StoreError> {
        for run_id in std::mem::take(&mut self.failures_in) {
            let counts = self.parts.store.breaker_counts(&run_id).await?;
            let Some(reason) = breaker::opens(&counts, &self.parts.settings.breaker) else { continue };
            let run = self.parts.store.run(run_id.as_str()).await?;
            // One that is over, or paused already, stays as it is.
            if self.run_event(lease, &run, RunEvent::Pause, Some(&reason)).await? {
                tracing::error!(run = %run.label, reason, "run {} is paused by its breaker", run.label);
            }
        }
        Ok(())
    }
}
