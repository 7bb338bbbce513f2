//! A webhook's payload, read leanly: the envelope, and the payout or account inside it.
//!
//! Who comes in: the webhook door's inbox, the engine's sweep of events. Whom it may call: the lean reader.
//! Invariant: an event is a hint. One that we can't read whole still gives what it names, never an error.
pub(crate) use super::told::debit_listed;
use super::{
    AccountObject, told,
    wire::lean::{self, integer, owned, text},
};
use payout_shared::{
    answer::PayoutObject,
    entries::Told,
    id::{AccountId, Mode},
};
use serde_json::Value;

/// The platform's events that tell about money: what a sweep asks for. At most 20, which is what one list takes.
pub const SWEPT_TYPES: [&str; 18] = [
    "payment_intent.succeeded",
    "charge.succeeded",
    "charge.captured",
    "charge.updated",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "transfer.created",
    "transfer.updated",
    "transfer.reversed",
    "application_fee.created",
    "application_fee.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
];

/// An event of Stripe's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`: what duplicates are told by.
    pub id: String,
    /// `payout.paid`, …; an open set.
    pub kind: String,
    /// The connected account that it happened on; `None` = the platform.
    pub account: Option<AccountId>,
    /// Live or test; a live endpoint also receives test events. `None` where the event doesn't say: to be treated as not ours.
    pub mode: Option<Mode>,
    /// Seconds since 1970 by Stripe's clock, where it says.
    pub created_s: Option<i64>,
    /// The version that the object was rendered by.
    pub api_version: Option<String>,
    /// The key of the request that caused it: ours links an object to its attempt.
    pub idempotency_key: Option<String>,
    /// What it is about.
    pub object: EventObject,
    /// What it tells about money.
    pub told: Vec<Told>,
}

/// What an event is about, as it was when the event was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventObject {
    /// A payout of a connected account.
    Payout(PayoutObject),
    /// An account.
    Account(AccountObject),
    /// Anything else — another type, a thin event, a payout or account that couldn't be read: go and fetch it, if it matters.
    Named {
        /// `payout`, `bank_account`, …
        kind: Option<String>,
        /// Its id.
        id: Option<String>,
        /// Why it is only named, when it should have been read.
        unreadable: Option<String>,
    },
}

impl Event {
    /// The id of what it is about.
    #[must_use]
    pub fn object_id(&self) -> Option<String> {
        match &self.object {
            EventObject::Payout(payout) => Some(payout.id.to_string()),
            EventObject::Account(account) => Some(account.id.to_string()),
            EventObject::Named { id, .. } => id.clone(),
        }
    }
}

/// Not an event: no JSON, or no `id` and `type`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Stripe event: {0}")]
pub struct NotAnEvent(pub String);

/// Reads a payload whose signature has been verified.
///
/// # Errors
/// [`NotAnEvent`] when it can't be told apart from others: that is for the log, and for a 400.
pub fn parse(bytes: &[u8]) -> Result<Event, NotAnEvent> {
    let event: Value = serde_json::from_slice(bytes).map_err(|error| NotAnEvent(error.to_string()))?;
    let named = |name: &str| match text(&event, name) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err(NotAnEvent(format!("no {name}"))),
    };
    let (id, kind) = (named("id")?, named("type")?);
    let account = account_of(&event);
    let created_s = created_s(&event);
    let said_ms = created_s.unwrap_or(0).saturating_mul(1_000);
    Ok(Event {
        told: told::told(&event["data"]["object"], account.as_ref(), said_ms, Some(&kind)),
        id,
        kind,
        mode: lean::mode(&event),
        created_s,
        api_version: owned(&event, "api_version"),
        idempotency_key: owned(&event["request"], "idempotency_key")
            .or_else(|| owned(&event["reason"]["request"], "idempotency_key")),
        object: object_of(&event, account.as_ref()),
        account,
    })
}

/// The envelope's `account`; a thin event's `context`, whose last part is the innermost account.
fn account_of(event: &Value) -> Option<AccountId> {
    let account = text(event, "account").or_else(|| text(event, "context")?.rsplit('/').next());
    account.filter(|id| !id.is_empty()).map(AccountId::new)
}

/// Seconds, or in a thin event a time as text.
fn created_s(event: &Value) -> Option<i64> {
    integer(event, "created").or_else(|| Some(text(event, "created")?.parse::<jiff::Timestamp>().ok()?.as_second()))
}

fn object_of(event: &Value, account: Option<&AccountId>) -> EventObject {
    let Some(object) = event["data"].get("object") else {
        let related = &event["related_object"];
        return EventObject::Named { kind: owned(related, "type"), id: owned(related, "id"), unreadable: None };
    };
    let kind = owned(object, "object");
    let read = match (kind.as_deref(), account) {
        (Some("payout"), Some(account)) => lean::payout(object, account).map(EventObject::Payout),
        (Some("account"), _) => lean::account(object).map(EventObject::Account),
        // The platform's own payouts are none of ours.
        (_, _) => return EventObject::Named { kind, id: owned(object, "id"), unreadable: None },
    };
    read.unwrap_or_else(|why| EventObject::Named { kind, id: owned(object, "id"), unreadable: Some(why) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use payout_shared::payout::ObjectStatus;
    use serde_json::json;

    fn payout_event() -> Value {
        json!({
            "id": "evt_1", "object": "event", "type": "payout.paid", "account": "acct_1", "livemode": false,
            "created": 1_800_000_000, "api_version": "2026-09-30.endive", "pending_webhooks": 1,
            "request": {"id": "req_1", "idempotency_key": "payoutd:test:acct_1:usd:2026-12-01#1:create:1:1"},
            "data": {"object": {
                "id": "po_1", "object": "payout", "amount": 1100, "currency": "usd", "status": "paid", "livemode": false,
                "automatic": false, "created": 1_799_999_999, "destination": "ba_1",
                "metadata": {"payoutd_key": "k1", "n": 7}
            }}
        })
    }

    fn read(event: &Value) -> Event {
        parse(event.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_payout_event_gives_the_payout_and_the_key_of_its_request() {
        let event = read(&payout_event());
        assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", "payout.paid"));
        assert_eq!(event.account, Some(AccountId::new("acct_1")));
        assert_eq!((event.mode, event.created_s), (Some(Mode::Test), Some(1_800_000_000)));
        assert_eq!(event.idempotency_key.as_deref(), Some("payoutd:test:acct_1:usd:2026-12-01#1:create:1:1"));
        let EventObject::Payout(payout) = event.object else { panic!("{:?}", event.object) };
        assert_eq!(payout.account, AccountId::new("acct_1"));
        assert_eq!((payout.status, payout.key.as_deref()), (Some(ObjectStatus::Paid), Some("k1")));
    }

    #[test]
    fn an_unknown_status_is_kept_open_and_unknown_fields_do_no_harm() {
        let mut event = payout_event();
        event["data"]["object"]["status"] = json!("quantum");
        event["data"]["object"]["new_field"] = json!({"deep": [1, 2]});
        let EventObject::Payout(payout) = read(&event).object else { panic!() };
        assert_eq!(payout.status, None);
    }

    #[test]
    fn a_payout_that_cannot_be_read_is_still_named() {
        let mut event = payout_event();
        event["data"]["object"]["amount"] = json!("1100");
        let EventObject::Named { kind, id, unreadable } = read(&event).object else { panic!() };
        assert_eq!((kind.as_deref(), id.as_deref()), (Some("payout"), Some("po_1")));
        assert_eq!(unreadable.as_deref(), Some("payout po_1 (status paid) has no usable amount"));
    }

    #[test]
    fn a_payout_of_the_platform_itself_is_only_named() {
        let mut event = payout_event();
        event["account"] = Value::Null;
        let event = read(&event);
        assert_eq!(event.account, None);
        assert!(matches!(event.object, EventObject::Named { unreadable: None, .. }));
    }

    #[test]
    fn a_thin_event_names_its_object() {
        let event = read(&json!({
            "id": "evt_2", "object": "v2.core.event", "type": "v1.payout.paid", "livemode": true, "context": "org_1/acct_9",
            "created": "2026-12-01T06:00:01.500Z", "reason": {"type": "request", "request": {"idempotency_key": "k2"}},
            "related_object": {"id": "po_9", "type": "payout", "url": "/v1/payouts/po_9"}
        }));
        assert_eq!(event.account, Some(AccountId::new("acct_9")));
        assert_eq!((event.mode, event.created_s), (Some(Mode::Live), Some(1_796_104_801)));
        assert_eq!(event.idempotency_key.as_deref(), Some("k2"));
        let named = EventObject::Named { kind: Some("payout".into()), id: Some("po_9".into()), unreadable: None };
        assert_eq!(event.object, named);
    }

    #[test]
    fn an_account_event_gives_the_account() {
        let event = read(&json!({
            "id": "evt_3", "type": "account.updated", "account": "acct_1", "livemode": false,
            "data": {"object": {"id": "acct_1", "object": "account", "payouts_enabled": true,
                "requirements": {"disabled_reason": null},
                "external_accounts": {"data": [
                    {"id": "ba_1", "object": "bank_account", "currency": "usd", "status": "errored", "default_for_currency": true},
                    {"id": "crypto_1", "object": "wallet"}
                ]}}}
        }));
        let EventObject::Account(account) = event.object else { panic!() };
        assert!(account.payouts_enabled && !account.charges_enabled);
        assert_eq!(account.banks.len(), 1);
        assert_eq!(account.banks[0].status, "errored");
    }

    #[test]
    fn what_has_no_id_or_type_is_not_an_event() {
        for body in ["", "{", "[]", "null", r#"{"type":"ping"}"#, r#"{"id":"evt_1"}"#, r#"{"id":1,"type":"x"}"#] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        let bare = parse(br#"{"id":"evt_1","type":"x"}"#).unwrap();
        assert_eq!((bare.mode, bare.created_s), (None, None));
    }
}
