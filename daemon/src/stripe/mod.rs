//! The Stripe boundary, in our own types. async-stripe's builders and types stay behind this door.
//!
//! Who comes in: the engine (sends, reads) and the webhook door (signature, objects in events). Whom it may call: the core, the clock.
//! Invariant: this room never repeats a request by itself, and never changes a byte of a stored body.
pub mod agree;
mod bucket;
mod connect;
pub mod date;
pub mod event;
mod gate;
pub mod limits;
mod live;
pub mod signature;
mod told;
pub mod wire;

pub use date::StripeClock;
pub use limits::Limits;
pub use live::{LiveStripe, OpenError, Settings, check_base, is_loopback};
pub use wire::BalanceObject;

use crate::clock::BootMs;
use futures::future::BoxFuture;
use payout_shared::{
    answer::{PayoutObject, Sent},
    currency::Currency,
    entries::{Movement, Told},
    id::{AccountId, DestinationId, Mode, ObjectId},
};

/// One money request, as committed.
#[derive(Clone, Debug)]
pub struct MoneyRequest {
    /// `Stripe-Account`.
    pub account: AccountId,
    /// `Idempotency-Key`.
    pub key: String,
    /// `/v1/payouts` for a create.
    pub path: String,
    /// The stored body, byte for byte.
    pub body: String,
    /// Checked after the connection is open, immediately before the first byte is written: later, it never leaves.
    pub send_before: BootMs,
}

/// What Stripe says of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountObject {
    /// `acct_…`
    pub id: AccountId,
    /// Two letters.
    pub country: Option<String>,
    /// Stripe pays out for it.
    pub payouts_enabled: bool,
    /// Stripe takes charges for it.
    pub charges_enabled: bool,
    /// Its holder has handed everything in.
    pub details_submitted: bool,
    /// `requirements.disabled_reason`.
    pub disabled_reason: Option<String>,
    /// `settings.payouts.schedule.interval`.
    pub schedule_interval: Option<String>,
    /// External accounts; at most one per currency is the default.
    pub banks: Vec<BankObject>,
}

/// An external account of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankObject {
    /// `ba_…` or `card_…`
    pub id: DestinationId,
    /// What it takes.
    pub currency: Currency,
    /// `new`, `validated`, `verified`, `verification_failed`, `errored`, …
    pub status: String,
    /// Stripe would use it for this currency.
    pub default_for_currency: bool,
    /// The bank's name, where Stripe gives one.
    pub bank_name: Option<String>,
    /// Two letters.
    pub country: Option<String>,
}

/// Which payouts of an account to list: newest first.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// `Stripe-Account`.
    pub account: AccountId,
    /// Created at or after, seconds by Stripe's clock.
    pub created_from_s: i64,
    /// The last object of the page before.
    pub starting_after: Option<String>,
}

/// A page of a listing.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// At most 100.
    pub payouts: Vec<PayoutObject>,
    /// There are more.
    pub has_more: bool,
    /// Stripe's time of the answer, Unix milliseconds, where it gave one.
    pub date_ms: Option<i64>,
}

/// Which movements of an account's balance to list: newest first.
#[derive(Clone, Debug)]
pub struct MovementsRequest {
    /// `Stripe-Account`.
    pub account: AccountId,
    /// Made at or after, seconds by Stripe's clock.
    pub created_from_s: i64,
    /// The last one of the page before.
    pub starting_after: Option<String>,
}

/// A page of movements.
#[derive(Clone, Debug)]
pub struct MovementsPage {
    /// At most 100.
    pub movements: Vec<Movement>,
    /// There are more.
    pub has_more: bool,
}

/// Which of the platform's transfers to list: newest first.
#[derive(Clone, Debug)]
pub struct TransfersRequest {
    /// The connected account that they went to.
    pub destination: AccountId,
    /// Made at or after, seconds by Stripe's clock.
    pub created_from_s: i64,
    /// The last one of the page before.
    pub starting_after: Option<String>,
}

/// A list of the platform's own objects that tell about money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyList {
    /// Sales.
    Charges,
    /// What they moved to accounts, and what was taken back of that.
    Transfers,
    /// Fees, and what was given back of them.
    Fees,
    /// Refunds.
    Refunds,
    /// Disputes.
    Disputes,
}

impl MoneyList {
    /// Every one, in the order that they are best read in: a sale before what happens to it.
    pub const ALL: [Self; 5] = [Self::Charges, Self::Transfers, Self::Fees, Self::Refunds, Self::Disputes];

    /// Its last word at Stripe: `/v1/charges`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charges => "charges",
            Self::Transfers => "transfers",
            Self::Fees => "application_fees",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
        }
    }

    /// Reads what [`MoneyList::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.as_str() == text)
    }

    /// The one that is read behind it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|list| *list != self).nth(1)
    }
}

/// Which of the platform's objects to list: newest first.
#[derive(Clone, Debug)]
pub struct ObjectsRequest {
    /// Of which list.
    pub list: MoneyList,
    /// Made at or after, seconds by Stripe's clock.
    pub created_from_s: i64,
    /// The last one of the page before.
    pub starting_after: Option<String>,
}

/// A page of transfers, or of other objects.
#[derive(Clone, Debug)]
pub struct TransfersPage {
    /// What they tell: themselves, and what happened to them.
    pub told: Vec<Told>,
    /// The last one of the page, where the next page begins. `None` = this was the last page.
    pub next_after: Option<String>,
}

/// Which of the platform's events to list: newest first, of what tells about money ([`event::SWEPT_TYPES`]).
#[derive(Clone, Debug)]
pub struct EventsRequest {
    /// Made at or after, seconds by Stripe's clock. Stripe keeps them for 30 days.
    pub created_from_s: i64,
    /// The last one of the page before.
    pub starting_after: Option<String>,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventsPage {
    /// At most 100, each whole, as a webhook would bring it.
    pub events: Vec<String>,
    /// The last one of the page, where the next page begins. `None` = this was the last page.
    pub next_after: Option<String>,
}

/// A page of all connected accounts: newest first.
#[derive(Clone, Debug)]
pub struct AccountPage {
    /// Those that said enough of themselves to be paid by: what is listed without its bank accounts or its schedule is left out.
    pub accounts: Vec<AccountObject>,
    /// The last account of the page, whether it said enough or not: where the next page begins. `None` = this was the last page.
    pub next_after: Option<AccountId>,
}

/// Why a read gave nothing. Reads may be repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The key is refused: 401, or a 403 that names no account.
    #[error("Stripe refused the key: {0}")]
    Refused(String),
    /// The account isn't ours, or is gone.
    #[error("Stripe does not let us read this account: {0}")]
    NoAccess(String),
    /// A limit; try later.
    #[error("Stripe limited the read: {0}")]
    Limited(String),
    /// No answer, or none that could be read; try later.
    #[error("Stripe did not answer: {0}")]
    Unreachable(String),
    /// An answer that isn't what was asked for.
    #[error("Stripe's answer could not be read: {0}")]
    Unreadable(String),
}

/// What the engine asks of Stripe. Two real implementations: the live client over HTTP, and the twin in the same process.
pub trait Stripe: Send + Sync + 'static {
    /// Sends one money request, once. Never an error: every outcome is a [`Sent`].
    ///
    /// The request must be committed before. A crash before the call: nothing left. A crash during it, or the future dropped: unknown, as
    /// for [`Sent::Lost`]. A crash after it and before the outcome is recorded: unknown likewise. On [`Sent::NeverLeft`] not one byte was
    /// written, and none will be.
    fn send(&self, request: MoneyRequest) -> BoxFuture<'static, Sent>;
    /// Reads one account.
    fn account(&self, account: AccountId) -> BoxFuture<'static, Result<AccountObject, ReadError>>;
    /// A page of all connected accounts, behind one of them: a hundred for the price of one.
    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'static, Result<AccountPage, ReadError>>;
    /// What lies on an account's balance.
    fn balance(&self, account: AccountId) -> BoxFuture<'static, Result<BalanceObject, ReadError>>;
    /// One page of an account's payouts.
    fn list(&self, request: ListRequest) -> BoxFuture<'static, Result<ListPage, ReadError>>;
    /// Reads one payout of an account: what a person named, or what became of a cancel or a reversal.
    fn payout(&self, account: AccountId, payout: ObjectId) -> BoxFuture<'static, Result<PayoutObject, ReadError>>;
    /// One page of an account's balance transactions.
    fn movements(&self, request: MovementsRequest) -> BoxFuture<'static, Result<MovementsPage, ReadError>>;
    /// One page of the platform's transfers to an account: which charge each is of, and as what it arrived.
    fn transfers(&self, request: TransfersRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>>;
    /// One page of the platform's own objects of a list, and what each tells as it is now.
    fn objects(&self, request: ObjectsRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>>;
    /// One page of the platform's own events, delivered or not: what its webhooks may have lost.
    fn events(&self, request: EventsRequest) -> BoxFuture<'static, Result<EventsPage, ReadError>>;
    /// The platform's own account id: proves the key.
    fn platform(&self) -> BoxFuture<'static, Result<AccountId, ReadError>>;
    /// Stripe's time now (Unix milliseconds): the last `Date` seen plus what has passed since, and how long ago it was seen (milliseconds).
    fn time(&self) -> Option<(i64, i64)>;
    /// The mode of the key.
    fn mode(&self) -> Mode;
}

/// The exact body of a create: a function of key, amount, currency and destination, encoded by async-stripe's builder.
/// The same four always give the same bytes, whichever build of the program asks: a test holds them to a literal.
#[must_use]
pub fn create_body(key: &str, amount_minor: i64, currency: Currency, destination: &DestinationId) -> String {
    wire::create_body(key, amount_minor, currency, destination)
}
