//! All SQL. Each statement and body is written once, in `sql/`, and compiled twice: for SQLite and for PostgreSQL.
//!
//! Who comes in: the doors (record, ask), the desk (ask), the engine (everything it decided). Whom it may call: the core.
//! Invariants: a payout's or a run's state is written in `sql/change.rs` and `sql/runs.rs` only, always with a journal row in the
//! same transaction; every write of the engine carries the fencing token; Stripe is never called inside a transaction.
mod db;
pub mod door_types;
mod engines;
mod error;
pub mod fault;
mod migrations;
mod question;
mod schema;
pub mod types;

pub use db::Db;
pub use error::StoreError;
pub use question::Question;
pub use schema::SchemaState;

use crate::clock::{BootMs, Clock};
use payout_shared::id::Mode;
use types::Ids;

/// The store: one database, one mode.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
    ids: Ids,
    mode: Mode,
    /// When this process made the database, if it did.
    made: Option<BootMs>,
}

/// Calls a body of `sql/` on the database at hand: `on!(self, pool, sql => sql::lease::read(pool).await)`.
/// On PostgreSQL it has a bounded time; `unbounded` before the store: it reads everything there is, and takes as long as that takes.
macro_rules! on {
    (@both $store:expr, $pool:ident, $sql:ident => $sqlite:expr, $postgres:expr) => {
        match &$store.db {
            $crate::store::Db::Sqlite($pool) => {
                use $crate::store::engines::on_sqlite as $sql;
                $sqlite
            }
            $crate::store::Db::Postgres($pool) => {
                use $crate::store::engines::on_postgres as $sql;
                $postgres
            }
        }
    };
    ($store:expr, $pool:ident, $sql:ident => $call:expr) => {
        on!(@both $store, $pool, $sql => $call, $crate::store::db::bounded(Box::pin(async { $call })).await)
    };
    (unbounded $store:expr, $pool:ident, $sql:ident => $call:expr) => {
        on!(@both $store, $pool, $sql => $call, $call)
    };
}

mod door_side;
mod engine_side;
mod restored_side;
mod sweep_side;
mod undo_side;
