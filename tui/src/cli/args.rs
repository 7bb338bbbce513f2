//! The words of the command line. Names are a contract: scripts and pages carry them.
mod creators;
pub(super) use creators::{Creator, Creators, Tags};

use clap::{Args, Parser, Subcommand};
use payout_shared::cohort::Share;
use std::path::PathBuf;

/// Watch and steer payoutd. Without a command: the console.
///
/// Exit codes: 0 done, 1 refused or failed, 2 usage, 3 daemon unreachable, 4 not permitted, 5 nothing to do,
/// 129 the terminal went away.
#[derive(Debug, Parser)]
#[command(name = "payout", version, max_term_width = 100)]
pub(super) struct Cli {
    /// The daemon's control socket [default: $RUNTIME_DIRECTORY/control.sock or /run/payoutd/control.sock]
    #[arg(long, global = true, value_name = "PATH", env = "PAYOUTD_SOCKET")]
    pub socket: Option<PathBuf>,
    /// The daemon on another machine, as ssh://[user@]host
    #[arg(long, global = true, value_name = "URL")]
    pub host: Option<String>,
    /// Refuse everything that changes something
    #[arg(long, global = true)]
    pub read_only: bool,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Daemon, schedule, current run, alarms
    Status,
    /// The next cycles; arm or disarm
    Schedule {
        #[command(subcommand)]
        command: Option<Schedule>,
    },
    /// Runs: start, list, show, watch, abort
    Run {
        #[command(subcommand)]
        command: Run,
    },
    /// Stop money from leaving: one run, or everything. Safe, also twice
    Pause(Stop),
    /// Take a pause back
    Resume(Stop),
    /// Payouts, filtered and sorted by the daemon
    Payouts(Payouts),
    /// One payout with its timeline
    Show {
        /// A payout's id
        payout: String,
    },
    /// Failed payouts again: a new attempt each, of the same earnings and amount
    Retry(Retry),
    /// Take a run back: show what would be done, or do exactly what was shown
    Rollback(Rollback),
    /// Settle an unknown payout by hand: the daemon looks at Stripe before it believes it
    Resolve {
        /// A payout's id
        payout: String,
        /// The Stripe payout that it became
        #[arg(long, value_name = "PO_ID", conflicts_with = "not_paid", required_unless_present = "not_paid")]
        paid: Option<String>,
        /// Asks two people to say that it was not paid, before Stripe's lists prove it
        #[arg(long, requires = "reason")]
        not_paid: bool,
        /// Why, with --not-paid; it is kept for ever
        #[arg(long, value_name = "TEXT", conflicts_with = "paid")]
        reason: Option<String>,
    },
    /// Take a payout that somebody made at Stripe past us into the books: what it paid is never paid again
    Adopt {
        /// The Stripe payout: payout payouts --foreign lists them
        #[arg(value_name = "PO_ID", required_unless_present = "restored", requires = "creator")]
        object: Option<String>,
        /// The creator whose account it lies on
        #[arg(long, value_name = "ID")]
        creator: Option<String>,
        /// All that carry a key of ours which the books forgot: they were restored from a backup
        #[arg(long, conflicts_with_all = ["object", "creator"])]
        restored: bool,
        #[command(flatten)]
        reason: Reason,
    },
    /// Creators with what each would be paid now, and why not
    Creators(Creators),
    /// One creator: account, bank account, holds, balances, newest payouts; or their tags
    Creator(Creator),
    /// The rollout: named sets of creators, opened one after another
    Cohort {
        #[command(subcommand)]
        command: Cohort,
    },
    /// Don't pay a creator from the next send on
    Hold {
        /// The platform's id of the creator
        creator: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Take a creator's holds back: all of them, or of one cause
    Release {
        /// The platform's id of the creator
        creator: String,
        #[command(flatten)]
        reason: Reason,
        /// Only this hold: person, or the word of the rule that placed it
        #[arg(long, value_name = "CAUSE", default_value = "")]
        cause: String,
    },
    /// Earnings: import
    Earnings {
        #[command(subcommand)]
        command: Earnings,
    },
    /// What the platform decided about paying: list, set, history
    Policy {
        #[command(subcommand)]
        command: Policy,
    },
    /// What waits for two people, with the hash to approve by
    Requests {
        /// Decided ones too
        #[arg(long)]
        all: bool,
    },
    /// Say yes to what a request asks; the second person's yes does it
    Approve {
        /// The request's id
        request: String,
        /// Of what was shown: `payout requests`
        #[arg(long, value_name = "HASH")]
        hash: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Say no: nothing is done, a run that waits is paused
    Reject {
        /// The request's id
        request: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Ask two people for one payout beyond the rules, in one cycle
    Override(Override),
    /// Ask two people for an entry that nothing at Stripe explains
    Adjust(Adjust),
    /// Check every invariant of the books
    Books,
    /// Stdin and stdout become the connection to the daemon's socket (for --host)
    #[command(hide = true)]
    DialStdio,
}

#[derive(Debug, Subcommand)]
pub(super) enum Schedule {
    /// The next N cycles
    Next {
        #[arg(default_value_t = 6, value_parser = clap::value_parser!(i64).range(1..=100))]
        n: i64,
    },
    /// Runs start by themselves from now on
    Arm(Reason),
    /// No run starts by itself
    Disarm(Reason),
}

#[derive(Debug, Args)]
pub(super) struct Reason {
    /// Why; it is kept for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Run {
    /// Start a run now
    Start {
        /// The cycle whose cutoff counts, as 2026-12-01; none = cutoff now
        #[arg(long, value_name = "DATE")]
        cycle: Option<String>,
        /// Only these creators
        #[arg(long, value_name = "ID,..", value_delimiter = ',')]
        creators: Vec<String>,
        /// Only show what it would pay
        #[arg(long)]
        dry_run: bool,
        /// Why; it is kept for ever
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Runs, newest first
    List {
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// One run with its counts, sums and skips
    Show {
        /// An id or a label such as 2026-12-01#1
        run: String,
    },
    /// End a run: what was never sent is given up, what Stripe has goes on
    Abort {
        /// An id or a label such as 2026-12-01#1
        run: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Follow a run until it is finished; 0 when it completed, 1 when it completed with failures or was aborted
    Watch {
        /// An id or a label; none = the open run
        run: Option<String>,
        /// A new line for each change, for dumb terminals and screen readers
        #[arg(long)]
        plain: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Stop {
    /// Why; it is kept for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// An id or a label; none = everything
    #[arg(long, value_name = "RUN", default_value = "")]
    pub run: String,
}

#[derive(Debug, Args)]
pub(super) struct Payouts {
    /// An id or a label; none = all runs
    #[arg(long, value_name = "RUN", default_value = "")]
    pub run: String,
    /// Only these states
    #[arg(long, value_name = "S,..", value_delimiter = ',', value_parser = state)]
    pub status: Vec<String>,
    /// Only this cause
    #[arg(long, value_name = "CODE", default_value = "")]
    pub cause: String,
    /// Only this creator
    #[arg(long, value_name = "ID", default_value = "")]
    pub creator: String,
    /// As CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Instead: payouts that were made at Stripe past us and bar their purses until somebody adopts them
    #[arg(long, conflicts_with_all = ["run", "status", "cause", "csv"])]
    pub foreign: bool,
    /// With --foreign: also those that bar nothing (adopted, failed, canceled)
    #[arg(long, requires = "foreign")]
    pub all: bool,
    /// At most so many rows [default: 100 as text, all as CSV or JSON]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: Option<i64>,
}

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// An id or a label such as 2026-12-01#1
    pub run: String,
    /// Only show it, row by row, with the hash to confirm (what it does without --confirm)
    #[arg(long, conflicts_with = "confirm")]
    pub preview: bool,
    /// Do it: the hash of the preview
    #[arg(long, value_name = "HASH", requires = "reason")]
    pub confirm: Option<String>,
    /// Why, in 10 characters or more; it is kept for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Retry {
    /// Payouts' ids
    #[arg(value_name = "PAYOUT", required_unless_present = "run")]
    pub payouts: Vec<String>,
    /// All that failed in this run, for the cause given
    #[arg(long, value_name = "RUN", requires = "cause", conflicts_with = "payouts")]
    pub run: Option<String>,
    /// Only those that failed for this cause
    #[arg(long, value_name = "CODE", requires = "run")]
    pub cause: Option<String>,
    /// Why; it is kept for ever
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum Cohort {
    /// Cohorts, in the order in which they were made
    List,
    /// One cohort: who is in it, and how its payouts went
    Show { name: String },
    /// Make one, closed. While any cohort exists only creators in open ones are paid
    Create {
        name: String,
        #[command(flatten)]
        of: CohortOf,
        #[command(flatten)]
        reason: Reason,
    },
    /// Add creators to a list
    Add {
        name: String,
        #[arg(value_name = "ID")]
        creators: Vec<String>,
        /// A file with one id a line; - = stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Although the cohort was opened and its gate isn't passed; for admins
        #[arg(long)]
        r#override: bool,
        #[command(flatten)]
        reason: Reason,
    },
    /// Take creators off a list; it counts at the next send
    Remove {
        name: String,
        #[arg(value_name = "ID")]
        creators: Vec<String>,
        /// A file with one id a line; - = stdin
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        reason: Reason,
    },
    /// Propose a mix of large and small earners of many countries; the same for the same name
    Sample {
        name: String,
        /// How many creators
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        size: i64,
        /// Make the cohort of them
        #[arg(long, requires = "reason")]
        create: bool,
        /// Why; it is kept for ever
        #[arg(long, value_name = "TEXT", requires = "create")]
        reason: Option<String>,
    },
    /// Pay a cohort's creators from the next plan and send on; refused while the gate of the ones open isn't passed
    Open {
        name: String,
        /// Although the gate isn't passed; for admins
        #[arg(long)]
        r#override: bool,
        #[command(flatten)]
        reason: Reason,
    },
    /// Back: stop paying a cohort's creators from the next send on
    Close {
        name: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Whether a cohort's payouts are good enough to go on; 0 when they are, 1 when not
    Gate { name: String },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct CohortOf {
    /// These creators
    #[arg(long, value_name = "ID,..", value_delimiter = ',', conflicts_with_all = ["tag", "percent"])]
    pub creators: Vec<String>,
    /// Creators in a file, one id a line; - = stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tag", "percent"])]
    pub file: Option<PathBuf>,
    /// Every creator with this tag
    #[arg(long, value_name = "TAG", conflicts_with = "percent")]
    pub tag: Option<String>,
    /// This share of all creators: 5, 12.5, 100
    #[arg(long, value_name = "P", value_parser = share)]
    pub percent: Option<Share>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Earnings {
    /// Import a CSV file: checked whole, then written in one transaction
    Import {
        /// The file; - = stdin
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Override {
    /// The platform's id of the creator
    pub creator: String,
    /// A payout over the cap
    #[arg(long, conflicts_with = "bank_changed", required_unless_present = "bank_changed")]
    pub cap: bool,
    /// A payout to the bank account that was changed a short time ago
    #[arg(long)]
    pub bank_changed: bool,
    /// The cycle, as 2026-12-01
    #[arg(long, value_name = "DATE")]
    pub cycle: String,
    /// With --cap: at most this much, in major units [default: what is payable now]
    #[arg(long, value_name = "AMOUNT", conflicts_with = "bank_changed", default_value = "", hide_default_value = true)]
    pub up_to: String,
    #[command(flatten)]
    pub reason: Reason,
}

#[derive(Debug, Args)]
pub(super) struct Adjust {
    /// The platform's id of the creator
    pub creator: String,
    /// In major units, as 12.34; what takes money is negative
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub amount: String,
    /// As usd
    #[arg(long, value_name = "CODE")]
    pub currency: String,
    /// Which account [default: the creator's current one]
    #[arg(long, value_name = "ACCT", default_value = "", hide_default_value = true)]
    pub account: String,
    /// The platform's transfer that carries a positive one
    #[arg(long, value_name = "TR_ID", default_value = "", hide_default_value = true)]
    pub transfer: String,
    /// Give a debt up instead
    #[arg(long)]
    pub write_off: bool,
    #[command(flatten)]
    pub reason: Reason,
}

#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Every policy with the value in force, and what is to come
    List,
    /// Append a version: nothing that was decided by now changes
    Set {
        /// As in hold_days, minimum.usd, country_minimum.KR.krw
        name: String,
        /// Amounts in major units (10.00), percentages (2.5), days, a number, none
        value: String,
        #[command(flatten)]
        reason: Reason,
        /// Not before this moment, as 2026-12-01T00:00:00Z [default: now]
        #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
        from: String,
    },
    /// Every version there ever was
    History {
        /// Only of this policy
        #[arg(default_value = "", hide_default_value = true)]
        name: String,
    },
}

fn share(text: &str) -> Result<Share, String> {
    Share::parse(text).ok_or_else(|| "it isn't a percentage: more than 0, at most 100, two decimals".to_owned())
}

fn state(text: &str) -> Result<String, String> {
    use payout_shared::payout::PayoutState;
    PayoutState::parse(text).map(|state| state.as_str().to_owned()).ok_or_else(|| {
        let known: Vec<&str> = PayoutState::ALL.iter().map(|state| state.as_str()).collect();
        format!("it isn't a state: {}", known.join(", "))
    })
}
