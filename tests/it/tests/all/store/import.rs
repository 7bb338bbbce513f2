//! Imports: whole or not at all, and the same charge is one entry for ever.
use super::fixtures::{ann, import, sale};
use crate::databases::{START_MS, each_database};
use payout_shared::id::AccountId;
use payoutd::store::door_types::{EarningRow, ImportError};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

#[tokio::test]
async fn importing_twice_is_importing_once() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let rows = [sale(1, "ch_1", 1000), sale(1, "ch_2", 500), sale(2, "ch_3", 70)];
        let first = import(&store, &rows).await;
        assert_eq!((first.imported, first.known, first.creators), (3, 0, 2));
        let again = import(&store, &[&rows[..], &[sale(2, "ch_4", 9)]].concat()).await;
        assert_eq!((again.imported, again.known), (1, 3));
        assert!(again.seq > first.seq);
        assert_eq!(
            database.number("SELECT CAST(SUM(amount_minor) AS BIGINT) FROM creator_earnings").await,
            900 + 450 + 63 + 9
        );
        assert_eq!(database.number("SELECT COUNT(*) FROM users WHERE is_creator AND payout_enabled").await, 2);
        assert_eq!(database.number("SELECT COUNT(*) FROM creator_payout_settings WHERE payout_enabled").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_charge_with_other_values_stops_the_whole_file_and_names_line_and_difference() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        let head = store.journal_head().await.unwrap();
        let others = [
            ("gross_minor", EarningRow { gross_minor: 1001, ..sale(1, "ch_1", 1000) }),
            ("fee_minor", EarningRow { fee_minor: 99, ..sale(1, "ch_1", 1000) }),
            (
                "currency",
                EarningRow {
                    currency: payout_shared::currency::Currency::parse("eur").unwrap(),
                    ..sale(1, "ch_1", 1000)
                },
            ),
            ("earned_at", EarningRow { earned_at_ms: 5, ..sale(1, "ch_1", 1000) }),
            ("stripe_account_id", EarningRow { account: AccountId::new("acct_1b"), ..sale(1, "ch_1", 1000) }),
        ];
        for (column, other) in others {
            let rows = [sale(9, "ch_new", 10), EarningRow { line: 3, ..other }];
            let refused = store.import_earnings(&rows, "x.csv", &ann(), |_| ()).await;
            let Err(ImportError::Rows(errors)) = refused else { panic!("{refused:?}") };
            assert_eq!((errors.len(), errors[0].line, errors[0].column), (1, 3, column));
        }
        assert_eq!(store.journal_head().await.unwrap(), head);
        assert_eq!(database.number("SELECT COUNT(*) FROM creator_earnings").await, 1);
        assert_eq!(database.number("SELECT COUNT(*) FROM creator_stripe_accounts").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_account_is_one_creators_in_the_file_and_in_the_books() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        let stolen = EarningRow { creator: "creator2".into(), ..sale(1, "ch_2", 10) };
        let refused = store.import_earnings(std::slice::from_ref(&stolen), "x.csv", &ann(), |_| ()).await.unwrap_err();
        assert!(refused.to_string().contains("acct_1 belongs to creator creator1, not to creator2"), "{refused}");
        let two = [sale(3, "ch_3", 10), EarningRow { line: 9, creator: "creator4".into(), ..sale(3, "ch_4", 10) }];
        let refused = store.import_earnings(&two, "x.csv", &ann(), |_| ()).await.unwrap_err();
        assert!(refused.to_string().contains("line 9") && refused.to_string().contains("by line 2"), "{refused}");
        assert_eq!(database.number("SELECT COUNT(*) FROM creator_earnings").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_creators_new_account_becomes_the_current_one_and_the_older_is_kept() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        let newer = EarningRow { account: "acct_1b".into(), country: "FR".into(), ..sale(1, "ch_2", 10) };
        let older = EarningRow { account: "acct_1a".into(), earned_at_ms: 5, ..sale(1, "ch_3", 10) };
        import(&store, &[newer, older]).await;
        let current = database.texts("SELECT account_id FROM creator_stripe_accounts WHERE is_current").await;
        assert_eq!(current, [["acct_1b"]]);
        let moved = EarningRow { country: "US".into(), ..sale(1, "ch_4", 10) };
        import(&store, &[moved]).await;
        let kept = store.account_facts(&"acct_1".into()).await.unwrap();
        assert_eq!((kept.country.as_str(), kept.is_current), ("DE", false), "what is stored of an account stays");
    })
    .await;
}

#[tokio::test]
async fn flags_that_somebody_set_survive_an_import() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        database
            .execute(
                "INSERT INTO users (supabase_id, payout_enabled) VALUES ('creator1', FALSE); \
                 INSERT INTO creator_payout_settings (creator_id, payout_enabled) VALUES ('creator1', FALSE)",
            )
            .await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        assert_eq!(database.number("SELECT COUNT(*) FROM users WHERE payout_enabled").await, 0);
        assert_eq!(database.number("SELECT COUNT(*) FROM creator_payout_settings WHERE payout_enabled").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_large_file_is_one_transaction_in_bulk_and_progress_is_told_on_the_way() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let rows: Vec<EarningRow> = (0..20_500).map(|n| sale(n % 1700, &format!("ch_{n}"), 1000)).collect();
        let (told, last) = (AtomicU64::new(0), AtomicU64::new(0));
        let done = store
            .import_earnings(&rows, "large.csv", &ann(), |written| {
                told.fetch_add(1, Ordering::Relaxed);
                assert!(last.swap(written, Ordering::Relaxed) < written);
            })
            .await
            .unwrap();
        assert_eq!((done.imported, done.known, done.creators), (20_500, 0, 1700));
        assert_eq!((told.into_inner(), last.into_inner()), (21, 20_500));
        let again = import(&store, &rows).await;
        assert_eq!((again.imported, again.known), (0, 20_500));
        assert_eq!(store.journal_head().await.unwrap().0, again.seq);
    })
    .await;
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_make_one_entry_a_charge() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &(0..40).map(|n| sale(n, &format!("first_{n}"), 10)).collect::<Vec<_>>()).await;
        let rows: Vec<EarningRow> = (0..3000).map(|n| sale(n % 40, &format!("ch_{n}"), 1000)).collect();
        let both = [0, 1].map(|_| {
            let (store, rows) = (store.clone(), rows.clone());
            tokio::spawn(async move { store.import_earnings(&rows, "x.csv", &ann(), |_| ()).await.unwrap() })
        });
        let (mut imported, mut known) = (0, 0);
        for one in both {
            let done = one.await.unwrap();
            imported += done.imported;
            known += done.known;
        }
        assert_eq!((imported, known), (3000, 3000));
    })
    .await;
}

#[tokio::test]
async fn a_sale_whose_fee_is_all_of_it_is_an_entry_of_nothing() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[EarningRow { fee_minor: 1000, available_on_ms: START_MS + 1, ..sale(1, "ch_1", 1000) }]).await;
        let rows = database
            .texts("SELECT kind, CAST(amount_minor AS TEXT), source_type, CAST(available_on_ms AS TEXT) FROM creator_earnings")
            .await;
        assert_eq!(rows, [["sale".to_owned(), "0".to_owned(), "charge".to_owned(), (START_MS + 1).to_string()]]);
    })
    .await;
}

#[tokio::test]
async fn any_order_and_repetition_of_files_ends_in_the_same_books() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let mut rng = StdRng::seed_from_u64(5);
        let all: Vec<EarningRow> =
            (0..300).map(|n| sale(n % 17, &format!("ch_{n}"), rng.random_range(1..100_000))).collect();
        let (mut seen, mut imported) = (BTreeSet::new(), 0);
        for _ in 0..25 {
            let file: Vec<EarningRow> =
                (0..rng.random_range(0..60)).map(|_| all[rng.random_range(0..all.len())].clone()).collect();
            let done = import(&store, &file).await;
            assert_eq!(done.imported + done.known, u64::try_from(file.len()).unwrap());
            imported += done.imported;
            seen.extend(file.into_iter().map(|row| (row.source_id, row.gross_minor - row.fee_minor)));
        }
        assert_eq!(usize::try_from(imported).unwrap(), seen.len());
        let sum = database.number("SELECT CAST(SUM(amount_minor) AS BIGINT) FROM creator_earnings").await;
        assert_eq!(sum, seen.iter().map(|(_, net)| net).sum::<i64>());
        let report = store.books().await.unwrap();
        assert_eq!((report.violations_total, report.totals[0].free_minor), (0, sum));
    })
    .await;
}
