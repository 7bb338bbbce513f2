//! Two people say of an unknown payout that it was not paid, before that is proven: its earnings are free, its creator is held until Stripe's
//! list has proven it, and when they were wrong it is a late execution.
use super::{
    approvals::person,
    proof::one_unknown,
    trouble::Trouble,
    world::{World, account, ann, creator},
};
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

#[tokio::test]
async fn what_was_found_meanwhile_is_not_given_up_by_an_old_question() {
    let mut world = World::of(2).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    let request = asked(&world).await;
    world.settle().await;
    let refused = world.yes(&request, &person("bob", 1001)).await.unwrap_err();
    assert!(refused.contains("only an unknown one"), "{refused}");
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
    world.books_equal().await;
}
