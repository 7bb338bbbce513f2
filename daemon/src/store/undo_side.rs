//! What is proven, tried again and taken back in the store: by people through the doors, and by the engine with its token.
use super::{
    Store, StoreError,
    types::{By, Claimed},
};
use payout_shared::id::PayoutId;

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
}
