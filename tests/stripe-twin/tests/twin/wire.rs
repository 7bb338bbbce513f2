//! The wire itself, over real sockets: headers, drops, resets, cut bodies, and the date.

use std::io::ErrorKind;

use stripe_twin::{AccountSpec, Config, Handle, Rules, TEST_KEY, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn twin(faults: &str) -> Handle {
    let accounts = vec![AccountSpec::new("acct_a", "US", "usd", 10_000)];
    serve(Config { accounts, faults: faults.parse().unwrap(), rules: Rules::default(), ..Config::default() })
        .await
        .unwrap()
}

fn pay_bytes(key: &str) -> Vec<u8> {
    let body = "amount=100&currency=usd";
    format!(
        "POST /v1/payouts HTTP/1.1\r\nhost: twin\r\nauthorization: Bearer {TEST_KEY}\r\nstripe-account: acct_a\r\n\
         idempotency-key: {key}\r\nstripe-version: 2024-06-20\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Everything the twin sends until the connection ends, and how it ended.
async fn converse(handle: &Handle, request: &[u8]) -> (String, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(handle.addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => return (String::from_utf8(all).unwrap(), None),
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(error) => return (String::from_utf8(all).unwrap(), Some(error.kind())),
        }
    }
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name).map(|(_, value)| value))
}

#[tokio::test]
async fn an_answer_carries_stripes_headers() {
    let handle = twin("").await;
    handle.twin.clock().set_offset_ms(-1_000_000_000_000);
    let (answer, _) = converse(&handle, &pay_bytes("k")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(header(&answer, "stripe-version"), Some("2024-06-20"));
    assert_eq!(header(&answer, "stripe-account"), Some("acct_a"));
    assert_eq!(header(&answer, "idempotency-key"), Some("k"));
    assert_eq!(header(&answer, "stripe-should-retry"), Some("false"));
    assert_eq!(header(&answer, "original-request"), header(&answer, "request-id"));
    assert_eq!(header(&answer, "idempotent-replayed"), None);
    let date = header(&answer, "date").unwrap();
    assert!(date.ends_with(" GMT") && (date.contains(" 199") || date.contains(" 200")), "{date}");
    let (again, _) = converse(&handle, &pay_bytes("k")).await;
    assert_eq!(header(&again, "idempotent-replayed"), Some("true"));
    assert_eq!(header(&again, "original-request"), header(&answer, "request-id"));
    assert_eq!(handle.twin.stats().money_in_flight, 0);
    handle.stop().await;
}

#[tokio::test]
async fn a_dropped_answer_has_not_one_byte() {
    let handle = twin("executed-then-dropped=100x1").await;
    let (answer, _) = converse(&handle, &pay_bytes("k")).await;
    assert_eq!(answer, "");
    assert_eq!(handle.twin.ledger().len(), 1);
    let (answer, _) = converse(&handle, &pay_bytes("k")).await;
    assert_eq!(header(&answer, "idempotent-replayed"), Some("true"));
    handle.stop().await;
}

#[tokio::test]
async fn a_reset_is_a_real_one_and_executes_nothing() {
    let handle = twin("reset-before=100x1").await;
    let (answer, end) = converse(&handle, &pay_bytes("k")).await;
    assert_eq!((answer.as_str(), end), ("", Some(ErrorKind::ConnectionReset)));
    assert!(handle.twin.ledger().is_empty());
    handle.stop().await;
}

#[tokio::test]
async fn an_unreadable_body_is_cut_or_no_json() {
    let handle = twin("unreadable-body=100x1").await;
    let mut cut = 0;
    for n in 0..12 {
        let (answer, _) = converse(&handle, &pay_bytes(&format!("k{n}"))).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let promised: usize = header(&answer, "content-length").unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(serde_json::from_str::<serde_json::Value>(body).is_err());
        cut += usize::from(body.len() < promised);
    }
    assert!((1..12).contains(&cut), "{cut}");
    assert_eq!(handle.twin.ledger().len(), 12);
    handle.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_in_use() {
    let handle = twin("slow=100x1@50").await;
    for n in 0..8 {
        let mut stream = TcpStream::connect(handle.addr).await.unwrap();
        stream.write_all(&pay_bytes(&format!("k{n}"))).await.unwrap();
        while handle.twin.stats().requests.values().sum::<u64>() <= n {
            tokio::task::yield_now().await;
        }
    }
    while handle.twin.stats().money_in_flight > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(handle.twin.ledger().len(), 8);
    handle.stop().await;
}

#[tokio::test]
async fn the_offset_file_moves_the_date() {
    let path = std::env::temp_dir().join(format!("stripe-twin-offset-{}", std::process::id()));
    std::fs::write(&path, "86400000\n").unwrap();
    let handle = serve(Config { clock_offset_file: Some(path.clone()), ..Config::default() }).await.unwrap();
    let request = b"GET /_twin/clock HTTP/1.1\r\nhost: twin\r\nconnection: close\r\n\r\n";
    let date_ms = |answer: &str| {
        let value: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        value["date_ms"].as_i64().unwrap()
    };
    let before = date_ms(&converse(&handle, request).await.0);
    std::fs::write(&path, "172800000\n").unwrap();
    let file = std::fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let after = date_ms(&converse(&handle, request).await.0);
    assert!((86_400_000..86_460_000).contains(&(after - before)), "{before} {after}");
    std::fs::remove_file(&path).unwrap();
    handle.stop().await;
}
