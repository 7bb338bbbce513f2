//! The command line: flags to [`Config`], a runtime, and a graceful end on SIGTERM or SIGINT.
//! The only file that prints. Invariant: the one line on stdout comes after the socket listens.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::account::AccountSpec;
use crate::faults::FaultPlan;
use crate::limits::LimitProfile;
use crate::live::LifePlan;
use crate::serve::{Config, serve};
use crate::twin::WebhookTarget;
use crate::world::{KeyScope, Rules};

/// A stand-in for Stripe's payouts API, for tests and rehearsals.
#[derive(Parser)]
#[command(name = "stripe-twin", version)]
struct Args {
    /// Where to listen; port 0 takes a free one. The bound address is the first line on stdout.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where all dice come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Makes so many accounts, spread as in life.
    #[arg(long, default_value_t = 0)]
    creators: usize,
    /// Takes accounts from a JSON file: a list, each as `POST /_twin/accounts` takes it.
    #[arg(long)]
    accounts: Option<PathBuf>,
    /// Where events go.
    #[arg(long, env = "STRIPE_TWIN_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// What events are signed with.
    #[arg(long, env = "STRIPE_TWIN_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// `name[=PERCENT][xTIMES][@MS],…`: reset-before, lock-timeout, executed-then-dropped, unreadable-body,
    /// 500-rolled-forward, 500-not-executed, slow, 429-storm, paid-then-failed, webhook-duplicate, webhook-lost,
    /// webhook-disorder, reversal-refused, reversal-fails.
    #[arg(long, default_value = "")]
    faults: FaultPlan,
    /// Whose limits to keep.
    #[arg(long, value_enum, default_value = "live")]
    limits: LimitProfile,
    /// Multiplies the limits and divides the latency; clocks are untouched.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The usual time to an answer; each takes between 60 % and all of it.
    #[arg(long, default_value_t = 50)]
    latency_ms: u64,
    /// From created to paid, on the wall clock.
    #[arg(long, default_value_t = 3000)]
    settle_ms: u64,
    /// A file with the milliseconds to add to the Date, read again whenever it changes.
    #[arg(long)]
    clock_offset_file: Option<PathBuf>,
    /// API keys to let in.
    #[arg(long, env = "STRIPE_TWIN_API_KEY", hide_env_values = true, value_delimiter = ',')]
    api_key: Vec<String>,
    /// Live mode instead of test mode.
    #[arg(long)]
    livemode: bool,
    /// What idempotency keys are unique within.
    #[arg(long, value_enum, default_value = "account")]
    key_scope: KeyScope,
    /// Checks requests, answers and events against the OpenAPI copy; `/_twin/stats` has the findings.
    #[arg(long)]
    check_openapi: bool,
    /// Plays a scripted life of so many days from now on, with as many creators as `--creators` says.
    #[arg(long)]
    life_days: Option<u32>,
}

/// Runs the twin with these arguments (the first is the program's name) until it is told to stop.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.context("starting the runtime").and_then(|runtime| runtime.block_on(run(args)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "stripe-twin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let handle = serve(config(args)?).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "stripe-twin listening on {}", handle.url()).and_then(|()| stdout.flush())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.stop().await;
    Ok(())
}

fn config(args: Args) -> anyhow::Result<Config> {
    anyhow::ensure!(args.speed.is_finite() && args.speed > 0.0, "--speed must be above 0");
    let mut accounts: Vec<AccountSpec> = Vec::new();
    if let Some(path) = &args.accounts {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        accounts = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    }
    #[allow(clippy::disallowed_methods, reason = "the twin's own start: made creators earned before it")]
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let life = args.life_days.map(|days| LifePlan { seed: args.seed, creators: args.creators, from_ms: None, days });
    if life.is_none() {
        accounts.extend(crate::spread(args.seed, args.creators, now_ms).into_iter().map(|creator| creator.account));
    }
    let webhook = match (args.webhook_url, args.webhook_secret) {
        (Some(url), Some(secret)) if !secret.is_empty() => Some(WebhookTarget { url, secret }),
        (Some(_), _) => anyhow::bail!("--webhook-url needs --webhook-secret"),
        (None, _) => None,
    };
    let usual_key = if args.livemode { crate::LIVE_KEY } else { crate::TEST_KEY };
    let api_keys = if args.api_key.is_empty() { vec![usual_key.to_owned()] } else { args.api_key };
    Ok(Config {
        listen: args.listen,
        rules: Rules {
            seed: args.seed,
            livemode: args.livemode,
            api_keys,
            limits: args.limits,
            speed_milli: format!("{:.0}", args.speed * 1000.0).parse().unwrap_or(1000),
            settle_ms: args.settle_ms,
            key_scope: args.key_scope,
        },
        accounts,
        faults: args.faults,
        webhook,
        latency_ms: args.latency_ms,
        clock_offset_file: args.clock_offset_file,
        check_openapi: args.check_openapi,
        life,
    })
}
