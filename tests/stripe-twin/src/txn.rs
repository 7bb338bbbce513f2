//! Balance transactions: the one way money moves. Entries of one act are all posted or none, each moves one purse and
//! leaves one transaction; what is still pending ripens by the Date. Called by whoever moves money. Invariant: a purse's
//! available and pending are the sums of its transactions, the ripe and the unripe ones.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Now;
use crate::purse::{Counter, Purse, Refused};
use crate::world::World;

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TxnKind {
    /// A test put it there or took it away.
    Opening,
    Charge,
    Refund,
    Transfer,
    TransferRefund,
    Payment,
    PaymentRefund,
    ApplicationFee,
    ApplicationFeeRefund,
    Dispute,
    DisputeReversal,
    Payout,
    PayoutFailure,
    PayoutCancel,
}

impl TxnKind {
    /// Stripe's words: the type and the reporting category.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Opening => ("adjustment", "other_adjustment"),
            Self::Charge => ("charge", "charge"),
            Self::Refund => ("refund", "refund"),
            Self::Transfer => ("transfer", "transfer"),
            Self::TransferRefund => ("transfer_refund", "transfer_reversal"),
            Self::Payment => ("payment", "charge"),
            Self::PaymentRefund => ("payment_refund", "refund"),
            Self::ApplicationFee => ("application_fee", "platform_earning"),
            Self::ApplicationFeeRefund => ("application_fee_refund", "platform_earning_refund"),
            Self::Dispute => ("adjustment", "dispute"),
            Self::DisputeReversal => ("adjustment", "dispute_reversal"),
            Self::Payout => ("payout", "payout"),
            Self::PayoutFailure => ("payout_failure", "payout_reversal"),
            Self::PayoutCancel => ("payout_cancel", "payout_reversal"),
        }
    }
}

/// When money becomes available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ripe {
    /// At once.
    Now,
    /// At this second of the Date.
    At(i64),
    /// When a test says so.
    Told,
    /// When the bank has paid the payout that brings it, expected at this second.
    Paid(i64),
}

/// Days that money waits which only a test lets mature, as `available_on` shows it.
const TOLD_DAYS: i64 = 365;

/// A movement that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) account: String,
    pub(crate) currency: String,
    /// Signed, before the fee.
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) kind: TxnKind,
    pub(crate) source: Option<String>,
    pub(crate) ripe: Ripe,
    pub(crate) counter: Counter,
    /// The currency the amount was converted from, and how much of it.
    pub(crate) converted: Option<(String, i64)>,
}

impl Entry {
    pub(crate) fn new(account: &str, currency: &str, amount: i64, kind: TxnKind, source: &str) -> Self {
        Self {
            account: account.to_owned(),
            currency: currency.to_owned(),
            amount,
            fee: 0,
            kind,
            source: Some(source.to_owned()).filter(|source| !source.is_empty()),
            ripe: Ripe::Now,
            counter: Counter::Funded,
            converted: None,
        }
    }

    pub(crate) fn fee(self, fee: i64) -> Self {
        Self { fee, ..self }
    }

    pub(crate) fn ripe(self, ripe: Ripe) -> Self {
        Self { ripe, ..self }
    }

    pub(crate) fn counter(self, counter: Counter) -> Self {
        Self { counter, ..self }
    }
}

/// A movement that was made.
#[derive(Debug, Clone)]
pub(crate) struct Txn {
    /// `txn_…`.
    pub(crate) id: String,
    pub(crate) entry: Entry,
    /// Seconds by the Date.
    pub(crate) created: i64,
    /// Seconds by the Date.
    pub(crate) available_on: i64,
    pub(crate) is_available: bool,
    /// The automatic payout that carried it off.
    pub(crate) payout: Option<String>,
}

impl Txn {
    pub(crate) fn net(&self) -> i64 {
        self.entry.amount.saturating_sub(self.entry.fee)
    }
}

impl World {
    /// Posts all entries, or none; their ids, in order.
    pub(crate) fn post(&mut self, now: Now, entries: Vec<Entry>) -> Result<Vec<String>, Refused> {
        let date_s = now.date_s();
        let mut staged: HashMap<(&str, &str), Purse> = HashMap::new();
        for entry in &entries {
            let account = self.accounts.get(&entry.account).ok_or(Refused)?;
            let at = (entry.account.as_str(), entry.currency.as_str());
            let purse =
                staged.entry(at).or_insert_with(|| account.purses.get(&entry.currency).copied().unwrap_or_default());
            let net = entry.amount.checked_sub(entry.fee).ok_or(Refused)?;
            purse.enter(net, is_ripe(entry.ripe, date_s), entry.counter)?;
        }
        for ((id, currency), purse) in staged {
            if let Some(account) = self.accounts.get_mut(id) {
                account.purses.insert(currency.to_owned(), purse);
            }
        }
        Ok(entries.into_iter().map(|entry| self.write_down(entry, date_s)).collect())
    }

    fn write_down(&mut self, entry: Entry, date_s: i64) -> String {
        let id = self.next_id("txn");
        let place = self.txns.len();
        let is_available = is_ripe(entry.ripe, date_s);
        let available_on = match entry.ripe {
            Ripe::Now => date_s,
            Ripe::At(at_s) | Ripe::Paid(at_s) => at_s.max(date_s),
            Ripe::Told => date_s + TOLD_DAYS * 86_400,
        };
        if let (Ripe::At(at_s), false) = (entry.ripe, is_available) {
            self.ripening.insert((at_s, place));
        }
        if let Some(account) = self.accounts.get_mut(&entry.account) {
            account.txns.push(place);
        }
        self.txn_places.insert(id.clone(), place);
        self.txns.push(Txn { id: id.clone(), entry, created: date_s, available_on, is_available, payout: None });
        id
    }

    /// Lets ripen what is due by this second; everything is booked at its own second.
    pub(crate) fn ripen(&mut self, date_s: i64) {
        while let Some((at_s, place)) = self.ripening.first().copied() {
            if at_s > date_s {
                return;
            }
            self.ripening.pop_first();
            self.make_available(place, at_s);
        }
    }

    /// Moves one transaction's money from pending to available.
    pub(crate) fn make_available(&mut self, place: usize, at_s: i64) {
        let Some(txn) = self.txns.get_mut(place).filter(|txn| !txn.is_available) else {
            return;
        };
        let net = txn.net();
        let account = self.accounts.get_mut(&txn.entry.account);
        let purse = account.and_then(|account| account.purses.get_mut(&txn.entry.currency));
        if purse.is_some_and(|purse| purse.mature(net).is_ok()) {
            txn.is_available = true;
            txn.available_on = at_s;
        }
    }

    /// Lets all of an account's pending money mature, whatever it waits for (but for payouts of the bank).
    pub(crate) fn mature_all(&mut self, now: Now, id: &str) {
        let places = self.accounts.get(id).map(|account| account.txns.clone()).unwrap_or_default();
        for place in places {
            let Some(txn) = self.txns.get(place) else {
                continue;
            };
            if let Ripe::At(at_s) = txn.entry.ripe {
                self.ripening.remove(&(at_s, place));
            }
            if !matches!(txn.entry.ripe, Ripe::Paid(_)) {
                self.make_available(place, now.date_s());
            }
        }
    }

    /// The transaction that a payout's money came or went with.
    pub(crate) fn txn_place(&self, id: &str) -> Option<usize> {
        self.txn_places.get(id).copied()
    }

    /// Sums per account and currency: ripe, unripe.
    pub(crate) fn sums_by_txns(&self) -> BTreeMap<(&str, &str), (i128, i128)> {
        let mut sums: BTreeMap<(&str, &str), (i128, i128)> = BTreeMap::new();
        for txn in &self.txns {
            let sum = sums.entry((&txn.entry.account, &txn.entry.currency)).or_default();
            if txn.is_available {
                sum.0 += i128::from(txn.net());
            } else {
                sum.1 += i128::from(txn.net());
            }
        }
        sums
    }
}

fn is_ripe(ripe: Ripe, date_s: i64) -> bool {
    match ripe {
        Ripe::Now => true,
        Ripe::At(at_s) => at_s <= date_s,
        Ripe::Told | Ripe::Paid(_) => false,
    }
}
