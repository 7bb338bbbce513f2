//! Which database, and how to open it.
use super::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
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
/// Statements that a connection of SQLite keeps ready: all that the store has. Fewer would be thrown out by the books' own, and reading one
/// anew costs more than running it.
const STATEMENTS_MAX: usize = 512;
/// How long a caller waits for a connection or a lock before it is told that the database doesn't answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// The same on PostgreSQL, where a connection is a matter of milliseconds: shorter than the 5 s that a command waits for its answer, so that
/// whoever asks is told that the database is away, not that the daemon is slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A connection that doesn't answer a ping for so long leads nowhere any more, whatever TCP still believes of it.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call may take on PostgreSQL. A network that swallows everything never says so: without a bound the engine would wait for
/// ever, also after it is whole again. Longer than any page of work; the lease is lost long before.
const CALL_MAX: Duration = Duration::from_secs(20);
/// Whoever uses a connection has so long to give it back when everything ends.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// PostgreSQL ends a session that does nothing inside a transaction for so long. Who froze there, or was cut off, holds locks that the
/// next holder of the lease needs: shorter than the lease, so that they never delay a take-over.
const IDLE_IN_TRANSACTION: &str = "SET idle_in_transaction_session_timeout = '5s'";

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
                .statement_cache_capacity(STATEMENTS_MAX)
                .disable_statement_logging();
            let pool = SqlitePoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // A file can't hang up: asking it before each use would only cost a turn of its thread.
                .test_before_acquire(false)
                .after_release(|connection, _| Box::pin(is_outside(connection)))
                .connect_with(options)
                .await?;
            Ok(Self::Sqlite(pool))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres(postgres(url).await?))
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

    /// Closes all connections, and waits for that, at most 5 s.
    pub async fn close(&self) {
        let closing = async {
            match self {
                Self::Sqlite(pool) => pool.close().await,
                Self::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(CLOSE_MAX, closing).await.is_err() {
            tracing::warn!(
                "connections to the database did not close within {} s: left to themselves",
                CLOSE_MAX.as_secs()
            );
        }
    }
}

async fn postgres(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    // A pool hides why it can't connect behind its own time-out: one connection tells.
    let first = async { options.connect().await?.close().await };
    within(CONNECT_TIMEOUT, first).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(async { connection.execute(IDLE_IN_TRANSACTION).await.map(drop) }))
        .before_acquire(|connection, _| Box::pin(is_alive(connection)))
        .after_release(|connection, _| Box::pin(is_alive(connection)))
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// It answers, in time. The pool's own pings have no bound: a few connections that a network swallowed would use it up for ever.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    within(PING_TIMEOUT, connection.ping()).await.map(|()| true)
}

/// It is in no transaction any more; else it is closed. A full disk ends SQLite's transaction by itself: the driver's own rollback then fails,
/// and whatever is written next on that connection would be part of a transaction that nobody commits, and lock everyone else out.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // A rollback that was only queued is done before this is answered.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

async fn within<T>(most: Duration, call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(most, call).await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// A call on PostgreSQL, which has [`CALL_MAX`]. In real time also where a test moves the Clock, as sqlx's own time-outs: the server is real.
///
/// # Errors
/// The call's, and [`StoreError::Database`] when it isn't done in time; nobody knows then whether a commit was.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(CALL_MAX, call)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()))
}
