//! The webhook door over real HTTP.
use crate::room::Room;
use payoutd::{
    doors::webhooks::{Webhooks, serve},
    stripe::signature,
};
use secrecy::SecretString;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const NOW: &str = "2026-12-01T06:00:00Z";
const SECRET: &str = "whsec_test";

async fn open(room: &Room, secrets: &[&str]) -> SocketAddr {
    let door = Webhooks {
        store: room.store().clone(),
        clock: room.clock.clone(),
        wake: room.wake.clone(),
        changed: room.changed.clone(),
        secrets: secrets.iter().copied().map(SecretString::from).collect(),
        body_bytes_max: 4_096,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(door, listener, room.stop.clone()));
    address
}

fn event(id: &str, livemode: bool) -> String {
    serde_json::json!({
        "id": id, "object": "event", "type": "payout.paid", "account": "acct_1", "livemode": livemode, "created": 1_796_104_800,
        "data": {"object": {"id": "po_1", "object": "payout", "amount": 1100, "currency": "usd", "status": "paid",
            "livemode": livemode, "created": 1_796_104_700}}
    })
    .to_string()
}

fn signed(room: &Room, body: &str, secret: &str) -> String {
    signature::sign(&SecretString::from(secret), body.as_bytes(), room.clock.now_ms() / 1_000)
}

/// Posts and gives the status.
async fn post(address: SocketAddr, header: Option<&str>, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let signature = header.map_or_else(String::new, |header| format!("Stripe-Signature: {header}\r\n"));
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n{signature}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body that is too large may be refused before it is taken.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_bad_signature_stores_nothing() {
    let room = Room::at(NOW).await;
    let address = open(&room, &[SECRET]).await;
    let body = event("evt_1", false);
    let genuine = signed(&room, &body, SECRET);
    assert_eq!(post(address, None, r#"{"type":"ping"}"#).await, 400, "unsigned");
    assert_eq!(post(address, Some(&signed(&room, &body, "whsec_other")), &body).await, 400, "another's");
    assert_eq!(post(address, Some(&genuine), &event("evt_2", false)).await, 400, "of another body");
    room.hand.jump_wall(301_000);
    assert_eq!(post(address, Some(&genuine), &body).await, 400, "old");
    assert_eq!(room.store().inbox_backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn a_duplicate_event_is_stored_once() {
    let room = Room::at(NOW).await;
    let address = open(&room, &["whsec_old", SECRET]).await;
    let body = event("evt_1", false);
    for _ in 0..3 {
        assert_eq!(post(address, Some(&signed(&room, &body, SECRET)), &body).await, 200);
        room.hand.advance(1_000);
    }
    room.wake.woken().await;
    let stored = room.store().inbox_todo(10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].event.body, body, "the raw bytes");
    assert_eq!(stored[0].event.object_id.as_deref(), Some("po_1"));
}

#[tokio::test]
async fn the_store_failing_answers_503() {
    let room = Room::at(NOW).await;
    let address = open(&room, &[SECRET]).await;
    room.store().close().await;
    let body = event("evt_1", false);
    assert_eq!(post(address, Some(&signed(&room, &body, SECRET)), &body).await, 503);
}

#[tokio::test]
async fn without_a_secret_nothing_is_believed() {
    let room = Room::at(NOW).await;
    for secrets in [&[][..], &[""]] {
        let address = open(&room, secrets).await;
        let body = event("evt_1", false);
        assert_eq!(post(address, Some(&signed(&room, &body, "")), &body).await, 503);
    }
    assert_eq!(room.store().inbox_backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_of_the_other_mode_is_recorded_for_the_engine_to_set_aside() {
    let room = Room::at(NOW).await;
    let address = open(&room, &[SECRET]).await;
    let body = event("evt_1", true);
    assert_eq!(
        post(address, Some(&signed(&room, &body, SECRET)), &body).await,
        200,
        "an error would make Stripe send it for days"
    );
    let stored = room.store().inbox_todo(10).await.unwrap();
    assert_eq!(stored.iter().map(|row| row.event.livemode).collect::<Vec<_>>(), [true], "refused, and recorded");
}

#[tokio::test]
async fn a_body_over_the_limit_and_a_signed_text_that_is_no_event_are_refused() {
    let room = Room::at(NOW).await;
    let address = open(&room, &[SECRET]).await;
    let huge = "x".repeat(5_000);
    assert_eq!(post(address, Some(&signed(&room, &huge, SECRET)), &huge).await, 413);
    assert_eq!(post(address, Some(&signed(&room, "{}", SECRET)), "{}").await, 400);
    assert_eq!(room.store().inbox_backlog().await.unwrap(), 0);
}
