//! After the last cycle weeks go by in which nothing new happens: the daemon asks Stripe by itself for what webhooks lost, and then nothing may be
//! missing.
use crate::opening::Marketplace;
use anyhow::{Context as _, bail};
use std::time::{Duration, Instant};

/// Longer than it takes until every account was asked about, days.
const DAYS: u32 = 18;
const DAY_MS: i64 = 24 * 3_600_000;
/// The longest that a day may take in real time.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(25);
/// Nothing changed for so long of real time: the daemon waits for its next look at what is due,
const STALL: Duration = Duration::from_millis(300);
/// … which comes by then, milliseconds of the Date.
const NEXT_LOOK_MS: i64 = 11_000;
/// Events are asked for every hour.
const EVENTS_MS: i64 = 3_700_000;

impl Marketplace {
    /// Lets the days go by, with everything that the daemon has to ask in them.
    pub(crate) async fn wait_for_sweeps(&mut self) -> anyhow::Result<()> {
        self.stage.payout.must(&["schedule", "disarm", "--reason", "rehearsal"]).await?;
        for _ in 0..DAYS {
            self.hour.jump_to(self.hour.now_ms() + DAY_MS)?;
            self.quiet().await?;
            self.swept().await?;
        }
        self.all_told().await
    }

    /// Until nothing is due that the daemon would look at by itself.
    pub(crate) async fn swept(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut changed) = (None, Instant::now());
        loop {
            let status = self.stage.payout.json(&["status"]).await?.context("the daemon can't be reached")?;
            let mut left = (0, 0);
            for sweep in status["daemon"]["sweeps"].as_array().context("a status without sweeps")? {
                left.0 += sweep["awaited"].as_i64().unwrap_or(0);
                let ended = sweep["ended_at"].as_str().map(str::parse::<jiff::Timestamp>).transpose()?;
                let is_old = ended.is_none_or(|ended| self.hour.now_ms() - ended.as_millisecond() > EVENTS_MS);
                left.1 += i64::from(sweep["kind"] == "earnings" && is_old);
            }
            if left == (0, 0) {
                return Ok(());
            }
            if last != Some(left) {
                (last, changed) = (Some(left), Instant::now());
            } else if changed.elapsed() > STALL {
                self.hour.jump_to(self.hour.now_ms() + NEXT_LOOK_MS)?;
                changed = Instant::now();
            }
            if Instant::now() > deadline {
                bail!("what webhooks lost isn't asked for within {} s: {status}", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
