//! The schedule door: on each tick the calendar says which cycles are due, and each gets its run, once and for ever.
//!
//! Who comes in: clokwerk, once a second. Whom it may call: the store, the core's calendar. Disarmed until somebody arms it.
//! Invariants: only cycles whose instant lies after the arming are due, so a new installation pays nothing that an old one paid; a
//! clock that Stripe doesn't confirm starts nothing and misses nothing, on whichever of several daemons it is.
use crate::{
    clock::{BootMs, Clock},
    desk::Desk,
    health::Topic,
    store::{
        StoreError,
        types::{By, NewRun},
    },
    stripe::{
        Stripe,
        agree::{self, Doubt},
    },
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
/// Stripe is asked for its time again this much later, as long as something is due and waits for it (milliseconds).
const ASK_AGAIN_MS: i64 = 5_000;

/// The door.
#[derive(Clone)]
pub struct Schedule(Arc<Inner>);

struct Inner {
    desk: Arc<Desk>,
    stripe: Option<Arc<dyn Stripe>>,
    wake: Wake,
    changed: Changed,
    catch_up: SignedDuration,
    /// When Stripe may be asked for its time again. Held by the tick that is under way.
    ask_at: tokio::sync::Mutex<BootMs>,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("catch_up", &self.0.catch_up).finish_non_exhaustive()
    }
}

impl Schedule {
    /// A door; Stripe is called for nothing but its time.
    #[must_use]
    pub fn new(
        desk: Arc<Desk>,
        stripe: Option<Arc<dyn Stripe>>,
        wake: Wake,
        changed: Changed,
        catch_up_ms: i64,
    ) -> Self {
        let catch_up = SignedDuration::from_millis(catch_up_ms);
        let ask_at = tokio::sync::Mutex::new(desk.clock.boot());
        Self(Arc::new(Inner { desk, stripe, wake, changed, catch_up, ask_at }))
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
        let Ok(mut ask_at) = self.0.ask_at.try_lock() else { return };
        if let Err(error) = self.0.due(&mut ask_at).await {
            tracing::error!(%error, "the schedule could not be looked after: tried again every second");
        }
    }
}

impl Inner {
    async fn due(&self, ask_at: &mut BootMs) -> Result<(), StoreError> {
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
        let is_due = !self.due_now(armed_at_ms).await?.is_empty();
        if let Some(doubt) = self.doubt(is_due, ask_at).await {
            if health.bad(Topic::Schedule, format!("the schedule waits: {doubt}")) {
                tracing::error!(is_due, "the schedule waits: {doubt}");
            }
            return Ok(());
        }
        health.good(Topic::Schedule);
        if is_due {
            // By the clock that is believed now: the question may have taken long.
            for due in self.due_now(armed_at_ms).await? {
                self.insert(due).await?;
            }
        }
        Ok(())
    }

    /// Why our clock isn't believed, where that matters. While something is due Stripe is asked.
    async fn doubt(&self, is_due: bool, ask_at: &mut BootMs) -> Option<Doubt> {
        let (stripe, clock) = (self.stripe.as_deref(), &self.desk.clock);
        let doubt = agree::doubt(stripe, clock).filter(|doubt| is_due || *doubt == Doubt::Apart)?;
        if !is_due || clock.boot() < *ask_at {
            return Some(doubt);
        }
        let doubt = agree::doubt_once_asked(stripe, clock).await;
        *ask_at = clock.boot().plus_ms(ASK_AGAIN_MS);
        doubt
    }

    async fn due_now(&self, armed_at_ms: i64) -> Result<Vec<Due>, StoreError> {
        let armed_at = Timestamp::from_millisecond(armed_at_ms).unwrap_or(Timestamp::MAX);
        let rules = &self.desk.settings.rules;
        // A day of slack: the zone may have been changed since the arming.
        let armed_on = rules.zone.to_datetime(armed_at).date();
        let from = armed_on.checked_sub(Span::new().days(1)).unwrap_or(armed_on);
        let known: BTreeSet<_> = self.desk.store.known_cycles(from).await?.into_iter().collect();
        Ok(rules.due(self.now(), armed_at, &|date| known.contains(&date), self.catch_up))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.desk.clock.now_ms()).unwrap_or(Timestamp::MIN)
    }

    async fn insert(&self, due: Due) -> Result<(), StoreError> {
        let (Cycle { date, instant, cutoff }, state) = match due {
            Due::Start(cycle) => (cycle, RunState::Planning),
            Due::Missed(cycle) => (cycle, RunState::Missed),
        };
        let reason = (state == RunState::Missed).then(|| {
            let hours = self.now().duration_since(instant).as_hours();
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
