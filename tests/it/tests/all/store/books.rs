//! The books: clean when everything is right, and each rule broken is told with its ids.
use super::fixtures::{Paid, a_run, import, sale};
use crate::databases::{Database, START_MS, each_database};
use payoutd::store::Store;

const STATES: [&str; 9] =
    ["planned", "submitting", "unknown", "pending", "in_transit", "paid", "settled", "voided", "failed"];

async fn all_states(database: &Database) -> Store {
    let (store, _) = database.store().await;
    let run = a_run(&store).await;
    for (n, state) in (1..).zip(STATES) {
        let (id, amount_minor) = (format!("pay_{n}"), 100 + i64::try_from(n).unwrap());
        Paid { id: &id, run: &run, creator: n, state, amount_minor, cause: None, changed_at_ms: START_MS }
            .write(database)
            .await;
    }
    import(&store, &[sale(1, "ch_free", 1000)]).await;
    store
}

#[tokio::test]
async fn books_in_order_are_clean_and_their_sums_add_up() {
    each_database(async |database| {
        let report = all_states(database).await.books().await.unwrap();
        assert_eq!(report.violations, Vec::<String>::new());
        assert_eq!((report.violations_total, report.purses, report.payouts), (0, 9, 9));
        assert_eq!(report.journal_rows, 3);
        let total = &report.totals[0];
        assert_eq!(total.entries_minor, (101..=109).sum::<i64>() + 900);
        assert_eq!(
            (total.planned_minor, total.in_flight_minor, total.paid_minor),
            (101, 102 + 103 + 104 + 105, 106 + 107)
        );
        assert_eq!((total.free_minor, total.returning_minor), (900 + 108 + 109, 0));
    })
    .await;
}

#[tokio::test]
async fn an_empty_database_has_clean_books() {
    each_database(async |database| {
        let report = database.store().await.0.books().await.unwrap();
        assert_eq!((report.violations_total, report.purses, report.payouts, report.journal_rows), (0, 0, 0, 1));
    })
    .await;
}

/// What is done past the store, and a part of the sentence that must come of it. Indexes that would forbid it are dropped first.
const HARMS: [(&str, &str); 18] = [
    ("UPDATE creator_payouts SET amount_minor = 999 WHERE id = 'pay_6'", "pay_6"),
    (
        "DROP INDEX payout_items_locked; INSERT INTO payout_items (payout_id, earning_id, amount_minor) \
         SELECT 'pay_9', earning_id, amount_minor FROM payout_items WHERE payout_id = 'pay_6'",
        "payouts at once",
    ),
    (
        "DROP INDEX creator_payouts_one_active; UPDATE creator_payouts SET account_id = 'acct_1', number = 2 WHERE id = 'pay_2'",
        "purse acct_1 usd has 2 active payouts at once",
    ),
    ("UPDATE payout_items SET amount_minor = amount_minor + 1 WHERE payout_id = 'pay_6'", "of another amount"),
    ("UPDATE creator_earnings SET account_id = 'acct_8' WHERE source_id = 'ch_pay_6'", "which is another purse's"),
    (
        "UPDATE payout_attempts SET body = 'same' WHERE payout_id IN ('pay_2', 'pay_3')",
        "2 create attempts have one body",
    ),
    ("UPDATE payout_attempts SET amount_minor = 1 WHERE payout_id = 'pay_3'", "the body of attempt key_pay_3"),
    (
        "UPDATE payout_attempts SET stripe_object_id = 'po_other' WHERE payout_id = 'pay_6'",
        "no executed attempt of it has its object po_pay_6",
    ),
    (
        "UPDATE payout_attempts SET state = 'unknown' WHERE payout_id = 'pay_4'",
        "payout pay_4 is pending and no executed attempt",
    ),
    (
        "UPDATE payout_attempts SET state = 'executed', stripe_object_id = 'po_late', object_status = 'paid' WHERE payout_id = 'pay_9'",
        "Stripe executed its attempt key_pay_9",
    ),
    ("UPDATE creator_payouts SET state = 'voided' WHERE id = 'pay_3'", "voided, but its attempt key_pay_3 is unknown"),
    (
        "UPDATE payout_attempts SET payout_id = 'pay_1', number = 2 WHERE payout_id = 'pay_2'",
        "payout pay_1 is planned and its attempt key_pay_2",
    ),
    ("UPDATE payout_items SET released_at_ms = 1 WHERE payout_id = 'pay_6'", "pay_6"),
    (
        "UPDATE run_outcomes SET payout_id = NULL, reason = 'held' WHERE payout_id = 'pay_5'",
        "payout pay_5 is not the outcome of its purse",
    ),
    ("UPDATE run_outcomes SET payout_id = 'pay_x' WHERE payout_id = 'pay_5'", "names payout pay_x"),
    ("UPDATE payout_items SET payout_id = 'po_x' WHERE payout_id = 'pay_8'", "is locked by po_x, which is neither"),
    (
        "INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, why, first_seen_ms, \
         adopted_at_ms) VALUES ('po_7', 'acct_1', 'usd', 700, 'paid', FALSE, 'x', 1, 1)",
        "adopted payout po_7 took 700, but the entries that it locks come to 0",
    ),
    (
        "INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, why, first_seen_ms, \
         adopted_at_ms) VALUES ('po_pay_6', 'acct_6', 'usd', 700, 'paid', FALSE, 'x', 1, 1)",
        "adopted payout po_pay_6 is payout pay_6 as well",
    ),
];

#[tokio::test]
async fn every_rule_that_is_broken_is_told_with_its_ids() {
    for (harm, sentence) in HARMS {
        each_database(async |database| {
            let store = all_states(database).await;
            database.execute(harm).await;
            let report = store.books().await.unwrap();
            let told = report.violations.join("\n");
            assert!(told.contains(sentence), "{}: {harm}\ntold: {told:?}", database.engine);
            store.close().await;
        })
        .await;
    }
}

#[tokio::test]
async fn sentences_are_kept_up_to_a_limit_and_counted_beyond_it() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let rows: Vec<_> = (0..1500).map(|n| sale(n, &format!("ch_{n}"), 10)).collect();
        import(&store, &rows).await;
        let run = a_run(&store).await.id;
        database
            .execute(&format!(
                "INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, \
                 created_at_ms, changed_at_ms) SELECT 'pay_' || source_id, '{run}', 1, creator_id, account_id, currency, 5, 'ba', \
                 'planned', 1, 1 FROM creator_earnings"
            ))
            .await;
        let report = store.books().await.unwrap();
        assert_eq!(report.violations.len(), 1000);
        assert!(report.violations_total >= 1500);
    })
    .await;
}
