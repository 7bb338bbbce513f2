//! How fast it goes, by the manual clock: a run takes exactly the time that its rate says, reads and all, and no endpoint of Stripe's is
//! ever asked more often in a second than it allows.
use super::{trouble::Trouble, world::World};
use payoutd::stripe::{Limits, limits::Rates};
use std::collections::BTreeMap;

const PAYOUTS: usize = 200;

/// The most requests in any second, by endpoint and of all together.
fn busiest(asked: &[(i64, &'static str)]) -> BTreeMap<&'static str, usize> {
    let mut by: BTreeMap<&'static str, Vec<i64>> = BTreeMap::new();
    for (at, endpoint) in asked {
        by.entry(endpoint).or_default().push(*at);
        by.entry("all").or_default().push(*at);
    }
    let most = |times: &Vec<i64>| {
        (0..times.len())
            .map(|first| times[first..].iter().take_while(|at| **at < times[first] + 1_000).count())
            .max()
            .unwrap_or(0)
    };
    by.iter().map(|(endpoint, times)| (*endpoint, most(times))).collect()
}

async fn paced(rates: Rates, latency_ms: i64) -> World {
    let mut world = World::with(&vec![5_000; PAYOUTS]).await;
    world.rates = rates;
    // However slow this machine is: the lease is lost by no clock but the test's.
    world.let_the_lease_age().await;
    let run = world.planned().await;
    world.stripe.pace(Limits::new(rates, world.clock.clone()), latency_ms);
    world.crash();
    world.resume(&run).await;
    world
}

fn creates(world: &World) -> Vec<i64> {
    world.stripe.asked().into_iter().filter(|(_, endpoint)| *endpoint == "create").map(|(at, _)| at).collect()
}

#[tokio::test]
async fn a_run_takes_exactly_its_time_with_all_its_reads_and_however_slow_they_are() {
    for latency_ms in [0, 300] {
        let mut world = paced(Rates::default(), latency_ms).await;
        let began = world.clock.boot().0;
        world.settle().await;
        let creates = creates(&world);
        assert_eq!(creates.len(), PAYOUTS);
        // 14.5/s with a burst of 5 at its start; before it, one look.
        let (first, last) = (creates[0], creates[PAYOUTS - 1]);
        let exact = i64::try_from(PAYOUTS - 5).unwrap() * 10_000 / 145;
        assert!((exact - 500..=exact + 500).contains(&(last - first)), "{} ms instead of {exact}", last - first);
        assert!(first - began <= latency_ms + 100, "{} ms until the first", first - began);
        let mut seconds = BTreeMap::new();
        creates.iter().for_each(|at| *seconds.entry((at - first) / 2_000).or_insert(0) += 1);
        let mut counts: Vec<i64> = seconds.values().copied().collect();
        counts.pop();
        counts.sort_unstable();
        // 29 by the rate; the burst of its start is made up for within the first seconds, at 15 a second.
        assert!((29..=30).contains(&counts[counts.len() / 2]), "p50 of two seconds: {counts:?}");
        let asked = world.stripe.asked();
        let most = busiest(&asked);
        assert!(
            most["create"] <= 15 && most["balance"] <= 25 && most["payouts"] <= 25 && most["all"] <= 100,
            "{most:?}"
        );
        // Planning read each account; a send reads its balance and its payouts.
        let reads = world.probe.number("SELECT accounts + balances + listings FROM run_reads").await;
        let listed = asked.iter().filter(|(_, endpoint)| *endpoint != "create" && *endpoint != "account").count();
        assert_eq!(
            (reads, listed),
            (2 * i64::try_from(PAYOUTS).unwrap(), 2 * PAYOUTS),
            "two reads a purse and no more"
        );
        world.books_equal().await;
    }
}

#[tokio::test]
async fn in_stripes_own_test_mode_everything_together_stays_below_its_quarter() {
    let mut world = paced(Rates { global_milli_per_s: 15_000, ..Rates::default() }, 0).await;
    world.settle().await;
    let creates = creates(&world);
    let most = busiest(&world.stripe.asked());
    assert!(most["all"] <= 25, "{most:?}");
    // A create and its two reads share 15 a second: five payouts a second.
    let span = creates[PAYOUTS - 1] - creates[0];
    let exact = i64::try_from(PAYOUTS).unwrap() * 1_000 / 5;
    assert!(span <= exact + 2_000, "{span} ms instead of {exact}");
    world.books_equal().await;
}

#[tokio::test]
async fn a_429_slows_everybody_down_and_fails_nobody() {
    let mut world = paced(Rates::default(), 0).await;
    world.stripe.trouble(None, 10, Trouble::Limited);
    world.settle().await;
    assert_eq!(world.stripe.twin.ledger().len(), PAYOUTS);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_payouts WHERE state <> 'pending'").await, 0);
    assert!(busiest(&world.stripe.asked())["create"] <= 15);
    world.books_equal().await;
}
