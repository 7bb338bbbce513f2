//! The cells of the coverage that may be empty, each with the reason: what the rules and Stripe make impossible, and what is rare, because it
//! takes several unlikely things on one payout. A cell that isn't named here and that no seed has reached fails the simulation; so does
//! one that is called impossible and was reached. Rare ones must be reached by a soak, remote ones by nothing.
use super::{coverage::Move, fault::Fault};
use payout_shared::payout::PayoutState::{
    self, Canceled, Failed, InTransit, Paid, Pending, Planned, Returned, Reversed, Reversing, Settled, Submitting,
    Unknown, Voided,
};

/// Why a cell may be empty.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    /// It can't be seen.
    Impossible(&'static str),
    /// The seeds of a usual run needn't reach it.
    Rare(&'static str),
    /// No number of seeds need reach it.
    Remote,
}

/// What kind of thing a fault is: kinds reach the same moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nobody knows what became of the request.
    Ambiguous,
    /// The request is put back.
    PutBack,
    /// The request is refused.
    Refused,
    /// It meets every payout that isn't at its end.
    All,
    /// It meets payouts that are at Stripe.
    Told,
}

const fn kind(fault: Fault) -> Kind {
    match fault {
        Fault::ExecutedThenDropped
        | Fault::ResetBefore
        | Fault::ServerErrorRolledForward
        | Fault::ServerErrorOnly
        | Fault::UnreadableBody
        | Fault::HeldBefore
        | Fault::HeldAfter => Kind::Ambiguous,
        Fault::LockTimeout | Fault::Limited | Fault::Copied | Fault::KeyRefused | Fault::Frozen => Kind::PutBack,
        Fault::Refused => Kind::Refused,
        Fault::ReadFails
        | Fault::Crash
        | Fault::CommitUndone
        | Fault::CommitUnheard
        | Fault::DatabaseGone
        | Fault::ClockAhead
        | Fault::ClockBehind
        | Fault::TakenOver => Kind::All,
        Fault::WebhookLost | Fault::WebhookTwice | Fault::WebhookOutOfOrder => Kind::Told,
    }
}

/// Why this move needn't be seen after this fault; `None`: it must be.
pub(super) fn why(fault: Fault, (from, to): Move) -> Option<Why> {
    if let Some(why) = impossible(fault, from, to) {
        return Some(Why::Impossible(why));
    }
    // What was told moves it before anything voids it, unless the database fails in between.
    if (from, to) == (Planned, Voided) && matches!(fault, Fault::WebhookTwice | Fault::WebhookOutOfOrder) {
        return Some(Why::Remote);
    }
    (!is_usual(fault, from, to)).then(|| Why::Rare(rare(from, to)))
}

fn impossible(fault: Fault, from: PayoutState, to: PayoutState) -> Option<&'static str> {
    match (from, to) {
        (InTransit, Canceled) => Some("Stripe cancels only what is pending"),
        (Canceled, Failed) => Some("Stripe never fails what it has canceled"),
        (Settled, Returned) => Some(
            "these banks send back within half a day, and a week passes before: engine::sent_back has a slower one",
        ),
        (Planned, Voided) if matches!(kind(fault), Kind::Ambiguous | Kind::Refused) => {
            Some("after such an answer it is planned again only as a retry, and a retry is given up, not voided")
        }
        _ => None,
    }
}

/// The moves that the seeds of a usual run reach many times over.
fn is_usual(fault: Fault, from: PayoutState, to: PayoutState) -> bool {
    match kind(fault) {
        Kind::All => {
            matches!(
                (from, to),
                (Planned, Submitting | Voided | Failed)
                    | (Submitting, Planned | Unknown | Pending)
                    | (Unknown, Unknown | Voided | Pending)
                    | (Pending, InTransit | Paid | Canceled)
                    | (InTransit, Paid | Failed)
                    | (Paid, Returned | Settled)
                    | (Settled, Reversing)
                    | (Failed, Planned | Returned)
            ) || (fault != Fault::ClockBehind && (from, to) == (Reversing, Reversed))
        }
        Kind::Told => matches!(
            (from, to),
            (Pending, InTransit | Paid)
                | (InTransit, Paid | Failed)
                | (Paid, Returned | Settled)
                | (Settled, Reversing)
                | (Submitting, Pending)
        ),
        Kind::Refused => matches!((from, to), (Planned, Submitting) | (Submitting, Failed) | (Failed, Planned)),
        Kind::PutBack => matches!((from, to), (Planned, Submitting) | (Submitting, Planned)),
        Kind::Ambiguous => {
            let is_there = fault != Fault::ServerErrorOnly;
            matches!((from, to), (Planned, Submitting) | (Submitting, Unknown) | (Unknown, Unknown))
                || (is_there && matches!((from, to), (Unknown, Pending) | (Pending, InTransit) | (InTransit, Paid)))
                || (!is_there && (from, to) == (Unknown, Voided))
        }
    }
}

const fn rare(from: PayoutState, to: PayoutState) -> &'static str {
    match (from, to) {
        (Planned, Pending | InTransit | Paid | Canceled) => {
            "an object comes before our own record of its send only where a copy was executed after a 429"
        }
        (Planned, Failed | Voided) => "it was at Stripe before, and has failed there, and its second try is given up",
        (Submitting, InTransit | Paid | Failed | Canceled) => "the bank, or somebody's hand, is faster than the answer",
        (Unknown, InTransit | Paid | Failed | Canceled) => {
            "nobody knew of it until the bank, or somebody's hand, was done"
        }
        (Settled, _) | (_, Settled) => "a week passes between the bank's word and the last look",
        (Paid, Reversing) => "most are settled by the time that two people take them back",
        (Reversing | Reversed, _) => "two people, a paid payout, and a bank that takes it or its reversal back",
        (Failed, Returned) => "the bank's two words come in the wrong order",
        (Planned | Submitting | Unknown | Pending | InTransit | Paid | Voided | Failed | Canceled | Returned, _) => {
            "this fault meets few payouts, and few of them come to this"
        }
    }
}
