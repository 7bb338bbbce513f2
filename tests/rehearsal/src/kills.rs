//! kill -9 of the daemon at moments that follow from the seed: one while it plans, the others spread over the payouts.
use crate::{supervisor::Supervisor, twin::Twin};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// How often the twin is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);
/// Payouts executed, in percent, at which the others come: never before the first, never after nearly all.
const WITHIN: std::ops::Range<u64> = 2..90;

/// The moments.
#[derive(Debug)]
pub(crate) struct Kills {
    /// After the run's start, while planning.
    first_after: Option<Duration>,
    /// Percent of the payouts executed.
    at_percent: Vec<u64>,
}

impl Kills {
    pub(crate) fn plan(seed: u64, count: u32) -> Self {
        let mut dice = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c);
        let first_after = (count >= 3).then(|| Duration::from_millis(dice.random_range(20..300)));
        let others = count - u32::from(first_after.is_some());
        let mut at_percent: Vec<u64> = (0..others).map(|_| dice.random_range(WITHIN)).collect();
        at_percent.sort_unstable();
        Self { first_after, at_percent }
    }

    /// Kills it once while planning, when that was planned.
    pub(crate) async fn first(&self, daemon: &Supervisor) {
        if let Some(after) = self.first_after {
            tokio::time::sleep(after).await;
            daemon.kill().await;
        }
    }

    /// Kills it each time the twin has executed so many of the payouts, and never before the one after the last kill has
    /// executed some: each kill hits a daemon at work.
    pub(crate) async fn others(&self, daemon: &Supervisor, twin: &Twin, payouts: u64) -> anyhow::Result<()> {
        let mut at_last_kill = 0;
        for percent in &self.at_percent {
            loop {
                let executed = twin.executed().await?;
                if executed > at_last_kill && executed * 100 >= payouts * percent && daemon.life().pid.is_some() {
                    at_last_kill = executed;
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            daemon.kill().await;
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.at_percent.len() + usize::from(self.first_after.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_kills_at_the_same_moments_and_as_often_as_asked() {
        for count in 0..12 {
            let (kills, again) = (Kills::plan(3, count), Kills::plan(3, count));
            assert_eq!((&kills.at_percent, kills.first_after), (&again.at_percent, again.first_after));
            assert_eq!(kills.count(), usize::try_from(count).unwrap());
            assert!(kills.at_percent.is_sorted());
        }
    }
}
