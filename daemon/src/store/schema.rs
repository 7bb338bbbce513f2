//! Whether a database's schema is this program's: looked at without changing anything.
use super::{Db, StoreError, migrations};
use sqlx::{
    Executor,
    migrate::{Migrate, MigrateError, Migrator},
};
use std::{borrow::Cow, collections::HashMap};

/// Where a database's schema stands, held against this program's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Numbers applied to the database.
    pub applied: Vec<i64>,
    /// This program has them, the database doesn't: `payoutd migrate` applies them.
    pub pending: Vec<String>,
    /// One sentence each: a migration was changed, broke off, or is of a newer program. Nothing may run on such a database.
    pub wrong: Vec<String>,
}

impl SchemaState {
    /// Nothing is to be done.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.wrong.is_empty()
    }
}

/// Compares, and changes nothing.
pub(super) async fn check(db: &Db) -> Result<SchemaState, StoreError> {
    match db {
        Db::Sqlite(pool) => {
            let mut connection = pool.acquire().await?;
            compare(&migrations::sqlite(), &mut *connection).await
        }
        Db::Postgres(pool) => {
            let mut connection = pool.acquire().await?;
            compare(&migrations::postgres(), &mut *connection).await
        }
    }
}

async fn compare<C>(ours: &Migrator, connection: &mut C) -> Result<SchemaState, StoreError>
where
    C: Migrate,
    for<'c> &'c mut C: Executor<'c>,
{
    const TABLE: &str = "_sqlx_migrations";
    let mut state = SchemaState::default();
    if (&mut *connection).fetch_optional("SELECT 1 FROM _sqlx_migrations WHERE 1 = 0").await.is_err() {
        // A database that was never migrated; one that can't be reached fails again below.
        (&mut *connection).fetch_optional("SELECT 1").await?;
        state.pending = ours.iter().map(|step| step.description.to_string()).collect();
        return Ok(state);
    }
    if let Some(version) = connection.dirty_version(TABLE).await? {
        state.wrong.push(format!("migration {version} broke off half-way"));
    }
    let applied: HashMap<i64, Cow<'static, [u8]>> =
        connection.list_applied_migrations(TABLE).await?.into_iter().map(|row| (row.version, row.checksum)).collect();
    for step in ours.iter() {
        match applied.get(&step.version) {
            None => state.pending.push(step.description.to_string()),
            Some(checksum) if *checksum != step.checksum => {
                state.wrong.push(format!("migration {} was changed after it was applied", step.description));
            }
            Some(_) => {}
        }
    }
    let mut numbers: Vec<i64> = applied.into_keys().collect();
    numbers.sort_unstable();
    for number in numbers.iter().filter(|number| !ours.version_exists(**number)) {
        state.wrong.push(format!("migration {number} is of a newer program than this one"));
    }
    state.applied = numbers;
    Ok(state)
}

impl From<SchemaState> for StoreError {
    /// The refusal to work on a database whose schema isn't this program's.
    fn from(state: SchemaState) -> Self {
        match state.wrong.first() {
            Some(wrong) => Self::Refused(format!("this program cannot work on the database: {wrong}")),
            None => Self::Migration(MigrateError::VersionMissing(state.applied.last().map_or(1, |last| last + 1))),
        }
    }
}
