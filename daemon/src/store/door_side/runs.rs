//! Runs, as the doors ask for them and the engine moves them.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::{CauseRow, PayoutRow, RunCounts},
    types::{By, Fence, NewRun, RunRow},
};
use jiff::civil::Date;
use payout_shared::{
    id::RunId,
    run::{RunEvent, RunVerdict},
};

impl Store {
    /// Inserts a run. `true`: the cycle has its scheduled run already, and that one is given back. A crash before the commit
    /// inserts nothing; after it, asking again gives the same scheduled run, or a second manual one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] naming creators that have no account; [`StoreError::Database`].
    pub async fn insert_run(&self, new: &NewRun) -> Result<(RunRow, bool), StoreError> {
        plain("the reason", new.reason.as_deref().unwrap_or_default())?;
        for creator in &new.creators {
            plain("a creator's id", creator.as_str())?;
        }
        let now_ms = self.clock.now_ms();
        let id = self.ids.run(now_ms);
        on!(self, pool, sql => sql::runs::insert(pool, now_ms, &id, new).await)
    }

    /// A run by its id or its label (`2026-12-01#1`).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn run(&self, id_or_label: &str) -> Result<RunRow, StoreError> {
        plain("the run's name", id_or_label)?;
        on!(self, pool, sql => sql::runs::one(pool, id_or_label).await)
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn runs(&self, limit: i64) -> Result<Vec<RunRow>, StoreError> {
        on!(self, pool, sql => sql::runs::newest(pool, limit.max(0)).await)
    }

    /// The newest run, whatever became of it.
    ///
    /// # Errors
    /// As [`Store::runs`].
    pub async fn last_run(&self) -> Result<Option<RunRow>, StoreError> {
        Ok(self.runs(1).await?.pop())
    }

    /// Runs that may still do something, oldest first.
    ///
    /// # Errors
    /// As [`Store::runs`].
    pub async fn open_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        on!(self, pool, sql => sql::runs::open(pool).await)
    }

    /// Cycles from a date on that have their scheduled run, started or missed.
    ///
    /// # Errors
    /// As [`Store::runs`].
    pub async fn known_cycles(&self, from: Date) -> Result<Vec<Date>, StoreError> {
        on!(self, pool, sql => sql::runs::known_cycles(pool, from).await)
    }

    /// Applies an event to a run by the core's transition function, with its journal row; gives the row as it is then, the verdict and
    /// the journal's number. The engine passes its fence, people don't have one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it can't happen; [`StoreError::NotFound`], [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn change_run(
        &self,
        fence: Option<Fence>,
        run_id: &RunId,
        event: RunEvent,
        by: &By,
        reason: Option<&str>,
    ) -> Result<(RunRow, RunVerdict, i64), StoreError> {
        plain("the reason", reason.unwrap_or_default())?;
        plain("the run's id", run_id.as_str())?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::runs::change(pool, now_ms, fence, run_id, event, by, reason).await)
    }

    /// Money requests of all runs that may be on the wire.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn in_flight(&self) -> Result<i64, StoreError> {
        on!(self, pool, sql => sql::runs::in_flight_total(pool).await)
    }

    /// Counts and sums of a run, as of one moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn run_counts(&self, run_id: &RunId) -> Result<RunCounts, StoreError> {
        on!(self, pool, sql => sql::run_counts::counts(pool, run_id).await)
    }

    /// The causes of trouble in a run, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn causes(&self, run_id: &RunId) -> Result<Vec<CauseRow>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::run_counts::causes(pool, now_ms, run_id).await)
    }

    /// The newest failed and returned payouts of a run, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn newest_failures(&self, run_id: &RunId, limit: i64) -> Result<Vec<PayoutRow>, StoreError> {
        on!(self, pool, sql => sql::run_counts::newest_failures(pool, run_id, limit.max(0)).await)
    }
}
