//! A plan is behind nothing: the sweep that is due, and what was told or found before it, come first.
use super::{
    sweeps::{HOUR, book_what_waits, lose, on_both},
    world::{World, account},
};
use crate::databases::{Database, START_MS};
use payout_shared::run::RunState;
use payoutd::stripe::ReadError;

/// A sale is booked, and then the daemon is gone; the sale's charge.
async fn sold_and_gone(database: Database) -> (World, serde_json::Value) {
    let mut world = World::on(database, &[1_000]).await;
    world.steps(3).await;
    let charge = world.sell(&account(0), 10_000, "usd");
    world.deliver().await;
    world.settle().await;
    book_what_waits(&mut world).await;
    world.crash();
    (world, charge)
}

#[tokio::test]
async fn a_plan_waits_for_the_sweep_that_is_due_but_not_for_ever() {
    let (mut world, charge) = sold_and_gone(Database::sqlite()).await;
    // Nobody was here for half a day, and a refund was lost meanwhile.
    world.give_back(&charge, 10_000, true, false);
    lose(&world);
    world.advance(12 * HOUR).await;
    let run = world.run_now(2).await;
    world.until("the plan", async |world| world.store.run(run.id.as_str()).await.unwrap().plan_finished).await;
    assert!(world.sums(&account(0)).await.contains_key("refund usd"), "known before the plan");
    world.settle().await;
    world.stripe.trouble_read(Some("events"), 1_000, ReadError::Unreachable("down".to_owned()));
    world.advance(12 * HOUR).await;
    let run = world.run_now(3).await;
    world.settle().await;
    assert_eq!(
        world.state(&run).await,
        RunState::Completed,
        "Stripe's events can't be read: the plan is made all the same"
    );
}

/// Webhooks of which nothing follows, more than a few passes look at.
async fn fill_the_inbox(world: &World, count: i64) {
    for n in 0..count {
        let body = serde_json::json!({
            "id": format!("evt_filler_{n}"), "object": "event", "type": "balance.available", "livemode": false,
            "created": START_MS / 1_000, "account": account(0), "data": {"object": {"object": "balance"}},
        });
        world.put_body(&body.to_string()).await;
    }
}

#[tokio::test]
async fn a_plan_waits_until_everything_that_was_told_or_found_before_it_was_looked_at() {
    for is_told in [false, true] {
        on_both(async |database| {
            let (mut world, charge) = sold_and_gone(database).await;
            // Nobody was here for half a day, in which Stripe had a lot to tell; the last was a refund.
            world.give_back(&charge, 10_000, true, false);
            let told = world.stripe.twin.take_events();
            world.advance(12 * HOUR).await;
            fill_the_inbox(&world, 900).await;
            for event in told.iter().filter(|_| is_told) {
                world.put(event).await;
            }
            let run = world.run_now(2).await;
            world.until("the plan", async |world| world.store.run(run.id.as_str()).await.unwrap().plan_finished).await;
            assert!(world.sums(&account(0)).await.contains_key("refund usd"), "known before the plan: {is_told}");
            world.settle().await;
            assert_eq!(world.state(&run).await, RunState::Completed);
            world.books_equal().await;
            world
        })
        .await;
    }
}
