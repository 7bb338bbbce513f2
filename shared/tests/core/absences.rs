//! Absence proves something only when nothing can come any more: over any times.
use payout_shared::{
    absence::{Absent, AfterAbsence, PROOF_AFTER_MS, PROOF_APART_MS},
    consequence::RESEND_WITHIN_MS,
};
use proptest::prelude::*;

const HOUR: i64 = 60 * 60 * 1000;

#[test]
fn what_two_people_vouch_for_is_listed_again_at_growing_distances() {
    let absent = |listings| Absent {
        first_sent_ms: 0,
        last_sent_ms: 2 * HOUR,
        counted_first_ms: None,
        no_resend: true,
        listings,
    };
    assert_eq!([0, 1, 2].map(|n| absent(n).next_vouched(3 * HOUR, 2_000)), [2_000, 4_000, 8_000].map(Some));
    assert_eq!(absent(9).next_vouched(27 * HOUR - 1, 2_000), Some(1));
    assert_eq!(absent(9).next_vouched(27 * HOUR, 2_000), None, "25 h after the last send the listing counts");
}

proptest! {
    /// Two people said that it was not paid: the creator stays held until a listing counts, and not a moment longer for want of a look.
    #[test]
    fn the_looks_at_what_was_vouched_for_end_exactly_when_one_counts(
        first in 0..50 * HOUR, more in 0..30 * HOUR, at in 0..120 * HOUR, listings in 0..500_i64,
    ) {
        let absent = Absent { first_sent_ms: first, last_sent_ms: first + more, counted_first_ms: None, no_resend: true, listings };
        let counts_from = first + more + 25 * HOUR;
        match absent.next_vouched(at, 2_000) {
            None => prop_assert!(at >= counts_from),
            Some(wait) => {
                prop_assert!(at < counts_from, "it counts, and is looked at again nevertheless");
                prop_assert!((1..=15 * 60 * 1000).contains(&wait) && at + wait <= counts_from);
            }
        }
    }

    #[test]
    fn nothing_is_proven_early_nor_by_one_listing_and_nothing_is_sent_late(
        first in 0..50 * HOUR, more in 0..30 * HOUR, at in 0..120 * HOUR, counted in proptest::option::of(0..120 * HOUR), no_resend: bool,
        listings in 0..500_i64,
    ) {
        let absent = Absent { first_sent_ms: first, last_sent_ms: first + more, counted_first_ms: counted, no_resend, listings };
        match absent.next(at, 2_000) {
            AfterAbsence::Resend => prop_assert!(!no_resend && at - first < RESEND_WITHIN_MS),
            AfterAbsence::ListAgain(wait) => prop_assert!((1..=15 * 60 * 1000).contains(&wait)),
            AfterAbsence::Proven => {
                prop_assert!(at - absent.last_sent_ms >= PROOF_AFTER_MS);
                prop_assert!(counted.is_some_and(|counted| at - counted >= PROOF_APART_MS));
            }
        }
    }
}
