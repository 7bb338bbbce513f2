//! Every event of the last 30 days of the Date, as `GET /v1/events` shows them.
//! Filled by `emit`, marked by the deliverers. Invariant: an event belongs to one account, and a list shows it to no other.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use serde_json::Value;

use crate::clock::Now;
use crate::errors::ApiError;
use crate::form::Form;
use crate::read::{Page, unexpanded};
use crate::shape;
use crate::world::World;

/// How long Stripe keeps events, in seconds.
const KEPT_S: i64 = 30 * 86_400;
/// Events kept at most; beyond this the oldest are forgotten early.
const HELD_MAX: usize = 300_000;
/// Types that one list may ask for.
const TYPES_MAX: usize = 20;

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) created: i64,
    pub(crate) body: Bytes,
    /// Webhook targets that haven't accepted it yet.
    pub(crate) owed: u32,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    rows: VecDeque<Row>,
    /// The number of the oldest row.
    first: u64,
    numbers: HashMap<String, u64>,
    by_account: HashMap<String, VecDeque<u64>>,
}

impl EventLog {
    pub(crate) fn push(&mut self, date_s: i64, row: Row) {
        while self.rows.len() >= HELD_MAX || self.rows.front().is_some_and(|row| row.created < date_s - KEPT_S) {
            self.forget_oldest();
        }
        let number = self.first + u64::try_from(self.rows.len()).unwrap_or_default();
        self.numbers.insert(row.id.clone(), number);
        self.by_account.entry(row.account.clone()).or_default().push_back(number);
        self.rows.push_back(row);
    }

    fn forget_oldest(&mut self) {
        let Some(row) = self.rows.pop_front() else {
            return;
        };
        self.first += 1;
        self.numbers.remove(&row.id);
        if let Some(numbers) = self.by_account.get_mut(&row.account) {
            numbers.pop_front();
        }
    }

    fn row(&self, number: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn find(&self, id: &str) -> Option<&Row> {
        self.row(*self.numbers.get(id)?)
    }

    /// A webhook target has accepted it, or never will be asked again.
    pub(crate) fn settle(&mut self, id: &str) {
        let at = self.numbers.get(id).and_then(|number| usize::try_from(number.checked_sub(self.first)?).ok());
        if let Some(row) = at.and_then(|at| self.rows.get_mut(at)) {
            row.owed = row.owed.saturating_sub(1);
        }
    }
}

/// The event as it was sent, but for how many webhooks are still to accept it.
fn draw(row: &Row) -> Value {
    let mut event: Value = serde_json::from_slice(&row.body).unwrap_or_default();
    event["pending_webhooks"] = row.owed.into();
    event
}

impl World {
    pub(crate) fn event_retrieve(&self, now: Now, account: &str, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let row = self.log.find(id).filter(|row| row.account == account && row.created >= now.date_s() - KEPT_S);
        row.map(draw).ok_or_else(|| ApiError::no_such("event", id, "id", 404))
    }

    pub(crate) fn event_list(&self, now: Now, account: &str, query: &Form) -> Result<Value, ApiError> {
        const PARAMS: [&str; 8] =
            ["created", "delivery_success", "ending_before", "expand", "limit", "starting_after", "type", "types"];
        unexpanded(query, &PARAMS)?;
        let page = Page::read(query)?;
        let created = query.range("created")?;
        let mut types = query.list("types");
        if types.len() > TYPES_MAX {
            return Err(ApiError::invalid("types", "You may pass up to 20 types."));
        }
        if !types.is_empty() && query.get("type").is_some() {
            return Err(ApiError::invalid("type", "You may pass only one of type and types."));
        }
        types.extend(query.text("type"));
        let delivered = query.boolean("delivery_success")?;
        let none = VecDeque::new();
        let numbers = self.log.by_account.get(account).unwrap_or(&none);
        let wanted = |row: &Row| {
            created.holds(row.created)
                && row.created >= now.date_s() - KEPT_S
                && (types.is_empty() || types.iter().any(|kind| matches_kind(kind, &row.kind)))
                && delivered.is_none_or(|delivered| delivered == (row.owed == 0))
        };
        let newest_first = numbers.iter().rev().filter_map(|number| self.log.row(*number));
        let rows = newest_first.enumerate().filter(|(_, row)| wanted(row));
        let rank = |id: &str| {
            let number = self.log.numbers.get(id)?;
            Some(numbers.len() - 1 - numbers.binary_search(number).ok()?)
        };
        let (rows, has_more) = page.cut(rows, "event", rank)?;
        Ok(shape::list("/v1/events", rows.into_iter().map(draw).collect(), has_more))
    }
}

/// `payout.*` stands for all of its kind.
pub(crate) fn matches_kind(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => wanted == kind,
    }
}
