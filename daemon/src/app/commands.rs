//! The commands that aren't the daemon.
use super::{Failure, lock, open};
use crate::{
    config::{Config, ConfigError, Flags, Sources},
    store::{Db, Store},
};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};
use std::fmt::Write as _;

/// The configuration, or everything that is wrong with it.
pub(super) fn load(flags: Flags) -> Result<Config, Failure> {
    Config::load(&Sources::of_process(flags)).map_err(|errors| Failure::Settings(all(&errors)))
}

fn all(errors: &[ConfigError]) -> String {
    let mut text = "the settings are wrong; nothing was started".to_owned();
    for error in errors {
        // Writing to a String doesn't fail.
        let _ = write!(text, "\n  {error}");
    }
    text
}

/// `payoutd config explain`
pub(super) fn explain(flags: Flags) -> Result<(), Failure> {
    print!("{}", load(flags)?.explain_text());
    Ok(())
}

/// `payoutd config check`
pub(super) fn check(flags: Flags) -> Result<(), Failure> {
    load(flags)?;
    println!("the settings are good");
    Ok(())
}

/// `payoutd secret new`
pub(super) fn secret() -> Result<(), Failure> {
    let mut bytes = [0_u8; 32];
    let mut source = StdRng::try_from_os_rng()
        .map_err(|error| Failure::Passing(format!("the system gives no random numbers: {error}")))?;
    source.fill_bytes(&mut bytes);
    println!("{}", hex::encode(bytes));
    Ok(())
}

/// `payoutd migrate [--check]`
pub(super) fn migrate(flags: Flags, check: bool) -> Result<(), Failure> {
    let config = load(flags)?;
    let runtime = open::runtime()?;
    if check {
        return runtime.block_on(pending(&config));
    }
    open::state_dir(&config)?;
    // A running daemon has migrated already; beside it nothing is changed.
    let _locks = lock::all(&config)?;
    runtime.block_on(async {
        let db = Db::open(&open::url(&config)).await.map_err(|error| open::failure(&config, &error))?;
        let done = db.migrate().await.map_err(|error| open::failure(&config, &error));
        db.close().await;
        done
    })?;
    println!("the schema of {} is up to date", open::name(&config));
    Ok(())
}

async fn pending(config: &Config) -> Result<(), Failure> {
    let state = Store::check_schema(&open::url(config)).await.map_err(|error| open::failure(config, &error))?;
    if state.is_current() {
        println!("the schema of {} is up to date", open::name(config));
        return Ok(());
    }
    let mut text = format!("the schema of {} is not this program's", open::name(config));
    for wrong in &state.wrong {
        let _ = write!(text, "\n  {wrong}");
    }
    for step in &state.pending {
        let _ = write!(text, "\n  to be applied: {step}");
    }
    Err(Failure::Settings(text))
}
