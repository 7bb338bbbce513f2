//! The rehearsal: Stripe's twin, the daemon and the console as real processes on this machine, with the production arguments,
//! and at the end the daemon's books held against what the twin executed, row by row.
//!
//! Who comes in: the binary `rehearsal`, and tests. Whom it may call: the three programs, as processes only; the twin over HTTP,
//! the daemon through `payout`, its database by SQL of its own. Invariant: the comparison shares no code with the daemon, so
//! that one mistake can't be on both sides.
#![allow(
    clippy::disallowed_methods,
    reason = "a stopwatch beside the daemon: it measures and waits in real time, and has no Clock to ask"
)]

mod almanac;
pub mod args;
mod blows;
pub mod books;
mod cluster;
pub mod commands;
pub mod compare;
mod database;
mod disk;
mod fetch;
mod fleet;
mod flow;
mod hour;
mod kills;
mod lease;
mod life;
pub mod market;
mod months;
mod opening;
pub mod place;
mod progress;
mod read;
pub mod report;
mod reserves;
pub mod role;
mod stage;
mod strike;
pub mod supervisor;
mod swept;
mod tally;
pub mod twin;
pub mod wire;

use std::{ffi::OsString, process::ExitCode};

/// Runs the rehearsal, or (`--as ROLE …`) one of its programs in this process.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    if let Some(role) = role::asked_for(&args) {
        return role.run(args.into_iter().skip(3));
    }
    let mut args = match args::Args::read(args.clone()).map(|read| (read, args)) {
        Ok((read, words)) => {
            if read.wants_disk()
                && let Err(error) = disk::own_mounts(&words)
            {
                eprintln!("rehearsal: {error:#}");
                return ExitCode::FAILURE;
            }
            read
        }
        Err(error) => {
            // clap's own text; its exit code for help is 0, for misuse 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // One thread: a child that is told to die with its parent dies with the thread that started it.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rehearsal: no async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(rehearse(&mut args)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rehearsal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn rehearse(args: &mut args::Args) -> anyhow::Result<ExitCode> {
    let cluster = if args.own_postgres { Some(cluster::Cluster::make().await?) } else { None };
    args.database = args.database.take().or(cluster.as_ref().map(cluster::Cluster::url));
    match args.months {
        Some(months) => months::play(args, months).await,
        None => flow::rehearse(args, cluster).await,
    }
}
