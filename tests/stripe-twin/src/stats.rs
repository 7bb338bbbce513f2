//! What the twin counted: requests, refusals, faults, money requests at once.
//! Written by the world, read by tests through `/_twin/stats`. Invariant: counts only grow.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::clock::Now;

/// Counters of one twin.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Requests by endpoint.
    pub requests: BTreeMap<String, u64>,
    /// Answers by `endpoint status`.
    pub answers: BTreeMap<String, u64>,
    /// 429s by reason; `lock_timeout` is one of them.
    pub limited: BTreeMap<String, u64>,
    /// Faults that struck, by name.
    pub faults: BTreeMap<String, u64>,
    /// Answers given from a stored idempotency key.
    pub replays: u64,
    /// Payouts executed.
    pub executed: u64,
    /// Money requests being answered now.
    pub money_in_flight: u64,
    /// The most money requests at once.
    pub money_in_flight_max: u64,
    /// The most money requests within any second.
    pub money_per_second_max: u64,
    /// When the last money request came, by the twin's Date.
    pub last_money_request_at_ms: Option<i64>,
    /// Rolled-forward and late executions still to come.
    pub executions_due: u64,
    /// Payouts on their way to paid or failed.
    pub settlements_due: u64,
    /// Webhook deliveries.
    pub webhooks: Webhooks,
    #[serde(skip)]
    recent_ms: VecDeque<i64>,
}

/// Counts of webhook deliveries.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Webhooks {
    /// Events made.
    pub made: u64,
    /// Events answered with 2xx.
    pub delivered: u64,
    /// Events not yet delivered.
    pub pending: u64,
    /// Attempts that weren't answered with 2xx.
    pub failed: u64,
    /// Events given up: a fault, a full queue, or nobody to send them to.
    pub lost: u64,
}

impl Stats {
    pub(crate) fn count(map: &mut BTreeMap<String, u64>, name: &str) {
        *map.entry(name.to_owned()).or_default() += 1;
    }

    pub(crate) fn money_arrives(&mut self, now: Now) {
        self.money_in_flight += 1;
        self.money_in_flight_max = self.money_in_flight_max.max(self.money_in_flight);
        self.last_money_request_at_ms = Some(now.date_ms);
        self.recent_ms.push_back(now.wall_ms);
        while self.recent_ms.front().is_some_and(|at_ms| now.wall_ms - at_ms >= 1000) {
            self.recent_ms.pop_front();
        }
        let in_second = u64::try_from(self.recent_ms.len()).unwrap_or(u64::MAX);
        self.money_per_second_max = self.money_per_second_max.max(in_second);
    }

    pub(crate) fn money_leaves(&mut self) {
        self.money_in_flight = self.money_in_flight.saturating_sub(1);
    }
}
