//! What the engine asks and records when it sweeps, and how somebody else asks for a sweep of everything from a moment on.
use super::{
    Store, StoreError,
    door_types::InboxEvent,
    types::{By, DueLook, Fence, NextLook, ReadCount, RunRow, SweepKind, SweepRow, SweepsLeft, Unlisted},
};
use payout_shared::id::{AccountId, RunId};

impl Store {
    /// How far payouts and earnings are swept, and what is wanted.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn sweeps(&self) -> Result<Vec<SweepRow>, StoreError> {
        on!(self, pool, sql => sql::sweeps::read(pool).await)
    }

    /// Wants everything from a moment of Stripe's on asked for once more, whatever was swept before: done when [`SweepRow::is_swept_from`] says
    /// so. The engine does it by itself, also after a restart. Wanted twice, it begins anew from the earlier moment.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn want_sweep(&self, kind: SweepKind, from_ms: i64, by: &By) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::sweeps::want(pool, now_ms, kind, from_ms, &by.to_string()).await)
    }

    /// How much is due or wanted and not looked at yet.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn sweeps_left(&self) -> Result<SweepsLeft, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::sweeps::left(pool, now_ms).await)
    }

    /// Payout objects to be looked at now, longest due first: of each of ours and of others at most so many.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn looks_due(&self, limit: i64) -> Result<Vec<DueLook>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::sweeps::due(pool, now_ms, limit).await)
    }

    /// Accounts whose payouts were last listed before a moment of Stripe's and that are there since before another of ours, behind a place: each
    /// with its own.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn unlisted(
        &self,
        before_ms: (i64, i64),
        after: (i64, &str),
        limit: i64,
    ) -> Result<Vec<(i64, Unlisted)>, StoreError> {
        on!(self, pool, sql => sql::sweeps::unlisted(pool, before_ms, after, limit).await)
    }

    /// Records that accounts were listed up to a time of Stripe's each, when payouts are looked at next, and the reads that it took. What the
    /// lists showed is recorded before.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn record_swept(
        &self,
        fence: Fence,
        listed: &[(AccountId, i64)],
        next: &[NextLook],
        reads: &[(RunId, ReadCount)],
    ) -> Result<(), StoreError> {
        on!(self, pool, sql => sql::sweeps::looked(pool, fence, listed, next, reads).await)
    }

    /// Every account was listed that had to be for what is wanted from a moment on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn listed_all(&self, fence: Fence, from_ms: i64, swept_ms: i64) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::sweeps::listed_all(pool, now_ms, fence, from_ms, swept_ms).await)
    }

    /// Begins a sweep of events from a moment on, at this time of Stripe's, unless one is under way.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn begin_events_sweep(&self, fence: Fence, from_ms: i64, began_ms: i64) -> Result<(), StoreError> {
        on!(self, pool, sql => sql::sweeps::begin_events(pool, fence, from_ms, began_ms).await)
    }

    /// Records a page of the sweep (from, begun at) that was asked for behind a place: events that no webhook has brought are looked at like
    /// those that one did. `place`: where it goes on; `None` = this was its end. Gives how many were new.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn record_events_page(
        &self,
        fence: Fence,
        events: &[InboxEvent],
        sweep: (i64, i64),
        (behind, place): (&str, Option<&str>),
    ) -> Result<u64, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::sweeps::put_events(pool, now_ms, fence, events, sweep, (behind, place)).await)
    }

    /// Completed runs that ended before a moment and have no payout that is still awaited.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn settled_runs(&self, ended_before_ms: i64) -> Result<Vec<RunRow>, StoreError> {
        on!(self, pool, sql => sql::sweeps::settled_runs(pool, ended_before_ms).await)
    }
}
