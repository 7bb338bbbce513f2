//! The witness: a file beside the database, or better on another disk, that says where the journal stood. Whoever restores an old backup is
//! told by it, and nobody is paid again.
//!
//! Who comes in: the start, and the engine once a second. Whom it may call: the store. Invariant: what the file says is only replaced once the
//! database has been judged by it.
use crate::store::{Store, StoreError, types::Reconcile};
use payout_shared::witness::{HORIZON_MS, Head, Testimony, judge};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What was last kept, in its file.
#[derive(Debug)]
pub struct Witness {
    file: PathBuf,
    kept: Mutex<Option<Head>>,
}

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It is there, and can't be read.
    #[error(
        "the witness of the journal, {file}, cannot be read: {why}; mend or restore it, or move it away if this database is known to be the newest"
    )]
    Unreadable {
        /// The file.
        file: String,
        /// The cause.
        why: String,
    },
    /// It is of another database.
    #[error(
        "the witness of the journal, {file}, is of another database: this one would know nothing of what that one paid; \
         give the right DATABASE_URL, or move the file away if this database is meant"
    )]
    Another {
        /// The file.
        file: String,
    },
    /// The database doesn't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Everything is kept back, and why.
    pub reconcile: Option<Reconcile>,
    /// The file couldn't be written, in a sentence.
    pub not_kept: Option<String>,
}

impl Witness {
    /// Reads what was kept; nothing when there is no such file.
    ///
    /// # Errors
    /// [`WitnessError::Unreadable`].
    pub fn open(file: &Path) -> Result<Self, WitnessError> {
        let unreadable = |why: String| WitnessError::Unreadable { file: file.display().to_string(), why };
        let kept = match std::fs::read(file) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(error.to_string())),
        };
        Ok(Self { file: file.to_owned(), kept: Mutex::new(kept) })
    }

    /// The look at the start: another database than the file is of is refused.
    ///
    /// # Errors
    /// [`WitnessError::Another`], [`WitnessError::Store`].
    pub async fn begin(&self, store: &Store) -> Result<Looked, WitnessError> {
        if let Some(kept) = self.kept()
            && let (Some(head), at_kept, _) = store.standing(kept.seq).await?
            && judge(&kept, &head, at_kept.as_deref()) == Testimony::Another
        {
            return Err(WitnessError::Another { file: self.file.display().to_string() });
        }
        Ok(self.look(store).await?)
    }

    /// Judges the database by what was kept, marks it when it is a backup, and keeps where it stands now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn look(&self, store: &Store) -> Result<Looked, StoreError> {
        let kept = self.kept();
        let (head, at_kept, mut reconcile) = store.standing(kept.as_ref().map_or(0, |kept| kept.seq)).await?;
        let Some(head) = head else { return Ok(Looked { reconcile, not_kept: None }) };
        let restored = match kept.as_ref().map(|kept| (kept, judge(kept, &head, at_kept.as_deref()))) {
            Some((_, Testimony::Restored { why, from_ms })) => Some((why, from_ms)),
            // It was exchanged under a running daemon.
            Some((kept, Testimony::Another)) => {
                let from_ms = kept.at_ms.min(head.at_ms).saturating_sub(HORIZON_MS);
                Some(("its journal is another database's".to_owned(), from_ms))
            }
            Some((_, Testimony::GoesOn)) | None => None,
        };
        if let Some((why, from_ms)) = restored {
            store.mark_restored(&why, from_ms).await?;
            reconcile = store.standing(0).await?.2;
        }
        let not_kept = self.keep(head).await.err().map(|error| {
            format!(
                "where the journal stands can't be kept in {}: {error}: a restored backup would not be recognised by it",
                self.file.display()
            )
        });
        Ok(Looked { reconcile, not_kept })
    }

    fn kept(&self) -> Option<Head> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn keep(&self, head: Head) -> std::io::Result<()> {
        if self.kept().as_ref() == Some(&head) {
            return Ok(());
        }
        let (file, written) = (self.file.clone(), head.clone());
        tokio::task::spawn_blocking(move || write(&file, &written)).await.map_err(std::io::Error::other)??;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        Ok(())
    }
}

/// Whole or not at all: written beside, synced, renamed.
fn write(path: &Path, head: &Head) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(&serde_json::to_vec(head).map_err(std::io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
