//! What an event tells about money: sales, transfers and their reversals, fees given back, disputes, refunds, debits, and whose an account
//! is. Read leanly, from whatever event carries the object.
//!
//! Who comes in: the event parser. Whom it may call: the lean reader.
//! Invariant: the same object gives the same facts whichever event it came in; what can't be read gives none.
use super::wire::lean::{currency, flag, id_of, integer, owned, text};
use payout_shared::{
    answer::PayoutObject,
    currency::Currency,
    entries::{Fact, FactKind, Told, Transfer},
    id::{AccountId, CreatorId},
};
use serde_json::Value;

/// Events that say that a charge has brought its money now: begun earlier, it may have been on its way for days.
const SUCCEEDS: [&str; 2] = ["charge.succeeded", "charge.captured"];

/// Everything that an object tells. `account`: the connected account that it happened on; `said_ms`: when, by Stripe's clock; `event`: its type,
/// where an event tells it.
pub(super) fn told(object: &Value, account: Option<&AccountId>, said_ms: i64, event: Option<&str>) -> Vec<Told> {
    let facts = |facts: Vec<Fact>| facts.into_iter().map(Told::Fact).collect();
    match (text(object, "object").unwrap_or_default(), account) {
        ("payment_intent", None) => facts(intent(object, said_ms).into_iter().collect()),
        ("charge", None) => {
            let succeeds = event.is_some_and(|event| SUCCEEDS.contains(&event));
            facts(charge(object, said_ms, succeeds).into_iter().collect())
        }
        ("transfer", None) => transfer(object),
        ("application_fee", None) => facts(fee_refunds(object)),
        ("dispute", None) => facts(dispute(object, said_ms).into_iter().collect()),
        ("refund", None) => facts(refund(object, said_ms).into_iter().collect()),
        ("payout", Some(account)) => facts(debit(object, account, said_ms).into_iter().collect()),
        ("account", _) => owner(object).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A fact of an object that happened at a time (seconds), with nothing more known of it.
fn fact(kind: FactKind, id: &str, currency: Currency, amount_minor: i64, at_s: i64) -> Fact {
    let at_ms = at_s.saturating_mul(1_000);
    Fact {
        id: id.to_owned(),
        kind,
        charge: None,
        account: None,
        transfer: None,
        currency,
        amount_minor,
        fee_minor: 0,
        moved_minor: 0,
        status: String::new(),
        at_ms,
        said_ms: at_ms,
        due_ms: None,
        balance_source: None,
        settled_minor: None,
    }
}

/// What is common to an intent that succeeded and to its charge. The platform's part is what wasn't transferred, or its fee.
fn sale(object: &Value, charge: &str, paid_minor: i64, at_s: i64) -> Option<Fact> {
    let destination = id_of(&object["transfer_data"]["destination"])?;
    let moved_minor = integer(&object["transfer_data"], "amount").unwrap_or(paid_minor);
    let fee_minor = integer(object, "application_fee_amount").unwrap_or(0);
    Some(Fact {
        charge: Some(charge.to_owned()),
        account: Some(AccountId::new(destination)),
        fee_minor,
        moved_minor,
        ..fact(FactKind::Sale, charge, currency(object)?, paid_minor, at_s)
    })
}

fn intent(object: &Value, said_ms: i64) -> Option<Fact> {
    if text(object, "status") != Some("succeeded") {
        return None;
    }
    sale(object, id_of(&object["latest_charge"])?, integer(object, "amount_received")?, said_ms.div_euclid(1_000))
}

/// Said when it succeeded, as far as that is told; else when it was made.
fn charge(object: &Value, said_ms: i64, succeeds: bool) -> Option<Fact> {
    if text(object, "status") != Some("succeeded") || flag(object, "captured") == Some(false) {
        return None;
    }
    let paid =
        integer(object, "amount_captured").filter(|captured| *captured > 0).or_else(|| integer(object, "amount"))?;
    let sale = sale(object, text(object, "id")?, paid, integer(object, "created")?)?;
    Some(Fact { said_ms: if succeeds { said_ms.max(sale.at_ms) } else { sale.at_ms }, ..sale })
}

pub(super) fn transfer(object: &Value) -> Vec<Told> {
    let read = || {
        Some(Transfer {
            id: owned(object, "id")?,
            account: AccountId::new(id_of(&object["destination"])?),
            amount_minor: integer(object, "amount")?,
            currency: currency(object)?,
            charge: id_of(&object["source_transaction"]).map(str::to_owned),
            destination_payment: id_of(&object["destination_payment"]).map(str::to_owned),
            created_ms: integer(object, "created")?.saturating_mul(1_000),
        })
    };
    let Some(transfer) = read() else { return Vec::new() };
    let reversals = object["reversals"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reversal = |of: &Value| {
        let amount = integer(of, "amount")?;
        let at_s = integer(of, "created")?;
        Some(Fact {
            charge: transfer.charge.clone(),
            account: Some(transfer.account.clone()),
            transfer: Some(transfer.id.clone()),
            balance_source: id_of(&of["destination_payment_refund"]).map(str::to_owned),
            ..fact(FactKind::Reversal, text(of, "id")?, currency(of).unwrap_or(transfer.currency), amount, at_s)
        })
    };
    let mut told: Vec<Told> = reversals.iter().filter_map(reversal).map(Told::Fact).collect();
    told.push(Told::Transfer(transfer));
    told
}

/// What was given back of a fee that the platform took of a destination charge; a fee of a direct charge has no such charge.
fn fee_refunds(object: &Value) -> Vec<Fact> {
    let Some(charge) = id_of(&object["originating_transaction"]) else { return Vec::new() };
    let refunds = object["refunds"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let refund = |of: &Value| {
        let id = text(of, "id")?;
        let code = currency(of).or_else(|| currency(object))?;
        Some(Fact {
            charge: Some(charge.to_owned()),
            account: id_of(&object["account"]).map(AccountId::new),
            balance_source: Some(id.to_owned()),
            ..fact(FactKind::FeeRefund, id, code, integer(of, "amount")?, integer(of, "created")?)
        })
    };
    refunds.iter().filter_map(refund).collect()
}

fn dispute(object: &Value, said_ms: i64) -> Option<Fact> {
    Some(Fact {
        charge: Some(id_of(&object["charge"])?.to_owned()),
        status: owned(object, "status")?,
        said_ms,
        ..fact(
            FactKind::Dispute,
            text(object, "id")?,
            currency(object)?,
            integer(object, "amount")?,
            integer(object, "created")?,
        )
    })
}

fn refund(object: &Value, said_ms: i64) -> Option<Fact> {
    Some(Fact {
        charge: Some(id_of(&object["charge"])?.to_owned()),
        transfer: id_of(&object["transfer_reversal"]).map(str::to_owned),
        status: owned(object, "status").unwrap_or_default(),
        said_ms,
        ..fact(
            FactKind::Refund,
            text(object, "id")?,
            currency(object)?,
            integer(object, "amount")?,
            integer(object, "created")?,
        )
    })
}

/// A payout below 0 that Stripe made by itself. What reverses a payout is below 0 as well, and names that payout.
fn debit(object: &Value, account: &AccountId, said_ms: i64) -> Option<Fact> {
    debit_of(&super::wire::lean::payout(object, account).ok()?, said_ms, &owned(object, "status").unwrap_or_default())
}

/// The same of a payout that was listed: `said_ms`, when.
pub(crate) fn debit_listed(payout: &PayoutObject, said_ms: i64) -> Option<Fact> {
    debit_of(payout, said_ms, payout.status?.as_str())
}

fn debit_of(payout: &PayoutObject, said_ms: i64, status: &str) -> Option<Fact> {
    if payout.amount_minor >= 0 || !payout.automatic || payout.original_payout.is_some() {
        return None;
    }
    Some(Fact {
        account: Some(payout.account.clone()),
        status: status.to_owned(),
        said_ms,
        due_ms: payout.arrival_date_s.map(|at_s| at_s.saturating_mul(1_000)),
        balance_source: Some(payout.id.to_string()),
        ..fact(FactKind::Debit, payout.id.as_str(), payout.currency, payout.amount_minor, payout.created_s)
    })
}

fn owner(object: &Value) -> Option<Told> {
    let creator = text(&object["metadata"], "creator_id").map(str::trim)?;
    if creator.is_empty() || creator.chars().any(char::is_control) {
        return None;
    }
    Some(Told::Owner {
        account: AccountId::new(text(object, "id")?),
        creator: CreatorId::new(creator),
        country: owned(object, "country"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(object: &Value) -> Vec<Fact> {
        let told = told(object, None, 5_000, None);
        told.into_iter().filter_map(|told| if let Told::Fact(fact) = told { Some(fact) } else { None }).collect()
    }

    #[test]
    fn an_intent_and_its_charge_tell_the_same_sale() {
        let of = json!({"application_fee_amount": 100, "currency": "usd", "transfer_data": {"destination": "acct_1"}});
        let with = |more: Value| {
            let mut object = of.clone();
            object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            object
        };
        let intent = with(json!({"object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1",
            "amount_received": 1000}));
        let charge = with(json!({"object": "charge", "id": "ch_1", "status": "succeeded", "captured": true,
            "amount": 1000, "amount_captured": 1000, "created": 5}));
        assert_eq!(facts(&intent), facts(&charge));
        let sale = &facts(&intent)[0];
        assert_eq!((sale.amount_minor, sale.fee_minor, sale.moved_minor, sale.at_ms), (1000, 100, 1000, 5_000));
        let part = with(json!({"object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1",
            "amount_received": 1000, "application_fee_amount": null,
            "transfer_data": {"destination": "acct_1", "amount": 850}}));
        assert_eq!((facts(&part)[0].moved_minor, facts(&part)[0].fee_minor), (850, 0));
        for nothing in [json!({"status": "processing"}), json!({"transfer_data": null}), json!({"latest_charge": null})]
        {
            let mut object = intent.clone();
            object.as_object_mut().unwrap().extend(nothing.as_object().unwrap().clone());
            assert_eq!(facts(&object), [], "{nothing}");
        }
        let elsewhere = AccountId::new("acct_1");
        assert_eq!(told(&charge, Some(&elsewhere), 5_000, None), [], "a charge of the account's own");
    }

    #[test]
    fn a_negative_payout_is_a_debit_unless_it_takes_another_back_or_somebody_made_it() {
        let account = AccountId::new("acct_1");
        let payout = json!({"object": "payout", "id": "po_1", "amount": -700, "automatic": true, "currency": "usd",
            "status": "pending", "created": 7, "arrival_date": 9, "original_payout": null, "livemode": false});
        let facts = told(&payout, Some(&account), 8_000, None);
        let listed = super::super::wire::payout(payout.to_string().as_bytes(), &account).unwrap();
        assert_eq!(facts, vec![Told::Fact(debit_listed(&listed, 8_000).unwrap())], "told and listed it is the same");
        for other in [json!({"amount": 700}), json!({"automatic": false}), json!({"original_payout": "po_0"})] {
            let mut object = payout.clone();
            object.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            assert_eq!(told(&object, Some(&account), 8_000, None), [], "{other}");
            let listed = super::super::wire::payout(object.to_string().as_bytes(), &account).unwrap();
            assert_eq!(debit_listed(&listed, 8_000), None, "{other}");
        }
    }
}
