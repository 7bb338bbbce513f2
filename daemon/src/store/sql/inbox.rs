//! Webhooks: stored before they are answered, once per event id, understood later in the order they came.
use super::{DB, Pool, Query, Tx, begin, commit, lease};
use crate::store::{
    StoreError,
    door_types::{InboxEvent, InboxRow},
    types::Fence,
};
use payout_shared::id::AccountId;
use sqlx::{QueryBuilder, Row};

const EVENTS_PER_STATEMENT: usize = 1000;

/// Stores an event; `false` when its id is known already (Stripe repeats itself). After the commit the sender may be told 200.
pub(in crate::store) async fn put(pool: &Pool, now_ms: i64, event: &InboxEvent) -> Result<bool, StoreError> {
    let done = sqlx::query::<DB>(
        "INSERT INTO webhook_inbox (event_id, event_type, account_id, object_id, livemode, created_s, body, received_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(&event.event_id)
    .bind(&event.event_type)
    .bind(event.account.as_ref().map(AccountId::as_str))
    .bind(&event.object_id)
    .bind(event.livemode)
    .bind(event.created_s)
    .bind(&event.body)
    .bind(now_ms)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores events that a sweep has found, as many as no webhook has brought; gives how many.
pub(super) async fn put_swept(tx: &mut Tx, now_ms: i64, events: &[InboxEvent]) -> Result<u64, StoreError> {
    let mut insert = QueryBuilder::<DB>::new(
        "INSERT INTO webhook_inbox (event_id, event_type, account_id, object_id, livemode, created_s, body, received_at_ms, swept) ",
    );
    insert.push_values(events, |mut row, event| {
        row.push_bind(&event.event_id)
            .push_bind(&event.event_type)
            .push_bind(event.account.as_ref().map(AccountId::as_str))
            .push_bind(&event.object_id)
            .push_bind(event.livemode)
            .push_bind(event.created_s)
            .push_bind(&event.body)
            .push_bind(now_ms)
            .push_bind(true);
    });
    insert.push(" ON CONFLICT (event_id) DO NOTHING");
    Ok(insert.build().persistent(false).execute(&mut **tx).await?.rows_affected())
}

/// Asks for the oldest events that nobody has looked at, in the order they came.
pub(super) fn todo_query(limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT seq, received_at_ms, event_id, event_type, account_id, object_id, livemode, created_s, body \
         FROM webhook_inbox WHERE processed_at_ms IS NULL ORDER BY seq LIMIT $1",
    )
    .bind(limit)
}

/// The oldest events that nobody has looked at, in the order they came.
pub(in crate::store) async fn todo(pool: &Pool, limit: i64) -> Result<Vec<InboxRow>, StoreError> {
    let found = todo_query(limit).fetch_all(pool).await?;
    found
        .iter()
        .map(|row| {
            let account: Option<String> = row.try_get(4)?;
            Ok(InboxRow {
                seq: row.try_get(0)?,
                received_at_ms: row.try_get(1)?,
                event: InboxEvent {
                    event_id: row.try_get(2)?,
                    event_type: row.try_get(3)?,
                    account: account.map(AccountId::new),
                    object_id: row.try_get(5)?,
                    livemode: row.try_get(6)?,
                    created_s: row.try_get(7)?,
                    body: row.try_get(8)?,
                },
            })
        })
        .collect()
}

/// Asks whether something that came before a moment, or that a sweep has found, was looked at by nobody.
pub(super) fn unseen_query(before_ms: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT EXISTS (SELECT 1 FROM webhook_inbox WHERE processed_at_ms IS NULL AND (swept OR received_at_ms <= $1))",
    )
    .bind(before_ms)
}

/// Something that came before a moment, or that a sweep has found, was looked at by nobody.
pub(in crate::store) async fn unseen(pool: &Pool, before_ms: i64) -> Result<bool, StoreError> {
    Ok(unseen_query(before_ms).fetch_one(pool).await?.try_get(0)?)
}

/// How many nobody has looked at.
pub(in crate::store) async fn backlog(pool: &Pool) -> Result<i64, StoreError> {
    let row =
        sqlx::query::<DB>("SELECT COUNT(*) FROM webhook_inbox WHERE processed_at_ms IS NULL").fetch_one(pool).await?;
    Ok(row.try_get(0)?)
}

/// When the newest one came.
pub(in crate::store) async fn newest_ms(pool: &Pool) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query::<DB>("SELECT received_at_ms FROM webhook_inbox ORDER BY seq DESC LIMIT 1")
        .fetch_optional(pool)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Marks events as looked at. Their effects are committed before; doing it again changes nothing.
pub(in crate::store) async fn done(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    outcomes: &[(i64, String)],
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    mark(&mut tx, now_ms, outcomes).await?;
    Ok(commit(tx).await?)
}

/// The same within a transaction.
pub(super) async fn mark(tx: &mut Tx, now_ms: i64, outcomes: &[(i64, String)]) -> Result<(), StoreError> {
    for chunk in outcomes.chunks(EVENTS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new("UPDATE webhook_inbox SET outcome = v.column2, processed_at_ms = ");
        update.push_bind(now_ms).push(" FROM (");
        update.push_values(chunk, |mut row, (seq, outcome)| {
            row.push_bind(*seq).push_bind(outcome);
        });
        update.push(") AS v WHERE seq = v.column1 AND processed_at_ms IS NULL");
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}
