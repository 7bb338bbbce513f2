//! Reads.
use super::{
    payout,
    server::{Act, Server, answer},
    world,
};
use payout_shared::id::{AccountId, ObjectId};
use payoutd::stripe::{
    EventsRequest, ListRequest, MoneyList, ObjectsRequest, ReadError, Stripe as _, limits::ReadClass,
};
use serde_json::json;

fn acct() -> AccountId {
    AccountId::new("acct_1")
}

fn list() -> ListRequest {
    ListRequest { account: acct(), created_from_s: 1_796_000_000, starting_after: None }
}

#[tokio::test]
async fn a_page_is_asked_for_on_behalf_of_the_account() {
    let body = json!({"object": "list", "url": "/v1/payouts", "has_more": true, "data": [payout()]}).to_string();
    let server = Server::answering(answer("200 OK", "date: Tue, 01 Dec 2026 06:00:01 GMT\r\n", &body)).await;
    let world = world(&server.base);
    let page = world.stripe.list(list()).await.unwrap();
    assert_eq!((page.payouts.len(), page.has_more, page.date_ms), (1, true, Some(1_796_104_801_000)));
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("GET /v1/payouts?created[gte]=1796000000&limit=100 HTTP/1.1\n"), "{}", seen.head);
    assert_eq!((seen.header("stripe-account"), seen.header("idempotency-key")), (Some("acct_1"), None));
}

#[tokio::test]
async fn an_account_is_asked_for_by_the_platform() {
    let body = json!({"id": "acct_1", "object": "account", "payouts_enabled": true}).to_string();
    let server = Server::answering(answer("200 OK", "", &body)).await;
    let world = world(&server.base);
    assert!(world.stripe.account(acct()).await.unwrap().payouts_enabled);
    assert_eq!(world.stripe.platform().await, Ok(acct()));
    let other = world.stripe.account(AccountId::new("acct_2")).await;
    assert!(matches!(other, Err(ReadError::Unreadable(_))), "{other:?}");
    let heads: Vec<_> = server.seen().iter().map(|seen| seen.head.lines().next().unwrap().to_owned()).collect();
    let expected = ["GET /v1/accounts/acct_1 HTTP/1.1", "GET /v1/account HTTP/1.1", "GET /v1/accounts/acct_2 HTTP/1.1"];
    assert_eq!(heads, expected);
    assert!(server.seen().iter().all(|seen| seen.header("stripe-account").is_none()));
}

#[tokio::test]
async fn a_balance_and_a_payout_are_read_on_the_account() {
    let balance =
        json!({"object": "balance", "livemode": false, "available": [{"amount": 5, "currency": "usd"}], "pending": []});
    let bodies = [balance.to_string(), payout().to_string()];
    let server = Server::start(move |n| Act::Answer(answer("200 OK", "", &bodies[n]))).await;
    let world = world(&server.base);
    assert_eq!(world.stripe.balance(acct()).await.unwrap().available[0].1, 5);
    assert_eq!(world.stripe.payout(acct(), ObjectId::new("po_1")).await.unwrap().amount_minor, 1_100);
    assert!(server.seen().iter().all(|seen| seen.header("stripe-account") == Some("acct_1")));
}

#[tokio::test]
async fn events_and_objects_are_listed_by_the_platform_page_behind_page() {
    let event = json!({"id": "evt_2", "object": "event", "type": "charge.succeeded"});
    let charge = json!({"object": "charge", "id": "ch_1", "status": "succeeded", "captured": true, "amount": 1000,
        "amount_captured": 1000, "created": 5, "currency": "usd", "transfer_data": {"destination": "acct_1"}});
    let bodies = [
        json!({"object": "list", "has_more": true, "data": [event]}).to_string(),
        json!({"object": "list", "has_more": false, "data": [charge]}).to_string(),
    ];
    let server = Server::start(move |n| Act::Answer(answer("200 OK", "", &bodies[n]))).await;
    let world = world(&server.base);
    let page = world.stripe.events(EventsRequest { created_from_s: 7, starting_after: None }).await.unwrap();
    assert_eq!((page.events.len(), page.next_after.as_deref()), (1, Some("evt_2")));
    let request =
        ObjectsRequest { list: MoneyList::Charges, created_from_s: 7, starting_after: Some("ch_9".to_owned()) };
    let page = world.stripe.objects(request).await.unwrap();
    assert_eq!((page.told.len(), page.next_after), (1, None));
    let seen = server.seen();
    assert!(seen[0].head.starts_with("GET /v1/events?created%5Bgte%5D=7&limit=100&types%5B%5D="), "{}", seen[0].head);
    assert!(
        seen[1].head.starts_with("GET /v1/charges?created%5Bgte%5D=7&limit=100&starting_after=ch_9 "),
        "{}",
        seen[1].head
    );
    assert!(seen.iter().all(|seen| seen.header("stripe-account").is_none()));
}

#[tokio::test]
async fn every_refusal_has_its_kind() {
    type Kind = fn(String) -> ReadError;
    let error =
        |code: &str, message: &str| json!({"error": {"type": "t", "code": code, "message": message}}).to_string();
    let cases: [(&str, String, Kind); 10] = [
        ("401 Unauthorized", error("", "Invalid API Key"), ReadError::Refused),
        ("401 Unauthorized", r#"{"error":"no"}"#.to_owned(), ReadError::Refused),
        ("403 Forbidden", error("more_permissions_required", "not permitted"), ReadError::Refused),
        ("403 Forbidden", error("account_invalid", "no access"), ReadError::NoAccess),
        ("403 Forbidden", error("", "does not have access to account 'acct_1'"), ReadError::NoAccess),
        ("404 Not Found", error("resource_missing", "No such account"), ReadError::NoAccess),
        ("500 Internal Server Error", error("", "oops"), ReadError::Unreachable),
        ("502 Bad Gateway", "<html>".to_owned(), ReadError::Unreachable),
        ("400 Bad Request", error("parameter_unknown", "what?"), ReadError::Unreadable),
        ("200 OK", "<html>".to_owned(), ReadError::Unreadable),
    ];
    for (status, body, kind) in cases {
        let server = Server::answering(answer(status, "request-id: req_1\r\n", &body)).await;
        let error = world(&server.base).stripe.list(list()).await.unwrap_err();
        assert_eq!(
            std::mem::discriminant(&error),
            std::mem::discriminant(&kind(String::new())),
            "{status} {body}: {error}"
        );
        assert_eq!(server.counts().requests, 1, "the engine repeats reads, not the client");
    }
}

#[tokio::test]
async fn a_limited_read_slows_its_class_down() {
    let headers = "retry-after: 7\r\nstripe-rate-limited-reason: endpoint-rate\r\n";
    let server = Server::answering(answer("429 Too Many Requests", headers, r#"{"error":{"type":"t"}}"#)).await;
    let world = world(&server.base);
    assert!(matches!(world.stripe.list(list()).await, Err(ReadError::Limited(_))));
    let next = tokio::spawn(world.stripe.list(list()));
    let held = world.clock.boot().plus_ms(7_000);
    world.hand.wait_until(|_, next| next == Some(held)).await;
    world.limits.read(ReadClass::Balance).await;
    assert_eq!(world.limits.take_creates(1), 1, "creates go on");
    assert_eq!(server.counts().requests, 1);
    world.hand.advance(7_000);
    assert!(matches!(next.await.unwrap(), Err(ReadError::Limited(_))));
}

#[tokio::test]
async fn a_read_without_an_answer_is_unreachable() {
    for act in [Act::Reset, Act::Close] {
        let server = Server::start(move |_| act.clone()).await;
        let error = world(&server.base).stripe.platform().await.unwrap_err();
        assert!(matches!(error, ReadError::Unreachable(_)), "{error}");
    }
}

#[test]
fn plain_http_beyond_loopback_is_refused_before_anything_is_sent() {
    use payoutd::stripe::{OpenError, check_base};
    for base in ["http://api.stripe.com", "http://192.168.0.1", "api.stripe.com", "file:///x", ""] {
        assert_eq!(check_base(base), Err(OpenError::Base(base.to_owned())));
    }
}
