//! A run pays each eligible purse once, and each purse that was considered has exactly one outcome.
use super::{
    trouble::Trouble,
    world::{World, account},
};
use payout_shared::{
    plan::Decision,
    run::{RunKind, RunState},
};
use payoutd::stripe::ReadError;

#[tokio::test]
async fn a_run_pays_every_eligible_purse_once() {
    let mut world = World::with(&[5_000, 999, 1_000, 12_345]).await;
    world.settings.plan_page = 3;
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    for (n, amount) in [(0, Some(5_000)), (1, None), (2, Some(1_000)), (3, Some(12_345))] {
        let paid: Vec<i64> = world.executed(n).iter().map(|row| row.amount).collect();
        assert_eq!(paid, amount.into_iter().collect::<Vec<_>>(), "creator {n}");
    }
    assert_eq!(world.reason(1).await, "below_minimum");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM run_outcomes").await, 4);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM run_outcomes WHERE payout_id IS NOT NULL").await, 3);
    assert_eq!(world.stripe.left().len(), 3);
    world.books_equal().await;
}

#[tokio::test]
async fn a_second_run_of_the_same_day_pays_nothing_again() {
    let mut world = World::of(3).await;
    world.scheduled().await;
    world.settle().await;
    world.run(1, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 3);
    assert_eq!(
        world.probe.number("SELECT COUNT(*) FROM run_outcomes").await,
        3,
        "a purse without a free entry isn't considered"
    );
    world.books_equal().await;
}

#[tokio::test]
async fn a_dry_run_is_the_real_plan_and_writes_nothing() {
    let mut world = World::with(&[5_000, 999, 1_000, 12_345]).await;
    let run = world.scheduled().await;
    // The first step asks for the accounts, the second one records them: paused in between, nothing is planned.
    world.step().await;
    world.pause(&run).await;
    world.step().await;
    let counts = "SELECT (SELECT COUNT(*) FROM creator_payouts) + (SELECT COUNT(*) FROM payout_items) \
                  + (SELECT COUNT(*) FROM run_outcomes) + (SELECT COUNT(*) FROM creator_earnings) + (SELECT COUNT(*) FROM payout_runs)";
    let before = (world.store.journal_head().await.unwrap(), world.probe.number(counts).await);
    let context = world.store.plan_context().await.unwrap();
    let dry = world.store.preview_page(run.cutoff_ms, run.instant_ms, None, "", 100, &context).await.unwrap();
    assert_eq!((world.store.journal_head().await.unwrap(), world.probe.number(counts).await), before);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_payouts").await, 0, "the dry run came first");
    world.resume(&run).await;
    world.settle().await;
    for purse in &dry.purses {
        let real: Vec<i64> = world
            .stripe
            .twin
            .ledger()
            .iter()
            .filter(|row| row.account == purse.account.as_str())
            .map(|row| row.amount)
            .collect();
        let planned: Vec<i64> = match &purse.decision {
            Decision::Pay { amount, .. } => vec![amount.minor],
            Decision::Skip { .. } => Vec::new(),
        };
        assert_eq!(real, planned, "{}", purse.account);
    }
    assert_eq!(dry.purses.len(), 4);
    assert_eq!(dry.purses[3].account.as_str(), account(3));
    world.books_equal().await;
}

#[tokio::test]
async fn a_purse_that_is_being_paid_is_not_planned_again() {
    let mut world = World::of(1).await;
    world.scheduled().await;
    world.settle().await;
    world.earn(0, 7_000).await;
    world.run(1, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.reason(0).await, "active_payout");
    assert_eq!(world.stripe.left().len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn a_creator_whose_settings_cannot_be_read_stops_nobody_else() {
    let mut world = World::of(3).await;
    world
        .database
        .execute("UPDATE creator_payout_settings SET minimum_payout_amount = '12.345' WHERE creator_id = 'creator001'")
        .await;
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.left().len(), 2);
    assert_eq!(world.reason(1).await, "held");
    world.books_equal().await;
}

#[tokio::test]
async fn settings_that_break_after_the_plan_stop_nobody_else() {
    let mut world = World::of(3).await;
    let run = world.planned().await;
    world
        .database
        .execute("UPDATE creator_payout_settings SET minimum_payout_amount = '12.345' WHERE creator_id = 'creator001'")
        .await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 2);
    assert_eq!((world.payout(1).await.as_str(), world.reason(1).await.as_str()), ("voided", "held"));
    world.books_equal().await;
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_up_nobody_else() {
    let mut world = World::of(3).await;
    let why = ReadError::Unreadable("a page of HTML".to_owned());
    world.stripe.trouble_read(Some(&account(1)), usize::MAX, why);
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.left().len(), 2);
    assert_eq!(world.reason(1).await, "payouts_disabled");
    world.books_equal().await;
}

#[tokio::test]
async fn a_stripe_that_is_down_makes_planning_wait_and_nobody_is_skipped() {
    let mut world = World::of(3).await;
    world.stripe.trouble_read(None, 40, ReadError::Unreachable("connection refused".to_owned()));
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.left().len(), 3);
    world.books_equal().await;
}

#[tokio::test]
async fn an_engine_whose_requests_all_hang_sleeps_until_an_answer_comes() {
    let mut world = World::of(3).await;
    world.rates.create_concurrency = 1;
    world.stripe.trouble(None, 1, Trouble::HeldAfter);
    world.scheduled().await;
    world.until("one on the wire", async |world| world.stripe.left().len() == 1).await;
    let next = world.step().await;
    let sleeps_ms = next.ms_since(world.clock.boot());
    assert!(sleeps_ms >= 500, "it comes again in {sleeps_ms} ms, and again, as long as Stripe is slow");
}
