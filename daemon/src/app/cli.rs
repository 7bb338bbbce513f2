//! The command line of payoutd: a contract with units and scripts.
use crate::config::Flags;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Pays a marketplace's creators through Stripe Connect on the 1st and the 15th.
#[derive(Debug, Parser)]
#[command(name = "payoutd", version, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon.
    Serve(Where),
    /// Bring the database's schema up to date.
    Migrate {
        #[command(flatten)]
        flags: Where,
        /// Only say what would be done; exit with 78 when something would.
        #[arg(long)]
        check: bool,
    },
    /// The settings.
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Secrets.
    Secret {
        #[command(subcommand)]
        what: SecretCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting, its value (secrets masked), and where it came from.
    Explain(Where),
    /// Say everything that is wrong with the settings; exit with 78 when something is.
    Check(Where),
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Print a new secret of 64 hex digits.
    New,
}

/// Where things are; also in the environment, and in the file.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// A TOML file with settings, under the names that they have in the environment.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the daemon keeps what is its own.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl From<Where> for Flags {
    fn from(flags: Where) -> Self {
        Self { config: flags.config, state_dir: flags.state_dir, socket: flags.socket }
    }
}
