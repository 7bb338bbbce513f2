//! A fresh database to measure on, and a way past the store: bulk SQL.
use anyhow::Context as _;
use payout_shared::id::Mode;
use payoutd::{
    clock::Clock,
    store::{Store, types::Ids},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// One database of this process only.
#[derive(Debug)]
pub struct Place {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// What a daemon would be given.
    pub url: String,
    server: Option<(String, String)>,
    _folder: TempDir,
}

impl Place {
    /// A SQLite file, or a database on the server that `PAYOUTD_TEST_POSTGRES` names.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn new(engine: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if engine == "sqlite" {
            let url = format!("sqlite://{}", folder.path().join("bench.db").display());
            return Ok(Self { engine, url, server: None, _folder: folder });
        }
        let server = std::env::var("PAYOUTD_TEST_POSTGRES")
            .context("PAYOUTD_TEST_POSTGRES is not set: ./tests/run --with-postgres cargo run --release -p bench")?;
        let name = format!("bench_{}", std::process::id());
        let mut connection = PgConnection::connect(&server).await?;
        connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        let (authority, _) = server.rsplit_once('/').context("PAYOUTD_TEST_POSTGRES names no database")?;
        let url = format!("{authority}/{name}");
        Ok(Self { engine, url, server: Some((server, name)), _folder: folder })
    }

    /// A store on it, migrated, on the host's clock.
    ///
    /// # Errors
    /// As the store says.
    pub async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.url, Mode::Test, Clock::system(), Ids::seeded(7)).await?)
    }

    /// Runs statements as they are, in one transaction.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn execute(&self, text: &str) -> anyhow::Result<()> {
        let text = AssertSqlSafe(format!("BEGIN; {text}; COMMIT"));
        if self.engine == "sqlite" {
            SqliteConnection::connect(&self.url).await?.execute(sqlx::raw_sql(text)).await?;
        } else {
            PgConnection::connect(&self.url).await?.execute(sqlx::raw_sql(text)).await?;
        }
        Ok(())
    }

    /// What autovacuum would have done by the time that so many rows are in. SQLite has its statistics from the migrations.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn settle(&self) -> anyhow::Result<()> {
        if self.engine == "postgres" {
            PgConnection::connect(&self.url).await?.execute("VACUUM ANALYZE").await?;
        }
        Ok(())
    }

    /// The first column of all rows, as text.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn texts(&self, text: &str) -> anyhow::Result<Vec<String>> {
        let text = AssertSqlSafe(text.to_owned());
        Ok(if self.engine == "sqlite" {
            let rows = SqliteConnection::connect(&self.url).await?.fetch_all(text).await?;
            rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
        } else {
            let rows = PgConnection::connect(&self.url).await?.fetch_all(text).await?;
            rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
        })
    }

    /// The one number that a query gives.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn number(&self, query: &str) -> anyhow::Result<u64> {
        let texts = self.texts(&format!("SELECT CAST(({query}) AS TEXT)")).await?;
        texts.first().context("no row")?.parse().context("no number")
    }

    /// Throws the database away.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn remove(self) -> anyhow::Result<()> {
        if let Some((server, name)) = &self.server {
            let mut connection = PgConnection::connect(server).await?;
            connection.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await?;
        }
        Ok(())
    }
}
