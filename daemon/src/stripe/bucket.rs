//! One token bucket, in whole numbers: tokens in millionths of a request, rates in thousandths of a request per second.
//!
//! Who comes in: the limits. Whom it may call: nobody; the time is told to it.
//! Invariant: it never gives more than its rate since it was made, plus its burst.
use crate::clock::BootMs;

/// A millionth of a request: what a rate of one thousandth per second earns in a millisecond.
const WHOLE: i64 = 1_000_000;
/// Whatever Stripe says, creates go on at one a second: they must end some day.
const FLOOR_MILLI_PER_S: i64 = 1_000;
/// Answers to requests that left before the first 429 say nothing new: one cut a second.
const CUT_EVERY_MS: i64 = 1_000;
/// A reduced rate grows back by half a request per second each second: by this much
const GROW_MILLI: i64 = 50;
/// … in steps of this length (milliseconds).
const GROW_EVERY_MS: i64 = 100;
/// Longer than any limit of Stripe's lasts; a header that asks for more isn't obeyed further (milliseconds).
const HOLD_MAX_MS: i64 = 60_000;

/// See the file.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: i64,
    burst: i64,
    pub(super) rate: i64,
    rate_max: i64,
    filled: BootMs,
    grown: BootMs,
    cut: Option<BootMs>,
    /// Nothing leaves before.
    not_before: BootMs,
}

impl Bucket {
    pub(super) fn new(milli_per_s: u32, burst: i64, now: BootMs) -> Self {
        let rate = i64::from(milli_per_s.max(1));
        let burst = burst.max(1).saturating_mul(WHOLE);
        Self { tokens: burst, burst, rate, rate_max: rate, filled: now, grown: now, cut: None, not_before: now }
    }

    pub(super) fn fill(&mut self, now: BootMs) {
        let passed_ms = now.ms_since(self.filled).max(0);
        self.tokens = self.tokens.saturating_add(passed_ms.saturating_mul(self.rate)).min(self.burst);
        self.filled = self.filled.max(now);
        let steps = now.ms_since(self.grown).max(0) / GROW_EVERY_MS;
        self.rate = self.rate.saturating_add(steps.saturating_mul(GROW_MILLI)).min(self.rate_max);
        self.grown = self.grown.plus_ms(steps.saturating_mul(GROW_EVERY_MS));
    }

    /// How many whole tokens lie here beyond `kept` of them.
    pub(super) fn whole(&self, now: BootMs, kept: i64) -> i64 {
        if now < self.not_before { 0 } else { (self.tokens / WHOLE).saturating_sub(kept).max(0) }
    }

    pub(super) fn take(&mut self, count: i64) {
        self.tokens = self.tokens.saturating_sub(count.saturating_mul(WHOLE));
    }

    /// When one more token than `kept` will lie here.
    pub(super) fn next_at(&self, now: BootMs, kept: i64) -> BootMs {
        let lacking = WHOLE.saturating_mul(kept.saturating_add(1)).saturating_sub(self.tokens).max(0);
        let wait_ms = lacking.saturating_add(self.rate).saturating_sub(1) / self.rate;
        now.plus_ms(wait_ms).max(self.not_before)
    }

    /// Halves the rate, and empties what was saved up.
    pub(super) fn cut(&mut self, now: BootMs, hold_ms: i64) {
        self.fill(now);
        self.not_before = self.not_before.max(now.plus_ms(hold_ms.clamp(0, HOLD_MAX_MS)));
        if self.cut.is_none_or(|last| now.ms_since(last) >= CUT_EVERY_MS) {
            (self.cut, self.grown) = (Some(now), now);
            self.rate = (self.rate / 2).max(FLOOR_MILLI_PER_S.min(self.rate_max));
            self.tokens = self.tokens.min(0);
        }
    }
}
