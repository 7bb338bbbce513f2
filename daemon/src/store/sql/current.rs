//! Which account of a creator is the current one: at most one at any time. The others keep what lies on them and aren't paid from.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, state};
use crate::store::{
    StoreError,
    door_types::Done,
    types::{By, Note},
};
use payout_shared::id::{AccountId, CreatorId};
use sqlx::{AssertSqlSafe, Row};

/// Makes a known account of the creator the current one; gives also how many payouts of the others are on their way. A crash before the
/// commit changes nothing.
pub(in crate::store) async fn set(
    pool: &Pool,
    now_ms: i64,
    creator: &CreatorId,
    account: &AccountId,
    reason: &str,
    by: &By,
) -> Result<(Done, i64), StoreError> {
    let mut tx = begin(pool).await?;
    let text = format!(
        "SELECT account_id, is_current FROM creator_stripe_accounts WHERE creator_id = $1 ORDER BY account_id{FOR_UPDATE}"
    );
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(creator.as_str()).fetch_all(&mut *tx).await?;
    let known: Vec<(String, bool)> =
        found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, StoreError>>()?;
    let Some((_, is_current)) = known.iter().find(|(id, _)| id == account.as_str()) else {
        let all: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
        let theirs = if all.is_empty() { "none is known".to_owned() } else { all.join(", ") };
        return Err(StoreError::Refused(format!("account {account} is none of creator {creator}'s ({theirs})")));
    };
    if *is_current {
        return Ok((state::already(&mut tx).await?, 0));
    }
    let before = known.iter().find(|(_, is_current)| *is_current).map(|(id, _)| id.as_str());
    for (query, name) in [
        ("UPDATE creator_stripe_accounts SET is_current = FALSE WHERE creator_id = $1 AND is_current", creator.as_str()),
        // What is known of it may be as old as its last use.
        ("UPDATE creator_stripe_accounts SET is_current = TRUE, stale = TRUE WHERE account_id = $1", account.as_str()),
    ] {
        sqlx::query::<DB>(query).bind(name).execute(&mut *tx).await?;
    }
    let on_their_way = on_their_way(&mut tx, creator, account).await?;
    let note = replaced(creator.as_str(), before, account.as_str(), &by.to_string(), Some(reason));
    Ok((state::finish(tx, now_ms, note).await?, on_their_way))
}

async fn on_their_way(tx: &mut Tx, creator: &CreatorId, account: &AccountId) -> Result<i64, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT COUNT(*) FROM creator_payouts WHERE creator_id = $1 AND account_id <> $2 \
         AND state IN ('submitting', 'unknown', 'pending', 'in_transit')",
    )
    .bind(creator.as_str())
    .bind(account.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}

/// The journal's row of a creator's account that was replaced.
pub(super) fn replaced(creator: &str, from: Option<&str>, to: &str, actor: &str, reason: Option<&str>) -> Note {
    Note {
        actor: actor.to_owned(),
        action: "account.replaced".to_owned(),
        reason: reason.map(str::to_owned),
        detail: serde_json::json!({"creator": creator, "from": from, "to": to}),
        ..Note::default()
    }
}
