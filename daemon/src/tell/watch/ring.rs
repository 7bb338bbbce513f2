//! The numbers of frames, and the newest of them, so that a follower that was away goes on without a gap.
use payout_proto::v1::{Heartbeat, Live, WatchFrame, watch_frame::Frame};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};
use std::{collections::VecDeque, sync::Arc};

/// Deltas remembered: half a minute and more at ten a second.
pub(super) const REMEMBERED_MAX: usize = 512;

/// Where a follower is; (0, 0) = nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The feed's life.
    pub epoch: u64,
    /// The newest delta it has.
    pub seq: u64,
}

/// A feed's frames.
#[derive(Debug)]
pub(super) struct Ring {
    place: Place,
    live: Option<Live>,
    deltas: VecDeque<Arc<WatchFrame>>,
}

impl Ring {
    /// A new life.
    pub(super) fn new() -> Self {
        // Never 0: that is nowhere.
        let epoch = StdRng::from_os_rng().next_u64() | 1;
        Self { place: Place { epoch, seq: 0 }, live: None, deltas: VecDeque::with_capacity(REMEMBERED_MAX) }
    }

    /// The newest state of everything.
    pub(super) const fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Everything anew; gives the delta that says what changed, or `None` when nothing did (or nobody could know it before).
    pub(super) fn renew(&mut self, live: Live) -> Option<Arc<WatchFrame>> {
        let changed = self.live.as_ref().and_then(|old| super::delta::between(old, &live));
        self.live = Some(live);
        let delta = changed?;
        self.place.seq += 1;
        let frame = Arc::new(self.frame(Frame::Delta(delta)));
        if self.deltas.len() >= REMEMBERED_MAX {
            self.deltas.pop_front();
        }
        self.deltas.push_back(Arc::clone(&frame));
        Some(frame)
    }

    /// A sign of life.
    pub(super) fn heartbeat(&self, now_ms: i64) -> Arc<WatchFrame> {
        Arc::new(self.frame(Frame::Heartbeat(Heartbeat { now_ms })))
    }

    /// What a follower needs to be where we are: the deltas it missed when they are remembered, else a snapshot; then a heartbeat.
    /// `None` while nothing is known.
    pub(super) fn from(&self, place: Place, now_ms: i64) -> Option<VecDeque<Arc<WatchFrame>>> {
        let live = self.live.as_ref()?;
        let missed = self.place.seq.checked_sub(place.seq).and_then(|missed| usize::try_from(missed).ok());
        let mut frames: VecDeque<_> = match missed {
            Some(missed) if place.epoch == self.place.epoch && missed <= self.deltas.len() => {
                self.deltas.iter().skip(self.deltas.len() - missed).cloned().collect()
            }
            Some(_) | None => [Arc::new(self.frame(Frame::Snapshot(live.clone())))].into(),
        };
        frames.push_back(self.heartbeat(now_ms));
        Some(frames)
    }

    const fn frame(&self, frame: Frame) -> WatchFrame {
        WatchFrame { epoch: self.place.epoch, seq: self.place.seq, frame: Some(frame) }
    }
}
