//! What goes in and out of the store about putting right, trying again and taking back.
use super::{By, KnownAttempt, PlanContext};
use payout_shared::{
    answer::PayoutObject,
    attempt::AttemptKind,
    id::{AccountId, CreatorId, ObjectId, PayoutId, RunId},
    money::Money,
    payout::PayoutState,
};

/// A Stripe object that a person named for an unknown payout.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The attempt that it is.
    pub key: String,
    /// As it was read at Stripe.
    pub object: PayoutObject,
    /// How it was told: for the journal.
    pub how: String,
}

/// A payout that somebody made at Stripe past us, to be taken into the books.
#[derive(Clone, Copy, Debug)]
pub struct AdoptAsk<'a> {
    /// As it was read at Stripe.
    pub object: &'a PayoutObject,
    /// Whose it is said to be.
    pub creator: &'a CreatorId,
    /// The policy.
    pub context: &'a PlanContext,
    /// Who takes it in.
    pub by: &'a By,
    /// Why.
    pub reason: &'a str,
}

/// An adopted payout: payable less paid is carried, and below 0 a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// What was paid.
    pub amount: Money,
    /// Payable entries that it locked.
    pub entries: i64,
    /// Their sum, minor units.
    pub payable_minor: i64,
    /// What of it stays free, minor units; below 0 a debt.
    pub carried_minor: i64,
    /// The planned payout of the purse that gave way.
    pub voided: Option<PayoutId>,
    /// The journal's number.
    pub seq: i64,
    /// It was adopted before.
    pub already: bool,
}

/// Which failed payouts are to be tried again, by whom.
#[derive(Clone, Copy, Debug)]
pub struct RetryAsk<'a> {
    /// Each with when it last changed as far as whoever asks knows; `None` = whatever it is now.
    pub payouts: &'a [(PayoutId, Option<i64>)],
    /// The policy.
    pub context: &'a PlanContext,
    /// Who.
    pub by: &'a By,
    /// Why.
    pub reason: Option<&'a str>,
    /// Its time had come; nobody asked.
    pub by_itself: bool,
}

/// What became of one of them.
#[derive(Clone, Debug)]
pub struct Retried {
    /// Which.
    pub payout_id: PayoutId,
    /// What it is to pay; `None` when there is no such payout.
    pub amount: Option<Money>,
    /// Why not; `None` = it is planned again.
    pub refused: Option<payout_shared::retry::NoRetry>,
}

/// The bodies of cancels and reversals, as functions of the key.
#[derive(Clone, Copy, Debug)]
pub struct UndoBodies {
    /// Of a cancel.
    pub cancel: fn(&str) -> String,
    /// Of a reversal.
    pub reverse: fn(&str) -> String,
}

impl UndoBodies {
    pub(in crate::store) fn of(self, kind: AttemptKind, key: &str) -> String {
        match kind {
            AttemptKind::Reverse => (self.reverse)(key),
            AttemptKind::Cancel | AttemptKind::Create => (self.cancel)(key),
        }
    }
}

/// A committed cancel or reversal: one send may leave.
#[derive(Clone, Debug)]
pub struct UndoIntent {
    /// Cancel, or reverse.
    pub kind: AttemptKind,
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
    /// The object that is to be taken back.
    pub object: ObjectId,
    /// What that object paid.
    pub amount: Money,
    /// An earlier send of this attempt is ambiguous.
    pub ambiguous_before: bool,
    /// The fencing token that it was committed under.
    pub token: i64,
}

/// A cancel or a reversal whose outcome nobody knows.
#[derive(Clone, Debug)]
pub struct UndoUnresolved {
    /// Cancel, or reverse.
    pub kind: AttemptKind,
    /// The payout.
    pub payout_id: PayoutId,
    /// Its run.
    pub run_id: RunId,
    /// The attempt's key.
    pub key: String,
    /// The account.
    pub account: AccountId,
    /// The object that is to be taken back.
    pub object: ObjectId,
    /// The create attempt that made the object, and what its body says.
    pub create: KnownAttempt,
    /// Never resent by itself.
    pub no_resend: bool,
    /// Sends with an unknown outcome.
    pub ambiguous_sends: i64,
    /// Stripe's time of the first send, Unix milliseconds.
    pub first_sent_stripe_ms: i64,
    /// Stripe's time of the last send.
    pub last_sent_stripe_ms: i64,
    /// Sends so far.
    pub sends: i64,
}

/// What is left to be done of taking a run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndoLeft {
    /// Some are planned.
    pub planned: bool,
    /// Some are submitting or unknown.
    pub unanswered: bool,
    /// Requests on the wire.
    pub in_flight: i64,
    /// A rollback was confirmed: what is pending is canceled.
    pub confirmed: bool,
    /// Some are pending and may be canceled yet.
    pub cancelable: bool,
    /// Of these, whose time has come: counted up to a hundred.
    pub cancels_due: i64,
    /// Some are on their way to the bank, or being reversed.
    pub under_way: bool,
    /// Approved reversals that weren't asked for yet: counted up to a hundred.
    pub reversals_due: i64,
    /// Some reversals wait for a second person.
    pub undecided: bool,
}

impl UndoLeft {
    /// All that can be done is done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        !self.planned
            && !self.unanswered
            && self.in_flight == 0
            && !(self.confirmed && (self.cancelable || self.under_way || self.undecided || self.reversals_due > 0))
    }
}

/// A payout of a run that is to be taken back.
#[derive(Clone, Debug)]
pub struct RollbackRow {
    /// Which.
    pub id: PayoutId,
    /// Whose.
    pub creator: CreatorId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: PayoutState,
    /// When it last changed.
    pub changed_at_ms: i64,
    /// What is done about it.
    pub step: payout_shared::rollback::Step,
    /// One sentence on it.
    pub why: String,
}

/// A rollback as it is confirmed.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The hash over its rows.
    pub hash: String,
    /// Payouts that are reversed once a second person has approved.
    pub reversals: Vec<PayoutId>,
}

/// A confirmed rollback, and how far it is.
#[derive(Clone, Debug)]
pub struct RollbackShow {
    /// n-th of its run.
    pub number: i64,
    /// What was confirmed.
    pub hash: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub asked_by: String,
    /// When.
    pub asked_at_ms: i64,
    /// Payouts about which something is to be done yet.
    pub left: i64,
    /// Cancels that Stripe refused.
    pub cancels_refused: i64,
    /// Reversals that wait for a second person.
    pub to_approve: i64,
}

/// A reversal that Stripe has made, or is about to.
#[derive(Clone, Debug)]
pub struct KnownReversal {
    /// The payout that it reverses.
    pub payout_id: PayoutId,
    /// The account.
    pub account: AccountId,
    /// That payout's object.
    pub original: ObjectId,
    /// The reversal attempt's key.
    pub key: String,
    /// The negative payout object; `None` = its answer isn't here yet.
    pub object: Option<ObjectId>,
    /// Since when it is known to be paid, Unix milliseconds.
    pub paid_seen_ms: Option<i64>,
}
