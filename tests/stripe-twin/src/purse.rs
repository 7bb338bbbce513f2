//! One account's money in one currency, and the list of movements that explains it.
//! Called by the world only. Invariant, at every instant: funded = available + pending + in transit + paid out.

use serde::Serialize;

/// Balances of one account in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Purse {
    /// All that ever came in.
    pub funded: i64,
    /// What a payout may take; may be negative.
    pub available: i64,
    /// Earned, not yet matured.
    pub pending: i64,
    /// Taken by payouts the bank hasn't answered for.
    pub in_transit: i64,
    /// Taken by payouts that are paid.
    pub paid_out: i64,
}

/// What moved a purse's available money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TxnKind {
    /// Money came in.
    Payment,
    /// Pending money became available.
    Maturity,
    /// A payout took money.
    Payout,
    /// A failed or canceled payout gave it back.
    PayoutFailure,
}

/// One balance transaction: a signed change of `available`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Txn {
    /// `txn_…`.
    pub(crate) id: String,
    /// Whose money.
    pub(crate) account: String,
    /// In what.
    pub(crate) currency: String,
    /// Signed minor units.
    pub(crate) amount: i64,
    /// Why.
    pub(crate) kind: TxnKind,
    /// The payout, if one moved it.
    pub(crate) payout: Option<String>,
}

/// A movement that the purse can't make; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Purse {
    fn moved(self, parts: [i64; 5]) -> Result<Self, Refused> {
        let add = |value: i64, change: i64| value.checked_add(change).ok_or(Refused);
        Ok(Self {
            funded: add(self.funded, parts[0])?,
            available: add(self.available, parts[1])?,
            pending: add(self.pending, parts[2])?,
            in_transit: add(self.in_transit, parts[3])?,
            paid_out: add(self.paid_out, parts[4])?,
        })
    }

    pub(crate) fn credit(&mut self, available: i64, pending: i64) -> Result<(), Refused> {
        let funded = available.checked_add(pending).ok_or(Refused)?;
        *self = self.moved([funded, available, pending, 0, 0])?;
        Ok(())
    }

    pub(crate) fn mature(&mut self) -> Result<i64, Refused> {
        let matured = self.pending;
        *self = self.moved([0, matured, -matured, 0, 0])?;
        Ok(matured)
    }

    pub(crate) fn take(&mut self, amount: i64) -> Result<(), Refused> {
        if amount < 1 || self.available < amount {
            return Err(Refused);
        }
        *self = self.moved([0, -amount, 0, amount, 0])?;
        Ok(())
    }

    pub(crate) fn pay(&mut self, amount: i64) -> Result<(), Refused> {
        *self = self.moved([0, 0, 0, -amount, amount])?;
        Ok(())
    }

    pub(crate) fn give_back(&mut self, amount: i64, was_paid: bool) -> Result<(), Refused> {
        let (in_transit, paid_out) = if was_paid { (0, -amount) } else { (-amount, 0) };
        *self = self.moved([0, amount, 0, in_transit, paid_out])?;
        Ok(())
    }

    /// Whether nothing has been made or lost.
    #[must_use]
    pub fn conserves(&self) -> bool {
        let parts = [self.available, self.pending, self.in_transit, self.paid_out];
        parts.iter().map(|part| i128::from(*part)).sum::<i128>() == i128::from(self.funded)
            && self.in_transit >= 0
            && self.paid_out >= 0
    }
}
