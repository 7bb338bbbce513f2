//! Truth in words: the age of data, the state, numbers and outside text.
use crate::fixtures::{NOW_MS, beat, blank, console, delta, frame, parts, snapshot, wait};
use payout::{
    app::{
        LinkState, Msg, Now,
        freshness::Freshness,
        live::{Live, Taken},
        standing, update,
    },
    text,
};
use payout_proto::v1::{self, watch_frame::Frame};

#[test]
fn a_silent_daemon_is_stalled_after_three_seconds_and_the_state_is_past() {
    let mut app = console(80, 24, "running");
    wait(&mut app, 2_900);
    assert_eq!(standing::age_words(&app).1, "data 2.9s ok");
    wait(&mut app, 1_200);
    assert_eq!(standing::age_words(&app).1, "STALLED 4s");
    assert_eq!(standing::state_words(&app), "was RUNNING");
    beat(&mut app, 100);
    assert_eq!(standing::age_words(&app).1, "data 0.0s ok");
}

#[test]
fn the_screen_is_drawn_anew_in_the_moment_the_data_turns_stale() {
    let mut app = console(80, 24, "running");
    wait(&mut app, 2_990);
    app.dirty = false;
    assert_eq!(app.stale_in_ms(app.now), Some(11));
    wait(&mut app, 11);
    assert!(app.dirty && app.is_stale());
    assert_eq!(app.stale_in_ms(app.now), None);
}

#[test]
fn a_lost_link_says_how_old_and_when_it_is_tried_again() {
    let mut app = console(140, 40, "running");
    wait(&mut app, 7_000);
    update(&mut app, Msg::Lost { why: "daemon socket refused".into(), retry_in_ms: 2_000 });
    assert_eq!(standing::age_words(&app).1, "LOST 7s, retry in 2s");
    assert_eq!(
        standing::alarm(&app).1,
        "!DATA IS 7 s OLD: daemon socket refused. p still tries; run may still be moving money"
    );
    assert!(app.is_stale());
}

#[test]
fn a_run_that_a_restored_backup_keeps_back_is_not_said_to_run() {
    let mut app = console(80, 24, "running");
    let daemon = v1::DaemonPart { kept_back: true, ..crate::fixtures::daemon() };
    update(&mut app, delta(2, v1::Live { daemon: Some(daemon), ..v1::Live::default() }));
    assert_eq!(standing::state_words(&app), "KEPT BACK: A BACKUP");
}

#[test]
fn a_lost_link_is_stale_at_once() {
    let mut app = console(80, 24, "paused");
    update(&mut app, Msg::Lost { why: "x".into(), retry_in_ms: 250 });
    assert!(app.is_stale());
}

#[test]
fn frames_that_arrive_late_in_a_burst_are_as_old_as_they_are() {
    let mut fresh = Freshness::default();
    let at = |mono_ms| Now { unix_ms: NOW_MS + mono_ms, mono_ms };
    fresh.frame(at(0), 50_000);
    // Ten seconds of silence, then the backlog.
    fresh.frame(at(10_000), 51_000);
    assert_eq!(fresh.age_ms(at(10_000)), Some(9_000));
    fresh.frame(at(10_001), 60_001);
    assert_eq!(fresh.age_ms(at(10_001)), Some(0));
}

#[test]
fn the_daemons_clock_being_wrong_does_not_make_data_old() {
    for skew in [-3_600_000, 0, 86_400_000] {
        let mut fresh = Freshness::default();
        let now = Now { unix_ms: NOW_MS, mono_ms: 5_000 };
        fresh.frame(now, NOW_MS + skew);
        assert_eq!(fresh.age_ms(now), Some(0));
        assert_eq!(fresh.daemon_now_ms(now), NOW_MS + skew);
    }
}

#[test]
fn a_delta_before_a_snapshot_changes_nothing() {
    let mut app = blank(80, 24);
    update(&mut app, delta(2, parts("running")));
    assert!(!app.live.known);
    assert_eq!(app.link, LinkState::Connecting);
}

#[test]
fn deltas_are_applied_in_order_of_one_life_only() {
    let mut live = Live::default();
    assert_eq!(live.take(frame(5, Frame::Snapshot(parts("running")))), Taken::Snapshot);
    let paused = v1::Live { run: parts("paused").run, ..v1::Live::default() };
    assert_eq!(live.take(frame(7, Frame::Delta(paused.clone()))), Taken::Ignored);
    let other_life = v1::WatchFrame { epoch: 8, ..frame(6, Frame::Delta(paused.clone())) };
    assert_eq!(live.take(other_life), Taken::Ignored);
    assert_eq!(live.take(frame(6, Frame::Delta(paused.clone()))), Taken::Delta);
    assert_eq!(live.take(frame(6, Frame::Delta(paused))), Taken::Ignored);
    assert_eq!(live.run.unwrap().state, "paused");
}

#[test]
fn parts_that_are_absent_have_not_changed_but_another_run_starts_clean() {
    let mut app = console(80, 24, "running");
    update(&mut app, delta(2, v1::Live { pages_version: Some(2), ..v1::Live::default() }));
    assert_eq!(app.live.causes.len(), 4);
    let run = v1::RunPart { id: "run_next".into(), state: "planning".into(), ..v1::RunPart::default() };
    update(&mut app, delta(3, v1::Live { run: Some(run), ..v1::Live::default() }));
    assert!(app.live.causes.is_empty() && app.live.states.is_empty() && app.live.failures.is_empty());
}

#[test]
fn a_state_from_the_future_does_not_look_finished() {
    let mut app = blank(80, 24);
    update(&mut app, snapshot(parts("teleporting")));
    assert_eq!(standing::state_words(&app), "TELEPORTING");
    assert!(app.live.open_run().is_some());
}

#[test]
fn trouble_of_the_daemon_is_the_alarm() {
    let mut app = blank(80, 24);
    let mut parts = parts("running");
    parts.daemon.as_mut().unwrap().degraded = vec!["Stripe can't be reached".into(), "no webhook secret".into()];
    update(&mut app, snapshot(parts));
    assert_eq!(standing::alarm(&app).1, "!Stripe can't be reached (+1 more)");
}

#[test]
fn text_from_outside_is_harmless() {
    assert_eq!(text::clean("a\u{1b}]0;x\u{7}b"), "a?]0;x?b");
    assert_eq!(text::clean("\u{202e}evil\u{200b}"), "?evil?");
    assert_eq!(text::cut("日本語テキスト", 7), "日本..");
    assert_eq!(text::width(&text::left("日本語", 7)), 7);
    assert_eq!(text::id("pay_01JDX0000000000000009f31", 11), "pay_..09f31");
}

#[test]
fn numbers_never_say_more_than_is_true() {
    assert_eq!(text::percent(text::share_bp(41_879, 41_880)), "99.9%");
    assert_eq!(text::percent(text::share_bp(0, 0)), "-");
    assert_eq!(text::count(-1_234_567), "-1,234,567");
    assert_eq!(text::compact(121_240_010, "eur"), "1.21M");
    assert_eq!(text::compact(99_999_999, "eur"), "999k");
    assert_eq!(text::compact(1_200, "jpy"), "1,200");
    assert_eq!(text::compact(i64::MIN, "usd").chars().next(), Some('-'));
    assert_eq!(text::money_of(5, "!!"), "5 minor !!");
    assert_eq!(text::span(7_000), "7 s");
    assert_eq!(text::rfc3339(NOW_MS).as_deref(), Some("2026-12-01T06:03:41.000Z"));
    assert_eq!(text::parse_moment("2026-12-01T06:03:41Z"), Some(NOW_MS));
}
