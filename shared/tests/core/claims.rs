//! What a person may say of an unknown payout, and what is refused.
use payout_shared::{
    answer::{Asked, PayoutObject},
    claim::{Claim, claim},
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::ObjectStatus,
};

const SENT_MS: i64 = 1_796_104_800_000;

fn asked() -> Asked {
    Asked {
        key: "payoutd:test:acct_1:usd:2026-12-01#1:create:1:1".to_owned(),
        account: AccountId::new("acct_1"),
        amount_minor: 5_000,
        currency: Currency::parse("usd").unwrap(),
        mode: Mode::Test,
        destination: DestinationId::new("ba_1"),
    }
}

fn object() -> PayoutObject {
    PayoutObject {
        id: ObjectId::new("po_1"),
        account: AccountId::new("acct_1"),
        amount_minor: 5_000,
        currency: Currency::parse("usd").unwrap(),
        status: Some(ObjectStatus::Paid),
        mode: Mode::Test,
        destination: Some(DestinationId::new("ba_1")),
        automatic: false,
        key: None,
        failure_code: None,
        failure_message: None,
        failure_balance_transaction: None,
        created_s: SENT_MS / 1_000,
        arrival_date_s: None,
        original_payout: None,
        reversed_by: None,
    }
}

#[test]
fn our_key_or_the_same_money_to_the_same_bank_account_is_believed() {
    let keyed = PayoutObject { key: Some(asked().key), destination: None, created_s: 0, ..object() };
    assert_eq!(claim(&asked(), SENT_MS, &keyed), Ok(Claim::ByKey(ObjectStatus::Paid)));
    assert_eq!(claim(&asked(), SENT_MS, &object()), Ok(Claim::ByAmount(ObjectStatus::Paid)));
    let emptied = PayoutObject { key: Some(String::new()), ..object() };
    assert_eq!(claim(&asked(), SENT_MS, &emptied), Ok(Claim::ByAmount(ObjectStatus::Paid)), "an empty key is none");
    let a_minute_early = PayoutObject { created_s: SENT_MS / 1_000 - 60, ..object() };
    assert_eq!(
        claim(&asked(), SENT_MS, &a_minute_early),
        Ok(Claim::ByAmount(ObjectStatus::Paid)),
        "clocks may be a minute apart"
    );
    for claimed in [Claim::ByKey(ObjectStatus::Failed), Claim::ByAmount(ObjectStatus::Failed)] {
        assert_eq!(claimed.status(), ObjectStatus::Failed);
    }
}

#[test]
fn anything_else_is_refused_with_what_is_different() {
    let keyed = || PayoutObject { key: Some(asked().key), ..object() };
    for (object, said) in [
        (PayoutObject { account: AccountId::new("acct_2"), ..keyed() }, "is on account acct_2"),
        (PayoutObject { mode: Mode::Live, ..keyed() }, "is a live payout"),
        (PayoutObject { amount_minor: 4_999, ..keyed() }, "is of 4999 usd"),
        (PayoutObject { amount_minor: -5_000, ..keyed() }, "is of -5000 usd"),
        (PayoutObject { currency: Currency::parse("eur").unwrap(), ..keyed() }, "is of 5000 eur"),
        (PayoutObject { status: None, ..keyed() }, "doesn't know"),
        (
            PayoutObject { key: Some("payoutd:test:acct_1:usd:2026-11-15#1:create:1:1".to_owned()), ..object() },
            "another payout",
        ),
        (PayoutObject { automatic: true, ..object() }, "Stripe's own schedule"),
        (PayoutObject { destination: Some(DestinationId::new("ba_2")), ..object() }, "its bank account is ba_2"),
        (PayoutObject { destination: None, ..object() }, "none that Stripe shows"),
        (PayoutObject { created_s: SENT_MS / 1_000 - 61, ..object() }, "older than the first request"),
    ] {
        let why = claim(&asked(), SENT_MS, &object).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
