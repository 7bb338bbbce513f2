//! A run as people see it: its row, its counts, how fast it goes, what is usual.
use super::{Desk, eta, rows};
use crate::store::{StoreError, door_types::RunCounts, types::RunRow};
use futures::{StreamExt as _, TryStreamExt as _};
use payout_proto::v1;
use payout_shared::{payout::PayoutState, plan::SkipReason, run::RunState};

/// Earlier runs that "usual" is taken from.
const USUAL_RUNS: usize = 5;
/// Among so many newest runs they are looked for.
const USUAL_AMONG: i64 = 20;
/// Runs whose counts are asked for at once, so that a list never takes all connections.
const COUNTED_AT_ONCE: usize = 3;

/// Reads of a run that are as they should be: an account, its balance and its payouts once per purse, and its payouts once more a week after they
/// were paid.
const READS_PER_PURSE: i64 = 4;

/// A run with its counts.
#[derive(Clone, Debug)]
pub struct RunView {
    /// As stored.
    pub row: RunRow,
    /// What it has come to.
    pub counts: RunCounts,
    /// Failed among answered in earlier runs, in 1/10000; -1 = no earlier run.
    pub usual_failed_bp: i64,
}

impl Desk {
    /// The run of the live screen: the newest open one that is for everybody, else the newest open one, else the newest.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn current_run(&self) -> Result<Option<RunRow>, StoreError> {
        let mut open = self.store.open_runs().await?;
        let for_all = open.iter().rposition(|run| !run.named_only);
        match for_all.or(open.len().checked_sub(1)) {
            Some(index) => Ok(Some(open.swap_remove(index))),
            None => self.store.last_run().await,
        }
    }

    /// A run with its counts and what is usual.
    ///
    /// # Errors
    /// [`StoreError`] as the store says.
    pub async fn view(&self, row: RunRow) -> Result<RunView, StoreError> {
        let counts = self.store.run_counts(&row.id).await?;
        let usual_failed_bp = self.usual_failed_bp(&row).await?;
        Ok(RunView { row, counts, usual_failed_bp })
    }

    /// The newest runs with their counts, newest first.
    ///
    /// # Errors
    /// [`StoreError`] as the store says.
    pub async fn views(&self, limit: i64) -> Result<Vec<RunView>, StoreError> {
        let runs = self.store.runs(limit).await?;
        let mut views: Vec<RunView> = futures::stream::iter(runs)
            .map(|row| async {
                let counts = self.store.run_counts(&row.id).await?;
                Ok::<_, StoreError>(RunView { row, counts, usual_failed_bp: -1 })
            })
            .buffered(COUNTED_AT_ONCE)
            .try_collect()
            .await?;
        for index in 0..views.len() {
            let earlier = views.iter().skip(index + 1).filter(|view| counts_as_usual(view.row.state));
            let usual = usual_of(earlier.map(|view| &view.counts).take(USUAL_RUNS));
            if let Some(view) = views.get_mut(index) {
                view.usual_failed_bp = usual;
            }
        }
        Ok(views)
    }

    /// Failed and returned among answered payouts of the runs before this one, in 1/10000; -1 = there was none.
    ///
    /// # Errors
    /// [`StoreError`] as the store says.
    pub async fn usual_failed_bp(&self, run: &RunRow) -> Result<i64, StoreError> {
        let newest = self.store.runs(USUAL_AMONG).await?;
        let earlier = newest
            .into_iter()
            .filter(|other| (other.created_at_ms, &other.id) < (run.created_at_ms, &run.id))
            .filter(|other| counts_as_usual(other.state))
            .take(USUAL_RUNS);
        let mut counts = Vec::with_capacity(USUAL_RUNS);
        for other in earlier {
            counts.push(self.store.run_counts(&other.id).await?);
        }
        Ok(usual_of(counts.iter()))
    }

    /// A run as the control API says it, with an estimate of its end.
    #[must_use]
    pub fn run_part(&self, view: &RunView) -> v1::RunPart {
        let RunView { row, counts, usual_failed_bp } = view;
        let estimate = self.estimate(row, counts).unwrap_or_default();
        v1::RunPart {
            id: row.id.to_string(),
            label: row.label.to_string(),
            state: row.state.as_str().to_owned(),
            kind: row.kind.as_str().to_owned(),
            created_at_ms: row.created_at_ms,
            started_at_ms: row.started_at_ms.unwrap_or_default(),
            finished_at_ms: row.finished_at_ms.unwrap_or_default(),
            in_flight: counts.in_flight,
            reads: counts.reads,
            reads_budget: counts.purses.saturating_mul(READS_PER_PURSE),
            stripe_short: skipped(counts, SkipReason::StripeShort),
            reversals_to_approve: counts.reversals_to_approve,
            payouts: counts.payouts,
            answered: counts.answered,
            purses: counts.purses,
            skipped: counts.skipped,
            to_plan: counts.to_plan,
            to_read: counts.to_read,
            requested_by: row.requested_by.clone(),
            reason: row.reason.clone().unwrap_or_default(),
            pause_reason: row.pause_reason.clone().unwrap_or_default(),
            paused_by: row.paused_by.clone().unwrap_or_default(),
            eta_ms: estimate.likely,
            eta_early_ms: estimate.early,
            eta_late_ms: estimate.late,
            usual_failed_bp: *usual_failed_bp,
            money: rows::money(&counts.money),
        }
    }

    /// How fast Stripe answers now, and over the run.
    #[must_use]
    pub fn rate_part(&self, run: Option<(&RunRow, &RunCounts)>) -> v1::RatePart {
        let figures = self.figures.snapshot();
        let average = run.map_or(0.0, |(row, counts)| eta::average(counts.answered, self.running_ms(row)));
        v1::RatePart {
            now_per_s: figures.now_per_s,
            average_per_s: (average * 100.0).round() / 100.0,
            p50_ms: figures.p50_ms as f64,
            p95_ms: figures.p95_ms as f64,
            limited_per_min: figures.limited_per_min,
            server_errors_per_min: figures.server_errors_per_min,
            answered_10s: figures.answered_10s,
            failed_10s: figures.failed_10s,
        }
    }

    fn running_ms(&self, row: &RunRow) -> i64 {
        let until = row.finished_at_ms.unwrap_or_else(|| self.clock.now_ms());
        row.started_at_ms.map_or(0, |started| until.saturating_sub(started))
    }

    fn estimate(&self, row: &RunRow, counts: &RunCounts) -> Option<eta::Eta> {
        if row.state != RunState::Running {
            return None;
        }
        let left = counts
            .states
            .iter()
            .filter(|(state, _)| matches!(state, PayoutState::Planned | PayoutState::Submitting))
            .map(|(_, count)| *count)
            .sum();
        let running_ms = self.running_ms(row);
        let pace = eta::Pace {
            now: self.figures.snapshot().now_per_s,
            average: eta::average(counts.answered, running_ms),
            cap: self.limits.create_milli_per_s() as f64 / 1_000.0,
        };
        eta::eta(self.clock.now_ms(), running_ms, left, pace)
    }
}

/// Runs that say something about how many usually fail.
fn counts_as_usual(state: RunState) -> bool {
    match state {
        RunState::Completed | RunState::CompletedWithFailures | RunState::Settled => true,
        RunState::Planning
        | RunState::Planned
        | RunState::AwaitingApproval
        | RunState::Running
        | RunState::Pausing
        | RunState::Paused
        | RunState::Missed
        | RunState::Aborting
        | RunState::Aborted => false,
    }
}

fn usual_of<'a>(runs: impl Iterator<Item = &'a RunCounts>) -> i64 {
    let (mut answered, mut failed) = (0_i64, 0_i64);
    for counts in runs {
        answered = answered.saturating_add(counts.answered);
        let of_run = counts.states.iter().filter(|(s, _)| matches!(s, PayoutState::Failed | PayoutState::Returned));
        failed = failed.saturating_add(of_run.map(|(_, count)| *count).sum());
    }
    if answered > 0 { failed.saturating_mul(10_000) / answered } else { -1 }
}

/// How many purses got nothing for this reason.
fn skipped(counts: &RunCounts, reason: SkipReason) -> i64 {
    counts.skips.iter().filter(|(word, _)| word == reason.as_str()).map(|(_, count)| *count).sum()
}
