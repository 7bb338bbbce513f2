//! Why a command didn't do it, as a sentence and an exit code.
use crate::link::{self, Meaning};
use tonic::Status;

/// The exit codes: a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    NotPermitted = 4,
    Nothing = 5,
}

/// Says something beside the answer. Nobody may be listening any more; that isn't a failure.
pub(super) fn aside(words: &str) {
    use std::io::Write;
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(words.as_bytes());
    let _ = out.flush();
}

/// A command came to nothing.
#[derive(Debug)]
pub(super) struct Error {
    pub code: Code,
    pub message: String,
}

impl Error {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// What the daemon, or the link to it, answered to what was tried.
    pub(super) fn of(tried: &str, place: &str, status: &Status) -> Self {
        // Several faults come a line each; only the lines' own contents are cleaned.
        let why: Vec<_> = link::sentence(status).lines().map(|line| crate::text::clean(line).into_owned()).collect();
        let why = why.join("\n");
        match link::meaning(status) {
            Meaning::Refused => Self::failed(format!("{tried}: {why}")),
            Meaning::NotPermitted => Self::new(Code::NotPermitted, format!("{tried}: not permitted: {why}")),
            Meaning::Nothing => Self::new(Code::Nothing, format!("{tried}: nothing to do: {why}")),
            Meaning::Unreachable => Self::new(
                Code::Unreachable,
                format!("{tried}: the daemon at {place} was lost: {why}; what became of it isn't known"),
            ),
            Meaning::NoAnswer => Self::new(
                Code::Unreachable,
                format!("{tried}: no answer from {place} in time; what became of it isn't known"),
            ),
        }
    }
}

/// Standard output has gone (a closed pipe) or is full.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("the answer can't be written: {error}"))
    }
}
