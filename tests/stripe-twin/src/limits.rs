//! Stripe's rate and concurrency limits: token buckets and slots, global and per endpoint.
//! Asked before the idempotency layer, so a refusal is never stored. Invariant: a refused request takes no token
//! and no slot.

use std::collections::BTreeMap;

use serde::Serialize;

/// Whose limits to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LimitProfile {
    /// 100 requests a second, 25 an endpoint, 15 payout creates, 30 of them at once.
    Live,
    /// As live, but 25 requests a second in all.
    Sandbox,
    /// No limit but the twin's own bound on requests at once.
    None,
}

/// Stripe's word for a limit that was hit, as in `Stripe-Rate-Limited-Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Limited {
    /// Too many requests a second.
    GlobalRate,
    /// Too many requests a second to one endpoint.
    EndpointRate,
    /// Too many requests at once.
    GlobalConcurrency,
    /// Too many requests at once to one endpoint.
    EndpointConcurrency,
}

impl Limited {
    /// The header's value.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::GlobalRate => "global-rate",
            Self::EndpointRate => "endpoint-rate",
            Self::GlobalConcurrency => "global-concurrency",
            Self::EndpointConcurrency => "endpoint-concurrency",
        }
    }
}

/// The one endpoint with limits of its own.
pub(crate) const PAYOUT_CREATE: &str = "POST /v1/payouts";

/// Requests at once that the twin itself takes, whatever the profile.
const AT_ONCE_MAX: u64 = 4096;
/// A token, in the unit the buckets count in: thousandths of a token per second, times milliseconds.
const TOKEN: u64 = 1_000_000;

#[derive(Debug, Clone)]
struct Bucket {
    per_s_milli: u64,
    level: u64,
    at_ms: i64,
}

impl Bucket {
    /// A full bucket of one second's worth.
    fn new(per_s: u64, speed_milli: u64, wall_ms: i64) -> Self {
        let per_s_milli = per_s.saturating_mul(speed_milli).max(1);
        Self { per_s_milli, level: Self::brim(per_s_milli), at_ms: wall_ms }
    }

    fn brim(per_s_milli: u64) -> u64 {
        per_s_milli.saturating_mul(1000).max(TOKEN)
    }

    fn has(&mut self, wall_ms: i64) -> bool {
        let elapsed = u64::try_from(wall_ms.saturating_sub(self.at_ms)).unwrap_or_default();
        let fresh = elapsed.saturating_mul(self.per_s_milli);
        self.level = self.level.saturating_add(fresh).min(Self::brim(self.per_s_milli));
        self.at_ms = self.at_ms.max(wall_ms);
        self.level >= TOKEN
    }

    fn take(&mut self) {
        self.level = self.level.saturating_sub(TOKEN);
    }
}

#[derive(Debug)]
struct Class {
    bucket: Bucket,
    slots: u64,
    busy: u64,
}

/// All limits of one platform account.
#[derive(Debug)]
pub(crate) struct Limiter {
    profile: LimitProfile,
    speed_milli: u64,
    global: Class,
    endpoints: BTreeMap<&'static str, Class>,
}

impl Limiter {
    /// `speed_milli` is the thousandfold of what the limits are multiplied with.
    pub(crate) fn new(profile: LimitProfile, speed_milli: u64) -> Self {
        let per_s = if profile == LimitProfile::Sandbox { 25 } else { 100 };
        let slots = if profile == LimitProfile::None { AT_ONCE_MAX } else { scaled(200, speed_milli) };
        let global = Class { bucket: Bucket::new(per_s, speed_milli, 0), slots, busy: 0 };
        Self { profile, speed_milli, global, endpoints: BTreeMap::new() }
    }

    /// Takes one token and one slot of both the endpoint and the whole, or none.
    pub(crate) fn admit(&mut self, endpoint: &'static str, wall_ms: i64) -> Result<(), Limited> {
        let (per_s, slots) = if endpoint == PAYOUT_CREATE { (15, 30) } else { (25, 100) };
        let speed_milli = self.speed_milli;
        let class = self.endpoints.entry(endpoint).or_insert_with(|| Class {
            bucket: Bucket::new(per_s, speed_milli, wall_ms),
            slots: scaled(slots, speed_milli),
            busy: 0,
        });
        if self.global.busy >= self.global.slots {
            return Err(Limited::GlobalConcurrency);
        }
        if self.profile != LimitProfile::None {
            if class.busy >= class.slots {
                return Err(Limited::EndpointConcurrency);
            }
            if !self.global.bucket.has(wall_ms) {
                return Err(Limited::GlobalRate);
            }
            if !class.bucket.has(wall_ms) {
                return Err(Limited::EndpointRate);
            }
            self.global.bucket.take();
            class.bucket.take();
        }
        self.global.busy += 1;
        class.busy += 1;
        Ok(())
    }

    /// Gives back the slots of an admitted request.
    pub(crate) fn leave(&mut self, endpoint: &'static str) {
        self.global.busy = self.global.busy.saturating_sub(1);
        if let Some(class) = self.endpoints.get_mut(endpoint) {
            class.busy = class.busy.saturating_sub(1);
        }
    }
}

fn scaled(slots: u64, speed_milli: u64) -> u64 {
    (slots.saturating_mul(speed_milli) / 1000).clamp(1, AT_ONCE_MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(gap_us: i64, bursts: i64, seconds: i64) -> usize {
        let mut limiter = Limiter::new(LimitProfile::Live, 1000);
        let total = seconds * 1_000_000 / gap_us;
        let mut refused = 0;
        for n in 0..total {
            let at_ms = (n / bursts) * bursts * gap_us / 1000;
            match limiter.admit(PAYOUT_CREATE, at_ms) {
                Ok(()) => limiter.leave(PAYOUT_CREATE),
                Err(limited) => {
                    assert_eq!(limited, Limited::EndpointRate);
                    refused += 1;
                }
            }
        }
        refused
    }

    #[test]
    fn a_client_at_14_5_a_second_with_small_bursts_is_never_refused() {
        assert_eq!(refused(68_966, 1, 600), 0);
        assert_eq!(refused(68_966, 5, 600), 0);
    }

    #[test]
    fn a_client_above_15_a_second_for_long_is_refused() {
        assert!(refused(62_500, 1, 60) > 30);
        assert!(refused(10_000, 1, 10) > 800);
    }

    #[test]
    fn the_thirty_first_create_at_once_is_refused() {
        let mut limiter = Limiter::new(LimitProfile::Live, 1000);
        for n in 0..30 {
            limiter.admit(PAYOUT_CREATE, n * 100).unwrap();
        }
        assert_eq!(limiter.admit(PAYOUT_CREATE, 10_000), Err(Limited::EndpointConcurrency));
        limiter.leave(PAYOUT_CREATE);
        assert_eq!(limiter.admit(PAYOUT_CREATE, 10_000), Ok(()));
    }
}
