//! The console in a real terminal, with the daemon, the twin and `kill -9`: what an engineer on call does and sees.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time")]
use crate::{
    real::alone,
    watched::{SOON, UP, Watched, first_line},
};
use std::time::{Duration, Instant};

/// What the console promises, and what a busy machine may add to it.
const LOST_WITHIN: Duration = Duration::from_millis(1500);
const BACK_WITHIN: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(700);

fn two_keys_pause_and_nothing_leaves_until_resumed(columns: u16, rows: u16) {
    let _alone = alone();
    let watched = Watched::start(columns, rows, 1500);
    watched.pause();
    watched.stands_still();
    watched.resume();
    let before = watched.executed();
    watched.terminal.wait_for("more payouts", SOON, |_| watched.executed() > before);
    watched.quit();
}

#[test]
fn two_keys_pause_and_nothing_leaves_until_resumed_at_80x24() {
    two_keys_pause_and_nothing_leaves_until_resumed(80, 24);
}

#[test]
fn two_keys_pause_and_nothing_leaves_until_resumed_at_140x40() {
    two_keys_pause_and_nothing_leaves_until_resumed(140, 40);
}

#[test]
fn a_half_finished_run_is_taken_back_from_the_console_and_the_books_equal_what_stripe_did() {
    let _alone = alone();
    // Stripe keeps them pending: what is shown stays true while it is typed, and all of them can be canceled.
    let watched = Watched::start_with(80, 24, 1500, "--settle-ms 600000");
    watched.terminal.wait_for("payouts", SOON, |_| watched.executed() > 50);
    watched.pause();
    watched.take_back();
    let (_, screen) = watched.terminal.wait_for("all is back", UP, |screen| screen.contains(" ABORTED "));
    assert!(screen.contains("sent 0 "), "{screen}");
    watched.quit();
}

fn a_dead_daemon_is_seen_without_a_key_and_its_return_too(columns: u16, rows: u16) {
    let _alone = alone();
    let watched = Watched::start(columns, rows, 1500);
    watched.terminal.keys(&["2", "/", "state=paid,pending,in_transit", "Enter"]);
    watched.terminal.wait_for("the filter", SOON, |screen| screen.contains("state=paid"));
    let pid = watched.kill_daemon();
    let (lost, _) = watched.terminal.wait_for("LOST", SOON, |screen| first_line(screen).contains("LOST"));
    assert!(lost <= LOST_WITHIN + BUSY, "seen after {lost:?}");
    watched.wait_for_another(&pid);
    let (back, screen) = watched.terminal.wait_for("the data", SOON, |screen| first_line(screen).contains("data "));
    assert!(back <= BACK_WITHIN + BUSY, "back after {back:?}");
    assert!(screen.contains("state=paid"), "the filter is gone:\n{screen}");
    watched.quit();
}

#[test]
fn a_dead_daemon_is_seen_without_a_key_and_its_return_too_at_80x24() {
    a_dead_daemon_is_seen_without_a_key_and_its_return_too(80, 24);
}

#[test]
fn a_dead_daemon_is_seen_without_a_key_and_its_return_too_at_140x40() {
    a_dead_daemon_is_seen_without_a_key_and_its_return_too(140, 40);
}

#[test]
fn the_console_quits_while_the_daemon_is_dead() {
    let _alone = alone();
    let watched = Watched::start(80, 24, 1500);
    watched.kill_daemon();
    watched.terminal.wait_for("LOST", SOON, |screen| first_line(screen).contains("LOST"));
    let started = Instant::now();
    watched.terminal.keys(&["q"]);
    watched.terminal.wait_for("the console is gone", SOON, |screen| screen.contains("the console was left"));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    watched.ends_well();
}
