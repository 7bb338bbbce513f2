//! Every command: its words, and the exit codes that scripts rely on.
mod args;
mod books;
mod cohorts;
mod creators;
mod earnings;
mod error;
mod foreign;
mod holds;
mod json;
mod payouts;
mod policies;
mod requests;
mod rollback;
mod run;
mod schedule;
mod session;
mod status;
mod stop;
mod table;
mod undo;
mod watch;

use crate::{
    console::{self, Ended, NotBegun},
    link::dial::{Way, bridge},
};
use args::{Cli, Command};
use clap::Parser;
use error::{Code, Error};
use payout_proto::v1;
use session::Session;
use std::{
    ffi::OsString,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where the socket is when nothing else is said.
const USUAL_SOCKET: &str = "/run/payoutd/control.sock";

/// Runs the command line.
pub(crate) fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are done, the rest is usage; a closed pipe isn't worth a word.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return report(&Error::failed(format!("no threads can be started: {error}"))),
    };
    let done = runtime.block_on(run(cli));
    // A thread that still reads stdin must not hold us up.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| report(&error))
}

fn report(error: &Error) -> ExitCode {
    error::aside(&format!("payout: {}\n", error.message));
    ExitCode::from(match error.code {
        Code::Failed => 1,
        Code::Usage => 2,
        Code::Unreachable => 3,
        Code::NotPermitted => 4,
        Code::Nothing => 5,
    })
}

fn usual_socket() -> PathBuf {
    std::env::var_os("RUNTIME_DIRECTORY").filter(|dir| !dir.is_empty()).map_or_else(
        || PathBuf::from(USUAL_SOCKET),
        |dirs| {
            // systemd separates several with colons; ours is the first.
            let dirs = dirs.to_string_lossy().into_owned();
            Path::new(dirs.split(':').next().unwrap_or(&dirs)).join("control.sock")
        },
    )
}

async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let is_usual = cli.socket.is_none();
    let way = match &cli.host {
        None => Way::Socket(cli.socket.clone().unwrap_or_else(usual_socket)),
        Some(host) => Way::ssh(host, cli.socket.clone()).map_err(|why| Error::new(Code::Usage, why))?,
    };
    let session = Session { way, json: cli.json, read_only: cli.read_only };
    let Some(command) = cli.command else { return open_console(&session, is_usual).await };
    match command {
        Command::Status => status::show(&session).await?,
        Command::Schedule { command } => schedule::run(&session, command).await?,
        Command::Run { command } => run_command(&session, command).await?,
        Command::Pause(stop) => stop::pause(&session, stop).await?,
        Command::Resume(stop) => stop::resume(&session, stop).await?,
        Command::Payouts(args) if args.foreign => foreign::list(&session, args).await?,
        Command::Payouts(args) => payouts::list(&session, args).await?,
        Command::Show { payout } => payouts::show(&session, payout).await?,
        Command::Retry(args) => undo::retry(&session, args).await?,
        Command::Rollback(args) => rollback::rollback(&session, args).await?,
        Command::Resolve { payout, paid: Some(paid), .. } => undo::resolve_paid(&session, payout, paid).await?,
        Command::Resolve { payout, paid: None, reason, .. } => {
            requests::ask_not_paid(&session, payout, reason.unwrap_or_default()).await?;
        }
        Command::Adopt { object: Some(object), creator, reason, restored: _ } => {
            foreign::adopt(&session, object, creator.unwrap_or_default(), reason.reason).await?;
        }
        Command::Adopt { reason, .. } => foreign::adopt_restored(&session, &reason.reason).await?,
        Command::Creators(args) => creators::list(&session, args).await?,
        Command::Creator(args::Creator { command: Some(command), .. }) => cohorts::tag(&session, command).await?,
        Command::Creator(args::Creator { creator, .. }) => {
            creators::show(&session, creator.unwrap_or_default()).await?
        }
        Command::Cohort { command } => cohorts::run(&session, command).await?,
        Command::Hold { creator, reason } => holds::hold(&session, creator, reason.reason).await?,
        Command::Release { creator, reason, cause } => holds::release(&session, creator, reason.reason, cause).await?,
        Command::Earnings { command: args::Earnings::Import { file } } => earnings::import(&session, &file).await?,
        Command::Policy { command } => policies::run(&session, command).await?,
        Command::Requests { all } => requests::list(&session, all).await?,
        Command::Approve { request, hash, reason } => {
            requests::approve(&session, v1::ApproveRequest { request, hash, reason: reason.reason }).await?;
        }
        Command::Reject { request, reason } => {
            requests::reject(&session, v1::RejectRequest { request, reason: reason.reason }).await?;
        }
        Command::Override(asked) => requests::ask_override(&session, asked).await?,
        Command::Adjust(asked) => requests::ask_adjustment(&session, asked).await?,
        Command::Books => books::check(&session).await?,
        Command::DialStdio => {
            let Way::Socket(socket) = &session.way else {
                return Err(Error::new(Code::Usage, "dial-stdio is for the daemon's own machine, without --host"));
            };
            let place = socket.display().to_string();
            bridge(socket)
                .await
                .map_err(|error| Error::new(Code::Unreachable, format!("dial-stdio: {place}: {error}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_command(session: &Session, command: args::Run) -> Result<(), Error> {
    match command {
        args::Run::Start { cycle, creators, dry_run, reason } => {
            let cycle_date = cycle.unwrap_or_default();
            if dry_run {
                return run::dry_run(session, v1::DryRunRequest { cycle_date, creator_ids: creators }).await;
            }
            run::start(session, v1::StartRunRequest { cycle_date, creator_ids: creators, reason }).await
        }
        args::Run::List { limit } => run::list(session, limit).await,
        args::Run::Show { run } => run::show(session, run).await,
        args::Run::Abort { run, reason } => rollback::abort(session, run, reason.reason).await,
        args::Run::Watch { run, plain } => watch::run(session, run, plain).await,
    }
}

async fn open_console(session: &Session, is_usual: bool) -> Result<ExitCode, Error> {
    if session.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let advice = "the console needs a terminal; without one: payout status, payout run watch --plain (--json)";
        return Err(Error::new(Code::Usage, advice));
    }
    let options = console::Options {
        way: session.way.clone(),
        command: session.way.command(is_usual),
        read_only: session.read_only,
    };
    let ended = console::run(options).await.map_err(|not_begun| match not_begun {
        NotBegun::Unreachable(why) => Error::new(Code::Unreachable, format!("{}: {why}", session.way)),
        NotBegun::NoTerminal(why) => Error::failed(format!("console: {why}")),
    })?;
    match ended {
        Ended::Quit => Ok(ExitCode::SUCCESS),
        Ended::Told(code) => Ok(ExitCode::from(code)),
        Ended::TerminalGone => Ok(ExitCode::from(129)),
    }
}
