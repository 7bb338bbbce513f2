//! The proof that no money is made or lost: every purse from three sides (its own parts, its balance transactions, the
//! objects that moved it), and the whole of it against what came from and went to the outside.
//! Called by tests at any instant; reads only.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::PLATFORM_ACCOUNT;
use crate::payout::Status;
use crate::purse::Purse;
use crate::world::World;

/// Whether all sums hold, and what they are.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Conservation {
    /// True when nothing was made or lost.
    pub ok: bool,
    /// What doesn't hold, in words; the first hundred.
    pub violations: Vec<String>,
    /// The sum of all purses, by currency.
    pub totals: BTreeMap<String, Purse>,
    /// What crossed the edge of the world, by currency.
    pub outside: BTreeMap<String, Outside>,
}

/// What customers, Stripe, banks of customers and tests gave and took, in minor units.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq, Eq)]
pub struct Outside {
    /// Put there by tests.
    pub opened: i128,
    /// Paid by customers.
    pub charged: i128,
    /// Given back to customers.
    pub refunded: i128,
    /// Kept by Stripe: processing and dispute fees.
    pub stripe_fees: i128,
    /// Taken by disputes and not given back.
    pub disputed: i128,
    /// Exchanged into this currency, less what was exchanged out of it.
    pub exchanged: i128,
}

impl Outside {
    fn sum(&self) -> i128 {
        self.opened + self.charged - self.refunded - self.stripe_fees - self.disputed + self.exchanged
    }
}

/// One account's money in one currency, as its objects tell it.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    funded: i128,
    in_transit: i128,
    paid_out: i128,
}

type At<'a> = (&'a str, &'a str);

impl World {
    /// Proves every sum.
    pub(crate) fn conservation(&self) -> Conservation {
        let mut found = Conservation::default();
        let mut told = self.told_by_objects(&mut found);
        let mut txns = self.sums_by_txns();
        for (id, account) in &self.accounts {
            for (currency, purse) in &account.purses {
                let at = (id.as_str(), currency.as_str());
                let (ripe, unripe) = txns.remove(&at).unwrap_or_default();
                let told = told.remove(&at).unwrap_or_default();
                let agree = (i128::from(purse.available), i128::from(purse.pending)) == (ripe, unripe)
                    && i128::from(purse.funded) == told.funded
                    && i128::from(purse.in_transit) == told.in_transit
                    && i128::from(purse.paid_out) == told.paid_out;
                if !agree || !purse.conserves() {
                    found.violate(format!("{id} {currency}: {purse:?}; txns {ripe} and {unripe}, objects {told:?}"));
                }
                found.total(currency, purse);
            }
        }
        let homeless = told.iter().filter(|(_, told)| told.funded != 0 || told.in_transit != 0 || told.paid_out != 0);
        for (account, currency) in txns.keys().chain(homeless.map(|(at, _)| at)) {
            found.violate(format!("{account} {currency}: money moved in no purse"));
        }
        let currencies: Vec<String> = found.totals.keys().chain(found.outside.keys()).cloned().collect();
        for currency in currencies {
            let inside = found.totals.get(&currency).map_or(0, |total| i128::from(total.funded));
            let outside = found.outside.get(&currency).map_or(0, Outside::sum);
            if inside != outside {
                found.violate(format!("{currency}: {inside} inside, {outside} came from outside"));
            }
        }
        found.ok = found.violations.is_empty();
        found
    }

    fn told_by_objects<'a>(&'a self, found: &mut Conservation) -> BTreeMap<At<'a>, Told> {
        let mut told: BTreeMap<At<'a>, Told> = BTreeMap::new();
        for (id, account) in &self.accounts {
            for (currency, opened) in &account.opened {
                told.entry((id, currency)).or_default().funded += i128::from(*opened);
                found.at(currency).opened += i128::from(*opened);
            }
        }
        self.tell_payouts(&mut told, found);
        self.tell_charges(&mut told, found);
        self.tell_transfers(&mut told, found);
        told
    }

    fn tell_payouts<'a>(&'a self, told: &mut BTreeMap<At<'a>, Told>, found: &mut Conservation) {
        for payout in &self.payouts {
            let sums = told.entry((&payout.account, &payout.currency)).or_default();
            let returned = payout.failure_balance_transaction.is_some();
            let expected = match payout.status {
                Status::Pending | Status::InTransit => {
                    sums.in_transit += i128::from(payout.amount);
                    false
                }
                Status::Paid => {
                    sums.paid_out += i128::from(payout.amount);
                    false
                }
                Status::Failed | Status::Canceled => true,
            };
            if returned != expected {
                found.violate(format!("{}: {} and returned = {returned}", payout.id, payout.status.word()));
            }
        }
    }

    /// What customers and disputes gave to and took from the platform.
    fn tell_charges<'a>(&'a self, told: &mut BTreeMap<At<'a>, Told>, found: &mut Conservation) {
        for charge in &self.market.charges.rows {
            let outside = found.at(&charge.new.currency);
            let (mut took, mut fees) = (0, i128::from(charge.stripe_fee));
            if let Some(dispute) = charge.dispute.and_then(|place| self.market.disputes.rows.get(place)) {
                if dispute.took_money() {
                    took = i128::from(dispute.amount);
                }
                if !dispute.status.is_inquiry() {
                    fees += i128::from(dispute.fee);
                }
            }
            let refunds = charge.refunds.iter().filter_map(|place| self.market.refunds.rows.get(*place));
            let refunded: i128 = refunds.map(|refund| i128::from(refund.amount)).sum();
            outside.charged += i128::from(charge.new.amount);
            outside.refunded += refunded;
            outside.stripe_fees += fees;
            outside.disputed += took;
            let platform = told.entry((PLATFORM_ACCOUNT, &charge.new.currency)).or_default();
            platform.funded += i128::from(charge.new.amount) - refunded - fees - took;
            if refunded != i128::from(charge.refunded) || charge.refunded > charge.new.amount {
                found.violate(format!("{}: {refunded} refunded of {}", charge.id, charge.new.amount));
            }
        }
    }

    /// What went from the platform to its accounts and back.
    fn tell_transfers<'a>(&'a self, told: &mut BTreeMap<At<'a>, Told>, found: &mut Conservation) {
        for (place, transfer) in self.market.transfers.rows.iter().enumerate() {
            let fee = transfer.charge.and_then(|charge| self.market.charges.rows.get(charge)?.fee);
            let fee = fee.and_then(|fee| self.market.fees.rows.get(fee));
            let (kept, dest_refunded) = fee.map_or((0, 0), |fee| (fee.amount - fee.refunded, fee.dest_refunded));
            let back = i128::from(transfer.reversed) - i128::from(transfer.amount) + i128::from(kept);
            let arrived =
                i128::from(transfer.dest_amount) - i128::from(transfer.dest_reversed) - i128::from(transfer.dest_fee)
                    + i128::from(dest_refunded);
            told.entry((PLATFORM_ACCOUNT, &transfer.currency)).or_default().funded += back;
            told.entry((&transfer.destination, &transfer.dest_currency)).or_default().funded += arrived;
            if transfer.currency == transfer.dest_currency {
                if arrived != -back {
                    found.violate(format!("{}: {arrived} arrived of {}", transfer.id, -back));
                }
            } else {
                found.at(&transfer.currency).exchanged += back;
                found.at(&transfer.dest_currency).exchanged += arrived;
            }
            let reversals = transfer.reversals.iter().filter_map(|at| self.market.reversals.rows.get(*at));
            let reversed: i64 = reversals.filter(|row| row.transfer == place).map(|row| row.amount).sum();
            let whole = transfer.dest_reversed <= transfer.dest_amount && dest_refunded <= transfer.dest_fee;
            if reversed != transfer.reversed || reversed > transfer.amount || !whole {
                found.violate(format!("{}: more is back than went", transfer.id));
            }
        }
        for fee in &self.market.fees.rows {
            let refunds = fee.refunds.iter().filter_map(|at| self.market.fee_refunds.rows.get(*at));
            let refunded: i64 = refunds.map(|row| row.amount).sum();
            if refunded != fee.refunded || refunded > fee.amount {
                found.violate(format!("{}: {refunded} of {} given back", fee.id, fee.amount));
            }
        }
    }
}

impl Conservation {
    fn at(&mut self, currency: &str) -> &mut Outside {
        self.outside.entry(currency.to_owned()).or_default()
    }

    fn violate(&mut self, what: String) {
        if self.violations.len() < 100 {
            self.violations.push(what);
        }
    }

    fn total(&mut self, currency: &str, purse: &Purse) {
        let total = self.totals.entry(currency.to_owned()).or_default();
        total.funded = total.funded.saturating_add(purse.funded);
        total.available = total.available.saturating_add(purse.available);
        total.pending = total.pending.saturating_add(purse.pending);
        total.in_transit = total.in_transit.saturating_add(purse.in_transit);
        total.paid_out = total.paid_out.saturating_add(purse.paid_out);
    }
}
