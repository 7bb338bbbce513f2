//! What goes in and out of the store.
mod undo;
pub use undo::{
    AdoptAsk, Adopted, Claimed, Confirm, KnownReversal, Retried, RetryAsk, RollbackRow, RollbackShow, UndoBodies,
    UndoIntent, UndoLeft, UndoUnresolved,
};

use payout_shared::{
    answer::PayoutObject,
    attempt::AttemptState,
    currency::Currency,
    holding::DAY_MS,
    id::{AccountId, CreatorId, DestinationId, ObjectId, PayoutId, RunId},
    money::Money,
    payout::{PayoutEvent, PayoutState, Verdict},
    plan::{PlanRules, SkipReason},
    policy::PolicySet,
    run::{RunKind, RunLabel, RunState},
};

mod ids;
mod looks;
mod restored;
mod sweeps;
pub use ids::Ids;
pub use looks::{AccountCheck, Ahead, Drift, ReadCount};
pub use restored::Reconcile;
pub use sweeps::{Awaited, DueLook, NextLook, SweepKind, SweepRow, SweepsLeft, Unlisted};

/// Who does something: the `actor` of its journal row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The engine.
    Engine,
    /// The schedule door.
    Schedule,
    /// A webhook.
    Webhook,
    /// A person, by the peer credentials of the socket.
    Person {
        /// The user's name, or `?`.
        name: String,
        /// The user's number.
        uid: u32,
    },
}

impl By {
    /// The number of the person that `Display` wrote; `None` for anybody else.
    #[must_use]
    pub fn uid_in(text: &str) -> Option<u32> {
        text.strip_prefix("user:")?.strip_suffix(')')?.rsplit_once('(')?.1.parse().ok()
    }
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine => f.write_str("engine"),
            Self::Schedule => f.write_str("schedule"),
            Self::Webhook => f.write_str("webhook"),
            Self::Person { name, uid } => write!(f, "user:{name}({uid})"),
        }
    }
}

/// The fencing token that an engine's write carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence(pub i64);

/// A journal row to be written, before it has its number and hash.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Who.
    pub actor: String,
    /// The verb: `payout.move`, `run.pause`, …
    pub action: String,
    /// The run it concerns.
    pub run_id: Option<String>,
    /// The payout it concerns.
    pub payout_id: Option<String>,
    /// State before.
    pub from_state: Option<String>,
    /// State after.
    pub to_state: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Anything more, as a JSON object; no secrets.
    pub detail: serde_json::Value,
}

/// A run, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// `2026-12-01#1`
    pub label: RunLabel,
    /// Scheduled or manual.
    pub kind: RunKind,
    /// Where it stands.
    pub state: RunState,
    /// Earnings before this moment count.
    pub cutoff_ms: i64,
    /// Nothing leaves before this moment by Stripe's Date.
    pub instant_ms: i64,
    /// Only the creators named for it.
    pub named_only: bool,
    /// Every purse has its outcome.
    pub plan_finished: bool,
    /// Where planning goes on ("account currency").
    pub plan_after: String,
    /// Who asked.
    pub requested_by: String,
    /// Why.
    pub reason: Option<String>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When it was asked for.
    pub created_at_ms: i64,
    /// When the first payout could leave.
    pub started_at_ms: Option<i64>,
    /// When the last one had its answer.
    pub finished_at_ms: Option<i64>,
    /// Its plan passes a bound, and two people haven't approved it.
    pub approval_missing: bool,
    /// Its first payouts were judged, whatever became of them.
    pub canary_judged: bool,
}

/// A run to be inserted.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The cycle's date, or the date it was asked for.
    pub cycle_date: jiff::civil::Date,
    /// Scheduled: number 1, at most one for ever. Manual: the next number of the date, from 2.
    pub kind: RunKind,
    /// `Planning`, or `Missed`.
    pub state: RunState,
    /// See [`RunRow`].
    pub cutoff_ms: i64,
    /// See [`RunRow`].
    pub instant_ms: i64,
    /// Only these; empty = all.
    pub creators: Vec<CreatorId>,
    /// Who.
    pub by: By,
    /// Why.
    pub reason: Option<String>,
}

/// A change of one payout: an event with what came with it. Changes come in batches; one change is a batch of one.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which.
    pub payout_id: PayoutId,
    /// What happened to the payout; `None` = only something of an attempt is known now.
    pub event: Option<PayoutEvent>,
    /// Why, for people and lists of causes; `None` clears nothing.
    pub cause: Option<String>,
    /// One sentence for people.
    pub failure_reason: Option<String>,
    /// What is then known of one of its attempts: written whatever the verdict is.
    pub attempt: Option<AttemptChange>,
    /// Not sent, resent or listed before this time.
    pub not_before_ms: Option<i64>,
    /// Hold its creator: the hold's cause and a sentence.
    pub hold: Option<(String, String)>,
    /// A second or unexpected live object: recorded beside the payout, its creator held, somebody paged. The sentence says why.
    pub late: Option<String>,
    /// The reversal of a reversed payout has held for as long as it must: its items are free.
    pub reversal_held: bool,
    /// For a void: what its purse's outcome becomes.
    pub skip: Option<(SkipReason, String)>,
    /// Who.
    pub by: By,
    /// For the journal.
    pub detail: serde_json::Value,
}

impl Change {
    /// A change of nothing yet, by somebody: what follows is filled in beside it.
    #[must_use]
    pub const fn new(payout_id: PayoutId, by: By) -> Self {
        Self {
            payout_id,
            event: None,
            cause: None,
            failure_reason: None,
            attempt: None,
            not_before_ms: None,
            hold: None,
            late: None,
            reversal_held: false,
            skip: None,
            by,
            detail: serde_json::Value::Null,
        }
    }
}

/// What is then known of an attempt.
#[derive(Clone, Debug, Default)]
pub struct AttemptChange {
    /// Which.
    pub key: String,
    /// The token of the send that this is an answer to; `None` = it isn't one. Once another lease has judged that send (and may have
    /// sent the attempt again), only an object still says something: the rest is dropped.
    pub token: Option<i64>,
    /// Its state; `None` leaves it.
    pub state: Option<AttemptState>,
    /// The answer of its send is known, or given up on: nothing of it is on the wire any more.
    pub answered: bool,
    /// The last send is ambiguous: counts up.
    pub ambiguous: bool,
    /// Never resend by itself from now on.
    pub no_resend: bool,
    /// A listing made at this moment of Stripe's didn't show it, and whether that counts for a proof: counts up.
    pub absent: Option<(i64, bool)>,
    /// Two people said that it was not paid: it is looked for until that is proven; or it is proven, or found.
    pub vouched: Option<bool>,
    /// Its object.
    pub object: Option<PayoutObject>,
    /// The answer's status, error and request id.
    pub http_status: Option<u16>,
    /// Stripe's `type`.
    pub error_type: Option<String>,
    /// Stripe's `code`.
    pub error_code: Option<String>,
    /// Stripe's words.
    pub error_message: Option<String>,
    /// `Request-Id`.
    pub request_id: Option<String>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which payout.
    pub payout_id: PayoutId,
    /// Its run.
    pub run_id: RunId,
    /// What the transition function said; `None` without an event.
    pub verdict: Option<Verdict>,
    /// The state before.
    pub from: PayoutState,
}

/// A committed intent: one send may leave.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The payout.
    pub payout_id: PayoutId,
    /// Its run.
    pub run_id: RunId,
    /// The attempt's key.
    pub key: String,
    /// The exact bytes.
    pub body: String,
    /// The account.
    pub account: AccountId,
    /// What the body says.
    pub amount: Money,
    /// What the body says.
    pub destination: DestinationId,
    /// An earlier send of this attempt is ambiguous.
    pub ambiguous_before: bool,
    /// The fencing token that it was committed under.
    pub token: i64,
}

/// An unknown payout whose time has come: list first.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// The payout.
    pub payout_id: PayoutId,
    /// Its run.
    pub run_id: RunId,
    /// The newest create attempt's key.
    pub key: String,
    /// The attempt's account.
    pub account: AccountId,
    /// What the body says.
    pub amount: Money,
    /// What the body says.
    pub destination: DestinationId,
    /// Stripe's time of the first send, Unix milliseconds.
    pub first_sent_stripe_ms: i64,
    /// Stripe's time of the last send.
    pub last_sent_stripe_ms: i64,
    /// Never resent by itself.
    pub no_resend: bool,
    /// Listings that didn't show it so far.
    pub absent_listings: i64,
    /// Stripe's time of the first of them that counts for a proof.
    pub absent_first_stripe_ms: Option<i64>,
    /// Sends so far.
    pub sends: i64,
    /// It isn't unknown any more: two people said that it was not paid.
    pub vouched: bool,
}

/// What we know of one payout attempt by its key or object.
#[derive(Clone, Debug)]
pub struct KnownAttempt {
    /// Its payout.
    pub payout_id: PayoutId,
    /// Its key.
    pub key: String,
    /// It is the newest create attempt of its payout.
    pub newest: bool,
    /// What is known of it.
    pub state: AttemptState,
    /// The object recorded for it.
    pub object: Option<ObjectId>,
    /// What the body says.
    pub amount: Money,
    /// The account.
    pub account: AccountId,
    /// What the body says.
    pub destination: DestinationId,
}

/// The guard's gate, as the engine sees it when it commits intents.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// The engine's token.
    pub fence: Fence,
    /// Our wall clock.
    pub now_ms: i64,
    /// Stripe's time now: stored with each send.
    pub stripe_now_ms: i64,
    /// The last moment at which the sends may leave, boot clock of this machine.
    pub send_before_ms: i64,
}

/// One purse of a plan or a dry run.
#[derive(Clone, Debug)]
pub struct PlannedPurse {
    /// Whose.
    pub creator: CreatorId,
    /// The account.
    pub account: AccountId,
    /// The currency.
    pub currency: Currency,
    /// Σ of the free entries that count now, minor units: below 0 it is a debt.
    pub mature_minor: i64,
    /// Σ of the free entries that count later.
    pub immature_minor: i64,
    /// What it gets.
    pub decision: payout_shared::plan::Decision,
}

/// One page of a plan.
#[derive(Clone, Debug)]
pub struct PlanPage {
    /// Its purses, in order.
    pub purses: Vec<PlannedPurse>,
    /// Where the next page begins; `None` = this was the last.
    pub next_after: Option<String>,
}

/// The body of a create, as a pure function of key, amount, currency and destination.
pub type Encode = fn(&str, i64, Currency, &DestinationId) -> String;

/// What a plan is made under: the policy, and what the sums need.
#[derive(Clone, Debug)]
pub struct PlanContext {
    /// The core's rules.
    pub rules: PlanRules,
    /// The currency that creators' own minimums are in.
    pub default_currency: Currency,
    /// An entry counts this long after it was earned, milliseconds.
    pub hold_ms: i64,
    /// What two people allow beyond the rules in the cycle that is planned.
    pub overrides: Vec<Override>,
}

/// What two people allow one purse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Whose.
    pub account: AccountId,
    /// In which currency.
    pub currency: Currency,
    /// One payout up to this, whatever the cap is, minor units.
    pub cap_minor: Option<i64>,
    /// This bank account, however lately it was changed.
    pub bank: Option<DestinationId>,
}

impl PlanContext {
    /// Under these policies, judged at a moment (Unix milliseconds).
    #[must_use]
    pub fn new(policies: PolicySet, default_currency: Currency, at_ms: i64) -> Self {
        let hold_ms = policies.hold_days().saturating_mul(DAY_MS);
        Self { rules: PlanRules { policies, at_ms }, default_currency, hold_ms, overrides: Vec::new() }
    }
}

/// Which payouts of a run an intent is wanted for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// Planned ones whose time has come and whose purses were looked at a short time ago, at most so many.
    Due(i64),
    /// Planned ones that were sent before and put back, whose time has come, at most so many.
    PutBack(i64),
    /// These unknown ones again, with the same key and bytes.
    Resend(&'a [PayoutId]),
}

/// What became of asking for intents.
#[derive(Clone, Debug, Default)]
pub struct Intended {
    /// One send each may leave now.
    pub intents: Vec<Intent>,
    /// Payouts whose purse clause failed: voided (planned ones) or left alone (unknown ones), with the reason.
    pub barred: Vec<(PayoutId, SkipReason)>,
}

/// What a run has left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkLeft {
    /// Planned payouts whose time has come: counted up to what was asked for.
    pub due: i64,
    /// When the next planned one is due; `None` = none is planned.
    pub planned_due_ms: Option<i64>,
    /// When the next unknown one is due; `None` = none is unknown.
    pub unknown_due_ms: Option<i64>,
    /// Some are submitting.
    pub submitting: bool,
    /// Some failed or were returned.
    pub failed: bool,
    /// Requests on the wire.
    pub in_flight: i64,
}

impl WorkLeft {
    /// Nothing is planned, submitting, unknown or on the wire.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.planned_due_ms.is_none() && self.unknown_due_ms.is_none() && !self.submitting && self.in_flight == 0
    }

    /// When the next planned or unknown one is due.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        [self.planned_due_ms, self.unknown_due_ms].into_iter().flatten().min()
    }
}

/// What booking wrote, and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booking {
    /// How many entries of each kind.
    pub entries: std::collections::BTreeMap<payout_shared::earning::EarningKind, usize>,
    /// Some of what they were made of: charges, payouts, reversals.
    pub of: Vec<String>,
    /// Charges whose amounts can't be: nothing of them was booked. A sentence each.
    pub broken: Vec<String>,
    /// What was confirmed otherwise than it had been paid by then: it was not changed. A sentence each.
    pub differs: Vec<String>,
}

/// An account whose estimates can be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToConfirm {
    /// Which.
    pub account: AccountId,
    /// When the oldest of them was earned, Unix milliseconds.
    pub earned_from_ms: i64,
    /// A sale among them whose transfer was never told: nothing says as what it arrived on the account.
    pub lacks_transfer: bool,
}
