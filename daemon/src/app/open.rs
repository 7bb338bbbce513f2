//! Opening what a command needs, and telling what a restart can mend from what a person must.
use super::Failure;
use crate::{
    clock::Clock,
    config::{Config, Database},
    store::{Db, Store, StoreError, types::Ids},
    witness::{Witness, WitnessError},
};
use secrecy::ExposeSecret as _;

/// PostgreSQL's codes that a person must mend: password, role, database, schema, privilege.
const WRONG_CODES: [&str; 6] = ["28P01", "28000", "3D000", "3F000", "42501", "0P000"];
/// SQLite's: cannot open, not a database, read-only, no permission, corrupt.
const WRONG_SQLITE: [&str; 5] = ["14", "26", "8", "3", "11"];

/// A runtime with a worker per core.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("payoutd")
        .build()
        .map_err(|error| Failure::Passing(format!("no threads can be started: {error}")))
}

/// Makes the state directory when it isn't there, and proves that it can be written to.
pub(super) fn state_dir(config: &Config) -> Result<(), Failure> {
    let dir = &config.state_dir;
    let unusable = |error: std::io::Error| {
        let dir = dir.display();
        Failure::Settings(format!(
            "the state directory {dir} cannot be written to: {error}; make it writable for this user, or give another --state-dir"
        ))
    };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    let probe = dir.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"").map_err(unusable)?;
    std::fs::remove_file(&probe).map_err(unusable)
}

/// The database's address, with its password if it has one: for the store only.
pub(super) fn url(config: &Config) -> String {
    match &config.database {
        Database::Sqlite(file) => format!("sqlite://{}", file.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    }
}

/// The database, for people: never its password.
pub(super) fn name(config: &Config) -> String {
    match &config.database {
        Database::Sqlite(file) => file.display().to_string(),
        Database::Postgres(url) => {
            let url = url.expose_secret();
            let place =
                url.rsplit_once('@').map_or_else(|| url.split("://").nth(1).unwrap_or_default(), |(_, place)| place);
            format!("postgres://{}", place.split('?').next().unwrap_or_default())
        }
    }
}

/// The store in the key's mode; without a key, in the mode that the database is stamped with. A new database isn't opened without one:
/// it would be stamped, for ever, by guessing.
pub(super) async fn store(config: &Config, clock: &Clock) -> Result<Store, Failure> {
    let url = url(config);
    let failure = |error: StoreError| failure(config, &error);
    if let Some(mode) = config.stripe.mode() {
        return Store::open(&url, mode, clock.clone(), Ids::from_os()).await.map_err(failure);
    }
    let db = Db::open(&url).await.map_err(failure)?;
    let migrated = db.migrate().await;
    db.close().await;
    migrated.map_err(failure)?;
    match Store::open_existing(&url, clock.clone(), Ids::from_os()).await {
        Err(StoreError::Refused(_)) => Err(Failure::Settings(
            "STRIPE_SECRET_KEY is not set, and no daemon has used this database before: the key of the first start decides for ever \
             whether it is a live or a test database"
                .to_owned(),
        )),
        opened => opened.map_err(failure),
    }
}

/// What is kept of the journal outside the database, held against it: a backup is marked as such before anything is written to it.
pub(super) async fn witness(config: &Config, store: &Store) -> Result<Witness, Failure> {
    let refused = |error: WitnessError| match error {
        WitnessError::Store(error) => failure(config, &error),
        error @ (WitnessError::Unreadable { .. } | WitnessError::Another { .. }) => {
            Failure::Settings(error.to_string())
        }
    };
    let witness = Witness::open(&config.witness).map_err(refused)?;
    witness.begin(store).await.map_err(refused)?;
    Ok(witness)
}

/// An error of the store at the start: what must be mended, or what may pass.
pub(super) fn failure(config: &Config, error: &StoreError) -> Failure {
    let name = name(config);
    match error {
        StoreError::WrongMode { .. } | StoreError::Refused(_) | StoreError::NotFound { .. } | StoreError::Broken(_) => {
            Failure::Settings(format!("the database {name} cannot be used: {error}"))
        }
        StoreError::Migration(_) => Failure::Settings(format!("{error} ({name})")),
        StoreError::Fenced { .. } => Failure::Passing(format!("{error} ({name})")),
        StoreError::Database(cause) => {
            let code = cause.as_database_error().and_then(|refusal| refusal.code().map(|code| code.into_owned()));
            let is_wrong = match (&config.database, code.as_deref()) {
                (Database::Postgres(_), Some(code)) => WRONG_CODES.contains(&code),
                (Database::Sqlite(_), Some(code)) => WRONG_SQLITE.contains(&code),
                // Not an address at all.
                (_, None) => cause.to_string().contains("configuration"),
            };
            if is_wrong {
                Failure::Settings(format!("the database {name} cannot be opened: {cause}; check DATABASE_URL"))
            } else {
                Failure::Passing(format!("the database {name} cannot be reached: {cause}"))
            }
        }
    }
}
