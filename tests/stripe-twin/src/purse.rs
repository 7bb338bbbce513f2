//! One account's money in one currency. Moved by balance transactions and by what banks do with payouts.
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
    /// Taken by payouts the bank hasn't answered for; negative for debits of the bank.
    pub in_transit: i64,
    /// Taken by payouts that are paid, less what debits brought.
    pub paid_out: i64,
}

/// What gives the money that a purse receives, or takes the money it loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// Other purses, customers, Stripe, a test: all that is no bank.
    Funded,
    /// A payout the bank hasn't answered for.
    InTransit,
    /// A payout that is paid.
    PaidOut,
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

    /// Money comes in, or goes out when negative, ripe or not yet.
    pub(crate) fn enter(&mut self, net: i64, is_ripe: bool, counter: Counter) -> Result<(), Refused> {
        let (available, pending) = if is_ripe { (net, 0) } else { (0, net) };
        let back = net.checked_neg().ok_or(Refused)?;
        let (funded, in_transit, paid_out) = match counter {
            Counter::Funded => (net, 0, 0),
            Counter::InTransit => (0, back, 0),
            Counter::PaidOut => (0, 0, back),
        };
        *self = self.moved([funded, available, pending, in_transit, paid_out])?;
        Ok(())
    }

    /// Pending money becomes available.
    pub(crate) fn mature(&mut self, net: i64) -> Result<(), Refused> {
        *self = self.moved([0, net, net.checked_neg().ok_or(Refused)?, 0, 0])?;
        Ok(())
    }

    /// The bank has paid a payout, or a debit when negative.
    pub(crate) fn pay(&mut self, amount: i64) -> Result<(), Refused> {
        *self = self.moved([0, 0, 0, amount.checked_neg().ok_or(Refused)?, amount])?;
        Ok(())
    }

    /// Whether nothing has been made or lost.
    #[must_use]
    pub fn conserves(&self) -> bool {
        let parts = [self.available, self.pending, self.in_transit, self.paid_out];
        parts.iter().map(|part| i128::from(*part)).sum::<i128>() == i128::from(self.funded)
    }
}
