//! Which database, and how to open it.
use super::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, SqlitePool, postgres::PgPoolOptions};
use std::{str::FromStr, time::Duration};

/// An open database.
#[derive(Clone, Debug)]
pub enum Db {
    /// The embedded default: one file in the state directory.
    Sqlite(SqlitePool),
    /// Production.
    Postgres(PgPool),
}

/// Connections kept at most: doors, watchers and the engine; the journal serialises the writers anyway.
const CONNECTIONS_MAX: u32 = 8;
/// SQLite's page cache per connection, KiB: a page of a plan touches entries and indexes all over the file, and the default of 2 MiB
/// reads the same inner pages over and over. Taken as it is used; with all connections at their limit, 256 MiB.
const SQLITE_CACHE_KIB: u32 = 32 * 1024;
/// How long a caller waits for a connection or a lock before it is told that the database doesn't answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

impl Db {
    /// Opens the database that a URL names (`sqlite://…`, `postgres://…`); a SQLite file is made when it is absent.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for another scheme, [`StoreError::Database`] when it can't be opened.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(ACQUIRE_TIMEOUT)
                .pragma("cache_size", format!("-{SQLITE_CACHE_KIB}"))
                .disable_statement_logging();
            let pool = SqlitePoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await?;
            Ok(Self::Sqlite(pool))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = sqlx::postgres::PgConnectOptions::from_str(url)?.disable_statement_logging();
            // A pool hides why it can't connect behind its own time-out: one connection tells.
            options.connect().await?.close().await?;
            let pool = PgPoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await?;
            Ok(Self::Postgres(pool))
        } else {
            Err(StoreError::Refused(format!(
                "DATABASE_URL must begin with postgres:// or sqlite://, not with {:?}",
                url.split(':').next().unwrap_or_default()
            )))
        }
    }

    /// Brings the schema up to date: idempotent, checksummed, forward only.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when a migration fails, was changed, or the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(pool) => super::migrations::sqlite().run(pool).await?,
            Self::Postgres(pool) => super::migrations::postgres().run(pool).await?,
        }
        Ok(())
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
