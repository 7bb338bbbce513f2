//! The schedule door, tick by tick.
use crate::{
    dated::Dated,
    room::{Room, ms, somebody},
};
use payout_shared::run::{RunKind, RunState};
use payoutd::{doors::schedule::Schedule, health::Topic, stripe::Stripe};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 3_600_000;

fn schedule_with(room: &Room, stripe: Option<Arc<dyn Stripe>>) -> Schedule {
    Schedule::new(Arc::clone(&room.desk), stripe, room.wake.clone(), room.changed.clone(), DAY_MS)
}

/// One that knows Stripe's time, which is the room's of now and goes on as time does.
fn schedule(room: &Room) -> Schedule {
    schedule_with(room, Some(Arc::new(Dated::near(room))))
}

async fn runs(room: &Room) -> Vec<(String, RunState)> {
    let mut runs: Vec<_> =
        room.store().runs(100).await.unwrap().into_iter().map(|run| (run.label.to_string(), run.state)).collect();
    runs.sort_by(|a, b| a.0.cmp(&b.0));
    runs
}

#[tokio::test]
async fn a_fresh_installation_pays_nothing_that_was_due_before() {
    let room = Room::at("2026-12-01T05:30:00Z").await;
    let schedule = schedule(&room);
    schedule.tick().await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    schedule.tick().await;
    assert_eq!(runs(&room).await, [], "the instant of the 1st was half an hour before the arming");
    room.hand.advance(ms("2026-12-15T05:00:00Z") - ms("2026-12-01T05:30:00Z") - 1);
    schedule.tick().await;
    assert_eq!(runs(&room).await, []);
    room.hand.advance(1);
    schedule.tick().await;
    assert_eq!(runs(&room).await, [("2026-12-15#1".to_owned(), RunState::Planning)]);
}

#[tokio::test]
async fn a_due_cycle_gets_its_run_once_however_often_the_clock_ticks_or_jumps() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    let schedule = schedule(&room);
    room.hand.advance(ms("2026-12-01T05:00:00Z") - ms("2026-11-30T12:00:00Z"));
    for jump in [0, 1_000, -3_600_000, 3_600_000, 5_000] {
        room.hand.jump_wall(jump);
        tokio::join!(schedule.tick(), schedule.tick());
    }
    assert_eq!(runs(&room).await, [("2026-12-01#1".to_owned(), RunState::Planning)]);
    let run = room.store().run("2026-12-01#1").await.unwrap();
    assert_eq!((run.kind, run.requested_by.as_str()), (RunKind::Scheduled, "schedule"));
    assert_eq!(run.cutoff_ms, ms("2026-11-30T23:00:00Z"), "00:00 in Berlin");
    assert_eq!(run.instant_ms, ms("2026-12-01T05:00:00Z"), "06:00 in Berlin");
    room.wake.woken().await;
}

#[tokio::test]
async fn a_cycle_nobody_was_there_for_is_caught_up_within_a_day_and_else_recorded_as_missed() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    room.hand.advance(ms("2026-12-16T04:59:59Z") - ms("2026-11-30T12:00:00Z"));
    schedule(&room).tick().await;
    let expected = [("2026-12-01#1".to_owned(), RunState::Missed), ("2026-12-15#1".to_owned(), RunState::Planning)];
    assert_eq!(runs(&room).await, expected);
}

#[tokio::test]
async fn disarmed_or_without_a_cron_secret_nothing_starts_and_health_says_why() {
    let room = Room::with("2026-11-30T12:00:00Z", false).await;
    let schedule = schedule(&room);
    schedule.tick().await;
    assert!(!room.desk.health.is_bad(Topic::Schedule), "nobody armed it: nothing is wrong");
    room.store().arm(&somebody(), "armed while there was a secret").await.unwrap();
    room.hand.advance(2 * DAY_MS);
    schedule.tick().await;
    assert_eq!(runs(&room).await, []);
    assert!(room.desk.health.sentences().iter().any(|said| said.contains("CRON_SECRET_KEY")));
}

#[tokio::test]
async fn a_clock_that_stripe_contradicts_starts_nothing_and_misses_nothing() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    let schedule = schedule(&room);
    room.hand.jump_wall(90 * DAY_MS);
    schedule.tick().await;
    assert_eq!(runs(&room).await, []);
    assert!(room.desk.health.is_bad(Topic::Schedule));
    room.hand.jump_wall(-90 * DAY_MS);
    schedule.tick().await;
    assert!(!room.desk.health.is_bad(Topic::Schedule));
}

/// A daemon that never had the lease, or has just been started, has heard nothing of Stripe.
#[tokio::test]
async fn while_stripes_time_is_not_known_it_is_asked_for_and_nothing_starts_or_is_missed() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    let stripe = Arc::new(Dated::silent(&room));
    let schedule = schedule_with(&room, Some(Arc::clone(&stripe) as Arc<dyn Stripe>));
    schedule.tick().await;
    assert_eq!(stripe.asked(), 0, "nothing is due: nobody is asked");
    assert!(!room.desk.health.is_bad(Topic::Schedule));
    room.hand.jump_wall(20 * DAY_MS);
    for _ in 0..5 {
        schedule.tick().await;
        room.hand.advance(1_000);
    }
    assert_eq!(stripe.asked(), 1, "not again and again");
    assert_eq!(runs(&room).await, []);
    assert!(room.desk.health.sentences().iter().any(|said| said.contains("Stripe's time is not known")));
    stripe.answers();
    schedule.tick().await;
    assert_eq!((stripe.asked(), runs(&room).await), (2, Vec::new()), "it says that our clock is wrong");
    assert!(room.desk.health.sentences().iter().any(|said| said.contains("more than 60 s apart")));
    room.hand.jump_wall(-20 * DAY_MS);
    room.hand.advance(DAY_MS);
    schedule.tick().await;
    assert_eq!(runs(&room).await, [("2026-12-01#1".to_owned(), RunState::Planning)]);
    assert!(!room.desk.health.is_bad(Topic::Schedule));
}

#[tokio::test]
async fn what_is_due_starts_with_the_very_tick_in_which_stripe_confirms_the_time() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    let stripe = Arc::new(Dated::silent(&room));
    stripe.answers();
    room.hand.advance(DAY_MS);
    schedule_with(&room, Some(stripe)).tick().await;
    assert_eq!(runs(&room).await, [("2026-12-01#1".to_owned(), RunState::Planning)]);
    assert!(!room.desk.health.is_bad(Topic::Schedule));
}

#[tokio::test]
async fn without_a_key_nobody_confirms_the_time_and_what_is_due_waits() {
    let room = Room::at("2026-11-30T12:00:00Z").await;
    room.store().arm(&somebody(), "go live").await.unwrap();
    let keyless = schedule_with(&room, None);
    keyless.tick().await;
    assert!(!room.desk.health.is_bad(Topic::Schedule));
    room.hand.advance(3 * DAY_MS);
    keyless.tick().await;
    assert_eq!(runs(&room).await, []);
    assert!(room.desk.health.sentences().iter().any(|said| said.contains("STRIPE_SECRET_KEY")));
}

#[tokio::test]
async fn the_seconds_are_counted_by_a_clock_that_nobody_sets_and_end_when_told() {
    let room = Room::at("2026-12-01T05:30:00Z").await;
    let task = tokio::spawn(schedule(&room).run(room.stop.clone()));
    for _ in 0..8 {
        room.hand.wait_until(|sleepers, _| sleepers > 0).await;
        room.hand.jump_wall(-DAY_MS);
        room.hand.advance_to_next();
    }
    room.stop.cancel();
    task.await.unwrap();
}
