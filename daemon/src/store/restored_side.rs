//! A database that was restored from a backup: recognised, kept back, and let go again.
use super::{
    Store, StoreError,
    types::{Fence, Reconcile},
};
use payout_shared::witness::Head;

impl Store {
    /// Where the journal stands (`None`: nothing is in it), the hash of its row with this number, and whether everything is kept back.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn standing(
        &self,
        kept_seq: i64,
    ) -> Result<(Option<Head>, Option<String>, Option<Reconcile>), StoreError> {
        on!(self, pool, sql => sql::restored::standing(pool, kept_seq).await)
    }

    /// Keeps everything back until what happened from a moment on (Unix milliseconds) was asked for again: no run is planned, nothing is sent,
    /// voided or taken back. Known already from that moment on: nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn mark_restored(&self, why: &str, from_ms: i64) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::restored::mark(pool, now_ms, why, from_ms).await)
    }

    /// The books have caught up with what was kept back since then; everything is paused until a person resumes it, because what people said since
    /// the backup was made is forgotten. False when more is kept back by now.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn clear_restored(&self, fence: Fence, since_ms: i64) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::restored::clear(pool, now_ms, fence, since_ms).await)
    }
}
