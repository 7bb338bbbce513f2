//! Which cutoff and instant a run that somebody asks for has. Both come from the cycle it names, or else from the moment of asking.
use jiff::{Timestamp, civil::Date};
use payout_shared::calendar::{Cycle, CycleRules};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The cycle's date, or today in the payout zone.
    pub date: Date,
    /// Earnings before this moment count, Unix milliseconds.
    pub cutoff_ms: i64,
    /// Nothing leaves before this moment, Unix milliseconds.
    pub instant_ms: i64,
    /// A cycle was named.
    pub is_cycle: bool,
}

/// Why it can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACycle {
    /// Not a date.
    #[error("{0:?} is not a date: write it as 2026-12-01")]
    Unreadable(String),
    /// Nothing is due on that date.
    #[error("{date} is not a payout date; the next ones are {next}")]
    NotDue {
        /// What was named.
        date: Date,
        /// The next cycles, for people.
        next: String,
    },
    /// It hasn't come yet.
    #[error("the cycle {date} has not come yet: its run may start at {instant}")]
    Future {
        /// What was named.
        date: Date,
        /// When it comes.
        instant: Timestamp,
    },
}

/// Reads what was asked for; an empty text names no cycle.
///
/// # Errors
/// [`NotACycle`].
pub fn asked(rules: &CycleRules, now: Timestamp, cycle_date: &str) -> Result<Asked, NotACycle> {
    let text = cycle_date.trim();
    if text.is_empty() {
        let now_ms = now.as_millisecond();
        let date = now.to_zoned(rules.zone.clone()).date();
        return Ok(Asked { date, cutoff_ms: now_ms, instant_ms: now_ms, is_cycle: false });
    }
    // Exactly the form that labels have: 20261201 and the like are left to people's imagination.
    let date: Date = text.parse().map_err(|_| NotACycle::Unreadable(text.to_owned()))?;
    if date.to_string() != text {
        return Err(NotACycle::Unreadable(text.to_owned()));
    }
    let Some(Cycle { date, instant, cutoff }) = rules.cycle(date) else {
        let next: Vec<String> = rules.next(now, 2).into_iter().map(|cycle| cycle.date.to_string()).collect();
        return Err(NotACycle::NotDue { date, next: next.join(" and ") });
    };
    if instant > now {
        return Err(NotACycle::Future { date, instant });
    }
    Ok(Asked { date, cutoff_ms: cutoff.as_millisecond(), instant_ms: instant.as_millisecond(), is_cycle: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> CycleRules {
        CycleRules::new("Europe/Berlin", jiff::civil::time(6, 0, 0, 0)).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_cycle_everything_is_judged_at_the_moment_of_asking_and_dated_in_the_payout_zone() {
        let now = at("2026-12-01T23:30:00Z");
        let asked = asked(&rules(), now, " ").unwrap();
        assert_eq!(asked.date.to_string(), "2026-12-02");
        assert_eq!((asked.cutoff_ms, asked.instant_ms), (now.as_millisecond(), now.as_millisecond()));
        assert!(!asked.is_cycle);
    }

    #[test]
    fn a_cycle_that_has_come_gives_its_own_cutoff_and_instant() {
        let asked = asked(&rules(), at("2026-12-03T00:00:00Z"), "2026-12-01").unwrap();
        assert_eq!(asked.cutoff_ms, at("2026-11-30T23:00:00Z").as_millisecond());
        assert_eq!(asked.instant_ms, at("2026-12-01T05:00:00Z").as_millisecond());
        assert!(asked.is_cycle);
    }

    #[test]
    fn a_cycle_that_has_not_come_or_is_none_is_refused() {
        let now = at("2026-12-01T04:59:59Z");
        let error = |text: &str| asked(&rules(), now, text).unwrap_err().to_string();
        assert_eq!(
            error("2026-12-01"),
            "the cycle 2026-12-01 has not come yet: its run may start at 2026-12-01T05:00:00Z"
        );
        assert_eq!(error("2026-12-02"), "2026-12-02 is not a payout date; the next ones are 2026-12-01 and 2026-12-15");
        for text in ["20261201", "2026-12-1", "tomorrow", "2026-13-01", "2026-12-01T00:00"] {
            assert!(error(text).contains("is not a date"), "{text}");
        }
    }
}
