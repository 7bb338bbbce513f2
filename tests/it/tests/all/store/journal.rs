//! The journal: gapless under any number of writers, and a changed row is found.
use super::fixtures::{ann, import, sale};
use crate::databases::each_database;
use payout_shared::id::CreatorId;

#[tokio::test]
async fn many_writers_at_once_leave_a_gapless_chain_that_holds() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &(0..40).map(|n| sale(n, &format!("ch_{n}"), 10)).collect::<Vec<_>>()).await;
        let before = store.journal_head().await.unwrap().0;
        let writers: Vec<_> = (0..40)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.hold(&CreatorId::new(format!("creator{n}")), "x", "y", &ann()).await.unwrap().seq
                })
            })
            .collect();
        let mut numbers = Vec::new();
        for writer in writers {
            numbers.push(writer.await.unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (before + 1..=before + 40).collect::<Vec<_>>());
        let check = store.verify_journal().await.unwrap();
        assert_eq!((check.rows, check.first_bad), (before + 40, None));
    })
    .await;
}

#[tokio::test]
async fn the_first_changed_removed_or_added_row_is_named() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        for n in 0..3 {
            import(&store, &[sale(n, &format!("ch_{n}"), 10)]).await;
        }
        let head = store.journal_head().await.unwrap().0;
        assert_eq!(head, 4);
        for (harm, repair, bad) in [
            (
                "UPDATE journal SET actor = 'user:eve(1)' WHERE seq = 2",
                "UPDATE journal SET actor = 'user:ann(1000)' WHERE seq = 2",
                2,
            ),
            ("UPDATE journal SET reason = '' WHERE seq = 3", "UPDATE journal SET reason = NULL WHERE seq = 3", 3),
            ("UPDATE journal SET seq = 9 WHERE seq = 4", "UPDATE journal SET seq = 4 WHERE seq = 9", 9),
            ("UPDATE journal_head SET seq = 5", "UPDATE journal_head SET seq = 4", 5),
        ] {
            database.execute(harm).await;
            assert_eq!(store.verify_journal().await.unwrap().first_bad, Some(bad), "{harm}");
            assert!(
                store.books().await.unwrap().violations.iter().any(|told| told.contains(&format!("journal row {bad}")))
            );
            database.execute(repair).await;
            assert_eq!(store.verify_journal().await.unwrap().first_bad, None, "{repair}");
        }
        database.execute("DELETE FROM journal WHERE seq = 4").await;
        assert_eq!(store.verify_journal().await.unwrap().first_bad, Some(4), "a tail that was cut off");
    })
    .await;
}

#[tokio::test]
async fn followers_read_on_from_where_they_were() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        for n in 0..5 {
            import(&store, &[sale(n, &format!("ch_{n}"), 10)]).await;
        }
        let first = store.journal_after(0, 2).await.unwrap();
        assert_eq!(first.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
        let rest = store.journal_after(2, 100).await.unwrap();
        assert_eq!(rest.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(rest[0].action, "earnings.import");
        assert!(store.journal_after(6, 100).await.unwrap().is_empty());
    })
    .await;
}
