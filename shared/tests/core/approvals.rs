//! Which runs need two people, who counts as two, and how the first payouts of a run are judged.
use crate::money::currency;
use payout_shared::{
    approval::{RequestKind, bounds_passed, count_yes, hash, is_within},
    canary::{First, Judgement, judge},
    money::Money,
    policy::PolicySet,
};
use proptest::prelude::*;

fn usd(minor: i64) -> Money {
    Money::new(minor, currency("usd"))
}

fn set(values: &[(&str, &str)]) -> PolicySet {
    values.iter().fold(PolicySet::default(), |set, (name, value)| set.with(name, value).unwrap())
}

#[test]
fn a_run_needs_two_people_exactly_above_its_bounds() {
    let bounds = set(&[("run_cap.usd", "500.00"), ("approval_above.usd", "100.00"), ("growth_cap_percent", "50")]);
    let passed = |minor: i64, last: Option<i64>| {
        let last = last.map(|minor| vec![usd(minor)]);
        bounds_passed(&bounds, &[usd(minor)], last.as_deref()).len()
    };
    for (minor, last, count) in [
        (10_000, None, 0),
        (10_001, None, 1),
        (50_000, None, 1),
        (50_001, None, 2),
        (9_000, Some(6_000), 0),
        (9_001, Some(6_000), 1),
        (1, Some(0), 1),
    ] {
        assert_eq!(passed(minor, last), count, "{minor} after {last:?}");
    }
    assert_eq!(bounds_passed(&PolicySet::default(), &[usd(i64::MAX)], Some(&[usd(1)])), Vec::<String>::new());
    let other = [Money::new(1, currency("eur"))];
    assert_eq!(bounds_passed(&bounds, &[usd(1)], Some(&other)).len(), 1, "a currency that the last cycle didn't have");
    let said = bounds_passed(&bounds, &[usd(9_001)], Some(&[usd(6_000)]));
    assert_eq!(said, ["90.01 USD is more than 50 % above the 60.00 USD of the last completed cycle"]);
    let huge = set(&[("growth_cap_percent", "10000")]);
    assert_eq!(bounds_passed(&huge, &[usd(i64::MAX)], Some(&[usd(i64::MAX)])), Vec::<String>::new());
    for nothing in [0, -1] {
        assert_eq!(passed(nothing, Some(-5)), 0, "a run that pays nothing needs nobody, whatever the last one came to");
    }
}

#[test]
fn two_people_are_two_uids_and_whoever_asked_is_one_of_them() {
    assert_eq!(count_yes(Some(1), &[], 2), Ok(true));
    assert_eq!(count_yes(None, &[], 2), Ok(false), "a schedule is nobody");
    assert_eq!(count_yes(None, &[2], 3), Ok(true));
    assert!(count_yes(Some(0), &[], 0).is_err(), "root is one person");
    assert!(count_yes(Some(1), &[], 1).unwrap_err().contains("another one"));
    assert!(count_yes(None, &[2], 2).unwrap_err().contains("already"));
}

#[test]
fn a_hash_is_of_everything_that_is_asked() {
    let of = hash(RequestKind::Run, "run_1", "{}");
    assert_eq!(of.len(), 16);
    for other in [
        hash(RequestKind::Override, "run_1", "{}"),
        hash(RequestKind::Run, "run_2", "{}"),
        hash(RequestKind::Run, "run_1", "{ }"),
        hash(RequestKind::Run, "run_1{", "}"),
    ] {
        assert_ne!(of, other);
    }
}

#[test]
fn the_first_payouts_leave_alone_and_the_rest_when_they_did_well() {
    let first = |started, waiting, failed| First { started, waiting, failed };
    for (known, told) in [
        (first(0, 0, 0), Judgement::Leave(10)),
        (first(4, 4, 0), Judgement::Leave(6)),
        (first(10, 1, 0), Judgement::Leave(0)),
        (first(10, 0, 0), Judgement::Passed),
        (first(10, 0, 2), Judgement::Passed),
        (first(10, 3, 3), Judgement::Failed),
        (first(3, 0, 3), Judgement::Failed),
        (first(11, 0, 2), Judgement::Passed),
    ] {
        assert_eq!(judge(10, 2_000, known), told, "{known:?}");
    }
    assert_eq!(judge(0, 0, first(5, 5, 5)), Judgement::Passed, "no canary");
    assert_eq!(judge(10, 0, first(1, 0, 1)), Judgement::Failed, "none may fail");
    assert_eq!(judge(10, 10_000, first(10, 0, 10)), Judgement::Passed, "all may");
}

proptest! {
    #[test]
    fn the_rest_never_leaves_while_a_first_one_is_unanswered(count in 1_i64..100, bp in 0_i64..=10_000, started in 0_i64..120, waiting in 0_i64..120, failed in 0_i64..120) {
        match judge(count, bp, First { started, waiting, failed }) {
            Judgement::Passed => prop_assert!(started >= count && waiting == 0),
            Judgement::Leave(more) => prop_assert!(more >= 0 && (more == 0 || started + more == count)),
            Judgement::Failed => prop_assert!(failed > 0),
        }
    }
}

#[test]
fn what_was_approved_covers_at_most_its_own_sums_in_its_own_currencies() {
    let eur = |minor| Money::new(minor, currency("eur"));
    let approved = [usd(7_000), eur(100)];
    for (now, within) in [
        (vec![usd(7_000), eur(100)], true),
        (vec![usd(6_999)], true),
        (vec![usd(7_001), eur(1)], false),
        (vec![usd(1), eur(101)], false),
        (vec![Money::new(1, currency("gbp"))], false),
        (vec![Money::new(0, currency("gbp"))], true),
    ] {
        assert_eq!(is_within(&approved, &now), within, "{now:?}");
    }
    assert!(!is_within(&[], &[usd(1)]));
}
