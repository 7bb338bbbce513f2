//! How fast we may ask Stripe: one token bucket per class of endpoint, and one for everything together.
//!
//! Who comes in: the engine for creates (it asks how many may leave now), the live client for reads (it waits its turn).
//! Whom it may call: the clock.
//! Invariant: no class ever leaves faster than its configured rate, and a limit that Stripe reports slows everybody down, never
//! one creator.
use super::bucket::Bucket;
use crate::clock::{BootMs, Clock};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is read. Each class is one endpoint of Stripe's, and has a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadClass {
    /// `GET /v1/accounts/{id}`, `GET /v1/account`.
    Account,
    /// `GET /v1/payouts`, `GET /v1/payouts/{id}`.
    Payouts,
    /// `GET /v1/balance`.
    Balance,
    /// `GET /v1/balance_transactions`.
    Movements,
    /// `GET /v1/transfers`.
    Transfers,
    /// `GET /v1/events`, and lists of the platform's objects that stand in for events.
    Events,
}

impl ReadClass {
    /// Every class.
    pub const ALL: [Self; 6] =
        [Self::Account, Self::Payouts, Self::Balance, Self::Movements, Self::Transfers, Self::Events];
}

/// The rates, in thousandths of a request per second, so that 14.5/s is a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Payout creates.
    pub create_milli_per_s: u32,
    /// Money requests on the wire at once.
    pub create_concurrency: usize,
    /// Reads of one class.
    pub read_milli_per_s: u32,
    /// Everything together.
    pub global_milli_per_s: u32,
}

impl Default for Rates {
    /// Just below Stripe's own limits for payouts (15 creates a second, 30 at once), 60 % of its global one.
    fn default() -> Self {
        Self {
            create_milli_per_s: 14_500,
            create_concurrency: 28,
            read_milli_per_s: 20_000,
            global_milli_per_s: 60_000,
        }
    }
}

/// Creates that may leave in one instant: what a third of a second brings (5 at 14.5/s), so that an engine that comes a little late loses
/// nothing.
const BURST_PER_S: u32 = 3;
/// Whatever was saved up, no more creates leave in any span of this length (milliseconds) than the rate allows in it.
const WINDOW_MS: i64 = 1_000;

/// The buckets. Cheap to clone; all clones share them. They belong to one process: with several daemons only the one that
/// holds the lease sends.
#[derive(Clone, Debug)]
pub struct Limits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    create_concurrency: usize,
    buckets: Mutex<Buckets>,
    /// One waiter per class looks at the clock, the others queue behind it in order.
    turns: [tokio::sync::Mutex<()>; ReadClass::ALL.len()],
}

#[derive(Debug)]
struct Buckets {
    create: Bucket,
    /// When the creates of the last [`WINDOW_MS`] were taken, oldest first: at most `window_max`.
    window: VecDeque<BootMs>,
    window_max: usize,
    /// Tokens in the global bucket that reads leave for creates.
    kept: i64,
    account: Bucket,
    payouts: Bucket,
    balance: Bucket,
    movements: Bucket,
    transfers: Bucket,
    events: Bucket,
    global: Bucket,
}

impl Buckets {
    /// Creates that the window still has room for, and when it has room for one.
    fn window(&mut self, now: BootMs) -> (usize, BootMs) {
        while self.window.front().is_some_and(|taken| now.ms_since(*taken) >= WINDOW_MS) {
            self.window.pop_front();
        }
        let room = self.window_max.saturating_sub(self.window.len());
        let at = self.window.front().filter(|_| room == 0).map_or(now, |oldest| oldest.plus_ms(WINDOW_MS));
        (room, at)
    }

    /// A class's bucket and the global one.
    const fn read(&mut self, class: ReadClass) -> (&mut Bucket, &mut Bucket) {
        let of = match class {
            ReadClass::Account => &mut self.account,
            ReadClass::Payouts => &mut self.payouts,
            ReadClass::Balance => &mut self.balance,
            ReadClass::Movements => &mut self.movements,
            ReadClass::Transfers => &mut self.transfers,
            ReadClass::Events => &mut self.events,
        };
        (of, &mut self.global)
    }
}

impl Limits {
    /// Full buckets.
    #[must_use]
    pub fn new(rates: Rates, clock: Clock) -> Self {
        let now = clock.boot();
        let second = |milli_per_s: u32| i64::from(milli_per_s / 1_000);
        // Rate and burst together stay below Stripe's limits in any second: 24 of 25 for an endpoint, 90 of 100 for everything.
        let read = || Bucket::new(rates.read_milli_per_s, second(rates.read_milli_per_s) / 5, now);
        let burst = i64::from(rates.create_milli_per_s.div_ceil(1_000 * BURST_PER_S));
        let buckets = Buckets {
            create: Bucket::new(rates.create_milli_per_s, burst, now),
            window: VecDeque::new(),
            window_max: usize::try_from(rates.create_milli_per_s.div_ceil(1_000)).unwrap_or(1).max(1),
            kept: burst,
            account: read(),
            payouts: read(),
            balance: read(),
            movements: read(),
            transfers: read(),
            events: read(),
            // Room for what is kept for creates, and for one read beside it.
            global: Bucket::new(
                rates.global_milli_per_s,
                (second(rates.global_milli_per_s) / 2).max(burst.saturating_add(1)),
                now,
            ),
        };
        let turns = [const { tokio::sync::Mutex::const_new(()) }; ReadClass::ALL.len()];
        let create_concurrency = rates.create_concurrency.max(1);
        Self(Arc::new(Shared { clock, create_concurrency, buckets: Mutex::new(buckets), turns }))
    }

    /// How many creates may leave right now, at most `max`; their tokens are gone, used or not. What is in flight is for the
    /// caller to subtract: `max` ≤ [`Limits::create_concurrency`] − in flight.
    #[must_use]
    pub fn take_creates(&self, max: usize) -> usize {
        let now = self.0.clock.boot();
        let mut buckets = self.buckets(now);
        let tokens = buckets.create.whole(now, 0).min(buckets.global.whole(now, 0));
        let count = usize::try_from(tokens).unwrap_or(0).min(max).min(buckets.window(now).0);
        buckets.window.extend(std::iter::repeat_n(now, count));
        let taken = i64::try_from(count).unwrap_or(0);
        buckets.create.take(taken);
        buckets.global.take(taken);
        count
    }

    /// When the next create may leave; not later than now when one may.
    #[must_use]
    pub fn next_create_at(&self) -> BootMs {
        let now = self.0.clock.boot();
        let mut buckets = self.buckets(now);
        buckets.create.next_at(now, 0).max(buckets.global.next_at(now, 0)).max(buckets.window(now).1)
    }

    /// Money requests that may be on the wire at once.
    #[must_use]
    pub fn create_concurrency(&self) -> usize {
        self.0.create_concurrency
    }

    /// Creates per second at present, in thousandths: for the estimate of how long a run takes.
    #[must_use]
    pub fn create_milli_per_s(&self) -> i64 {
        self.buckets(self.0.clock.boot()).create.rate
    }

    /// Waits for the turn of one read, in order of asking. Dropped while waiting, it has taken nothing.
    pub async fn read(&self, class: ReadClass) {
        let turn = match class {
            ReadClass::Account => &self.0.turns[0],
            ReadClass::Payouts => &self.0.turns[1],
            ReadClass::Balance => &self.0.turns[2],
            ReadClass::Movements => &self.0.turns[3],
            ReadClass::Transfers => &self.0.turns[4],
            ReadClass::Events => &self.0.turns[5],
        };
        let _turn = turn.lock().await;
        while let Err(at) = self.try_read(class) {
            self.0.clock.sleep_until(at).await;
        }
    }

    fn try_read(&self, class: ReadClass) -> Result<(), BootMs> {
        let now = self.0.clock.boot();
        let mut buckets = self.buckets(now);
        let kept = buckets.kept;
        let (of, global) = buckets.read(class);
        // Reads leave a burst of creates in the global bucket: paying must not starve behind looking.
        if of.whole(now, 0) > 0 && global.whole(now, kept) > 0 {
            of.take(1);
            global.take(1);
            Ok(())
        } else {
            Err(of.next_at(now, 0).max(global.next_at(now, kept)))
        }
    }

    /// A money request was limited: creates go on at half their rate (at least 1/s; cut at most once a second), after
    /// `retry_after_ms` where Stripe named one, and grow back by 0.5/s each second. `reason` is `Stripe-Rate-Limited-Reason`;
    /// one that says "global" slows everything.
    pub fn slow_down(&self, reason: Option<&str>, retry_after_ms: Option<i64>) {
        let (now, hold_ms) = (self.0.clock.boot(), retry_after_ms.unwrap_or(0));
        let mut buckets = self.buckets(now);
        buckets.create.cut(now, hold_ms);
        if is_global(reason) {
            buckets.global.cut(now, hold_ms);
        }
    }

    /// A read was limited: likewise for its class.
    pub fn slow_down_reads(&self, class: ReadClass, reason: Option<&str>, retry_after_ms: Option<i64>) {
        let (now, hold_ms) = (self.0.clock.boot(), retry_after_ms.unwrap_or(0));
        let mut buckets = self.buckets(now);
        let (of, global) = buckets.read(class);
        of.cut(now, hold_ms);
        if is_global(reason) {
            global.cut(now, hold_ms);
        }
    }

    fn buckets(&self, now: BootMs) -> MutexGuard<'_, Buckets> {
        let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { create, account, payouts, balance, movements, transfers, events, global, .. } = &mut *buckets;
        for bucket in [create, account, payouts, balance, movements, transfers, events, global] {
            bucket.fill(now);
        }
        buckets
    }
}

fn is_global(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| reason.starts_with("global"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
