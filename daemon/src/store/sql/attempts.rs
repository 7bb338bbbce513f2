//! What the engine asks about attempts: which are unresolved, which were left on the wire by a dead engine, whose an object is.
use super::{DB, Pool, Query, Tx, before::SINCE, begin, commit, foreign, journal, lease, restored, reversals};
use crate::store::{
    StoreError,
    types::{Fence, KnownAttempt, Note, Unresolved, WorkLeft},
};
use payout_shared::{
    answer::PayoutObject,
    attempt::{AttemptState, KEY_PREFIX},
    currency::Currency,
    id::{AccountId, CreatorId, DestinationId, ObjectId, PayoutId, RunId},
    money::Money,
    witness::HORIZON_MS,
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// Nothing unknown waits longer than a quarter of an hour for its next look: what is to wait longer than this was put off by a wrong clock, milliseconds.
const WAITS_MAX_MS: i64 = 60 * 60 * 1000;

/// Asks for unknown payouts whose time has come and of which nothing is on the wire, oldest first.
pub(super) fn unresolved_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT p.id, p.run_id, t.key, t.account_id, t.amount_minor, t.currency, t.destination_id, \
         COALESCE(t.first_sent_stripe_ms, 0), COALESCE(t.last_sent_stripe_ms, 0), t.no_resend, t.absent_listings, t.sends, \
         t.absent_first_stripe_ms, FALSE \
         FROM creator_payouts p JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' AND t.number = p.attempts \
         WHERE p.state = 'unknown' AND (p.not_before_ms <= $1 OR p.not_before_ms > $3) AND NOT t.on_wire ORDER BY p.not_before_ms, p.id LIMIT $2",
    )
    .bind(now_ms)
    .bind(limit)
    .bind(now_ms.saturating_add(WAITS_MAX_MS))
}

/// Asks for what two people said was not paid, and is looked for until that is proven.
pub(super) fn vouched_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT p.id, p.run_id, t.key, t.account_id, t.amount_minor, t.currency, t.destination_id, \
         COALESCE(t.first_sent_stripe_ms, 0), COALESCE(t.last_sent_stripe_ms, 0), t.no_resend, t.absent_listings, t.sends, \
         t.absent_first_stripe_ms, TRUE \
         FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id \
         WHERE t.vouched_at_ms IS NOT NULL AND (p.not_before_ms <= $1 OR p.not_before_ms > $3) ORDER BY p.not_before_ms, p.id LIMIT $2",
    )
    .bind(now_ms)
    .bind(limit)
    .bind(now_ms.saturating_add(WAITS_MAX_MS))
}

/// Unknown payouts whose time has come and of which nothing is on the wire, oldest first, and those that two people said were not paid.
pub(in crate::store) async fn unresolved(pool: &Pool, now_ms: i64, limit: i64) -> Result<Vec<Unresolved>, StoreError> {
    let mut rows = unresolved_query(now_ms, limit).fetch_all(pool).await?;
    rows.extend(vouched_query(now_ms, limit).fetch_all(pool).await?);
    rows.iter()
        .map(|row| {
            Ok(Unresolved {
                payout_id: PayoutId::new(row.try_get::<String, _>(0)?),
                run_id: RunId::new(row.try_get::<String, _>(1)?),
                key: row.try_get(2)?,
                account: AccountId::new(row.try_get::<String, _>(3)?),
                amount: money(row.try_get(4)?, row.try_get(5)?)?,
                destination: DestinationId::new(row.try_get::<String, _>(6)?),
                first_sent_stripe_ms: row.try_get(7)?,
                last_sent_stripe_ms: row.try_get(8)?,
                no_resend: row.try_get(9)?,
                absent_listings: row.try_get(10)?,
                sends: row.try_get(11)?,
                absent_first_stripe_ms: row.try_get(12)?,
                vouched: row.try_get(13)?,
            })
        })
        .collect()
}

fn money(minor: i64, currency: String) -> Result<Money, StoreError> {
    let currency = Currency::parse(&currency).map_err(|error| StoreError::Broken(format!("an attempt: {error}")))?;
    Ok(Money::new(minor, currency))
}

/// Asks for what is on the wire. In no order: one by key would be had by reading all keys there ever were.
pub(super) fn on_wire_query() -> Query {
    sqlx::query::<DB>("SELECT payout_id, key, token FROM payout_attempts WHERE on_wire")
}

/// Attempts whose send has no recorded answer, by their keys: (payout, key, token of the intent). An intent whose commit is still under way,
/// though nobody waits for it any more, is waited for: else it would be found by nobody.
pub(in crate::store) async fn on_wire(pool: &Pool, fence: Fence) -> Result<Vec<(PayoutId, String, i64)>, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check_alone(&mut tx, fence).await?;
    let rows = on_wire_query().fetch_all(&mut *tx).await?;
    commit(tx).await?;
    let read = |row: &<DB as sqlx::Database>::Row| {
        Ok((PayoutId::new(row.try_get::<String, _>(0)?), row.try_get(1)?, row.try_get(2)?))
    };
    let mut found: Vec<(PayoutId, String, i64)> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}

/// The attempts that these keys or objects are of.
pub(in crate::store) async fn known(
    pool: &Pool,
    keys: &[String],
    objects: &[ObjectId],
) -> Result<Vec<KnownAttempt>, StoreError> {
    if keys.is_empty() && objects.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<DB>::new(
        "SELECT t.payout_id, t.key, t.number = p.attempts, t.state, t.stripe_object_id, t.amount_minor, t.currency, t.account_id, \
         t.destination_id FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id WHERE t.kind = 'create' AND (t.key IN (",
    );
    // An empty list isn't SQL: '' is nobody's key and nobody's object.
    let mut list = query.separated(", ");
    list.push("''");
    for key in keys {
        list.push_bind(key);
    }
    query.push(") OR t.stripe_object_id IN (");
    let mut list = query.separated(", ");
    list.push("''");
    for object in objects {
        list.push_bind(object.as_str());
    }
    query.push("))");
    query
        .build()
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            let state: String = row.try_get(3)?;
            let key: String = row.try_get(1)?;
            Ok(KnownAttempt {
                payout_id: PayoutId::new(row.try_get::<String, _>(0)?),
                newest: row.try_get(2)?,
                state: AttemptState::parse(&state)
                    .ok_or_else(|| StoreError::Broken(format!("attempt {key} has the unknown state {state:?}")))?,
                key,
                object: row.try_get::<Option<String>, _>(4)?.map(ObjectId::new),
                amount: money(row.try_get(5)?, row.try_get(6)?)?,
                account: AccountId::new(row.try_get::<String, _>(7)?),
                destination: DestinationId::new(row.try_get::<String, _>(8)?),
            })
        })
        .collect()
}

/// Remembers objects that no attempt of ours explains, each with its reason and a journal row. What reverses a payout of ours is taken in as that.
pub(in crate::store) async fn foreign(
    pool: &Pool,
    fence: Fence,
    now_ms: i64,
    objects: &[(PayoutObject, String)],
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let mut notes = Vec::new();
    for (object, why) in objects {
        if let Some(found) = reversals::found(&mut tx, now_ms, fence, object).await? {
            notes.extend(forgotten(&mut tx, now_ms, object).await?);
            notes.extend(found);
            continue;
        }
        if let Some(original) = object.reverses() {
            notes.extend(foreign::reversed(&mut tx, now_ms, original, object).await?);
        }
        let noted = foreign::record(&mut tx, now_ms, object, None, why).await?;
        notes.extend(noted.back);
        if noted.is_news {
            notes.extend(forgotten(&mut tx, now_ms, object).await?);
            notes.push(Note {
                actor: "engine".to_owned(),
                action: "payout.foreign".to_owned(),
                reason: Some(why.clone()),
                detail: serde_json::json!({
                    "object": object.id.as_str(), "account": object.account.as_str(), "amount_minor": object.amount_minor,
                    "currency": object.currency.as_str(), "automatic": object.automatic,
                    "status": object.status.map(|status| status.as_str()),
                }),
                ..Note::default()
            });
        }
    }
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    commit(tx).await?;
    Ok(())
}

/// A payout that was made since these books are there and carries a key of ours that they don't hold: they are a backup. Nothing leaves
/// until everything was asked for again.
async fn forgotten(tx: &mut Tx, now_ms: i64, object: &PayoutObject) -> Result<Option<Note>, StoreError> {
    let created_ms = object.created_s.saturating_mul(1_000);
    let Some(key) = object.key.as_ref().filter(|key| key.starts_with(KEY_PREFIX)) else { return Ok(None) };
    let row = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT {SINCE}"))).fetch_one(&mut **tx).await?;
    if created_ms <= row.try_get(0)? {
        return Ok(None);
    }
    let why = format!("payout {} carries a key of ours that these books don't hold", object.id);
    let evidence = serde_json::json!({ "object": object.id.as_str(), "key": key });
    restored::mark_in(tx, now_ms, &why, created_ms.saturating_sub(HORIZON_MS), evidence).await
}

/// The creators named for a run.
pub(in crate::store) async fn run_creators(pool: &Pool, run: &RunId) -> Result<Vec<CreatorId>, StoreError> {
    sqlx::query::<DB>("SELECT creator_id FROM payout_run_creators WHERE run_id = $1 ORDER BY creator_id")
        .bind(run.as_str())
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| Ok(CreatorId::new(row.try_get::<String, _>(0)?)))
        .collect()
}

/// Asks what a run has left to do. Each part is a seek in an index, however many payouts the run has.
pub(super) fn work_left_query(run: &RunId, now_ms: i64, due_max: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM creator_payouts \
           WHERE run_id = $1 AND state = 'planned' AND not_before_ms <= $2 LIMIT $3) AS due), \
         (SELECT MIN(not_before_ms) FROM creator_payouts WHERE run_id = $1 AND state = 'planned'), \
         (SELECT MIN(not_before_ms) FROM creator_payouts WHERE run_id = $1 AND state = 'unknown'), \
         EXISTS (SELECT 1 FROM creator_payouts WHERE run_id = $1 AND state = 'submitting'), \
         EXISTS (SELECT 1 FROM creator_payouts WHERE run_id = $1 AND state IN ('failed', 'returned')), \
         (SELECT COUNT(*) FROM payout_attempts WHERE run_id = $1 AND on_wire)",
    )
    .bind(run.as_str().to_owned())
    .bind(now_ms)
    .bind(due_max)
}

/// What a run has left to do.
pub(in crate::store) async fn work_left(
    pool: &Pool,
    run: &RunId,
    now_ms: i64,
    due_max: i64,
) -> Result<WorkLeft, StoreError> {
    let row = work_left_query(run, now_ms, due_max).fetch_one(pool).await?;
    Ok(WorkLeft {
        due: row.try_get(0)?,
        planned_due_ms: row.try_get(1)?,
        unknown_due_ms: row.try_get(2)?,
        submitting: row.try_get(3)?,
        failed: row.try_get(4)?,
        in_flight: row.try_get(5)?,
    })
}
