//! The only place that asks what time it is. Manual in tests: a list of timers that the test moves, never tokio's paused time.
//!
//! Two times: the wall clock (what people and Stripe mean; it may jump) and the boot clock (monotonic, counts suspend: what
//! deadlines and ages are measured with). Everybody comes in; it calls nobody.
//! Invariant: a sleeper wakes by the boot clock only, so a jump of the wall clock neither hurries nor delays it.
use nix::time::{ClockId, clock_gettime};
use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// Milliseconds on a clock that never jumps and counts suspend; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootMs(pub i64);

impl BootMs {
    /// Later than anything: a deadline that never comes.
    pub const NEVER: Self = Self(i64::MAX);

    /// This much later (milliseconds; saturating).
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This much earlier (milliseconds; saturating).
    #[must_use]
    pub const fn minus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// This much later (rounded up to a whole millisecond; saturating).
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        self.plus_ms(whole_ms(span))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later (saturating).
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span in milliseconds, rounded up, so that a deadline is never early.
fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// Time. Cheap to clone; all clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Option<Arc<OffsetFile>>),
    Manual(Arc<Manual>),
}

/// The deadline came before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed first")]
pub struct TooLate;

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System(None))
    }

    /// The machine's clocks, with the wall clock shifted by a file that holds milliseconds as a decimal text (an `i64`). The
    /// file is read again whenever it changes; absent means 0, unreadable text leaves the last good value. For rehearsals
    /// only: the configuration lets it through in test mode with Stripe on loopback, never else.
    #[must_use]
    pub fn with_offset_file(path: PathBuf) -> Self {
        Self(Source::System(Some(Arc::new(OffsetFile { path, last: Mutex::new(Offset::default()) }))))
    }

    /// A clock that stands still until the test moves it. The wall starts at `start_unix_ms`, the boot clock at an hour.
    #[must_use]
    pub fn manual(start_unix_ms: i64) -> (Self, ManualClock) {
        let times = Times { wall_ms: start_unix_ms, boot: BootMs(3_600_000), ids: 0, timers: BTreeMap::new() };
        let manual = Arc::new(Manual { times: Mutex::new(times), changed: Notify::new() });
        (Self(Source::Manual(Arc::clone(&manual))), ManualClock(manual))
    }

    /// The wall clock, Unix milliseconds. It may jump: never measure an age with it.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System(None) => read(ClockId::CLOCK_REALTIME),
            Source::System(Some(file)) => {
                let now_ms = read(ClockId::CLOCK_REALTIME);
                now_ms.saturating_add(file.offset_ms(now_ms))
            }
            Source::Manual(manual) => manual.times().wall_ms,
        }
    }

    /// The boot clock.
    #[must_use]
    pub fn boot(&self) -> BootMs {
        match &self.0 {
            Source::System(_) => BootMs(read(ClockId::CLOCK_BOOTTIME)),
            Source::Manual(manual) => manual.times().boot,
        }
    }

    /// Returns once the boot clock has reached `deadline`. Time spent suspended counts: after a resume the sleeper wakes within a second.
    pub async fn sleep_until(&self, deadline: BootMs) {
        match &self.0 {
            // tokio's timer stands still during suspend, so we look at our own clock at least once a second.
            Source::System(_) => loop {
                let left_ms = deadline.ms_since(self.boot());
                let Ok(left_ms @ 1..) = u64::try_from(left_ms) else { return };
                tokio::time::sleep(Duration::from_millis(left_ms.min(1_000))).await;
            },
            Source::Manual(manual) => manual.sleep_until(deadline).await,
        }
    }

    /// Returns after `span` on the boot clock.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.boot().plus(span)).await;
    }

    /// Runs `work` until `deadline` at the latest. Work that is done wins over a deadline that has come meanwhile.
    ///
    /// # Errors
    /// [`TooLate`] when the deadline came first; the work is dropped.
    pub async fn until<T>(&self, deadline: BootMs, work: impl Future<Output = T>) -> Result<T, TooLate> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.sleep_until(deadline) => Err(TooLate),
        }
    }
}

/// Reads one of the kernel's clocks, in milliseconds.
fn read(id: ClockId) -> i64 {
    match clock_gettime(id) {
        Ok(time) => time.tv_sec().saturating_mul(1_000).saturating_add(time.tv_nsec() / 1_000_000),
        // Both clocks exist on every Linux since 2011. Without them no deadline can be kept, so nothing may go on.
        Err(errno) => panic!("the kernel's clock {id} cannot be read: {errno}"),
    }
}

#[derive(Debug)]
struct OffsetFile {
    path: PathBuf,
    last: Mutex<Offset>,
}

#[derive(Debug, Default)]
struct Offset {
    /// Modification time (seconds, nanoseconds), inode, size: when one differs, the text may.
    stamp: Option<(i64, i64, u64, u64)>,
    ms: i64,
}

impl OffsetFile {
    fn offset_ms(&self, real_now_ms: i64) -> i64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(meta) = std::fs::metadata(&self.path) else {
            *last = Offset::default();
            return 0;
        };
        let stamp = Some((meta.mtime(), meta.mtime_nsec(), meta.ino(), meta.size()));
        // Two writes within one tick of the file system share a stamp: a file younger than a second is read each time.
        let young = real_now_ms.saturating_sub(meta.mtime().saturating_mul(1_000)) < 2_000;
        if last.stamp != stamp || young {
            last.stamp = stamp;
            if let Some(ms) = std::fs::read_to_string(&self.path).ok().and_then(|text| text.trim().parse().ok()) {
                last.ms = ms;
            }
        }
        last.ms
    }
}

#[derive(Debug)]
struct Manual {
    times: Mutex<Times>,
    changed: Notify,
}

#[derive(Debug)]
struct Times {
    wall_ms: i64,
    boot: BootMs,
    ids: u64,
    timers: BTreeMap<(BootMs, u64), oneshot::Sender<()>>,
}

impl Manual {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep_until(&self, deadline: BootMs) {
        let (timer, fired) = {
            let mut times = self.times();
            if times.boot >= deadline {
                return;
            }
            let (fire, fired) = oneshot::channel();
            let key = (deadline, times.ids);
            times.ids = times.ids.wrapping_add(1);
            times.timers.insert(key, fire);
            (Timer { manual: self, key }, fired)
        };
        self.changed.notify_waiters();
        // The sender goes only after it has fired.
        let _ = fired.await;
        drop(timer);
    }
}

/// A sleeper that is dropped takes its timer with it.
struct Timer<'a> {
    manual: &'a Manual,
    key: (BootMs, u64),
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.manual.times().timers.remove(&self.key);
        self.manual.changed.notify_waiters();
    }
}

/// The hand that moves a manual [`Clock`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Manual>);

impl ManualClock {
    /// Time passes: both clocks move by `ms`, and whoever was to wake by then is woken, earliest first.
    pub fn advance(&self, ms: i64) {
        let mut times = self.0.times();
        times.wall_ms = times.wall_ms.saturating_add(ms);
        times.boot = times.boot.plus_ms(ms);
        let due = times.boot;
        while let Some(entry) = times.timers.first_entry() {
            if entry.key().0 > due {
                break;
            }
            let _ = entry.remove().send(());
        }
    }

    /// Time passes up to the next sleeper's deadline. False when nobody sleeps.
    pub fn advance_to_next(&self) -> bool {
        let Some(next) = self.next_deadline() else { return false };
        let now = self.0.times().boot;
        self.advance(next.ms_since(now));
        true
    }

    /// Somebody sets the wall clock: it jumps by `ms` (either way), the boot clock doesn't notice.
    pub fn jump_wall(&self, ms: i64) {
        let mut times = self.0.times();
        times.wall_ms = times.wall_ms.saturating_add(ms);
    }

    /// When the next sleeper wakes; `None` when nobody sleeps.
    #[must_use]
    pub fn next_deadline(&self) -> Option<BootMs> {
        self.0.times().timers.keys().next().map(|key| key.0)
    }

    /// How many sleep now.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.0.times().timers.len()
    }

    /// Waits (in real time, without a timer) until the sleepers satisfy `wanted`: given their number and the next deadline.
    pub async fn wait_until(&self, wanted: impl Fn(usize, Option<BootMs>) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (sleepers, next) = {
                let times = self.0.times();
                (times.timers.len(), times.timers.keys().next().map(|key| key.0))
            };
            if wanted(sleepers, next) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let (clock, hand) = Clock::manual(1_000);
        let start = clock.boot();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_millis(500)).await;
                (clock.now_ms(), clock.boot())
            }
        });
        hand.wait_until(|sleepers, _| sleepers == 1).await;
        assert_eq!(hand.next_deadline(), Some(start.plus_ms(500)));
        hand.advance(499);
        assert_eq!(hand.sleepers(), 1);
        hand.advance(1);
        assert_eq!(sleeper.await.unwrap(), (1_500, start.plus_ms(500)));
        assert_eq!(hand.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_jump_of_the_wall_wakes_nobody() {
        let (clock, hand) = Clock::manual(0);
        let boot = clock.boot();
        let mut sleeper = Box::pin(clock.sleep(Duration::from_secs(1)));
        assert!(futures::poll!(&mut sleeper).is_pending());
        hand.jump_wall(86_400_000);
        assert_eq!((clock.now_ms(), clock.boot()), (86_400_000, boot));
        assert!(futures::poll!(&mut sleeper).is_pending());
        hand.jump_wall(-172_800_000);
        assert_eq!(clock.now_ms(), -86_400_000);
        assert!(hand.advance_to_next());
        assert!(futures::poll!(&mut sleeper).is_ready());
        assert!(!hand.advance_to_next());
    }

    #[tokio::test]
    async fn a_dropped_sleeper_leaves_no_timer() {
        let (clock, hand) = Clock::manual(0);
        let mut sleeper = Box::pin(clock.sleep(Duration::from_secs(1)));
        assert!(futures::poll!(&mut sleeper).is_pending());
        assert_eq!(hand.sleepers(), 1);
        drop(sleeper);
        assert_eq!(hand.next_deadline(), None);
    }

    #[tokio::test]
    async fn work_that_is_done_wins_over_its_deadline() {
        let (clock, hand) = Clock::manual(0);
        let past = clock.boot().minus_ms(1);
        assert_eq!(clock.until(past, async { 7 }).await, Ok(7));
        assert_eq!(clock.until(past, std::future::pending::<()>()).await, Err(TooLate));
        assert_eq!(hand.sleepers(), 0);
    }

    #[tokio::test]
    async fn the_system_clock_sleeps_by_the_boot_clock() {
        let clock = Clock::system();
        let start = clock.boot();
        clock.sleep_until(start.minus_ms(5)).await;
        clock.sleep(Duration::from_millis(2)).await;
        assert!(clock.boot().ms_since(start) >= 2);
        assert!(clock.now_ms() > 1_600_000_000_000);
    }

    #[test]
    fn spans_saturate_and_round_up() {
        assert_eq!(BootMs(5).plus(Duration::from_nanos(1)), BootMs(6));
        assert_eq!(BootMs::NEVER.plus(Duration::MAX), BootMs::NEVER);
        assert_eq!(BootMs(i64::MIN).minus_ms(1).ms_since(BootMs(1)), i64::MIN);
        assert_eq!(BootMs(7).ms_since(BootMs(9)), -2);
    }

    #[test]
    fn the_offset_file_is_read_again_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offset");
        let (shifted, real) = (Clock::with_offset_file(path.clone()), Clock::system());
        let offset_ms = || shifted.now_ms() - real.now_ms();
        let near = |wanted: i64| (wanted - offset_ms()).abs() < 10_000;
        assert!(near(0));
        std::fs::write(&path, "86400000\n").unwrap();
        assert!(near(86_400_000));
        std::fs::write(&path, "-86400000").unwrap();
        assert!(near(-86_400_000));
        std::fs::write(&path, "86").unwrap();
        assert!(near(86));
        std::fs::write(&path, "-86400000x").unwrap();
        assert!(near(86));
        std::fs::remove_file(&path).unwrap();
        assert!(near(0));
    }
}
