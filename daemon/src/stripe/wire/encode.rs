//! Requests: method, path, query and body by async-stripe's builders, so that the names and encodings are Stripe's own.
use crate::stripe::{EventsRequest, ListRequest, MovementsRequest, ObjectsRequest, TransfersRequest, event};
use payout_shared::{
    attempt::METADATA_KEY,
    currency::Currency,
    id::{AccountId, DestinationId, ObjectId},
};
use std::collections::HashMap;
use stripe_client_core::{RequestBuilder, StripeRequest};
use stripe_connect::account::{ListAccount, RetrieveAccount, RetrieveForMyAccountAccount};
use stripe_core::{
    balance::RetrieveForMyAccountBalance,
    payout::{CancelPayout, CreatePayout, CreatePayoutMethod, ListPayout, RetrievePayout, ReversePayout},
};
use stripe_types::RangeQueryTs;

/// Where a create goes.
pub const CREATE_PATH: &str = "/v1/payouts";

/// A read: where it goes, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Path and query.
    pub path: String,
    /// `Stripe-Account`; `None` = the platform.
    pub account: Option<AccountId>,
}

/// The body of a create: `amount`, `currency`, `destination`, our key in the metadata, `method=standard`. One metadata entry
/// only: the builder keeps metadata in a hash map, and two would leave in any order.
#[must_use]
pub fn create_body(key: &str, amount_minor: i64, currency: Currency, destination: &DestinationId) -> String {
    let code = currency.as_str();
    let currency = code.parse().unwrap_or_else(|_| stripe_types::Currency::Unknown(code.to_owned()));
    let request = CreatePayout::new(amount_minor, currency)
        .destination(destination.as_str())
        .metadata(metadata(key))
        .method(CreatePayoutMethod::Standard);
    request.build().body.unwrap_or_default()
}

/// Where the cancel of a payout goes.
#[must_use]
pub fn cancel_path(payout: &ObjectId) -> String {
    v1(&CancelPayout::new(payout.as_str()).build())
}

/// The body of a cancel: empty.
#[must_use]
pub fn cancel_body() -> String {
    String::new()
}

/// Where the reversal of a payout goes.
#[must_use]
pub fn reverse_path(payout: &ObjectId) -> String {
    v1(&ReversePayout::new(payout.as_str()).build())
}

/// The body of a reversal: our key in the metadata of the payout that it makes.
#[must_use]
pub fn reverse_body(key: &str) -> String {
    ReversePayout::new("po").metadata(metadata(key)).build().body.unwrap_or_default()
}

fn metadata(key: &str) -> HashMap<String, String> {
    HashMap::from([(METADATA_KEY.to_owned(), key.to_owned())])
}

pub(crate) fn get_account(account: &AccountId) -> Get {
    Get { path: v1(&RetrieveAccount::new(account.as_str()).build()), account: None }
}

pub(crate) fn get_platform() -> Get {
    Get { path: v1(&RetrieveForMyAccountAccount::new().build()), account: None }
}

pub(crate) fn get_balance(account: &AccountId) -> Get {
    Get { path: v1(&RetrieveForMyAccountBalance::new().build()), account: Some(account.clone()) }
}

pub(crate) fn get_payout(account: &AccountId, payout: &ObjectId) -> Get {
    Get { path: v1(&RetrievePayout::new(payout.as_str()).build()), account: Some(account.clone()) }
}

/// The largest page that Stripe gives.
const PAGE_MAX: i64 = 100;

/// All connected accounts, behind one of them.
#[must_use]
pub fn list_accounts(after: Option<&AccountId>) -> Get {
    let mut list = ListAccount::new().limit(PAGE_MAX);
    if let Some(after) = after {
        list = list.starting_after(after.as_str());
    }
    Get { path: v1(&list.build()), account: None }
}

pub(crate) fn list_payouts(request: &ListRequest) -> Get {
    let mut list = ListPayout::new().created(RangeQueryTs::gte(request.created_from_s)).limit(PAGE_MAX);
    if let Some(after) = &request.starting_after {
        list = list.starting_after(after.as_str());
    }
    Get { path: v1(&list.build()), account: Some(request.account.clone()) }
}

/// A page of balance transactions, written by hand: the builder for it brings a module of its own, and this is a path and three words.
pub(crate) fn list_movements(request: &MovementsRequest) -> Get {
    let mut path = format!("/v1/balance_transactions?created%5Bgte%5D={}&limit={PAGE_MAX}", request.created_from_s);
    push_word(&mut path, "starting_after", request.starting_after.as_deref());
    Get { path, account: Some(request.account.clone()) }
}

/// A page of the platform's transfers to an account, likewise.
#[must_use]
pub fn list_transfers(request: &TransfersRequest) -> Get {
    let mut path = format!("/v1/transfers?created%5Bgte%5D={}&limit={PAGE_MAX}", request.created_from_s);
    push_word(&mut path, "destination", Some(request.destination.as_str()));
    push_word(&mut path, "starting_after", request.starting_after.as_deref());
    Get { path, account: None }
}

/// A page of the platform's objects of a list, likewise.
#[must_use]
pub fn list_objects(request: &ObjectsRequest) -> Get {
    let (list, from_s) = (request.list.as_str(), request.created_from_s);
    let mut path = format!("/v1/{list}?created%5Bgte%5D={from_s}&limit={PAGE_MAX}");
    push_word(&mut path, "starting_after", request.starting_after.as_deref());
    Get { path, account: None }
}

/// A page of the platform's events that tell about money, likewise.
#[must_use]
pub fn list_events(request: &EventsRequest) -> Get {
    let mut path = format!("/v1/events?created%5Bgte%5D={}&limit={PAGE_MAX}", request.created_from_s);
    for kind in event::SWEPT_TYPES {
        path.push_str("&types%5B%5D=");
        path.push_str(kind);
    }
    push_word(&mut path, "starting_after", request.starting_after.as_deref());
    Get { path, account: None }
}

/// One more word of a query, when there is one.
fn push_word(path: &mut String, name: &str, word: Option<&str>) {
    let Some(word) = word else { return };
    path.push_str(&format!("&{name}="));
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Path and query as they go on the wire. An empty query is left out.
fn v1(request: &RequestBuilder) -> String {
    match request.query.as_deref() {
        None | Some("") => format!("/v1{}", request.path),
        Some(query) => format!("/v1{}?{query}", request.path),
    }
}
