//! The journal, read: what followers ask for, a payout's timeline, and whether the chain still holds.
use super::{DB, Pool, Tx, rows};
use crate::store::{StoreError, door_types::JournalCheck};
use payout_shared::{
    id::PayoutId,
    journal::{self, Entry, GENESIS},
};
use sqlx::{AssertSqlSafe, Row};

const COLUMNS: &str = "seq, at_ms, actor, action, run_id, payout_id, from_state, to_state, reason, detail, hash";
const ROWS_PER_PAGE: i64 = 2000;

fn entry(row: &rows::AnyRow) -> Result<(Entry, String), StoreError> {
    let entry = Entry {
        seq: row.try_get(0)?,
        at_ms: row.try_get(1)?,
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        run_id: row.try_get(4)?,
        payout_id: row.try_get(5)?,
        from_state: row.try_get(6)?,
        to_state: row.try_get(7)?,
        reason: row.try_get(8)?,
        detail: row.try_get(9)?,
    };
    Ok((entry, row.try_get(10)?))
}

/// Rows behind a number, oldest first.
pub(in crate::store) async fn after(pool: &Pool, seq: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(seq).bind(limit).fetch_all(pool).await?;
    found.iter().map(|row| Ok(entry(row)?.0)).collect()
}

/// The number and hash of the newest row.
pub(in crate::store) async fn head(pool: &Pool) -> Result<(i64, String), StoreError> {
    let row = sqlx::query::<DB>("SELECT seq, hash FROM journal_head WHERE id = 1").fetch_one(pool).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// What happened to a payout, oldest first.
pub(super) async fn of_payout(tx: &mut Tx, id: &PayoutId) -> Result<Vec<Entry>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM journal WHERE payout_id = $1 ORDER BY seq");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(id.as_str()).fetch_all(&mut **tx).await?;
    found.iter().map(|row| Ok(entry(row)?.0)).collect()
}

/// Checks the whole chain, and that the head is its end, as of one moment.
pub(in crate::store) async fn verify(pool: &Pool) -> Result<JournalCheck, StoreError> {
    let mut tx = super::begin_snapshot(pool).await?;
    verify_in(&mut tx).await
}

/// The same inside a snapshot that is open already.
pub(super) async fn verify_in(tx: &mut Tx) -> Result<JournalCheck, StoreError> {
    let row = sqlx::query::<DB>("SELECT seq, hash FROM journal_head WHERE id = 1").fetch_one(&mut **tx).await?;
    let head: (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    let text = format!("SELECT {COLUMNS} FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2");
    let mut before: (i64, String) = (0, GENESIS.to_owned());
    let mut rows_seen: i64 = 0;
    loop {
        let found = sqlx::query::<DB>(AssertSqlSafe(text.clone()))
            .bind(before.0)
            .bind(ROWS_PER_PAGE)
            .fetch_all(&mut **tx)
            .await?;
        let page: Vec<(Entry, String)> = found.iter().map(entry).collect::<Result<_, _>>()?;
        let Some((last, hash)) = page.last() else { break };
        rows_seen = rows_seen.saturating_add(i64::try_from(page.len()).unwrap_or(i64::MAX));
        if let Err(bad) = journal::verify((before.0, &before.1), &page) {
            return Ok(JournalCheck { rows: rows_seen, first_bad: Some(bad) });
        }
        before = (last.seq, hash.clone());
    }
    // Rows cut off at the end leave a chain that holds; the head remembers them.
    let first_bad = (before != head).then(|| before.0.saturating_add(1).min(head.0));
    Ok(JournalCheck { rows: rows_seen, first_bad })
}
