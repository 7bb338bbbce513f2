//! The two databases side by side: everything that must differ between them, and the bodies of `sql/` compiled for each.
//!
//! A body says `use super::{DB, Pool, Tx, begin, …}` and gets the types of the engine it is compiled for.

macro_rules! bodies {
    () => {
        #[path = "../sql/accounts.rs"]
        pub(in crate::store) mod accounts;
        #[path = "../sql/adjustments.rs"]
        mod adjustments;
        #[path = "../sql/adopt.rs"]
        pub(in crate::store) mod adopt;
        #[path = "../sql/approvals.rs"]
        pub(in crate::store) mod approvals;
        #[path = "../sql/attempts.rs"]
        pub(in crate::store) mod attempts;
        #[path = "../sql/before.rs"]
        mod before;
        #[path = "../sql/blame.rs"]
        mod blame;
        #[path = "../sql/books.rs"]
        pub(in crate::store) mod books;
        #[path = "../sql/books_entries.rs"]
        mod books_entries;
        #[path = "../sql/breaker.rs"]
        pub(in crate::store) mod breaker;
        #[path = "../sql/canary.rs"]
        pub(in crate::store) mod canary;
        #[path = "../sql/change.rs"]
        pub(in crate::store) mod change;
        #[path = "../sql/checks.rs"]
        pub(in crate::store) mod checks;
        #[path = "../sql/claim.rs"]
        pub(in crate::store) mod claim;
        #[path = "../sql/cohort_ask.rs"]
        pub(in crate::store) mod cohort_ask;
        #[path = "../sql/cohorts.rs"]
        pub(in crate::store) mod cohorts;
        #[path = "../sql/confirm.rs"]
        pub(in crate::store) mod confirm;
        #[path = "../sql/creators.rs"]
        pub(in crate::store) mod creators;
        #[path = "../sql/current.rs"]
        pub(in crate::store) mod current;
        #[path = "../sql/entries.rs"]
        pub(in crate::store) mod entries;
        #[path = "../sql/explain.rs"]
        pub(in crate::store) mod explain;
        #[path = "../sql/facts.rs"]
        mod facts;
        #[path = "../sql/foreign.rs"]
        pub(in crate::store) mod foreign;
        #[path = "../sql/holding.rs"]
        pub(in crate::store) mod holding;
        #[path = "../sql/holds.rs"]
        pub(in crate::store) mod holds;
        #[path = "../sql/import.rs"]
        pub(in crate::store) mod import;
        #[path = "../sql/inbox.rs"]
        pub(in crate::store) mod inbox;
        #[path = "../sql/intents.rs"]
        pub(in crate::store) mod intents;
        #[path = "../sql/journal.rs"]
        pub(in crate::store) mod journal;
        #[path = "../sql/journal_read.rs"]
        pub(in crate::store) mod journal_read;
        #[path = "../sql/lease.rs"]
        pub(in crate::store) mod lease;
        #[path = "../sql/not_paid.rs"]
        mod not_paid;
        #[path = "../sql/overpaid.rs"]
        mod overpaid;
        #[path = "../sql/overrides.rs"]
        pub(in crate::store) mod overrides;
        #[path = "../sql/pages.rs"]
        pub(in crate::store) mod pages;
        #[path = "../sql/plan.rs"]
        pub(in crate::store) mod plan;
        #[path = "../sql/policies.rs"]
        pub(in crate::store) mod policies;
        #[path = "../sql/purses.rs"]
        pub(in crate::store) mod purses;
        #[path = "../sql/requests.rs"]
        pub(in crate::store) mod requests;
        #[path = "../sql/restored.rs"]
        pub(in crate::store) mod restored;
        #[path = "../sql/retry.rs"]
        pub(in crate::store) mod retry;
        #[path = "../sql/reversals.rs"]
        pub(in crate::store) mod reversals;
        #[path = "../sql/rollback.rs"]
        pub(in crate::store) mod rollback;
        #[path = "../sql/rows.rs"]
        mod rows;
        #[path = "../sql/run_counts.rs"]
        pub(in crate::store) mod run_counts;
        #[path = "../sql/runs.rs"]
        pub(in crate::store) mod runs;
        #[path = "../sql/sends.rs"]
        mod sends;
        #[path = "../sql/shorts.rs"]
        mod shorts;
        #[path = "../sql/show.rs"]
        pub(in crate::store) mod show;
        #[path = "../sql/state.rs"]
        pub(in crate::store) mod state;
        #[path = "../sql/sweeps.rs"]
        pub(in crate::store) mod sweeps;
        #[path = "../sql/terms.rs"]
        mod terms;
        #[path = "../sql/told.rs"]
        pub(in crate::store) mod told;
        #[path = "../sql/tried.rs"]
        mod tried;
        #[path = "../sql/undo.rs"]
        pub(in crate::store) mod undo;
    };
}

/// SQLite: the embedded default. One writer at a time; `BEGIN IMMEDIATE`, so that a read before a write can't lose the lock.
#[path = "sql"]
#[allow(clippy::duplicate_mod, reason = "the same body is compiled for both databases on purpose")]
pub(super) mod on_sqlite {
    pub(super) type DB = sqlx::Sqlite;
    pub(super) type Pool = sqlx::SqlitePool;
    pub(super) type Tx = sqlx::Transaction<'static, DB>;
    pub(super) type Query = sqlx::query::Query<'static, DB, <DB as sqlx::Database>::Arguments>;

    /// The database's own clock, Unix milliseconds. The lease on SQLite is a file lock besides; this is the host's wall clock.
    pub(super) const NOW_MS: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    /// Appended to a SELECT whose rows are about to be changed: the writer's lock is held already.
    pub(super) const FOR_UPDATE: &str = "";
    /// The same of a SELECT that joins, for its rows of `p` only.
    pub(super) const FOR_UPDATE_OF_P: &str = "";
    /// Appended to a SELECT that must stay true until the commit.
    pub(super) const FOR_SHARE: &str = "";

    /// The object of Stripe's that entry `e` is made of, without the number of a later correction.
    pub(super) const OBJECT: &str = "substr(e.source_id, 1, instr(e.source_id || '#', '#') - 1)";
    /// Asks how a statement would be answered; the column that says a step, and those of its number and of the step that it is part of.
    pub(super) const EXPLAIN: (&str, usize, Option<(usize, usize)>) = ("EXPLAIN QUERY PLAN ", 3, Some((0, 1)));
    /// An index of some rows is taken only when the question repeats its words.
    pub(super) const REPEAT_WORDS: bool = true;

    pub(super) use crate::store::fault::commit;

    /// Begins a transaction that will write.
    pub(super) async fn begin(pool: &Pool) -> Result<Tx, sqlx::Error> {
        pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// Begins a transaction that only reads, and sees one moment throughout.
    pub(super) async fn begin_snapshot(pool: &Pool) -> Result<Tx, sqlx::Error> {
        pool.begin().await
    }

    bodies!();
}

/// PostgreSQL: production, and more than one daemon.
#[path = "sql"]
#[allow(clippy::duplicate_mod, reason = "the same body is compiled for both databases on purpose")]
pub(super) mod on_postgres {
    pub(super) type DB = sqlx::Postgres;
    pub(super) type Pool = sqlx::PgPool;
    pub(super) type Tx = sqlx::Transaction<'static, DB>;
    pub(super) type Query = sqlx::query::Query<'static, DB, <DB as sqlx::Database>::Arguments>;

    /// The database's own clock, Unix milliseconds.
    pub(super) const NOW_MS: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    /// Appended to a SELECT whose rows are about to be changed.
    pub(super) const FOR_UPDATE: &str = " FOR UPDATE";
    /// The same of a SELECT that joins, for its rows of `p` only.
    pub(super) const FOR_UPDATE_OF_P: &str = " FOR UPDATE OF p";
    /// Appended to a SELECT that must stay true until the commit.
    pub(super) const FOR_SHARE: &str = " FOR SHARE";

    /// The object of Stripe's that entry `e` is made of, without the number of a later correction.
    pub(super) const OBJECT: &str = "split_part(e.source_id, '#', 1)";
    /// Asks how a statement would be answered; the column that says a step, which is indented already.
    pub(super) const EXPLAIN: (&str, usize, Option<(usize, usize)>) = ("EXPLAIN ", 0, None);
    /// An index of some rows is taken when it fits; words that say a thing twice would only make it guess wrong.
    pub(super) const REPEAT_WORDS: bool = false;

    pub(super) use crate::store::fault::commit;

    /// Begins a transaction that will write.
    pub(super) async fn begin(pool: &Pool) -> Result<Tx, sqlx::Error> {
        pool.begin().await
    }

    /// Begins a transaction that only reads, and sees one moment throughout.
    pub(super) async fn begin_snapshot(pool: &Pool) -> Result<Tx, sqlx::Error> {
        pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    bodies!();
}
