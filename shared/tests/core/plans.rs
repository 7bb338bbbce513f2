//! The plan of one purse: never more than is payable, one reason and one sentence for everything else.
use crate::money::currency;
use payout_shared::{
    cohort::Place,
    id::{AccountId, CreatorId, DestinationId},
    money::{Money, MoneyError},
    plan::{AccountFacts, BankFacts, Decision, PlanRules, PurseFacts, SkipReason, decide, guard, is_alarming},
    policy::{Country, PolicySet},
    short::StripeFacts,
};
use proptest::{prelude::*, sample::select};

/// When the plan is made.
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;

pub(crate) fn facts(code: &str, mature_minor: i64) -> PurseFacts {
    PurseFacts {
        creator: CreatorId::new("c1"),
        account: AccountId::new("acct_1"),
        currency: currency(code),
        mature_minor,
        immature_minor: 250,
        account_facts: Some(AccountFacts {
            payouts_enabled: true,
            disabled_reason: None,
            schedule_manual: true,
            bank: Some(BankFacts {
                destination: DestinationId::new("ba_1"),
                usable: true,
                status: "new".to_owned(),
                changed_at_ms: None,
            }),
        }),
        hold: None,
        active_payout: None,
        foreign_payout: None,
        replaced_by: None,
        stripe: None,
        chosen_minor: None,
        user_enabled: true,
        beta_open: true,
        cohort: Place::NotInUse,
        settings_enabled: true,
        creator_minimum_minor: 0,
        country: Country::parse("DE"),
        oldest_available_ms: Some(NOW_MS - 86_400_000),
        cap_override_minor: None,
        bank_overrides: Vec::new(),
    }
}

/// At least 10.00 and at most 10,000.00 USD; a bank account changed less than 3 days ago isn't paid to.
pub(crate) fn rules() -> PlanRules {
    let policies = PolicySet::default().with("minimum.usd", "10.00").unwrap().with("cap.usd", "10000.00").unwrap();
    PlanRules { policies, at_ms: NOW_MS }
}

fn account(change: impl FnOnce(&mut AccountFacts)) -> impl FnOnce(&mut PurseFacts) {
    |facts| change(facts.account_facts.as_mut().unwrap())
}

fn bank(change: impl FnOnce(&mut BankFacts)) -> impl FnOnce(&mut PurseFacts) {
    account(|account| change(account.bank.as_mut().unwrap()))
}

fn with(change: impl FnOnce(&mut PurseFacts)) -> PurseFacts {
    let mut facts = facts("usd", 5000);
    change(&mut facts);
    facts
}

fn paid(facts: &PurseFacts) -> (i64, i64) {
    match decide(facts, &rules()).unwrap() {
        Decision::Pay { amount, carry, destination } => {
            assert_eq!(
                (amount.currency, carry.currency, destination.as_str()),
                (facts.currency, facts.currency, "ba_1")
            );
            (amount.minor, carry.minor)
        }
        Decision::Skip { reason, sentence } => panic!("skipped: {reason:?} {sentence}"),
    }
}

fn skipped(facts: &PurseFacts) -> (SkipReason, String) {
    match decide(facts, &rules()).unwrap() {
        Decision::Pay { amount, .. } => panic!("{amount} would be paid"),
        Decision::Skip { reason, sentence } => (reason, sentence),
    }
}

/// What is said of an account that isn't the current one.
const REPLACED: &str = "account acct_1 was replaced by acct_2: what lies on it stays there (payout creator account c1 acct_1 pays from it again)";

/// One purse per reason, in the order of the reasons, with its sentence.
fn one_per_reason() -> Vec<(SkipReason, PurseFacts, &'static str)> {
    use SkipReason as R;
    vec![
        (
            R::CreatorDisabled,
            with(|f| f.user_enabled = false),
            "payouts are switched off for this creator on the platform",
        ),
        (
            R::SettingsDisabled,
            with(|f| f.settings_enabled = false),
            "payouts are switched off in the creator's settings",
        ),
        (R::NotInBeta, with(|f| f.beta_open = false), "a beta is open and the creator is not in it"),
        (
            R::NotInCohort,
            with(|f| f.cohort = Place::Out(Some("second".to_owned()))),
            "the rollout hasn't come to this creator yet: they are in when cohort second is opened",
        ),
        (R::Held, with(|f| f.hold = Some("identity unclear".to_owned())), "held: identity unclear"),
        (
            R::ActivePayout,
            with(|f| f.active_payout = Some("pay_7".to_owned())),
            "payout pay_7 of this purse is still on its way",
        ),
        (
            R::ForeignPayout,
            with(|f| f.foreign_payout = Some("po_7".to_owned())),
            "payout po_7 was made on this balance, and not by us: nothing more is paid from it until somebody has adopted it \
             (payout adopt po_7 --creator c1)",
        ),
        (R::Debt, with(|f| f.mature_minor = -1250), "owes 12.50 USD: it is taken from what is earned next"),
        (R::NothingPayable, with(|f| f.mature_minor = 0), "nothing is payable yet; 2.50 USD comes later"),
        (R::BelowMinimum, with(|f| f.mature_minor = 580), "needs 4.20 USD more to reach the 10.00 USD minimum"),
        (
            R::StripeShort,
            with(|f| f.stripe = Some(StripeFacts { available_minor: 4_999, read_at_ms: NOW_MS - 1_000 })),
            "50.00 USD is payable, but Stripe holds 49.99 USD of it now",
        ),
        (
            R::OverCap,
            with(|f| f.mature_minor = 1_000_001),
            "10,000.01 USD is over the cap of 10,000.00 USD per payout: two people have to look at it",
        ),
        (R::AccountReplaced, with(|f| f.replaced_by = Some(AccountId::new("acct_2"))), REPLACED),
        (R::AccountUnread, with(|f| f.account_facts = None), "account acct_1 was not read from Stripe yet"),
        (
            R::PayoutsDisabled,
            with(account(|a| {
                (a.payouts_enabled, a.disabled_reason) = (false, Some("requirements.past_due".to_owned()))
            })),
            "Stripe has disabled payouts for account acct_1: requirements.past_due",
        ),
        (
            R::ScheduleNotManual,
            with(account(|a| a.schedule_manual = false)),
            "Stripe pays account acct_1 by a schedule of its own: set it to manual",
        ),
        (R::NoBankAccount, with(account(|a| a.bank = None)), "account acct_1 has no bank account for usd"),
        (
            R::BankUnusable,
            with(bank(|b| (b.usable, b.status) = (false, "errored".to_owned()))),
            "bank account ba_1 is errored: the creator has to replace it",
        ),
        (
            R::BankChanged,
            with(bank(|b| b.changed_at_ms = Some(NOW_MS - 259_199_999))),
            "bank account ba_1 was changed a short time ago: it is paid to later, or after an approver has looked",
        ),
    ]
}

#[test]
fn every_reason_has_one_sentence_for_people() {
    let all = one_per_reason();
    // Two are said of payouts, after their plan.
    let of_plans = SkipReason::ALL
        .into_iter()
        .filter(|reason| !matches!(reason, SkipReason::NeverExecuted | SkipReason::TakenBack));
    assert_eq!(all.iter().map(|(reason, ..)| *reason).collect::<Vec<_>>(), of_plans.collect::<Vec<_>>());
    for (reason, facts, sentence) in all {
        assert_eq!(skipped(&facts), (reason, sentence.to_owned()));
    }
}

#[test]
fn the_first_reason_that_applies_is_the_one_that_is_said() {
    let barred = with(|f| {
        f.user_enabled = false;
        f.settings_enabled = false;
        f.beta_open = false;
        f.cohort = Place::Out(None);
        f.hold = Some("x".to_owned());
        f.active_payout = Some("pay_7".to_owned());
        f.mature_minor = -1;
        f.account_facts = None;
    });
    let clear: [fn(&mut PurseFacts); 8] = [
        |_| (),
        |f| f.user_enabled = true,
        |f| f.settings_enabled = true,
        |f| f.beta_open = true,
        |f| f.cohort = Place::In("beta".to_owned()),
        |f| f.hold = None,
        |f| f.active_payout = None,
        |f| f.mature_minor = 5000,
    ];
    let mut facts = barred;
    let mut said = Vec::new();
    for step in clear {
        step(&mut facts);
        said.push(skipped(&facts).0);
    }
    use SkipReason as R;
    assert_eq!(
        said,
        [
            R::CreatorDisabled,
            R::SettingsDisabled,
            R::NotInBeta,
            R::NotInCohort,
            R::Held,
            R::ActivePayout,
            R::Debt,
            R::AccountUnread
        ]
    );
}

#[test]
fn the_largest_minimum_wins_and_the_bound_itself_is_paid() {
    assert_eq!(paid(&facts("usd", 1000)), (1000, 0));
    assert_eq!(skipped(&facts("usd", 999)).1, "needs 0.01 USD more to reach the 10.00 USD minimum");
    assert_eq!(
        skipped(&with(|f| f.creator_minimum_minor = 5001)).1,
        "needs 0.01 USD more to reach the 50.01 USD minimum"
    );
    assert_eq!(paid(&with(|f| f.creator_minimum_minor = 5000)), (5000, 0));
    assert_eq!(paid(&with(|f| f.creator_minimum_minor = -7)), (5000, 0));
    assert_eq!(paid(&facts("eur", 1)), (1, 0), "a currency without a minimum has 1");
    assert_eq!(paid(&facts("usd", 1_000_000)), (1_000_000, 0), "the cap itself isn't over it");
    assert_eq!(paid(&facts("eur", i64::MAX)), (i64::MAX, 0), "a currency without a cap has none");
}

#[test]
fn what_the_unit_leaves_over_is_carried() {
    assert_eq!(paid(&facts("huf", 12_345)), (12_300, 45));
    assert_eq!(paid(&facts("kwd", 1239)), (1230, 9));
    assert_eq!(paid(&facts("jpy", 1239)), (1239, 0));
    assert_eq!(skipped(&facts("huf", 99)).1, "needs 0.01 HUF more to reach the 1.00 HUF minimum");
    let odd_minimum = PurseFacts { creator_minimum_minor: 150, ..facts("huf", 199) };
    assert_eq!(skipped(&odd_minimum).1, "needs 0.01 HUF more to reach the 2.00 HUF minimum", "1.50 HUF can't be paid");
}

#[test]
fn a_bank_account_that_was_swapped_waits_its_time() {
    assert_eq!(skipped(&with(bank(|b| b.changed_at_ms = Some(NOW_MS - 259_199_999)))).0, SkipReason::BankChanged);
    assert_eq!(
        skipped(&with(bank(|b| b.changed_at_ms = Some(NOW_MS + 10_000)))).0,
        SkipReason::BankChanged,
        "our clock went back"
    );
    assert_eq!(paid(&with(bank(|b| b.changed_at_ms = Some(NOW_MS - 259_200_000)))), (5000, 0));
    assert_eq!(paid(&with(bank(|b| b.changed_at_ms = Some(i64::MIN)))), (5000, 0));
}

#[test]
fn money_that_stripe_would_not_hold_until_the_next_cycle_is_paid_below_our_own_minimums() {
    let little = |facts: &mut PurseFacts| (facts.mature_minor, facts.creator_minimum_minor) = (250, 5_000);
    let old = |facts: &mut PurseFacts| {
        facts.oldest_available_ms = Some(NOW_MS - 74 * 86_400_000);
        little(facts);
    };
    assert_eq!(skipped(&with(little)).0, SkipReason::BelowMinimum);
    assert_eq!(paid(&with(old)), (250, 0));
    let american = with(|facts| {
        old(facts);
        facts.country = Country::parse("US");
    });
    assert_eq!(skipped(&american).0, SkipReason::BelowMinimum, "two years there");
    let policies = rules().policies.with("country_minimum.DE.usd", "3.00").unwrap();
    let floored = PlanRules { policies, ..rules() };
    let facts = with(old);
    let Decision::Skip { sentence, .. } = decide(&facts, &floored).unwrap() else { panic!("below the floor") };
    assert_eq!(sentence, "needs 0.50 USD more to reach the 3.00 USD minimum", "the country's floor stays");
}

#[test]
fn somebody_is_told_of_money_that_lies_long_where_its_age_and_country_are_known() {
    let lain = |days: i64, country: Option<Country>| {
        let facts = with(|f| (f.oldest_available_ms, f.country) = (Some(NOW_MS - days * 86_400_000), country));
        is_alarming(&facts, &rules())
    };
    assert!(lain(68, Country::parse("DE")) && !lain(67, Country::parse("DE")));
    assert!(!lain(68, Country::parse("US")) && !lain(999, None), "no limit is known");
    assert!(!is_alarming(&with(|f| f.oldest_available_ms = None), &rules()), "nothing lies there");
}

#[test]
fn what_two_people_allow_is_paid_and_nothing_beyond_it() {
    let over = |allowed| with(|facts| (facts.mature_minor, facts.cap_override_minor) = (2_000_000, allowed));
    assert_eq!(skipped(&over(None)).0, SkipReason::OverCap);
    assert_eq!(skipped(&over(Some(1_999_999))).0, SkipReason::OverCap);
    assert_eq!(paid(&over(Some(2_000_000))), (2_000_000, 0));
    let swapped = |allowed: &str| {
        let mut facts = with(bank(|b| b.changed_at_ms = Some(NOW_MS)));
        facts.bank_overrides = vec![DestinationId::new(allowed)];
        facts
    };
    assert_eq!(paid(&swapped("ba_1")), (5_000, 0));
    assert_eq!(skipped(&swapped("ba_0")).0, SkipReason::BankChanged, "another swap isn't what they saw");
    assert_eq!(guard(&swapped("ba_1"), &DestinationId::new("ba_1"), &rules()), None);
}

#[test]
fn the_largest_of_three_minimums_counts() {
    let floored =
        |text: &str| PlanRules { policies: rules().policies.with("country_minimum.DE.usd", text).unwrap(), ..rules() };
    let below = |facts: &PurseFacts, rules: &PlanRules| {
        matches!(decide(facts, rules).unwrap(), Decision::Skip { reason: SkipReason::BelowMinimum, .. })
    };
    let of = |minor: i64, creators: i64| PurseFacts { creator_minimum_minor: creators, ..facts("usd", minor) };
    assert!(below(&of(1_499, 0), &floored("15.00")) && !below(&of(1_500, 0), &floored("15.00")));
    assert!(below(&of(1_999, 2_000), &floored("15.00")) && !below(&of(2_000, 2_000), &floored("15.00")));
    assert!(below(&of(999, 0), &floored("5.00")) && !below(&of(1_000, 0), &floored("5.00")));
}

#[test]
fn sums_that_do_not_fit_refuse_the_purse() {
    assert!(matches!(decide(&facts("usd", i64::MIN), &rules()), Err(MoneyError::Overflow(..))));
    let facts = PurseFacts { creator_minimum_minor: i64::MAX, ..facts("huf", 5000) };
    assert!(matches!(decide(&facts, &rules()), Err(MoneyError::Overflow(..))));
}

#[test]
fn the_guard_refuses_another_destination_than_the_planned_one() {
    let facts = facts("usd", 5000);
    assert_eq!(guard(&facts, &DestinationId::new("ba_1"), &rules()), None);
    let (reason, sentence) = guard(&facts, &DestinationId::new("ba_0"), &rules()).unwrap();
    assert_eq!(reason, SkipReason::BankChanged);
    assert_eq!(sentence, "planned for bank account ba_0, which was replaced by ba_1 meanwhile");
}

#[test]
fn the_guard_asks_for_everything_but_the_sums() {
    use SkipReason as R;
    for (reason, facts, _) in one_per_reason() {
        let sums = matches!(
            reason,
            R::ActivePayout | R::Debt | R::NothingPayable | R::BelowMinimum | R::StripeShort | R::OverCap
        );
        let said = guard(&facts, &DestinationId::new("ba_1"), &rules()).map(|(reason, _)| reason);
        assert_eq!(said, (!sums).then_some(reason));
    }
}

fn any_facts() -> impl Strategy<Value = PurseFacts> {
    let mostly = || prop::bool::weighted(0.9);
    (
        select(vec!["usd", "eur", "jpy", "huf", "kwd"]),
        prop_oneof![8 => -2_000_i64..20_000, 1 => any::<i64>()],
        (mostly(), mostly(), mostly(), mostly(), mostly(), mostly(), mostly(), mostly()),
        prop_oneof![4 => -10_i64..5000, 1 => any::<i64>()],
        prop::option::weighted(0.3, NOW_MS - 500_000_000..NOW_MS + 100_000_000),
        (mostly(), prop::option::weighted(0.5, NOW_MS - 9_000_000_000..NOW_MS)),
    )
        .prop_map(
            |(
                code,
                mature,
                (user, settings, beta, free, read, enabled, manual, banked),
                minimum,
                changed,
                (usable, oldest),
            )| {
                let mut facts = PurseFacts {
                    user_enabled: user,
                    settings_enabled: settings,
                    beta_open: beta,
                    hold: (!free).then(|| "x".to_owned()),
                    creator_minimum_minor: minimum,
                    oldest_available_ms: oldest,
                    ..facts(code, mature)
                };
                let account = facts.account_facts.as_mut().unwrap();
                (account.payouts_enabled, account.schedule_manual) = (enabled, manual);
                let bank = account.bank.as_mut().unwrap();
                (bank.changed_at_ms, bank.usable) = (changed, usable);
                account.bank = account.bank.take().filter(|_| banked);
                facts.account_facts = facts.account_facts.take().filter(|_| read);
                facts
            },
        )
}

proptest! {
    #[test]
    fn a_payout_is_never_more_than_is_payable_and_loses_nothing(facts in any_facts()) {
        if let Ok(Decision::Pay { amount, carry, .. }) = decide(&facts, &rules()) {
            let (amount, carry, unit) = (i128::from(amount.minor), i128::from(carry.minor), i128::from(facts.currency.unit()));
            prop_assert_eq!(amount + carry, i128::from(facts.mature_minor).max(0));
            prop_assert!(amount > 0 && amount % unit == 0 && (0..unit).contains(&carry));
            // 90 days less the 17 until the next cycle.
            let due = facts.oldest_available_ms.is_some_and(|since| since < NOW_MS - 73 * 86_400_000);
            prop_assert!(due || amount >= i128::from(facts.creator_minimum_minor));
            prop_assert!(due || facts.currency.as_str() != "usd" || amount >= 1_000);
            prop_assert!(facts.currency.as_str() != "usd" || amount <= 1_000_000);
        }
    }

    #[test]
    fn the_same_facts_are_decided_the_same(facts in any_facts()) {
        prop_assert_eq!(decide(&facts, &rules()), decide(&facts.clone(), &rules()));
    }

    #[test]
    fn what_the_plan_pays_the_guard_lets_through_and_what_the_guard_bars_the_plan_skips(facts in any_facts()) {
        match decide(&facts, &rules()) {
            Ok(Decision::Pay { destination, .. }) => prop_assert_eq!(guard(&facts, &destination, &rules()), None),
            Ok(Decision::Skip { reason, sentence }) => {
                prop_assert!(!sentence.is_empty());
                let barred = guard(&facts, &DestinationId::new("ba_1"), &rules()).map(|(reason, _)| reason);
                let of_sums = matches!(
                    reason,
                    SkipReason::Debt
                        | SkipReason::NothingPayable
                        | SkipReason::BelowMinimum
                        | SkipReason::StripeShort
                        | SkipReason::OverCap
                );
                prop_assert!(of_sums || barred == Some(reason), "the plan says {:?}, the guard {:?}", reason, barred);
            }
            Err(MoneyError::Overflow(..)) => (),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn exactly_what_is_lacking_is_enough(facts in any_facts(), more in 0_i64..200_000) {
        let richer = PurseFacts { mature_minor: facts.mature_minor.saturating_add(more), ..facts.clone() };
        if let (Ok(Decision::Skip { reason: SkipReason::BelowMinimum, sentence }), Ok(after)) =
            (decide(&facts, &rules()), decide(&richer, &rules()))
        {
            let lacking = sentence.split(' ').nth(1).unwrap().replace(',', "");
            let lacking = Money::parse_major(&lacking, facts.currency).unwrap().minor;
            let still = matches!(after, Decision::Skip { reason: SkipReason::BelowMinimum, .. });
            prop_assert_eq!(still, more < lacking, "{} with {} more", sentence, more);
        }
    }
}
