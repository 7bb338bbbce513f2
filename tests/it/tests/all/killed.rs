//! kill -9 of the daemon, again and again in one run: the run completes and the books equal what Stripe executed.
use crate::{databases::Database, real::Rehearsed};

fn must_have_died(rehearsed: &Rehearsed, times: u32) {
    rehearsed.must_be_good();
    assert_eq!(rehearsed.line("daemon"), format!("daemon       died and was started again {times} times"));
}

#[test]
fn ten_kills_in_one_run_lose_and_double_nothing_on_sqlite() {
    must_have_died(&Rehearsed::of("--creators 500 --speed 10 --kill-daemon 10"), 10);
}

#[tokio::test]
async fn kills_lose_and_double_nothing_on_postgresql() {
    let database = Database::empty_postgres().await;
    must_have_died(
        &Rehearsed::of(&format!("--creators 500 --speed 10 --kill-daemon 10 --database {}", database.url)),
        10,
    );
}

#[test]
fn kills_and_lost_answers_together_lose_and_double_nothing() {
    let args =
        "--creators 300 --speed 10 --kill-daemon 5 --faults executed-then-dropped=5,500-rolled-forward=5,slow=2@2000";
    must_have_died(&Rehearsed::of(args), 5);
}
