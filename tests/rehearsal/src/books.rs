//! The daemon's books as they stand in its database, and every way in which they contradict themselves.
//!
//! Pure. Invariant: it knows the tables of migrations/ and none of the daemon's types.
use crate::compare::{Booked, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// A payout row.
#[derive(Clone, Debug)]
pub struct Payout {
    /// Its id.
    pub id: String,
    /// Its run.
    pub run_id: String,
    /// Whose.
    pub creator: String,
    /// The account.
    pub account: String,
    /// Lower case.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
    /// Its exact state.
    pub state: String,
    /// The object, or empty.
    pub object: String,
    /// A short word, or empty.
    pub cause: String,
    /// One sentence, or empty.
    pub sentence: String,
}

/// What a purse got in a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run.
    pub run_id: String,
    /// The account.
    pub account: String,
    /// Lower case.
    pub currency: String,
    /// Its payout, or empty.
    pub payout_id: String,
    /// Why none, or empty.
    pub reason: String,
    /// The same for people.
    pub sentence: String,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// `2026-12-01#2`
    pub label: String,
    /// Of all creators, not only of some named.
    pub of_all: bool,
    /// Its exact state.
    pub state: String,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds; 0 = not yet.
    pub started_at_ms: i64,
    /// Unix milliseconds; 0 = not yet.
    pub finished_at_ms: i64,
}

/// Everything that is compared or printed.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Create attempts.
    pub attempts: Vec<Booked>,
    /// Payouts.
    pub payouts: Vec<Payout>,
    /// Outcomes of purses.
    pub outcomes: Vec<Outcome>,
    /// Earned per purse (account, currency), minor units; carries left out.
    pub purses: BTreeMap<(String, String), i64>,
    /// Purses with entries that never were in a payout, and when the first of these was written (Unix milliseconds).
    pub free: BTreeMap<(String, String), i64>,
    /// Sum of the items of each payout.
    pub items: BTreeMap<String, i64>,
    /// Earnings that are locked into more than one payout.
    pub locked_twice: Vec<String>,
    /// Runs, oldest first.
    pub runs: Vec<Run>,
    /// Times that money requests went on the wire, and how many of these have no certain answer.
    pub sends: (i64, i64),
}

impl Books {
    /// Every way in which the books contradict themselves, one sentence each: rows that differ from their own attempt, amounts
    /// that aren't their items, purses without an outcome, more paid than earned.
    #[must_use]
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = self.rows_that_differ();
        for run in self.runs.iter().filter(|run| run.of_all && run.state.starts_with("completed")) {
            found.extend(self.purses_without_outcome(run, self.purses.keys()));
        }
        found.extend(self.skips_without_reason());
        found.extend(self.overpaid());
        found
    }

    /// The same for books that have seen several cycles: only purses with something free are asked for an outcome, in this run only, and a purse may have
    /// been paid what was taken back since.
    #[must_use]
    pub fn contradictions_of(&self, run_id: &str) -> Vec<String> {
        let mut found = self.rows_that_differ();
        for run in self.runs.iter().filter(|run| run.id == run_id) {
            let had_some = self.free.iter().filter(|(_, first_ms)| **first_ms < run.created_at_ms);
            found.extend(self.purses_without_outcome(run, had_some.map(|(purse, _)| purse)));
        }
        found.extend(self.skips_without_reason());
        found
    }

    fn rows_that_differ(&self) -> Vec<String> {
        let mut found = Vec::new();
        let payouts: BTreeMap<&str, &Payout> = self.payouts.iter().map(|payout| (payout.id.as_str(), payout)).collect();
        for attempt in &self.attempts {
            match payouts.get(attempt.payout_id.as_str()) {
                None => found.push(format!("{}: its payout {} isn't there", attempt.key, attempt.payout_id)),
                Some(payout) => {
                    let same = (&payout.account, &payout.currency, payout.amount);
                    if same != (&attempt.account, &attempt.currency, attempt.amount) {
                        found.push(format!("{}: {same:?} in its payout, asked for was {attempt:?}", attempt.key));
                    }
                }
            }
        }
        for payout in &self.payouts {
            let items = self.items.get(&payout.id).copied().unwrap_or(0);
            if items != payout.amount {
                found.push(format!("{}: its amount is {}, its items are {items}", payout.id, payout.amount));
            }
        }
        found.extend(self.locked_twice.iter().map(|earning| format!("earning {earning} is locked into two payouts")));
        found
    }

    fn purses_without_outcome<'a>(
        &self,
        run: &Run,
        considered: impl Iterator<Item = &'a (String, String)>,
    ) -> Vec<String> {
        let decided: BTreeSet<(&str, &str)> = (self.outcomes.iter())
            .filter(|outcome| outcome.run_id == run.id)
            .map(|outcome| (outcome.account.as_str(), outcome.currency.as_str()))
            .collect();
        let undecided =
            considered.filter(|(account, currency)| !decided.contains(&(account.as_str(), currency.as_str())));
        let told = |(account, currency): &(String, String)| {
            format!("run {}: {account} {currency} has neither a payout nor a reason", run.label)
        };
        undecided.map(told).collect()
    }

    fn skips_without_reason(&self) -> Vec<String> {
        let mut found = Vec::new();
        for outcome in &self.outcomes {
            if outcome.payout_id.is_empty() && (outcome.reason.is_empty() || outcome.sentence.is_empty()) {
                found.push(format!("{} {}: skipped without a reason", outcome.account, outcome.currency));
            }
        }
        found
    }

    fn overpaid(&self) -> Vec<String> {
        let mut paid: BTreeMap<(String, String), i64> = BTreeMap::new();
        // A failed payout's money came back and may leave again.
        let back: BTreeSet<&str> =
            self.payouts.iter().filter(|payout| is_back(&payout.state)).map(|payout| payout.id.as_str()).collect();
        for attempt in self.attempts.iter().filter(|attempt| attempt.standing == Standing::Executed) {
            if !back.contains(attempt.payout_id.as_str()) {
                *paid.entry((attempt.account.clone(), attempt.currency.clone())).or_default() += attempt.amount;
            }
        }
        let earned = |purse: &(String, String)| self.purses.get(purse).copied().unwrap_or(0);
        let over = paid.iter().filter(|(purse, paid)| **paid > earned(purse));
        over.map(|(purse, paid)| format!("{} {}: {paid} executed, {} earned", purse.0, purse.1, earned(purse)))
            .collect()
    }
}

fn is_back(state: &str) -> bool {
    matches!(state, "failed" | "returned" | "canceled" | "reversed")
}
