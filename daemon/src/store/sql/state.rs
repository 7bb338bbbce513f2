//! The one row that says what this database is, and what is said to the whole daemon: mode, platform, arming, the panic pause.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, commit, journal, rows};
use crate::store::{
    StoreError,
    door_types::{DaemonState, Done},
    types::{By, Note},
};
use payout_shared::{
    currency::Currency,
    id::{AccountId, Mode},
};
use sqlx::{AssertSqlSafe, Row};

const COLUMNS: &str = "mode, platform_account_id, armed_at_ms, paused, pause_reason, paused_by, paused_at_ms, beta_open, \
     default_currency, reconcile_since_ms IS NOT NULL";

fn decode(row: &rows::AnyRow) -> Result<DaemonState, StoreError> {
    let (mode, currency): (String, String) = (row.try_get(0)?, row.try_get(8)?);
    let platform: Option<String> = row.try_get(1)?;
    Ok(DaemonState {
        mode: Mode::parse(&mode).ok_or_else(|| rows::strange("the daemon's state", "", &mode))?,
        platform: platform.map(AccountId::new),
        armed_at_ms: row.try_get(2)?,
        paused: row.try_get(3)?,
        pause_reason: row.try_get(4)?,
        paused_by: row.try_get(5)?,
        paused_at_ms: row.try_get(6)?,
        beta_open: row.try_get(7)?,
        default_currency: rows::currency(&currency)?,
        kept_back: row.try_get(9)?,
    })
}

/// The mode a database is stamped with; `None` when it has no stamp, or no such table yet.
pub(in crate::store) async fn stamped_mode(pool: &Pool) -> Option<Mode> {
    let row = sqlx::query::<DB>("SELECT mode FROM daemon_state WHERE id = 1").fetch_optional(pool).await.ok()??;
    row.try_get::<String, _>(0).ok().and_then(|word| Mode::parse(&word))
}

/// Stamps the mode when there is no stamp yet; gives the one in force, and whether it is new.
pub(in crate::store) async fn stamp_mode(pool: &Pool, now_ms: i64, mode: Mode) -> Result<(Mode, bool), StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query::<DB>(
        "INSERT INTO daemon_state (id, mode, created_at_ms) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(mode.as_str())
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    let stamped = locked(&mut tx).await?.mode;
    if done.rows_affected() > 0 {
        let detail = serde_json::json!({ "mode": mode.as_str() });
        journal::append(&mut tx, now_ms, vec![note(&By::Engine, "daemon.stamp_mode", None, detail)]).await?;
        commit(tx).await?;
    }
    Ok((stamped, done.rows_affected() > 0))
}

/// The state as it is.
pub(in crate::store) async fn read(pool: &Pool) -> Result<DaemonState, StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT {COLUMNS} FROM daemon_state WHERE id = 1")))
        .fetch_one(pool)
        .await?;
    decode(&row)
}

async fn locked(tx: &mut Tx) -> Result<DaemonState, StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT {COLUMNS} FROM daemon_state WHERE id = 1{FOR_UPDATE}")))
        .fetch_one(&mut **tx)
        .await?;
    decode(&row)
}

/// A database that was made further than this from when our clock said was made under a wrong one, milliseconds.
const WRONG_MS: i64 = 60_000;

/// Stores the platform's account at its first naming; refuses another one for ever. By Stripe's clock the database was made then, as far as
/// that is known, and not later than now.
pub(in crate::store) async fn stamp_platform(
    pool: &Pool,
    now_ms: i64,
    account: &AccountId,
    (made_ms, latest_ms): (Option<i64>, Option<i64>),
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    match locked(&mut tx).await?.platform {
        Some(known) if known == *account => Ok(()),
        Some(known) => Err(StoreError::Refused(format!(
            "this database belongs to the platform account {known}, the Stripe key to {account}: \
             nothing is sent with it; use that platform's key, or a database of its own"
        ))),
        None => {
            sqlx::query::<DB>(
                "UPDATE daemon_state SET platform_account_id = $1, created_at_ms = CASE \
                 WHEN ABS(created_at_ms - CAST($2 AS BIGINT)) > $4 THEN CAST($2 AS BIGINT) \
                 WHEN created_at_ms - CAST($3 AS BIGINT) > $4 THEN CAST($3 AS BIGINT) ELSE created_at_ms END WHERE id = 1",
            )
            .bind(account.as_str())
            .bind(made_ms)
            .bind(latest_ms)
            .bind(WRONG_MS)
            .execute(&mut *tx)
            .await?;
            let detail = serde_json::json!({ "account": account.as_str(), "made_ms": made_ms, "stripe_ms": latest_ms });
            journal::append(&mut tx, now_ms, vec![note(&By::Engine, "daemon.stamp_platform", None, detail)]).await?;
            Ok(commit(tx).await?)
        }
    }
}

/// Stores the platform's default currency, which the configuration names.
pub(in crate::store) async fn set_default_currency(
    pool: &Pool,
    now_ms: i64,
    currency: Currency,
) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    let before = locked(&mut tx).await?.default_currency;
    if before == currency {
        return already(&mut tx).await;
    }
    sqlx::query::<DB>("UPDATE daemon_state SET default_currency = $1 WHERE id = 1")
        .bind(currency.as_str())
        .execute(&mut *tx)
        .await?;
    let detail = serde_json::json!({ "from": before.as_str(), "to": currency.as_str() });
    finish(tx, now_ms, note(&By::Engine, "daemon.set_currency", None, detail)).await
}

/// Arms the schedule: cycles whose instant lies after now are due.
pub(in crate::store) async fn arm(pool: &Pool, now_ms: i64, by: &By, reason: &str) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if locked(&mut tx).await?.armed_at_ms.is_some() {
        return already(&mut tx).await;
    }
    sqlx::query::<DB>("UPDATE daemon_state SET armed_at_ms = $1 WHERE id = 1").bind(now_ms).execute(&mut *tx).await?;
    finish(tx, now_ms, note(by, "schedule.arm", Some(reason), serde_json::Value::Null)).await
}

/// Disarms the schedule: nothing is due until it is armed again.
pub(in crate::store) async fn disarm(pool: &Pool, now_ms: i64, by: &By, reason: &str) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if locked(&mut tx).await?.armed_at_ms.is_none() {
        return already(&mut tx).await;
    }
    sqlx::query::<DB>("UPDATE daemon_state SET armed_at_ms = NULL WHERE id = 1").execute(&mut *tx).await?;
    finish(tx, now_ms, note(by, "schedule.disarm", Some(reason), serde_json::Value::Null)).await
}

/// The panic pause. It is stored: a restart stays paused.
pub(in crate::store) async fn pause_all(pool: &Pool, now_ms: i64, by: &By, reason: &str) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if locked(&mut tx).await?.paused {
        return already(&mut tx).await;
    }
    sqlx::query::<DB>(
        "UPDATE daemon_state SET paused = TRUE, pause_reason = $1, paused_by = $2, paused_at_ms = $3 WHERE id = 1",
    )
    .bind(reason)
    .bind(by.to_string())
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    finish(tx, now_ms, note(by, "daemon.pause", Some(reason), serde_json::Value::Null)).await
}

/// Takes the panic pause back.
pub(in crate::store) async fn resume_all(pool: &Pool, now_ms: i64, by: &By, reason: &str) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if !locked(&mut tx).await?.paused {
        return already(&mut tx).await;
    }
    sqlx::query::<DB>(
        "UPDATE daemon_state SET paused = FALSE, pause_reason = NULL, paused_by = NULL, paused_at_ms = NULL WHERE id = 1",
    )
    .execute(&mut *tx)
    .await?;
    finish(tx, now_ms, note(by, "daemon.resume", Some(reason), serde_json::Value::Null)).await
}

/// Nothing was to be done: the newest row's number, and the transaction is rolled back by its caller's return.
pub(super) async fn already(tx: &mut Tx) -> Result<Done, StoreError> {
    let row = sqlx::query::<DB>("SELECT seq FROM journal_head WHERE id = 1").fetch_one(&mut **tx).await?;
    Ok(Done { seq: row.try_get(0)?, already: true })
}

/// Appends the one row and commits.
pub(super) async fn finish(mut tx: Tx, now_ms: i64, note: Note) -> Result<Done, StoreError> {
    let seq = journal::append(&mut tx, now_ms, vec![note]).await?;
    commit(tx).await?;
    Ok(Done { seq, already: false })
}

fn note(by: &By, action: &str, reason: Option<&str>, detail: serde_json::Value) -> Note {
    Note {
        actor: by.to_string(),
        action: action.to_owned(),
        reason: reason.map(str::to_owned),
        detail,
        ..Note::default()
    }
}
