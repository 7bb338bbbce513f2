//! What an answer to a cancel or a reversal means, and what its payout object says when the answer was lost or refused. It moves the attempt;
//! the payout follows only when Stripe's own object says so.
use crate::{
    absence::PROOF_AFTER_MS,
    answer::{Asked, Class, PayoutObject, Sent, classify},
    attempt::{AttemptKind, AttemptState},
    consequence::RESEND_WITHIN_MS,
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::{ObjectStatus, PayoutEvent, Which},
};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoAsked {
    /// Cancel, or reverse.
    pub kind: AttemptKind,
    /// Our key.
    pub key: String,
    /// The account it was asked of.
    pub account: AccountId,
    /// The payout object that is to be taken back.
    pub object: ObjectId,
    /// What that object paid, minor units.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// Live or test.
    pub mode: Mode,
}

/// What is to be done about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndoEffect {
    /// What happens to the payout; `None` = nothing yet.
    pub event: Option<PayoutEvent>,
    /// What is then known of the attempt. Unknown: its object is looked up.
    pub attempt: AttemptState,
    /// This send may have been executed, or may be yet.
    pub ambiguous: bool,
    /// Never sent again by itself.
    pub no_resend: bool,
    /// The limiter slows down for all.
    pub slow_down: bool,
    /// Somebody must look at it now.
    pub page: bool,
}

/// What follows from an answer. `ambiguous_before`: an earlier send of this attempt is ambiguous.
#[must_use]
pub fn undone(asked: &UndoAsked, sent: &Sent, ambiguous_before: bool) -> UndoEffect {
    let unknown = UndoEffect {
        event: None,
        attempt: AttemptState::Unknown,
        ambiguous: false,
        no_resend: should_not_retry(sent),
        slow_down: false,
        page: false,
    };
    if let Sent::Object { object, .. } = sent {
        return match done(asked, object) {
            Some(event) => {
                UndoEffect { event: Some(event), attempt: AttemptState::Executed, no_resend: false, ..unknown }
            }
            None => UndoEffect { ambiguous: true, no_resend: true, page: true, ..unknown },
        };
    }
    let class = classify(&as_create(asked), sent);
    let unknown = UndoEffect { slow_down: class == Class::Limited, ..unknown };
    match class {
        Class::RunLevel | Class::Limited | Class::NotExecuted if !ambiguous_before => {
            UndoEffect { attempt: AttemptState::Waiting, no_resend: false, ..unknown }
        }
        Class::RunLevel | Class::Limited | Class::NotExecuted => unknown,
        Class::CreatorLevel | Class::Refused => UndoEffect { no_resend: true, ..unknown },
        Class::KeyMisused => UndoEffect { ambiguous: true, no_resend: true, page: true, ..unknown },
        // An object was judged above.
        Class::InFlight | Class::Unknown | Class::Done | Class::Differs => UndoEffect { ambiguous: true, ..unknown },
    }
}

/// The object of an answer that did what was asked.
fn done(asked: &UndoAsked, object: &PayoutObject) -> Option<PayoutEvent> {
    match asked.kind {
        AttemptKind::Cancel => (object.id == asked.object && object.status == Some(ObjectStatus::Canceled))
            .then_some(PayoutEvent::Object(ObjectStatus::Canceled, Which::Newest)),
        AttemptKind::Reverse => {
            let is_ours = object.original_payout.as_ref() == Some(&asked.object)
                && Some(object.amount_minor) == asked.amount_minor.checked_neg()
                && object.currency == asked.currency
                && object.account == asked.account
                && object.mode == asked.mode;
            is_ours.then_some(PayoutEvent::Reverse)
        }
        AttemptKind::Create => None,
    }
}

/// Errors of a cancel or a reversal are of the same classes as those of a create.
fn as_create(asked: &UndoAsked) -> Asked {
    Asked {
        key: asked.key.clone(),
        account: asked.account.clone(),
        amount_minor: asked.amount_minor,
        currency: asked.currency,
        mode: asked.mode,
        destination: DestinationId::new(""),
    }
}

fn should_not_retry(sent: &Sent) -> bool {
    match sent {
        Sent::Object { meta, .. } | Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => {
            meta.should_retry == Some(false)
        }
        Sent::NeverLeft { .. } | Sent::Lost { .. } => false,
    }
}

/// What is known of an attempt whose object is looked up. Times are Stripe's, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndoSends {
    /// Its first send.
    pub first_sent_ms: i64,
    /// Its last send.
    pub last_sent_ms: i64,
    /// Never sent again by itself.
    pub no_resend: bool,
    /// Some send of it may have been executed, or may be yet.
    pub ambiguous: bool,
}

/// What follows from the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterLook {
    /// It was executed.
    Done,
    /// It wasn't, and won't be.
    Refused,
    /// Not executed so far: the same key and bytes again.
    Again,
    /// Not executed so far, and not to be sent again: looked up again later.
    Later,
}

/// What the payout object says of a cancel or a reversal. `now_ms`: Stripe's time of the look. Where the payout itself stands is told by the
/// same object, and is no part of the answer.
#[must_use]
pub fn looked(kind: AttemptKind, sends: &UndoSends, object: &PayoutObject, now_ms: i64) -> AfterLook {
    use ObjectStatus as O;
    let (is_done, is_over) = match kind {
        AttemptKind::Cancel => {
            (object.status == Some(O::Canceled), matches!(object.status, Some(O::InTransit | O::Paid | O::Failed)))
        }
        AttemptKind::Reverse | AttemptKind::Create => (object.reversed_by.is_some(), object.status == Some(O::Failed)),
    };
    if is_done {
        return AfterLook::Done;
    }
    if is_over {
        return AfterLook::Refused;
    }
    let age = now_ms.saturating_sub(sends.first_sent_ms);
    if !sends.no_resend && (0..RESEND_WITHIN_MS).contains(&age) {
        return AfterLook::Again;
    }
    if sends.ambiguous && now_ms.saturating_sub(sends.last_sent_ms) < PROOF_AFTER_MS {
        return AfterLook::Later;
    }
    AfterLook::Refused
}
