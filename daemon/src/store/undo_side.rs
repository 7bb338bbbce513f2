//! What is proven, tried again and taken back in the store: by people through the doors, and by the engine with its token.
use super::{
    Store, StoreError,
    types::{By, Claimed, Fence, Retried, RetryAsk},
};
use payout_shared::{
    breaker::BankCount,
    id::{PayoutId, RunId},
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
}
