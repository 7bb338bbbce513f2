//! The journal: appended to as the last thing of a transaction, so that its head row is locked for as short as can be; only what commits an
//! intent, or an entry by two people, locks it before.
use super::{DB, FOR_UPDATE, Tx};
use crate::store::{StoreError, types::Note};
use payout_shared::journal::Entry;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// Rows per statement: eleven binds each stay far below both databases' limits.
const ROWS_PER_STATEMENT: usize = 500;

/// From here on until the commit nobody else commits anything that is told in the journal: what is read now holds when this is committed. Payouts
/// and runs are locked before it, as in every transaction.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    let head = AssertSqlSafe(format!("SELECT seq FROM journal_head WHERE id = 1{FOR_UPDATE}"));
    sqlx::query::<DB>(head).fetch_one(&mut **tx).await?;
    Ok(())
}

/// Appends rows and gives the number of the last one. A gapless number and the hash chain come from the head row, which is
/// locked until the commit: two writers can't fork the chain.
pub(in crate::store) async fn append(tx: &mut Tx, at_ms: i64, notes: Vec<Note>) -> Result<i64, StoreError> {
    let head = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT seq, hash FROM journal_head WHERE id = 1{FOR_UPDATE}")))
        .fetch_one(&mut **tx)
        .await?;
    let (mut seq, mut hash): (i64, String) = (head.try_get(0)?, head.try_get(1)?);
    if notes.is_empty() {
        return Ok(seq);
    }
    let mut rows = Vec::with_capacity(notes.len());
    for note in notes {
        seq += 1;
        let entry = Entry {
            seq,
            at_ms,
            actor: note.actor,
            action: note.action,
            run_id: note.run_id,
            payout_id: note.payout_id,
            from_state: note.from_state,
            to_state: note.to_state,
            reason: note.reason,
            detail: if note.detail.is_null() { "{}".to_owned() } else { note.detail.to_string() },
        };
        hash = entry.hash(&hash);
        rows.push((entry, hash.clone()));
    }
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO journal (seq, at_ms, actor, action, run_id, payout_id, from_state, to_state, reason, detail, hash) ",
        );
        insert.push_values(chunk, |mut row, (entry, hash)| {
            row.push_bind(entry.seq)
                .push_bind(entry.at_ms)
                .push_bind(&entry.actor)
                .push_bind(&entry.action)
                .push_bind(&entry.run_id)
                .push_bind(&entry.payout_id)
                .push_bind(&entry.from_state)
                .push_bind(&entry.to_state)
                .push_bind(&entry.reason)
                .push_bind(&entry.detail)
                .push_bind(hash);
        });
        insert.build().execute(&mut **tx).await?;
    }
    sqlx::query::<DB>("UPDATE journal_head SET seq = $1, hash = $2 WHERE id = 1")
        .bind(seq)
        .bind(&hash)
        .execute(&mut **tx)
        .await?;
    Ok(seq)
}
