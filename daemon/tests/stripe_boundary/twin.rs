//! The live client against the twin: complete objects over real HTTP, and a ledger that says what was executed.
use super::{KEY, START_MS, payout};
use futures::future::join_all;
use payout_shared::{
    answer::Sent,
    currency::Currency,
    id::{AccountId, DestinationId, Mode, ObjectId},
};
use payoutd::{
    clock::Clock,
    stripe::{
        BankObject, Limits, ListRequest, LiveStripe, MoneyRequest, ReadError, Settings, Stripe as _, create_body,
        event::{self, EventObject},
        limits::Rates,
        signature, wire,
    },
};
use secrecy::SecretString;
use std::collections::HashSet;
use stripe_twin::{AccountSpec, Config, FaultPlan, Handle, PLATFORM_ACCOUNT, Rules, TEST_KEY, serve};

struct World {
    twin: Handle,
    clock: Clock,
    stripe: LiveStripe,
}

async fn world(faults: &str) -> World {
    let accounts = (0..40).map(|n| AccountSpec::new(&format!("acct_{n}"), "US", "usd", 100_000)).collect();
    let faults: FaultPlan = faults.parse().unwrap();
    let rules = Rules { settle_ms: 3_600_000, ..Rules::default() };
    let twin = serve(Config { accounts, faults, rules, ..Config::default() }).await.unwrap();
    let stripe = client(&twin, TEST_KEY, &Clock::system());
    World { twin, clock: Clock::system(), stripe }
}

fn client(twin: &Handle, key: &str, clock: &Clock) -> LiveStripe {
    let rates = Rates { read_milli_per_s: 1_000_000, global_milli_per_s: 10_000_000, ..Rates::default() };
    let settings = Settings {
        key: SecretString::from(key),
        base: twin.url(),
        connect_timeout_ms: 5_000,
        request_timeout_ms: 30_000,
    };
    LiveStripe::new(&settings, clock.clone(), Limits::new(rates, clock.clone())).unwrap()
}

impl World {
    async fn bank(&self, account: &AccountId) -> BankObject {
        self.stripe.account(account.clone()).await.unwrap().banks[0].clone()
    }

    fn create(&self, account: &AccountId, key: &str, amount_minor: i64, bank: &DestinationId) -> MoneyRequest {
        MoneyRequest {
            account: account.clone(),
            key: key.to_owned(),
            path: wire::CREATE_PATH.to_owned(),
            body: create_body(key, amount_minor, Currency::parse("usd").unwrap(), bank),
            send_before: self.clock.boot().plus_ms(60_000),
        }
    }

    fn list(account: &AccountId) -> ListRequest {
        ListRequest { account: account.clone(), created_from_s: 0, starting_after: None }
    }
}

#[tokio::test]
async fn a_create_is_executed_once_listed_and_replayed() {
    let world = world("").await;
    let account = AccountId::new("acct_1");
    let bank = world.bank(&account).await;
    assert!(bank.default_for_currency);
    let request = world.create(&account, KEY, 1_100, &bank.id);
    let Sent::Object { object, meta } = world.stripe.send(request.clone()).await else { panic!() };
    assert_eq!((object.amount_minor, object.mode), (1_100, Mode::Test));
    assert_eq!((object.key.as_deref(), object.destination.as_ref()), (Some(KEY), Some(&bank.id)));
    assert!(!meta.replayed && meta.request_id.is_some() && meta.date_ms.is_some());
    let Sent::Object { object: again, meta } = world.stripe.send(request.clone()).await else { panic!() };
    assert!(meta.replayed);
    assert_eq!(again.id, object.id);
    assert_eq!(world.twin.twin.ledger().len(), 1);
    let page = world.stripe.list(World::list(&account)).await.unwrap();
    assert_eq!((page.payouts.len(), page.has_more), (1, false));
    assert_eq!((&page.payouts[0].id, page.payouts[0].key.as_deref()), (&object.id, Some(KEY)));
    assert_eq!(world.stripe.payout(account.clone(), object.id).await.unwrap().amount_minor, 1_100);
    let (usd, left) = world.stripe.balance(account.clone()).await.unwrap().available[0];
    assert_eq!((usd.as_str(), left), ("usd", 98_900));
    let mut other = request;
    other.body = create_body(KEY, 1_200, usd, &bank.id);
    let Sent::Error { status: 400, error, .. } = world.stripe.send(other).await else { panic!() };
    assert_eq!(error.kind, "idempotency_error");
    let drift_ms = world.stripe.time().unwrap().0 - world.clock.now_ms();
    assert!((-2_000..=1).contains(&drift_ms), "never ahead, at most a second and the way behind: {drift_ms}");
}

#[tokio::test]
async fn all_accounts_are_had_by_pages_of_a_hundred_each_once_and_as_if_read_singly() {
    let accounts = (0..230).map(|n| AccountSpec::new(&format!("acct_{n:03}"), "US", "usd", 100_000)).collect();
    let twin = serve(Config { accounts, ..Config::default() }).await.unwrap();
    let stripe = client(&twin, TEST_KEY, &Clock::system());
    let (mut all, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = stripe.accounts(after.clone()).await.unwrap();
        sizes.push(page.accounts.len());
        all.extend(page.accounts);
        match page.next_after {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(sizes, [100, 100, 30]);
    let ids: HashSet<&str> = all.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids.len(), 230, "none twice, none left out");
    let one = stripe.account(AccountId::new("acct_117")).await.unwrap();
    assert_eq!(all.iter().find(|account| account.id == one.id), Some(&one));
}

#[tokio::test]
async fn the_twin_knows_the_platform_and_refuses_strangers() {
    let world = world("").await;
    assert_eq!(world.stripe.platform().await, Ok(AccountId::new(PLATFORM_ACCOUNT)));
    let stranger = client(&world.twin, "sk_test_stranger", &world.clock);
    assert!(matches!(stranger.platform().await, Err(ReadError::Refused(_))));
    let nobody = AccountId::new("acct_nobody");
    assert!(matches!(world.stripe.account(nobody.clone()).await, Err(ReadError::NoAccess(_))));
    assert!(matches!(world.stripe.list(World::list(&nobody)).await, Err(ReadError::NoAccess(_))));
    let known = AccountId::new("acct_1");
    let unknown = world.stripe.payout(known, ObjectId::new("po_nothing")).await;
    assert!(matches!(unknown, Err(ReadError::NoAccess(_))), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_what_is_said_agrees_with_the_ledger() {
    let faults = "reset-before=15,executed-then-dropped=15,unreadable-body=15,500-not-executed=10,lock-timeout=10";
    let world = world(faults).await;
    let bank_of = |n: usize| {
        let (world, account) = (&world, AccountId::new(format!("acct_{n}")));
        async move { (account.clone(), world.bank(&account).await.id) }
    };
    let banks = join_all((0..40).map(bank_of)).await;
    let sends = banks.iter().cycle().take(400).enumerate().map(|(n, (account, bank))| {
        let key = format!("key-{n}");
        let sending = world.stripe.send(world.create(account, &key, 100, bank));
        async move { (key, sending.await) }
    });
    let outcomes = join_all(sends).await;
    let executed: Vec<_> = world.twin.twin.ledger();
    let executed: Vec<_> = executed.iter().map(|row| row.metadata["payoutd_key"].clone()).collect();
    let distinct: HashSet<_> = executed.iter().collect();
    assert_eq!(distinct.len(), executed.len(), "one key was executed twice");
    let (mut done, mut lost, mut unreadable, mut errors) = (0, 0, 0, 0);
    for (key, sent) in &outcomes {
        let was = distinct.contains(key);
        match sent {
            Sent::Object { .. } => {
                assert!(was, "{key} is said to be done");
                done += 1;
            }
            Sent::NeverLeft { detail } => panic!("{key}: {detail}"),
            Sent::Error { .. } => {
                assert!(!was, "{key}: {sent:?}");
                errors += 1;
            }
            Sent::Lost { .. } => lost += 1,
            Sent::Unreadable { .. } => unreadable += 1,
        }
    }
    assert!(done > 100 && lost > 50 && unreadable > 20 && errors > 30, "{done} {lost} {unreadable} {errors}");
    assert!(executed.len() > done, "some were executed without our hearing of it");
}

#[tokio::test]
async fn the_twins_events_are_believed_and_read() {
    let world = world("").await;
    let account = AccountId::new("acct_3");
    let bank = world.bank(&account).await.id;
    let Sent::Object { object, .. } = world.stripe.send(world.create(&account, KEY, 700, &bank)).await else {
        panic!()
    };
    let secret = "whsec_twin";
    let events = world.twin.twin.take_events();
    let created = events.iter().find(|event| event.kind == "payout.created").expect("an event");
    let header = stripe_twin::sign(secret, START_MS / 1_000, &created.body);
    let secrets = [SecretString::from(secret)];
    assert_eq!(signature::verify(Some(&header), &created.body, &secrets, START_MS), Ok(START_MS / 1_000));
    let event = event::parse(&created.body).unwrap();
    assert_eq!((event.account, event.mode), (Some(account), Some(Mode::Test)));
    assert_eq!(event.idempotency_key.as_deref(), Some(KEY));
    assert_eq!(event.object, EventObject::Payout(object));
}

#[test]
fn our_own_example_of_a_payout_has_the_key_it_is_matched_by() {
    assert_eq!(payout()["metadata"]["payoutd_key"], KEY);
}
