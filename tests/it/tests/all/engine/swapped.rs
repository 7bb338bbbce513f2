//! A bank account that was swapped, a schedule that isn't manual: judged by the plan and by the guard of every send. What may have been
//! executed already isn't sent again then, only looked for.
use super::{
    trouble::Trouble,
    world::{SETTLE_MS, World, account, ann, creator, imported},
};
use payout_shared::{
    id::AccountId,
    run::{RunKind, RunState},
};
use payoutd::store::door_types::EarningRow;
use stripe_twin::{AccountChange, BankSpec};

const DAY_MS: i64 = 86_400_000;

fn change(world: &World, change: AccountChange) {
    world.stripe.twin.change_account(&account(0), change).unwrap();
}

fn swap_bank(world: &World, id: &str) {
    let bank = BankSpec { id: Some(id.to_owned()), ..BankSpec::default() };
    change(world, AccountChange { banks: Some(vec![bank]), ..AccountChange::default() });
}

fn schedule(world: &World, interval: &str) {
    change(world, AccountChange { schedule: Some(interval.to_owned()), ..AccountChange::default() });
}

/// A send of which nobody knows the outcome; then something changes, and for ten minutes it isn't sent again.
async fn only_looked_for(change: impl AsyncFnOnce(&World)) {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    change(&world).await;
    world.deliver().await;
    for _ in 0..600 {
        world.step().await;
        world.advance(1_000).await;
    }
    assert_eq!((world.payout(0).await.as_str(), world.stripe.left().len()), ("unknown", 1));
    assert!(world.stripe.listings() > 3, "{} listings", world.stripe.listings());
    world.check().await;
}

#[tokio::test]
async fn an_unknown_payout_whose_bank_account_was_swapped_is_only_looked_for() {
    only_looked_for(async |world| swap_bank(world, "ba_other")).await;
}

#[tokio::test]
async fn an_unknown_payout_whose_account_was_put_on_a_schedule_is_only_looked_for() {
    only_looked_for(async |world| schedule(world, "weekly")).await;
}

#[tokio::test]
async fn an_unknown_payout_whose_account_was_replaced_is_only_looked_for() {
    only_looked_for(async |world| {
        let row =
            EarningRow { source_id: "ch_new".to_owned(), account: AccountId::new("acct_new"), ..imported(0, 1_000) };
        world.store.import_earnings(&[row], "new.csv", &ann(), |_| ()).await.unwrap();
        assert_eq!(world.store.accounts_of(&creator(0)).await.unwrap().len(), 2);
    })
    .await;
}

/// A run of this day that pays creator 0 so many times in all.
async fn runs(world: &mut World, day: i8, payouts: usize) {
    let run = world.run(day, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.executed(0).len(), payouts, "day {day}");
    world.books_equal().await;
}

/// What is on its way arrives, and there is more to pay.
async fn go_on(world: &mut World, ms: i64) {
    world.advance(ms.max(SETTLE_MS.cast_signed() * 2)).await;
    world.deliver().await;
    world.settle().await;
}

#[tokio::test]
async fn a_swapped_bank_account_is_paid_after_its_days_and_each_swap_begins_them_anew() {
    let mut world = World::with(&[3_000]).await;
    runs(&mut world, 1, 1).await;
    swap_bank(&world, "ba_second");
    go_on(&mut world, 0).await;
    world.earn(0, 2_000).await;
    runs(&mut world, 2, 1).await;
    assert_eq!(world.reason(0).await, "bank_changed");
    go_on(&mut world, 2 * DAY_MS).await;
    swap_bank(&world, "ba_third");
    go_on(&mut world, 0).await;
    runs(&mut world, 3, 1).await;
    go_on(&mut world, 2 * DAY_MS).await;
    runs(&mut world, 4, 1).await;
    assert_eq!(world.reason(0).await, "bank_changed", "four days after the first swap, two after the second");
    go_on(&mut world, DAY_MS).await;
    runs(&mut world, 5, 2).await;
    assert_eq!(world.executed(0)[1].destination, "ba_third");
}

#[tokio::test]
async fn an_account_with_a_schedule_of_its_own_is_not_planned_until_it_is_manual_again() {
    let mut world = World::with(&[3_000]).await;
    runs(&mut world, 1, 1).await;
    schedule(&world, "daily");
    go_on(&mut world, 0).await;
    world.earn(0, 2_000).await;
    runs(&mut world, 2, 1).await;
    assert_eq!(world.reason(0).await, "schedule_not_manual");
    schedule(&world, "manual");
    go_on(&mut world, 0).await;
    runs(&mut world, 3, 2).await;
}
