//! A crash at any step, and a restart, end in the same state as no crash; each step by itself is the matrix's.
use super::{trouble::Trouble, world::World};
use payout_shared::run::RunState;
use payoutd::store::fault::CommitFault;

pub(super) async fn small() -> World {
    let mut world = World::with(&[5_000, 999, 1_000, 12_345]).await;
    world.settings.plan_page = 2;
    world
}

/// What a run has come to: state per purse and the amounts at Stripe.
pub(super) async fn outcome(world: &World) -> (Vec<Vec<String>>, Vec<(String, i64)>) {
    let purses = world
        .probe
        .texts("SELECT o.account_id, COALESCE(p.state, o.reason) FROM run_outcomes o LEFT JOIN creator_payouts p ON p.id = o.payout_id ORDER BY 1")
        .await;
    let mut paid: Vec<(String, i64)> =
        world.stripe.twin.ledger().into_iter().map(|row| (row.account, row.amount)).collect();
    paid.sort();
    (purses, paid)
}

#[tokio::test]
async fn a_crash_after_any_step_changes_nothing_of_the_outcome() {
    let mut clean = small().await;
    clean.scheduled().await;
    clean.settle().await;
    let expected = outcome(&clean).await;
    for steps in 1..12 {
        let mut world = small().await;
        let run = world.scheduled().await;
        for _ in 0..steps {
            world.step().await;
        }
        world.crash();
        world.settle().await;
        assert_eq!(outcome(&world).await, expected, "after {steps} steps");
        assert_eq!(world.state(&run).await, RunState::Completed);
        world.books_equal().await;
    }
}

#[tokio::test]
async fn a_crash_between_the_intent_and_the_send_sends_once() {
    let mut world = World::of(3).await;
    world.stripe.trouble(None, 3, Trouble::HeldBefore);
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 3).await;
    world.crash();
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.twin.ledger().len(), 3);
    assert_eq!(world.stripe.left().len(), 6, "the same keys, after a listing");
    world.books_equal().await;
}

#[tokio::test]
async fn a_crash_after_the_send_and_before_its_answer_is_recorded_pays_once() {
    let mut world = World::of(3).await;
    world.stripe.trouble(None, 3, Trouble::HeldAfter);
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 3).await;
    world.crash();
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!((world.stripe.twin.ledger().len(), world.stripe.left().len()), (3, 3), "found by listing");
    world.books_equal().await;
}

/// The void, and the smaller payout in its place, are one: a crash can't come between them.
#[tokio::test]
async fn a_crash_at_any_commit_of_a_payout_that_is_planned_again_leaves_it_planned_again() {
    for number in 0..8 {
        for fault in [CommitFault::Undone, CommitFault::Unheard] {
            let mut world = World::with(&[5_000, 6_000]).await;
            let run = world.planned().await;
            world.refund(0, 1_500).await;
            world.resume(&run).await;
            world.faults.fail(number, 1, fault);
            let commits = world.faults.commits();
            for _ in 0..20 {
                world.step().await;
                if world.faults.commits() > commits + number {
                    break;
                }
                world.advance(100).await;
            }
            world.crash();
            world.settle().await;
            let paid: Vec<i64> = world.executed(0).iter().map(|row| row.amount).collect();
            assert_eq!(paid, [3_500], "commit {number} {fault:?}");
            world.books_equal().await;
        }
    }
}

#[tokio::test]
async fn a_run_cannot_be_planned_twice() {
    let mut world = small().await;
    let run = world.planned().await;
    let (fence, _) = world.store.lease_acquire("two", 15_000, true).await.unwrap().unwrap();
    let context = world.store.plan_context().await.unwrap();
    let before = world.store.journal_head().await.unwrap();
    for stale in [payoutd::store::types::RunRow { plan_after: String::new(), ..run.clone() }, run.clone()] {
        assert!(world.store.plan_page(fence, &stale, 100, &context).await.is_err());
    }
    assert_eq!(world.store.journal_head().await.unwrap(), before);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_payouts").await, 3);
    world.check().await;
}
