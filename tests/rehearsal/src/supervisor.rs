//! Keeps the daemon running as systemd would: restarts it when it dies, but not when it said that a restart is no use.
//!
//! Invariant: at most one daemon of a supervisor lives at any moment, and none after [`Supervisor::stop`] or a drop.
use crate::place::Place;
use crate::role::Role;
use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::Child,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Usage, and configuration, mode, migration or a second daemon: a restart is no use.
const NO_RESTART: [i32; 2] = [2, 78];
/// Deaths in a row that nobody asked for, before it is given up.
const DEATHS_IN_A_ROW_MAX: u32 = 5;
/// Alive for so long, it didn't die in a row.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// How long it may take to stop when told to: longer than what the daemon asks systemd for, since a request in flight may take 30 s
/// and gets its answer.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How to start it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// This binary.
    pub program: PathBuf,
    /// Arguments after `--as payoutd`.
    pub args: Vec<String>,
    /// Its whole environment but for what [`INHERITED`] names.
    pub env: Vec<(String, String)>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Where its number is written.
    pub pid_file: PathBuf,
    /// How long it stays dead.
    pub restart_after: Duration,
}

/// What the daemon gets from our own environment; nothing else, so that no setting of the caller's shell gets in.
pub const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LANG", "TZ", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// The running one's number; `None` while it is dead.
    pub pid: Option<u32>,
    /// How it ended each time, in words.
    pub deaths: Vec<String>,
    /// Why it isn't started any more.
    pub given_up: Option<String>,
}

/// The keeper.
#[derive(Debug)]
pub struct Supervisor {
    orders: mpsc::Sender<Order>,
    life: watch::Receiver<Life>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Order {
    Kill(oneshot::Sender<()>),
    Stop(oneshot::Sender<String>),
}

impl Supervisor {
    /// Starts it and keeps it running.
    #[must_use]
    pub fn start(spec: Spec) -> Self {
        let (life, seen) = watch::channel(Life::default());
        let (orders, inbox) = mpsc::channel(4);
        let keeper = Keeper { spec, life, inbox, in_a_row: 0 };
        Self { orders, life: seen, task: tokio::spawn(keeper.run()) }
    }

    /// What became of it so far.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    /// What became of it once that is so; what it was last when it isn't kept any more.
    pub async fn when(&self, so: impl FnMut(&Life) -> bool) -> Life {
        let mut life = self.life.clone();
        let found = life.wait_for(so).await.map(|life| life.clone());
        found.unwrap_or_else(|_| self.life())
    }

    /// kill -9. Back when it is dead; it is started again after a while.
    pub async fn kill(&self) {
        let (done, dead) = oneshot::channel();
        if self.orders.send(Order::Kill(done)).await.is_ok() {
            let _ = dead.await;
        }
    }

    /// SIGTERM, and no restart. Answers how it ended.
    pub async fn stop(self) -> String {
        let (done, ended) = oneshot::channel();
        let _ = self.orders.send(Order::Stop(done)).await;
        let ended = ended.await.unwrap_or_else(|_| "it wasn't running".to_owned());
        self.task.abort();
        ended
    }
}

struct Keeper {
    spec: Spec,
    life: watch::Sender<Life>,
    inbox: mpsc::Receiver<Order>,
    in_a_row: u32,
}

/// Why a life ended.
enum End {
    Itself(ExitStatus),
    Killed,
    Stopped,
}

impl Keeper {
    fn note(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_modify(change);
    }

    fn give_up(&self, why: String) {
        self.note(|life| life.given_up = Some(why));
    }

    async fn run(mut self) {
        loop {
            let mut child = match spawn(&self.spec) {
                Ok(child) => child,
                Err(error) => return self.give_up(format!("{error:#}")),
            };
            let pid = child.id();
            self.note(|life| life.pid = pid);
            let started = std::time::Instant::now();
            let end = self.one_life(&mut child).await;
            self.note(|life| life.pid = None);
            match end {
                End::Stopped => return,
                End::Killed => self.in_a_row = 0,
                End::Itself(status) => {
                    self.note(|life| life.deaths.push(status.to_string()));
                    if status.code().is_some_and(|code| NO_RESTART.contains(&code)) {
                        return self.give_up(format!("it ended with {status}: a restart is no use"));
                    }
                    self.in_a_row = if started.elapsed() > SETTLED_AFTER { 1 } else { self.in_a_row + 1 };
                    if self.in_a_row >= DEATHS_IN_A_ROW_MAX {
                        return self
                            .give_up(format!("it died {DEATHS_IN_A_ROW_MAX} times in a row, last with {status}"));
                    }
                }
            }
            if self.stopped_while_dead().await {
                return;
            }
        }
    }

    async fn one_life(&mut self, child: &mut Child) -> End {
        tokio::select! {
            status = child.wait() => match status {
                Ok(status) => End::Itself(status),
                Err(_) => End::Killed,
            },
            order = self.inbox.recv() => match order {
                Some(Order::Kill(done)) => {
                    let _ = child.kill().await;
                    self.note(|life| life.deaths.push("kill -9 by the rehearsal".to_owned()));
                    let _ = done.send(());
                    End::Killed
                }
                Some(Order::Stop(done)) => {
                    let _ = done.send(terminate(child).await);
                    End::Stopped
                }
                None => {
                    let _ = child.kill().await;
                    End::Stopped
                }
            },
        }
    }

    /// Waits before the next start; true when told to stop meanwhile.
    async fn stopped_while_dead(&mut self) -> bool {
        let pause = sleep(self.spec.restart_after);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return false,
                order = self.inbox.recv() => match order {
                    Some(Order::Kill(done)) => { let _ = done.send(()); }
                    Some(Order::Stop(done)) => {
                        let _ = done.send("it was dead already".to_owned());
                        return true;
                    }
                    None => return true,
                },
            }
        }
    }
}

fn spawn(spec: &Spec) -> anyhow::Result<Child> {
    let log = append_to(&spec.log)?;
    let mut command = Role::Daemon.command(&spec.program, &spec.args);
    command.env_clear().envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
    command.envs(spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    command.stdout(log.try_clone().context("duplicating the log's handle")?).stderr(Stdio::from(log));
    // Ctrl-C in this terminal is for us: we stop it after the console, and compare.
    command.process_group(0);
    let child = command.spawn().with_context(|| format!("starting {} as payoutd", spec.program.display()))?;
    write_pid(&spec.pid_file, child.id());
    Ok(child)
}

/// A file that the programs' output is added to.
///
/// # Errors
/// When it can't be opened.
pub fn append_to(path: &Path) -> anyhow::Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("opening {}", path.display()))
}

/// Writes the number of a process, for people and tests; that nobody needs it to go on, so a failure is passed over.
pub fn write_pid(path: &Path, pid: Option<u32>) {
    if let (Some(pid), Ok(mut file)) = (pid, std::fs::File::create(path)) {
        let _ = writeln!(file, "{pid}");
    }
}

/// SIGTERM, then a bounded wait, then SIGKILL. Answers how it ended.
pub async fn terminate(child: &mut Child) -> String {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else {
        return "it had ended already".to_owned();
    };
    if let Err(error) = kill(Pid::from_raw(pid), Signal::SIGTERM) {
        return format!("SIGTERM failed: {error}");
    }
    match timeout(STOP_TIMEOUT, child.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => format!("waiting failed: {error}"),
        Err(_) => {
            let _ = child.kill().await;
            format!("it didn't stop within {} s of SIGTERM: killed", STOP_TIMEOUT.as_secs())
        }
    }
}

/// The last lines of a program's log, for messages.
#[must_use]
pub fn log_tail(place: &Place, name: &str) -> String {
    tail_of(&place.logs().join(format!("{name}.log")))
}

/// The last lines of a file, for messages.
#[must_use]
pub fn tail_of(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    format!("the end of {}:\n{}", path.display(), tail.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn keep(dir: &Path, script: &str) -> Supervisor {
        let program = dir.join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Supervisor::start(Spec {
            program,
            args: vec!["serve".to_owned()],
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
            log: dir.join("log"),
            pid_file: dir.join("pid"),
            restart_after: Duration::from_millis(1),
        })
    }

    #[tokio::test]
    async fn a_killed_daemon_lives_again_and_a_stopped_one_stays_dead() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = keep(dir.path(), "echo \"$GREETING $*\"; exec tail -f /dev/null");
        let first = daemon.when(|life| life.pid.is_some()).await.pid;
        daemon.kill().await;
        let life = daemon.when(|life| life.pid.is_some() && life.pid != first).await;
        assert_eq!(life.deaths, ["kill -9 by the rehearsal"]);
        let pid = life.pid.unwrap().to_string();
        assert_eq!(std::fs::read_to_string(dir.path().join("pid")).unwrap().trim(), pid);
        assert_eq!(daemon.stop().await, "signal: 15 (SIGTERM)");
        assert!(!Path::new("/proc").join(pid).exists());
    }

    #[tokio::test]
    async fn a_daemon_that_refuses_is_not_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = keep(dir.path(), "echo \"$GREETING $*\"; exit 78");
        let life = daemon.when(|life| life.given_up.is_some()).await;
        assert_eq!(life.deaths, ["exit status: 78"]);
        assert!(life.given_up.unwrap().contains("no use"));
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "hello --as payoutd serve\n");
        assert_eq!(daemon.stop().await, "it wasn't running");
    }

    #[tokio::test]
    async fn a_daemon_that_dies_again_and_again_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let life = keep(dir.path(), "exit 1").when(|life| life.given_up.is_some()).await;
        assert_eq!(life.deaths.len(), 5);
    }
}
