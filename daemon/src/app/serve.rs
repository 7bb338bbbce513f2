//! `payoutd serve`: everything wired together, until a signal says stop.
use super::{Failure, commands, lock, open, supervise};
use crate::{
    clock::Clock,
    config::{Config, Database, Flags},
    desk::{self, Desk},
    doors::{
        control::{self, ControlDoor, Lookup},
        schedule::Schedule,
        webhooks::{self, Webhooks},
    },
    engine::{self, Engine},
    health::{Health, Topic},
    logging::{self, LogSettings, Logging},
    store::Store,
    stripe::{LiveStripe, Stripe, limits::Limits},
    systemd,
    tell::{figures::Figures, watch::Watch},
    wake::{Changed, Wake},
    witness::Witness,
};
use payout_shared::calendar::CycleRules;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

/// Beyond the longest request: to record its answer and give the lease back.
const STOP_SLACK: Duration = Duration::from_secs(15);
/// Beyond that: to close the database.
const CLOSE_SLACK: Duration = Duration::from_secs(10);
/// Days of the month on which payouts are due.
const DAYS: [i8; 2] = [1, 15];

/// Runs the daemon.
pub(super) fn serve(flags: Flags) -> Result<(), Failure> {
    let config = commands::load(flags)?;
    open::state_dir(&config)?;
    let _locks = lock::all(&config)?;
    let clock = config.stripe.clock_offset_file.clone().map_or_else(Clock::system, Clock::with_offset_file);
    let settings =
        LogSettings { dir: config.log_dir.clone(), filter: config.log_filter.clone(), files: config.log_files };
    let log = logging::init(&settings, &clock).map_err(|error| Failure::Settings(error.to_string()))?;
    supervise::panics_are_fatal();
    let done = open::runtime()?.block_on(daemon(&config, clock, &log));
    match &done {
        Ok(()) => tracing::info!("stopped"),
        Err(failure) => tracing::error!("ended: {failure}"),
    }
    done
}

async fn daemon(config: &Config, clock: Clock, log: &Logging) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let mut tasks = supervise::Tasks::new(stop.clone())?;
    let store = open::store(config, &clock).await?;
    // Before anything is written to it.
    let witness = open::witness(config, &store).await?;
    let default_currency = config.policy.default_currency;
    store.set_default_currency(default_currency).await.map_err(|error| open::failure(config, &error))?;
    let unfit = store.configure_policies(&config.policy.values).await.map_err(|error| open::failure(config, &error))?;
    let (control, http, own_socket) = sockets(config).await?;
    let address =
        http.local_addr().map_or_else(|_| config.doors.http_listen.to_string(), |address| address.to_string());
    let parts = parts(config, (store, witness), clock)?;
    if !unfit.is_empty() {
        let why = format!("what is configured does not hold: {}", unfit.join("; "));
        tracing::error!("{why}");
        parts.health.bad(Topic::Policies, why);
    }
    let desk = Arc::new(desk(config, &parts));
    let watch = Arc::new(Watch::new(Arc::clone(&desk), log.recent.clone(), parts.changed.clone(), stop.clone()));
    let (wake, changed) = (parts.wake.clone(), parts.changed.clone());
    let schedule = Schedule::new(
        Arc::clone(&desk),
        parts.stripe.clone(),
        wake.clone(),
        changed.clone(),
        config.schedule.catch_up_ms,
    );
    for group in control::missing_groups(&config.doors.role_groups) {
        tracing::warn!(group, "PAYOUTD_ROLE_GROUPS names a group that this machine doesn't have: nobody gets its role");
    }
    let door = ControlDoor::new(desk, Arc::clone(&watch), wake, changed, stop.clone())
        .with_roles(config.doors.role_groups.clone(), Lookup::system())
        .with_stripe(parts.stripe.clone());
    tasks.spawn_door("the control door", control::serve(door, control));
    tasks.spawn_door("the webhook door", webhooks::serve(webhooks_of(config, &parts), http, stop.clone()));
    tasks.spawn(
        "the schedule",
        quiet({
            let stop = stop.clone();
            async move { schedule.run(stop).await }
        }),
    );
    tasks.spawn("the watch stream", quiet(async move { watch.run().await }));
    let status = format!("{} mode, {}", parts.store.mode().as_str(), open::name(config));
    let store = parts.store.clone();
    tasks.spawn("the engine", quiet(Engine::new(parts).run(stop.clone())));
    tracing::info!(socket = %config.doors.socket.display(), http = address, "ready: {status}");
    systemd::ready(&status);
    let told = tasks.watch().await;
    let patience = Duration::from_millis(u64::try_from(config.stripe.request_timeout_ms).unwrap_or(0)) + STOP_SLACK;
    systemd::stopping(patience + CLOSE_SLACK);
    tracing::info!("stopping: nothing new leaves, what is on the wire is awaited");
    let stopped = tasks.stop(patience).await;
    store.close().await;
    if let Some(path) = own_socket {
        // A file left behind does no harm: the next start replaces it.
        let _ = std::fs::remove_file(path);
    }
    told.and(stopped)
}

/// A task that only ends when it is told to, or by a panic.
async fn quiet(work: impl Future<Output = ()>) -> anyhow::Result<()> {
    work.await;
    Ok(())
}

/// The control and the HTTP socket, and the file of the first when it is ours to remove.
async fn sockets(config: &Config) -> Result<(UnixListener, TcpListener, Option<&Path>), Failure> {
    let passed = systemd::take_sockets().map_err(|error| Failure::Settings(format!("LISTEN_FDS: {error}")))?;
    let unusable =
        |error: std::io::Error| Failure::Passing(format!("a socket that was passed in cannot be used: {error}"));
    let (control, own) = match passed.control {
        Some(socket) => {
            socket.set_nonblocking(true).map_err(unusable)?;
            (UnixListener::from_std(socket).map_err(unusable)?, None)
        }
        None => {
            let path = config.doors.socket.as_path();
            (control::bind(path).map_err(|error| Failure::Settings(error.to_string()))?, Some(path))
        }
    };
    let http = match passed.http {
        Some(socket) => {
            socket.set_nonblocking(true).map_err(unusable)?;
            TcpListener::from_std(socket).map_err(unusable)?
        }
        None => TcpListener::bind(config.doors.http_listen).await.map_err(|error| {
            let address = config.doors.http_listen;
            Failure::Settings(format!(
                "the HTTP address {address} cannot be listened on: {error}; set PAYOUTD_HTTP_LISTEN to a free one"
            ))
        })?,
    };
    Ok((control, http, own))
}

fn parts(config: &Config, (store, witness): (Store, Witness), clock: Clock) -> Result<engine::Parts, Failure> {
    let limits = Limits::new(config.stripe.rates, clock.clone());
    let stripe = match config.stripe.settings() {
        Some(settings) => {
            let live = LiveStripe::new(&settings, clock.clone(), limits.clone());
            Some(Arc::new(live.map_err(|error| Failure::Settings(error.to_string()))?) as Arc<dyn Stripe>)
        }
        None => None,
    };
    let health = Health::default();
    if stripe.is_none() {
        health.bad(Topic::Stripe, "no STRIPE_SECRET_KEY is configured: nothing is sent");
    }
    if config.stripe.webhook_secrets.is_empty() {
        health.bad(Topic::Webhooks, "no STRIPE_WEBHOOK_SECRET is configured: Stripe's webhooks are refused");
    }
    Ok(engine::Parts {
        stripe,
        limits,
        wake: Wake::default(),
        changed: Changed::default(),
        health,
        figures: Figures::new(clock.clone()),
        settings: engine_settings(config),
        witness: Some(Arc::new(witness)),
        clock,
        store,
    })
}

fn engine_settings(config: &Config) -> engine::Settings {
    engine::Settings {
        lease_ms: config.engine.lease_ms,
        holder: format!("{}:{}", hostname(), std::process::id()),
        alone: matches!(config.database, Database::Sqlite(_)),
        request_timeout_ms: config.stripe.request_timeout_ms,
        resolve_first_ms: config.engine.resolve_first_ms,
        account_stale_ms: config.engine.account_stale_ms,
        plan_page: i64::from(config.engine.plan_page),
        breaker: config.engine.breaker,
        drift_tolerance_minor: 100,
    }
}

fn desk(config: &Config, parts: &engine::Parts) -> Desk {
    Desk {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        health: parts.health.clone(),
        figures: parts.figures.clone(),
        limits: parts.limits.clone(),
        settings: desk::Settings {
            hostname: hostname(),
            rules: CycleRules {
                days: DAYS.to_vec(),
                time: config.schedule.time,
                zone: config.schedule.timezone.clone(),
            },
            may_arm: !config.schedule.cron_secrets.is_empty(),
            create_milli_per_s: config.stripe.rates.create_milli_per_s,
            plan_page: i64::from(config.engine.plan_page),
        },
    }
}

fn webhooks_of(config: &Config, parts: &engine::Parts) -> Webhooks {
    Webhooks {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        wake: parts.wake.clone(),
        changed: parts.changed.clone(),
        secrets: config.stripe.webhook_secrets.clone().into(),
        body_bytes_max: config.doors.webhook_body_bytes,
    }
}

/// This machine's name, as the kernel has it.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}
