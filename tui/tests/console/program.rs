//! The commands as a real process against a server on a real socket: output and exit codes.
use crate::{
    fake::{Fake, socket},
    fixtures::{ended_parts, parts, row, shown},
};
use payout_proto::v1;
use std::{path::Path, process::Output};
use tokio::process::Command;

async fn payout(socket: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payout"));
    command.arg("--socket").arg(socket).args(args).stdin(std::process::Stdio::null());
    command.output().await.unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    assert_eq!(code(output), 0, "{}", complained(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn without_a_daemon_every_command_says_so_and_exits_with_3() {
    let (_dir, path) = socket();
    for args in
        [&["status"][..], &["pause", "--reason", "x"], &["run", "watch"], &["books"], &["payouts"], &["dial-stdio"]]
    {
        let output = payout(&path, args).await;
        assert_eq!(code(&output), 3, "{args:?}");
        assert!(complained(&output).contains(&path.display().to_string()), "{args:?}: {}", complained(&output));
    }
}

#[tokio::test]
async fn usage_is_2() {
    let (_dir, path) = socket();
    for args in [&["pause"][..], &["frobnicate"], &["payouts", "--status", "nope"], &["schedule", "next", "0"], &[]] {
        assert_eq!(code(&payout(&path, args).await), 2, "{args:?}");
    }
}

#[tokio::test]
async fn status_pause_and_show_speak_json_with_stable_names() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().shown = shown(5);
    let status = json(&payout(&path, &["status", "--json"]).await);
    assert_eq!(status["daemon"]["mode"], "live");
    assert_eq!(status["run"]["money"][0]["total"], serde_json::json!({"minor": 987_102_044, "currency": "eur"}));
    assert_eq!(status["run"]["started_at"], "2026-12-01T06:00:00.000Z");
    assert_eq!(status["states"]["failed"], 341);
    let paused = json(&payout(&path, &["--json", "pause", "--run", "2026-12-01#1", "--reason", "why"]).await);
    assert_eq!(paused, serde_json::json!({"state": "pausing", "in_flight": 24, "seq": 91}));
    assert_eq!(
        fake.script.lock().unwrap().paused[0],
        v1::PauseRequest { run: "2026-12-01#1".into(), reason: "why".into() }
    );
    let shown = json(&payout(&path, &["show", "pay_1", "--json"]).await);
    assert_eq!(shown["payout"]["id"], "pay_1");
    assert_eq!(shown["attempts"][0]["error_code"], "payouts_not_allowed");
}

#[tokio::test]
async fn every_refusal_has_its_exit_code() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let pause = ["pause", "--reason", "x"];
    for (status, expected) in [
        (tonic::Status::permission_denied("operators only"), 4),
        (tonic::Status::failed_precondition("no"), 1),
        (tonic::Status::invalid_argument("no"), 1),
        (tonic::Status::unavailable("no"), 3),
    ] {
        fake.script.lock().unwrap().pause = Some(status);
        assert_eq!(code(&payout(&path, &pause).await), expected);
    }
    assert_eq!(code(&payout(&path, &["run", "show", "nope"]).await), 1);
    fake.script.lock().unwrap().schedule = Some(tonic::Status::already_exists("armed already"));
    assert_eq!(code(&payout(&path, &["schedule", "arm", "--reason", "x"]).await), 5);
    assert_eq!(code(&payout(&path, &["--read-only", "pause", "--reason", "x"]).await), 4);
}

#[tokio::test]
async fn payouts_are_paged_to_the_end_as_csv_and_json() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let mut rows: Vec<_> = (1..=2_500).map(row).collect();
    rows[4].failure_reason = "a \"quoted\", reason".into();
    fake.script.lock().unwrap().rows = rows;
    let document = json(&payout(&path, &["payouts", "--json"]).await);
    assert_eq!(document["total"], 2_500);
    assert_eq!(document["payouts"].as_array().unwrap().len(), 2_500);
    let csv = said(&payout(&path, &["payouts", "--csv", "--status", "failed", "--limit", "1200"]).await);
    assert_eq!(csv.lines().count(), 501);
    assert!(csv.contains("\"a \"\"quoted\"\", reason\""));
    let text = said(&payout(&path, &["payouts"]).await);
    assert_eq!(text.lines().count(), 101);
}

#[tokio::test]
async fn a_file_is_imported_whole_and_one_that_can_not_be_read_is_not() {
    let (dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let file = dir.path().join("e.csv");
    std::fs::write(&file, vec![b'x'; 200_000]).unwrap();
    let done = json(&payout(&path, &["earnings", "import", file.to_str().unwrap(), "--json"]).await);
    assert_eq!(done["imported"], 2);
    assert_eq!(fake.script.lock().unwrap().imported.take().unwrap().len(), 200_000);
    let missing = payout(&path, &["earnings", "import", "/does/not/exist.csv"]).await;
    assert_eq!(code(&missing), 1);
    assert!(complained(&missing).contains("/does/not/exist.csv"));
    // Opens, but can't be read: half a file must not look like a whole one.
    let broken = payout(&path, &["earnings", "import", "/proc/self/mem"]).await;
    assert_eq!(code(&broken), 1);
    assert!(fake.script.lock().unwrap().imported.is_none());
}

#[tokio::test]
async fn broken_books_are_1() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    assert_eq!(code(&payout(&path, &["books"]).await), 0);
    let books = v1::CheckBooksReply {
        violations: vec!["purse x is off by 1".into()],
        violations_total: 1,
        ..v1::CheckBooksReply::default()
    };
    fake.script.lock().unwrap().books = books;
    let output = payout(&path, &["books"]).await;
    assert_eq!(code(&output), 1);
    assert!(said(&output).contains("purse x is off by 1"));
}

#[tokio::test]
async fn run_watch_ends_with_the_run() {
    let (_dir, path) = socket();
    let mut fake = Fake::start(&path, ended_parts());
    assert_eq!(code(&payout(&path, &["run", "watch"]).await), 5, "no run is open");
    let program = tokio::spawn(async move { payout(&path, &["run", "watch", "2026-12-01#1", "--plain"]).await });
    let watcher = fake.watchers.recv().await.unwrap();
    let frame = |seq, parts| Ok(v1::WatchFrame { epoch: 1, seq, frame: Some(v1::watch_frame::Frame::Snapshot(parts)) });
    watcher.frames.send(frame(1, parts("running"))).await.unwrap();
    watcher.frames.send(frame(2, ended_parts())).await.unwrap();
    let output = program.await.unwrap();
    assert_eq!(code(&output), 1, "it ended with failures");
    let lines = said(&output);
    assert!(lines.contains("RUNNING 5,212/41,880 12.4%") && lines.contains("COMPLETED_WITH_FAILURES"), "{lines}");
}

#[tokio::test]
async fn a_dry_run_ends_with_its_totals() {
    let (_dir, path) = socket();
    let _fake = Fake::start(&path, parts("running"));
    let document = json(&payout(&path, &["run", "start", "--dry-run", "--json"]).await);
    assert_eq!(document["total"]["payouts"], 1);
    assert_eq!(document["lines"][0]["amount"]["minor"], 1234);
}

#[tokio::test]
async fn dial_stdio_is_a_way_to_the_socket() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_dir, path) = socket();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_payout"))
        .args(["--socket", path.to_str().unwrap(), "dial-stdio"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    child.stdin.as_mut().unwrap().write_all(b"ping").await.unwrap();
    let mut heard = [0; 4];
    peer.read_exact(&mut heard).await.unwrap();
    peer.write_all(b"pong").await.unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"pong");
    drop(peer);
    assert!(child.wait().await.unwrap().success());
}
