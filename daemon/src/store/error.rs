//! What can go wrong in the store, by what the caller does about it.

/// Why the store didn't do it. In every case nothing of it was written, except [`StoreError::Database`] at a commit, where it may have been.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, or refused: whatever was in flight is unknown. Try again later.
    #[error("the database did not do it: {0}")]
    Database(#[from] sqlx::Error),
    /// Another daemon holds the lease: this one must stop acting at once.
    #[error("the lease was lost: token {ours} is no longer valid (now {now})")]
    Fenced {
        /// The token that the write carried.
        ours: i64,
        /// The token in force.
        now: i64,
    },
    /// What was asked can't be done as things stand; the sentence says what and why.
    #[error("{0}")]
    Refused(String),
    /// The database is stamped with the other mode, for ever: nothing may be done with it under this key.
    #[error(
        "this database is in {database} mode and the Stripe key is a {ours} key: one database has one mode for ever; \
         use a {database} key, or a database of its own", database = .database.as_str(), ours = .ours.as_str()
    )]
    WrongMode {
        /// What the database is stamped with.
        database: payout_shared::id::Mode,
        /// What the key is of.
        ours: payout_shared::id::Mode,
    },
    /// There is no such thing.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// `run`, `payout`, …
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// What is stored can't be: that row is left alone, somebody must look.
    #[error("stored data is broken: {0}")]
    Broken(String),
    /// The schema isn't this program's.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
