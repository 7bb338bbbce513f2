//! An answer to a money request as it arrived — status, headers, bytes — into a `Sent`. What follows from it, the core says.
use super::{beginning, lean, payout};
use crate::stripe::ReadError;
use http::{HeaderMap, HeaderName, StatusCode};
use payout_shared::{
    answer::{AnswerMeta, Sent, is_of_everybody},
    id::AccountId,
};

/// Reads what came with an answer. `now_ms` (wall, Unix milliseconds) is what a `Retry-After` given as a date is counted from
/// when the answer has no `Date`.
#[must_use]
pub fn meta(headers: &HeaderMap, now_ms: i64) -> AnswerMeta {
    let date_ms = text(headers, &http::header::DATE).and_then(http_date_ms);
    AnswerMeta {
        request_id: text(headers, &HeaderName::from_static("request-id")).map(str::to_owned),
        should_retry: match text(headers, &HeaderName::from_static("stripe-should-retry")) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        },
        limited_reason: text(headers, &HeaderName::from_static("stripe-rate-limited-reason")).map(str::to_owned),
        replayed: text(headers, &HeaderName::from_static("idempotent-replayed")) == Some("true"),
        retry_after_ms: text(headers, &http::header::RETRY_AFTER)
            .and_then(|after| retry_after_ms(after, date_ms.unwrap_or(now_ms))),
        date_ms,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Seconds (fractions are rounded up), or a date.
fn retry_after_ms(text: &str, from_ms: i64) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    match seconds.parse::<u32>() {
        Ok(seconds) => Some((i64::from(seconds) + i64::from(!fraction.is_empty())) * 1_000),
        Err(_) => Some(http_date_ms(text)?.saturating_sub(from_ms).max(0)),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in Unix milliseconds.
#[must_use]
pub fn http_date_ms(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().map(jiff::Timestamp::as_millisecond)
}

/// A whole answer.
#[must_use]
pub fn sent(status: StatusCode, meta: AnswerMeta, body: &[u8], account: &AccountId) -> Sent {
    let unreadable = |detail, meta| Sent::Unreadable { status: status.as_u16(), detail, meta };
    if status.is_success() {
        return match payout(body, account) {
            Ok(object) => Sent::Object { object, meta },
            Err(detail) => unreadable(detail, meta),
        };
    }
    let error = serde_json::from_slice(body).ok().and_then(|body| lean::error(&body));
    match error {
        Some(error) if status.as_u16() >= 400 => Sent::Error { status: status.as_u16(), error, meta },
        Some(_) | None => {
            unreadable(format!("HTTP {status} without an error of Stripe's: {:?}", beginning(body)), meta)
        }
    }
}

/// An answer whose body never came whole.
#[must_use]
pub fn cut(status: StatusCode, meta: AnswerMeta, why: &str) -> Sent {
    Sent::Unreadable {
        status: status.as_u16(),
        detail: format!("HTTP {status}, but its body was not read: {why}"),
        meta,
    }
}

/// Why a read's answer isn't what was asked for; `None` for a 2xx.
#[must_use]
pub fn read_error(status: StatusCode, meta: &AnswerMeta, body: &[u8], about: &AccountId) -> Option<ReadError> {
    if status.is_success() {
        return None;
    }
    let error = serde_json::from_slice(body).ok().and_then(|body| lean::error(&body));
    let said = error.as_ref().and_then(|error| error.message.clone()).unwrap_or_else(|| beginning(body));
    let request = meta.request_id.as_deref().unwrap_or("no request id");
    let text = format!("HTTP {status}: {said} ({request})");
    let code = error.as_ref().and_then(|error| error.code.as_deref());
    let names_account =
        code == Some("account_invalid") || (!about.as_str().is_empty() && said.contains(about.as_str()));
    let of_everybody = error.as_ref().is_some_and(|error| is_of_everybody(status.as_u16(), error));
    Some(match status.as_u16() {
        401 => ReadError::Refused(text),
        403 if of_everybody || !names_account => ReadError::Refused(text),
        403 | 404 => ReadError::NoAccess(text),
        400 if code == Some("account_invalid") => ReadError::NoAccess(text),
        429 => ReadError::Limited(text),
        409 | 424 | 500.. => ReadError::Unreachable(text),
        _ => ReadError::Unreadable(text),
    })
}
