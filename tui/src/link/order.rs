//! Where we are in the daemon's stream, and whether a frame is the next one.
use payout_proto::v1::{WatchFrame, watch_frame::Frame};

/// A place in the stream; (0, 0) = from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub epoch: u64,
    pub seq: u64,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is the next one.
    Take,
    /// It was taken before.
    Skip,
    /// Something between is missing, or the daemon lives anew: from a snapshot.
    Resync,
}

impl Place {
    /// Looks at a frame and moves on when it is to be taken.
    pub fn step(&mut self, frame: &WatchFrame) -> Step {
        let same_life = *self != Self::default() && frame.epoch == self.epoch;
        match &frame.frame {
            Some(Frame::Snapshot(_)) => {
                *self = Self { epoch: frame.epoch, seq: frame.seq };
                Step::Take
            }
            Some(Frame::Delta(_)) if same_life && frame.seq == self.seq.wrapping_add(1) => {
                self.seq = frame.seq;
                Step::Take
            }
            Some(Frame::Delta(_)) if same_life && frame.seq <= self.seq => Step::Skip,
            Some(Frame::Heartbeat(_)) if same_life && frame.seq == self.seq => Step::Take,
            Some(Frame::Heartbeat(_)) if same_life && frame.seq < self.seq => Step::Skip,
            Some(Frame::Delta(_) | Frame::Heartbeat(_)) => Step::Resync,
            None => Step::Skip,
        }
    }
}
