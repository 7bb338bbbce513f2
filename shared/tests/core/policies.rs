//! Policies: names and values have one spelling, the newest version that counts is in force, and a restart undoes nobody.
use crate::money::currency;
use payout_shared::{
    holding::{self, CYCLE_GAP_MAX_DAYS, DAY_MS},
    money::Money,
    policy::{Country, Policy, PolicyHistory, PolicyName, PolicySet, PolicyValue, PolicyVersion, Scope, Short, Source},
};
use proptest::prelude::*;

fn name(text: &str) -> PolicyName {
    PolicyName::parse(text).unwrap()
}

fn value(of: &str, text: &str) -> PolicyValue {
    PolicyValue::parse(name(of), text).unwrap()
}

fn version(id: i64, of: &str, text: &str, effective_from_ms: i64, source: Source) -> PolicyVersion {
    PolicyVersion {
        id,
        name: name(of),
        value: value(of, text),
        effective_from_ms,
        set_by: "ann".to_owned(),
        reason: "because".to_owned(),
        source,
        created_at_ms: effective_from_ms,
    }
}

#[test]
fn every_policy_has_one_name_a_default_that_is_a_value_and_a_reason() {
    for policy in Policy::ALL {
        let text = policy.template().replace("<CC>", "US").replace("<cur>", "usd");
        let of = name(&text);
        assert_eq!((of.policy, of.to_string()), (policy, text));
        let default = policy.default_value();
        assert_eq!(PolicyValue::parse(of, &default.text(of)), Ok(default), "{of}");
        assert!(policy.reason().len() > 20);
        assert_eq!(policy.scope() == Scope::Whole, of.currency.is_none());
    }
    assert_eq!(name("minimum.USD").to_string(), "minimum.usd");
    assert_eq!(name("country_minimum.kr.KRW").to_string(), "country_minimum.KR.krw");
    for wrong in [
        "",
        "minimum",
        "minimum.usd.eur",
        "hold_days.usd",
        "minimum.dollars",
        "country_minimum.usd",
        "country_minimum.USA.usd",
    ] {
        assert!(PolicyName::parse(wrong).is_err(), "{wrong}");
    }
    for wrong in ["", "U", "USA", "U1", "é", "U "] {
        assert_eq!(Country::parse(wrong), None, "{wrong:?}");
    }
    assert!(PolicyName::parse("minimum").unwrap_err().contains("write minimum.<cur>"));
}

#[test]
fn values_are_read_strictly_and_said_with_their_unit() {
    for (of, text, stored, said) in [
        ("minimum.usd", "10", "10.00", "10.00 USD"),
        ("minimum.usd", "0", "0.00", "0.00 USD"),
        ("minimum.jpy", "1000", "1000", "1,000 JPY"),
        ("cap.usd", "none", "none", "none"),
        ("reserve_percent", "2.5", "2.5", "2.5 %"),
        ("reserve_percent", "0.05", "0.05", "0.05 %"),
        ("reserve_percent", "100", "100", "100 %"),
        ("growth_cap_percent", "150", "150", "150 %"),
        ("hold_days", "14", "14", "14 days"),
        ("canary_count", "20", "20", "20"),
        ("short", "skip", "skip", "skip"),
    ] {
        let read = value(of, text);
        assert_eq!((read.text(name(of)).as_str(), read.words(name(of)).as_str()), (stored, said), "{of} {text}");
    }
    for (of, wrong) in [
        ("minimum.usd", "-1"),
        ("minimum.usd", "1.234"),
        ("minimum.jpy", "0.5"),
        ("reserve_percent", "101"),
        ("reserve_percent", "2.555"),
        ("reserve_percent", "none"),
        ("reserve_percent", "5."),
        ("reserve_percent", ".5"),
        ("reserve_percent", "+5"),
        ("reserve_percent", "-5"),
        ("reserve_percent", ""),
        ("hold_days", ""),
        ("hold_days", "-1"),
        ("hold_days", "+1"),
        ("hold_days", "none"),
        ("bank_changed_days", "91"),
        ("canary_count", "1e3"),
        ("short", "fifa"),
    ] {
        assert!(PolicyValue::parse(name(of), wrong).is_err(), "{of} {wrong}");
    }
}

#[test]
fn the_newest_version_that_counts_by_then_is_in_force() {
    let history = PolicyHistory::new(vec![
        version(3, "hold_days", "3", 300, Source::Person),
        version(1, "hold_days", "1", 100, Source::Environment),
        version(2, "cap.usd", "10.00", 100, Source::Person),
        version(4, "hold_days", "4", 200, Source::Person),
        version(5, "cap.usd", "none", 400, Source::Person),
    ]);
    for (at, days) in [(99, 0), (100, 1), (199, 1), (200, 4), (299, 4), (300, 3), (i64::MAX, 3)] {
        assert_eq!(history.at(at).hold_days(), days, "at {at}");
    }
    assert_eq!(history.at(399).cap(currency("usd")).unwrap().minor, 1_000);
    assert_eq!(history.at(400).cap(currency("usd")), None);
    assert_eq!(history.in_force(name("hold_days"), 250).unwrap().id, 4);
    assert_eq!(history.in_force(name("hold_days"), 50), None);
    assert_eq!(history.at(50), PolicySet::default());
    let shown: Vec<_> = history.versions().iter().map(|version| version.id).collect();
    assert_eq!(shown, [1, 2, 4, 3, 5], "in the order in which they count");
    let same_moment = PolicyHistory::new(vec![
        version(2, "short", "skip", 1, Source::Person),
        version(1, "short", "fifo", 1, Source::Environment),
    ]);
    assert_eq!(same_moment.at(1).short(), Short::Skip, "of two from one moment, the later written");
}

/// A figure that was read in another one's place would pay too much, or too little, without a word.
#[test]
fn each_policy_that_is_set_is_the_one_that_is_read_and_no_other_changes() {
    let (usd, eur, de) = (currency("usd"), currency("eur"), Country::parse("DE").unwrap());
    let amount = |money: Option<Money>| money.map(|money| money.minor);
    let read = |set: &PolicySet| {
        [
            ("minimum.usd", amount(set.minimum(usd))),
            ("country_minimum.DE.usd", amount(set.country_minimum(de, usd))),
            ("cap.usd", amount(set.cap(usd))),
            ("run_cap.usd", amount(set.run_cap(usd))),
            ("approval_above.usd", amount(set.approval_above(usd))),
            ("drift_tolerance.usd", amount(set.drift_tolerance(usd))),
            ("growth_cap_percent", set.growth_cap_bp()),
            ("canary_fail_percent", Some(set.canary_fail_bp())),
            ("reserve_percent", Some(set.reserve_bp())),
            ("fee_percent", Some(set.fee_bp())),
            ("canary_count", Some(set.canary_count())),
            ("hold_days", Some(set.hold_days())),
            ("bank_changed_days", Some(set.bank_changed_days())),
            ("reserve_days", Some(set.reserve_days())),
            ("settlement_days", Some(set.settlement_days())),
        ]
    };
    let before = read(&PolicySet::default());
    let said = before.map(|(_, value)| value);
    let (none, days) = ([None; 7], [0, 0, 3, 0, 7].map(Some));
    assert_eq!((&said[..7], &said[7..10], &said[10..]), (&none[..], &[2_000, 0, 1_000].map(Some)[..], &days[..]));
    for (at, (text, _)) in before.iter().enumerate() {
        let set = PolicySet::default().with(text, "42").unwrap();
        let mut expected = before;
        expected[at].1 = Some(if at < 10 { 4_200 } else { 42 });
        assert_eq!(read(&set), expected, "{text}");
        assert!(set.iter().any(|(of, value)| of == name(text) && value.number() == expected[at].1), "{text}");
        assert_eq!(
            (set.cap(eur), set.country_minimum(de, eur)),
            (None, None),
            "{text}: other currencies have their own"
        );
    }
    assert_eq!((before.len() + 1, PolicySet::default().short()), (Policy::ALL.len(), Short::Fifo));
}

/// What a start writes, after these versions of hold_days, when the configuration says this.
fn written(versions: &[(&str, Source)], said: Option<(&str, Source)>) -> Option<(String, Source)> {
    let versions = (1..).zip(versions).map(|(id, (text, source))| version(id, "hold_days", text, id, *source));
    let said = said.map(|(text, source)| (value("hold_days", text), source));
    let write = PolicyHistory::new(versions.collect()).to_write(name("hold_days"), said);
    write.map(|(value, source)| (value.text(name("hold_days")), source))
}

#[test]
fn a_start_writes_only_what_the_configuration_says_otherwise_than_before() {
    use Source::{Default, Environment, Person};
    let write = |text: &str, source| Some((text.to_owned(), source));
    let env = |text: &'static str| Some((text, Environment));
    assert_eq!(written(&[], env("5")), write("5", Environment));
    assert_eq!(written(&[], None), write("0", Default), "the program's own default is kept for later");
    assert_eq!(written(&[("0", Default)], None), None);
    assert_eq!(written(&[("5", Environment)], env("5")), None);
    assert_eq!(written(&[("5", Environment), ("9", Person)], env("5")), None, "a restart undoes nobody");
    assert_eq!(written(&[("5", Environment), ("9", Person)], env("6")), write("6", Environment));
    assert_eq!(written(&[("5", Environment)], None), write("0", Default), "no longer configured");
    assert_eq!(
        written(&[("5", Environment), ("9", Person)], None),
        None,
        "what a person set isn't the configuration's to take back"
    );
    assert_eq!(written(&[("5", Environment), ("0", Default)], env("5")), write("5", Environment), "configured again");
    assert_eq!(written(&[("0", Default), ("9", Person)], Some(("4", Default))), None);
    assert_eq!(written(&[("0", Default)], Some(("4", Default))), write("4", Default));
    let never = PolicyHistory::default().to_write(name("cap.usd"), None);
    assert_eq!(never, None, "nothing is nothing to be written");
}

#[test]
fn stripes_holding_limit_is_by_country_and_counts_until_the_next_cycle() {
    let of = |code: &str| Country::parse(code).unwrap();
    assert_eq!(["US", "TH", "DE"].map(|code| holding::limit_days(of(code))), [730, 10, 90]);
    let now = 1_000 * DAY_MS;
    let days_ago = |days: i64| now - days * DAY_MS;
    assert!(!holding::is_due(days_ago(90 - CYCLE_GAP_MAX_DAYS), now, of("DE")));
    assert!(holding::is_due(days_ago(90 - CYCLE_GAP_MAX_DAYS) - 1, now, of("DE")));
    assert!(!holding::is_due(days_ago(90), now, of("US")));
    assert!(holding::is_due(now, now, of("TH")), "no money lasts there until the next cycle");
    let three_quarters = now - (67 * DAY_MS + DAY_MS / 2);
    assert!(
        !holding::is_alarming(three_quarters, now, of("DE")) && holding::is_alarming(three_quarters - 1, now, of("DE"))
    );
    assert!(!holding::is_alarming(now - 7 * DAY_MS - DAY_MS / 2, now, of("TH")));
    assert!(holding::is_alarming(now - 8 * DAY_MS, now, of("TH")));
    assert_eq!(holding::fits(73, &[of("DE"), of("US")]), Ok(()));
    assert_eq!(holding::fits(74, &[of("US"), of("DE")]), Err((of("DE"), 90)));
    assert_eq!(holding::fits(0, &[of("TH")]), Ok(()), "to keep nothing back always fits");
    assert_eq!(holding::fits(1, &[of("TH")]), Err((of("TH"), 10)));
}

/// The 15th of a month of 31 days to the 1st is the longest there is.
#[test]
fn no_cycle_is_farther_from_the_next_than_is_said() {
    let rules = payout_shared::calendar::CycleRules::new("UTC", jiff::civil::time(6, 0, 0, 0)).unwrap();
    let cycles = rules.next(jiff::Timestamp::UNIX_EPOCH, 24 * 60);
    let gaps =
        cycles.windows(2).map(|pair| (pair[1].instant.as_millisecond() - pair[0].instant.as_millisecond()) / DAY_MS);
    assert_eq!(gaps.max(), Some(CYCLE_GAP_MAX_DAYS));
}

proptest! {
    #[test]
    fn in_whatever_order_versions_are_read_the_same_is_in_force(mut moments in prop::collection::vec((0_i64..50, 0_i64..90), 1..30), at in 0_i64..60) {
        let made = |moments: &[(i64, i64)]| -> Vec<PolicyVersion> {
            (1..).zip(moments).map(|(id, (from, days))| version(id, "hold_days", &days.to_string(), *from, Source::Person)).collect()
        };
        let forward = PolicyHistory::new(made(&moments));
        let mut backward = made(&moments);
        backward.reverse();
        prop_assert_eq!(forward.at(at), PolicyHistory::new(backward).at(at));
        moments.retain(|(from, _)| *from <= at);
        // Of several with the largest moment, the last.
        let newest = moments.iter().max_by_key(|(from, _)| *from).map_or(0, |(_, days)| *days);
        prop_assert_eq!(forward.at(at).hold_days(), newest);
    }
}
