//! The daemon's books against what Stripe executed: row by row, both ways, on key, account, amount, currency and destination.
//!
//! Pure. Whom it may call: nobody. It knows no type and no rule of the daemon's.
use std::{collections::BTreeMap, fmt};

/// A create attempt in the daemon's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Its idempotency key.
    pub key: String,
    /// The payout it belongs to.
    pub payout_id: String,
    /// The account that pays out.
    pub account: String,
    /// Minor units.
    pub amount: i64,
    /// Lower case.
    pub currency: String,
    /// The bank account it went to.
    pub destination: String,
    /// The object at Stripe, when the books have one.
    pub object: Option<String>,
    /// What the books say of it.
    pub standing: Standing,
}

/// What the books say of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Stripe executed it.
    Executed,
    /// Not known yet: its answer is missing.
    Open,
    /// Stripe executed nothing.
    Nothing,
}

/// A payout that Stripe executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The idempotency key it was asked with; empty when there was none.
    pub key: String,
    /// The object.
    pub object: String,
    /// The account that paid out.
    pub account: String,
    /// Minor units.
    pub amount: i64,
    /// Lower case.
    pub currency: String,
    /// The bank account it went to.
    pub destination: String,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The books say executed; Stripe has no such payout.
    OnlyInBooks(Booked),
    /// Stripe executed what the books don't have, or have as refused, withdrawn or still to be sent.
    OnlyAtStripe(Executed),
    /// Stripe executed it and the books don't know yet: its attempt is open.
    NotYetKnown(Booked, Executed),
    /// Both have it, and this differs.
    Differs {
        /// Which.
        key: String,
        /// What differs.
        field: &'static str,
        /// In the books.
        books: String,
        /// At Stripe.
        stripe: String,
    },
    /// Stripe executed one key more than once.
    ExecutedTwice {
        /// Which.
        key: String,
        /// The objects.
        objects: Vec<String>,
    },
    /// The books have one key, or one object, more than once.
    BookedTwice(String),
}

impl Difference {
    /// Money that moved and that the books will find by themselves when the daemon goes on.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::NotYetKnown(..))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyInBooks(row) => write!(
                f,
                "only in the books: {} {} {} {} ({}, object {})",
                row.key,
                row.account,
                row.amount,
                row.currency,
                row.payout_id,
                row.object.as_deref().unwrap_or("none")
            ),
            Self::OnlyAtStripe(row) => {
                write!(
                    f,
                    "only at Stripe: {} {} {} {} ({})",
                    row.key, row.account, row.amount, row.currency, row.object
                )
            }
            Self::NotYetKnown(booked, row) => write!(
                f,
                "executed at Stripe, not yet known in the books: {} {} {} {} ({}, {})",
                row.key, row.account, row.amount, row.currency, booked.payout_id, row.object
            ),
            Self::Differs { key, field, books, stripe } => {
                write!(f, "{key}: {field} is {books} in the books, {stripe} at Stripe")
            }
            Self::ExecutedTwice { key, objects } => {
                write!(f, "EXECUTED TWICE at Stripe: {key}: {}", objects.join(", "))
            }
            Self::BookedTwice(what) => write!(f, "twice in the books: {what}"),
        }
    }
}

/// Every difference; none when books and ledger are equal.
#[must_use]
pub fn compare(books: &[Booked], ledger: &[Executed]) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut booked: BTreeMap<&str, &Booked> = BTreeMap::new();
    let mut objects: BTreeMap<&str, &Booked> = BTreeMap::new();
    for row in books {
        if booked.insert(&row.key, row).is_some() {
            differences.push(Difference::BookedTwice(row.key.clone()));
        }
        if row.object.as_deref().is_some_and(|object| objects.insert(object, row).is_some()) {
            differences.push(Difference::BookedTwice(row.object.clone().unwrap_or_default()));
        }
    }
    let mut executed: BTreeMap<&str, Vec<&Executed>> = BTreeMap::new();
    for row in ledger {
        executed.entry(&row.key).or_default().push(row);
    }
    for (key, rows) in &executed {
        if rows.len() > 1 && !key.is_empty() {
            let objects = rows.iter().map(|row| row.object.clone()).collect();
            differences.push(Difference::ExecutedTwice { key: (*key).to_owned(), objects });
        }
        for row in rows {
            match booked.get(key) {
                Some(booked) => one(booked, row, &mut differences),
                None => differences.push(Difference::OnlyAtStripe((*row).clone())),
            }
        }
    }
    for row in books {
        if row.standing == Standing::Executed && !executed.contains_key(row.key.as_str()) {
            differences.push(Difference::OnlyInBooks(row.clone()));
        }
    }
    differences
}

/// A row that both sides know by its key.
fn one(booked: &Booked, executed: &Executed, differences: &mut Vec<Difference>) {
    match booked.standing {
        Standing::Executed => {}
        Standing::Open => differences.push(Difference::NotYetKnown(booked.clone(), executed.clone())),
        Standing::Nothing => differences.push(Difference::OnlyAtStripe(executed.clone())),
    }
    let mut differs = |field, books: String, stripe: String| {
        if books != stripe {
            differences.push(Difference::Differs { key: booked.key.clone(), field, books, stripe });
        }
    };
    differs("account", booked.account.clone(), executed.account.clone());
    differs("amount", booked.amount.to_string(), executed.amount.to_string());
    differs("currency", booked.currency.clone(), executed.currency.clone());
    differs("destination", booked.destination.clone(), executed.destination.clone());
    if booked.standing == Standing::Executed {
        differs("object", booked.object.clone().unwrap_or_else(|| "none".to_owned()), executed.object.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booked(key: &str, standing: Standing) -> Booked {
        Booked {
            key: key.to_owned(),
            payout_id: format!("pay_{key}"),
            account: "acct_1".to_owned(),
            amount: 1234,
            currency: "usd".to_owned(),
            destination: "ba_1".to_owned(),
            object: (standing == Standing::Executed).then(|| format!("po_{key}")),
            standing,
        }
    }

    fn executed(key: &str) -> Executed {
        Executed {
            key: key.to_owned(),
            object: format!("po_{key}"),
            account: "acct_1".to_owned(),
            amount: 1234,
            currency: "usd".to_owned(),
            destination: "ba_1".to_owned(),
        }
    }

    fn told(books: &[Booked], ledger: &[Executed]) -> Vec<String> {
        compare(books, ledger).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_rows_in_any_order_are_no_difference() {
        let books = [booked("a", Standing::Executed), booked("b", Standing::Nothing), booked("c", Standing::Executed)];
        assert_eq!(told(&books, &[executed("c"), executed("a")]), Vec::<String>::new());
        assert_eq!(told(&[], &[]), Vec::<String>::new());
    }

    #[test]
    fn a_row_missing_on_either_side_is_seen() {
        assert_eq!(
            told(&[booked("a", Standing::Executed)], &[executed("b")]),
            ["only at Stripe: b acct_1 1234 usd (po_b)", "only in the books: a acct_1 1234 usd (pay_a, object po_a)"]
        );
        assert_eq!(
            told(&[booked("a", Standing::Nothing)], &[executed("a")]),
            ["only at Stripe: a acct_1 1234 usd (po_a)"]
        );
        assert_eq!(told(&[booked("a", Standing::Open)], &[]), Vec::<String>::new());
    }

    #[test]
    fn money_that_moved_unseen_is_told_apart_from_money_that_is_lost() {
        let differences = compare(&[booked("a", Standing::Open)], &[executed("a")]);
        assert_eq!(differences.len(), 1);
        assert!(differences.iter().all(Difference::is_open));
        assert!(compare(&[booked("a", Standing::Nothing)], &[executed("a")]).iter().all(|found| !found.is_open()));
    }

    #[test]
    fn every_field_counts() {
        let mut row = executed("a");
        row.account = "acct_2".to_owned();
        row.amount = 1235;
        row.currency = "eur".to_owned();
        row.destination = "ba_2".to_owned();
        row.object = "po_x".to_owned();
        assert_eq!(
            told(&[booked("a", Standing::Executed)], &[row]),
            [
                "a: account is acct_1 in the books, acct_2 at Stripe",
                "a: amount is 1234 in the books, 1235 at Stripe",
                "a: currency is usd in the books, eur at Stripe",
                "a: destination is ba_1 in the books, ba_2 at Stripe",
                "a: object is po_a in the books, po_x at Stripe"
            ]
        );
    }

    #[test]
    fn twice_is_never_equal() {
        let mut second = executed("a");
        second.object = "po_second".to_owned();
        let found = told(&[booked("a", Standing::Executed)], &[executed("a"), second]);
        assert!(found[0].starts_with("EXECUTED TWICE at Stripe: a: po_a, po_second"), "{found:?}");
        let mut other = booked("b", Standing::Executed);
        other.object = Some("po_a".to_owned());
        let found = told(&[booked("a", Standing::Executed), other], &[executed("a"), executed("b")]);
        assert!(found.contains(&"twice in the books: po_a".to_owned()), "{found:?}");
        let twice = [booked("a", Standing::Executed), booked("a", Standing::Executed)];
        assert!(told(&twice, &[executed("a")]).contains(&"twice in the books: a".to_owned()));
    }

    #[test]
    fn an_execution_without_a_key_is_nobodys() {
        assert_eq!(told(&[], &[executed(""), executed("")]).len(), 2);
    }
}
