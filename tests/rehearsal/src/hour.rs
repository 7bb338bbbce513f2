//! The one clock that twin and daemon share: a file with the milliseconds between the machine's clock and theirs.
//!
//! Both read it at each question, so they agree as soon as it is written; it is replaced as a whole, so nobody reads half a number.
//! Invariant: time only goes forward.
use anyhow::Context;
use std::path::{Path, PathBuf};

/// The file, and where it stands.
#[derive(Debug)]
pub(crate) struct Hour {
    file: PathBuf,
    offset_ms: i64,
}

impl Hour {
    /// It is `at_ms` now (Unix milliseconds).
    pub(crate) fn start(file: &Path, at_ms: i64) -> anyhow::Result<Self> {
        let mut hour = Self { file: file.to_owned(), offset_ms: 0 };
        hour.set(at_ms)?;
        Ok(hour)
    }

    /// What time it is for twin and daemon, Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        real_ms().saturating_add(self.offset_ms)
    }

    /// Jumps forward to this moment; one that is past already leaves the clock alone.
    pub(crate) fn jump_to(&mut self, at_ms: i64) -> anyhow::Result<()> {
        if at_ms > self.now_ms() { self.set(at_ms) } else { Ok(()) }
    }

    fn set(&mut self, at_ms: i64) -> anyhow::Result<()> {
        self.offset_ms = at_ms.saturating_sub(real_ms());
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{}\n", self.offset_ms)).with_context(|| format!("writing {}", new.display()))?;
        std::fs::rename(&new, &self.file).with_context(|| format!("replacing {}", self.file.display()))
    }
}

fn real_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward_only_and_the_twin_reads_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hour");
        let mut hour = Hour::start(&file, 1_800_000_000_000).unwrap();
        let twin = stripe_twin::Clock::system(Some(file));
        let near = |ms: i64| (hour_of(&twin) - ms).abs() < 5_000;
        assert!(near(1_800_000_000_000));
        for day in 1..20 {
            let at_ms = 1_800_000_000_000 + day * 86_400_000;
            hour.jump_to(at_ms).unwrap();
            assert!(near(at_ms), "day {day}");
        }
        hour.jump_to(1_800_000_000_000).unwrap();
        assert!(near(hour.now_ms()));
    }

    fn hour_of(clock: &stripe_twin::Clock) -> i64 {
        clock.now().date_ms
    }
}
