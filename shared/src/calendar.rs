//! The calendar of cycles: the 1st and the 15th in any IANA zone, across DST gaps and folds, and what was missed.
//!
//! Both a cycle's instant and its cutoff come from the cycle, never from "now".
use jiff::{SignedDuration, Timestamp, ToSpan, civil, tz::AmbiguousOffset};

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

    /// The instant of a local time. In a fold the first of the two; in a gap the end of the gap, which is the first local time that
    /// exists after it (02:30 in a gap from 02:00 to 03:00 is 03:00, not 03:30; a day that the zone skipped is the start of the next).
    fn first_valid(&self, local: civil::DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
            AmbiguousOffset::Gap { .. } => {
                let before_gap = ambiguous.earlier().ok()?;
                self.zone
                    .following(before_gap)
                    .map(|transition| transition.timestamp())
                    .find(|transition| self.zone.to_datetime(*transition) >= local)
            }
        }
    }

    /// Cycles by date, from the month before `after`'s on (a date that the zone skipped has its instant on a later one).
    fn cycles(&self, after: Timestamp) -> impl Iterator<Item = Cycle> {
        let month = self.zone.to_datetime(after).date().first_of_month();
        let first = month.checked_sub(1.month()).unwrap_or(month);
        std::iter::successors(Some(first), |month| month.checked_add(1.month()).ok())
            .flat_map(|month| {
                self.days.iter().filter_map(move |day| civil::Date::new(month.year(), month.month(), *day).ok())
            })
            .filter_map(|date| self.cycle(date))
            .skip_while(move |cycle| cycle.instant <= after)
    }

    /// The next `n` cycles whose instants lie after `after`, earliest first.
    #[must_use]
    pub fn next(&self, after: Timestamp, n: usize) -> Vec<Cycle> {
        self.cycles(after).take(n).collect()
    }

    /// Everything to be done at `now`, earliest first: every cycle with `armed_at` < instant ≤ `now`
    /// that isn't in `known` (cycles that already have a scheduled or missed run): the newest within `catch_up` is
    /// started, all others are missed.
    ///
    /// A cycle is its civil date: after a change of the zone, or a clock that went back, a known date stays known.
    #[must_use]
    pub fn due(
        &self,
        now: Timestamp,
        armed_at: Timestamp,
        known: &dyn Fn(civil::Date) -> bool,
        catch_up: SignedDuration,
    ) -> Vec<Due> {
        let due: Vec<Cycle> =
            self.cycles(armed_at).take_while(|cycle| cycle.instant <= now).filter(|cycle| !known(cycle.date)).collect();
        let newest = due.last().copied().filter(|cycle| now.duration_since(cycle.instant) <= catch_up);
        due.into_iter()
            .map(|cycle| if Some(cycle) == newest { Due::Start(cycle) } else { Due::Missed(cycle) })
            .collect()
    }
}
