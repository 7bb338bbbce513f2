//! Stripe's clock, as far as its answers tell.
//!
//! Who comes in: the live client with each answer's headers; the engine asks. Whom it may call: the clock.
//! Invariant: ages grow by the boot clock only, so a jump of our wall clock doesn't move Stripe's.
use crate::clock::{BootMs, Clock};
use std::sync::{Mutex, PoisonError};

/// The last `Date` that Stripe sent, and when it came.
///
/// How far off it may be: `Date` is cut to whole seconds and was stamped before it reached us, so the time said here is never ahead of Stripe's
/// and behind it by less than 1 s plus the way of that answer.
#[derive(Debug)]
pub struct StripeClock {
    clock: Clock,
    last: Mutex<Option<(i64, BootMs)>>,
}

impl StripeClock {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// An answer said `date_ms` (Unix milliseconds) and its headers have just come in.
    pub fn saw(&self, date_ms: i64) {
        let seen = (date_ms, self.clock.boot());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    /// Stripe's time now (Unix milliseconds), and how long ago it was last told (milliseconds). `None` before the first answer.
    #[must_use]
    pub fn time(&self) -> Option<(i64, i64)> {
        let (date_ms, seen) = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let age_ms = self.clock.boot().ms_since(seen);
        Some((date_ms.saturating_add(age_ms), age_ms))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn stripes_time_goes_on_by_the_boot_clock_whatever_the_wall_does() {
        let (clock, hand) = Clock::manual(5_000);
        let stripe = StripeClock::new(clock);
        assert_eq!(stripe.time(), None);
        stripe.saw(1_000_000);
        assert_eq!(stripe.time(), Some((1_000_000, 0)));
        hand.advance(2_500);
        hand.jump_wall(86_400_000);
        assert_eq!(stripe.time(), Some((1_002_500, 2_500)));
        stripe.saw(1_002_000);
        assert_eq!(stripe.time(), Some((1_002_000, 0)));
    }
}
