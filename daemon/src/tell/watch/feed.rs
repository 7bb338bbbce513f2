//! One feed: looks when something changed and once a second, numbers what changed, and hands it to every follower.
use super::{
    NothingKnown, Place, Sources,
    compute::{self, Memo},
    ring::Ring,
};
use crate::{
    clock::{BootMs, Clock},
    desk::time_of_day,
    health::Topic,
    store::StoreError,
};
use futures::future::BoxFuture;
use payout_proto::v1::{Live, WatchFrame};
use payout_shared::id::RunId;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

/// A sign of life this often; and a look, since not everything that changes is told (another daemon, the time).
const TICK_MS: i64 = 1_000;
/// Looks are at least this far apart.
const LOOK_EVERY_MS: i64 = 100;
/// After a look that took long, at least so many times as long, for a second at most: the database has better things to do.
const LOOK_REST: i64 = 4;
/// A look that takes longer is old news by the time it is done: the screen says so.
const LOOK_LATE_MS: i64 = 2_000;
/// Nobody takes figures for new that were looked at longer ago, whatever has succeeded since: the screen says so.
const SHOWN_OLD_MS: i64 = 3_000;
/// A new follower of a feed that nobody followed waits this long for a look.
const FIRST_LOOK_MS: i64 = 3_000;
/// What was looked at longer ago is looked at again before a new follower sees it.
const FRESH_MS: i64 = 1_500;
/// A feed of one run ends this long after its last follower, so that one who lost the line goes on without a gap.
const LINGER_TICKS: u32 = 60;
/// Frames that wait for a slow follower; one that is further behind gets a snapshot.
const BEHIND_MAX: usize = 64;

/// A feed.
#[derive(Debug)]
pub(crate) struct Feed {
    run: Option<RunId>,
    clock: Clock,
    ring: Mutex<Ring>,
    frames: broadcast::Sender<Arc<WatchFrame>>,
    /// When the newest look was begun.
    looked: watch::Sender<Option<BootMs>>,
    look_now: Notify,
}

/// Keeps a feed from ending.
pub(crate) type Hold = broadcast::Receiver<Arc<WatchFrame>>;

/// One watcher's end.
#[derive(Debug)]
pub struct Follower {
    feed: Arc<Feed>,
    ready: VecDeque<Arc<WatchFrame>>,
    frames: broadcast::Receiver<Arc<WatchFrame>>,
}

impl Follower {
    /// The next frame; `None` when the feed is gone.
    pub async fn next(&mut self) -> Option<Arc<WatchFrame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            match self.frames.recv().await {
                Ok(frame) => return Some(frame),
                Err(broadcast::error::RecvError::Closed) => return None,
                // Too far behind: what it missed doesn't matter any more, only how things stand.
                Err(broadcast::error::RecvError::Lagged(_)) => *self = self.feed.begin(Place::default())?,
            }
        }
    }
}

impl Feed {
    pub(super) fn new(run: Option<RunId>, clock: Clock) -> Self {
        Self {
            run,
            clock,
            ring: Mutex::new(Ring::new()),
            frames: broadcast::Sender::new(BEHIND_MAX),
            looked: watch::Sender::new(None),
            look_now: Notify::new(),
        }
    }

    pub(super) fn hold(&self) -> Hold {
        self.frames.subscribe()
    }

    pub(super) fn followers(&self) -> usize {
        self.frames.receiver_count()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A follower that sees everything from this place on. What nobody looked at lately is looked at first.
    pub(super) async fn follow(self: &Arc<Self>, place: Place) -> Result<Follower, NothingKnown> {
        let asked_at = self.clock.boot();
        let mut looked = self.looked.subscribe();
        let is_fresh = |at: &Option<BootMs>| at.is_some_and(|at| asked_at.ms_since(at) < FRESH_MS);
        if !is_fresh(&looked.borrow()) {
            self.look_now.notify_one();
            // Too late or gone: what is known is shown, with a sentence that says how old it is.
            let _ = self.clock.until(asked_at.plus_ms(FIRST_LOOK_MS), looked.wait_for(is_fresh)).await;
        }
        self.begin(place).ok_or(NothingKnown)
    }

    /// Under one lock, so that nothing falls between what is ready and what comes.
    fn begin(self: &Arc<Self>, place: Place) -> Option<Follower> {
        let ring = self.ring();
        let ready = ring.from(place, self.clock.now_ms())?;
        Some(Follower { feed: Arc::clone(self), ready, frames: self.frames.subscribe() })
    }

    /// Works until `stop`, or until `ends` says so after a minute without followers.
    pub(super) async fn run(&self, sources: Sources, stop: CancellationToken, ends: impl Fn() -> bool) {
        let mut news = sources.changed.follow();
        let mut work = Work::new(&sources, self.run.as_ref());
        let (mut tick_at, mut not_before) = (self.clock.boot(), self.clock.boot());
        let (mut is_due, mut idle_ticks) = (true, 0_u32);
        loop {
            let is_wanted = is_due && work.idle() && self.followers() > 0;
            tokio::select! {
                () = stop.cancelled() => return,
                (live, took_ms) = work.done() => {
                    not_before = self.clock.boot().plus_ms(rest_ms(took_ms));
                    self.looked_at(&sources, live, took_ms);
                }
                () = self.clock.sleep_until(tick_at) => {
                    tick_at = self.clock.boot().plus_ms(TICK_MS);
                    is_due = true;
                    self.tick(&sources, work.age_ms());
                    idle_ticks = if self.followers() == 0 { idle_ticks.saturating_add(1) } else { 0 };
                    if idle_ticks > LINGER_TICKS && ends() {
                        return;
                    }
                }
                changed = news.changed(), if !is_due => match changed {
                    Ok(()) => is_due = true,
                    Err(_) => return,
                },
                () = self.look_now.notified() => (is_due, not_before) = (true, self.clock.boot()),
                () = self.clock.sleep_until(not_before), if is_wanted => {
                    is_due = false;
                    work.begin();
                }
            }
        }
    }

    /// A sign of life, whatever the database does. A look that takes too long is said.
    fn tick(&self, sources: &Sources, look_age_ms: i64) {
        let ring = self.ring();
        // No follower is no error.
        let _ = self.frames.send(ring.heartbeat(self.clock.now_ms()));
        drop(ring);
        let shown_ms = self.looked.borrow().map_or(0, |at| self.clock.boot().ms_since(at));
        if look_age_ms >= LOOK_LATE_MS || (self.followers() > 0 && shown_ms >= SHOWN_OLD_MS) {
            self.stale(sources, "the database takes too long to answer");
        }
    }

    fn looked_at(&self, sources: &Sources, live: Result<Live, StoreError>, took_ms: i64) {
        match live {
            Ok(mut live) => {
                if sources.desk.health.good(Topic::Figures)
                    && let Some(daemon) = &mut live.daemon
                {
                    daemon.degraded = sources.desk.health.sentences();
                }
                self.renew(live);
                self.looked.send_replace(Some(self.clock.boot().minus_ms(took_ms)));
            }
            Err(error) => self.stale(sources, &error.to_string()),
        }
    }

    /// What is on screens gets no newer: that is said, and nothing else is changed.
    fn stale(&self, sources: &Sources, why: &str) {
        let Some(mut live) = self.ring().live().cloned() else { return };
        let Some(daemon) = &mut live.daemon else { return };
        let sentence = format!("the figures shown are of {}: {why}", time_of_day(daemon.now_ms));
        if sources.desk.health.bad(Topic::Figures, &sentence) {
            tracing::warn!("{sentence}");
        }
        daemon.degraded = sources.desk.health.sentences();
        self.renew(live);
    }

    fn renew(&self, live: Live) {
        let mut ring = self.ring();
        if let Some(frame) = ring.renew(live) {
            let _ = self.frames.send(frame);
        }
    }
}

/// How long nobody looks after a look that took so long, milliseconds.
fn rest_ms(took_ms: i64) -> i64 {
    took_ms.saturating_mul(LOOK_REST).clamp(LOOK_EVERY_MS, TICK_MS)
}

/// The look that is being taken, if any.
struct Work<'a> {
    sources: &'a Sources,
    run: Option<&'a RunId>,
    memo: Option<Memo>,
    begun_at: BootMs,
    look: Option<BoxFuture<'a, (Memo, Result<Live, StoreError>)>>,
}

impl<'a> Work<'a> {
    fn new(sources: &'a Sources, run: Option<&'a RunId>) -> Self {
        Self { sources, run, memo: None, begun_at: sources.desk.clock.boot(), look: None }
    }

    const fn idle(&self) -> bool {
        self.look.is_none()
    }

    fn age_ms(&self) -> i64 {
        if self.idle() { 0 } else { self.sources.desk.clock.boot().ms_since(self.begun_at) }
    }

    fn begin(&mut self) {
        let (sources, run, mut memo) = (self.sources, self.run, self.memo.take().unwrap_or_default());
        self.begun_at = sources.desk.clock.boot();
        self.look = Some(Box::pin(async move {
            let live = compute::look(sources, run, &mut memo).await;
            (memo, live)
        }));
    }

    /// Waits for the look that is being taken; for ever when there is none. Dropped while waiting, it goes on with the next call.
    async fn done(&mut self) -> (Result<Live, StoreError>, i64) {
        let Some(look) = &mut self.look else { return std::future::pending().await };
        let (memo, live) = look.await;
        let took_ms = self.age_ms();
        self.look = None;
        self.memo = Some(memo);
        (live, took_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_never_much_older_than_two_looks_and_a_second() {
        for (took_ms, rest) in [(0, 100), (20, 100), (100, 400), (250, 1_000), (9_000, 1_000), (i64::MAX, 1_000)] {
            assert_eq!(rest_ms(took_ms), rest, "{took_ms}");
        }
    }
}
