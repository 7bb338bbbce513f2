//! The limits by a manual clock: rates that hold, and what a limit of Stripe's does to them.
use super::*;
use crate::clock::ManualClock;

fn limits(rates: Rates) -> (Limits, ManualClock) {
    let (clock, hand) = Clock::manual(0);
    (Limits::new(rates, clock), hand)
}

/// Takes all it can get for `ms`, as an engine does that comes back when it is told to. Returns when each was taken.
fn drain(limits: &Limits, hand: &ManualClock, ms: i64) -> Vec<i64> {
    let (mut taken, start) = (Vec::new(), limits.0.clock.boot());
    loop {
        let passed = limits.0.clock.boot().ms_since(start);
        taken.extend(std::iter::repeat_n(passed, limits.take_creates(100)));
        let wait = limits.next_create_at().ms_since(limits.0.clock.boot());
        assert!(wait > 0, "nothing is left, so the next one is later");
        if passed + wait >= ms {
            return taken;
        }
        hand.advance(wait);
    }
}

#[test]
fn creates_leave_at_their_rate_and_never_sixteen_in_one_second() {
    let (limits, hand) = limits(Rates::default());
    let taken = drain(&limits, &hand, 60_000);
    assert!((868..=875).contains(&taken.len()), "{}", taken.len());
    assert_eq!(taken.iter().take_while(|at| **at == 0).count(), 5, "the first burst");
    for (first, sixteenth) in taken.iter().zip(&taken[15..]) {
        assert!(sixteenth - first >= 1_000, "16 creates within {} ms", sixteenth - first);
    }
}

#[test]
fn an_engine_that_comes_late_gets_at_most_a_burst() {
    let (limits, hand) = limits(Rates::default());
    hand.advance(86_400_000);
    assert_eq!(limits.take_creates(3), 3);
    assert_eq!(limits.take_creates(100), 2);
    assert_eq!(limits.take_creates(100), 0);
}

#[test]
fn a_limit_halves_the_creates_once_and_they_grow_back() {
    let (limits, hand) = limits(Rates::default());
    (0..28).for_each(|_| limits.slow_down(Some("endpoint-rate"), None));
    assert_eq!(limits.create_milli_per_s(), 7_250);
    hand.advance(1_000);
    assert_eq!(limits.create_milli_per_s(), 7_750);
    (0..1_000).for_each(|_| {
        hand.advance(1);
        let _ = limits.next_create_at();
    });
    assert_eq!(limits.create_milli_per_s(), 8_250, "looking often takes nothing away");
    hand.advance(60_000);
    assert_eq!(limits.create_milli_per_s(), 14_500);
}

#[test]
fn a_storm_of_limits_ends_at_one_create_a_second() {
    let (limits, hand) = limits(Rates::default());
    (0..50).for_each(|_| {
        limits.slow_down(None, None);
        hand.advance(1_000);
    });
    limits.slow_down(None, None);
    assert_eq!(limits.create_milli_per_s(), 1_000);
    hand.advance(1_000);
    assert_eq!(limits.take_creates(100), 1);
}

#[test]
fn retry_after_is_obeyed_up_to_a_minute() {
    let (limits, hand) = limits(Rates::default());
    limits.slow_down(None, Some(7_000));
    hand.advance(6_999);
    assert_eq!(limits.take_creates(1), 0);
    assert_eq!(limits.next_create_at(), limits.0.clock.boot().plus_ms(1));
    hand.advance(1);
    assert_eq!(limits.take_creates(1), 1);
    limits.slow_down(None, Some(i64::MAX));
    assert_eq!(limits.next_create_at(), limits.0.clock.boot().plus_ms(60_000));
}

#[tokio::test]
async fn reads_wait_their_turn_and_keep_their_rate() {
    let (limits, hand) = limits(Rates::default());
    let readers: Vec<_> = (0..30)
        .map(|_| {
            let limits = limits.clone();
            tokio::spawn(async move { limits.read(ReadClass::Payouts).await })
        })
        .collect();
    let start = limits.0.clock.boot();
    for _ in 0..26 {
        hand.wait_until(|sleepers, _| sleepers == 1).await;
        assert!(hand.advance_to_next());
        hand.wait_until(|sleepers, next| sleepers == 0 || next > Some(limits.0.clock.boot())).await;
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
    // 4 at once, 26 more at 20/s.
    assert_eq!(limits.0.clock.boot().ms_since(start), 1_300);
}

#[tokio::test]
async fn reads_leave_a_burst_for_creates() {
    let rates = Rates { global_milli_per_s: 15_000, read_milli_per_s: 100_000, ..Rates::default() };
    let (limits, _hand) = limits(rates);
    for _ in 0..2 {
        assert_eq!(limits.try_read(ReadClass::Account), Ok(()));
    }
    assert!(limits.try_read(ReadClass::Balance).is_err());
    assert_eq!(limits.take_creates(100), 5);
}

#[tokio::test]
async fn a_global_limit_slows_reads_and_creates_alike() {
    let (limits, _hand) = limits(Rates::default());
    limits.slow_down_reads(ReadClass::Account, Some("global-rate"), Some(2_000));
    assert_eq!(limits.take_creates(1), 0);
    assert!(limits.try_read(ReadClass::Balance).is_err());
    assert_eq!(limits.create_milli_per_s(), 14_500);
}

/// Reads all it can of a class for `ms`; gives how many.
fn read_for(limits: &Limits, hand: &ManualClock, class: ReadClass, ms: i64) -> usize {
    let (mut count, start) = (0, limits.0.clock.boot());
    loop {
        match limits.try_read(class) {
            Ok(()) => count += 1,
            Err(at) if at.ms_since(start) >= ms => {
                hand.advance(start.plus_ms(ms).ms_since(limits.0.clock.boot()));
                return count;
            }
            Err(at) => hand.advance(at.ms_since(limits.0.clock.boot())),
        }
    }
}

#[test]
fn a_limited_read_halves_its_class_alone_and_it_grows_back() {
    let (limits, hand) = limits(Rates::default());
    // All that was saved up is spent: 20 a second from here on.
    read_for(&limits, &hand, ReadClass::Payouts, 1_000);
    assert_eq!(read_for(&limits, &hand, ReadClass::Payouts, 1_000), 20);
    (0..20).for_each(|_| limits.slow_down_reads(ReadClass::Payouts, Some("endpoint-rate"), None));
    // 10 a second, and half a read a second more each second: once, however many were on the wire.
    let seconds: Vec<usize> = (0..4).map(|_| read_for(&limits, &hand, ReadClass::Payouts, 1_000)).collect();
    assert!(seconds[0] == 10 && seconds.iter().sum::<usize>() <= 10 + 10 + 11 + 12, "{seconds:?}");
    // Neither another class nor the creates know of it.
    assert_eq!(limits.create_milli_per_s(), 14_500);
    assert_eq!(limits.take_creates(100), 5);
    assert_eq!(read_for(&limits, &hand, ReadClass::Balance, 1_000), 4 + 19);
    read_for(&limits, &hand, ReadClass::Payouts, 20_000);
    assert_eq!(read_for(&limits, &hand, ReadClass::Payouts, 1_000), 20, "it has recovered");
}

#[test]
fn a_storm_of_limited_reads_ends_at_one_a_second_and_recovers() {
    let (limits, hand) = limits(Rates::default());
    (0..20).for_each(|_| {
        limits.slow_down_reads(ReadClass::Account, None, None);
        hand.advance(1_000);
    });
    limits.slow_down_reads(ReadClass::Account, None, None);
    let first = read_for(&limits, &hand, ReadClass::Account, 1_000);
    assert!(first <= 1, "{first} in the second after the last of them");
    read_for(&limits, &hand, ReadClass::Account, 38_000);
    assert_eq!(read_for(&limits, &hand, ReadClass::Account, 1_000), 20);
}
