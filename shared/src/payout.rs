//! What one purse gets in one run, as a state machine: one pure function, no default arm.
//!
//! A payout's state row is the to-do list of the engine. An event names an object, an object an attempt: only the newest
//! create attempt's object moves the payout.
use serde::{Deserialize, Serialize};

mod transition;
pub use transition::apply;

/// Where a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutState {
    /// To be sent when its time comes; nothing of it is at Stripe as far as is known.
    Planned,
    /// An attempt with key and body is committed; it may be on the wire.
    Submitting,
    /// A request left and nobody knows what became of it.
    Unknown,
    /// Stripe has it and hasn't sent it to the bank.
    Pending,
    /// On its way to the bank.
    InTransit,
    /// The bank has it, as far as Stripe knows. Not final.
    Paid,
    /// Paid, and seven days have passed.
    Settled,
    /// Proven never executed, and given up.
    Voided,
    /// Refused by Stripe, or executed and failed before it was paid.
    Failed,
    /// Canceled at Stripe.
    Canceled,
    /// Paid once, then sent back by the bank.
    Returned,
    /// A reversal has been asked for.
    Reversing,
    /// Reversed at Stripe.
    Reversed,
}

impl PayoutState {
    /// Every state, in the order people read them.
    pub const ALL: [Self; 13] = [
        Self::Planned,
        Self::Submitting,
        Self::Unknown,
        Self::Pending,
        Self::InTransit,
        Self::Paid,
        Self::Settled,
        Self::Voided,
        Self::Failed,
        Self::Canceled,
        Self::Returned,
        Self::Reversing,
        Self::Reversed,
    ];

    /// The word used in the database, in JSON and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Submitting => "submitting",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::InTransit => "in_transit",
            Self::Paid => "paid",
            Self::Settled => "settled",
            Self::Voided => "voided",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Returned => "returned",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
        }
    }

    /// Reads what [`PayoutState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Planned, submitting, unknown, pending, in transit: at most one of these per purse.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Planned | Self::Submitting | Self::Unknown | Self::Pending | Self::InTransit => true,
            Self::Paid
            | Self::Settled
            | Self::Voided
            | Self::Failed
            | Self::Canceled
            | Self::Returned
            | Self::Reversing
            | Self::Reversed => false,
        }
    }

    /// Planned, submitting, unknown: what keeps its run from being completed.
    #[must_use]
    pub const fn is_unanswered(self) -> bool {
        match self {
            Self::Planned | Self::Submitting | Self::Unknown => true,
            Self::Pending
            | Self::InTransit
            | Self::Paid
            | Self::Settled
            | Self::Voided
            | Self::Failed
            | Self::Canceled
            | Self::Returned
            | Self::Reversing
            | Self::Reversed => false,
        }
    }
}

/// What Stripe says of a payout object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectStatus {
    /// Until it is sent to the bank.
    Pending,
    /// Sent to the bank.
    InTransit,
    /// Arrived, as far as is known.
    Paid,
    /// Came back, or never left.
    Failed,
    /// Canceled while pending.
    Canceled,
}

impl ObjectStatus {
    /// Every status Stripe documents.
    pub const ALL: [Self; 5] = [Self::Pending, Self::InTransit, Self::Paid, Self::Failed, Self::Canceled];

    /// Stripe's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InTransit => "in_transit",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads Stripe's word; a word we don't know is `None` and changes nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Money left the account's balance for it and hasn't come back.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        match self {
            Self::Pending | Self::InTransit | Self::Paid => true,
            Self::Failed | Self::Canceled => false,
        }
    }
}

/// Which create attempt of the payout an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The newest one: its object moves the payout.
    Newest,
    /// An older one: its object never moves the payout.
    Older,
}

/// What happens to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutEvent {
    /// A create attempt (first, again after a put-back, or a resend of an unknown one) is committed and may leave.
    Intend,
    /// This send was proven not executed and no earlier one is ambiguous.
    PutBack,
    /// Nobody knows what became of the send.
    LoseAnswer,
    /// Stripe refused it for good, and no earlier send is ambiguous (or the answer replays the very key).
    Refuse,
    /// A Stripe payout object of ours was seen in this status, in an answer, a webhook or a listing.
    Object(ObjectStatus, Which),
    /// Give it up: nothing of it was ever executed.
    Void,
    /// Proven, after the waits of the rules, that no send of it was executed.
    ProveAbsent,
    /// A retry: a new create attempt of the same payout.
    Requeue,
    /// The guard is shut for a retry, or its run is taken back: it is failed again.
    GiveUp,
    /// A reversal was committed.
    IntendReverse,
    /// Stripe made the reversal.
    Reverse,
    /// The reversal was refused, or failed later.
    RefuseReverse,
    /// Seven days after it was paid.
    Settle,
}

impl PayoutEvent {
    /// Every event, each object's with every status and attempt.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::Intend,
            Self::PutBack,
            Self::LoseAnswer,
            Self::Refuse,
            Self::Void,
            Self::ProveAbsent,
            Self::Requeue,
            Self::GiveUp,
            Self::IntendReverse,
            Self::Reverse,
            Self::RefuseReverse,
            Self::Settle,
        ];
        let objects =
            [Which::Newest, Which::Older].map(|which| ObjectStatus::ALL.map(|status| Self::Object(status, which)));
        plain.into_iter().chain(objects.into_iter().flatten())
    }
}

/// Where a payout stands when an event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Its state.
    pub state: PayoutState,
    /// The newest create attempt has an object at Stripe. Only for [`PayoutState::Failed`] it makes a difference: refused, with nothing
    /// at Stripe, or executed and failed. A retry is a new attempt, so that it begins with `false` again.
    pub executed: bool,
}

/// What the transition function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It goes to this state (a resend "moves" unknown to unknown: it is journaled).
    Move(PayoutState),
    /// A duplicate, or older than what is known: nothing changes.
    Stale,
    /// A live object of an attempt that was judged unexecuted: a late execution, to be recorded beside the payout, held and paged.
    Late,
    /// It can't happen: recorded and alerted, nothing changes.
    Illegal,
}
