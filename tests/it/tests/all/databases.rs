//! The same body on a fresh SQLite file and on a fresh PostgreSQL database. A missing PostgreSQL is a failure, never a skip.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]
use payout_shared::{
    id::Mode,
    policy::{PolicyName, PolicyValue, Source},
};
use payoutd::{
    clock::{Clock, ManualClock},
    store::{Db, Store, types::Ids},
};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// When the manual clocks of tests begin: 2026-12-01T06:00:00Z.
pub(crate) const START_MS: i64 = 1_796_104_800_000;

/// One empty database with the whole schema, of this test only.
pub(crate) struct Database {
    /// `sqlite` or `postgres`.
    pub(crate) engine: &'static str,
    /// What a daemon would be given.
    pub(crate) url: String,
    /// A folder of this test's own.
    pub(crate) folder: TempDir,
}

/// Runs the body on each kind of database, one after the other.
pub(crate) async fn each_database(body: impl AsyncFn(&Database)) {
    body(&Database::sqlite()).await;
    let database = Database::postgres().await;
    body(&database).await;
    database.drop_it().await;
}

impl Database {
    /// A SQLite file that isn't there yet.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("payoutd.db").display());
        Self { engine: "sqlite", url, folder }
    }

    /// A SQLite file that is there.
    pub(crate) fn at(file: &std::path::Path) -> Self {
        Self { engine: "sqlite", url: format!("sqlite://{}", file.display()), folder: tempfile::tempdir().unwrap() }
    }

    /// A SQLite file in memory where the system has such a place: its syncs cost nothing.
    pub(crate) fn sqlite_in_memory() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let url = format!("sqlite://{}", folder.path().join("payoutd.db").display());
        Self { engine: "sqlite", url, folder }
    }

    /// A copy of a migrated template.
    pub(crate) async fn postgres() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        Self::named(&format!("TEMPLATE {template}")).await
    }

    /// A PostgreSQL database without any table.
    pub(crate) async fn empty_postgres() -> Self {
        Self::named("").await
    }

    async fn named(how: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("payoutd_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        administrate(&format!("CREATE DATABASE {name} {how}")).await;
        Self { engine: "postgres", url: url_of(&name), folder: tempfile::tempdir().unwrap() }
    }

    /// Throws a PostgreSQL database away.
    pub(crate) async fn drop_it(self) {
        let name = self.url.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        administrate(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    /// A store on it in test mode, with the same ids each time, and a clock that the test moves.
    pub(crate) async fn store(&self) -> (Store, ManualClock) {
        let (clock, hand) = Clock::manual(START_MS);
        (self.store_at(clock).await, hand)
    }

    /// A store on it in test mode, on a clock that exists.
    pub(crate) async fn store_at(&self, clock: Clock) -> Store {
        Store::open(&self.url, Mode::Test, clock, Ids::seeded(7)).await.unwrap()
    }

    /// Runs statements as they are, past the store.
    pub(crate) async fn execute(&self, text: &str) {
        if let Err(error) = self.try_execute(text).await {
            panic!("{}: {error}\n{text}", self.engine);
        }
    }

    /// The same, where it may fail.
    pub(crate) async fn try_execute(&self, text: &str) -> Result<(), sqlx::Error> {
        let text = sqlx::AssertSqlSafe(text.to_owned());
        if self.engine == "sqlite" {
            SqliteConnection::connect(&self.url).await?.execute(sqlx::raw_sql(text)).await.map(drop)
        } else {
            PgConnection::connect(&self.url).await?.execute(sqlx::raw_sql(text)).await.map(drop)
        }
    }

    /// A copy of all rows as they are now, beside them.
    pub(crate) async fn backup(&self) {
        if self.engine == "sqlite" {
            self.execute(&format!("VACUUM INTO '{}'", self.folder.path().join("backup.db").display())).await;
        } else {
            self.execute(POSTGRES_BACKUP).await;
        }
    }

    /// All rows as they were when they were copied, whoever has the database open.
    pub(crate) async fn restore(&self) {
        if self.engine != "sqlite" {
            return self.execute(POSTGRES_RESTORE).await;
        }
        let tables = self
            .texts("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")
            .await;
        let backup = self.folder.path().join("backup.db");
        let mut text = format!("PRAGMA foreign_keys = OFF; ATTACH '{}' AS backup; BEGIN IMMEDIATE;", backup.display());
        for table in tables.concat() {
            text.push_str(&format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM backup.{table};"));
        }
        self.execute(&format!("{text} COMMIT; DETACH backup;")).await;
    }

    /// Rows of texts (the query casts what isn't), NULL as "-".
    pub(crate) async fn texts(&self, query: &str) -> Vec<Vec<String>> {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        if self.engine == "sqlite" {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection.fetch_all(query).await.unwrap().iter().map(texts_of).collect()
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            connection.fetch_all(query).await.unwrap().iter().map(texts_of).collect()
        }
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let rows = self.texts(&format!("SELECT CAST(({query}) AS TEXT)")).await;
        rows[0][0].parse().unwrap()
    }
}

fn texts_of<R>(row: &R) -> Vec<String>
where
    R: Row,
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    (0..row.len()).map(|index| row.get::<Option<String>, _>(index).unwrap_or_else(|| "-".to_owned())).collect()
}

const POSTGRES_BACKUP: &str = "DO $$ DECLARE t text; BEGIN CREATE SCHEMA backup; \
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_%' LOOP \
    EXECUTE format('CREATE TABLE backup.%I AS TABLE public.%I', t, t); END LOOP; END $$";

const POSTGRES_RESTORE: &str = "DO $$ DECLARE t text; c text; BEGIN SET LOCAL session_replication_role = replica; \
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'backup' LOOP \
    SELECT string_agg(quote_ident(column_name), ', ') INTO c FROM information_schema.columns \
    WHERE table_schema = 'public' AND table_name = t AND is_generated = 'NEVER'; \
    EXECUTE format('DELETE FROM public.%I', t); \
    EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM backup.%I', t, c, c, t); END LOOP; END $$";

/// Sets policies, as the configuration of a start would.
pub(crate) async fn policies(store: &Store, values: &[(&str, &str)]) {
    let said = values.iter().map(|(name, value)| {
        let name = PolicyName::parse(name).unwrap();
        (name, (PolicyValue::parse(name, value).unwrap(), Source::Environment))
    });
    store.configure_policies(&said.collect()).await.unwrap();
}

static TEMPLATE: OnceCell<String> = OnceCell::const_new();

async fn make_template() -> String {
    let name = format!("payoutd_template_{}", std::process::id());
    administrate(&format!("CREATE DATABASE {name}")).await;
    let db = Db::open(&url_of(&name)).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
    name
}

fn server() -> String {
    std::env::var("PAYOUTD_TEST_POSTGRES")
        .unwrap_or_else(|_| panic!("PAYOUTD_TEST_POSTGRES is not set: run ./tests/run"))
}

async fn administrate(statement: &str) {
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// The server's URL with another database's name in it.
fn url_of(name: &str) -> String {
    let server = server();
    let (place, options) =
        server.split_once('?').map_or((server.as_str(), None), |(place, options)| (place, Some(options)));
    let authority = place.find("://").map_or(0, |at| at + 3);
    let end = place[authority..].find('/').map_or(place.len(), |at| authority + at);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{name}{options}", &place[..end])
}
