//! What moved the money of connected accounts, each movement named by the object that a marketplace knows it by: a charge, a
//! transfer's reversal, a fee's refund, a payout. For those who hold their own books against ours.
//! Called by `control`. Invariant: the amounts of a purse's moves add up to its available and pending money.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::twin::Twin;
use crate::txn::{Txn, TxnKind};
use crate::world::World;

/// One movement on a connected account.
#[derive(Debug, Serialize)]
struct Move<'a> {
    what: &'static str,
    /// The object it is known by.
    id: &'a str,
    /// The charge it belongs to.
    charge: Option<&'a str>,
    account: &'a str,
    currency: &'a str,
    /// Signed, minor units, after the fee.
    amount: i64,
    fee: i64,
    /// It was another currency before.
    converted: bool,
    created: i64,
    available_on: i64,
}

#[derive(Debug, Serialize)]
struct DisputeRow<'a> {
    id: &'a str,
    charge: &'a str,
    account: Option<&'a str>,
    amount: i64,
    currency: &'a str,
    status: &'static str,
    /// It took money from the platform, now or once.
    took_money: bool,
}

impl Twin {
    /// `GET /_twin/moves?from=N`: the movements from the N-th transaction on, and where the next question goes on.
    pub(crate) fn moves(&self, query: Option<&str>) -> Value {
        self.advance();
        let from = query.and_then(|query| query.strip_prefix("from=")).and_then(|from| from.parse().ok()).unwrap_or(0);
        let world = self.world();
        let back: HashMap<&str, usize> =
            (0..).zip(&world.market.reversals.rows).map(|(place, row)| (row.payment_refund.as_str(), place)).collect();
        let rows: Vec<Move<'_>> = world.txns.iter().skip(from).filter_map(|txn| world.one_move(txn, &back)).collect();
        json!({ "next": world.txns.len(), "rows": rows })
    }

    /// `GET /_twin/disputes`
    pub(crate) fn disputes(&self) -> Value {
        self.advance();
        let world = self.world();
        let market = &world.market;
        let row = |dispute: &crate::dispute::Dispute| -> Option<Value> {
            let charge = market.charges.rows.get(dispute.charge)?;
            let row = DisputeRow {
                id: &dispute.id,
                charge: &charge.id,
                account: charge.new.destination.as_deref(),
                amount: dispute.amount,
                currency: &charge.new.currency,
                status: dispute.status.word(),
                took_money: !dispute.txns.is_empty(),
            };
            Some(json!(row))
        };
        market.disputes.rows.iter().filter_map(row).collect()
    }
}

impl World {
    fn one_move<'a>(&'a self, txn: &'a Txn, back: &HashMap<&str, usize>) -> Option<Move<'a>> {
        let entry = &txn.entry;
        if entry.account == crate::PLATFORM_ACCOUNT {
            return None;
        }
        let source = entry.source.as_deref().unwrap_or_default();
        let charge = |transfer: usize| -> Option<&str> {
            let place = self.market.transfers.rows.get(transfer)?.charge?;
            Some(self.market.charges.rows.get(place)?.id.as_str())
        };
        let (what, id, charge) = match entry.kind {
            TxnKind::Payment => match self.market.payments.get(source) {
                Some(transfer) => match charge(*transfer) {
                    Some(charge) => ("sale", charge, Some(charge)),
                    None => ("transfer", self.market.transfers.rows[*transfer].id.as_str(), None),
                },
                None => ("other", source, None),
            },
            TxnKind::PaymentRefund => match back.get(source).map(|place| &self.market.reversals.rows[*place]) {
                Some(row) => ("reversal", row.id.as_str(), charge(row.transfer)),
                None => ("other", source, None),
            },
            TxnKind::ApplicationFeeRefund => {
                let fee = self.market.fee_refunds.find(source).and_then(|row| self.market.fees.rows.get(row.fee));
                ("fee_refund", source, fee.and_then(|fee| charge(fee.transfer)))
            }
            TxnKind::Payout => ("payout", source, None),
            TxnKind::PayoutFailure | TxnKind::PayoutCancel => ("payout_back", source, None),
            TxnKind::Opening
            | TxnKind::Charge
            | TxnKind::Refund
            | TxnKind::Transfer
            | TxnKind::TransferRefund
            | TxnKind::ApplicationFee
            | TxnKind::Dispute
            | TxnKind::DisputeReversal => ("other", source, None),
        };
        Some(Move {
            what,
            id,
            charge,
            account: &entry.account,
            currency: &entry.currency,
            amount: txn.net(),
            fee: entry.fee,
            converted: entry.converted.is_some(),
            created: txn.created,
            available_on: txn.available_on,
        })
    }
}
