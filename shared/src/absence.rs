//! What follows when a listing doesn't show an unknown create: the same key again, another look, or the proof that it was never executed.
//!
//! All times are Stripe's. Not being in a list proves nothing while a request may still arrive or be rolled forward; it does when it was
//! seen twice, far enough apart and long enough after the last send that Stripe has forgotten the key.
use crate::consequence::{RESEND_WITHIN_MS, backoff_ms};

/// An absence counts for a proof this long after the last send: by then Stripe has let go of the key (24 h), with an hour to spare.
pub const PROOF_AFTER_MS: i64 = 25 * 60 * 60 * 1000;
/// Two absences that count are at least this far apart.
pub const PROOF_APART_MS: i64 = 15 * 60 * 1000;

/// The cause of the hold on a creator of whose payout two people said that it was not paid, until that is proven. Only the engine lifts it.
pub const NOT_PAID_HOLD: &str = "not_paid";

/// What is known of an attempt that a listing didn't show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Its first send, Unix milliseconds by Stripe's clock.
    pub first_sent_ms: i64,
    /// Its last send.
    pub last_sent_ms: i64,
    /// The first listing that counted and didn't show it; `None` = none has counted yet.
    pub counted_first_ms: Option<i64>,
    /// Never sent again by itself.
    pub no_resend: bool,
    /// Listings that didn't show it, with this one.
    pub listings: i64,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAbsence {
    /// Send the same key and bytes again, under the guard.
    Resend,
    /// List again after this many milliseconds.
    ListAgain(i64),
    /// It was never executed, and never will be.
    Proven,
}

impl Absent {
    /// Does a listing made at this moment count for the proof?
    #[must_use]
    pub fn counts(&self, listed_ms: i64) -> bool {
        listed_ms >= self.counts_from_ms()
    }

    /// From this moment on a listing counts.
    #[must_use]
    pub fn counts_from_ms(&self) -> i64 {
        self.last_sent_ms.max(self.first_sent_ms).saturating_add(PROOF_AFTER_MS)
    }

    /// After a listing that didn't show a payout of which two people said that it was not paid: the wait until the next one, milliseconds;
    /// `None` = this one counts, it is over.
    #[must_use]
    pub fn next_vouched(&self, listed_ms: i64, base_ms: i64) -> Option<i64> {
        let left = self.counts_from_ms().saturating_sub(listed_ms);
        (!self.counts(listed_ms)).then(|| backoff_ms(self.listings, base_ms).min(left.max(1)))
    }

    /// Decides after a listing made at `listed_ms` that didn't show it; `base_ms` is the first waiting time, which doubles.
    #[must_use]
    pub fn next(&self, listed_ms: i64, base_ms: i64) -> AfterAbsence {
        let age = listed_ms.saturating_sub(self.first_sent_ms);
        if !self.no_resend && (0..RESEND_WITHIN_MS).contains(&age) {
            return AfterAbsence::Resend;
        }
        if !self.counts(listed_ms) {
            let left = self.counts_from_ms().saturating_sub(listed_ms);
            return AfterAbsence::ListAgain(backoff_ms(self.listings, base_ms).min(left.max(1)));
        }
        match self.counted_first_ms.map(|first| listed_ms.saturating_sub(first)) {
            Some(apart) if apart >= PROOF_APART_MS => AfterAbsence::Proven,
            Some(apart) => AfterAbsence::ListAgain(PROOF_APART_MS.saturating_sub(apart.max(0))),
            None => AfterAbsence::ListAgain(PROOF_APART_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    fn absent() -> Absent {
        Absent { first_sent_ms: 0, last_sent_ms: 0, counted_first_ms: None, no_resend: false, listings: 1 }
    }

    #[test]
    fn a_key_that_may_be_pruned_is_never_sent_again() {
        assert_eq!(absent().next(RESEND_WITHIN_MS - 1, 1000), AfterAbsence::Resend);
        assert_eq!(absent().next(RESEND_WITHIN_MS, 1000), AfterAbsence::ListAgain(2000));
        let ahead = Absent { first_sent_ms: 10, last_sent_ms: 10, listings: 0, ..absent() };
        assert_eq!(ahead.next(5, 1000), AfterAbsence::ListAgain(1000), "sent in the future: a clock is wrong");
        assert_eq!(Absent { no_resend: true, listings: 0, ..absent() }.next(1, 1000), AfterAbsence::ListAgain(1000));
    }

    #[test]
    fn absence_is_proven_by_two_listings_a_quarter_of_an_hour_apart_25_hours_after_the_last_send() {
        let sent = Absent { last_sent_ms: 22 * HOUR, ..absent() };
        let from = 47 * HOUR;
        assert_eq!(sent.counts_from_ms(), from);
        assert!(!sent.counts(from - 1) && sent.counts(from));
        assert_eq!(sent.next(from, 1000), AfterAbsence::ListAgain(PROOF_APART_MS), "once isn't twice");
        let once = Absent { counted_first_ms: Some(from), ..sent };
        assert_eq!(once.next(from + PROOF_APART_MS - 1, 1000), AfterAbsence::ListAgain(1));
        assert_eq!(once.next(from + PROOF_APART_MS, 1000), AfterAbsence::Proven);
    }

    #[test]
    fn the_last_look_before_it_counts_is_no_later_than_it_counts() {
        let old = Absent { no_resend: true, listings: 40, ..absent() };
        assert_eq!(old.next(25 * HOUR - 1_000, 1000), AfterAbsence::ListAgain(1_000));
    }
}
