//! Many accounts are read by pages of a hundred, few one by one; what is listed and isn't ours is ignored.
use super::world::{World, account};
use payout_shared::run::RunState;
use payoutd::stripe::ReadError;
use stripe_twin::{AccountChange, AccountSpec};

const MANY: usize = 130;

fn asked(world: &World, endpoint: &str) -> usize {
    world.stripe.asked().iter().filter(|(_, asked)| *asked == endpoint).count()
}

#[tokio::test]
async fn many_old_accounts_are_read_by_pages_and_strangers_are_ignored() {
    let mut world = World::with(&[5_000; MANY]).await;
    world
        .stripe
        .twin
        .add_accounts((0..100).map(|n| AccountSpec::new(&format!("acct_stranger{n}"), "US", "usd", 0)).collect())
        .unwrap();
    let off = AccountChange { payouts_enabled: Some(false), ..AccountChange::default() };
    world.stripe.twin.change_account(&account(7), off).unwrap();
    let run = world.planned().await;
    assert_eq!((asked(&world, "accounts"), asked(&world, "account")), (3, 0), "230 accounts are three pages");
    let known = "SELECT COUNT(*) FROM creator_stripe_accounts";
    assert_eq!(world.probe.number(known).await, i64::try_from(MANY).unwrap());
    assert_eq!(world.reason(7).await, "payouts_disabled", "a page says as much as a single read");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_payouts").await, i64::try_from(MANY).unwrap() - 1);
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

#[tokio::test]
async fn few_old_accounts_are_read_one_by_one() {
    let mut world = World::of(90).await;
    world.planned().await;
    assert_eq!((asked(&world, "accounts"), asked(&world, "account")), (0, 90));
}

#[tokio::test]
async fn pages_that_cannot_be_had_leave_the_accounts_to_single_reads() {
    let mut world = World::with(&[5_000; MANY]).await;
    world.stripe.trouble_read(Some("all accounts"), 1_000, ReadError::Unreachable("no".to_owned()));
    world.planned().await;
    assert_eq!((asked(&world, "accounts"), asked(&world, "account")), (5, MANY));
}
