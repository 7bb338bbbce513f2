//! Every refusal in Stripe's shape, and every object complete.

use http::Request;
use serde_json::Value;

use crate::bench::{Answer, Bench, get};

fn assert_error(answer: &Answer, status: u16, kind: &str, code: &str) {
    let found = (answer.status, answer.error("type"), answer.error("code"));
    assert_eq!(found, (status, kind, code), "{:?}", answer.json);
    assert!(!answer.error("message").is_empty());
    assert_eq!(answer.header("request-id").unwrap().get(..4), Some("req_"));
    if !code.is_empty() {
        assert!(answer.error("doc_url").ends_with(&code.replace('_', "-")));
    }
    if status != 401 {
        assert!(answer.error("request_log_url").contains(answer.header("request-id").unwrap()));
    }
}

#[test]
fn a_payout_is_refused_in_stripes_shape() {
    let bench = Bench::new("");
    let request = "invalid_request_error";
    let cases = [
        ("acct_a", "amount=5000000&currency=usd", "balance_insufficient"),
        ("acct_disabled", "amount=5&currency=usd", "payouts_not_allowed"),
        ("acct_closed", "amount=5&currency=usd", "account_closed"),
        ("acct_a", "amount=5&currency=usd&destination=ba_else", "resource_missing"),
        ("acct_a", "amount=5&currency=eur", ""),
        ("acct_a", "currency=eur", "parameter_missing"),
        ("acct_a", "amount=5&currency=usd&colour=red", "parameter_unknown"),
        ("acct_a", "amount=5.0&currency=usd", "parameter_invalid_integer"),
        ("acct_a", "amount=-5&currency=usd", "parameter_invalid_integer"),
        ("acct_a", "amount=5&currency=usd&method=instant", "instant_payouts_unsupported"),
        ("acct_a", "amount=5&currency=doubloon", ""),
        ("acct_a", "amount=5&currency=twd", ""),
        ("", "amount=5&currency=usd", "balance_insufficient"),
    ];
    for (n, (account, body, code)) in cases.into_iter().enumerate() {
        let answer = bench.pay(account, &format!("k{n}"), body);
        assert_error(&answer, 400, request, code);
        assert_eq!(answer.header("stripe-should-retry"), Some("false"));
    }
    assert_eq!(bench.pay("acct_a", "e", "amount=5&currency=eur").error("message").matches("(eur)").count(), 1);
    assert_error(&bench.pay("acct_no", "k", "amount=5&currency=usd"), 403, request, "account_invalid");
    let long = "k".repeat(256);
    assert_error(&bench.pay("acct_a", &long, "amount=5&currency=usd"), 400, request, "");
    assert_eq!(bench.executed(), 0);
}

#[test]
fn strangers_stay_outside() {
    let bench = Bench::new("");
    let with_key = |key: &str| {
        let request = Request::get("/v1/balance").header("authorization", format!("Bearer {key}"));
        bench.ask(&request.body(bytes::Bytes::new()).unwrap())
    };
    let bad = with_key("sk_test_wrong1234");
    assert_error(&bad, 401, "invalid_request_error", "");
    assert!(bad.error("message").starts_with("Invalid API Key provided: sk_test_*"));
    assert!(!bad.error("message").contains("wrong"));
    assert_error(&with_key("sk_live_twin00000000000000000000"), 401, "invalid_request_error", "");
    let none = bench.ask(&Request::get("/v1/balance").body(bytes::Bytes::new()).unwrap());
    assert_error(&none, 401, "invalid_request_error", "");
    assert_error(&bench.get("acct_a", "/v1/payouts/po_no"), 404, "invalid_request_error", "resource_missing");
    assert_error(&bench.get("", "/v1/accounts/acct_no"), 403, "invalid_request_error", "account_invalid");
    assert_error(&bench.get("", "/v1/customers"), 404, "invalid_request_error", "");
    let id = bench.pay("acct_a", "k", "amount=5&currency=usd").id().to_owned();
    assert_eq!(bench.get("acct_b", &format!("/v1/payouts/{id}")).status, 404);
}

/// Whether `object` has every field that `example` has, wherever both are objects.
fn assert_covers(object: &Value, example: &Value, at: &str) {
    let (Some(fields), Some(inner)) = (example.as_object(), object.as_object()) else {
        return;
    };
    for (name, value) in fields {
        let found = inner.get(name).unwrap_or_else(|| panic!("{at}.{name} is missing"));
        if name != "metadata" {
            assert_covers(found, value, &format!("{at}.{name}"));
        }
    }
}

#[test]
fn every_object_has_every_field_of_stripes_example() {
    let examples: Value = serde_json::from_str(include_str!("../../fixtures/objects.json")).unwrap();
    let bench = Bench::new("");
    let body = "amount=5&currency=eur&metadata[a]=1&description=d&statement_descriptor=SHOP";
    let payout = bench.pay("acct_b", "k", body);
    assert_covers(&payout.json, &examples["payout"], "payout");
    assert_eq!((&payout.json["metadata"]["a"], &payout.json["statement_descriptor"]), (&"1".into(), &"SHOP".into()));
    assert_eq!((&payout.json["status"], &payout.json["automatic"]), (&"pending".into(), &false.into()));
    let account = bench.get("", "/v1/accounts/acct_b?").json;
    assert_covers(&account, &examples["account"], "account");
    assert_eq!(account["settings"]["payouts"]["schedule"]["interval"], "manual");
    let bank = &account["external_accounts"]["data"][0];
    assert_covers(bank, &examples["bank_account"], "bank_account");
    assert_eq!((&bank["id"], &bank["account"]), (&payout.json["destination"], &"acct_b".into()));
    assert_covers(&bench.get("", "/v1/balance?").json, &examples["balance"], "balance");
    let event: Value = serde_json::from_slice(&bench.twin.take_events()[0].body).unwrap();
    assert_covers(&event["request"], &examples["event"]["request"], "event.request");
    assert_eq!(event["data"]["object"], payout.json);
    let own = bench.ask(&get("", "/v1/account?")).json;
    assert_eq!((&own["id"], &own["type"]), (&stripe_twin::PLATFORM_ACCOUNT.into(), &"standard".into()));
}
