//! The JSON of what is sold, moved, given back and disputed, and of balance transactions.
//! Called by endpoints and events; reads only. Invariant: as in `shape`, no field of the published example is left out.

use serde_json::{Map, Value, json};

use crate::dispute::Dispute;
use crate::ids;
use crate::market::{Intent, IntentStatus, Market};
use crate::shape::{laid_over, list};
use crate::txn::Txn;

/// The platform's own application.
pub(crate) const APPLICATION: &str = "ca_1TwinApplication00000000000000";

fn row<T: Clone>(rows: &[T], places: &[usize], draw: impl Fn(usize, &T) -> Value) -> Vec<Value> {
    places.iter().rev().filter_map(|place| rows.get(*place).map(|found| draw(*place, found))).collect()
}

/// Puts in fields whole, where laying over would merge them with the example's.
fn with(mut object: Value, fields: Value) -> Value {
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

pub(crate) fn txn(txn: &Txn) -> Value {
    let entry = &txn.entry;
    let (kind, category) = entry.kind.words();
    let fee_kind = match entry.kind {
        crate::txn::TxnKind::Payment => "application_fee",
        _ => "stripe_fee",
    };
    let application = (fee_kind == "application_fee").then_some(APPLICATION);
    let fees = json!([{
        "amount": entry.fee, "application": application, "currency": entry.currency,
        "description": if application.is_some() { "Marketplace application fee" } else { "Stripe processing fees" },
        "type": fee_kind,
    }]);
    let rate = entry.converted.as_ref().filter(|(_, of)| *of != 0).and_then(|(_, of)| {
        // Six decimals, as Stripe shows them; the amounts themselves never pass through a float.
        let millionths = i128::from(entry.amount) * 1_000_000 / i128::from(*of);
        format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000).parse::<f64>().ok()
    });
    with(
        laid_over("balance_transaction", json!({})),
        json!({
            "id": txn.id,
            "amount": entry.amount,
            "available_on": txn.available_on,
            "created": txn.created,
            "currency": entry.currency,
            "description": Value::Null,
            "exchange_rate": rate,
            "fee": entry.fee,
            "fee_details": if entry.fee == 0 { json!([]) } else { fees },
            "net": txn.net(),
            "reporting_category": category,
            "source": entry.source,
            "status": if txn.is_available { "available" } else { "pending" },
            "type": kind,
        }),
    )
}

pub(crate) fn intent(intent: &Intent, livemode: bool) -> Value {
    let new = &intent.new;
    let received = if intent.status == IntentStatus::Succeeded { new.amount } else { 0 };
    let mut transfer_data = transfer_data(new.destination.as_deref(), new.transfer_amount);
    if let (None, Some(fields)) = (new.transfer_amount, transfer_data.as_object_mut()) {
        // A charge says null here, an intent says nothing.
        fields.remove("amount");
    }
    with(
        laid_over("payment_intent", json!({})),
        json!({
            "id": intent.id,
            "amount": new.amount,
            "amount_received": received,
            "application_fee_amount": new.fee,
            "canceled_at": Value::Null,
            "client_secret": format!("{}_secret_{}", intent.id, ids::salt(8, &intent.id)),
            "created": intent.created,
            "currency": new.currency,
            "description": new.description,
            "last_payment_error": Value::Null,
            "latest_charge": intent.charge,
            "livemode": livemode,
            "managed_payments": Value::Null,
            "metadata": new.metadata,
            "next_action": Value::Null,
            "on_behalf_of": new.on_behalf_of,
            "payment_method": new.payment_method.as_ref().map(|_| payment_method(&intent.id)),
            "payment_method_configuration_details": Value::Null,
            "processing": Value::Null,
            "shipping": Value::Null,
            "status": intent.status.word(),
            "transfer_data": transfer_data,
            "transfer_group": new.transfer_group,
        }),
    )
}

fn payment_method(of: &str) -> String {
    format!("pm_1Twin{}", ids::salt(9, of))
}

fn transfer_data(destination: Option<&str>, amount: Option<i64>) -> Value {
    destination.map_or(Value::Null, |destination| json!({ "amount": amount, "destination": destination }))
}

pub(crate) fn charge(market: &Market, place: usize, livemode: bool) -> Value {
    let Some(charge) = market.charges.rows.get(place) else {
        return Value::Null;
    };
    let new = &charge.new;
    let (transfer, fee) = market.of_charge(charge);
    let refunds = row(&market.refunds.rows, &charge.refunds, |place, _| refund(market, place));
    let group = transfer.and_then(|transfer| transfer.transfer_group.clone()).or_else(|| new.transfer_group.clone());
    let mut object = with(
        laid_over("charge", json!({})),
        json!({
            "id": charge.id,
            "amount": new.amount,
            "amount_captured": new.amount,
            "amount_refunded": charge.refunded,
            "application": Value::Null,
            "application_fee": fee.map(|fee| &fee.id),
            "application_fee_amount": new.fee,
            "balance_transaction": charge.txn,
            "captured": true,
            "created": charge.created,
            "currency": new.currency,
            "description": new.description,
            "disputed": charge.dispute.is_some(),
            "livemode": livemode,
            "metadata": new.metadata,
            "on_behalf_of": new.on_behalf_of,
            "payment_intent": charge.intent,
            "payment_method": payment_method(&charge.intent),
            "receipt_url": format!("https://pay.stripe.com/receipts/payment/{}", ids::salt(6, &charge.id)),
            "refunded": charge.refunded == new.amount,
            "refunds": list(&format!("/v1/charges/{}/refunds", charge.id), refunds, false),
            "shipping": Value::Null,
            "source": Value::Null,
            "transfer_data": transfer_data(new.destination.as_deref(), new.transfer_amount),
            "transfer_group": group,
        }),
    );
    // Stripe leaves the field out when there is no transfer, rather than saying null.
    if let Some(transfer) = transfer {
        object["transfer"] = transfer.id.clone().into();
    }
    object
}

/// A transfer as its destination sees it: a payment, in the shape of a charge.
pub(crate) fn payment(market: &Market, place: usize, livemode: bool) -> Value {
    let Some(transfer) = market.transfers.rows.get(place) else {
        return Value::Null;
    };
    let charge = transfer.charge.and_then(|place| market.charges.rows.get(place));
    let fee = charge.and_then(|charge| charge.fee).and_then(|place| market.fees.rows.get(place));
    let refunds = row(&market.reversals.rows, &transfer.reversals, |_, reversal| {
        let whole = reversal.amount == transfer.amount;
        let part = crate::market::share(transfer.dest_amount, reversal.amount, transfer.amount);
        let amount = if whole { transfer.dest_amount } else { part };
        with(
            laid_over("refund", json!({})),
            json!({
                "id": reversal.payment_refund, "amount": amount, "charge": transfer.payment,
                "created": reversal.created, "currency": transfer.dest_currency,
                "source_transfer_reversal": reversal.id,
            }),
        )
    });
    with(
        laid_over("charge", json!({})),
        json!({
            "id": transfer.payment,
            "amount": transfer.dest_amount,
            "amount_captured": transfer.dest_amount,
            "amount_refunded": transfer.dest_reversed,
            "application": APPLICATION,
            "application_fee": fee.map(|fee| &fee.id),
            "application_fee_amount": fee.map(|_| transfer.dest_fee),
            "balance_transaction": transfer.dest_txn,
            "captured": true,
            "created": transfer.created,
            "currency": transfer.dest_currency,
            "description": transfer.description,
            "livemode": livemode,
            "metadata": {},
            "outcome": Value::Null,
            "payment_method": Value::Null,
            "payment_method_details": { "stripe_account": {}, "type": "stripe_account" },
            "receipt_url": Value::Null,
            "refunded": transfer.dest_amount > 0 && transfer.dest_reversed == transfer.dest_amount,
            "refunds": list(&format!("/v1/charges/{}/refunds", transfer.payment), refunds, false),
            "shipping": Value::Null,
            "source": Value::Null,
            "source_transfer": transfer.id,
            "transfer_data": Value::Null,
            "transfer_group": transfer.transfer_group,
        }),
    )
}

pub(crate) fn transfer(market: &Market, place: usize, livemode: bool) -> Value {
    let Some(transfer) = market.transfers.rows.get(place) else {
        return Value::Null;
    };
    let charge = transfer.charge.and_then(|place| market.charges.rows.get(place));
    let reversals = row(&market.reversals.rows, &transfer.reversals, |place, _| reversal(market, place));
    with(
        laid_over("transfer", json!({})),
        json!({
            "id": transfer.id,
            "amount": transfer.amount,
            "amount_reversed": transfer.reversed,
            "balance_transaction": transfer.txn,
            "created": transfer.created,
            "currency": transfer.currency,
            "description": transfer.description,
            "destination": transfer.destination,
            "destination_payment": transfer.payment,
            "livemode": livemode,
            "metadata": transfer.metadata,
            "reversals": list(&format!("/v1/transfers/{}/reversals", transfer.id), reversals, false),
            "reversed": transfer.reversed == transfer.amount,
            "source_transaction": charge.map(|charge| &charge.id),
            "transfer_group": transfer.transfer_group,
        }),
    )
}

pub(crate) fn reversal(market: &Market, place: usize) -> Value {
    let Some(reversal) = market.reversals.rows.get(place) else {
        return Value::Null;
    };
    let Some(transfer) = market.transfers.rows.get(reversal.transfer) else {
        return Value::Null;
    };
    with(
        laid_over("transfer_reversal", json!({})),
        json!({
            "id": reversal.id,
            "amount": reversal.amount,
            "balance_transaction": reversal.txn,
            "created": reversal.created,
            "currency": transfer.currency,
            "destination_payment_refund": reversal.payment_refund,
            "metadata": reversal.metadata,
            "source_refund": reversal.refund,
            "transfer": transfer.id,
        }),
    )
}

pub(crate) fn refund(market: &Market, place: usize) -> Value {
    let Some(refund) = market.refunds.rows.get(place) else {
        return Value::Null;
    };
    let Some(charge) = market.charges.rows.get(refund.charge) else {
        return Value::Null;
    };
    with(
        laid_over("refund", json!({})),
        json!({
            "id": refund.id,
            "amount": refund.amount,
            "balance_transaction": refund.txn,
            "charge": charge.id,
            "created": refund.created,
            "currency": charge.new.currency,
            "metadata": refund.metadata,
            "payment_intent": charge.intent,
            "reason": refund.reason,
            "transfer_reversal": refund.reversal,
        }),
    )
}

pub(crate) fn fee(market: &Market, place: usize, livemode: bool) -> Value {
    let Some(fee) = market.fees.rows.get(place) else {
        return Value::Null;
    };
    let (Some(charge), Some(transfer)) = (market.charges.rows.get(fee.charge), market.transfers.rows.get(fee.transfer))
    else {
        return Value::Null;
    };
    let refunds = row(&market.fee_refunds.rows, &fee.refunds, |place, _| fee_refund(market, place));
    with(
        laid_over("application_fee", json!({})),
        json!({
            "id": fee.id,
            "account": transfer.destination,
            "amount": fee.amount,
            "amount_refunded": fee.refunded,
            "application": APPLICATION,
            "balance_transaction": fee.txn,
            "charge": transfer.payment,
            "created": fee.created,
            "currency": charge.new.currency,
            "fee_source": { "charge": transfer.payment, "type": "charge" },
            "livemode": livemode,
            "originating_transaction": charge.id,
            "refunded": fee.refunded == fee.amount,
            "refunds": list(&format!("/v1/application_fees/{}/refunds", fee.id), refunds, false),
        }),
    )
}

pub(crate) fn fee_refund(market: &Market, place: usize) -> Value {
    let Some(refund) = market.fee_refunds.rows.get(place) else {
        return Value::Null;
    };
    let fee = market.fees.rows.get(refund.fee);
    let currency = fee.and_then(|fee| market.charges.rows.get(fee.charge)).map(|charge| &charge.new.currency);
    with(
        laid_over("fee_refund", json!({})),
        json!({
            "id": refund.id,
            "amount": refund.amount,
            "balance_transaction": refund.txn,
            "created": refund.created,
            "currency": currency,
            "fee": fee.map(|fee| &fee.id),
            "metadata": refund.metadata,
        }),
    )
}

/// Without its balance transactions.
pub(crate) fn dispute(market: &Market, place: usize, livemode: bool) -> Value {
    dispute_with(market, place, livemode, &[])
}

pub(crate) fn dispute_with(market: &Market, place: usize, livemode: bool, txns: &[Value]) -> Value {
    let Some(dispute) = market.disputes.rows.get(place) else {
        return Value::Null;
    };
    let Some(charge) = market.charges.rows.get(dispute.charge) else {
        return Value::Null;
    };
    let mut object = with(laid_over("dispute", json!({})), dispute_fields(dispute));
    object["charge"] = charge.id.clone().into();
    object["currency"] = charge.new.currency.clone().into();
    object["livemode"] = livemode.into();
    object["payment_intent"] = charge.intent.clone().into();
    object["balance_transactions"] = txns.into();
    object["evidence_details"]["due_by"] = dispute.due_by.into();
    object["evidence_details"]["submission_count"] = dispute.submissions.into();
    object["evidence_details"]["has_evidence"] = (dispute.submissions > 0).into();
    let case = if dispute.status.is_inquiry() { "inquiry" } else { "chargeback" };
    object["payment_method_details"]["card"]["case_type"] = case.into();
    object
}

fn dispute_fields(dispute: &Dispute) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), dispute.id.clone().into());
    fields.insert("amount".to_owned(), dispute.amount.into());
    fields.insert("created".to_owned(), dispute.created.into());
    fields.insert("is_charge_refundable".to_owned(), dispute.status.is_inquiry().into());
    fields.insert("metadata".to_owned(), json!(dispute.metadata));
    fields.insert("reason".to_owned(), dispute.reason.clone().into());
    fields.insert("status".to_owned(), dispute.status.word().into());
    Value::Object(fields)
}
