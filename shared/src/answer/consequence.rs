//! What follows from an answer to a create: for the payout, the attempt, the creator, the run and everybody.
use super::{Asked, Class, Effect, Sent, classify, is_bank_code};
use crate::{
    attempt::AttemptState,
    payout::{ObjectStatus, PayoutEvent, Which},
};

/// What follows from an answer to a create. `ambiguous_before`: an earlier send of this attempt is ambiguous.
///
/// An answer speaks of its own send. With another one in doubt only two things free the payout: a 2xx, and a refusal that Stripe replays
/// for that very key.
#[must_use]
pub fn effect(asked: &Asked, sent: &Sent, ambiguous_before: bool) -> Effect {
    let class = classify(asked, sent);
    let (replayed, should_retry) = match sent {
        Sent::Object { meta, .. } | Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => {
            (meta.replayed, meta.should_retry)
        }
        Sent::NeverLeft { .. } | Sent::Lost { .. } => (false, None),
    };
    let unknown = Effect {
        class,
        event: PayoutEvent::LoseAnswer,
        attempt: AttemptState::Unknown,
        // This send wasn't executed; the one before may have been. The others say so themselves.
        ambiguous: false,
        hold_creator: false,
        pause_run: class == Class::RunLevel,
        no_resend: should_retry == Some(false),
        slow_down: class == Class::Limited,
        page: matches!(class, Class::Differs | Class::KeyMisused),
    };
    match class {
        Class::Done | Class::Differs => Effect {
            event: PayoutEvent::Object(object_status(sent), Which::Newest),
            attempt: AttemptState::Executed,
            hold_creator: class == Class::Differs || is_bank_failure(sent),
            no_resend: false,
            ..unknown
        },
        Class::CreatorLevel | Class::Refused if !ambiguous_before || replayed => Effect {
            event: PayoutEvent::Refuse,
            attempt: AttemptState::Refused,
            hold_creator: class == Class::CreatorLevel || is_bank_failure(sent),
            no_resend: false,
            ..unknown
        },
        // Never stored under a key, so never a replay: only a first send is put back.
        Class::RunLevel | Class::Limited | Class::NotExecuted if !ambiguous_before => {
            Effect { event: PayoutEvent::PutBack, attempt: AttemptState::Waiting, no_resend: false, ..unknown }
        }
        Class::CreatorLevel | Class::Refused | Class::RunLevel | Class::Limited | Class::NotExecuted => unknown,
        Class::KeyMisused => Effect { ambiguous: true, no_resend: true, ..unknown },
        Class::InFlight | Class::Unknown => Effect { ambiguous: true, ..unknown },
    }
}

/// The answer says that the bank account takes nothing: refused for it, or made and failed at once.
fn is_bank_failure(sent: &Sent) -> bool {
    let code = match sent {
        Sent::Error { error, .. } => error.code.as_deref(),
        Sent::Object { object, .. } => object.failure_code.as_deref(),
        Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => None,
    };
    code.is_some_and(is_bank_code)
}

/// A 2xx whose status is a word that we don't know is an object all the same: pending, until it is seen in a state that we know.
fn object_status(sent: &Sent) -> ObjectStatus {
    match sent {
        Sent::Object { object, .. } => object.status.unwrap_or(ObjectStatus::Pending),
        Sent::Error { .. } | Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => {
            ObjectStatus::Pending
        }
    }
}

/// A short stable word for people's lists of causes: Stripe's code, else its type, else the class's word
/// (`answer_lost`, `never_left`, `http_502`). Of an object: why it failed, else `differs`, the only other trouble an object can be.
#[must_use]
pub fn cause(sent: &Sent) -> String {
    match sent {
        Sent::Object { object, .. } => object.failure_code.clone().unwrap_or_else(|| "differs".to_owned()),
        Sent::Error { status, error, .. } => match (error.code.as_deref().unwrap_or_default(), error.kind.as_str()) {
            ("", "") => format!("http_{status}"),
            ("", kind) => kind.to_owned(),
            (code, _) => code.to_owned(),
        },
        Sent::Unreadable { status, .. } => format!("http_{status}"),
        Sent::NeverLeft { .. } => "never_left".to_owned(),
        Sent::Lost { .. } => "answer_lost".to_owned(),
    }
}
