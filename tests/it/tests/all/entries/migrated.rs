//! A database with the rows of an older program is brought to the schema with every kind of entry: nothing of it is lost or changed.
use crate::databases::Database;
use crate::store::fixtures::{Paid, a_run};
use sqlx::{Connection, Executor, SqliteConnection};

/// The migrations that came before.
const BEFORE: [&str; 3] = [
    include_str!("../../../../../migrations/sqlite/0001_spine.sql"),
    include_str!("../../../../../migrations/sqlite/0002_platform.sql"),
    include_str!("../../../../../migrations/sqlite/0003_size.sql"),
];
const NEW: &str = include_str!("../../../../../migrations/sqlite/0004_entries.sql");

const ROWS: &str = "INSERT INTO payout_runs (id, cycle_date, number, kind, state, cutoff_ms, instant_ms, requested_by, created_at_ms) \
     VALUES ('run_1', '2026-12-01', 1, 'scheduled', 'completed', 5, 5, 'x', 1); \
     INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, created_at_ms, \
     changed_at_ms) VALUES ('pay_1', 'run_1', 1, 'creator1', 'acct_1', 'usd', 900, 'ba_1', 'paid', 1, 1); \
     INSERT INTO creator_earnings (id, creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, source_id, \
     earned_at_ms, available_on_ms, created_at_ms) VALUES \
     (7, 'creator1', 'acct_1', 'usd', 'sale', 900, 1000, 100, 'charge', 'ch_1', 1, 2, 3), \
     (9, 'creator1', 'acct_1', 'usd', 'carry_in', 5, 5, 0, 'payout', 'pay_0', 1, 2, 3); \
     INSERT INTO payout_items (payout_id, earning_id, amount_minor, released_at_ms) VALUES ('pay_1', 7, 900, NULL), ('pay_1', 9, 5, 8)";

/// What SQLite has of a kind of things, without the text that made it.
async fn names(connection: &mut SqliteConnection, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(connection).await.unwrap()
}

#[tokio::test]
async fn an_older_database_keeps_its_rows_indexes_and_references() {
    let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let on: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut db).await.unwrap();
    assert_eq!(on, 1, "as the daemon opens it");
    for text in BEFORE.into_iter().chain([ROWS]) {
        db.execute(sqlx::raw_sql(text)).await.unwrap();
    }
    let indexes = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name";
    let before = names(&mut db, indexes).await;
    // The migrator runs each file in a transaction.
    db.execute(sqlx::raw_sql("BEGIN")).await.unwrap();
    db.execute(sqlx::raw_sql(NEW)).await.unwrap();
    db.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
    let after = names(&mut db, indexes).await;
    let lost: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
    assert_eq!(lost, Vec::<&String>::new());
    let rows = "SELECT id || ' ' || kind || ' ' || amount_minor || ' ' || gross_minor || ' ' || fee_minor || ' ' || source_id || ' ' || \
                earned_at_ms || available_on_ms || created_at_ms || confirmed || settles_as_charged FROM creator_earnings ORDER BY id";
    assert_eq!(names(&mut db, rows).await, ["7 sale 900 1000 100 ch_1 12311", "9 carry_in 5 5 0 pay_0 12311"]);
    let items = "SELECT payout_id || ' ' || earning_id || ' ' || amount_minor || ' ' || COALESCE(released_at_ms, '-') FROM payout_items \
                 ORDER BY earning_id";
    assert_eq!(names(&mut db, items).await, ["pay_1 7 900 -", "pay_1 9 5 8"]);
    let broken = names(&mut db, "SELECT \"table\" FROM pragma_foreign_key_check").await;
    assert_eq!(broken, Vec::<String>::new());
    let parents = "SELECT \"table\" FROM pragma_foreign_key_list('payout_items') ORDER BY 1";
    assert_eq!(names(&mut db, parents).await, ["creator_earnings", "creator_payouts"]);
    let orphan = db.execute(sqlx::raw_sql("INSERT INTO payout_items VALUES ('pay_1', 99, 1, NULL)")).await;
    assert!(orphan.is_err(), "an item of no entry");
    let shapes = "SELECT tbl || '.' || idx FROM sqlite_stat1 WHERE idx NOT IN (SELECT name FROM sqlite_master)";
    assert_eq!(names(&mut db, shapes).await, Vec::<String>::new(), "a shape of nothing");
    let unshaped = "SELECT name FROM sqlite_master m WHERE type = 'index' AND tbl_name IN ('creator_earnings', 'payout_items', 'transfers', \
                    'earning_facts') AND NOT EXISTS (SELECT 1 FROM sqlite_stat1 s WHERE s.idx = m.name)";
    assert_eq!(names(&mut db, unshaped).await, Vec::<String>::new(), "an index without its shape");
}

#[tokio::test]
async fn every_kind_is_taken_and_another_is_not() {
    crate::databases::each_database(async |database: &Database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        Paid { id: "pay_1", run: &run, creator: 1, state: "paid", amount_minor: 5, cause: None, changed_at_ms: 1 }
            .write(database)
            .await;
        let insert = |kind: &str| {
            format!(
                "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
                 source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ('c', 'a', 'usd', '{kind}', 1, 1, 0, 'x', 'x', 1, 1, 1)"
            )
        };
        for kind in payout_shared::earning::EarningKind::ALL {
            database.execute(&insert(kind.as_str())).await;
        }
        assert!(database.try_execute(&insert("gift")).await.is_err());
    })
    .await;
}
