//! What a simulation lets go wrong, by name: the rows of its coverage.
use super::super::trouble::Trouble;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Stripe executes, and the connection is gone before the answer.
    ExecutedThenDropped,
    /// The connection is gone before Stripe hears of it.
    ResetBefore,
    /// A 500 first; Stripe has executed it nevertheless.
    ServerErrorRolledForward,
    /// An answer that is no JSON.
    UnreadableBody,
    /// 429 of an object's lock.
    LockTimeout,
    /// 429 of a limit.
    Limited,
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
    pub(super) const ALL: [Self; 17] = [
        Self::ExecutedThenDropped,
        Self::ResetBefore,
        Self::ServerErrorRolledForward,
        Self::UnreadableBody,
        Self::LockTimeout,
        Self::Limited,
        Self::HeldBefore,
        Self::HeldAfter,
        Self::Frozen,
        Self::ReadFails,
        Self::Crash,
        Self::CommitUndone,
        Self::CommitUnheard,
        Self::TakenOver,
        Self::WebhookLost,
        Self::WebhookTwice,
        Self::WebhookOutOfOrder,
    ];

    /// As a trouble of one create, where it is one.
    pub(super) const fn trouble(self) -> Option<Trouble> {
        match self {
            Self::ExecutedThenDropped => Some(Trouble::Twin("executed-then-dropped")),
            Self::ResetBefore => Some(Trouble::Twin("reset-before")),
            Self::ServerErrorRolledForward => Some(Trouble::Twin("500-rolled-forward")),
            Self::UnreadableBody => Some(Trouble::Twin("unreadable-body")),
            Self::LockTimeout => Some(Trouble::Twin("lock-timeout")),
            Self::Limited => Some(Trouble::Limited),
            Self::HeldBefore => Some(Trouble::HeldBefore),
            Self::HeldAfter => Some(Trouble::HeldAfter),
            Self::Frozen => Some(Trouble::Frozen(6_000)),
            Self::ReadFails
            | Self::Crash
            | Self::CommitUndone
            | Self::CommitUnheard
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
