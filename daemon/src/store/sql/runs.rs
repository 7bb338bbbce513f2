//! Runs: asked for, found, changed. The only file that writes a run's state, always by the core's transition function.
use super::{DB, FOR_UPDATE, Pool, Tx, approvals, begin, commit, journal, lease, rows};
use crate::store::{
    StoreError,
    door_types::event_participle,
    types::{By, Fence, NewRun, Note, RunRow},
};
use jiff::civil::Date;
use payout_shared::{
    id::{CreatorId, RunId},
    run::{self, RunEvent, RunKind, RunLabel, RunStanding, RunState, RunVerdict},
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use std::collections::BTreeSet;

/// Two people asking at once each need a number of their own: tries before we give up.
const NUMBER_TRIES: u32 = 100;
const NAMES_PER_STATEMENT: usize = 1000;

/// Inserts a run. A scheduled one exists once per cycle for ever: when it does, it is given back (`true`) and nothing is written.
pub(in crate::store) async fn insert(
    pool: &Pool,
    now_ms: i64,
    id: &RunId,
    new: &NewRun,
) -> Result<(RunRow, bool), StoreError> {
    let creators: BTreeSet<&str> = new.creators.iter().map(CreatorId::as_str).collect();
    let mut tx = begin(pool).await?;
    refuse_unknown(&mut tx, &creators).await?;
    let number = match new.kind {
        RunKind::Scheduled => insert_row(&mut tx, now_ms, id, new, 1).await?.then_some(1),
        RunKind::Manual => insert_numbered(&mut tx, now_ms, id, new).await?,
    };
    let Some(number) = number else {
        let label = format!("{}#1", new.cycle_date);
        return Ok((find(&mut tx, &label, "").await?, true));
    };
    for chunk in creators.iter().collect::<Vec<_>>().chunks(NAMES_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new("INSERT INTO payout_run_creators (run_id, creator_id) ");
        insert.push_values(chunk, |mut row, creator| {
            row.push_bind(id.as_str()).push_bind(**creator);
        });
        insert.build().persistent(false).execute(&mut *tx).await?;
    }
    let row = find(&mut tx, id.as_str(), "").await?;
    let detail = serde_json::json!({
        "label": row.label.to_string(), "kind": new.kind.as_str(), "number": number, "creators": creators.len(),
    });
    journal::append(&mut tx, now_ms, vec![note(&row, &new.by, "insert", None, new.reason.clone(), detail)]).await?;
    commit(tx).await?;
    Ok((row, false))
}

async fn refuse_unknown(tx: &mut Tx, creators: &BTreeSet<&str>) -> Result<(), StoreError> {
    let mut unknown = creators.clone();
    for chunk in creators.iter().collect::<Vec<_>>().chunks(NAMES_PER_STATEMENT) {
        let mut query = QueryBuilder::<DB>::new("SELECT creator_id FROM creator_stripe_accounts WHERE creator_id IN (");
        let mut list = query.separated(", ");
        for creator in chunk {
            list.push_bind(**creator);
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
            unknown.remove(row.try_get::<String, _>(0)?.as_str());
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let (named, more): (Vec<_>, _) = (unknown.iter().copied().take(20).collect(), unknown.len().saturating_sub(20));
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(StoreError::Refused(format!("no Stripe account is known of {}{more}: nothing was started", named.join(", "))))
}

async fn insert_numbered(tx: &mut Tx, now_ms: i64, id: &RunId, new: &NewRun) -> Result<Option<i64>, StoreError> {
    for _ in 0..NUMBER_TRIES {
        let number: i64 =
            sqlx::query::<DB>("SELECT COALESCE(MAX(number), 1) + 1 FROM payout_runs WHERE cycle_date = $1")
                .bind(new.cycle_date.to_string())
                .fetch_one(&mut **tx)
                .await?
                .try_get(0)?;
        if insert_row(tx, now_ms, id, new, number).await? {
            return Ok(Some(number));
        }
    }
    Err(StoreError::Refused(format!("no number could be had for a run of {}: try again", new.cycle_date)))
}

async fn insert_row(tx: &mut Tx, now_ms: i64, id: &RunId, new: &NewRun, number: i64) -> Result<bool, StoreError> {
    let done = sqlx::query::<DB>(
        "INSERT INTO payout_runs (id, cycle_date, number, kind, state, cutoff_ms, instant_ms, named_only, requested_by, reason, \
         created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (cycle_date, number) DO NOTHING",
    )
    .bind(id.as_str())
    .bind(new.cycle_date.to_string())
    .bind(number)
    .bind(new.kind.as_str())
    .bind(new.state.as_str())
    .bind(new.cutoff_ms)
    .bind(new.instant_ms)
    .bind(!new.creators.is_empty())
    .bind(new.by.to_string())
    .bind(&new.reason)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A run by its id or its label, locked with `FOR_UPDATE`.
pub(super) async fn find(tx: &mut Tx, name: &str, lock: &str) -> Result<RunRow, StoreError> {
    let columns = rows::RUN_COLUMNS;
    let row = if let Some(label) = RunLabel::parse(name) {
        let text = format!("SELECT {columns} FROM payout_runs r WHERE r.cycle_date = $1 AND r.number = $2{lock}");
        sqlx::query::<DB>(AssertSqlSafe(text))
            .bind(label.date.to_string())
            .bind(i64::from(label.number))
            .fetch_optional(&mut **tx)
            .await?
    } else {
        let text = format!("SELECT {columns} FROM payout_runs r WHERE r.id = $1{lock}");
        sqlx::query::<DB>(AssertSqlSafe(text)).bind(name).fetch_optional(&mut **tx).await?
    };
    rows::run(&row.ok_or_else(|| StoreError::NotFound { what: "run", name: name.to_owned() })?)
}

/// A run by its id or its label.
pub(in crate::store) async fn one(pool: &Pool, name: &str) -> Result<RunRow, StoreError> {
    let mut tx = pool.begin().await?;
    find(&mut tx, name, "").await
}

/// The newest runs, newest first.
pub(in crate::store) async fn newest(pool: &Pool, limit: i64) -> Result<Vec<RunRow>, StoreError> {
    let text =
        format!("SELECT {} FROM payout_runs r ORDER BY r.created_at_ms DESC, r.id DESC LIMIT $1", rows::RUN_COLUMNS);
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(limit).fetch_all(pool).await?;
    found.iter().map(rows::run).collect()
}

/// Runs that may still do something, oldest first.
pub(in crate::store) async fn open(pool: &Pool) -> Result<Vec<RunRow>, StoreError> {
    let words = RunState::ALL.into_iter().filter(|state| state.is_open()).map(|state| format!("'{}'", state.as_str()));
    let text = format!(
        "SELECT {} FROM payout_runs r WHERE r.state IN ({}) ORDER BY r.created_at_ms, r.id",
        rows::RUN_COLUMNS,
        words.collect::<Vec<_>>().join(", ")
    );
    sqlx::query::<DB>(AssertSqlSafe(text)).fetch_all(pool).await?.iter().map(rows::run).collect()
}

/// Cycles from a date on that have their scheduled run, started or missed.
pub(in crate::store) async fn known_cycles(pool: &Pool, from: Date) -> Result<Vec<Date>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT cycle_date FROM payout_runs WHERE kind = 'scheduled' AND cycle_date >= $1 ORDER BY cycle_date",
    )
    .bind(from.to_string())
    .fetch_all(pool)
    .await?;
    found
        .iter()
        .map(|row| {
            let text: String = row.try_get(0)?;
            text.parse().map_err(|_| StoreError::Broken(format!("a run has the cycle date {text:?}")))
        })
        .collect()
}

/// Applies an event to a run. An impossible one is refused with a sentence; one that is so already gives [`RunVerdict::Stale`] and the
/// journal's newest number, and writes nothing.
pub(in crate::store) async fn change(
    pool: &Pool,
    now_ms: i64,
    fence: Option<Fence>,
    id: &RunId,
    event: RunEvent,
    by: &By,
    reason: Option<&str>,
) -> Result<(RunRow, RunVerdict, i64), StoreError> {
    let mut tx = begin(pool).await?;
    if let Some(fence) = fence {
        lease::check(&mut tx, fence).await?;
    }
    let (row, verdict, note) = event_in_tx(&mut tx, now_ms, id, event, by, reason).await?;
    let Some(note) = note else {
        let head = sqlx::query::<DB>("SELECT seq FROM journal_head WHERE id = 1").fetch_one(&mut *tx).await?;
        return Ok((row, verdict, head.try_get(0)?));
    };
    let seq = journal::append(&mut tx, now_ms, vec![note]).await?;
    commit(tx).await?;
    Ok((row, verdict, seq))
}

/// The same inside a transaction of the store's: the caller has checked the fence and appends the note, when there is one, last.
pub(super) async fn event_in_tx(
    tx: &mut Tx,
    now_ms: i64,
    id: &RunId,
    event: RunEvent,
    by: &By,
    reason: Option<&str>,
) -> Result<(RunRow, RunVerdict, Option<Note>), StoreError> {
    let mut row = find(tx, id.as_str(), FOR_UPDATE).await?;
    let from = row.state;
    if ends(event) && has_work(tx, &row.id).await? {
        // Counted before this lock, nothing was left; a retry has planned some again meanwhile.
        let state = row.state.as_str();
        return Err(StoreError::Refused(format!("run {} is {state} and has payouts that are not done: it cannot be {}", row.label, event_participle(event))));
    }
    let verdict = run::apply(standing(tx, &row).await?, event);
    let planned_now = event == RunEvent::FinishPlan && !row.plan_finished;
    match verdict {
        RunVerdict::Illegal => return Err(illegal(&row, event)),
        RunVerdict::Stale if !planned_now => return Ok((row, verdict, None)),
        RunVerdict::Stale => {}
        RunVerdict::Move(to) => move_to(&mut row, to, now_ms, by, reason),
    }
    row.plan_finished |= planned_now;
    if planned_now {
        row.approval_missing = approvals::is_needed(tx, now_ms, &row).await?;
    }
    row.approval_missing &= event != RunEvent::Approve;
    write(tx, &row).await?;
    if event == RunEvent::Resume {
        // Whoever resumes knows what has failed so far: the breaker counts anew.
        sqlx::query::<DB>("UPDATE payout_runs SET breaker_from_ms = $2 WHERE id = $1")
            .bind(row.id.as_str())
            .bind(now_ms)
            .execute(&mut **tx)
            .await?;
    }
    let detail = serde_json::json!({ "label": row.label.to_string() });
    let note = note(&row, by, event.as_str(), Some(from), reason.map(str::to_owned), detail);
    Ok((row, verdict, Some(note)))
}

/// It is said of a run with which everything is done.
const fn ends(event: RunEvent) -> bool {
    match event {
        RunEvent::Complete | RunEvent::CompleteWithFailures | RunEvent::Settle | RunEvent::FinishAbort => true,
        RunEvent::FinishPlan
        | RunEvent::AskApproval
        | RunEvent::Approve
        | RunEvent::Begin
        | RunEvent::Pause
        | RunEvent::Drain
        | RunEvent::Resume
        | RunEvent::Reopen
        | RunEvent::Abort => false,
    }
}

/// Something of it is to be sent, or nobody knows what became of it. Under the run's lock: whatever plans a payout again holds that, too.
async fn has_work(tx: &mut Tx, id: &RunId) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM creator_payouts WHERE run_id = $1 AND state IN ('planned', 'submitting', 'unknown'))";
    Ok(sqlx::query::<DB>(query).bind(id.as_str()).fetch_one(&mut **tx).await?.try_get(0)?)
}

fn illegal(row: &RunRow, event: RunEvent) -> StoreError {
    let state = row.state.as_str().replace('_', " ");
    StoreError::Refused(format!("run {} is {state}: it cannot be {}", row.label, event_participle(event)))
}

async fn standing(tx: &mut Tx, row: &RunRow) -> Result<RunStanding, StoreError> {
    let in_flight = in_flight(tx, &row.id).await?;
    Ok(RunStanding {
        state: row.state,
        plan_finished: row.plan_finished,
        approval_missing: row.approval_missing,
        in_flight: u64::try_from(in_flight).unwrap_or(0),
    })
}

/// Money requests of a run that may be on the wire.
pub(super) async fn in_flight(tx: &mut Tx, id: &RunId) -> Result<i64, StoreError> {
    let row = sqlx::query::<DB>("SELECT COUNT(*) FROM payout_attempts WHERE on_wire AND run_id = $1")
        .bind(id.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get(0)?)
}

/// Money requests of all runs that may be on the wire.
pub(in crate::store) async fn in_flight_total(pool: &Pool) -> Result<i64, StoreError> {
    Ok(sqlx::query::<DB>("SELECT COUNT(*) FROM payout_attempts WHERE on_wire").fetch_one(pool).await?.try_get(0)?)
}

/// What a move means for the other columns of the row.
fn move_to(row: &mut RunRow, to: RunState, now_ms: i64, by: &By, reason: Option<&str>) {
    row.state = to;
    match to {
        RunState::Pausing | RunState::Paused => {
            // A drain changes pausing to paused: who paused it, and why, stays.
            if row.paused_by.is_none() {
                row.paused_by = Some(by.to_string());
                row.pause_reason = reason.map(str::to_owned);
            }
            return;
        }
        RunState::Running => {
            row.started_at_ms = row.started_at_ms.or(Some(now_ms));
            row.finished_at_ms = None;
        }
        RunState::Completed | RunState::CompletedWithFailures | RunState::Aborted => row.finished_at_ms = Some(now_ms),
        RunState::Planning
        | RunState::Planned
        | RunState::AwaitingApproval
        | RunState::Settled
        | RunState::Missed
        | RunState::Aborting => {}
    }
    row.paused_by = None;
    row.pause_reason = None;
}

async fn write(tx: &mut Tx, row: &RunRow) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE payout_runs SET state = $2, plan_finished = $3, pause_reason = $4, paused_by = $5, started_at_ms = $6, \
         finished_at_ms = $7, approval_missing = $8 WHERE id = $1",
    )
    .bind(row.id.as_str())
    .bind(row.state.as_str())
    .bind(row.plan_finished)
    .bind(&row.pause_reason)
    .bind(&row.paused_by)
    .bind(row.started_at_ms)
    .bind(row.finished_at_ms)
    .bind(row.approval_missing)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn note(
    row: &RunRow,
    by: &By,
    word: &str,
    from: Option<RunState>,
    reason: Option<String>,
    detail: serde_json::Value,
) -> Note {
    Note {
        actor: by.to_string(),
        action: format!("run.{word}"),
        run_id: Some(row.id.to_string()),
        payout_id: None,
        from_state: from.map(|state| state.as_str().to_owned()),
        to_state: Some(row.state.as_str().to_owned()),
        reason,
        detail,
    }
}
