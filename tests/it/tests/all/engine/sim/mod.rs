//! The seeded simulation: one process, manual clocks, Stripe in the same process, real databases. `PAYOUTD_SEED=n` walks one seed again;
//! `PAYOUTD_SEEDS=n` walks that many (`./tests/run --soak n`), one on each core. Each of them walks the same way whenever and beside
//! whomever it is walked.
mod ambush;
mod coverage;
mod end;
mod fault;
mod impossible;
mod late;
mod market;
mod people;
mod pieces;
mod profile;
mod trouble;
mod walk;

use crate::databases::Database;
use coverage::Coverage;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use pieces::Pieces;
use std::{
    ops::RangeInclusive,
    panic,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use walk::{Walked, walk};

/// Seeds that are walked when nobody names any.
const SEEDS: u64 = 48;
const SEEDS_ON_POSTGRES: u64 = 4;
/// So many seeds must reach the rare cells of the coverage, too.
const SOAK_REACHES_ALL: u64 = 5_000;
/// After so many that failed no more are walked.
const FAILURES_MAX: usize = 20;
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// Which seeds the environment names; the usual ones, when it names none.
struct Seeds {
    range: RangeInclusive<u64>,
    are_named: bool,
}

fn seeds(usual: u64) -> Seeds {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("PAYOUTD_FIRST_SEED").unwrap_or(1);
    match (number("PAYOUTD_SEED"), number("PAYOUTD_SEEDS")) {
        (Some(seed), _) => Seeds { range: seed..=seed, are_named: true },
        (None, Some(count)) => Seeds { range: first..=first + count - 1, are_named: true },
        (None, None) => Seeds { range: 1..=usual, are_named: false },
    }
}

/// What the threads share.
struct Round {
    next: AtomicU64,
    done: AtomicU64,
    failed: Mutex<Vec<u64>>,
    all: Mutex<Coverage>,
    told: Mutex<Instant>,
    began: Instant,
}

impl Round {
    fn of(seeds: &RangeInclusive<u64>) -> Self {
        #[allow(clippy::disallowed_methods, reason = "how fast seeds are walked is a matter of real time")]
        let began = Instant::now();
        Self {
            next: AtomicU64::new(*seeds.start()),
            done: AtomicU64::new(0),
            failed: Mutex::default(),
            all: Mutex::new(Coverage::default()),
            told: Mutex::new(began),
            began,
        }
    }

    fn walk(&self, seeds: &RangeInclusive<u64>) {
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) || self.failed.lock().unwrap().len() >= FAILURES_MAX {
                return;
            }
            // One that fails has told why; the others are walked nevertheless.
            match panic::catch_unwind(|| on_this_thread(seed)) {
                Ok(walked) => self.all.lock().unwrap().add(walked.coverage),
                Err(_) => self.failed.lock().unwrap().push(seed),
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.tell(done, seeds.end() - seeds.start() + 1);
        }
    }

    /// Says now and then how far it is.
    fn tell(&self, done: u64, of: u64) {
        let mut told = self.told.lock().unwrap();
        let since = told.elapsed();
        if since < TOLD_EVERY {
            return;
        }
        *told += since;
        let seconds = self.began.elapsed().as_secs().max(1);
        println!(
            "{done} of {of} seeds walked, {} a minute, {} failed",
            done * 60 / seconds,
            self.failed.lock().unwrap().len()
        );
    }
}

/// Walks one seed on this thread, on SQLite: no sockets, so waiting needs no more than a lock.
fn on_this_thread(seed: u64) -> Walked {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(walk(Database::sqlite_in_memory(), seed))
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let may = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|core| may.is_set(*core).unwrap()).collect()
}

/// This thread and those that it starts stay on one core: a walk and its database's threads take turns, and handing over to another core
/// costs more than most of their turns.
fn stay_on(core: usize) {
    let mut one = CpuSet::new();
    one.set(core).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

/// Walks seeds, each thread the next one, until none is left; gives which have failed.
fn walk_all(seeds: &RangeInclusive<u64>) -> (Coverage, Vec<u64>) {
    let round = Round::of(seeds);
    thread::scope(|scope| {
        for core in cores() {
            let round = &round;
            scope.spawn(move || {
                stay_on(core);
                round.walk(seeds);
            });
        }
    });
    (round.all.into_inner().unwrap(), round.failed.into_inner().unwrap())
}

#[test]
fn whatever_happens_the_books_and_stripes_are_one() {
    let seeds = seeds(SEEDS);
    let pieces = Pieces::read();
    pieces.have_none_of(&seeds.range);
    let (mut all, failed) = walk_all(&seeds.range);
    all.add(pieces.coverage());
    let count = pieces.count() + seeds.range.end() - seeds.range.start() + 1;
    println!("seeds {:?}, {count} in all: {} steps, {} moves\n{}", seeds.range, all.steps, all.moves, all.table());
    let wrong = all.wrong(seeds.are_named);
    println!("{} cells of it are not what they should be\n{}", wrong.len(), wrong.join("\n"));
    assert!(failed.is_empty(), "failed: {failed:?}; PAYOUTD_SEED=n ./tests/run --soak 1 walks one again");
    pieces.keep(seeds.range, &all);
    let enough = !seeds.are_named || count >= SOAK_REACHES_ALL;
    assert!(!enough || wrong.is_empty(), "{} cells of the coverage are not what they should be", wrong.len());
}

#[test]
fn a_seed_walks_the_same_way_whenever_it_is_walked() {
    let seeds: Vec<u64> = (1..=4).collect();
    let alone: Vec<String> = seeds.iter().map(|seed| on_this_thread(*seed).story).collect();
    let beside_others: Vec<String> = thread::scope(|scope| {
        let walks: Vec<_> = seeds.iter().map(|seed| scope.spawn(|| on_this_thread(*seed).story)).collect();
        walks.into_iter().map(|walk| walk.join().unwrap()).collect()
    });
    for ((seed, alone), beside_others) in seeds.iter().zip(&alone).zip(&beside_others) {
        let differs = alone.lines().zip(beside_others.lines()).enumerate().find(|(_, (one, other))| one != other);
        assert!(differs.is_none(), "seed {seed} walked another way, from line {differs:?} on");
        assert_eq!(alone.len(), beside_others.len(), "seed {seed}");
    }
}

#[tokio::test]
async fn whatever_happens_the_books_and_stripes_are_one_on_postgres_too() {
    for seed in seeds(SEEDS_ON_POSTGRES).range {
        println!("PAYOUTD_SEED={seed}");
        let walked = Box::pin(walk(Database::postgres().await, seed)).await;
        walked.database.drop_it().await;
    }
}
