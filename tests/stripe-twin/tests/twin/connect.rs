//! Connected accounts: settings through both doors, capabilities, requirements, links, the end of access; one law each.

use serde_json::{Value, json};

use crate::bench::Bench;

fn events(bench: &Bench) -> Vec<Value> {
    bench.twin.take_events().iter().map(|event| serde_json::from_slice(&event.body).unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn both_doors_set_the_same_schedule_and_tell_both_events() {
    let bench = Bench::new("");
    let weekly = "settings[payouts][schedule][interval]=weekly&settings[payouts][schedule][weekly_anchor]=friday";
    let account = bench.post("", "/v1/accounts/acct_a", "", weekly);
    assert_eq!(account.status, 200, "{:?}", account.json);
    assert_eq!(account.json["settings"]["payouts"]["schedule"]["weekly_anchor"], "friday");
    let settings = bench.get("acct_a", "/v1/balance_settings").json;
    assert_eq!(settings["payments"]["payouts"]["schedule"]["weekly_payout_days"], json!(["friday"]));
    assert_eq!(kinds(&events(&bench)), ["account.updated", "balance_settings.updated"]);
    let manual = "payments[payouts][schedule][interval]=manual&payments[debit_negative_balances]=true";
    let settings = bench.post("acct_a", "/v1/balance_settings", "s", manual);
    assert_eq!(settings.json["payments"]["payouts"]["schedule"], json!({ "interval": "manual" }));
    let account = bench.get("", "/v1/accounts/acct_a").json;
    assert_eq!(account["settings"]["payouts"]["schedule"]["interval"], "manual");
    assert_eq!(account["settings"]["payouts"]["debit_negative_balances"], true);
    let told = events(&bench);
    assert_eq!(kinds(&told), ["account.updated", "balance_settings.updated"]);
    let before = &told[1]["data"]["previous_attributes"]["payments"]["payouts"]["schedule"];
    assert_eq!(before["interval"], "weekly");
    assert_eq!(bench.post("acct_a", "/v1/balance_settings", "t", manual).status, 200);
    assert!(events(&bench).is_empty(), "nothing changed, nothing is told");
    let bad = bench.post("", "/v1/accounts/acct_a", "", "settings[payouts][schedule][interval]=hourly");
    assert_eq!((bad.status, bad.error("param")), (400, "settings[payouts][schedule][interval]"));
    let bad = bench.post("", "/v1/accounts/acct_a", "", "settings[payouts][colour]=red");
    assert_eq!(bad.error("code"), "parameter_unknown");
}

#[test]
fn capabilities_and_requirements_are_shown_and_their_change_is_told() {
    let bench = Bench::new("");
    let change = json!({
        "capabilities": { "transfers": "pending" }, "currently_due": ["external_account"], "charges_enabled": false,
        "current_deadline": 1_900_000_000, "pending_verification": ["individual.id_number"], "details_submitted": false,
    });
    assert_eq!(bench.control("/_twin/accounts/acct_a", &change.to_string()).status, 200);
    let account = bench.get("", "/v1/accounts/acct_a").json;
    assert_eq!(account["capabilities"]["transfers"], "pending");
    assert_eq!(account["requirements"]["currently_due"], json!(["external_account"]));
    assert_eq!((&account["charges_enabled"], &account["details_submitted"]), (&json!(false), &json!(false)));
    assert_eq!(bench.rows("", "/v1/accounts/acct_a/capabilities").len(), 2);
    let told = kinds(&events(&bench)).join(" ");
    assert_eq!(told, "account.updated capability.updated capability.updated");
    let refused = bench.post("", "/v1/payment_intents", "", "amount=5&currency=usd&transfer_data[destination]=acct_a");
    assert_eq!(refused.error("code"), "insufficient_capabilities_for_transfer");
}

#[test]
fn a_bank_account_is_replaced_and_found() {
    let bench = Bench::new("");
    bench.control("/_twin/accounts/acct_a", r#"{"banks":[{"id":"ba_one"},{"id":"ba_two","currency":"eur"}]}"#);
    let path = "/v1/accounts/acct_a/external_accounts";
    assert_eq!(bench.rows("", path).len(), 2);
    assert_eq!(bench.get("", &format!("{path}/ba_two")).json["currency"], "eur");
    assert_eq!(bench.get("", &format!("{path}/ba_no")).status, 404);
    let kinds: Vec<_> = bench.event_kinds();
    assert_eq!(kinds.iter().filter(|kind| kind.ends_with("external_account.created")).count(), 2);
    assert_eq!(kinds.iter().filter(|kind| kind.ends_with("external_account.deleted")).count(), 1);
}

#[test]
fn a_link_is_minted_for_onboarding_and_each_time_anew() {
    let bench = Bench::new("");
    let body = "account=acct_a&type=account_onboarding&refresh_url=https://x.test/r&return_url=https://x.test/b";
    let first = bench.post("", "/v1/account_links", "", body).json;
    let second = bench.post("", "/v1/account_links", "", body).json;
    assert_eq!(first["expires_at"].as_i64().unwrap() - first["created"].as_i64().unwrap(), 300);
    assert_ne!(first["url"], second["url"]);
    let update = body.replace("onboarding", "update");
    assert_eq!(bench.post("", "/v1/account_links", "", &update).error("param"), "type");
    assert_eq!(bench.post("", "/v1/account_links", "", "account=acct_a&type=account_onboarding").status, 400);
}

#[test]
fn an_account_that_left_is_refused_and_told_once() {
    let bench = Bench::new("");
    bench.control("/_twin/accounts/acct_a", r#"{"deauthorized":true}"#);
    bench.control("/_twin/accounts/acct_a", r#"{"deauthorized":true}"#);
    assert_eq!(bench.event_kinds(), ["account.application.deauthorized"]);
    assert_eq!(bench.get("acct_a", "/v1/balance").error("code"), "account_invalid");
    assert_eq!(bench.pay("acct_a", "k", "amount=5&currency=usd").status, 403);
}
