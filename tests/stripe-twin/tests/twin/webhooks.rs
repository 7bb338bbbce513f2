//! Deliveries over real sockets: signed, in order, and again until they are accepted.

use std::sync::{Arc, Mutex};

use stripe_twin::{AccountSpec, Config, Handle, Rules, WebhookTarget, serve, sign};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bench::{answer, get, pay};

/// One delivery: the signature header and the exact body.
type Delivery = (String, String);

/// Takes deliveries one connection at a time and answers the first `refusals` with a 500.
async fn endpoint(listener: TcpListener, refusals: usize, seen: Arc<Mutex<Vec<Delivery>>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let n = stream.read(&mut chunk).await.unwrap();
            all.extend_from_slice(&chunk[..n]);
            let text = String::from_utf8(all.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == wanted.parse::<usize>().unwrap() {
                break (head.to_owned(), body.to_owned());
            }
        };
        let signature = head.lines().find_map(|line| line.strip_prefix("stripe-signature: ")).unwrap().to_owned();
        let nth = {
            let mut seen = seen.lock().unwrap();
            seen.push((signature, body));
            seen.len()
        };
        let status = if nth <= refusals { "500 No" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn twin(port: u16) -> Handle {
    let webhook = WebhookTarget { url: format!("http://127.0.0.1:{port}/hook"), secret: "whsec_x".into() };
    let accounts = vec![AccountSpec::new("acct_a", "US", "usd", 10_000)];
    let rules = Rules { settle_ms: 50, ..Rules::default() };
    serve(Config { accounts, rules, webhook: Some(webhook), ..Config::default() }).await.unwrap()
}

async fn delivered(handle: &Handle, wanted: u64) {
    while handle.twin.stats().webhooks.delivered < wanted {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_event_arrives_signed_and_a_refused_one_comes_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handle = twin(listener.local_addr().unwrap().port()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taker = tokio::spawn(endpoint(listener, 1, Arc::clone(&seen)));
    let _ = handle.twin.handle(&pay("acct_a", "k", "amount=100&currency=usd"));
    delivered(&handle, 3).await;
    let seen = seen.lock().unwrap().clone();
    for (signature, body) in &seen {
        let at_s = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(*signature, sign("whsec_x", at_s, body.as_bytes()));
    }
    let mut kinds: Vec<String> = seen
        .iter()
        .map(|(_, body)| serde_json::from_str::<serde_json::Value>(body).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((kinds[0].as_str(), kinds.len()), ("payout.created", 4));
    kinds.sort();
    assert_eq!(kinds, ["payout.created", "payout.created", "payout.paid", "payout.updated"]);
    assert_eq!(handle.twin.stats().webhooks.failed, 1);
    taker.abort();
    handle.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_was_away_gets_everything_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let handle = twin(addr.port()).await;
    let _ = handle.twin.handle(&pay("acct_a", "k", "amount=100&currency=usd"));
    while handle.twin.stats().webhooks.failed == 0 {
        tokio::task::yield_now().await;
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taker = tokio::spawn(endpoint(TcpListener::bind(addr).await.unwrap(), 0, Arc::clone(&seen)));
    delivered(&handle, 3).await;
    assert_eq!(seen.lock().unwrap().len(), 3);
    assert_eq!(handle.twin.stats().webhooks.pending, 0);
    taker.abort();
    handle.stop().await;
}

/// Asks the twin's API over its own handle.
fn ask(handle: &Handle, account: &str, path: &str, body: &str) -> serde_json::Value {
    let mut request = pay(account, "", body);
    *request.uri_mut() = path.parse().unwrap();
    answer(handle.twin.handle(&request)).json
}

#[tokio::test]
async fn an_endpoint_of_the_apis_is_tried_again_by_the_date_under_its_own_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let accounts = vec![AccountSpec::new("acct_a", "US", "usd", 10_000)];
    let handle = serve(Config { accounts, ..Config::default() }).await.unwrap();
    let body = format!("url={url}&enabled_events[]=payout.created&connect=true");
    let hook = ask(&handle, "", "/v1/webhook_endpoints", &body);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taker = tokio::spawn(endpoint(listener, 2, Arc::clone(&seen)));
    ask(&handle, "acct_a", "/v1/payouts", "amount=100&currency=usd");
    for failed in 1..=2 {
        while handle.twin.stats().endpoints.failed < failed {
            tokio::task::yield_now().await;
        }
        let undelivered = answer(handle.twin.handle(&get("acct_a", "/v1/events?delivery_success=false"))).json;
        assert_eq!(undelivered["data"].as_array().unwrap().len(), 1);
        assert_eq!(handle.twin.stats().endpoints.pending, 1);
        handle.twin.clock().advance_date_ms(3 * 3_600_000);
    }
    while handle.twin.stats().endpoints.delivered < 1 {
        tokio::task::yield_now().await;
    }
    let undelivered = answer(handle.twin.handle(&get("acct_a", "/v1/events?delivery_success=false"))).json;
    assert!(undelivered["data"].as_array().unwrap().is_empty());
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    for (signature, body) in &seen {
        let at_s = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(*signature, sign(hook["secret"].as_str().unwrap(), at_s, body.as_bytes()));
    }
    taker.abort();
    handle.stop().await;
}
