//! Words that are stored and shown: each is read back as what it was, and nothing else is.
use jiff::civil;
use payout_shared::{
    approval::{RequestKind, RequestState},
    attempt::{AttemptKind, AttemptState},
    cohort::{CohortKind, gate::Verdict},
    earning::EarningKind,
    entries::FactKind,
    id::{Mode, PayoutId, RunId},
    payout::{ObjectStatus, PayoutState},
    plan::SkipReason,
    policy::{Policy, Source},
    roles::Role,
    rollback::Step,
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
    for one in all {
        assert_eq!(serde_json::to_string(one).unwrap(), format!("{:?}", word(one)));
    }
    one_stored_word_each(all, word, parse);
}

/// The word in the database and the word that is read are one, and no two share it.
fn one_stored_word_each<T: Copy + Debug + PartialEq>(
    all: &[T],
    word: impl Fn(&T) -> &'static str,
    parse: impl Fn(&str) -> Option<T>,
) {
    let words: BTreeSet<_> = all.iter().map(&word).collect();
    assert_eq!(words.len(), all.len(), "two of {all:?} share a word");
    for one in all {
        assert_eq!(parse(word(one)), Some(*one));
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
    one_word_each(
        &[AttemptKind::Create, AttemptKind::Cancel, AttemptKind::Reverse],
        |it| it.as_str(),
        AttemptKind::parse,
    );
    one_word_each(&AttemptState::ALL, |it| it.as_str(), AttemptState::parse);
    one_word_each(&Step::ALL, |it| it.as_str(), Step::parse);
    one_word_each(&Role::ALL, |it| it.as_str(), Role::parse);
    one_stored_word_each(&RequestKind::ALL, |it| it.as_str(), RequestKind::parse);
    one_stored_word_each(&RequestState::ALL, |it| it.as_str(), RequestState::parse);
    one_stored_word_each(&FactKind::ALL, |it| it.as_str(), FactKind::parse);
    one_stored_word_each(&Source::ALL, |it| it.as_str(), Source::parse);
}

/// Scripts read these words out of `--json`: they are a promise.
#[test]
fn words_that_only_scripts_read_are_the_ones_they_always_were() {
    let verdicts = [Verdict::Passed, Verdict::Undecided, Verdict::TooFew, Verdict::TooManyFailed];
    assert_eq!(verdicts.map(Verdict::as_str), ["passed", "undecided", "too_few", "too_many_failed"]);
    let units = [Policy::Cap, Policy::FeePercent, Policy::HoldDays, Policy::CanaryCount, Policy::Short];
    assert_eq!(units.map(|policy| policy.measure().unit()), ["amount", "percent", "days", "payouts", ""]);
    let sources = [FactKind::Sale, FactKind::Reversal, FactKind::FeeRefund, FactKind::Dispute, FactKind::Refund];
    let objects = ["charge", "transfer_reversal", "fee_refund", "dispute", "refund"];
    assert_eq!(sources.map(FactKind::source_type), objects, "an entry's identity is Stripe's object");
    assert_eq!(FactKind::Debit.source_type(), "payout");
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
fn a_run_is_open_until_it_is_completed_missed_or_given_up() {
    use RunState as R;
    let closed: Vec<_> = R::ALL.into_iter().filter(|state| !state.is_open()).collect();
    assert_eq!(closed, [R::Completed, R::CompletedWithFailures, R::Settled, R::Missed, R::Aborted]);
}

#[test]
fn a_rollback_acts_on_what_it_voids_cancels_reverses_or_finds_out() {
    let acts: Vec<_> = Step::ALL.into_iter().filter(|step| step.acts()).collect();
    assert_eq!(acts, [Step::Void, Step::Cancel, Step::Reverse, Step::Resolve]);
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
