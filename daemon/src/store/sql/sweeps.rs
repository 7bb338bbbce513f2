//! What is asked of Stripe again, since webhooks get lost: which payouts are to be looked at now, whose payouts are to be listed, how far the
//! list of events was read, and what somebody wants swept whole. A restart goes on from these rows.
use super::{DB, FOR_UPDATE, Pool, Query, Tx, begin, checks, commit, inbox, journal, lease, rows};
use crate::store::{
    StoreError,
    door_types::InboxEvent,
    types::{Awaited, DueLook, Fence, NextLook, Note, ReadCount, SweepKind, SweepRow, SweepsLeft, Unlisted},
};
use payout_shared::{
    id::{AccountId, ObjectId, PayoutId, RunId},
    payout::{ObjectStatus, PayoutState},
    sweep::settles_at_ms,
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

const ROWS_PER_STATEMENT: usize = 500;
/// What is left is counted up to here: more is more.
const COUNTED_MAX: i64 = 10_000;

/// How far each kind is swept.
pub(in crate::store) async fn read(pool: &Pool) -> Result<Vec<SweepRow>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT kind, ended_at_ms, swept_ms, from_ms, began_ms, place, wanted_from_ms, wanted_at_ms IS NOT NULL AND wanted_done_ms IS NULL, \
         COALESCE((SELECT d.created_at_ms FROM daemon_state d WHERE d.id = 1), 0), wanted_at_ms FROM sweeps ORDER BY kind DESC",
    )
    .fetch_all(pool)
    .await?;
    found
        .iter()
        .map(|row| {
            let kind: String = row.try_get(0)?;
            Ok(SweepRow {
                kind: SweepKind::parse(&kind).ok_or_else(|| rows::strange("sweep", "", &kind))?,
                ended_at_ms: row.try_get(1)?,
                swept_ms: row.try_get(2)?,
                from_ms: row.try_get(3)?,
                began_ms: row.try_get(4)?,
                place: row.try_get(5)?,
                wanted_from_ms: row.try_get(6)?,
                is_wanted: row.try_get(7)?,
                started_ms: row.try_get(8)?,
                wanted_at_ms: row.try_get(9)?,
            })
        })
        .collect()
}

/// Asks for everything from a moment on (never before this database was there) once more: what is under way begins anew. Asked for twice before it is done, it is one from the earlier.
pub(in crate::store) async fn want(pool: &Pool, now_ms: i64, kind: SweepKind, from_ms: i64, by: &str) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let row = sqlx::query::<DB>("SELECT COALESCE((SELECT created_at_ms FROM daemon_state WHERE id = 1), 0)").fetch_one(&mut *tx).await?;
    let from_ms = from_ms.max(row.try_get(0)?);
    sqlx::query::<DB>(
        "UPDATE sweeps SET wanted_from_ms = CASE WHEN wanted_at_ms IS NOT NULL AND wanted_done_ms IS NULL AND wanted_from_ms < $2 \
         THEN wanted_from_ms ELSE $2 END, wanted_at_ms = $3, wanted_done_ms = NULL, from_ms = NULL, began_ms = NULL, place = '' \
         WHERE kind = $1",
    )
    .bind(kind.as_str())
    .bind(from_ms)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if kind == SweepKind::Payouts {
        // What was listed since counts for nothing: every look from here on begins there.
        sqlx::query::<DB>("UPDATE creator_stripe_accounts SET payouts_listed_ms = $1 WHERE payouts_listed_ms > $1")
            .bind(from_ms)
            .execute(&mut *tx)
            .await?;
    }
    journal::append(&mut tx, now_ms, vec![note(kind, "sweep.want", by, serde_json::json!({ "from_ms": from_ms }))]).await?;
    Ok(commit(tx).await?)
}

fn note(kind: SweepKind, action: &str, by: &str, mut detail: serde_json::Value) -> Note {
    detail["kind"] = kind.as_str().into();
    Note { actor: by.to_owned(), action: action.to_owned(), detail, ..Note::default() }
}

/// A kind's row under its lock, whether it is wanted, and from where.
async fn wanted(tx: &mut Tx, kind: SweepKind) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT wanted_from_ms, wanted_at_ms IS NOT NULL AND wanted_done_ms IS NULL FROM sweeps WHERE kind = $1{FOR_UPDATE}"
    )))
    .bind(kind.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let is_wanted: bool = row.try_get(1)?;
    Ok(row.try_get::<Option<i64>, _>(0)?.filter(|_| is_wanted))
}

/// Asks which payouts are to be looked at now, longest due first.
pub(super) fn due_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT c.id, c.run_id, c.state, c.stripe_payout_id, c.account_id, c.look_at_ms, c.changed_at_ms, c.created_at_ms, \
         t.paid_seen_ms, t.arrival_ms, COALESCE(a.payouts_listed_ms, 0), d.created_at_ms \
         FROM (SELECT id, run_id, state, stripe_payout_id, account_id, look_at_ms, changed_at_ms, created_at_ms, attempts \
           FROM creator_payouts WHERE look_at_ms <= $1 ORDER BY look_at_ms, id LIMIT $2) c JOIN daemon_state d ON d.id = 1 \
         LEFT JOIN payout_attempts t ON t.payout_id = c.id AND t.kind = 'create' AND t.number = c.attempts \
         LEFT JOIN creator_stripe_accounts a ON a.account_id = c.account_id ORDER BY c.look_at_ms, c.id",
    )
    .bind(now_ms)
    .bind(limit)
}

/// The same of objects that are none of ours.
pub(super) fn due_foreign_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT f.object_id, f.status, f.account_id, f.look_at_ms, f.first_seen_ms, f.created_ms, COALESCE(a.payouts_listed_ms, 0), \
         d.created_at_ms FROM (SELECT object_id, status, account_id, look_at_ms, first_seen_ms, created_ms FROM foreign_payouts \
           WHERE look_at_ms <= $1 ORDER BY look_at_ms, object_id LIMIT $2) f JOIN daemon_state d ON d.id = 1 \
         LEFT JOIN creator_stripe_accounts a ON a.account_id = f.account_id ORDER BY f.look_at_ms, f.object_id",
    )
    .bind(now_ms)
    .bind(limit)
}

/// What is to be looked at now: ours first.
pub(in crate::store) async fn due(pool: &Pool, now_ms: i64, limit: i64) -> Result<Vec<DueLook>, StoreError> {
    let mut due = Vec::new();
    for row in due_query(now_ms, limit).fetch_all(pool).await? {
        let (id, state): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        let state = PayoutState::parse(&state).ok_or_else(|| rows::strange("payout", &id, &state))?;
        let object: Option<String> = row.try_get(3)?;
        let object = object.ok_or_else(|| StoreError::Broken(format!("payout {id} is {} without an object", state.as_str())))?;
        let (news_ms, paid_ms): (i64, Option<i64>) = (row.try_get(6)?, row.try_get(8)?);
        let of = Awaited::Ours {
            payout: PayoutId::new(id),
            run: RunId::new(row.try_get::<String, _>(1)?),
            state,
            settles_at_ms: settles_at_ms(paid_ms.unwrap_or(news_ms), row.try_get(9)?),
        };
        due.push(DueLook {
            of,
            object: ObjectId::new(object),
            account: AccountId::new(row.try_get::<String, _>(4)?),
            look_at_ms: row.try_get(5)?,
            news_ms,
            created_ms: row.try_get(7)?,
            listed_ms: checks::list_from(row.try_get(10)?, row.try_get(11)?),
            started_ms: row.try_get(11)?,
        });
    }
    for row in due_foreign_query(now_ms, limit).fetch_all(pool).await? {
        let status: String = row.try_get(1)?;
        let first_seen_ms: i64 = row.try_get(4)?;
        due.push(DueLook {
            of: Awaited::Foreign { paid: ObjectStatus::parse(&status) == Some(ObjectStatus::Paid) },
            object: ObjectId::new(row.try_get::<String, _>(0)?),
            account: AccountId::new(row.try_get::<String, _>(2)?),
            look_at_ms: row.try_get(3)?,
            news_ms: first_seen_ms,
            created_ms: first_seen_ms.min(row.try_get(5)?),
            listed_ms: checks::list_from(row.try_get(6)?, row.try_get(7)?),
            started_ms: row.try_get(7)?,
        });
    }
    Ok(due)
}

/// Asks for accounts whose payouts were last listed before a moment, behind a place; those that are there for so long.
pub(super) fn unlisted_query(listed_before_ms: i64, made_before_ms: i64, after: (i64, &str), limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT a.account_id, a.payouts_listed_ms, d.created_at_ms FROM creator_stripe_accounts a JOIN daemon_state d ON d.id = 1 \
         WHERE a.payouts_listed_ms < $1 AND (a.payouts_listed_ms, a.account_id) > ($2, $3) AND a.created_at_ms < $4 \
         ORDER BY a.payouts_listed_ms, a.account_id LIMIT $5",
    )
    .bind(listed_before_ms)
    .bind(after.0)
    .bind(after.1.to_owned())
    .bind(made_before_ms)
    .bind(limit)
}

/// Accounts whose payouts are to be listed; each with the place behind which the next are, and where its listing begins.
pub(in crate::store) async fn unlisted(
    pool: &Pool,
    (listed_before_ms, made_before_ms): (i64, i64),
    after: (i64, &str),
    limit: i64,
) -> Result<Vec<(i64, Unlisted)>, StoreError> {
    let found = unlisted_query(listed_before_ms, made_before_ms, after, limit).fetch_all(pool).await?;
    found
        .iter()
        .map(|row| {
            let (listed_ms, started_ms): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            let account = AccountId::new(row.try_get::<String, _>(0)?);
            Ok((listed_ms, Unlisted { account, listed_ms: checks::list_from(listed_ms, started_ms), started_ms }))
        })
        .collect()
}

/// Records that accounts were listed up to a time of Stripe's, when each of these is looked at next, and how many reads that took.
pub(in crate::store) async fn looked(
    pool: &Pool,
    fence: Fence,
    listed: &[(AccountId, i64)],
    next: &[NextLook],
    reads: &[(RunId, ReadCount)],
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    for chunk in listed.chunks(ROWS_PER_STATEMENT) {
        let mut update =
            QueryBuilder::<DB>::new("UPDATE creator_stripe_accounts SET payouts_listed_ms = CAST(v.column2 AS BIGINT) FROM (");
        update.push_values(chunk, |mut row, (account, at_ms)| {
            row.push_bind(account.as_str()).push_bind(*at_ms);
        });
        update.push(") AS v WHERE account_id = v.column1 AND payouts_listed_ms < CAST(v.column2 AS BIGINT)");
        update.build().persistent(false).execute(&mut *tx).await?;
    }
    let (ours, foreign): (Vec<_>, Vec<_>) = next.iter().partition(|next| matches!(next.of, Awaited::Ours { .. }));
    for (table, column, rows) in [("creator_payouts", "stripe_payout_id", ours), ("foreign_payouts", "object_id", foreign)] {
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let mut update = QueryBuilder::<DB>::new("UPDATE ");
            update.push(table).push(" SET look_at_ms = NULLIF(CAST(v.column3 AS BIGINT), 0) FROM (");
            update.push_values(chunk, |mut row, next| {
                row.push_bind(next.object.as_str()).push_bind(next.was_ms).push_bind(next.at_ms.unwrap_or(0));
            });
            update.push(") AS v WHERE ").push(column).push(" = v.column1 AND look_at_ms = CAST(v.column2 AS BIGINT)");
            update.build().persistent(false).execute(&mut *tx).await?;
        }
    }
    for (run, count) in reads {
        checks::count_reads(&mut tx, run, *count).await?;
    }
    Ok(commit(tx).await?)
}

/// Accounts were listed whole: what was wanted from a moment on is done.
pub(in crate::store) async fn listed_all(pool: &Pool, now_ms: i64, fence: Fence, from_ms: i64, swept_ms: i64) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    end(&mut tx, now_ms, SweepKind::Payouts, from_ms, swept_ms).await?;
    Ok(commit(tx).await?)
}

/// A sweep from `from_ms` has ended, and asked up to `swept_ms`.
async fn end(tx: &mut Tx, now_ms: i64, kind: SweepKind, from_ms: i64, swept_ms: i64) -> Result<(), StoreError> {
    let done = wanted(tx, kind).await?.filter(|wanted_ms| from_ms <= *wanted_ms);
    sqlx::query::<DB>(
        "UPDATE sweeps SET ended_at_ms = $2, swept_ms = CASE WHEN swept_ms > $3 THEN swept_ms ELSE $3 END, from_ms = NULL, \
         began_ms = NULL, place = '', wanted_done_ms = CASE WHEN $4 THEN $2 ELSE wanted_done_ms END WHERE kind = $1",
    )
    .bind(kind.as_str())
    .bind(now_ms)
    .bind(swept_ms)
    .bind(done.is_some())
    .execute(&mut **tx)
    .await?;
    if done.is_some() {
        let detail = serde_json::json!({ "from_ms": from_ms, "swept_ms": swept_ms });
        journal::append(tx, now_ms, vec![note(kind, "sweep.done", "engine", detail)]).await?;
    }
    Ok(())
}

/// Records a page of events: those that no webhook has brought are put into the inbox as though one had, and where the sweep goes on is
/// remembered with them; `None` = that was the last page. Gives how many were new. Nothing is recorded when the sweep isn't that one any more.
pub(in crate::store) async fn put_events(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    events: &[InboxEvent],
    (from_ms, began_ms): (i64, i64),
    (behind, place): (&str, Option<&str>),
) -> Result<u64, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT from_ms, began_ms, place FROM sweeps WHERE kind = $1{FOR_UPDATE}"
    )))
    .bind(SweepKind::Earnings.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let known: (Option<i64>, Option<i64>, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if known != (Some(from_ms), Some(began_ms), behind.to_owned()) {
        return Ok(0);
    }
    let mut found = 0;
    for chunk in events.chunks(ROWS_PER_STATEMENT) {
        found += inbox::put_swept(&mut tx, now_ms, chunk).await?;
    }
    match place {
        Some(place) => {
            sqlx::query::<DB>("UPDATE sweeps SET place = $2 WHERE kind = $1")
                .bind(SweepKind::Earnings.as_str())
                .bind(place)
                .execute(&mut *tx)
                .await?;
        }
        None => end(&mut tx, now_ms, SweepKind::Earnings, from_ms, began_ms).await?,
    }
    if found > 0 {
        let detail = serde_json::json!({ "events": found });
        journal::append(&mut tx, now_ms, vec![note(SweepKind::Earnings, "sweep.found", "engine", detail)]).await?;
    }
    commit(tx).await?;
    Ok(found)
}

/// A sweep of events begins, unless one is under way.
pub(in crate::store) async fn begin_events(pool: &Pool, fence: Fence, from_ms: i64, began_ms: i64) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    sqlx::query::<DB>("UPDATE sweeps SET from_ms = $2, began_ms = $3, place = '' WHERE kind = $1 AND began_ms IS NULL")
        .bind(SweepKind::Earnings.as_str())
        .bind(from_ms)
        .bind(began_ms)
        .execute(&mut *tx)
        .await?;
    Ok(commit(tx).await?)
}

/// Asks how much is awaited.
pub(super) fn left_query(now_ms: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM creator_payouts WHERE look_at_ms <= $1 LIMIT $2) AS due) \
           + (SELECT COUNT(*) FROM (SELECT 1 FROM foreign_payouts WHERE look_at_ms <= $1 LIMIT $2) AS due), \
         (SELECT COUNT(*) FROM (SELECT 1 FROM creator_stripe_accounts a JOIN sweeps s ON s.kind = 'payouts' \
           AND s.wanted_at_ms IS NOT NULL AND s.wanted_done_ms IS NULL WHERE a.payouts_listed_ms <= s.wanted_from_ms LIMIT $2) AS unlisted)",
    )
    .bind(now_ms)
    .bind(COUNTED_MAX)
}

/// How much is awaited.
pub(in crate::store) async fn left(pool: &Pool, now_ms: i64) -> Result<SweepsLeft, StoreError> {
    let row = left_query(now_ms).fetch_one(pool).await?;
    Ok(SweepsLeft { payouts: row.try_get(0)?, accounts: row.try_get(1)? })
}

/// Asks which completed runs have nothing left that may still change: not among those that ended later than `ended_before_ms`.
pub(super) fn settled_runs_query(ended_before_ms: i64) -> Query {
    sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT {} FROM payout_runs r WHERE r.state IN ('completed', 'completed_with_failures') AND r.finished_at_ms <= $1 \
         AND NOT EXISTS (SELECT 1 FROM creator_payouts p WHERE p.run_id = r.id AND p.state IN ('planned', 'submitting', 'unknown', \
           'pending', 'in_transit', 'paid', 'reversing')) \
         AND NOT EXISTS (SELECT 1 FROM creator_payouts p WHERE p.run_id = r.id AND p.state IN ('failed', 'canceled', 'returned', \
           'reversed') AND p.released_at_ms IS NULL) ORDER BY r.id",
        rows::RUN_COLUMNS
    )))
    .bind(ended_before_ms)
}

/// Completed runs all of whose payouts are at an end.
pub(in crate::store) async fn settled_runs(
    pool: &Pool,
    ended_before_ms: i64,
) -> Result<Vec<crate::store::types::RunRow>, StoreError> {
    settled_runs_query(ended_before_ms).fetch_all(pool).await?.iter().map(rows::run).collect()
}
