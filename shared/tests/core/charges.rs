//! The bounds of one charge's entries: each is told at the first minor unit beyond it and not before, with its numbers.
//!
//! While something waits to be booked only the bounds are judged, so that each law here is of one bound alone.
use crate::entries::{dispute, fact, reversal, sale};
use payout_shared::{
    books::check_charge,
    earning::EarningKind as K,
    entries::{Booked, Fact, FactKind, Sale},
};

fn booked(entries: &[(K, i64)]) -> Vec<Booked> {
    let entry = |(n, (kind, amount_minor)): (usize, &(K, i64))| Booked {
        kind: *kind,
        source_type: "charge".to_owned(),
        source_id: format!("x_{n}"),
        amount_minor: *amount_minor,
    };
    entries.iter().enumerate().map(entry).collect()
}

/// What is said of these entries of a sale of 100.00, of which 90.00 is the creator's, while something waits.
fn said(sale: &Sale, disputes: &[Fact], entries: &[(K, i64)]) -> Vec<String> {
    let waiting = (reversal("trr_9", 1, 99), false);
    let facts: Vec<_> = disputes.iter().map(|fact| (fact.clone(), true)).chain([waiting]).collect();
    check_charge(sale, &facts, &booked(entries))
}

fn assert_says(found: &[String], expected: &[&str], of: &str) {
    assert_eq!(found.len(), expected.len(), "{of}: {found:?}");
    for (sentence, part) in found.iter().zip(expected) {
        assert!(sentence.starts_with("charge ch_1: ") && sentence.contains(part), "{of}: {sentence}");
    }
}

fn open(id: &str) -> Fact {
    Fact { id: id.to_owned(), ..dispute(10_000, "needs_response", 15) }
}

#[test]
fn a_reserve_is_released_to_the_cent_and_is_never_more_than_the_net() {
    for (hold, release, expected) in [
        (0, 0, vec![]),
        (-900, 900, vec![]),
        (-9_000, 9_000, vec![]),
        (-900, 899, vec!["its reserve holds 900, but releases 899"]),
        (-900, 901, vec!["its reserve holds 900, but releases 901"]),
        (-9_001, 9_001, vec!["its reserve holds 9001 of a net of 9000"]),
        (1, -1, vec!["its reserve holds -1 of a net of 9000"]),
    ] {
        let found = said(&sale(), &[], &[(K::ReserveHold, hold), (K::ReserveRelease, release)]);
        assert_says(&found, &expected, &format!("{hold} {release}"));
    }
}

#[test]
fn each_dispute_holds_at_most_the_net_and_releases_at_most_what_it_holds() {
    let inquiry = Fact { status: "warning_needs_response".to_owned(), ..open("dp_1") };
    let (one, two) = (vec![open("dp_1")], vec![open("dp_1"), open("dp_2")]);
    let not_one = vec![fact(FactKind::FeeRefund, "fr_1", 1, 15)];
    for (disputes, hold, release, expected) in [
        (&one, -9_000, 0, vec![]),
        (&one, -9_001, 0, vec!["its 1 disputes hold 9001 of a net of 9000"]),
        (&two, -18_000, 0, vec![]),
        (&two, -18_001, 0, vec!["its 2 disputes hold 18001 of a net of 9000"]),
        (&vec![], -1, 0, vec!["its 0 disputes hold 1 of"]),
        (&vec![inquiry], -1, 0, vec!["its 0 disputes hold 1 of"]),
        (&not_one, -1, 0, vec!["its 0 disputes hold 1 of"]),
        (&one, 1, 0, vec!["its 1 disputes hold -1 of", "its disputes hold -1, but release 0"]),
        (&one, -5_000, 5_000, vec![]),
        (&one, -5_000, 5_001, vec!["its disputes hold 5000, but release 5001"]),
        (&one, -5_000, -1, vec!["its disputes hold 5000, but release -1"]),
    ] {
        let found = said(&sale(), disputes, &[(K::DisputeHold, hold), (K::DisputeRelease, release)]);
        assert_says(&found, &expected, &format!("{disputes:?} {hold} {release}"));
    }
}

/// A creator whose customer was given half back can lose the other half only: more on hold is their money kept without a reason.
#[test]
fn after_refunds_a_dispute_holds_only_what_is_left_but_for_what_rounding_leaves() {
    let converted = Sale { converted: true, ..sale() };
    let (one, two) = (vec![open("dp_1")], vec![open("dp_1"), open("dp_2")]);
    for (sale, disputes, refunds, still, expected) in [
        (&sale(), &one, vec![-5_000], 4_502, vec![]),
        (
            &sale(),
            &one,
            vec![-5_000],
            4_503,
            vec!["still holds 4503, but after refunds of 5000 at most 4502 is at risk"],
        ),
        (&sale(), &one, vec![-2_500, -2_500], 4_503, vec![]),
        (&sale(), &one, vec![-2_500, -2_500], 4_504, vec!["still holds 4504, but after refunds of 5000 at most 4503"]),
        (&sale(), &two, vec![-5_000], 4_503, vec![]),
        (&converted, &one, vec![-5_000], 4_503, vec![]),
    ] {
        let mut entries = vec![(K::DisputeHold, -9_000), (K::DisputeRelease, 9_000 - still)];
        entries.extend(refunds.iter().map(|refund| (K::Refund, *refund)));
        assert_says(&said(sale, disputes, &entries), &expected, &format!("{refunds:?} {still}"));
    }
}

#[test]
fn refunds_take_at_most_what_was_transferred_and_the_platform_gives_back_at_most_its_part() {
    for (kind, amount, expected) in [
        (K::Refund, -10_000, vec![]),
        (K::Refund, -10_001, vec!["refunds take 10001 of it, 10000 were transferred"]),
        (K::Refund, 1, vec!["refunds take -1 of it"]),
        (K::FeeRefund, 1_000, vec![]),
        (K::FeeRefund, 1_001, vec!["1001 of its fee are given back, it was 1000"]),
        (K::FeeRefund, -1, vec!["-1 of its fee are given back, it was 1000"]),
    ] {
        assert_says(&said(&sale(), &[], &[(kind, amount)]), &expected, &format!("{kind:?} {amount}"));
        let converted = Sale { converted: true, ..sale() };
        assert_says(
            &said(&converted, &[], &[(kind, amount)]),
            &[],
            "rates of other days: Stripe's word is all there is",
        );
    }
    let no_fee = Sale { net_minor: 11_000, ..sale() };
    assert_says(&said(&no_fee, &[], &[]), &[], "a fee below nothing gives nothing back");
    assert_says(&said(&no_fee, &[], &[(K::FeeRefund, 1)]), &["1 of its fee are given back, it was -1000"], "no fee");
}

#[test]
fn what_follows_is_asked_as_soon_as_nothing_waits_that_takes_from_the_creator() {
    let away = ["its reserve_hold is -900 away", "its reserve_release is 900 away"];
    let waiting = |kind| check_charge(&sale(), &[(fact(kind, "x_1", 5, 15), false)], &[]);
    assert_says(&waiting(FactKind::Refund), &away, "a refund without a reversal is the platform's");
    for kind in [FactKind::Reversal, FactKind::FeeRefund, FactKind::Dispute] {
        assert_says(&waiting(kind), &[], "it is booked with what waits");
    }
    assert_says(&check_charge(&sale(), &[], &[]), &away, "nothing waits");
    let unreserved = Sale { reserve: payout_shared::entries::Reserve::default(), ..sale() };
    let lost = [(Fact { status: "lost".to_owned(), ..open("dp_1") }, true)];
    let found = check_charge(&unreserved, &lost, &booked(&[(K::DisputeHold, -9_000)]));
    assert_says(&found, &["asks for a dispute_lost that isn't booked (dp_1)"], "lost without a marker");
    let beyond = ["trr_1", "trr_2"].map(|id| (reversal(id, i64::MAX, 15), true));
    assert_says(&check_charge(&unreserved, &beyond, &[]), &["do not fit into 64 bits"], "too much");
}

#[test]
fn nothing_hangs_on_a_sale_whose_currency_is_not_sure() {
    let unsure = Sale { is_sure: false, ..sale() };
    assert_says(&said(&unsure, &[], &[]), &[], "nothing hangs on it");
    let found = said(&unsure, &[], &[(K::Refund, -10_001), (K::FeeRefund, 1)]);
    assert_says(&found, &["2 entries hang on its sale, whose currency isn't sure yet"], "no bound is known yet");
}
