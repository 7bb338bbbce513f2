//! What people set counts at the next page and the next send; money that Stripe won't hold for longer is paid; who isn't paid is told.
use super::world::{World, ann};
use payout_shared::{
    policy::{PolicyName, PolicyValue},
    run::RunState,
};
use payoutd::{health::Topic, store::door_types::PolicySetting};

impl World {
    pub(super) async fn set_policy(&self, name: &str, value: &str) {
        let name = PolicyName::parse(name).unwrap();
        let value = PolicyValue::parse(name, value).unwrap();
        let setting = PolicySetting { name, value, effective_from_ms: None, reason: "a test".to_owned() };
        self.store.set_policy(&setting, &ann()).await.unwrap();
    }

    /// What creators earned has been available for so many days.
    async fn available_days_ago(&self, days: i64) {
        let since = self.clock.now_ms() - days * 86_400_000;
        let sql = format!("UPDATE creator_earnings SET available_on_ms = {since}, earned_at_ms = {since}");
        self.database.execute(&sql).await;
    }
}

#[tokio::test]
async fn a_minimum_that_is_set_counts_for_the_next_plan() {
    let mut world = World::with(&[5_000, 6_000]).await;
    world.set_policy("minimum.usd", "55.00").await;
    world.scheduled().await;
    world.settle().await;
    assert_eq!((world.reason(0).await.as_str(), world.executed(1).len()), ("below_minimum", 1));
    world.books_equal().await;
}

#[tokio::test]
async fn the_country_of_the_account_has_a_floor_of_its_own() {
    let mut world = World::with(&[5_000]).await;
    world.set_policy("country_minimum.US.usd", "60.00").await;
    world.set_policy("country_minimum.DE.usd", "70.00").await;
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.reason(0).await, "below_minimum");
    let said = world.probe.texts("SELECT sentence FROM run_outcomes").await;
    assert_eq!(said[0][0], "needs 10.00 USD more to reach the 60.00 USD minimum");
    world.books_equal().await;
}

/// Planned under a short wait, and then the wait is made longer: the guard of the send has the last word.
#[tokio::test]
async fn a_policy_that_is_set_after_the_plan_counts_at_the_send() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world
        .database
        .execute("UPDATE account_banks SET changed_at_ms = 1796000000000 WHERE account_id = 'acct_000'")
        .await;
    world.set_policy("bank_changed_days", "30").await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", "bank_changed"));
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 1));
    world.books_equal().await;
}

#[tokio::test]
async fn money_that_stripe_will_not_hold_until_the_next_cycle_is_paid_below_the_minimum() {
    for (days, paid) in [(712, 0), (714, 1)] {
        let mut world = World::with(&[500]).await;
        world.available_days_ago(days).await;
        world.scheduled().await;
        world.settle().await;
        assert_eq!(world.executed(0).len(), paid, "after {days} days in the United States");
        world.books_equal().await;
    }
}

#[tokio::test]
async fn money_near_stripes_limit_that_is_not_paid_is_told_until_a_plan_pays_it() {
    let mut world = World::with(&[500, 5_000]).await;
    world.available_days_ago(600).await;
    world.set_policy("minimum.usd", "20.00").await;
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.executed(1).len(), 1);
    let told = "SELECT reason FROM journal WHERE action = 'purse.holding_limit'";
    let rows = world.probe.texts(told).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0][0].contains("below_minimum") && rows[0][0].contains("730 days"), "{rows:?}");
    world.step().await;
    assert!(world.health.is_bad(Topic::Holding));
    // A restart knows it too.
    world.crash();
    world.health.good(Topic::Holding);
    world.step().await;
    assert!(world.health.is_bad(Topic::Holding));
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.set_policy("minimum.usd", "1.00").await;
    world.run(15, payout_shared::run::RunKind::Scheduled).await;
    world.settle().await;
    world.step().await;
    assert_eq!((world.executed(0).len(), world.health.is_bad(Topic::Holding)), (1, false));
    world.books_equal().await;
}
