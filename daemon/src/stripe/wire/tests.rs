//! Requests as literals, answers whole, lacking and broken.
use super::*;
use crate::stripe::{ListRequest, ReadError, create_body};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use payout_shared::{
    answer::{AnswerMeta, Sent},
    id::{DestinationId, ObjectId},
    payout::ObjectStatus,
};
use serde_json::json;

fn acct() -> AccountId {
    AccountId::new("acct_1")
}

/// A payout as Stripe answers it, with every field that its types require.
fn whole_payout() -> Value {
    json!({
        "id": "po_1", "object": "payout", "amount": 1100, "application_fee": null, "application_fee_amount": null,
        "arrival_date": 1_796_256_000, "automatic": false, "balance_transaction": "txn_1", "created": 1_796_104_801,
        "currency": "eur", "description": null, "destination": "ba_1", "failure_balance_transaction": "txn_2",
        "failure_code": "account_closed", "failure_message": "The bank account has been closed", "livemode": false,
        "metadata": {"payoutd_key": "k1"}, "method": "standard", "original_payout": "po_0", "payout_method": null,
        "reconciliation_status": "not_applicable", "reversed_by": null, "source_type": "card",
        "statement_descriptor": null, "status": "failed", "trace_id": null, "type": "bank_account"
    })
}

fn whole_account() -> Value {
    json!({
        "id": "acct_1", "object": "account", "country": "DE", "payouts_enabled": true, "charges_enabled": true,
        "details_submitted": true, "type": "express", "default_currency": "eur", "created": 1_700_000_000,
        "requirements": {"disabled_reason": "requirements.past_due", "currently_due": [], "past_due": [],
            "eventually_due": [], "pending_verification": [], "alternatives": [], "errors": [], "current_deadline": null},
        "settings": {
            "branding": {"icon": null, "logo": null, "primary_color": null, "secondary_color": null},
            "card_payments": {"decline_on": {"avs_failure": false, "cvc_failure": false},
                "statement_descriptor_prefix": null, "statement_descriptor_prefix_kana": null,
                "statement_descriptor_prefix_kanji": null},
            "dashboard": {"display_name": "A", "timezone": "UTC"},
            "payments": {"statement_descriptor": null, "statement_descriptor_kana": null,
                "statement_descriptor_kanji": null},
            "payouts": {"debit_negative_balances": true, "statement_descriptor": null,
                "schedule": {"delay_days": 2, "interval": "manual"}}
        },
        "external_accounts": {"object": "list", "has_more": false, "url": "/v1/accounts/acct_1/external_accounts",
            "data": [{"id": "ba_1", "object": "bank_account", "account_holder_name": null, "account_holder_type": null,
                "account_type": null, "bank_name": "B", "country": "DE", "currency": "eur", "default_for_currency": true,
                "fingerprint": "f", "last4": "6789", "routing_number": null, "status": "new"}]}
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[test]
fn the_body_of_a_create_is_these_bytes_for_ever() {
    let key = "payoutd:test:acct_1:eur:2026-12-01#1:create:1:1";
    let body = create_body(key, 1100, Currency::parse("EUR").unwrap(), &DestinationId::new("ba_1"));
    let expected = "amount=1100&currency=eur&destination=ba_1\
        &metadata[payoutd_key]=payoutd:test:acct_1:eur:2026-12-01%231:create:1:1&method=standard";
    assert_eq!(body, expected);
    let read: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert!(read.contains(&("metadata[payoutd_key]".into(), key.into())));
}

#[test]
fn no_character_of_an_id_breaks_out_of_its_field() {
    let odd = "a&amount=9 +%=#[é]";
    let body = create_body(odd, 1, Currency::parse("usd").unwrap(), &DestinationId::new(odd));
    let read: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let expected = [
        ("amount", "1"),
        ("currency", "usd"),
        ("destination", odd),
        ("metadata[payoutd_key]", odd),
        ("method", "standard"),
    ];
    assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_currency_that_the_library_does_not_know_leaves_as_it_is() {
    let body = create_body("k", 1, Currency::parse("zzz").unwrap(), &DestinationId::new("b"));
    assert_eq!(body, "amount=1&currency=zzz&destination=b&metadata[payoutd_key]=k&method=standard");
}

#[test]
fn requests_go_where_stripe_documents_them() {
    assert_eq!(CREATE_PATH, "/v1/payouts");
    assert_eq!(cancel_path(&ObjectId::new("po_1")), "/v1/payouts/po_1/cancel");
    assert_eq!(reverse_path(&ObjectId::new("po_1")), "/v1/payouts/po_1/reverse");
    assert_eq!(reverse_body("k:1"), "metadata[payoutd_key]=k:1");
    assert_eq!(get_platform(), Get { path: "/v1/account".into(), account: None });
    assert_eq!(get_account(&acct()), Get { path: "/v1/accounts/acct_1".into(), account: None });
    assert_eq!(get_balance(&acct()), Get { path: "/v1/balance".into(), account: Some(acct()) });
    let list = ListRequest { account: acct(), created_from_s: 1_796_000_000, starting_after: Some("po_7".into()) };
    let path = "/v1/payouts?created[gte]=1796000000&limit=100&starting_after=po_7".to_owned();
    assert_eq!(list_payouts(&list), Get { path, account: Some(acct()) });
}

#[test]
fn our_version_is_the_one_that_the_types_were_made_from() {
    assert_eq!(API_VERSION, stripe_client_core::VERSION.as_str());
}

#[test]
fn both_readers_see_the_same_payout() {
    let value = whole_payout();
    let typed = typed::payout(&bytes(&value), &acct()).expect("complete");
    assert_eq!(Ok(&typed), lean::payout(&value, &acct()).as_ref());
    assert_eq!((typed.amount_minor, typed.status), (1100, Some(ObjectStatus::Failed)));
    assert_eq!(typed.key.as_deref(), Some("k1"));
    assert_eq!(typed.failure_balance_transaction.as_deref(), Some("txn_2"));
    assert_eq!((typed.arrival_date_s, typed.original_payout), (Some(1_796_256_000), Some(ObjectId::new("po_0"))));
}

#[test]
fn both_readers_see_the_same_account() {
    let value = whole_account();
    let typed = typed::account(&bytes(&value)).expect("complete");
    assert_eq!(Ok(&typed), lean::account(&value).as_ref());
    assert_eq!(typed.schedule_interval.as_deref(), Some("manual"));
    assert_eq!(typed.disabled_reason.as_deref(), Some("requirements.past_due"));
    assert_eq!((typed.banks.len(), typed.banks[0].default_for_currency), (1, true));
}

#[test]
fn both_readers_see_the_same_page_and_balance() {
    let page = json!({"object": "list", "url": "/v1/payouts", "has_more": true, "data": [whole_payout()]});
    let typed = typed::payouts(&bytes(&page), &acct()).expect("complete");
    assert_eq!(Ok(&typed), lean::payouts(&page, &acct()).as_ref());
    assert!(typed.1);
    let amounts = |amount| json!([{"amount": amount, "currency": "usd", "source_types": {"card": amount}}]);
    let value = json!({"object": "balance", "livemode": true, "available": amounts(-5), "pending": amounts(7)});
    let usd = Currency::parse("usd").unwrap();
    let expected = BalanceObject { mode: Mode::Live, available: vec![(usd, -5)], pending: vec![(usd, 7)] };
    assert_eq!(typed::balance(&bytes(&value)).expect("complete"), expected);
    assert_eq!(lean::balance(&value), Ok(expected));
}

#[test]
fn a_field_that_the_types_require_and_we_do_not_may_be_missing_or_null() {
    let whole = payout(&bytes(&whole_payout()), &acct()).unwrap();
    for field in ["reconciliation_status", "method", "source_type", "type", "automatic"] {
        let mut value = whole_payout();
        value[field] = Value::Null;
        assert!(typed::payout(&bytes(&value), &acct()).is_none(), "{field}");
        assert_eq!(payout(&bytes(&value), &acct()).as_ref(), Ok(&whole), "{field}");
    }
    let mut value = whole_payout();
    value["metadata"]["count"] = json!(7);
    value["destination"] = json!({"id": "ba_1", "object": "hologram"});
    assert_eq!(payout(&bytes(&value), &acct()), Ok(whole));
}

#[test]
fn whatever_is_missing_the_id_and_status_are_told() {
    for field in ["amount", "currency", "livemode", "created"] {
        let mut value = whole_payout();
        value[field] = Value::Null;
        let why = payout(&bytes(&value), &acct()).unwrap_err();
        assert!(why.contains("po_1") && why.contains("failed") && why.contains(field), "{why}");
    }
    let mut value = whole_payout();
    value["status"] = json!("quantum");
    assert_eq!(payout(&bytes(&value), &acct()).unwrap().status, None);
}

#[test]
fn one_unreadable_payout_fails_the_page() {
    let mut broken = whole_payout();
    broken["amount"] = Value::Null;
    let page = json!({"has_more": false, "data": [whole_payout(), broken]});
    assert!(payouts(&bytes(&page), &acct()).unwrap_err().contains("po_1"));
    assert!(payouts(br#"{"data":[]}"#, &acct()).is_err());
    assert_eq!(payouts(br#"{"data":[],"has_more":false}"#, &acct()), Ok((Vec::new(), false)));
}

#[test]
fn a_key_that_lacks_a_permission_is_no_accounts_fault_whomever_the_sentence_names() {
    let read = |message: &str| {
        let body = json!({"error": {"type": "invalid_request_error", "message": message}});
        answer::read_error(StatusCode::FORBIDDEN, &AnswerMeta::default(), &bytes(&body), &acct()).unwrap()
    };
    let permission =
        "The provided key 'rk_test_x' does not have the required permissions for this endpoint on account 'acct_1'.";
    assert!(matches!(read(permission), ReadError::Refused(_)));
    let access =
        "The provided key 'sk_test_x' does not have access to account 'acct_1' (or that account does not exist).";
    assert!(matches!(read(access), ReadError::NoAccess(_)));
}

#[test]
fn a_page_of_nothing_that_has_more_proves_nothing() {
    let page = json!({"object": "list", "url": "/v1/payouts", "has_more": true, "data": []});
    let bytes = bytes(&page);
    for why in [
        payouts(&bytes, &acct()).unwrap_err(),
        movements(&bytes).unwrap_err(),
        accounts(&bytes).unwrap_err(),
        transfers(&bytes).unwrap_err(),
        objects(&bytes, 1).unwrap_err(),
        events(&bytes).unwrap_err(),
    ] {
        assert!(why.contains("there are more"), "{why}");
    }
}

#[test]
fn a_deleted_account_is_not_an_account() {
    let value = json!({"id": "acct_1", "object": "account", "deleted": true});
    assert!(lean::account(&value).unwrap_err().contains("deleted"));
}

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[test]
fn headers_give_all_that_matters() {
    let meta = answer::meta(
        &headers(&[
            ("request-id", "req_1"),
            ("stripe-should-retry", "false"),
            ("stripe-rate-limited-reason", "endpoint-rate"),
            ("idempotent-replayed", "true"),
            ("retry-after", "7"),
            ("date", "Tue, 01 Dec 2026 06:00:01 GMT"),
        ]),
        0,
    );
    let expected = AnswerMeta {
        request_id: Some("req_1".into()),
        should_retry: Some(false),
        limited_reason: Some("endpoint-rate".into()),
        replayed: true,
        retry_after_ms: Some(7_000),
        date_ms: Some(1_796_104_801_000),
    };
    assert_eq!(meta, expected);
    assert_eq!(
        answer::meta(&headers(&[("date", "yesterday"), ("stripe-should-retry", "?")]), 0),
        AnswerMeta::default()
    );
}

#[test]
fn retry_after_may_be_a_fraction_or_a_date() {
    let after = |text, now_ms| answer::meta(&headers(&[("retry-after", text)]), now_ms).retry_after_ms;
    assert_eq!(after("1.5", 0), Some(2_000));
    assert_eq!(after("Tue, 01 Dec 2026 06:00:01 GMT", 1_796_104_796_000), Some(5_000));
    assert_eq!(after("Tue, 01 Dec 2026 06:00:01 GMT", 1_796_104_999_000), Some(0));
    assert_eq!(after("-1", 0), None);
}

fn sent(status: u16, body: &str) -> Sent {
    answer::sent(StatusCode::from_u16(status).unwrap(), AnswerMeta::default(), body.as_bytes(), &acct())
}

#[test]
fn an_answer_is_an_object_an_error_or_unreadable_and_keeps_its_status() {
    assert!(matches!(sent(200, &whole_payout().to_string()), Sent::Object { .. }));
    let error = r#"{"error":{"type":"invalid_request_error","code":"balance_insufficient","message":"m","param":"p"}}"#;
    let Sent::Error { status: 400, error, .. } = sent(400, error) else { panic!() };
    assert_eq!((error.kind.as_str(), error.code.as_deref()), ("invalid_request_error", Some("balance_insufficient")));
    for (status, body) in [
        (502, "<html>Bad Gateway</html>"),
        (401, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"object":"payout","status":"paid"}"#),
        (200, r#"{"error":{"type":"api_error"}}"#),
        (302, r#"{"error":{"type":"api_error"}}"#),
        (200, ""),
    ] {
        let Sent::Unreadable { status: kept, .. } = sent(status, body) else { panic!("{status} {body}") };
        assert_eq!(kept, status);
    }
    assert!(matches!(sent(402, r#"{"error":{}}"#), Sent::Error { status: 402, .. }), "an error without a type is one");
}

#[test]
fn transfers_are_listed_by_where_they_went_and_tell_themselves_and_what_was_taken_back() {
    let request = crate::stripe::TransfersRequest {
        destination: acct(),
        created_from_s: 7,
        starting_after: Some("tr_1&x=2".to_owned()),
    };
    let get = list_transfers(&request);
    assert!(get.account.is_none(), "the platform's own");
    let wanted =
        format!("/v1/transfers?created%5Bgte%5D=7&limit=100&destination={}&starting_after=tr_1%26x%3D2", acct());
    assert_eq!(get.path, wanted);
    let transfer = |id: &str| {
        json!({"object": "transfer", "id": id, "destination": acct().as_str(), "amount": 500, "currency": "usd",
            "source_transaction": "ch_1", "destination_payment": "py_1", "created": 8, "reversals": {"data": [
                {"id": "trr_1", "amount": 100, "created": 9, "destination_payment_refund": "pyr_1"}]}})
    };
    let page = |has_more: bool| json!({"data": [transfer("tr_2"), {"id": "tr_1"}], "has_more": has_more}).to_string();
    let (told, next) = transfers(page(true).as_bytes()).unwrap();
    let Told::Fact(back) = &told[0] else { panic!("{told:?}") };
    assert_eq!((back.charge.as_deref(), back.balance_source.as_deref()), (Some("ch_1"), Some("pyr_1")));
    assert!(matches!(&told[1], Told::Transfer(transfer) if transfer.destination_payment.as_deref() == Some("py_1")));
    assert_eq!((told.len(), next.as_deref()), (2, Some("tr_1")), "one that can't be read tells nothing");
    assert_eq!(transfers(page(false).as_bytes()).unwrap().1, None);
    assert!(transfers(br#"{"data": []}"#).is_err(), "whether there is more isn't said");
}

#[test]
fn events_are_asked_for_by_type_and_come_whole_and_objects_tell_what_they_are_now() {
    use crate::stripe::{EventsRequest, MoneyList, ObjectsRequest};
    let get = list_events(&EventsRequest { created_from_s: 7, starting_after: Some("evt_1".to_owned()) });
    assert!(get.account.is_none(), "the platform's own");
    assert!(get.path.starts_with("/v1/events?created%5Bgte%5D=7&limit=100&types%5B%5D=payment_intent.succeeded&"));
    assert!(get.path.ends_with("&types%5B%5D=charge.dispute.funds_reinstated&starting_after=evt_1"), "{}", get.path);
    assert!(get.path.matches("types%5B%5D=").count() <= 20, "one list takes 20");
    let page = |has_more: bool| {
        json!({"object": "list", "has_more": has_more, "data": [{"id": "evt_3", "type": "x"}, {"id": "evt_2", "type": "y"}]})
            .to_string()
    };
    let (list, next) = events(page(true).as_bytes()).unwrap();
    assert_eq!((list.len(), next.as_deref()), (2, Some("evt_2")));
    assert_eq!(serde_json::from_str::<Value>(&list[0]).unwrap()["type"], "x");
    assert_eq!(events(page(false).as_bytes()).unwrap().1, None);
    assert!(events(br#"{"data": []}"#).is_err(), "whether there is more isn't said");
    let request = ObjectsRequest { list: MoneyList::Fees, created_from_s: 7, starting_after: Some("fee_1".to_owned()) };
    assert_eq!(list_objects(&request).path, "/v1/application_fees?created%5Bgte%5D=7&limit=100&starting_after=fee_1");
    let dispute = json!({"object": "dispute", "id": "dp_1", "charge": "ch_1", "amount": 5, "currency": "usd",
        "status": "won", "created": 3});
    let (told, _) = objects(json!({"data": [dispute], "has_more": false}).to_string().as_bytes(), 9_000).unwrap();
    let Told::Fact(fact) = &told[0] else { panic!("{told:?}") };
    assert_eq!((fact.status.as_str(), fact.at_ms, fact.said_ms), ("won", 3_000, 9_000));
    let mut lists = vec![MoneyList::Charges];
    lists.extend(std::iter::successors(MoneyList::Charges.next(), |list| list.next()));
    assert_eq!(lists, MoneyList::ALL);
    assert!(lists.iter().all(|list| MoneyList::parse(list.as_str()) == Some(*list)));
}
