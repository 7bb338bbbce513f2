//! Words that are stored and shown: each is read back as what it was, and nothing else is.
use jiff::civil;
use payout_shared::{
    cohort::CohortKind,
    earning::EarningKind,
    id::{Mode, PayoutId, RunId},
    payout::{ObjectStatus, PayoutState},
    plan::SkipReason,
    run::{RunKind, RunLabel, RunState},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, fmt::Debug};

/// The word in the database, the word in JSON and the word that is read are one.
fn one_word_each<T: Copy + Debug + PartialEq + serde::Serialize>(
    all: &[T],
    word: impl Fn(&T) -> &'static str,
    parse: impl Fn(&str) -> Option<T>,
) {
    let words: BTreeSet<_> = all.iter().map(&word).collect();
    assert_eq!(words.len(), all.len(), "two of {all:?} share a word");
    for one in all {
        assert_eq!(parse(word(one)), Some(*one));
        assert_eq!(serde_json::to_string(one).unwrap(), format!("{:?}", word(one)));
        assert_eq!(parse(&word(one).to_uppercase()), None);
        assert_eq!(parse(&format!(" {}", word(one))), None);
    }
    assert_eq!(parse(""), None);
}

#[test]
fn every_stored_word_is_read_back_as_what_it_was() {
    one_word_each(&EarningKind::ALL, |it| it.as_str(), EarningKind::parse);
    one_word_each(&PayoutState::ALL, |it| it.as_str(), PayoutState::parse);
    one_word_each(&ObjectStatus::ALL, |it| it.as_str(), ObjectStatus::parse);
    one_word_each(&RunState::ALL, |it| it.as_str(), RunState::parse);
    one_word_each(&[RunKind::Scheduled, RunKind::Manual], |it| it.as_str(), RunKind::parse);
    one_word_each(&CohortKind::ALL, |it| it.as_str(), CohortKind::parse);
    one_word_each(&SkipReason::ALL, |it| it.as_str(), SkipReason::parse);
    one_word_each(&[Mode::Live, Mode::Test], |it| it.as_str(), Mode::parse);
}

#[test]
fn a_key_acts_in_the_mode_that_its_prefix_says() {
    for (key, mode) in [
        ("sk_live_x", Some(Mode::Live)),
        ("rk_live_x", Some(Mode::Live)),
        ("sk_test_x", Some(Mode::Test)),
        ("rk_test_x", Some(Mode::Test)),
        ("pk_live_x", None),
        ("whsec_x", None),
        (" sk_live_x", None),
        ("", None),
    ] {
        assert_eq!(Mode::of_key(key), mode, "{key}");
    }
    assert!(Mode::Live.is_live() && !Mode::Test.is_live());
}

#[test]
fn active_and_unanswered_payouts_are_those_of_the_document() {
    use PayoutState as S;
    let active: Vec<_> = S::ALL.into_iter().filter(|state| state.is_active()).collect();
    assert_eq!(active, [S::Planned, S::Submitting, S::Unknown, S::Pending, S::InTransit]);
    let unanswered: Vec<_> = S::ALL.into_iter().filter(|state| state.is_unanswered()).collect();
    assert_eq!(unanswered, [S::Planned, S::Submitting, S::Unknown]);
}

#[test]
fn a_label_has_one_spelling() {
    let label = RunLabel { date: civil::date(2026, 12, 1), number: 1 };
    assert_eq!(label.to_string(), "2026-12-01#1");
    assert_eq!(RunLabel::parse("2026-12-01#1"), Some(label));
    for text in [
        "",
        "2026-12-01",
        "2026-12-01#",
        "2026-12-01#0",
        "2026-12-01#01",
        "2026-12-01#+1",
        "2026-12-01#-1",
        "20261201#1",
        "2026-12-01T00:00#1",
        "2026-12-1#1",
        "2026-13-01#1",
        "2026-02-30#1",
        " 2026-12-01#1",
        "2026-12-01#1 ",
        "2026-12-01#1#1",
        "2026-12-01#4294967296",
        "#1",
    ] {
        assert_eq!(RunLabel::parse(text), None, "{text:?}");
    }
}

#[test]
fn ids_sort_by_time_and_say_what_they_name() {
    let (early, late) = (RunId::from_parts(1, u128::MAX), RunId::from_parts(2, 0));
    assert!(early < late);
    assert!(early.as_str().starts_with("run_") && early.as_str().len() == 30);
    assert!(PayoutId::from_parts(1, 7).as_str().starts_with("pay_"));
    assert_eq!(RunId::from_parts(1, 7), RunId::from_parts(1, 7), "a seeded source gives the same names again");
    assert_ne!(RunId::from_parts(1, 7), RunId::from_parts(1, 8));
    assert_eq!(serde_json::to_string(&PayoutId::new("pay_1")).unwrap(), "\"pay_1\"");
}

proptest! {
    #[test]
    fn a_shown_label_is_read_back(year in 1970_i16..=9999, month in 1_i8..=12, day in 1_i8..=28, number in 1_u32..) {
        let label = RunLabel { date: civil::date(year, month, day), number };
        prop_assert_eq!(RunLabel::parse(&label.to_string()), Some(label));
    }

    #[test]
    fn nothing_but_a_label_reads_as_one(text in "[0-9#T+ -]{0,16}") {
        if let Some(label) = RunLabel::parse(&text) {
            prop_assert_eq!(label.to_string(), text);
        }
    }
}
