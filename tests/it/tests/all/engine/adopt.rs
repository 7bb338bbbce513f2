//! Adopting: what somebody paid out at Stripe past us is taken into the books, and never paid again; where its money comes back, so do the
//! entries. Whatever order that is told in.
use super::{
    trouble::Trouble,
    webhooks::by_hand,
    world::{SETTLE_MS, World, account, ann, creator},
};
use crate::databases::Database;
use payout_shared::{
    id::{AccountId, CreatorId, ObjectId},
    run::{RunKind, RunState},
};
use payoutd::{
    store::{
        StoreError,
        types::{AdoptAsk, Adopted},
    },
    stripe::Stripe,
};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use stripe_twin::{AccountChange, BankSpec};

const LONG_MS: i64 = SETTLE_MS.cast_signed() * 2;

/// The newest payout of creator n at Stripe.
fn newest(world: &World, n: usize) -> String {
    world.executed(n).pop().unwrap().id
}

/// Adopts it as the door does: as Stripe shows it now.
async fn adopt_for(world: &World, n: usize, object: &str, creator: &CreatorId) -> Result<Adopted, StoreError> {
    let stripe = world.stripe.client_of_the_test();
    let object = stripe.payout(AccountId::new(account(n)), ObjectId::new(object)).await.unwrap();
    let context = world.store.plan_context().await.unwrap();
    let ask = AdoptAsk { object: &object, creator, context: &context, by: &ann(), reason: "paid by hand" };
    world.store.adopt(&ask).await
}

pub(super) async fn adopt(world: &World, n: usize, object: &str) -> Result<Adopted, StoreError> {
    adopt_for(world, n, object, &creator(n)).await
}

async fn refused(world: &World, n: usize, object: &str, why: &str) {
    let error = adopt(world, n, object).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)) && error.to_string().contains(why), "{error}");
}

fn amounts(world: &World, n: usize) -> Vec<i64> {
    world.executed(n).iter().map(|row| row.amount).collect()
}

async fn done(world: &mut World, day: i8) {
    let run = world.run(day, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

/// What is on its way arrives.
async fn arrive(world: &mut World) {
    world.advance(LONG_MS).await;
    world.deliver().await;
    world.settle().await;
}

async fn free(world: &World, n: usize) -> i64 {
    let query = format!(
        "SELECT COALESCE(SUM(e.amount_minor), 0) FROM creator_earnings e WHERE e.account_id = '{}' AND NOT EXISTS (SELECT 1 \
         FROM payout_items i WHERE i.earning_id = e.id AND i.released_at_ms IS NULL)",
        account(n)
    );
    world.probe.number(&query).await
}

async fn never_paid_again(database: Database) -> World {
    let mut world = World::on(database, &[3_000, 6_000]).await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    done(&mut world, 2).await;
    assert_eq!((world.reason(0).await.as_str(), amounts(&world, 0)), ("foreign_payout", vec![700]));
    let object = newest(&world, 0);
    let sentence = "SELECT sentence FROM run_outcomes WHERE account_id = 'acct_000'";
    assert!(world.probe.texts(sentence).await[0][0].contains(&format!("payout adopt {object} --creator creator000")));
    let barring = world.store.foreign_payouts(Some(&creator(0)), true, 10).await.unwrap();
    assert_eq!(barring.iter().map(|row| row.object.as_str()).collect::<Vec<_>>(), [object.as_str()]);
    let adopted = adopt(&world, 0, &object).await.unwrap();
    assert_eq!((adopted.amount.minor, adopted.entries, adopted.payable_minor), (700, 1, 3_000));
    assert_eq!((adopted.carried_minor, adopted.voided.clone(), adopted.already), (2_300, None, false));
    assert_eq!(world.store.foreign_payouts(None, true, 10).await.unwrap(), []);
    world.check().await;
    let again = adopt(&world, 0, &object).await.unwrap();
    assert_eq!(again, Adopted { already: true, ..adopted }, "nothing more was written");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.adopt'").await, 1);
    done(&mut world, 3).await;
    assert_eq!(amounts(&world, 0), [700, 2_300]);
    let kinds = "SELECT e.kind FROM payout_items i JOIN creator_payouts p ON p.id = i.payout_id JOIN creator_earnings e \
                 ON e.id = i.earning_id WHERE p.account_id = 'acct_000' AND i.released_at_ms IS NULL";
    assert_eq!(world.probe.texts(kinds).await, [["carry_in"]], "the sale is what was paid by hand");
    arrive(&mut world).await;
    world.earn(0, 2_000).await;
    world.earn(1, 2_000).await;
    done(&mut world, 4).await;
    // Stripe holds 1,000.00 more than was earned, of each: an adopted payout is no drift.
    let drift = "SELECT drift_minor FROM purse_checks ORDER BY account_id";
    assert_eq!(
        world.probe.texts(&drift.replace("drift_minor", "CAST(drift_minor AS TEXT)")).await,
        [["98000"], ["98000"]]
    );
    world
}

#[tokio::test]
async fn what_somebody_paid_by_hand_is_adopted_and_never_paid_again() {
    Box::pin(never_paid_again(Database::sqlite())).await;
}

#[tokio::test]
async fn what_somebody_paid_by_hand_is_adopted_and_never_paid_again_on_postgresql() {
    Box::pin(never_paid_again(Database::postgres().await)).await.database.drop_it().await;
}

#[tokio::test]
async fn where_more_was_paid_than_was_payable_the_rest_is_a_debt() {
    let mut world = World::with(&[500]).await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let object = newest(&world, 0);
    // Nobody has heard of it so far: it is read at Stripe.
    let adopted = adopt(&world, 0, &object).await.unwrap();
    assert_eq!((adopted.payable_minor, adopted.carried_minor, free(&world, 0).await), (500, -200, -200));
    done(&mut world, 2).await;
    assert_eq!(world.reason(0).await, "debt");
    world.earn(0, 3_000).await;
    done(&mut world, 3).await;
    assert_eq!(amounts(&world, 0), [700, 2_800]);
}

#[tokio::test]
async fn what_is_not_payable_yet_is_not_locked() {
    let mut world = World::with(&[1_000]).await;
    world.database.execute("UPDATE creator_earnings SET available_on_ms = available_on_ms + 7776000000").await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let adopted = adopt(&world, 0, &newest(&world, 0)).await.unwrap();
    assert_eq!((adopted.entries, adopted.payable_minor, adopted.carried_minor), (0, 0, -700));
    world.check().await;
    done(&mut world, 2).await;
    assert_eq!(world.reason(0).await, "debt");
    assert_eq!(free(&world, 0).await, 300);
}

#[tokio::test]
async fn a_planned_payout_gives_way_and_the_next_run_pays_the_rest() {
    let mut world = World::with(&[3_000, 6_000]).await;
    let run = world.planned().await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let adopted = adopt(&world, 0, &newest(&world, 0)).await.unwrap();
    assert_eq!((adopted.payable_minor, adopted.carried_minor, adopted.voided.is_some()), (3_000, 2_300, true));
    assert_eq!((world.payout(0).await.as_str(), world.reason(0).await.as_str()), ("voided", "foreign_payout"));
    world.check().await;
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((amounts(&world, 0), amounts(&world, 1)), (vec![700], vec![6_000]));
    world.books_equal().await;
    done(&mut world, 2).await;
    assert_eq!(amounts(&world, 0), [700, 2_300]);
}

#[tokio::test]
async fn while_a_payout_of_ours_is_on_its_way_nothing_is_adopted() {
    let mut world = World::with(&[3_000, 6_000]).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let object = newest(&world, 0);
    refused(&world, 0, &object, "may have been sent").await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "pending");
    refused(&world, 0, &object, "is on its way").await;
    // What is refused leaves nothing behind.
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM foreign_payouts WHERE adopted_at_ms IS NOT NULL").await, 0);
    arrive(&mut world).await;
    let adopted = adopt(&world, 0, &object).await.unwrap();
    assert_eq!(
        (adopted.entries, adopted.carried_minor),
        (0, -700),
        "all was paid before: what was paid beside is owed"
    );
    world.books_equal().await;
}

#[tokio::test]
async fn what_bars_nothing_is_not_adopted_and_nobody_elses_is() {
    let mut world = World::with(&[3_000, 6_000]).await;
    world.scheduled().await;
    world.settle().await;
    let ours = newest(&world, 0);
    refused(&world, 0, &ours, "is payout pay_").await;
    arrive(&mut world).await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let object = newest(&world, 0);
    let error = adopt_for(&world, 0, &object, &creator(1)).await.unwrap_err().to_string();
    assert!(error.contains("of creator creator000, not of creator001"), "{error}");
    world.advance(5_000).await;
    world.database.execute(&format!("UPDATE daemon_state SET created_at_ms = {}", world.clock.now_ms())).await;
    refused(&world, 0, &object, "before this database").await;
    world.books_equal().await;
}

/// A purse whose hand-made payout is on its way, and will fail.
async fn about_to_fail() -> (World, String) {
    let world = World::with(&[3_000, 6_000]).await;
    let bank = BankSpec { fails_with: Some("could_not_process".to_owned()), ..BankSpec::default() };
    let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
    world.stripe.twin.change_account(&account(0), change).unwrap();
    let _ = world.stripe.twin.take_events();
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let object = newest(&world, 0);
    (world, object)
}

#[tokio::test]
async fn one_that_fails_before_it_is_adopted_stops_barring_by_itself() {
    let (mut world, object) = about_to_fail().await;
    done(&mut world, 2).await;
    assert_eq!(world.reason(0).await, "foreign_payout");
    arrive(&mut world).await;
    refused(&world, 0, &object, "is failed").await;
    done(&mut world, 3).await;
    assert_ne!(world.reason(0).await, "foreign_payout");
    assert_eq!(free(&world, 0).await, 3_000);
}

#[tokio::test]
async fn the_money_of_an_adopted_one_that_fails_comes_back_once_in_whatever_order_that_is_told() {
    for seed in 0..6 {
        let (mut world, object) = about_to_fail().await;
        let carried = adopt(&world, 0, &object).await.unwrap().carried_minor;
        assert_eq!(free(&world, 0).await, carried);
        world.advance(LONG_MS).await;
        let mut events = world.stripe.twin.take_events();
        events.extend(events.clone());
        events.shuffle(&mut StdRng::seed_from_u64(seed));
        for event in &events {
            world.put(event).await;
            if seed % 2 == 0 {
                world.step().await;
                world.check().await;
            }
        }
        world.settle().await;
        world.books_equal().await;
        assert_eq!(free(&world, 0).await, 3_000, "seed {seed}");
        let back = "SELECT COUNT(*) FROM journal WHERE action = 'payout.adopted_back'";
        assert_eq!(world.probe.number(back).await, 1, "seed {seed}");
        assert!(adopt(&world, 0, &object).await.unwrap().already, "it isn't adopted anew");
        assert_eq!(free(&world, 0).await, 3_000, "seed {seed}");
    }
}

/// Days pass, and nothing of what Stripe tells arrives.
async fn days_without_a_word(world: &mut World, days: i64) {
    for _ in 0..days * 24 {
        world.advance(3_600_000).await;
        let _ = world.stripe.twin.take_events();
        world.steps(4).await;
    }
}

/// `paid_first`: it is paid, as far as is known, before its bank sends it back.
async fn failed_without_a_word(database: Database, paid_first: bool) -> World {
    let mut world = World::on(database, &[3_000, 6_000]).await;
    if paid_first {
        world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
    } else {
        let bank = BankSpec { fails_with: Some("could_not_process".to_owned()), ..BankSpec::default() };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
    }
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    let object = newest(&world, 0);
    let carried = adopt(&world, 0, &object).await.unwrap().carried_minor;
    world.settle().await;
    world.advance(LONG_MS).await;
    let status = |status: &str| format!("SELECT COUNT(*) FROM foreign_payouts WHERE status = '{status}'");
    for event in world.stripe.twin.take_events().iter().filter(|event| paid_first && event.kind == "payout.paid") {
        world.put(event).await;
    }
    world.settle().await;
    assert_eq!(world.probe.number(&status("paid")).await, i64::from(paid_first));
    assert_eq!(free(&world, 0).await, carried, "nobody has heard that it failed");
    days_without_a_word(&mut world, 10).await;
    assert_eq!((free(&world, 0).await, world.probe.number(&status("failed")).await), (3_000, 1));
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.adopted_back'").await, 1);
    let awaited = "SELECT COUNT(*) FROM foreign_payouts WHERE look_at_ms IS NOT NULL";
    assert_eq!(world.probe.number(awaited).await, 0, "nothing more of it is awaited");
    assert_eq!(amounts(&world, 0), [700], "a look pays nobody");
    world.books_equal().await;
    world
}

#[tokio::test]
async fn the_money_of_an_adopted_one_that_fails_without_a_word_is_found() {
    for paid_first in [false, true] {
        Box::pin(failed_without_a_word(Database::sqlite(), paid_first)).await;
    }
}

#[tokio::test]
async fn the_money_of_an_adopted_one_that_fails_without_a_word_is_found_on_postgresql() {
    for paid_first in [false, true] {
        Box::pin(failed_without_a_word(Database::postgres().await, paid_first)).await.database.drop_it().await;
    }
}

/// Books restored from a backup don't hold a payout that Stripe has; adopted, it may still turn out to be the answer to the same key.
#[tokio::test]
async fn an_adopted_one_that_turns_out_to_be_ours_is_locked_once() {
    let mut world = World::with(&[3_000]).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Twin("executed-then-dropped"));
    world.scheduled().await;
    world.until("the lost answer", async |world| world.payout(0).await == "unknown").await;
    let row = world.executed(0).remove(0);
    world
        .database
        .execute(&format!(
            "INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, why, first_seen_ms, \
             created_ms, adopted_at_ms, adopted_by) VALUES ('{}', 'acct_000', 'usd', 3000, 'pending', FALSE, 'x', 1, 1, 1, 'ann')",
            row.id
        ))
        .await;
    assert_ne!(world.wrong().await, Vec::<String>::new(), "an adopted one without entries");
    world.settle().await;
    assert_eq!(world.payout(0).await, "pending");
    world.books_equal().await;
}
