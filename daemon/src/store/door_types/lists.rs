//! Answers: what a run has come to, lists of payouts, one payout, the journal and the books checked.
use payout_shared::{
    attempt::{AttemptKind, AttemptState},
    currency::Currency,
    earning::EarningKind,
    id::{AccountId, CreatorId, DestinationId, PayoutId, RunId},
    journal::Entry,
    money::Money,
    payout::PayoutState,
    run::RunLabel,
};

/// What a run has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Payouts per state; states without any are left out.
    pub states: Vec<(PayoutState, i64)>,
    /// Per currency.
    pub money: Vec<MoneyCount>,
    /// Payout rows, voided ones included.
    pub payouts: i64,
    /// Payouts that are neither planned, submitting nor unknown.
    pub answered: i64,
    /// Purses considered.
    pub purses: i64,
    /// Purses that got nothing.
    pub skipped: i64,
    /// The same by machine reason, the most frequent first.
    pub skips: Vec<(String, i64)>,
    /// Reads asked of Stripe for it.
    pub reads: i64,
    /// Money requests on the wire.
    pub in_flight: i64,
    /// Purses that planning hasn't decided yet; 0 when the plan is finished.
    pub to_plan: i64,
    /// Accounts of theirs that are read from Stripe first; 0 when the plan is finished.
    pub to_read: i64,
    /// Reversals of a confirmed rollback that wait for a second person.
    pub reversals_to_approve: i64,
}

/// One currency of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyCount {
    /// Which.
    pub currency: Currency,
    /// Σ of payouts that aren't voided, minor units.
    pub total_minor: i64,
    /// Σ of payouts that are pending, in transit, paid or settled at Stripe.
    pub sent_minor: i64,
}

/// One cause of trouble in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseRow {
    /// The short word.
    pub cause: String,
    /// Failed, returned, canceled, unknown, or planned (put back).
    pub state: PayoutState,
    /// Payouts.
    pub count: i64,
    /// Their amounts per currency.
    pub amounts: Vec<Money>,
    /// When the first of them changed.
    pub first_ms: i64,
    /// When the last of them changed.
    pub last_ms: i64,
    /// Different creators.
    pub creators: i64,
    /// Per minute, the last ten minutes, oldest first.
    pub last_10_min: [i64; 10],
    /// No other run has it.
    pub is_new: bool,
}

/// A row of a list of payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutRow {
    /// Its id.
    pub id: PayoutId,
    /// Its run.
    pub run_id: RunId,
    /// Its run's label.
    pub run_label: RunLabel,
    /// Whose.
    pub creator: CreatorId,
    /// The account.
    pub account: AccountId,
    /// How much.
    pub amount: Money,
    /// The bank account it goes to.
    pub destination: DestinationId,
    /// Where it stands.
    pub state: PayoutState,
    /// Create attempts so far.
    pub attempts: i64,
    /// Not sent, resent or listed before this time.
    pub not_before_ms: i64,
    /// The short word for lists of causes.
    pub cause: Option<String>,
    /// One sentence for people.
    pub failure_reason: Option<String>,
    /// `po_…`
    pub stripe_payout_id: Option<String>,
    /// `Request-Id` of the newest attempt.
    pub request_id: Option<String>,
    /// When it was planned.
    pub created_at_ms: i64,
    /// When it last changed.
    pub changed_at_ms: i64,
    /// When its items were released.
    pub released_at_ms: Option<i64>,
    /// When it is tried again by itself.
    pub retry_at_ms: Option<i64>,
    /// When it is looked at at Stripe without having been told of.
    pub look_at_ms: Option<i64>,
}

/// What a list of payouts is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayoutSort {
    /// When it last changed.
    #[default]
    Changed,
    /// Minor units, whatever the currency.
    Amount,
}

/// Which payouts to list; everything left empty = all of them.
#[derive(Clone, Debug, Default)]
pub struct PayoutFilter {
    /// Of this run.
    pub run: Option<RunId>,
    /// In any of these states.
    pub states: Vec<PayoutState>,
    /// With this cause.
    pub cause: Option<String>,
    /// Of this creator.
    pub creator: Option<CreatorId>,
    /// From this account.
    pub account: Option<AccountId>,
    /// At least so many minor units.
    pub amount_min_minor: Option<i64>,
    /// A part of a payout, creator, account or Stripe payout id, in any case.
    pub text: Option<String>,
}

/// Which page of them.
#[derive(Clone, Debug, Default)]
pub struct PayoutPageRequest {
    /// Sorted by what.
    pub sort: PayoutSort,
    /// The smallest first.
    pub ascending: bool,
    /// At most so many rows (1 to 1,000).
    pub limit: i64,
    /// As the page before gave it.
    pub cursor: Option<String>,
}

/// A page of payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutPage {
    /// Its rows.
    pub rows: Vec<PayoutRow>,
    /// Where the next page begins; `None` = this is the last one.
    pub next_cursor: Option<String>,
    /// Rows that match in all.
    pub total: i64,
}

/// One payout with everything known of it.
#[derive(Clone, Debug)]
pub struct PayoutShow {
    /// Its row.
    pub row: PayoutRow,
    /// Its journal rows, oldest first.
    pub timeline: Vec<Entry>,
    /// Its items, at most 200.
    pub items: Vec<ItemRow>,
    /// Items in all.
    pub items_total: i64,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// Other payouts of the same run with the same cause.
    pub same_cause: i64,
}

/// An entry locked into a payout, or that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// The entry.
    pub earning_id: i64,
    /// What it is.
    pub kind: EarningKind,
    /// Minor units.
    pub amount_minor: i64,
    /// The fact behind it.
    pub source_id: String,
    /// When it was earned.
    pub earned_at_ms: i64,
    /// It counts elsewhere again.
    pub released: bool,
}

/// An attempt, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its idempotency key.
    pub key: String,
    /// What was asked.
    pub kind: AttemptKind,
    /// n-th of its kind.
    pub number: i64,
    /// What is known of it.
    pub state: AttemptState,
    /// It may be on the wire.
    pub on_wire: bool,
    /// Times it was sent.
    pub sends: i64,
    /// Of these, with an unknown outcome.
    pub ambiguous_sends: i64,
    /// Listings that didn't show it.
    pub absent_listings: i64,
    /// Stripe's time of the first of them that counts for a proof.
    pub absent_first_stripe_ms: Option<i64>,
    /// Never sent again by itself.
    pub no_resend: bool,
    /// Its object.
    pub stripe_object_id: Option<String>,
    /// Stripe's word for the object's state.
    pub object_status: Option<String>,
    /// Of the last answer.
    pub http_status: Option<i64>,
    /// Of the last answer.
    pub error_type: Option<String>,
    /// Of the last answer.
    pub error_code: Option<String>,
    /// Of the last answer.
    pub error_message: Option<String>,
    /// Of the last answer.
    pub request_id: Option<String>,
    /// Stripe's time of the first send.
    pub first_sent_stripe_ms: Option<i64>,
    /// Stripe's time of the last send.
    pub last_sent_stripe_ms: Option<i64>,
}

/// What checking the journal's chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalCheck {
    /// Rows looked at.
    pub rows: i64,
    /// The first row that isn't what it was; `None` = the chain holds.
    pub first_bad: Option<i64>,
}

/// What checking the books found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BooksReport {
    /// Purses looked at.
    pub purses: i64,
    /// Payouts looked at.
    pub payouts: i64,
    /// Journal rows looked at.
    pub journal_rows: i64,
    /// What Stripe told and isn't booked yet: it waits for its sale, its account or a confirmation.
    pub facts_waiting: i64,
    /// What Stripe told of sales from before this database was there: they are earned by a file or not at all.
    pub facts_before: i64,
    /// One sentence each, at most [`BooksReport::VIOLATIONS_MAX`]; empty = clean.
    pub violations: Vec<String>,
    /// Violations in all.
    pub violations_total: i64,
    /// Sums over all purses of a currency.
    pub totals: Vec<PurseTotal>,
}

impl BooksReport {
    /// Sentences kept; more are only counted.
    pub const VIOLATIONS_MAX: usize = 1000;

    /// Counts a violation, and keeps its sentence while there is room.
    pub(in crate::store) fn violation(&mut self, sentence: String) {
        self.violations_total = self.violations_total.saturating_add(1);
        if self.violations.len() < Self::VIOLATIONS_MAX {
            self.violations.push(sentence);
        }
    }
}

/// One currency of the books, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurseTotal {
    /// Which.
    pub currency: Currency,
    /// Σ of all entries.
    pub entries_minor: i64,
    /// Σ of entries that no payout holds.
    pub free_minor: i64,
    /// Σ held by planned payouts.
    pub planned_minor: i64,
    /// Σ held by payouts on their way.
    pub in_flight_minor: i64,
    /// Σ held by paid payouts.
    pub paid_minor: i64,
    /// Σ held by failed ones whose money isn't seen back.
    pub returning_minor: i64,
}
