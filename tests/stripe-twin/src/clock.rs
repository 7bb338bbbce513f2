//! The twin's two times. `wall_ms` is monotonic and drives what takes time (settling, limits, webhook retries);
//! `date_ms` is what Stripe calls now (Date header, `created`, key pruning) and may be set or shifted at will.
//! Invariant: moving the date never makes a bank faster.

#![allow(clippy::disallowed_methods, reason = "this is the twin's clock: everybody else asks it")]
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// One instant, seen on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that only goes forward.
    pub wall_ms: i64,
    /// Milliseconds since the epoch, as the twin's Date header says.
    pub date_ms: i64,
}

impl Now {
    /// Whole seconds since the epoch, as in `created`.
    #[must_use]
    pub fn date_s(self) -> i64 {
        self.date_ms.div_euclid(1000)
    }
}

#[derive(Debug)]
enum Source {
    System { started: Instant },
    Manual { wall_ms: AtomicI64, date_ms: AtomicI64 },
}

/// Where a [`Now`] comes from: the system's clock or a hand-moved one.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    offset_ms: AtomicI64,
    file: Option<OffsetFile>,
}

impl Clock {
    /// The system's clock, with an optional file of one offset in milliseconds, read again whenever it changes.
    #[must_use]
    pub fn system(offset_file: Option<PathBuf>) -> Self {
        Self {
            source: Source::System { started: Instant::now() },
            offset_ms: AtomicI64::new(0),
            file: offset_file.map(|path| OffsetFile { path, seen: Mutex::new((None, 0)) }),
        }
    }

    /// A clock that moves only by [`Clock::tick`] and the offset.
    #[must_use]
    pub fn manual(date_ms: i64) -> Self {
        let source = Source::Manual { wall_ms: AtomicI64::new(0), date_ms: AtomicI64::new(date_ms) };
        Self { source, offset_ms: AtomicI64::new(0), file: None }
    }

    /// Both times at this instant.
    #[must_use]
    pub fn now(&self) -> Now {
        let offset = self.offset_ms() + self.file.as_ref().map_or(0, OffsetFile::read_ms);
        let (wall_ms, date_ms) = match &self.source {
            Source::System { started } => (
                i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
                jiff::Timestamp::now().as_millisecond(),
            ),
            Source::Manual { wall_ms, date_ms } => (wall_ms.load(Ordering::SeqCst), date_ms.load(Ordering::SeqCst)),
        };
        Now { wall_ms, date_ms: date_ms.saturating_add(offset) }
    }

    /// Lets time pass on a manual clock, on both of its times; the system's clock ignores it.
    pub fn tick(&self, ms: i64) {
        if let Source::Manual { wall_ms, date_ms } = &self.source {
            wall_ms.fetch_add(ms, Ordering::SeqCst);
            date_ms.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// The offset set by hand, without the file's.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Sets the Date's distance from the system's clock.
    pub fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::SeqCst);
    }

    /// Moves the Date by so much more.
    pub fn advance_date_ms(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

/// Modification time, inode, size: when one differs, the number may.
type Stamp = (SystemTime, u64, u64);

#[derive(Debug)]
struct OffsetFile {
    path: PathBuf,
    /// Of what was read, and the number in it.
    seen: Mutex<(Option<Stamp>, i64)>,
}

impl OffsetFile {
    /// The file's number; an unreadable or half-written file leaves the last good one standing.
    fn read_ms(&self) -> i64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = std::fs::metadata(&self.path).ok();
        let changed = meta.and_then(|meta| Some((meta.modified().ok()?, meta.ino(), meta.size())));
        if changed.is_some() && changed != seen.0 {
            let text = std::fs::read_to_string(&self.path).unwrap_or_default();
            if let Ok(offset_ms) = text.trim().parse() {
                *seen = (changed, offset_ms);
            }
        }
        seen.1
    }
}
