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
        conflicts_with_all = ["earnings", "kill_daemon", "kill_leader", "stop_leader", "cut_leader", "restart_database",
            "fill_disk", "chaos"])]
    pub months: Option<u32>,

    /// Headless: kill -9 the daemon so many times during the run
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub kill_daemon: u32,

    /// So many daemons on one PostgreSQL; one of them holds the lease
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9),
        conflicts_with_all = ["months", "kill_daemon"])]
    pub daemons: u32,

    /// Make a PostgreSQL cluster for this rehearsal, in a directory of its own, and take it away again
    #[arg(long, conflicts_with = "database")]
    pub own_postgres: bool,

    /// Headless: kill -9 the daemon that holds the lease so many times, and say how soon another one has it and sends
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub kill_leader: u32,

    /// From the loss of a leader until another daemon holds the lease and sends: longer is a failure
    #[arg(long, default_value_t = 10_000, value_name = "MS", value_parser = clap::value_parser!(u32).range(1_000..=600_000))]
    pub take_over_max_ms: u32,

    /// Headless: SIGSTOP the daemon that holds the lease until another one sends; then it must follow
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub stop_leader: u32,

    /// Headless: cut the daemon that holds the lease off from PostgreSQL until another one sends (connections refused, and in turn
    /// everything swallowed); then it must follow
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub cut_leader: u32,

    /// Headless, with --own-postgres: stop PostgreSQL so many times (-m fast, and in turn -m immediate) and start it again
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub restart_database: u32,

    /// Headless, SQLite: so many times the disk is full for a while
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub fill_disk: u32,

    /// Headless: so many of these blows, whichever the seed says and the database allows
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub chaos: u32,
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
        if let Err(text) = args.fits() {
            return misuse(text);
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
        if args.blows() > 0 {
            return misuse("blows are for --headless");
        }
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return misuse("the console wants a terminal; without one: --headless");
        }
        Ok(args)
    }

    /// What was asked for goes together.
    fn fits(&self) -> Result<(), &'static str> {
        if self.daemons > 1 && !self.is_postgres() {
            return Err(
                "--daemons: SQLite takes one daemon only (its file lock keeps a second one out); for several: \
                        --own-postgres, or --database postgres://…",
            );
        }
        if self.daemons == 1 && self.cut_leader > 0 {
            return Err("--cut-leader wants another daemon that takes over: --daemons 2");
        }
        if self.restart_database > 0 && !self.own_postgres {
            return Err("--restart-database stops only a PostgreSQL that the rehearsal has made: --own-postgres");
        }
        if self.fill_disk > 0 && self.is_postgres() {
            return Err("--fill-disk is for SQLite, whose file is the daemon's own");
        }
        if self.kill_daemon > 0 && self.blows() > 0 {
            return Err("--kill-daemon goes with no other blow: --kill-leader does the same with one daemon");
        }
        Ok(())
    }

    /// The daemons share or have a PostgreSQL.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        self.own_postgres || self.database.is_some()
    }

    /// The embedded database needs a disk of its own.
    #[must_use]
    pub const fn wants_disk(&self) -> bool {
        !self.is_postgres() && self.fill_disk + self.chaos > 0
    }

    /// How many blows were asked for.
    #[must_use]
    pub const fn blows(&self) -> u32 {
        self.kill_leader + self.stop_leader + self.cut_leader + self.restart_database + self.fill_disk + self.chaos
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
        self.asks_for(&LEAVES_UNKNOWN) || self.kill_daemon > 0 || self.blows() > 0
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
            "--headless --daemons 2",
            "--headless --cut-leader 1 --own-postgres",
            "--headless --restart-database 1 --database postgres://x",
            "--headless --fill-disk 1 --own-postgres",
            "--headless --kill-daemon 1 --kill-leader 1",
            "--headless --months 1 --daemons 2 --own-postgres",
            "--kill-leader 2",
            "--headless --speed 0",
            "--headless --creators 0",
        ] {
            assert_eq!(read(&format!("rehearsal {text}")).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
