//! What the daemon says about itself: JSON lines into daily files, lines for people on stderr, the last warnings for the console.
//!
//! Who comes in: `main` once, at the start. Whom it may call: the clock.
//! Invariant: every byte for a file or for stderr, and every line for the console, goes through [`redact`] last. Logging never blocks
//! the engine: when a disk is too slow, lines are lost, not time.
mod recent;
mod redact;

pub use recent::{LogLine, RecentLog};
pub use redact::redact;

use crate::clock::Clock;
use redact::Redacting;
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};
use tracing_appender::{
    non_blocking::{NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    fmt::{self, format::Writer, time::FormatTime},
    layer::SubscriberExt as _,
};

/// Lines that wait for the disk at most: some 10 MB.
const WAITING_LINES_MAX: usize = 32_768;

/// What logging needs to know.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Where the daily files go; made when it doesn't exist.
    pub dir: PathBuf,
    /// A filter of tracing's.
    pub filter: String,
    /// Daily files kept.
    pub files: usize,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing can be written there.
    #[error(
        "the log directory {dir} cannot be written to: {why}; make it writable for this user, or set LOGS_DIRECTORY"
    )]
    Directory {
        /// Which directory.
        dir: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Not a filter.
    #[error("PAYOUTD_LOG: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process logs already.
    #[error("logging is set up already in this process")]
    Twice,
}

/// Logging as long as it is kept: dropped, it writes out what waits.
#[derive(Debug)]
pub struct Logging {
    /// The last warnings and errors.
    pub recent: RecentLog,
    _guard: WorkerGuard,
}

/// Sets logging up for the whole process.
///
/// # Errors
/// [`LogError`]: nothing was set up.
pub fn init(settings: &LogSettings, clock: &Clock) -> Result<Logging, LogError> {
    let (subscriber, logging) = build(settings, clock)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
    Ok(logging)
}

fn build(settings: &LogSettings, clock: &Clock) -> Result<(impl tracing::Subscriber + Send + Sync, Logging), LogError> {
    let files = daily(&settings.dir, settings.files)?;
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES_MAX).lossy(true).finish(files);
    let time = ClockTime(clock.clone());
    let recent = RecentLog::new(clock.clone());
    let to_files = fmt::layer().json().flatten_event(true).with_timer(time.clone()).with_writer(Redacting(writer));
    let to_stderr = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(time)
        .with_writer(Redacting(std::io::stderr));
    let layers = to_files.and_then(to_stderr).and_then(recent.clone());
    let filter = EnvFilter::try_new(&settings.filter)?;
    Ok((tracing_subscriber::registry().with(layers.with_filter(filter)), Logging { recent, _guard: guard }))
}

fn daily(dir: &Path, files: usize) -> Result<RollingFileAppender, LogError> {
    let unwritable = |why: String| LogError::Directory { dir: dir.to_owned(), why };
    std::fs::create_dir_all(dir).map_err(|error| unwritable(error.to_string()))?;
    let builder = RollingFileAppender::builder().rotation(Rotation::DAILY).filename_prefix("payoutd");
    let appender = builder.filename_suffix("log").max_log_files(files).build(dir);
    appender.map_err(|error| unwritable(error.to_string()))
}

/// Stamps lines by our own clock, in UTC.
#[derive(Clone)]
struct ClockTime(Clock);

impl FormatTime for ClockTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.now_ms()) {
            Ok(now) => write!(writer, "{now:.3}"),
            Err(_) => writer.write_str("(no time)"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
