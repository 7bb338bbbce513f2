//! What goes over the wire, both ways: requests by async-stripe's builders, answers into our own types.
//!
//! Who comes in: the live client, the event parser. Whom it may call: the core.
//! Invariant: an answer is read by async-stripe's types first and leanly when they refuse it; a status or an id that Stripe
//! gave is never lost on the way.
pub mod answer;
mod encode;
pub(crate) mod lean;
mod typed;

pub use encode::{
    CREATE_PATH, Get, cancel_body, cancel_path, create_body, list_accounts, list_events, list_objects, list_transfers,
    reverse_body, reverse_path,
};
pub(crate) use encode::{get_account, get_balance, get_payout, get_platform, list_movements, list_payouts};

use super::{AccountObject, AccountPage};
use payout_shared::{
    answer::PayoutObject,
    currency::Currency,
    entries::{Movement, Told},
    id::{AccountId, Mode},
};
use serde_json::Value;

/// `Stripe-Version`: what the builders and types of this build were generated from. Webhook endpoints are pinned to the same.
pub const API_VERSION: &str = "2026-09-30.endive";

/// What lies on an account's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceObject {
    /// Live or test.
    pub mode: Mode,
    /// What can be paid out now: minor units per currency, over all sources; may be negative.
    pub available: Vec<(Currency, i64)>,
    /// What isn't there yet, likewise.
    pub pending: Vec<(Currency, i64)>,
}

/// Reads a payout object seen on `account`.
///
/// # Errors
/// What is wrong with it, with its id and status where it has them: a payout that can't be read exists all the same.
pub fn payout(bytes: &[u8], account: &AccountId) -> Result<PayoutObject, String> {
    match typed::payout(bytes, account) {
        Some(object) => Ok(object),
        None => lean::payout(&value(bytes)?, account),
    }
}

/// Reads an account object.
///
/// # Errors
/// What is wrong with it.
pub fn account(bytes: &[u8]) -> Result<AccountObject, String> {
    match typed::account(bytes) {
        Some(object) => Ok(object),
        None => lean::account(&value(bytes)?),
    }
}

/// Reads a page of connected accounts. They are read leanly: one that async-stripe's types refuse would cost its whole page.
///
/// # Errors
/// What is wrong with the page. An account that can't be read, or doesn't say where and how it is paid, is left out of it: it is read
/// by itself.
pub fn accounts(bytes: &[u8]) -> Result<AccountPage, String> {
    lean::accounts(&value(bytes)?)
}

/// Reads a page of payouts seen on `account`, and whether there are more.
///
/// # Errors
/// What is wrong with it. One payout that can't be read fails the page: what isn't in a listing counts as absent, so a page
/// with a gap would be a lie.
pub fn payouts(bytes: &[u8], account: &AccountId) -> Result<(Vec<PayoutObject>, bool), String> {
    match typed::payouts(bytes, account) {
        Some(page) => Ok(page),
        None => lean::payouts(&value(bytes)?, account),
    }
}

/// Reads a page of an account's balance transactions, and whether there are more.
///
/// # Errors
/// What is wrong with it. One that can't be read fails the page: what it moved would be left out.
pub fn movements(bytes: &[u8]) -> Result<(Vec<Movement>, bool), String> {
    lean::movements(&value(bytes)?)
}

/// Reads a page of the platform's transfers: what they tell, and where the next page begins.
///
/// # Errors
/// What is wrong with the page. A transfer that can't be read tells nothing.
pub fn transfers(bytes: &[u8]) -> Result<(Vec<Told>, Option<String>), String> {
    let page = value(bytes)?;
    let (list, last) = page_of(&page)?;
    Ok((list.iter().flat_map(super::told::transfer).collect(), last))
}

/// Reads a page of the platform's objects: what they tell as they are at `said_ms` (Stripe's time), and where the next page begins.
///
/// # Errors
/// What is wrong with the page. An object that can't be read tells nothing.
pub fn objects(bytes: &[u8], said_ms: i64) -> Result<(Vec<Told>, Option<String>), String> {
    let page = value(bytes)?;
    let (list, last) = page_of(&page)?;
    Ok((list.iter().flat_map(|object| super::told::told(object, None, said_ms, None)).collect(), last))
}

/// A list, and its last one's id when there are more.
fn page_of(page: &Value) -> Result<(&[Value], Option<String>), String> {
    let (list, has_more) = lean::page_of(page, "objects")?;
    let last = list
        .last()
        .filter(|_| has_more)
        .map(|last| lean::owned(last, "id").ok_or_else(|| "a page whose last object has no id".to_owned()));
    Ok((list, last.transpose()?))
}

/// Reads a page of events: each whole, and where the next page begins.
///
/// # Errors
/// What is wrong with the page.
pub fn events(bytes: &[u8]) -> Result<(Vec<String>, Option<String>), String> {
    let page = value(bytes)?;
    let (list, last) = page_of(&page)?;
    Ok((list.iter().map(Value::to_string).collect(), last))
}

/// Reads a balance.
///
/// # Errors
/// What is wrong with it.
pub fn balance(bytes: &[u8]) -> Result<BalanceObject, String> {
    match typed::balance(bytes) {
        Some(balance) => Ok(balance),
        None => lean::balance(&value(bytes)?),
    }
}

fn value(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}; it begins {:?}", beginning(bytes)))
}

/// The first characters of a body, for people.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(240)]).chars().take(120).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
