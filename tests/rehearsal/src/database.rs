//! The daemon's database, opened beside it: SQL of our own, on either kind.
//!
//! Invariant: every column is read as text, so that one statement serves both databases and no type of the daemon's is needed.
use anyhow::{Context, bail};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::{
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// What every file of SQLite's begins with.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// The daemon writes meanwhile: so long we wait for its turn to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// PostgreSQL only.
const TABLES: &str = "SELECT CAST(tablename AS TEXT) FROM pg_tables \
    WHERE schemaname = current_schema() AND tablename = 'creator_payouts'";

/// A connection of our own.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    /// PostgreSQL by its URL, or the SQLite file in the state directory.
    pub(crate) async fn open(url: Option<&str>, state: &Path) -> anyhow::Result<Self> {
        if let Some(url) = url {
            let options = PgConnectOptions::from_str(url).context("the --database URL")?.disable_statement_logging();
            let opened = PgConnection::connect_with(&options).await.context("opening the daemon's database")?;
            return Ok(Self::Postgres(opened));
        }
        let file = sqlite_file(state)?;
        let options = SqliteConnectOptions::new().filename(&file).journal_mode(SqliteJournalMode::Wal);
        let options = options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
        let opened = SqliteConnection::connect_with(&options).await;
        Ok(Self::Sqlite(opened.with_context(|| format!("opening {}", file.display()))?))
    }

    /// Refuses a database that holds anything of the daemon's: the comparison would be of two different stories.
    pub(crate) async fn refuse_used(url: &str) -> anyhow::Result<()> {
        let mut database = Self::open(Some(url), Path::new("")).await?;
        let used = database.rows::<1>(TABLES).await;
        database.close().await?;
        if used?.is_empty() { Ok(()) } else { bail!("--database isn't empty: it has payout tables; name a new one") }
    }

    /// All rows of a statement that gives N texts.
    pub(crate) async fn rows<const N: usize>(&mut self, sql: &'static str) -> anyhow::Result<Vec<[String; N]>> {
        macro_rules! texts {
            ($connection:expr) => {{
                let mut all = Vec::new();
                for row in sqlx::query(sql).fetch_all($connection).await? {
                    let texts: Result<Vec<String>, sqlx::Error> = (0..N).map(|at| row.try_get(at)).collect();
                    match <[String; N]>::try_from(texts?) {
                        Ok(texts) => all.push(texts),
                        Err(texts) => bail!("{} columns instead of {N}: {sql}", texts.len()),
                    }
                }
                Ok(all)
            }};
        }
        match self {
            Self::Sqlite(connection) => texts!(connection),
            Self::Postgres(connection) => texts!(connection),
        }
    }

    /// The one number that a statement gives.
    pub(crate) async fn number(&mut self, sql: &'static str) -> anyhow::Result<i64> {
        match self.rows::<1>(sql).await?.as_slice() {
            [[text]] => number(text),
            rows => bail!("{} rows instead of one: {sql}", rows.len()),
        }
    }

    /// Statements without parameters, all or none.
    pub(crate) async fn execute(&mut self, statements: String) -> anyhow::Result<()> {
        let statements = AssertSqlSafe(format!("BEGIN; {statements} COMMIT;"));
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(statements).execute(connection).await.map(|_| ())?,
            Self::Postgres(connection) => sqlx::raw_sql(statements).execute(connection).await.map(|_| ())?,
        }
        Ok(())
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }
}

/// A whole number of the books.
pub(crate) fn number(text: &str) -> anyhow::Result<i64> {
    text.parse().with_context(|| format!("not a whole number in the books: {text:?}"))
}

/// The one file of SQLite's in the state directory.
fn sqlite_file(state: &Path) -> anyhow::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(state).with_context(|| format!("reading {}", state.display()))? {
        let path = entry?.path();
        if path.is_file() && begins_with(&path, SQLITE_MAGIC) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [file] => Ok(file.clone()),
        [] => bail!("no database in {}", state.display()),
        more => bail!("more than one database in {}: {more:?}", state.display()),
    }
}

fn begins_with(path: &Path, magic: &[u8]) -> bool {
    let mut start = vec![0; magic.len()];
    std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == magic
}
