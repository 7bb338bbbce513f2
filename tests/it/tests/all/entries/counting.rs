//! Which entries count is said once in the core and once in SQL: on random purses both say the same, on both databases.
use crate::databases::{Database, START_MS, each_database};
use payout_shared::{
    currency::Currency,
    earning::{EarningKind, Maturity, counts},
    policy::PolicySet,
};
use payoutd::store::types::PlanContext;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000;
const ENTRIES: usize = 600;
const PURSES: usize = 12;

struct Random {
    account: String,
    entry: Maturity,
    confirmed: bool,
    settles: bool,
    transfer: Option<&'static str>,
}

/// Times around what separates: a moment before, at and after.
fn near(rng: &mut StdRng, at_ms: i64) -> i64 {
    at_ms + [-40 * DAY, -5 * DAY, -DAY, -1, 0, 1, DAY][rng.random_range(0..7)]
}

fn random(rng: &mut StdRng, hold_ms: i64) -> Random {
    let kind = EarningKind::ALL[rng.random_range(0..EarningKind::ALL.len())];
    let (confirmed, settles) = (rng.random_bool(0.6), rng.random_bool(0.6));
    let transfer = [
        None,
        Some("tr_there"),
        Some("tr_elsewhere"),
        Some("tr_none"),
        Some("tr_small"),
        Some("tr_sale"),
        Some("tr_euro"),
        Some("tr_converted"),
    ][rng.random_range(0..8)];
    let earned = if rng.random_bool(0.5) { START_MS } else { START_MS - hold_ms };
    Random {
        account: format!("acct_{:02}", rng.random_range(0..PURSES)),
        entry: Maturity {
            kind,
            amount_minor: rng.random_range(-5_000..5_000),
            earned_at_ms: near(rng, earned),
            available_on_ms: near(rng, START_MS),
            is_sure: confirmed || settles,
            has_transfer: matches!(transfer, Some("tr_there" | "tr_converted")),
        },
        confirmed,
        settles,
        transfer,
    }
}

async fn write(database: &Database, entries: &[Random]) {
    let mut rows = Vec::new();
    for (n, Random { account, entry, confirmed, settles, transfer }) in entries.iter().enumerate() {
        let transfer =
            transfer.map_or("NULL".to_owned(), |id| format!("'{id}{}'", if id == "tr_none" { "" } else { account }));
        rows.push(format!(
            "('c_{account}', '{account}', 'usd', '{}', {}, 0, 0, 'x', 'x{n}', {}, {}, 1, {transfer}, {confirmed}, {settles})",
            entry.kind.as_str(),
            entry.amount_minor,
            entry.earned_at_ms,
            entry.available_on_ms,
        ));
    }
    let mut text = format!(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, source_id, \
         earned_at_ms, available_on_ms, created_at_ms, transfer_id, confirmed, settles_as_charged) VALUES {}",
        rows.join(", ")
    );
    for n in 0..PURSES {
        let account = format!("acct_{n:02}");
        for (id, of, currency, minor) in [
            ("tr_there", account.as_str(), "usd", 5_000),
            ("tr_elsewhere", "acct_x", "usd", 5_000),
            ("tr_small", &account, "usd", -5_001),
            ("tr_euro", &account, "eur", 5_000),
            ("tr_converted", &account, "gbp", 1),
        ] {
            text += &format!(
                "; INSERT INTO transfers (transfer_id, account_id, amount_minor, currency, created_ms) \
                 VALUES ('{id}{account}', '{of}', {minor}, '{currency}', 1)"
            );
        }
        text += &format!(
            "; INSERT INTO account_banks (account_id, currency, destination_id, status) VALUES ('{account}', 'eur', 'ba_{n}', 'new')"
        );
        // A sale's own transfer has brought the sale's money.
        text += &format!(
            "; INSERT INTO transfers (transfer_id, account_id, amount_minor, currency, charge_id, created_ms) \
             VALUES ('tr_sale{account}', '{account}', 5000, 'usd', 'ch_{account}', 1)"
        );
    }
    database.execute(&text).await;
}

#[tokio::test]
async fn the_databases_sums_are_the_cores_over_random_purses() {
    for (seed, hold_ms) in [(1, 0), (2, 3 * DAY)] {
        each_database(async |database| {
            let (store, _) = database.store().await;
            let mut rng = StdRng::seed_from_u64(seed);
            let entries: Vec<Random> = (0..ENTRIES).map(|_| random(&mut rng, hold_ms)).collect();
            write(database, &entries).await;
            let usd = Currency::parse("usd").unwrap();
            let policies = PolicySet::default().with("hold_days", &(hold_ms / DAY).to_string()).unwrap();
            let context = PlanContext::new(policies, usd, START_MS);
            let page = store.preview_page(START_MS, START_MS, None, "", 1_000, &context).await.unwrap();
            let told: BTreeMap<String, (i64, i64)> = (page.purses.iter())
                .map(|purse| (purse.account.to_string(), (purse.mature_minor, purse.immature_minor)))
                .collect();
            let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
            for Random { account, entry, .. } in &entries {
                let sums = expected.entry(account.clone()).or_default();
                let sum = if counts(entry, START_MS, START_MS, hold_ms) { &mut sums.0 } else { &mut sums.1 };
                *sum += entry.amount_minor;
            }
            assert_eq!(told, expected, "{}, hold {hold_ms}", database.engine);
            assert!(expected.len() == PURSES && expected.values().all(|(mature, later)| *mature != 0 && *later != 0));
        })
        .await;
    }
}
