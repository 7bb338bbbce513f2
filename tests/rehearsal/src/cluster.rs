//! A PostgreSQL of the rehearsal's own: made in a directory of its own, stopped as an administrator or a crash does it, started again,
//! and gone at the end. It ends with the rehearsal, whatever ends that.
use crate::place::free_port_but;
use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use sqlx::{Connection, PgConnection};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

/// Where Debian has its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Starting includes the recovery after a crash.
const UP_TIMEOUT: Duration = Duration::from_secs(60);
const DOWN_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// How it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Connections are told and end; everything is written.
    Fast,
    /// As a crash: the next start recovers.
    Immediate,
}

impl Stop {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Fast => "-m fast",
            Self::Immediate => "-m immediate",
        }
    }

    const fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::SIGINT,
            Self::Immediate => Signal::SIGQUIT,
        }
    }
}

/// The cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    /// Whom it runs as, when we are root: PostgreSQL refuses that.
    user: Option<User>,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// Made and up.
    pub(crate) async fn make() -> anyhow::Result<Self> {
        let bin = bin().context("--own-postgres: no PostgreSQL on this machine (apt-get install postgresql)")?;
        let dir = tempfile::Builder::new().prefix("pg-").tempdir_in("/tmp").context("making a directory in /tmp")?;
        let user = if Uid::effective().is_root() {
            let user = User::from_name("postgres")?.or(User::from_name("nobody")?);
            let user = user.context("PostgreSQL refuses to run as root, and there is no user postgres or nobody")?;
            std::os::unix::fs::chown(dir.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .context("giving the cluster's directory away")?;
            Some(user)
        } else {
            None
        };
        let cluster = Self { dir, bin, port: free_port_but(&[])?, user, server: Mutex::new(None) };
        let data = cluster.data();
        let made = cluster
            .command("initdb")
            .args(["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"])
            .output()
            .await
            .context("starting initdb")?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        cluster.up().await?;
        Ok(cluster)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it when it isn't up, and waits until it answers.
    pub(crate) async fn up(&self) -> anyhow::Result<()> {
        if self.server.lock().await.is_some() {
            return Ok(());
        }
        let log = self.dir.path().join("postgres.log");
        let (port, data, socket) = (self.port.to_string(), self.data(), self.dir.path().to_string_lossy().into_owned());
        let out = crate::supervisor::append_to(&log)?;
        let mut command = self.command("postgres");
        command.args(["-D", &data, "-p", &port, "-k", &socket, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        command.args(["-c", "full_page_writes=off", "-c", "max_connections=200"]);
        command.stdout(out.try_clone()?).stderr(out).process_group(0);
        let mut server = command.spawn().context("starting PostgreSQL")?;
        let deadline = Instant::now() + UP_TIMEOUT;
        loop {
            if let Ok(connection) = PgConnection::connect(&self.url()).await {
                connection.close().await?;
                break;
            }
            let ended = server.try_wait().context("looking at PostgreSQL")?;
            if ended.is_some() || Instant::now() > deadline {
                bail!("PostgreSQL doesn't answer: {}", crate::supervisor::tail_of(&log));
            }
            sleep(LOOK).await;
        }
        *self.server.lock().await = Some(server);
        Ok(())
    }

    /// Stops it, and waits until it is gone.
    pub(crate) async fn down(&self, stop: Stop) -> anyhow::Result<()> {
        let Some(mut server) = self.server.lock().await.take() else { return Ok(()) };
        let Some(pid) = server.id().and_then(|pid| i32::try_from(pid).ok()) else { return Ok(()) };
        kill(Pid::from_raw(pid), stop.signal()).context("stopping PostgreSQL")?;
        match timeout(DOWN_TIMEOUT, server.wait()).await {
            Ok(ended) => ended.map(drop).context("waiting for PostgreSQL"),
            Err(_) => bail!("PostgreSQL didn't stop within {} s", DOWN_TIMEOUT.as_secs()),
        }
    }

    fn data(&self) -> String {
        self.dir.path().join("db").to_string_lossy().into_owned()
    }

    /// One of its programs, as the user that it wants, and told to stop when we end.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some(user) = &self.user {
            command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups");
        }
        command.arg("--").arg(self.bin.join(program)).current_dir(self.dir.path()).stdin(Stdio::null());
        command.kill_on_drop(true);
        command
    }
}

/// The newest PostgreSQL's directory.
fn bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).map(|all| all.flatten().map(|one| one.path().join("bin")).collect());
    let mut all: Vec<PathBuf> = versions.unwrap_or_default();
    let version = |path: &PathBuf| {
        let name = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.and_then(|name| name.parse::<u32>().ok()).unwrap_or(0)
    };
    all.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    all.extend(std::env::split_paths(&path));
    all.into_iter().find(|dir| dir.join("postgres").exists() && dir.join("initdb").exists())
}
