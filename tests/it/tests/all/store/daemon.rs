//! Mode, platform, arming and the panic pause.
use super::fixtures::ann;
use crate::databases::{START_MS, each_database};
use payout_shared::{
    currency::Currency,
    id::{AccountId, Mode},
};
use payoutd::{
    clock::Clock,
    store::{Store, StoreError, types::Ids},
};

#[tokio::test]
async fn a_database_has_one_mode_for_ever_and_the_other_key_changes_nothing() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        assert_eq!(store.state().await.unwrap().mode, Mode::Test);
        let before = store.journal_head().await.unwrap();
        let refused = Store::open(&database.url, Mode::Live, Clock::system(), Ids::seeded(1)).await;
        let Err(error @ StoreError::WrongMode { database: Mode::Test, ours: Mode::Live }) = refused else {
            panic!("{refused:?}");
        };
        assert!(error.to_string().contains("one database has one mode"), "{error}");
        assert_eq!(store.journal_head().await.unwrap(), before);
        let again = database.store().await.0;
        assert_eq!(again.journal_head().await.unwrap(), before, "a restart stamps nothing");
    })
    .await;
}

#[tokio::test]
async fn a_database_that_another_process_made_is_not_of_the_future() {
    const HOUR: i64 = 3_600_000;
    for (stripe_ms, began_ms) in
        [(START_MS - HOUR, START_MS - HOUR), (START_MS + HOUR, START_MS), (START_MS - 1_000, START_MS)]
    {
        each_database(async |database| {
            database.store().await;
            let (store, _) = database.store().await;
            store.stamp_platform(&AccountId::new("acct_us"), Some(stripe_ms)).await.unwrap();
            assert_eq!(
                database.number("SELECT created_at_ms FROM daemon_state").await,
                began_ms,
                "{}",
                database.engine
            );
        })
        .await;
    }
}

#[tokio::test]
async fn the_first_platform_stays_the_platform() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        store.stamp_platform(&AccountId::new("acct_us"), None).await.unwrap();
        store.stamp_platform(&AccountId::new("acct_us"), None).await.unwrap();
        let other = store.stamp_platform(&AccountId::new("acct_them"), None).await.unwrap_err();
        assert!(
            matches!(&other, StoreError::Refused(why) if why.contains("acct_us") && why.contains("acct_them")),
            "{other}"
        );
        assert_eq!(store.state().await.unwrap().platform, Some(AccountId::new("acct_us")));
    })
    .await;
}

#[tokio::test]
async fn the_panic_pause_is_stored_and_both_ways_are_idempotent() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        let paused = store.pause_all(&ann(), "smoke").await.unwrap();
        hand.advance(1000);
        assert_eq!(store.pause_all(&ann(), "again").await.unwrap(), paused);
        let state = database.store().await.0.state().await.unwrap();
        assert!(state.paused);
        assert_eq!(state.pause_reason.as_deref(), Some("smoke"));
        assert_eq!(state.paused_by.as_deref(), Some("user:ann(1000)"));
        assert_eq!(state.paused_at_ms, Some(START_MS));
        let resumed = store.resume_all(&ann(), "no fire").await.unwrap();
        assert!(resumed > paused);
        assert_eq!(store.resume_all(&ann(), "twice").await.unwrap(), resumed);
        assert_eq!(store.state().await.unwrap().pause_reason, None);
        let told = store.journal_after(paused - 1, 10).await.unwrap();
        assert_eq!(told.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["daemon.pause", "daemon.resume"]);
    })
    .await;
}

#[tokio::test]
async fn arming_counts_from_the_first_time_and_says_when_it_was_so_already() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        assert!(!store.arm(&ann(), "go live").await.unwrap().already);
        hand.advance(5000);
        assert!(store.arm(&ann(), "again").await.unwrap().already);
        assert_eq!(store.state().await.unwrap().armed_at_ms, Some(START_MS));
        assert!(!store.disarm(&ann(), "stop").await.unwrap().already);
        assert!(store.disarm(&ann(), "stop").await.unwrap().already);
        store.arm(&ann(), "go").await.unwrap();
        assert_eq!(store.state().await.unwrap().armed_at_ms, Some(START_MS + 5000));
    })
    .await;
}

#[tokio::test]
async fn the_default_currency_is_stored_once_per_change() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let eur = Currency::parse("eur").unwrap();
        assert!(!store.set_default_currency(eur).await.unwrap().already);
        assert!(store.set_default_currency(eur).await.unwrap().already);
        assert_eq!(store.state().await.unwrap().default_currency, eur);
    })
    .await;
}

#[tokio::test]
async fn a_reason_that_postgres_cannot_store_is_refused_on_both() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        assert!(matches!(store.pause_all(&ann(), "a\0b").await, Err(StoreError::Refused(_))));
    })
    .await;
}
