//! Payouts taken back: canceled, reversed, refused, failed later; one law each.

use serde_json::json;
use stripe_twin::Status;

use crate::bench::Bench;

const USD: &str = "amount=1000&currency=usd&metadata[key]=k";
const DAY_MS: i64 = 86_400_000;

fn created(bench: &Bench, account: &str) -> String {
    let body = if account == "acct_b" { "amount=1000&currency=eur&metadata[key]=k" } else { USD };
    bench.pay(account, "create", body).id().to_owned()
}

fn paid(bench: &Bench, account: &str) -> String {
    let id = created(bench, account);
    bench.wait(1000);
    let _ = bench.twin.take_events();
    id
}

#[test]
fn a_pending_payout_is_canceled_once_and_its_money_is_back() {
    let bench = Bench::new("");
    let id = created(&bench, "acct_a");
    let path = format!("/v1/payouts/{id}/cancel");
    let canceled = bench.post("acct_a", &path, "cancel", "");
    assert_eq!((canceled.status, canceled.json["status"].as_str()), (200, Some("canceled")));
    assert_eq!(canceled.json["metadata"], json!({ "key": "k" }));
    assert!(canceled.json["failure_balance_transaction"].is_string());
    assert_eq!(bench.available("acct_a"), 10_000);
    assert_eq!(bench.event_kinds(), ["payout.created", "payout.canceled"]);
    let again = bench.post("acct_a", &path, "cancel", "");
    assert_eq!((again.header("idempotent-replayed"), again.body()), (Some("true"), canceled.body()));
    let other = bench.post("acct_a", &path, "cancel-2", "");
    assert_eq!((other.status, other.header("stripe-should-retry")), (400, Some("false")));
    bench.wait(10_000);
    assert_eq!(bench.twin.ledger()[0].status, Status::Canceled);
    assert!(bench.event_kinds().is_empty());
    bench.conserved();
    let types: Vec<String> = bench
        .rows("acct_a", "/v1/balance_transactions?limit=2")
        .iter()
        .map(|txn| txn["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["payout_cancel", "payout"]);
}

#[test]
fn only_a_pending_payout_of_ones_own_is_canceled() {
    let bench = Bench::new("");
    let id = created(&bench, "acct_a");
    assert_eq!(bench.post("acct_b", &format!("/v1/payouts/{id}/cancel"), "k", "").status, 404);
    bench.wait(400);
    let late = bench.post("acct_a", &format!("/v1/payouts/{id}/cancel"), "k", "");
    assert_eq!((late.status, late.error("type")), (400, "invalid_request_error"));
    assert!(late.error("message").contains("in transit"));
    assert_eq!(bench.post("acct_a", "/v1/payouts/po_no/cancel", "x", "").error("code"), "resource_missing");
    assert_eq!(bench.post("acct_a", &format!("/v1/payouts/{id}/cancel"), "y", "colour=red").error("param"), "colour");
    assert_eq!(bench.executed(), 1);
}

#[test]
fn a_reversal_brings_the_money_back_only_when_the_bank_has_paid_it() {
    let bench = Bench::new("");
    let id = paid(&bench, "acct_a");
    let path = format!("/v1/payouts/{id}/reverse");
    let reversal = bench.post("acct_a", &path, "rev", "metadata[key]=rev");
    assert_eq!(reversal.status, 200, "{:?}", reversal.json);
    assert_eq!((&reversal.json["amount"], &reversal.json["status"]), (&json!(-1000), &json!("pending")));
    assert_eq!((&reversal.json["original_payout"], &reversal.json["metadata"]["key"]), (&json!(id), &json!("rev")));
    let original = bench.get("acct_a", &format!("/v1/payouts/{id}")).json;
    assert_eq!((&original["reversed_by"], &original["status"]), (&reversal.json["id"], &json!("paid")));
    assert_eq!(bench.balance("acct_a"), (9000, 1000));
    assert_eq!(bench.post("acct_a", &path, "rev", "metadata[key]=rev").header("idempotent-replayed"), Some("true"));
    assert_eq!(bench.post("acct_a", &path, "rev-2", "").status, 400);
    bench.conserved();
    bench.wait(1000);
    assert_eq!(bench.balance("acct_a"), (10_000, 0));
    assert_eq!(bench.event_kinds(), ["payout.updated", "payout.created", "payout.updated", "payout.paid"]);
    assert_eq!((bench.executed(), bench.twin.stats().reversals, bench.twin.stats().executed), (2, 1, 1));
    let newest = bench.rows("acct_a", "/v1/payouts?limit=1");
    assert_eq!(newest[0]["id"], reversal.json["id"]);
}

#[test]
fn what_cant_be_reversed_is_refused() {
    let bench = Bench::new("");
    let european = paid(&bench, "acct_b");
    let refused = bench.post("acct_b", &format!("/v1/payouts/{european}/reverse"), "k", "");
    assert_eq!(refused.status, 400);
    assert!(refused.error("message").contains("US and Canada"));
    let pending = created(&bench, "acct_a");
    assert_eq!(bench.post("acct_a", &format!("/v1/payouts/{pending}/reverse"), "k", "").status, 400);
    bench.wait(1000);
    bench.twin.clock().advance_date_ms(100 * DAY_MS);
    let late = bench.post("acct_a", &format!("/v1/payouts/{pending}/reverse"), "k2", "");
    assert!(late.error("message").contains("90 days"), "{:?}", late.json);
    assert_eq!(bench.executed(), 2);
}

#[test]
fn a_reversal_may_be_refused_or_fail_later_and_then_the_money_stays_paid() {
    let bench = Bench::new("reversal-refused=100");
    let id = paid(&bench, "acct_a");
    let path = format!("/v1/payouts/{id}/reverse");
    assert_eq!(bench.post("acct_a", &path, "r", "").status, 400);
    assert_eq!(bench.get("acct_a", &format!("/v1/payouts/{id}")).json["reversed_by"], json!(null));
    bench.control("/_twin/faults", r#"{"faults":"reversal-fails=100"}"#);
    let mut was_paid = 0;
    for n in 0..12 {
        let key = format!("r{n}");
        let reversal = bench.post("acct_a", &path, &key, "");
        assert_eq!(reversal.status, 200, "{:?}", reversal.json);
        bench.wait(2000);
        let row = bench.twin.ledger().into_iter().find(|row| row.id == reversal.id()).unwrap();
        assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("debit_not_authorized")));
        was_paid += usize::from(row.was_paid);
        assert_eq!(bench.balance("acct_a"), (9000, 0));
        bench.conserved();
    }
    assert!((1..12).contains(&was_paid), "{was_paid}");
    assert_eq!(bench.pay("acct_a", "k2", USD).status, 200);
}

#[test]
fn a_pending_reversal_goes_when_the_original_fails() {
    let bench = Bench::new("paid-then-failed=100");
    let id = created(&bench, "acct_a");
    bench.wait(1400);
    let reversal = bench.post("acct_a", &format!("/v1/payouts/{id}/reverse"), "r", "");
    assert_eq!(reversal.status, 200);
    bench.wait(100);
    let ledger = bench.twin.ledger();
    assert_eq!((ledger[0].status, ledger[1].status), (Status::Failed, Status::Canceled));
    assert_eq!(bench.balance("acct_a"), (10_000, 0));
    bench.conserved();
}

#[test]
fn a_dropped_cancel_was_executed_and_answers_again() {
    let bench = Bench::new("");
    let id = created(&bench, "acct_a");
    bench.control("/_twin/faults", r#"{"faults":"500-rolled-forward=100x1@900"}"#);
    let path = format!("/v1/payouts/{id}/cancel");
    assert_eq!(bench.post("acct_a", &path, "c", "").status, 500);
    assert_eq!(bench.twin.stats().executions_due, 1);
    bench.wait(300);
    assert_eq!(bench.post("acct_a", &path, "c", "").status, 500);
    bench.wait(1000);
    // Rolled forward before the bank had it, or too late: never both.
    let status = bench.twin.ledger()[0].status;
    assert!(matches!(status, Status::Canceled | Status::InTransit | Status::Paid));
    bench.conserved();
}

#[test]
fn metadata_of_a_payout_changes_and_an_empty_value_takes_it_away() {
    let bench = Bench::new("");
    let id = created(&bench, "acct_a");
    let changed = bench.post("acct_a", &format!("/v1/payouts/{id}"), "u", "metadata[key]=&metadata[b]=2");
    assert_eq!(changed.json["metadata"], json!({ "b": "2" }));
    assert_eq!(bench.event_kinds(), ["payout.created", "payout.updated"]);
}
