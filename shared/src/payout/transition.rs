//! The one transition function of payouts, one small function per event. Every state is named in every one of them: a new state
//! doesn't compile until each cell was decided, and the table in tests/payout_states.txt is compared cell by cell.
//!
//! Stale is for what really happens twice or late (webhooks, answers that a webhook overtook, double clicks). A second *intent* is never
//! stale: it would be a request on the wire that nobody asked for.
use super::{
    ObjectStatus, PayoutEvent,
    PayoutState::{
        self, Canceled, Failed, InTransit, Paid, Pending, Planned, Returned, Reversed, Reversing, Settled, Submitting,
        Unknown, Voided,
    },
    Standing, Verdict, Which,
};

/// The one transition function: every state × event, no default arm.
#[must_use]
pub const fn apply(at: Standing, event: PayoutEvent) -> Verdict {
    match event {
        PayoutEvent::Intend => intend(at.state),
        PayoutEvent::PutBack => put_back(at),
        PayoutEvent::LoseAnswer => lose_answer(at),
        PayoutEvent::Refuse => refuse(at),
        PayoutEvent::Object(status, Which::Newest) => newest_object(at, status),
        PayoutEvent::Object(status, Which::Older) => unexpected_object(status),
        PayoutEvent::Void => void(at.state),
        PayoutEvent::ProveAbsent => prove_absent(at.state),
        PayoutEvent::Requeue => requeue(at.state),
        PayoutEvent::GiveUp => give_up(at.state),
        PayoutEvent::IntendReverse => intend_reverse(at.state),
        PayoutEvent::Reverse => reverse(at.state),
        PayoutEvent::RefuseReverse => refuse_reverse(at.state),
        PayoutEvent::Settle => settle(at.state),
    }
}

const fn intend(state: PayoutState) -> Verdict {
    match state {
        Planned => Verdict::Move(Submitting),
        // A resend: until its answer it is as unknown as before.
        Unknown => Verdict::Move(Unknown),
        // Already on the wire: twice is never a duplicate to be overlooked.
        Submitting => Verdict::Illegal,
        Pending | InTransit | Paid | Settled | Voided | Failed | Canceled | Returned | Reversing | Reversed => {
            Verdict::Illegal
        }
    }
}

const fn put_back(at: Standing) -> Verdict {
    match at.state {
        Submitting => Verdict::Move(Planned),
        Planned => Verdict::Stale,
        // Some send is ambiguous, and only that one's own fate frees the payout.
        Unknown => Verdict::Illegal,
        // A webhook was first: the answer to this send says nothing of the one that was executed.
        Pending | InTransit | Paid | Settled | Canceled | Returned | Reversing | Reversed => Verdict::Stale,
        Failed if at.executed => Verdict::Stale,
        Failed | Voided => Verdict::Illegal,
    }
}

const fn lose_answer(at: Standing) -> Verdict {
    match at.state {
        Submitting => Verdict::Move(Unknown),
        Unknown => Verdict::Stale,
        // The webhook came before the answer that was lost: nothing is in doubt any more.
        Pending | InTransit | Paid | Settled | Canceled | Returned | Reversing | Reversed => Verdict::Stale,
        Failed if at.executed => Verdict::Stale,
        // Nothing was on the wire whose answer could have been lost.
        Planned | Voided | Failed => Verdict::Illegal,
    }
}

const fn refuse(at: Standing) -> Verdict {
    match at.state {
        Submitting | Unknown => Verdict::Move(Failed),
        Failed if !at.executed => Verdict::Stale,
        // It has an object, so no answer for its key can be a refusal; or nothing was asked.
        Planned | Pending | InTransit | Paid | Settled | Voided | Failed | Canceled | Returned | Reversing
        | Reversed => Verdict::Illegal,
    }
}

/// The state is a function of the *set* of statuses that were seen, so that neither order nor repetition matters: failed and paid make
/// returned, failed makes failed, canceled makes canceled, else the furthest of pending, in transit and paid.
const fn newest_object(at: Standing, status: ObjectStatus) -> Verdict {
    use ObjectStatus as O;
    match at.state {
        // The webhook may come before the answer, and even before a proof of absence is complete.
        Planned | Submitting | Unknown => Verdict::Move(state_of(status)),
        Pending => match status {
            O::Pending => Verdict::Stale,
            O::InTransit | O::Paid | O::Failed | O::Canceled => Verdict::Move(state_of(status)),
        },
        InTransit => match status {
            O::Pending | O::InTransit => Verdict::Stale,
            // Stripe cancels only what is pending; but when it says so, the money isn't on its way.
            O::Paid | O::Failed | O::Canceled => Verdict::Move(state_of(status)),
        },
        Paid | Settled | Reversing | Reversed => match status {
            O::Pending | O::InTransit | O::Paid => Verdict::Stale,
            O::Failed => Verdict::Move(Returned),
            O::Canceled => Verdict::Illegal,
        },
        Failed if at.executed => match status {
            O::Paid => Verdict::Move(Returned),
            O::Pending | O::InTransit | O::Failed | O::Canceled => Verdict::Stale,
        },
        Failed | Voided => unexpected_object(status),
        Canceled => match status {
            O::Pending | O::Canceled => Verdict::Stale,
            O::Failed => Verdict::Move(Failed),
            // What was canceled moves nevertheless: its items may be free already, somebody must look.
            O::InTransit | O::Paid => Verdict::Illegal,
        },
        Returned => match status {
            O::Pending | O::InTransit | O::Paid | O::Failed => Verdict::Stale,
            O::Canceled => Verdict::Illegal,
        },
    }
}

/// An object of an attempt that was given up, or of an older one: it never moves the payout. Alive it is a late execution; dead, the
/// money is back and nothing follows.
const fn unexpected_object(status: ObjectStatus) -> Verdict {
    if status.is_alive() { Verdict::Late } else { Verdict::Stale }
}

const fn void(state: PayoutState) -> Verdict {
    match state {
        Planned => Verdict::Move(Voided),
        Voided => Verdict::Stale,
        // It may have been executed, or was.
        Submitting | Unknown => Verdict::Illegal,
        Pending | InTransit | Paid | Settled | Failed | Canceled | Returned | Reversing | Reversed => Verdict::Illegal,
    }
}

const fn prove_absent(state: PayoutState) -> Verdict {
    match state {
        Unknown => Verdict::Move(Voided),
        Voided => Verdict::Stale,
        // Still on the wire, or seen to exist: the proof is wrong.
        Planned | Submitting | Pending | InTransit | Paid | Settled | Failed | Canceled | Returned | Reversing
        | Reversed => Verdict::Illegal,
    }
}

const fn requeue(state: PayoutState) -> Verdict {
    match state {
        // That its items are free and payable is the store's to check: executed ones only when the money was seen back.
        Failed => Verdict::Move(Planned),
        // Two people pressed retry.
        Planned => Verdict::Stale,
        Submitting | Unknown | Pending | InTransit | Paid | Settled | Voided | Canceled | Returned | Reversing
        | Reversed => Verdict::Illegal,
    }
}

const fn give_up(state: PayoutState) -> Verdict {
    match state {
        // Only a retry: that it is one, and that nothing of it is in doubt, is the store's to check.
        Planned => Verdict::Move(Failed),
        Failed => Verdict::Stale,
        Submitting | Unknown | Pending | InTransit | Paid | Settled | Voided | Canceled | Returned | Reversing
        | Reversed => Verdict::Illegal,
    }
}

const fn intend_reverse(state: PayoutState) -> Verdict {
    match state {
        Paid | Settled => Verdict::Move(Reversing),
        // Already asked for: as with creates, a second request is never a duplicate to be overlooked.
        Reversing | Reversed => Verdict::Illegal,
        Planned | Submitting | Unknown | Pending | InTransit | Voided | Failed | Canceled | Returned => {
            Verdict::Illegal
        }
    }
}

const fn reverse(state: PayoutState) -> Verdict {
    match state {
        Reversing => Verdict::Move(Reversed),
        // The bank sent it back while the reversal was on the wire: returned says more.
        Reversed | Returned => Verdict::Stale,
        // Nobody here asked for it.
        Planned | Submitting | Unknown | Pending | InTransit | Paid | Settled | Voided | Failed | Canceled => {
            Verdict::Illegal
        }
    }
}

const fn refuse_reverse(state: PayoutState) -> Verdict {
    match state {
        Reversing | Reversed => Verdict::Move(Paid),
        // So already; or the bank sent it back meanwhile.
        Paid | Settled | Returned => Verdict::Stale,
        Planned | Submitting | Unknown | Pending | InTransit | Voided | Failed | Canceled => Verdict::Illegal,
    }
}

const fn settle(state: PayoutState) -> Verdict {
    match state {
        Paid => Verdict::Move(Settled),
        // Due by the calendar, and overtaken between the look and the change.
        Settled | Returned | Reversing | Reversed => Verdict::Stale,
        Planned | Submitting | Unknown | Pending | InTransit | Voided | Failed | Canceled => Verdict::Illegal,
    }
}

const fn state_of(status: ObjectStatus) -> PayoutState {
    match status {
        ObjectStatus::Pending => Pending,
        ObjectStatus::InTransit => InTransit,
        ObjectStatus::Paid => Paid,
        ObjectStatus::Failed => Failed,
        ObjectStatus::Canceled => Canceled,
    }
}
