//! How fast Stripe answers and how often it refuses: counted as answers come, forgotten after ten minutes.
use crate::clock::Clock;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How an answer to a create is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stripe has it.
    Done,
    /// Refused for good.
    Failed,
    /// 429.
    Limited,
    /// 5xx.
    ServerError,
    /// No answer, or it never left.
    None,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at_ms: i64,
    latency_ms: i64,
    outcome: Outcome,
}

/// What is kept at most: ten minutes at twice Stripe's limit, with room for a rehearsal at speed.
const SAMPLES_MAX: usize = 200_000;
const WINDOW_MS: i64 = 600_000;

/// The figures of this process. Cheap to clone; all clones share them.
#[derive(Clone, Debug)]
pub struct Figures {
    clock: Clock,
    samples: Arc<Mutex<VecDeque<Sample>>>,
}

/// The figures as they are now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Answers per second over the last 10 s.
    pub now_per_s: f64,
    /// Median and 95th percentile of the last minute's latencies, milliseconds.
    pub p50_ms: i64,
    /// See `p50_ms`.
    pub p95_ms: i64,
    /// 429s in the last minute.
    pub limited_per_min: i64,
    /// 5xx in the last minute.
    pub server_errors_per_min: i64,
    /// Answers per 10 s, oldest first, 60 of them.
    pub answered_10s: Vec<i64>,
    /// Failures per 10 s, oldest first, 60 of them.
    pub failed_10s: Vec<i64>,
}

impl Figures {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, samples: Arc::default() }
    }

    /// Counts one answer.
    pub fn record(&self, latency_ms: i64, outcome: Outcome) {
        let at_ms = self.clock.boot().0;
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        while samples.len() >= SAMPLES_MAX || samples.front().is_some_and(|first| at_ms - first.at_ms > WINDOW_MS) {
            samples.pop_front();
        }
        samples.push_back(Sample { at_ms, latency_ms, outcome });
    }

    /// The figures as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.boot().0;
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let mut figures = Snapshot { answered_10s: vec![0; 60], failed_10s: vec![0; 60], ..Snapshot::default() };
        let (mut last_10_s, mut latencies) = (0_u32, Vec::new());
        for sample in samples.iter() {
            let age = now - sample.at_ms;
            let Ok(column) = usize::try_from(age / 10_000) else { continue };
            if column >= 60 {
                continue;
            }
            match sample.outcome {
                Outcome::Done => figures.answered_10s[59 - column] += 1,
                Outcome::Failed => {
                    figures.answered_10s[59 - column] += 1;
                    figures.failed_10s[59 - column] += 1;
                }
                Outcome::Limited | Outcome::ServerError | Outcome::None => {}
            }
            if age < 10_000 && matches!(sample.outcome, Outcome::Done | Outcome::Failed) {
                last_10_s += 1;
            }
            if age < 60_000 {
                latencies.push(sample.latency_ms);
                figures.limited_per_min += i64::from(sample.outcome == Outcome::Limited);
                figures.server_errors_per_min += i64::from(sample.outcome == Outcome::ServerError);
            }
        }
        figures.now_per_s = f64::from(last_10_s) / 10.0;
        latencies.sort_unstable();
        figures.p50_ms = percentile(&latencies, 50);
        figures.p95_ms = percentile(&latencies, 95);
        figures
    }
}

fn percentile(sorted: &[i64], percent: usize) -> i64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
