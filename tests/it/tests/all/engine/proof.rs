//! Absence and its proof: an unknown payout that is never seen is given up only when nothing of it can come any more; and what a person
//! says of it is held against Stripe's own object.
use super::{
    trouble::Trouble,
    world::{World, account, ann},
};
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    id::{AccountId, ObjectId, PayoutId},
    run::{RunKind, RunState},
};
use payoutd::{
    store::{StoreError, types::Claimed},
    stripe::Stripe,
};

const HOUR: i64 = 60;

/// Stripe answers 500 without having done anything, and says that asking again is of no use.
fn never_again() -> Trouble {
    let meta = AnswerMeta { should_retry: Some(false), ..AnswerMeta::default() };
    let error = StripeError { kind: "api_error".to_owned(), ..StripeError::default() };
    Trouble::Instead(Box::new(Sent::Error { status: 500, error, meta }))
}

/// One of two creators' requests is lost for good, and isn't to be sent again.
pub(super) async fn one_unknown() -> World {
    let mut world = World::of(2).await;
    world.stripe.trouble(Some(&account(0)), 1, never_again());
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    world
}

async fn number_of(world: &World, column: &str) -> String {
    world
        .probe
        .texts(&format!("SELECT CAST({column} AS TEXT) FROM payout_attempts WHERE account_id = '{}'", account(0)))
        .await[0][0]
        .clone()
}

#[tokio::test]
async fn what_two_listings_after_25_hours_do_not_show_was_never_executed_and_is_paid_by_the_next_run() {
    let mut world = one_unknown().await;
    world.wait_minutes(24 * HOUR + 50).await;
    assert_eq!(
        (world.payout(0).await.as_str(), number_of(&world, "absent_first_stripe_ms").await.as_str()),
        ("unknown", "")
    );
    world.wait_minutes(22).await;
    assert_ne!(number_of(&world, "absent_first_stripe_ms").await, "", "the first listing that counts");
    assert_eq!(world.payout(0).await, "unknown", "once isn't twice");
    world.wait_minutes(20).await;
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", "never_executed"));
    assert_eq!(number_of(&world, "state").await, "withdrawn");
    assert!(world.held(0).await.is_empty(), "the creator is not to blame");
    world.settle().await;
    assert!(world.executed(0).is_empty());
    world.books_equal().await;

    let next = world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&next).await, RunState::Completed);
    assert_eq!(world.executed(0).len(), 1, "its earnings were free");
    world.books_equal().await;
}

#[tokio::test]
async fn a_key_of_23_hours_is_listed_again_and_again_and_never_sent() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::Twin("reset-before"));
    let run = world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    world.pause(&run).await;
    world.wait_minutes(23 * HOUR + 1).await;
    world.resume(&run).await;
    world.wait_minutes(HOUR).await;
    assert_eq!((world.payout(0).await.as_str(), world.stripe.left().len()), ("unknown", 1));
    world.wait_minutes(2 * HOUR).await;
    assert_eq!((world.payout(0).await.as_str(), world.stripe.left().len()), ("voided", 1));
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

#[tokio::test]
async fn a_crash_between_the_two_listings_loses_nothing_of_the_proof() {
    let mut world = one_unknown().await;
    for _ in 0..27 {
        world.wait_minutes(HOUR).await;
        world.crash();
    }
    world.wait_minutes(HOUR).await;
    assert_eq!(world.payout(0).await, "voided");
    world.books_equal().await;
}

#[tokio::test]
async fn what_shows_up_after_the_proof_is_a_late_execution_that_keeps_its_earnings() {
    let mut world = one_unknown().await;
    let (key, body) = world.stripe.left().into_iter().find(|(key, _)| key.contains(&account(0))).unwrap();
    world.wait_minutes(27 * HOUR).await;
    assert_eq!(world.payout(0).await, "voided");
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.held(0).await, ["late_execution"]);
    let run = world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, world.executed(0).len()), (RunState::Completed, 1), "nothing is paid twice");
    assert_eq!(world.stripe.wrong(), Vec::<String>::new());
}

/// The object is there: what its state is called says nothing about that.
#[tokio::test]
async fn a_payout_that_a_list_shows_is_found_whatever_its_state_is_called() {
    let mut world = World::of(2).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    world.stripe.speak_strangely(true);
    let run = world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    world.wait_minutes(30).await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("pending", RunState::Completed));
    assert_eq!(world.stripe.listings(), 1, "it is looked for once");
    world.stripe.speak_strangely(false);
    world.deliver().await;
    world.settle().await;
    world.books_equal().await;
}

/// Reads an object as the desk does, and records it for somebody.
async fn claim(world: &World, object: &str) -> Result<i64, StoreError> {
    let stripe = world.stripe.another_client();
    let object = stripe.payout(AccountId::new(account(0)), ObjectId::new(object)).await.unwrap();
    let claimed = Claimed { key: number_of(world, "key").await, object, how: "by its key".to_owned() };
    world.store.record_claim(&PayoutId::new(world.payout_column(0, "id").await), &claimed, &ann()).await
}

#[tokio::test]
async fn an_object_that_a_person_names_is_the_payout_once_and_no_other() {
    let mut world = one_unknown().await;
    let other = world.executed(1)[0].id.clone();
    let stripe = world.stripe.another_client();
    let object = stripe.payout(AccountId::new(account(1)), ObjectId::new(&other)).await.unwrap();
    let id = PayoutId::new(world.payout_column(0, "id").await);
    let claimed = Claimed { key: number_of(&world, "key").await, object, how: "by its key".to_owned() };
    let refused = world.store.record_claim(&id, &claimed, &ann()).await.unwrap_err().to_string();
    assert!(refused.contains("already"), "{refused}");

    let (key, body) = world.stripe.left().into_iter().find(|(key, _)| key.contains(&account(0))).unwrap();
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    let object = world.executed(0)[0].id.clone();
    claim(&world, &object).await.unwrap();
    assert_eq!(
        (world.payout(0).await.as_str(), world.payout_column(0, "stripe_payout_id").await),
        ("pending", object.clone())
    );
    let refused = claim(&world, &object).await.unwrap_err().to_string();
    assert!(refused.contains("only an unknown one"), "{refused}");
    world.deliver().await;
    world.settle().await;
    assert!(world.held(0).await.is_empty());
    world.books_equal().await;
}
