//! The books' rules about entries: clean when everything that Stripe told is booked, and each rule broken is told with its ids.
use super::fixtures::{Paid, a_run, fence, import, sale, usd};
use crate::databases::{Database, START_MS, each_database, policies};
use payout_shared::{
    entries::{Fact, FactKind, Told},
    id::AccountId,
};
use payoutd::store::Store;

const HOUR: i64 = 3_600_000;

pub(super) fn fact(kind: FactKind, id: &str, charge: Option<&str>, amount_minor: i64) -> Fact {
    Fact {
        id: id.to_owned(),
        kind,
        charge: charge.map(str::to_owned),
        account: Some(AccountId::new("acct_1")),
        transfer: None,
        currency: usd(),
        amount_minor,
        fee_minor: 0,
        moved_minor: 0,
        status: String::new(),
        at_ms: START_MS + HOUR,
        said_ms: START_MS + HOUR,
        due_ms: None,
        balance_source: None,
        settled_minor: None,
    }
}

/// A charge of which a tenth is the platform's.
pub(super) fn sold(charge: &str, account: &str, amount_minor: i64) -> Told {
    Told::Fact(Fact {
        account: Some(AccountId::new(account)),
        fee_minor: amount_minor / 10,
        moved_minor: amount_minor,
        ..fact(FactKind::Sale, charge, Some(charge), amount_minor)
    })
}

pub(super) fn told(kind: FactKind, id: &str, charge: Option<&str>, amount_minor: i64, status: &str) -> Told {
    let later = START_MS + 2 * HOUR;
    let fact = fact(kind, id, charge, amount_minor);
    Told::Fact(Fact { status: status.to_owned(), at_ms: later, said_ms: later, ..fact })
}

/// Everything that Stripe tells, on one account of one creator; a tenth of each sale is kept back.
pub(super) async fn everything(database: &Database) -> Store {
    use FactKind as K;
    let (store, _) = database.store().await;
    policies(&store, &[("reserve_percent", "10"), ("reserve_days", "30")]).await;
    import(&store, &[sale(1, "ch_file", 1_000)]).await;
    database
        .execute(
            "INSERT INTO account_banks (account_id, currency, destination_id, status) VALUES ('acct_1', 'usd', 'ba_1', 'new')",
        )
        .await;
    let fence = fence(&store).await;
    let all = [
        sold("ch_1", "acct_1", 10_000),
        told(K::Reversal, "trr_1", Some("ch_1"), 2_000, ""),
        told(K::FeeRefund, "fr_1", Some("ch_1"), 200, ""),
        sold("ch_open", "acct_1", 5_000),
        told(K::Dispute, "dp_open", Some("ch_open"), 5_000, "needs_response"),
        sold("ch_lost", "acct_1", 4_000),
        told(K::Dispute, "dp_lost", Some("ch_lost"), 2_000, "lost"),
        sold("ch_won", "acct_1", 4_000),
        told(K::Dispute, "dp_won", Some("ch_won"), 2_000, "won"),
        told(K::Debit, "po_debit", None, -300, "paid"),
        told(K::Reversal, "trr_plain", None, 50, ""),
        told(K::Refund, "re_1", Some("ch_open"), 70, "succeeded"),
        sold("ch_far", "acct_unknown", 1_000),
        told(K::Reversal, "trr_far", Some("ch_far"), 100, ""),
    ];
    store.record_told(fence, &all, &[]).await.unwrap();
    payouts(database, &store).await;
    store
}

/// A payout whose unit left 3 over, and one that failed and was executed late.
async fn payouts(database: &Database, store: &Store) {
    let run = a_run(store).await;
    for (id, creator, state, amount_minor) in [("pay_2", 2, "paid", 103), ("pay_3", 3, "failed", 109)] {
        Paid { id, run: &run, creator, state, amount_minor, cause: None, changed_at_ms: START_MS }
            .write(database)
            .await;
    }
    database
        .execute(
            "UPDATE creator_payouts SET amount_minor = 100 WHERE id = 'pay_2'; \
             UPDATE payout_attempts SET amount_minor = 100 WHERE payout_id = 'pay_2'; \
             INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES \
             ('creator2', 'acct_2', 'usd', 'carry_out', -3, -3, 0, 'payout', 'pay_2', 1, 1, 1), \
             ('creator2', 'acct_2', 'usd', 'carry_in', 3, 3, 0, 'payout', 'pay_2', 1, 1, 1), \
             ('creator3', 'acct_3', 'usd', 'overpaid', -109, -109, 0, 'payout', 'po_late', 1, 1, 1); \
             INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT 'pay_2', id, amount_minor FROM creator_earnings \
             WHERE kind = 'carry_out'; \
             INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, payout_id, why, first_seen_ms) \
             VALUES ('po_late', 'acct_3', 'usd', 109, 'paid', 0, 'pay_3', 'late', 1), \
             ('po_hand', 'acct_2', 'usd', 5, 'paid', 0, NULL, 'by hand', 1)"
                .replace("'paid', 0", if database.engine == "sqlite" { "'paid', 0" } else { "'paid', FALSE" })
                .as_str(),
        )
        .await;
}

#[tokio::test]
async fn everything_that_stripe_tells_leaves_clean_books() {
    each_database(async |database| {
        let store = everything(database).await;
        assert_eq!(store.books().await.unwrap().violations, Vec::<String>::new(), "{}", database.engine);
        let kinds = database.texts("SELECT DISTINCT kind FROM creator_earnings ORDER BY kind").await.concat();
        assert_eq!(
            kinds.join(" "),
            "carry_in carry_out debt_repaid dispute_hold dispute_lost dispute_release fee_refund overpaid refund reserve_hold \
             reserve_release sale",
            "the fixture has every kind that these rules are about"
        );
    })
    .await;
}

/// What is done past the store, and a part of the sentence that must come of it and of nothing else.
const HARMS: [(&str, &str); 37] = [
    (
        "DELETE FROM creator_earnings WHERE kind = 'sale' AND source_id = 'ch_1'",
        "belongs to charge ch_1, of which no sale",
    ),
    (
        "DELETE FROM creator_earnings WHERE kind = 'sale' AND source_id = 'ch_1'",
        "trr_1 of charge ch_1 is marked as booked",
    ),
    (
        "UPDATE creator_earnings SET account_id = 'acct_9' WHERE kind = 'refund' AND charge_id = 'ch_1'",
        "of its sale (acct_1 usd)",
    ),
    (
        "UPDATE creator_earnings SET currency = 'eur' WHERE kind = 'dispute_hold' AND charge_id = 'ch_open'",
        "of its sale (acct_1 usd)",
    ),
    ("DELETE FROM earning_facts WHERE fact_id = 'trr_1'", "(refund) is made of trr_1, of which Stripe told nothing"),
    ("DELETE FROM earning_facts WHERE fact_id = 'po_debit'", "(debt_repaid) is made of po_debit, of which"),
    (
        "UPDATE creator_earnings SET amount_minor = 299 WHERE kind = 'debt_repaid'",
        "a debit of Stripe's own, come to 299: it brought 300",
    ),
    ("UPDATE earning_facts SET status = 'failed' WHERE fact_id = 'po_debit'", "come to 300: it brought 0"),
    (
        "UPDATE creator_earnings SET amount_minor = -51 WHERE source_id = 'trr_plain'",
        "trr_plain, of no sale of ours, come to -51: it moved -50",
    ),
    (
        "UPDATE earning_facts SET said_ms = 5 WHERE fact_id = 'ch_1'",
        "is the sale ch_1, earned before this database was there (5)",
    ),
    ("DELETE FROM creator_earnings WHERE kind = 'carry_in'", "payout pay_2 was carried out as -3, but in as nothing"),
    ("UPDATE creator_earnings SET amount_minor = 4 WHERE kind = 'carry_in'", "carried out as -3, but in as 4"),
    (
        "DELETE FROM payout_items WHERE earning_id = (SELECT id FROM creator_earnings WHERE kind = 'carry_out'); \
         DELETE FROM creator_earnings WHERE kind = 'carry_out'",
        "3 of payout pay_2 were carried in, but nothing out",
    ),
    (
        "DELETE FROM payout_items WHERE earning_id = (SELECT id FROM creator_earnings WHERE kind = 'carry_out')",
        "carries out of payout pay_2, but is no item of it",
    ),
    (
        "UPDATE creator_earnings SET source_id = 'po_other' WHERE kind = 'overpaid'",
        "overpaid by po_other, which is neither",
    ),
    (
        "DELETE FROM creator_earnings WHERE kind = 'overpaid'",
        "pay_3 was executed late or its reversal failed: 0 are booked as overpaid, but 109",
    ),
    ("UPDATE creator_earnings SET amount_minor = -110 WHERE kind = 'overpaid'", "110 are booked as overpaid, but 109"),
    ("UPDATE foreign_payouts SET status = 'failed' WHERE object_id = 'po_late'", "109 are booked as overpaid, but 0"),
    (
        "UPDATE foreign_payouts SET payout_id = 'pay_x' WHERE object_id = 'po_hand'",
        "object po_hand of account acct_2 belongs to payout pay_x",
    ),
    (
        "UPDATE foreign_payouts SET object_id = 'po_pay_2' WHERE object_id = 'po_hand'",
        "held against its purse as foreign, but it is payout pay_2",
    ),
    (
        "UPDATE creator_earnings SET confirmed = FALSE WHERE kind = 'reserve_hold' AND charge_id = 'ch_1'",
        "is a reserve_hold and can't be an estimate",
    ),
    (
        "UPDATE creator_earnings SET confirmed = FALSE WHERE kind = 'refund' AND charge_id = 'ch_1'; \
         UPDATE earning_facts SET settled_minor = 2000 WHERE fact_id = 'trr_1'",
        "(a refund) is still marked as an estimate, but the account's balance has said what trr_1 came to",
    ),
    (
        "UPDATE creator_earnings SET confirmed = FALSE WHERE source_id = 'ch_file' AND kind = 'sale'",
        "estimate of charge ch_file, but Stripe told nothing",
    ),
    (
        "UPDATE earning_facts SET fee_minor = 999 WHERE fact_id = 'ch_1'",
        "estimate of charge ch_1, but not the one that Stripe told",
    ),
    (
        "UPDATE creator_earnings SET fee_minor = 1 WHERE source_id = 'ch_file' AND kind = 'sale'",
        "is the sale ch_file: its amount is not",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = 1 WHERE kind = 'dispute_lost'",
        "(a dispute_lost) has the wrong sign: 1",
    ),
    (
        "UPDATE creator_earnings SET earned_at_ms = 9000000000000 WHERE source_id = 'ch_pay_2'",
        "which did not count for its run (sale)",
    ),
    (
        "UPDATE creator_earnings SET confirmed = FALSE, settles_as_charged = FALSE WHERE source_id = 'ch_pay_2'",
        "which did not count for its run (sale)",
    ),
    (
        "UPDATE creator_earnings SET kind = 'adjustment', source_type = 'request', transfer_id = 'tr_none' WHERE source_id = 'ch_pay_2'",
        "which did not count for its run (adjustment)",
    ),
    (
        "UPDATE creator_earnings SET settles_as_charged = FALSE WHERE source_id = 'ch_1' AND kind = 'sale'",
        "hang on its sale, whose currency isn't sure",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = 1 WHERE kind = 'reserve_release' AND charge_id = 'ch_open'",
        "charge ch_open: its reserve holds 450, but releases 1",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = amount_minor * 11 WHERE kind = 'reserve_hold' AND charge_id = 'ch_open'",
        "holds 4950 of a net of 4500",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = -4501 WHERE kind = 'dispute_hold' AND charge_id = 'ch_open'",
        "1 disputes hold 4501 of a net of 4500",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = 9999 WHERE kind = 'dispute_release' AND charge_id = 'ch_won'",
        "its disputes hold 1800, but release 9999",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = -10001 WHERE kind = 'refund' AND charge_id = 'ch_1'",
        "refunds take 10001 of it, 10000 were transferred",
    ),
    (
        "UPDATE creator_earnings SET amount_minor = 1001 WHERE kind = 'fee_refund' AND charge_id = 'ch_1'",
        "1001 of its fee are given back, it was 1000",
    ),
    (
        "DELETE FROM creator_earnings WHERE kind = 'dispute_lost'",
        "charge ch_lost: what Stripe told of it asks for a dispute_lost",
    ),
];

#[tokio::test]
async fn every_rule_about_entries_that_is_broken_is_told_with_its_ids() {
    for (harm, sentence) in HARMS {
        each_database(async |database| {
            let store = everything(database).await;
            database.execute(harm).await;
            let told = store.books().await.unwrap().violations.join("\n");
            assert!(told.contains(sentence), "{}: {harm}\ntold: {told}", database.engine);
            store.close().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_dispute_that_holds_what_was_refunded_meanwhile_is_told() {
    let harm = "INSERT INTO earning_facts SELECT 'trr_late', kind, 'ch_open', account_id, transfer_id, currency, 4000, fee_minor, moved_minor, \
                status, at_ms + 1, said_ms, due_ms, balance_source, settled_minor, booked, created_at_ms FROM earning_facts WHERE fact_id = 'trr_1'; \
                INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
                source_id, earned_at_ms, available_on_ms, created_at_ms, charge_id) SELECT creator_id, account_id, currency, kind, -4000, \
                -4000, 0, source_type, 'trr_late', earned_at_ms, available_on_ms, created_at_ms, 'ch_open' FROM creator_earnings \
                WHERE source_id = 'trr_1' AND kind = 'refund'";
    each_database(async |database| {
        let store = everything(database).await;
        database.execute(harm).await;
        let told = store.books().await.unwrap().violations.join("\n");
        assert!(
            told.contains("charge ch_open: its dispute still holds 4500, but after refunds of 4000 at most 902"),
            "{told}"
        );
        assert!(told.contains("charge ch_open: its dispute_release is 3600 away"), "{told}");
        assert!(told.contains("charge ch_open: its reserve_hold is 360 away"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_reserve_that_was_never_booked_is_told() {
    each_database(async |database| {
        let store = everything(database).await;
        database.execute("DELETE FROM creator_earnings WHERE charge_id = 'ch_open' AND kind LIKE 'reserve%'").await;
        database.execute("DELETE FROM earning_facts WHERE fact_id = 'dp_open'").await;
        database.execute("DELETE FROM creator_earnings WHERE charge_id = 'ch_open'").await;
        let told = store.books().await.unwrap().violations.join("\n");
        assert!(told.contains("charge ch_open: its reserve_release is 450 away"), "{told}");
    })
    .await;
}
