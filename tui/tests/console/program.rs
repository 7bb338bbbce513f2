//! The commands as a real process against a server on a real socket: output and exit codes.
use crate::{
    fake::{Fake, socket},
    fixtures::{ended_parts, parts, row, shown},
};
use payout_proto::v1;
use std::{path::Path, process::Output};
use tokio::process::Command;

pub(crate) async fn payout(socket: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payout"));
    command.arg("--socket").arg(socket).args(args).stdin(std::process::Stdio::null());
    command.output().await.unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn json(output: &Output) -> serde_json::Value {
    assert_eq!(code(output), 0, "{}", complained(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn without_a_daemon_every_command_says_so_and_exits_with_3() {
    let (_dir, path) = socket();
    for args in [
        &["status"][..],
        &["creators"],
        &["hold", "c", "--reason", "x"],
        &["pause", "--reason", "x"],
        &["run", "watch"],
        &["books"],
        &["payouts"],
        &["dial-stdio"],
    ] {
        let output = payout(&path, args).await;
        assert_eq!(code(&output), 3, "{args:?}");
        assert!(complained(&output).contains(&path.display().to_string()), "{args:?}: {}", complained(&output));
    }
}

#[tokio::test]
async fn usage_is_2() {
    let (_dir, path) = socket();
    for args in [
        &["pause"][..],
        &["frobnicate"],
        &["payouts", "--status", "nope"],
        &["schedule", "next", "0"],
        &["hold", "c"],
        &["release", "c"],
        &["creators", "--reason", "ugly"],
        &[],
    ] {
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
async fn status_says_what_was_read_of_the_budget_who_was_short_and_who_drifts() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let before = said(&payout(&path, &["status"]).await);
    for line in ["reads  ", "short  ", "drift  "] {
        assert!(!before.contains(line), "nothing to say of it: {before}");
    }
    {
        let parts = &mut fake.script.lock().unwrap().parts;
        parts.daemon.as_mut().unwrap().drifting = 3;
        let run = parts.run.as_mut().unwrap();
        (run.reads, run.reads_budget, run.stripe_short) = (1_234, 5_000, 7);
    }
    let text = said(&payout(&path, &["status"]).await);
    for words in ["reads     1,234 of a budget of 5,000", "short     7 purses", "drift     3 purses"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("OVER BUDGET"));
    let document = json(&payout(&path, &["status", "--json"]).await);
    assert_eq!(document["run"]["reads"], serde_json::json!({"used": 1_234, "budget": 5_000}));
    assert_eq!((&document["run"]["stripe_short"], &document["daemon"]["drifting"]), (&7.into(), &3.into()));
    fake.script.lock().unwrap().parts.run.as_mut().unwrap().reads = 5_001;
    assert!(said(&payout(&path, &["status"]).await).contains("OVER BUDGET"));
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
async fn a_retry_of_which_some_are_refused_is_no_success() {
    let (_dir, path) = socket();
    let _fake = Fake::start(&path, parts("running"));
    let retry = |payouts: &'static [&'static str]| {
        let path = path.clone();
        async move { payout(&path, &[&["retry", "--reason", "x"], payouts].concat()).await }
    };
    for (payouts, expected) in [(&["pay_1", "pay_2"][..], 0), (&["pay_1", "paid_2"], 1), (&["paid_1"], 1)] {
        assert_eq!(code(&retry(payouts).await), expected, "{payouts:?}");
    }
    let mixed = retry(&["pay_1", "paid_2"]).await;
    assert!(said(&mixed).contains("again    pay_1") && said(&mixed).contains("it is paid"), "{mixed:?}");
    assert!(complained(&mixed).contains("1 taken, 1 refused"), "{mixed:?}");
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

#[tokio::test]
async fn a_hold_and_a_release_say_what_they_did_and_have_their_exit_codes() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let held = json(&payout(&path, &["hold", "alice", "--reason", "fraud?", "--json"]).await);
    assert_eq!(
        (&held["creator_id"], &held["hold"]["cause"], &held["seq"]),
        (&"alice".into(), &"person".into(), &7.into())
    );
    let text = said(&payout(&path, &["hold", "alice", "--reason", "fraud?"]).await);
    assert!(text.contains("held from the next send on (#7)") && text.contains("1 on their way"), "{text}");
    let hold = v1::HoldPart {
        cause: "bank_account_closed".into(),
        reason: "it came back".into(),
        placed_by: "engine".into(),
        placed_at_ms: crate::fixtures::NOW_MS,
    };
    fake.script.lock().unwrap().creator.holds = vec![hold];
    let args = ["release", "alice", "--reason", "new bank", "--cause", "bank_account_closed"];
    let text = said(&payout(&path, &args).await);
    assert!(text.contains("released  bank_account_closed: it came back, by engine at 2026-12-01 06:03:41Z"), "{text}");
    let heard = fake.script.lock().unwrap().released.remove(0);
    assert_eq!((heard.creator_id.as_str(), heard.cause.as_str()), ("alice", "bank_account_closed"));
    let document = json(&payout(&path, &["release", "alice", "--reason", "fine", "--json"]).await);
    assert_eq!(document["released"][0]["placed_at"], "2026-12-01T06:03:41.000Z");
    for (status, expected) in [
        (tonic::Status::already_exists("alice is held already"), 5),
        (tonic::Status::permission_denied("ann(7) is viewer; to hold .. the role support .. is needed"), 4),
        (tonic::Status::not_found("there is no creator alice"), 1),
    ] {
        fake.script.lock().unwrap().hold = Some(status.clone());
        for args in [["hold", "alice", "--reason", "x"], ["release", "alice", "--reason", "x"]] {
            let output = payout(&path, &args).await;
            assert_eq!(code(&output), expected, "{args:?}");
            assert!(complained(&output).contains(status.message()));
        }
    }
    assert_eq!(code(&payout(&path, &["--read-only", "hold", "alice", "--reason", "x"]).await), 4);
}

fn creator_line(n: usize) -> v1::DryRunLine {
    let is_payout = n.is_multiple_of(3);
    v1::DryRunLine {
        creator_id: format!("creator-{n:04}"),
        account_id: format!("acct_{n}"),
        currency: "usd".into(),
        outcome: if is_payout { "payout" } else { "skip" }.into(),
        amount_minor: if is_payout { 1_234 } else { 0 },
        reason: if is_payout { "" } else { "below_minimum" }.into(),
        sentence: if is_payout { "" } else { "needs 4.20 USD more, to reach the minimum" }.into(),
        ..v1::DryRunLine::default()
    }
}

#[tokio::test]
async fn creators_are_paged_to_the_end_with_amount_or_reason() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().creators = (0..1_200).map(creator_line).collect();
    let document = json(&payout(&path, &["creators", "--json"]).await);
    assert_eq!((document["creators"].as_array().unwrap().len(), &document["more"]), (1_200, &false.into()));
    assert_eq!(document["creators"][0]["amount"], serde_json::json!({"minor": 1_234, "currency": "usd"}));
    assert_eq!(document["creators"][1]["reason"], "below_minimum");
    let csv = said(&payout(&path, &["creators", "--why-not", "--csv"]).await);
    assert_eq!(csv.lines().count(), 801);
    assert!(csv.contains("creator-0001,acct_1,usd,skip,,below_minimum,\"needs 4.20 USD more, to reach the minimum\""));
    let output = payout(&path, &["creators"]).await;
    assert_eq!(said(&output).lines().count(), 101);
    assert!(complained(&output).contains("more with --limit"));
    let text = said(&payout(&path, &["creators", "--reason", "below_minimum", "--limit", "2"]).await);
    assert!(text.contains("needs 4.20 USD more") && !text.contains("payout"), "{text}");
    let limited = json(&payout(&path, &["creators", "--limit", "3", "--json"]).await);
    assert_eq!((limited["creators"].as_array().unwrap().len(), &limited["more"]), (3, &true.into()));
}

fn alice() -> v1::ShowCreatorReply {
    let bank =
        v1::BankPart { currency: "usd".into(), destination_id: "ba_1".into(), status: "new".into(), changed_at_ms: 0 };
    let account = v1::AccountPart {
        account_id: "acct_1".into(),
        country: "US".into(),
        is_current: true,
        disabled_reason: "requirements.past_due".into(),
        schedule_interval: "manual".into(),
        read_at_ms: crate::fixtures::NOW_MS,
        banks: vec![bank],
        ..v1::AccountPart::default()
    };
    let purse = v1::PursePart {
        currency: "usd".into(),
        free_minor: 5_000,
        debt_minor: 0,
        reserved_minor: 321,
        disputed_minor: 432,
        estimated_minor: 543,
        decision: Some(creator_line(1)),
        ..v1::PursePart::default()
    };
    v1::ShowCreatorReply {
        user_enabled: true,
        settings_enabled: true,
        beta_open: true,
        accounts: vec![account],
        holds: vec![v1::HoldPart {
            cause: "person".into(),
            reason: "fraud?".into(),
            placed_by: "user:ann(7)".into(),
            placed_at_ms: 0,
        }],
        purses: vec![purse],
        payouts: vec![row(5)],
        platform_refunds: vec![v1::PlatformRefund {
            refund_id: "re_7".into(),
            charge_id: "ch_7".into(),
            amount_minor: 654,
            currency: "usd".into(),
            at_ms: crate::fixtures::NOW_MS,
        }],
        platform_refunds_total: 1,
        facts_waiting: 8,
        facts_before: 9,
        ..v1::ShowCreatorReply::default()
    }
}

#[tokio::test]
async fn one_creator_is_shown_whole_as_text_and_json() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().creator = alice();
    let text = said(&payout(&path, &["creator", "alice"]).await);
    for words in [
        "alice",
        "PAYOUTS DISABLED",
        "requirements.past_due",
        "ba_1 for USD: new",
        "fraud?, by user:ann(7)",
        "50.00 USD",
        "3.21 USD",
        "disputed  4.32 USD",
        "estimate  5.43 USD",
        "refunds   1 without a reversal",
        "re_7 6.54 USD of ch_7",
        "waiting   8 of what Stripe told",
        "before    9 of what Stripe told",
        "below_minimum",
        "2026-12-01#1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let document = json(&payout(&path, &["creator", "alice", "--json"]).await);
    assert_eq!(document["accounts"][0]["disabled_reason"], "requirements.past_due");
    assert_eq!(document["purses"][0]["free"], serde_json::json!({"minor": 5_000, "currency": "usd"}));
    assert_eq!(document["purses"][0]["decision"]["reason"], "below_minimum");
    for (part, minor) in [("reserved", 321), ("disputed", 432), ("estimated", 543)] {
        assert_eq!(document["purses"][0][part], serde_json::json!({"minor": minor, "currency": "usd"}), "{part}");
    }
    assert_eq!(document["platform_refunds"][0]["refund_id"], "re_7");
    assert_eq!((&document["platform_refunds_total"], &document["facts_waiting"]), (&1.into(), &8.into()));
    assert_eq!(document["facts_before"], 9);
    assert_eq!(code(&payout(&path, &["creator", "ghost"]).await), 1);
}
