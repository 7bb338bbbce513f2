//! Connections that break in ways that nobody is told of: the next call must have one that works, and no lock may be left behind.
use crate::databases::Database;
use payout_shared::id::Mode;
use payoutd::{
    clock::Clock,
    store::{Db, Store, StoreError, types::Ids},
};
use rehearsal::wire::{Weather, Wire};
use sqlx::{Connection, Executor, PgConnection, PgPool, SqlitePool, postgres::PgConnectOptions};
use std::{str::FromStr, time::Duration};
use tokio::time::timeout;

async fn sqlite_pool(database: &Database) -> SqlitePool {
    let Db::Sqlite(pool) = Db::open(&database.url).await.unwrap() else { panic!("not SQLite") };
    pool
}

async fn postgres_pool(url: &str) -> PgPool {
    let Db::Postgres(pool) = Db::open(url).await.unwrap() else { panic!("not PostgreSQL") };
    pool
}

/// SQLite ends the transaction itself, the driver doesn't know.
#[tokio::test]
async fn a_connection_on_which_the_disk_was_full_is_not_given_to_the_next_caller() {
    let database = Database::sqlite();
    let pool = sqlite_pool(&database).await;
    pool.execute("CREATE TABLE t (x BLOB)").await.unwrap();
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    tx.execute("PRAGMA max_page_count = 12").await.unwrap();
    let full = loop {
        if let Err(error) = tx.execute("INSERT INTO t VALUES (zeroblob(4000))").await {
            break error;
        }
    };
    assert!(full.to_string().contains("full"), "{full}");
    drop(tx);
    for _ in 0..10 {
        let mut connection = pool.acquire().await.unwrap();
        assert!(!connection.is_in_transaction(), "whatever is written here is never committed");
        connection.execute("INSERT INTO t VALUES (zeroblob(10))").await.unwrap();
    }
    let mut other = sqlx::SqliteConnection::connect_with(&pool.connect_options()).await.unwrap();
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM t").fetch_one(&mut other).await.unwrap();
    assert_eq!(count, 10);
}

/// The holder of the lease freezes in a transaction of its own, which holds the lease's row: PostgreSQL ends its session in time.
#[tokio::test]
async fn a_holder_that_froze_inside_a_transaction_delays_no_take_over() {
    let database = Database::postgres().await;
    let (store, _hand) = database.store().await;
    store.lease_acquire("one", 60_000, false).await.unwrap().unwrap();
    let frozen = postgres_pool(&database.url).await;
    let mut tx = frozen.begin().await.unwrap();
    tx.execute("SELECT token FROM lease WHERE id = 1 FOR SHARE").await.unwrap();
    // Another session lets the lease run out; it needs the row too.
    let took = timeout(Duration::from_secs(9), async {
        database.execute("UPDATE lease SET expires_at_ms = 1").await;
        store.lease_acquire("two", 60_000, false).await.unwrap()
    });
    assert!(took.await.expect("within the lease").is_some());
    assert!(tx.execute("SELECT 1").await.is_err(), "it wakes up in a session that is over");
}

/// Everything on the wire is swallowed, and nobody is told: calls end, and once the network is whole again the same pool works again.
#[tokio::test]
async fn a_network_that_swallows_everything_holds_nobody_up_for_ever() {
    let database = Database::postgres().await;
    let direct = PgConnectOptions::from_str(&database.url).unwrap();
    let wire = Wire::to((direct.get_host().to_owned(), direct.get_port())).await.unwrap();
    let url = database.url.replacen(&format!(":{}/", direct.get_port()), &format!(":{}/", wire.port), 1);
    assert_ne!(url, database.url);
    let store = Store::open(&url, Mode::Test, Clock::system(), Ids::seeded(7)).await.unwrap();
    let (fence, _) = store.lease_acquire("one", 60_000, false).await.unwrap().unwrap();
    let pool = postgres_pool(&url).await;
    let mut all = Vec::new();
    while all.len() < 8 {
        all.push(pool.acquire().await.unwrap());
    }
    let mut locker = PgConnection::connect(&database.url).await.unwrap();
    locker.execute("BEGIN").await.unwrap();
    locker.execute("SELECT token FROM lease WHERE id = 1 FOR UPDATE").await.unwrap();
    let renewing = tokio::spawn({
        let store = store.clone();
        async move { store.lease_renew(fence, 60_000).await }
    });
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    timeout(Duration::from_secs(10), async { while database.number(waits).await == 0 {} })
        .await
        .expect("it waits for the row");
    wire.is(Weather::Swallows);
    locker.execute("COMMIT").await.unwrap();
    let ended = timeout(Duration::from_secs(40), renewing).await.expect("it would wait for ever").unwrap();
    assert!(matches!(ended, Err(StoreError::Database(_))), "{ended:?}");
    drop(all);
    wire.is(Weather::Fair);
    timeout(Duration::from_secs(30), async {
        while store.journal_head().await.is_err() {}
        while pool.execute("SELECT 1").await.is_err() {}
    })
    .await
    .expect("the pools have connections again");
}
