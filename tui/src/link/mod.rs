//! The way to the daemon: dialling, the watch stream, requests with deadlines. No screen, no decision about money.
//!
//! Who comes in: `console` and the commands. Whom it may call: the protocol. Invariant: nothing here waits without a deadline
//! except for the next frame, and that is watched.
pub mod ask;
pub mod backoff;
pub mod dial;
pub mod order;
pub mod watch;

use crate::app::{Failure, FailureKind};
use payout_proto::v1::control_client::ControlClient;
use tonic::{Code, Status, transport::Channel};

/// The client of the control API.
pub type Client = ControlClient<Channel>;

/// What a refusal means for people and scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Refused,
    NotPermitted,
    Unreachable,
    /// It may or may not have been received.
    NoAnswer,
    /// It is so already.
    Nothing,
}

/// Reads a status. A stream that was cut is `Unknown` with an I/O error behind it: that is a lost link, not a refusal.
#[must_use]
pub fn meaning(status: &Status) -> Meaning {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => Meaning::NotPermitted,
        Code::AlreadyExists => Meaning::Nothing,
        Code::DeadlineExceeded | Code::Cancelled => Meaning::NoAnswer,
        Code::Unavailable => Meaning::Unreachable,
        Code::Unknown if std::error::Error::source(status).is_some() => Meaning::Unreachable,
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Meaning::Refused,
    }
}

/// A status as one sentence.
#[must_use]
pub fn sentence(status: &Status) -> String {
    match meaning(status) {
        Meaning::NoAnswer => "no answer in time".to_owned(),
        Meaning::Unreachable => {
            let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
            let mut deepest = None;
            while let Some(error) = source {
                deepest = Some(error.to_string());
                source = error.source();
            }
            deepest.filter(|text| !text.is_empty()).unwrap_or_else(|| status.message().to_owned())
        }
        Meaning::Refused | Meaning::NotPermitted | Meaning::Nothing => status.message().to_owned(),
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let kind = match meaning(status) {
            Meaning::Refused | Meaning::Nothing => FailureKind::Refused,
            Meaning::NotPermitted => FailureKind::NotPermitted,
            // The request may have left before the connection broke.
            Meaning::Unreachable | Meaning::NoAnswer => FailureKind::NoAnswer,
        };
        Self { kind, message: sentence(status) }
    }
}
