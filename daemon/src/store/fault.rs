//! The one place where a transaction of the store's is committed, and where a test lets a commit fail. Always compiled; off unless the
//! caller's task runs inside [`CommitFaults::scope`], which only tests do.
//!
//! A clean run counts its commits; running it again with each of them failing in each kind leaves no crash point out.
use sqlx::{Database, Error, Transaction};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing was written.
    Undone,
    /// Everything was written, and the caller doesn't hear of it.
    Unheard,
}

/// Counts the commits of what runs inside its scope, and lets some fail. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct CommitFaults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    commits: u64,
    /// From this one (the first is 0), so many, in this way.
    fail: Option<(u64, u64, CommitFault)>,
}

tokio::task_local! {
    static FAULTS: CommitFaults;
}

impl CommitFaults {
    /// Runs `work` with this plan in force.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        FAULTS.scope(self.clone(), work).await
    }

    /// Commits asked for so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.plan().commits
    }

    /// From now on `count` commits fail, after `after` more that don't.
    pub fn fail(&self, after: u64, count: u64, fault: CommitFault) {
        let mut plan = self.plan();
        plan.fail = Some((plan.commits.saturating_add(after), count, fault));
    }

    /// No more commit fails.
    pub fn heal(&self) {
        self.plan().fail = None;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<CommitFault> {
        let mut plan = self.plan();
        let number = plan.commits;
        plan.commits = number.saturating_add(1);
        let (from, count, fault) = plan.fail?;
        (number >= from && number < from.saturating_add(count)).then_some(fault)
    }
}

/// Commits. [`Error::WorkerCrashed`] is what a test's fault looks like to the caller.
pub(super) async fn commit<D: Database>(tx: Transaction<'static, D>) -> Result<(), Error> {
    match FAULTS.try_with(CommitFaults::next).ok().flatten() {
        None => tx.commit().await,
        Some(CommitFault::Undone) => {
            tx.rollback().await?;
            Err(Error::WorkerCrashed)
        }
        Some(CommitFault::Unheard) => {
            tx.commit().await?;
            Err(Error::WorkerCrashed)
        }
    }
}
