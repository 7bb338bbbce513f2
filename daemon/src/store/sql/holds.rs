//! Holds: "don't pay this creator now", by a person or a rule. At most one in force per creator and cause.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, commit, journal, rows, state};
use crate::store::{
    StoreError,
    door_types::{Done, HoldRow, Released},
    types::{By, Note},
};
use payout_shared::{absence::NOT_PAID_HOLD, id::CreatorId};
use sqlx::{AssertSqlSafe, Row};

/// Holds in force, as [`row`] reads them.
const COLUMNS: &str =
    "SELECT creator_id, cause, reason, placed_by, placed_at_ms FROM creator_holds WHERE released_at_ms IS NULL";

/// Places a hold. It counts at the next send.
pub(in crate::store) async fn place(
    pool: &Pool,
    now_ms: i64,
    creator: &CreatorId,
    cause: &str,
    reason: &str,
    by: &By,
) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if !rows::creator_is_known(&mut tx, creator.as_str()).await? {
        return Err(StoreError::NotFound { what: "creator", name: creator.to_string() });
    }
    let done = sqlx::query::<DB>(
        "INSERT INTO creator_holds (creator_id, cause, reason, placed_by, placed_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(creator.as_str())
    .bind(cause)
    .bind(reason)
    .bind(by.to_string())
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return state::already(&mut tx).await;
    }
    state::finish(tx, now_ms, note("creator.hold", creator, cause, reason, by)).await
}

/// Takes the hold of one cause back, or all of them; each with its journal row.
pub(in crate::store) async fn release(
    pool: &Pool,
    now_ms: i64,
    creator: &CreatorId,
    cause: Option<&str>,
    reason: &str,
    by: &By,
) -> Result<Released, StoreError> {
    let mut tx = begin(pool).await?;
    if !rows::creator_is_known(&mut tx, creator.as_str()).await? {
        return Err(StoreError::NotFound { what: "creator", name: creator.to_string() });
    }
    let held = of_creator(&mut tx, creator, FOR_UPDATE).await?;
    let (released, left): (Vec<_>, Vec<_>) =
        // What two people's word has held, only the proof frees.
        held.into_iter().partition(|hold| cause.is_none_or(|cause| hold.cause == cause) && hold.cause != NOT_PAID_HOLD);
    if released.is_empty() {
        return Ok(Released { seq: state::already(&mut tx).await?.seq, released, left });
    }
    for hold in &released {
        sqlx::query::<DB>(
            "UPDATE creator_holds SET released_by = $1, released_at_ms = $2 \
             WHERE creator_id = $3 AND cause = $4 AND released_at_ms IS NULL",
        )
        .bind(by.to_string())
        .bind(now_ms)
        .bind(creator.as_str())
        .bind(&hold.cause)
        .execute(&mut *tx)
        .await?;
    }
    let notes = released.iter().map(|hold| note("creator.release", creator, &hold.cause, reason, by)).collect();
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(Released { seq, released, left })
}

/// A creator's holds in force, newest first.
pub(super) async fn of_creator(tx: &mut Tx, creator: &CreatorId, lock: &str) -> Result<Vec<HoldRow>, StoreError> {
    let text = format!("{COLUMNS} AND creator_id = $1 ORDER BY placed_at_ms DESC, id DESC{lock}");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(creator.as_str()).fetch_all(&mut **tx).await?;
    found.iter().map(row).collect()
}

/// The holds in force, newest first.
pub(in crate::store) async fn in_force(pool: &Pool) -> Result<Vec<HoldRow>, StoreError> {
    let text = format!("{COLUMNS} ORDER BY placed_at_ms DESC, id DESC");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).fetch_all(pool).await?;
    found.iter().map(row).collect()
}

fn row(row: &rows::AnyRow) -> Result<HoldRow, StoreError> {
    let creator: String = row.try_get(0)?;
    Ok(HoldRow {
        creator: CreatorId::new(creator),
        cause: row.try_get(1)?,
        reason: row.try_get(2)?,
        placed_by: row.try_get(3)?,
        placed_at_ms: row.try_get(4)?,
    })
}

fn note(action: &str, creator: &CreatorId, cause: &str, reason: &str, by: &By) -> Note {
    Note {
        actor: by.to_string(),
        action: action.to_owned(),
        reason: Some(reason.to_owned()),
        detail: serde_json::json!({ "creator": creator.as_str(), "cause": cause }),
        ..Note::default()
    }
}
