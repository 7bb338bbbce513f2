//! When the breaker opens, and what it says.
use payout_shared::breaker::{BankCount, BreakerRules, opens};
use proptest::prelude::*;

const RULES: BreakerRules = BreakerRules { percent: 8, failures_min: 20, bank_percent: 50, bank_failures_min: 10 };

fn at(bank: Option<&str>, answered: i64, failed: i64) -> BankCount {
    BankCount { bank: bank.map(str::to_owned), answered, failed }
}

#[test]
fn it_opens_at_its_share_and_its_number_and_says_both() {
    for (counts, said) in [
        (vec![], None),
        (vec![at(None, 19, 19)], None),
        (vec![at(None, 500, 39)], None),
        (vec![at(None, 500, 40)], Some("breaker: 40 of the last 500 payouts failed (8 %; it opens at 8 %)")),
        (
            vec![at(Some("A"), 250, 10), at(None, 250, 30)],
            Some("breaker: 40 of the last 500 payouts failed (8 %; it opens at 8 %)"),
        ),
        (vec![at(Some("A"), 480, 0), at(Some("B"), 20, 9)], None),
        (
            vec![at(Some("A"), 480, 0), at(Some("B"), 20, 10)],
            Some("breaker: 10 of the last 20 payouts to B failed (50 %; it opens at 50 % of one bank)"),
        ),
        (vec![at(Some("A"), 480, 0), at(None, 20, 19)], None),
    ] {
        assert_eq!(opens(&counts, &RULES).as_deref(), said, "{counts:?}");
    }
}

proptest! {
    #[test]
    fn it_never_opens_without_failures_and_no_more_of_them_closes_it(answered in 0..500_i64, failed in 0..500_i64) {
        prop_assume!(failed < answered);
        prop_assert!(opens(&[at(Some("A"), answered, 0)], &RULES).is_none());
        if opens(&[at(Some("A"), answered, failed)], &RULES).is_some() {
            prop_assert!(opens(&[at(Some("A"), answered, failed + 1)], &RULES).is_some());
        }
    }
}
