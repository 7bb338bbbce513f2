//! Disputes and their life: an inquiry or a dispute at once, answered or not, won or lost. Moved by endpoints, by tests
//! through `/_twin/disputes` and by the scripted life. Invariant: `next` is the one place that says what may follow what,
//! and only a real dispute (no inquiry) takes money, always the platform's.

use serde_json::Value;

use crate::clock::Now;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::txn::{Entry, TxnKind};
use crate::world::World;
use crate::{PLATFORM_ACCOUNT, shape, shape_market};

/// What a dispute costs the platform, won or lost, in minor units.
const FEE: i64 = 1500;
/// How long the platform has to answer.
const DUE_DAYS: i64 = 14;

/// Where a dispute stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisputeStatus {
    WarningNeedsResponse,
    WarningUnderReview,
    WarningClosed,
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
}

use DisputeStatus as S;

const WORDS: [(DisputeStatus, &str); 7] = [
    (S::WarningNeedsResponse, "warning_needs_response"),
    (S::WarningUnderReview, "warning_under_review"),
    (S::WarningClosed, "warning_closed"),
    (S::NeedsResponse, "needs_response"),
    (S::UnderReview, "under_review"),
    (S::Won, "won"),
    (S::Lost, "lost"),
];

impl DisputeStatus {
    pub(crate) fn word(self) -> &'static str {
        WORDS.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }

    /// Whether `to` may follow.
    pub(crate) fn next(self, to: Self) -> bool {
        match self {
            S::WarningNeedsResponse => matches!(to, S::WarningUnderReview | S::WarningClosed | S::NeedsResponse),
            S::WarningUnderReview => matches!(to, S::WarningClosed | S::NeedsResponse),
            S::NeedsResponse => matches!(to, S::UnderReview | S::Won | S::Lost),
            S::UnderReview => matches!(to, S::Won | S::Lost),
            S::WarningClosed | S::Won | S::Lost => false,
        }
    }

    pub(crate) fn is_inquiry(self) -> bool {
        matches!(self, S::WarningNeedsResponse | S::WarningUnderReview | S::WarningClosed)
    }

    fn is_closed(self) -> bool {
        matches!(self, S::WarningClosed | S::Won | S::Lost)
    }
}

/// A dispute as a customer's bank opens it.
#[derive(Debug, Clone)]
pub(crate) struct NewDispute {
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) is_inquiry: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) charge: usize,
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) reason: String,
    pub(crate) status: DisputeStatus,
    pub(crate) created: i64,
    pub(crate) due_by: i64,
    pub(crate) submissions: i64,
    /// Took the money, gave it back.
    pub(crate) txns: Vec<String>,
    pub(crate) metadata: crate::market::Metadata,
}

impl Dispute {
    /// Whether the money is gone from the platform.
    pub(crate) fn took_money(&self) -> bool {
        !self.status.is_inquiry() && self.status != S::Won
    }
}

impl World {
    /// A customer's bank opens a dispute or asks a question about a charge.
    pub(crate) fn open_dispute(&mut self, now: Now, charge: usize, new: &NewDispute) -> Result<usize, ApiError> {
        let Some(row) = self.market.charges.rows.get(charge) else {
            return Err(ApiError::no_such("charge", "", "charge", 404));
        };
        if row.dispute.is_some() || new.amount < 1 || new.amount > row.new.amount - row.refunded {
            return Err(ApiError::invalid("charge", "This charge can't be disputed for that much, or is already."));
        }
        let before = shape_market::charge(&self.market, charge, self.rules.livemode);
        let id = self.next_id("dp");
        let dispute = Dispute {
            id: id.clone(),
            charge,
            amount: new.amount,
            fee: FEE,
            reason: new.reason.clone(),
            status: if new.is_inquiry { S::WarningNeedsResponse } else { S::NeedsResponse },
            created: now.date_s(),
            due_by: now.date_s() + DUE_DAYS * 86_400,
            submissions: 0,
            txns: Vec::new(),
            metadata: crate::market::Metadata::new(),
        };
        let place = self.market.disputes.put(&id, dispute);
        self.market.charges.rows[charge].dispute = Some(place);
        let changed = self.withdraw(now, place)?;
        self.emit_dispute(now, place, "charge.dispute.created", None, Cause::default());
        if changed {
            self.emit_dispute(now, place, "charge.dispute.funds_withdrawn", None, Cause::default());
        }
        self.emit_charge(now, charge, "charge.updated", Some(&before), Cause::default());
        Ok(place)
    }

    /// Takes the disputed money and the fee from the platform, once, unless it is an inquiry.
    fn withdraw(&mut self, now: Now, place: usize) -> Result<bool, ApiError> {
        let dispute = self.market.disputes.rows[place].clone();
        if dispute.status.is_inquiry() || !dispute.txns.is_empty() {
            return Ok(false);
        }
        let currency = self.market.charges.rows[dispute.charge].new.currency.clone();
        let entry = Entry::new(PLATFORM_ACCOUNT, &currency, -dispute.amount, TxnKind::Dispute, &dispute.id);
        let txns = self.post(now, vec![entry.fee(dispute.fee)]).map_err(|_| ApiError::twin_full())?;
        self.market.disputes.rows[place].txns.extend(txns);
        Ok(true)
    }

    fn reinstate(&mut self, now: Now, place: usize) -> Result<(), ApiError> {
        let dispute = self.market.disputes.rows[place].clone();
        let currency = self.market.charges.rows[dispute.charge].new.currency.clone();
        let entry = Entry::new(PLATFORM_ACCOUNT, &currency, dispute.amount, TxnKind::DisputeReversal, &dispute.id);
        let txns = self.post(now, vec![entry]).map_err(|_| ApiError::twin_full())?;
        self.market.disputes.rows[place].txns.extend(txns);
        Ok(())
    }

    /// Moves a dispute on, with its money and its events.
    pub(crate) fn move_dispute(
        &mut self,
        now: Now,
        place: usize,
        to: DisputeStatus,
        cause: Cause<'_>,
    ) -> Result<(), ApiError> {
        let Some(dispute) = self.market.disputes.rows.get(place) else {
            return Err(ApiError::no_such("dispute", "", "dispute", 404));
        };
        if !dispute.status.next(to) {
            let text = format!("This dispute is {} and can't become {}.", dispute.status.word(), to.word());
            return Err(ApiError::invalid("status", &text));
        }
        let before = shape_market::dispute(&self.market, place, self.rules.livemode);
        if to == S::Won {
            self.reinstate(now, place)?;
        }
        self.market.disputes.rows[place].status = to;
        let withdrawn = self.withdraw(now, place)?;
        let kind = if to.is_closed() { "charge.dispute.closed" } else { "charge.dispute.updated" };
        self.emit_dispute(now, place, kind, Some(&before), cause);
        if withdrawn {
            self.emit_dispute(now, place, "charge.dispute.funds_withdrawn", None, cause);
        }
        if to == S::Won {
            self.emit_dispute(now, place, "charge.dispute.funds_reinstated", None, cause);
        }
        Ok(())
    }

    /// The platform answers: evidence, submitted or only staged.
    pub(crate) fn answer_dispute(
        &mut self,
        now: Now,
        id: &str,
        (submit, metadata): (bool, crate::market::Metadata),
        cause: Cause<'_>,
    ) -> Result<usize, ApiError> {
        let place = self.market.disputes.place(id).ok_or_else(|| ApiError::no_such("dispute", id, "dispute", 404))?;
        let dispute = &mut self.market.disputes.rows[place];
        dispute.metadata.extend(metadata);
        if submit {
            let to = if dispute.status.is_inquiry() { S::WarningUnderReview } else { S::UnderReview };
            if !dispute.status.next(to) {
                return Err(ApiError::invalid("evidence", "This dispute is already closed or under review."));
            }
            dispute.submissions += 1;
            self.move_dispute(now, place, to, cause)?;
        }
        Ok(place)
    }

    fn emit_dispute(&mut self, now: Now, place: usize, kind: &str, before: Option<&Value>, cause: Cause<'_>) {
        let object = shape_market::dispute_with(&self.market, place, self.rules.livemode, &self.dispute_txns(place));
        let changed = before.and_then(|before| shape::previous(before, &object));
        let changed = changed.map(|mut changed| {
            // Full balance transactions are in the object, not in what changed.
            if let Some(fields) = changed.as_object_mut() {
                fields.remove("balance_transactions");
            }
            changed
        });
        self.emit(now, kind, PLATFORM_ACCOUNT, (object, changed), cause);
    }

    /// The dispute's balance transactions, whole, as its object carries them.
    pub(crate) fn dispute_txns(&self, place: usize) -> Vec<Value> {
        let ids = self.market.disputes.rows.get(place).map(|dispute| dispute.txns.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| Some(shape_market::txn(self.txns.get(self.txn_place(id)?)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_dispute_never_moves_and_an_inquiry_takes_nothing() {
        for (status, word) in WORDS {
            assert_eq!(DisputeStatus::read(word), Some(status));
            for (to, _) in WORDS {
                assert!(!status.is_closed() || !status.next(to));
                assert!(!status.next(to) || status != to);
                assert!(!status.next(to) || status.is_inquiry() || !to.is_inquiry());
            }
        }
    }
}
