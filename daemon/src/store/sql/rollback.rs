//! The rollback of a run, as people ask for it: its rows with what can be done about each, and its confirmation.
use super::{DB, Pool, Query, begin, commit, journal, reversals, rows, runs};
use crate::store::{
    StoreError,
    types::{By, Confirm, Note, RollbackRow, RollbackShow, RunRow},
};
use payout_shared::{
    attempt::AttemptState,
    id::{CreatorId, PayoutId, RunId},
    money::Money,
    rollback::{RowFacts, step},
    run::{RunEvent, RunState},
};
use sqlx::Row;

/// Asks for a page of a run's payouts behind an id.
pub(super) fn page_query(run: &RunId, after: &str, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT p.id, p.creator_id, p.amount_minor, p.currency, p.state, p.changed_at_ms, COALESCE(t.arrival_ms, p.created_at_ms), \
         b.country, COALESCE(b.destination_id = p.destination_id, FALSE), \
         (SELECT u.state FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'cancel' AND u.number = 1), \
         (SELECT u.state FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'reverse' AND u.number = 1) \
         FROM creator_payouts p LEFT JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' AND t.number = p.attempts \
         LEFT JOIN account_banks b ON b.account_id = p.account_id AND b.currency = p.currency \
         WHERE p.run_id = $1 AND p.id > $2 ORDER BY p.id LIMIT $3",
    )
    .bind(run.as_str().to_owned())
    .bind(after.to_owned())
    .bind(limit)
}

/// A page of a run's payouts behind an id, in the order of their ids, each with what can be done about it now.
pub(in crate::store) async fn page(
    pool: &Pool,
    run: &RunId,
    after: &str,
    limit: i64,
    now_ms: i64,
) -> Result<Vec<RollbackRow>, StoreError> {
    let found = page_query(run, after, limit).fetch_all(pool).await?;
    found.iter().map(|row| read(row, now_ms)).collect()
}

fn read(row: &rows::AnyRow, now_ms: i64) -> Result<RollbackRow, StoreError> {
    let (id, code, word): (String, String, String) = (row.try_get(0)?, row.try_get(3)?, row.try_get(4)?);
    let attempt = |column: usize| -> Result<Option<AttemptState>, StoreError> {
        let word: Option<String> = row.try_get(column)?;
        word.map(|word| AttemptState::parse(&word).ok_or_else(|| rows::strange("an attempt of", &id, &word))).transpose()
    };
    let facts = RowFacts {
        state: rows::payout_state(&id, &word)?,
        bank_country: row.try_get(7)?,
        bank_is_current: row.try_get(8)?,
        arrival_ms: row.try_get(6)?,
        cancel: attempt(9)?,
        reverse: attempt(10)?,
    };
    let (step, why) = step(&facts, now_ms);
    Ok(RollbackRow {
        creator: CreatorId::new(row.try_get::<String, _>(1)?),
        amount: Money::new(row.try_get(2)?, rows::currency(&code)?),
        state: facts.state,
        changed_at_ms: row.try_get(5)?,
        step,
        why,
        id: PayoutId::new(id),
    })
}

/// Begins to take a run back. With a confirmed rollback its pending payouts are canceled as well, and the reversals named wait for a second
/// person; without, only what was never sent is given up.
pub(in crate::store) async fn abort(
    pool: &Pool,
    now_ms: i64,
    new_id: &str,
    run: &RunId,
    confirm: Option<&Confirm>,
    by: &By,
    reason: &str,
) -> Result<(RunRow, i64), StoreError> {
    let mut tx = begin(pool).await?;
    let (row, _, aborted) = runs::event_in_tx(&mut tx, now_ms, run, RunEvent::Abort, by, Some(reason)).await?;
    let mut notes: Vec<Note> = aborted.into_iter().collect();
    if row.state == RunState::Aborted {
        return Err(StoreError::Refused(format!("run {} is aborted: nothing more is taken back of it", row.label)));
    }
    if let Some(confirm) = confirm {
        let number: i64 = sqlx::query::<DB>("SELECT COALESCE(MAX(number), 0) + 1 FROM rollbacks WHERE run_id = $1")
            .bind(run.as_str())
            .fetch_one(&mut *tx)
            .await?
            .try_get(0)?;
        sqlx::query::<DB>(
            "INSERT INTO rollbacks (run_id, number, hash, reason, asked_by, asked_at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(run.as_str())
        .bind(number)
        .bind(&confirm.hash)
        .bind(reason)
        .bind(by.to_string())
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        notes.push(Note {
            actor: by.to_string(),
            action: "run.rollback".to_owned(),
            run_id: Some(run.to_string()),
            reason: Some(reason.to_owned()),
            detail: serde_json::json!({
                "label": row.label.to_string(), "hash": confirm.hash, "number": number, "reversals": confirm.reversals.len(),
            }),
            ..Note::default()
        });
        notes.extend(reversals::ask(&mut tx, now_ms, new_id, (&row, number), confirm, (by, reason)).await?);
    }
    if notes.is_empty() {
        let head = sqlx::query::<DB>("SELECT seq FROM journal_head WHERE id = 1").fetch_one(&mut *tx).await?;
        return Ok((row, head.try_get(0)?));
    }
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok((row, seq))
}

/// The newest rollback of a run, and how far it is.
pub(in crate::store) async fn shown(pool: &Pool, run: &RunId) -> Result<Option<RollbackShow>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT r.number, r.hash, r.reason, r.asked_by, r.asked_at_ms, \
         (SELECT COUNT(*) FROM creator_payouts p JOIN payout_attempts u ON u.payout_id = p.id AND u.kind = 'cancel' AND u.state = 'refused' \
           WHERE p.run_id = r.run_id), \
         (SELECT COUNT(*) FROM rollback_reversals v WHERE v.run_id = r.run_id AND v.approved_at_ms IS NULL), \
         (SELECT COUNT(*) FROM creator_payouts p WHERE p.run_id = r.run_id AND p.state IN ('planned', 'submitting', 'unknown', 'pending', \
           'reversing')) \
         FROM rollbacks r WHERE r.run_id = $1 ORDER BY r.number DESC LIMIT 1",
    )
    .bind(run.as_str())
    .fetch_optional(pool)
    .await?;
    let read = |row: rows::AnyRow| {
        Ok(RollbackShow {
            number: row.try_get(0)?,
            hash: row.try_get(1)?,
            reason: row.try_get(2)?,
            asked_by: row.try_get(3)?,
            asked_at_ms: row.try_get(4)?,
            cancels_refused: row.try_get(5)?,
            to_approve: row.try_get(6)?,
            left: row.try_get(7)?,
        })
    };
    found.map(read).transpose()
}
