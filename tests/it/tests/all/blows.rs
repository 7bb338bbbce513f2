//! Blows from outside on real processes: the daemon that holds the lease is killed, frozen or cut off, the database goes away, the disk is
//! full. Each time another one takes over within 10 s, nothing leaves that mustn't, and at the end the books equal what Stripe executed.
use crate::{databases::Database, real::Rehearsed};

/// Lost answers, errors behind which Stripe executes all the same, answers that take their time, limits.
const FAULTS: &str = "--faults executed-then-dropped=3,500-rolled-forward=3,slow=2@2000,429-storm@150";

/// Beyond the 10 s of the product: other tests and builds share the machine, and the first send waits for its turn there.
const PATIENT: &str = "--take-over-max-ms 20000";

/// Every blow fell, and was survived.
fn must_have_survived(rehearsed: &Rehearsed, blows: usize) {
    rehearsed.must_be_good();
    let told = rehearsed.stdout.lines().filter(|line| line.contains("  blow ")).count();
    assert_eq!(told, blows, "{}", rehearsed.all);
}

/// A chaos of this test's own each time it is told a seed; else always the same.
fn seed() -> u64 {
    std::env::var("PAYOUTD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[tokio::test]
async fn two_daemons_take_over_from_each_other_and_whoever_comes_back_follows() {
    let database = Database::empty_postgres().await;
    let args = "--creators 400 --daemons 2 --kill-leader 1 --stop-leader 1 --cut-leader 2";
    let rehearsed = Rehearsed::of(&format!("{args} {PATIENT} --database {}", database.url));
    must_have_survived(&rehearsed, 4);
    assert_eq!(rehearsed.stdout.matches("take-over: ").count(), 4, "{}", rehearsed.all);
    assert_eq!(rehearsed.stdout.matches("; back, ").count(), 3, "{}", rehearsed.all);
}

#[test]
fn a_database_that_goes_away_is_waited_for_and_no_daemon_dies_of_it() {
    let rehearsed = Rehearsed::of("--creators 400 --own-postgres --restart-database 3");
    must_have_survived(&rehearsed, 3);
    assert_eq!(rehearsed.line("daemon"), "daemon       died and was started again 0 times");
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_stays_locked() {
    let rehearsed = Rehearsed::of("--creators 300 --fill-disk 3");
    must_have_survived(&rehearsed, 3);
    assert_eq!(rehearsed.line("daemon"), "daemon       died and was started again 0 times");
}

#[test]
fn chaos_loses_and_doubles_nothing_on_postgresql() {
    let seed = seed();
    println!("PAYOUTD_SEED={seed}");
    let args =
        format!("--creators 300 --speed 5 --own-postgres --daemons 2 --chaos 3 --seed {seed} {PATIENT} {FAULTS}");
    must_have_survived(&Rehearsed::of(&args), 3);
}

#[test]
fn chaos_loses_and_doubles_nothing_on_sqlite() {
    let seed = seed();
    println!("PAYOUTD_SEED={seed}");
    must_have_survived(&Rehearsed::of(&format!("--creators 300 --speed 5 --chaos 4 --seed {seed} {FAULTS}")), 4);
}

#[test]
fn what_cannot_be_is_said_before_anything_is_started() {
    let rehearsed = Rehearsed::of("--creators 4 --daemons 2");
    assert_eq!(rehearsed.code, Some(2), "{}", rehearsed.all);
    assert!(rehearsed.all.contains("SQLite takes one daemon only"), "{}", rehearsed.all);
}
