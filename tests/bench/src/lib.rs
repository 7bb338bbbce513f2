//! How long the store's work takes at size, beside what the database itself needs for the same rows: run it with
//! `./tests/run --with-postgres cargo run --release -p bench`.
//!
//! Who comes in: a person who wants figures; the tests at size take their rows from `fill`. Nothing here asserts a time.
#![allow(clippy::disallowed_methods, reason = "a figure is of real time, not of a daemon's clock")]

pub mod fill;
pub mod lists;
pub mod place;
pub mod plan;
pub mod report;

use clap::Parser;

/// What is measured.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench", about = "Plans and lists at size, beside the database's own INSERT … SELECT")]
pub struct Args {
    /// Creators, each with one account and one purse.
    #[arg(long, default_value_t = 100_000)]
    pub creators: u64,
    /// Earnings per cycle, spread over the creators.
    #[arg(long, default_value_t = 1_000_000)]
    pub earnings: u64,
    /// Cycles planned one after the other; the payouts of one are paid before the next.
    #[arg(long, default_value_t = 1)]
    pub cycles: u64,
    /// Payouts that the lists are of; 0 = no lists.
    #[arg(long, default_value_t = 200_000)]
    pub payouts: u64,
    /// Purses per page of a plan.
    #[arg(long, default_value_t = 1_000)]
    pub page: i64,
    /// `sqlite`, `postgres`, or both when it isn't said.
    #[arg(long)]
    pub database: Option<String>,
}

/// Measures on each database, one after the other.
///
/// # Errors
/// Whatever the database says.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    for engine in ["sqlite", "postgres"] {
        if args.database.as_deref().is_some_and(|only| only != engine) {
            continue;
        }
        let place = place::Place::new(engine).await?;
        plan::measure(&place, args).await?;
        place.remove().await?;
        if args.payouts > 0 {
            let place = place::Place::new(engine).await?;
            lists::measure(&place, args).await?;
            place.remove().await?;
        }
    }
    Ok(())
}
