//! What happens, as it happens: computed once for all watchers, at most ten times a second, as absolute parts of the live screen.
//!
//! Who comes in: the control door, one follower a stream. Whom it may call: the desk, the store's reads, health.
//! Invariants: within an epoch the numbers of deltas have no gap; a follower that is too slow gets a snapshot, never a longer queue;
//! a heartbeat goes out each second whatever the database does, and old figures are never shown without a sentence that says so.
mod compute;
mod delta;
mod feed;
mod log;
mod ring;

pub use feed::Follower;
pub use ring::Place;

use crate::{desk::Desk, logging::RecentLog, wake::Changed};
use feed::Feed;
use payout_shared::id::RunId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// What feeds are made from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) desk: Arc<Desk>,
    pub(crate) recent: RecentLog,
    pub(crate) changed: Changed,
}

/// All feeds: one of the current run that lives as long as the daemon, and one per run that somebody watches by name.
#[derive(Debug)]
pub struct Watch {
    sources: Sources,
    current: Arc<Feed>,
    named: Arc<Mutex<HashMap<RunId, Arc<Feed>>>>,
    stop: CancellationToken,
}

/// Nothing is known yet: the database hasn't answered since the daemon began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known yet: the database has not answered")]
pub struct NothingKnown;

impl Watch {
    /// No feed works before [`Watch::run`].
    #[must_use]
    pub fn new(desk: Arc<Desk>, recent: RecentLog, changed: Changed, stop: CancellationToken) -> Self {
        let current = Arc::new(Feed::new(None, desk.clock.clone()));
        Self { sources: Sources { desk, recent, changed }, current, named: Arc::default(), stop }
    }

    /// Feeds the followers of the current run until the daemon stops.
    pub async fn run(&self) {
        let never = || false;
        self.current.run(self.sources.clone(), self.stop.clone(), never).await;
    }

    /// A follower of the current run, or of one run; it goes on where it was when that is remembered.
    ///
    /// # Errors
    /// [`NothingKnown`].
    pub async fn follow(&self, run: Option<RunId>, place: Place) -> Result<Follower, NothingKnown> {
        let (feed, held) = match run {
            None => (Arc::clone(&self.current), self.current.hold()),
            Some(run) => self.named(run),
        };
        let follower = feed.follow(place).await;
        drop(held);
        follower
    }

    /// The feed of one run, begun when nobody watched it so far; and a hold that keeps it from ending.
    fn named(&self, run: RunId) -> (Arc<Feed>, feed::Hold) {
        let mut feeds = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&run) {
            return (Arc::clone(feed), feed.hold());
        }
        let feed = Arc::new(Feed::new(Some(run.clone()), self.sources.desk.clock.clone()));
        feeds.insert(run.clone(), Arc::clone(&feed));
        let hold = feed.hold();
        let (worker, sources, stop, all) =
            (Arc::clone(&feed), self.sources.clone(), self.stop.clone(), Arc::clone(&self.named));
        tokio::spawn(async move {
            let ends = || {
                // Under the lock that followers come in by: nobody takes hold of a feed that is ending.
                let mut feeds = all.lock().unwrap_or_else(PoisonError::into_inner);
                let is_idle = worker.followers() == 0;
                if is_idle {
                    feeds.remove(&run);
                }
                is_idle
            };
            worker.run(sources, stop, ends).await;
        });
        (feed, hold)
    }
}
