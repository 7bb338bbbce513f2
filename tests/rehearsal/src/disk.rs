//! A small disk of the rehearsal's own below the daemon's state directory, that can be filled to the last byte.
//!
//! It is a file system in memory, mounted in a mount namespace of this process: it goes with the rehearsal, whatever ends that.
use anyhow::{Context, bail};
use nix::unistd::Uid;
use std::{
    ffi::OsString,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Says that the namespace is our own already.
const INSIDE: &str = "REHEARSAL_OWN_MOUNTS";
/// How large it is: a few thousand creators leave room.
const SIZE: &str = "size=192m,mode=0700";

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    ballast: PathBuf,
}

/// Becomes the same program in a mount namespace of its own; comes back when it is in one.
pub(crate) fn own_mounts(args: &[OsString]) -> anyhow::Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let mut words = vec!["--mount", "--propagation", "private"];
    if !Uid::effective().is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    let may = Command::new("unshare").args(&words).arg("true").output().context("starting unshare")?;
    if !may.status.success() {
        let why = String::from_utf8_lossy(&may.stderr).trim().to_owned();
        bail!("a full disk needs a mount namespace, which this machine refuses ({why}): run it as root");
    }
    let program = std::env::current_exe().context("finding this program's own file")?;
    let error = Command::new("unshare")
        .args(&words)
        .arg("--")
        .arg(program)
        .args(args.get(1..).unwrap_or_default())
        .env(INSIDE, "1")
        .exec();
    Err(error).context("starting again in a mount namespace")
}

impl Disk {
    /// Mounts it there.
    pub(crate) fn mount(dir: &Path) -> anyhow::Result<Self> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "rehearsal"]).arg(dir).output();
        let done = done.context("starting mount")?;
        if !done.status.success() {
            bail!("mounting on {}: {}", dir.display(), String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(Self { ballast: dir.join("ballast") })
    }

    /// Not a byte more fits.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::File::create(&self.ballast).context("making the ballast")?;
        for size in [1 << 20, 4096, 1] {
            let block = vec![0_u8; size];
            while file.write(&block).is_ok_and(|written| written > 0) {}
        }
        Ok(())
    }

    /// There is room again.
    pub(crate) fn free(&self) -> anyhow::Result<()> {
        match std::fs::remove_file(&self.ballast) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("removing the ballast"),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
