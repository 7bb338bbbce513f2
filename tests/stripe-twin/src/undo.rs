//! Payouts that are taken back: canceled while pending, or reversed once paid, by a debit that the bank may refuse.
//! Called by endpoints. Invariant: a payout is canceled or reversed at most once, and a reversal's money can be paid out
//! again only when the bank has paid it.

use serde_json::Value;

use crate::clock::Now;
use crate::create::Origin;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::faults::Fault;
use crate::market::Metadata;
use crate::payout::{Payout, Status};
use crate::purse::Counter;
use crate::shape;
use crate::stats::Stats;
use crate::txn::{Entry, Ripe, TxnKind};
use crate::world::World;

/// A payout can be reversed for so long after its expected arrival.
const REVERSIBLE_DAYS: i64 = 90;

impl World {
    fn own_payout(&self, account: &str, id: &str) -> Result<usize, ApiError> {
        let place = self.payout_places.get(id).copied();
        let place = place.filter(|place| self.payouts.get(*place).is_some_and(|payout| payout.account == account));
        place.ok_or_else(|| ApiError::no_such("payout", id, "payout", 404))
    }

    /// Changes a payout's metadata; an empty value takes a key away.
    pub(crate) fn update_payout(
        &mut self,
        now: Now,
        account: &str,
        (id, metadata): (&str, &Metadata),
        cause: Cause<'_>,
    ) -> Result<Value, ApiError> {
        let place = self.own_payout(account, id)?;
        let before = self.payout_value(place);
        for (key, value) in metadata {
            if value.is_empty() {
                self.payouts[place].metadata.remove(key);
            } else {
                self.payouts[place].metadata.insert(key.clone(), value.clone());
            }
        }
        let after = self.payout_value(place);
        if shape::previous(&before, &after).is_some() {
            self.emit_payout(now, place, "payout.updated", Some(&before), cause);
        }
        Ok(after)
    }

    /// Cancels a pending payout; its money returns at once.
    pub(crate) fn cancel_payout(
        &mut self,
        now: Now,
        account: &str,
        id: &str,
        cause: Cause<'_>,
    ) -> Result<Value, ApiError> {
        let place = self.own_payout(account, id)?;
        let payout = &self.payouts[place];
        if payout.automatic || payout.amount < 0 {
            return Err(ApiError::not_cancelable("Automatic payouts and debits can't be canceled."));
        }
        if payout.status != Status::Pending {
            let text = format!(
                "Payouts can only be canceled while they are pending; this payout is {}.",
                payout.status.word().replace('_', " ")
            );
            return Err(ApiError::not_cancelable(&text));
        }
        self.void_pending(now, place, cause)?;
        Ok(self.payout_value(place))
    }

    /// Gives a pending payout's money back, or takes back what a pending debit announced.
    fn void_pending(&mut self, now: Now, place: usize, cause: Cause<'_>) -> Result<(), ApiError> {
        let txn = self.give_back(now, place, TxnKind::PayoutCancel).ok_or_else(ApiError::twin_full)?;
        let payout = &mut self.payouts[place];
        payout.status = Status::Canceled;
        payout.failure_balance_transaction = Some(txn);
        self.emit_payout(now, place, "payout.canceled", None, cause);
        Ok(())
    }

    /// Undoes a payout's balance transaction: what it took returns, what a debit brought goes.
    pub(crate) fn give_back(&mut self, now: Now, place: usize, kind: TxnKind) -> Option<String> {
        let payout = self.payouts[place].clone();
        if payout.amount < 0 {
            self.ripen_debit(now, &payout);
        }
        let entry = Entry::new(&payout.account, &payout.currency, payout.amount, kind, &payout.id);
        let counter = if payout.status == Status::Paid { Counter::PaidOut } else { Counter::InTransit };
        self.post(now, vec![entry.counter(counter)]).ok()?.pop()
    }

    /// What a debit brings becomes available.
    pub(crate) fn ripen_debit(&mut self, now: Now, debit: &Payout) {
        if let Some(txn) = self.txn_place(&debit.balance_transaction) {
            self.make_available(txn, now.date_s());
        }
    }

    /// Reverses a paid payout by a new one of the negative amount.
    pub(crate) fn reverse_payout(
        &mut self,
        now: Now,
        account: &str,
        (id, metadata): (&str, &Metadata),
        origin: Origin<'_>,
    ) -> Result<Value, ApiError> {
        let place = self.own_payout(account, id)?;
        self.reversible(now, place)?;
        let original = self.payouts[place].clone();
        let name = origin.key.unwrap_or(&original.id);
        if self.faults.on_name(Fault::ReversalRefused, name).is_some() {
            Stats::count(&mut self.stats.faults, Fault::ReversalRefused.name());
            return Err(ApiError::not_reversible("The bank account doesn't accept this debit."));
        }
        let amount = (-original.amount, original.currency.as_str());
        let blank = self.blank_payout(now, account, amount, &original.destination, origin);
        let reversal = Payout { metadata: metadata.clone(), original_payout: Some(original.id.clone()), ..blank };
        let before = self.payout_value(place);
        self.payouts[place].reversed_by = Some(reversal.id.clone());
        let request_id = Some(origin.request_id).filter(|id| !id.is_empty());
        let cause = Cause { request_id, idempotency_key: origin.key };
        self.emit_payout(now, place, "payout.updated", Some(&before), cause);
        let made = self.make_debit(now, reversal)?;
        self.stats.reversals += 1;
        Ok(self.payout_value(made))
    }

    /// A payout of a negative amount: its money is pending until the bank has paid it.
    pub(crate) fn make_debit(&mut self, now: Now, debit: Payout) -> Result<usize, ApiError> {
        let brings = debit.amount.checked_neg().ok_or_else(ApiError::twin_full)?;
        let entry = Entry::new(&debit.account, &debit.currency, brings, TxnKind::Payout, &debit.id);
        let entry = entry.ripe(Ripe::Paid(debit.arrival_date)).counter(Counter::InTransit);
        self.make_payout(now, debit, entry)
    }

    fn reversible(&self, now: Now, place: usize) -> Result<(), ApiError> {
        let payout = &self.payouts[place];
        let refuse = |text: &str| Err(ApiError::not_reversible(text));
        let account = self.accounts.get(&payout.account);
        let bank = account.and_then(|account| account.bank(&payout.destination));
        let country = account.zip(bank).map(|(account, bank)| shape::bank_country(account, &bank.currency));
        if payout.account == crate::PLATFORM_ACCOUNT {
            return refuse("Only payouts of connected accounts can be reversed.");
        }
        if payout.amount < 0 {
            return refuse("Debits can't be reversed.");
        }
        let reversal = payout.reversed_by.as_ref().and_then(|id| self.payout_places.get(id));
        let reversal = reversal.map(|place| self.payouts[*place].status);
        if reversal.is_some_and(|status| !matches!(status, Status::Failed | Status::Canceled)) {
            return refuse("This payout has already been reversed.");
        }
        if payout.status != Status::Paid {
            let text = format!(
                "Only paid payouts can be reversed; this payout is {}.",
                payout.status.word().replace('_', " ")
            );
            return refuse(&text);
        }
        let Some(country) = country else {
            return refuse("The bank account of this payout has been removed.");
        };
        if !matches!(country.as_str(), "US" | "CA") {
            return refuse("Payouts can only be reversed from bank accounts in the US and Canada.");
        }
        if now.date_s() >= payout.arrival_date + REVERSIBLE_DAYS * 86_400 {
            return refuse("Payouts can only be reversed within 90 days of their expected arrival.");
        }
        Ok(())
    }

    /// The original failed while its reversal was pending: the reversal goes, too.
    pub(crate) fn cancel_reversal_of(&mut self, now: Now, original: usize) {
        let reversal = self.payouts[original].reversed_by.as_ref().and_then(|id| self.payout_places.get(id).copied());
        let Some(place) = reversal.filter(|place| self.payouts[*place].status == Status::Pending) else {
            return;
        };
        // Its money was never here, so there is nothing that could go wrong in taking it back.
        let _ = self.void_pending(now, place, Cause::default());
    }
}
