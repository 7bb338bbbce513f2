//! What tests make happen on the marketplace's side: sales, disputes, payouts by hand, debits, a scripted life, books.
//! Called by `control` for what it doesn't know itself. Invariant: everything goes through the same doors as the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::control::{Answered, parse, to_value};
use crate::dispute::{DisputeStatus, NewDispute};
use crate::errors::ApiError;
use crate::events::Cause;
use crate::live::LifePlan;
use crate::market::{Metadata, NewIntent};
use crate::purse::Purse;
use crate::shape_market;
use crate::twin::Twin;
use crate::txn::TxnKind;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedSale {
    account: String,
    amount: i64,
    currency: String,
    #[serde(default)]
    fee: Option<i64>,
    /// Available at once.
    #[serde(default)]
    at_once: bool,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedDispute {
    charge: String,
    #[serde(default)]
    amount: Option<i64>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    inquiry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedMove {
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedPayout {
    account: String,
    /// Left out: Stripe's own, all that is available.
    #[serde(default)]
    amount: Option<i64>,
    currency: String,
}

/// What one account has in one currency, and how it came about.
#[derive(Debug, Serialize)]
struct BookRow<'a> {
    account: &'a str,
    currency: &'a str,
    purse: Purse,
    /// Nets by Stripe's type of balance transaction.
    by_type: BTreeMap<&'static str, i64>,
}

fn refused(error: ApiError) -> (u16, String) {
    (error.status, error.body("", false)["error"]["message"].as_str().unwrap_or_default().to_owned())
}

impl Twin {
    /// `POST /_twin/…`, as far as `control` has no answer itself.
    pub(crate) fn back_door(&self, parts: &[&str], body: &bytes::Bytes) -> Option<Answered> {
        let done = match parts {
            ["sales"] => self.back_sale(body),
            ["disputes"] => self.back_dispute(body),
            ["disputes", id] => self.back_move(id, body),
            ["payouts"] => self.back_payout(body),
            ["debits"] => self.back_debit(body),
            ["life"] => {
                let plan: Result<LifePlan, _> = parse(body);
                plan.and_then(|plan| self.take_life(plan).map_err(|error| (400, error))).and_then(|far| to_value(&far))
            }
            _ => return None,
        };
        Some(done)
    }

    fn back_sale(&self, body: &bytes::Bytes) -> Answered {
        let asked: AskedSale = parse(body)?;
        let method = if asked.at_once { "pm_card_bypassPending" } else { "pm_card_visa" };
        let new = NewIntent {
            amount: asked.amount,
            currency: asked.currency,
            fee: Some(asked.fee.unwrap_or(asked.amount / 10)),
            destination: Some(asked.account),
            payment_method: Some(method.to_owned()),
            confirm: true,
            metadata: asked.metadata,
            ..NewIntent::default()
        };
        let legal = new.amount >= 1 && new.fee.is_some_and(|fee| (0..=new.amount).contains(&fee));
        if !legal {
            return Err((400, "the amount must be at least 1, the fee between 0 and the amount".to_owned()));
        }
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        world.create_intent(now, new, Cause::default()).map_err(refused)?;
        let last = world.market.charges.rows.len().saturating_sub(1);
        Ok(shape_market::charge(&world.market, last, world.rules.livemode))
    }

    fn back_dispute(&self, body: &bytes::Bytes) -> Answered {
        let asked: AskedDispute = parse(body)?;
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        let place = world.market.charges.place(&asked.charge).ok_or((404, format!("no charge {}", asked.charge)))?;
        let charge = &world.market.charges.rows[place];
        let new = NewDispute {
            amount: asked.amount.unwrap_or(charge.new.amount - charge.refunded),
            reason: asked.reason.unwrap_or_else(|| "fraudulent".to_owned()),
            is_inquiry: asked.inquiry,
        };
        let dispute = world.open_dispute(now, place, &new).map_err(refused)?;
        Ok(world.dispute_value(dispute))
    }

    fn back_move(&self, id: &str, body: &bytes::Bytes) -> Answered {
        let asked: AskedMove = parse(body)?;
        let to = DisputeStatus::read(&asked.to).ok_or((400, format!("no dispute is ever '{}'", asked.to)))?;
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        let place = world.market.disputes.place(id).ok_or((404, format!("no dispute {id}")))?;
        world.move_dispute(now, place, to, Cause::default()).map_err(refused)?;
        Ok(world.dispute_value(place))
    }

    fn back_payout(&self, body: &bytes::Bytes) -> Answered {
        let asked: AskedPayout = parse(body)?;
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        let Some(amount) = asked.amount else {
            let id = world.pay_automatically(now, &asked.account, &asked.currency);
            return id.map(|id| json!({ "id": id })).ok_or((400, "nothing can be paid".to_owned()));
        };
        if amount < 1 {
            return Err((400, "the amount must be at least 1".to_owned()));
        }
        world.pay_by_hand(now, &asked.account, (amount, &asked.currency)).map_err(refused)
    }

    fn back_debit(&self, body: &bytes::Bytes) -> Answered {
        let asked: AskedPayout = parse(body)?;
        let now = self.now();
        let mut world = self.world();
        world.advance(now);
        let id = world.debit_negative(now, &asked.account, &asked.currency);
        id.map(|id| json!({ "id": id })).ok_or((400, "there is nothing to debit, or it is under way".to_owned()))
    }

    /// Every purse with the sums of what moved it.
    pub(crate) fn books(&self) -> Value {
        self.advance();
        let world = self.world();
        let mut sums = by_type(&world);
        let mut rows = Vec::new();
        for (id, account) in &world.accounts {
            for (currency, purse) in &account.purses {
                let by_type = sums.remove(&(id.as_str(), currency.as_str())).unwrap_or_default();
                rows.push(BookRow { account: id, currency, purse: *purse, by_type });
            }
        }
        rows.sort_by_key(|row| (row.account, row.currency));
        json!(rows)
    }
}

type Sums<'a> = BTreeMap<(&'a str, &'a str), BTreeMap<&'static str, i64>>;

fn by_type(world: &World) -> Sums<'_> {
    let mut sums: Sums<'_> = BTreeMap::new();
    for txn in &world.txns {
        let word = match txn.entry.kind {
            // Stripe has one type for these; here they are told apart.
            TxnKind::Opening => "opening",
            TxnKind::Dispute | TxnKind::DisputeReversal => "dispute",
            kind => kind.words().0,
        };
        let sum = sums.entry((&txn.entry.account, &txn.entry.currency)).or_default().entry(word).or_default();
        *sum = sum.saturating_add(txn.net());
    }
    sums
}
