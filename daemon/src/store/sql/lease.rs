//! The lease: who may run the engine, until when by the database's clock. Its token fences every write of the engine.
use super::{DB, FOR_SHARE, FOR_UPDATE, NOW_MS, Pool, Tx, begin, commit};
use crate::store::{StoreError, types::Fence};
use sqlx::{AssertSqlSafe, Row};

/// Takes the lease when it is free, expired, or its holder is provably gone; gives the new token, and whether somebody else held it before
/// without giving it back (what they left on the wire must be waited for).
pub(in crate::store) async fn acquire(
    pool: &Pool,
    holder: &str,
    ttl_ms: i64,
    proven_gone: bool,
) -> Result<Option<(Fence, bool)>, StoreError> {
    // Asked several times a second: without a lock, which the holder's own writes would wait for, until there is something to take.
    let free = format!("SELECT holder = '' OR expires_at_ms <= {NOW_MS} FROM lease WHERE id = 1");
    let free: bool = sqlx::query::<DB>(AssertSqlSafe(free)).fetch_one(pool).await?.try_get(0)?;
    if !free && !proven_gone {
        return Ok(None);
    }
    let mut tx = begin(pool).await?;
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT holder, token, expires_at_ms <= {NOW_MS} FROM lease WHERE id = 1{FOR_UPDATE}"
    )))
    .fetch_one(&mut *tx)
    .await?;
    let (before, token, expired): (String, i64, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if !before.is_empty() && !expired && !proven_gone {
        return Ok(None);
    }
    sqlx::query::<DB>(AssertSqlSafe(format!(
        "UPDATE lease SET holder = $1, token = $2, expires_at_ms = {NOW_MS} + $3 WHERE id = 1"
    )))
    .bind(holder)
    .bind(token + 1)
    .bind(ttl_ms)
    .execute(&mut *tx)
    .await?;
    commit(tx).await?;
    Ok(Some((Fence(token + 1), !before.is_empty() && !proven_gone)))
}

/// Extends the lease by `ttl_ms` from now; [`StoreError::Fenced`] when it is another's.
pub(in crate::store) async fn renew(pool: &Pool, fence: Fence, ttl_ms: i64) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query::<DB>(AssertSqlSafe(format!(
        "UPDATE lease SET expires_at_ms = {NOW_MS} + $1 WHERE id = 1 AND token = $2 AND expires_at_ms > {NOW_MS}"
    )))
    .bind(ttl_ms)
    .bind(fence.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(fenced(&mut tx, fence).await?);
    }
    commit(tx).await?;
    Ok(())
}

/// Gives the lease back: the next holder needn't wait.
pub(in crate::store) async fn give_back(pool: &Pool, fence: Fence) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    sqlx::query::<DB>("UPDATE lease SET holder = '', expires_at_ms = 0 WHERE id = 1 AND token = $1")
        .bind(fence.0)
        .execute(&mut *tx)
        .await?;
    commit(tx).await?;
    Ok(())
}

/// Proves inside a transaction that the token is in force and unexpired, and keeps it so until the commit.
pub(in crate::store) async fn check(tx: &mut Tx, fence: Fence) -> Result<(), StoreError> {
    check_with(tx, fence, FOR_SHARE).await
}

/// The same once every other transaction that has proven it is over.
pub(super) async fn check_alone(tx: &mut Tx, fence: Fence) -> Result<(), StoreError> {
    check_with(tx, fence, FOR_UPDATE).await
}

async fn check_with(tx: &mut Tx, fence: Fence, lock: &str) -> Result<(), StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT token, expires_at_ms > {NOW_MS} FROM lease WHERE id = 1{lock}"
    )))
    .fetch_one(&mut **tx)
    .await?;
    let (now, valid): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    if now == fence.0 && valid { Ok(()) } else { Err(StoreError::Fenced { ours: fence.0, now }) }
}

async fn fenced(tx: &mut Tx, fence: Fence) -> Result<StoreError, StoreError> {
    let now: i64 = sqlx::query::<DB>("SELECT token FROM lease WHERE id = 1").fetch_one(&mut **tx).await?.try_get(0)?;
    Ok(StoreError::Fenced { ours: fence.0, now })
}
