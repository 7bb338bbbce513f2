//! How long to wait before dialling again: from 250 ms, doubling, never more than the cap, however long it was away.
use std::time::Duration;

/// The first wait.
pub const FIRST: Duration = Duration::from_millis(250);
/// The longest wait on a socket of this machine.
pub const CAP_LOCAL: Duration = Duration::from_millis(500);
/// The longest wait over ssh; there each wait is also spread, so that many consoles don't come back at once.
pub const CAP_SSH: Duration = Duration::from_secs(5);

/// The waits of one outage.
#[derive(Clone, Debug)]
pub struct Backoff {
    cap: Duration,
    spread: bool,
    next: Duration,
}

impl Backoff {
    /// For a way to the daemon.
    #[must_use]
    pub const fn new(is_remote: bool) -> Self {
        Self { cap: if is_remote { CAP_SSH } else { CAP_LOCAL }, spread: is_remote, next: FIRST }
    }

    /// The next wait. `dice` is any number; it spreads remote waits over their upper half.
    pub fn wait(&mut self, dice: u32) -> Duration {
        let wait = self.next.min(self.cap);
        self.next = self.next.saturating_mul(2).min(self.cap);
        if self.spread { wait / 2 + (wait / 2).saturating_mul(dice % 1000) / 1000 } else { wait }
    }

    /// Frames came: the next outage begins anew.
    pub const fn reset(&mut self) {
        self.next = FIRST;
    }
}
