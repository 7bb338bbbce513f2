//! What happened before this database was there was somebody else's to pay: Stripe goes on telling of it, and nothing of it is earned anew.
use super::{
    books_entries::fact,
    fixtures::{fence, import, sale},
};
use crate::databases::{Database, START_MS, each_database};
use payout_shared::entries::{Fact, FactKind, Told};
use payoutd::store::{Store, door_types::EarningRow};
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000;
const LONG_AGO: i64 = START_MS - 40 * 24 * HOUR;

/// A charge of 10,000, a tenth of it the platform's, made long before and told now.
fn old_sale() -> Fact {
    Fact {
        fee_minor: 1_000,
        moved_minor: 10_000,
        at_ms: LONG_AGO,
        said_ms: LONG_AGO,
        ..fact(FactKind::Sale, "ch_old", Some("ch_old"), 10_000)
    }
}

/// The same in a file.
fn in_a_file() -> EarningRow {
    EarningRow { earned_at_ms: LONG_AGO, ..sale(1, "ch_old", 10_000) }
}

fn at(at_ms: i64, fact: Fact) -> Told {
    Told::Fact(Fact { at_ms, said_ms: at_ms, ..fact })
}

/// Sums of acct_1's entries by kind.
async fn sums(database: &Database) -> BTreeMap<String, i64> {
    let query =
        "SELECT kind, CAST(SUM(amount_minor) AS TEXT) FROM creator_earnings WHERE account_id = 'acct_1' GROUP BY kind";
    database.texts(query).await.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
}

/// What waits and what is left to a file, in books that are clean.
async fn unbooked(store: &Store) -> (i64, i64) {
    let books = store.books().await.unwrap();
    assert_eq!(books.violations, Vec::<String>::new());
    (books.facts_waiting, books.facts_before)
}

fn these(sums: &[(&str, i64)]) -> BTreeMap<String, i64> {
    sums.iter().map(|(kind, sum)| ((*kind).to_owned(), *sum)).collect()
}

/// A creator whose one account is known and has a bank account for dollars.
async fn known(database: &Database) -> Store {
    let (store, _) = database.store().await;
    import(&store, &[sale(1, "ch_file", 1_000)]).await;
    database
        .execute("INSERT INTO account_banks (account_id, currency, destination_id, status) VALUES ('acct_1', 'usd', 'ba_1', 'new')")
        .await;
    store
}

#[tokio::test]
async fn a_sale_from_before_is_earned_by_a_file_alone_and_once() {
    each_database(async |database| {
        let store = known(database).await;
        let token = fence(&store).await;
        store.record_told(token, &[Told::Fact(old_sale())], &[]).await.unwrap();
        store.book_waiting(token, 100).await.unwrap();
        assert_eq!(
            sums(database).await,
            these(&[("sale", 900)]),
            "{}: whoever came before has paid it",
            database.engine
        );
        assert_eq!(unbooked(&store).await, (0, 1), "{}", database.engine);
        let row = in_a_file();
        for imported in [1, 0] {
            assert_eq!(import(&store, std::slice::from_ref(&row)).await.imported, imported);
        }
        store.record_told(token, &[Told::Fact(old_sale())], &[]).await.unwrap();
        assert_eq!(sums(database).await, these(&[("sale", 9_900)]), "{}", database.engine);
        assert_eq!(unbooked(&store).await, (0, 0), "{}", database.engine);
    })
    .await;
}

#[tokio::test]
async fn a_charge_from_before_that_succeeds_afterwards_is_earned_whatever_is_told_first() {
    each_database(async |database| {
        let store = known(database).await;
        let token = fence(&store).await;
        let succeeded =
            |id: &str| Fact { id: id.to_owned(), charge: Some(id.to_owned()), said_ms: START_MS + HOUR, ..old_sale() };
        let updated = |id: &str| Fact { said_ms: LONG_AGO, ..succeeded(id) };
        for (id, order) in
            [("ch_a", [succeeded("ch_a"), updated("ch_a")]), ("ch_b", [updated("ch_b"), succeeded("ch_b")])]
        {
            for fact in order {
                store.record_told(token, &[Told::Fact(fact)], &[]).await.unwrap();
            }
            assert_eq!(
                database.number(&format!("SELECT COUNT(*) FROM creator_earnings WHERE source_id = '{id}'")).await,
                1
            );
        }
        assert_eq!(store.books().await.unwrap().violations, Vec::<String>::new(), "{}", database.engine);
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_back_now_of_a_sale_from_before_counts_by_itself_and_once() {
    each_database(async |database| {
        let store = known(database).await;
        let token = fence(&store).await;
        let of = |kind, id: &str, amount_minor| fact(kind, id, Some("ch_old"), amount_minor);
        let now = START_MS + HOUR;
        let told = [
            at(now, of(FactKind::Reversal, "trr_now", 2_000)),
            at(LONG_AGO + HOUR, of(FactKind::Reversal, "trr_then", 500)),
            at(now, of(FactKind::FeeRefund, "fr_now", 200)),
            at(now, Fact { status: "needs_response".to_owned(), ..of(FactKind::Dispute, "dp_now", 3_000) }),
            Told::Fact(old_sale()),
        ];
        for one in &told {
            store.record_told(token, std::slice::from_ref(one), &[]).await.unwrap();
        }
        store.record_told(token, &told, &[]).await.unwrap();
        let taken = [("fee_refund", 200), ("refund", -2_000), ("sale", 900)];
        assert_eq!(sums(database).await, these(&taken), "{}", database.engine);
        // Its sale, what was taken back when it wasn't ours, and the dispute, which holds nothing of ours.
        assert_eq!(unbooked(&store).await, (0, 3), "{}", database.engine);
        // In a file after all: as though its sale had been there from the start.
        let row = in_a_file();
        import(&store, &[row]).await;
        let whole = [("dispute_hold", -2_700), ("fee_refund", 200), ("refund", -2_500), ("sale", 9_900)];
        assert_eq!(
            sums(database).await.into_iter().filter(|(kind, _)| kind != "dispute_release").collect::<BTreeMap<_, _>>(),
            these(&whole),
            "{}",
            database.engine
        );
        assert_eq!(store.books().await.unwrap().violations, Vec::<String>::new(), "{}", database.engine);
    })
    .await;
}

#[tokio::test]
async fn a_reversal_of_an_old_transfer_whose_sale_was_never_told_counts_too() {
    each_database(async |database| {
        let store = known(database).await;
        let token = fence(&store).await;
        let transfer = Told::Transfer(payout_shared::entries::Transfer {
            id: "tr_old".to_owned(),
            account: payout_shared::id::AccountId::new("acct_1"),
            amount_minor: 10_000,
            currency: super::fixtures::usd(),
            charge: Some("ch_old".to_owned()),
            destination_payment: None,
            created_ms: LONG_AGO,
        });
        let taken = at(START_MS + HOUR, fact(FactKind::Reversal, "trr_now", Some("ch_old"), 2_000));
        store.record_told(token, &[taken], &[]).await.unwrap();
        assert_eq!(
            store.books().await.unwrap().facts_waiting,
            1,
            "{}: it may be of a sale that comes",
            database.engine
        );
        store.record_told(token, &[transfer], &[]).await.unwrap();
        store.book_waiting(token, 100).await.unwrap();
        assert_eq!(sums(database).await, these(&[("refund", -2_000), ("sale", 900)]), "{}", database.engine);
        assert_eq!(unbooked(&store).await, (0, 0), "{}", database.engine);
    })
    .await;
}

#[tokio::test]
async fn what_stripe_took_or_brought_by_itself_before_is_not_booked() {
    each_database(async |database| {
        let store = known(database).await;
        let token = fence(&store).await;
        let then = LONG_AGO;
        let told = [
            at(then, Fact { status: "paid".to_owned(), ..fact(FactKind::Debit, "po_then", None, -300) }),
            at(then, fact(FactKind::Reversal, "trr_then", None, 50)),
        ];
        store.record_told(token, &told, &[]).await.unwrap();
        store.book_waiting(token, 100).await.unwrap();
        assert_eq!(sums(database).await, these(&[("sale", 900)]), "{}", database.engine);
        assert_eq!(unbooked(&store).await, (0, 2), "{}", database.engine);
    })
    .await;
}
