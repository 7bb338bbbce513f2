//! Money requests.
use super::{
    KEY, START_MS, payout,
    server::{Act, Server, answer},
    world,
};
use payout_shared::{
    answer::{AnswerMeta, Sent},
    id::ObjectId,
    payout::ObjectStatus,
};
use payoutd::stripe::Stripe as _;
use std::collections::HashMap;

const DATE: &str = "date: Tue, 01 Dec 2026 06:00:01 GMT\r\n";

fn paid() -> Vec<u8> {
    answer("200 OK", &format!("{DATE}request-id: req_1\r\n"), &payout().to_string())
}

/// One create against a server that does this to it; the server saw it exactly once.
async fn once(act: Act) -> Sent {
    let server = Server::start(move |_| act.clone()).await;
    let world = world(&server.base);
    let sent = world.stripe.send(world.create()).await;
    assert_eq!(server.counts().requests, 1, "{sent:?}");
    sent
}

#[tokio::test]
async fn a_create_is_exactly_these_bytes_and_headers() {
    let server = Server::answering(paid()).await;
    let world = world(&server.base);
    let request = world.create();
    let sent = world.stripe.send(request.clone()).await;
    let Sent::Object { object, meta } = sent else { panic!("{sent:?}") };
    assert_eq!((object.id, object.status), (ObjectId::new("po_1"), Some(ObjectStatus::Pending)));
    assert_eq!(object.key.as_deref(), Some(KEY));
    let date_ms = Some(START_MS + 1_000);
    assert_eq!(meta, AnswerMeta { request_id: Some("req_1".into()), date_ms, ..AnswerMeta::default() });
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("POST /v1/payouts HTTP/1.1\n"), "{}", seen.head);
    assert_eq!(seen.body, request.body);
    assert_eq!(seen.header("host"), server.base.strip_prefix("http://"));
    for (name, value) in [
        ("authorization", "Bearer sk_test_123"),
        ("stripe-account", "acct_1"),
        ("idempotency-key", KEY),
        ("stripe-version", "2026-09-30.endive"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("user-agent", concat!("payoutd/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(world.stripe.time(), Some((START_MS + 1_000, 0)));
    world.hand.advance(500);
    assert_eq!(world.stripe.time(), Some((START_MS + 1_500, 500)));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown() {
    for act in [Act::Reset, Act::Close, Act::Answer(b"\x15\x03\x01 not http\r\n\r\n".to_vec())] {
        let sent = once(act.clone()).await;
        assert!(matches!(sent, Sent::Lost { .. }), "{act:?}: {sent:?}");
    }
}

#[tokio::test]
async fn a_timeout_is_lost_and_nothing_is_sent_again() {
    let server = Server::start(|_| Act::Hang).await;
    let world = world(&server.base);
    let sending = tokio::spawn(world.stripe.send(world.create()));
    server.wait(|counts| counts.requests == 1).await;
    world.hand.advance(29_999);
    world.hand.advance(1);
    let Sent::Lost { detail } = sending.await.unwrap() else { panic!() };
    assert_eq!(detail, "no answer within 30000 ms");
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_keeps_its_status_and_headers() {
    let whole = String::from_utf8(paid()).unwrap();
    let sent = once(Act::AnswerAndClose(whole.as_bytes()[..whole.len() - 10].to_vec())).await;
    let Sent::Unreadable { status: 200, detail, meta } = sent else { panic!("{sent:?}") };
    assert!(detail.contains("body was not read"), "{detail}");
    assert_eq!(meta.request_id.as_deref(), Some("req_1"));
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 5 << 20, "x".repeat(5 << 20));
    let sent = once(Act::AnswerAndClose(endless.into_bytes())).await;
    assert!(matches!(sent, Sent::Unreadable { status: 200, .. }), "{sent:?}");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up_with_its_status() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec()).await;
    let world = world(&server.base);
    let sending = tokio::spawn(world.stripe.send(world.create()));
    let deadline = world.clock.boot().plus_ms(30_000);
    world.hand.wait_until(|_, next| next == Some(deadline)).await;
    server.wait(|counts| counts.requests == 1).await;
    world.hand.advance(30_000);
    let sent = sending.await.unwrap();
    assert!(matches!(sent, Sent::Unreadable { status: 200, .. } | Sent::Lost { .. }), "{sent:?}");
}

#[tokio::test]
async fn what_is_no_answer_of_stripes_is_unreadable() {
    for (status, body) in [("502 Bad Gateway", "<html>Bad Gateway</html>"), ("401 Unauthorized", r#"{"error":"no"}"#)] {
        let sent = once(Act::Answer(answer(status, DATE, body))).await;
        let Sent::Unreadable { status: kept, meta, .. } = sent else { panic!("{sent:?}") };
        assert!(status.starts_with(&kept.to_string()));
        assert_eq!(meta.date_ms, Some(START_MS + 1_000));
    }
    let sent = once(Act::Answer(answer("302 Found", "location: /v1/payouts\r\n", ""))).await;
    assert!(matches!(sent, Sent::Unreadable { status: 302, .. }), "a redirect is not followed: {sent:?}");
}

#[tokio::test]
async fn an_object_that_the_types_refuse_still_gives_its_id_and_status() {
    let mut value = payout();
    value["reconciliation_status"] = serde_json::Value::Null;
    let sent = once(Act::Answer(answer("200 OK", "", &value.to_string()))).await;
    let Sent::Object { object, .. } = sent else { panic!("{sent:?}") };
    assert_eq!((object.id, object.status), (ObjectId::new("po_1"), Some(ObjectStatus::Pending)));
    value["amount"] = serde_json::Value::Null;
    let sent = once(Act::Answer(answer("200 OK", "", &value.to_string()))).await;
    let Sent::Unreadable { status: 200, detail, .. } = sent else { panic!("{sent:?}") };
    assert!(detail.contains("po_1") && detail.contains("pending"), "{detail}");
}

#[tokio::test]
async fn an_error_of_stripes_comes_with_all_its_headers() {
    let body =
        r#"{"error":{"type":"invalid_request_error","code":"balance_insufficient","message":"m","doc_url":"d"}}"#;
    let headers = "stripe-should-retry: false\r\nidempotent-replayed: true\r\nretry-after: 2\r\n";
    let sent = once(Act::Answer(answer("400 Bad Request", headers, body))).await;
    let Sent::Error { status: 400, error, meta } = sent else { panic!("{sent:?}") };
    assert_eq!(error.code.as_deref(), Some("balance_insufficient"));
    assert_eq!((meta.should_retry, meta.replayed, meta.retry_after_ms), (Some(false), true, Some(2_000)));
}

#[tokio::test]
async fn without_a_connection_nothing_left() {
    let base = Server::answering(paid()).await.base;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_ne!(base, format!("http://{unused}"));
    let world = world(&format!("http://{unused}"));
    let sent = world.stripe.send(world.create()).await;
    let Sent::NeverLeft { detail } = sent else { panic!("{sent:?}") };
    assert!(detail.contains("onnection refused"), "{detail}");
}

#[tokio::test]
async fn a_connection_that_does_not_open_in_time_means_that_nothing_left() {
    // It takes the connection, and never says a word of TLS.
    let server = Server::start(|_| Act::Hang).await;
    for (send_in_ms, passes_ms) in [(8_000, 5_000), (3_000, 3_000)] {
        let world = world(&server.base.replace("http://", "https://"));
        let mut request = world.create();
        request.send_before = world.clock.boot().plus_ms(send_in_ms);
        let sending = tokio::spawn(world.stripe.send(request));
        let deadline = world.clock.boot().plus_ms(passes_ms);
        world.hand.wait_until(|_, next| next == Some(deadline)).await;
        world.hand.advance(passes_ms);
        let sent = sending.await.unwrap();
        assert!(matches!(sent, Sent::NeverLeft { .. }), "{sent:?}");
    }
    assert_eq!(server.counts().requests, 0);
}

#[tokio::test]
async fn without_tls_on_the_other_side_nothing_leaves() {
    use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, net::TcpListener};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = world(&format!("https://{}", listener.local_addr().unwrap()));
    let sending = tokio::spawn(world.stripe.send(world.create()));
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let Sent::NeverLeft { detail } = sending.await.unwrap() else { panic!() };
    assert!(detail.contains("no connection to https://127.0.0.1"), "{detail}");
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert!(!String::from_utf8_lossy(&heard).contains("sk_test"), "the key goes into no open line");
}

#[tokio::test]
async fn past_its_time_a_request_does_not_leave() {
    let server = Server::answering(paid()).await;
    let world = world(&server.base);
    let mut request = world.create();
    request.send_before = world.clock.boot();
    let sent = world.stripe.send(request).await;
    assert!(matches!(sent, Sent::NeverLeft { .. }), "{sent:?}");
    // Nor on a connection that is open already.
    assert!(matches!(world.stripe.send(world.create()).await, Sent::Object { .. }));
    let mut late = world.create();
    late.send_before = world.clock.boot();
    assert!(matches!(world.stripe.send(late).await, Sent::NeverLeft { .. }));
    assert_eq!(server.counts().requests, 1);
}

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let server = Server::answering(paid()).await;
    let world = world(&server.base);
    for _ in 0..20 {
        assert!(matches!(world.stripe.send(world.create()).await, Sent::Object { .. }));
    }
    let counts = server.counts();
    assert_eq!((counts.requests, counts.connections), (20, 1));
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let server = Server::start(|_| Act::AnswerAndClose(paid())).await;
    let world = world(&server.base);
    for n in 1..=5 {
        assert!(matches!(world.stripe.send(world.create()).await, Sent::Object { .. }));
        server.wait(|counts| counts.closed == n).await;
    }
    assert_eq!(server.counts().requests, 5);
}

#[tokio::test]
async fn an_old_idle_connection_is_not_used_again() {
    let server = Server::answering(paid()).await;
    let world = world(&server.base);
    world.stripe.send(world.create()).await;
    world.hand.advance(20_000);
    world.stripe.send(world.create()).await;
    assert_eq!(server.counts().connections, 2);
}

#[tokio::test]
async fn a_reset_on_a_reused_connection_is_not_sent_again() {
    let server = Server::start(|n| if n == 0 { Act::Answer(paid()) } else { Act::Reset }).await;
    let world = world(&server.base);
    assert!(matches!(world.stripe.send(world.create()).await, Sent::Object { .. }));
    let sent = world.stripe.send(world.create()).await;
    assert!(matches!(sent, Sent::Lost { .. }), "{sent:?}");
    assert_eq!(server.counts().requests, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_connections_are_closed_no_request_arrives_twice_and_none_unsaid() {
    let server = Server::start(|n| match n % 7 {
        2 => Act::Reset,
        4 => Act::Close,
        0 | 5 => Act::AnswerAndClose(paid()),
        _ => Act::Answer(paid()),
    })
    .await;
    let world = world(&server.base);
    let sends = (0..400).map(|n| {
        let mut request = world.create();
        request.key = format!("key-{n}");
        let key = request.key.clone();
        let sending = tokio::spawn(world.stripe.send(request));
        async { (key, sending.await.unwrap()) }
    });
    let outcomes = futures::future::join_all(sends).await;
    let mut arrived: HashMap<String, usize> = HashMap::new();
    for seen in server.seen() {
        *arrived.entry(seen.header("idempotency-key").unwrap().to_owned()).or_default() += 1;
    }
    let mut done = 0;
    for (key, outcome) in outcomes {
        let times = arrived.get(&key).copied().unwrap_or(0);
        assert!(times <= 1, "{key} arrived {times} times");
        match outcome {
            Sent::Object { .. } => {
                assert_eq!(times, 1);
                done += 1;
            }
            Sent::NeverLeft { .. } => assert_eq!(times, 0, "{key} arrived, but is said not to have left"),
            Sent::Lost { .. } => {}
            Sent::Unreadable { .. } | Sent::Error { .. } => panic!("{outcome:?}"),
        }
    }
    assert!(done > 200, "{done}");
}

#[tokio::test]
async fn at_most_so_many_are_on_the_wire_at_once() {
    let server = Server::start(|_| Act::Hang).await;
    let world = world(&server.base);
    let sends: Vec<_> = (0..29).map(|_| tokio::spawn(world.stripe.send(world.create()))).collect();
    server.wait(|counts| counts.requests == 28).await;
    world.hand.wait_until(|sleepers, _| sleepers == 29).await;
    world.hand.advance(8_000);
    let mut outcomes = futures::future::select_all(sends).await;
    assert!(matches!(outcomes.0, Ok(Sent::NeverLeft { .. })), "{:?}", outcomes.0);
    world.hand.advance(30_000);
    while !outcomes.2.is_empty() {
        outcomes = futures::future::select_all(outcomes.2).await;
        assert!(matches!(outcomes.0, Ok(Sent::Lost { .. })), "{:?}", outcomes.0);
    }
    assert_eq!(server.counts().requests, 28);
}

#[tokio::test]
async fn what_is_no_header_never_leaves() {
    let server = Server::answering(paid()).await;
    let world = world(&server.base);
    let mut request = world.create();
    request.key = "a\r\nx-injected: 1".to_owned();
    assert!(matches!(world.stripe.send(request).await, Sent::NeverLeft { .. }));
    assert_eq!(server.counts().connections, 0);
}
