//! What the platform's existing SQL expects of PostgreSQL: the statements run unchanged and give true answers.
use super::fixtures::{Paid, a_run, ann, fence, import, sale, usd};
use crate::databases::{Database, START_MS};
use payout_shared::currency::Currency;
use payoutd::{
    clock::Clock,
    store::{
        door_types::{AccountRead, BankRead, EarningRow},
        types::By,
    },
};

/// As they stand in the platform's runbook.
const STATEMENTS: &str = "
INSERT INTO creator_payout_settings (creator_id, payout_enabled, minimum_payout_amount)
SELECT supabase_id, true, 50.00 FROM users WHERE is_creator = true ON CONFLICT (creator_id) DO NOTHING;
UPDATE users SET payout_beta_enabled = true WHERE supabase_id IN ('creator1', 'creator2');
UPDATE users SET payout_enabled = true WHERE is_creator = true;
SELECT COUNT(*) as eligible_creators FROM creator_stripe_accounts WHERE payouts_enabled = true AND charges_enabled = true;
SELECT * FROM payout_runs WHERE status = 'running' AND started_at < NOW() - INTERVAL '1 hour';
SELECT status, COUNT(*) FROM creator_payouts WHERE created_at > NOW() - INTERVAL '1 hour' GROUP BY status;
SELECT creator_id, net_payout_amount, failure_reason FROM creator_payouts
 WHERE status = 'failed' AND created_at > NOW() - INTERVAL '1 hour';
";

#[tokio::test]
async fn the_platforms_statements_run_unchanged() {
    let database = Database::postgres().await;
    drop(database.store().await);
    database.execute("INSERT INTO users (supabase_id, is_creator) VALUES ('creator1', true)").await;
    database.execute(STATEMENTS).await;
    assert_eq!(
        database.texts("SELECT creator_id, CAST(minimum_payout_amount AS TEXT) FROM creator_payout_settings").await,
        [["creator1", "50.000"]]
    );
    database.drop_it().await;
}

#[tokio::test]
async fn people_read_returned_as_failed_paused_as_running_and_major_units() {
    let database = Database::postgres().await;
    let (store, _) = database.store().await;
    let run = a_run(&store).await;
    for (n, state) in (1..).zip(["returned", "failed", "paid"]) {
        let id = format!("pay_{n}");
        Paid { id: &id, run: &run, creator: n, state, amount_minor: 123_456, cause: Some("x"), changed_at_ms: 1 }
            .write(&database)
            .await;
    }
    let people = "SELECT state, status, CAST(net_payout_amount AS TEXT), failure_reason, \
                  CAST(created_at AT TIME ZONE 'UTC' AS TEXT) FROM creator_payouts ORDER BY id";
    assert_eq!(
        database.texts(people).await,
        [
            ["returned", "failed", "1234.56", "x", "2026-12-01 06:00:00"],
            ["failed", "failed", "1234.56", "x", "2026-12-01 06:00:00"],
            ["paid", "paid", "1234.56", "x", "2026-12-01 06:00:00"],
        ]
    );
    for (state, status) in
        [("pausing", "running"), ("paused", "running"), ("running", "running"), ("planned", "planned")]
    {
        database.execute(&format!("UPDATE payout_runs SET state = '{state}', started_at_ms = {START_MS}")).await;
        let told = database.texts("SELECT status, CAST(started_at AT TIME ZONE 'UTC' AS TEXT) FROM payout_runs").await;
        assert_eq!(told, [[status, "2026-12-01 06:00:00"]]);
    }
    database.drop_it().await;
}

#[tokio::test]
async fn currencies_have_the_same_decimals_in_sql_and_in_the_core() {
    let database = Database::postgres().await;
    let letters = || b'a'..=b'z';
    let mut codes = Vec::new();
    for a in letters() {
        for b in letters() {
            codes.extend(letters().map(|c| String::from_utf8(vec![a, b, c]).unwrap()));
        }
    }
    let list = codes.iter().map(|code| format!("('{code}')")).collect::<Vec<_>>().join(",");
    let told = database
        .texts(&format!("SELECT code, CAST(currency_exponent(code) AS TEXT), CAST(major_units(-12345, code) AS TEXT) FROM (VALUES {list}) v(code)"))
        .await;
    assert_eq!(told.len(), 26 * 26 * 26);
    for row in told {
        let currency = Currency::parse(&row[0]).unwrap();
        assert_eq!(row[1], currency.exponent().to_string(), "{currency}");
        assert_eq!(row[2], payout_shared::money::Money::new(-12345, currency).to_major(), "{currency}");
    }
    database.drop_it().await;
}

const BALANCE: &str = "SELECT concat_ws(' ', gross, fee, refunds, held, reserved, in_flight, payable_now, immature, debt) FROM \
                       get_creator_pending_balance";

#[tokio::test]
async fn a_pending_balance_is_what_the_books_say() {
    let database = Database::postgres().await;
    // The function asks the database's clock what is mature.
    let store = database.store_at(Clock::system()).await;
    let now_ms = Clock::system().now_ms();
    let at = |row: EarningRow, available_on_ms| EarningRow { earned_at_ms: now_ms - 9_000_000, available_on_ms, ..row };
    let eur = Currency::parse("eur").unwrap();
    let older = EarningRow { account: "acct_1b".into(), ..sale(1, "ch_4", 500) };
    import(
        &store,
        &[
            at(sale(1, "ch_1", 1000), now_ms - 1000),
            at(sale(1, "ch_2", 3000), now_ms + 9_000_000),
            at(EarningRow { currency: eur, ..sale(1, "ch_3", 70) }, now_ms - 1000),
            at(older, now_ms - 1000),
        ],
    )
    .await;
    let balance = async |arguments: &str| database.texts(&format!("{BALANCE}({arguments})")).await[0][0].clone();
    assert_eq!(balance("'creator1'").await, "4500 450 0 0 0 0 1350 2700 0");
    assert_eq!(balance("'creator1', 'EUR'").await, "70 7 0 0 0 0 63 0 0");
    assert_eq!(balance("creator_id => 'creator1', currency => 'eur'").await, "70 7 0 0 0 0 63 0 0");
    assert_eq!(balance("'nobody'").await, "0 0 0 0 0 0 0 0 0");
    store.set_default_currency(eur).await.unwrap();
    assert_eq!(balance("'creator1'").await, "70 7 0 0 0 0 63 0 0");
    store.hold(&"creator1".into(), "x", "y", &ann()).await.unwrap();
    assert_eq!(balance("'creator1', 'usd'").await, "4500 450 0 1350 0 0 0 2700 0");
    database
        .execute(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ('creator1', 'acct_1', 'usd', 'refund', -1000, 0, 0, \
             'transfer_reversal', 'trr_1', 4000000000000, 4000000000000, 1)",
        )
        .await;
    assert_eq!(
        balance("'creator1', 'usd'").await,
        "4500 450 1000 450 0 0 0 2700 100",
        "a purse in debt takes nothing of another's"
    );
    let run = a_run(&store).await;
    Paid { id: "pay_1", run: &run, creator: 1, state: "unknown", amount_minor: 77, cause: None, changed_at_ms: 1 }
        .write(&database)
        .await;
    assert_eq!(balance("'creator1', 'usd'").await, "4500 450 1000 450 0 77 0 2700 100");
    database.drop_it().await;
}

#[tokio::test]
async fn a_creator_can_receive_payouts_only_with_every_flag_open_and_an_account_that_works() {
    let database = Database::postgres().await;
    let (store, _) = database.store().await;
    import(&store, &[sale(1, "ch_1", 1000)]).await;
    let token = fence(&store).await;
    let read = AccountRead {
        account: "acct_1".into(),
        read_at_ms: START_MS,
        country: None,
        payouts_enabled: true,
        charges_enabled: true,
        details_submitted: true,
        disabled_reason: None,
        schedule_interval: Some("manual".to_owned()),
        banks: vec![BankRead {
            currency: usd(),
            destination: "ba_1".into(),
            status: "new".to_owned(),
            bank_name: None,
            country: None,
        }],
    };
    let can =
        async || database.texts("SELECT CAST(can_creator_receive_payouts('creator1') AS TEXT)").await[0][0] == "true";
    assert!(!can().await, "never read");
    store.record_accounts(token, std::slice::from_ref(&read)).await.unwrap();
    assert!(can().await);
    for (harm, repair) in [
        ("UPDATE users SET payout_enabled = FALSE", "UPDATE users SET payout_enabled = TRUE"),
        (
            "UPDATE creator_payout_settings SET payout_enabled = FALSE",
            "UPDATE creator_payout_settings SET payout_enabled = TRUE",
        ),
        ("UPDATE daemon_state SET beta_open = TRUE", "UPDATE users SET payout_beta_enabled = TRUE"),
        (
            "UPDATE creator_stripe_accounts SET schedule_interval = 'daily'",
            "UPDATE creator_stripe_accounts SET schedule_interval = 'manual'",
        ),
        (
            "UPDATE creator_stripe_accounts SET is_current = FALSE",
            "UPDATE creator_stripe_accounts SET is_current = TRUE",
        ),
        ("UPDATE account_banks SET status = 'errored'", "UPDATE account_banks SET status = 'verified'"),
    ] {
        database.execute(harm).await;
        assert!(!can().await, "{harm}");
        database.execute(repair).await;
        assert!(can().await, "{repair}");
    }
    store.hold(&"creator1".into(), "x", "y", &By::Engine).await.unwrap();
    assert!(!can().await);
    store.release_hold(&"creator1".into(), "x", "y", &By::Engine).await.unwrap();
    store.record_accounts(token, &[AccountRead { banks: Vec::new(), ..read }]).await.unwrap();
    assert!(!can().await, "the bank account is gone");
    assert_eq!(database.texts("SELECT CAST(can_creator_receive_payouts('nobody') AS TEXT)").await, [["false"]]);
    database.drop_it().await;
}

#[tokio::test]
async fn a_users_table_of_the_platform_is_adopted_with_what_it_holds() {
    let database = Database::empty_postgres().await;
    database
        .execute(
            "CREATE TABLE users (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, supabase_id TEXT UNIQUE, email TEXT, \
             is_creator BOOLEAN DEFAULT FALSE); INSERT INTO users (supabase_id, email, is_creator) VALUES ('creator1', 'a@b', TRUE)",
        )
        .await;
    let (store, _) = database.store().await;
    import(&store, &[sale(1, "ch_1", 1000), sale(2, "ch_2", 1000)]).await;
    database.execute(STATEMENTS).await;
    let rows = database.texts("SELECT supabase_id, email, CAST(payout_enabled AS TEXT) FROM users ORDER BY 1").await;
    assert_eq!(rows, [["creator1", "a@b", "true"], ["creator2", "-", "true"]]);
    database.drop_it().await;
}
