//! Sweeping: when much of what is known of accounts is old, all of Stripe's accounts are read by pages of a hundred before a plan, instead of
//! one by one. One page is under way at a time, and recorded before it is forgotten; accounts that aren't ours are ignored.
use super::{Done, Engine, plan::read_of};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{StoreError, door_types::AccountRead, types::RunRow},
    stripe::{AccountPage, ReadError},
};
use payout_shared::id::{AccountId, RunId};

/// Fewer old accounts than these are read one by one: that takes a few seconds.
const SINGLES_MAX: i64 = 100;
/// A sweep reads everybody's: it is begun when at least every so manieth account is old.
const OLD_SHARE: i64 = 20;
/// A page that failed is asked for again this much later, milliseconds,
const AGAIN_MS: i64 = 2_000;
/// … and after so many failures in a row the rest is read one by one.
const PATIENCE: u32 = 5;

/// The sweep before a plan.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The run that it was last made for: at most one a run.
    of: Option<RunId>,
    under_way: bool,
    failures: u32,
    /// Where it goes on, and when.
    next: Option<(Option<AccountId>, BootMs)>,
}

impl Engine {
    /// Decides whether accounts are swept before this run's plan, and goes on with a sweep that waits; true while there is one.
    pub(super) async fn sweeping(&mut self, run: &RunRow, old: usize, read_before_ms: i64) -> Result<bool, StoreError> {
        if i64::try_from(old).unwrap_or(i64::MAX) >= SINGLES_MAX.min(self.parts.settings.plan_page)
            && !run.named_only
            && self.sweep.of.as_ref() != Some(&run.id)
            && !self.is_sweeping()
        {
            self.sweep.of = Some(run.id.clone());
            let (all, old) = self.parts.store.old_accounts(read_before_ms).await?;
            if old >= SINGLES_MAX && old.saturating_mul(OLD_SHARE) >= all {
                tracing::info!(run = %run.label, old, all, "accounts are read by pages before the plan");
                (self.sweep.next, self.sweep.failures) = (Some((None, self.parts.clock.boot())), 0);
            }
        }
        self.sweep_on();
        Ok(self.is_sweeping())
    }

    /// A page is under way, or its time has not come.
    pub(super) const fn is_sweeping(&self) -> bool {
        self.sweep.under_way || self.sweep.next.is_some()
    }

    /// Starts the next page when its time has come.
    pub(super) fn sweep_on(&mut self) {
        let now = self.parts.clock.boot();
        let (Some(stripe), Some((after, at))) = (self.parts.stripe.clone(), self.sweep.next.clone()) else { return };
        if self.sweep.under_way || now < at {
            return;
        }
        (self.sweep.under_way, self.sweep.next) = (true, None);
        let done = self.done_tx.clone();
        tokio::spawn(async move {
            let result = stripe.accounts(after.clone()).await;
            let _ = done.send(Done::Accounts { after, result }).await;
        });
    }

    /// What a page says, to be recorded.
    pub(super) fn swept(
        &mut self,
        after: Option<AccountId>,
        result: Result<AccountPage, ReadError>,
    ) -> Vec<AccountRead> {
        self.sweep.under_way = false;
        let now = self.parts.clock.boot();
        match result {
            Ok(page) => {
                self.parts.health.good(Topic::Stripe);
                self.sweep.failures = 0;
                self.sweep.next = page.next_after.map(|next| (Some(next), now));
                self.sweep_on();
                let now_ms = self.parts.clock.now_ms();
                page.accounts
                    .into_iter()
                    .map(|object| (object.id.clone(), object))
                    .map(|(id, object)| read_of(object, id, now_ms))
                    .collect()
            }
            Err(error) => {
                self.sweep.failures = self.sweep.failures.saturating_add(1);
                let again = self.sweep.failures < PATIENCE;
                self.sweep.next = again.then(|| (after, now.plus_ms(AGAIN_MS)));
                tracing::warn!(%error, again, "a page of accounts could not be read");
                Vec::new()
            }
        }
    }
}
