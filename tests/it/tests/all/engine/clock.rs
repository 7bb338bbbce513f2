//! Nothing leaves by our clock alone: Stripe's Date must be known, near ours, and past the run's instant.
use super::{
    proof::one_unknown,
    world::{World, account},
};
use crate::databases::START_MS;
use payout_shared::run::{RunKind, RunState};

async fn seconds(world: &mut World, count: usize) {
    for _ in 0..count {
        world.step().await;
        world.advance(1_000).await;
    }
}

#[tokio::test]
async fn clocks_that_are_apart_let_nothing_leave() {
    for offset_ms in [70_000, -70_000, 86_400_000, -86_400_000] {
        let mut world = World::of(2).await;
        world.stripe.twin.clock().set_offset_ms(offset_ms);
        let run = world.scheduled().await;
        seconds(&mut world, 30).await;
        assert!(world.stripe.left().is_empty());
        assert!(world.health.sentences().iter().any(|sentence| sentence.contains("apart")), "{offset_ms}");
        world.stripe.twin.clock().set_offset_ms(0);
        world.settle().await;
        assert_eq!(world.state(&run).await, RunState::Completed);
        assert!(world.health.sentences().is_empty());
        world.books_equal().await;
    }
}

#[tokio::test]
async fn a_jump_of_our_clock_in_the_middle_of_a_run_stops_it() {
    for jump_ms in [120_000, -120_000, 86_400_000] {
        let mut world = World::of(30).await;
        world.rates.create_milli_per_s = 3_000;
        let run = world.scheduled().await;
        world.until("some sends", async |world| world.stripe.left().len() > 3).await;
        world.hand.jump_wall(jump_ms);
        let left = world.stripe.left().len();
        seconds(&mut world, 20).await;
        assert_eq!(world.stripe.left().len(), left, "{jump_ms}");
        world.hand.jump_wall(-jump_ms);
        world.settle().await;
        assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 30));
        world.books_equal().await;
    }
}

#[tokio::test]
async fn clocks_that_jump_together_are_believed_again_after_one_question() {
    for jump_ms in [120_000, 3_000_000] {
        let mut world = World::of(2).await;
        let run = world.planned().await;
        world.stripe.twin.clock().set_offset_ms(jump_ms);
        world.hand.jump_wall(jump_ms);
        world.resume(&run).await;
        seconds(&mut world, 10).await;
        assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2), "{jump_ms}");
        assert!(world.health.sentences().is_empty());
        world.books_equal().await;
    }
}

#[tokio::test]
async fn without_stripes_date_nothing_leaves() {
    let mut world = World::of(2).await;
    world.stripe.hide_date(true);
    let run = world.scheduled().await;
    seconds(&mut world, 60).await;
    assert!(world.stripe.left().is_empty());
    world.stripe.hide_date(false);
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2));
    world.books_equal().await;
}

#[tokio::test]
async fn a_date_that_is_old_is_asked_for_before_anything_leaves() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world.advance(301_000).await;
    // Stripe's clock went wrong meanwhile: only a new answer tells.
    world.stripe.twin.clock().set_offset_ms(3_600_000);
    world.resume(&run).await;
    seconds(&mut world, 20).await;
    assert!(world.stripe.left().is_empty());
    world.stripe.twin.clock().set_offset_ms(0);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

#[tokio::test]
async fn a_run_does_not_begin_before_its_instant_by_stripes_date() {
    let mut world = World::of(2).await;
    let run = world.run_at(1, RunKind::Scheduled, START_MS + 30_000).await;
    // Ours is 50 s ahead: near enough to go on, past the instant, and wrong.
    world.hand.jump_wall(50_000);
    seconds(&mut world, 29).await;
    assert!(world.stripe.left().is_empty(), "before its instant");
    assert_eq!(world.state(&run).await, RunState::Planned);
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2));
    world.books_equal().await;
}

/// Resumed before its instant, a paused run is running; its payouts wait all the same.
#[tokio::test]
async fn a_run_that_was_paused_and_resumed_before_its_instant_waits_for_it() {
    let mut world = World::of(2).await;
    let run = world.run_at(1, RunKind::Scheduled, START_MS + 60_000).await;
    world.until("the plan", async |world| world.state(&run).await == RunState::Planned).await;
    world.pause(&run).await;
    world.resume(&run).await;
    seconds(&mut world, 50).await;
    assert!(world.stripe.left().is_empty());
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 2);
    world.books_equal().await;
}

/// What was to wait a few minutes more by a clock that was a month ahead doesn't wait for a month.
#[tokio::test]
async fn an_unknown_payout_that_was_put_off_by_a_wrong_clock_is_looked_for_when_that_is_right_again() {
    const MONTH_MS: i64 = 30 * 86_400_000;
    let mut world = one_unknown().await;
    world.hand.jump_wall(MONTH_MS);
    let right_ms = world.clock.now_ms() - MONTH_MS;
    let put_off = format!(
        "SELECT COUNT(*) FROM creator_payouts WHERE state = 'unknown' AND not_before_ms > {right_ms} + 86400000"
    );
    world.until("a listing", async |world| world.probe.number(&put_off).await == 1).await;
    world.hand.jump_wall(-MONTH_MS);
    let (key, body) = world.stripe.left().into_iter().find(|(key, _)| key.contains(&account(0))).unwrap();
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    world.wait_minutes(5).await;
    assert_ne!(world.payout(0).await, "unknown");
    world.books_equal().await;
}

#[tokio::test]
async fn books_that_begin_under_a_wrong_clock_begin_when_stripe_says() {
    for offset_ms in [70_000, -70_000, 86_400_000, -86_400_000, 0] {
        let mut world = World::of(1).await;
        world.advance(600_000).await;
        world.stripe.twin.clock().set_offset_ms(offset_ms);
        seconds(&mut world, 3).await;
        let begin = "SELECT CAST(created_at_ms AS TEXT) FROM daemon_state";
        let began_ms: i64 = world.probe.texts(begin).await[0][0].parse().unwrap();
        assert!((began_ms - START_MS - offset_ms).abs() <= 2_000, "{offset_ms}: {began_ms}");
        world.hand.jump_wall(offset_ms);
        seconds(&mut world, 3).await;
        assert_eq!(world.probe.texts(begin).await[0][0], began_ms.to_string(), "{offset_ms}: once");
        // Right when they were made, and set wrong before Stripe was first heard.
        let mut world = World::of(1).await;
        world.hand.jump_wall(offset_ms);
        seconds(&mut world, 3).await;
        assert_eq!(world.probe.texts(begin).await[0][0], START_MS.to_string(), "{offset_ms}");
    }
}
