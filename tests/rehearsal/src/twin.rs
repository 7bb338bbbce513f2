//! Stripe's twin as a process, and what it says of itself at the end.
use crate::{
    args::Args,
    compare::Executed,
    fetch::{Body, Fetch},
    life::{AtStripe, Dispute, Move, Paid},
    place::Place,
    role::Role,
    supervisor::{append_to, terminate, write_pid},
};
use anyhow::{Context, bail};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
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
#[derive(Clone, Debug, Deserialize)]
struct LedgerRow {
    id: String,
    account: String,
    amount: i64,
    currency: String,
    status: String,
    idempotency_key: Option<String>,
    destination: String,
    /// How it came about; ours were answered, or a fault struck.
    how: String,
}

/// The twin's words for payouts that the API wasn't asked for.
const NOT_ASKED_FOR: [&str; 2] = ["automatic", "dashboard"];

/// `GET /_twin/stats`, of it what we judge.
#[derive(Debug, Default, Deserialize)]
struct Stats {
    limited: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    executed: u64,
    money_in_flight_max: u64,
    money_per_second_max: u64,
    executions_due: u64,
    settlements_due: u64,
    endpoints: Mail,
}

/// Deliveries to the webhook endpoints.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Mail {
    delivered: u64,
    pending: u64,
    again: u64,
    lost: u64,
}

/// How far the twin is with what it does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// When the next event of the script happens, Unix milliseconds.
    pub(crate) next_ms: Option<i64>,
    /// Webhooks under way.
    pub(crate) under_way: u64,
    /// Webhooks that were refused and wait for the hour of their next try.
    pub(crate) again: u64,
    /// Webhooks that were taken.
    pub(crate) delivered: u64,
    /// Webhooks that a fault lost.
    pub(crate) lost: u64,
    /// Payouts that the bank hasn't answered for, and executions still to come.
    pub(crate) at_banks: u64,
}

#[derive(Debug, Deserialize)]
struct Script {
    next_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Moves {
    next: usize,
    rows: Vec<Move>,
}

/// A webhook that a fault took away.
#[derive(Debug, Deserialize)]
struct Lost {
    about: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct PurseRow {
    account: String,
    currency: String,
    purse: Balance,
}

#[derive(Debug, Deserialize)]
struct Balance {
    available: i64,
    pending: i64,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    secret: String,
}

/// What the platform's endpoint wants to hear; a dispute's kinds are Stripe's five.
const PLATFORM_EVENTS: [&str; 11] = [
    "payment_intent.succeeded",
    "transfer.created",
    "transfer.reversed",
    "charge.refunded",
    "refund.created",
    "application_fee.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
];
/// What the endpoint for connected accounts wants to hear.
const CONNECT_EVENTS: [&str; 10] = [
    "account.updated",
    "account.external_account.created",
    "account.external_account.updated",
    "account.external_account.deleted",
    "capability.updated",
    "payout.created",
    "payout.updated",
    "payout.paid",
    "payout.failed",
    "payout.canceled",
];

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
    /// Those that nobody asked the API for.
    pub(crate) others: Vec<Paid>,
    /// Those that it was asked for, as they are now.
    pub(crate) asked_for: Vec<Paid>,
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
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut flags = vec![
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--limits", "live".to_owned()),
            ("--speed", args.speed().to_string()),
            ("--seed", args.seed.to_string()),
            ("--latency-ms", args.latency_ms.to_string()),
            ("--settle-ms", args.settle_ms().to_string()),
            ("--faults", args.faults.clone()),
            ("--api-key", API_KEY.to_owned()),
        ];
        if args.months.is_some() {
            flags.push(("--clock-offset-file", path(place.hour())));
        } else {
            flags.push(("--accounts", path(place.accounts())));
            flags.push(("--webhook-url", place.webhook_url()));
            flags.push(("--webhook-secret", WEBHOOK_SECRET.to_owned()));
        }
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
        let (others, asked_for): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| NOT_ASKED_FOR.contains(&row.how.as_str()));
        ledger.others = others.iter().map(LedgerRow::paid).collect();
        ledger.asked_for = asked_for.iter().map(LedgerRow::paid).collect();
        for row in asked_for {
            *ledger.states.entry(row.status.clone()).or_default() += 1;
            let key = row.idempotency_key.unwrap_or_default();
            let LedgerRow { id: object, account, amount, currency, destination, .. } = row;
            ledger.executed.push(Executed { key, object, account, amount, currency, destination });
        }
        Ok(ledger)
    }

    /// Stops it. Answers how it ended.
    pub async fn stop(mut self) -> String {
        terminate(&mut self.child).await
    }
}

impl Twin {
    /// Makes the two webhook endpoints that a platform has, and gives their secrets.
    pub(crate) async fn endpoints(&self, url: &str) -> anyhow::Result<[String; 2]> {
        let mut secrets = Vec::new();
        for (connect, events) in [(false, &PLATFORM_EVENTS[..]), (true, &CONNECT_EVENTS[..])] {
            let wanted: Vec<String> = events.iter().map(|event| format!("&enabled_events[]={event}")).collect();
            let form = format!("url={url}&connect={connect}{}", wanted.concat());
            let made: Endpoint = self.fetch.post("/v1/webhook_endpoints", Body::Form(form, API_KEY)).await?;
            secrets.push(made.secret);
        }
        <[String; 2]>::try_from(secrets).map_err(|_| anyhow::anyhow!("not two endpoints"))
    }

    /// The script of a life from this moment on (Unix milliseconds); it is played as the Date goes on.
    pub(crate) async fn live(&self, args: &Args, from_ms: i64, days: u32) -> anyhow::Result<()> {
        let plan = serde_json::json!({"seed": args.seed, "creators": args.creators, "from_ms": from_ms, "days": days});
        self.fetch.post::<serde_json::Value>("/_twin/life", Body::Json(plan)).await.map(|_| ())
    }

    /// How far it is.
    pub(crate) async fn standing(&self) -> anyhow::Result<Standing> {
        let stats: Stats = self.fetch.json("/_twin/stats").await?;
        let script: Script = self.fetch.json("/_twin/life").await?;
        let mail = stats.endpoints;
        Ok(Standing {
            next_ms: script.next_ms,
            under_way: mail.pending.saturating_sub(mail.again),
            again: mail.again,
            delivered: mail.delivered,
            lost: mail.lost,
            at_banks: stats.settlements_due + stats.executions_due,
        })
    }

    /// Brings up to date what is known of its money; only new movements are asked for.
    pub(crate) async fn lived(&self, known: &mut AtStripe, next: &mut usize) -> anyhow::Result<()> {
        let moves: Moves = self.fetch.json(&format!("/_twin/moves?from={next}")).await?;
        *next = moves.next;
        known.moves.extend(moves.rows);
        known.lost =
            self.fetch.json::<Vec<Lost>>("/_twin/lost").await?.into_iter().flat_map(|lost| lost.about).collect();
        known.disputes = self.fetch.json::<Vec<Dispute>>("/_twin/disputes").await?;
        let purses: Vec<PurseRow> = self.fetch.json("/_twin/books").await?;
        let of = |row: PurseRow| ((row.account, row.currency), row.purse.available + row.purse.pending);
        known.purses = purses.into_iter().filter(|row| row.account != stripe_twin::PLATFORM_ACCOUNT).map(of).collect();
        Ok(())
    }
}

impl LedgerRow {
    fn paid(&self) -> Paid {
        let Self { id, account, amount, currency, status, .. } = self.clone();
        Paid { id, account, amount, currency, status }
    }
}
