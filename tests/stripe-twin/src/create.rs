//! Creating a payout: what Stripe checks before it executes, and the execution itself.
//! Called by the world. Invariant: `validate` changes nothing and is never stored; `execute` takes the money and makes
//! the payout in one step, or neither.

use std::collections::BTreeMap;

use crate::clock::Now;
use crate::currency::{KNOWN, payout_unit};
use crate::errors::ApiError;
use crate::events::Cause;
use crate::form::{AMOUNT_MAX, Form, check_metadata};
use crate::payout::{Payout, Status};
use crate::purse::Counter;
use crate::txn::{Entry, TxnKind};
use crate::world::World;

const PARAMS: [&str; 10] = [
    "amount",
    "currency",
    "description",
    "destination",
    "expand",
    "metadata",
    "method",
    "payout_method",
    "source_type",
    "statement_descriptor",
];

/// A payout as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewPayout {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    pub(crate) destination: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) source_type: String,
    pub(crate) statement_descriptor: Option<String>,
    pub(crate) is_instant: bool,
}

/// Checks the parameters alone.
pub(crate) fn validate(form: &Form) -> Result<NewPayout, ApiError> {
    form.only(&PARAMS)?;
    if let Some(what) = form.map("expand").values().next() {
        return Err(ApiError::invalid("expand", &format!("This property cannot be expanded ({what}).")));
    }
    form.required("amount")?;
    let amount = form.integer("amount")?.unwrap_or_default();
    if amount < 1 {
        return Err(ApiError::amount_below_one());
    }
    let currency = form.required("currency")?.to_ascii_lowercase();
    if !KNOWN.contains(&currency.as_str()) {
        return Err(ApiError::invalid_currency(&currency));
    }
    if amount > AMOUNT_MAX {
        return Err(ApiError::invalid("amount", "Amount must be no more than 999999999999."));
    }
    let unit = payout_unit(&currency);
    if amount % unit != 0 {
        let text = format!(
            "Invalid amount: payouts in {currency} must be a multiple of {unit}; {amount} isn't evenly divisible by {unit}."
        );
        return Err(ApiError::invalid("amount", &text));
    }
    let metadata = form.map("metadata");
    check_metadata(&metadata)?;
    let word = |name: &str, usual: &str, known: &[&str]| {
        let value = form.get(name).unwrap_or(usual);
        let text = || format!("Invalid {name}: must be one of {}", known.join(", "));
        known.contains(&value).then(|| value.to_owned()).ok_or_else(|| ApiError::invalid(name, &text()))
    };
    let source_type = word("source_type", "card", &["bank_account", "card", "fpx"])?;
    let method = word("method", "standard", &["instant", "standard"])?;
    let statement_descriptor = form.get("statement_descriptor").map(str::to_owned);
    if statement_descriptor.as_ref().is_some_and(|text| text.chars().count() > 22) {
        let text = "The statement descriptor must be at most 22 characters.";
        return Err(ApiError::invalid("statement_descriptor", text));
    }
    Ok(NewPayout {
        amount,
        currency,
        description: form.get("description").map(str::to_owned),
        destination: form.get("destination").map(str::to_owned),
        metadata,
        source_type,
        statement_descriptor,
        is_instant: method == "instant",
    })
}

/// Where a payout comes from, when it isn't asked for by the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) how: &'static str,
    pub(crate) automatic: bool,
    pub(crate) request_id: &'a str,
    pub(crate) key: Option<&'a str>,
}

impl World {
    /// Executes; the place of the payout, or Stripe's refusal.
    pub(crate) fn create_payout(
        &mut self,
        now: Now,
        id: &str,
        new: &NewPayout,
        origin: Origin<'_>,
    ) -> Result<usize, ApiError> {
        let Some(account) = self.accounts.get(id) else {
            return Err(ApiError::no_access("", id));
        };
        let bank = match &new.destination {
            Some(wanted) => {
                account.bank(wanted).ok_or_else(|| ApiError::no_such("external account", wanted, "destination", 400))?
            }
            None => account.default_bank(&new.currency).ok_or_else(|| ApiError::no_external_account(&new.currency))?,
        };
        if bank.currency != new.currency {
            return Err(ApiError::no_external_account(&new.currency));
        }
        if !account.spec.payouts_enabled {
            return Err(ApiError::payouts_not_allowed());
        }
        if let Some(code) = bank.refusal() {
            return Err(ApiError::bank_refused(code));
        }
        if new.is_instant {
            return Err(ApiError::instant_unsupported());
        }
        let destination = bank.id.clone();
        let purse = account.purses.get(&new.currency).copied().unwrap_or_default();
        if purse.available < new.amount {
            return Err(ApiError::balance_insufficient());
        }
        let blank = self.blank_payout(now, id, (new.amount, &new.currency), &destination, origin);
        let payout = Payout {
            metadata: new.metadata.clone(),
            description: new.description.clone(),
            statement_descriptor: new.statement_descriptor.clone(),
            source_type: new.source_type.clone(),
            ..blank
        };
        let entry = Entry::new(id, &new.currency, -new.amount, TxnKind::Payout, &payout.id);
        self.make_payout(now, payout, entry.counter(Counter::InTransit))
    }

    /// A payout with nothing but what every payout has.
    pub(crate) fn blank_payout(
        &mut self,
        now: Now,
        account: &str,
        (amount, currency): (i64, &str),
        destination: &str,
        origin: Origin<'_>,
    ) -> Payout {
        Payout {
            id: self.next_id("po"),
            account: account.to_owned(),
            amount,
            currency: currency.to_owned(),
            status: Status::Pending,
            created: now.date_s(),
            arrival_date: arrival(now.date_s()),
            idempotency_key: origin.key.map(str::to_owned),
            metadata: BTreeMap::new(),
            destination: destination.to_owned(),
            description: None,
            statement_descriptor: None,
            source_type: "card".to_owned(),
            balance_transaction: String::new(),
            failure_balance_transaction: None,
            failure_code: None,
            failure_message: None,
            request_id: origin.request_id.to_owned(),
            how: origin.how,
            was_paid: false,
            automatic: origin.automatic,
            original_payout: None,
            reversed_by: None,
        }
    }

    /// Takes (or announces) the money and tells of the payout, in one step, or neither.
    pub(crate) fn make_payout(&mut self, now: Now, mut payout: Payout, entry: Entry) -> Result<usize, ApiError> {
        let mut txns = self.post(now, vec![entry]).map_err(|_| ApiError::balance_insufficient())?;
        payout.balance_transaction = txns.pop().unwrap_or_default();
        let place = self.payouts.len();
        if let Some(account) = self.accounts.get_mut(&payout.account) {
            account.payouts.push(place);
        }
        let (request_id, key) = (payout.request_id.clone(), payout.idempotency_key.clone());
        self.payout_places.insert(payout.id.clone(), place);
        self.payouts.push(payout);
        self.settle_later(now, place);
        let request_id = Some(request_id.as_str()).filter(|id| !id.is_empty());
        let cause = Cause { request_id, idempotency_key: key.as_deref() };
        self.emit_payout(now, place, "payout.created", None, cause);
        Ok(place)
    }
}

/// Midnight (UTC) of the second working day after.
pub(crate) fn arrival(created_s: i64) -> i64 {
    let mut day = created_s.div_euclid(86_400);
    let mut left = 2;
    while left > 0 {
        day += 1;
        // Day 0 of the epoch was a Thursday.
        if (day + 4).rem_euclid(7) % 6 != 0 {
            left -= 1;
        }
    }
    day * 86_400
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_weekend_delays_the_arrival() {
        // Friday 2026-01-02 12:00 UTC arrives on Tuesday 2026-01-06.
        assert_eq!(arrival(1_767_355_200), 1_767_657_600);
    }

    #[test]
    fn parameters_are_refused_in_stripes_words() {
        let body = |text: &str| {
            let error = validate(&Form::decode(text.as_bytes())).map(|_| ()).unwrap_err();
            error.body("req_1", false)["error"].clone()
        };
        assert_eq!(body("currency=usd")["code"], "parameter_missing");
        assert_eq!(body("amount=10")["param"], "currency");
        assert_eq!(body("amount=10&currency=usd&colour=red")["code"], "parameter_unknown");
        assert_eq!(body("amount=1.5&currency=usd")["code"], "parameter_invalid_integer");
        assert_eq!(body("amount=0&currency=usd")["code"], "parameter_invalid_integer");
        assert_eq!(body("amount=110&currency=huf")["param"], "amount");
        assert_eq!(body("amount=110&currency=zzz")["param"], "currency");
        let long = format!("amount=1&currency=usd&metadata[{}]=x", "k".repeat(41));
        assert_eq!(body(&long)["param"], "metadata");
        let many: String = (0..51).map(|n| format!("&metadata[k{n}]=v")).collect();
        assert_eq!(body(&format!("amount=1&currency=usd{many}"))["param"], "metadata");
    }
}
