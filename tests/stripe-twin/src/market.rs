//! What the marketplace side leaves behind: intents, charges, transfers, fees, refunds, disputes, each on its shelf.
//! Filled by sell, refund and dispute; read by lists and shapes. Invariant: a place on a shelf never changes its owner.

use std::collections::{BTreeMap, HashMap};

/// Objects of one kind, oldest first, found by id.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    pub(crate) rows: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Shelf<T> {
    pub(crate) fn put(&mut self, id: &str, row: T) -> usize {
        let place = self.rows.len();
        self.places.insert(id.to_owned(), place);
        self.rows.push(row);
        place
    }

    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&T> {
        self.rows.get(self.place(id)?)
    }
}

pub(crate) type Metadata = BTreeMap<String, String>;

/// Where a payment intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    Succeeded,
}

impl IntentStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Succeeded => "succeeded",
        }
    }
}

/// A payment as asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewIntent {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) fee: Option<i64>,
    /// The connected account, and how much of the charge when not all.
    pub(crate) destination: Option<String>,
    pub(crate) transfer_amount: Option<i64>,
    pub(crate) payment_method: Option<String>,
    pub(crate) confirm: bool,
    pub(crate) description: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) metadata: Metadata,
}

#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) new: NewIntent,
    pub(crate) status: IntentStatus,
    pub(crate) created: i64,
    pub(crate) charge: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) intent: String,
    pub(crate) new: NewIntent,
    pub(crate) created: i64,
    pub(crate) stripe_fee: i64,
    /// When its money ripens, in seconds.
    pub(crate) ripe_s: i64,
    pub(crate) txn: String,
    pub(crate) transfer: Option<usize>,
    pub(crate) fee: Option<usize>,
    pub(crate) refunded: i64,
    pub(crate) refunds: Vec<usize>,
    pub(crate) dispute: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    /// The `py_…` on the destination.
    pub(crate) payment: String,
    pub(crate) destination: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) created: i64,
    pub(crate) charge: Option<usize>,
    pub(crate) txn: String,
    pub(crate) reversed: i64,
    pub(crate) reversals: Vec<usize>,
    /// What arrived: in the destination's currency, and the platform's fee of it.
    pub(crate) dest_amount: i64,
    pub(crate) dest_currency: String,
    pub(crate) dest_fee: i64,
    pub(crate) dest_ripe_s: i64,
    pub(crate) dest_txn: String,
    pub(crate) dest_reversed: i64,
    pub(crate) description: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) metadata: Metadata,
}

#[derive(Debug, Clone)]
pub(crate) struct Reversal {
    pub(crate) id: String,
    /// The `pyr_…` on the destination.
    pub(crate) payment_refund: String,
    pub(crate) transfer: usize,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) refund: Option<String>,
    pub(crate) txn: String,
    pub(crate) metadata: Metadata,
}

#[derive(Debug, Clone)]
pub(crate) struct Fee {
    pub(crate) id: String,
    pub(crate) charge: usize,
    pub(crate) transfer: usize,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) txn: String,
    pub(crate) refunded: i64,
    pub(crate) dest_refunded: i64,
    pub(crate) refunds: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct FeeRefund {
    pub(crate) id: String,
    pub(crate) fee: usize,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) txn: String,
    pub(crate) metadata: Metadata,
}

#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) charge: usize,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) txn: String,
    pub(crate) reversal: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: Metadata,
}

/// Everything sold and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Market {
    pub(crate) intents: Shelf<Intent>,
    pub(crate) charges: Shelf<Charge>,
    pub(crate) transfers: Shelf<Transfer>,
    /// Places of transfers by their `py_…`.
    pub(crate) payments: HashMap<String, usize>,
    pub(crate) reversals: Shelf<Reversal>,
    pub(crate) fees: Shelf<Fee>,
    pub(crate) fee_refunds: Shelf<FeeRefund>,
    pub(crate) refunds: Shelf<Refund>,
    pub(crate) disputes: Shelf<crate::dispute::Dispute>,
}

impl Market {
    /// The transfer and the fee that a charge brought.
    pub(crate) fn of_charge(&self, charge: &Charge) -> (Option<&Transfer>, Option<&Fee>) {
        let transfer = charge.transfer.and_then(|place| self.transfers.rows.get(place));
        let fee = charge.fee.and_then(|place| self.fees.rows.get(place));
        (transfer, fee)
    }
}

/// A part of `amount` in the proportion `part` of `whole`, rounded down.
pub(crate) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let exact = i128::from(amount) * i128::from(part) / i128::from(whole.max(1));
    i64::try_from(exact).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_more_than_its_part() {
        assert_eq!((share(100, 1, 3), share(7, 7, 7), share(i64::MAX, 1, 2)), (33, 7, i64::MAX / 2));
    }
}
