//! The configuration: every setting and limit that the daemon has, named, with its unit, its default and the reason for it.
//!
//! Who comes in: `main` loads it once; everybody gets the part that is theirs. Whom it may call: the core, the Stripe room's checks.
//! Invariant: either the whole configuration is good, or all that is wrong with it is said at once; a secret is never shown.
mod parse;
mod policy;
mod read;
mod stripe;
pub mod table;

pub use policy::PolicyConfig;
pub use read::{ConfigError, Explained, Flags, Origin, Sources};
pub use stripe::StripeConfig;

use jiff::{civil, tz::TimeZone};
use parse::{number, role_groups, secrets};
use payout_shared::{breaker::BreakerRules, roles::RoleGroups};
use read::Reader;
use secrecy::SecretString;
use std::{fmt::Write as _, net::SocketAddr, path::PathBuf};
use table::Setting;

const HOUR_MS: i64 = 3_600_000;
/// A shorter lease could run out while its holder rests for a second (milliseconds).
const LEASE_MIN_MS: i64 = 3_000;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the daemon keeps what is its own.
    pub state_dir: PathBuf,
    /// Where the journal's place is kept outside the database.
    pub witness: PathBuf,
    /// Where its daily logs go.
    pub log_dir: PathBuf,
    /// What is logged: a filter of tracing's.
    pub log_filter: String,
    /// PAYOUTD_LOG_FILES: daily files kept.
    pub log_files: usize,
    /// Where its books are.
    pub database: Database,
    /// Stripe.
    pub stripe: StripeConfig,
    /// When runs are due.
    pub schedule: ScheduleConfig,
    /// Who is paid how much.
    pub policy: PolicyConfig,
    /// How the engine works.
    pub engine: EngineConfig,
    /// Sockets and their limits.
    pub doors: DoorsConfig,
    explained: Vec<Explained>,
}

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// SQLite in this file.
    Sqlite(PathBuf),
    /// PostgreSQL, or what speaks it: the URL, which may hold a password.
    Postgres(SecretString),
}

/// When runs are due.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// PAYOUT_TIMEZONE.
    pub timezone: TimeZone,
    /// PAYOUT_TIME.
    pub time: civil::Time,
    /// PAYOUT_CATCH_UP_HOURS, in milliseconds.
    pub catch_up_ms: i64,
    /// CRON_SECRET_KEY: empty = the internal endpoints are shut and the scheduler is disarmed.
    pub cron_secrets: Vec<SecretString>,
}

/// How the engine works.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// PAYOUTD_LEASE_MS.
    pub lease_ms: i64,
    /// PAYOUTD_PLAN_PAGE: purses per transaction.
    pub plan_page: u32,
    /// PAYOUTD_RESOLVE_FIRST_MS: from a lost answer to the first listing.
    pub resolve_first_ms: i64,
    /// PAYOUTD_ACCOUNT_STALE_HOURS, in milliseconds.
    pub account_stale_ms: i64,
    /// PAYOUT_BREAKER_PERCENT and its neighbours.
    pub breaker: BreakerRules,
}

/// Sockets and their limits.
#[derive(Clone, Debug)]
pub struct DoorsConfig {
    /// The control socket.
    pub socket: PathBuf,
    /// PAYOUTD_ROLE_GROUPS: empty = roles aren't in use.
    pub role_groups: RoleGroups,
    /// PAYOUTD_HTTP_LISTEN.
    pub http_listen: SocketAddr,
    /// PAYOUTD_WEBHOOK_BODY_BYTES.
    pub webhook_body_bytes: usize,
}

impl Config {
    /// Reads everything from `sources`.
    ///
    /// # Errors
    /// Every [`ConfigError`] there is, never empty: exit code 78.
    pub fn load(sources: &Sources) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::new(sources);
        let stripe = StripeConfig::read(&mut reader);
        let cron_secrets = reader.get(table::CRON_SECRET_KEY, Vec::new(), secrets(32));
        let state_dir = state_dir(&mut reader);
        let config = Self {
            witness: reader.get(table::PAYOUTD_WITNESS, state_dir.join("journal.head"), first_path),
            log_dir: reader.get(table::LOGS_DIRECTORY, state_dir.join("logs"), first_path),
            log_filter: reader.get(table::PAYOUTD_LOG, table::PAYOUTD_LOG.default.to_owned(), log_filter),
            log_files: reader.get(table::PAYOUTD_LOG_FILES, 30, number(1..=3_650)),
            database: reader.get(table::DATABASE_URL, Database::Sqlite(state_dir.join("payoutd.sqlite")), database),
            doors: DoorsConfig::read(&mut reader, &state_dir),
            stripe,
            schedule: ScheduleConfig::read(&mut reader, cron_secrets),
            policy: PolicyConfig::read(&mut reader)?,
            engine: EngineConfig::read(&mut reader),
            state_dir,
            explained: Vec::new(),
        };
        reader.default_is(table::PAYOUTD_SOCKET, &config.doors.socket.to_string_lossy());
        reader.default_is(table::LOGS_DIRECTORY, &config.log_dir.to_string_lossy());
        if let Database::Sqlite(path) = &config.database {
            reader.default_is(table::DATABASE_URL, &format!("sqlite://{}", path.display()));
        }
        if reader.errors.is_empty() {
            let mut explained = reader.explained;
            explained.sort_by_key(|line| table::ALL.iter().position(|setting| *setting == line.setting));
            Ok(Self { explained, ..config })
        } else {
            Err(reader.errors)
        }
    }

    /// Every setting, its value with secrets masked, and where it came from, in the order of [`table::ALL`].
    #[must_use]
    pub fn explain(&self) -> &[Explained] {
        &self.explained
    }

    /// [`Config::explain`] as the text that `payoutd config explain` prints.
    #[must_use]
    pub fn explain_text(&self) -> String {
        let mut text = String::new();
        for Explained { setting, value, from } in &self.explained {
            let value = match (value.is_empty(), setting.unit.is_empty()) {
                (true, _) => "(none)".to_owned(),
                (false, true) => value.clone(),
                (false, false) => format!("{value} {}", setting.unit),
            };
            // Writing to a String doesn't fail.
            let _ = writeln!(text, "{:<28} {value}  [{from}]\n{:<28} {}", setting.name, "", setting.reason);
        }
        text
    }
}

impl ScheduleConfig {
    fn read(reader: &mut Reader<'_>, cron_secrets: Vec<SecretString>) -> Self {
        Self {
            timezone: reader.get(table::PAYOUT_TIMEZONE, TimeZone::UTC, timezone),
            time: reader.get(table::PAYOUT_TIME, civil::time(6, 0, 0, 0), time),
            catch_up_ms: HOUR_MS.saturating_mul(reader.get(table::PAYOUT_CATCH_UP_HOURS, 24, number(1..=24))),
            cron_secrets,
        }
    }
}

impl EngineConfig {
    fn read(reader: &mut Reader<'_>) -> Self {
        let stale_hours = reader.get(table::PAYOUTD_ACCOUNT_STALE_HOURS, 24, number(1..=24 * 30));
        Self {
            lease_ms: reader.get(table::PAYOUTD_LEASE_MS, 8_000, number(LEASE_MIN_MS..=120_000)),
            plan_page: reader.get(table::PAYOUTD_PLAN_PAGE, 1_000, number(1..=10_000)),
            resolve_first_ms: reader.get(table::PAYOUTD_RESOLVE_FIRST_MS, 15_000, number(1_000..=3_600_000)),
            account_stale_ms: HOUR_MS.saturating_mul(stale_hours),
            breaker: BreakerRules {
                percent: reader.get(table::PAYOUT_BREAKER_PERCENT, 8, number(1..=100)),
                failures_min: reader.get(table::PAYOUT_BREAKER_FAILURES, 20, number(1..=500)),
                bank_percent: reader.get(table::PAYOUT_BREAKER_BANK_PERCENT, 50, number(1..=100)),
                bank_failures_min: reader.get(table::PAYOUT_BREAKER_BANK_FAILURES, 10, number(1..=500)),
            },
        }
    }
}

impl DoorsConfig {
    fn read(reader: &mut Reader<'_>, state_dir: &std::path::Path) -> Self {
        let runtime = reader.env("RUNTIME_DIRECTORY").and_then(|list| list.split(':').next()).map(PathBuf::from);
        let socket = runtime.unwrap_or_else(|| state_dir.to_owned()).join("control.sock");
        let listen = |text: &str| {
            text.parse().map_err(|_| "an address and a port are needed, as in 127.0.0.1:8080 or [::1]:8080".to_owned())
        };
        Self {
            socket: reader.get(table::PAYOUTD_SOCKET, socket, first_path),
            role_groups: reader.get(table::PAYOUTD_ROLE_GROUPS, RoleGroups::default(), role_groups),
            http_listen: reader.get(table::PAYOUTD_HTTP_LISTEN, SocketAddr::from(([127, 0, 0, 1], 8080)), listen),
            webhook_body_bytes: reader.get(table::PAYOUTD_WEBHOOK_BODY_BYTES, 1 << 20, number(1_024..=1 << 24)),
        }
    }
}

fn state_dir(reader: &mut Reader<'_>) -> PathBuf {
    let name: &Setting = table::PAYOUTD_STATE_DIR;
    let state_dir = reader.get(table::PAYOUTD_STATE_DIR, None, |text| first_path(text).map(Some));
    state_dir.unwrap_or_else(|| {
        let problem = "a directory is needed for what the daemon keeps: give --state-dir DIR, or set this";
        reader.wrong(name.name, String::new(), problem.to_owned());
        PathBuf::new()
    })
}

/// A path; of systemd's colon-separated list the first.
fn first_path(text: &str) -> Result<PathBuf, String> {
    let first = text.split(':').next().filter(|path| !path.is_empty());
    first.map(PathBuf::from).ok_or_else(|| "a path is needed".to_owned())
}

fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("no filter: {error}; write one such as info or payoutd=debug,info")),
    }
}

fn database(text: &str) -> Result<Database, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(SecretString::from(text)));
    }
    let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if !path.is_empty() && !path.contains(['?', '#']) => Ok(Database::Sqlite(PathBuf::from(path))),
        Some(_) | None => Err("sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME is needed".to_owned()),
    }
}

fn timezone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text)
        .map_err(|_| "no time zone of that name is known; write one such as Europe/Berlin or UTC".to_owned())
}

fn time(text: &str) -> Result<civil::Time, String> {
    civil::Time::strptime("%H:%M", text).map_err(|_| "no time of day; write HH:MM, as in 06:00".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
