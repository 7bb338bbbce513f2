//! The table of answers, row by row: an answer's class, before anybody asks whether an earlier send is ambiguous.
//!
//! Codes come before texts. When in doubt, the class that frees nothing.
use super::{AnswerMeta, Asked, Class, PayoutObject, Sent, StripeError};
use crate::id::AccountId;

/// Names the class of what became of a send.
#[must_use]
pub fn classify(asked: &Asked, sent: &Sent) -> Class {
    match sent {
        Sent::Object { object, .. } if echoes(asked, object) => Class::Done,
        Sent::Object { .. } => Class::Differs,
        Sent::NeverLeft { .. } => Class::NotExecuted,
        Sent::Lost { .. } => Class::Unknown,
        // The limiters and the check of the API key run before anything is executed; every other status may hide an execution.
        Sent::Unreadable { status: 429, .. } => Class::Limited,
        Sent::Unreadable { status: 401, .. } => Class::RunLevel,
        Sent::Unreadable { .. } => Class::Unknown,
        Sent::Error { status, error, meta } => error_class(asked, *status, error, meta),
    }
}

/// A destination that Stripe doesn't show isn't a different one.
fn echoes(asked: &Asked, object: &PayoutObject) -> bool {
    object.account == asked.account
        && object.amount_minor == asked.amount_minor
        && object.currency == asked.currency
        && object.mode == asked.mode
        && object.key.as_deref() == Some(asked.key.as_str())
        && object.destination.as_ref().is_none_or(|destination| *destination == asked.destination)
}

fn error_class(asked: &Asked, status: u16, error: &StripeError, meta: &AnswerMeta) -> Class {
    // 424 and 408 are somebody else's failure or delay behind the door: like a 5xx, whatever the body says.
    if !(400..500).contains(&status) || status == 424 || status == 408 {
        return Class::Unknown;
    }
    let code = error.code.as_deref().unwrap_or_default();
    if code == "lock_timeout" && meta.limited_reason.is_none() {
        return Class::NotExecuted;
    }
    if status == 429 || code == "rate_limit" {
        return Class::Limited;
    }
    // Every 409 is a conflict with another request, perhaps with our own key: it says nothing of that one.
    if code == "idempotency_key_in_use" || status == 409 {
        return Class::InFlight;
    }
    if error.kind == "idempotency_error" || code == "idempotency_error" {
        return Class::KeyMisused;
    }
    if is_of_everybody(status, error) {
        return Class::RunLevel;
    }
    let named = names_account(&asked.account, error);
    match status {
        403 | 404 if named => Class::CreatorLevel,
        _ if code == "account_invalid" && named => Class::CreatorLevel,
        // A bank account that is gone is one creator's, also when Stripe answers 404.
        404 if names_destination(asked, error) => Class::Refused,
        403 | 404 => Class::RunLevel,
        _ if code == "account_invalid" => Class::RunLevel,
        _ => Class::Refused,
    }
}

/// The API key or the mode is at fault: the next creator would get the same answer, even when the sentence names this one's account.
#[must_use]
pub fn is_of_everybody(status: u16, error: &StripeError) -> bool {
    let says = |words: &str| error.message.as_deref().is_some_and(|message| message.contains(words));
    let code = error.code.as_deref().unwrap_or_default();
    status == 401
        || ["livemode_mismatch", "api_key_expired", "platform_api_key_expired", "secret_key_required"].contains(&code)
        || code.starts_with("more_permissions_required")
        || says("a similar object exists in")
        || says("does not have the required permissions")
}

/// The code or the message names the account that was asked. `account_invalid` alone does (it speaks of the account in the request's
/// header), unless its message names another one.
fn names_account(account: &AccountId, error: &StripeError) -> bool {
    let message = error.message.as_deref().unwrap_or_default();
    has_word(message, account.as_str())
        || (error.code.as_deref() == Some("account_invalid") && !message.contains("acct_"))
}

fn names_destination(asked: &Asked, error: &StripeError) -> bool {
    error.param.as_deref() == Some("destination")
        || error.message.as_deref().is_some_and(|message| has_word(message, asked.destination.as_str()))
}

/// `acct_1` isn't named by "No such account: acct_12".
fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !word.is_empty()
        && text.split(word).zip(text.split(word).skip(1)).any(|(before, after)| {
            !before.chars().next_back().is_some_and(inside) && !after.chars().next().is_some_and(inside)
        })
}

/// Codes by which Stripe says that this bank account takes nothing, beside all that begin with `bank_` and `incorrect_account_`.
const BANK_CODES: [&str; 7] = [
    "account_closed",
    "account_frozen",
    "debit_not_authorized",
    "invalid_account_number",
    "invalid_account_number_length",
    "no_account",
    "unsupported_card",
];

/// An error's or a failure's code speaks of the bank account: the creator is held until the bank account changes.
#[must_use]
pub fn is_bank_code(code: &str) -> bool {
    code.starts_with("bank_") || code.starts_with("incorrect_account_") || BANK_CODES.contains(&code)
}

/// Codes of causes that pass by themselves: no creator is blamed for them, and the payout is tried again.
const TRANSIENT_CODES: [&str; 4] =
    ["balance_insufficient", "insufficient_funds", "payouts_limit_exceeded", "rate_limit"];

/// An error's or a failure's code speaks of something that passes.
#[must_use]
pub fn is_transient_code(code: &str) -> bool {
    TRANSIENT_CODES.contains(&code)
}
