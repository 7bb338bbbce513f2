//! `payout cohort …` and `payout creator tag`: what is asked of the daemon, what is said, and the exit codes.
use crate::{
    fake::{Fake, socket},
    fixtures::parts,
    program::{code, complained, json, payout, said},
};
use payout_proto::v1;
use tonic::Status;

fn beta(passed: bool) -> v1::JudgedPart {
    let cohort = v1::CohortPart {
        name: "beta".to_owned(),
        kind: "list".to_owned(),
        open: true,
        opened_at_ms: 1_796_104_800_000,
        created_by: "user:ann(1000)".to_owned(),
        created_at_ms: 1_796_104_800_000,
        members: 20,
        ..v1::CohortPart::default()
    };
    let amounts = vec![v1::JudgedAmount {
        currency: "eur".to_owned(),
        paid_minor: 98_000,
        failed_minor: 2_000,
        success_bp: 9_800,
    }];
    let (verdict, sentence) = if passed {
        ("passed", "passed: 98 of 100 payouts paid = 98.00 %, at least 98 % are needed")
    } else {
        ("too_many_failed", "not passed: 9 of 10 payouts paid = 90.00 %, at least 98 % are needed")
    };
    v1::JudgedPart {
        cohort: Some(cohort),
        since_ms: 1_796_104_800_000,
        paid: 98,
        failed: 2,
        success_bp: 9_800,
        amounts,
        passed,
        verdict: verdict.to_owned(),
        sentence: sentence.to_owned(),
        ..v1::JudgedPart::default()
    }
}

#[tokio::test]
async fn cohorts_are_listed_shown_and_judged_with_exit_codes_for_scripts() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    assert_eq!(said(&payout(&path, &["cohort", "list"]).await), "no cohorts: everybody is in\n");
    fake.script.lock().unwrap().cohort = beta(true);
    let list = said(&payout(&path, &["cohort", "list"]).await);
    assert!(
        list.contains("beta") && list.contains("OPEN") && list.contains("20") && list.contains("2026-12-01"),
        "{list}"
    );
    let listed = json(&payout(&path, &["cohort", "list", "--json"]).await);
    assert_eq!(listed["cohorts"][0]["creators"], 20);
    assert_eq!(listed["cohorts"][0]["percent_bp"], serde_json::Value::Null);
    let shown = json(&payout(&path, &["cohort", "show", "beta", "--json"]).await);
    assert_eq!(shown["creator_ids"], serde_json::json!(["alice", "bob", "carol"]), "every page");
    let shown = said(&payout(&path, &["cohort", "show", "beta"]).await);
    assert!(shown.contains("EUR 980.00 paid, EUR 20.00 failed = 98.0%") || shown.contains("980.00"), "{shown}");
    assert!(shown.contains("all of them with --json"), "{shown}");
    let gate = payout(&path, &["cohort", "gate", "beta"]).await;
    assert_eq!(code(&gate), 0);
    assert!(said(&gate).contains("passed: 98 of 100"), "{}", said(&gate));
    fake.script.lock().unwrap().cohort = beta(false);
    let gate = payout(&path, &["cohort", "gate", "beta", "--json"]).await;
    assert_eq!(code(&gate), 1, "for scripts");
    let document: serde_json::Value = serde_json::from_slice(&gate.stdout).unwrap();
    assert_eq!((&document["passed"], &document["verdict"]), (&false.into(), &"too_many_failed".into()));
    assert!(complained(&gate).contains("cohort gate beta: not passed: 9 of 10"), "{}", complained(&gate));
}

#[tokio::test]
async fn every_change_carries_its_reason_and_what_was_named() {
    let (dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().cohort = beta(true);
    let file = dir.path().join("ids.txt");
    std::fs::write(&file, "# the first wave\nalice\n\n  bob  # a friend\n").unwrap();
    let file = file.to_str().unwrap();
    for args in [
        &["cohort", "create", "one", "--creators", "alice,bob", "--reason", "r"][..],
        &["cohort", "create", "two", "--file", file, "--reason", "r"],
        &["cohort", "create", "three", "--tag", "friend", "--reason", "r"],
        &["cohort", "create", "four", "--percent", "12.5", "--reason", "r"],
        &["cohort", "add", "one", "carol", "--file", file, "--reason", "r"],
        &["cohort", "add", "one", "carol", "--override", "--reason", "r"],
        &["cohort", "remove", "one", "carol", "--reason", "r"],
        &["cohort", "open", "one", "--reason", "r"],
        &["cohort", "open", "one", "--override", "--reason", "r"],
        &["cohort", "close", "one", "--reason", "r"],
        &["cohort", "sample", "beta", "--size", "3", "--create", "--reason", "r"],
        &["creator", "tag", "alice", "friend", "--reason", "r"],
        &["creator", "untag", "alice", "friend", "--reason", "r"],
    ] {
        let output = payout(&path, args).await;
        assert_eq!(code(&output), 0, "{args:?}: {}", complained(&output));
        let as_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        json(&payout(&path, &as_json).await);
    }
    let heard = fake.script.lock().unwrap().rollout.clone();
    let expected = [
        "create one [\"alice\", \"bob\"] \"\" 0 r",
        "create two [\"alice\", \"bob\"] \"\" 0 r",
        "create three [] \"friend\" 0 r",
        "create four [] \"\" 1250 r",
        "change one [\"carol\", \"alice\", \"bob\"] remove=false override=false r",
        "change one [\"carol\"] remove=false override=true r",
        "change one [\"carol\"] remove=true override=false r",
        "open one override=false r",
        "open one override=true r",
        "close one r",
        "create beta [\"c1\", \"c2\", \"c3\"] \"\" 0 r",
        "tag alice friend remove=false r",
        "tag alice friend remove=true r",
    ];
    assert_eq!(heard.iter().step_by(2).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sample_only_proposes_and_the_first_cohort_says_what_it_means() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    fake.script.lock().unwrap().cohort = beta(true);
    let sample = said(&payout(&path, &["cohort", "sample", "beta", "--size", "4"]).await);
    assert!(sample.contains("top") && sample.contains("last") && sample.contains("nothing was made"), "{sample}");
    assert!(fake.script.lock().unwrap().rollout.is_empty());
    let made = said(&payout(&path, &["cohort", "create", "beta", "--percent", "5", "--reason", "r"]).await);
    assert!(made.contains("from the next send on only creators in open cohorts are paid, and none is open"), "{made}");
}

#[tokio::test]
async fn a_refusal_says_why_and_has_its_exit_code() {
    let (dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    let open = ["cohort", "open", "all", "--reason", "r"];
    for (status, expected) in [
        (Status::failed_precondition("the gate of cohort beta is not passed"), 1),
        (Status::permission_denied("you are operator"), 4),
        (Status::already_exists("cohort all is open already"), 5),
    ] {
        fake.script.lock().unwrap().cohort_refusal = Some(status.clone());
        let output = payout(&path, &open).await;
        assert_eq!(code(&output), expected);
        assert!(complained(&output).contains(status.message()), "{}", complained(&output));
    }
    let read_only = payout(&path, &["--read-only", "cohort", "close", "all", "--reason", "r"]).await;
    assert_eq!(code(&read_only), 4);
    let absent = dir.path().join("absent.txt");
    let absent = payout(&path, &["cohort", "create", "x", "--file", absent.to_str().unwrap(), "--reason", "r"]).await;
    assert!(code(&absent) == 1 && complained(&absent).contains("absent.txt"), "{}", complained(&absent));
    for args in [
        &["cohort"][..],
        &["cohort", "open", "x"],
        &["cohort", "create", "x", "--reason", "r"],
        &["cohort", "create", "x", "--tag", "a", "--percent", "5", "--reason", "r"],
        &["cohort", "create", "x", "--percent", "0", "--reason", "r"],
        &["cohort", "create", "x", "--percent", "101", "--reason", "r"],
        &["cohort", "add", "x", "--reason", "r"],
        &["cohort", "sample", "x", "--create"],
        &["creator", "tag", "alice", "--reason", "r"],
        &["creator"],
    ] {
        assert_eq!(code(&payout(&path, args).await), 2, "{args:?}");
    }
}

#[tokio::test]
async fn status_says_how_far_the_rollout_is() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("running"));
    assert!(!said(&payout(&path, &["status"]).await).contains("rollout"));
    if let Some(daemon) = &mut fake.script.lock().unwrap().parts.daemon {
        (daemon.cohorts_open, daemon.cohorts) = (2, 3);
    }
    let status = said(&payout(&path, &["status"]).await);
    assert!(status.contains("rollout   2 of 3 cohorts open: only their creators are paid"), "{status}");
    let status = json(&payout(&path, &["status", "--json"]).await);
    assert_eq!(status["daemon"]["cohorts"], serde_json::json!({"open": 2, "total": 3}));
}
