//! What the rehearsal asks of the daemon, by the commands that people use: `payout --socket S … --json`.
use crate::role::Role;
use anyhow::{Context, bail};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// `payout`'s exit code for "the daemon can't be reached".
pub const UNREACHABLE: i32 = 3;

/// A long import of a large file is the slowest of them.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// `payout` with a socket.
#[derive(Clone, Debug)]
pub struct Payout {
    program: PathBuf,
    socket: PathBuf,
}

impl Payout {
    /// `program` becomes `payout` with `--as payout`.
    #[must_use]
    pub fn new(program: &Path, socket: &Path) -> Self {
        Self { program: program.to_owned(), socket: socket.to_owned() }
    }

    /// The command's process, not yet started. It inherits our environment, less what would lead it elsewhere.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> tokio::process::Command {
        let socket = self.socket.to_string_lossy().into_owned();
        let args = ["--socket", &socket].into_iter().map(str::to_owned).chain(args.iter().map(|arg| (*arg).to_owned()));
        let mut command = Role::Payout.command(&self.program, args.collect::<Vec<_>>());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PAYOUTD_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it can't be started, or doesn't end in time. A failure of its own is an [`Ended`] with its code.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<Ended> {
        let words = args.join(" ");
        let output = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = match tokio::time::timeout(TIMEOUT, output).await {
            Ok(output) => output.with_context(|| format!("starting payout {words}"))?,
            Err(_) => bail!("payout {words}: not done within {} s", TIMEOUT.as_secs()),
        };
        Ok(Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// With the command's own message when it fails.
    pub async fn must(&self, args: &[&str]) -> anyhow::Result<Ended> {
        let ended = self.run(args).await?;
        if ended.code != 0 {
            bail!("payout {}: exit code {}: {}", args.join(" "), ended.code, ended.stderr.trim());
        }
        Ok(ended)
    }

    /// Runs a command with `--json` and reads what it printed; `None` when the daemon can't be reached just now.
    ///
    /// # Errors
    /// When it fails otherwise, or prints no JSON.
    pub async fn json(&self, args: &[&str]) -> anyhow::Result<Option<Value>> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ended = self.run(&args).await?;
        if ended.code == UNREACHABLE {
            return Ok(None);
        }
        if ended.code != 0 {
            bail!("payout {}: exit code {}: {}", args.join(" "), ended.code, ended.stderr.trim());
        }
        let read = serde_json::from_str(&ended.stdout);
        Ok(Some(read.with_context(|| format!("payout {}: not JSON: {}", args.join(" "), ended.stdout.trim()))?))
    }
}
