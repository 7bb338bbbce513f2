//! Two people say of an unknown payout that it was not paid, before that is proven: its earnings are free, its creator is held until Stripe's
//! list has proven it, and when they were wrong it is a late execution.
use super::{
    approvals::person,
    proof::one_unknown,
    trouble::Trouble,
    world::{World, account, ann, creator},
};
use crate::databases::Database;
use payout_shared::{
    approval::{RequestKind, RequestState},
    run::{RunKind, RunState},
};
use payoutd::store::{
    door_types::{NewRequest, RequestRow},
    types::By,
};
use serde_json::json;

const HOUR: i64 = 60;

/// Ann asks; the other yes is missing.
async fn asked(world: &World) -> RequestRow {
    let row = world.probe.texts("SELECT p.id, t.key FROM creator_payouts p JOIN payout_attempts t ON t.payout_id = p.id WHERE p.state = 'unknown'").await;
    let by = ann().to_string();
    let detail = json!({"payout": row[0][0], "key": row[0][1], "listings": 1});
    let new = NewRequest {
        kind: RequestKind::NotPaid,
        subject: row[0][0].clone(),
        detail,
        uid: By::uid_in(&by),
        by,
        reason: "their bank saw nothing".to_owned(),
    };
    world.store.open_request(&new).await.unwrap().0
}

async fn said(world: &World) {
    let request = asked(world).await;
    assert!(world.yes(&request, &ann()).await.unwrap_err().contains("another one has to approve"));
    assert_eq!(world.payout(0).await, "unknown", "one person says nothing");
    assert_eq!(world.yes(&request, &person("bob", 1001)).await, Ok(RequestState::Applied));
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", "never_executed"));
    assert_eq!(world.held(0).await, ["not_paid"]);
}

#[tokio::test]
async fn the_earnings_are_free_and_the_creator_is_held_until_a_listing_25_hours_later_shows_nothing() {
    let mut world = one_unknown().await;
    said(&world).await;
    world.settle().await;
    let next = world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!((world.state(&next).await, world.reason(0).await.as_str()), (RunState::Completed, "held"));
    let released = world.store.release_holds(&creator(0), None, "I know better", &ann()).await.unwrap();
    assert!(released.released.is_empty(), "no person lifts it: {released:?}");
    world.wait_minutes(24 * HOUR + 50).await;
    assert_eq!(world.held(0).await, ["not_paid"]);
    world.wait_minutes(40).await;
    assert!(world.held(0).await.is_empty());
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn when_they_were_wrong_it_is_a_late_execution_and_the_entries_are_spent() {
    let mut world = World::of(2).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("500-rolled-forward"));
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    assert!(world.executed(0).is_empty(), "not yet");
    said(&world).await;
    world.wait_minutes(26 * HOUR).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    assert!(world.held(0).await.contains(&"late_execution".to_owned()), "{:?}", world.held(0).await);
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1, "never twice");
    let locked = "SELECT COUNT(*) FROM payout_items WHERE released_at_ms IS NULL AND payout_id IN (SELECT id FROM creator_payouts WHERE state = 'voided')";
    assert_eq!(world.probe.number(locked).await, 1, "its entries are spent");
    assert_eq!(world.stripe.wrong(), Vec::<String>::new());
}

/// That its word for the payout's state isn't known takes nothing away from its being there.
#[tokio::test]
async fn when_they_were_wrong_the_creator_stays_held_whatever_stripe_calls_the_payouts_state() {
    let mut world = one_unknown().await;
    let (key, body) = world.stripe.left().into_iter().find(|(key, _)| key.contains(&account(0))).unwrap();
    said(&world).await;
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    world.stripe.speak_strangely(true);
    world.wait_minutes(26 * HOUR).await;
    assert_eq!(world.held(0).await, ["late_execution"]);
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1, "never twice");
    let locked = "SELECT COUNT(*) FROM payout_items WHERE released_at_ms IS NULL AND payout_id IN (SELECT id FROM creator_payouts WHERE state = 'voided')";
    assert_eq!(world.probe.number(locked).await, 1, "its entries are spent");
}

/// How the requests ended, in the order of the words.
async fn ends(world: &World) -> Vec<RequestState> {
    let requests = world.store.requests(true, 10).await.unwrap();
    let mut ends: Vec<RequestState> = requests.iter().map(|request| request.state).collect();
    ends.sort_by_key(|state| state.as_str());
    ends
}

async fn found_meanwhile(database: Database) -> World {
    let mut world = World::on(database, &[1_000, 2_000]).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    let (request, other) = (asked(&world).await, asked(&world).await);
    assert_eq!(world.store.requests(false, 10).await.unwrap().len(), 2);
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
    assert_eq!(ends(&world).await, [RequestState::Expired, RequestState::Expired]);
    assert_eq!(world.store.requests(false, 10).await.unwrap(), [], "nobody is waited for");
    assert_eq!(world.store.open_requests().await.unwrap(), 0);
    for request in [request, other] {
        let refused = world.yes(&request, &person("bob", 1001)).await.unwrap_err();
        assert!(refused.contains("is expired") && refused.contains("is pending"), "{refused}");
    }
    let told = "SELECT COUNT(*) FROM journal WHERE action = 'request.expire'";
    assert_eq!(world.probe.number(told).await, 2);
    world.books_equal().await;
    world
}

#[tokio::test]
async fn a_question_about_what_was_found_meanwhile_closes_by_itself() {
    Box::pin(found_meanwhile(Database::sqlite())).await;
}

#[tokio::test]
async fn a_question_about_what_was_found_meanwhile_closes_by_itself_on_postgresql() {
    Box::pin(found_meanwhile(Database::postgres().await)).await.database.drop_it().await;
}

#[tokio::test]
async fn the_second_of_two_questions_closes_when_the_first_is_agreed_to() {
    let mut world = one_unknown().await;
    let other = asked(&world).await;
    said(&world).await;
    assert_eq!(ends(&world).await, [RequestState::Applied, RequestState::Expired]);
    assert!(world.yes(&other, &person("bob", 1001)).await.unwrap_err().contains("is voided"));
    let told = "SELECT COUNT(*) FROM journal WHERE action = 'request.expire'";
    assert_eq!(world.probe.number(told).await, 1, "the one that was agreed to did not expire first");
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn nobody_is_asked_about_a_payout_that_is_no_longer_unknown() {
    let mut world = one_unknown().await;
    let request = asked(&world).await;
    said(&world).await;
    let new = NewRequest {
        kind: RequestKind::NotPaid,
        subject: request.subject.clone(),
        detail: serde_json::from_str(&request.detail).unwrap(),
        uid: Some(1000),
        by: ann().to_string(),
        reason: "as seen a moment ago".to_owned(),
    };
    let refused = world.store.open_request(&new).await.unwrap_err().to_string();
    assert!(refused.contains("is voided: only an unknown one"), "{refused}");
    assert_eq!(world.store.requests(true, 10).await.unwrap().len(), 2);
    world.settle().await;
}
