//! The invariants of the books, judged from sums that the database made. Every violation is one sentence with its numbers.
use crate::{currency::Currency, id::AccountId};
use serde::{Deserialize, Serialize};

mod charge;
pub use charge::check_charge;

/// The sums of one purse, minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseSums {
    /// The account.
    pub account: AccountId,
    /// The currency.
    pub currency: Currency,
    /// Σ of all entries.
    pub entries_minor: i64,
    /// Σ of entries that are in no unreleased item.
    pub free_minor: i64,
    /// Of these, what counts now: payable, or below 0 a debt.
    pub mature_minor: i64,
    /// Of these, what counts later, without what is reserved.
    pub immature_minor: i64,
    /// Of these, what is kept back of sales as a reserve and counts later, whether the sale itself counts by now or not.
    pub reserved_minor: i64,
    /// Of the free ones, what only an event told so far: the account's balance hasn't confirmed it.
    pub estimated_minor: i64,
    /// What disputes hold back that aren't lost: it is subtracted from the sums above already.
    pub disputed_minor: i64,
    /// Σ of unreleased items whose payout is planned.
    pub planned_minor: i64,
    /// Σ of unreleased items whose payout is submitting, unknown, pending or in transit.
    pub in_flight_minor: i64,
    /// Σ of unreleased items whose payout is paid, settled, reversing or reversed.
    pub paid_minor: i64,
    /// Σ of unreleased items of failed, canceled or returned payouts (the money isn't seen back yet).
    pub returning_minor: i64,
    /// Σ of unreleased items of voided payouts: must be 0.
    pub voided_minor: i64,
}

/// One payout against its items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutSums {
    /// The payout.
    pub payout_id: String,
    /// Its currency.
    pub currency: Currency,
    /// Its amount, minor units.
    pub amount_minor: i64,
    /// Σ of its items, released or not.
    pub items_minor: i64,
    /// How many of them are unreleased.
    pub items_unreleased: i64,
    /// All of them.
    pub items: i64,
    /// Its state is voided, or failed without an object at Stripe: it must have no unreleased item.
    pub must_be_released: bool,
    /// Its state is active, paid, settled, reversing: it must have no released item.
    pub must_be_locked: bool,
}

/// What is wrong with a purse's sums; empty when nothing is.
#[must_use]
pub fn check_purse(sums: &PurseSums) -> Vec<String> {
    let name = format!("purse {} {}", sums.account, sums.currency);
    let mut wrong = Vec::new();
    let free = [sums.mature_minor, sums.immature_minor, sums.reserved_minor];
    let free: i128 = free.into_iter().map(i128::from).sum();
    if free != i128::from(sums.free_minor) {
        wrong.push(format!(
            "{name}: {} are free, but payable, immature and reserved ones sum to {free}",
            sums.free_minor
        ));
    }
    let parts = [
        sums.free_minor,
        sums.planned_minor,
        sums.in_flight_minor,
        sums.paid_minor,
        sums.returning_minor,
        sums.voided_minor,
    ];
    let total: i128 = parts.into_iter().map(i128::from).sum();
    if total != i128::from(sums.entries_minor) {
        wrong.push(format!("{name}: its entries sum to {}, but free and locked ones to {total}", sums.entries_minor));
    }
    if sums.voided_minor != 0 {
        wrong.push(format!("{name}: voided payouts still lock {}", sums.voided_minor));
    }
    wrong
}

/// What is wrong with a payout's sums; empty when nothing is.
#[must_use]
pub fn check_payout(sums: &PayoutSums) -> Vec<String> {
    let name = format!("payout {} ({})", sums.payout_id, sums.currency);
    let mut wrong = Vec::new();
    if sums.amount_minor != sums.items_minor {
        wrong.push(format!("{name}: its amount is {}, its items sum to {}", sums.amount_minor, sums.items_minor));
    }
    if sums.amount_minor <= 0 || sums.amount_minor.checked_rem(sums.currency.unit()) != Some(0) {
        wrong.push(format!("{name}: {} is not a positive multiple of {}", sums.amount_minor, sums.currency.unit()));
    }
    if !(0..=sums.items).contains(&sums.items_unreleased) {
        wrong.push(format!("{name}: {} of its {} items are counted as locked", sums.items_unreleased, sums.items));
    }
    if sums.must_be_released && sums.must_be_locked {
        wrong.push(format!("{name}: its items must be both free and locked"));
    }
    if sums.must_be_released && sums.items_unreleased > 0 {
        wrong.push(format!("{name}: {} items are locked although nothing of it was executed", sums.items_unreleased));
    }
    if sums.must_be_locked && sums.items_unreleased != sums.items {
        let released = sums.items.saturating_sub(sums.items_unreleased);
        wrong.push(format!("{name}: {released} of its items are free although it counts"));
    }
    wrong
}
