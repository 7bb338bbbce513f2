//! How rooms nudge each other: a door that recorded something wakes the engine; a commit wakes whoever follows the journal.
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Wakes the engine. A wake while it works isn't lost: it makes one more pass.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// There may be something to do.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for the next wake (or takes the one that came meanwhile).
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Tells followers that something was committed. Any number of changes may fold into one signal.
#[derive(Clone, Debug)]
pub struct Changed(Arc<watch::Sender<u64>>);

impl Default for Changed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Changed {
    /// Something was committed.
    pub fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A follower's end: `changed().await` returns when something was committed since the last look.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
