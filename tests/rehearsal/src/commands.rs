//! What the rehearsal asks of the daemon, by the commands that people use: `payout --socket S … --json`.
use crate::role::Role;
use anyhow::{Context, bail};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
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

/// Daemons that nobody should be sent to now, by their number: stopped, or cut off from the database. What a balancer knows.
#[derive(Clone, Debug, Default)]
pub struct Away(Arc<Mutex<BTreeSet<usize>>>);

impl Away {
    /// It is, or isn't any more.
    pub fn set(&self, number: usize, away: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if away {
            all.insert(number);
        } else {
            all.remove(&number);
        }
    }

    /// It is.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }
}

/// `payout` with the sockets of the daemons: each command goes to the first that is there.
#[derive(Clone, Debug)]
pub struct Payout {
    program: PathBuf,
    sockets: Vec<PathBuf>,
    away: Away,
}

impl Payout {
    /// `program` becomes `payout` with `--as payout`.
    #[must_use]
    pub fn new(program: &Path, socket: &Path) -> Self {
        Self::any(program, vec![socket.to_owned()], Away::default())
    }

    /// The same with several daemons.
    #[must_use]
    pub fn any(program: &Path, sockets: Vec<PathBuf>, away: Away) -> Self {
        Self { program: program.to_owned(), sockets, away }
    }

    fn socket(&self) -> &Path {
        let here = |(number, socket): &(usize, &PathBuf)| {
            !self.away.has(*number) && std::os::unix::net::UnixStream::connect(socket).is_ok()
        };
        let found = self.sockets.iter().enumerate().find(here).map(|(_, socket)| socket).or(self.sockets.first());
        found.map_or(Path::new(""), PathBuf::as_path)
    }

    /// The command's process, not yet started. It inherits our environment, less what would lead it elsewhere.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> tokio::process::Command {
        let socket = self.socket().to_string_lossy().into_owned();
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
