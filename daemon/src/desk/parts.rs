//! The daemon as it is now: mode, lease, pause, schedule, what is wrong.
use super::{Desk, moment};
use crate::{
    health::Topic,
    store::{
        StoreError,
        door_types::DaemonState,
        types::{SweepKind, SweepRow},
    },
};
use jiff::Timestamp;
use payout_proto::v1;
use payout_shared::calendar::Cycle;

impl Desk {
    /// The daemon as it is now. `you` and `role` are left empty: the door that asks fills them in.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn daemon_part(&self) -> Result<v1::DaemonPart, StoreError> {
        // The pause is read before what is in flight: nothing new goes on the wire after it, so "none in flight" stays true.
        let state = self.store.state().await?;
        let in_flight = if state.paused { self.store.in_flight().await? } else { 0 };
        let inbox_backlog = self.store.inbox_backlog().await?;
        let last_webhook_ms = self.store.last_webhook_ms().await?.unwrap_or_default();
        let rollout = self.store.rollout().await?;
        let armed = self.is_armed(&state);
        let next = self.next_cycles(1).pop();
        Ok(v1::DaemonPart {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: self.store.mode().as_str().to_owned(),
            hostname: self.settings.hostname.clone(),
            database: self.store.database().to_owned(),
            leader: !self.health.is_bad(Topic::Lease),
            paused: state.paused,
            pausing: state.paused && in_flight > 0,
            pause_reason: state.pause_reason.unwrap_or_default(),
            paused_by: state.paused_by.unwrap_or_default(),
            armed,
            next_run_at: next
                .filter(|_| armed)
                .map_or_else(String::new, |cycle| moment(cycle.instant.as_millisecond())),
            next_cycle_date: next.map_or_else(String::new, |cycle| cycle.date.to_string()),
            degraded: self.health.sentences(),
            now_ms: self.clock.now_ms(),
            you: String::new(),
            role: String::new(),
            last_webhook_ms,
            create_rate: f64::from(self.settings.create_milli_per_s) / 1_000.0,
            create_concurrency: i64::try_from(self.limits.create_concurrency()).unwrap_or(i64::MAX),
            timezone: self.settings.rules.zone.iana_name().unwrap_or("UTC").to_owned(),
            inbox_backlog,
            cohorts_open: rollout.open,
            cohorts: rollout.total,
            drifting: self.store.drifts().await?.0,
            kept_back: state.kept_back,
            open_requests: self.store.open_requests().await?,
            sweeps: self.sweep_parts().await?,
        })
    }

    async fn sweep_parts(&self) -> Result<Vec<v1::SweepPart>, StoreError> {
        let left = self.store.sweeps_left().await?;
        let part = |row: SweepRow| v1::SweepPart {
            kind: row.kind.as_str().to_owned(),
            ended_at_ms: row.ended_at_ms.unwrap_or_default(),
            swept_ms: row.swept_ms.unwrap_or_default(),
            awaited: match row.kind {
                SweepKind::Payouts => left.payouts.saturating_add(left.accounts),
                SweepKind::Earnings => 0,
            },
            under_way: row.began_ms.is_some(),
            wanted_from_ms: row.wanted_from_ms.filter(|_| row.is_wanted).unwrap_or_default(),
        };
        Ok(self.store.sweeps().await?.into_iter().map(part).collect())
    }

    /// Armed, and allowed to be: without a cron secret nothing starts by itself, whatever is stored.
    #[must_use]
    pub const fn is_armed(&self, state: &DaemonState) -> bool {
        state.armed_at_ms.is_some() && self.settings.may_arm
    }

    /// The next cycles, earliest first.
    #[must_use]
    pub fn next_cycles(&self, count: usize) -> Vec<Cycle> {
        let now = Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
        self.settings.rules.next(now, count)
    }
}
