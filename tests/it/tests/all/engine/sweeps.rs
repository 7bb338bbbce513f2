//! What webhooks lose is found: payouts are looked at when nothing was told of them, events are read from Stripe's own list, and money that both
//! tell of is booked once.
use super::{
    trouble::Trouble,
    webhooks::{by_hand, failed_unheard},
    world::{SETTLE_MS, World, account, ann, creator},
};
use crate::databases::{Database, START_MS};
use payout_shared::run::{RunKind, RunState};
use payoutd::{
    engine::Engine,
    store::types::{SweepKind, SweepRow},
    stripe::ReadError,
};
use std::sync::Arc;
use stripe_twin::{AccountChange, BankSpec};

pub(super) const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const LONG_MS: i64 = SETTLE_MS.cast_signed() * 2;

/// Nothing of what Stripe has to tell arrives.
pub(super) fn lose(world: &World) -> usize {
    world.stripe.twin.take_events().len()
}

/// Days pass, an hour at a time, and everything that is told in them is lost.
async fn days_without_a_word(world: &mut World, days: i64) {
    for _ in 0..days * 24 {
        world.advance(HOUR).await;
        lose(world);
        world.steps(4).await;
    }
}

/// What waits for its sale is booked once the account was asked what the sale came to: once a day.
pub(super) async fn book_what_waits(world: &mut World) {
    world.advance(DAY + 61_000).await;
    world.steps(4).await;
    world.advance(6_000).await;
    world.steps(2).await;
}

/// A payout of ours for creator 0 that Stripe has, of which nothing is told; its bank sends it back when that is said.
async fn sent(database: Database, amounts: &[i64], fails_with: Option<&str>) -> World {
    let mut world = World::on(database, amounts).await;
    if let Some(code) = fails_with {
        let bank = BankSpec { fails_with: Some(code.to_owned()), ..BankSpec::default() };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
    }
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "pending");
    world.advance(LONG_MS).await;
    assert!(lose(&world) > 0);
    world
}

pub(super) async fn on_both(law: impl AsyncFn(Database) -> World) {
    Box::pin(law(Database::sqlite())).await;
    Box::pin(law(Database::postgres().await)).await.database.drop_it().await;
}

/// Nothing was asked of Stripe that moves money but what was asked before.
fn no_more_sends(world: &World, sends: usize) {
    assert_eq!(world.stripe.left().len(), sends, "a sweep pays nobody");
    assert_eq!(world.stripe.wrong(), Vec::<String>::new());
}

async fn sweep_of(world: &World, kind: SweepKind) -> SweepRow {
    world.store.sweeps().await.unwrap().into_iter().find(|row| row.kind == kind).unwrap()
}

async fn looks_at(world: &World) -> i64 {
    world.payout_column(0, "look_at_ms").await.parse().unwrap()
}

#[tokio::test]
async fn a_paid_that_was_never_told_is_found_and_the_purse_is_paid_again() {
    on_both(async |database| {
        let mut world = sent(database, &[1_000], None).await;
        let look_ms = looks_at(&world).await;
        assert!(look_ms > START_MS + DAY, "not before it should have arrived: {look_ms}");
        let asked = world.stripe.asked().len();
        world.advance(12 * HOUR).await;
        world.steps(4).await;
        let payouts =
            |world: &World| world.stripe.asked().iter().skip(asked).filter(|(_, what)| *what == "payouts").count();
        assert_eq!((payouts(&world), world.payout(0).await.as_str()), (0, "pending"), "nobody asks too soon");
        days_without_a_word(&mut world, 6).await;
        assert_eq!(world.payout(0).await, "paid");
        assert_eq!(payouts(&world), 1, "one list");
        no_more_sends(&world, 1);
        world.earn(0, 5_000).await;
        let run = world.run(15, RunKind::Scheduled).await;
        world.settle().await;
        assert_eq!(
            (world.state(&run).await, world.executed(0).len()),
            (RunState::Completed, 2),
            "its purse isn't barred"
        );
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_failure_that_was_never_told_is_found_and_its_earnings_are_free() {
    on_both(async |database| {
        let mut world = sent(database, &[1_000, 2_000], Some("account_closed")).await;
        days_without_a_word(&mut world, 6).await;
        assert_eq!((world.payout(0).await.as_str(), world.payout(1).await.as_str()), ("failed", "paid"));
        assert_eq!(world.held(0).await, ["bank_failure"]);
        assert_ne!(world.payout_column(0, "released_at_ms").await, "none");
        assert_eq!(world.payout_column(0, "COALESCE(look_at_ms, 0)").await, "0", "nothing more of it is awaited");
        no_more_sends(&world, 2);
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_payout_that_stays_paid_for_a_week_is_settled_by_a_last_look_and_its_run_with_it() {
    on_both(async |database| {
        let mut world = sent(database, &[1_000, 2_000, 500], None).await;
        days_without_a_word(&mut world, 6).await;
        assert_eq!(world.payout(0).await, "paid");
        let run = world.store.runs(1).await.unwrap().remove(0);
        days_without_a_word(&mut world, 3).await;
        assert_eq!(
            (world.payout(0).await.as_str(), world.state(&run).await),
            ("paid", RunState::Completed),
            "not in a week"
        );
        days_without_a_word(&mut world, 5).await;
        assert_eq!((world.payout(0).await.as_str(), world.payout(1).await.as_str()), ("settled", "settled"));
        assert_eq!((world.payout(2).await.as_str(), world.state(&run).await), ("none", RunState::Settled));
        let looks = "SELECT listings FROM run_reads";
        assert!(world.probe.number(looks).await >= 2, "its reads are counted");
        no_more_sends(&world, 2);
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_failure_after_it_was_paid_that_was_never_told_is_found_by_the_last_look() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000]).await;
        failed_unheard(&mut world).await;
        days_without_a_word(&mut world, 11).await;
        assert_eq!(world.payout(0).await, "returned");
        assert_ne!(world.payout_column(0, "released_at_ms").await, "none");
        no_more_sends(&world, 1);
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn sales_refunds_and_disputes_that_were_never_told_are_found_once_whatever_comes_later() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000]).await;
        world.steps(3).await;
        let of = account(0);
        let charge = world.sell(&of, 10_000, "usd");
        world.give_back(&charge, 2_500, true, true);
        let other = world.sell(&of, 8_000, "usd");
        world.dispute(&other, 8_000, false);
        let told = world.stripe.twin.take_events();
        let before = world.sums(&of).await;
        world.advance(HOUR / 2).await;
        world.steps(4).await;
        assert_eq!(world.sums(&of).await, before, "nothing was told, and nobody has asked");
        days_without_a_word(&mut world, 1).await;
        let found = world.sums(&of).await;
        for kind in ["refund usd", "dispute_hold usd", "fee_refund usd"] {
            assert!(found.contains_key(kind), "{kind}: {found:?}");
        }
        assert_ne!(found["sale usd"], before["sale usd"]);
        let swept = "SELECT COUNT(*) FROM webhook_inbox WHERE swept";
        let number = world.probe.number(swept).await;
        assert!(number > 0);
        // The webhooks come after all, in another order.
        for event in told.iter().rev() {
            world.put(event).await;
        }
        world.settle().await;
        assert_eq!(world.sums(&of).await, found, "told twice, booked once");
        days_without_a_word(&mut world, 1).await;
        assert_eq!(
            (world.sums(&of).await, world.probe.number(swept).await),
            (found, number),
            "swept twice, booked once"
        );
        no_more_sends(&world, 0);
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_drift_that_a_lost_refund_made_is_gone_when_the_refund_is_found() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000]).await;
        // The account holds 1,000.00 USD more than was earned.
        world.settings.drift_tolerance_minor = 100_000;
        world.steps(3).await;
        let of = account(0);
        let charge = world.sell(&of, 300_000, "usd");
        world.deliver().await;
        world.settle().await;
        // By then the sale is available.
        for _ in 0..5 {
            book_what_waits(&mut world).await;
        }
        world.give_back(&charge, 250_000, true, false);
        lose(&world);
        world.scheduled().await;
        world.settle().await;
        world.steps(2).await;
        let told = "SELECT COUNT(*) FROM purse_checks WHERE told_drift_minor IS NOT NULL";
        let drifts =
            |world: &World| world.health.sentences().iter().any(|said| said.contains("something else than the books"));
        assert_eq!((world.probe.number(told).await, drifts(&world)), (1, true));
        days_without_a_word(&mut world, 1).await;
        assert!(world.sums(&of).await.contains_key("refund usd"));
        assert_eq!((world.probe.number(told).await, drifts(&world)), (0, false), "told again without another look");
        assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'purse.drift'").await, 2);
        world
    })
    .await;
}

#[tokio::test]
async fn what_webhooks_brought_is_not_found_again() {
    let mut world = World::of(1).await;
    world.steps(3).await;
    let charge = world.sell(&account(0), 10_000, "usd");
    world.give_back(&charge, 2_500, true, true);
    world.deliver().await;
    world.settle().await;
    book_what_waits(&mut world).await;
    let sums = world.sums(&account(0)).await;
    let rows = world.probe.number("SELECT COUNT(*) FROM webhook_inbox").await;
    days_without_a_word(&mut world, 1).await;
    let of_money = "SELECT COUNT(*) FROM webhook_inbox WHERE swept";
    assert_eq!((world.sums(&account(0)).await, world.probe.number(of_money).await), (sums, 0));
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM webhook_inbox").await, rows);
    let row = sweep_of(&world, SweepKind::Earnings).await;
    assert!(row.swept_ms.is_some_and(|at_ms| at_ms > START_MS + 20 * HOUR), "{row:?}");
}

#[tokio::test]
async fn a_sweep_of_many_pages_goes_on_after_a_crash_at_each_of_them() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000]).await;
        world.steps(3).await;
        // Each sale is told by five events that a sweep asks for.
        let sales = 45;
        for _ in 0..sales {
            world.sell(&account(0), 1_000, "usd");
        }
        lose(&world);
        world.advance(HOUR + DAY / 24).await;
        for _ in 0..12 {
            world.steps(2).await;
            world.crash();
            world.advance(100).await;
        }
        days_without_a_word(&mut world, 1).await;
        let booked = "SELECT COUNT(*) FROM creator_earnings WHERE kind = 'sale' AND source_id NOT IN ('ch_1', 'ch_2')";
        assert_eq!(world.probe.number(booked).await, sales);
        assert_eq!(sweep_of(&world, SweepKind::Earnings).await.place, "");
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_list_that_fails_stops_nobody_and_is_told_until_it_succeeds() {
    let mut world = sent(Database::sqlite(), &[1_000, 2_000], None).await;
    world.stripe.trouble_read(Some(&account(0)), 40, ReadError::Unreadable("garbled".to_owned()));
    for _ in 0..8 * 24 {
        world.advance(HOUR).await;
        lose(&world);
        world.steps(4).await;
        if world.payout(1).await == "paid" {
            break;
        }
    }
    assert_eq!((world.payout(0).await.as_str(), world.payout(1).await.as_str()), ("pending", "paid"));
    world.stripe.heal();
    days_without_a_word(&mut world, 2).await;
    assert_eq!(world.payout(0).await, "paid");
    assert!(
        !world.health.sentences().iter().any(|sentence| sentence.contains("can't be read")),
        "{:?}",
        world.health.sentences()
    );
    world.stripe.trouble_read(Some("events"), 1_000, ReadError::Unreachable("down".to_owned()));
    days_without_a_word(&mut world, 1).await;
    let said = world.health.sentences();
    assert!(said.iter().any(|sentence| sentence.contains("events that webhooks may have lost")), "{said:?}");
    no_more_sends(&world, 2);
}

#[tokio::test]
async fn what_somebody_wants_from_a_moment_on_is_swept_whole_also_after_a_crash() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000, 2_000, 3_000]).await;
        world.scheduled().await;
        world.settle().await;
        world.advance(LONG_MS).await;
        world.deliver().await;
        world.settle().await;
        assert!(!sweep_of(&world, SweepKind::Payouts).await.is_swept_from(START_MS));
        // Somebody pays by hand, and sells: nothing of it is told.
        by_hand(&world, 1, "by-hand", "amount=700&currency=usd");
        world.sell(&account(0), 10_000, "usd");
        lose(&world);
        for kind in SweepKind::ALL {
            world.store.want_sweep(kind, START_MS, &ann()).await.unwrap();
        }
        assert!(world.store.sweeps_left().await.unwrap().accounts == 3);
        world.stripe.trouble_read(Some(&account(2)), 2, ReadError::Unreachable("down".to_owned()));
        world.steps(2).await;
        world.crash();
        let both = async |world: &World| {
            let rows = world.store.sweeps().await.unwrap();
            rows.iter().all(|row| row.is_swept_from(START_MS))
        };
        assert!(!both(&world).await);
        world.until("both sweeps", both).await;
        let foreign = world.store.foreign_payouts(Some(&creator(1)), true, 10).await.unwrap();
        assert_eq!(foreign.len(), 1, "{foreign:?}");
        world.settle().await;
        assert!(world.probe.number("SELECT COUNT(*) FROM webhook_inbox WHERE swept").await > 0);
        no_more_sends(&world, 3);
        world
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_stripes_events_is_read_from_its_objects() {
    on_both(async |database| {
        let mut world = World::on(database, &[1_000]).await;
        world.steps(3).await;
        world.crash();
        let of = account(0);
        let charge = world.sell(&of, 10_000, "usd");
        world.give_back(&charge, 2_500, true, true);
        let other = world.sell(&of, 8_000, "usd");
        world.dispute(&other, 8_000, false);
        lose(&world);
        world.advance(40 * DAY).await;
        lose(&world);
        world.store.want_sweep(SweepKind::Earnings, START_MS, &ann()).await.unwrap();
        world
            .until("the sweep", async |world| sweep_of(world, SweepKind::Earnings).await.is_swept_from(START_MS))
            .await;
        book_what_waits(&mut world).await;
        let found = world.sums(&of).await;
        for kind in ["refund usd", "dispute_hold usd", "fee_refund usd"] {
            assert!(found.contains_key(kind), "{kind}: {found:?}");
        }
        world.books_equal().await;
        world
    })
    .await;
}

#[tokio::test]
async fn a_debit_that_was_never_told_is_found_with_the_accounts_payouts() {
    let mut world = World::of(1).await;
    world.steps(3).await;
    let of = account(0);
    let credit = [("usd".to_owned(), -110_000)].into();
    world.stripe.twin.change_account(&of, AccountChange { credit, ..AccountChange::default() }).unwrap();
    world.stripe.somebody("/_twin/debits", &serde_json::json!({"account": of, "currency": "usd"}).to_string());
    lose(&world);
    days_without_a_word(&mut world, 1).await;
    assert!(!world.sums(&of).await.contains_key("debt_repaid usd"));
    days_without_a_word(&mut world, 16).await;
    assert!(world.sums(&of).await.contains_key("debt_repaid usd"), "{:?}", world.sums(&of).await);
}

#[tokio::test]
async fn two_engines_find_what_was_lost_once() {
    let mut world = sent(Database::postgres().await, &[1_000], None).await;
    world.sell(&account(0), 10_000, "usd");
    lose(&world);
    let mut parts = world.parts(Arc::new(world.stripe.another_client()));
    parts.settings.holder = "two".to_owned();
    parts.settings.alone = false;
    let mut second = Engine::new(parts);
    for _ in 0..6 * 24 {
        world.advance(HOUR).await;
        lose(&world);
        for _ in 0..3 {
            world.step().await;
            let _ = second.step().await;
            world.stripe.quiet().await;
            world.advance(50).await;
        }
    }
    assert_eq!(world.payout(0).await, "paid");
    let sales = "SELECT COUNT(*) FROM creator_earnings WHERE kind = 'sale' AND source_id NOT IN ('ch_1', 'ch_2')";
    assert_eq!(world.probe.number(sales).await, 1);
    no_more_sends(&world, 1);
    world.books_equal().await;
    drop(second);
    world.database.drop_it().await;
}

#[tokio::test]
async fn a_sweep_never_takes_a_payout_out_of_doubt_by_a_new_key() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::Twin("executed-then-dropped"));
    world.scheduled().await;
    world.settle().await;
    days_without_a_word(&mut world, 8).await;
    let keys: std::collections::BTreeSet<String> = world.stripe.left().into_iter().map(|(key, _)| key).collect();
    assert_eq!((keys.len(), world.executed(0).len()), (1, 1));
    world.books_equal().await;
}
