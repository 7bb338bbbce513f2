//! The twin's own books: accounts come in, change, and the sums are proven.
//! Called by the control endpoints and tests. Invariant: money enters only through `add_accounts` and a credit, and
//! each entry leaves a balance transaction.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountSpec, BankSpec};
use crate::clock::Now;
use crate::events::Cause;
use crate::payout::Status;
use crate::purse::{Purse, TxnKind};
use crate::shape;
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
}

/// Whether all sums hold, and what they are.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Conservation {
    /// True when nothing was made or lost.
    pub ok: bool,
    /// What doesn't hold, in words; the first hundred.
    pub violations: Vec<String>,
    /// The sum of all purses, by currency.
    pub totals: BTreeMap<String, Purse>,
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
            self.credit(&id, &available, &pending)?;
        }
        Ok(added)
    }

    fn credit(
        &mut self,
        id: &str,
        available: &BTreeMap<String, i64>,
        pending: &BTreeMap<String, i64>,
    ) -> Result<(), String> {
        let amounts = available.iter().map(|(currency, amount)| (currency, *amount, 0));
        let amounts = amounts.chain(pending.iter().map(|(currency, amount)| (currency, 0, *amount)));
        for (currency, available, pending) in amounts {
            let Some(account) = self.accounts.get_mut(id) else {
                return Err(format!("no account {id}"));
            };
            let purse = account.purses.entry(currency.clone()).or_default();
            let credited = if available.abs().max(pending.abs()) > BALANCE_MAX {
                Err(crate::purse::Refused)
            } else {
                purse.credit(available, pending)
            };
            credited.map_err(|_| format!("account {id}: {currency} would overflow"))?;
            if available != 0 {
                self.record(id, currency, available, TxnKind::Payment, None);
            }
        }
        Ok(())
    }

    /// Changes one account and tells so: `account.updated`, and an event for each bank account that changed.
    pub(crate) fn change_account(&mut self, now: Now, id: &str, change: AccountChange) -> Result<(), String> {
        let Some(account) = self.accounts.get_mut(id) else {
            return Err(format!("no account {id}"));
        };
        let platform = id == crate::PLATFORM_ACCOUNT;
        let before = shape::account(account, platform);
        let spec = &mut account.spec;
        if let Some(enabled) = change.payouts_enabled {
            spec.payouts_enabled = enabled;
        }
        if let Some(reason) = change.disabled_reason {
            spec.disabled_reason = Some(reason).filter(|reason| !reason.is_empty());
        }
        if let Some(past_due) = change.past_due {
            spec.past_due = past_due;
        }
        if let Some(schedule) = change.schedule {
            spec.schedule = schedule;
        }
        if change.mature {
            self.mature(id)?;
        }
        self.credit(id, &change.credit, &change.credit_pending)?;
        if let Some(banks) = change.banks {
            self.replace_banks(now, id, banks);
        }
        if let Some(account) = self.accounts.get(id) {
            let after = shape::account(account, platform);
            if let Some(changed) = shape::previous(&before, &after) {
                self.emit(now, "account.updated", id, (after, Some(changed)), Cause::default());
            }
        }
        Ok(())
    }

    fn mature(&mut self, id: &str) -> Result<(), String> {
        let Some(account) = self.accounts.get_mut(id) else {
            return Err(format!("no account {id}"));
        };
        let mut matured = Vec::new();
        for (currency, purse) in &mut account.purses {
            let amount = purse.mature().map_err(|_| format!("account {id}: {currency} would overflow"))?;
            matured.push((currency.clone(), amount));
        }
        for (currency, amount) in matured.into_iter().filter(|(_, amount)| *amount != 0) {
            self.record(id, &currency, amount, TxnKind::Maturity, None);
        }
        Ok(())
    }

    /// Proves every sum from three sides: the purses, the balance transactions and the payouts.
    pub(crate) fn conservation(&self) -> Conservation {
        let mut found = Conservation::default();
        let mut by_txns: HashMap<(&str, &str), i128> = HashMap::new();
        for txn in &self.txns {
            *by_txns.entry((&txn.account, &txn.currency)).or_default() += i128::from(txn.amount);
        }
        let mut by_payouts: HashMap<(&str, &str), (i128, i128)> = HashMap::new();
        for payout in &self.payouts {
            let sums = by_payouts.entry((&payout.account, &payout.currency)).or_default();
            let returned = payout.failure_balance_transaction.is_some();
            let expected = match payout.status {
                Status::Pending | Status::InTransit => {
                    sums.0 += i128::from(payout.amount);
                    false
                }
                Status::Paid => {
                    sums.1 += i128::from(payout.amount);
                    false
                }
                Status::Failed | Status::Canceled => true,
            };
            if returned != expected {
                found.violate(format!("{}: {} and returned = {returned}", payout.id, payout.status.word()));
            }
        }
        for (id, account) in &self.accounts {
            for (currency, purse) in &account.purses {
                let at = (id.as_str(), currency.as_str());
                let txns = by_txns.remove(&at).unwrap_or_default();
                let (in_transit, paid) = by_payouts.remove(&at).unwrap_or_default();
                let agree = i128::from(purse.available) == txns
                    && i128::from(purse.in_transit) == in_transit
                    && i128::from(purse.paid_out) == paid;
                if !agree || !purse.conserves() {
                    found.violate(format!(
                        "{id} {currency}: {purse:?}; txns {txns}, in transit {in_transit}, paid {paid}"
                    ));
                }
                found.total(currency, purse);
            }
        }
        for (account, currency) in by_txns.keys().chain(by_payouts.keys()) {
            found.violate(format!("{account} {currency}: money moved in no purse"));
        }
        found.ok = found.violations.is_empty();
        found
    }
}

impl Conservation {
    fn violate(&mut self, what: String) {
        if self.violations.len() < 100 {
            self.violations.push(what);
        }
    }

    fn total(&mut self, currency: &str, purse: &Purse) {
        let total = self.totals.entry(currency.to_owned()).or_default();
        total.funded = total.funded.saturating_add(purse.funded);
        total.available = total.available.saturating_add(purse.available);
        total.pending = total.pending.saturating_add(purse.pending);
        total.in_transit = total.in_transit.saturating_add(purse.in_transit);
        total.paid_out = total.paid_out.saturating_add(purse.paid_out);
    }
}
