//! Holds: "don't pay this creator now", by a person or a rule. At most one in force per creator and cause.
use super::{DB, Pool, begin, rows, state};
use crate::store::{
    StoreError,
    door_types::{Done, HoldRow},
    types::{By, Note},
};
use payout_shared::id::CreatorId;
use sqlx::Row;

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

/// Takes a hold back.
pub(in crate::store) async fn release(
    pool: &Pool,
    now_ms: i64,
    creator: &CreatorId,
    cause: &str,
    reason: &str,
    by: &By,
) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query::<DB>(
        "UPDATE creator_holds SET released_by = $1, released_at_ms = $2 \
         WHERE creator_id = $3 AND cause = $4 AND released_at_ms IS NULL",
    )
    .bind(by.to_string())
    .bind(now_ms)
    .bind(creator.as_str())
    .bind(cause)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return state::already(&mut tx).await;
    }
    state::finish(tx, now_ms, note("creator.release", creator, cause, reason, by)).await
}

/// The holds in force, newest first.
pub(in crate::store) async fn in_force(pool: &Pool) -> Result<Vec<HoldRow>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT creator_id, cause, reason, placed_by, placed_at_ms FROM creator_holds WHERE released_at_ms IS NULL \
         ORDER BY placed_at_ms DESC, id DESC",
    )
    .fetch_all(pool)
    .await?;
    found
        .iter()
        .map(|row| {
            let creator: String = row.try_get(0)?;
            Ok(HoldRow {
                creator: CreatorId::new(creator),
                cause: row.try_get(1)?,
                reason: row.try_get(2)?,
                placed_by: row.try_get(3)?,
                placed_at_ms: row.try_get(4)?,
            })
        })
        .collect()
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
