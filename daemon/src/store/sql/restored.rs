//! A database restored from a backup: where its journal stands, and the mark that keeps everything back until what happened since was asked for.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, commit, journal, lease};
use crate::store::{
    StoreError,
    types::{By, Fence, Note, Reconcile},
};
use payout_shared::witness::Head;
use sqlx::{AssertSqlSafe, Row};

/// Where the journal stands, the hash of its row with this number, and whether everything is kept back.
pub(in crate::store) async fn standing(
    pool: &Pool,
    kept_seq: i64,
) -> Result<(Option<Head>, Option<String>, Option<Reconcile>), StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT f.hash, h.seq, h.hash, l.at_ms, k.hash, d.reconcile_since_ms, d.reconcile_from_ms, d.reconcile_why \
         FROM journal_head h JOIN daemon_state d ON d.id = 1 LEFT JOIN journal f ON f.seq = 1 LEFT JOIN journal l ON l.seq = h.seq \
         LEFT JOIN journal k ON k.seq = $1 WHERE h.id = 1",
    )
    .bind(kept_seq)
    .fetch_one(pool)
    .await?;
    let (first, at_ms): (Option<String>, Option<i64>) = (row.try_get(0)?, row.try_get(3)?);
    let head = match (first, at_ms) {
        (Some(first), Some(at_ms)) => Some(Head { first, seq: row.try_get(1)?, hash: row.try_get(2)?, at_ms }),
        _ => None,
    };
    let (since, from, why): (Option<i64>, Option<i64>, Option<String>) = (row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
    let reconcile = since.map(|since_ms| Reconcile { since_ms, from_ms: from.unwrap_or(0), why: why.unwrap_or_default() });
    Ok((head, row.try_get(4)?, reconcile))
}

/// Keeps everything back from now on; what is known already, or from a later moment on, changes nothing.
pub(in crate::store) async fn mark(pool: &Pool, now_ms: i64, why: &str, from_ms: i64) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let Some(note) = mark_in(&mut tx, now_ms, why, from_ms, serde_json::Value::Null).await? else { return Ok(()) };
    journal::append(&mut tx, now_ms, vec![note]).await?;
    commit(tx).await?;
    Ok(())
}

/// The same inside a transaction; gives what is to be noted.
pub(super) async fn mark_in(
    tx: &mut Tx,
    now_ms: i64,
    why: &str,
    from_ms: i64,
    evidence: serde_json::Value,
) -> Result<Option<Note>, StoreError> {
    let text = format!("SELECT reconcile_from_ms FROM daemon_state WHERE id = 1{FOR_UPDATE}");
    let known: Option<i64> = sqlx::query::<DB>(AssertSqlSafe(text)).fetch_one(&mut **tx).await?.try_get(0)?;
    if known.is_some_and(|known_ms| known_ms <= from_ms) {
        return Ok(None);
    }
    // Asked for again from the beginning: what was asked for by now may not go back far enough.
    sqlx::query::<DB>("UPDATE daemon_state SET reconcile_since_ms = $1, reconcile_from_ms = $2, reconcile_why = $3 WHERE id = 1")
        .bind(now_ms)
        .bind(from_ms)
        .bind(why)
        .execute(&mut **tx)
        .await?;
    Ok(Some(Note {
        actor: "engine".to_owned(),
        action: "daemon.restored".to_owned(),
        reason: Some(why.to_owned()),
        detail: serde_json::json!({ "from_ms": from_ms, "evidence": evidence }),
        ..Note::default()
    }))
}

/// What people said since the backup was made can't be asked for again: holds, pauses, what was taken back. So somebody looks first.
const LOOK_FIRST: &str = "restored from a backup: holds, pauses, rollbacks and settings since it was made are forgotten. Set them again, then resume";

/// Everything was asked for that was wanted since then: the books have caught up, and everything is paused until a person has looked. False
/// when more is wanted by now.
pub(in crate::store) async fn clear(pool: &Pool, now_ms: i64, fence: Fence, since_ms: i64) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let done = sqlx::query::<DB>(
        "UPDATE daemon_state SET reconcile_since_ms = NULL, reconcile_from_ms = NULL, reconcile_why = NULL, paused = TRUE, \
         pause_reason = COALESCE(pause_reason, $2), paused_by = COALESCE(paused_by, $3), paused_at_ms = COALESCE(paused_at_ms, $4) \
         WHERE id = 1 AND reconcile_since_ms = $1",
    )
    .bind(since_ms)
    .bind(LOOK_FIRST)
    .bind(By::Engine.to_string())
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let note = Note {
        actor: By::Engine.to_string(),
        action: "daemon.reconciled".to_owned(),
        reason: Some(LOOK_FIRST.to_owned()),
        detail: serde_json::json!({ "paused": true }),
        ..Note::default()
    };
    journal::append(&mut tx, now_ms, vec![note]).await?;
    commit(tx).await?;
    Ok(true)
}
