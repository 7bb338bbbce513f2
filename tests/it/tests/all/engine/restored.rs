//! A database restored from a backup: recognised by what is kept outside it or by what Stripe shows, kept back until it has caught up, and
//! nobody is paid again.
use super::{
    adopt::adopt,
    world::{World, account, ann, creator},
};
use crate::databases::{Database, START_MS};
use payout_shared::run::{RunKind, RunState};
use payoutd::{
    clock::Clock,
    stripe::ReadError,
    witness::{Witness, WitnessError},
};
use std::sync::Arc;
use stripe_twin::{FaultPlan, Status};

const RESTORED: &str = "restored from a backup";

/// The process that begins now reads the witness that the one before it left.
fn with_witness(world: &mut World) {
    let file = world.database.folder.path().join("journal.head");
    world.witness = Some(Arc::new(Witness::open(&file).unwrap()));
}

/// Three creators, paid once; then a backup; then a sale each, which is paid as well. The books forget all but the backup.
async fn forgetful(database: Database) -> World {
    let mut world = World::on(database, &[3_000, 4_000, 5_000]).await;
    with_witness(&mut world);
    let first = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&first).await, RunState::Completed);
    world.advance(super::world::SETTLE_MS.cast_signed() * 2).await;
    world.deliver().await;
    world.settle().await;
    world.database.backup().await;
    pay_again(&mut world).await;
    assert_eq!(world.stripe.left().len(), 6);
    world
}

/// The sales after the first run, and a run for them.
async fn pay_again(world: &mut World) {
    for n in 0..3 {
        world.earn(n, 2_000).await;
    }
    world.run(2, RunKind::Manual).await;
    world.steps(40).await;
}

fn says_restored(world: &World) -> bool {
    world.health.sentences().iter().any(|sentence| sentence.contains(RESTORED))
}

async fn is_kept_back(world: &World) -> bool {
    world.store.state().await.unwrap().kept_back
}

async fn nothing_leaves(mut world: World) -> World {
    world.crash();
    world.database.restore().await;
    with_witness(&mut world);
    pay_again(&mut world).await;
    assert!(says_restored(&world), "{:?}", world.health.sentences());
    assert_eq!(world.stripe.left().len(), 6, "nobody is paid by books that have forgotten something");
    let planned = world.probe.number("SELECT COUNT(*) FROM creator_payouts WHERE state = 'planned'").await;
    assert_eq!(planned, 0, "nor is anybody planned by them");
    let noted = "SELECT COUNT(*) FROM journal WHERE action = 'daemon.restored'";
    assert_eq!(world.probe.number(noted).await, 1);
    world
}

/// It catches up by itself, and waits for a person: nobody can ask Stripe for holds, pauses and rollbacks.
async fn caught_up_and_paused(world: &mut World) {
    world.until("to have caught up", async |world| !is_kept_back(world).await).await;
    world.steps(20).await;
    let state = world.store.state().await.unwrap();
    assert!(state.paused, "it goes on by itself with what people had held");
    assert!(state.pause_reason.unwrap().contains("Set them again"));
    world.store.resume_all(&ann(), "looked at what was held").await.unwrap();
}

/// The run goes on and pays nobody; what was forgotten is taken in, and the books are whole.
async fn nobody_is_paid_again(mut world: World) -> World {
    caught_up_and_paused(&mut world).await;
    assert_eq!(world.stripe.left().len(), 6);
    world.settle().await;
    assert!(!says_restored(&world), "{:?}", world.health.sentences());
    assert_eq!(world.stripe.left().len(), 6, "somebody was paid again");
    let reasons = world
        .probe
        .texts("SELECT COALESCE(reason, '') FROM run_outcomes WHERE run_id = (SELECT MAX(id) FROM payout_runs)")
        .await;
    assert_eq!(reasons.concat(), ["foreign_payout"; 3]);
    let forgotten = world.store.foreign_payouts(None, true, 10).await.unwrap();
    assert_eq!(forgotten.len(), 3);
    for row in forgotten {
        assert!(row.key.is_some_and(|key| key.starts_with("payoutd:test:")));
        let n: usize = row.account.as_str().trim_start_matches("acct_").parse().unwrap();
        let adopted = adopt(&world, n, row.object.as_str()).await.unwrap();
        assert_eq!((adopted.payable_minor, adopted.carried_minor), (2_000, 0), "what it paid is what was payable");
    }
    world.run(3, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 6, "somebody was paid again");
    world.check().await;
    world
}

#[tokio::test]
async fn books_from_a_backup_catch_up_before_they_decide_and_pay_nobody_again() {
    nobody_is_paid_again(nothing_leaves(forgetful(Database::sqlite()).await).await).await;
}

#[tokio::test]
async fn books_from_a_backup_catch_up_before_they_decide_and_pay_nobody_again_on_postgresql() {
    let world = nobody_is_paid_again(nothing_leaves(forgetful(Database::postgres().await).await).await).await;
    world.database.drop_it().await;
}

#[tokio::test]
async fn a_daemon_that_dies_while_it_catches_up_goes_on_where_it_was() {
    let mut world = nothing_leaves(forgetful(Database::sqlite()).await).await;
    for _ in 0..6 {
        world.crash();
        with_witness(&mut world);
        world.steps(2).await;
    }
    nobody_is_paid_again(world).await;
}

#[tokio::test]
async fn a_hold_that_a_backup_has_forgotten_pays_nobody_before_a_person_has_looked() {
    let mut world = World::of(1).await;
    with_witness(&mut world);
    world.scheduled().await;
    world.settle().await;
    world.earn(0, 2_500).await;
    world.database.backup().await;
    world.store.hold(&creator(0), "fraud", "a stolen card", &ann()).await.unwrap();
    world.steps(2).await;
    world.crash();
    world.database.restore().await;
    with_witness(&mut world);
    world.run(3, RunKind::Manual).await;
    world.until("to have caught up", async |world| !is_kept_back(world).await).await;
    world.wait_minutes(60).await;
    assert_eq!(world.stripe.left().len(), 1, "paid although somebody had held it");
    world.crash();
    with_witness(&mut world);
    world.wait_minutes(60).await;
    assert_eq!(world.stripe.left().len(), 1, "a restart looks at nothing for anybody");
}

#[tokio::test]
async fn a_run_of_the_same_name_as_a_forgotten_one_has_keys_of_its_own() {
    for more in [500, 0] {
        let mut world = forgetful(Database::sqlite()).await;
        world.crash();
        world.database.restore().await;
        with_witness(&mut world);
        world.step().await;
        caught_up_and_paused(&mut world).await;
        for row in world.store.foreign_payouts(None, true, 10).await.unwrap() {
            let n: usize = row.account.as_str().trim_start_matches("acct_").parse().unwrap();
            adopt(&world, n, row.object.as_str()).await.unwrap();
            // What was forgotten is owed until its sales come again by file, as what is new does.
            world.earn(n, 2_000).await;
            world.earn(n, 2_000 + more).await;
        }
        let run = world.run(2, RunKind::Manual).await;
        world.settle().await;
        let keys: std::collections::BTreeSet<String> = world.stripe.left().into_iter().map(|(key, _)| key).collect();
        assert_eq!((world.state(&run).await, world.stripe.left().len(), keys.len()), (RunState::Completed, 9, 9));
        world.check().await;
    }
}

#[tokio::test]
async fn while_stripe_does_not_answer_books_from_a_backup_stay_kept_back() {
    let mut world = forgetful(Database::sqlite()).await;
    world.crash();
    world.database.restore().await;
    with_witness(&mut world);
    world.stripe.trouble_read(None, usize::MAX, ReadError::Unreachable("away".to_owned()));
    pay_again(&mut world).await;
    world.wait_minutes(120).await;
    assert!(is_kept_back(&world).await);
    assert_eq!(world.stripe.left().len(), 6);
    world.stripe.heal();
    world.wait_minutes(60).await;
    nobody_is_paid_again(world).await;
}

#[tokio::test]
async fn a_backup_that_went_on_by_itself_is_recognised_too() {
    let mut world = forgetful(Database::sqlite()).await;
    world.crash();
    world.database.restore().await;
    // Somewhere without the witness, beyond the row that it has seen.
    world.witness = None;
    let seen = world.probe.number("SELECT seq FROM journal_head").await;
    for n in 0..60 {
        world.earn(n % 3, 1).await;
    }
    assert!(world.probe.number("SELECT seq FROM journal_head").await > seen + 50);
    with_witness(&mut world);
    world.steps(2).await;
    assert!(says_restored(&world), "{:?}", world.health.sentences());
}

#[tokio::test]
async fn a_backup_put_in_under_a_running_daemon_is_recognised_within_a_second() {
    let mut world = forgetful(Database::sqlite()).await;
    world.database.restore().await;
    world.advance(1_000).await;
    world.steps(2).await;
    assert!(says_restored(&world), "{:?}", world.health.sentences());
}

#[tokio::test]
async fn without_a_witness_the_first_payout_of_ours_that_is_met_says_it_and_nobody_is_paid_twice() {
    let mut world = forgetful(Database::sqlite()).await;
    world.crash();
    world.database.restore().await;
    world.witness = None;
    pay_again(&mut world).await;
    assert!(says_restored(&world), "{:?}", world.health.sentences());
    assert_eq!(world.stripe.left().len(), 6);
    let object = "SELECT COUNT(*) FROM foreign_payouts WHERE key LIKE 'payoutd:test:acct\\_%' ESCAPE '\\'";
    assert_ne!(world.probe.number(object).await, 0, "it is there with its key");
}

#[tokio::test]
async fn books_that_only_went_on_are_not_taken_for_a_backup() {
    let mut world = World::of(2).await;
    with_witness(&mut world);
    let run = world.scheduled().await;
    world.steps(3).await;
    for _ in 0..4 {
        world.crash();
        with_witness(&mut world);
        world.steps(3).await;
    }
    // Another daemon wrote on while this one was away.
    world.crash();
    world.witness = None;
    world.settle().await;
    world.crash();
    with_witness(&mut world);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert!(!says_restored(&world), "{:?}", world.health.sentences());
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'daemon.restored'").await, 0);
    world.books_equal().await;
}

#[tokio::test]
async fn a_crash_between_the_recognition_and_the_witness_recognises_it_again_and_only_notes_it_once() {
    let mut world = forgetful(Database::sqlite()).await;
    world.crash();
    world.database.restore().await;
    let file = world.database.folder.path().join("journal.head");
    let before = std::fs::read(&file).unwrap();
    for _ in 0..3 {
        with_witness(&mut world);
        world.steps(2).await;
        assert!(says_restored(&world));
        world.crash();
        std::fs::write(&file, &before).unwrap();
    }
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'daemon.restored'").await, 1);
}

#[tokio::test]
async fn a_witness_of_another_database_or_of_none_is_refused_at_the_start() {
    let (mut one, other) = (World::of(1).await, Database::sqlite());
    // Made at another moment.
    let other = other.store_at(Clock::manual(START_MS + 1).0).await;
    with_witness(&mut one);
    one.steps(2).await;
    let file = one.database.folder.path().join("journal.head");
    let witness = Witness::open(&file).unwrap();
    assert!(witness.begin(&one.store).await.is_ok());
    assert!(matches!(Witness::open(&file).unwrap().begin(&other).await, Err(WitnessError::Another { .. })));
    std::fs::write(&file, "{").unwrap();
    assert!(matches!(Witness::open(&file), Err(WitnessError::Unreadable { .. })));
}

#[tokio::test]
async fn a_witness_that_cannot_be_written_is_said_and_stops_nobody() {
    let mut world = World::of(1).await;
    let file = world.database.folder.path().join("nowhere").join("journal.head");
    world.witness = Some(Arc::new(Witness::open(&file).unwrap()));
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert!(
        world.health.sentences().iter().any(|sentence| sentence.contains("nowhere")),
        "{:?}",
        world.health.sentences()
    );
    assert_eq!(world.executed(0).len(), 1);
    assert_eq!(world.executed(0)[0].account, account(0));
}

#[tokio::test]
async fn what_failed_at_stripe_and_is_asked_for_again_with_its_key_is_ours_and_bars_nothing() {
    let mut world = World::of(1).await;
    world.stripe.twin.set_faults("paid-then-failed=100".parse::<FaultPlan>().unwrap());
    with_witness(&mut world);
    let run = world.scheduled().await;
    world.until("the plan", async |world| world.payout(0).await == "planned").await;
    world.database.backup().await;
    world.settle().await;
    world.advance(super::world::SETTLE_MS.cast_signed() * 3).await;
    assert_eq!(world.executed(0)[0].status, Status::Failed);
    let _lost = world.stripe.twin.take_events();
    world.step().await;
    assert!(!says_restored(&world), "the witness has seen it all");
    world.crash();
    world.database.restore().await;
    with_witness(&mut world);
    world.step().await;
    caught_up_and_paused(&mut world).await;
    assert_eq!(world.payout(0).await, "planned");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM foreign_payouts WHERE status = 'failed'").await, 1);
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    let keys: Vec<String> = world.stripe.left().into_iter().map(|(key, _)| key).collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "the same key again");
    assert_eq!(world.executed(0).len(), 1, "and Stripe remembers it");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM foreign_payouts").await, 0, "it is ours");
    world.books_equal().await;
}

#[tokio::test]
async fn what_lies_beside_the_witness_is_left_alone() {
    let mut world = World::of(1).await;
    let other = world.database.folder.path().join("journal.new");
    std::fs::write(&other, "somebody else's").unwrap();
    with_witness(&mut world);
    world.steps(2).await;
    assert!(world.database.folder.path().join("journal.head").exists());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "somebody else's");
}
