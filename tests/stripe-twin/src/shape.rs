//! The JSON of Stripe's objects, complete: Stripe's own published examples with the twin's values laid over.
//! Called by endpoints and events; reads only. Invariant: no field of the published example is ever left out.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::account::{Account, Bank};
use crate::ids;
use crate::payout::{Payout, Status};

static EXAMPLES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/objects.json")).unwrap_or_default());

fn example(name: &str) -> Value {
    EXAMPLES.get(name).cloned().unwrap_or_default()
}

pub(crate) fn laid_over(name: &str, over: Value) -> Value {
    let mut base = example(name);
    lay(&mut base, over);
    base
}

/// Objects merge, everything else replaces.
fn lay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                lay(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

pub(crate) fn payout(payout: &Payout, livemode: bool) -> Value {
    let trace = match payout.status {
        Status::Paid => json!({ "status": "supported", "value": ids::salt(5, &payout.id) }),
        Status::Pending | Status::InTransit | Status::Failed | Status::Canceled => {
            json!({ "status": "pending", "value": null })
        }
    };
    let mut object = laid_over(
        "payout",
        json!({
            "id": payout.id,
            "amount": payout.amount,
            "arrival_date": payout.arrival_date,
            "automatic": payout.automatic,
            "balance_transaction": payout.balance_transaction,
            "created": payout.created,
            "currency": payout.currency,
            "description": payout.description,
            "destination": payout.destination,
            "failure_balance_transaction": payout.failure_balance_transaction,
            "failure_code": payout.failure_code,
            "failure_message": payout.failure_message,
            "livemode": livemode,
            "original_payout": payout.original_payout,
            "reconciliation_status": if payout.automatic { "completed" } else { "not_applicable" },
            "reversed_by": payout.reversed_by,
            "source_type": payout.source_type,
            "statement_descriptor": payout.statement_descriptor,
            "status": payout.status.word(),
            "trace_id": trace,
        }),
    );
    object["metadata"] = json!(payout.metadata);
    object
}

pub(crate) fn bank(account: &Account, bank: &Bank) -> Value {
    let print = ids::salt(3, &bank.id);
    let last4 = format!("{:04}", ids::mix_text(4, &bank.id) % 10_000);
    let country = bank_country(account, &bank.currency);
    let routing = if country == "US" { json!("110000000") } else { Value::Null };
    laid_over(
        "bank_account",
        json!({
            "id": bank.id,
            "account": account.spec.id,
            "available_payout_methods": ["standard"],
            "country": country,
            "currency": bank.currency,
            "default_for_currency": bank.is_default,
            "fingerprint": print,
            "future_requirements": external_requirements(),
            "last4": last4,
            "requirements": external_requirements(),
            "routing_number": routing,
            "status": bank.status,
        }),
    )
}

pub(crate) fn bank_country(account: &Account, currency: &str) -> String {
    let home = match currency {
        "usd" if account.spec.currency != "usd" => "US",
        "gbp" if account.spec.currency != "gbp" => "GB",
        _ => &account.spec.country,
    };
    home.to_owned()
}

fn external_requirements() -> Value {
    json!({ "currently_due": [], "errors": [], "past_due": [], "pending_verification": [] })
}

pub(crate) fn account(account: &Account, platform: bool) -> Value {
    let spec = &account.spec;
    let banks: Vec<Value> = account.banks.iter().map(|bank| self::bank(account, bank)).collect();
    let more = &account.more;
    let capabilities: Map<String, Value> =
        account.capabilities().into_iter().map(|(name, state)| (name, state.into())).collect();
    let due = |own: &[String]| -> Vec<String> { spec.past_due.iter().chain(own).cloned().collect() };
    let mut object = laid_over(
        "account",
        json!({
            "id": spec.id,
            "business_type": "individual",
            "charges_enabled": !more.charges_disabled,
            "controller": controller(platform),
            "country": spec.country,
            "created": account.created_s,
            "default_currency": spec.currency,
            "details_submitted": !more.details_missing,
            "email": spec.email,
            "external_accounts": {
                "data": banks,
                "total_count": account.banks.len(),
                "url": format!("/v1/accounts/{}/external_accounts", spec.id),
            },
            "payouts_enabled": spec.payouts_enabled,
            "requirements": {
                "current_deadline": more.current_deadline,
                "currently_due": due(&more.currently_due),
                "disabled_reason": spec.disabled_reason,
                "eventually_due": due(&[more.currently_due.as_slice(), &more.eventually_due].concat()),
                "past_due": spec.past_due,
                "pending_verification": more.pending_verification,
            },
            "settings": { "payouts": {
                "debit_negative_balances": more.debits_negative,
                "schedule": schedule(account),
                "statement_descriptor": more.statement_descriptor,
            } },
            "type": if platform { "standard" } else { "express" },
        }),
    );
    object["metadata"] = json!(spec.metadata);
    object["capabilities"] = Value::Object(capabilities);
    object
}

/// Each capability as an object of its own.
pub(crate) fn capabilities(account: &Account) -> Vec<Value> {
    let draw = |(name, state): (String, String)| {
        laid_over(
            "capability",
            json!({
                "id": name, "account": account.spec.id, "requested": true, "requested_at": account.created_s,
                "status": state,
                "requirements": { "disabled_reason": Value::Null, "currently_due": account.more.currently_due },
            }),
        )
    };
    account.capabilities().into_iter().map(draw).collect()
}

fn controller(platform: bool) -> Value {
    if platform {
        return json!({ "type": "account" });
    }
    json!({
        "type": "application",
        "is_controller": true,
        "fees": { "payer": "application_express" },
        "losses": { "payments": "application" },
        "requirement_collection": "stripe",
        "stripe_dashboard": { "type": "express" },
    })
}

fn schedule(account: &Account) -> Value {
    let (spec, more) = (&account.spec, &account.more);
    let mut schedule = json!({ "delay_days": spec.delay_days, "interval": spec.schedule });
    match spec.schedule.as_str() {
        "weekly" => schedule["weekly_anchor"] = more.weekly_anchor.as_deref().unwrap_or("monday").into(),
        "monthly" => schedule["monthly_anchor"] = more.monthly_anchor.unwrap_or(1).into(),
        _ => {}
    }
    schedule
}

pub(crate) fn balance(account: &Account, livemode: bool, platform: bool) -> Value {
    let amounts = |pick: fn(&crate::purse::Purse) -> i64| -> Vec<Value> {
        let row = |(currency, purse): (&String, &crate::purse::Purse)| {
            let amount = pick(purse);
            json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
        };
        if account.purses.is_empty() {
            return vec![row((&account.spec.currency, &crate::purse::Purse::default()))];
        }
        account.purses.iter().map(row).collect()
    };
    let mut object = laid_over(
        "balance",
        json!({
            "available": amounts(|purse| purse.available),
            "livemode": livemode,
            "pending": amounts(|purse| purse.pending),
        }),
    );
    if let (false, Some(fields)) = (platform, object.as_object_mut()) {
        fields.remove("connect_reserved");
    }
    object
}

pub(crate) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}

/// What an event of the twin's carries besides its object.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) created_s: i64,
    pub(crate) livemode: bool,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) idempotency_key: Option<&'a str>,
}

pub(crate) fn event(envelope: &Envelope<'_>, object: Value, previous: Option<Value>) -> Value {
    let mut event = laid_over(
        "event",
        json!({
            "id": envelope.id,
            "api_version": crate::API_VERSION,
            "created": envelope.created_s,
            "livemode": envelope.livemode,
            "pending_webhooks": 1,
            "request": { "id": envelope.request_id, "idempotency_key": envelope.idempotency_key },
            "type": envelope.kind,
        }),
    );
    event["data"] = json!({ "object": object });
    if let Some(previous) = previous {
        event["data"]["previous_attributes"] = previous;
    }
    if let Some(account) = envelope.account {
        event["account"] = account.into();
    }
    event
}

/// The old values of what changed, as in `previous_attributes`; none when nothing did.
pub(crate) fn previous(old: &Value, new: &Value) -> Option<Value> {
    let (old, new) = (old.as_object()?, new.as_object()?);
    let mut changed = Map::new();
    for (name, value) in old {
        let now = new.get(name).unwrap_or(&Value::Null);
        if now == value {
            continue;
        }
        let inner = if value.is_object() { previous(value, now) } else { None };
        changed.insert(name.clone(), inner.unwrap_or_else(|| value.clone()));
    }
    (!changed.is_empty()).then_some(Value::Object(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_example_is_there_and_complete() {
        for name in ["account", "balance", "bank_account", "event", "payout"] {
            assert_eq!(example(name)["object"], name);
        }
        assert_eq!(example("account")["settings"]["payouts"]["schedule"]["interval"], "daily");
    }

    #[test]
    fn previous_attributes_hold_only_what_changed() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": [1] });
        let new = json!({ "a": 1, "b": { "c": 3, "d": 2 }, "e": [2] });
        assert_eq!(previous(&old, &new), Some(json!({ "b": { "c": 1 }, "e": [1] })));
        assert_eq!(previous(&old, &old), None);
    }
}
