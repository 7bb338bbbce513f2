//! Estimated sales are confirmed from their accounts' balances; what was paid by then isn't changed. Money that was executed late and isn't
//! there any more is owed.
use super::{
    trouble::Trouble,
    world::{World, account, ann, creator},
};
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    currency::Currency,
    entries::Movement,
    id::AccountId,
    run::RunKind,
};
use payoutd::store::{StoreError, types::Fence};
use stripe_twin::AccountSpec;

const DAY: i64 = 86_400_000;

async fn entry(world: &World, charge: &str) -> Vec<String> {
    let query = format!(
        "SELECT currency, CAST(amount_minor AS TEXT), CASE WHEN confirmed THEN 'confirmed' ELSE 'estimated' END, \
         CAST(available_on_ms / {DAY} AS TEXT) FROM creator_earnings WHERE source_id = '{charge}' AND kind = 'sale'"
    );
    world.probe.texts(&query).await.into_iter().next().unwrap_or_default()
}

/// One creator who was paid once, and a sale of theirs since.
async fn sold() -> (World, serde_json::Value) {
    let mut world = World::of(1).await;
    world.scheduled().await;
    world.settle().await;
    let charge = world.sell(&account(0), 5_000, "usd");
    world.deliver().await;
    world.settle().await;
    (world, charge)
}

fn id(charge: &serde_json::Value) -> &str {
    charge["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_sale_in_the_accounts_currency_counts_as_estimated_and_is_confirmed_when_it_is_on_the_balance() {
    let mut world = World::of(1).await;
    // The account is read for the first plan: its bank account is known by then.
    world.scheduled().await;
    world.settle().await;
    let _ = world.stripe.twin.take_events();
    let charge = world.sell(&account(0), 5_000, "usd");
    world.deliver().await;
    world.settle().await;
    world.advance(61_000).await;
    world.step().await;
    let day = world.clock.now_ms() / DAY;
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "4500", "estimated"]);
    assert_eq!(world.stripe.movements(), 0, "nobody asks before it is expected");
    later(&mut world, 8 * DAY).await;
    let expected = [String::from("usd"), "4500".to_owned(), "confirmed".to_owned(), (day + 2).to_string()];
    assert_eq!(entry(&world, id(&charge)).await, expected);
    assert_eq!(world.stripe.movements(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_sale_whose_transfer_was_never_told_is_confirmed_and_what_was_taken_back_of_it_comes_to_light() {
    let mut world = World::of(1).await;
    world.scheduled().await;
    world.settle().await;
    let told = world.sell(&account(0), 5_000, "usd");
    world.deliver().await;
    let charge = world.sell(&account(0), 6_000, "usd");
    world.give_back(&charge, 2_000, true, false);
    for event in world.stripe.twin.take_events() {
        if !event.kind.starts_with("transfer.") {
            world.put(&event).await;
        }
    }
    world.settle().await;
    let listed = |world: &World| world.stripe.asked().iter().filter(|(_, what)| *what == "transfers").count();
    assert_eq!(listed(&world), 0);
    let refund = "SELECT CAST(SUM(amount_minor) AS TEXT) FROM creator_earnings WHERE kind = 'refund'";
    later(&mut world, 8 * DAY).await;
    assert_eq!(entry(&world, id(&told)).await[..3], ["usd", "4500", "confirmed"]);
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "5400", "confirmed"]);
    assert_eq!((listed(&world), world.stripe.movements()), (1, 1));
    assert_eq!(world.probe.texts(refund).await[0][0], "-2000");
    later(&mut world, 2 * DAY).await;
    assert_eq!((listed(&world), world.stripe.movements()), (1, 1), "nothing is left to ask about");
    let other = world.sell(&account(0), 5_000, "usd");
    world.deliver().await;
    later(&mut world, 61_000).await;
    later(&mut world, 8 * DAY).await;
    assert_eq!(entry(&world, id(&other)).await[..3], ["usd", "4500", "confirmed"]);
    assert_eq!(
        (listed(&world), world.stripe.movements()),
        (1, 2),
        "transfers are told, and asked for only where one wasn't"
    );
    world.check().await;
}

#[tokio::test]
async fn a_wall_clock_that_jumps_over_days_lets_nothing_wait_for_a_minute_of_its_own() {
    let (mut world, charge) = sold().await;
    world.stripe.twin.clock().set_offset_ms(8 * DAY);
    world.hand.jump_wall(8 * DAY);
    for _ in 0..4 {
        world.step().await;
    }
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "4500", "confirmed"]);
    world.check().await;
}

/// So much later (milliseconds) what is due is asked for, answered and written.
async fn later(world: &mut World, ms: i64) {
    world.advance(ms).await;
    for _ in 0..4 {
        world.step().await;
    }
}

/// One creator in dollars, and one whose account has no bank account but one in euros.
async fn with_euros() -> World {
    let mut world = World::of(1).await;
    let mut spec = AccountSpec::new("acct_eur", "DE", "eur", 0);
    spec.metadata.insert("creator_id".to_owned(), "creator_eur".to_owned());
    world.stripe.twin.add_accounts(vec![spec]).unwrap();
    let change = stripe_twin::AccountChange { currently_due: Some(vec!["x".to_owned()]), ..Default::default() };
    world.stripe.twin.change_account("acct_eur", change).unwrap();
    world.deliver().await;
    world.settle().await;
    world
}

#[tokio::test]
async fn a_sale_that_is_converted_counts_for_nothing_until_its_account_says_what_it_came_to() {
    let mut world = with_euros().await;
    let charge = world.sell("acct_eur", 10_000, "usd");
    world.give_back(&charge, 5_000, true, false);
    world.deliver().await;
    world.step().await;
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "9000", "estimated"]);
    let hanging = "SELECT COUNT(*) FROM creator_earnings WHERE account_id = 'acct_eur' AND kind <> 'sale'";
    assert_eq!(world.probe.number(hanging).await, 0, "what hangs on it waits with it");
    later(&mut world, 61_000).await;
    // 92.59 EUR at the twin, of which it takes 9.25.
    assert_eq!(entry(&world, id(&charge)).await[..3], ["eur", "8334", "confirmed"]);
    let sums = [("sale eur".to_owned(), 8_334), ("refund eur".to_owned(), -4_629)];
    assert_eq!(world.sums("acct_eur").await, sums.into());
    world.check().await;
}

#[tokio::test]
async fn what_is_taken_back_of_a_converted_sale_after_its_confirmation_is_confirmed_as_well() {
    let mut world = with_euros().await;
    let charge = world.sell("acct_eur", 10_000, "usd");
    world.deliver().await;
    world.step().await;
    later(&mut world, 61_000).await;
    assert_eq!(entry(&world, id(&charge)).await[..3], ["eur", "8334", "confirmed"]);
    for _ in 0..2 {
        world.give_back(&charge, 5_000, true, true);
    }
    world.deliver().await;
    world.settle().await;
    let estimated = "SELECT COUNT(*) FROM creator_earnings WHERE NOT confirmed";
    assert_eq!(world.probe.number(estimated).await, 4);
    // Half of 92.59 is 46.29, and twice that is a cent less than all of it.
    let sums = |refund, fee| {
        [("sale eur".to_owned(), 8_334), ("refund eur".to_owned(), refund), ("fee_refund eur".to_owned(), fee)].into()
    };
    assert_eq!(world.sums("acct_eur").await, sums(-9_258, 924));
    assert_eq!(world.stripe.movements(), 1, "an account is asked once a day");
    later(&mut world, DAY).await;
    assert_eq!(world.sums("acct_eur").await, sums(-9_259, 925));
    assert_eq!(world.probe.number(estimated).await, 0);
    assert_eq!(world.stripe.movements(), 2);
    later(&mut world, DAY).await;
    assert_eq!(world.stripe.movements(), 2, "nothing is left to ask about");
    world.check().await;
}

fn movement(source: &str, net_minor: i64, currency: &str) -> Movement {
    Movement {
        id: "txn_1".to_owned(),
        source: Some(source.to_owned()),
        currency: Currency::parse(currency).unwrap(),
        amount_minor: net_minor,
        fee_minor: 0,
        net_minor,
        available_on_ms: crate::databases::START_MS,
    }
}

async fn fence(world: &World) -> Fence {
    let token = world.probe.number("SELECT token FROM lease WHERE id = 1").await;
    Fence(token)
}

#[tokio::test]
async fn a_sale_behind_thousands_of_newer_movements_is_confirmed_all_the_same() {
    let (mut world, charge) = sold().await;
    // Nobody tells of them, and no sweep finds them.
    for _ in 0..5_100 {
        world.sell(&account(0), 100, "usd");
    }
    let _lost = world.stripe.twin.take_events();
    world.stripe.trouble_read(Some("events"), usize::MAX, payoutd::stripe::ReadError::Unreachable("away".to_owned()));
    later(&mut world, 8 * DAY).await;
    for _ in 0..4 {
        world.step().await;
    }
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "4500", "confirmed"]);
    let pages = world.stripe.movements();
    assert!((52..=54).contains(&pages), "each page once: {pages}");
    later(&mut world, 61_000).await;
    assert_eq!(world.stripe.movements(), pages, "and not again");
}

#[tokio::test]
async fn what_was_paid_before_it_was_confirmed_otherwise_is_told_and_left_as_it_is() {
    let (mut world, charge) = sold().await;
    let payment: String = world.probe.texts("SELECT destination_payment FROM transfers").await[0][0].clone();
    world.stripe.hide_movements(true);
    world.advance(8 * DAY).await;
    world.deliver().await;
    world.settle().await;
    world.run_now(2).await;
    world.settle().await;
    assert_eq!(world.payout_column(0, "amount_minor").await, "4500");
    let account = AccountId::new(account(0));
    let told =
        world.store.confirm(fence(&world).await, &account, &[movement(&payment, 4_400, "usd")], true).await.unwrap();
    assert_eq!(told.differs.len(), 1);
    assert_eq!(entry(&world, id(&charge)).await[..3], ["usd", "4500", "confirmed"]);
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM journal WHERE action = 'earnings.differ'").await, 1);
    let again =
        world.store.confirm(fence(&world).await, &account, &[movement(&payment, 4_400, "usd")], true).await.unwrap();
    assert_eq!(again, payoutd::store::types::Booking::default(), "told once");
    let stale = world.store.confirm(Fence(0), &account, &[], true).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    world.check().await;
}

/// Refused as it seemed, its entry paid by the next payout, and then it turns out to have been executed.
async fn executed_late_and_spent() -> World {
    let mut world = World::of(1).await;
    let refusal = Trouble::Instead(Box::new(Sent::Error {
        status: 400,
        error: StripeError { kind: "invalid_request_error".to_owned(), ..StripeError::default() },
        meta: AnswerMeta::default(),
    }));
    world.stripe.trouble(None, 1, refusal);
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.payout(0).await, "failed");
    world.run(2, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    let (key, body) = world.stripe.left()[0].clone();
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    world.deliver().await;
    world.settle().await;
    world
}

#[tokio::test]
async fn what_was_executed_late_when_its_money_was_spent_is_owed() {
    let mut world = executed_late_and_spent().await;
    let owed = [("sale usd".to_owned(), 1_000), ("overpaid usd".to_owned(), -1_000)];
    assert_eq!(world.sums(&account(0)).await, owed.into());
    assert_eq!(world.held(0).await, ["late_execution"]);
    world.advance(DAY).await;
    world.deliver().await;
    world.settle().await;
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_earnings WHERE kind = 'overpaid'").await, 1);
    // Looked at and let go: what comes next is taken for it.
    world.store.release_hold(&creator(0), "late_execution", "looked at", &ann()).await.unwrap();
    world.earn(0, 3_000).await;
    world.run(3, RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.payout_column(0, "amount_minor").await, "2000");
    let told = world.store.books().await.unwrap().violations;
    assert!(told.len() == 1 && told[0].contains("Stripe executed its attempt"), "never silent: {told:?}");
}

#[tokio::test]
async fn it_is_owed_no_more_when_the_late_objects_money_is_back() {
    let mut world = executed_late_and_spent().await;
    let sums = "SELECT CAST(SUM(amount_minor) AS TEXT) FROM creator_earnings WHERE kind = 'overpaid'";
    assert_eq!(world.probe.texts(sums).await[0][0], "-1000");
    let object = world.probe.texts("SELECT object_id FROM foreign_payouts").await[0][0].clone();
    let body = serde_json::json!({
        "id": "evt_back", "object": "event", "type": "payout.failed", "account": account(0), "livemode": false, "created": 1_796_200_000,
        "data": {"object": {"id": object, "object": "payout", "amount": 1_000, "currency": "usd", "status": "failed", "livemode": false,
            "automatic": false, "created": 1_796_104_900, "failure_code": "could_not_process", "failure_message": "x",
            "failure_balance_transaction": "txn_back",
            "metadata": {"payoutd_key": world.stripe.left()[0].0.clone()}}}
    });
    world.put_body(&body.to_string()).await;
    world.settle().await;
    assert_eq!(world.probe.texts(sums).await[0][0], "0");
    assert!(world.store.books().await.unwrap().violations.is_empty());
}
