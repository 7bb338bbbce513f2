//! Stripe's twin as a process, and what it says of itself at the end.
use crate::{
    args::Args,
    compare::Executed,
    fetch::Fetch,
    place::Place,
    role::Role,
    supervisor::{append_to, terminate, write_pid},
};
use anyhow::{Context, bail};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

/// What it signs its events with, and the daemon checks them with.
pub const WEBHOOK_SECRET: &str = "whsec_rehearsal0123456789abcdef0123456789";
/// The key it lets in: test mode.
pub const API_KEY: &str = "sk_test_rehearsal0123456789abcdef";

/// Reading many accounts takes a moment.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running twin.
#[derive(Debug)]
pub struct Twin {
    child: Child,
    fetch: Fetch,
    /// `http://127.0.0.1:PORT`
    pub base: String,
}

/// A row of `GET /_twin/ledger`.
#[derive(Debug, Deserialize)]
struct LedgerRow {
    id: String,
    account: String,
    amount: i64,
    currency: String,
    status: String,
    idempotency_key: Option<String>,
}

/// `GET /_twin/stats`, of it what we judge.
#[derive(Debug, Default, Deserialize)]
struct Stats {
    limited: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    executed: u64,
    money_in_flight_max: u64,
    money_per_second_max: u64,
    executions_due: u64,
}

#[derive(Debug, Deserialize)]
struct Conservation {
    ok: bool,
    violations: Vec<String>,
}

/// What Stripe did, as the twin tells it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every payout executed.
    pub executed: Vec<Executed>,
    /// How many of them are in which state at Stripe.
    pub states: BTreeMap<String, usize>,
    /// 429s by reason.
    pub limited: BTreeMap<String, u64>,
    /// Faults that struck, by name.
    pub faults: BTreeMap<String, u64>,
    /// The most creates within a second.
    pub per_second_max: u64,
    /// The most creates at once.
    pub at_once_max: u64,
    /// Where the twin's own sums don't hold.
    pub not_conserved: Vec<String>,
}

impl Ledger {
    /// `paid 1873, in_transit 4`
    #[must_use]
    pub fn states_text(&self) -> String {
        let states: Vec<String> = self.states.iter().map(|(state, count)| format!("{state} {count}")).collect();
        if states.is_empty() { "nothing".to_owned() } else { states.join(", ") }
    }
}

impl Twin {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it ends, or says nothing in time; its output is in the logs.
    pub async fn start(program: &Path, args: &Args, place: &Place) -> anyhow::Result<Self> {
        let flags = [
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--limits", "live".to_owned()),
            ("--speed", args.speed().to_string()),
            ("--seed", args.seed.to_string()),
            ("--latency-ms", args.latency_ms.to_string()),
            ("--settle-ms", args.settle_ms.to_string()),
            ("--accounts", place.accounts().to_string_lossy().into_owned()),
            ("--faults", args.faults.clone()),
            ("--webhook-url", place.webhook_url()),
            ("--webhook-secret", WEBHOOK_SECRET.to_owned()),
            ("--api-key", API_KEY.to_owned()),
        ];
        let words = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        let log = place.logs().join("stripe-twin.log");
        let mut command = Role::Twin.command(&program.to_owned(), words);
        command.stdout(Stdio::piped()).stderr(append_to(&log)?).process_group(0);
        let mut child = command.spawn().with_context(|| format!("starting {} as stripe-twin", program.display()))?;
        write_pid(&place.pid_file("twin"), child.id());
        let stdout = child.stdout.take().context("the twin has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = match tokio::time::timeout(START_TIMEOUT, lines.next_line()).await {
            Ok(line) => line?.with_context(|| format!("the twin ended at once: see {}", log.display()))?,
            Err(_) => bail!("the twin didn't listen within {} s: see {}", START_TIMEOUT.as_secs(), log.display()),
        };
        let Some(base) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            bail!("the twin's first line has no address: {line:?}");
        };
        std::fs::write(place.twin_url(), base).context("writing the twin's address")?;
        Ok(Self { child, fetch: Fetch::new(base), base: base.to_owned() })
    }

    /// Payouts executed so far.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn executed(&self) -> anyhow::Result<u64> {
        Ok(self.fetch.json::<Stats>("/_twin/stats").await?.executed)
    }

    /// Executions still to come by themselves (a 500 that is rolled forward).
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn executions_due(&self) -> anyhow::Result<u64> {
        Ok(self.fetch.json::<Stats>("/_twin/stats").await?.executions_due)
    }

    /// Everything it did.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn ledger(&self) -> anyhow::Result<Ledger> {
        let rows: Vec<LedgerRow> = self.fetch.json("/_twin/ledger").await?;
        let stats: Stats = self.fetch.json("/_twin/stats").await?;
        let conservation: Conservation = self.fetch.json("/_twin/conservation").await?;
        let mut ledger = Ledger {
            limited: stats.limited,
            faults: stats.faults,
            per_second_max: stats.money_per_second_max,
            at_once_max: stats.money_in_flight_max,
            not_conserved: conservation.violations,
            ..Ledger::default()
        };
        if !conservation.ok && ledger.not_conserved.is_empty() {
            ledger.not_conserved.push("it doesn't say where".to_owned());
        }
        for row in rows {
            *ledger.states.entry(row.status).or_default() += 1;
            let key = row.idempotency_key.unwrap_or_default();
            let LedgerRow { id: object, account, amount, currency, .. } = row;
            ledger.executed.push(Executed { key, object, account, amount, currency });
        }
        Ok(ledger)
    }

    /// Stops it. Answers how it ended.
    pub async fn stop(mut self) -> String {
        terminate(&mut self.child).await
    }
}
