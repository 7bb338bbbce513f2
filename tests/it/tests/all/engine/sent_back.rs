//! The bank sends a payout back later than anybody expects: after it was settled, and while it is being taken back. Its money is back once.
use super::{
    approvals::person,
    rollback::confirm,
    sweeps::{HOUR, on_both},
    trouble::Trouble,
    world::{SETTLE_MS, World},
};
use crate::databases::Database;
use payout_shared::approval::RequestState;
use payoutd::store::types::RunRow;

/// From created to paid, in the laws that need weeks between the bank's two words: it fails half as long after that.
const SLOW_MS: u64 = 20 * 24 * 3_600_000;

async fn moved(world: &World, from: &str, to: &str) -> i64 {
    let moves = "SELECT COUNT(*) FROM journal WHERE action = 'payout.move'";
    world.probe.number(&format!("{moves} AND from_state = '{from}' AND to_state = '{to}'")).await
}

/// Its money is back, once: the entries are free, and nothing else left.
async fn is_back(world: &mut World, sends: usize) {
    world.settle().await;
    assert_eq!(world.payout(0).await, "returned");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM payout_items WHERE released_at_ms IS NULL").await, 0);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.illegal'").await, 0);
    assert_eq!(world.stripe.left().len(), sends);
    world.books_equal().await;
}

#[tokio::test]
async fn a_settled_payout_that_is_sent_back_is_returned_and_its_earnings_are_free() {
    on_both(async |database| {
        let mut world = World::with_bank(database, &[1_000], (100_000, SLOW_MS)).await;
        world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
        world.scheduled().await;
        world.settle().await;
        for _ in 0..(SLOW_MS / 3_600_000 / 6 * 3 / 2 + 4) {
            world.advance(6 * HOUR).await;
            world.deliver().await;
            world.steps(4).await;
        }
        assert_eq!((moved(&world, "paid", "settled").await, moved(&world, "settled", "returned").await), (1, 1));
        is_back(&mut world, 1).await;
        world
    })
    .await;
}

/// A paid payout that its bank will send back soon, and whose run two people take back before.
async fn taken_back(database: Database) -> (World, RunRow) {
    let mut world = World::on(database, &[1_000]).await;
    world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
    let run = world.scheduled().await;
    world.settle().await;
    world.advance(SETTLE_MS.cast_signed() / 5 * 6).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "paid");
    confirm(&world, &run).await;
    world.steps(4).await;
    (world, run)
}

async fn approved(world: &World) {
    let request = world.waiting().await.remove(0);
    assert_eq!(world.yes(&request, &person("bob", 1001)).await, Ok(RequestState::Applied));
}

#[tokio::test]
async fn a_reversed_payout_that_is_sent_back_before_its_reversal_has_left_is_returned() {
    on_both(async |database| {
        let (mut world, _) = Box::pin(taken_back(database)).await;
        approved(&world).await;
        world.until("the reversal", async |world| world.payout(0).await == "reversed").await;
        world.advance(SETTLE_MS.cast_signed() / 5 * 2).await;
        world.deliver().await;
        world.steps(4).await;
        assert_eq!(moved(&world, "reversed", "returned").await, 1);
        is_back(&mut world, 2).await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_payout_that_is_sent_back_while_its_reversal_is_on_the_wire_is_returned() {
    on_both(async |database| {
        let (mut world, _) = Box::pin(taken_back(database)).await;
        world.stripe.trouble(None, 1, Trouble::HeldBefore);
        approved(&world).await;
        world.until("the request", async |world| world.payout(0).await == "reversing").await;
        world.advance(SETTLE_MS.cast_signed() / 5 * 2).await;
        world.deliver().await;
        world.step().await;
        assert_eq!(moved(&world, "reversing", "returned").await, 1);
        world.stripe.let_go();
        world.stripe.heal();
        world.wait_minutes(60).await;
        assert_eq!(world.executed(0).len(), 1, "nothing was debited");
        let sends = world.stripe.left().len();
        is_back(&mut world, sends).await;
        world
    })
    .await;
}
