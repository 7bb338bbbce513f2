//! Accounts as a test describes them and as the twin keeps them: who, in which country, with which bank, with how much.
//! Read and changed by the world; drawn as JSON by `shape`. Invariant: at most one default bank per currency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids;
use crate::purse::Purse;

/// One account, as handed to the twin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// `acct_…`.
    pub id: String,
    /// ISO 3166, upper case.
    #[serde(default = "us")]
    pub country: String,
    /// ISO 4217, lower case; the account's default currency.
    #[serde(default = "usd")]
    pub currency: String,
    /// Minor units that may be paid out, by currency.
    #[serde(default)]
    pub available: BTreeMap<String, i64>,
    /// Minor units not yet matured, by currency.
    #[serde(default)]
    pub pending: BTreeMap<String, i64>,
    /// Whether Stripe lets it be paid out.
    #[serde(default = "yes")]
    pub payouts_enabled: bool,
    /// Why not, in Stripe's words.
    #[serde(default)]
    pub disabled_reason: Option<String>,
    /// Requirements past due.
    #[serde(default)]
    pub past_due: Vec<String>,
    /// Its bank accounts; left out, one in its default currency is made.
    #[serde(default)]
    pub banks: Option<Vec<BankSpec>>,
    /// `manual`, `daily`, `weekly` or `monthly`.
    #[serde(default = "manual")]
    pub schedule: String,
    /// Days until money matures.
    #[serde(default = "two")]
    pub delay_days: u32,
    /// Its email address.
    #[serde(default)]
    pub email: Option<String>,
    /// Its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// One bank account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankSpec {
    /// `ba_…`; left out, derived from the account and currency.
    #[serde(default)]
    pub id: Option<String>,
    /// ISO 4217, lower case; left out, the account's.
    #[serde(default)]
    pub currency: Option<String>,
    /// `new`, `validated`, `verified`, `verification_failed` or `errored`.
    #[serde(default = "new")]
    pub status: String,
    /// The code with which Stripe refuses payouts to it: `account_closed`, `no_account` or `bank_account_unusable`.
    #[serde(default)]
    pub refused_with: Option<String>,
    /// The failure code with which the bank sends payouts back, such as `could_not_process`.
    #[serde(default)]
    pub fails_with: Option<String>,
}

impl Default for BankSpec {
    fn default() -> Self {
        Self { id: None, currency: None, status: new(), refused_with: None, fails_with: None }
    }
}

impl AccountSpec {
    /// An account in good order, with this much to pay out.
    #[must_use]
    pub fn new(id: &str, country: &str, currency: &str, available: i64) -> Self {
        Self {
            id: id.to_owned(),
            country: country.to_owned(),
            currency: currency.to_owned(),
            available: BTreeMap::from([(currency.to_owned(), available)]),
            pending: BTreeMap::new(),
            payouts_enabled: true,
            disabled_reason: None,
            past_due: Vec::new(),
            banks: None,
            schedule: manual(),
            delay_days: two(),
            email: None,
            metadata: BTreeMap::new(),
        }
    }
}

/// A bank account as the twin keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bank {
    pub(crate) id: String,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) refused_with: Option<String>,
    pub(crate) fails_with: Option<String>,
    pub(crate) is_default: bool,
}

impl Bank {
    /// Stripe's code for refusing a payout to it.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        match (self.refused_with.as_deref(), self.status.as_str()) {
            (Some("account_closed"), _) => Some("account_closed"),
            (Some("no_account"), _) => Some("no_account"),
            (Some(_), _) | (None, "errored" | "verification_failed") => Some("bank_account_unusable"),
            (None, _) => None,
        }
    }
}

/// What an account has besides what a test described it with.
#[derive(Debug, Clone, Default)]
pub(crate) struct More {
    /// By name: `active`, `inactive` or `pending`; what isn't there follows the rest of the account.
    pub(crate) capabilities: BTreeMap<String, String>,
    pub(crate) charges_disabled: bool,
    pub(crate) details_missing: bool,
    pub(crate) currently_due: Vec<String>,
    pub(crate) eventually_due: Vec<String>,
    pub(crate) pending_verification: Vec<String>,
    pub(crate) current_deadline: Option<i64>,
    pub(crate) debits_negative: bool,
    pub(crate) weekly_anchor: Option<String>,
    pub(crate) monthly_anchor: Option<i64>,
    pub(crate) statement_descriptor: Option<String>,
    /// The platform may no longer act for it.
    pub(crate) is_deauthorized: bool,
}

/// An account as the twin keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) spec: AccountSpec,
    pub(crate) created_s: i64,
    pub(crate) banks: Vec<Bank>,
    pub(crate) purses: BTreeMap<String, Purse>,
    /// Its payouts, oldest first, as places in the world's list.
    pub(crate) payouts: Vec<usize>,
    /// Its balance transactions, oldest first, as places in the world's list.
    pub(crate) txns: Vec<usize>,
    pub(crate) more: More,
    /// What a test put into it, by currency.
    pub(crate) opened: BTreeMap<String, i64>,
}

impl Account {
    pub(crate) fn new(spec: AccountSpec, created_s: i64) -> Self {
        let banks = spec.banks.clone().unwrap_or_else(|| vec![BankSpec::default()]);
        let mut account = Self {
            spec,
            created_s,
            banks: Vec::new(),
            purses: BTreeMap::new(),
            payouts: Vec::new(),
            txns: Vec::new(),
            more: More::default(),
            opened: BTreeMap::new(),
        };
        account.set_banks(banks);
        account
    }

    /// Replaces its bank accounts; the first of each currency is the default.
    pub(crate) fn set_banks(&mut self, banks: Vec<BankSpec>) {
        self.banks.clear();
        for (n, bank) in banks.into_iter().enumerate() {
            let currency = bank.currency.unwrap_or_else(|| self.spec.currency.clone());
            let name = format!("{}/{currency}/{n}", self.spec.id);
            let is_default = !self.banks.iter().any(|other| other.currency == currency);
            self.banks.push(Bank {
                id: bank.id.unwrap_or_else(|| format!("ba_1Twin{}", ids::salt(11, &name))),
                currency,
                status: bank.status,
                refused_with: bank.refused_with,
                fails_with: bank.fails_with,
                is_default,
            });
        }
    }

    /// What it may do: as told, and where nothing was told by the rest of the account.
    pub(crate) fn capabilities(&self) -> BTreeMap<String, String> {
        let word = |is_active: bool| if is_active { "active" } else { "inactive" }.to_owned();
        let mut all = BTreeMap::from([
            ("card_payments".to_owned(), word(!self.more.charges_disabled)),
            ("transfers".to_owned(), word(self.spec.payouts_enabled)),
        ]);
        all.extend(self.more.capabilities.clone());
        all
    }

    pub(crate) fn bank(&self, id: &str) -> Option<&Bank> {
        self.banks.iter().find(|bank| bank.id == id)
    }

    pub(crate) fn default_bank(&self, currency: &str) -> Option<&Bank> {
        self.banks.iter().find(|bank| bank.is_default && bank.currency == currency)
    }
}

fn us() -> String {
    "US".to_owned()
}

fn usd() -> String {
    "usd".to_owned()
}

fn manual() -> String {
    "manual".to_owned()
}

fn new() -> String {
    "new".to_owned()
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}
