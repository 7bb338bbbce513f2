//! What the watch stream told: the parts of the live screen, merged from a snapshot and absolute changes.
//!
//! Invariant: a change without a snapshot, out of order or of another life of the daemon is never applied.
use payout_proto::v1::{self, watch_frame::Frame};
use payout_shared::run::RunState;

/// What is known of the daemon and its run.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Nothing is known before the first snapshot.
    pub known: bool,
    pub epoch: u64,
    pub seq: u64,
    pub daemon: v1::DaemonPart,
    pub run: Option<v1::RunPart>,
    pub states: Vec<v1::StateCount>,
    pub rate: Option<v1::RatePart>,
    pub causes: Vec<v1::Cause>,
    pub failures: Vec<v1::PayoutRow>,
    /// Newest first.
    pub log: Vec<v1::LogLine>,
    pub skips: Vec<v1::SkipCount>,
    pub pages_version: u64,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Everything was replaced.
    Snapshot,
    /// Parts changed.
    Delta,
    /// Nothing changed but the age.
    Heartbeat,
    /// Old, out of order or without a snapshot: nothing changed.
    Ignored,
}

impl Live {
    /// Applies a frame.
    pub fn take(&mut self, frame: v1::WatchFrame) -> Taken {
        let follows = self.known && frame.epoch == self.epoch;
        match frame.frame {
            Some(Frame::Snapshot(parts)) => {
                *self = Self { known: true, epoch: frame.epoch, seq: frame.seq, ..Self::default() };
                self.merge(parts);
                Taken::Snapshot
            }
            Some(Frame::Delta(parts)) if follows && frame.seq == self.seq.wrapping_add(1) => {
                self.seq = frame.seq;
                self.merge(parts);
                Taken::Delta
            }
            Some(Frame::Heartbeat(beat)) if follows && frame.seq == self.seq => {
                self.daemon.now_ms = beat.now_ms;
                Taken::Heartbeat
            }
            Some(Frame::Delta(_) | Frame::Heartbeat(_)) | None => Taken::Ignored,
        }
    }

    fn merge(&mut self, parts: v1::Live) {
        if let Some(run) = parts.run {
            if self.run.as_ref().is_some_and(|known| known.id != run.id) {
                // Another run: what isn't in this frame was about the old one.
                self.states.clear();
                self.rate = None;
                self.causes.clear();
                self.failures.clear();
                self.skips.clear();
            }
            self.run = Some(run);
        }
        if let Some(daemon) = parts.daemon {
            self.daemon = daemon;
        }
        if let Some(states) = parts.states {
            self.states = states.states;
        }
        if parts.rate.is_some() {
            self.rate = parts.rate;
        }
        if let Some(causes) = parts.causes {
            self.causes = causes.causes;
            self.causes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cause.cmp(&b.cause)));
        }
        if let Some(failures) = parts.failures {
            self.failures = failures.rows;
        }
        if let Some(log) = parts.log {
            self.log = log.lines;
            self.log.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
        }
        if let Some(skips) = parts.skips {
            self.skips = skips.skips;
        }
        if let Some(version) = parts.pages_version {
            self.pages_version = version;
        }
    }

    /// The run on the screen, when it may still do something.
    #[must_use]
    pub fn open_run(&self) -> Option<&v1::RunPart> {
        self.run.as_ref().filter(|run| is_open(run))
    }

    /// Payouts in a state.
    #[must_use]
    pub fn count(&self, state: &str) -> i64 {
        self.states.iter().filter(|s| s.state == state).map(|s| s.count).sum()
    }

    /// Failed and returned payouts: what the usual share is compared with.
    #[must_use]
    pub fn failed(&self) -> i64 {
        self.count("failed") + self.count("returned")
    }

    /// Payouts that Stripe took: on their way, paid, settled.
    #[must_use]
    pub fn sent(&self) -> i64 {
        ["pending", "in_transit", "paid", "settled"].iter().map(|state| self.count(state)).sum()
    }

    /// The cause that most payouts have.
    #[must_use]
    pub fn top_cause(&self) -> Option<&v1::Cause> {
        self.causes.first()
    }

    /// Payouts with any cause: what a cause's share is of.
    #[must_use]
    pub fn caused(&self) -> i64 {
        self.causes.iter().map(|cause| cause.count).sum()
    }
}

/// True when the run may still do something. A state that isn't known to us counts as open: it must not look finished.
#[must_use]
pub fn is_open(run: &v1::RunPart) -> bool {
    RunState::parse(&run.state).is_none_or(RunState::is_open)
}
