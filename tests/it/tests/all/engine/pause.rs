//! A pause is a barrier: "paused" is said only when nothing is on the wire and nothing will leave.
use super::{
    trouble::Trouble,
    world::{TIMEOUT_MS, World, ann},
};
use payout_shared::run::{RunEvent, RunState};
use payoutd::{
    clock::BootMs,
    store::types::{Gate, Wanted},
    stripe::{create_body, limits::Rates},
};

/// A run with three creates held on the wire and more to send.
async fn in_flight(held: Trouble) -> (World, payoutd::store::types::RunRow) {
    let mut world = World::of(8).await;
    world.rates = Rates { create_milli_per_s: 200_000, create_concurrency: 3, ..Rates::default() };
    world.stripe.trouble(None, 3, held);
    let run = world.scheduled().await;
    world.until("three on the wire", async |world| world.stripe.left().len() == 3).await;
    (world, run)
}

#[tokio::test]
async fn a_pause_is_a_barrier() {
    let (mut world, run) = in_flight(Trouble::HeldAfter).await;
    assert_eq!(world.pause(&run).await, RunState::Pausing);
    world.steps(5).await;
    assert_eq!(world.state(&run).await, RunState::Pausing);
    assert_eq!(world.stripe.left().len(), 3, "something left meanwhile");
    world.stripe.let_go();
    world.stripe.quiet().await;
    assert_eq!(world.state(&run).await, RunState::Pausing, "paused before the answers were recorded");
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    assert_eq!((world.stripe.left().len(), world.store.in_flight().await.unwrap()), (3, 0));
    world.steps(5).await;
    assert_eq!(world.stripe.left().len(), 3);
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.left().len(), 8);
    world.books_equal().await;
}

#[tokio::test]
async fn a_pause_waits_for_requests_that_are_never_answered() {
    let (mut world, run) = in_flight(Trouble::HeldBefore).await;
    world.pause(&run).await;
    world.advance(TIMEOUT_MS - 100).await;
    world.steps(1).await;
    assert_eq!(world.state(&run).await, RunState::Pausing);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    // Lost ones are looked for, and never sent again while paused.
    for _ in 0..100 {
        world.step().await;
        world.advance(1_000).await;
    }
    assert_eq!(world.stripe.left().len(), 3);
    assert!(world.stripe.listings() > 0);
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.stripe.twin.ledger().len(), 8);
    world.books_equal().await;
}

#[tokio::test]
async fn a_crash_while_pausing_stays_pausing_until_the_wire_is_judged_and_then_paused() {
    let (mut world, run) = in_flight(Trouble::HeldAfter).await;
    world.pause(&run).await;
    world.crash();
    assert_eq!(world.state(&run).await, RunState::Pausing);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    world
        .until("found", async |world| {
            world.probe.number("SELECT COUNT(*) FROM creator_payouts WHERE state = 'pending'").await == 3
        })
        .await;
    assert_eq!(world.stripe.left().len(), 3);
    world.crash();
    world.steps(5).await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Paused, 3));
    world.resume(&run).await;
    world.settle().await;
    world.books_equal().await;
}

#[tokio::test]
async fn a_run_paused_while_it_was_planned_goes_on_planning() {
    let mut world = World::of(9).await;
    world.settings.plan_page = 2;
    let run = world.scheduled().await;
    world.until("a page", async |world| world.probe.number("SELECT COUNT(*) FROM run_outcomes").await > 0).await;
    assert_eq!(world.pause(&run).await, RunState::Paused);
    let outcomes = world.probe.number("SELECT COUNT(*) FROM run_outcomes").await;
    world.crash();
    world.steps(5).await;
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM run_outcomes").await, outcomes);
    world.resume(&run).await;
    assert_eq!(world.state(&run).await, RunState::Planning);
    world.settle().await;
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM run_outcomes").await, 9);
    assert_eq!(world.stripe.left().len(), 9);
    world.books_equal().await;
}

#[tokio::test]
async fn a_planned_run_that_is_paused_sends_nothing() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world.steps(10).await;
    assert!(world.stripe.left().is_empty());
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 2);
    world.books_equal().await;
}

#[tokio::test]
async fn a_pause_of_everything_lets_nothing_leave_until_it_is_taken_back() {
    let (mut world, run) = in_flight(Trouble::HeldAfter).await;
    world.store.pause_all(&ann(), "panic").await.unwrap();
    world.stripe.let_go();
    for _ in 0..20 {
        world.step().await;
        world.advance(1_000).await;
    }
    assert_eq!((world.stripe.left().len(), world.store.in_flight().await.unwrap()), (3, 0));
    world.crash();
    world.steps(5).await;
    assert_eq!(world.stripe.left().len(), 3);
    world.store.resume_all(&ann(), "over").await.unwrap();
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 8));
    world.books_equal().await;
}

#[tokio::test]
async fn a_resend_does_not_leave_while_everything_is_paused() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::Twin("reset-before"));
    let run = world.scheduled().await;
    world.until("unknown", async |world| world.payout(0).await == "unknown").await;
    world.store.pause_all(&ann(), "panic").await.unwrap();
    for _ in 0..60 {
        world.step().await;
        world.advance(1_000).await;
    }
    assert_eq!(world.stripe.left().len(), 1);
    world.store.resume_all(&ann(), "over").await.unwrap();
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2));
    world.books_equal().await;
}

/// The engine had looked and found the run running; the pause is committed before its intent.
#[tokio::test]
async fn a_pause_that_is_committed_before_the_intent_wins() {
    for everything in [false, true] {
        let mut world = World::of(2).await;
        let run = world.planned().await;
        world.resume(&run).await;
        let (fence, _) = world.store.lease_acquire("two", 15_000, true).await.unwrap().unwrap();
        world.look(fence).await;
        if everything {
            world.store.pause_all(&ann(), "panic").await.unwrap();
        } else {
            world.store.change_run(None, &run.id, RunEvent::Pause, &ann(), None).await.unwrap();
        }
        let now_ms = world.clock.now_ms();
        let gate = Gate { fence, now_ms, stripe_now_ms: now_ms, send_before_ms: BootMs::NEVER.0 };
        let context = world.store.plan_context().await.unwrap();
        let head = world.store.journal_head().await.unwrap();
        let done = world.store.intend(gate, &run.id, Wanted::Due(10), &context, create_body).await.unwrap();
        assert!(done.intents.is_empty() && done.barred.is_empty());
        assert_eq!(world.store.journal_head().await.unwrap(), head);
    }
}
