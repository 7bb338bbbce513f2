//! `payout requests | approve | reject | override | adjust`: what is asked of the daemon, what is said, and the exit codes.
use crate::{
    fake::{Fake, socket},
    fixtures::parts,
    program::{code, complained, json, payout, said},
};
use payout_proto::v1;

fn request() -> v1::RequestPart {
    v1::RequestPart {
        id: "req_1".to_owned(),
        kind: "run".to_owned(),
        subject: "run_1".to_owned(),
        detail: r#"{"run":"2026-12-01#1"}"#.to_owned(),
        hash: "0123456789abcdef".to_owned(),
        state: "open".to_owned(),
        requested_by: "schedule".to_owned(),
        reason: "the plan passes a bound".to_owned(),
        created_at_ms: 1_796_104_800_000,
        sentence: "run 2026-12-01#1 with 2 payouts of 70.00 USD".to_owned(),
        approvals: vec![v1::YesPart {
            by: "user:ann(1000)".to_owned(),
            reason: "looked".to_owned(),
            at_ms: 1_796_104_860_000,
        }],
        ..v1::RequestPart::default()
    }
}

#[tokio::test]
async fn what_waits_is_listed_with_its_hash_and_who_agreed() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    assert_eq!(said(&payout(&path, &["requests"]).await), "nothing waits for anybody\n");
    fake.script.lock().unwrap().requests = vec![request()];
    let list = said(&payout(&path, &["requests"]).await);
    for part in ["req_1  OPEN  hash 0123456789abcdef", "2 payouts of 70.00 USD", "approved by user:ann(1000)", "looked"]
    {
        assert!(list.contains(part), "{part}: {list}");
    }
    let listed = json(&payout(&path, &["requests", "--json"]).await);
    assert_eq!(listed["requests"][0]["detail"]["run"], "2026-12-01#1");
    assert_eq!(listed["requests"][0]["approvals"][0]["by"], "user:ann(1000)");
    assert_eq!(listed["requests"][0]["decided_at"], serde_json::Value::Null);
    fake.script.lock().unwrap().requests[0].state = "rejected".to_owned();
    assert_eq!(said(&payout(&path, &["requests"]).await), "nothing waits for anybody\n");
    assert!(said(&payout(&path, &["requests", "--all"]).await).contains("REJECTED"));
}

#[tokio::test]
async fn decisions_and_questions_arrive_as_they_were_written() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().requests = vec![request()];
    for (args, asked) in [
        (
            &["approve", "req_1", "--hash", "0123456789abcdef", "--reason", "I looked"][..],
            "approve req_1 0123456789abcdef I looked",
        ),
        (&["reject", "req_1", "--reason", "too much"], "reject req_1 too much"),
        (
            &["override", "alice", "--cap", "--cycle", "2026-12-01", "--up-to", "80", "--reason", "a large month"],
            "override alice cap 2026-12-01 \"80\" a large month",
        ),
        (
            &["override", "alice", "--bank-changed", "--cycle", "2026-12-01", "--reason", "she called"],
            "override alice bank_changed 2026-12-01 \"\" she called",
        ),
        (
            &["adjust", "alice", "--amount", "-15.00", "--currency", "usd", "--reason", "booked twice"],
            "adjust alice -15.00 usd \"\" \"\" write_off=false booked twice",
        ),
        (&["resolve", "pay_1", "--not-paid", "--reason", "the bank says so"], "not-paid pay_1 the bank says so"),
        (
            &["adjust", "alice", "--amount", "5", "--currency", "usd", "--write-off", "--reason", "gone"],
            "adjust alice 5 usd \"\" \"\" write_off=true gone",
        ),
    ] {
        let output = payout(&path, args).await;
        assert_eq!(code(&output), 0, "{args:?}: {}", complained(&output));
        assert_eq!(fake.script.lock().unwrap().decided.last().unwrap(), asked);
        // Whoever asked is told what the other person types.
        assert_eq!(
            said(&output).contains("payout approve req_1 --hash 0123456789abcdef"),
            !matches!(args[0], "approve" | "reject")
        );
    }
    fake.script.lock().unwrap().requests.clear();
    let again = payout(&path, &["approve", "req_1", "--hash", "0123456789abcdef", "--reason", "x"]).await;
    assert_eq!(code(&again), 1);
    assert!(complained(&again).contains("you have approved it already"), "{}", complained(&again));
    let count = fake.script.lock().unwrap().decided.len();
    for args in [
        &["approve", "req_1", "--reason", "no hash"][..],
        &["override", "alice", "--cycle", "2026-12-01", "--reason", "neither"],
        &["override", "alice", "--cap", "--bank-changed", "--cycle", "2026-12-01", "--reason", "both"],
        &["override", "alice", "--bank-changed", "--up-to", "5", "--cycle", "2026-12-01", "--reason", "x"],
        &["adjust", "alice", "--amount", "5", "--reason", "no currency"],
        &["resolve", "pay_1", "--not-paid"],
        &["resolve", "pay_1"],
        &["resolve", "pay_1", "--not-paid", "--paid", "po_1", "--reason", "both"],
    ] {
        assert_eq!(code(&payout(&path, args).await), 2, "{args:?}");
    }
    let watching = payout(&path, &["--read-only", "reject", "req_1", "--reason", "x"]).await;
    assert_ne!(code(&watching), 0);
    assert_eq!(fake.script.lock().unwrap().decided.len(), count, "nothing of this was asked");
}
