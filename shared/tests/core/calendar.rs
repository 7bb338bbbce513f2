//! Cycles: exactly one per civil 1st and 15th, in any zone, whatever the clock does.
use jiff::{SignedDuration, Timestamp, ToSpan, civil};
use payout_shared::calendar::{Cycle, CycleRules, Due};
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::{BTreeMap, BTreeSet};

const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];

fn rules(zone: &str, hour: i8, minute: i8) -> CycleRules {
    CycleRules::new(zone, civil::time(hour, minute, 0, 0)).unwrap()
}

fn on(rules: &CycleRules, date: civil::Date) -> (String, String) {
    let all_days = CycleRules { days: (1..=31).collect(), ..rules.clone() };
    let cycle = all_days.cycle(date).unwrap();
    assert_eq!(cycle.date, date);
    (cycle.instant.to_string(), cycle.cutoff.to_string())
}

fn ts(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn in_a_gap_the_run_starts_at_its_end_and_in_a_fold_the_first_time() {
    for (zone, (hour, minute), date, instant, cutoff) in [
        // 02:00 becomes 03:00.
        ("America/New_York", (2, 30), civil::date(2026, 3, 8), "2026-03-08T07:00:00Z", "2026-03-08T05:00:00Z"),
        ("Europe/Berlin", (2, 30), civil::date(2026, 3, 29), "2026-03-29T01:00:00Z", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", (2, 0), civil::date(2026, 3, 29), "2026-03-29T01:00:00Z", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", (3, 0), civil::date(2026, 3, 29), "2026-03-29T01:00:00Z", "2026-03-28T23:00:00Z"),
        // 02:00 becomes 01:00 on a 1st.
        ("America/New_York", (1, 30), civil::date(2026, 11, 1), "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z"),
        ("Europe/Berlin", (2, 30), civil::date(2026, 10, 25), "2026-10-25T00:30:00Z", "2026-10-24T22:00:00Z"),
        // Half an hour.
        ("Australia/Lord_Howe", (2, 15), civil::date(2028, 10, 1), "2028-09-30T15:30:00Z", "2028-09-30T13:30:00Z"),
        ("Australia/Lord_Howe", (1, 45), civil::date(2029, 4, 1), "2029-03-31T14:45:00Z", "2029-03-31T13:00:00Z"),
        // Midnight doesn't exist: the first instant of the day, once on a real 15th.
        ("America/Sao_Paulo", (6, 0), civil::date(2017, 10, 15), "2017-10-15T08:00:00Z", "2017-10-15T03:00:00Z"),
        ("America/Sao_Paulo", (0, 30), civil::date(2017, 10, 15), "2017-10-15T03:00:00Z", "2017-10-15T03:00:00Z"),
        ("Africa/Cairo", (0, 0), civil::date(2026, 4, 24), "2026-04-23T22:00:00Z", "2026-04-23T22:00:00Z"),
        // Midnight exists twice (00:01 becomes 23:01 of the day before), on a 1st.
        ("America/St_Johns", (6, 0), civil::date(2009, 11, 1), "2009-11-01T09:30:00Z", "2009-11-01T02:30:00Z"),
        // The day was skipped.
        ("Pacific/Apia", (6, 0), civil::date(2011, 12, 30), "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", (6, 0), civil::date(2011, 12, 31), "2011-12-30T16:00:00Z", "2011-12-30T10:00:00Z"),
    ] {
        let found = on(&rules(zone, hour, minute), date);
        assert_eq!(found, (instant.to_owned(), cutoff.to_owned()), "{date} {hour}:{minute} {zone}");
    }
}

#[test]
fn nothing_is_due_on_another_day_and_an_unknown_zone_is_refused() {
    let rules = rules("UTC", 6, 0);
    assert_eq!(rules.cycle(civil::date(2026, 12, 2)), None);
    assert_eq!(rules.days, [1, 15]);
    assert!(CycleRules::new("Mars/Olympus", civil::time(6, 0, 0, 0)).is_err());
}

#[test]
fn the_next_cycles_cross_months_and_years_and_exclude_now() {
    let rules = rules("Europe/Berlin", 6, 0);
    let dates =
        |after: &str, n| rules.next(ts(after), n).iter().map(|cycle| cycle.date.to_string()).collect::<Vec<_>>();
    assert_eq!(dates("2026-12-01T04:59:59Z", 3), ["2026-12-01", "2026-12-15", "2027-01-01"]);
    assert_eq!(dates("2026-12-01T05:00:00Z", 1), ["2026-12-15"]);
    assert_eq!(dates("2026-12-31T23:59:59Z", 1), ["2027-01-01"]);
    assert!(dates("2026-12-01T05:00:00Z", 0).is_empty());
    assert!(rules.next(Timestamp::MAX, 3).is_empty(), "the calendar has an end");
    let never = CycleRules { days: Vec::new(), ..rules.clone() };
    assert!(never.next(ts("2026-12-01T05:00:00Z"), 3).is_empty());
}

#[test]
fn a_fresh_installation_pays_nothing_that_was_due_before() {
    let rules = rules("UTC", 6, 0);
    let due = |now: &str, armed: &str| rules.due(ts(now), ts(armed), &|_| false, SignedDuration::from_hours(24));
    assert!(due("2026-12-01T06:00:00Z", "2026-12-01T06:00:00Z").is_empty());
    assert!(due("2026-12-01T05:59:59Z", "2026-11-30T00:00:00Z").is_empty());
    let cycle = rules.cycle(civil::date(2026, 12, 1)).unwrap();
    assert_eq!(due("2026-12-01T06:00:00Z", "2026-12-01T05:59:59Z"), [Due::Start(cycle)]);
}

#[test]
fn a_cycle_is_caught_up_within_its_time_and_missed_after_it() {
    let rules = rules("UTC", 6, 0);
    let (first, second) =
        (rules.cycle(civil::date(2026, 12, 1)).unwrap(), rules.cycle(civil::date(2026, 12, 15)).unwrap());
    let due = |now: &str, catch_up_hours| {
        rules.due(ts(now), ts("2026-11-20T00:00:00Z"), &|_| false, SignedDuration::from_hours(catch_up_hours))
    };
    assert_eq!(due("2026-12-02T06:00:00Z", 24), [Due::Start(first)]);
    assert_eq!(due("2026-12-02T06:00:01Z", 24), [Due::Missed(first)]);
    assert_eq!(due("2026-12-15T07:00:00Z", 24), [Due::Missed(first), Due::Start(second)]);
    assert_eq!(
        due("2026-12-15T07:00:00Z", 1000),
        [Due::Missed(first), Due::Start(second)],
        "only the newest is started"
    );
}

/// A schedule over time: what it inserted for each date, and the check that no date is ever inserted twice.
#[derive(Default)]
struct Book(BTreeMap<civil::Date, bool>);

impl Book {
    fn pass(&mut self, rules: &CycleRules, now: Timestamp, armed: Timestamp, catch_up: SignedDuration) {
        let due = rules.due(now, armed, &|date| self.0.contains_key(&date), catch_up);
        let (mut before, mut started) = (Timestamp::MIN, 0);
        for one in due {
            let (Cycle { date, instant, cutoff }, start) = match one {
                Due::Start(cycle) => (cycle, true),
                Due::Missed(cycle) => (cycle, false),
            };
            assert!(armed < instant && instant <= now, "{date} isn't due at {now}");
            assert!(
                cutoff <= instant && before <= instant,
                "earliest first, and the cutoff before the instant: {date}"
            );
            assert!(!start || now.duration_since(instant) <= catch_up, "{date} is too old to be started at {now}");
            assert_eq!(self.0.insert(date, start), None, "{date} twice");
            before = instant;
            started += i32::from(start);
        }
        assert!(started <= 1, "two runs started at once");
        assert!(
            rules.due(now, armed, &|date| self.0.contains_key(&date), catch_up).is_empty(),
            "a second look finds more"
        );
    }
}

/// Every 1st and 15th between two instants and a little around, by walking the days.
fn dates(from: Timestamp, to: Timestamp) -> Vec<civil::Date> {
    let day = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (first, last) = (day(from).checked_sub(3.days()).unwrap(), day(to).checked_add(3.days()).unwrap());
    first.series(1.day()).take_while(|date| *date <= last).filter(|date| [1, 15].contains(&date.day())).collect()
}

/// Seconds of a start between 2005 and 2030, and steps of a clock that also goes back.
fn script() -> impl Strategy<Value = (i64, Vec<i64>)> {
    let step = prop_oneof![4 => -3_600_i64..90_000, 2 => -4_000_000_i64..9_000_000];
    (1_104_537_600_i64..1_893_456_000, vec(step, 1..25))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_1st_and_15th_since_armed_is_started_or_missed_exactly_once(
        zone in select(ZONES.to_vec()),
        (hour, minute) in (0_i8..24, 0_i8..60),
        (armed, steps) in script(),
        catch_up_hours in 0_i64..60,
    ) {
        let rules = rules(zone, hour, minute);
        let (armed_at, mut now, mut latest, mut book) = (at(armed), armed, armed, Book::default());
        for step in steps {
            now += step;
            latest = latest.max(now);
            book.pass(&rules, at(now), armed_at, SignedDuration::from_hours(catch_up_hours));
        }
        let wanted: BTreeSet<_> = dates(armed_at, at(latest))
            .into_iter()
            .filter(|date| rules.cycle(*date).is_some_and(|cycle| armed_at < cycle.instant && cycle.instant <= at(latest)))
            .collect();
        prop_assert_eq!(book.0.into_keys().collect::<BTreeSet<_>>(), wanted);
    }

    #[test]
    fn a_change_of_the_zone_neither_repeats_nor_loses_a_date(
        zones in vec(select(ZONES.to_vec()), 25),
        (armed, steps) in script(),
    ) {
        let (armed_at, mut now, mut book) = (at(armed), armed, Book::default());
        let mut rules_now = rules("UTC", 6, 0);
        let mut rules_seen = Vec::new();
        for (step, zone) in steps.into_iter().zip(zones) {
            now += step;
            rules_now = rules(zone, 6, 0);
            rules_seen.push(rules_now.clone());
            book.pass(&rules_now, at(now), armed_at, SignedDuration::from_hours(24));
        }
        for date in dates(armed_at, at(now)) {
            let after_armed = rules_seen.iter().all(|rules| rules.cycle(date).is_some_and(|cycle| armed_at < cycle.instant));
            let due = rules_now.cycle(date).is_some_and(|cycle| cycle.instant <= at(now));
            prop_assert!(!(after_armed && due) || book.0.contains_key(&date), "{} was lost", date);
        }
    }

    #[test]
    fn a_cycles_instants_are_the_first_moments_at_which_the_local_clock_says_so(
        zone in select(ZONES.to_vec()),
        (hour, minute) in (0_i8..24, 0_i8..60),
        (year, month, day) in (2000_i16..2040, 1_i8..=12, 1_i8..=28),
    ) {
        let rules = CycleRules { days: vec![day], ..rules(zone, hour, minute) };
        let date = civil::date(year, month, day);
        let cycle = rules.cycle(date).unwrap();
        for (instant, local) in [(cycle.instant, date.to_datetime(rules.time)), (cycle.cutoff, date.to_datetime(civil::Time::midnight()))] {
            prop_assert!(rules.zone.to_datetime(instant) >= local);
            prop_assert!(rules.zone.to_datetime(instant - 1.second()) < local);
        }
        prop_assert_eq!(rules.next(cycle.instant - 1.second(), 1), vec![cycle]);
    }
}
