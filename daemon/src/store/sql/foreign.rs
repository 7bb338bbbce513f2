//! Payout objects on our accounts that no payout of ours explains: remembered as last seen, in whatever order that is told. The money of an
//! adopted one that comes back frees its entries, once.
use super::{DB, FOR_UPDATE, Pool, Tx, before::SINCE, rows};
use crate::store::{
    StoreError,
    door_types::ForeignRow,
    types::Note,
};
use payout_shared::{
    answer::PayoutObject,
    consequence::status_after,
    id::{AccountId, CreatorId, ObjectId, PayoutId},
    money::Money,
    payout::ObjectStatus,
    sweep::first_look_at_object_ms,
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// What a sighting came to.
pub(super) struct Noted {
    /// Nobody knew of it, or not that it is where it is.
    pub(super) is_news: bool,
    /// It was adopted, and its money is back.
    pub(super) back: Option<Note>,
}

/// Remembers an object that no payout's newest attempt explains: shown, never dropped. What is said late takes nothing back.
pub(super) async fn record(
    tx: &mut Tx,
    now_ms: i64,
    object: &PayoutObject,
    payout: Option<&PayoutId>,
    why: &str,
) -> Result<Noted, StoreError> {
    let known = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT status FROM foreign_payouts WHERE object_id = $1{FOR_UPDATE}")))
        .bind(object.id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let known: Option<String> = known.map(|row| row.try_get(0)).transpose()?;
    let after = status_after(known.as_deref().and_then(ObjectStatus::parse), object.status);
    let status = after.map_or("?", |status| status.as_str());
    let money_back = object.failure_balance_transaction.is_some();
    let arrival_ms = object.arrival_date_s.map(|s| s.saturating_mul(1_000));
    sqlx::query::<DB>(
        "INSERT INTO foreign_payouts (object_id, account_id, currency, amount_minor, status, automatic, payout_id, why, first_seen_ms, \
         created_ms, look_at_ms, key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $13) ON CONFLICT (object_id) DO UPDATE SET look_at_ms = \
         CASE WHEN $12 THEN NULL WHEN foreign_payouts.status = excluded.status THEN foreign_payouts.look_at_ms ELSE excluded.look_at_ms END, \
         status = CASE WHEN foreign_payouts.status IN ('failed', 'canceled') THEN foreign_payouts.status ELSE excluded.status END",
    )
    .bind(object.id.as_str())
    .bind(object.account.as_str())
    .bind(object.currency.as_str())
    .bind(object.amount_minor)
    .bind(status)
    .bind(object.automatic)
    .bind(payout.map(PayoutId::as_str))
    .bind(why)
    .bind(now_ms)
    .bind(object.created_s.saturating_mul(1_000))
    .bind(first_look_at_object_ms(after, money_back, now_ms, arrival_ms))
    .bind(money_back)
    .bind(&object.key)
    .execute(&mut **tx)
    .await?;
    let back = if money_back {
        let why = format!("it is {status}, and its money is back on the account");
        give_back(tx, now_ms, &object.id, &why).await?
    } else {
        None
    };
    Ok(Noted { is_news: known.as_deref() != Some(status), back })
}

/// What takes back a payout that none of ours explains: that one bars nothing any more, and what was locked for an adopted one is free. Should the
/// bank refuse it, the one bars again; of an adopted one the account holds less than its books say, which is told (drift), and nobody is paid what
/// isn't there.
pub(super) async fn reversed(
    tx: &mut Tx,
    now_ms: i64,
    original: &ObjectId,
    by: &PayoutObject,
) -> Result<Option<Note>, StoreError> {
    let why = format!("taken back at Stripe by {}", by.id);
    if by.is_dead() {
        sqlx::query::<DB>(
            "UPDATE foreign_payouts SET status = 'paid', why = why || ', which came to nothing' WHERE object_id = $1 AND account_id = $2 \
             AND adopted_at_ms IS NULL AND status = 'canceled' AND why = $3",
        )
        .bind(original.as_str())
        .bind(by.account.as_str())
        .bind(&why)
        .execute(&mut **tx)
        .await?;
        return Ok(None);
    }
    let done = sqlx::query::<DB>(
        "UPDATE foreign_payouts SET status = 'canceled', why = $3, look_at_ms = NULL WHERE object_id = $1 AND account_id = $2 \
         AND payout_id IS NULL AND status NOT IN ('failed', 'canceled')",
    )
    .bind(original.as_str())
    .bind(by.account.as_str())
    .bind(&why)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Ok(None) } else { give_back(tx, now_ms, original, &why).await }
}

/// An object turned out to be a payout of ours: it bars nothing any more, and what was locked for an adopted one is locked there.
pub(super) async fn explained(tx: &mut Tx, now_ms: i64, object: &ObjectId, payout: &PayoutId) -> Result<Option<Note>, StoreError> {
    sqlx::query::<DB>("DELETE FROM foreign_payouts WHERE object_id = $1 AND payout_id IS NULL AND adopted_at_ms IS NULL")
        .bind(object.as_str())
        .execute(&mut **tx)
        .await?;
    give_back(tx, now_ms, object, &format!("it turned out to be payout {payout}")).await
}

/// Frees what an adopted object locked; with its carry_out free again the pair cancels out. Only the first time.
async fn give_back(tx: &mut Tx, now_ms: i64, object: &ObjectId, why: &str) -> Result<Option<Note>, StoreError> {
    let done = sqlx::query::<DB>(
        "UPDATE foreign_payouts SET returned_at_ms = $2 WHERE object_id = $1 AND adopted_at_ms IS NOT NULL AND returned_at_ms IS NULL",
    )
    .bind(object.as_str())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let freed = sqlx::query::<DB>("UPDATE payout_items SET released_at_ms = $2 WHERE payout_id = $1 AND released_at_ms IS NULL")
        .bind(object.as_str())
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(Some(Note {
        actor: "engine".to_owned(),
        action: "payout.adopted_back".to_owned(),
        reason: Some(why.to_owned()),
        detail: serde_json::json!({"object": object.as_str(), "entries_freed": freed.rows_affected()}),
        ..Note::default()
    }))
}

/// Payouts that none of ours explains and that were made since this database is there, newest first: of one creator or of all, those that
/// bar their purses or all of them.
pub(in crate::store) async fn list(
    pool: &Pool,
    creator: Option<&CreatorId>,
    barring: bool,
    limit: i64,
) -> Result<Vec<ForeignRow>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT f.object_id, f.account_id, COALESCE(a.creator_id, ''), f.amount_minor, f.currency, f.status, f.automatic, f.why, \
         f.created_ms, f.adopted_at_ms, f.adopted_by, f.returned_at_ms, f.key FROM foreign_payouts f \
         LEFT JOIN creator_stripe_accounts a ON a.account_id = f.account_id WHERE f.payout_id IS NULL AND f.amount_minor > 0 \
         AND f.created_ms > ",
    );
    query.push(SINCE);
    if barring {
        query.push(" AND f.adopted_at_ms IS NULL AND f.status NOT IN ('failed', 'canceled')");
    }
    if let Some(creator) = creator {
        query.push(" AND a.creator_id = ").push_bind(creator.as_str().to_owned());
    }
    query.push(" ORDER BY f.created_ms DESC, f.object_id DESC LIMIT ").push_bind(limit);
    query.build().fetch_all(pool).await?.iter().map(foreign).collect()
}

fn foreign(row: &rows::AnyRow) -> Result<ForeignRow, StoreError> {
    let code: String = row.try_get(4)?;
    Ok(ForeignRow {
        object: ObjectId::new(row.try_get::<String, _>(0)?),
        account: AccountId::new(row.try_get::<String, _>(1)?),
        creator: CreatorId::new(row.try_get::<String, _>(2)?),
        amount: Money::new(row.try_get(3)?, rows::currency(&code)?),
        status: row.try_get(5)?,
        automatic: row.try_get(6)?,
        why: row.try_get(7)?,
        created_ms: row.try_get(8)?,
        adopted_at_ms: row.try_get(9)?,
        adopted_by: row.try_get(10)?,
        returned_at_ms: row.try_get(11)?,
        key: row.try_get(12)?,
    })
}

/// Was the object noted beside this payout, as a late one of it?
pub(super) async fn is_of(tx: &mut Tx, object: &PayoutObject, payout: &PayoutId) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM foreign_payouts WHERE object_id = $1 AND payout_id = $2)";
    let row = sqlx::query::<DB>(query).bind(object.id.as_str()).bind(payout.as_str()).fetch_one(&mut **tx).await?;
    Ok(row.try_get(0)?)
}
