//! Webhooks: whatever their order and number, the books end in the state of Stripe's objects; strange objects are shown, never swallowed.
use super::{
    trouble::Trouble,
    world::{SETTLE_MS, World, account, ann, creator, usd},
};
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    id::DestinationId,
    run::{RunKind, RunState},
};
use payoutd::stripe::create_body;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use stripe_twin::{AccountChange, BankSpec, Event, FaultPlan, Status};

/// Longer than any payout takes to be paid, and to fail after that.
const LONG_MS: i64 = SETTLE_MS.cast_signed() * 2;

async fn locked(world: &World, n: usize) -> i64 {
    let query = format!(
        "SELECT COUNT(*) FROM payout_items i JOIN creator_earnings e ON e.id = i.earning_id \
         WHERE e.account_id = '{}' AND i.released_at_ms IS NULL",
        account(n)
    );
    world.probe.number(&query).await
}

#[tokio::test]
async fn a_webhook_before_the_response_is_no_surprise() {
    let mut world = World::of(2).await;
    world.stripe.trouble(None, 2, Trouble::HeldAfter);
    let run = world.scheduled().await;
    world.until("the sends", async |world| world.stripe.left().len() == 2).await;
    assert_eq!(world.deliver().await, 2);
    world.steps(2).await;
    assert_eq!((world.payout(0).await.as_str(), world.store.in_flight().await.unwrap()), ("pending", 2));
    assert_eq!(world.state(&run).await, RunState::Running, "not complete while answers are awaited");
    world.stripe.let_go();
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

#[tokio::test]
async fn a_webhook_is_enough_when_the_response_never_comes() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldAfter);
    world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.stripe.listings(), world.stripe.left().len()), ("pending", 0, 1));
    world.books_equal().await;
}

/// Creators whose payouts end paid, failed before they were paid, and failed after.
async fn ends_of_all_kinds(seed: u64) -> (World, Vec<Event>) {
    let mut world = World::of(9).await;
    world.stripe.twin.set_faults("paid-then-failed=40".parse::<FaultPlan>().unwrap());
    for n in 0..3 {
        let bank = BankSpec { fails_with: Some("account_closed".to_owned()), ..BankSpec::default() };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        world.stripe.twin.change_account(&account(n), change).unwrap();
    }
    let _ = world.stripe.twin.take_events();
    world.scheduled().await;
    world.settle().await;
    world.advance(LONG_MS).await;
    let mut events: Vec<Event> =
        world.stripe.twin.take_events().into_iter().filter(|event| event.kind.starts_with("payout.")).collect();
    let twice: Vec<Event> = events.iter().step_by(2).cloned().collect();
    events.extend(twice);
    events.shuffle(&mut StdRng::seed_from_u64(seed));
    (world, events)
}

#[tokio::test]
async fn events_in_any_order_and_number_end_in_the_state_of_stripes_objects() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..6 {
        let (mut world, events) = ends_of_all_kinds(seed).await;
        for event in &events {
            world.put(event).await;
            if seed % 2 == 0 {
                world.step().await;
            }
        }
        world.settle().await;
        for n in 0..9 {
            let row = world.executed(n).remove(0);
            let expected = match (row.status, row.was_paid) {
                (Status::Paid, _) => "paid",
                (Status::Failed, true) => "returned",
                (Status::Failed, false) => "failed",
                (status, _) => panic!("{status:?}"),
            };
            assert_eq!(world.payout(n).await, expected, "creator {n}, seed {seed}");
            assert_eq!(locked(&world, n).await, i64::from(expected == "paid"), "creator {n}, seed {seed}");
            // The failed ones have a closed bank account; what a bank could not process is nobody's fault.
            assert_eq!(world.held(n).await.len(), usize::from(expected == "failed"), "creator {n}, seed {seed}");
            seen.insert(expected);
        }
        assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.illegal'").await, 0);
        world.books_equal().await;
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// The one payout is paid, and has failed at Stripe since: the events from that one on, which nobody has heard yet.
pub(super) async fn failed_unheard(world: &mut World) -> Vec<Event> {
    world.stripe.twin.set_faults("paid-then-failed=100".parse::<FaultPlan>().unwrap());
    world.scheduled().await;
    world.settle().await;
    world.advance(LONG_MS).await;
    let mut events = world.stripe.twin.take_events();
    let unheard = events.split_off(events.iter().position(|event| event.kind == "payout.failed").unwrap());
    for event in &events {
        world.put(event).await;
    }
    world.settle().await;
    assert_eq!(world.payout(0).await, "paid");
    unheard
}

#[tokio::test]
async fn a_payout_that_failed_after_it_was_paid_frees_its_entries_only_when_the_money_is_seen_back() {
    let mut world = World::of(1).await;
    let unheard = failed_unheard(&mut world).await;
    // Stripe says that it failed, and not yet that the money is back.
    let body = std::str::from_utf8(&unheard[0].body).unwrap();
    let mut without: serde_json::Value = serde_json::from_str(body).unwrap();
    without["id"] = "evt_without".into();
    without["data"]["object"]["failure_balance_transaction"] = serde_json::Value::Null;
    world.put_body(&without.to_string()).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world, 0).await), ("returned", 1));
    assert!(world.held(0).await.is_empty(), "could_not_process says nothing of the bank account");
    world.check().await;
    world.put(&unheard[0]).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world, 0).await), ("returned", 0));
    world.books_equal().await;
}

/// The creator, or somebody else, makes a payout by hand.
pub(super) fn by_hand(world: &World, n: usize, key: &str, body: &str) {
    world.stripe.execute_behind_our_back(&account(n), key, body);
}

#[tokio::test]
async fn a_payout_made_by_hand_is_recorded_and_is_not_ours() {
    let mut world = World::of(1).await;
    world.scheduled().await;
    world.settle().await;
    by_hand(&world, 0, "by-hand", "amount=700&currency=usd");
    world.deliver().await;
    world.settle().await;
    let foreign = world
        .probe
        .texts("SELECT account_id, CAST(amount_minor AS TEXT), COALESCE(payout_id, '-') FROM foreign_payouts")
        .await;
    assert_eq!(foreign, [["acct_000", "700", "-"]]);
    assert_eq!(world.payout(0).await, "pending");
    world.books_equal().await;
}

#[tokio::test]
async fn an_object_of_the_other_mode_is_refused() {
    let mut world = World::of(1).await;
    world.scheduled().await;
    world.settle().await;
    world.advance(LONG_MS).await;
    for event in world.stripe.twin.take_events() {
        let body = std::str::from_utf8(&event.body).unwrap().replace("\"livemode\":false", "\"livemode\":true");
        world.put_body(&body).await;
    }
    world.settle().await;
    assert_eq!(world.payout(0).await, "pending");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM webhook_inbox WHERE outcome LIKE 'refused%'").await, 3);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM foreign_payouts").await, 0);
    world.check().await;
}

/// Two objects with our key at Stripe (the key was forgotten there, or somebody copied our metadata), told of in one batch or in two.
#[tokio::test]
async fn a_second_object_with_our_key_is_recorded_beside_the_payout_and_holds_the_creator() {
    for at_once in [true, false] {
        let mut world = World::of(1).await;
        world.stripe.trouble(None, 1, Trouble::HeldAfter);
        world.scheduled().await;
        world.until("the send", async |world| world.executed(0).len() == 1).await;
        let (_, body) = world.stripe.left()[0].clone();
        by_hand(&world, 0, "another", &body);
        world.advance(LONG_MS).await;
        let rows = world.executed(0);
        let events = world.stripe.twin.take_events();
        for event in &events {
            world.put(event).await;
            if !at_once {
                world.step().await;
            }
        }
        world.step().await;
        assert_eq!(world.held(0).await, ["late_execution"], "at once: {at_once}");
        let foreign = world.probe.texts("SELECT object_id, COALESCE(payout_id, '-') FROM foreign_payouts").await;
        assert_eq!(foreign.len(), 1);
        assert_eq!(
            (foreign[0][0].as_str(), foreign[0][1].as_str()),
            (rows[1].id.as_str(), world.payout_column(0, "id").await.as_str())
        );
        assert_eq!(world.payout_column(0, "stripe_payout_id").await, rows[0].id);
        assert!(world.store.books().await.unwrap().violations.is_empty());
    }
}

/// The money of a second object that comes back says nothing about the first one's.
#[tokio::test]
async fn only_its_own_objects_money_frees_a_payouts_entries() {
    let mut world = World::of(1).await;
    world.stripe.twin.set_faults("paid-then-failed=100".parse::<FaultPlan>().unwrap());
    world.scheduled().await;
    world.settle().await;
    let (_, body) = world.stripe.left()[0].clone();
    by_hand(&world, 0, "another", &body);
    world.advance(LONG_MS).await;
    let (own, second) = (world.executed(0)[0].id.clone(), world.executed(0)[1].id.clone());
    let mut events = world.stripe.twin.take_events();
    events.retain(|event| event.kind != "payout.failed" || !event_is_of(event, &own));
    for event in &events {
        world.put(event).await;
    }
    let failed = events.iter().find(|event| event.kind == "payout.failed" && event_is_of(event, &second)).unwrap();
    // The own object failed too, its money isn't back yet.
    let mut without: serde_json::Value = serde_json::from_slice(&failed.body).unwrap();
    without["id"] = "evt_own".into();
    without["data"]["object"]["id"] = own.clone().into();
    without["data"]["object"]["failure_balance_transaction"] = serde_json::Value::Null;
    world.put_body(&without.to_string()).await;
    let mut again: serde_json::Value = serde_json::from_slice(&failed.body).unwrap();
    again["id"] = "evt_again".into();
    world.put_body(&again.to_string()).await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world, 0).await), ("returned", 1));
}

fn event_is_of(event: &Event, object: &str) -> bool {
    std::str::from_utf8(&event.body).unwrap().contains(&format!("\"id\":\"{object}\""))
}

/// A refused attempt turns out to have been executed: the creator is held, nothing of it is forgotten.
#[tokio::test]
async fn a_late_execution_is_recorded_and_holds_the_creator() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, refused());
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "failed");
    assert_eq!(locked(&world, 0).await, 0);
    let (key, _) = world.stripe.left()[0].clone();
    let bank = world.payout_column(0, "destination_id").await;
    let body = create_body(&key, 1_000, usd(), &DestinationId::new(bank));
    by_hand(&world, 0, "somehow", &body);
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.held(0).await, ["late_execution"]);
    assert_eq!(locked(&world, 0).await, 1, "its entries are spent");
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM foreign_payouts WHERE payout_id IS NOT NULL").await, 1);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'payout.late_execution'").await, 1);
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    // Somebody looks at it and lets the creator go: what was executed is not paid again.
    world.store.release_hold(&creator(0), "late_execution", "looked at", &ann()).await.unwrap();
    world.run(3, RunKind::Manual).await;
    world.advance(LONG_MS).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.executed(0).len(), locked(&world, 0).await), (1, 1), "paid twice");
}

/// The twin hears nothing of the create, and it is refused.
fn refused() -> Trouble {
    Trouble::Instead(Box::new(Sent::Error {
        status: 400,
        error: StripeError { kind: "invalid_request_error".to_owned(), ..StripeError::default() },
        meta: AnswerMeta::default(),
    }))
}

/// … and when that object fails in the end and its money is back, its entries are free again.
#[tokio::test]
async fn a_late_execution_that_fails_frees_its_entries_when_the_money_is_back() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, refused());
    world.stripe.twin.set_faults("paid-then-failed=100".parse::<FaultPlan>().unwrap());
    world.scheduled().await;
    world.settle().await;
    let (key, body) = world.stripe.left()[0].clone();
    by_hand(&world, 0, &key, &body);
    world.deliver().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), locked(&world, 0).await), ("failed", 1));
    world.advance(LONG_MS).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.executed(0)[0].status, Status::Failed);
    assert_eq!((world.payout(0).await.as_str(), locked(&world, 0).await), ("failed", 0));
    assert!(world.store.books().await.unwrap().violations.is_empty());
}
