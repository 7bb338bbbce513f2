//! Questions: what is so, what would be paid, what happens next. Nothing here changes anything.
//!
//! Who comes in: the control door and the watch stream. Whom it may call: the store's reads, the core, figures, health.
//! Invariant: a sentence about money says what is stored, never what is hoped for.
pub mod asked;
pub mod cohorts;
pub mod creators;
pub mod cycle;
pub mod eta;
pub mod explain;
pub mod look;
mod parts;
pub mod preview;
pub mod rows;
mod runs;

pub use runs::RunView;

use crate::{clock::Clock, health::Health, store::Store, stripe::limits::Limits, tell::figures::Figures};
use payout_shared::calendar::CycleRules;

/// What the desk knows of beside the store.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The books.
    pub store: Store,
    /// Time.
    pub clock: Clock,
    /// What is wrong.
    pub health: Health,
    /// How Stripe answers.
    pub figures: Figures,
    /// How fast creates may leave.
    pub limits: Limits,
    /// What doesn't change while the daemon lives.
    pub settings: Settings,
}

/// What doesn't change while the daemon lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This machine, for headers.
    pub hostname: String,
    /// When payouts are due.
    pub rules: CycleRules,
    /// A valid cron secret is configured: without one the schedule is disarmed, whatever is stored.
    pub may_arm: bool,
    /// Configured creates, in thousandths per second.
    pub create_milli_per_s: u32,
    /// Purses per page of a dry run.
    pub plan_page: i64,
}

/// RFC 3339 in UTC, whole seconds where they are whole.
#[must_use]
pub fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |at| at.to_string())
}

/// The time of day in UTC: `06:03:41Z`.
#[must_use]
pub fn time_of_day(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |at| at.strftime("%H:%M:%SZ").to_string())
}
