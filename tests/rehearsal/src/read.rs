//! Reads the daemon's books from its database, by SQL of our own, while the daemon doesn't run.
//!
//! Invariant: every column is read as text, so that one statement serves both databases and no type of the daemon's is needed.
use crate::{
    books::{Books, Outcome, Payout, Run},
    compare::{Booked, Standing},
    database::{Database, number},
};
use anyhow::bail;
use std::path::Path;

const ATTEMPTS: &str = "SELECT a.key, a.payout_id, a.account_id, CAST(a.amount_minor AS TEXT), a.currency, \
    COALESCE(a.stripe_object_id, ''), a.state, a.destination_id FROM payout_attempts a WHERE a.kind = 'create' ORDER BY a.key";
const PAYOUTS: &str = "SELECT id, run_id, creator_id, account_id, currency, CAST(amount_minor AS TEXT), state, \
    COALESCE(stripe_payout_id, ''), COALESCE(cause, ''), COALESCE(failure_reason, '') FROM creator_payouts ORDER BY id";
const OUTCOMES: &str = "SELECT run_id, account_id, currency, COALESCE(payout_id, ''), COALESCE(reason, ''), \
    COALESCE(sentence, '') FROM run_outcomes ORDER BY run_id, account_id, currency";
const PURSES: &str = "SELECT account_id, currency, CAST(SUM(amount_minor) AS TEXT) FROM creator_earnings \
    WHERE kind NOT IN ('carry_out', 'carry_in') GROUP BY account_id, currency ORDER BY account_id, currency";
/// Purses with entries that never were in a payout, and when the first of these was written. Read once: no search for each entry.
const FREE: &str = "SELECT e.account_id, e.currency, CAST(MIN(e.created_at_ms) AS TEXT) FROM creator_earnings e \
    WHERE e.id NOT IN (SELECT i.earning_id FROM payout_items i) GROUP BY e.account_id, e.currency";
const ITEMS: &str =
    "SELECT payout_id, CAST(SUM(amount_minor) AS TEXT) FROM payout_items GROUP BY payout_id ORDER BY payout_id";
const LOCKED: &str = "SELECT CAST(earning_id AS TEXT) FROM payout_items WHERE released_at_ms IS NULL \
    GROUP BY earning_id HAVING COUNT(*) > 1 ORDER BY earning_id";
const RUNS: &str = "SELECT id, cycle_date, CAST(number AS TEXT), state, CAST(COALESCE(started_at_ms, 0) AS TEXT), \
    CAST(COALESCE(finished_at_ms, 0) AS TEXT), CASE WHEN named_only THEN 'named' ELSE 'all' END, CAST(created_at_ms AS TEXT) \
    FROM payout_runs ORDER BY created_at_ms, id";
const SENDS: &str = "SELECT CAST(COALESCE(SUM(sends), 0) AS TEXT), CAST(COALESCE(SUM(ambiguous_sends), 0) AS TEXT) FROM payout_attempts";

impl Books {
    /// Reads them: from PostgreSQL, or from the SQLite file in the state directory.
    ///
    /// # Errors
    /// When the database can't be opened or hasn't the tables of migrations/.
    pub async fn read(database: Option<&str>, state: &Path) -> anyhow::Result<Self> {
        let mut database = Database::open(database, state).await?;
        let books = Self::gather(&mut database).await;
        database.close().await?;
        books
    }

    /// Refuses a database that holds anything of the daemon's.
    ///
    /// # Errors
    /// That, or when the database can't be opened.
    pub async fn refuse_used(url: &str) -> anyhow::Result<()> {
        Database::refuse_used(url).await
    }

    pub(crate) async fn gather(source: &mut Database) -> anyhow::Result<Self> {
        let mut books = Self::default();
        for [key, payout_id, account, amount, currency, object, state, destination] in source.rows(ATTEMPTS).await? {
            let standing = standing(&state)?;
            let object = (!object.is_empty()).then_some(object);
            let amount = number(&amount)?;
            books.attempts.push(Booked { key, payout_id, account, amount, currency, destination, object, standing });
        }
        for row in source.rows(PAYOUTS).await? {
            let [id, run_id, creator, account, currency, amount, state, object, cause, sentence] = row;
            let amount = number(&amount)?;
            books.payouts.push(Payout {
                id,
                run_id,
                creator,
                account,
                currency,
                amount,
                state,
                object,
                cause,
                sentence,
            });
        }
        for [run_id, account, currency, payout_id, reason, sentence] in source.rows(OUTCOMES).await? {
            books.outcomes.push(Outcome { run_id, account, currency, payout_id, reason, sentence });
        }
        for [account, currency, sum] in source.rows(PURSES).await? {
            books.purses.insert((account, currency), number(&sum)?);
        }
        for [account, currency, first] in source.rows(FREE).await? {
            books.free.insert((account, currency), number(&first)?);
        }
        for [payout_id, sum] in source.rows(ITEMS).await? {
            books.items.insert(payout_id, number(&sum)?);
        }
        for [earning] in source.rows(LOCKED).await? {
            books.locked_twice.push(earning);
        }
        for [id, date, n, state, started, finished, whom, created] in source.rows(RUNS).await? {
            let (started_at_ms, finished_at_ms) = (number(&started)?, number(&finished)?);
            let created_at_ms = number(&created)?;
            let (label, of_all) = (format!("{date}#{n}"), whom == "all");
            books.runs.push(Run { id, label, of_all, state, created_at_ms, started_at_ms, finished_at_ms });
        }
        for [sends, ambiguous] in source.rows(SENDS).await? {
            books.sends = (number(&sends)?, number(&ambiguous)?);
        }
        Ok(books)
    }
}

/// What an attempt's state means for the comparison. A word that we don't know must not pass.
fn standing(state: &str) -> anyhow::Result<Standing> {
    match state {
        "executed" => Ok(Standing::Executed),
        "intended" | "unknown" => Ok(Standing::Open),
        "waiting" | "refused" | "withdrawn" => Ok(Standing::Nothing),
        other => bail!("an attempt is in a state that the rehearsal doesn't know: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

    const SCHEMA: &str = include_str!("../../../migrations/sqlite/0001_spine.sql");
    /// One purse paid, one skipped, one purse without an outcome; and an entry that is locked twice.
    const ROWS: &str = "
        INSERT INTO creator_earnings (id, creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type,
            source_id, earned_at_ms, available_on_ms, created_at_ms)
        VALUES (1, 'c1', 'acct_1', 'usd', 'sale', 900, 1000, 100, 'charge', 'ch_1', 1, 1, 1),
               (2, 'c2', 'acct_2', 'eur', 'sale', 90, 100, 10, 'charge', 'ch_2', 1, 1, 1),
               (3, 'c3', 'acct_3', 'eur', 'sale', 90, 100, 10, 'charge', 'ch_3', 1, 1, 1);
        INSERT INTO payout_runs (id, cycle_date, number, kind, state, cutoff_ms, instant_ms, requested_by, created_at_ms)
        VALUES ('run_1', '2026-12-01', 2, 'manual', 'completed', 9, 9, 'test', 9);
        INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state,
            created_at_ms, changed_at_ms)
        VALUES ('pay_1', 'run_1', 1, 'c1', 'acct_1', 'usd', 900, 'ba_1', 'paid', 9, 9);
        INSERT INTO run_outcomes (run_id, account_id, currency, creator_id, payout_id, reason, sentence, payable_minor)
        VALUES ('run_1', 'acct_1', 'usd', 'c1', 'pay_1', NULL, NULL, 900),
               ('run_1', 'acct_2', 'eur', 'c2', NULL, 'below_minimum', 'needs more', 90);
        INSERT INTO payout_items (payout_id, earning_id, amount_minor) VALUES ('pay_1', 1, 900);
        INSERT INTO payout_attempts (key, payout_id, kind, number, state, body, amount_minor, currency, account_id, destination_id,
            run_id, sends, token, send_before_ms, stripe_object_id, created_at_ms)
        VALUES ('k1', 'pay_1', 'create', 1, 'executed', 'b', 900, 'usd', 'acct_1', 'ba_1', 'run_1', 2, 1, 1, 'po_1', 9);";

    async fn books(change: &'static str) -> Books {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(dir.path().join("x.db")).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        for text in [SCHEMA, ROWS, change] {
            sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        Books::read(None, dir.path()).await.unwrap()
    }

    #[tokio::test]
    async fn the_schema_is_read_and_a_purse_without_an_outcome_is_found() {
        let books = books("").await;
        assert_eq!((books.attempts.len(), books.payouts.len(), books.outcomes.len(), books.sends), (1, 1, 2, (2, 0)));
        assert_eq!(books.attempts[0].object.as_deref(), Some("po_1"));
        assert_eq!(books.runs[0].label, "2026-12-01#2");
        assert_eq!(books.contradictions(), ["run 2026-12-01#2: acct_3 eur has neither a payout nor a reason"]);
    }

    #[tokio::test]
    async fn each_contradiction_is_found() {
        let found = books(
            "UPDATE payout_attempts SET amount_minor = 1000;
             UPDATE payout_items SET amount_minor = 899;
             UPDATE run_outcomes SET sentence = '' WHERE account_id = 'acct_2';
             DROP INDEX payout_items_locked;
             INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state,
                created_at_ms, changed_at_ms)
             VALUES ('pay_2', 'run_1', 2, 'c1', 'acct_1', 'usd', 900, 'ba_1', 'voided', 9, 9);
             INSERT INTO payout_items (payout_id, earning_id, amount_minor) VALUES ('pay_2', 1, 900);
             DELETE FROM creator_earnings WHERE id = 3;",
        )
        .await
        .contradictions();
        let has = |part: &str| assert!(found.iter().any(|line| line.contains(part)), "{part}: {found:#?}");
        has("in its payout, asked for was");
        has("pay_1: its amount is 900, its items are 899");
        has("acct_2 eur: skipped without a reason");
        has("earning 1 is locked into two payouts");
        has("acct_1 usd: 1000 executed, 900 earned");
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[tokio::test]
    async fn a_state_nobody_knows_is_no_books() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Books::read(None, dir.path()).await.unwrap_err().to_string().contains("no database"));
        assert!(standing("resting").is_err());
    }
}
