//! The database goes away: nothing leaves, answers are kept, and recorded when it is back.
use super::{
    trouble::Trouble,
    world::{World, account},
};
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    run::RunState,
};
use payoutd::{health::Topic, store::fault::CommitFault};

#[tokio::test]
async fn answers_are_kept_while_the_database_is_away_and_nothing_is_paid_twice() {
    for fault in [CommitFault::Undone, CommitFault::Unheard] {
        let mut world = World::of(6).await;
        world.stripe.trouble(None, 3, Trouble::HeldAfter);
        let run = world.scheduled().await;
        world.until("the sends", async |world| world.stripe.left().len() == 6).await;
        world.faults.fail(0, u64::MAX / 2, fault);
        world.stripe.let_go();
        for _ in 0..20 {
            world.step().await;
            world.advance(500).await;
        }
        assert_eq!(world.stripe.left().len(), 6, "something left without a database");
        assert!(
            world.health.sentences().iter().any(|sentence| sentence.contains("database")),
            "{:?}",
            world.health.sentences()
        );
        world.faults.heal();
        world.settle().await;
        assert_eq!(world.state(&run).await, RunState::Completed);
        assert_eq!((world.stripe.left().len(), world.stripe.listings()), (6, 0), "every answer was kept");
        assert!(!world.health.good(Topic::Database), "it is still said to be away");
        world.books_equal().await;
    }
}

/// Longer than the lease, so that it is taken again before the answers are recorded.
#[tokio::test]
async fn answers_are_kept_longer_than_a_lease() {
    let mut world = World::of(3).await;
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 3).await;
    world.faults.fail(0, u64::MAX / 2, CommitFault::Undone);
    for _ in 0..100 {
        world.step().await;
        world.advance(500).await;
    }
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!((world.stripe.left().len(), world.stripe.listings()), (3, 0));
    world.books_equal().await;
}

/// The answer to a read of the platform comes in one batch with answers to creates, and can't be stored.
#[tokio::test]
async fn an_answer_is_not_lost_with_another_one_that_cannot_be_stored() {
    let mut world = World::of(3).await;
    let run = world.planned().await;
    // Stripe's Date grows old, also while the purses are looked at: the step that sends reads the platform again, and their answers
    // come in one batch.
    world.advance(200_000).await;
    world.resume(&run).await;
    world.stripe.hide_date(true);
    world.step().await;
    world.advance(6_000).await;
    world.stripe.hide_date(false);
    world.database.execute("UPDATE daemon_state SET platform_account_id = NULL").await;
    world.step().await;
    assert_eq!(world.stripe.left().len(), 3);
    world.faults.fail(0, 2, CommitFault::Undone);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

#[tokio::test]
async fn a_refused_answer_that_is_recorded_twice_blames_nobody_twice() {
    let mut world = World::of(2).await;
    let refusal = Sent::Error {
        status: 400,
        error: StripeError {
            kind: "invalid_request_error".to_owned(),
            code: Some("balance_insufficient".to_owned()),
            ..StripeError::default()
        },
        meta: AnswerMeta::default(),
    };
    world.stripe.trouble(None, 1, Trouble::Instead(Box::new(refusal)));
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 2).await;
    world.faults.fail(0, 1, CommitFault::Unheard);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::CompletedWithFailures);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.illegal'").await, 0);
    world.books_equal().await;
}

#[tokio::test]
async fn a_put_back_whose_commit_was_not_heard_of_is_no_alarm() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::Limited);
    let run = world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    world.faults.fail(0, 1, CommitFault::Unheard);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.illegal'").await, 0);
    world.books_equal().await;
}

#[tokio::test]
async fn one_payout_whose_rows_are_broken_stops_nobody_else() {
    let mut world = World::of(3).await;
    world.stripe.trouble(None, 3, Trouble::HeldAfter);
    world.scheduled().await;
    world.until("three sends to be on the wire", async |world| world.stripe.left().len() == 3).await;
    let broken = account(1);
    world.database.execute(&format!("DELETE FROM payout_attempts WHERE account_id = '{broken}'")).await;
    world.stripe.let_go();
    world.steps(3).await;
    assert_eq!((world.payout(0).await.as_str(), world.payout(2).await.as_str()), ("pending", "pending"));
    assert_eq!(world.payout(1).await, "submitting", "locked, and visible in the books");
    assert_eq!(world.executed(1).len(), 1);
    assert!(!world.store.books().await.unwrap().violations.is_empty(), "the books tell");
}
