//! What needs two people: asked for, approved, rejected, and done in the transaction of the second yes.
use super::{DB, FOR_UPDATE, Pool, Tx, adjustments, approvals, begin, commit, journal, not_paid, overrides, reversals, rows};
use crate::store::{
    StoreError,
    door_types::{Approved, NewRequest, RequestRow, Yes},
    types::{By, Note},
};
use payout_shared::{
    approval::{self, RequestKind, RequestState},
    run::RunEvent,
};
use sqlx::{AssertSqlSafe, Row};

const COLUMNS: &str = "id, kind, subject, detail, hash, requested_by, requested_uid, reason, state, created_at_ms, decided_at_ms, \
     decided_by, decided_why";

fn read(row: &rows::AnyRow) -> Result<RequestRow, StoreError> {
    let (id, kind, state): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(8)?);
    Ok(RequestRow {
        kind: RequestKind::parse(&kind).ok_or_else(|| rows::strange("request", &id, &kind))?,
        state: RequestState::parse(&state).ok_or_else(|| rows::strange("request", &id, &state))?,
        id,
        subject: row.try_get(2)?,
        detail: row.try_get(3)?,
        hash: row.try_get(4)?,
        requested_by: row.try_get(5)?,
        requested_uid: row.try_get::<Option<i64>, _>(6)?.and_then(|uid| u32::try_from(uid).ok()),
        reason: row.try_get(7)?,
        created_at_ms: row.try_get(9)?,
        decided_at_ms: row.try_get(10)?,
        decided_by: row.try_get(11)?,
        decided_why: row.try_get(12)?,
        approvals: Vec::new(),
    })
}

/// Requests, newest first, each with who agreed: those that wait for something, or all.
pub(in crate::store) async fn list(pool: &Pool, all: bool, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
    let states = if all { "" } else { " WHERE state IN ('open', 'approved')" };
    let text = format!("SELECT {COLUMNS} FROM requests{states} ORDER BY created_at_ms DESC, id DESC LIMIT $1");
    let mut tx = pool.begin().await?;
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(limit).fetch_all(&mut *tx).await?;
    let mut requests = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for request in &mut requests {
        request.approvals = yes_of(&mut tx, &request.id).await?;
    }
    Ok(requests)
}

/// How many wait for a yes or a no.
pub(in crate::store) async fn open_count(pool: &Pool) -> Result<i64, StoreError> {
    Ok(sqlx::query::<DB>("SELECT COUNT(*) FROM requests WHERE state = 'open'").fetch_one(pool).await?.try_get(0)?)
}

async fn yes_of(tx: &mut Tx, id: &str) -> Result<Vec<Yes>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT uid, approved_by, reason, at_ms FROM request_approvals WHERE request_id = $1 ORDER BY at_ms, uid",
    )
    .bind(id)
    .fetch_all(&mut **tx)
    .await?;
    found
        .iter()
        .map(|row| {
            let uid: i64 = row.try_get(0)?;
            let uid = u32::try_from(uid).map_err(|_| StoreError::Broken(format!("request {id}: a uid of {uid}")))?;
            Ok(Yes { uid, by: row.try_get(1)?, reason: row.try_get(2)?, at_ms: row.try_get(3)? })
        })
        .collect()
}

async fn locked(tx: &mut Tx, id: &str) -> Result<RequestRow, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM requests WHERE id = $1{FOR_UPDATE}");
    let row = sqlx::query::<DB>(AssertSqlSafe(text)).bind(id).fetch_optional(&mut **tx).await?;
    let row = row.ok_or_else(|| StoreError::NotFound { what: "request", name: id.to_owned() })?;
    let mut request = read(&row)?;
    request.approvals = yes_of(tx, id).await?;
    Ok(request)
}

/// What a request asks for, as its hash is of it.
pub(super) fn detail(request: &RequestRow) -> Result<serde_json::Value, StoreError> {
    serde_json::from_str(&request.detail).map_err(|error| StoreError::Broken(format!("request {}: {error}", request.id)))
}

/// What is open about this.
pub(super) async fn open_about(tx: &mut Tx, kind: RequestKind, subject: &str) -> Result<Vec<RequestRow>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM requests WHERE state = 'open' AND kind = $1 AND subject = $2 ORDER BY id{FOR_UPDATE}");
    sqlx::query::<DB>(AssertSqlSafe(text)).bind(kind.as_str()).bind(subject).fetch_all(&mut **tx).await?.iter().map(read).collect()
}

/// Asks for something within the caller's transaction.
pub(super) async fn insert(tx: &mut Tx, now_ms: i64, id: &str, new: &NewRequest) -> Result<Note, StoreError> {
    let detail = new.detail.to_string();
    let hash = approval::hash(new.kind, &new.subject, &detail);
    sqlx::query::<DB>(
        "INSERT INTO requests (id, kind, subject, detail, hash, requested_by, requested_uid, reason, state, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)",
    )
    .bind(id)
    .bind(new.kind.as_str())
    .bind(&new.subject)
    .bind(&detail)
    .bind(&hash)
    .bind(&new.by)
    .bind(new.uid.map(i64::from))
    .bind(&new.reason)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(Note {
        actor: new.by.clone(),
        action: "request.open".to_owned(),
        run_id: matches!(new.kind, RequestKind::Run | RequestKind::Reversal).then(|| new.subject.clone()),
        payout_id: (new.kind == RequestKind::NotPaid).then(|| new.subject.clone()),
        reason: Some(new.reason.clone()),
        detail: serde_json::json!({
            "request": id, "kind": new.kind.as_str(), "subject": new.subject, "hash": hash, "asked": new.detail,
        }),
        ..Note::default()
    })
}

/// The same in a transaction of its own.
pub(in crate::store) async fn open(
    pool: &Pool,
    now_ms: i64,
    id: &str,
    new: &NewRequest,
) -> Result<(RequestRow, i64), StoreError> {
    let mut tx = begin(pool).await?;
    if new.kind == RequestKind::NotPaid {
        not_paid::refuse_unless_unknown(&mut tx, new).await?;
    }
    let note = insert(&mut tx, now_ms, id, new).await?;
    let seq = journal::append(&mut tx, now_ms, vec![note]).await?;
    let row = locked(&mut tx, id).await?;
    commit(tx).await?;
    Ok((row, seq))
}

fn refuse_unless_open(request: &RequestRow) -> Result<(), StoreError> {
    if request.state == RequestState::Open {
        return Ok(());
    }
    let by = request.decided_by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
    let why = request.decided_why.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
    Err(StoreError::Refused(format!("request {} is {}{by}{why}: nothing is to be decided", request.id, request.state.as_str())))
}

fn person(by: &By) -> Result<u32, StoreError> {
    match by {
        By::Person { uid, .. } => Ok(*uid),
        By::Engine | By::Schedule | By::Webhook => {
            Err(StoreError::Refused(format!("only people decide about requests, not {by}")))
        }
    }
}

/// One person's yes to exactly this; the second one does it.
pub(in crate::store) async fn approve(
    pool: &Pool,
    now_ms: i64,
    new_id: &str,
    asked: (&str, &str),
    by: &By,
    reason: &str,
) -> Result<Approved, StoreError> {
    let (id, hash) = asked;
    let uid = person(by)?;
    let mut tx = begin(pool).await?;
    not_paid::lock_first(&mut tx, id).await?;
    let request = locked(&mut tx, id).await?;
    refuse_unless_open(&request)?;
    if request.hash != hash {
        return Err(StoreError::Refused(format!(
            "request {id} has the hash {}, not {hash}: look at what is asked (payout requests) and confirm that",
            request.hash
        )));
    }
    if request.kind == RequestKind::Run
        && let Some(notes) = approvals::renewed(&mut tx, now_ms, new_id, &request).await?
    {
        journal::append(&mut tx, now_ms, notes).await?;
        commit(tx).await?;
        return Err(StoreError::Refused(format!(
            "what the run would pay has changed since request {id} was written: it is expired, {new_id} asks for what is there now"
        )));
    }
    let before: Vec<u32> = request.approvals.iter().map(|yes| yes.uid).collect();
    let enough = approval::count_yes(request.requested_uid, &before, uid).map_err(StoreError::Refused)?;
    sqlx::query::<DB>(
        "INSERT INTO request_approvals (request_id, uid, approved_by, reason, at_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(i64::from(uid))
    .bind(by.to_string())
    .bind(reason)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    let mut notes = vec![note(&request, "approve", by, reason)];
    if enough {
        notes.extend(apply(&mut tx, now_ms, &request, by, reason).await?);
        decide(&mut tx, now_ms, id, RequestState::Applied, by, reason).await?;
        notes.push(note(&request, "apply", by, reason));
    }
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    let request = locked(&mut tx, id).await?;
    commit(tx).await?;
    Ok(Approved { request, seq })
}

/// Does what two people agreed to; gives its journal rows.
async fn apply(tx: &mut Tx, now_ms: i64, request: &RequestRow, by: &By, reason: &str) -> Result<Vec<Note>, StoreError> {
    match request.kind {
        RequestKind::Run => approvals::run_event(tx, now_ms, request, RunEvent::Approve, by, reason).await,
        RequestKind::Override => overrides::write(tx, now_ms, request).await,
        RequestKind::Adjustment => adjustments::write(tx, now_ms, request, by).await,
        RequestKind::Reversal => reversals::approve(tx, now_ms, request, by).await,
        RequestKind::NotPaid => not_paid::vouch(tx, now_ms, request, by, reason).await,
    }
}

/// One person's no: nothing is done. A run that waited for it is paused.
pub(in crate::store) async fn reject(
    pool: &Pool,
    now_ms: i64,
    id: &str,
    by: &By,
    reason: &str,
) -> Result<Approved, StoreError> {
    person(by)?;
    let mut tx = begin(pool).await?;
    let request = locked(&mut tx, id).await?;
    refuse_unless_open(&request)?;
    decide(&mut tx, now_ms, id, RequestState::Rejected, by, reason).await?;
    let mut notes = vec![note(&request, "reject", by, reason)];
    if request.kind == RequestKind::Run {
        let why = format!("not approved: {reason}");
        match approvals::run_event(&mut tx, now_ms, &request, RunEvent::Pause, by, &why).await {
            // Whatever it is doing, it isn't waiting any more.
            Err(StoreError::Refused(_)) => {}
            paused => notes.extend(paused?),
        }
    }
    if request.kind == RequestKind::Reversal {
        reversals::give_up(&mut tx, &request).await?;
    }
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    let request = locked(&mut tx, id).await?;
    commit(tx).await?;
    Ok(Approved { request, seq })
}

/// Writes where a request stands then.
pub(super) async fn decide(
    tx: &mut Tx,
    now_ms: i64,
    id: &str,
    state: RequestState,
    by: &By,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE requests SET state = $2, decided_at_ms = $3, decided_by = $4, decided_why = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(now_ms)
    .bind(by.to_string())
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A journal row about a request.
pub(super) fn note(request: &RequestRow, word: &str, by: &By, reason: &str) -> Note {
    Note {
        actor: by.to_string(),
        action: format!("request.{word}"),
        run_id: matches!(request.kind, RequestKind::Run | RequestKind::Reversal).then(|| request.subject.clone()),
        payout_id: (request.kind == RequestKind::NotPaid).then(|| request.subject.clone()),
        reason: Some(reason.to_owned()),
        detail: serde_json::json!({
            "request": request.id, "kind": request.kind.as_str(), "subject": request.subject, "hash": request.hash,
        }),
        ..Note::default()
    }
}
