//! Idempotency, limits, lifecycle and lists, one law each.

use http::Request;
use serde_json::json;
use stripe_twin::{AccountSpec, KeyScope, Rules, Status};

use crate::bench::{Bench, answer, pay, rules};

const USD: &str = "amount=1000&currency=usd&metadata[key]=k";
const DAY_MS: i64 = 86_400_000;

#[test]
fn a_replayed_key_never_executes_twice() {
    let bench = Bench::new("");
    let first = bench.pay("acct_a", "k", USD);
    let again = bench.pay("acct_a", "k", "metadata[key]=k&currency=usd&amount=1000");
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body(), again.body());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(bench.executed(), 1);
}

#[test]
fn a_key_with_other_parameters_is_refused_and_executes_nothing() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    let other = bench.pay("acct_a", "k", "amount=1001&currency=usd&metadata[key]=k");
    assert_eq!((other.status, other.error("type")), (400, "idempotency_error"));
    assert_eq!(bench.executed(), 1);
}

#[test]
fn the_scope_says_whether_another_account_may_use_the_key() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    assert_eq!(bench.pay("acct_failing", "k", USD).status, 200);
    let bench = Bench::with(Rules { key_scope: KeyScope::Platform, ..rules() }, "");
    bench.pay("acct_a", "k", USD);
    assert_eq!(bench.pay("acct_failing", "k", USD).error("type"), "idempotency_error");
}

#[test]
fn a_key_in_use_is_a_conflict_and_the_conflict_is_not_stored() {
    let bench = Bench::new("");
    let (first, ticket) = bench.twin.begin(&pay("acct_a", "k", USD));
    let conflict = bench.pay("acct_a", "k", USD);
    assert_eq!((conflict.status, conflict.error("code")), (409, "idempotency_key_in_use"));
    assert_eq!(conflict.header("stripe-should-retry"), Some("true"));
    bench.twin.finish(ticket);
    assert_eq!(bench.pay("acct_a", "k", USD).id(), answer(first).id());
    assert_eq!(bench.executed(), 1);
}

#[test]
fn a_key_is_forgotten_after_a_day_of_the_date_and_not_before() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    bench.twin.clock().advance_date_ms(DAY_MS - 1);
    assert_eq!(bench.pay("acct_a", "k", USD).header("idempotent-replayed"), Some("true"));
    bench.twin.clock().advance_date_ms(1);
    assert_eq!(bench.pay("acct_a", "k", USD).header("idempotent-replayed"), None);
    assert_eq!(bench.executed(), 2);
}

#[test]
fn an_executed_refusal_is_stored_and_a_validation_failure_is_not() {
    let bench = Bench::new("");
    let poor = "amount=20000&currency=usd";
    assert_eq!(bench.pay("acct_a", "k", poor).error("code"), "balance_insufficient");
    bench.control("/_twin/accounts/acct_a", r#"{"credit":{"usd":50000}}"#);
    let again = bench.pay("acct_a", "k", poor);
    assert_eq!((again.status, again.error("code")), (400, "balance_insufficient"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(bench.pay("acct_a", "v", "amount=x&currency=usd").status, 400);
    assert_eq!(bench.pay("acct_a", "v", USD).status, 200);
}

#[test]
fn a_payout_takes_the_money_at_once_and_runs_to_paid() {
    let bench = Bench::new("");
    let id = bench.pay("acct_a", "k", USD).id().to_owned();
    assert_eq!(bench.available("acct_a"), 9000);
    let status = |bench: &Bench| bench.get("acct_a", &format!("/v1/payouts/{id}?")).json["status"].clone();
    assert_eq!(status(&bench), "pending");
    bench.wait(400);
    assert_eq!(status(&bench), "in_transit");
    bench.wait(600);
    assert_eq!(status(&bench), "paid");
    assert_eq!(bench.event_kinds(), ["payout.created", "payout.updated", "payout.paid"]);
    assert_eq!(bench.executed(), 1);
}

#[test]
fn moving_the_date_settles_nothing() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    bench.twin.clock().advance_date_ms(30 * DAY_MS);
    assert_eq!(bench.twin.ledger()[0].status, Status::Pending);
}

#[test]
fn a_failed_payout_gives_the_money_back_and_breaks_the_bank_account() {
    let bench = Bench::new("");
    bench.pay("acct_failing", "k", USD);
    bench.wait(1000);
    let row = bench.twin.ledger().remove(0);
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("could_not_process")));
    assert!(row.failure_balance_transaction.is_some());
    assert_eq!(bench.available("acct_failing"), 10_000);
    let kinds = ["payout.created", "payout.updated", "payout.failed", "account.external_account.updated"];
    assert_eq!(bench.event_kinds(), kinds);
    assert_eq!(bench.pay("acct_failing", "k2", USD).error("code"), "bank_account_unusable");
    bench.control("/_twin/accounts/acct_failing", r#"{"banks":[{"id":"ba_new"}]}"#);
    assert_eq!(bench.pay("acct_failing", "k3", "amount=1000&currency=usd&destination=ba_new").status, 200);
    assert_eq!(bench.executed(), 2);
}

#[test]
fn a_paid_payout_may_fail_after_all() {
    let bench = Bench::new("paid-then-failed=100");
    bench.pay("acct_a", "k", USD);
    bench.wait(1000);
    assert_eq!(bench.twin.ledger()[0].status, Status::Paid);
    bench.wait(500);
    assert_eq!(bench.twin.ledger()[0].status, Status::Failed);
    assert_eq!(bench.available("acct_a"), 10_000);
    assert_eq!(bench.twin.stats().faults["paid-then-failed"], 1);
}

#[test]
fn a_limited_request_is_told_why_and_may_come_again() {
    let bench = Bench::limited();
    let mut reasons = Vec::new();
    for n in 0..20 {
        let answer = bench.pay("acct_a", &format!("k{n}"), "amount=1&currency=usd");
        reasons.push(answer.header("stripe-rate-limited-reason").map(str::to_owned));
    }
    assert_eq!(reasons.iter().filter(|reason| reason.is_none()).count(), 15);
    assert_eq!(reasons[19].as_deref(), Some("endpoint-rate"));
    bench.wait(1000);
    assert_eq!(bench.pay("acct_a", "k19", "amount=1&currency=usd").header("idempotent-replayed"), None);
    assert_eq!(bench.twin.stats().limited["endpoint-rate"], 5);
    assert_eq!(bench.executed(), 16);
}

#[test]
fn a_list_shows_every_payout_once_newest_first() {
    let bench = Bench::new("");
    for n in 0..25 {
        bench.pay("acct_a", &format!("k{n}"), "amount=1&currency=usd");
        bench.wait(1000);
    }
    let ledger: Vec<String> = bench.twin.ledger().into_iter().rev().map(|row| row.id).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get("acct_a", &format!("/v1/payouts?limit=10{cursor}")).json;
        let ids = page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        cursor = format!("&starting_after={}", seen.last().unwrap());
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen, ledger);
    let back = bench.get("acct_a", &format!("/v1/payouts?limit=2&ending_before={}", ledger[5])).json;
    assert_eq!((back["data"][0]["id"].as_str(), &back["has_more"]), (Some(ledger[3].as_str()), &json!(true)));
    let created = bench.twin.ledger()[12].created;
    let from = bench.get("acct_a", &format!("/v1/payouts?limit=100&created[gte]={created}")).json;
    assert_eq!(from["data"].as_array().unwrap().len(), 13);
    let one = bench.get("acct_a", &format!("/v1/payouts?created={created}")).json;
    assert_eq!(one["data"][0]["id"], ledger[12].as_str());
    assert_eq!(bench.get("acct_b", "/v1/payouts").json["data"], json!([]));
    assert_eq!(bench.get("acct_a", "/v1/payouts?status=pending").json["data"].as_array().unwrap().len(), 0);
    assert_eq!(bench.get("acct_a", "/v1/payouts?status=in_transit").status, 400);
    assert_eq!(bench.get("acct_a", "/v1/payouts?limit=101").status, 400);
    assert_eq!(bench.get("acct_a", "/v1/payouts?starting_after=po_x").error("code"), "resource_missing");
}

#[test]
fn an_account_changes_with_an_event_that_says_what_changed() {
    let bench = Bench::new("");
    bench.control("/_twin/accounts/acct_a", r#"{"payouts_enabled":false,"disabled_reason":"listed"}"#);
    let event: serde_json::Value = serde_json::from_slice(&bench.twin.take_events()[0].body).unwrap();
    assert_eq!((event["type"].as_str(), event["account"].as_str()), (Some("account.updated"), Some("acct_a")));
    assert_eq!(event["data"]["previous_attributes"]["payouts_enabled"], true);
    assert_eq!(event["data"]["object"]["requirements"]["disabled_reason"], "listed");
    assert_eq!(bench.pay("acct_a", "k", USD).error("code"), "payouts_not_allowed");
}

#[test]
fn a_hundred_thousand_accounts_come_in_at_once_or_not_at_all() {
    let bench = Bench::new("");
    let mut many: Vec<AccountSpec> =
        (0..100_000).map(|n| AccountSpec::new(&format!("acct_n{n}"), "US", "usd", 5)).collect();
    bench.twin.add_accounts(many.clone()).unwrap();
    assert_eq!(bench.available("acct_n99999"), 5);
    many[0].id = "acct_fresh".into();
    assert!(bench.twin.add_accounts(many).is_err());
    assert_eq!(bench.get("", "/v1/accounts/acct_fresh").status, 403);
    let request = Request::get("/_twin/conservation").body(bytes::Bytes::new()).unwrap();
    assert_eq!(bench.ask(&request).json["ok"], true);
}
