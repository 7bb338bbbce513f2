//! How long is waited before money moves, is asked for again or is free: the times of the rules, in hours and days.
use payout_shared::{
    absence,
    cohort::gate,
    consequence, holding,
    payout::PayoutState,
    retry,
    rollback::{RowFacts, Step, step},
    short, sweep, witness,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;

#[test]
fn every_wait_is_as_long_as_the_rules_say() {
    for (said, wait, rule) in [
        ("a key is surely remembered by Stripe", consequence::RESEND_WITHIN_MS, 23 * HOUR),
        ("an absence counts after the last send", absence::PROOF_AFTER_MS, 25 * HOUR),
        ("two absences are apart", absence::PROOF_APART_MS, 15 * MINUTE),
        ("the longest wait between two listings", consequence::backoff_ms(20, MINUTE), 15 * MINUTE),
        ("nothing was told of a payout that should be there", sweep::UNTOLD_MS, DAY),
        ("a payout stays paid before it is settled", sweep::SETTLE_AFTER_MS, 7 * DAY),
        ("two looks in vain are at least apart", sweep::AGAIN_MIN_MS, 6 * HOUR),
        ("two looks in vain are at most apart", sweep::AGAIN_MAX_MS, DAY),
        ("a passing cause gets to pass", retry::RETRY_AFTER_MS, 15 * MINUTE),
        ("a failure is tried again by itself", retry::RETRY_WITHIN_MS, DAY),
        ("a balance says something about now", short::FRESH_MS, MINUTE),
        ("the gate looks back", gate::WINDOW_MS, 30 * DAY),
        ("Stripe lists events, and a restored database asks", witness::HORIZON_MS, 30 * DAY),
        ("a day", holding::DAY_MS, DAY),
    ] {
        assert_eq!(wait, rule, "{said}");
    }
}

#[test]
fn stripe_reverses_up_to_the_90th_day_after_the_arrival() {
    let paid = RowFacts {
        state: PayoutState::Paid,
        bank_country: Some("US".to_owned()),
        bank_is_current: true,
        arrival_ms: 0,
        cancel: None,
        reverse: None,
    };
    assert_eq!(step(&paid, 90 * DAY - 1).0, Step::Reverse);
    assert_eq!(step(&paid, 90 * DAY).0, Step::Impossible);
}
