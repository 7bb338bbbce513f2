//! What a request asks for, in one sentence for people: made of the very detail that its hash is of.
use crate::store::door_types::RequestRow;
use payout_shared::{approval::RequestKind, currency::Currency, money::Money};
use serde_json::Value;

fn money(minor: &Value, currency: &Value) -> String {
    let currency = currency.as_str().and_then(|code| Currency::parse(code).ok());
    match (minor.as_i64(), currency) {
        (Some(minor), Some(currency)) => Money::new(minor, currency).to_string(),
        _ => "an amount that can't be read".to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn list(value: &Value, one: impl Fn(&Value) -> String) -> String {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The sentence.
#[must_use]
pub fn sentence(row: &RequestRow) -> String {
    let Ok(detail) = serde_json::from_str::<Value>(&row.detail) else { return row.detail.clone() };
    match row.kind {
        RequestKind::Run => {
            let amounts = list(&detail["amounts"], |sum| money(&sum["minor"], &sum["currency"]));
            let why = list(&detail["why"], |why| text(why).to_owned());
            format!("run {} with {} payouts of {amounts}: {why}", text(&detail["run"]), detail["payouts"])
        }
        RequestKind::Override => {
            let purses = list(&detail["purses"], |purse| match purse["destination"].as_str() {
                Some(bank) => format!("{} to bank account {bank}", text(&purse["account"])),
                None => {
                    format!("{} up to {}", text(&purse["account"]), money(&purse["up_to_minor"], &purse["currency"]))
                }
            });
            let (what, cycle) = (text(&detail["override"]).replace('_', " "), text(&detail["cycle"]));
            format!("{}: override of {what} in the cycle {cycle}: {purses}", row.subject)
        }
        RequestKind::Reversal => {
            let amounts = list(&detail["amounts"], |sum| money(&sum["minor"], &sum["currency"]));
            let (run, payouts) = (text(&detail["run"]), &detail["payouts"]);
            format!(
                "run {run} is taken back: {payouts} paid payouts of {amounts} are debited from their creators' bank accounts again"
            )
        }
        RequestKind::NotPaid => {
            let amount = money(&detail["amount"]["minor"], &detail["amount"]["currency"]);
            let (payout, creator, listings) = (text(&detail["payout"]), text(&detail["creator"]), &detail["listings"]);
            format!(
                "payout {payout} of {amount} to {creator} was not paid: {listings} of Stripe's lists didn't show it, no proof yet"
            )
        }
        RequestKind::Adjustment => {
            let amount = money(&detail["amount"]["minor"], &detail["amount"]["currency"]);
            let transfer = detail["transfer"].as_str().map_or_else(String::new, |id| format!(", carried by {id}"));
            let what = text(&detail["kind"]).replace('_', " ");
            format!("{}: {what} of {amount} on {}{transfer}", row.subject, text(&detail["account"]))
        }
    }
}
