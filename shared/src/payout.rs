//! What one purse gets in one run, as a state machine: one pure function, no default arm.
//!
//! A payout's state row is the to-do list of the engine. An event names an object, an object an attempt: only the newest
//! create attempt's object moves the payout.
use serde::{Deserialize, Serialize};

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
    /// A reversal was committed.
    IntendReverse,
    /// Stripe made the reversal.
    Reverse,
    /// The reversal was refused, or failed later.
    RefuseReverse,
    /// Seven days after it was paid.
    Settle,
}

/// Where a payout stands when an event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Its state.
    pub state: PayoutState,
    /// The newest create attempt has an object at Stripe.
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

/// The one transition function: every state × event, no default arm.
#[must_use]
pub fn apply(at: Standing, event: PayoutEvent) -> Verdict {
    match event {
        PayoutEvent::Object(status, Which::Newest) => newest_object(at, status),
        PayoutEvent::Object(status, Which::Older) => older_object(status),
        PayoutEvent::Intend => intend(at.state),
        PayoutEvent::PutBack => answered(at.state, PayoutState::Planned),
        PayoutEvent::LoseAnswer => answered(at.state, PayoutState::Unknown),
        PayoutEvent::Refuse => refused(at),
        PayoutEvent::Void => only(at.state, &[PayoutState::Planned], PayoutState::Voided),
        PayoutEvent::ProveAbsent => only(at.state, &[PayoutState::Unknown], PayoutState::Voided),
        PayoutEvent::Requeue => only(at.state, &[PayoutState::Failed], PayoutState::Planned),
        PayoutEvent::IntendReverse => {
            only(at.state, &[PayoutState::Paid, PayoutState::Settled], PayoutState::Reversing)
        }
        PayoutEvent::Reverse => only(at.state, &[PayoutState::Reversing], PayoutState::Reversed),
        PayoutEvent::RefuseReverse => {
            only(at.state, &[PayoutState::Reversing, PayoutState::Reversed], PayoutState::Paid)
        }
        PayoutEvent::Settle => only(at.state, &[PayoutState::Paid], PayoutState::Settled),
    }
}

/// Moves from these states only; where it is already, it says nothing new. A state that isn't named is never let through.
fn only(state: PayoutState, from: &[PayoutState], to: PayoutState) -> Verdict {
    if from.contains(&state) {
        Verdict::Move(to)
    } else if state == to {
        Verdict::Stale
    } else {
        Verdict::Illegal
    }
}

/// A first intent, or a resend of an unknown one: it stays unknown until its answer.
fn intend(state: PayoutState) -> Verdict {
    if state == PayoutState::Unknown {
        return Verdict::Move(PayoutState::Unknown);
    }
    match only(state, &[PayoutState::Planned], PayoutState::Submitting) {
        // Twice on the wire is never a duplicate to be overlooked.
        Verdict::Stale => Verdict::Illegal,
        verdict @ (Verdict::Move(_) | Verdict::Late | Verdict::Illegal) => verdict,
    }
}

/// A send's own answer that moves a submitting payout. When an object was seen meanwhile (a webhook came first) it says nothing new.
const fn answered(state: PayoutState, to: PayoutState) -> Verdict {
    match state {
        PayoutState::Submitting => Verdict::Move(to),
        // An answer to a resend: what was unknown stays unknown.
        PayoutState::Unknown
        | PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Failed
        | PayoutState::Canceled
        | PayoutState::Returned
        | PayoutState::Reversing
        | PayoutState::Reversed => Verdict::Stale,
        PayoutState::Planned | PayoutState::Voided => Verdict::Illegal,
    }
}

const fn refused(at: Standing) -> Verdict {
    match at.state {
        PayoutState::Submitting | PayoutState::Unknown => Verdict::Move(PayoutState::Failed),
        PayoutState::Failed if !at.executed => Verdict::Stale,
        PayoutState::Planned
        | PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Voided
        | PayoutState::Failed
        | PayoutState::Canceled
        | PayoutState::Returned
        | PayoutState::Reversing
        | PayoutState::Reversed => Verdict::Illegal,
    }
}

/// An older attempt's object never moves the payout; found alive it is a late execution.
const fn older_object(status: ObjectStatus) -> Verdict {
    if status.is_alive() { Verdict::Late } else { Verdict::Stale }
}

/// The state is a function of the set of statuses that were seen, so that neither order nor repetition matters: failed and paid make
/// returned, failed makes failed, canceled makes canceled, else the furthest of pending, in transit and paid.
const fn newest_object(at: Standing, status: ObjectStatus) -> Verdict {
    match at.state {
        PayoutState::Planned | PayoutState::Submitting | PayoutState::Unknown => Verdict::Move(state_of(status)),
        PayoutState::Pending => match status {
            ObjectStatus::Pending => Verdict::Stale,
            ObjectStatus::InTransit | ObjectStatus::Paid | ObjectStatus::Failed | ObjectStatus::Canceled => {
                Verdict::Move(state_of(status))
            }
        },
        PayoutState::InTransit => match status {
            ObjectStatus::Pending | ObjectStatus::InTransit => Verdict::Stale,
            ObjectStatus::Paid | ObjectStatus::Failed => Verdict::Move(state_of(status)),
            ObjectStatus::Canceled => Verdict::Illegal,
        },
        PayoutState::Paid | PayoutState::Settled | PayoutState::Reversing | PayoutState::Reversed => match status {
            ObjectStatus::Pending | ObjectStatus::InTransit | ObjectStatus::Paid => Verdict::Stale,
            ObjectStatus::Failed => Verdict::Move(PayoutState::Returned),
            ObjectStatus::Canceled => Verdict::Illegal,
        },
        PayoutState::Failed if at.executed => match status {
            ObjectStatus::Paid => Verdict::Move(PayoutState::Returned),
            ObjectStatus::Pending | ObjectStatus::InTransit | ObjectStatus::Failed => Verdict::Stale,
            ObjectStatus::Canceled => Verdict::Illegal,
        },
        PayoutState::Failed | PayoutState::Voided => older_object(status),
        PayoutState::Canceled => match status {
            ObjectStatus::Pending | ObjectStatus::Canceled => Verdict::Stale,
            ObjectStatus::InTransit | ObjectStatus::Paid | ObjectStatus::Failed => Verdict::Illegal,
        },
        PayoutState::Returned => match status {
            ObjectStatus::Pending | ObjectStatus::InTransit | ObjectStatus::Paid | ObjectStatus::Failed => {
                Verdict::Stale
            }
            ObjectStatus::Canceled => Verdict::Illegal,
        },
    }
}

const fn state_of(status: ObjectStatus) -> PayoutState {
    match status {
        ObjectStatus::Pending => PayoutState::Pending,
        ObjectStatus::InTransit => PayoutState::InTransit,
        ObjectStatus::Paid => PayoutState::Paid,
        ObjectStatus::Failed => PayoutState::Failed,
        ObjectStatus::Canceled => PayoutState::Canceled,
    }
}
