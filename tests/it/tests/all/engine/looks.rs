//! Each purse is looked at before its payout leaves: never more than Stripe holds, nothing beside what others paid out of it.
use super::{
    webhooks::by_hand,
    world::{World, account},
};
use crate::databases::policies;
use payout_shared::{
    run::{RunKind, RunState},
    short::FRESH_MS,
};
use payoutd::stripe::ReadError;
use stripe_twin::AccountChange;

/// Money comes to creator n's balance at Stripe, or leaves it, past the books.
fn credit(world: &World, n: usize, minor: i64) {
    let change = AccountChange { credit: [("usd".to_owned(), minor)].into(), ..AccountChange::default() };
    world.stripe.twin.change_account(&account(n), change).unwrap();
}

fn amounts(world: &World, n: usize) -> Vec<i64> {
    world.executed(n).iter().map(|row| row.amount).collect()
}

async fn done(world: &mut World, day: i8) -> payoutd::store::types::RunRow {
    let run = world.run(day, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.wrong(), Vec::<String>::new());
    run
}

#[tokio::test]
async fn where_stripe_holds_less_the_oldest_entries_that_fit_are_paid_and_the_rest_later() {
    let mut world = World::with(&[3_000, 6_000]).await;
    world.earn(0, 2_000).await;
    // 30.00 and 20.00 were earned: 40.00 are there.
    credit(&world, 0, -99_000);
    done(&mut world, 2).await;
    assert_eq!((amounts(&world, 0), amounts(&world, 1)), (vec![3_000], vec![6_000]));
    let keys = world.stripe.left().into_iter().map(|(key, _)| key).filter(|key| key.contains("acct_000"));
    assert!(keys.collect::<Vec<_>>()[0].ends_with(":create:2:1"), "planned again under a key of its own");
    let states = "SELECT number || ' ' || state || ' ' || amount_minor FROM creator_payouts WHERE account_id = 'acct_000' ORDER BY number";
    assert_eq!(world.probe.texts(states).await, [["1 voided 5000"], ["2 pending 3000"]]);
    world.books_equal().await;
    // The money came, the first payout arrived: the rest is paid.
    credit(&world, 0, 50_000);
    world.advance(super::world::SETTLE_MS.try_into().unwrap()).await;
    world.deliver().await;
    world.settle().await;
    done(&mut world, 3).await;
    assert_eq!(amounts(&world, 0), [3_000, 2_000]);
    world.books_equal().await;
}

#[tokio::test]
async fn by_the_other_policy_a_purse_of_which_stripe_holds_less_is_skipped() {
    let mut world = World::with(&[3_000, 6_000]).await;
    policies(&world.store, &[("short", "skip")]).await;
    credit(&world, 0, -100_001);
    done(&mut world, 2).await;
    assert_eq!(
        (world.reason(0).await.as_str(), amounts(&world, 0), amounts(&world, 1)),
        ("stripe_short", vec![], vec![6_000])
    );
    world.books_equal().await;
}

#[tokio::test]
async fn a_payout_that_somebody_made_at_stripe_bars_its_purse_until_somebody_adopts_it() {
    let mut world = World::with(&[3_000, 6_000]).await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    done(&mut world, 2).await;
    assert_eq!((world.reason(0).await.as_str(), amounts(&world, 0)), ("foreign_payout", vec![700]));
    assert_eq!(amounts(&world, 1), [6_000]);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.foreign'").await, 1);
    done(&mut world, 3).await;
    assert_eq!((world.reason(0).await.as_str(), amounts(&world, 0)), ("foreign_payout", vec![700]));
}

#[tokio::test]
async fn what_was_paid_before_this_database_was_there_is_not_ours_to_judge() {
    let mut world = World::with(&[3_000]).await;
    by_hand(&world, 0, "the-old-system", "amount=700&currency=usd");
    world.advance(5_000).await;
    world.database.execute(&format!("UPDATE daemon_state SET created_at_ms = {}", world.clock.now_ms())).await;
    // Its event comes all the same.
    world.deliver().await;
    done(&mut world, 2).await;
    assert_eq!(amounts(&world, 0), [700, 3_000]);
}

#[tokio::test]
async fn a_look_that_goes_on_failing_stops_nobody_else_and_says_so_in_the_row() {
    for error in [ReadError::Unreadable("a teapot".to_owned()), ReadError::Unreachable("a teapot".to_owned())] {
        let mut world = World::of(4).await;
        let run = world.planned().await;
        world.stripe.trouble_read(Some(&account(0)), 1_000, error);
        world.resume(&run).await;
        world
            .until("the others", async |world| {
                world.stripe.left().len() == 3 && world.payout_column(0, "COALESCE(cause, '')").await == "not_read"
            })
            .await;
        assert!(world.payout_column(0, "failure_reason").await.contains("a teapot"));
        assert!(world.payout_column(0, "not_before_ms").await.parse::<i64>().unwrap() > world.clock.now_ms());
        world.stripe.heal();
        world.settle().await;
        assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
        assert_eq!(world.payout_column(0, "COALESCE(cause, '')").await, "");
        world.books_equal().await;
    }
}

#[tokio::test]
async fn an_account_that_may_not_be_read_is_not_paid() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world.stripe.trouble_read(Some(&account(0)), 2, ReadError::NoAccess("gone".to_owned()));
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.reason(0).await.as_str(), world.stripe.left().len()), ("payouts_disabled", 1));
    world.books_equal().await;
}

/// Also when nobody told us: the account was read a day ago, and is read again before the send.
#[tokio::test]
async fn an_account_of_which_we_know_something_old_is_read_again_before_the_send() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    let off = AccountChange { payouts_enabled: Some(false), ..AccountChange::default() };
    world.stripe.twin.change_account(&account(0), off).unwrap();
    let _never_told = world.stripe.twin.take_events();
    world.advance(world.settings.account_stale_ms + 1_000).await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.reason(0).await.as_str(), world.stripe.left().len()), ("payouts_disabled", 1));
}

#[tokio::test]
async fn nothing_leaves_on_a_look_that_has_grown_old() {
    let mut world = World::of(1).await;
    let run = world.planned().await;
    let (fence, _) = world.store.lease_acquire("look", 60_000, true).await.unwrap().unwrap();
    world.look(fence).await;
    world.advance(FRESH_MS + 1).await;
    world.resume(&run).await;
    let seen = world.store.ahead(&run.id, 0, 10, false).await.unwrap();
    assert_eq!(seen.iter().map(|payout| payout.checked).collect::<Vec<_>>(), [false]);
    world.look(fence).await;
    assert!(world.store.ahead(&run.id, 0, 10, false).await.unwrap()[0].checked);
    world.store.pause_all(&super::world::ann(), "panic").await.unwrap();
    assert!(world.store.ahead(&run.id, 0, 10, false).await.unwrap().is_empty(), "nothing is read for what can't leave");
}

#[tokio::test]
async fn what_stripe_holds_beyond_or_below_the_books_is_told_once_a_change() {
    let mut world = World::with(&[3_000, 6_000]).await;
    world.settings.drift_tolerance_minor = 100;
    credit(&world, 0, -100_101);
    credit(&world, 1, -99_900);
    let told = async |world: &World| {
        world.probe.texts("SELECT reason FROM journal WHERE action = 'purse.drift' ORDER BY seq").await.concat()
    };
    done(&mut world, 2).await;
    assert_eq!(
        told(&world).await,
        ["Stripe holds less than the books say: -1.01 USD"],
        "and 1.00 USD is within the tolerance"
    );
    assert!(
        world
            .health
            .sentences()
            .iter()
            .any(|said| said.contains("in 1 purses") && said.contains("-1.01 USD on acct_000"))
    );
    world.advance(FRESH_MS + 1).await;
    done(&mut world, 3).await;
    let looked = world.probe.number("SELECT read_at_ms FROM purse_checks WHERE account_id = 'acct_000'").await;
    assert!(looked > crate::databases::START_MS + FRESH_MS, "it was looked at again");
    assert_eq!(told(&world).await.len(), 1, "the same is not told again");
    // 20.00 more than the books say now: never paid.
    credit(&world, 0, 3_101);
    world.earn(0, 1_000).await;
    world.advance(FRESH_MS + 1).await;
    done(&mut world, 4).await;
    assert_eq!(amounts(&world, 0), [4_000]);
    assert_eq!(told(&world).await.last().unwrap(), "Stripe holds 20.00 USD more than the books say: it is never paid");
    credit(&world, 0, -1_000);
    world.earn(0, 1_000).await;
    world.advance(super::world::SETTLE_MS.try_into().unwrap()).await;
    world.deliver().await;
    world.settle().await;
    done(&mut world, 5).await;
    assert_eq!(told(&world).await.last().unwrap(), "Stripe holds what the books say again");
    assert!(world.health.sentences().is_empty(), "{:?}", world.health.sentences());
}

#[tokio::test]
async fn a_policy_says_how_far_balance_and_books_may_be_apart() {
    let mut world = World::with(&[3_000, 6_000]).await;
    world.settings.drift_tolerance_minor = 100;
    policies(&world.store, &[("drift_tolerance.usd", "5.00")]).await;
    credit(&world, 0, -100_500);
    credit(&world, 1, -100_501);
    done(&mut world, 2).await;
    let told = world.probe.texts("SELECT reason FROM journal WHERE action = 'purse.drift' ORDER BY seq").await.concat();
    assert_eq!(told, ["Stripe holds less than the books say: -5.01 USD"]);
}
