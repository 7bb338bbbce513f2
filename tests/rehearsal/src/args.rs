//! What the rehearsal is asked for.
use clap::{CommandFactory, Parser, error::ErrorKind};
use std::{ffi::OsString, io::IsTerminal, path::PathBuf};

/// Faults after which a payout may stay unknown for longer than a rehearsal lasts: a listing shows nothing, and proof of absence
/// takes 25 hours.
const LEAVES_UNKNOWN: [&str; 1] = ["500-not-executed"];
/// Faults that are 429s.
const LIMITS: [&str; 2] = ["429-storm", "lock-timeout"];

/// Stripe's twin, the daemon and the console as processes on this machine; at the end the books are compared row by row.
///
/// Without --headless the console runs in this terminal: `p` `y` pauses, `q` leaves. From another terminal, kill the daemon
/// (`kill -9`) and see it go on.
///
/// Exit codes: 0 books equal, 1 a difference or a failure, 2 usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "rehearsal", version)]
pub struct Args {
    /// How many creators to make
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub creators: u32,

    /// Earnings to import instead (CSV as `payout earnings import` reads it)
    #[arg(long, value_name = "FILE.csv", conflicts_with = "creators")]
    pub earnings: Option<PathBuf>,

    /// No console: progress lines, and an exit code by outcome
    #[arg(long)]
    pub headless: bool,

    /// What goes wrong at Stripe: NAME[=PERCENT], separated by commas (a wrong name lists them all)
    #[arg(long, value_name = "NAME[=PERCENT],…", default_value = "")]
    pub faults: String,

    /// Multiplies the limits on both sides and divides the twin's latency; the clock is untouched
    /// [default: 4 with the console, 20 headless]
    #[arg(long, value_parser = speed)]
    speed: Option<f64>,

    /// PostgreSQL to use, an empty database [default: the embedded SQLite]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,

    /// Keep the directory with the database, the logs and the CSV
    #[arg(long)]
    pub keep: bool,

    /// Use this directory (absent or empty, short path) and keep it, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// The twin: milliseconds from pending to paid [default: 3000, with --months 200]
    #[arg(long, value_name = "MS")]
    settle_ms: Option<u64>,

    /// The twin: milliseconds before an answer, at speed 1
    #[arg(long, default_value_t = 400, value_name = "MS")]
    pub latency_ms: u64,

    /// Creators, faults and moments of kills follow from it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Headless: play so many months of the marketplace's life, two cycles each: sales, refunds, disputes, bank changes, payouts
    /// by hand, webhooks as the only way in; each cycle is paid because its hour has come, and then compared
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=24),
        conflicts_with_all = ["earnings", "kill_daemon"])]
    pub months: Option<u32>,

    /// Headless: kill -9 the daemon so many times during the run
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub kill_daemon: u32,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=1000.0).contains(&speed) { Ok(speed) } else { Err("not within 0.1 and 1000".to_owned()) }
}

impl Args {
    /// Reads and checks the command line.
    ///
    /// # Errors
    /// clap's, for help and misuse.
    pub fn read(args: Vec<OsString>) -> Result<Self, clap::Error> {
        let args = Self::try_parse_from(args)?;
        let misuse = |text: &str| Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        if let Err(error) = args.faults.parse::<stripe_twin::FaultPlan>() {
            return misuse(&format!("--faults: {error}"));
        }
        if args.headless {
            return Ok(args);
        }
        if args.months.is_some() {
            return misuse("--months is for --headless");
        }
        if args.kill_daemon > 0 {
            return misuse("--kill-daemon is for --headless: with the console, kill it by hand");
        }
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return misuse("the console wants a terminal; without one: --headless");
        }
        Ok(args)
    }

    /// Speed, with its default.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed.unwrap_or(if self.headless { 20.0 } else { 4.0 })
    }

    /// The twin's time from pending to paid, milliseconds.
    #[must_use]
    pub fn settle_ms(&self) -> u64 {
        self.settle_ms.unwrap_or(if self.months.is_some() { 200 } else { 3000 })
    }

    fn asks_for(&self, faults: &[&str]) -> bool {
        let mut asked = self.faults.split(',').map(|part| part.split(['=', '@']).next().unwrap_or_default().trim());
        asked.any(|name| faults.contains(&name))
    }

    /// A fault was asked for that may leave payouts unknown. A kill may: a request that died before it left is sent again, and when
    /// that one is refused, its answer says nothing of the one before.
    #[must_use]
    pub fn may_leave_unknown(&self) -> bool {
        self.asks_for(&LEAVES_UNKNOWN) || self.kill_daemon > 0
    }

    /// A fault was asked for that answers 429.
    #[must_use]
    pub fn may_be_limited(&self) -> bool {
        self.asks_for(&LIMITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Args, clap::Error> {
        Args::read(text.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn headless_has_the_defaults_that_the_readme_names() {
        let args = read("rehearsal --headless").unwrap();
        assert_eq!((args.creators, args.speed(), args.faults.as_str()), (2000, 20.0, ""));
        assert!(!args.may_leave_unknown() && !args.may_be_limited());
    }

    #[test]
    fn a_fault_excuses_only_what_it_causes() {
        let args = read("rehearsal --headless --faults executed-then-dropped=5,500-not-executed=1").unwrap();
        assert!(args.may_leave_unknown() && !args.may_be_limited());
        let args = read("rehearsal --headless --faults 429-storm@500").unwrap();
        assert!(!args.may_leave_unknown() && args.may_be_limited());
        assert!(read("rehearsal --headless --kill-daemon 3").unwrap().may_leave_unknown());
        assert_eq!(read("rehearsal --headless --faults nonsense").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn contradictions_are_misuse() {
        for text in [
            "--headless --creators 3 --earnings x.csv",
            "--kill-daemon 2",
            "--months 3",
            "--headless --months 0",
            "--headless --months 3 --earnings x.csv",
            "--headless --speed 0",
            "--headless --creators 0",
        ] {
            assert_eq!(read(&format!("rehearsal {text}")).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
