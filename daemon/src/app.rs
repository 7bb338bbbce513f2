//! The program: the command line, and for each command the rooms that it needs, wired together.
//!
//! Who comes in: the binary, and tests that run themselves as a daemon. Invariant: every way out has an exit code that a service
//! manager can act on: 0 stopped, 2 usage, 78 don't restart before somebody mended it, 75 do.
mod cli;
mod commands;
mod lock;
mod open;
mod serve;
mod supervise;

use clap::Parser as _;
use std::{ffi::OsString, fmt, process::ExitCode};

/// Why the program ends without having done what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration, the mode, the schema, or a second daemon: restarting doesn't help (78).
    Settings(String),
    /// Something that may pass by itself (75).
    Passing(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(text) | Self::Passing(text) => f.write_str(text),
        }
    }
}

impl Failure {
    const fn code(&self) -> u8 {
        match self {
            Self::Settings(_) => 78,
            Self::Passing(_) => 75,
        }
    }
}

/// Runs the program; `args` begins with its name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come this way too, with 0. When even stderr is gone nobody is left to tell.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let done = match cli.command {
        cli::Command::Serve(flags) => serve::serve(flags.into()),
        cli::Command::Migrate { flags, check } => commands::migrate(flags.into(), check),
        cli::Command::Config { what: cli::ConfigCommand::Explain(flags) } => commands::explain(flags.into()),
        cli::Command::Config { what: cli::ConfigCommand::Check(flags) } => commands::check(flags.into()),
        cli::Command::Secret { what: cli::SecretCommand::New } => commands::secret(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Each line by itself, so that a journal shows whose it is.
            for line in failure.to_string().lines() {
                eprintln!("payoutd: {line}");
            }
            ExitCode::from(failure.code())
        }
    }
}
