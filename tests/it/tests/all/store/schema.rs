//! The schema: the same on both databases, applied once, and never touched when it isn't ours.
use crate::databases::{Database, each_database};
use payoutd::{
    clock::Clock,
    store::{Store, StoreError, types::Ids},
};
use std::collections::BTreeSet;

/// What the platform's SQL needs on PostgreSQL only: columns made of others, and an index on one of them.
const POSTGRES_ONLY: [&str; 6] = [
    "creator_payouts.status",
    "creator_payouts.net_payout_amount",
    "creator_payouts.created_at",
    "payout_runs.status",
    "payout_runs.started_at",
    "creator_payouts_created_at",
];

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let sqlite = Database::sqlite();
    drop(sqlite.store().await);
    let postgres = Database::postgres().await;
    let in_sqlite: BTreeSet<String> = sqlite
        .texts(
            "SELECT t.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk > 0 THEN ' NOT NULL' ELSE '' END FROM sqlite_master t \
             JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%' \
             UNION ALL SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%'",
        )
        .await
        .concat()
        .into_iter()
        .collect();
    let in_postgres: BTreeSet<String> = postgres
        .texts(
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
             UNION ALL SELECT i.indexname FROM pg_indexes i WHERE i.schemaname = 'public' AND i.tablename NOT LIKE '\\_sqlx%' \
             AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
        )
        .await
        .concat()
        .into_iter()
        .collect();
    let extra = |name: &&String| !POSTGRES_ONLY.contains(&name.trim_end_matches(" NOT NULL"));
    assert_eq!(in_sqlite.difference(&in_postgres).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(in_postgres.difference(&in_sqlite).filter(extra).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(
        in_sqlite.len() > 100
            && POSTGRES_ONLY.iter().all(|name| in_postgres.iter().any(|there| there.starts_with(name)))
    );
    postgres.drop_it().await;
}

#[tokio::test]
async fn checking_a_schema_tells_what_is_pending_and_what_is_wrong_and_changes_nothing() {
    let fresh = Database::empty_postgres().await;
    let state = Store::check_schema(&fresh.url).await.unwrap();
    assert_eq!(
        state.pending,
        [
            "0001_spine",
            "0002_platform",
            "0003_size",
            "0004_entries",
            "0005_pipeline",
            "0006_people",
            "0007_cohorts",
            "0008_undo",
            "0009_requests",
            "0010_adoption",
            "0011_sweeps",
            "0012_restored"
        ]
    );
    assert_eq!(fresh.number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'").await, 0);
    fresh.drop_it().await;
    each_database(async |database| {
        let (store, _) = database.store().await;
        store.close().await;
        assert!(Store::check_schema(&database.url).await.unwrap().is_current());
        drop(database.store().await);
        for (harm, repair, told) in [
            (
                "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2",
                "UPDATE _sqlx_migrations SET success = TRUE",
                "broke off half-way",
            ),
            (
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', TRUE, 'x', 1)",
                "DELETE FROM _sqlx_migrations WHERE version = 99",
                "newer program",
            ),
            ("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1", "SELECT 1", "0001_spine was changed"),
        ] {
            database.execute(harm).await;
            let state = Store::check_schema(&database.url).await.unwrap();
            assert!(state.wrong.iter().any(|wrong| wrong.contains(told)), "{harm}: {state:?}");
            let refused = Store::open_existing(&database.url, Clock::system(), Ids::seeded(1)).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
            database.execute(repair).await;
        }
    })
    .await;
}

#[tokio::test]
async fn looking_at_a_database_that_is_not_there_makes_none() {
    let database = Database::sqlite();
    assert!(
        matches!(Store::check_schema(&database.url).await, Err(StoreError::Refused(why)) if why.contains("no database at"))
    );
    assert_eq!(std::fs::read_dir(database.folder.path()).unwrap().count(), 0);
    assert!(matches!(Store::check_schema("mysql://x").await, Err(StoreError::Refused(_))));
}

#[tokio::test]
async fn a_stamped_database_is_opened_again_in_its_mode_without_a_key() {
    each_database(async |database| {
        let existing = || Store::open_existing(&database.url, Clock::system(), Ids::seeded(1));
        assert!(existing().await.is_err(), "no daemon has started on it");
        let (store, _) = database.store().await;
        let head = store.journal_head().await.unwrap();
        let again = existing().await.unwrap();
        assert_eq!(again.mode(), store.mode());
        assert_eq!(again.journal_head().await.unwrap(), head);
    })
    .await;
}
