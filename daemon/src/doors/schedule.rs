//! The schedule door: on each tick the calendar says which cycles are due, and each gets its run, once and for ever.
//!
//! Who comes in: clokwerk, once a second. Whom it may call: the store, the core's calendar. Disarmed until somebody arms it.
//! Invariants: only cycles whose instant lies after the arming are due, so a new installation pays nothing that an old one paid; a
//! clock that Stripe contradicts starts nothing and misses nothing.
use crate::{
    clock::Clock,
    desk::Desk,
    health::Topic,
    store::{
        StoreError,
        types::{By, NewRun},
    },
    stripe::Stripe,
    wake::{Changed, Wake},
};
use chrono::{DateTime, TimeZone, Utc};
use clokwerk::{AsyncScheduler, TimeUnits as _, timeprovider::TimeProvider};
use jiff::{SignedDuration, Span, Timestamp};
use payout_shared::{
    calendar::{Cycle, Due},
    run::{RunKind, RunState},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often clokwerk is asked whether a second has passed.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// More than this between our clock and Stripe's, and neither is believed (milliseconds).
const CLOCKS_APART_MAX_MS: i64 = 60_000;
/// A Date of Stripe's seen longer ago proves nothing any more (milliseconds).
const DATE_AGE_MAX_MS: i64 = 3_600_000;

/// The door.
#[derive(Clone)]
pub struct Schedule(Arc<Inner>);

struct Inner {
    desk: Arc<Desk>,
    stripe: Option<Arc<dyn Stripe>>,
    wake: Wake,
    changed: Changed,
    catch_up: SignedDuration,
    busy: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("catch_up", &self.0.catch_up).finish_non_exhaustive()
    }
}

impl Schedule {
    /// A door; Stripe, when there is one, is asked for the time it last gave, never called.
    #[must_use]
    pub fn new(
        desk: Arc<Desk>,
        stripe: Option<Arc<dyn Stripe>>,
        wake: Wake,
        changed: Changed,
        catch_up_ms: i64,
    ) -> Self {
        let catch_up = SignedDuration::from_millis(catch_up_ms);
        let busy = tokio::sync::Mutex::new(());
        Self(Arc::new(Inner { desk, stripe, wake, changed, catch_up, busy }))
    }

    /// Ticks once a second until `stop`. clokwerk counts the seconds of a clock that nobody sets: on the wall clock it would stand still
    /// for as long as that was set back.
    pub async fn run(self, stop: CancellationToken) {
        let mut seconds = AsyncScheduler::with_tz_and_provider::<Utc, BootSeconds>(Utc);
        let door = self.clone();
        seconds.every(1.second()).run(move || {
            let door = door.clone();
            async move {
                // In a task of its own, so that a slow database delays no tick; the lock keeps it from overlapping itself.
                tokio::spawn(async move { door.tick().await });
            }
        });
        while !stop.is_cancelled() {
            seconds.run_pending().await;
            tokio::select! {
                () = self.0.desk.clock.sleep(ASK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Does what is due, once. A tick during a tick does nothing.
    pub async fn tick(&self) {
        let Ok(_one) = self.0.busy.try_lock() else { return };
        if let Err(error) = self.0.due().await {
            tracing::error!(%error, "the schedule could not be looked after: tried again every second");
        }
    }
}

impl Inner {
    async fn due(&self) -> Result<(), StoreError> {
        let state = self.desk.store.state().await?;
        let health = &self.desk.health;
        let Some(armed_at_ms) = state.armed_at_ms else {
            health.good(Topic::Schedule);
            return Ok(());
        };
        if !self.desk.settings.may_arm {
            health.bad(
                Topic::Schedule,
                "the schedule is disarmed: no valid CRON_SECRET_KEY is configured, so nothing starts by itself",
            );
            return Ok(());
        }
        let now_ms = self.desk.clock.now_ms();
        if let Some(apart_ms) = self.clocks_apart(now_ms) {
            let apart = apart_ms / 1_000;
            if health
                .bad(Topic::Schedule, "the schedule waits: this machine's clock and Stripe's are more than 60 s apart")
            {
                tracing::error!(apart_s = apart, "the schedule waits: our clock and Stripe's are {apart} s apart");
            }
            return Ok(());
        }
        health.good(Topic::Schedule);
        let (Ok(now), Ok(armed_at)) = (Timestamp::from_millisecond(now_ms), Timestamp::from_millisecond(armed_at_ms))
        else {
            return Ok(());
        };
        for due in self.due_at(now, armed_at).await? {
            self.insert(due, now).await?;
        }
        Ok(())
    }

    /// How far our clock is from Stripe's, when that is too far; negative = ours is behind.
    fn clocks_apart(&self, now_ms: i64) -> Option<i64> {
        let (stripe_ms, age_ms) = self.stripe.as_ref()?.time()?;
        let apart_ms = now_ms.saturating_sub(stripe_ms);
        (age_ms < DATE_AGE_MAX_MS && apart_ms.saturating_abs() > CLOCKS_APART_MAX_MS).then_some(apart_ms)
    }

    async fn due_at(&self, now: Timestamp, armed_at: Timestamp) -> Result<Vec<Due>, StoreError> {
        let rules = &self.desk.settings.rules;
        // A day of slack: the zone may have been changed since the arming.
        let armed_on = rules.zone.to_datetime(armed_at).date();
        let from = armed_on.checked_sub(Span::new().days(1)).unwrap_or(armed_on);
        let known: BTreeSet<_> = self.desk.store.known_cycles(from).await?.into_iter().collect();
        Ok(rules.due(now, armed_at, &|date| known.contains(&date), self.catch_up))
    }

    async fn insert(&self, due: Due, now: Timestamp) -> Result<(), StoreError> {
        let (Cycle { date, instant, cutoff }, state) = match due {
            Due::Start(cycle) => (cycle, RunState::Planning),
            Due::Missed(cycle) => (cycle, RunState::Missed),
        };
        let reason = (state == RunState::Missed).then(|| {
            let hours = now.duration_since(instant).as_hours();
            format!("nobody was there at {instant}; {hours} h later is too late to catch up by itself")
        });
        let new = NewRun {
            cycle_date: date,
            kind: RunKind::Scheduled,
            state,
            cutoff_ms: cutoff.as_millisecond(),
            instant_ms: instant.as_millisecond(),
            creators: Vec::new(),
            by: By::Schedule,
            reason,
        };
        let (run, already) = self.desk.store.insert_run(&new).await?;
        if already {
            return Ok(());
        }
        if state == RunState::Missed {
            tracing::error!(run = %run.label, "cycle {date} was MISSED: nothing of it is paid until somebody starts it (payout run start --cycle {date})");
        } else {
            tracing::info!(run = %run.label, "run {} is due", run.label);
        }
        self.wake.wake();
        self.changed.tell();
        Ok(())
    }
}

/// The clock that counts seconds since the machine started, as clokwerk wants to see it.
struct BootSeconds;

impl TimeProvider for BootSeconds {
    fn now<Tz: TimeZone + Sync + Send>(zone: &Tz) -> DateTime<Tz> {
        let since_start = DateTime::<Utc>::from_timestamp_millis(Clock::system().boot().0);
        since_start.unwrap_or(DateTime::UNIX_EPOCH).with_timezone(zone)
    }
}
