//! Sales: a payment intent that succeeds leaves a charge, and with a destination a transfer, a payment on the connected
//! account and the platform's fee. Called by endpoints and by the scripted life. Invariant: all legs of a sale are posted
//! together, and what the customer paid is exactly what platform, account and Stripe got.

use crate::clock::Now;
use crate::currency::convert;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::market::{Charge, Fee, Intent, IntentStatus, Metadata, NewIntent, Transfer};
use crate::txn::{Entry, Ripe, TxnKind};
use crate::world::World;
use crate::{PLATFORM_ACCOUNT, shape_market};

/// A payment method with which every charge is declined.
const DECLINED: &str = "pm_card_chargeDeclined";
/// A payment method whose money is available at once.
const BYPASSES_PENDING: &str = "pm_card_bypassPending";
/// A payment method whose charge is disputed at once.
const DISPUTED: &str = "pm_card_createDispute";

/// A transfer from the platform's own balance as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewTransfer {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) destination: String,
    pub(crate) description: Option<String>,
    pub(crate) transfer_group: Option<String>,
    pub(crate) metadata: Metadata,
}

/// The names of what a sale leaves.
struct SaleIds {
    charge: String,
    transfer: String,
    payment: String,
    fee: String,
}

/// What a transfer brings to its destination.
struct Arrival {
    currency: String,
    amount: i64,
    fee: i64,
    ripe: Ripe,
    ripe_s: i64,
}

/// The second at which money earned now becomes available: the start of a day, UTC.
fn ripe_s(now: Now, delay_days: u32) -> i64 {
    (now.date_s().div_euclid(86_400) + i64::from(delay_days)) * 86_400
}

impl World {
    /// A new intent, confirmed at once when asked so; its place.
    pub(crate) fn create_intent(&mut self, now: Now, new: NewIntent, cause: Cause<'_>) -> Result<usize, ApiError> {
        if let Some(destination) = &new.destination {
            self.can_receive(destination)?;
        }
        let id = self.next_id("pi");
        let status = if new.payment_method.is_some() {
            IntentStatus::RequiresConfirmation
        } else {
            IntentStatus::RequiresPaymentMethod
        };
        let confirm = new.confirm;
        let intent = Intent { id: id.clone(), new, status, created: now.date_s(), charge: None };
        let place = self.market.intents.put(&id, intent);
        self.emit_intent(now, place, "payment_intent.created", cause);
        if confirm {
            self.confirm_intent(now, place, None, cause)?;
        }
        Ok(place)
    }

    /// Charges an intent.
    pub(crate) fn confirm_intent(
        &mut self,
        now: Now,
        place: usize,
        payment_method: Option<String>,
        cause: Cause<'_>,
    ) -> Result<(), ApiError> {
        let intent = &mut self.market.intents.rows[place];
        if intent.status == IntentStatus::Succeeded {
            return Err(ApiError::intent_state(intent.status.word()));
        }
        if payment_method.is_some() {
            intent.new.payment_method = payment_method;
        }
        let Some(method) = intent.new.payment_method.clone() else {
            return Err(ApiError::no_payment_method());
        };
        if method == DECLINED {
            intent.status = IntentStatus::RequiresPaymentMethod;
            self.emit_intent(now, place, "payment_intent.payment_failed", cause);
            return Err(ApiError::card_declined());
        }
        let charge = self.sell(now, place, method == BYPASSES_PENDING, cause)?;
        if method.starts_with(DISPUTED) {
            let amount = self.market.charges.rows[charge].new.amount;
            let asked = crate::dispute::NewDispute {
                amount,
                reason: "fraudulent".to_owned(),
                is_inquiry: method.ends_with("Inquiry"),
            };
            self.open_dispute(now, charge, &asked)?;
        }
        Ok(())
    }

    /// Whether a connected account may receive transfers.
    fn can_receive(&self, destination: &str) -> Result<(), ApiError> {
        let account = self.accounts.get(destination).filter(|_| destination != PLATFORM_ACCOUNT);
        let account = account.filter(|account| !account.more.is_deauthorized);
        let account =
            account.ok_or_else(|| ApiError::no_such("destination", destination, "transfer_data[destination]", 400))?;
        let active = account.more.capabilities.get("transfers").is_none_or(|state| state == "active");
        if active { Ok(()) } else { Err(ApiError::no_transfers_capability()) }
    }

    fn sell(&mut self, now: Now, intent: usize, at_once: bool, cause: Cause<'_>) -> Result<usize, ApiError> {
        let Intent { id: intent_id, new, .. } = self.market.intents.rows[intent].clone();
        let delay = self.accounts.get(PLATFORM_ACCOUNT).map_or(2, |platform| platform.spec.delay_days);
        let (ripe, ripe_at) = ripeness(now, delay, at_once);
        let stripe_fee = crate::market::share(new.amount, 29, 1000).saturating_add(30).min(new.amount);
        let ids = SaleIds {
            charge: self.next_id("ch"),
            transfer: self.next_id("tr"),
            payment: self.next_id("py"),
            fee: self.next_id("fee"),
        };
        let place = self.market.charges.rows.len();
        let paid = Entry::new(PLATFORM_ACCOUNT, &new.currency, new.amount, TxnKind::Charge, &ids.charge);
        let mut entries = vec![paid.fee(stripe_fee).ripe(ripe)];
        let mut arriving = None;
        if let Some(destination) = &new.destination {
            self.can_receive(destination)?;
            let moved = new.transfer_amount.unwrap_or(new.amount);
            let fee = new.fee.unwrap_or_default();
            let arrival = self.arrival(now, destination, (moved, &new.currency), fee, at_once);
            entries.extend(destination_entries(&new, &ids, &arrival, ripe));
            arriving = Some(arrival);
        }
        let mut txns = self.post(now, entries).map_err(|_| ApiError::twin_full())?.into_iter();
        let mut charge = Charge {
            id: ids.charge.clone(),
            intent: intent_id,
            new,
            created: now.date_s(),
            stripe_fee,
            ripe_s: ripe_at,
            txn: txns.next().unwrap_or_default(),
            transfer: None,
            fee: None,
            refunded: 0,
            refunds: Vec::new(),
            dispute: None,
        };
        if let Some(arrival) = arriving {
            self.shelve_parts(now, (place, &mut charge), ids, arrival, txns.collect());
        }
        let charge_id = charge.id.clone();
        self.market.charges.put(&charge_id, charge);
        let sold = &mut self.market.intents.rows[intent];
        sold.status = IntentStatus::Succeeded;
        sold.charge = Some(charge_id);
        self.stats.reads.transaction(now);
        self.tell_of_sale(now, intent, place, cause);
        Ok(place)
    }

    /// Shelves the transfer and the fee that a charge brought.
    fn shelve_parts(
        &mut self,
        now: Now,
        (place, charge): (usize, &mut Charge),
        ids: SaleIds,
        arrival: Arrival,
        txns: Vec<String>,
    ) {
        let new = &charge.new;
        let mut txns = txns.into_iter();
        let both = (txns.next().unwrap_or_default(), txns.next().unwrap_or_default());
        let moved = (new.transfer_amount.unwrap_or(new.amount), new.currency.as_str());
        let destination = new.destination.clone().unwrap_or_default();
        let transfer = Transfer {
            transfer_group: new.transfer_group.clone().or_else(|| Some(format!("group_{}", charge.intent))),
            charge: Some(place),
            ..arrived(now, (&ids.transfer, &ids.payment), &destination, moved, arrival, both)
        };
        let transfer = self.shelve_transfer(transfer);
        charge.transfer = Some(transfer);
        charge.fee = charge.new.fee.filter(|fee| *fee > 0).map(|amount| {
            let fee = Fee {
                id: ids.fee.clone(),
                charge: place,
                transfer,
                amount,
                created: now.date_s(),
                txn: txns.next().unwrap_or_default(),
                refunded: 0,
                dest_refunded: 0,
                refunds: Vec::new(),
            };
            self.market.fees.put(&ids.fee, fee)
        });
    }

    fn arrival(&self, now: Now, destination: &str, (moved, from): (i64, &str), fee: i64, at_once: bool) -> Arrival {
        let account = self.accounts.get(destination);
        // Stripe settles in a currency the account has a bank for, and else converts to its default one.
        let keeps = account.is_some_and(|account| account.banks.iter().any(|bank| bank.currency == from));
        let home = account.map_or("usd", |account| account.spec.currency.as_str());
        let currency = if keeps { from } else { home };
        let (ripe, ripe_s) = ripeness(now, account.map_or(2, |account| account.spec.delay_days), at_once);
        let amount = convert(moved, from, currency);
        let fee = convert(fee, from, currency).min(amount);
        Arrival { currency: currency.to_owned(), amount, fee, ripe, ripe_s }
    }

    fn shelve_transfer(&mut self, transfer: Transfer) -> usize {
        let (id, payment) = (transfer.id.clone(), transfer.payment.clone());
        let place = self.market.transfers.put(&id, transfer);
        self.market.payments.insert(payment, place);
        place
    }

    fn tell_of_sale(&mut self, now: Now, intent: usize, charge: usize, cause: Cause<'_>) {
        let livemode = self.rules.livemode;
        self.emit_charge(now, charge, "charge.succeeded", None, cause);
        self.emit_intent(now, intent, "payment_intent.succeeded", cause);
        let (transfer, fee) = (self.market.charges.rows[charge].transfer, self.market.charges.rows[charge].fee);
        if let Some(place) = transfer {
            self.tell_of_transfer(now, place, cause);
        }
        if let Some(place) = fee {
            let object = shape_market::fee(&self.market, place, livemode);
            self.emit(now, "application_fee.created", PLATFORM_ACCOUNT, (object, None), cause);
        }
    }

    fn tell_of_transfer(&mut self, now: Now, place: usize, cause: Cause<'_>) {
        let livemode = self.rules.livemode;
        let object = shape_market::transfer(&self.market, place, livemode);
        self.emit(now, "transfer.created", PLATFORM_ACCOUNT, (object, None), cause);
        let payment = shape_market::payment(&self.market, place, livemode);
        let destination = self.market.transfers.rows[place].destination.clone();
        self.emit(now, "payment.created", &destination, (payment, None), Cause::default());
    }

    /// The platform gives of its own balance.
    pub(crate) fn create_transfer(&mut self, now: Now, new: &NewTransfer, cause: Cause<'_>) -> Result<usize, ApiError> {
        self.can_receive(&new.destination)?;
        let platform = self.accounts.get(PLATFORM_ACCOUNT);
        let purse = platform.and_then(|platform| platform.purses.get(&new.currency)).copied().unwrap_or_default();
        if purse.available < new.amount {
            return Err(ApiError::transfer_insufficient());
        }
        let (id, payment) = (self.next_id("tr"), self.next_id("py"));
        let arriving = self.arrival(now, &new.destination, (new.amount, &new.currency), 0, true);
        let leaving = Entry::new(PLATFORM_ACCOUNT, &new.currency, -new.amount, TxnKind::Transfer, &id);
        let entering = payment_entry(&arriving, &new.destination, &payment, (&new.currency, new.amount));
        let mut txns = self.post(now, vec![leaving, entering]).map_err(|_| ApiError::twin_full())?.into_iter();
        let both = (txns.next().unwrap_or_default(), txns.next().unwrap_or_default());
        let transfer = Transfer {
            description: new.description.clone(),
            transfer_group: new.transfer_group.clone(),
            metadata: new.metadata.clone(),
            ..arrived(now, (&id, &payment), &new.destination, (new.amount, &new.currency), arriving, both)
        };
        let place = self.shelve_transfer(transfer);
        self.tell_of_transfer(now, place, cause);
        Ok(place)
    }

    fn emit_intent(&mut self, now: Now, place: usize, kind: &str, cause: Cause<'_>) {
        let object = shape_market::intent(&self.market.intents.rows[place], self.rules.livemode);
        self.emit(now, kind, PLATFORM_ACCOUNT, (object, None), cause);
    }

    pub(crate) fn emit_charge(
        &mut self,
        now: Now,
        place: usize,
        kind: &str,
        before: Option<&serde_json::Value>,
        cause: Cause<'_>,
    ) {
        let object = shape_market::charge(&self.market, place, self.rules.livemode);
        let changed = before.and_then(|before| crate::shape::previous(before, &object));
        self.emit(now, kind, PLATFORM_ACCOUNT, (object, changed), cause);
    }
}

fn ripeness(now: Now, delay_days: u32, at_once: bool) -> (Ripe, i64) {
    if at_once {
        return (Ripe::Now, now.date_s());
    }
    let at_s = ripe_s(now, delay_days);
    (Ripe::At(at_s), at_s)
}

/// From the platform to the destination, and the platform's fee back.
fn destination_entries(new: &NewIntent, ids: &SaleIds, arrival: &Arrival, ripe: Ripe) -> Vec<Entry> {
    let moved = new.transfer_amount.unwrap_or(new.amount);
    let destination = new.destination.as_deref().unwrap_or_default();
    let leaving = Entry::new(PLATFORM_ACCOUNT, &new.currency, -moved, TxnKind::Transfer, &ids.transfer);
    let entering = payment_entry(arrival, destination, &ids.payment, (&new.currency, moved));
    let mut entries = vec![leaving.ripe(ripe), entering];
    if let Some(fee) = new.fee.filter(|fee| *fee > 0) {
        let kept = Entry::new(PLATFORM_ACCOUNT, &new.currency, fee, TxnKind::ApplicationFee, &ids.fee);
        entries.push(kept.ripe(ripe));
    }
    entries
}

fn payment_entry(arriving: &Arrival, destination: &str, payment: &str, (from, moved): (&str, i64)) -> Entry {
    let entry = Entry::new(destination, &arriving.currency, arriving.amount, TxnKind::Payment, payment);
    let converted = (from != arriving.currency).then(|| (from.to_owned(), moved));
    Entry { converted, ..entry.fee(arriving.fee).ripe(arriving.ripe) }
}

fn arrived(
    now: Now,
    (id, payment): (&str, &str),
    destination: &str,
    (amount, currency): (i64, &str),
    arriving: Arrival,
    (txn, dest_txn): (String, String),
) -> Transfer {
    Transfer {
        id: id.to_owned(),
        payment: payment.to_owned(),
        destination: destination.to_owned(),
        amount,
        currency: currency.to_owned(),
        created: now.date_s(),
        charge: None,
        txn,
        reversed: 0,
        reversals: Vec::new(),
        dest_amount: arriving.amount,
        dest_currency: arriving.currency,
        dest_fee: arriving.fee,
        dest_ripe_s: arriving.ripe_s,
        dest_txn,
        dest_reversed: 0,
        description: None,
        transfer_group: None,
        metadata: Metadata::new(),
    }
}
