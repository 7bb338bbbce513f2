//! Accounts come in and change, as tests want them to. Called by the control endpoints, tests and the scripted life.
//! Invariant: a test's money enters only through `add_accounts` and a credit, and each entry leaves a balance transaction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{Account, AccountSpec, BankSpec};
use crate::clock::Now;
use crate::events::Cause;
use crate::shape;
use crate::shape_market::APPLICATION;
use crate::txn::{Entry, Ripe, TxnKind};
use crate::world::World;

/// Accounts the twin holds at most.
pub(crate) const ACCOUNTS_MAX: usize = 500_000;
/// The largest balance an account may be given.
const BALANCE_MAX: i64 = 1_000_000_000_000_000;

/// A change to one account; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountChange {
    /// Whether Stripe lets it be paid out.
    pub payouts_enabled: Option<bool>,
    /// Why not, in Stripe's words; an empty text clears it.
    pub disabled_reason: Option<String>,
    /// Requirements past due.
    pub past_due: Option<Vec<String>>,
    /// `manual`, `daily`, `weekly` or `monthly`.
    pub schedule: Option<String>,
    /// Its bank accounts, all of them.
    pub banks: Option<Vec<BankSpec>>,
    /// Money that comes in and is available at once; negative for a refund or dispute.
    pub credit: BTreeMap<String, i64>,
    /// Money that comes in and matures later.
    pub credit_pending: BTreeMap<String, i64>,
    /// Lets all pending money mature.
    pub mature: bool,
    /// Whether Stripe lets it be charged.
    pub charges_enabled: Option<bool>,
    /// Whether its owner has told Stripe everything at first.
    pub details_submitted: Option<bool>,
    /// Capabilities by name: `active`, `inactive` or `pending`.
    pub capabilities: BTreeMap<String, String>,
    /// Requirements due now.
    pub currently_due: Option<Vec<String>>,
    /// Requirements due some day.
    pub eventually_due: Option<Vec<String>>,
    /// What Stripe is looking at.
    pub pending_verification: Option<Vec<String>>,
    /// Until when, in seconds; 0 clears it.
    pub current_deadline: Option<i64>,
    /// Days until money matures.
    pub delay_days: Option<u32>,
    /// Whether Stripe debits the bank account for a negative balance.
    pub debit_negative_balances: Option<bool>,
    /// The platform's access ends: `account.application.deauthorized`.
    pub deauthorized: Option<bool>,
}

impl World {
    /// Takes accounts in; an id that is already known replaces nothing and refuses the whole list.
    pub(crate) fn add_accounts(&mut self, now: Now, specs: Vec<AccountSpec>) -> Result<usize, String> {
        if self.accounts.len() + specs.len() > ACCOUNTS_MAX {
            return Err(format!("the twin holds at most {ACCOUNTS_MAX} accounts"));
        }
        let mut ids = std::collections::HashSet::new();
        for spec in &specs {
            if spec.id.is_empty() || self.accounts.contains_key(&spec.id) || !ids.insert(spec.id.as_str()) {
                return Err(format!("account id '{}' is empty or known already", spec.id));
            }
            let amounts = spec.available.values().chain(spec.pending.values());
            if amounts.into_iter().any(|amount| amount.abs() > BALANCE_MAX) {
                return Err(format!("account {}: a balance is beyond {BALANCE_MAX}", spec.id));
            }
        }
        let added = specs.len();
        for spec in specs {
            let (id, available, pending) = (spec.id.clone(), spec.available.clone(), spec.pending.clone());
            self.account_order.push(id.clone());
            self.accounts.insert(id.clone(), Account::new(spec, now.date_s() - 90 * 86_400));
            self.credit(now, &id, &available, &pending)?;
        }
        Ok(added)
    }

    fn credit(
        &mut self,
        now: Now,
        id: &str,
        available: &BTreeMap<String, i64>,
        pending: &BTreeMap<String, i64>,
    ) -> Result<(), String> {
        let amounts = available.iter().map(|(currency, amount)| (currency, *amount, Ripe::Now));
        let amounts = amounts.chain(pending.iter().map(|(currency, amount)| (currency, *amount, Ripe::Told)));
        let amounts: Vec<_> = amounts.filter(|(_, amount, _)| *amount != 0).collect();
        let mut entries = Vec::new();
        for (currency, amount, ripe) in amounts {
            if amount.abs() > BALANCE_MAX {
                return Err(format!("account {id}: {currency} would overflow"));
            }
            entries.push(Entry::new(id, currency, amount, TxnKind::Opening, "").ripe(ripe));
        }
        let mut opened = self.accounts.get(id).ok_or_else(|| format!("no account {id}"))?.opened.clone();
        for entry in &entries {
            let sum = opened.entry(entry.currency.clone()).or_default();
            *sum = sum.checked_add(entry.amount).ok_or_else(|| format!("account {id}: overflow"))?;
        }
        self.post(now, entries).map_err(|_| format!("account {id}: a balance would overflow"))?;
        if let Some(account) = self.accounts.get_mut(id) {
            account.opened = opened;
            for currency in available.keys().chain(pending.keys()) {
                account.purses.entry(currency.clone()).or_default();
            }
        }
        Ok(())
    }

    /// Changes one account and tells so: `account.updated`, and an event for each bank account that changed.
    pub(crate) fn change_account(&mut self, now: Now, id: &str, change: AccountChange) -> Result<(), String> {
        let before = self.seen_settings(id).map_err(|_| format!("no account {id}"))?;
        let Some(account) = self.accounts.get_mut(id) else {
            return Err(format!("no account {id}"));
        };
        let capabilities = shape::capabilities(account);
        change.apply(account);
        if change.mature {
            self.mature_all(now, id);
        }
        self.credit(now, id, &change.credit, &change.credit_pending)?;
        if let Some(banks) = change.banks {
            self.replace_banks(now, id, banks);
        }
        let told = self.tell_of_settings(now, id, &before, Cause::default());
        told.map_err(|_| format!("no account {id}"))?;
        self.tell_of_capabilities(now, id, &capabilities);
        if let Some(deauthorized) = change.deauthorized {
            self.deauthorize(now, id, deauthorized);
        }
        Ok(())
    }

    fn tell_of_capabilities(&mut self, now: Now, id: &str, before: &[Value]) {
        let after = self.accounts.get(id).map(shape::capabilities).unwrap_or_default();
        for object in after {
            let old = before.iter().find(|old| old["id"] == object["id"]);
            let changed = old.and_then(|old| shape::previous(old, &object));
            if old.is_none() || changed.is_some() {
                self.emit(now, "capability.updated", id, (object, changed), Cause::default());
            }
        }
    }

    fn deauthorize(&mut self, now: Now, id: &str, deauthorized: bool) {
        let Some(account) = self.accounts.get_mut(id) else {
            return;
        };
        let was = std::mem::replace(&mut account.more.is_deauthorized, deauthorized);
        if deauthorized && !was {
            let application = json!({ "id": APPLICATION, "object": "application", "name": "The marketplace" });
            self.emit(now, "account.application.deauthorized", id, (application, None), Cause::default());
        }
    }
}

impl AccountChange {
    fn apply(&self, account: &mut Account) {
        let (spec, more) = (&mut account.spec, &mut account.more);
        if let Some(enabled) = self.payouts_enabled {
            spec.payouts_enabled = enabled;
        }
        if let Some(reason) = &self.disabled_reason {
            spec.disabled_reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
        }
        if let Some(past_due) = &self.past_due {
            spec.past_due.clone_from(past_due);
        }
        if let Some(schedule) = &self.schedule {
            spec.schedule.clone_from(schedule);
        }
        spec.delay_days = self.delay_days.unwrap_or(spec.delay_days);
        more.charges_disabled = self.charges_enabled.map_or(more.charges_disabled, |enabled| !enabled);
        more.details_missing = self.details_submitted.map_or(more.details_missing, |submitted| !submitted);
        more.debits_negative = self.debit_negative_balances.unwrap_or(more.debits_negative);
        more.capabilities.extend(self.capabilities.clone());
        for (new, old) in [
            (&self.currently_due, &mut more.currently_due),
            (&self.eventually_due, &mut more.eventually_due),
            (&self.pending_verification, &mut more.pending_verification),
        ] {
            if let Some(new) = new {
                old.clone_from(new);
            }
        }
        if let Some(deadline) = self.current_deadline {
            more.current_deadline = Some(deadline).filter(|deadline| *deadline != 0);
        }
    }
}
