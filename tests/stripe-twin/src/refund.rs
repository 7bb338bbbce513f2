//! Money that goes back: refunds of charges, reversals of transfers, refunds of the platform's fees.
//! Called by endpoints and by the scripted life. Invariant: nothing goes back that hasn't come, and what goes back before
//! its sale has ripened ripens with it.

use crate::clock::Now;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::market::{FeeRefund, Metadata, Refund, Reversal, share};
use crate::txn::{Entry, Ripe, TxnKind};
use crate::world::World;
use crate::{PLATFORM_ACCOUNT, shape_market};

/// A refund as asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewRefund {
    /// `ch_…`, or `pi_…`.
    pub(crate) of: String,
    pub(crate) amount: Option<i64>,
    pub(crate) reverse_transfer: bool,
    pub(crate) refund_fee: bool,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: Metadata,
}

/// A reversal of a transfer as asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewReversal {
    pub(crate) amount: Option<i64>,
    pub(crate) refund_fee: bool,
    pub(crate) metadata: Metadata,
}

/// A refund of a fee that is about to be posted.
struct FeeBack {
    fee: usize,
    amount: i64,
    dest_amount: i64,
}

/// A reversal that is about to be posted.
struct Back {
    transfer: usize,
    amount: i64,
    dest_amount: i64,
}

impl World {
    /// Refunds a charge; its place among the refunds.
    pub(crate) fn refund(&mut self, now: Now, new: &NewRefund, cause: Cause<'_>) -> Result<usize, ApiError> {
        let by_intent = self.market.intents.find(&new.of).and_then(|intent| intent.charge.clone());
        let charge_id = by_intent.unwrap_or_else(|| new.of.clone());
        let Some(place) = self.market.charges.place(&charge_id) else {
            return Err(ApiError::no_such("charge", &new.of, "charge", 404));
        };
        let charge = self.market.charges.rows[place].clone();
        self.refundable(place)?;
        let left = charge.new.amount - charge.refunded;
        let amount = new.amount.unwrap_or(left);
        if left == 0 {
            return Err(ApiError::already_refunded(&charge_id));
        }
        if amount > left {
            return Err(ApiError::refund_too_large(amount, left, &charge.new.currency));
        }
        if new.reverse_transfer && charge.transfer.is_none() {
            let text = "Cannot reverse transfer on charge that does not have an associated transfer.";
            return Err(ApiError::invalid("reverse_transfer", text));
        }
        let closes = amount == left;
        let ripe = ripe_with(now, charge.ripe_s);
        let refund_id = self.next_id("re");
        let back = charge.transfer.filter(|_| new.reverse_transfer);
        let back = back.map(|transfer| self.proportional(transfer, amount, charge.new.amount, closes));
        let fee_back = charge.fee.filter(|_| new.refund_fee);
        let fee_back = fee_back.map(|fee| self.proportional_fee(fee, amount, charge.new.amount, closes));
        let leaving = Entry::new(PLATFORM_ACCOUNT, &charge.new.currency, -amount, TxnKind::Refund, &refund_id);
        let before = shape_market::charge(&self.market, place, self.rules.livemode);
        let posted = self.post_back(now, vec![leaving.ripe(ripe)], (back, fee_back), Some(&refund_id), Metadata::new());
        let (txn, reversal, fee) = posted.map_err(|_| ApiError::twin_full())?;
        let refund = Refund {
            id: refund_id.clone(),
            charge: place,
            amount,
            created: now.date_s(),
            txn,
            reversal: reversal.map(|at| self.market.reversals.rows[at].id.clone()),
            reason: new.reason.clone(),
            metadata: new.metadata.clone(),
        };
        let refund_place = self.market.refunds.put(&refund_id, refund);
        let charge = &mut self.market.charges.rows[place];
        charge.refunded += amount;
        charge.refunds.push(refund_place);
        let object = shape_market::refund(&self.market, refund_place);
        self.emit(now, "refund.created", PLATFORM_ACCOUNT, (object, None), cause);
        self.emit_charge(now, place, "charge.refunded", Some(&before), cause);
        self.tell_of_back(now, reversal, fee, cause);
        Ok(refund_place)
    }

    /// A charge with a dispute that took the money can't be refunded, too.
    fn refundable(&self, charge: usize) -> Result<(), ApiError> {
        let dispute = self.market.charges.rows[charge].dispute.and_then(|place| self.market.disputes.rows.get(place));
        match dispute {
            Some(dispute) if dispute.took_money() => Err(ApiError::charge_disputed()),
            _ => Ok(()),
        }
    }

    /// Takes a transfer back, or a part of it.
    pub(crate) fn reverse_transfer(
        &mut self,
        now: Now,
        id: &str,
        new: &NewReversal,
        cause: Cause<'_>,
    ) -> Result<usize, ApiError> {
        let Some(place) = self.market.transfers.place(id) else {
            return Err(ApiError::no_such("transfer", id, "id", 404));
        };
        let transfer = &self.market.transfers.rows[place];
        let left = transfer.amount - transfer.reversed;
        let amount = new.amount.unwrap_or(left);
        if left == 0 || amount > left {
            return Err(ApiError::reversal_too_large(amount, left));
        }
        let (whole, closes) = (transfer.amount, amount == left);
        let back = self.proportional(place, amount, whole, closes);
        let fee = self.market.fees.rows.iter().position(|fee| fee.transfer == place).filter(|_| new.refund_fee);
        let fee_back = fee.map(|fee| self.proportional_fee(fee, amount, whole, closes));
        let posted = self.post_back(now, Vec::new(), (Some(back), fee_back), None, new.metadata.clone());
        let (_, reversal, fee) = posted.map_err(|_| ApiError::twin_full())?;
        self.tell_of_back(now, reversal, fee, cause);
        reversal.ok_or_else(ApiError::twin_full)
    }

    /// Gives a part of the platform's fee back to the account it was taken from.
    pub(crate) fn refund_fee(
        &mut self,
        now: Now,
        id: &str,
        (amount, metadata): (Option<i64>, Metadata),
        cause: Cause<'_>,
    ) -> Result<usize, ApiError> {
        let Some(place) = self.market.fees.place(id) else {
            return Err(ApiError::no_such("application fee", id, "fee", 404));
        };
        let fee = &self.market.fees.rows[place];
        let left = fee.amount - fee.refunded;
        let amount = amount.unwrap_or(left);
        if left == 0 || amount > left {
            return Err(ApiError::fee_refund_too_large(amount, left));
        }
        let (whole, closes) = (fee.amount, amount == left);
        let mut back = self.proportional_fee(place, amount, whole, closes);
        back.amount = amount;
        let posted = self.post_back(now, Vec::new(), (None, Some(back)), None, metadata);
        let (_, _, refund) = posted.map_err(|_| ApiError::twin_full())?;
        self.tell_of_back(now, None, refund, cause);
        refund.ok_or_else(ApiError::twin_full)
    }

    /// What of a transfer goes back with `part` of `whole`; the last part takes all that is left.
    fn proportional(&self, transfer: usize, part: i64, whole: i64, closes: bool) -> Back {
        let row = &self.market.transfers.rows[transfer];
        let (left, dest_left) = (row.amount - row.reversed, row.dest_amount - row.dest_reversed);
        let amount = if closes { left } else { share(row.amount, part, whole).min(left) };
        let dest_amount =
            if amount == left { dest_left } else { share(row.dest_amount, amount, row.amount).min(dest_left) };
        Back { transfer, amount, dest_amount }
    }

    fn proportional_fee(&self, fee: usize, part: i64, whole: i64, closes: bool) -> FeeBack {
        let row = &self.market.fees.rows[fee];
        let dest_fee = self.market.transfers.rows[row.transfer].dest_fee;
        let (left, dest_left) = (row.amount - row.refunded, dest_fee - row.dest_refunded);
        let amount = if closes { left } else { share(row.amount, part, whole).min(left) };
        let dest_amount = if amount == left { dest_left } else { share(dest_fee, amount, row.amount).min(dest_left) };
        FeeBack { fee, amount, dest_amount }
    }

    /// Posts all legs at once, and shelves what they leave: the first entry's transaction, the reversal, the fee's refund.
    fn post_back(
        &mut self,
        now: Now,
        mut entries: Vec<Entry>,
        (back, fee_back): (Option<Back>, Option<FeeBack>),
        refund: Option<&str>,
        metadata: Metadata,
    ) -> Result<(String, Option<usize>, Option<usize>), crate::purse::Refused> {
        let own = entries.len();
        let back = back.filter(|back| back.amount > 0);
        let fee_back = fee_back.filter(|back| back.amount > 0);
        let ids = (self.next_id("trr"), self.next_id("pyr"), self.next_id("fr"));
        if let Some(back) = &back {
            entries.extend(self.reversal_entries(now, back, (&ids.0, &ids.1)));
        }
        if let Some(back) = &fee_back {
            entries.extend(self.fee_refund_entries(now, back, &ids.2));
        }
        let mut txns = self.post(now, entries)?.into_iter();
        let first = if own > 0 { txns.next().unwrap_or_default() } else { String::new() };
        let created = now.date_s();
        let reversal = back.map(|back| {
            let (txn, _) = (txns.next().unwrap_or_default(), txns.next());
            let transfer = &mut self.market.transfers.rows[back.transfer];
            transfer.reversed += back.amount;
            transfer.dest_reversed += back.dest_amount;
            transfer.reversals.push(self.market.reversals.rows.len());
            let (id, payment_refund) = (ids.0, ids.1);
            let refund = refund.map(str::to_owned);
            let metadata = metadata.clone();
            let (transfer, amount) = (back.transfer, back.amount);
            let row = Reversal { id: id.clone(), payment_refund, transfer, amount, created, refund, txn, metadata };
            self.market.reversals.put(&id, row)
        });
        let fee_refund = fee_back.map(|back| {
            let (txn, _) = (txns.next().unwrap_or_default(), txns.next());
            let fee = &mut self.market.fees.rows[back.fee];
            fee.refunded += back.amount;
            fee.dest_refunded += back.dest_amount;
            fee.refunds.push(self.market.fee_refunds.rows.len());
            let row = FeeRefund { id: ids.2.clone(), fee: back.fee, amount: back.amount, created, txn, metadata };
            self.market.fee_refunds.put(&ids.2, row)
        });
        Ok((first, reversal, fee_refund))
    }

    fn reversal_entries(&self, now: Now, back: &Back, (reversal, payment_refund): (&str, &str)) -> [Entry; 2] {
        let row = &self.market.transfers.rows[back.transfer];
        let ripe_s = row.charge.map_or(0, |charge| self.market.charges.rows[charge].ripe_s);
        let arriving = Entry::new(PLATFORM_ACCOUNT, &row.currency, back.amount, TxnKind::TransferRefund, reversal);
        let (currency, amount) = (&row.dest_currency, -back.dest_amount);
        let leaving = Entry::new(&row.destination, currency, amount, TxnKind::PaymentRefund, payment_refund);
        let converted = (row.currency != *currency).then(|| (row.currency.clone(), -back.amount));
        [arriving.ripe(ripe_with(now, ripe_s)), Entry { converted, ..leaving.ripe(ripe_with(now, row.dest_ripe_s)) }]
    }

    fn fee_refund_entries(&self, now: Now, back: &FeeBack, id: &str) -> [Entry; 2] {
        let fee = &self.market.fees.rows[back.fee];
        let (charge, transfer) = (&self.market.charges.rows[fee.charge], &self.market.transfers.rows[fee.transfer]);
        let kind = TxnKind::ApplicationFeeRefund;
        let leaving = Entry::new(PLATFORM_ACCOUNT, &charge.new.currency, -back.amount, kind, id);
        let arriving = Entry::new(&transfer.destination, &transfer.dest_currency, back.dest_amount, kind, id);
        let converted =
            (charge.new.currency != transfer.dest_currency).then(|| (charge.new.currency.clone(), back.amount));
        [
            leaving.ripe(ripe_with(now, charge.ripe_s)),
            Entry { converted, ..arriving.ripe(ripe_with(now, transfer.dest_ripe_s)) },
        ]
    }

    fn tell_of_back(&mut self, now: Now, reversal: Option<usize>, fee_refund: Option<usize>, cause: Cause<'_>) {
        let livemode = self.rules.livemode;
        if let Some(place) = reversal {
            let transfer = self.market.reversals.rows[place].transfer;
            let object = shape_market::transfer(&self.market, transfer, livemode);
            self.emit(now, "transfer.reversed", PLATFORM_ACCOUNT, (object, None), cause);
        }
        if let Some(place) = fee_refund {
            let fee = self.market.fee_refunds.rows[place].fee;
            let object = shape_market::fee(&self.market, fee, livemode);
            self.emit(now, "application_fee.refunded", PLATFORM_ACCOUNT, (object, None), cause);
        }
    }
}

/// Money that goes back before its sale has ripened ripens with it.
fn ripe_with(now: Now, sale_ripe_s: i64) -> Ripe {
    if sale_ripe_s > now.date_s() { Ripe::At(sale_ripe_s) } else { Ripe::Now }
}
