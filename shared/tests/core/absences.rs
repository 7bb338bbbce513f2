//! Absence proves something only when nothing can come any more: over any times.
use payout_shared::{
    absence::{Absent, AfterAbsence, PROOF_AFTER_MS, PROOF_APART_MS},
    consequence::RESEND_WITHIN_MS,
};
use proptest::prelude::*;

const HOUR: i64 = 60 * 60 * 1000;

proptest! {
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
