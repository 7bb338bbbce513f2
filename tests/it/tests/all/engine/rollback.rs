//! Taking a run back: voids, cancels and what is impossible, whatever breaks on the way; the money is back, and nothing is paid twice.
use super::{
    trouble::Trouble,
    world::{World, account, ann},
};
use crate::databases::Database;
use payout_shared::{
    id::PayoutId,
    rollback::{RollbackHash, Step},
    run::{RunKind, RunState},
};
use payoutd::{
    store::{
        fault::CommitFault,
        types::{Confirm, RunRow},
    },
    stripe::limits::Rates,
};
use stripe_twin::Status;

/// What a rollback would do, as somebody is shown it.
pub(super) async fn preview(world: &World, run: &RunRow) -> (Vec<Step>, Confirm) {
    let (mut hash, mut steps, mut reversals) = (RollbackHash::new(&run.id), Vec::new(), Vec::new());
    let mut after = String::new();
    loop {
        let page = world.store.rollback_page(&run.id, &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id.to_string();
        for row in page {
            hash.add(&row.id, row.state, row.step, row.amount.minor, row.amount.currency);
            steps.push(row.step);
            if row.step == Step::Reverse {
                reversals.push(PayoutId::new(row.id.as_str()));
            }
        }
    }
    (steps, Confirm { hash: hash.finish(), reversals })
}

pub(super) async fn confirm(world: &World, run: &RunRow) {
    let (_, confirm) = preview(world, run).await;
    world.store.abort_run(&run.id, Some(&confirm), &ann(), "the file of earnings was wrong").await.unwrap();
}

/// A run whose payouts are all pending at Stripe.
pub(super) async fn sent(database: Database, amounts: &[i64]) -> (World, RunRow) {
    let mut world = World::on(database, amounts).await;
    let run = world.scheduled().await;
    world.settle().await;
    (world, run)
}

fn cancels(world: &World) -> Vec<String> {
    world.stripe.left().into_iter().map(|(key, _)| key).filter(|key| key.contains(":cancel:")).collect()
}

pub(super) async fn states(world: &World) -> Vec<String> {
    world.probe.texts("SELECT state FROM creator_payouts ORDER BY account_id, number").await.concat()
}

async fn everything_is_back(world: &mut World, run: &RunRow) {
    assert_eq!(world.state(run).await, RunState::Aborted);
    assert!(world.stripe.twin.ledger().iter().all(|row| row.status == Status::Canceled));
    let locked = "SELECT COUNT(*) FROM payout_items WHERE released_at_ms IS NULL";
    assert_eq!(world.probe.number(locked).await, 0, "all earnings are free");
    world.deliver().await;
    world.settle().await;
    assert!(world.store.holds().await.unwrap().is_empty());
    world.books_equal().await;
}

async fn pending_ones_are_canceled(database: Database) -> World {
    let (mut world, run) = sent(database, &[1_000, 2_000, 3_000]).await;
    assert_eq!(preview(&world, &run).await.0, [Step::Cancel; 3]);
    confirm(&world, &run).await;
    world.settle().await;
    assert_eq!(states(&world).await, ["canceled"; 3]);
    assert_eq!(cancels(&world).len(), 3);
    let causes = world.probe.texts("SELECT COALESCE(cause, 'none') FROM creator_payouts").await.concat();
    assert_eq!(causes, ["none"; 3], "what was taken back as asked is no trouble");
    everything_is_back(&mut world, &run).await;
    let again = world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&again).await, RunState::Completed);
    let alive = world.stripe.twin.ledger().iter().filter(|row| row.status == Status::Pending).count();
    assert_eq!(alive, 3, "what came back is paid by the next run");
    world.books_equal().await;
    world
}

#[tokio::test]
async fn what_is_pending_is_canceled_and_its_money_is_back() {
    Box::pin(pending_ones_are_canceled(Database::sqlite())).await;
}

#[tokio::test]
async fn what_is_pending_is_canceled_and_its_money_is_back_on_postgres_too() {
    Box::pin(pending_ones_are_canceled(Database::postgres().await)).await.database.drop_it().await;
}

/// A run paused half-way: some are pending, the rest never left.
async fn half_sent() -> (World, RunRow) {
    let mut world = World::of(12).await;
    world.rates = Rates { create_milli_per_s: 2_000, create_concurrency: 2, ..Rates::default() };
    let run = world.scheduled().await;
    world.until("some are sent", async |world| world.stripe.twin.ledger().len() >= 5).await;
    world.pause(&run).await;
    world.settle().await;
    (world, run)
}

#[tokio::test]
async fn what_never_left_is_voided_and_the_rest_canceled() {
    let (mut world, run) = half_sent().await;
    let executed = world.stripe.twin.ledger().len();
    let steps = preview(&world, &run).await.0;
    assert_eq!(steps.iter().filter(|step| **step == Step::Cancel).count(), executed);
    assert_eq!(steps.iter().filter(|step| **step == Step::Void).count(), 12 - executed);
    confirm(&world, &run).await;
    world.settle().await;
    assert_eq!(cancels(&world).len(), executed);
    assert_eq!(
        world.probe.number("SELECT COUNT(*) FROM run_outcomes WHERE reason = 'taken_back'").await,
        i64::try_from(12 - executed).unwrap()
    );
    everything_is_back(&mut world, &run).await;
}

#[tokio::test]
async fn an_abort_gives_up_what_never_left_and_cancels_nothing() {
    let (mut world, run) = half_sent().await;
    let executed = world.stripe.twin.ledger().len();
    world.store.abort_run(&run.id, None, &ann(), "enough").await.unwrap();
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Aborted);
    assert_eq!((cancels(&world).len(), world.stripe.twin.ledger().len()), (0, executed));
    let states = states(&world).await;
    assert_eq!(states.iter().filter(|state| *state == "pending").count(), executed);
    assert_eq!(states.iter().filter(|state| *state == "voided").count(), 12 - executed);
    world.books_equal().await;
    let late = world.store.abort_run(&run.id, None, &ann(), "again").await.unwrap_err().to_string();
    assert!(late.contains("aborted"), "{late}");
}

#[tokio::test]
async fn a_run_that_has_not_begun_is_paused_before_it_is_taken_back() {
    let world = World::of(1).await;
    let run = world.scheduled().await;
    let refused = world.store.abort_run(&run.id, None, &ann(), "no").await.unwrap_err().to_string();
    assert!(refused.contains("cannot be aborted"), "{refused}");
    assert_eq!(world.state(&run).await, RunState::Planning);
}

#[tokio::test]
async fn the_answer_to_a_cancel_may_be_lost_at_any_place() {
    for (trouble, sends) in [
        (Trouble::Twin("executed-then-dropped"), 1..2),
        (Trouble::Twin("reset-before"), 2..3),
        // Replayed as a 500 until Stripe rolls it forward.
        (Trouble::Twin("500-rolled-forward"), 1..3),
        (Trouble::Twin("unreadable-body"), 1..2),
        (Trouble::Twin("lock-timeout"), 2..3),
        (Trouble::Limited, 2..3),
        (Trouble::HeldBefore, 2..3),
        (Trouble::HeldAfter, 1..2),
        // It never left the first time.
        (Trouble::Frozen(6_000), 1..2),
    ] {
        let (mut world, run) = sent(Database::sqlite(), &[1_000, 2_000]).await;
        world.stripe.trouble(Some(&account(0)), 1, trouble.clone());
        confirm(&world, &run).await;
        world.settle().await;
        let of_first: Vec<String> = cancels(&world).into_iter().filter(|key| key.contains(&account(0))).collect();
        assert!(sends.contains(&of_first.len()), "{trouble:?}: {of_first:?}");
        assert!(of_first.iter().all(|key| *key == of_first[0]), "one key: {of_first:?}");
        everything_is_back(&mut world, &run).await;
    }
}

#[tokio::test]
async fn what_is_on_its_way_to_the_bank_is_waited_for_and_said_to_be() {
    let (mut world, run) = sent(Database::sqlite(), &[1_000]).await;
    while world.executed(0)[0].status == Status::Pending {
        world.advance(10_000).await;
    }
    // Nobody told us yet: it is pending in our books, and Stripe refuses to cancel it.
    assert_eq!((world.payout(0).await.as_str(), preview(&world, &run).await.0), ("pending", vec![Step::Cancel]));
    confirm(&world, &run).await;
    world.until("the refusal", async |world| world.payout(0).await != "pending").await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("in_transit", RunState::Aborting));
    assert_eq!(preview(&world, &run).await.0, [Step::Wait]);
    world.advance(super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("paid", RunState::Aborted));
    assert_eq!(cancels(&world).len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn an_unknown_one_is_resolved_first_and_then_canceled() {
    let mut world = World::of(2).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    let run = world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    world.pause(&run).await;
    confirm(&world, &run).await;
    world.settle().await;
    assert_eq!(states(&world).await, ["canceled"; 2]);
    everything_is_back(&mut world, &run).await;
}

#[tokio::test]
async fn the_pause_of_everything_bars_cancels_too_until_it_is_taken_back() {
    let (mut world, run) = sent(Database::sqlite(), &[1_000; 40]).await;
    world.rates = Rates { create_milli_per_s: 2_000, create_concurrency: 2, ..Rates::default() };
    world.crash();
    confirm(&world, &run).await;
    world.until("the first cancels", async |world| cancels(world).len() >= 4).await;
    world.store.pause_all(&ann(), "stop").await.unwrap();
    world.steps(20).await;
    let left = cancels(&world).len();
    world.wait_minutes(20).await;
    assert_eq!((cancels(&world).len(), world.state(&run).await), (left, RunState::Aborting));
    assert!(left < 40);
    world.check().await;
    world.store.resume_all(&ann(), "go on").await.unwrap();
    world.until("the end", async |world| world.state(&run).await == RunState::Aborted).await;
    world.check().await;
}

#[tokio::test]
async fn a_commit_that_fails_at_any_step_of_a_rollback_changes_nothing_of_its_outcome() {
    let (mut clean, run) = sent(Database::sqlite(), &[1_000, 2_000]).await;
    let before = clean.faults.commits();
    confirm(&clean, &run).await;
    clean.settle().await;
    let commits = clean.faults.commits() - before;
    assert!(commits >= 3, "{commits}");
    for number in 0..commits {
        for fault in [CommitFault::Undone, CommitFault::Unheard] {
            for dies in [false, true] {
                let (mut world, run) = sent(Database::sqlite(), &[1_000, 2_000]).await;
                let at = format!("commit {number} {fault:?}, dies: {dies}");
                println!("{at}");
                confirm(&world, &run).await;
                let before = world.faults.commits();
                world.faults.fail(number, 1, fault);
                world.until("the fault", async |world| world.faults.commits() > before + number).await;
                if dies {
                    world.crash();
                }
                world.settle().await;
                assert_eq!(states(&world).await, ["canceled"; 2], "{at}");
                everything_is_back(&mut world, &run).await;
            }
        }
    }
}

/// A pass that is due at once is made at once: what can't go on must not ask for one, or the engine asks the database all the time.
#[tokio::test]
async fn while_nothing_may_be_canceled_the_engine_rests() {
    let (mut world, run) = sent(Database::sqlite(), &[1_000, 2_000]).await;
    world.hand.jump_wall(3_600_000);
    confirm(&world, &run).await;
    world.steps(5).await;
    let next = world.step().await;
    assert!(next.ms_since(world.clock.boot()) > 100 && cancels(&world).is_empty(), "the clocks are apart");
    world.hand.jump_wall(-3_600_000);
    world.advance(60_000).await;
    world.rates = Rates { create_concurrency: 1, ..world.rates };
    world.crash();
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    world.until("the first cancel", async |world| cancels(world).len() == 1).await;
    let next = world.step().await;
    assert!(next.ms_since(world.clock.boot()) > 100, "one is on the wire, and no more may be");
    world.settle().await;
    everything_is_back(&mut world, &run).await;
}
