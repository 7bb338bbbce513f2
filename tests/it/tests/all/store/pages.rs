//! Pages of payouts and one payout shown.
use super::fixtures::{Paid, a_run, import, run_of, sale};
use crate::databases::{Database, START_MS, each_database};
use payout_shared::{payout::PayoutState, run::RunKind};
use payoutd::store::{
    Store, StoreError,
    door_types::{PayoutFilter, PayoutPageRequest, PayoutSort},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

async fn ids(store: &Store, filter: &PayoutFilter) -> Vec<String> {
    let page = PayoutPageRequest { ascending: true, sort: PayoutSort::Amount, limit: 100, cursor: None };
    let page = store.list_payouts(filter, &page).await.unwrap();
    assert_eq!(page.total, i64::try_from(page.rows.len()).unwrap());
    page.rows.iter().map(|row| row.id.to_string()).collect()
}

async fn some(database: &Database, store: &Store) {
    let run = a_run(store).await;
    let other = store.insert_run(&run_of(12, 15, RunKind::Scheduled)).await.unwrap().0;
    for (n, id, state, run, cause) in [
        (1, "pay_1", "paid", &run, None),
        (2, "pay_2", "failed", &run, Some("100%_wrong")),
        (3, "pay_3", "failed", &run, Some("timeout")),
        (4, "pay_4", "planned", &other, None),
    ] {
        let amount_minor = i64::try_from(n).unwrap() * 100;
        Paid { id, run, creator: n, state, amount_minor, cause, changed_at_ms: START_MS - amount_minor }
            .write(database)
            .await;
    }
    database.execute("UPDATE creator_payouts SET creator_id = 'Ann_B%c!' WHERE id = 'pay_2'").await;
}

#[tokio::test]
async fn every_filter_narrows_the_list_and_together_they_meet() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        some(database, &store).await;
        let all = PayoutFilter::default();
        assert_eq!(ids(&store, &all).await, ["pay_1", "pay_2", "pay_3", "pay_4"]);
        let run = store.run("2026-12-01#1").await.unwrap().id;
        assert_eq!(
            ids(&store, &PayoutFilter { run: Some(run.clone()), ..all.clone() }).await,
            ["pay_1", "pay_2", "pay_3"]
        );
        let failed = PayoutFilter { states: vec![PayoutState::Failed, PayoutState::Planned], ..all.clone() };
        assert_eq!(ids(&store, &failed).await, ["pay_2", "pay_3", "pay_4"]);
        assert_eq!(ids(&store, &PayoutFilter { cause: Some("timeout".to_owned()), ..all.clone() }).await, ["pay_3"]);
        assert_eq!(ids(&store, &PayoutFilter { account: Some("acct_4".into()), ..all.clone() }).await, ["pay_4"]);
        assert_eq!(ids(&store, &PayoutFilter { creator: Some("creator1".into()), ..all.clone() }).await, ["pay_1"]);
        assert_eq!(ids(&store, &PayoutFilter { amount_min_minor: Some(300), ..all.clone() }).await, ["pay_3", "pay_4"]);
        let both = PayoutFilter { run: Some(run), amount_min_minor: Some(300), ..failed };
        assert_eq!(ids(&store, &both).await, ["pay_3"]);
    })
    .await;
}

#[tokio::test]
async fn text_is_looked_for_in_ids_in_any_case_and_wildcards_are_letters() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        some(database, &store).await;
        for (text, found) in [
            ("PAY_3", &["pay_3"][..]),
            ("ann_b%C!", &["pay_2"]),
            ("_b%", &["pay_2"]),
            ("%", &["pay_2"]),
            ("ann", &["pay_2"]),
            ("annxb", &[]),
            ("po_pay_1", &["pay_1"]),
            ("acct_4", &["pay_4"]),
            ("'; DROP TABLE journal; --", &[]),
            ("\\", &[]),
        ] {
            assert_eq!(
                ids(&store, &PayoutFilter { text: Some(text.to_owned()), ..PayoutFilter::default() }).await,
                found,
                "{text:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_any_length_put_together_are_the_whole_list_in_order() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        let mut rng = StdRng::seed_from_u64(11);
        for n in 0..60 {
            // Few different values, so that many rows are told apart by their ids only.
            let (amount_minor, changed_at_ms) = (rng.random_range(1..5), START_MS + rng.random_range(0..4));
            let id = format!("pay_{n:03}");
            Paid { id: &id, run: &run, creator: n, state: "paid", amount_minor, cause: None, changed_at_ms }
                .write(database)
                .await;
        }
        for (sort, ascending) in [
            (PayoutSort::Changed, false),
            (PayoutSort::Changed, true),
            (PayoutSort::Amount, false),
            (PayoutSort::Amount, true),
        ] {
            for limit in [1, 7, 20, 59, 60, 61, 1000] {
                let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
                loop {
                    let filter =
                        PayoutFilter { run: (limit % 2 == 0).then(|| run.id.clone()), ..PayoutFilter::default() };
                    let page = store
                        .list_payouts(&filter, &PayoutPageRequest { sort, ascending, limit, cursor })
                        .await
                        .unwrap();
                    assert_eq!(page.total, 60);
                    seen.extend(page.rows.into_iter().map(|row| match sort {
                        PayoutSort::Changed => (row.changed_at_ms, row.id),
                        PayoutSort::Amount => (row.amount.minor, row.id),
                    }));
                    pages += 1;
                    cursor = page.next_cursor;
                    if cursor.is_none() {
                        break;
                    }
                }
                let mut expected = seen.clone();
                expected.sort();
                expected.dedup();
                if !ascending {
                    expected.reverse();
                }
                assert_eq!(expected.len(), 60);
                assert_eq!(seen, expected);
                assert_eq!(pages, (60 + limit - 1) / limit, "no empty last page");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        for cursor in ["x", "5", ":", "5:", ":pay_1", "5.5:pay_1", "99999999999999999999:pay_1", "5:\0"] {
            let page = PayoutPageRequest { cursor: Some(cursor.to_owned()), limit: 5, ..PayoutPageRequest::default() };
            let refused = store.list_payouts(&PayoutFilter::default(), &page).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{cursor:?} gave {refused:?}");
        }
        let page = PayoutPageRequest { limit: -5, cursor: Some(String::new()), ..PayoutPageRequest::default() };
        assert_eq!(store.list_payouts(&PayoutFilter::default(), &page).await.unwrap().total, 0);
    })
    .await;
}

#[tokio::test]
async fn a_payout_is_shown_with_everything_known_of_it() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        let paid = |id, creator, cause| Paid { id, run: &run, creator, state: "unknown", amount_minor: 500, cause, changed_at_ms: START_MS };
        paid("pay_1", 1, Some("timeout")).write(database).await;
        paid("pay_2", 2, Some("timeout")).write(database).await;
        paid("pay_3", 3, Some("http_502")).write(database).await;
        let sales: Vec<_> = (0..250).map(|n| sale(1, &format!("ch_{n}"), 10)).collect();
        import(&store, &sales).await;
        database
            .execute(
                "INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT 'pay_1', id, amount_minor FROM creator_earnings \
                 WHERE source_id LIKE 'ch_%' AND source_id NOT LIKE 'ch_pay%'",
            )
            .await;
        let shown = store.show_payout(&"pay_1".into()).await.unwrap();
        assert_eq!((shown.items.len(), shown.items_total, shown.same_cause), (200, 251, 1));
        assert_eq!((shown.row.run_label.to_string().as_str(), shown.row.destination.as_str()), ("2026-12-01#1", "ba_1"));
        assert_eq!(shown.row.request_id.as_deref(), Some("req_pay_1"));
        assert_eq!((shown.attempts.len(), shown.attempts[0].key.as_str()), (1, "key_pay_1"));
        assert_eq!(shown.items[0].source_id, "ch_pay_1");
        assert!(shown.timeline.is_empty());
        for id in ["pay_9", "", "' OR 1=1 --"] {
            assert!(matches!(store.show_payout(&id.into()).await, Err(StoreError::NotFound { what: "payout", .. })), "{id:?}");
        }
    })
    .await;
}
