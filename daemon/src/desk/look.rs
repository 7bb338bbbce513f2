//! Looking at Stripe for somebody who asks: a read, never more.
use crate::{
    clock::Clock,
    stripe::{Stripe, agree},
};
use payout_shared::{
    answer::PayoutObject,
    id::{AccountId, ObjectId},
};
use std::sync::Arc;

/// The way to Stripe's reads; `None` = no key is configured.
#[derive(Clone, Default)]
pub struct Look(Option<Arc<dyn Stripe>>);

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Look").field(&self.0.is_some()).finish()
    }
}

impl Look {
    /// Looks through this client.
    #[must_use]
    pub const fn new(stripe: Option<Arc<dyn Stripe>>) -> Self {
        Self(stripe)
    }

    /// Holds our clock against Stripe's; where that was not heard lately it is asked.
    ///
    /// # Errors
    /// One sentence: why ours isn't believed.
    pub async fn clock(&self, clock: &Clock) -> Result<(), String> {
        match agree::doubt_once_asked(self.0.as_deref(), clock).await {
            Some(doubt) => Err(doubt.to_string()),
            None => Ok(()),
        }
    }

    /// One payout object as Stripe shows it now.
    ///
    /// # Errors
    /// One sentence: why nothing could be seen.
    pub async fn payout(&self, account: AccountId, object: ObjectId) -> Result<PayoutObject, String> {
        let Some(stripe) = &self.0 else {
            return Err("no Stripe key is configured: nothing can be looked at".to_owned());
        };
        let about = format!("{object} on account {account}");
        stripe.payout(account, object).await.map_err(|error| format!("{about}: {error}"))
    }
}
