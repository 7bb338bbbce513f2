//! When a payout that nothing was told of is looked at, and when a paid one is settled.
use payout_shared::{
    payout::{ObjectStatus, PayoutState},
    sweep::{
        AGAIN_MAX_MS, AGAIN_MIN_MS, SETTLE_AFTER_MS, UNTOLD_MS, first_look_at_object_ms, first_look_ms, next_look_ms,
        settles_at_ms,
    },
};

const NOW: i64 = 1_796_104_800_000;

#[test]
fn what_is_on_its_way_is_looked_at_a_day_after_it_should_have_arrived() {
    for state in [PayoutState::Pending, PayoutState::InTransit] {
        assert_eq!(first_look_ms(state, true, NOW, None), Some(NOW + UNTOLD_MS));
        assert_eq!(first_look_ms(state, true, NOW, Some(NOW + 5)), Some(NOW + 5 + UNTOLD_MS));
        assert_eq!(first_look_ms(state, true, NOW, Some(NOW - 5)), Some(NOW + UNTOLD_MS), "it should be there already");
    }
}

#[test]
fn what_is_paid_is_looked_at_a_last_time_when_it_may_be_settled() {
    let look_ms = first_look_ms(PayoutState::Paid, true, NOW, None);
    assert_eq!(look_ms, Some(NOW + SETTLE_AFTER_MS));
    assert_eq!(look_ms, Some(settles_at_ms(NOW, None)));
    assert_eq!(settles_at_ms(NOW, Some(NOW + 9)), NOW + 9 + SETTLE_AFTER_MS, "said to be paid before it arrives");
}

#[test]
fn what_has_failed_is_looked_at_until_its_money_is_seen_back() {
    for state in [PayoutState::Failed, PayoutState::Canceled, PayoutState::Returned] {
        assert_eq!(first_look_ms(state, true, NOW, None), Some(NOW + UNTOLD_MS));
        assert_eq!(first_look_ms(state, false, NOW, None), None);
    }
}

#[test]
fn nobody_looks_at_what_is_at_an_end_or_not_at_stripe() {
    for state in PayoutState::ALL {
        let awaits = matches!(
            state,
            PayoutState::Pending
                | PayoutState::InTransit
                | PayoutState::Paid
                | PayoutState::Failed
                | PayoutState::Canceled
                | PayoutState::Returned
        );
        assert_eq!(first_look_ms(state, true, NOW, None).is_some(), awaits, "{state:?}");
    }
}

#[test]
fn an_object_of_somebody_else_is_looked_at_like_one_of_ours() {
    for (status, state) in [
        (Some(ObjectStatus::Pending), PayoutState::Pending),
        (Some(ObjectStatus::InTransit), PayoutState::InTransit),
        (None, PayoutState::Pending),
        (Some(ObjectStatus::Paid), PayoutState::Paid),
        (Some(ObjectStatus::Failed), PayoutState::Failed),
        (Some(ObjectStatus::Canceled), PayoutState::Canceled),
    ] {
        for back in [false, true] {
            assert_eq!(
                first_look_at_object_ms(status, back, NOW, None),
                first_look_ms(state, !back, NOW, None),
                "{status:?}"
            );
        }
    }
}

#[test]
fn looks_in_vain_grow_apart_within_bounds() {
    assert_eq!(next_look_ms(NOW, NOW), NOW + AGAIN_MIN_MS);
    assert_eq!(next_look_ms(NOW, NOW + 99), NOW + AGAIN_MIN_MS, "news from the future say nothing");
    assert_eq!(next_look_ms(NOW, NOW - 2 * UNTOLD_MS), NOW + UNTOLD_MS / 2);
    assert_eq!(next_look_ms(NOW, NOW - 100 * UNTOLD_MS), NOW + AGAIN_MAX_MS);
    assert_eq!(next_look_ms(NOW, i64::MIN), NOW + AGAIN_MAX_MS);
}
