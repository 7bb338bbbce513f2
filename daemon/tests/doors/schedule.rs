//! The schedule door, tick by tick.
use crate::room::{Room, ms, somebody};
use futures::future::BoxFuture;
use payout_shared::{
    answer::{PayoutObject, Sent},
    id::{AccountId, Mode, ObjectId},
    run::{RunKind, RunState},
};
use payoutd::{
    doors::schedule::Schedule,
    health::Topic,
    stripe::{
        AccountObject, AccountPage, BalanceObject, EventsPage, EventsRequest, ListPage, ListRequest, MoneyRequest,
        MovementsPage, MovementsRequest, ObjectsRequest, ReadError, Stripe, TransfersPage, TransfersRequest,
    },
};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 3_600_000;

fn schedule(room: &Room, stripe: Option<Arc<dyn Stripe>>) -> Schedule {
    Schedule::new(Arc::clone(&room.desk), stripe, room.wake.clone(), room.changed.clone(), DAY_MS)
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
    let schedule = schedule(&room, None);
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
    let schedule = schedule(&room, None);
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
    schedule(&room, None).tick().await;
    let expected = [("2026-12-01#1".to_owned(), RunState::Missed), ("2026-12-15#1".to_owned(), RunState::Planning)];
    assert_eq!(runs(&room).await, expected);
}

#[tokio::test]
async fn disarmed_or_without_a_cron_secret_nothing_starts_and_health_says_why() {
    let room = Room::with("2026-11-30T12:00:00Z", false).await;
    let schedule = schedule(&room, None);
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
    let schedule = schedule(&room, Some(Arc::new(Dated(ms("2026-11-30T12:00:00Z")))));
    room.hand.jump_wall(90 * DAY_MS);
    schedule.tick().await;
    assert_eq!(runs(&room).await, []);
    assert!(room.desk.health.is_bad(Topic::Schedule));
    room.hand.jump_wall(-90 * DAY_MS);
    schedule.tick().await;
    assert!(!room.desk.health.is_bad(Topic::Schedule));
}

#[tokio::test]
async fn the_seconds_are_counted_by_a_clock_that_nobody_sets_and_end_when_told() {
    let room = Room::at("2026-12-01T05:30:00Z").await;
    let task = tokio::spawn(schedule(&room, None).run(room.stop.clone()));
    for _ in 0..8 {
        room.hand.wait_until(|sleepers, _| sleepers > 0).await;
        room.hand.jump_wall(-DAY_MS);
        room.hand.advance_to_next();
    }
    room.stop.cancel();
    task.await.unwrap();
}

/// A Stripe that only has a time.
struct Dated(i64);

impl Stripe for Dated {
    fn send(&self, _: MoneyRequest) -> BoxFuture<'static, Sent> {
        unreachable!("the schedule sends nothing")
    }
    fn account(&self, _: AccountId) -> BoxFuture<'static, Result<AccountObject, ReadError>> {
        unreachable!("the schedule reads nothing")
    }
    fn accounts(&self, _: Option<AccountId>) -> BoxFuture<'static, Result<AccountPage, ReadError>> {
        unreachable!("the schedule reads nothing")
    }
    fn balance(&self, _: AccountId) -> BoxFuture<'static, Result<BalanceObject, ReadError>> {
        unreachable!("the schedule reads nothing")
    }
    fn list(&self, _: ListRequest) -> BoxFuture<'static, Result<ListPage, ReadError>> {
        unreachable!("the schedule lists nothing")
    }
    fn payout(&self, _: AccountId, _: ObjectId) -> BoxFuture<'static, Result<PayoutObject, ReadError>> {
        unreachable!("the schedule reads nothing")
    }
    fn movements(&self, _: MovementsRequest) -> BoxFuture<'static, Result<MovementsPage, ReadError>> {
        unreachable!("the schedule confirms nothing")
    }
    fn transfers(&self, _: TransfersRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        unreachable!("the schedule confirms nothing")
    }
    fn objects(&self, _: ObjectsRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        unreachable!("the schedule sweeps nothing")
    }
    fn events(&self, _: EventsRequest) -> BoxFuture<'static, Result<EventsPage, ReadError>> {
        unreachable!("the schedule sweeps nothing")
    }
    fn platform(&self) -> BoxFuture<'static, Result<AccountId, ReadError>> {
        unreachable!("the schedule reads nothing")
    }
    fn time(&self) -> Option<(i64, i64)> {
        Some((self.0, 1_000))
    }
    fn mode(&self) -> Mode {
        Mode::Test
    }
}
