//! When Stripe holds less than is payable: never more than is payable or there, the oldest first, and the same whoever asks.
use crate::plans::{NOW_MS, facts, rules};
use payout_shared::{
    plan::{Decision, PlanRules, PurseFacts, SkipReason, decide, wants_entries},
    short::{Chosen, Entry, FRESH_MS, StripeFacts, fifo},
};
use proptest::{prelude::*, sample::select};

fn entry(id: i64, earned_at_ms: i64, amount_minor: i64) -> Entry {
    Entry { id, earned_at_ms, amount_minor }
}

fn holding(available_minor: i64, facts: PurseFacts) -> PurseFacts {
    PurseFacts { stripe: Some(StripeFacts { available_minor, read_at_ms: NOW_MS }), ..facts }
}

#[test]
fn all_that_is_not_positive_goes_in_and_then_the_oldest_that_fit() {
    let entries = [entry(4, 30, 500), entry(1, 20, 2_000), entry(2, 10, 3_000), entry(3, 99, -1_000), entry(5, 99, 0)];
    assert_eq!(fifo(&entries, 4_000), Some(Chosen { ids: vec![1, 2, 3, 5], sum_minor: 4_000 }));
    assert_eq!(
        fifo(&entries, 3_999),
        Some(Chosen { ids: vec![2, 3, 5], sum_minor: 2_000 }),
        "a prefix: 4 would fit, but comes after 1"
    );
    assert_eq!(fifo(&entries, 0), Some(Chosen { ids: vec![3, 5], sum_minor: -1_000 }));
    assert_eq!(fifo(&[entry(1, 0, i64::MAX), entry(2, 0, 1)], i64::MAX), None, "sums that don't fit are refused");
}

#[test]
fn of_two_earned_at_once_the_one_stored_first_is_older() {
    let entries = [entry(8, 10, 300), entry(7, 10, 300)];
    assert_eq!(fifo(&entries, 599).unwrap().ids, [7]);
}

#[test]
fn a_balance_bounds_a_plan_only_while_it_is_fresh() {
    let known =
        |read_at_ms| PurseFacts { stripe: Some(StripeFacts { available_minor: 0, read_at_ms }), ..facts("usd", 5_000) };
    let short = |facts: &PurseFacts| {
        matches!(decide(facts, &rules()), Ok(Decision::Skip { reason: SkipReason::StripeShort, .. }))
    };
    assert!(short(&known(NOW_MS)) && short(&known(NOW_MS - FRESH_MS)));
    assert!(!short(&known(NOW_MS - FRESH_MS - 1)), "what became available since isn't in it");
    assert!(!short(&known(NOW_MS + 1)), "the clock was set back");
    assert!(!short(&facts("usd", 5_000)), "never read bounds nothing");
}

#[test]
fn what_was_chosen_meets_unit_and_minimum_again() {
    let chosen =
        |facts: PurseFacts, chosen| decide(&PurseFacts { chosen_minor: Some(chosen), ..facts }, &rules()).unwrap();
    match chosen(holding(12_000, facts("huf", 30_000)), 11_950) {
        Decision::Pay { amount, carry, .. } => assert_eq!((amount.minor, carry.minor), (11_900, 50)),
        skip @ Decision::Skip { .. } => panic!("{skip:?}"),
    }
    match chosen(holding(1_500, facts("usd", 5_000)), 999) {
        Decision::Skip { reason, .. } => assert_eq!(reason, SkipReason::StripeShort),
        pay @ Decision::Pay { .. } => panic!("under the minimum: {pay:?}"),
    }
    for (available, sum, paid) in [(1_500, 1_000, true), (1_500, 1_500, true), (1_500, 1_501, false)] {
        let decided = chosen(holding(available, facts("usd", 5_000)), sum);
        let pays = matches!(decided, Decision::Pay { amount, .. } if amount.minor == sum);
        assert_eq!(pays, paid, "{sum} of {available}: a choice from before the balance fell is none");
    }
}

#[test]
fn entries_are_wanted_by_fifo_only_and_only_where_stripe_holds_less() {
    let skip = PlanRules { policies: rules().policies.with("short", "skip").unwrap(), ..rules() };
    let short = holding(4_999, facts("usd", 5_000));
    assert_eq!(wants_entries(&short, &rules()), Ok(Some(4_999)));
    assert_eq!(wants_entries(&short, &skip), Ok(None));
    assert_eq!(wants_entries(&holding(5_000, facts("usd", 5_000)), &rules()), Ok(None));
    assert_eq!(
        wants_entries(&holding(49_950, facts("huf", 49_999)), &rules()),
        Ok(None),
        "what the unit leaves over isn't asked of Stripe"
    );
    let chosen = PurseFacts { chosen_minor: Some(4_000), ..short };
    assert!(matches!(decide(&chosen, &skip), Ok(Decision::Skip { reason: SkipReason::StripeShort, .. })));
}

fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((0_i64..5, prop_oneof![3 => 1_i64..9_000, 1 => -5_000_i64..=0]), 0..12)
        .prop_map(|rows| rows.into_iter().zip(1..).map(|((earned, amount), id)| entry(id, earned, amount)).collect())
}

proptest! {
    #[test]
    fn a_payout_is_never_more_than_is_payable_or_there(
        entries in any_entries(), available in -5_000_i64..40_000, code in select(vec!["usd", "eur", "huf", "kwd"]),
    ) {
        let payable: i64 = entries.iter().map(|entry| entry.amount_minor).sum();
        let mut facts = holding(available, facts(code, payable));
        if let Some(bound) = wants_entries(&facts, &rules()).unwrap() {
            prop_assert_eq!(bound, available);
            facts.chosen_minor = fifo(&entries, bound).map(|chosen| chosen.sum_minor);
        }
        if let Decision::Pay { amount, carry, .. } = decide(&facts, &rules()).unwrap() {
            prop_assert!(amount.minor <= available && amount.minor <= payable);
            prop_assert!(amount.minor > 0 && amount.minor % facts.currency.unit() == 0);
            prop_assert_eq!(amount.minor + carry.minor, facts.chosen_minor.unwrap_or(payable));
        }
    }

    #[test]
    fn what_is_chosen_is_all_negatives_and_a_longest_prefix_in_whatever_order_they_come(
        (entries, shuffled) in any_entries().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())), available in -5_000_i64..40_000,
    ) {
        let chosen = fifo(&entries, available).unwrap();
        prop_assert_eq!(fifo(&shuffled, available).unwrap(), chosen.clone());
        let is_in = |entry: &Entry| chosen.ids.contains(&entry.id);
        prop_assert_eq!(entries.iter().filter(|e| is_in(e)).map(|e| e.amount_minor).sum::<i64>(), chosen.sum_minor);
        prop_assert!(entries.iter().all(|e| e.amount_minor > 0 || is_in(e)));
        let mut positive: Vec<&Entry> = entries.iter().filter(|e| e.amount_minor > 0).collect();
        positive.sort_by_key(|e| (e.earned_at_ms, e.id));
        let taken = positive.iter().take_while(|e| is_in(e)).count();
        prop_assert!(positive[taken..].iter().all(|e| !is_in(e)), "a prefix");
        prop_assert!(taken == 0 || chosen.sum_minor <= available);
        prop_assert!(positive.get(taken).is_none_or(|next| chosen.sum_minor + next.amount_minor > available), "the longest");
    }
}
