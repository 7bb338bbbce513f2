//! Where new ids come from.
use payout_shared::id::{PayoutId, RunId};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::sync::{Arc, Mutex};

/// The source of new ids: seeded in tests, from the operating system otherwise.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Mutex<StdRng>>);

impl Ids {
    /// Seeded by the operating system.
    #[must_use]
    pub fn from_os() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same ids for the same seed and times.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn random(&self) -> u128 {
        let mut rng = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64())
    }

    /// A new run's id.
    #[must_use]
    pub fn run(&self, now_ms: i64) -> RunId {
        RunId::from_parts(u64::try_from(now_ms).unwrap_or(0), self.random())
    }

    /// A new request's id.
    #[must_use]
    pub fn request(&self, now_ms: i64) -> String {
        // The same kind of number as a payout's, under its own word.
        PayoutId::from_parts(u64::try_from(now_ms).unwrap_or(0), self.random()).as_str().replacen("pay_", "req_", 1)
    }

    /// A new payout's id.
    #[must_use]
    pub fn payout(&self, now_ms: i64) -> PayoutId {
        PayoutId::from_parts(u64::try_from(now_ms).unwrap_or(0), self.random())
    }
}
