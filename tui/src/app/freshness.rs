//! How old what is on the screen is, in truth: also when frames arrive late, in a burst after a stall.
//!
//! Invariant: the age never counts from a frame's arrival alone; it counts from when the daemon made it, on the assumption
//! that the quickest frame of the last minute took no time.

/// How long a quickest frame is remembered, in two halves.
const HALF_MS: i64 = 30_000;

/// Data older than this is stale: the body is dimmed and dangerous actions are off.
pub const STALE_MS: i64 = 3_000;

/// Both clocks of this machine. Only `mono_ms` is ever subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Unix milliseconds, for showing.
    pub unix_ms: i64,
    /// Milliseconds of a clock that is never set.
    pub mono_ms: i64,
}

/// When the newest frame was made, on our own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Our monotonic clock minus the daemon's clock, at its smallest: this half minute, and the one before.
    offset_now: Option<i64>,
    offset_before: Option<i64>,
    half_began_ms: i64,
    lateness_ms: i64,
    /// On our monotonic clock.
    made_ms: Option<i64>,
}

impl Freshness {
    /// A frame came that the daemon made at `daemon_ms` by its own clock.
    pub fn frame(&mut self, now: Now, daemon_ms: i64) {
        if now.mono_ms - self.half_began_ms > HALF_MS {
            self.offset_before = if now.mono_ms - self.half_began_ms > 2 * HALF_MS { None } else { self.offset_now };
            self.offset_now = None;
            self.half_began_ms = now.mono_ms;
        }
        let offset = now.mono_ms.saturating_sub(daemon_ms);
        self.offset_now = Some(self.offset_now.map_or(offset, |known| known.min(offset)));
        let quickest =
            self.offset_before.map_or(offset, |before| before.min(offset)).min(self.offset_now.unwrap_or(offset));
        let made = daemon_ms.saturating_add(quickest).min(now.mono_ms);
        self.lateness_ms = now.mono_ms - made;
        self.made_ms = Some(made);
    }

    /// A frame came that doesn't say when it was made: it is as late as the last one that did.
    pub fn frame_unstamped(&mut self, now: Now) {
        let made = now.mono_ms - self.lateness_ms;
        self.made_ms = Some(self.made_ms.map_or(made, |known| known.max(made)));
    }

    /// Forget the daemon's clock: another daemon, or another connection, may have another.
    pub fn reconnect(&mut self) {
        *self = Self { made_ms: self.made_ms, ..Self::default() };
    }

    /// Milliseconds since the newest frame was made; `None` before the first.
    #[must_use]
    pub fn age_ms(&self, now: Now) -> Option<i64> {
        self.made_ms.map(|made| (now.mono_ms - made).max(0))
    }

    /// What the daemon's clock says now, as far as can be told; else our own.
    #[must_use]
    pub fn daemon_now_ms(&self, now: Now) -> i64 {
        self.offset_now.or(self.offset_before).map_or(now.unix_ms, |offset| now.mono_ms.saturating_sub(offset))
    }
}
