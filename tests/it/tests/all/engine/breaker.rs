//! The breaker: too many failures pause the run before more of the same leaves; what Stripe limits never counts.
use super::{again::refusal, trouble::Trouble, world::World};
use payout_shared::run::RunState;
use payoutd::stripe::limits::Rates;

async fn many() -> World {
    let mut world = World::with(&[2_000; 80]).await;
    world.rates = Rates { create_milli_per_s: 14_500, create_concurrency: 4, ..Rates::default() };
    world
}

#[tokio::test]
async fn too_many_failures_pause_the_run_and_say_how_many() {
    let mut world = many().await;
    world.settings.breaker.bank_failures_min = 500;
    world.stripe.trouble(None, 60, refusal("amount_too_small"));
    let run = world.scheduled().await;
    world.settle().await;
    let row = world.store.run(run.id.as_str()).await.unwrap();
    assert_eq!(row.state, RunState::Paused);
    let why = row.pause_reason.unwrap();
    assert!(why.starts_with("breaker: ") && why.contains("payouts failed (100 %; it opens at 8 %)"), "{why}");
    let sent = world.stripe.left().len();
    assert!((20..=32).contains(&sent), "{sent} had left");
    world.books_equal().await;

    // Whoever resumes knows of these: the same again is needed to open it again.
    world.stripe.heal();
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::CompletedWithFailures);
    world.books_equal().await;
}

#[tokio::test]
async fn many_failures_at_one_bank_pause_the_run_and_name_it() {
    let mut world = many().await;
    world.settings.breaker.percent = 100;
    world.settings.breaker.failures_min = 500;
    world.stripe.trouble(None, 12, refusal("amount_too_small"));
    let run = world.scheduled().await;
    world.settle().await;
    let row = world.store.run(run.id.as_str()).await.unwrap();
    assert_eq!(row.state, RunState::Paused);
    let why = row.pause_reason.unwrap();
    assert!(why.contains("payouts to ") && why.contains("of one bank"), "{why}");
}

#[tokio::test]
async fn what_is_limited_is_no_failure() {
    let mut world = many().await;
    world.stripe.trouble(None, 60, Trouble::Limited);
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}
