//! Cohorts: a percentage is the same creators everywhere and only grows, a sample can be repeated and is a mix, and the gate says
//! what it counts.
use crate::money::currency;
use payout_shared::{
    cohort::{
        self, BUCKETS, Named, Place, Rollout, Share, bucket,
        gate::{Figures, NEEDED, Verdict},
        place,
        sample::{Earner, Pick, sample},
    },
    id::CreatorId,
    money::Money,
    payout::PayoutState,
};
use proptest::{prelude::*, sample::select};
use std::collections::{BTreeMap, BTreeSet};

fn share(text: &str) -> Share {
    Share::parse(text).unwrap()
}

/// Written down: a bucket that changed would open other creators than the ones that were looked at.
#[test]
fn buckets_are_the_ones_they_always_were() {
    let buckets = ["creator1", "creator2", "", "ü", "0b0e1f3c-91f5-4a7e-8d0b-7f8a1f1f9a55"]
        .map(|creator| bucket(&CreatorId::new(creator)));
    assert_eq!(buckets, [877, 2146, 6688, 480, 1458]);
}

#[test]
fn a_share_of_many_creators_is_about_that_share() {
    let creators: Vec<CreatorId> = (0..20_000).map(|n| CreatorId::new(format!("creator{n}"))).collect();
    for (text, expected) in [("1", 200), ("10", 2_000), ("50", 10_000), ("0.5", 100)] {
        let taken = creators.iter().filter(|creator| share(text).takes(creator)).count();
        assert!(taken.abs_diff(expected) < expected / 4, "{text} %: {taken}");
    }
    assert!(creators.iter().all(|creator| share("100").takes(creator)));
}

#[test]
fn percentages_are_read_and_said() {
    for (text, bp, said) in [
        ("5", 500, "5 %"),
        ("12.5", 1250, "12.5 %"),
        ("0.25", 25, "0.25 %"),
        ("3.05", 305, "3.05 %"),
        ("100", 10_000, "100 %"),
        ("0.01", 1, "0.01 %"),
    ] {
        assert_eq!((share(text).bp(), share(text).to_string().as_str()), (bp, said));
    }
    for bad in ["", "0", "0.00", "100.01", "101", "1.234", "-1", "+1", "1e1", "5 %", ".5", "5.", "٥", "1000"] {
        assert_eq!(Share::parse(bad), None, "{bad:?}");
    }
    assert!(Share::of_bp(0).is_none() && Share::of_bp(10_001).is_none() && Share::of_bp(-1).is_none());
    assert!(share("100").is_all() && !share("99.99").is_all() && !share("0.01").is_all());
}

#[test]
fn names_stand_in_commands() {
    for good in ["beta", "2026-12", "a", "wave_2.b", &"x".repeat(64)] {
        assert_eq!(cohort::name(good, "tag").unwrap(), good);
    }
    for bad in ["", "Beta", "-x", ".x", "a b", "ü", "a/b", "a'b", "a\n", &"x".repeat(65)] {
        let said = cohort::name(bad, "name of a cohort").unwrap_err().to_string();
        assert!(said.contains("is no name of a cohort: small letters"), "{said}");
    }
}

fn rollout(shares: &[(&str, &str, bool)]) -> Rollout {
    let shares = shares.iter().map(|(name, percent, open)| ((*name).to_owned(), share(percent), *open)).collect();
    Rollout { in_use: true, shares }
}

#[test]
fn who_is_in_and_what_would_let_the_others_in() {
    let low = CreatorId::new("0b0e1f3c-91f5-4a7e-8d0b-7f8a1f1f9a55"); // bucket 1458
    let named = |open: &str, closed: &str| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Named { open: some(open), closed: some(closed) }
    };
    let is_in = |name: &str| Place::In(name.to_owned());
    let out = |name: &str| Place::Out((!name.is_empty()).then(|| name.to_owned()));
    let cases = [
        (Rollout::default(), named("", ""), Place::NotInUse),
        (rollout(&[]), named("", ""), out("")),
        (rollout(&[]), named("", "beta"), out("beta")),
        (rollout(&[]), named("beta", "other"), is_in("beta")),
        (rollout(&[("ten", "10", true)]), named("", ""), out("")),
        (rollout(&[("ten", "10", true), ("all", "100", false), ("half", "50", false)]), named("", ""), out("half")),
        (rollout(&[("ten", "10", true), ("all", "100", false)]), named("", "beta"), out("beta")),
        (rollout(&[("less", "14.58", true)]), named("", ""), out("")),
        (rollout(&[("more", "14.59", true), ("all", "100", false)]), named("", ""), is_in("more")),
        (rollout(&[("all", "100", false)]), named("", ""), out("all")),
    ];
    for (rollout, named, expected) in cases {
        let found = place(&rollout, &low, &named);
        assert_eq!(found, expected, "{rollout:?} {named:?}");
        assert_eq!(found.is_in(), found.why_out().is_none());
    }
    assert!(out("").why_out().unwrap().contains("no cohort has them"));
}

fn figures(rows: &[(PayoutState, i64)]) -> Figures {
    let mut figures = Figures::default();
    for (state, count) in rows {
        figures.add(*state, *count, Money::new(*count * 100, currency("usd"))).unwrap();
    }
    figures
}

#[test]
fn every_state_counts_as_the_document_says() {
    use PayoutState as S;
    for state in S::ALL {
        let found = figures(&[(state, 3)]);
        let expected = match state {
            S::Paid | S::Settled => (3, 0, 0),
            S::Failed | S::Returned => (0, 3, 0),
            S::Planned | S::Submitting | S::Unknown | S::Pending | S::InTransit => (0, 0, 3),
            S::Voided | S::Canceled | S::Reversing | S::Reversed => (0, 0, 0),
        };
        assert_eq!((found.paid, found.failed, found.undecided), expected, "{state:?}");
    }
}

#[test]
fn the_gate_opens_at_98_of_100_at_10_payouts_and_when_nothing_is_on_its_way() {
    use PayoutState::{Failed, InTransit, Paid, Returned, Settled};
    let cases = [
        (
            vec![],
            Verdict::TooFew,
            "not passed: 0 of 0 payouts paid, and at least 10 payouts with an outcome are needed",
        ),
        (
            vec![(Paid, 9)],
            Verdict::TooFew,
            "not passed: 9 of 9 payouts paid = 100.00 %, and at least 10 payouts with an outcome are needed",
        ),
        (vec![(Paid, 10)], Verdict::Passed, "passed: 10 of 10 payouts paid = 100.00 %, at least 98 % are needed"),
        (
            vec![(Paid, 90), (Settled, 8), (Failed, 2)],
            Verdict::Passed,
            "passed: 98 of 100 payouts paid = 98.00 %, at least 98 % are needed",
        ),
        (
            vec![(Paid, 9_799), (Returned, 201)],
            Verdict::TooManyFailed,
            "not passed: 9799 of 10000 payouts paid = 97.99 %, at least 98 % are needed",
        ),
        (
            vec![(Paid, 20), (InTransit, 1)],
            Verdict::Undecided,
            "not passed: 1 on their way without an outcome yet; 20 of 20 payouts paid = 100.00 %, at least 98 % of 10 or more are needed",
        ),
    ];
    for (rows, verdict, sentence) in cases {
        let figures = figures(&rows);
        assert_eq!((figures.verdict(), figures.sentence().as_str()), (verdict, sentence));
    }
    assert_eq!(NEEDED, 10);
}

#[test]
fn success_by_amount_stands_beside_and_currencies_are_never_added() {
    let mut figures = figures(&[(PayoutState::Paid, 3), (PayoutState::Failed, 1)]);
    figures.add(PayoutState::Failed, 1, Money::new(5, currency("eur"))).unwrap();
    let shown: Vec<_> = figures
        .amounts
        .iter()
        .map(|a| (a.currency().to_string(), a.paid.minor, a.failed.minor, a.success_bp()))
        .collect();
    assert_eq!(shown, [("eur".to_owned(), 0, 5, Some(0)), ("usd".to_owned(), 300, 100, Some(7_500))]);
    assert_eq!(figures.success_bp(), Some(6_000));
    assert!(figures.add(PayoutState::Paid, 1, Money::new(i64::MAX, currency("usd"))).is_err());
}

fn earner(n: u32, country: &str, code: &str, earned_minor: i64) -> Earner {
    Earner {
        creator: CreatorId::new(format!("c{n}")),
        country: country.to_owned(),
        currency: currency(code),
        earned_minor,
    }
}

/// 20 of 1,000 creators of 5 countries, one of them large.
#[test]
fn a_sample_has_every_quarter_and_every_country() {
    let country = |n: u32| ["US", "US", "US", "US", "US", "US", "DE", "FR", "JP", "BR"][n as usize % 10];
    let earners: Vec<Earner> =
        (0..1_000).map(|n| earner(n, country(n), "usd", i64::from(n) * 7_919 % 10_007)).collect();
    let picks = sample(&earners, 20, "beta");
    let count = |of: &dyn Fn(&Pick) -> String| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for pick in &picks {
            *counts.entry(of(pick)).or_default() += 1;
        }
        counts
    };
    assert_eq!(count(&|pick| pick.quarter.to_string()).into_values().collect::<Vec<_>>(), [5, 5, 5, 5]);
    assert_eq!(count(&|pick| pick.earner.country.clone()).into_values().collect::<Vec<_>>(), [4, 4, 4, 4, 4]);
    let top: Vec<_> = picks.iter().filter(|pick| pick.quarter == 1).map(|pick| pick.earner.earned_minor).collect();
    let low: Vec<_> = picks.iter().filter(|pick| pick.quarter == 4).map(|pick| pick.earner.earned_minor).collect();
    assert!(top.iter().min() > low.iter().max(), "the first quarter earns more: {top:?} {low:?}");
}

#[test]
fn who_is_picked_depends_on_the_cohorts_name_and_on_nothing_else() {
    let earners: Vec<Earner> = (0..500).map(|n| earner(n, "US", "usd", i64::from(n))).collect();
    let names = |cohort: &str, earners: &[Earner]| -> BTreeSet<String> {
        sample(earners, 20, cohort).into_iter().map(|pick| pick.earner.creator.to_string()).collect()
    };
    assert_eq!(names("beta", &earners), names("beta", &earners));
    assert_ne!(names("beta", &earners), names("gamma", &earners));
    let reversed: Vec<Earner> = earners.iter().rev().cloned().collect();
    assert_eq!(names("beta", &earners), names("beta", &reversed));
}

#[test]
fn a_creator_of_two_currencies_is_ranked_where_they_are_higher() {
    let mut earners: Vec<Earner> = (0..8).map(|n| earner(n, "JP", "jpy", 1_000_000 + i64::from(n))).collect();
    earners.extend((0..8).map(|n| earner(n, "JP", "usd", 100 - i64::from(n))));
    let picks = sample(&earners, 100, "x");
    assert_eq!(picks.len(), 8, "each creator once");
    let first = picks.iter().find(|pick| pick.earner.creator.as_str() == "c0").unwrap();
    assert_eq!((first.quarter, first.earner.currency), (1, currency("usd")));
    let last = picks.iter().find(|pick| pick.earner.creator.as_str() == "c7").unwrap();
    assert_eq!((last.quarter, last.earner.currency), (1, currency("jpy")));
}

fn any_earners() -> impl Strategy<Value = Vec<Earner>> {
    let one = (0_u32..60, select(vec!["US", "DE", "FR"]), select(vec!["usd", "eur"]), 0_i64..1_000);
    prop::collection::vec(one, 0..80)
        .prop_map(|rows| rows.into_iter().map(|(n, country, code, earned)| earner(n, country, code, earned)).collect())
}

proptest! {
    #[test]
    fn a_larger_share_only_adds(id in ".{0,40}", small in 1_i64..=10_000, more in 0_i64..10_000) {
        let (creator, large) = (CreatorId::new(id), (small + more).min(10_000));
        prop_assert!(bucket(&creator) < BUCKETS);
        let (small, large) = (Share::of_bp(small).unwrap(), Share::of_bp(large).unwrap());
        prop_assert!(!small.takes(&creator) || large.takes(&creator));
    }

    #[test]
    fn a_sample_is_as_large_as_it_can_be_and_names_each_once(earners in any_earners(), size in 0_usize..100, seed in "[a-z]{1,8}") {
        let all: BTreeSet<_> = earners.iter().map(|earner| earner.creator.clone()).collect();
        let picks = sample(&earners, size, &seed);
        let names: BTreeSet<_> = picks.iter().map(|pick| pick.earner.creator.clone()).collect();
        prop_assert_eq!(picks.len(), size.min(all.len()));
        prop_assert_eq!(names.len(), picks.len());
        prop_assert!(picks.iter().all(|pick| earners.contains(&pick.earner)));
        let shorter = sample(&earners, size / 2, &seed);
        prop_assert_eq!(&picks[..shorter.len()], &shorter[..], "a larger sample begins with the smaller one");
        let reversed: Vec<_> = earners.into_iter().rev().collect();
        let again: BTreeSet<_> = sample(&reversed, size, &seed).into_iter().map(|pick| pick.earner.creator).collect();
        prop_assert_eq!(names, again);
    }

    #[test]
    fn the_gate_passes_only_what_the_document_says(paid in 0_i64..2_000, failed in 0_i64..50, undecided in 0_i64..2) {
        use PayoutState::{Failed, Paid, Pending};
        let figures = figures(&[(Paid, paid), (Failed, failed), (Pending, undecided)]);
        let good = undecided == 0 && paid + failed >= 10 && paid * 100 >= (paid + failed) * 98;
        prop_assert_eq!(figures.verdict() == Verdict::Passed, good);
        prop_assert_eq!(figures.sentence().starts_with("passed"), good);
    }
}
