//! What Stripe's answer to a money request means. The table moves the attempt; the payout follows for creates.
//!
//! A timeout, a reset, a 5xx, an unreadable answer is *unknown*, not failed. An answer speaks of its own send only: with an
//! ambiguous send before, every answer but a 2xx or a replay of that same key leaves the attempt unknown.
use crate::{
    attempt::AttemptState,
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::{ObjectStatus, PayoutEvent, Which},
};
use serde::{Deserialize, Serialize};

/// A payout object as Stripe shows it: the fields that we act on, read leanly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutObject {
    /// `po_…`
    pub id: ObjectId,
    /// The connected account it was seen on: from the request, or the event's envelope.
    pub account: AccountId,
    /// Minor units; negative for reversals and auto-debits.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// Stripe's word; `None` for one that we don't know.
    pub status: Option<ObjectStatus>,
    /// Live or test.
    pub mode: Mode,
    /// The bank account it goes to.
    pub destination: Option<DestinationId>,
    /// Made by Stripe's own schedule, or by Stripe as an auto-debit.
    pub automatic: bool,
    /// Our key, when the metadata carries one.
    pub key: Option<String>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// Why it failed, in Stripe's words.
    pub failure_message: Option<String>,
    /// The balance transaction that gave the money back: the money is seen back.
    pub failure_balance_transaction: Option<String>,
    /// Seconds since 1970 by Stripe's clock.
    pub created_s: i64,
    /// When it should arrive, seconds since 1970.
    pub arrival_date_s: Option<i64>,
    /// The payout that this one reverses.
    pub original_payout: Option<ObjectId>,
}

/// Stripe's error object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeError {
    /// `invalid_request_error`, `idempotency_error`, `api_error`, …
    pub kind: String,
    /// `balance_insufficient`, …; Stripe has errors without one.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// The parameter at fault.
    pub param: Option<String>,
    /// Stripe's page on it.
    pub doc_url: Option<String>,
}

/// What came with an answer beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerMeta {
    /// `Request-Id`.
    pub request_id: Option<String>,
    /// `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
    /// `Stripe-Rate-Limited-Reason`.
    pub limited_reason: Option<String>,
    /// `Idempotent-Replayed: true`.
    pub replayed: bool,
    /// `Retry-After`, milliseconds.
    pub retry_after_ms: Option<i64>,
    /// `Date`, Unix milliseconds by Stripe's clock.
    pub date_ms: Option<i64>,
}

/// What became of one send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Sent {
    /// A 2xx whose body is a payout object.
    Object {
        /// The object.
        object: PayoutObject,
        /// Headers.
        meta: AnswerMeta,
    },
    /// A status ≥ 400 with a Stripe error object in the body.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error object.
        error: StripeError,
        /// Headers.
        meta: AnswerMeta,
    },
    /// Anything else with a status: HTML, a cut body, a 2xx that isn't a payout object.
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// What was wrong with it.
        detail: String,
        /// Headers.
        meta: AnswerMeta,
    },
    /// Not one byte of the request was written: no connection, `send_before` passed, gate shut.
    NeverLeft {
        /// Why.
        detail: String,
    },
    /// Written at least in part, and no whole answer came: timeout, reset, end of stream, death while sending.
    Lost {
        /// Why.
        detail: String,
    },
}

/// What a send asked for: an answer is held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Our key.
    pub key: String,
    /// The account it was asked of.
    pub account: AccountId,
    /// Minor units.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// Live or test.
    pub mode: Mode,
    /// The bank account that the body names.
    pub destination: DestinationId,
}

/// The class of an answer to a create, before it is asked whether an earlier send is ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// 2xx whose object echoes what we sent.
    Done,
    /// 2xx that differs in amount, currency, account, mode, destination or key: our bug.
    Differs,
    /// 403/404/`account_invalid` naming the account: this creator only.
    CreatorLevel,
    /// 401, another 403, wrong mode: nobody can be paid.
    RunLevel,
    /// Another 4xx with a Stripe error object: refused for good.
    Refused,
    /// 400 `idempotency_error`: our bug; never re-key.
    KeyMisused,
    /// 409 `idempotency_key_in_use`: ask again later with the same key.
    InFlight,
    /// 429 by a limit: this send wasn't executed; everybody slows down.
    Limited,
    /// `lock_timeout`, or it never left: this send wasn't executed.
    NotExecuted,
    /// 424, 5xx, timeout, reset, unreadable, anything else.
    Unknown,
}

/// What is to be done about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its class.
    pub class: Class,
    /// What happens to the payout.
    pub event: PayoutEvent,
    /// What is then known of the attempt.
    pub attempt: AttemptState,
    /// This send is ambiguous (it counts for every later answer).
    pub ambiguous: bool,
    /// Hold the creator until a person or a rule releases it.
    pub hold_creator: bool,
    /// Pause the run: the cause isn't one creator's.
    pub pause_run: bool,
    /// Never resend by itself.
    pub no_resend: bool,
    /// The limiter slows down for all.
    pub slow_down: bool,
    /// Somebody must look at it now.
    pub page: bool,
}

/// Names the class of what became of a send (money's table of answers, row by row).
#[must_use]
pub fn classify(asked: &Asked, sent: &Sent) -> Class {
    match sent {
        Sent::Object { object, .. } if echoes(asked, object) => Class::Done,
        Sent::Object { .. } => Class::Differs,
        Sent::NeverLeft { .. } => Class::NotExecuted,
        Sent::Lost { .. } => Class::Unknown,
        // Limiters and the key's check run before anything is executed.
        Sent::Unreadable { status: 429, .. } => Class::Limited,
        Sent::Unreadable { status: 401, .. } => Class::RunLevel,
        Sent::Unreadable { .. } => Class::Unknown,
        Sent::Error { status, error, meta } => error_class(asked, *status, error, meta),
    }
}

fn echoes(asked: &Asked, object: &PayoutObject) -> bool {
    object.account == asked.account
        && object.amount_minor == asked.amount_minor
        && object.currency == asked.currency
        && object.mode == asked.mode
        && object.key.as_deref() == Some(asked.key.as_str())
        && object.destination.as_ref().is_none_or(|destination| *destination == asked.destination)
}

fn error_class(asked: &Asked, status: u16, error: &StripeError, meta: &AnswerMeta) -> Class {
    let code = error.code.as_deref().unwrap_or_default();
    if status == 424 || !(400..500).contains(&status) {
        return Class::Unknown;
    }
    if error.kind == "idempotency_error" || (status == 400 && code == "idempotency_error") {
        return if code == "idempotency_key_in_use" || status == 409 { Class::InFlight } else { Class::KeyMisused };
    }
    if code == "idempotency_key_in_use" || status == 409 {
        return Class::InFlight;
    }
    if code == "lock_timeout" && meta.limited_reason.is_none() {
        return Class::NotExecuted;
    }
    if status == 429 {
        return Class::Limited;
    }
    let names_account = code == "account_invalid"
        || error.message.as_deref().is_some_and(|message| message.contains(asked.account.as_str()));
    match status {
        401 => Class::RunLevel,
        403 | 404 if names_account && code != "livemode_mismatch" => Class::CreatorLevel,
        403 => Class::RunLevel,
        _ if code == "account_invalid" => Class::CreatorLevel,
        _ if code == "livemode_mismatch" || code == "api_key_expired" => Class::RunLevel,
        _ => Class::Refused,
    }
}

/// Codes by which Stripe says that this bank account takes nothing: the creator is held until it changes.
const BANK_CODES: [&str; 14] = [
    "account_closed",
    "account_frozen",
    "bank_account_bad_routing_numbers",
    "bank_account_declined",
    "bank_account_restricted",
    "bank_account_unusable",
    "bank_account_unverified",
    "bank_account_verification_failed",
    "bank_ownership_changed",
    "debit_not_authorized",
    "incorrect_account_type",
    "invalid_account_number",
    "no_account",
    "unsupported_card",
];

/// The refusal speaks of the bank account.
fn is_bank_failure(sent: &Sent) -> bool {
    match sent {
        Sent::Error { error, .. } => error.code.as_deref().is_some_and(|code| BANK_CODES.contains(&code)),
        Sent::Object { .. } | Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => false,
    }
}

/// What follows from an answer to a create. `ambiguous_before`: an earlier send of this attempt is ambiguous.
#[must_use]
pub fn effect(asked: &Asked, sent: &Sent, ambiguous_before: bool) -> Effect {
    let class = classify(asked, sent);
    let (replayed, should_retry) = match sent {
        Sent::Object { meta, .. } | Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => {
            (meta.replayed, meta.should_retry)
        }
        Sent::NeverLeft { .. } | Sent::Lost { .. } => (false, None),
    };
    let plain = Effect {
        class,
        event: PayoutEvent::LoseAnswer,
        attempt: AttemptState::Unknown,
        ambiguous: false,
        hold_creator: false,
        pause_run: class == Class::RunLevel,
        no_resend: false,
        slow_down: class == Class::Limited,
        page: matches!(class, Class::Differs | Class::KeyMisused),
    };
    // What an answer says of its own send frees the payout only when no other send is in doubt, or when it replays that very one.
    let frees = !ambiguous_before || replayed;
    match class {
        Class::Done | Class::Differs => Effect {
            event: PayoutEvent::Object(object_status(sent), Which::Newest),
            attempt: AttemptState::Executed,
            hold_creator: class == Class::Differs,
            ..plain
        },
        Class::CreatorLevel | Class::Refused if frees => Effect {
            event: PayoutEvent::Refuse,
            attempt: AttemptState::Refused,
            hold_creator: class == Class::CreatorLevel || is_bank_failure(sent),
            ..plain
        },
        Class::RunLevel | Class::Limited | Class::NotExecuted if !ambiguous_before => {
            Effect { event: PayoutEvent::PutBack, attempt: AttemptState::Waiting, ..plain }
        }
        // This send wasn't executed, an earlier one may have been: still unknown, and not more so.
        Class::CreatorLevel | Class::Refused | Class::RunLevel | Class::Limited | Class::NotExecuted => plain,
        Class::KeyMisused => Effect { ambiguous: true, no_resend: true, ..plain },
        Class::InFlight => Effect { ambiguous: true, ..plain },
        Class::Unknown => {
            Effect { ambiguous: true, no_resend: should_retry == Some(false) && !is_replayed_failure(sent), ..plain }
        }
    }
}

/// A stored 5xx, given again: it says nothing new about asking once more.
fn is_replayed_failure(sent: &Sent) -> bool {
    match sent {
        Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => meta.replayed,
        Sent::Object { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => false,
    }
}

fn object_status(sent: &Sent) -> ObjectStatus {
    match sent {
        Sent::Object { object, .. } => object.status.unwrap_or(ObjectStatus::Pending),
        Sent::Error { .. } | Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => {
            ObjectStatus::Pending
        }
    }
}

/// A short stable word for people's lists of causes: Stripe's code, else its type, else the class's word
/// ("timeout", "never_left", "http_502").
#[must_use]
pub fn cause(sent: &Sent) -> String {
    match sent {
        Sent::Object { object, .. } => object.failure_code.clone().unwrap_or_else(|| "differs".to_owned()),
        Sent::Error { status, error, .. } => match (&error.code, error.kind.as_str()) {
            (Some(code), _) => code.clone(),
            (None, "") => format!("http_{status}"),
            (None, kind) => kind.to_owned(),
        },
        Sent::Unreadable { status, .. } => format!("http_{status}"),
        Sent::NeverLeft { .. } => "never_left".to_owned(),
        Sent::Lost { .. } => "answer_lost".to_owned(),
    }
}
