//! The guard of every send: what has changed since the plan bars the payout, with its reason, and frees its entries.
use super::{
    again::refusal,
    trouble::Trouble,
    world::{World, account, ann, creator},
};
use crate::databases::Database;
use payout_shared::run::RunState;
use payoutd::store::door_types::Definition;
use stripe_twin::{AccountChange, BankSpec};

/// Plans three, lets `change` happen to the first creator, and lets the run go on: the first gets nothing, for this reason.
async fn barred(reason: &str, change: impl AsyncFnOnce(&mut World)) -> World {
    let mut world = World::of(3).await;
    let run = world.planned().await;
    change(&mut world).await;
    world.deliver().await;
    world.steps(2).await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", reason));
    assert!(world.executed(0).is_empty());
    assert_eq!(world.stripe.left().len(), 2);
    let locked = "SELECT COUNT(*) FROM payout_items i JOIN creator_payouts p ON p.id = i.payout_id \
                  WHERE p.state = 'voided' AND i.released_at_ms IS NULL";
    assert_eq!(world.probe.number(locked).await, 0);
    world.books_equal().await;
    world
}

#[tokio::test]
async fn a_creator_held_after_the_plan_gets_nothing() {
    let mut world = barred("held", async |world| {
        world.store.hold(&creator(0), "fraud", "looks odd", &ann()).await.unwrap();
    })
    .await;
    // Released, the next run pays what this one didn't.
    world.store.release_hold(&creator(0), "fraud", "it was fine", &ann()).await.unwrap();
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn a_creator_switched_off_after_the_plan_gets_nothing() {
    barred("creator_disabled", async |world| {
        world.database.execute("UPDATE users SET payout_enabled = FALSE WHERE supabase_id = 'creator000'").await;
    })
    .await;
    barred("settings_disabled", async |world| {
        world
            .database
            .execute("UPDATE creator_payout_settings SET payout_enabled = FALSE WHERE creator_id = 'creator000'")
            .await;
    })
    .await;
}

/// Makes a list of these creators and opens it.
async fn open_cohort(world: &World, name: &str, creators: &[usize]) {
    let of = Definition::List(creators.iter().map(|n| creator(*n)).collect());
    world.store.create_cohort(name, &of, &ann(), "rollout").await.unwrap();
    let open = world.store.cohorts().await.unwrap().into_iter().filter(|cohort| cohort.is_open).collect();
    let judged = world.store.judge_cohorts(open).await.unwrap();
    world.store.open_cohort(name, &judged, &serde_json::Value::Null, &ann(), "go").await.unwrap();
}

#[tokio::test]
async fn a_creator_whom_the_rollout_leaves_out_after_the_plan_gets_nothing() {
    let mut world = barred("not_in_cohort", async |world| open_cohort(world, "others", &[1, 2]).await).await;
    let sentence = "SELECT sentence FROM run_outcomes WHERE account_id = 'acct_000'";
    assert!(world.probe.texts(sentence).await[0][0].contains("no cohort has them"));
    // Opened for them too, the next run pays what this one didn't.
    open_cohort(&world, "last", &[0]).await;
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn a_cohort_closed_in_the_middle_of_a_run_counts_at_the_next_send() {
    barred("not_in_cohort", async |world| {
        open_cohort(world, "others", &[1, 2]).await;
        open_cohort(world, "first", &[0]).await;
        world.store.close_cohort("first", &ann(), "back").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_account_disabled_after_the_plan_gets_nothing() {
    barred("payouts_disabled", async |world| {
        let change = AccountChange { payouts_enabled: Some(false), ..Default::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_account_put_on_a_schedule_after_the_plan_gets_nothing() {
    barred("schedule_not_manual", async |world| {
        let change = AccountChange { schedule: Some("daily".to_owned()), ..Default::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_bank_account_replaced_after_the_plan_gets_nothing() {
    barred("bank_changed", async |world| {
        let bank = BankSpec { id: Some("ba_thief".to_owned()), ..Default::default() };
        let change = AccountChange { banks: Some(vec![bank]), ..Default::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
    })
    .await;
}

/// However old the news: an event that was late says nothing about now.
#[tokio::test]
async fn an_old_event_of_an_account_does_not_undo_a_newer_one() {
    barred("payouts_disabled", async |world| {
        let on =
            AccountChange { payouts_enabled: Some(true), disabled_reason: Some("x".to_owned()), ..Default::default() };
        world.stripe.twin.change_account(&account(0), on).unwrap();
        let old = world.stripe.twin.take_events();
        world.advance(5_000).await;
        let off = AccountChange { payouts_enabled: Some(false), ..Default::default() };
        world.stripe.twin.change_account(&account(0), off).unwrap();
        world.deliver().await;
        for event in &old {
            world.put(event).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_entry_that_takes_money_back_after_the_plan_makes_a_second_smaller_payout_under_a_key_of_its_own() {
    for later_ms in [0, 1_500] {
        let mut world = World::with(&[5_000, 6_000]).await;
        let run = world.planned().await;
        world.advance(later_ms).await;
        world.refund(0, 1_500).await;
        world.resume(&run).await;
        world.settle().await;
        assert_eq!(world.state(&run).await, RunState::Completed);
        let paid: Vec<i64> = world.executed(0).iter().map(|row| row.amount).collect();
        assert_eq!(paid, [3_500], "{later_ms} ms after the plan");
        let keys: Vec<String> =
            world.stripe.left().into_iter().map(|(key, _)| key).filter(|key| key.contains("acct_000")).collect();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].ends_with(":create:2:1"), "{}", keys[0]);
        let states = "SELECT number || ' ' || state FROM creator_payouts WHERE account_id = 'acct_000' ORDER BY number";
        assert_eq!(world.probe.texts(states).await, [["1 voided"], ["2 pending"]]);
        assert_eq!(world.probe.number("SELECT COUNT(*) FROM run_outcomes").await, 2);
        world.books_equal().await;
    }
}

/// The wall clock was set back between the plan and the refund.
#[tokio::test]
async fn an_entry_that_takes_money_back_counts_whatever_the_clock_says() {
    let mut world = World::with(&[5_000]).await;
    let run = world.planned().await;
    world.hand.jump_wall(-30_000);
    world.refund(0, 1_500).await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.executed(0).iter().map(|row| row.amount).collect::<Vec<_>>(), [3_500]);
    world.books_equal().await;
}

#[tokio::test]
async fn an_entry_that_takes_nearly_all_back_leaves_a_skip() {
    let mut world = World::with(&[5_000]).await;
    let run = world.planned().await;
    world.refund(0, 4_500).await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.reason(0).await.as_str(), world.stripe.left().len()), ("below_minimum", 0));
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

/// The first of two payouts met a limit and was put back; then an entry took some of it back, and everything came to rest.
async fn put_back_and_smaller(limit: Trouble) -> World {
    let mut world = World::with(&[5_000, 6_000]).await;
    world.stripe.trouble(Some(&account(0)), 1, limit);
    world.scheduled().await;
    world
        .until("put back", async |world| {
            world.payout_column(0, "attempts").await == "1" && world.payout(0).await == "planned"
        })
        .await;
    world.refund(0, 1_000).await;
    world.settle().await;
    world
}

#[tokio::test]
async fn a_put_back_payout_meets_the_guard_again() {
    let world = put_back_and_smaller(Trouble::Limited).await;
    assert_eq!(world.executed(0).iter().map(|row| row.amount).collect::<Vec<_>>(), [4_000]);
    world.books_equal().await;
}

/// What Stripe's limit refused may have been executed nevertheless, by a copy that the network made: only Stripe can tell.
#[tokio::test]
async fn earnings_of_a_payout_that_was_sent_and_given_up_leave_again_only_after_a_look_that_is_newer() {
    let world = put_back_and_smaller(Trouble::LimitedThenCopied).await;
    assert_eq!(world.executed(0).iter().map(|row| row.amount).collect::<Vec<_>>(), [5_000], "paid twice");
    assert_eq!(world.executed(1).len(), 1, "the others are paid");
    assert_eq!(world.held(0).await, ["late_execution"]);
    let told = "SELECT COUNT(*) FROM journal WHERE action = 'payout.late_execution'";
    assert_eq!(world.probe.number(told).await, 1);
}

/// A payout, or its second try, meets a limit while a copy of it is executed; that is canceled at Stripe and the payout given up, before
/// Stripe's word of either comes. The copy's money is back: nothing follows from it.
async fn canceled_before_it_was_heard_of(database: Database, again: bool) -> World {
    let mut world = World::on(database, &[5_000, 6_000]).await;
    if again {
        world.stripe.trouble(Some(&account(0)), 1, refusal("balance_insufficient"));
    }
    world.stripe.trouble(Some(&account(0)), 1, Trouble::LimitedThenCopied);
    let run = world.scheduled().await;
    if again {
        world.settle().await;
        world.wait_minutes(15).await;
    }
    let (number, given_up) = if again { ("2", "failed") } else { ("1", "voided") };
    world
        .until("put back", async |world| {
            world.payout_column(0, "attempts").await == number && world.payout(0).await == "planned"
        })
        .await;
    world.pause(&run).await;
    let copy = world.executed(0)[0].id.clone();
    world.stripe.somebody_of(Some(&account(0)), &format!("/v1/payouts/{copy}/cancel"), "").unwrap();
    let late = world.stripe.twin.take_events();
    super::rollback::confirm(&world, &run).await;
    world.settle().await;
    for event in late.iter().filter(|event| event.kind == "payout.canceled") {
        world.put(event).await;
    }
    world.settle().await;
    let heard = format!(
        "SELECT COUNT(*) FROM payout_attempts WHERE stripe_object_id = '{copy}' AND object_status = 'canceled'"
    );
    assert_eq!(world.probe.number(&heard).await, 1);
    let stands = "state || ', ' || COALESCE(stripe_payout_id, 'none') || CASE WHEN released_at_ms IS NULL THEN '' ELSE ', free' END";
    assert_eq!(world.payout_column(0, stands).await, format!("{given_up}, none, free"));
    assert!(world.held(0).await.is_empty(), "{:?}", world.held(0).await);
    world.books_equal().await;
    world
}

#[tokio::test]
async fn a_copy_that_was_canceled_before_it_was_heard_of_moves_nothing_that_was_given_up() {
    for again in [false, true] {
        Box::pin(canceled_before_it_was_heard_of(Database::sqlite(), again)).await;
    }
}

#[tokio::test]
async fn a_copy_that_was_canceled_before_it_was_heard_of_moves_nothing_that_was_given_up_on_postgres_too() {
    for again in [false, true] {
        Box::pin(canceled_before_it_was_heard_of(Database::postgres().await, again)).await.database.drop_it().await;
    }
}

#[tokio::test]
async fn an_unknown_payout_whose_guard_is_shut_is_listed_and_not_sent_again() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    world.store.hold(&creator(0), "fraud", "looks odd", &ann()).await.unwrap();
    for _ in 0..600 {
        world.step().await;
        world.advance(1_000).await;
    }
    assert_eq!((world.payout(0).await.as_str(), world.stripe.left().len()), ("unknown", 1));
    assert!(world.stripe.listings() > 3, "{} listings", world.stripe.listings());
    world.store.release_hold(&creator(0), "fraud", "it was fine", &ann()).await.unwrap();
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
    world.books_equal().await;
}
