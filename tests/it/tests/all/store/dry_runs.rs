//! A dry run is the plan, also where Stripe holds less than is payable or nobody knows how much, and it writes nothing at all.
use super::fixtures::{fence, import, run_of, sale, usd};
use crate::databases::{Database, START_MS, each_database};
use payout_shared::{
    currency::Currency,
    id::AccountId,
    plan::{Decision, SkipReason},
    policy::PolicySet,
    run::RunKind,
};
use payoutd::store::{
    Store,
    door_types::{AccountRead, BankRead},
    types::{AccountCheck, Fence, PlanContext, PlannedPurse},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
const PURSES: u64 = 60;

fn huf() -> Currency {
    Currency::parse("huf").unwrap()
}

fn bank(currency: Currency) -> BankRead {
    BankRead { currency, destination: "ba_1".into(), status: "new".to_owned(), bank_name: None, country: None }
}

/// Purses with a handful of entries each, half of them in a currency of whole hundreds; what Stripe holds of each is known to be enough, a
/// little less, much less or nothing, freshly or long ago or not at all.
async fn random(database: &Database, store: &Store, token: Fence, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut rows, mut reads, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let mut refunds = Vec::new();
    for n in 0..PURSES {
        let (currency, account) = (if n % 2 == 0 { usd() } else { huf() }, AccountId::new(format!("acct_{n}")));
        let mut sum = 0;
        for of in 0..rng.random_range(1..6) {
            let mut row = sale(n, &format!("ch_{n}_{of}"), rng.random_range(100..40_000));
            row.currency = currency;
            row.earned_at_ms = START_MS - rng.random_range(-1..9) * DAY;
            row.available_on_ms = START_MS - rng.random_range(-1..9) * DAY;
            sum += row.gross_minor;
            rows.push(row);
        }
        if rng.random_bool(0.4) {
            refunds.push(format!(
                "('creator{n}', '{account}', '{currency}', 'refund', -{minor}, 0, 0, 'x', 'x{n}', {START_MS}, {START_MS}, 1)",
                minor = rng.random_range(1..9_000)
            ));
        }
        let read_at_ms = START_MS - [0, MINUTE, 9 * MINUTE, DAY, 30 * DAY][rng.random_range(0..5)];
        let available_minor = [sum, sum / 2, sum / 10, 150, 0, -sum][rng.random_range(0..6)];
        if rng.random_bool(0.85) {
            checks.push(AccountCheck {
                account: account.clone(),
                read_at_ms,
                stripe_ms: read_at_ms,
                purses: vec![(currency, available_minor, 0)],
                failed: rng.random_bool(0.1).then(|| "no answer".to_owned()),
            });
        }
        reads.push(AccountRead {
            account,
            read_at_ms: START_MS - DAY,
            country: None,
            payouts_enabled: rng.random_bool(0.95),
            charges_enabled: true,
            details_submitted: true,
            disabled_reason: None,
            schedule_interval: Some("manual".to_owned()),
            banks: vec![bank(usd()), bank(huf())],
        });
    }
    import(store, &rows).await;
    database
        .execute(&format!(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES {}",
            refunds.join(", ")
        ))
        .await;
    store.record_accounts(token, &reads).await.unwrap();
    store.record_checks(token, &checks, &[], &|_| i64::MAX).await.unwrap();
}

/// Every table with its number of rows, and the journal's head.
async fn footprint(database: &Database, store: &Store) -> (BTreeMap<String, i64>, (i64, String)) {
    let tables = if database.engine == "sqlite" {
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    } else {
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() \
         AND table_type = 'BASE TABLE' ORDER BY table_name"
    };
    let mut counts = BTreeMap::new();
    for row in database.texts(tables).await {
        let rows = database.number(&format!("SELECT COUNT(*) FROM {}", row[0])).await;
        counts.insert(row[0].clone(), rows);
    }
    assert!(
        counts.contains_key("creator_payouts") && counts.contains_key("journal") && counts.len() > 20,
        "{counts:?}"
    );
    (counts, store.journal_head().await.unwrap())
}

/// Purse, amount or reason, destination or sentence, and what is payable.
fn told(purse: &PlannedPurse) -> [String; 4] {
    let (what, how) = match &purse.decision {
        Decision::Pay { amount, destination, .. } => (amount.minor.to_string(), destination.to_string()),
        Decision::Skip { reason, sentence } => (reason.as_str().to_owned(), sentence.clone()),
    };
    [format!("{} {}", purse.account, purse.currency), what, how, purse.mature_minor.to_string()]
}

async fn dry(store: &Store, context: &PlanContext) -> Vec<[String; 4]> {
    let (mut all, mut after) = (Vec::new(), Some(String::new()));
    while let Some(place) = after {
        let page = store.preview_page(START_MS, START_MS, None, &place, 7, context).await.unwrap();
        all.extend(page.purses.iter().map(told));
        after = page.next_after;
    }
    all
}

async fn real(database: &Database, store: &Store, token: Fence, context: &PlanContext) -> Vec<[String; 4]> {
    let run = store.insert_run(&run_of(12, 1, RunKind::Manual)).await.unwrap().0;
    loop {
        let run = store.run(run.id.as_str()).await.unwrap();
        if store.plan_page(token, &run, 11, context).await.unwrap().next_after.is_none() {
            break;
        }
    }
    let written = "SELECT o.account_id || ' ' || o.currency, COALESCE(CAST(p.amount_minor AS TEXT), o.reason), \
                   COALESCE(p.destination_id, o.sentence), CAST(o.payable_minor AS TEXT) FROM run_outcomes o \
                   LEFT JOIN creator_payouts p ON p.id = o.payout_id ORDER BY o.account_id, o.currency";
    database.texts(written).await.into_iter().map(|row| row.try_into().unwrap()).collect()
}

#[tokio::test]
async fn a_dry_run_is_the_plan_whatever_stripe_holds_and_writes_nothing() {
    let outcomes = RefCell::new(BTreeSet::new());
    for (seed, short) in [(1, "fifo"), (2, "fifo"), (3, "skip")] {
        each_database(async |database| {
            let (store, _) = database.store().await;
            let token = fence(&store).await;
            random(database, &store, token, seed).await;
            let policies = PolicySet::default().with("minimum.usd", "10.00").unwrap().with("short", short).unwrap();
            let context = PlanContext::new(policies.with("bank_changed_days", "0").unwrap(), usd(), START_MS);
            let before = footprint(database, &store).await;
            let dry = dry(&store, &context).await;
            assert_eq!(footprint(database, &store).await, before, "{}: a dry run wrote something", database.engine);
            assert_eq!(dry, real(database, &store, token, &context).await, "{}, seed {seed}", database.engine);
            assert!(dry.len() > 50 && footprint(database, &store).await != before);
            assert_eq!(store.books().await.unwrap().violations, Vec::<String>::new());
            let paid = |what: &String| what.parse::<i64>().is_ok();
            outcomes
                .borrow_mut()
                .extend(dry.into_iter().map(|[_, what, ..]| if paid(&what) { "paid".to_owned() } else { what }));
        })
        .await;
    }
    let outcomes = outcomes.into_inner();
    for wanted in ["paid", SkipReason::StripeShort.as_str(), SkipReason::BelowMinimum.as_str()] {
        assert!(outcomes.contains(wanted), "the seeds never came to {wanted}: {outcomes:?}");
    }
}
