//! What Stripe's answer to a money request means. The table moves the attempt; the payout follows for creates.
//!
//! A timeout, a reset, a 5xx, an unreadable answer is *unknown*, not failed. An answer speaks of its own send only: with an
//! ambiguous send before, every answer but a 2xx or a replay of that same key leaves the attempt unknown.
use crate::{
    attempt::AttemptState,
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::{ObjectStatus, PayoutEvent},
};
use serde::{Deserialize, Serialize};

mod class;
mod consequence;
pub use class::{classify, is_bank_code, is_of_everybody, is_transient_code};
pub use consequence::{cause, effect};

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
    /// The payout that reverses this one.
    pub reversed_by: Option<ObjectId>,
}

impl PayoutObject {
    /// The payout that it reverses; `None` = it is no reversal.
    #[must_use]
    pub const fn reverses(&self) -> Option<&ObjectId> {
        if self.amount_minor < 0 { self.original_payout.as_ref() } else { None }
    }

    /// Its money didn't go, or is back; a state that nobody has a word for isn't that.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(self.status, Some(status) if !status.is_alive())
    }
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
