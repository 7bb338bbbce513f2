//! One daemon a state directory, and one a SQLite file: locks on files that are held as long as the process lives, however it ends.
use super::Failure;
use crate::config::{Config, Database};
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Locks(#[allow(dead_code, reason = "held, not used")] Vec<File>);

/// Takes the lock of the state directory, and with SQLite the one beside the database's file.
pub(super) fn all(config: &Config) -> Result<Locks, Failure> {
    let mut paths =
        vec![(config.state_dir.join("payoutd.lock"), format!("state directory {}", config.state_dir.display()))];
    if let Database::Sqlite(file) = &config.database {
        paths.push((beside(file), format!("database {}", file.display())));
    }
    paths.iter().map(|(path, what)| take(path, what)).collect::<Result<_, _>>().map(Locks)
}

/// The lock's file of a database's file. Two names of one file are one lock.
fn beside(file: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()).into_os_string();
    name.push(".lock");
    name.into()
}

fn take(path: &Path, what: &str) -> Result<File, Failure> {
    let unusable = |error: &std::io::Error| {
        Failure::Settings(format!(
            "the lock {} cannot be made: {error}; its directory must be writable for this user",
            path.display()
        ))
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| unusable(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(unusable(&error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() { String::new() } else { format!(" (process {})", holder.trim()) };
            return Err(Failure::Settings(format!(
                "another payoutd{holder} has the {what}: a second one is not started"
            )));
        }
    }
    // Who holds it is for the message only: the lock counts, not what is written.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_by_one_and_the_other_is_told_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("payoutd.lock");
        let _first = take(&path, "state directory").unwrap();
        let refused = take(&path, "state directory").unwrap_err().to_string();
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
    }
}
