//! Reversals: what was paid is taken back by two people, and its earnings are free when the bank has kept to it.
use super::{
    approvals::person,
    rollback::{confirm, preview, sent, states},
    trouble::Trouble,
    world::{World, account, ann},
};
use crate::databases::Database;
use payout_shared::{
    answer::PayoutObject,
    approval::{RequestKind, RequestState},
    payout::{ObjectStatus, PayoutEvent},
    rollback::Step,
    run::{RunKind, RunState},
};
use payoutd::{
    store::{
        door_types::RequestRow,
        types::{AttemptChange, By, Change, Fence, RunRow},
    },
    stripe::Stripe as _,
};

fn bob() -> By {
    person("bob", 1001)
}

const WEEK_MINUTES: i64 = 7 * 24 * 60;

/// A run whose payouts were paid, with its rollback confirmed by ann: its reversals wait for somebody else.
async fn paid_and_confirmed(amounts: &[i64]) -> (World, RunRow, RequestRow) {
    let (mut world, run) = sent(Database::sqlite(), amounts).await;
    world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    let (steps, shown) = preview(&world, &run).await;
    assert_eq!((steps.len(), shown.reversals.len()), (amounts.len(), amounts.len()), "{steps:?}");
    confirm(&world, &run).await;
    world.steps(10).await;
    assert_eq!((world.state(&run).await, reverses(&world)), (RunState::Aborting, 0), "nobody has approved it");
    let request = world.waiting().await.remove(0);
    assert_eq!((request.kind, request.subject.as_str()), (RequestKind::Reversal, run.id.as_str()));
    assert!(request.detail.contains(&shown.hash), "{}", request.detail);
    (world, run, request)
}

fn reverses(world: &World) -> usize {
    world.stripe.left().iter().filter(|(key, _)| key.contains(":reverse:")).count()
}

async fn approve(world: &World, request: &RequestRow) {
    assert_eq!(world.yes(request, &bob()).await, Ok(RequestState::Applied));
}

async fn locked(world: &World) -> i64 {
    world.probe.number("SELECT COUNT(*) FROM payout_items WHERE released_at_ms IS NULL").await
}

#[tokio::test]
async fn what_was_paid_is_reversed_by_two_people_and_is_free_when_the_bank_has_kept_to_it_for_a_week() {
    let (mut world, run, request) = Box::pin(paid_and_confirmed(&[1_000, 2_000])).await;
    let own = world.yes(&request, &ann()).await.unwrap_err();
    assert!(own.contains("another one has to approve"), "{own}");
    approve(&world, &request).await;
    world.until("the reversals", async |world| states(world).await == ["reversed"; 2]).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, reverses(&world), locked(&world).await), (RunState::Aborted, 2, 2));
    world.check().await;
    world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    world.wait_minutes(WEEK_MINUTES - 60).await;
    assert_eq!(locked(&world).await, 2, "not before the bank has kept to it");
    world.wait_minutes(600).await;
    assert_eq!((states(&world).await, locked(&world).await), (vec!["reversed".to_owned(); 2], 0));
    world.check().await;
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 3, "a payout, its reversal, and a payout");
    world.check().await;
}

#[tokio::test]
async fn a_reversal_that_fails_later_leaves_the_payout_paid_and_its_earnings_spent() {
    let (mut world, run, request) = Box::pin(paid_and_confirmed(&[1_000])).await;
    world.stripe.twin.set_faults("reversal-fails=100".parse().unwrap());
    approve(&world, &request).await;
    world.until("the reversal", async |world| world.payout(0).await == "reversed").await;
    world.advance(4 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world).await), ("paid", 1));
    assert_eq!(preview(&world, &run).await.0, [Step::Impossible], "what is never asked for again isn't offered");
    world.wait_minutes(WEEK_MINUTES + 600).await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world).await), ("paid", 1));
    world.check().await;
}

#[tokio::test]
async fn a_reversal_that_is_refused_is_told_and_the_payout_is_paid_as_before() {
    let (mut world, run, request) = Box::pin(paid_and_confirmed(&[1_000])).await;
    world.stripe.twin.set_faults("reversal-refused=100".parse().unwrap());
    approve(&world, &request).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("paid", RunState::Aborted));
    assert_eq!((preview(&world, &run).await.0, reverses(&world)), (vec![Step::Impossible], 1));
    world.check().await;
}

#[tokio::test]
async fn the_answer_to_a_reversal_may_be_lost_and_the_reversals_may_be_given_up() {
    for (trouble, sends) in
        [(Trouble::Twin("executed-then-dropped"), 1), (Trouble::Twin("reset-before"), 2), (Trouble::HeldAfter, 1)]
    {
        let (mut world, _, request) = Box::pin(paid_and_confirmed(&[1_000])).await;
        world.stripe.trouble(None, 1, trouble.clone());
        approve(&world, &request).await;
        world.settle().await;
        assert_eq!((world.payout(0).await.as_str(), reverses(&world)), ("reversed", sends), "{trouble:?}");
        world.check().await;
    }
    let (mut world, run, request) = Box::pin(paid_and_confirmed(&[1_000])).await;
    world.store.reject(&request.id, &bob(), "let them keep it").await.unwrap();
    world.settle().await;
    assert_eq!(
        (world.payout(0).await.as_str(), world.state(&run).await, reverses(&world)),
        ("paid", RunState::Aborted, 0)
    );
}

#[tokio::test]
async fn a_rollback_that_is_confirmed_again_asks_again_and_the_old_question_expires() {
    let (mut world, run, request) = Box::pin(paid_and_confirmed(&[1_000, 2_000])).await;
    confirm(&world, &run).await;
    let again = world.waiting().await;
    assert_eq!(again.len(), 1);
    assert!(again[0].id != request.id && again[0].hash != request.hash, "another rollback");
    assert!(world.yes(&request, &bob()).await.unwrap_err().contains("expired"));
    let replaced = format!("UPDATE account_banks SET destination_id = 'ba_other' WHERE account_id = '{}'", account(0));
    world.database.execute(&replaced).await;
    confirm(&world, &run).await;
    let last = world.waiting().await.remove(0);
    assert!(last.detail.contains("2000") && !last.detail.contains("3000"), "{}", last.detail);
    approve(&world, &last).await;
    world.settle().await;
    assert_eq!((states(&world).await, reverses(&world)), (vec!["paid".to_owned(), "reversed".to_owned()], 1));
    assert_eq!(world.state(&run).await, RunState::Aborted, "nothing waits for anybody");
    world.check().await;
}

#[tokio::test]
async fn a_reversal_that_the_bank_takes_back_after_its_week_leaves_a_debt_of_what_was_paid_again() {
    let (mut world, _, request) = Box::pin(paid_and_confirmed(&[1_000])).await;
    approve(&world, &request).await;
    world.until("the reversal", async |world| world.payout(0).await == "reversed").await;
    world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    world.wait_minutes(WEEK_MINUTES + 600).await;
    assert_eq!(locked(&world).await, 0);
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(locked(&world).await, 1, "paid again");
    let reversal = "SELECT payout_id, key, stripe_object_id FROM payout_attempts WHERE kind = 'reverse'";
    let row = world.probe.texts(reversal).await.remove(0);
    let object = world.stripe.client().payout(account(0).as_str().into(), row[2].as_str().into()).await.unwrap();
    let failed = PayoutObject {
        status: Some(ObjectStatus::Failed),
        failure_balance_transaction: Some("txn_back".to_owned()),
        ..object
    };
    let token = world.probe.number("SELECT token FROM lease").await;
    let refused = Change {
        event: Some(PayoutEvent::RefuseReverse),
        attempt: Some(AttemptChange { key: row[1].clone(), object: Some(failed), ..AttemptChange::default() }),
        ..Change::new(row[0].as_str().into(), By::Webhook)
    };
    for _ in 0..2 {
        world.store.change(Fence(token), std::slice::from_ref(&refused)).await.unwrap();
    }
    let owed = "SELECT COALESCE(SUM(amount_minor), 0) FROM creator_earnings WHERE kind = 'overpaid'";
    assert_eq!(world.probe.number(owed).await, -1_000, "once");
}

/// Takes a payout back at Stripe, past this program.
fn take_back_by_hand(world: &World, n: usize, object: &str) -> String {
    let reversal =
        world.stripe.somebody_of(Some(&account(n)), &format!("/v1/payouts/{object}/reverse"), "metadata[by]=hand");
    reversal.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Weeks in which nothing is told but what Stripe's lists show.
async fn weeks_pass(world: &mut World, told: bool) {
    for _ in 0..4 {
        world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
        if told {
            world.deliver().await;
        } else {
            let _lost = world.stripe.twin.take_events();
        }
        world.settle().await;
        world.wait_minutes(WEEK_MINUTES).await;
    }
}

#[tokio::test]
async fn what_somebody_took_back_at_stripe_is_free_after_a_week_and_its_creator_held() {
    for told in [true, false] {
        let (mut world, run) = sent(Database::sqlite(), &[1_000, 2_000]).await;
        world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
        world.deliver().await;
        world.settle().await;
        let object = world.executed(0)[0].id.clone();
        let reversal = take_back_by_hand(&world, 0, &object);
        if told {
            world.deliver().await;
            world.settle().await;
            assert_eq!(world.payout(0).await, "reversed");
            assert_eq!(locked(&world).await, 2, "not before the bank has kept to it");
        }
        weeks_pass(&mut world, told).await;
        assert_eq!((world.payout(0).await.as_str(), locked(&world).await), ("reversed", 1), "told: {told}");
        let taken_in = "SELECT stripe_object_id FROM payout_attempts WHERE kind = 'reverse'";
        assert_eq!(world.probe.texts(taken_in).await.concat(), [reversal]);
        assert_eq!(world.held(0).await, ["reversed_at_stripe"], "or it is paid again unseen");
        world.check().await;
        world.run(2, RunKind::Manual).await;
        world.settle().await;
        assert_eq!(world.executed(0).len(), 2, "a payout and what took it back");
        world.store.release_hold(&super::world::creator(0), "reversed_at_stripe", "looked at", &ann()).await.unwrap();
        world.run(3, RunKind::Manual).await;
        world.settle().await;
        assert_eq!(world.executed(0).len(), 3, "and a payout again");
        assert_eq!(world.state(&run).await, RunState::Settled);
        world.check().await;
    }
}

#[tokio::test]
async fn what_somebody_took_back_and_the_bank_refused_is_paid_as_before() {
    let (mut world, _) = sent(Database::sqlite(), &[1_000]).await;
    world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    world.stripe.twin.set_faults("reversal-fails=100".parse().unwrap());
    let object = world.executed(0)[0].id.clone();
    take_back_by_hand(&world, 0, &object);
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "reversed");
    weeks_pass(&mut world, true).await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world).await), ("settled", 1));
    world.check().await;
}

#[tokio::test]
async fn an_adopted_payout_that_is_taken_back_at_stripe_frees_what_it_locked() {
    let mut world = World::of(1).await;
    super::webhooks::by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    world.deliver().await;
    world.settle().await;
    world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    let object = world.executed(0)[0].id.clone();
    super::adopt::adopt(&world, 0, &object).await.unwrap();
    assert_ne!(locked(&world).await, 0);
    take_back_by_hand(&world, 0, &object);
    world.deliver().await;
    world.settle().await;
    assert_eq!(locked(&world).await, 0);
    let barring = world.store.foreign_payouts(None, true, 10).await.unwrap();
    assert!(barring.is_empty(), "{barring:?}");
    world.check().await;
}

#[tokio::test]
async fn somebody_elses_payout_bars_its_purse_again_when_what_took_it_back_comes_to_nothing() {
    let mut world = World::of(1).await;
    world.stripe.twin.set_faults("reversal-fails=100".parse().unwrap());
    super::webhooks::by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let barring = async |world: &World| world.store.foreign_payouts(None, true, 10).await.unwrap().len();
    let mut seen = Vec::new();
    for then in ["arrives", "is taken back", "and that fails"] {
        if then == "is taken back" {
            let object = world.executed(0)[0].id.clone();
            take_back_by_hand(&world, 0, &object);
        } else {
            world.advance(4 * super::world::SETTLE_MS.cast_signed()).await;
        }
        world.deliver().await;
        world.settle().await;
        seen.push(barring(&world).await);
    }
    assert_eq!(seen, [1, 0, 1]);
    world.check().await;
}
