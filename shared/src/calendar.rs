//! The calendar of cycles: the 1st and the 15th in any IANA zone, across DST gaps and folds, and what was missed.
//!
//! Both a cycle's instant and its cutoff come from the cycle, never from "now".
use jiff::{SignedDuration, Timestamp, civil};

/// When payouts are due.
#[derive(Clone, Debug)]
pub struct CycleRules {
    /// Days of the month, ascending: 1 and 15.
    pub days: Vec<i8>,
    /// Local time of the instant (06:00).
    pub time: civil::Time,
    /// The zone that dates and the time are in (`PAYOUT_TIMEZONE`).
    pub zone: jiff::tz::TimeZone,
}

/// One civil date on which payouts are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The date in the zone.
    pub date: civil::Date,
    /// When the run may start: the date at the configured time. In a DST gap the next valid instant, in a fold the first.
    pub instant: Timestamp,
    /// Earnings before this moment count: 00:00 of the date in the zone.
    pub cutoff: Timestamp,
}

/// What is to be done about a cycle whose instant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Insert its scheduled run.
    Start(Cycle),
    /// Too late to catch up: record it as missed and tell somebody.
    Missed(Cycle),
}

impl CycleRules {
    /// Reads a zone's IANA name and builds the rules for the 1st and the 15th.
    ///
    /// # Errors
    /// The zone isn't known.
    pub fn new(zone: &str, time: civil::Time) -> Result<Self, jiff::Error> {
        Ok(Self { days: vec![1, 15], time, zone: jiff::tz::TimeZone::get(zone)? })
    }

    /// The cycle of a date, or `None` when nothing is due on that date.
    #[must_use]
    pub fn cycle(&self, date: civil::Date) -> Option<Cycle> {
        if !self.days.contains(&date.day()) {
            return None;
        }
        Some(Cycle {
            date,
            instant: self.first_valid(date.to_datetime(self.time))?,
            cutoff: self.first_valid(date.to_datetime(civil::Time::midnight()))?,
        })
    }

    /// The instant of a local time: the first of two in a fold, the end of the gap when it doesn't exist.
    fn first_valid(&self, local: civil::DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { .. } | jiff::tz::AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
            jiff::tz::AmbiguousOffset::Gap { .. } => {
                // The transition itself: the first one after the time read with the offset before it would have been skipped.
                let inside = ambiguous.earlier().ok()?;
                self.zone.following(inside).next().map(|transition| transition.timestamp())
            }
        }
    }

    /// The next `n` cycles whose instants lie after `after`, earliest first.
    #[must_use]
    pub fn next(&self, after: Timestamp, n: usize) -> Vec<Cycle> {
        let mut date = self.zone.to_datetime(after).date().first_of_month();
        let mut cycles = Vec::with_capacity(n);
        while cycles.len() < n {
            for day in &self.days {
                let Some(cycle) =
                    civil::Date::new(date.year(), date.month(), *day).ok().and_then(|date| self.cycle(date))
                else {
                    continue;
                };
                if cycle.instant > after && cycles.len() < n {
                    cycles.push(cycle);
                }
            }
            match date.checked_add(jiff::Span::new().months(1)) {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        cycles
    }

    /// Everything to be done at `now`, earliest first: every cycle with `armed_at` < instant ≤ `now`
    /// that isn't in `known` (cycles that already have a scheduled or missed run): the newest within `catch_up` is
    /// started, all others are missed.
    #[must_use]
    pub fn due(
        &self,
        now: Timestamp,
        armed_at: Timestamp,
        known: &dyn Fn(civil::Date) -> bool,
        catch_up: SignedDuration,
    ) -> Vec<Due> {
        let mut due: Vec<Cycle> = Vec::new();
        let mut after = armed_at;
        'months: loop {
            let page = self.next(after, 24);
            let Some(last) = page.last().copied() else { break };
            for cycle in page {
                if cycle.instant > now {
                    break 'months;
                }
                if !known(cycle.date) {
                    due.push(cycle);
                }
            }
            after = last.instant;
        }
        let newest = due.last().copied().filter(|cycle| now.duration_since(cycle.instant) <= catch_up);
        due.into_iter()
            .map(|cycle| if Some(cycle) == newest { Due::Start(cycle) } else { Due::Missed(cycle) })
            .collect()
    }
}
