//! The GET endpoints: payouts, balances, accounts; the marketplace's are in `lists`. Reads only.
//! Called by the world. Invariant: lists are newest first and a cursor never shows a row twice.

use serde_json::Value;

use crate::clock::Now;
use crate::errors::ApiError;
use crate::form::Form;
use crate::payout::Payout;
use crate::routes::{Endpoint, Route};
use crate::shape;
use crate::world::World;

const LIST_PARAMS: [&str; 8] =
    ["arrival_date", "created", "destination", "ending_before", "expand", "limit", "starting_after", "status"];
const STATUSES: [&str; 4] = ["canceled", "failed", "paid", "pending"];

/// How much of a list, and from where.
pub(crate) struct Page {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
}

impl Page {
    pub(crate) fn read(query: &Form) -> Result<Self, ApiError> {
        let limit = query.integer("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let text = if limit < 1 {
                "This value must be greater than or equal to 1."
            } else {
                "This value must be less than or equal to 100."
            };
            return Err(ApiError::invalid("limit", text));
        }
        let cursor = |name: &str| query.get(name).map(str::to_owned);
        let page = Self {
            limit: usize::try_from(limit).unwrap_or(10),
            starting_after: cursor("starting_after"),
            ending_before: cursor("ending_before"),
        };
        if page.starting_after.is_some() && page.ending_before.is_some() {
            let text = "You may only specify one of these parameters: ending_before, starting_after.";
            return Err(ApiError::invalid("starting_after", text));
        }
        Ok(page)
    }

    /// Cuts the page out of `rows` (newest first); `place` finds a cursor's rank among all rows, newest first.
    pub(crate) fn cut<T>(
        &self,
        rows: impl Iterator<Item = (usize, T)>,
        what: &str,
        place: impl Fn(&str) -> Option<usize>,
    ) -> Result<(Vec<T>, bool), ApiError> {
        let find = |cursor: &Option<String>, param: &str| match cursor {
            Some(id) => place(id).map(Some).ok_or_else(|| ApiError::no_such(what, id, param, 400)),
            None => Ok(None),
        };
        let after = find(&self.starting_after, "starting_after")?;
        let before = find(&self.ending_before, "ending_before")?;
        let wanted = rows
            .filter(|(rank, _)| after.is_none_or(|after| *rank > after))
            .take_while(|(rank, _)| before.is_none_or(|before| *rank < before));
        if before.is_some() {
            // The rows just before the cursor, still newest first.
            let mut rows: Vec<T> = wanted.map(|(_, row)| row).collect();
            let cut = rows.len().saturating_sub(self.limit);
            return Ok((rows.split_off(cut), cut > 0));
        }
        let mut rows: Vec<T> = wanted.take(self.limit + 1).map(|(_, row)| row).collect();
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        Ok((rows, has_more))
    }
}

impl World {
    /// Answers a read.
    pub(crate) fn read(&self, now: Now, account: &str, endpoint: &Endpoint, query: &Form) -> Result<Value, ApiError> {
        let id = endpoint.id(0);
        match endpoint.route {
            Route::PayoutRetrieve => self.payout_retrieve(account, id, query),
            Route::PayoutList => self.payout_list(account, query),
            Route::Balance => self.balance(account, query),
            Route::BalanceSettings => {
                unexpanded(query, &["expand"])?;
                Ok(crate::settings::balance_settings(self.account_of(account)?))
            }
            Route::AccountOwn => self.account_retrieve(account, query),
            Route::AccountRetrieve => self.account_retrieve(id, query),
            Route::AccountList => self.account_list(query),
            Route::CapabilityList => self.capability_list(id, query),
            Route::ExternalList => self.external_list(id, query),
            Route::ExternalRetrieve => self.external_retrieve((id, endpoint.id(1)), query),
            Route::EventList => self.event_list(now, account, query),
            Route::EventRetrieve => self.event_retrieve(now, account, id, query),
            Route::HookList => self.hook_list(query),
            Route::HookRetrieve => self.hook_retrieve(id, query),
            _ => self.read_market(account, endpoint, query),
        }
    }

    fn capability_list(&self, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let account = self.account_of(id)?;
        Ok(shape::list(&format!("/v1/accounts/{id}/capabilities"), shape::capabilities(account), false))
    }

    fn external_list(&self, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["ending_before", "expand", "limit", "object", "starting_after"])?;
        let account = self.account_of(id)?;
        let page = Page::read(query)?;
        let rank = |id: &str| account.banks.iter().position(|bank| bank.id == id);
        let (rows, has_more) = page.cut(account.banks.iter().enumerate(), "external account", rank)?;
        let data = rows.into_iter().map(|bank| shape::bank(account, bank)).collect();
        Ok(shape::list(&format!("/v1/accounts/{id}/external_accounts"), data, has_more))
    }

    fn external_retrieve(&self, (id, bank): (&str, &str), query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let account = self.account_of(id)?;
        let found = account.bank(bank).map(|bank| shape::bank(account, bank));
        found.ok_or_else(|| ApiError::no_such("external account", bank, "id", 404))
    }

    pub(crate) fn payout_retrieve(&self, account: &str, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let payout = self.payout_places.get(id).and_then(|place| self.payouts.get(*place));
        let payout = payout.filter(|payout| payout.account == account);
        let payout = payout.ok_or_else(|| ApiError::no_such("payout", id, "payout", 404))?;
        Ok(shape::payout(payout, self.rules.livemode))
    }

    pub(crate) fn payout_list(&self, account: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &LIST_PARAMS)?;
        let page = Page::read(query)?;
        let (created, arrival) = (query.range("created")?, query.range("arrival_date")?);
        let (status, destination) = (query.get("status"), query.get("destination"));
        if status.is_some_and(|status| !STATUSES.contains(&status)) {
            let text = "Invalid status: must be one of canceled, failed, paid, or pending";
            return Err(ApiError::invalid("status", text));
        }
        let places = self.accounts.get(account).map(|account| account.payouts.as_slice()).unwrap_or_default();
        let wanted = |payout: &Payout| {
            created.holds(payout.created)
                && arrival.holds(payout.arrival_date)
                && status.is_none_or(|status| payout.status.word() == status)
                && destination.is_none_or(|destination| payout.destination == destination)
        };
        let newest_first = places.iter().rev().filter_map(|place| self.payouts.get(*place));
        let rows = newest_first.enumerate().filter(|(_, payout)| wanted(payout));
        let rank = |id: &str| {
            let place = self.payout_places.get(id)?;
            Some(places.len() - 1 - places.binary_search(place).ok()?)
        };
        let (rows, has_more) = page.cut(rows, "payout", rank)?;
        let data = rows.into_iter().map(|payout| shape::payout(payout, self.rules.livemode)).collect();
        Ok(shape::list("/v1/payouts", data, has_more))
    }

    pub(crate) fn balance(&self, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let account = self.accounts.get(id).ok_or_else(|| ApiError::no_such("account", id, "account", 404))?;
        Ok(shape::balance(account, self.rules.livemode, id == crate::PLATFORM_ACCOUNT))
    }

    pub(crate) fn account_retrieve(&self, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let account = self.accounts.get(id).ok_or_else(|| ApiError::no_such("account", id, "account", 404))?;
        Ok(shape::account(account, id == crate::PLATFORM_ACCOUNT))
    }

    pub(crate) fn account_list(&self, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["created", "ending_before", "expand", "limit", "starting_after"])?;
        let page = Page::read(query)?;
        let created = query.range("created")?;
        let newest_first = self.account_order.iter().rev().filter_map(|id| self.accounts.get(id));
        let rows = newest_first.enumerate().filter(|(_, account)| created.holds(account.created_s));
        let rank = |id: &str| self.account_order.iter().rev().position(|other| other == id);
        let (rows, has_more) = page.cut(rows, "account", rank)?;
        let data = rows.into_iter().map(|account| shape::account(account, false)).collect();
        Ok(shape::list("/v1/accounts", data, has_more))
    }
}

/// Only these parameters, and nothing expanded: the twin expands no property and says so.
pub(crate) fn unexpanded(query: &Form, known: &[&str]) -> Result<(), ApiError> {
    query.only(known)?;
    match query.map("expand").values().next() {
        Some(what) => Err(ApiError::invalid("expand", &format!("This property cannot be expanded ({what})."))),
        None => Ok(()),
    }
}
