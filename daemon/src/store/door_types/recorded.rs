//! What comes in and is recorded: earnings, webhooks, accounts, holds.
use crate::store::StoreError;
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId, DestinationId},
};

/// One checked row of a file of earnings: a sale, named by its charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarningRow {
    /// The line of the file, for messages.
    pub line: u64,
    /// Whose.
    pub creator: CreatorId,
    /// The account it lies on.
    pub account: AccountId,
    /// Two letters, upper case.
    pub country: String,
    /// The purse's currency.
    pub currency: Currency,
    /// What the buyer paid, minor units.
    pub gross_minor: i64,
    /// What the platform took of it.
    pub fee_minor: i64,
    /// When it was earned.
    pub earned_at_ms: i64,
    /// When it is payable.
    pub available_on_ms: i64,
    /// The charge.
    pub source_id: String,
}

/// What is wrong with a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The line, from 1; the header is line 1.
    pub line: u64,
    /// The column, or empty when it is the line as a whole.
    pub column: &'static str,
    /// What is wrong, and what is needed.
    pub what: String,
}

impl std::fmt::Display for RowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.column.is_empty() {
            write!(f, "line {}: {}", self.line, self.what)
        } else {
            write!(f, "line {}, {}: {}", self.line, self.column, self.what)
        }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Lines that can't be, or that contradict what is stored.
    #[error("nothing was imported: {}", summary(.0))]
    Rows(Vec<RowError>),
    /// The store didn't do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ImportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(StoreError::Database(error))
    }
}

fn summary(errors: &[RowError]) -> String {
    match errors {
        [] => "no reason is known".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportDone {
    /// New entries.
    pub imported: u64,
    /// Rows that were known with the same values.
    pub known: u64,
    /// Different creators in the file.
    pub creators: u64,
    /// The journal's number of it.
    pub seq: i64,
}

/// A webhook as it came, its signature checked.
#[derive(Clone, Debug)]
pub struct InboxEvent {
    /// `evt_…`: the same one twice is one.
    pub event_id: String,
    /// `payout.failed`, …
    pub event_type: String,
    /// The connected account of the envelope.
    pub account: Option<AccountId>,
    /// The id of its object.
    pub object_id: Option<String>,
    /// Of the envelope.
    pub livemode: bool,
    /// Seconds, by Stripe's clock.
    pub created_s: i64,
    /// The raw body.
    pub body: String,
}

/// A stored webhook that the engine hasn't looked at.
#[derive(Clone, Debug)]
pub struct InboxRow {
    /// In the order they came.
    pub seq: i64,
    /// When it came.
    pub received_at_ms: i64,
    /// What came.
    pub event: InboxEvent,
}

/// What Stripe said of an account, to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRead {
    /// Which.
    pub account: AccountId,
    /// When it was said.
    pub read_at_ms: i64,
    /// `None` leaves what is stored.
    pub country: Option<String>,
    /// Stripe pays out for it.
    pub payouts_enabled: bool,
    /// Stripe takes charges for it.
    pub charges_enabled: bool,
    /// Its holder has handed everything in.
    pub details_submitted: bool,
    /// Why it is disabled, in Stripe's words.
    pub disabled_reason: Option<String>,
    /// `manual`, `daily`, …
    pub schedule_interval: Option<String>,
    /// The bank account Stripe would use, one per currency.
    pub banks: Vec<BankRead>,
}

/// A bank account as Stripe shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankRead {
    /// For payouts in this currency.
    pub currency: Currency,
    /// `ba_…`
    pub destination: DestinationId,
    /// Stripe's word for its status.
    pub status: String,
    /// The bank, as Stripe names it.
    pub bank_name: Option<String>,
    /// The bank account's country, two letters.
    pub country: Option<String>,
}

/// The status of a bank account that Stripe doesn't show any more. Its row is kept, so that the one that replaces it is known to be
/// another; it is never usable.
pub const BANK_REMOVED: &str = "removed";

/// An account, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// `acct_…`
    pub account: AccountId,
    /// Whose.
    pub creator: CreatorId,
    /// Two letters.
    pub country: String,
    /// The creator's current one.
    pub is_current: bool,
    /// Stripe pays out for it.
    pub payouts_enabled: bool,
    /// Stripe takes charges for it.
    pub charges_enabled: bool,
    /// Its holder has handed everything in.
    pub details_submitted: bool,
    /// Why it is disabled, in Stripe's words.
    pub disabled_reason: Option<String>,
    /// `manual`, `daily`, …
    pub schedule_interval: Option<String>,
    /// When it was last read; `None` = never.
    pub read_at_ms: Option<i64>,
    /// What is known is old.
    pub stale: bool,
    /// Bank accounts by currency, and when each replaced another.
    pub banks: Vec<(BankRead, Option<i64>)>,
}

/// A hold in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// On whom.
    pub creator: CreatorId,
    /// A short word; one hold per creator and cause.
    pub cause: String,
    /// One sentence.
    pub reason: String,
    /// Who.
    pub placed_by: String,
    /// When.
    pub placed_at_ms: i64,
}

/// What releasing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The journal's number of the last one; of its newest row when there was nothing to release.
    pub seq: i64,
    /// What is in force no more, newest first; empty = there was nothing to release.
    pub released: Vec<HoldRow>,
    /// What still is.
    pub left: Vec<HoldRow>,
}
