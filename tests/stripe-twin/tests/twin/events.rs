//! The events API and the endpoints made through the API: who hears what, under which secret, and for how long; one law each.

use http::Request;
use serde_json::{Value, json};
use stripe_twin::{Rules, WebhookTarget};

use crate::bench::{Bench, rules};

const USD: &str = "amount=1000&currency=usd&metadata[key]=k";
const DAY_MS: i64 = 86_400_000;

fn hook(bench: &Bench, more: &str) -> Value {
    let made = bench.post("", "/v1/webhook_endpoints", "", &format!("url=https://x.test/hook&{more}"));
    assert_eq!(made.status, 200, "{:?}", made.json);
    made.json
}

fn told(bench: &Bench) -> Vec<(String, String)> {
    bench.twin.take_deliveries().into_iter().map(|sent| (sent.endpoint, sent.event.kind)).collect()
}

#[test]
fn events_are_listed_for_their_own_account_newest_first_and_by_type() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    bench.wait(1000);
    bench.control("/_twin/accounts/acct_b", r#"{"payouts_enabled":false}"#);
    let kinds =
        |rows: &[Value]| -> Vec<String> { rows.iter().map(|row| row["type"].as_str().unwrap().to_owned()).collect() };
    let all = bench.rows("acct_a", "/v1/events");
    assert_eq!(kinds(&all), ["payout.paid", "payout.updated", "payout.created"]);
    assert_eq!((&all[2]["request"]["idempotency_key"], &all[2]["account"]), (&json!("k"), &json!("acct_a")));
    let some = bench.rows("acct_a", "/v1/events?types[]=payout.paid&types[]=payout.created");
    assert_eq!(kinds(&some), ["payout.paid", "payout.created"]);
    assert_eq!(kinds(&bench.rows("acct_a", "/v1/events?types[0]=payout.paid")), ["payout.paid"]);
    assert_eq!(bench.rows("acct_a", "/v1/events?type=payout.*").len(), 3);
    assert_eq!(kinds(&bench.rows("acct_b", "/v1/events?type=account.updated")), ["account.updated"]);
    assert!(bench.rows("", "/v1/events").is_empty());
    let last = all[0]["id"].as_str().unwrap();
    assert_eq!(kinds(&bench.rows("acct_a", &format!("/v1/events?limit=1&starting_after={last}"))), ["payout.updated"]);
    let created = all[2]["created"].as_i64().unwrap();
    assert_eq!(bench.rows("acct_a", &format!("/v1/events?created[gt]={created}")).len(), 1);
    assert_eq!(bench.get("acct_a", &format!("/v1/events/{last}")).json, all[0]);
    assert_eq!(bench.get("acct_b", &format!("/v1/events/{last}")).status, 404);
    let many = (0..21).map(|n| format!("types[]=t{n}")).collect::<Vec<_>>().join("&");
    assert_eq!(bench.get("acct_a", &format!("/v1/events?{many}")).status, 400);
}

#[test]
fn events_are_kept_for_thirty_days_of_the_date() {
    let bench = Bench::new("");
    bench.pay("acct_a", "k", USD);
    let event = bench.rows("acct_a", "/v1/events")[0]["id"].as_str().unwrap().to_owned();
    bench.twin.clock().advance_date_ms(30 * DAY_MS);
    assert_eq!(bench.rows("acct_a", "/v1/events").len(), 1);
    bench.twin.clock().advance_date_ms(1000);
    assert!(bench.rows("acct_a", "/v1/events").is_empty());
    assert_eq!(bench.get("acct_a", &format!("/v1/events/{event}")).status, 404);
}

#[test]
fn what_no_webhook_has_accepted_is_found_by_delivery_success() {
    let bench = Bench::new("webhook-lost=50");
    bench.twin.set_webhook(Some(WebhookTarget { url: "http://x.test".into(), secret: "whsec_x".into() }));
    for n in 0..20 {
        bench.pay("acct_a", &format!("k{n}"), "amount=1&currency=usd");
    }
    let arrived = bench.twin.take_events();
    assert!((4..17).contains(&arrived.len()), "{}", arrived.len());
    arrived.iter().for_each(|event| bench.twin.acknowledge(&event.id));
    let lost = bench.rows("acct_a", "/v1/events?delivery_success=false&limit=100");
    assert_eq!(lost.len(), 20 - arrived.len());
    assert!(lost.iter().all(|row| row["pending_webhooks"] == 1));
    assert_eq!(bench.rows("acct_a", "/v1/events?delivery_success=true&limit=100").len(), arrived.len());
}

#[test]
fn an_endpoint_hears_of_its_own_kind_only() {
    let bench = Bench::new("");
    let platform = hook(&bench, "enabled_events[]=*");
    let connect = hook(&bench, "enabled_events[]=payout.created&enabled_events[]=account.updated&connect=true");
    bench.pay("acct_a", "k", USD);
    bench.sale("acct_a", 1000, "usd");
    bench.wait(1000);
    let told = told(&bench);
    let of = |hook: &Value| -> Vec<&str> {
        told.iter().filter(|(id, _)| hook["id"] == **id).map(|(_, kind)| kind.as_str()).collect()
    };
    assert_eq!(of(&connect), ["payout.created"]);
    assert!(of(&platform).contains(&"charge.succeeded") && !of(&platform).contains(&"payout.created"));
    assert!(!of(&platform).contains(&"payment.created"));
}

#[test]
fn a_secret_is_shown_once_and_each_endpoint_has_its_own() {
    let bench = Bench::new("");
    let one = hook(&bench, "enabled_events[]=*&api_version=2023-08-16&metadata[a]=b&description=mine");
    let two = hook(&bench, "enabled_events[]=*");
    assert!(one["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_ne!(one["secret"], two["secret"]);
    let path = format!("/v1/webhook_endpoints/{}", one["id"].as_str().unwrap());
    let seen = bench.get("", &path).json;
    assert_eq!((seen.get("secret"), &seen["metadata"]["a"]), (None, &json!("b")));
    let rows = bench.rows("", "/v1/webhook_endpoints");
    assert_eq!(rows.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [&two["id"], &one["id"]]);
    let target = bench.twin.endpoint(one["id"].as_str().unwrap()).unwrap();
    assert_eq!(Some(target.secret.as_str()), one["secret"].as_str());
    bench.sale("acct_a", 100, "usd");
    let sent = bench.twin.take_deliveries();
    let mine = sent.iter().find(|sent| one["id"] == *sent.endpoint).unwrap();
    let event: Value = serde_json::from_slice(&mine.event.body).unwrap();
    assert_eq!(event["api_version"], "2023-08-16");
    assert_eq!(bench.post("", &path, "", "disabled=true").json["status"], "disabled");
    bench.sale("acct_a", 100, "usd");
    assert!(bench.twin.take_deliveries().iter().all(|sent| two["id"] == *sent.endpoint));
    let gone = Request::delete(&path).header("authorization", format!("Bearer {}", stripe_twin::TEST_KEY));
    let gone = bench.ask(&gone.body(bytes::Bytes::new()).unwrap());
    assert_eq!(gone.json["deleted"], true);
    assert_eq!(bench.get("", &path).status, 404);
    assert_eq!(bench.post("", "/v1/webhook_endpoints", "", "url=ftp://x&enabled_events[]=*").error("param"), "url");
}

#[test]
fn late_events_are_overtaken_and_none_is_missing() {
    let bench = Bench::with(Rules { settle_ms: 100, ..rules() }, "webhook-disorder=30@60000");
    for n in 0..20 {
        bench.pay("acct_a", &format!("k{n}"), "amount=1&currency=usd");
        bench.wait(100);
    }
    let mut events = bench.twin.take_events();
    assert_eq!(events.len(), 60);
    let made: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    events.sort_by_key(|event| event.due_wall_ms);
    let arrived: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    assert_ne!(made, arrived);
    let late = bench.twin.stats().faults["webhook-disorder"];
    assert!((8..32).contains(&late), "{late}");
}

#[test]
fn reads_are_counted_against_what_stripe_would_allow() {
    let bench = Bench::new("");
    let before = bench.twin.stats().reads;
    assert_eq!((before.used, before.allowed), (0, 10_000));
    for _ in 0..30 {
        bench.sale("acct_a", 100, "usd");
    }
    let reads = bench.twin.stats().reads;
    assert_eq!((reads.used, reads.transactions, reads.allowed), (30, 30, 15_000));
    bench.twin.clock().advance_date_ms(30 * DAY_MS);
    assert_eq!(bench.twin.stats().reads.used, 0);
}

#[test]
fn every_endpoint_has_its_own_limit() {
    let bench = Bench::limited();
    let statuses =
        |path: &str| (0..30).map(|_| bench.get("acct_a", path).status).filter(|status| *status == 429).count();
    assert_eq!(statuses("/v1/balance_transactions"), 5);
    assert_eq!(statuses("/v1/events"), 5);
    assert_eq!(bench.twin.stats().limited["endpoint-rate"], 10);
}
