//! What goes in and out of the store when it was restored from a backup.

/// These books are a backup: what happened from a moment on is asked for again before anything leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// When that was recognised, Unix milliseconds.
    pub since_ms: i64,
    /// Everything from here on is asked for, Unix milliseconds.
    pub from_ms: i64,
    /// One sentence: by what it was recognised.
    pub why: String,
}
