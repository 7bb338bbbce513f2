//! A creator gets a second account: that one is paid from then on. What lies on the older one stays there, what is on its way finishes.
use super::world::{SETTLE_MS, World, account, ann, creator, imported};
use crate::databases::Database;
use payout_shared::{
    id::AccountId,
    run::{RunKind, RunState},
};
use payoutd::store::door_types::EarningRow;
use stripe_twin::AccountSpec;

const NEW: &str = "acct_new";

/// An account of creator 0 at Stripe, and its first sale in a file.
async fn second_account(world: &World, minor: i64) {
    let spec = AccountSpec::new(NEW, "US", "usd", minor + 100_000);
    world.stripe.twin.add_accounts(vec![spec]).unwrap();
    let row = EarningRow { source_id: "ch_new".to_owned(), account: AccountId::new(NEW), ..imported(0, minor) };
    world.store.import_earnings(&[row], "new.csv", &ann(), |_| ()).await.unwrap();
}

fn paid(world: &World, account: &str) -> Vec<i64> {
    world.stripe.twin.ledger().into_iter().filter(|row| row.account == account).map(|row| row.amount).collect()
}

async fn outcome(world: &World, account: &str) -> String {
    let query = format!(
        "SELECT o.reason FROM run_outcomes o JOIN payout_runs r ON r.id = o.run_id WHERE o.account_id = '{account}' \
         ORDER BY r.cycle_date DESC, r.number DESC LIMIT 1"
    );
    world.probe.texts(&query).await[0][0].clone()
}

async fn done(world: &mut World, day: i8) {
    let run = world.run(day, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

async fn the_older_account_keeps_what_lies_on_it(database: Database) -> World {
    let mut world = World::on(database, &[3_000, 6_000]).await;
    second_account(&world, 2_000).await;
    let told = "SELECT reason FROM journal WHERE action = 'account.replaced'";
    assert_eq!(world.probe.texts(told).await, [["earnings were imported of a new account"]]);
    done(&mut world, 2).await;
    assert_eq!((paid(&world, &account(0)), paid(&world, NEW)), (vec![], vec![2_000]));
    assert_eq!(outcome(&world, &account(0)).await, "account_replaced");
    // A person may pay from the older one again; the newer one waits meanwhile.
    let (old, by) = (AccountId::new(account(0)), ann());
    let set = world.store.use_account(&creator(0), &old, "what lies there", &by).await.unwrap();
    assert_eq!((set.0.already, set.1), (false, 1), "the payout of the newer one is on its way");
    let again = world.store.use_account(&creator(0), &old, "what lies there", &by).await.unwrap();
    assert!(again.0.already && again.0.seq == set.0.seq);
    let error = world.store.use_account(&creator(1), &old, "a mistake", &by).await.unwrap_err().to_string();
    assert!(error.contains("account acct_000 is none of creator creator001's (acct_001)"), "{error}");
    done(&mut world, 3).await;
    assert_eq!((paid(&world, &account(0)), paid(&world, NEW)), (vec![3_000], vec![2_000]));
    world
}

#[tokio::test]
async fn what_lies_on_the_older_account_is_not_paid_from_the_newer_one() {
    Box::pin(the_older_account_keeps_what_lies_on_it(Database::sqlite())).await;
}

#[tokio::test]
async fn what_lies_on_the_older_account_is_not_paid_from_the_newer_one_on_postgresql() {
    Box::pin(the_older_account_keeps_what_lies_on_it(Database::postgres().await)).await.database.drop_it().await;
}

#[tokio::test]
async fn a_payout_planned_on_the_older_account_is_voided_at_its_send() {
    let mut world = World::with(&[3_000, 6_000]).await;
    let run = world.planned().await;
    second_account(&world, 2_000).await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", "account_replaced"));
    assert_eq!(
        (paid(&world, &account(0)), paid(&world, NEW), paid(&world, &account(1))),
        (vec![], vec![], vec![6_000])
    );
    world.books_equal().await;
    done(&mut world, 2).await;
    assert_eq!((paid(&world, &account(0)), paid(&world, NEW)), (vec![], vec![2_000]));
}

#[tokio::test]
async fn a_payout_that_is_on_its_way_from_the_older_account_finishes() {
    let mut world = World::with(&[3_000]).await;
    world.scheduled().await;
    world.settle().await;
    second_account(&world, 2_000).await;
    world.advance(SETTLE_MS.cast_signed() * 2).await;
    world.deliver().await;
    done(&mut world, 2).await;
    let states = "SELECT account_id || ' ' || state FROM creator_payouts ORDER BY account_id";
    assert_eq!(world.probe.texts(states).await, [["acct_000 paid"], ["acct_new pending"]]);
}
