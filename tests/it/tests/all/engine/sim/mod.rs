//! The seeded simulation: one process, manual clocks, Stripe in the same process, real databases. `PAYOUTD_SEED=n` walks one seed again;
//! `PAYOUTD_SEEDS=n` walks that many (`./tests/run --soak n`), as many at a time as there are cores.
mod coverage;
mod fault;
mod people;
mod walk;

use crate::databases::Database;
use coverage::Coverage;
use std::{
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Seeds that are walked when nobody names any.
const SEEDS: u64 = 30;
const SEEDS_ON_POSTGRES: u64 = 4;

/// These seeds, or the one, or as many, as the environment names.
fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match (number("PAYOUTD_SEED"), number("PAYOUTD_SEEDS")) {
        (Some(seed), _) => seed..=seed,
        (None, Some(count)) => 1..=count,
        (None, None) => 1..=usual,
    }
}

/// Walks seeds, each core the next one, until none is left or one has failed.
fn walk_all(seeds: &std::ops::RangeInclusive<u64>) -> Coverage {
    let (next, all) = (AtomicU64::new(*seeds.start()), Mutex::new(Coverage::default()));
    let walk_next = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            println!("PAYOUTD_SEED={seed}");
            let coverage = runtime.block_on(walk::walk(Database::sqlite_in_memory(), seed)).1;
            all.lock().unwrap().add(coverage);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(walk_next);
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn whatever_happens_the_books_and_stripes_are_one() {
    let seeds = seeds(SEEDS);
    let all = walk_all(&seeds);
    println!("seeds {seeds:?}: {} steps, {} moves\n{}", all.steps, all.moves, all.table());
}

#[tokio::test]
async fn whatever_happens_the_books_and_stripes_are_one_on_postgres_too() {
    for seed in seeds(SEEDS_ON_POSTGRES) {
        println!("PAYOUTD_SEED={seed}");
        let (database, _) = Box::pin(walk::walk(Database::postgres().await, seed)).await;
        database.drop_it().await;
    }
}
