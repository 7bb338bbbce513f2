//! Sales, refunds, reversals and disputes: where each part of the money is, and what Stripe says of it; one law each.

use serde_json::{Value, json};

use crate::bench::{Bench, START_MS};

const DAY_MS: i64 = 86_400_000;

fn pick<'a>(rows: &'a [Value], fields: &[&str]) -> Vec<Vec<&'a Value>> {
    rows.iter().map(|row| fields.iter().map(|field| &row[*field]).collect()).collect()
}

fn buy(bench: &Bench, account: &str, body: &str) -> Value {
    let body = format!("confirm=true&payment_method=pm_card_visa&transfer_data[destination]={account}&{body}");
    let intent = bench.post("", "/v1/payment_intents", "", &body);
    assert_eq!(intent.status, 200, "{:?}", intent.json);
    assert_eq!(intent.json["status"], "succeeded");
    bench.get("", &format!("/v1/charges/{}", intent.json["latest_charge"].as_str().unwrap())).json
}

#[test]
fn a_destination_charge_leaves_every_part_where_it_belongs() {
    let bench = Bench::new("");
    let charge = buy(&bench, "acct_a", "amount=5000&currency=usd&application_fee_amount=500&metadata[order]=7");
    assert_eq!((&charge["metadata"]["order"], &charge["application_fee_amount"]), (&json!("7"), &json!(500)));
    let transfer = bench.get("", &format!("/v1/transfers/{}", charge["transfer"].as_str().unwrap())).json;
    assert_eq!((&transfer["amount"], &transfer["destination"]), (&json!(5000), &json!("acct_a")));
    assert_eq!(transfer["source_transaction"], charge["id"]);
    let payment = transfer["destination_payment"].as_str().unwrap();
    let seen = bench.get("acct_a", &format!("/v1/charges/{payment}")).json;
    assert_eq!((&seen["source_transfer"], &seen["amount"]), (&transfer["id"], &json!(5000)));
    assert_eq!(bench.get("acct_b", &format!("/v1/charges/{payment}")).status, 404);
    let txns = bench.rows("acct_a", "/v1/balance_transactions?type=payment");
    let fields = ["amount", "fee", "net", "source", "status"];
    let expected = [json!(5000), json!(500), json!(4500), json!(payment), json!("pending")];
    assert_eq!(pick(&txns, &fields)[0], expected.iter().collect::<Vec<_>>());
    let platform = bench.rows("", "/v1/balance_transactions");
    let told: Vec<String> = platform.iter().map(|txn| format!("{} {}", txn["type"], txn["net"])).collect();
    assert_eq!(told, ["\"application_fee\" 500", "\"transfer\" -5000", "\"charge\" 4825"]);
    assert_eq!(bench.balance("acct_a"), (10_000, 4500));
    assert_eq!(bench.balance(""), (0, 325));
    let kinds = bench.event_kinds();
    for kind in ["payment_intent.succeeded", "charge.succeeded", "transfer.created", "application_fee.created"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind} in {kinds:?}");
    }
    bench.conserved();
}

#[test]
fn money_matures_at_the_start_of_its_day_and_not_before() {
    let bench = Bench::new("");
    buy(&bench, "acct_a", "amount=5000&currency=usd");
    let txn = &bench.rows("acct_a", "/v1/balance_transactions?type=payment")[0];
    let midnight_ms = (START_MS / DAY_MS + 2) * DAY_MS;
    assert_eq!(txn["available_on"], midnight_ms / 1000);
    bench.twin.clock().advance_date_ms(midnight_ms - START_MS - 1000);
    assert_eq!(bench.balance("acct_a"), (10_000, 5000));
    bench.twin.clock().advance_date_ms(1000);
    assert_eq!(bench.balance("acct_a"), (15_000, 0));
    assert_eq!(bench.rows("acct_a", "/v1/balance_transactions?type=payment")[0]["status"], "available");
    bench.conserved();
}

#[test]
fn a_sale_in_another_currency_arrives_in_the_creators_and_sub_unit_sales_may_arrive_as_nothing() {
    let bench = Bench::new("");
    bench.sale("acct_b", 1000, "usd");
    let txn = &bench.rows("acct_b", "/v1/balance_transactions?type=payment")[0];
    assert_eq!((&txn["currency"], &txn["amount"], &txn["fee"]), (&json!("eur"), &json!(925), &json!(92)));
    assert!(txn["exchange_rate"].is_number());
    bench.sale("acct_b", 1, "huf");
    assert_eq!(bench.rows("acct_b", "/v1/balance_transactions?limit=1")[0]["amount"], 0);
    bench.conserved();
}

#[test]
fn a_refund_without_a_reversal_is_the_platforms_and_one_with_it_the_creators() {
    let bench = Bench::new("");
    let charge = bench.sale("acct_a", 1000, "usd");
    let of = charge["id"].as_str().unwrap();
    let before = bench.balance("");
    assert_eq!(bench.post("", "/v1/refunds", "r1", &format!("charge={of}&amount=100")).status, 200);
    assert_eq!((bench.balance("").0, bench.balance("acct_a").0), (before.0 - 100, 10_900));
    let body = format!("charge={of}&amount=500&reverse_transfer=true&refund_application_fee=true");
    let refund = bench.post("", "/v1/refunds", "r2", &body);
    assert_eq!(refund.status, 200, "{:?}", refund.json);
    // Half of the transfer goes back, and half of the fee comes back.
    assert_eq!(bench.balance("acct_a").0, 10_900 - 500 + 50);
    let reversals = bench.rows("", &format!("/v1/transfers/{}/reversals", charge["transfer"].as_str().unwrap()));
    assert_eq!((&reversals[0]["amount"], &reversals[0]["source_refund"]), (&json!(500), &refund.json["id"]));
    assert_eq!(refund.json["transfer_reversal"], reversals[0]["id"]);
    let kinds = bench.event_kinds();
    let told = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((told("charge.refunded"), told("transfer.reversed"), told("application_fee.refunded")), (2, 1, 1));
    let rest = bench.post("", "/v1/refunds", "r3", &format!("charge={of}&reverse_transfer=true"));
    assert_eq!((rest.status, &rest.json["amount"]), (200, &json!(400)));
    assert_eq!(bench.post("", "/v1/refunds", "r4", &format!("charge={of}")).error("code"), "charge_already_refunded");
    assert_eq!(bench.get("", &format!("/v1/charges/{of}")).json["refunded"], true);
    bench.conserved();
}

#[test]
fn a_refund_before_maturity_matures_with_its_sale() {
    let bench = Bench::new("");
    let charge = buy(&bench, "acct_a", "amount=1000&currency=usd&application_fee_amount=100");
    let body = format!("charge={}&reverse_transfer=true", charge["id"].as_str().unwrap());
    assert_eq!(bench.post("", "/v1/refunds", "r", &body).status, 200);
    assert_eq!(bench.balance("acct_a"), (10_000, -100));
    bench.twin.clock().advance_date_ms(3 * DAY_MS);
    assert_eq!(bench.balance("acct_a"), (9900, 0));
    bench.conserved();
}

#[test]
fn transfers_and_fees_go_back_by_themselves_too_but_never_more_than_went() {
    let bench = Bench::new("");
    let charge = bench.sale("acct_a", 1000, "usd");
    let path = format!("/v1/transfers/{}/reversals", charge["transfer"].as_str().unwrap());
    assert_eq!(bench.post("", &path, "a", "amount=300").status, 200);
    assert_eq!(bench.post("", &path, "b", "amount=701").status, 400);
    assert_eq!(bench.post("", &path, "c", "").json["amount"], 700);
    let path = format!("/v1/application_fees/{}/refunds", charge["application_fee"].as_str().unwrap());
    assert_eq!(bench.post("", &path, "d", "amount=40").status, 200);
    assert_eq!(bench.post("", &path, "e", "amount=61").status, 400);
    assert_eq!(bench.balance("acct_a").0, 10_000 - 100 + 40);
    assert_eq!(bench.post("", "/v1/transfers", "f", "amount=100&currency=usd&destination=acct_a").status, 200);
    assert_eq!(bench.balance("acct_a").0, 10_040);
    let poor = bench.post("", "/v1/transfers", "g", "amount=999999&currency=usd&destination=acct_a");
    assert_eq!(poor.error("code"), "balance_insufficient");
    assert_eq!(bench.rows("", "/v1/transfers?destination=acct_a").len(), 2);
    bench.conserved();
}

#[test]
fn a_dispute_debits_the_platform_and_never_the_creator() {
    let bench = Bench::new("");
    let charge = bench.sale("acct_a", 1000, "usd");
    let (platform, creator) = (bench.balance("").0, bench.balance("acct_a").0);
    let _ = bench.twin.take_events();
    let dispute = bench.control("/_twin/disputes", &json!({ "charge": charge["id"] }).to_string());
    assert_eq!(dispute.json["status"], "needs_response");
    assert_eq!((bench.balance("").0, bench.balance("acct_a").0), (platform - 1000 - 1500, creator));
    let body = format!("charge={}", charge["id"].as_str().unwrap());
    assert_eq!(bench.post("", "/v1/refunds", "r", &body).error("code"), "charge_disputed");
    let path = format!("/v1/disputes/{}", dispute.id());
    let answered = bench.post("", &path, "", "evidence[uncategorized_text]=shipped");
    assert_eq!((answered.status, &answered.json["status"]), (200, &json!("under_review")));
    let won = bench.control(&format!("/_twin/disputes/{}", dispute.id()), r#"{"to":"won"}"#);
    assert_eq!(won.json["status"], "won");
    assert_eq!((bench.balance("").0, bench.balance("acct_a").0), (platform - 1500, creator));
    let kinds: Vec<_> = bench.event_kinds().into_iter().filter(|kind| kind.starts_with("charge.dispute")).collect();
    let expected = ["created", "funds_withdrawn", "updated", "closed", "funds_reinstated"];
    assert_eq!(kinds, expected.map(|end| format!("charge.dispute.{end}")));
    assert_eq!(bench.get("", &path).json["balance_transactions"].as_array().unwrap().len(), 2);
    bench.conserved();
}

#[test]
fn an_inquiry_takes_nothing_until_it_becomes_a_dispute() {
    let bench = Bench::new("");
    let charge = bench.sale("acct_a", 1000, "usd");
    let before = bench.balance("").0;
    let body = json!({ "charge": charge["id"], "inquiry": true }).to_string();
    let inquiry = bench.control("/_twin/disputes", &body);
    assert_eq!((&inquiry.json["status"], bench.balance("").0), (&json!("warning_needs_response"), before));
    assert_eq!(bench.control("/_twin/disputes", &body).status, 400);
    let moved =
        |to: &str| bench.control(&format!("/_twin/disputes/{}", inquiry.id()), &json!({ "to": to }).to_string());
    assert_eq!(moved("won").status, 400);
    assert_eq!(moved("needs_response").status, 200);
    assert_eq!(bench.balance("").0, before - 2500);
    assert_eq!(bench.post("", &format!("/v1/disputes/{}/close", inquiry.id()), "", "").json["status"], "lost");
    assert_eq!(moved("won").status, 400);
    assert_eq!(bench.rows("", "/v1/disputes").len(), 1);
    bench.conserved();
}

#[test]
fn what_cant_be_sold_is_refused_in_stripes_words() {
    let bench = Bench::new("");
    let ask = |body: &str| bench.post("", "/v1/payment_intents", "", body);
    let cases = [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=5&currency=usd&application_fee_amount=1", "", "application_fee_amount"),
        (
            "amount=5&currency=usd&application_fee_amount=6&transfer_data[destination]=acct_a",
            "",
            "application_fee_amount",
        ),
        ("amount=5&currency=usd&transfer_data[destination]=acct_no", "resource_missing", "transfer_data[destination]"),
    ];
    for (body, code, param) in cases {
        let refused = ask(body);
        assert_eq!((refused.status, refused.error("code"), refused.error("param")), (400, code, param));
    }
    let declined = ask("amount=5&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined");
    assert_eq!((declined.status, declined.error("type"), declined.error("code")), (402, "card_error", "card_declined"));
    let open = ask("amount=500&currency=usd&transfer_data[destination]=acct_a");
    assert_eq!(open.json["status"], "requires_payment_method");
    let path = format!("/v1/payment_intents/{}/confirm", open.id());
    assert_eq!(bench.post("", &path, "", "").error("code"), "payment_intent_unexpected_state");
    assert_eq!(bench.post("", &path, "c", "payment_method=pm_card_visa").json["status"], "succeeded");
    assert_eq!(bench.post("", &path, "c", "payment_method=pm_card_visa").header("idempotent-replayed"), Some("true"));
    assert_eq!(bench.rows("", "/v1/charges").len(), 1);
    bench.conserved();
}

#[test]
fn a_list_of_transactions_is_filtered_and_paged_by_the_hundred() {
    let bench = Bench::new("");
    for _ in 0..130 {
        bench.sale("acct_a", 100, "usd");
    }
    let first = bench.get("acct_a", "/v1/balance_transactions?limit=100").json;
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (100, &json!(true)));
    let last = first["data"][99]["id"].as_str().unwrap();
    let rest = bench.rows("acct_a", &format!("/v1/balance_transactions?limit=100&starting_after={last}"));
    assert_eq!((rest.len(), &rest[30]["type"]), (31, &json!("adjustment")));
    let source = rest[0]["source"].as_str().unwrap();
    assert_eq!(bench.rows("acct_a", &format!("/v1/balance_transactions?source={source}"))[0], rest[0]);
    let one = bench.get("acct_a", &format!("/v1/balance_transactions/{last}")).json;
    assert_eq!(one["id"], last);
    assert_eq!(bench.get("acct_b", &format!("/v1/balance_transactions/{last}")).status, 404);
}

#[test]
fn stripes_own_payout_says_what_it_carried_off_and_a_manual_one_doesnt() {
    let bench = Bench::new("");
    bench.control("/_twin/accounts/acct_a", r#"{"schedule":"daily"}"#);
    bench.sale("acct_a", 1000, "usd");
    let made = bench.control("/_twin/payouts", r#"{"account":"acct_a","currency":"usd"}"#);
    let payout = bench.get("acct_a", &format!("/v1/payouts/{}", made.id())).json;
    assert_eq!((&payout["automatic"], &payout["amount"]), (&json!(true), &json!(10_900)));
    assert_eq!(payout["metadata"], json!({}));
    let carried = bench.rows("acct_a", &format!("/v1/balance_transactions?payout={}", made.id()));
    assert_eq!(carried.iter().map(|txn| txn["net"].as_i64().unwrap()).sum::<i64>(), 0);
    assert_eq!(carried.len(), 3);
    let cancel = bench.post("acct_a", &format!("/v1/payouts/{}/cancel", made.id()), "c", "");
    assert_eq!(cancel.status, 400);
    let by_hand = bench.control("/_twin/payouts", r#"{"account":"acct_b","currency":"eur","amount":500}"#);
    assert_eq!((&by_hand.json["automatic"], &by_hand.json["metadata"]), (&json!(false), &json!({})));
    let refused = bench.get("acct_b", &format!("/v1/balance_transactions?payout={}", by_hand.id()));
    assert!(refused.error("message").contains("not manual"));
    let events = bench.twin.take_events();
    let made = events.iter().find(|event| event.kind == "payout.created").unwrap();
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    assert_eq!(made["request"]["idempotency_key"], json!(null));
    bench.conserved();
}

#[test]
fn a_negative_balance_is_debited_once_and_a_failed_debit_leaves_the_debt() {
    let bench = Bench::new("");
    bench.control("/_twin/accounts/acct_a", r#"{"credit":{"usd":-12000}}"#);
    let debit = |bench: &Bench| bench.control("/_twin/debits", r#"{"account":"acct_a","currency":"usd"}"#);
    let made = debit(&bench);
    assert_eq!(debit(&bench).status, 400);
    let payout = bench.get("acct_a", &format!("/v1/payouts/{}", made.id())).json;
    assert_eq!((&payout["amount"], &payout["automatic"]), (&json!(-2000), &json!(true)));
    assert_eq!(bench.balance("acct_a"), (-2000, 2000));
    bench.wait(1000);
    assert_eq!(bench.balance("acct_a"), (0, 0));
    bench.control("/_twin/accounts/acct_failing", r#"{"credit":{"usd":-12000}}"#);
    bench.control("/_twin/debits", r#"{"account":"acct_failing","currency":"usd"}"#);
    bench.wait(1000);
    assert_eq!(bench.balance("acct_failing"), (-2000, 0));
    bench.conserved();
}

#[test]
fn what_is_the_platforms_is_done_for_nobody_else() {
    let bench = Bench::new("");
    let direct = bench.post("acct_a", "/v1/payment_intents", "", "amount=500&currency=usd");
    assert_eq!((direct.status, direct.error("type")), (400, "invalid_request_error"));
    bench.sale("acct_a", 1000, "usd");
    assert_eq!(bench.get("acct_a", "/v1/transfers").status, 404);
    assert_eq!(bench.rows("acct_a", "/v1/charges").len(), 1);
    assert!(bench.rows("acct_b", "/v1/charges").is_empty());
}
