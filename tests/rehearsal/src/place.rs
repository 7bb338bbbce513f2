//! Where a rehearsal lives: one directory with a short path (a socket's path has 108 bytes at most), and a port for webhooks.
use anyhow::{Context, bail};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Room that Linux leaves for a socket's path, without the closing NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Ports below the ones that the kernel hands out to clients: nobody takes it while the daemon is dead.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The directory and what is in it.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    /// Takes the directory away when the rehearsal ends.
    temporary: Option<tempfile::TempDir>,
    /// Where the daemon's HTTP doors listen.
    pub http_port: u16,
}

/// What one daemon has for itself.
#[derive(Clone, Debug)]
pub struct Seat {
    /// `payoutd`, `payoutd-2`, …: of its log and the file with its number.
    pub name: String,
    /// Its state directory.
    pub state: PathBuf,
    /// Its control socket.
    pub socket: PathBuf,
    /// What it prints.
    pub log: PathBuf,
    /// Its daily log files.
    pub logs: PathBuf,
    /// Where its number is written.
    pub pid_file: PathBuf,
    /// Where its HTTP doors listen.
    pub http_port: u16,
}

impl Place {
    /// In the directory named, or in a temporary one.
    ///
    /// # Errors
    /// When it can't be made, isn't empty, or its path is too long for a socket.
    pub fn make(named: Option<&Path>, keep: bool) -> anyhow::Result<Self> {
        let (dir, temporary) = match named {
            Some(dir) => (use_named(dir)?, None),
            None => {
                let made = make_temporary()?;
                if keep { (made.keep(), None) } else { (made.path().to_owned(), Some(made)) }
            }
        };
        let place = Self { dir, temporary, http_port: free_port()? };
        for part in ["state", "run", "logs"] {
            let path = place.dir.join(part);
            fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("making {}", path.display()))?;
        }
        let bytes = place.socket().as_os_str().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            bail!(
                "{} has {bytes} bytes, {SOCKET_PATH_BYTES_MAX} at most: name a shorter --dir",
                place.socket().display()
            );
        }
        Ok(place)
    }

    /// Itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// It stays when the rehearsal ends.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// It stays after all: something in it is needed to understand what went wrong.
    pub fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            self.dir = temporary.keep();
        }
    }

    /// The daemon's state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("run/control.sock")
    }

    /// What a program printed, and the daemon's own daily files.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// The earnings that are imported.
    #[must_use]
    pub fn earnings(&self) -> PathBuf {
        self.dir.join("earnings.csv")
    }

    /// The twin's accounts.
    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.dir.join("accounts.json")
    }

    /// The clock that twin and daemon share when months are played.
    #[must_use]
    pub fn hour(&self) -> PathBuf {
        self.dir.join("run/hour")
    }

    /// The only daemon's, when it is the only one.
    #[must_use]
    pub fn seat(&self) -> Seat {
        Seat {
            name: "payoutd".to_owned(),
            state: self.state(),
            socket: self.socket(),
            log: self.logs().join("payoutd.log"),
            logs: self.logs(),
            pid_file: self.pid_file("payoutd"),
            http_port: self.http_port,
        }
    }

    /// One for each of several daemons, with directories and a port of its own; the place's own port is left to what stands before them.
    ///
    /// # Errors
    /// When a directory can't be made, or no port is free.
    pub fn seats(&self, count: u32) -> anyhow::Result<Vec<Seat>> {
        let mut seats: Vec<Seat> = Vec::new();
        for number in 1..=count {
            let name = format!("payoutd-{number}");
            let taken: Vec<u16> = seats.iter().map(|seat| seat.http_port).chain([self.http_port]).collect();
            let seat = Seat {
                state: self.dir.join(format!("state-{number}")),
                socket: self.dir.join(format!("run/control-{number}.sock")),
                log: self.logs().join(format!("{name}.log")),
                logs: self.logs().join(&name),
                pid_file: self.pid_file(&name),
                http_port: free_port_but(&taken)?,
                name,
            };
            for path in [&seat.state, &seat.logs] {
                fs::DirBuilder::new().mode(0o700).create(path).with_context(|| format!("making {}", path.display()))?;
            }
            seats.push(seat);
        }
        Ok(seats)
    }

    /// Where the number of a running program stands.
    #[must_use]
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.dir.join("run").join(format!("{name}.pid"))
    }

    /// Where the twin's address stands.
    #[must_use]
    pub fn twin_url(&self) -> PathBuf {
        self.dir.join("run/twin.url")
    }

    /// Where the twin sends its events.
    #[must_use]
    pub fn webhook_url(&self) -> String {
        format!("http://127.0.0.1:{}/webhooks/stripe", self.http_port)
    }
}

fn use_named(dir: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("resolving {}", dir.display()))?;
    if fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?.next().is_some() {
        bail!("--dir {} isn't empty: a rehearsal starts from nothing", dir.display());
    }
    Ok(dir)
}

/// In the usual place, or in /tmp when that path is too long.
fn make_temporary() -> anyhow::Result<tempfile::TempDir> {
    let usual = std::env::temp_dir();
    let parent = if usual.as_os_str().len() > 60 { Path::new("/tmp") } else { &usual };
    tempfile::Builder::new()
        .prefix("payoutd-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("making a directory in {}", parent.display()))
}

/// A port that nobody listens on now. Rehearsals on one machine begin at different ones.
fn free_port() -> anyhow::Result<u16> {
    free_port_but(&[])
}

pub(crate) fn free_port_but(taken: &[u16]) -> anyhow::Result<u16> {
    let count = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id().wrapping_mul(7919) % u32::from(count)).unwrap_or(0);
    for step in 0..count {
        let port = PORTS.start + (first + step) % count;
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of {PORTS:?} is free on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_place_leaves_nothing_and_a_named_one_must_be_empty() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("r");
        let place = Place::make(Some(&dir), false).unwrap();
        assert!(place.is_kept() && place.state().is_dir());
        drop(place);
        let refused = Place::make(Some(&dir), false).unwrap_err().to_string();
        assert!(refused.contains("isn't empty"), "{refused}");
        let place = Place::make(None, false).unwrap();
        let path = place.dir().to_owned();
        assert!(path.join("run").is_dir() && !place.is_kept());
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_at_once() {
        let parent = tempfile::tempdir().unwrap();
        let refused = Place::make(Some(&parent.path().join("x".repeat(100))), false).unwrap_err().to_string();
        assert!(refused.contains("shorter"), "{refused}");
    }
}
