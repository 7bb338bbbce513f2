//! What a simulation lets go wrong, by name: the columns of its coverage.
use super::super::{again::answer_of_refusal, trouble::Trouble};

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Stripe executes, and the connection is gone before the answer.
    ExecutedThenDropped,
    /// The connection is gone before Stripe hears of it.
    ResetBefore,
    /// A 500 first; Stripe has executed it nevertheless.
    ServerErrorRolledForward,
    /// A 500, and Stripe never executes it under this key.
    ServerErrorOnly,
    /// An answer that is no JSON.
    UnreadableBody,
    /// 429 of an object's lock.
    LockTimeout,
    /// 429 of a limit.
    Limited,
    /// 429 of a limit, and a copy that the network made of the request is executed.
    Copied,
    /// Stripe refuses it for a cause of its own.
    Refused,
    /// Stripe refuses our key.
    KeyRefused,
    /// On the wire and not with Stripe yet, for longer than the request's time, or until the process dies.
    HeldBefore,
    /// Executed, its answer on the wire for longer than the request's time, or until the process dies.
    HeldAfter,
    /// The process freezes between its decision and the write.
    Frozen,
    /// A read gives no answer.
    ReadFails,
    /// The process dies.
    Crash,
    /// A commit fails, and nothing was written.
    CommitUndone,
    /// A commit's answer is lost, and everything was written.
    CommitUnheard,
    /// No commit succeeds for a while.
    DatabaseGone,
    /// Our clock is set forward.
    ClockAhead,
    /// Our clock is set back.
    ClockBehind,
    /// Another daemon takes the lease over while this one still believes in it.
    TakenOver,
    /// A webhook comes days later, or never before the end.
    WebhookLost,
    /// A webhook comes twice.
    WebhookTwice,
    /// A webhook comes before one that was told earlier.
    WebhookOutOfOrder,
}

impl Fault {
    pub(super) const ALL: [Self; 24] = [
        Self::ExecutedThenDropped,
        Self::ResetBefore,
        Self::ServerErrorRolledForward,
        Self::ServerErrorOnly,
        Self::UnreadableBody,
        Self::LockTimeout,
        Self::Limited,
        Self::Copied,
        Self::Refused,
        Self::KeyRefused,
        Self::HeldBefore,
        Self::HeldAfter,
        Self::Frozen,
        Self::ReadFails,
        Self::Crash,
        Self::CommitUndone,
        Self::CommitUnheard,
        Self::DatabaseGone,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::TakenOver,
        Self::WebhookLost,
        Self::WebhookTwice,
        Self::WebhookOutOfOrder,
    ];

    /// As a trouble of one money request, where it is one.
    pub(super) fn trouble(self) -> Option<Trouble> {
        match self {
            Self::ExecutedThenDropped => Some(Trouble::Twin("executed-then-dropped")),
            Self::ResetBefore => Some(Trouble::Twin("reset-before")),
            Self::ServerErrorRolledForward => Some(Trouble::Twin("500-rolled-forward")),
            Self::ServerErrorOnly => Some(Trouble::Twin("500-not-executed")),
            Self::UnreadableBody => Some(Trouble::Twin("unreadable-body")),
            Self::LockTimeout => Some(Trouble::Twin("lock-timeout")),
            Self::Limited => Some(Trouble::Limited),
            Self::Copied => Some(Trouble::LimitedThenCopied),
            Self::Refused => Some(Trouble::Refused(Box::new(answer_of_refusal("balance_insufficient")))),
            Self::KeyRefused => Some(Trouble::BadKey),
            Self::HeldBefore => Some(Trouble::HeldBefore),
            Self::HeldAfter => Some(Trouble::HeldAfter),
            Self::Frozen => Some(Trouble::Frozen(6_000)),
            Self::ReadFails
            | Self::Crash
            | Self::CommitUndone
            | Self::CommitUnheard
            | Self::DatabaseGone
            | Self::ClockAhead
            | Self::ClockBehind
            | Self::TakenOver
            | Self::WebhookLost
            | Self::WebhookTwice
            | Self::WebhookOutOfOrder => None,
        }
    }

    /// The fault that a trouble is.
    pub(super) fn of(trouble: &Trouble) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.trouble().as_ref().is_some_and(|known| same(known, trouble)))
    }
}

fn same(one: &Trouble, other: &Trouble) -> bool {
    match (one, other) {
        (Trouble::Twin(one), Trouble::Twin(other)) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}
