//! From what Stripe told of a charge to the entries of a purse.
//!
//! [`Fact`] is one object of Stripe's as last told, whatever was told in whatever order; [`due`] compares what the facts of a charge come
//! to with what is booked and gives what is missing. Nothing is ever taken back: a difference is one more entry. So the sums are a function
//! of the facts alone, and not of the order, the number or the batches in which they arrived.
use crate::{
    currency::Currency,
    earning::EarningKind,
    id::{AccountId, CreatorId},
    money::Money,
};

mod due;
mod fact;
pub use due::due;
pub use fact::{DisputeState, Fact, FactKind};

/// What is kept back of a sale: the policy in force when it was earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserve {
    /// Of the net, basis points: 0 to 10,000.
    pub basis_points: i64,
    /// For how long since it was earned, milliseconds.
    pub wait_ms: i64,
}

/// A sale as it is booked, with what its charge said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The charge.
    pub charge: String,
    /// What the customer paid, in the charge's currency, minor units.
    pub gross_minor: i64,
    /// The charge's currency.
    pub charged: Currency,
    /// What of it was transferred, in the charge's currency.
    pub moved_minor: i64,
    /// The same as the transfer has it, as far as that is known: where the platform converts, in another currency.
    pub transferred: Option<Money>,
    /// What that came to on the account, in the purse's currency; the same when nothing was converted.
    pub arrived_minor: i64,
    /// What is the creator's of it, in the purse's currency.
    pub net_minor: i64,
    /// The account's currency isn't the charge's.
    pub converted: bool,
    /// When it was earned, Unix milliseconds.
    pub earned_at_ms: i64,
    /// When Stripe has the money, Unix milliseconds.
    pub available_on_ms: i64,
    /// What is kept back.
    pub reserve: Reserve,
    /// Currency and amount are sure enough for what hangs on them; before that nothing else of the charge is booked.
    pub is_sure: bool,
}

/// An entry that exists, as far as the rest of its charge depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// What it is.
    pub kind: EarningKind,
    /// What of Stripe's it was made of.
    pub source_type: String,
    /// Which.
    pub source_id: String,
    /// Minor units of the purse.
    pub amount_minor: i64,
}

/// An entry to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EarningKind,
    /// Stripe's word for the object it is made of.
    pub source_type: &'static str,
    /// That object; with `#2`, `#3`, … when it is a later correction made of the same one.
    pub source_id: String,
    /// Minor units of the purse.
    pub amount_minor: i64,
    /// When it was earned, Unix milliseconds.
    pub earned_at_ms: i64,
    /// When it can count, Unix milliseconds.
    pub available_on_ms: i64,
    /// A part of a conversion that only the account's balance knows exactly: confirmed by it later.
    pub is_estimated: bool,
}

/// A transfer of the platform's to an account, as Stripe told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// `tr_…`
    pub id: String,
    /// Where it went.
    pub account: AccountId,
    /// How much left the platform, minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// The destination charge that it is of; `None`: made by itself.
    pub charge: Option<String>,
    /// What arrived, as the account's balance names it (`py_…`).
    pub destination_payment: Option<String>,
    /// When, Unix milliseconds.
    pub created_ms: i64,
}

/// One thing that Stripe tells about money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something that entries are made of.
    Fact(Fact),
    /// A transfer of the platform's.
    Transfer(Transfer),
    /// An account whose metadata names its creator (`creator_id`).
    Owner {
        /// The account.
        account: AccountId,
        /// Whose.
        creator: CreatorId,
        /// Two letters.
        country: Option<String>,
    },
}

/// A movement of an account's Stripe balance: what an estimate is confirmed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// `txn_…`
    pub id: String,
    /// The object that moved it (`py_…`, `pyr_…`, `fr_…`).
    pub source: Option<String>,
    /// Of the account's balance in this currency.
    pub currency: Currency,
    /// Before fees, minor units; below 0: it left.
    pub amount_minor: i64,
    /// What was taken of it.
    pub fee_minor: i64,
    /// What it changed the balance by.
    pub net_minor: i64,
    /// When it can be paid out, Unix milliseconds.
    pub available_on_ms: i64,
}

/// Amounts that don't fit into 64 bits: nothing of the charge is booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amounts of {0} do not fit into 64 bits")]
pub struct TooMuch(pub String);

/// floor(amount × part ÷ whole), for 0 ≤ part ≤ whole; a part beyond the whole counts as the whole, a whole of nothing has no parts.
#[must_use]
pub fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let part = part.clamp(0, whole.max(0));
    let exact = i128::from(amount.max(0)).checked_mul(i128::from(part)).and_then(|product| {
        let whole = i128::from(whole);
        product.checked_div(whole)
    });
    exact.and_then(|exact| i64::try_from(exact).ok()).unwrap_or(0)
}

/// Basis points of a whole.
const WHOLE_BP: i64 = 10_000;

impl Sale {
    /// floor(net × basis points ÷ 10,000): what is kept back in the end when nothing of the sale is taken back.
    #[must_use]
    pub fn reserved_minor(&self) -> i64 {
        share(self.net_minor, self.reserve.basis_points, WHOLE_BP)
    }

    /// What was taken or given back of it, and is told in this currency, came to another sum on the account.
    #[must_use]
    pub fn converts(&self, fact: &Fact) -> bool {
        self.converted || fact.currency != self.charged
    }

    /// When what is kept back counts, Unix milliseconds.
    #[must_use]
    pub fn release_on_ms(&self) -> i64 {
        self.available_on_ms.max(self.earned_at_ms.saturating_add(self.reserve.wait_ms))
    }
}

/// The entries of a debit that Stripe made by itself for a negative balance: there while it isn't known to have failed.
///
/// # Errors
/// [`TooMuch`].
pub fn debit(fact: &Fact, booked: &[Booked]) -> Result<Option<Entry>, TooMuch> {
    let too_much = || TooMuch(fact.id.clone());
    let target = if fact.debit_failed() { 0 } else { fact.amount_minor.checked_neg().ok_or_else(too_much)? };
    let due_ms = fact.due_ms.unwrap_or(fact.at_ms).max(fact.at_ms);
    single(fact, EarningKind::DebtRepaid, i128::from(target), booked, due_ms)
}

/// The entry of a reversal of a transfer that is no sale's of ours: what it took from the account.
///
/// # Errors
/// [`TooMuch`].
pub fn plain_reversal(fact: &Fact, booked: &[Booked]) -> Result<Option<Entry>, TooMuch> {
    let taken = fact.settled_minor.unwrap_or(fact.amount_minor);
    let target = i128::from(taken).checked_neg().ok_or_else(|| TooMuch(fact.id.clone()))?;
    single(fact, EarningKind::Refund, target, booked, fact.at_ms)
}

/// The entry of a fee that was given back of a charge that is no sale of ours: what it brought the account.
///
/// # Errors
/// [`TooMuch`].
pub fn plain_fee_refund(fact: &Fact, booked: &[Booked]) -> Result<Option<Entry>, TooMuch> {
    let brought = fact.settled_minor.unwrap_or(fact.amount_minor);
    single(fact, EarningKind::FeeRefund, i128::from(brought), booked, fact.at_ms)
}

/// What is missing until the entries of one object and kind come to `target`.
fn single(
    fact: &Fact,
    kind: EarningKind,
    target: i128,
    booked: &[Booked],
    available_on_ms: i64,
) -> Result<Option<Entry>, TooMuch> {
    let source_type = fact.kind.source_type();
    let of_it = |entry: &&Booked| entry.kind == kind && is_of(entry, source_type, &fact.id);
    let have: i128 = booked.iter().filter(of_it).map(|entry| i128::from(entry.amount_minor)).sum();
    let missing = target.checked_sub(have).and_then(|missing| i64::try_from(missing).ok());
    let amount_minor = missing.ok_or_else(|| TooMuch(fact.id.clone()))?;
    Ok((amount_minor != 0).then(|| Entry {
        kind,
        source_type,
        source_id: free_id(booked, kind, source_type, &fact.id),
        amount_minor,
        earned_at_ms: fact.at_ms,
        available_on_ms,
        is_estimated: false,
    }))
}

/// Was it made of this object, the first time or later?
fn is_of(entry: &Booked, source_type: &str, id: &str) -> bool {
    entry.source_type == source_type && entry.source_id.split('#').next() == Some(id)
}

/// An identity that no entry has yet.
fn free_id(booked: &[Booked], kind: EarningKind, source_type: &str, id: &str) -> String {
    let taken = booked.iter().filter(|entry| entry.kind == kind && is_of(entry, source_type, id)).count();
    match taken {
        0 => id.to_owned(),
        taken => format!("{id}#{}", taken.saturating_add(1)),
    }
}
