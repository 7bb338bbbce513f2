//! What is proven, tried again and taken back in the store: by people through the doors, and by the engine with its token.
use super::{
    Store, StoreError,
    door_types::ForeignRow,
    types::{
        AdoptAsk, Adopted, By, Claimed, Confirm, Fence, Gate, KnownReversal, Retried, RetryAsk, RollbackRow,
        RollbackShow, RunRow, UndoBodies, UndoIntent, UndoLeft, UndoUnresolved,
    },
};
use payout_shared::{
    attempt::AttemptKind,
    breaker::BankCount,
    id::{CreatorId, ObjectId, PayoutId, RunId},
};

impl Store {
    /// Records the Stripe object that a person named for an unknown payout, read at Stripe and held against what was asked for. Gives the
    /// journal's number of it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the payout isn't unknown any more, a request for it is on the wire, or the object is another payout's;
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn record_claim(&self, payout: &PayoutId, claimed: &Claimed, by: &By) -> Result<i64, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::claim::record(pool, now_ms, payout, claimed, by).await)
    }

    /// Takes a payout that somebody made at Stripe past us into the books: what it paid is never paid again. A second time changes nothing. A
    /// crash before the commit changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it bars nothing, is one of ours, lies on another creator's account, or a payout of ours is on its way in
    /// its purse; [`StoreError::NotFound`] for an account nobody knows; [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn adopt(&self, ask: &AdoptAsk<'_>) -> Result<Adopted, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::adopt::adopt(pool, now_ms, ask).await)
    }

    /// Payouts on creators' accounts that none of ours explains, newest first: of one creator or of all, those that bar their purses or all.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn foreign_payouts(
        &self,
        creator: Option<&CreatorId>,
        barring: bool,
        limit: i64,
    ) -> Result<Vec<ForeignRow>, StoreError> {
        on!(self, pool, sql => sql::foreign::list(pool, creator, barring, limit.max(0)).await)
    }

    /// Plans failed payouts again, each judged by what is so now; a completed run of theirs is opened again. What became of each comes
    /// back in the order asked. People ask without a token, the engine with its own. A crash before the commit changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn retry(&self, fence: Option<Fence>, ask: &RetryAsk<'_>) -> Result<Vec<Retried>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::retry::retry_all(pool, now_ms, fence, ask).await)
    }

    /// Failed payouts that are to be tried again by themselves now, the longest due first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn retries_due(&self, limit: i64) -> Result<Vec<PayoutId>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::retry::due(pool, now_ms, limit).await)
    }

    /// How the newest payouts of a run went since it was last resumed, bank by bank: what the breaker is judged on.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn breaker_counts(&self, run: &RunId) -> Result<Vec<BankCount>, StoreError> {
        on!(self, pool, sql => sql::breaker::counts(pool, run).await)
    }

    /// A page of what a rollback of a run would do now, behind an id: written nowhere.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn rollback_page(&self, run: &RunId, after: &str, limit: i64) -> Result<Vec<RollbackRow>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::rollback::page(pool, run, after, limit, now_ms).await)
    }

    /// Begins to take a run back; the engine does it. With a confirmed rollback what is pending is canceled as well. Gives the run and the
    /// journal's number.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the run hasn't begun (pause it first), or is over; [`StoreError::NotFound`], [`StoreError::Database`].
    pub async fn abort_run(
        &self,
        run: &RunId,
        confirm: Option<&Confirm>,
        by: &By,
        reason: &str,
    ) -> Result<(RunRow, i64), StoreError> {
        let now_ms = self.clock.now_ms();
        let new_id = self.ids.request(now_ms);
        on!(self, pool, sql => sql::rollback::abort(pool, now_ms, &new_id, run, confirm, by, reason).await)
    }

    /// The newest confirmed rollback of a run, and how far it is.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn rollback_of(&self, run: &RunId) -> Result<Option<RollbackShow>, StoreError> {
        on!(self, pool, sql => sql::rollback::shown(pool, run).await)
    }

    /// Voids planned payouts of a run that is being taken back, at most so many; gives how many. A crash before the commit changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn void_planned(&self, fence: Fence, run: &RunId, limit: i64) -> Result<usize, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::undo::void(pool, fence, now_ms, run, limit).await)
    }

    /// Commits cancels, or approved reversals, of a run that is being taken back. A send may leave only after this returned it. A crash after
    /// the commit leaves attempts on the wire as far as anybody knows: their objects are looked up.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn intend_undo(
        &self,
        gate: Gate,
        what: (AttemptKind, &RunId),
        limit: i64,
        bodies: UndoBodies,
    ) -> Result<Vec<UndoIntent>, StoreError> {
        on!(self, pool, sql => sql::undo::intend(pool, gate, self.mode, what, limit, bodies).await)
    }

    /// Cancels and reversals whose outcome nobody knows and whose time to be looked up has come.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn undo_unresolved(&self, limit: i64) -> Result<Vec<UndoUnresolved>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::undo::unresolved(pool, now_ms, limit).await)
    }

    /// What is left to be done of taking a run back.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn undo_left(&self, run: &RunId) -> Result<UndoLeft, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::undo::left(pool, run, now_ms).await)
    }

    /// The reversals of ours of these payout objects.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn reversals_of(&self, originals: &[ObjectId]) -> Result<Vec<KnownReversal>, StoreError> {
        on!(self, pool, sql => sql::reversals::of_originals(pool, originals).await)
    }

    /// Reversed payouts whose money is waited for, and whose reversal is to be looked at now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn reversed_due(&self, limit: i64) -> Result<Vec<KnownReversal>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::reversals::due(pool, now_ms, limit).await)
    }
}
