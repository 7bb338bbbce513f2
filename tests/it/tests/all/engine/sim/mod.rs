//! The seeded simulation: one process, a manual clock, Stripe in the same process, a real database. `PAYOUTD_SEED=n` walks one seed again;
//! `PAYOUTD_SEEDS=n` walks that many.
mod coverage;
mod fault;
mod walk;

use crate::databases::Database;
use coverage::Coverage;

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

#[tokio::test]
async fn whatever_happens_the_books_and_stripes_are_one() {
    let mut all = Coverage::default();
    for seed in seeds(SEEDS) {
        println!("PAYOUTD_SEED={seed}");
        all.add(Box::pin(walk::walk(Database::sqlite_in_memory(), seed)).await.1);
    }
    println!("{} steps, {} moves\n{}", all.steps, all.moves, all.table());
}

#[tokio::test]
async fn whatever_happens_the_books_and_stripes_are_one_on_postgres_too() {
    for seed in seeds(SEEDS_ON_POSTGRES) {
        println!("PAYOUTD_SEED={seed}");
        let (database, _) = Box::pin(walk::walk(Database::postgres().await, seed)).await;
        database.drop_it().await;
    }
}
