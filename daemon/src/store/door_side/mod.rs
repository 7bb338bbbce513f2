//! What the doors and the desk do in the store: open it, record what came in, change what a person asked for, ask. No fencing token: any
//! daemon's doors may do all of it, whoever runs the engine.
mod ask;
mod cohorts;
mod opening;
mod policies;
mod record;
mod requests;
mod runs;

use super::StoreError;

/// PostgreSQL can't store NUL in text; SQLite can. Neither shall.
fn plain(what: &str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') {
        return Err(StoreError::Refused(format!("{what} contains a NUL character, which cannot be stored")));
    }
    Ok(())
}
