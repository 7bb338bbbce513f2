//! The comparison of a life: equal sides are equal, and each way to differ is seen.
use super::*;

fn entry(kind: &str, source: &str, amount: i64) -> Entry {
    Entry {
        kind: kind.to_owned(),
        account: "acct_1".to_owned(),
        currency: "usd".to_owned(),
        amount,
        source_id: source.to_owned(),
        charge: if kind == "sale" { String::new() } else { "ch_1".to_owned() },
        confirmed: true,
        waits: false,
        earned_ms: 0,
    }
}

fn moved(what: &str, id: &str, amount: i64) -> Move {
    Move {
        what: what.to_owned(),
        id: id.to_owned(),
        charge: Some("ch_1".to_owned()),
        account: "acct_1".to_owned(),
        currency: "usd".to_owned(),
        amount,
        converted: false,
    }
}

fn other(id: &str, amount: i64, status: &str) -> Paid {
    Paid {
        id: id.to_owned(),
        account: "acct_1".to_owned(),
        amount,
        currency: "usd".to_owned(),
        status: status.to_owned(),
    }
}

fn purse() -> PurseId {
    ("acct_1".to_owned(), "usd".to_owned())
}

/// A sale of 900, 100 of it taken back and 10 of the fee given back, 300 paid by us and 200 by hand, a debit of 50.
fn equal() -> (InBooks, AtStripe) {
    let books = InBooks {
        entries: vec![
            entry("sale", "ch_1", 900),
            entry("refund", "trr_1", -90),
            entry("refund", "trr_1#2", -10),
            entry("fee_refund", "fr_1", 10),
            entry("debt_repaid", "po_debit", 50),
            entry("dispute_hold", "dp_1", -800),
            entry("dispute_release", "dp_1", 800),
            entry("carry_out", "pay_1", -7),
            entry("carry_in", "pay_1", 7),
        ],
        foreign: vec![Foreign {
            object: "po_hand".to_owned(),
            account: "acct_1".to_owned(),
            currency: "usd".to_owned(),
            amount: 200,
            status: "paid".to_owned(),
        }],
        paid: BTreeMap::from([(purse(), 300)]),
        ..InBooks::default()
    };
    let stripe = AtStripe {
        moves: vec![moved("sale", "ch_1", 900), moved("reversal", "trr_1", -100), moved("fee_refund", "fr_1", 10)],
        disputes: vec![Dispute {
            id: "dp_1".to_owned(),
            charge: "ch_1".to_owned(),
            status: "won".to_owned(),
            took_money: true,
        }],
        others: vec![other("po_hand", 200, "paid"), other("po_debit", -50, "paid")],
        purses: BTreeMap::from([(purse(), 360)]),
        ..AtStripe::default()
    };
    (books, stripe)
}

#[test]
fn equal_sides_differ_in_nothing() {
    let (books, stripe) = equal();
    let verdict = compare(&books, &stripe);
    assert!(verdict.wrong.is_empty() && verdict.explained.is_empty(), "{verdict:#?}");
}

/// Changes one thing, and gives the one sentence that says so.
fn only(change: impl Fn(&mut InBooks, &mut AtStripe)) -> String {
    let (mut books, mut stripe) = equal();
    change(&mut books, &mut stripe);
    let verdict = compare(&books, &stripe);
    assert_eq!(verdict.wrong.len(), 1, "{verdict:#?}");
    verdict.wrong.concat()
}

#[test]
fn each_way_to_differ_is_seen_once() {
    let has = |text: String, part: &str| assert!(text.contains(part), "{part}: {text}");
    has(only(|books, _| drop(books.entries.remove(0))), "only at Stripe: sale ch_1");
    has(only(|books, _| books.entries[0].amount = 901), "sale ch_1");
    has(only(|books, _| books.entries.push(entry("sale", "ch_2", 1))), "only in the books: sale ch_2");
    has(only(|books, _| books.entries.push(entry("refund", "trr_1#3", -1))), "reversal trr_1");
    has(only(|books, _| drop(books.entries.remove(4))), "only at Stripe: debit po_debit");
    has(only(|books, _| books.entries[4].amount = 49), "in the books 49");
    let failed = only(|_, stripe| {
        stripe.others[1].status = "failed".to_owned();
        stripe.purses.insert(purse(), 310);
    });
    has(failed, "debit po_debit (failed)");
    has(only(|books, _| books.foreign.clear()), "only at Stripe: payout po_hand");
    let unknown = only(|_, stripe| {
        stripe.others.remove(0);
        stripe.purses.insert(purse(), 560);
    });
    has(unknown, "known as foreign");
    has(only(|books, _| books.foreign[0].status = "failed".to_owned()), "payout po_hand (paid)");
    has(only(|books, _| drop(books.entries.remove(6))), "dispute dp_1 (won)");
    has(only(|_, stripe| stripe.disputes[0].status = "lost".to_owned()), "dispute dp_1 (lost)");
    has(only(|_, stripe| stripe.disputes[0].took_money = false), "dispute dp_1");
    has(only(|_, stripe| stripe.disputes.clear()), "no dispute of ch_1");
    has(only(|books, _| drop(books.entries.remove(8))), "carry entries come to -7");
    has(only(|_, stripe| stripe.purses.extend([(purse(), 361)])), "Stripe has 361, the books make 360");
    has(only(|books, _| books.paid.extend([(purse(), 299)])), "Stripe has 360, the books make 361");
}

#[test]
fn an_estimate_and_a_lost_event_are_explained_and_their_money_is_too() {
    let (mut books, mut stripe) = equal();
    books.entries[0].confirmed = false;
    books.entries[0].currency = "eur".to_owned();
    assert_eq!(compare(&books, &stripe).wrong.len(), 1, "nothing was converted");
    stripe.moves[0].converted = true;
    let mut other_sum = books.clone();
    other_sum.entries[0].currency = "usd".to_owned();
    other_sum.entries[0].amount += 1;
    assert_eq!(compare(&other_sum, &stripe).wrong.len(), 1, "in the account's currency it is no estimate any more");
    let verdict = compare(&books, &stripe);
    assert!(verdict.wrong.is_empty() && verdict.explained.len() == 1, "{verdict:#?}");
    stripe.moves.push(Move { charge: Some("ch_lost".to_owned()), ..moved("sale", "ch_lost", 40) });
    stripe.moves.push(Move { charge: Some("ch_lost".to_owned()), ..moved("reversal", "trr_9", -10) });
    stripe.purses.insert(purse(), 390);
    assert_eq!(compare(&books, &stripe).wrong.len(), 2, "an event that was lost names its objects");
    stripe.lost.insert("ch_lost".to_owned());
    let verdict = compare(&books, &stripe);
    let causes: Vec<&str> = verdict.explained.iter().map(|one| one.cause.as_str()).collect();
    assert_eq!((verdict.wrong.len(), causes), (0, vec!["estimated sale", "not told sale", "not told reversal"]));
    stripe.is_swept = true;
    assert_eq!(compare(&books, &stripe).wrong.len(), 2, "by then it should have been found");
}

#[test]
fn what_hangs_on_a_sale_that_is_not_sure_waits_and_on_one_that_is_does_not() {
    let (mut books, stripe) = equal();
    books.entries.retain(|entry| entry.kind != "refund");
    assert_eq!(compare(&books, &stripe).wrong.len(), 1);
    books.entries[0].waits = true;
    let verdict = compare(&books, &stripe);
    let causes: Vec<&str> = verdict.explained.iter().map(|one| one.cause.as_str()).collect();
    assert_eq!((verdict.wrong.len(), causes), (0, vec!["waits for its sale reversal"]), "{verdict:#?}");
}

#[test]
fn what_is_taken_of_a_conversion_is_off_by_a_rounding_at_most_and_only_while_it_is_estimated() {
    let off_by = |amount: i64, confirmed: bool, converted: bool| {
        let (mut books, mut stripe) = equal();
        books.entries[3].amount += amount;
        books.entries[3].confirmed = confirmed;
        stripe.moves[2].converted = converted;
        let verdict = compare(&books, &stripe);
        (verdict.wrong.len(), verdict.explained.len())
    };
    assert_eq!(off_by(1, false, true), (0, 1));
    assert_eq!(off_by(-1, false, true), (0, 1));
    assert_eq!(off_by(2, false, true), (1, 0));
    assert_eq!(off_by(1, true, true), (1, 0));
    assert_eq!(off_by(1, false, false), (1, 0));
}

#[test]
fn a_payout_of_ours_that_came_back_is_back_in_the_books_unless_nobody_said_so() {
    let (mut books, mut stripe) = equal();
    stripe.asked_for = vec![other("po_ours", 300, "failed")];
    stripe.purses.insert(purse(), 660);
    books.ours.insert("po_ours".to_owned(), "pending".to_owned());
    let verdict = compare(&books, &stripe);
    assert!(verdict.wrong.len() == 1 && verdict.wrong[0].contains("our payout po_ours (failed)"), "{verdict:#?}");
    stripe.lost.insert("po_ours".to_owned());
    let verdict = compare(&books, &stripe);
    assert!(verdict.wrong.is_empty() && verdict.explained.len() == 1, "{verdict:#?}");
    books.ours.insert("po_ours".to_owned(), "failed".to_owned());
    books.paid.clear();
    let verdict = compare(&books, &stripe);
    assert!(verdict.wrong.is_empty() && verdict.explained.is_empty(), "{verdict:#?}");
}
