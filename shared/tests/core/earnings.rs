//! Kinds of entries: which of them count when, and which are the trace of money at Stripe.
use payout_shared::earning::{EarningKind as K, Maturity, counts};

const DAY: i64 = 86_400_000;

/// Each matures by itself, whatever its sign.
const RESERVES: [K; 2] = [K::ReserveHold, K::ReserveRelease];

#[test]
fn every_kind_counts_when_it_should() {
    let entry = |kind, amount_minor| Maturity {
        kind,
        amount_minor,
        earned_at_ms: 5 * DAY,
        available_on_ms: 9 * DAY,
        is_sure: true,
        has_transfer: true,
    };
    let early = |kind, amount| counts(&entry(kind, amount), DAY, DAY, 0);
    for kind in K::ALL {
        assert_eq!(early(kind, -1), !RESERVES.contains(&kind), "{kind:?} takes");
        assert_eq!(early(kind, 0), kind == K::CarryIn, "{kind:?} takes nothing");
        assert_eq!(early(kind, 1), kind == K::CarryIn, "{kind:?} gives");
        assert!(counts(&entry(kind, 1), 6 * DAY, 9 * DAY, DAY), "{kind:?} in its time");
    }
    let counts_at = |entry: Maturity, cutoff, instant, hold| counts(&entry, cutoff * DAY, instant * DAY, hold * DAY);
    let sale = entry(K::Sale, 1);
    assert!(!counts_at(sale, 5, 9, 0), "earned at the cutoff");
    assert!(!counts_at(sale, 6, 8, 0), "not on the balance yet");
    assert!(!counts_at(sale, 6, 9, 2), "held");
    assert!(!counts_at(Maturity { is_sure: false, ..sale }, 6, 9, 0));
    assert!(counts_at(Maturity { has_transfer: false, ..sale }, 6, 9, 0));
    assert!(!counts_at(Maturity { has_transfer: false, ..entry(K::Adjustment, 1) }, 6, 9, 0));
    assert!(counts_at(Maturity { has_transfer: false, ..entry(K::Adjustment, -1) }, 6, 9, 0));
}

#[test]
fn a_reserves_two_parts_are_told_from_all_other_kinds() {
    let reserves: Vec<_> = K::ALL.into_iter().filter(|kind| kind.is_reserve()).collect();
    assert_eq!(reserves, RESERVES);
}

/// What Stripe's balance is compared with: an entry too many or too few here is a drift that isn't one, or one that nobody sees.
#[test]
fn only_what_came_to_or_left_the_account_is_held_against_stripes_balance() {
    let moving = |amount| K::ALL.into_iter().filter(move |kind| kind.moves_money(amount)).collect::<Vec<_>>();
    assert_eq!(moving(-1), [K::Sale, K::Refund, K::FeeRefund, K::DebtRepaid, K::PayoutFee]);
    assert_eq!(moving(0), moving(-1), "an adjustment of nothing has no transfer behind it");
    assert_eq!(moving(1), [K::Sale, K::Refund, K::FeeRefund, K::DebtRepaid, K::Adjustment, K::PayoutFee]);
}
