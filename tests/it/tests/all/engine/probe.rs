//! A second look at the database, past the store: what must be true there when a request leaves, and numbers for the tests.
use crate::databases::Database;
use payoutd::{clock::Clock, stripe::MoneyRequest};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};
use stripe_twin::Twin;
use tokio::sync::Mutex;

pub(super) enum Probe {
    /// With a connection that is never written on.
    Sqlite(SqlitePool, Mutex<SqliteConnection>),
    Postgres(sqlx::PgPool),
}

/// Rows of texts, whatever the database.
macro_rules! texts {
    ($pool:expr, $query:expr) => {
        sqlx::query(sqlx::AssertSqlSafe($query))
            .fetch_all($pool)
            .await
            .unwrap()
            .iter()
            .map(|row| (0..row.len()).map(|at| row.get::<Option<String>, _>(at).unwrap_or_default()).collect())
            .collect()
    };
}

impl Probe {
    pub(super) async fn open(database: &Database) -> Self {
        if database.engine == "sqlite" {
            Self::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(2)
                    .test_before_acquire(false)
                    .connect(&database.url)
                    .await
                    .unwrap(),
                Mutex::new(SqliteConnection::connect(&database.url).await.unwrap()),
            )
        } else {
            Self::Postgres(PgPoolOptions::new().max_connections(2).connect(&database.url).await.unwrap())
        }
    }

    /// Rows of texts, NULL as an empty one; the query casts what isn't text.
    pub(super) async fn texts(&self, query: &str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite(pool, _) => texts!(pool, query.to_owned()),
            Self::Postgres(pool) => texts!(pool, query.to_owned()),
        }
    }

    /// A number that is another one after anybody else has changed the database; none where it doesn't tell.
    pub(super) async fn version(&self) -> Option<i64> {
        let Self::Sqlite(_, watch) = self else { return None };
        let version = sqlx::query("PRAGMA data_version").fetch_one(&mut *watch.lock().await).await.unwrap();
        Some(version.get(0))
    }

    /// A statement, past the store.
    pub(super) async fn execute(&self, statement: &str) {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match self {
            Self::Sqlite(pool, _) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
            Self::Postgres(pool) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
        }
    }

    pub(super) async fn number(&self, query: &str) -> i64 {
        self.texts(&format!("SELECT CAST(({query}) AS TEXT)")).await[0][0].parse().unwrap()
    }

    /// What is wrong about a create that leaves now; empty when nothing is.
    pub(super) async fn leaves(&self, request: &MoneyRequest, twin: &Twin, clock: &Clock) -> Vec<String> {
        let rows = self
            .texts(&format!(
                "SELECT t.body, CASE WHEN t.on_wire THEN 'yes' ELSE 'no' END, t.account_id, r.state, CAST(r.instant_ms AS TEXT), p.state, t.kind, \
                 CAST(t.ambiguous_sends AS TEXT), COALESCE((SELECT CAST(MAX(k.read_at_ms) AS TEXT) FROM purse_checks k \
                 WHERE k.account_id = t.account_id AND k.currency = t.currency AND k.available_minor >= t.amount_minor), '0') \
                 FROM payout_attempts t JOIN payout_runs r ON r.id = t.run_id JOIN creator_payouts p ON p.id = t.payout_id \
                 WHERE t.key = '{}'",
                request.key
            ))
            .await;
        let key = &request.key;
        let [row] = rows.as_slice() else {
            return vec![format!("{key} left, and the books know nothing of it")];
        };
        let [body, on_wire, account, run, instant_ms, payout, kind, ambiguous, looked_ms] = row.as_slice() else {
            unreachable!()
        };
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{key} left, but {what}"));
            }
        };
        let date_ms = twin.clock().now().date_ms;
        must(*body == request.body, "not with the committed bytes");
        must(on_wire == "yes", "the books don't have it on the wire");
        must(account == request.account.as_str(), "to another account");
        let (runs, payouts): (&[&str], &[&str]) = match kind.as_str() {
            "create" => (&["running", "pausing", "aborting"], &["submitting", "unknown"]),
            "cancel" => (&["aborting"], &["pending", "in_transit", "paid", "canceled"]),
            _ => (&["aborting"], &["reversing", "returned"]),
        };
        must(runs.contains(&run.as_str()), &format!("its run is {run}"));
        must(payouts.contains(&payout.as_str()), &format!("its payout is {payout}"));
        must(kind == "create" || request.path.ends_with(kind), &format!("to {}", request.path));
        must(date_ms >= instant_ms.parse::<i64>().unwrap(), "before its run's instant");
        let age_ms = clock.now_ms() - looked_ms.parse::<i64>().unwrap();
        must(
            kind != "create" || ambiguous != "0" || (0..=66_000).contains(&age_ms),
            &format!("nobody saw that much there for {age_ms} ms"),
        );
        must((date_ms - clock.now_ms()).abs() <= 61_000, "the clocks are apart");
        wrong
    }
}
