//! When a run will have asked for its last payout, from what is left and how fast it goes.

/// How fast it goes, creates answered per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Over the last ten seconds.
    pub now: f64,
    /// Since the run began.
    pub average: f64,
    /// What the limits allow.
    pub cap: f64,
}

/// The estimate, Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eta {
    /// The likely end.
    pub likely: i64,
    /// At the fastest pace seen.
    pub early: i64,
    /// At the slowest pace seen.
    pub late: i64,
}

/// Too slow to say anything of: a payout in 20 minutes.
const PACE_MIN: f64 = 1.0 / 1_200.0;
/// Before this much of a run has passed its pace says nothing; the cap is taken (milliseconds).
const WARM_UP_MS: i64 = 5_000;

/// Estimates the end; `None` when nothing moves or nothing is left. Whole seconds, so that it doesn't flicker.
#[must_use]
pub fn eta(now_ms: i64, running_ms: i64, left: i64, pace: Pace) -> Option<Eta> {
    if left <= 0 {
        return None;
    }
    let seen = [pace.now, pace.average].into_iter().filter(|pace| *pace >= PACE_MIN);
    let (slowest, fastest) = seen.fold((f64::INFINITY, 0.0_f64), |(low, high), pace| (low.min(pace), high.max(pace)));
    if running_ms < WARM_UP_MS || fastest < PACE_MIN {
        let at = (running_ms < WARM_UP_MS && pace.cap >= PACE_MIN).then(|| end(now_ms, left, pace.cap))?;
        return Some(Eta { likely: at, early: at, late: at });
    }
    let likely = if pace.now >= PACE_MIN { pace.now } else { pace.average };
    Some(Eta {
        likely: end(now_ms, left, likely),
        early: end(now_ms, left, fastest.max(likely)),
        late: end(now_ms, left, slowest),
    })
}

fn end(now_ms: i64, left: i64, per_s: f64) -> i64 {
    // Counts and rates are far below 2^53; a cast from float saturates.
    let seconds = (left as f64 / per_s).ceil() as i64;
    now_ms.saturating_add(seconds.saturating_mul(1_000)).div_euclid(1_000).saturating_mul(1_000)
}

/// Payouts answered per second since a run began.
#[must_use]
pub fn average(answered: i64, running_ms: i64) -> f64 {
    if answered <= 0 || running_ms <= 0 { 0.0 } else { answered as f64 * 1_000.0 / running_ms as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn the_likely_end_follows_the_pace_of_now_and_the_range_spans_what_was_seen() {
        let pace = Pace { now: 10.0, average: 20.0, cap: 14.5 };
        let eta = eta(NOW, 60_000, 1_000, pace).unwrap();
        assert_eq!(eta, Eta { likely: NOW + 100_000, early: NOW + 50_000, late: NOW + 100_000 });
    }

    #[test]
    fn a_run_that_just_began_is_estimated_by_the_cap_and_one_that_stands_still_not_at_all() {
        let still = Pace { now: 0.0, average: 0.0, cap: 10.0 };
        assert_eq!(eta(NOW, 0, 100, still).unwrap().likely, NOW + 10_000);
        assert_eq!(eta(NOW, 60_000, 100, still), None);
        assert_eq!(eta(NOW, 60_000, 0, Pace { now: 5.0, average: 5.0, cap: 5.0 }), None);
    }

    #[test]
    fn the_average_of_nothing_is_nothing() {
        assert_eq!((average(0, 10), average(10, 0), average(30, 2_000)), (0.0, 0.0, 15.0));
    }
}
