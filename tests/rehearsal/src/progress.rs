//! Where the run stands, as `payout run show --json` tells it, and when the rehearsal has seen enough.
use serde_json::Value;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Only unknown payouts are left, or nothing moves at all: after so long without a change it is over. Longer than the daemon
/// waits between two looks at Stripe's list.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The run as it was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: String,
    pub(crate) payouts: u64,
    pub(crate) answered: u64,
    pub(crate) in_flight: u64,
    pub(crate) states: BTreeMap<String, u64>,
}

impl Progress {
    /// Reads it; `None` when it isn't what `run show` prints.
    pub(crate) fn read(shown: &Value) -> Option<Self> {
        let run = shown.get("run").unwrap_or(shown);
        let number = |name: &str| run.get(name).and_then(Value::as_u64).unwrap_or(0);
        let states = match shown.get("states").or_else(|| run.get("states")) {
            Some(Value::Object(counts)) => {
                counts.iter().filter_map(|(state, count)| Some((state.clone(), count.as_u64()?))).collect()
            }
            Some(Value::Array(counts)) => {
                let one =
                    |count: &Value| Some((count.get("state")?.as_str()?.to_owned(), count.get("count")?.as_u64()?));
                counts.iter().filter_map(one).collect()
            }
            _ => BTreeMap::new(),
        };
        Some(Self {
            state: run.get("state")?.as_str()?.to_owned(),
            payouts: number("payouts"),
            answered: number("answered"),
            in_flight: number("in_flight"),
            states,
        })
    }

    pub(crate) fn count(&self, states: &[&str]) -> u64 {
        states.iter().filter_map(|state| self.states.get(*state)).sum()
    }

    /// Nothing more will be sent by itself.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "completed_with_failures" | "settled" | "aborted")
    }

    /// Every purse is decided.
    pub(crate) fn is_planned(&self) -> bool {
        !self.state.is_empty() && self.state != "planning"
    }

    /// All that is left can't be settled by sending.
    pub(crate) fn only_unknown_is_left(&self) -> bool {
        self.is_planned() && self.count(&["planned", "submitting"]) == 0 && self.count(&["unknown"]) > 0
    }

    /// Whoever waits for one more execution waits in vain: all was sent, and at most an unknown one may be asked about again.
    pub(crate) fn all_is_sent(&self) -> bool {
        self.is_finished() || self.only_unknown_is_left()
    }

    /// Stripe's bank has answered for every payout.
    pub(crate) fn is_settled_at_banks(&self) -> bool {
        self.count(&["pending", "in_transit"]) == 0
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} {:>6} of {} answered", self.state, self.answered, self.payouts)?;
        for state in ["planned", "submitting", "unknown", "pending", "in_transit", "paid", "failed", "returned"] {
            if let Some(count) = self.states.get(state).filter(|count| **count > 0) {
                write!(f, "  {state} {count}")?;
            }
        }
        write!(f, "  in flight {}", self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_shapes_of_counts_are_read() {
        let run = json!({"state": "running", "payouts": 7, "answered": 4, "in_flight": 2});
        let listed = json!({"run": run, "states": [{"state": "paid", "count": 4}, {"state": "unknown", "count": 3}]});
        let mapped = json!({"run": run, "states": {"paid": 4, "unknown": 3}});
        let progress = Progress::read(&listed).unwrap();
        assert_eq!(Some(&progress), Progress::read(&mapped).as_ref());
        assert_eq!(progress.count(&["paid", "unknown", "failed"]), 7);
        assert!(progress.only_unknown_is_left() && !progress.is_finished());
        assert_eq!(progress.to_string(), "running        4 of 7 answered  unknown 3  paid 4  in flight 2");
        assert_eq!(Progress::read(&json!({"error": "x"})), None);
    }

    #[test]
    fn after_a_blow_to_the_last_ones_nothing_more_is_waited_for() {
        let progress = |state: &str, counts: Value| Progress::read(&json!({"state": state, "states": counts})).unwrap();
        assert!(progress("running", json!({"unknown": 1, "paid": 280})).all_is_sent());
        assert!(progress("completed", json!({"paid": 281})).all_is_sent());
        assert!(!progress("running", json!({"unknown": 1, "submitting": 1})).all_is_sent());
        assert!(!progress("running", json!({"paid": 3, "planned": 1})).all_is_sent());
    }

    #[test]
    fn a_run_that_may_still_send_is_not_over() {
        let progress = |state: &str, counts: Value| Progress::read(&json!({"state": state, "states": counts})).unwrap();
        assert!(!progress("planning", json!({"unknown": 1})).only_unknown_is_left());
        assert!(!progress("running", json!({"unknown": 1, "planned": 1})).only_unknown_is_left());
        assert!(progress("completed_with_failures", json!({"failed": 1})).is_finished());
        assert!(!progress("completed", json!({"in_transit": 1})).is_settled_at_banks());
    }
}
