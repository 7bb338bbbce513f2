//! Answers read by the fields that we act on and by nothing else: whatever Stripe adds, renames beside them or leaves null.
use super::BalanceObject;
use crate::stripe::{AccountObject, AccountPage, BankObject};
use payout_shared::{
    answer::{PayoutObject, StripeError},
    attempt::METADATA_KEY,
    currency::Currency,
    entries::Movement,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::ObjectStatus,
};
use serde_json::Value;

pub(crate) fn payout(object: &Value, account: &AccountId) -> Result<PayoutObject, String> {
    let id = text(object, "id").ok_or_else(|| "no id".to_owned())?;
    // Whatever is missing, whoever reads the reason must be able to find the payout at Stripe.
    let missing = |what: &str| {
        format!("payout {id} (status {}) has no usable {what}", text(object, "status").unwrap_or("unknown"))
    };
    if text(object, "object").is_some_and(|kind| kind != "payout") {
        return Err(format!("{id} is a {}, not a payout", text(object, "object").unwrap_or_default()));
    }
    Ok(PayoutObject {
        id: ObjectId::new(id),
        account: account.clone(),
        amount_minor: integer(object, "amount").ok_or_else(|| missing("amount"))?,
        currency: currency(object).ok_or_else(|| missing("currency"))?,
        status: text(object, "status").and_then(ObjectStatus::parse),
        mode: mode(object).ok_or_else(|| missing("livemode"))?,
        destination: id_of(&object["destination"]).map(DestinationId::new),
        // Ours are told by their key; an automatic one without its flag is foreign all the same.
        automatic: flag(object, "automatic").unwrap_or(false),
        key: text(&object["metadata"], METADATA_KEY).map(str::to_owned),
        failure_code: owned(object, "failure_code"),
        failure_message: owned(object, "failure_message"),
        failure_balance_transaction: id_of(&object["failure_balance_transaction"]).map(str::to_owned),
        created_s: integer(object, "created").ok_or_else(|| missing("created"))?,
        arrival_date_s: integer(object, "arrival_date"),
        original_payout: id_of(&object["original_payout"]).map(ObjectId::new),
        reversed_by: id_of(&object["reversed_by"]).map(ObjectId::new),
    })
}

/// What a page of a list shows, and whether there is more. One that shows nothing although there is more says nothing: taken for the end, it would
/// be taken for a proof that what isn't shown isn't there.
pub(crate) fn page_of<'a>(page: &'a Value, what: &str) -> Result<(&'a [Value], bool), String> {
    let list = page["data"].as_array().ok_or_else(|| format!("no list of {what}"))?;
    match flag(page, "has_more") {
        Some(true) if list.is_empty() => Err(format!("a page without {what} that says there are more")),
        Some(has_more) => Ok((list, has_more)),
        None => Err("a list without has_more".to_owned()),
    }
}

pub(crate) fn payouts(page: &Value, account: &AccountId) -> Result<(Vec<PayoutObject>, bool), String> {
    let (list, has_more) = page_of(page, "payouts")?;
    Ok((list.iter().map(|object| payout(object, account)).collect::<Result<_, _>>()?, has_more))
}

/// What is missing reads as the answer that pays nobody: not enabled, no bank account.
pub(crate) fn account(object: &Value) -> Result<AccountObject, String> {
    let id = text(object, "id").ok_or_else(|| "no id".to_owned())?;
    if text(object, "object").is_some_and(|kind| kind != "account") {
        return Err(format!("{id} is a {}, not an account", text(object, "object").unwrap_or_default()));
    }
    if flag(object, "deleted") == Some(true) {
        return Err(format!("account {id} is deleted"));
    }
    let is = |name| flag(object, name).unwrap_or(false);
    let banks = object["external_accounts"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(AccountObject {
        id: AccountId::new(id),
        country: owned(object, "country"),
        payouts_enabled: is("payouts_enabled"),
        charges_enabled: is("charges_enabled"),
        details_submitted: is("details_submitted"),
        disabled_reason: owned(&object["requirements"], "disabled_reason"),
        schedule_interval: owned(&object["settings"]["payouts"]["schedule"], "interval"),
        banks: banks.iter().filter_map(bank).collect(),
    })
}

pub(crate) fn accounts(page: &Value) -> Result<AccountPage, String> {
    let (list, has_more) = page_of(page, "accounts")?;
    let next_after = match list.last() {
        Some(last) if has_more => {
            Some(AccountId::new(text(last, "id").ok_or_else(|| "an account without an id".to_owned())?))
        }
        Some(_) | None => None,
    };
    let says_enough = |object: &&Value| {
        object["external_accounts"]["data"].is_array()
            && object["settings"]["payouts"]["schedule"]["interval"].is_string()
    };
    Ok(AccountPage {
        accounts: list.iter().filter(says_enough).filter_map(|object| account(object).ok()).collect(),
        next_after,
    })
}

fn bank(object: &Value) -> Option<BankObject> {
    Some(BankObject {
        id: DestinationId::new(text(object, "id")?),
        currency: currency(object)?,
        status: owned(object, "status").unwrap_or_default(),
        default_for_currency: flag(object, "default_for_currency").unwrap_or(false),
        bank_name: owned(object, "bank_name"),
        country: owned(object, "country"),
    })
}

pub(crate) fn balance(object: &Value) -> Result<BalanceObject, String> {
    let amounts = |name: &str| {
        let list = object[name].as_array().ok_or_else(|| format!("a balance without {name}"))?;
        let one = |of: &Value| {
            currency(of).zip(integer(of, "amount")).ok_or_else(|| format!("a balance with an unusable {name}"))
        };
        list.iter().map(one).collect::<Result<_, _>>()
    };
    let mode = mode(object).ok_or_else(|| "a balance without livemode".to_owned())?;
    Ok(BalanceObject { mode, available: amounts("available")?, pending: amounts("pending")? })
}

/// Balance transactions. Read leanly only: their types and sources are an open set that a strict reader refuses.
pub(crate) fn movements(page: &Value) -> Result<(Vec<Movement>, bool), String> {
    let (list, has_more) = page_of(page, "balance transactions")?;
    Ok((list.iter().map(movement).collect::<Result<_, _>>()?, has_more))
}

fn movement(object: &Value) -> Result<Movement, String> {
    let id = text(object, "id").ok_or_else(|| "a balance transaction without an id".to_owned())?;
    let missing = |what: &str| format!("balance transaction {id} has no usable {what}");
    let amount = |name: &str| integer(object, name).ok_or_else(|| missing(name));
    Ok(Movement {
        id: id.to_owned(),
        source: id_of(&object["source"]).map(str::to_owned),
        currency: currency(object).ok_or_else(|| missing("currency"))?,
        amount_minor: amount("amount")?,
        fee_minor: amount("fee")?,
        net_minor: amount("net")?,
        available_on_ms: amount("available_on")?.saturating_mul(1_000),
    })
}

/// Stripe's error object; `None` when the body has none (a string in its place isn't one).
pub(crate) fn error(body: &Value) -> Option<StripeError> {
    let error = body["error"].as_object().map(|_| &body["error"])?;
    Some(StripeError {
        kind: owned(error, "type").unwrap_or_default(),
        code: owned(error, "code"),
        message: owned(error, "message"),
        param: owned(error, "param"),
        doc_url: owned(error, "doc_url"),
    })
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

pub(crate) fn owned(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

pub(crate) fn integer(object: &Value, name: &str) -> Option<i64> {
    object.get(name)?.as_i64()
}

pub(crate) fn flag(object: &Value, name: &str) -> Option<bool> {
    object.get(name)?.as_bool()
}

pub(crate) fn currency(object: &Value) -> Option<Currency> {
    Currency::parse(text(object, "currency")?).ok()
}

pub(crate) fn mode(object: &Value) -> Option<Mode> {
    Some(if flag(object, "livemode")? { Mode::Live } else { Mode::Test })
}

/// The id of something that Stripe shows either as an id or, expanded, as an object.
pub(crate) fn id_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| text(value, "id"))
}
