//! What each fault did and did not execute, one law each.

use serde_json::json;
use stripe_twin::{Outcome, Wire};

use crate::bench::{Bench, pay, taken_apart};

const USD: &str = "amount=1000&currency=usd&metadata[key]=k";

#[test]
fn a_dropped_answer_was_executed_and_a_reset_was_not() {
    let bench = Bench::new("executed-then-dropped=100x1");
    assert!(matches!(bench.twin.handle(&pay("acct_a", "k", USD)).wire, Wire::Close));
    assert_eq!(bench.executed(), 1);
    assert_eq!(bench.pay("acct_a", "k", USD).header("idempotent-replayed"), Some("true"));
    let bench = Bench::new("reset-before=100x1");
    assert!(matches!(bench.twin.handle(&pay("acct_a", "k", USD)).wire, Wire::Reset));
    assert_eq!(bench.executed(), 0);
    assert_eq!(bench.pay("acct_a", "k", USD).header("idempotent-replayed"), None);
}

#[test]
fn a_500_is_replayed_for_ever_and_rolls_forward_once() {
    let bench = Bench::new("500-rolled-forward=100x1");
    let first = bench.pay("acct_a", "k", USD);
    assert_eq!((first.status, first.error("type")), (500, "api_error"));
    assert_eq!(first.header("stripe-should-retry"), None);
    assert_eq!(bench.executed(), 0);
    assert_eq!(bench.twin.stats().executions_due, 1);
    bench.wait(3000);
    assert_eq!(bench.executed(), 1);
    let event: serde_json::Value = serde_json::from_slice(&bench.twin.take_events()[0].body).unwrap();
    assert_eq!((event["type"].as_str(), &event["request"]["idempotency_key"]), (Some("payout.created"), &json!("k")));
    let again = bench.pay("acct_a", "k", USD);
    assert_eq!((again.status, again.header("idempotent-replayed")), (500, Some("true")));
    assert_eq!(bench.executed(), 1);
}

#[test]
fn a_500_that_never_executes_is_stored_too() {
    let bench = Bench::new("500-not-executed=100x1");
    assert_eq!(bench.pay("acct_a", "k", USD).status, 500);
    bench.wait(60_000);
    assert_eq!(bench.pay("acct_a", "k", USD).status, 500);
    assert_eq!(bench.executed(), 0);
}

#[test]
fn a_slow_request_executes_once_whether_early_or_late() {
    let (mut early, mut late) = (0, 0);
    for n in 0..24 {
        let (bench, key) = (Bench::new("slow=100x1@900"), format!("k{n}"));
        let (outcome, ticket) = bench.twin.begin(&pay("acct_a", &key, USD));
        assert_eq!(bench.pay("acct_a", &key, USD).status, 409);
        match outcome {
            Outcome { wire: Wire::Late(wait), .. } => {
                late += 1;
                assert_eq!(bench.executed(), 0);
                assert!(bench.twin.collect(&wait).is_none());
                bench.wait(900);
                assert_eq!(taken_apart(bench.twin.collect(&wait).unwrap()).status, 200);
            }
            Outcome { delay_ms, .. } => {
                early += 1;
                assert_eq!((delay_ms, bench.executed()), (900, 1));
                bench.wait(900);
            }
        }
        bench.twin.finish(ticket);
        assert_eq!(bench.pay("acct_a", &key, USD).header("idempotent-replayed"), Some("true"));
        assert_eq!(bench.executed(), 1);
    }
    assert!(early > 3 && late > 3, "{early} {late}");
}

#[test]
fn a_late_execution_happens_even_when_nobody_waits() {
    let bench = Bench::new("slow=100x1@900");
    for n in 0..16 {
        let _ = bench.twin.handle(&pay("acct_a", &format!("k{n}"), "amount=10&currency=usd"));
    }
    bench.wait(900);
    assert_eq!(bench.executed(), 16);
}

#[test]
fn a_storm_and_a_lock_timeout_execute_nothing_and_store_nothing() {
    let bench = Bench::new("429-storm=100");
    let refused = bench.pay("acct_a", "k", USD);
    assert_eq!((refused.status, refused.error("code")), (429, "rate_limit"));
    assert_eq!(refused.header("stripe-rate-limited-reason"), Some("global-rate"));
    bench.control("/_twin/faults", r#"{"faults":"lock-timeout=100x1"}"#);
    let locked = bench.pay("acct_a", "k", USD);
    assert_eq!((locked.status, locked.error("code")), (429, "lock_timeout"));
    assert_eq!(locked.header("stripe-rate-limited-reason"), None);
    assert_eq!(locked.header("stripe-should-retry"), Some("true"));
    assert_eq!(bench.pay("acct_a", "k", USD).status, 200);
    assert_eq!(bench.twin.stats().limited["lock_timeout"], 1);
}

#[test]
fn an_unreadable_body_was_executed() {
    let mut cut = 0;
    for n in 0..16 {
        let (bench, key) = (Bench::new("unreadable-body=100x1"), format!("k{n}"));
        match bench.twin.handle(&pay("acct_a", &key, USD)).wire {
            Wire::Cut(_) => cut += 1,
            Wire::Answer(response) => {
                assert!(serde_json::from_slice::<serde_json::Value>(response.body()).is_err());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.executed(), 1);
        assert_eq!(bench.pay("acct_a", &key, USD).status, 200);
    }
    assert!((1..16).contains(&cut));
}
