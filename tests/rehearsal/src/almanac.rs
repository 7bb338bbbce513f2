//! The days of a life that is played: where it begins, its midnights, and the moments at which its payouts are due.
//!
//! Pure; the calendar is written once more here, so that one mistake can't be on both sides.
use anyhow::Context;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// The zone of the payouts: it changes its clocks in the weeks that are played.
pub(crate) const ZONE: &str = "America/New_York";
/// Every life begins here, so that a seed tells the same story on any day: a week before a first of the month.
const BEGIN: Date = Date::constant(2027, 2, 22);
/// When on the 1st and the 15th.
const HOUR: i8 = 6;
/// Cycles in a month.
pub(crate) const PER_MONTH: u32 = 2;

/// The next thing that happens to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
    /// The cycle that is due then; a midnight has none.
    pub(crate) cycle: Option<Date>,
}

/// When a life begins, Unix milliseconds.
pub(crate) fn begin_ms() -> anyhow::Result<i64> {
    Ok(BEGIN.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond())
}

/// Every midnight (UTC) and every cycle from the beginning to the last cycle, in order.
pub(crate) fn stops(months: u32) -> anyhow::Result<Vec<Stop>> {
    let zone = TimeZone::get(ZONE).with_context(|| format!("the zone {ZONE}"))?;
    let (mut all, mut cycles, mut day) = (Vec::new(), 0, BEGIN);
    while cycles < months.saturating_mul(PER_MONTH) {
        if day.day() == 1 || day.day() == 15 {
            let due = day.at(HOUR, 0, 0, 0).to_zoned(zone.clone())?.timestamp();
            all.push(Stop { at_ms: due.as_millisecond(), cycle: Some(day) });
            cycles += 1;
        }
        day = day.checked_add(1.day())?;
        if cycles < months.saturating_mul(PER_MONTH) {
            let midnight: Timestamp = day.to_zoned(TimeZone::UTC)?.timestamp();
            all.push(Stop { at_ms: midnight.as_millisecond(), cycle: None });
        }
    }
    Ok(all)
}

/// Days of a life with so many months, begun ones included.
pub(crate) fn days(months: u32) -> anyhow::Result<u32> {
    let last = stops(months)?.last().map_or(0, |stop| stop.at_ms);
    Ok(u32::try_from((last - begin_ms()?) / 86_400_000 + 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_months_have_six_cycles_at_six_in_the_morning_of_their_zone() {
        let stops = stops(3).unwrap();
        assert!(stops.is_sorted_by(|one, other| one.at_ms < other.at_ms));
        let said =
            |stop: &Stop| stop.cycle.map(|date| format!("{date} {}", Timestamp::from_millisecond(stop.at_ms).unwrap()));
        let cycles: Vec<String> = stops.iter().filter_map(said).collect();
        assert_eq!(
            cycles,
            [
                "2027-03-01 2027-03-01T11:00:00Z",
                "2027-03-15 2027-03-15T10:00:00Z",
                "2027-04-01 2027-04-01T10:00:00Z",
                "2027-04-15 2027-04-15T10:00:00Z",
                "2027-05-01 2027-05-01T10:00:00Z",
                "2027-05-15 2027-05-15T10:00:00Z",
            ]
        );
        assert_eq!((stops.len(), days(3).unwrap(), days(1).unwrap()), (82 + 6, 83, 22));
        assert_eq!(begin_ms().unwrap() % 86_400_000, 0);
    }
}
