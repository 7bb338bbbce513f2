//! A machine that slept for longer than Stripe keeps a key, with money requests under way: whatever was begun before is not begun anew.
use super::{lease::asleep, trouble::Trouble, world::World};
use payout_shared::run::RunState;

/// Stripe forgets a key after 24 h.
const SLEPT_MS: i64 = 25 * 60 * 60 * 1_000;

/// The answer was on its way when the machine fell asleep.
#[tokio::test]
async fn what_was_executed_before_a_sleep_of_25_hours_is_not_sent_again_after_it() {
    let mut world = World::of(3).await;
    world.stripe.trouble(None, 2, Trouble::HeldAfter);
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 3).await;
    world.advance(SLEPT_MS).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 3));
    for n in 0..3 {
        assert_eq!(world.executed(n).len(), 1, "creator {n}");
    }
    world.books_equal().await;
}

/// Nobody executed them: nothing may say so before two lists did, and their keys are never sent again.
#[tokio::test]
async fn what_was_lost_before_a_sleep_of_25_hours_is_not_sent_under_a_key_that_stripe_has_forgotten() {
    let mut world = World::of(3).await;
    world.stripe.trouble(None, 2, Trouble::Twin("reset-before"));
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 3).await;
    // Asleep before anybody has looked for them.
    world.advance(SLEPT_MS).await;
    world.steps(3).await;
    assert_eq!(world.stripe.left().len(), 3, "sent again under an old key");
    world.wait_minutes(3 * 60).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 3));
    let states = [world.payout(0).await, world.payout(1).await];
    assert_eq!(states, ["voided", "voided"], "two lists have proven it");
    world.books_equal().await;
}

/// Two daemons: the first one sleeps with requests under way, the second one ends the run, and a day later the first one wakes up.
#[tokio::test]
async fn a_holder_that_wakes_up_after_a_day_sends_nothing_and_writes_nothing() {
    let (mut world, run, mut one) = asleep().await;
    world.let_the_lease_age().await;
    world.advance(world.settings.lease_ms).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 6));
    world.advance(SLEPT_MS).await;
    world.steps(3).await;
    world.stripe.let_go();
    for _ in 0..10 {
        let head = world.store.journal_head().await.unwrap();
        one.step().await;
        world.stripe.quiet().await;
        assert_eq!(world.store.journal_head().await.unwrap(), head, "it wrote something");
        world.advance(1_000).await;
        world.step().await;
    }
    assert_eq!(world.stripe.left().len(), 6, "it sent something");
    world.books_equal().await;
}
