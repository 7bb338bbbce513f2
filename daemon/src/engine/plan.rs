//! Planning, page by page: a page's accounts are read when what is known of them is old, then its purses are decided. Each pass does at
//! most one page, whatever the run's size, so that a pause, an answer or a lease never waits for more.
use super::{Done, Engine, IDLE_MS, lead::Lease};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        door_types::{AccountRead, BankRead},
        types::RunRow,
    },
    stripe::{AccountObject, ReadError},
};
use payout_shared::{currency::Currency, holding, id::AccountId, plan::Decision, run::RunEvent};
use std::collections::BTreeMap;

/// Accounts being read at once: the rate limit paces them, this bounds the tasks.
const READS_MAX: usize = 64;
/// A read that failed is tried again this much later, milliseconds.
const READ_RETRY_MS: i64 = 2_000;
/// After so many answers that can't be read in a row, planning goes on without the account: nobody waits for one.
const UNREADABLE_MAX: u32 = 5;

impl Engine {
    /// Reads what is unread, then plans one page; the last page finishes the plan.
    pub(super) async fn plan(&mut self, lease: Lease, run: &RunRow) -> Result<BootMs, StoreError> {
        let later = self.parts.clock.boot().plus_ms(IDLE_MS);
        // A refund that a webhook lost, or brought while nobody was here, is known before anything is decided.
        if run.plan_after.is_empty()
            && (self.events_behind().await? || self.parts.store.inbox_unseen(run.created_at_ms).await?)
        {
            return Ok(later);
        }
        if !self.accounts_known(run).await? {
            return Ok(later);
        }
        let context = self.context_of(run).await?;
        match self.parts.store.plan_page(lease.fence, run, self.parts.settings.plan_page, &context).await {
            Ok(page) => {
                self.parts.changed.tell();
                let payouts = page.purses.iter().filter(|purse| matches!(purse.decision, Decision::Pay { .. })).count();
                tracing::debug!(run = %run.label, purses = page.purses.len(), payouts, "a page was planned");
                self.again = true;
                if page.next_after.is_none() {
                    self.run_event(lease, run, RunEvent::FinishPlan, None).await?;
                    self.holding_told = false;
                }
                Ok(later)
            }
            Err(StoreError::Refused(why)) => {
                tracing::info!(run = %run.label, why, "planning stopped");
                Ok(later)
            }
            Err(StoreError::Broken(why)) => {
                tracing::warn!(run = %run.label, why, "a page was not planned");
                Ok(later)
            }
            Err(error) => Err(error),
        }
    }

    /// Says how much money is near Stripe's holding limit, after a start and after each plan.
    pub(super) async fn tell_holding(&mut self) -> Result<(), StoreError> {
        if self.holding_told {
            return Ok(());
        }
        let purses = self.parts.store.near_holding_limit().await?;
        self.holding_told = true;
        if purses == 0 {
            self.parts.health.good(Topic::Holding);
            return Ok(());
        }
        let why = format!(
            "{purses} purses were not paid whose money lies at Stripe for more than {} % of the time it may: payout creators --why-not",
            holding::ALERT_PERCENT
        );
        if self.parts.health.bad(Topic::Holding, &why) {
            tracing::warn!("{why}");
            self.parts.changed.tell();
        }
        Ok(())
    }

    /// Starts the reads that are missing for the next page; true when none is. The store is asked again only when all that it named
    /// before are read or failed: not once per answer.
    async fn accounts_known(&mut self, run: &RunRow) -> Result<bool, StoreError> {
        if self.is_sweeping() {
            self.sweep_on();
            return Ok(false);
        }
        if self.to_read.is_empty() && self.reading.is_empty() {
            let old = self.parts.clock.now_ms().saturating_sub(self.parts.settings.account_stale_ms);
            let stale = self.parts.store.stale_accounts(run, old, self.parts.settings.plan_page).await?;
            if stale.is_empty() {
                return Ok(true);
            }
            if self.sweeping(run, stale.len(), old).await? {
                return Ok(false);
            }
            let now = self.parts.clock.boot();
            self.read_again.retain(|_, at| *at > now);
            self.to_read = stale.into_iter().filter(|account| !self.read_again.contains_key(account)).collect();
        }
        let Some(stripe) = self.parts.stripe.clone() else {
            self.to_read.clear();
            return Ok(false);
        };
        while self.reading.len() < READS_MAX {
            let Some(account) = self.to_read.pop_front() else { break };
            if !self.reading.insert(account.clone()) {
                continue;
            }
            let (stripe, done) = (stripe.clone(), self.done_tx.clone());
            tokio::spawn(async move {
                let result = stripe.account(account.clone()).await;
                let _ = done.send(Done::Account { account, result }).await;
            });
        }
        Ok(false)
    }

    /// What a read of an account says, to be recorded; `None` = nothing is known, it is read again later.
    pub(super) fn account_read(
        &mut self,
        account: AccountId,
        result: Result<AccountObject, ReadError>,
    ) -> Option<AccountRead> {
        self.reading.remove(&account);
        match result {
            Ok(object) => {
                self.unreadable.remove(&account);
                self.parts.health.good(Topic::Stripe);
                Some(read_of(object, account, self.parts.clock.now_ms()))
            }
            Err(ReadError::NoAccess(why)) => {
                Some(unpayable(account, self.parts.clock.now_ms(), format!("no access: {why}")))
            }
            Err(ReadError::Unreadable(why)) => {
                let times = self.unreadable.entry(account.clone()).or_default();
                *times = times.saturating_add(1);
                if *times >= UNREADABLE_MAX {
                    self.unreadable.remove(&account);
                    tracing::error!(%account, why, "an account could not be read {UNREADABLE_MAX} times: it is not paid for now");
                    let why = format!("its answer could not be read: {why}");
                    return Some(unpayable(account, self.parts.clock.now_ms(), why));
                }
                tracing::warn!(%account, why, "an account could not be read");
                self.read_again.insert(account, self.parts.clock.boot().plus_ms(READ_RETRY_MS));
                None
            }
            Err(ReadError::Limited(why)) => {
                tracing::warn!(%account, why, "a read was limited");
                self.read_again.insert(account, self.parts.clock.boot().plus_ms(READ_RETRY_MS));
                None
            }
            Err(error @ (ReadError::Refused(_) | ReadError::Unreachable(_))) => {
                if self.parts.health.bad(Topic::Stripe, error.to_string()) {
                    tracing::error!(%account, %error, "an account could not be read: planning waits");
                }
                self.read_again.insert(account, self.parts.clock.boot().plus_ms(READ_RETRY_MS));
                None
            }
        }
    }
}

/// An account of which nothing can be known: nothing is paid to it until it is read again.
pub(super) fn unpayable(account: AccountId, now_ms: i64, why: String) -> AccountRead {
    AccountRead {
        account,
        read_at_ms: now_ms,
        country: None,
        payouts_enabled: false,
        charges_enabled: false,
        details_submitted: false,
        disabled_reason: Some(why),
        schedule_interval: None,
        banks: Vec::new(),
    }
}

/// Stripe's account as the store keeps it: per currency the bank account that Stripe would use.
pub(super) fn read_of(object: AccountObject, account: AccountId, now_ms: i64) -> AccountRead {
    let mut banks: BTreeMap<Currency, (bool, BankRead)> = BTreeMap::new();
    for bank in object.banks {
        let read = BankRead {
            currency: bank.currency,
            destination: bank.id,
            status: bank.status,
            bank_name: bank.bank_name,
            country: bank.country,
        };
        let known = banks.get(&bank.currency).is_some_and(|(default, _)| *default);
        if bank.default_for_currency || !known {
            banks.insert(bank.currency, (bank.default_for_currency, read));
        }
    }
    AccountRead {
        account,
        read_at_ms: now_ms,
        country: object.country,
        payouts_enabled: object.payouts_enabled,
        charges_enabled: object.charges_enabled,
        details_submitted: object.details_submitted,
        disabled_reason: object.disabled_reason,
        schedule_interval: object.schedule_interval,
        banks: banks.into_values().map(|(_, bank)| bank).collect(),
    }
}
