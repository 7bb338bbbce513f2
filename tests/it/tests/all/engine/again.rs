//! Trying again: a new attempt of a failed payout, of the same items, under a new key; by itself when the cause passes, by people otherwise;
//! and whom a failure is held against.
use super::{
    trouble::Trouble,
    world::{World, account, ann, creator},
};
use crate::databases::Database;
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    id::{AccountId, ObjectId, PayoutId},
    payout::{ObjectStatus, PayoutEvent, Which},
    run::{RunKind, RunState},
};
use payoutd::{
    store::types::{AttemptChange, By, Change, Fence, RetryAsk, RunRow},
    stripe::{ReadError, Stripe},
};
use stripe_twin::{AccountChange, BankSpec, Event};

pub(super) fn refusal(code: &str) -> Trouble {
    Trouble::Instead(Box::new(answer_of_refusal(code)))
}

/// Stripe's answer to a request that it refuses for this cause.
pub(super) fn answer_of_refusal(code: &str) -> Sent {
    let error = StripeError {
        kind: "invalid_request_error".to_owned(),
        code: Some(code.to_owned()),
        message: Some("no".to_owned()),
        ..StripeError::default()
    };
    Sent::Error { status: 400, error, meta: AnswerMeta::default() }
}

/// Somebody asks for the newest payout of creator n again; gives why it was refused, or nothing.
async fn retry(world: &World, n: usize) -> String {
    let id = PayoutId::new(world.payout_column(n, "id").await);
    let context = world.store.plan_context().await.unwrap();
    let ask = RetryAsk { payouts: &[(id, None)], context: &context, by: &ann(), reason: None, by_itself: false };
    let done = world.store.retry(None, &ask).await.unwrap().remove(0);
    done.refused.map_or_else(String::new, |why| why.why().to_owned())
}

fn replace_bank(world: &World, n: usize, bank: BankSpec) {
    world
        .stripe
        .twin
        .change_account(&account(n), AccountChange { banks: Some(vec![bank]), ..AccountChange::default() })
        .unwrap();
}

/// Two creators; the first one's payout is refused with this code.
async fn refused(database: Database, code: &str) -> (World, RunRow) {
    let mut world = World::on(database, &[1_000, 2_000]).await;
    world.set_policy("bank_changed_days", "0").await;
    world.stripe.trouble(Some(&account(0)), 1, refusal(code));
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("failed", RunState::CompletedWithFailures));
    (world, run)
}

async fn a_passing_cause(database: Database) -> World {
    let (mut world, run) = refused(database, "balance_insufficient").await;
    assert!(world.held(0).await.is_empty(), "a passing cause blames nobody");
    world.wait_minutes(14).await;
    assert_eq!(world.payout(0).await, "failed");
    world.wait_minutes(3).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("pending", RunState::Completed));
    let keys: Vec<String> =
        world.stripe.left().into_iter().map(|(key, _)| key).filter(|key| key.contains(&account(0))).collect();
    assert!(keys.len() == 2 && keys[0].ends_with(":1:1") && keys[1].ends_with(":1:2"), "{keys:?}");
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
    world
}

#[tokio::test]
async fn a_payout_whose_cause_passes_is_tried_again_by_itself_under_a_new_key() {
    Box::pin(a_passing_cause(Database::sqlite())).await;
}

#[tokio::test]
async fn a_payout_whose_cause_passes_is_tried_again_by_itself_on_postgres_too() {
    Box::pin(a_passing_cause(Database::postgres().await)).await.database.drop_it().await;
}

#[tokio::test]
async fn it_is_tried_twice_and_never_a_third_time() {
    let mut world = World::with(&[1_000]).await;
    world.stripe.trouble(None, 5, refusal("balance_insufficient"));
    let run = world.scheduled().await;
    world.settle().await;
    world.wait_minutes(100).await;
    assert_eq!((world.payout(0).await.as_str(), world.stripe.left().len()), ("failed", 2));
    assert!(retry(&world, 0).await.contains("tried twice"));
    assert_eq!(world.state(&run).await, RunState::CompletedWithFailures);
    world.books_equal().await;
}

#[tokio::test]
async fn a_person_may_try_again_what_does_not_pass_by_itself_once_it_is_not_held() {
    let (mut world, run) = refused(Database::sqlite(), "no_account").await;
    assert_eq!(world.held(0).await, ["bank_failure"]);
    world.wait_minutes(60).await;
    assert_eq!(world.stripe.left().len(), 2, "nothing is tried again by itself");
    assert!(retry(&world, 0).await.contains("held"));
    replace_bank(&world, 0, BankSpec { id: Some("ba_other".to_owned()), ..BankSpec::default() });
    world.deliver().await;
    world.settle().await;
    assert!(world.held(0).await.is_empty(), "the bank account has changed");
    assert_eq!(retry(&world, 0).await, "");
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("pending", RunState::Completed));
    assert_eq!(world.executed(0)[0].destination, "ba_other");
    assert!(retry(&world, 0).await.contains("only a failed payout"));
    world.books_equal().await;
}

/// Its account couldn't be read for a while, and is as it was.
#[tokio::test]
async fn a_bank_account_that_was_only_unseen_for_a_while_has_not_changed() {
    let (mut world, _) = refused(Database::sqlite(), "no_account").await;
    assert_eq!(world.held(0).await, ["bank_failure"]);
    world.stripe.trouble_read(Some(&account(0)), 1, ReadError::NoAccess("for a while".to_owned()));
    let seen = "SELECT COUNT(*) FROM account_banks WHERE status = 'removed'";
    for (removed, what) in [(1, "it is unread"), (0, "it is read again")] {
        world.store.mark_stale(&AccountId::new(account(0))).await.unwrap();
        world.run(2, RunKind::Manual).await;
        world.settle().await;
        assert_eq!(world.probe.number(seen).await, removed, "{what}");
        assert_eq!(world.held(0).await, ["bank_failure"], "{what}");
    }
}

#[tokio::test]
async fn an_older_attempts_object_moves_nothing_whatever_is_said_of_it_again() {
    let mut world = World::with(&[5_000]).await;
    world.set_policy("bank_changed_days", "0").await;
    replace_bank(&world, 0, BankSpec { fails_with: Some("account_closed".to_owned()), ..BankSpec::default() });
    let run = world.scheduled().await;
    world.settle().await;
    assert!(retry(&world, 0).await.contains("only a failed payout"));
    world.advance(3 * super::world::SETTLE_MS.cast_signed()).await;
    let events: Vec<Event> = world.stripe.twin.take_events();
    for event in &events {
        world.put(event).await;
    }
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.held(0).await), ("failed", vec!["bank_failure".to_owned()]));
    replace_bank(&world, 0, BankSpec { id: Some("ba_other".to_owned()), ..BankSpec::default() });
    world.deliver().await;
    world.settle().await;
    assert_eq!(retry(&world, 0).await, "");
    for step in 0..2 {
        for event in events.iter().rev().filter(|event| event.kind.starts_with("payout.")) {
            let mut body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
            body["id"] = format!("{}_again_{step}", event.id).into();
            world.put_body(&body.to_string()).await;
        }
        world.settle().await;
        assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("pending", RunState::Completed));
        assert!(world.held(0).await.is_empty(), "{:?}", world.held(0).await);
    }
    assert_eq!(world.executed(0).len(), 2, "one that failed, and one");
    world.books_equal().await;
}

/// What gives a retry up before an attempt of it was made.
#[derive(Clone, Copy, Debug)]
enum GivenUp {
    /// Its guard is shut.
    ByGuard,
    /// Its run is taken back.
    WithItsRun,
}

/// Stripe's word that it was paid first comes after the word that it failed, and after somebody wanted it tried again.
async fn paid_is_told_late(database: Database, how: GivenUp, before: bool) -> World {
    let mut world = World::on(database, &[5_000, 2_000]).await;
    world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
    let run = world.scheduled().await;
    world.settle().await;
    world.advance(3 * super::world::SETTLE_MS.cast_signed()).await;
    let of_the_first =
        |event: &Event| std::str::from_utf8(&event.body).unwrap().contains(&account(0)) && event.kind == "payout.paid";
    let (late, told): (Vec<Event>, Vec<Event>) = world.stripe.twin.take_events().into_iter().partition(of_the_first);
    for event in &told {
        world.put(event).await;
    }
    world.settle().await;
    let object = world.executed(0)[0].id.clone();
    assert_eq!((world.payout(0).await.as_str(), world.payout(1).await.as_str(), late.len()), ("failed", "returned", 1));
    let said = world.payout_column(0, "failure_reason").await;
    assert_eq!(retry(&world, 0).await, "");
    match how {
        GivenUp::ByGuard => {
            world.store.hold(&creator(0), "person", "a look", &ann()).await.unwrap();
        }
        GivenUp::WithItsRun => {
            world.pause(&run).await;
            super::rollback::confirm(&world, &run).await;
        }
    }
    if before {
        world.put(&late[0]).await;
    }
    world.settle().await;
    if !before {
        assert_eq!(world.payout(0).await, "failed", "{how:?}: nothing else was told");
        world.put(&late[0]).await;
        world.settle().await;
    }
    assert_eq!(world.payout(0).await, "returned", "{how:?}, {before}: Stripe says that it was paid, and failed then");
    assert_eq!(world.payout_column(0, "stripe_payout_id").await, object);
    assert_ne!(world.payout_column(0, "COALESCE(released_at_ms, 0)").await, "0", "its money was seen back");
    assert_ne!(world.payout_column(0, "COALESCE(failure_reason, '')").await, "", "why isn't forgotten: {said}");
    assert!(retry(&world, 0).await.contains("only a failed payout"));
    assert_eq!(world.executed(0).len(), 1);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.illegal'").await, 0);
    world.books_equal().await;
    world
}

const GIVEN_UP: [(GivenUp, bool); 4] =
    [(GivenUp::ByGuard, true), (GivenUp::ByGuard, false), (GivenUp::WithItsRun, true), (GivenUp::WithItsRun, false)];

#[tokio::test]
async fn a_retry_that_was_given_up_leaves_the_payout_where_stripe_says_that_its_object_is() {
    for (how, before) in GIVEN_UP {
        Box::pin(paid_is_told_late(Database::sqlite(), how, before)).await;
    }
}

#[tokio::test]
async fn a_retry_that_was_given_up_leaves_the_payout_where_stripe_says_that_its_object_is_on_postgres_too() {
    for (how, before) in GIVEN_UP {
        Box::pin(paid_is_told_late(Database::postgres().await, how, before)).await.database.drop_it().await;
    }
}

#[tokio::test]
async fn while_a_retry_is_under_way_the_old_object_moves_nothing_and_its_end_is_the_new_ones() {
    let mut world = World::with(&[5_000]).await;
    world.set_policy("bank_changed_days", "0").await;
    world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
    world.scheduled().await;
    world.settle().await;
    world.advance(3 * super::world::SETTLE_MS.cast_signed()).await;
    let (late, told): (Vec<Event>, Vec<Event>) =
        world.stripe.twin.take_events().into_iter().partition(|event| event.kind == "payout.paid");
    for event in &told {
        world.put(event).await;
    }
    replace_bank(&world, 0, BankSpec { id: Some("ba_other".to_owned()), ..BankSpec::default() });
    world.deliver().await;
    world.settle().await;
    assert_eq!(retry(&world, 0).await, "");
    world.stripe.trouble(None, 1, Trouble::Limited);
    world.until("the limit", async |world| world.stripe.left().len() == 2).await;
    world.step().await;
    assert_eq!(world.payout(0).await, "planned");
    world.put(&late[0]).await;
    world.step().await;
    assert!(matches!(world.payout(0).await.as_str(), "planned" | "submitting" | "pending"));
    world.settle().await;
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 2));
    assert_eq!(world.payout_column(0, "stripe_payout_id").await, world.executed(0)[1].id);
    assert!(world.held(0).await.is_empty(), "{:?}", world.held(0).await);
    world.books_equal().await;
}

/// The engine reads whose an object is before the transaction that records it: a person may ask for a retry in between.
#[tokio::test]
async fn an_object_that_was_the_newest_ones_when_it_was_read_moves_no_retry_that_was_asked_for_since() {
    let mut world = World::with(&[5_000]).await;
    world.set_policy("bank_changed_days", "0").await;
    replace_bank(&world, 0, BankSpec { fails_with: Some("could_not_process".to_owned()), ..BankSpec::default() });
    world.scheduled().await;
    world.settle().await;
    world.advance(3 * super::world::SETTLE_MS.cast_signed()).await;
    world.deliver().await;
    world.settle().await;
    replace_bank(&world, 0, BankSpec { id: Some("ba_other".to_owned()), ..BankSpec::default() });
    world.deliver().await;
    world.settle().await;
    let id = ObjectId::new(world.executed(0)[0].id.clone());
    let known = world.store.known_attempts(&[], std::slice::from_ref(&id)).await.unwrap().remove(0);
    let object = world.stripe.client_of_the_test().payout(AccountId::new(account(0)), id).await.unwrap();
    assert!(known.newest);
    assert_eq!(retry(&world, 0).await, "");
    let seen = Change {
        event: Some(PayoutEvent::Object(ObjectStatus::Failed, Which::Newest)),
        attempt: Some(AttemptChange { key: known.key, object: Some(object), ..AttemptChange::default() }),
        ..Change::new(known.payout_id, By::Webhook)
    };
    let token = world.probe.number("SELECT token FROM lease").await;
    world.store.change(Fence(token), &[seen]).await.unwrap();
    assert_eq!(world.payout(0).await, "planned", "the retry goes on");
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 2));
    world.books_equal().await;
}

#[tokio::test]
async fn what_is_gone_or_no_longer_covered_is_not_tried_again() {
    let (mut world, _) = refused(Database::sqlite(), "amount_too_small").await;
    world.refund(0, 100).await;
    assert!(retry(&world, 0).await.contains("money was taken back"));

    let (mut world, _) = refused(Database::sqlite(), "amount_too_small").await;
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    let first = "SELECT id FROM creator_payouts WHERE state = 'failed'";
    let id = PayoutId::new(world.probe.texts(first).await[0][0].clone());
    let context = world.store.plan_context().await.unwrap();
    let ask =
        RetryAsk { payouts: &[(id.clone(), None)], context: &context, by: &ann(), reason: None, by_itself: false };
    let done = world.store.retry(None, &ask).await.unwrap().remove(0);
    assert!(done.refused.unwrap().why().contains("another payout has some of its earnings"));
    let stale = RetryAsk { payouts: &[(id, Some(1))], ..ask };
    let done = world.store.retry(None, &stale).await.unwrap().remove(0);
    assert!(done.refused.unwrap().why().contains("changed since it was listed"));
    world.books_equal().await;
}

#[tokio::test]
async fn a_retry_that_may_not_leave_is_failed_again_and_its_earnings_are_free() {
    let (mut world, run) = refused(Database::sqlite(), "amount_too_small").await;
    assert_eq!(retry(&world, 0).await, "");
    assert_eq!(world.state(&run).await, RunState::Running);
    world.store.hold(&creator(0), "person", "a look", &ann()).await.unwrap();
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("failed", RunState::CompletedWithFailures));
    assert_ne!(world.payout_column(0, "released_at_ms").await, "");
    world.books_equal().await;
    world.store.release_hold(&creator(0), "person", "fine", &ann()).await.unwrap();
    assert_eq!(retry(&world, 0).await, "", "no attempt was made");
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
    world.books_equal().await;
}

#[tokio::test]
async fn a_retry_to_another_bank_account_that_may_not_leave_leaves_the_payout_with_the_one_it_was_sent_to() {
    let (mut world, _) = refused(Database::sqlite(), "amount_too_small").await;
    let first = world.payout_column(0, "destination_id").await;
    replace_bank(&world, 0, BankSpec { id: Some("ba_other".to_owned()), ..BankSpec::default() });
    world.deliver().await;
    world.settle().await;
    world.wait_minutes(70).await;
    assert_eq!(retry(&world, 0).await, "");
    world.store.hold(&creator(0), "person", "a look", &ann()).await.unwrap();
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.payout_column(0, "destination_id").await), ("failed", first));
    world.books_equal().await;
}

#[tokio::test]
async fn what_is_still_on_the_wire_is_not_tried_again() {
    let (world, _) = refused(Database::sqlite(), "amount_too_small").await;
    // As a daemon that died left it: heard of by a webhook, and its answer not judged yet.
    world.database.execute("UPDATE payout_attempts SET on_wire = TRUE WHERE account_id = 'acct_000'").await;
    assert!(retry(&world, 0).await.contains("on the wire"));
    world.database.execute("UPDATE payout_attempts SET on_wire = FALSE").await;
    assert_eq!(retry(&world, 0).await, "");
}

#[tokio::test]
async fn three_refusals_in_a_row_hold_the_creator_and_a_good_one_ends_the_row() {
    for (codes, held) in [
        (vec!["payouts_not_allowed"; 3], true),
        (vec!["payouts_not_allowed"; 2], false),
        (vec!["payouts_not_allowed", "payouts_not_allowed", "", "payouts_not_allowed"], false),
    ] {
        let mut world = World::with(&[5_000]).await;
        for (day, code) in (2..).zip(&codes) {
            if !code.is_empty() {
                world.stripe.trouble(None, 1, refusal(code));
            }
            world.run(day, RunKind::Manual).await;
            world.settle().await;
            world.earn(0, 4_000).await;
            world.advance(2 * super::world::SETTLE_MS.cast_signed()).await;
            world.deliver().await;
            world.settle().await;
        }
        let expected: &[&str] = if held { &["refusals"] } else { &[] };
        assert_eq!(world.held(0).await, expected, "{codes:?}");
        world.check().await;
    }
}
