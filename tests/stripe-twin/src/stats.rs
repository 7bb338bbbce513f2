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
    /// Payouts executed that the API was asked for; reversals, Stripe's own and hand-made ones apart.
    pub executed: u64,
    /// Reversals of payouts made.
    pub reversals: u64,
    /// Money requests being answered now.
    pub money_in_flight: u64,
    /// The most money requests at once.
    pub money_in_flight_max: u64,
    /// The most payout creates within any second.
    pub money_per_second_max: u64,
    /// When the last money request came, by the twin's Date.
    pub last_money_request_at_ms: Option<i64>,
    /// Rolled-forward and late executions still to come.
    pub executions_due: u64,
    /// Payouts on their way to paid or failed.
    pub settlements_due: u64,
    /// Webhook deliveries.
    pub webhooks: Webhooks,
    /// Deliveries to the endpoints made through the API.
    pub endpoints: Webhooks,
    /// Reads, and how many Stripe would allow.
    pub reads: Reads,
    /// What the check against the OpenAPI copy found.
    pub openapi: crate::openapi::Findings,
    /// Scripted life still to come.
    pub life_due: u64,
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
    /// Of these, those that were tried and wait for the Date of their next try.
    pub again: u64,
    /// Attempts that weren't answered with 2xx.
    pub failed: u64,
    /// Events given up: a fault, a full queue, or nobody to send them to.
    pub lost: u64,
}

impl Stats {
    pub(crate) fn count(map: &mut BTreeMap<String, u64>, name: &str) {
        *map.entry(name.to_owned()).or_default() += 1;
    }

    pub(crate) fn money_arrives(&mut self, now: Now, is_create: bool) {
        self.money_in_flight += 1;
        self.money_in_flight_max = self.money_in_flight_max.max(self.money_in_flight);
        self.last_money_request_at_ms = Some(now.date_ms);
        if !is_create {
            return;
        }
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

/// Days of the read allocation.
const READ_DAYS: i64 = 30;
/// Reads that every platform has in those days.
const READS_MIN: u64 = 10_000;
/// Reads for each transaction.
const READS_PER_TRANSACTION: u64 = 500;

/// Stripe's read allocation: so many reads for each transaction over a rolling 30 days of the Date. Counted, not enforced.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reads {
    /// GET requests let in within the last 30 days.
    pub used: u64,
    /// Sales within the last 30 days.
    pub transactions: u64,
    /// What Stripe would allow.
    pub allowed: u64,
    #[serde(skip)]
    by_day: BTreeMap<i64, (u64, u64)>,
}

impl Reads {
    fn today(&mut self, now: Now) -> &mut (u64, u64) {
        self.by_day.entry(now.date_s().div_euclid(86_400)).or_default()
    }

    pub(crate) fn read(&mut self, now: Now) {
        self.today(now).0 += 1;
    }

    pub(crate) fn transaction(&mut self, now: Now) {
        self.today(now).1 += 1;
    }

    /// Adds up the days that count now.
    pub(crate) fn sum_up(&mut self, now: Now) {
        let from = now.date_s().div_euclid(86_400) - READ_DAYS + 1;
        let days = self.by_day.range(from..);
        let (used, transactions) = days.fold((0, 0), |sum, (_, day)| (sum.0 + day.0, sum.1 + day.1));
        let allowed = READS_MIN.max(transactions.saturating_mul(READS_PER_TRANSACTION));
        (self.used, self.transactions, self.allowed) = (used, transactions, allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_counts_for_thirty_days() {
        let day = |day: i64| Now { wall_ms: 0, date_ms: day * 86_400_000 };
        let mut reads = Reads::default();
        reads.read(day(1));
        (0..30).for_each(|_| reads.transaction(day(2)));
        reads.sum_up(day(30));
        assert_eq!((reads.used, reads.transactions, reads.allowed), (1, 30, 15_000));
        reads.sum_up(day(31));
        assert_eq!((reads.used, reads.allowed), (0, 15_000));
        reads.sum_up(day(99));
        assert_eq!(reads.allowed, 10_000);
    }
}
