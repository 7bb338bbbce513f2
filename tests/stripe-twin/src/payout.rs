//! One payout and its life: pending, in transit, then paid, failed or canceled; and a paid one may still fail.
//! Moved only by the world. Invariant: `next` is the one place that says what may follow what.

use std::collections::BTreeMap;

use serde::Serialize;

/// Where a payout stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not yet sent to the bank.
    Pending,
    /// With the bank.
    InTransit,
    /// The bank took it; not final.
    Paid,
    /// The bank sent it back.
    Failed,
    /// Canceled while pending.
    Canceled,
}

impl Status {
    /// Stripe's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InTransit => "in_transit",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether `to` may follow.
    #[must_use]
    pub fn next(self, to: Self) -> bool {
        match self {
            Self::Pending => matches!(to, Self::InTransit | Self::Failed | Self::Canceled),
            Self::InTransit => matches!(to, Self::Paid | Self::Failed),
            Self::Paid => to == Self::Failed,
            Self::Failed | Self::Canceled => false,
        }
    }
}

/// One executed payout: a row of the twin's ledger.
#[derive(Debug, Clone, Serialize)]
pub struct Payout {
    /// `po_…`.
    pub id: String,
    /// The account it was taken from.
    pub account: String,
    /// Minor units; negative for a debit: a reversal, or a debt that Stripe collects.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands.
    pub status: Status,
    /// When it was executed, in seconds by the twin's Date.
    pub created: i64,
    /// When the money should arrive, in seconds by the twin's Date.
    pub arrival_date: i64,
    /// The key it was asked with.
    pub idempotency_key: Option<String>,
    /// As sent.
    pub metadata: BTreeMap<String, String>,
    /// The bank account.
    pub destination: String,
    /// As sent.
    pub description: Option<String>,
    /// As sent.
    pub statement_descriptor: Option<String>,
    /// `card`, `bank_account` or `fpx`.
    pub source_type: String,
    /// The balance transaction that took the money.
    pub balance_transaction: String,
    /// The balance transaction that gave it back.
    pub failure_balance_transaction: Option<String>,
    /// Why the bank sent it back.
    pub failure_code: Option<String>,
    /// The same in words.
    pub failure_message: Option<String>,
    /// The request that executed it.
    pub request_id: String,
    /// How it came about: `answered`, a fault's name, `automatic`, `dashboard`.
    pub how: &'static str,
    /// Whether it was paid before it failed.
    pub was_paid: bool,
    /// Made by Stripe itself, by schedule or to settle a debt.
    pub automatic: bool,
    /// The payout that this one reverses.
    pub original_payout: Option<String>,
    /// The payout that reverses this one.
    pub reversed_by: Option<String>,
}

/// Stripe's sentence for a failure code.
#[must_use]
pub(crate) fn failure_message(code: &str) -> &'static str {
    match code {
        "account_closed" => "The bank account has been closed.",
        "account_frozen" => "The bank account has been frozen.",
        "no_account" => {
            "The bank account details on file are probably incorrect. No bank account could be located with those details."
        }
        "invalid_account_number" => "The routing number seems correct, but the account number is invalid.",
        "debit_not_authorized" => "Debit transactions are not approved on the bank account.",
        "declined" => "The bank has declined this transfer.",
        _ => "The bank could not process this payout.",
    }
}
