//! The whole house as real processes, undisturbed and with faults: at the end the books equal what Stripe executed.
use crate::{
    databases::Database,
    real::{Rehearsed, write_earnings},
};

/// Lost answers, and errors behind which Stripe executes all the same.
const FAULTS: &str = "--faults executed-then-dropped=5,500-rolled-forward=5";

#[test]
fn books_equal_the_ledger_on_sqlite() {
    let rehearsed = Rehearsed::of("--creators 400");
    rehearsed.must_be_good();
    assert!(rehearsed.line("limits").starts_with("limits       0 times 429"), "{}", rehearsed.all);
    assert!(rehearsed.all.contains("below_minimum"), "{}", rehearsed.all);
}

#[tokio::test]
async fn books_equal_the_ledger_on_postgresql() {
    let database = Database::empty_postgres().await;
    let rehearsed = Rehearsed::of(&format!("--creators 400 --database {}", database.url));
    rehearsed.must_be_good();
    let again = Rehearsed::of(&format!("--creators 4 --database {}", database.url));
    assert_eq!(again.code, Some(1));
    assert!(again.all.contains("isn't empty"), "{}", again.all);
}

#[test]
fn lost_answers_resolve_by_themselves_on_sqlite() {
    let rehearsed = Rehearsed::of(&format!("--creators 300 {FAULTS}"));
    rehearsed.must_be_good();
    assert!(rehearsed.line("faults").contains("executed-then-dropped"), "{}", rehearsed.all);
}

#[tokio::test]
async fn lost_answers_resolve_by_themselves_on_postgresql() {
    let database = Database::empty_postgres().await;
    Rehearsed::of(&format!("--creators 300 {FAULTS} --database {}", database.url)).must_be_good();
}

#[test]
fn an_imported_file_is_paid_to_the_last_cent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("earnings.csv");
    write_earnings(&file, &[1000, 999, 123_456]);
    let rehearsed = Rehearsed::of(&format!("--earnings {}", file.display()));
    rehearsed.must_be_good();
    // 9.99 is below the minimum of 10.00.
    assert!(rehearsed.line("  usd").split_whitespace().eq(["usd", "124456", "124456", "equal"]), "{}", rehearsed.all);
}

#[test]
fn a_bad_file_imports_nothing_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("earnings.csv");
    write_earnings(&file, &[1000, 2000]);
    let text = std::fs::read_to_string(&file).unwrap().replace("c1,acct_it1,US,usd", "c1,acct_it1,US,dollars");
    std::fs::write(&file, text).unwrap();
    let rehearsed = Rehearsed::of(&format!("--earnings {}", file.display()));
    assert_eq!(rehearsed.code, Some(1));
    assert!(rehearsed.all.contains("line 3") && rehearsed.all.contains("currency"), "{}", rehearsed.all);
}

/// Sales, refunds, disputes, bank changes and debits of three weeks, told by webhooks only; two scheduled runs whose hour comes.
fn a_month_must_be_equal(args: &str) -> Rehearsed {
    let rehearsed = Rehearsed::of(&format!("--months 1 --creators 60 {args}"));
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.all);
    let said = |part: &str| rehearsed.stdout.lines().filter(|line| line.contains(part)).count();
    assert_eq!((said(": equal, "), said("s  cycle 2027-03-")), (3, 3), "{}", rehearsed.all);
    assert!(!rehearsed.line("  payouts").contains("payouts    0:"), "{}", rehearsed.all);
    assert!(rehearsed.line("result").contains("good"), "{}", rehearsed.all);
    let kinds = |kind: &str| rehearsed.line(kind).split_whitespace().nth(1).and_then(|count| count.parse::<u32>().ok());
    assert!(kinds("  reserve_release ") > Some(0) && kinds("  refund ") > Some(0), "{}", rehearsed.all);
    rehearsed
}

#[test]
fn a_month_of_life_is_equal_at_each_cycle_on_sqlite() {
    assert!(a_month_must_be_equal("").line("played").contains(" 0 lost"));
}

#[tokio::test]
async fn a_month_of_life_is_equal_at_each_cycle_on_postgresql() {
    let database = Database::empty_postgres().await;
    a_month_must_be_equal(&format!("--database {}", database.url));
}

#[test]
fn webhooks_twice_and_in_disorder_change_nothing_in_a_month() {
    a_month_must_be_equal("--faults webhook-duplicate=10,webhook-disorder=30@2000");
}

#[test]
fn webhooks_that_are_lost_for_good_are_found_and_the_books_lack_nothing() {
    let rehearsed = a_month_must_be_equal("--faults webhook-lost=5");
    assert!(!rehearsed.line("played").contains(" 0 lost"), "{}", rehearsed.all);
    assert!(rehearsed.line("result").ends_with("what no webhook told of was found"), "{}", rehearsed.all);
}
