//! Opening the database, and what is said to the whole daemon: mode, platform, arming, the panic pause.
use super::plain;
use crate::clock::Clock;
use crate::store::{
    Db, SchemaState, Store, StoreError,
    door_types::{DaemonState, Done},
    schema,
    types::{By, Ids},
};
use payout_shared::{
    currency::Currency,
    id::{AccountId, Mode},
};
use sqlx::sqlite::SqliteConnectOptions;
use std::str::FromStr;

impl Store {
    /// Opens a database, brings its schema up to date, and stamps it with the mode at first start. A database of the other mode is
    /// left as it is. A crash before the stamp leaves an empty schema, which the next start stamps.
    ///
    /// # Errors
    /// [`StoreError::WrongMode`], [`StoreError::Migration`], [`StoreError::Database`], [`StoreError::Refused`] for another scheme.
    pub async fn open(url: &str, mode: Mode, clock: Clock, ids: Ids) -> Result<Self, StoreError> {
        let mut store = Self { db: Db::open(url).await?, clock, ids, mode, made: None };
        if let Some(database) = on!(unbounded store, pool, sql => sql::state::stamped_mode(pool).await) {
            same_mode(database, mode)?;
        }
        store.db.migrate().await?;
        let now_ms = store.clock.now_ms();
        let (database, is_new) = on!(store, pool, sql => sql::state::stamp_mode(pool, now_ms, mode).await)?;
        same_mode(database, mode)?;
        store.made = is_new.then(|| store.clock.boot());
        Ok(store)
    }

    /// Opens a database that a daemon has stamped, in the mode it is stamped with, and changes nothing: for commands that need no key.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it was never stamped or its schema is of a newer program, [`StoreError::Migration`] when
    /// migrations are pending, [`StoreError::Database`].
    pub async fn open_existing(url: &str, clock: Clock, ids: Ids) -> Result<Self, StoreError> {
        let mut store = Self { db: open_there(url).await?, clock, ids, mode: Mode::Test, made: None };
        let state = schema::check(&store.db).await?;
        if !state.is_current() {
            return Err(state.into());
        }
        store.mode = on!(unbounded store, pool, sql => sql::state::stamped_mode(pool).await).ok_or_else(|| {
            StoreError::Refused("no daemon has ever started on this database: it has no mode".to_owned())
        })?;
        Ok(store)
    }

    /// Compares a database's schema with this program's, and changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Refused`] for another scheme, or when there is no such SQLite file.
    pub async fn check_schema(url: &str) -> Result<SchemaState, StoreError> {
        let db = open_there(url).await?;
        let state = schema::check(&db).await;
        db.close().await;
        state
    }

    /// The mode that the database is stamped with.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn database(&self) -> &'static str {
        self.db.name()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Stores the platform's account id, which Stripe gave with its first good answer. Before that nothing is sent. These books answer for what
    /// happens from their beginning on: where Stripe's time now (Unix milliseconds) says that our clock was wrong then, the beginning is put right.
    /// Whoever didn't make the database knows only that it isn't of the future.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the database belongs to another platform; [`StoreError::Database`].
    pub async fn stamp_platform(&self, account: &AccountId, stripe_ms: Option<i64>) -> Result<(), StoreError> {
        plain("the platform's account id", account.as_str())?;
        let age_ms = self.made.map(|made| self.clock.boot().ms_since(made));
        let made_ms = stripe_ms.zip(age_ms).map(|(stripe_ms, age_ms)| stripe_ms.saturating_sub(age_ms));
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::state::stamp_platform(pool, now_ms, account, (made_ms, stripe_ms)).await)
    }

    /// Stores the platform's default currency as configured, for SQL that names none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn set_default_currency(&self, currency: Currency) -> Result<Done, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::state::set_default_currency(pool, now_ms, currency).await)
    }

    /// What this database is, and what is said to the whole daemon.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn state(&self) -> Result<DaemonState, StoreError> {
        on!(self, pool, sql => sql::state::read(pool).await)
    }

    /// Arms the schedule: cycles whose instant lies after now are due. Arming an armed one changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Refused`] for a reason that can't be stored.
    pub async fn arm(&self, by: &By, reason: &str) -> Result<Done, StoreError> {
        plain("the reason", reason)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::state::arm(pool, now_ms, by, reason).await)
    }

    /// Disarms the schedule: no cycle is due until it is armed again.
    ///
    /// # Errors
    /// As [`Store::arm`].
    pub async fn disarm(&self, by: &By, reason: &str) -> Result<Done, StoreError> {
        plain("the reason", reason)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::state::disarm(pool, now_ms, by, reason).await)
    }

    /// The panic pause; gives the journal's number. It is stored: a restart stays paused. Pausing twice changes nothing.
    ///
    /// # Errors
    /// As [`Store::arm`].
    pub async fn pause_all(&self, by: &By, reason: &str) -> Result<i64, StoreError> {
        plain("the reason", reason)?;
        let now_ms = self.clock.now_ms();
        Ok(on!(self, pool, sql => sql::state::pause_all(pool, now_ms, by, reason).await)?.seq)
    }

    /// Takes the panic pause back; runs that were paused by themselves stay so.
    ///
    /// # Errors
    /// As [`Store::arm`].
    pub async fn resume_all(&self, by: &By, reason: &str) -> Result<i64, StoreError> {
        plain("the reason", reason)?;
        let now_ms = self.clock.now_ms();
        Ok(on!(self, pool, sql => sql::state::resume_all(pool, now_ms, by, reason).await)?.seq)
    }
}

/// Opens a database that must be there: looking at a SQLite file doesn't make one.
async fn open_there(url: &str) -> Result<Db, StoreError> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)?;
        if !options.get_filename().exists() {
            return Err(StoreError::Refused(format!("there is no database at {}", options.get_filename().display())));
        }
    }
    Db::open(url).await
}

const fn same_mode(database: Mode, ours: Mode) -> Result<(), StoreError> {
    if database.is_live() == ours.is_live() { Ok(()) } else { Err(StoreError::WrongMode { database, ours }) }
}
