//! The one place where a payout's state is written: every change goes through the core's transition function and leaves a journal
//! row in the same transaction.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, blame, commit, foreign, journal, lease, not_paid, overpaid, tried};
use crate::store::{
    StoreError,
    types::{AttemptChange, Change, Changed, Fence, Note},
};
use payout_shared::{
    answer::PayoutObject,
    consequence::releases,
    id::{PayoutId, RunId},
    payout::{self, ObjectStatus, PayoutEvent, PayoutState, Standing, Verdict, Which},
    retry::{RETRY_AFTER_MS, retries_by_itself},
    sweep::first_look_ms,
};
use sqlx::{QueryBuilder, Row};
use std::{borrow::Cow, collections::HashMap};

/// A payout under change, as read under its lock.
struct Held {
    run_id: String,
    creator_id: String,
    state: PayoutState,
    object: Option<String>,
    released: bool,
    touched: bool,
    cause: Option<String>,
    failure_reason: Option<String>,
    not_before_ms: i64,
    attempts: i64,
    retry_at_ms: Option<i64>,
    /// Something of it is news: when it is looked at without having been told of is reckoned anew.
    moved: bool,
    arrival_ms: Option<i64>,
}

/// Applies a batch of changes in one transaction. A crash before the commit changes nothing; after it, everything.
pub(in crate::store) async fn change(
    pool: &Pool,
    fence: Fence,
    now_ms: i64,
    changes: &[Change],
) -> Result<Vec<Changed>, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let (changed, notes) = in_tx(&mut tx, now_ms, changes).await?;
    journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(changed)
}

/// The same inside a transaction of the store's: the caller has checked the fence and appends the notes last.
pub(super) async fn in_tx(
    tx: &mut Tx,
    now_ms: i64,
    changes: &[Change],
) -> Result<(Vec<Changed>, Vec<Note>), StoreError> {
    let mut held = lock(tx, changes).await?;
    let (mut changed, mut notes) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for change in changes {
        let row = held
            .get_mut(change.payout_id.as_str())
            .ok_or_else(|| StoreError::NotFound { what: "payout", name: change.payout_id.to_string() })?;
        let known = match &change.attempt {
            Some(attempt) => Some(tried::read(tx, &attempt.key).await?),
            None => None,
        };
        let change = &*of_which(change, known.as_ref(), row.attempts);
        let change = &*judged(change, known.as_ref(), row);
        let from = row.state;
        let verdict = apply(row, change);
        if let (Some(attempt), Some(known)) = (&change.attempt, &known) {
            tried::write(tx, now_ms, attempt, known, change.late.is_none()).await?;
        }
        let owed = consequences(tx, now_ms, row, change, verdict).await?;
        notes.extend(note(row, change, from, verdict).into_iter().chain(owed));
        if (from, row.state == from) == (PayoutState::Unknown, false) {
            notes.extend(not_paid::close(tx, now_ms, change, row.state).await?);
        }
        if (change.event, verdict) == (Some(PayoutEvent::GiveUp), Some(Verdict::Move(PayoutState::Failed))) {
            notes.extend(as_last_tried(tx, row, change).await?);
        }
        changed.push(Changed { payout_id: change.payout_id.clone(), run_id: RunId::new(&row.run_id), verdict, from });
    }
    for (id, row) in held.iter().filter(|(_, row)| row.touched) {
        write_payout(tx, now_ms, id, row).await?;
    }
    Ok((changed, notes))
}

async fn lock(tx: &mut Tx, changes: &[Change]) -> Result<HashMap<String, Held>, StoreError> {
    let mut held = HashMap::with_capacity(changes.len());
    if changes.is_empty() {
        return Ok(held);
    }
    let mut ids: Vec<&str> = changes.iter().map(|change| change.payout_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut query = QueryBuilder::<DB>::new(
        "SELECT id, run_id, creator_id, state, stripe_payout_id, released_at_ms, cause, failure_reason, not_before_ms, \
         attempts, retry_at_ms FROM creator_payouts WHERE id IN (",
    );
    let mut list = query.separated(", ");
    for id in &ids {
        list.push_bind(*id);
    }
    query.push(") ORDER BY id").push(FOR_UPDATE);
    for row in query.build().fetch_all(&mut **tx).await? {
        let (id, state): (String, String) = (row.try_get(0)?, row.try_get(3)?);
        let state = PayoutState::parse(&state)
            .ok_or_else(|| StoreError::Broken(format!("payout {id} has the unknown state {state:?}")))?;
        let released: Option<i64> = row.try_get(5)?;
        held.insert(
            id,
            Held {
                run_id: row.try_get(1)?,
                creator_id: row.try_get(2)?,
                state,
                object: row.try_get(4)?,
                released: released.is_some(),
                touched: false,
                cause: row.try_get(6)?,
                failure_reason: row.try_get(7)?,
                not_before_ms: row.try_get(8)?,
                attempts: row.try_get(9)?,
                retry_at_ms: row.try_get(10)?,
                moved: false,
                arrival_ms: None,
            },
        );
    }
    Ok(held)
}

/// Asks the core, and carries its verdict into the row in memory.
fn apply(row: &mut Held, change: &Change) -> Option<Verdict> {
    if let Some(not_before) = change.not_before_ms {
        row.not_before_ms = not_before;
        row.touched = true;
        // Not a change of state, and yet a reason to wait: it is said in the row until the payout leaves.
        if let (None, PayoutState::Planned, Some(cause)) = (change.event, row.state, &change.cause) {
            (row.cause, row.failure_reason) = (Some(cause.clone()), change.failure_reason.clone());
        }
    }
    let event = change.event?;
    let from = row.state;
    let verdict = payout::apply(Standing { state: from, executed: row.object.is_some() }, event);
    if let Verdict::Move(to) = verdict {
        row.state = to;
        (row.touched, row.moved) = (true, true);
        row.arrival_ms = seen(change).and_then(|object| object.arrival_date_s).map(|s| s.saturating_mul(1_000));
        let troubled = match to {
            PayoutState::Planned
            | PayoutState::Unknown
            | PayoutState::Failed
            | PayoutState::Returned
            | PayoutState::Canceled
            | PayoutState::Voided => true,
            PayoutState::Submitting
            | PayoutState::Pending
            | PayoutState::InTransit
            | PayoutState::Paid
            | PayoutState::Settled
            | PayoutState::Reversing
            | PayoutState::Reversed => false,
        };
        // That it was paid before it failed says nothing of why it failed.
        if (from, to) != (PayoutState::Failed, PayoutState::Returned) {
            row.cause = change.cause.clone().filter(|_| troubled);
            row.failure_reason = change.failure_reason.clone().filter(|_| troubled);
        }
    }
    // What moved nothing isn't the payout's: a copy that died before it was heard of, of an attempt that was given up.
    if let (PayoutEvent::Object(_, Which::Newest), Verdict::Move(_)) = (event, verdict)
        && row.object.is_none()
        && let Some(object) = seen(change)
    {
        row.object = Some(object.id.to_string());
    }
    Some(verdict)
}

/// A retry was given up: the payout is again what its last attempt is, with that one's object, and stands where Stripe has said meanwhile that
/// the object does.
async fn as_last_tried(tx: &mut Tx, row: &mut Held, change: &Change) -> Result<Option<Note>, StoreError> {
    let last = tried::last_again(tx, &change.payout_id).await?;
    (row.attempts, row.object) = (last.number, last.object);
    let Some(object) = row.object.as_deref().filter(|_| last.was_paid) else { return Ok(None) };
    let was_paid = Change {
        event: Some(PayoutEvent::Object(ObjectStatus::Paid, Which::Newest)),
        detail: serde_json::json!({"object": object}),
        ..Change::new(change.payout_id.clone(), change.by.clone())
    };
    let from = row.state;
    let verdict = apply(row, &was_paid);
    Ok(note(row, &was_paid, from, verdict))
}

fn seen(change: &Change) -> Option<&PayoutObject> {
    change.attempt.as_ref().and_then(|attempt| attempt.object.as_ref())
}

/// Releases, holds, outcomes and late objects: what follows from the change beside the state itself.
async fn consequences(
    tx: &mut Tx,
    now_ms: i64,
    row: &mut Held,
    change: &Change,
    verdict: Option<Verdict>,
) -> Result<Option<Note>, StoreError> {
    // Only the money of the payout's own object: another's coming back says nothing of this one.
    let money_back = change.late.is_none()
        && seen(change).is_some_and(|object| {
            object.failure_balance_transaction.is_some() && row.object.as_deref() == Some(object.id.as_str())
        });
    let touched = late_objects(tx, now_ms, row, change, verdict).await? || spent_again(tx, row, change, verdict).await?;
    if !row.released
        && (releases(row.state, row.object.is_some(), money_back) || (change.reversal_held && row.state == PayoutState::Reversed))
        && !late_is_alive(tx, &change.payout_id, row.object.as_deref()).await?
    {
        release(tx, now_ms, &change.payout_id).await?;
        row.released = true;
    }
    failed_now(tx, now_ms, row, change, verdict).await?;
    if let (PayoutState::Voided, Some((reason, sentence))) = (row.state, &change.skip) {
        sqlx::query::<DB>(
            "UPDATE run_outcomes SET payout_id = NULL, reason = $1, sentence = $2 WHERE run_id = $3 AND payout_id = $4",
        )
        .bind(reason.as_str())
        .bind(sentence)
        .bind(&row.run_id)
        .bind(change.payout_id.as_str())
        .execute(&mut **tx)
        .await?;
    }
    if let Some((cause, reason)) = &change.hold {
        blame::place(tx, now_ms, &row.creator_id, cause, reason, &change.by.to_string()).await?;
    }
    if change.attempt.as_ref().is_some_and(|attempt| attempt.vouched == Some(false)) {
        blame::lift_not_paid(tx, now_ms, &row.creator_id).await?;
    }
    let Some(object) = seen(change) else { return Ok(None) };
    if touched {
        return overpaid::settle(tx, now_ms, &change.payout_id, (row.state, row.object.as_deref()), object).await;
    }
    if matches!(verdict, Some(Verdict::Move(_))) {
        return foreign::explained(tx, now_ms, &object.id, &change.payout_id).await;
    }
    Ok(None)
}

/// What follows from a failure that is news: it is tried again by itself when its cause passes, and held against whom it is to be held.
async fn failed_now(
    tx: &mut Tx,
    now_ms: i64,
    row: &mut Held,
    change: &Change,
    verdict: Option<Verdict>,
) -> Result<(), StoreError> {
    let (Some(event), Some(Verdict::Move(PayoutState::Failed | PayoutState::Returned))) = (change.event, verdict) else {
        return Ok(());
    };
    // A late word that it was paid before is no news of a failure.
    if !matches!(event, PayoutEvent::Refuse | PayoutEvent::Object(ObjectStatus::Failed, _)) {
        return Ok(());
    }
    let cause = change.cause.as_deref().unwrap_or("?");
    if row.state == PayoutState::Failed {
        row.retry_at_ms = retries_by_itself(cause, row.attempts).then(|| now_ms.saturating_add(RETRY_AFTER_MS));
    }
    let what = change.failure_reason.as_deref().unwrap_or("no message");
    blame::hold(tx, now_ms, &row.creator_id, (&change.payout_id, cause), what, &change.by).await
}

/// A late object is remembered beside the payout and holds the creator. While it lives the entries are spent: those that nobody else
/// took meanwhile are locked again, the rest is owed. Tells whether money of an object came or went beside the payout's own.
async fn late_objects(
    tx: &mut Tx,
    now_ms: i64,
    row: &mut Held,
    change: &Change,
    verdict: Option<Verdict>,
) -> Result<bool, StoreError> {
    let Some(object) = seen(change) else { return Ok(false) };
    let late = change
        .late
        .clone()
        .or_else(|| (verdict == Some(Verdict::Late)).then(|| "executed although it was judged unexecuted".to_owned()));
    if let Some(why) = late {
        foreign::record(tx, now_ms, object, Some(&change.payout_id), &why).await?;
        blame::place(tx, now_ms, &row.creator_id, "late_execution", &why, &change.by.to_string()).await?;
        if row.released && late_is_alive(tx, &change.payout_id, row.object.as_deref()).await? {
            relock(tx, &change.payout_id).await?;
            row.released = false;
        }
        Ok(true)
    } else if object.failure_balance_transaction.is_some() {
        // One that was recorded as late has failed, and its money is back.
        let status = object.status.map_or("?", |status| status.as_str());
        sqlx::query::<DB>("UPDATE foreign_payouts SET status = $1, look_at_ms = NULL WHERE object_id = $2")
            .bind(status)
            .bind(object.id.as_str())
            .execute(&mut **tx)
            .await?;
        Ok(true)
    } else {
        // It was taken for a late one before it turned out to be the payout's own.
        foreign::is_of(tx, object, &change.payout_id).await
    }
}

/// A late object of the payout, not its own, took money that hasn't come back, as far as is known.
async fn late_is_alive(tx: &mut Tx, payout: &PayoutId, own: Option<&str>) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM foreign_payouts WHERE payout_id = $1 AND status NOT IN ('failed', 'canceled') \
                 AND object_id <> $2)";
    Ok(sqlx::query::<DB>(query).bind(payout.as_str()).bind(own.unwrap_or("")).fetch_one(&mut **tx).await?.try_get(0)?)
}

/// The bank took a reversal back after it had held: what nobody else took meanwhile is spent again, the rest is owed.
async fn spent_again(tx: &mut Tx, row: &mut Held, change: &Change, verdict: Option<Verdict>) -> Result<bool, StoreError> {
    if !row.released || (change.event, verdict) != (Some(PayoutEvent::RefuseReverse), Some(Verdict::Move(PayoutState::Paid))) {
        return Ok(false);
    }
    relock(tx, &change.payout_id).await?;
    row.released = false;
    Ok(true)
}

async fn relock(tx: &mut Tx, payout: &PayoutId) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE payout_items SET released_at_ms = NULL WHERE payout_id = $1 AND NOT EXISTS (SELECT 1 FROM payout_items o \
         WHERE o.earning_id = payout_items.earning_id AND o.released_at_ms IS NULL)",
    )
    .bind(payout.as_str())
    .execute(&mut **tx)
    .await?;
    sqlx::query::<DB>("UPDATE creator_payouts SET released_at_ms = NULL WHERE id = $1")
        .bind(payout.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn release(tx: &mut Tx, now_ms: i64, payout: &PayoutId) -> Result<(), StoreError> {
    sqlx::query::<DB>("UPDATE payout_items SET released_at_ms = $1 WHERE payout_id = $2 AND released_at_ms IS NULL")
        .bind(now_ms)
        .bind(payout.as_str())
        .execute(&mut **tx)
        .await?;
    // Its money is back: nothing more of it is awaited.
    sqlx::query::<DB>("UPDATE creator_payouts SET released_at_ms = $1, look_at_ms = NULL WHERE id = $2 AND released_at_ms IS NULL")
        .bind(now_ms)
        .bind(payout.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whose object it is was asked before this transaction: since then a retry may have been asked for, or given up.
fn of_which<'a>(change: &'a Change, known: Option<&tried::Known>, attempts: i64) -> Cow<'a, Change> {
    let Some(PayoutEvent::Object(status, which)) = change.event else { return Cow::Borrowed(change) };
    let Some(number) = known.and_then(|known| known.create) else { return Cow::Borrowed(change) };
    let now = if number == attempts { Which::Newest } else { Which::Older };
    if now == which {
        return Cow::Borrowed(change);
    }
    Cow::Owned(Change { event: Some(PayoutEvent::Object(status, now)), ..change.clone() })
}

/// The change as it is against what is stored by now, which whoever made it may not have known: a second object never passes for the
/// first, and an answer to a send that another lease has judged since says no more than the object it shows.
fn judged<'a>(change: &'a Change, known: Option<&tried::Known>, row: &Held) -> Cow<'a, Change> {
    let (Some(attempt), Some(known)) = (&change.attempt, known) else { return Cow::Borrowed(change) };
    if change.event == Some(PayoutEvent::ProveAbsent) && known.on_wire {
        // Sent again since it was looked for: the absence proves nothing.
        return Cow::Owned(Change { skip: None, attempt: None, ..Change::new(change.payout_id.clone(), change.by.clone()) });
    }
    if let Some(PayoutEvent::Object(status, which)) = change.event
        && let (Some(known_status), Some(object)) = (known.status, known.object.as_deref())
        && !known_status.is_alive()
        && status.is_alive()
        && row.object.as_deref() != Some(object)
    {
        // An older attempt's object is known to be dead: what was said of it before comes late, and is no late execution.
        return Cow::Owned(Change { event: Some(PayoutEvent::Object(known_status, which)), ..change.clone() });
    }
    let second = seen(change).zip(known.object.as_deref()).filter(|(object, first)| object.id.as_str() != *first);
    let outdated = attempt.token.is_some_and(|token| token != known.token);
    if !outdated && (second.is_none() || change.late.is_some()) {
        return Cow::Borrowed(change);
    }
    let mut change = change.clone();
    if let Some((object, first)) = second.filter(|_| change.late.is_none()) {
        let why =
            format!("a second payout object, {}, carries the key of {} (the first is {first})", object.id, attempt.key);
        (change.event, change.late) = (None, Some(why));
    }
    let (no_object, is_second) = (attempt.object.is_none(), change.late.is_some());
    if outdated && no_object {
        (change.event, change.hold, change.not_before_ms) = (None, None, None);
        change.attempt = Some(AttemptChange { key: attempt.key.clone(), ..AttemptChange::default() });
    } else if let Some(attempt) = &mut change.attempt {
        attempt.answered &= !outdated;
        attempt.state = attempt.state.filter(|_| !is_second);
    }
    Cow::Owned(change)
}

async fn write_payout(tx: &mut Tx, now_ms: i64, id: &str, row: &Held) -> Result<(), StoreError> {
    let look_at_ms = first_look_ms(row.state, row.object.is_some() && !row.released, now_ms, row.arrival_ms);
    sqlx::query::<DB>(
        "UPDATE creator_payouts SET state = $2, stripe_payout_id = $3, cause = $4, failure_reason = $5, not_before_ms = $6, \
         changed_at_ms = $7, retry_at_ms = $8, look_at_ms = CASE WHEN $9 THEN $10 ELSE look_at_ms END WHERE id = $1",
    )
    .bind(id)
    .bind(row.state.as_str())
    .bind(&row.object)
    .bind(&row.cause)
    .bind(&row.failure_reason)
    .bind(row.not_before_ms)
    .bind(now_ms)
    .bind(row.retry_at_ms)
    .bind(row.moved)
    .bind(look_at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The journal row of a change; a stale event leaves none (webhooks repeat themselves), everything else does.
fn note(row: &Held, change: &Change, from: PayoutState, verdict: Option<Verdict>) -> Option<Note> {
    let (action, to) = match verdict {
        Some(Verdict::Move(to)) => ("payout.move", Some(to)),
        Some(Verdict::Late) => ("payout.late_execution", None),
        Some(Verdict::Illegal) => ("payout.illegal", None),
        Some(Verdict::Stale) if change.late.is_some() => ("payout.late_execution", None),
        Some(Verdict::Stale) => return None,
        None if change.late.is_some() => ("payout.late_execution", None),
        None => ("payout.look", None),
    };
    let mut detail = change.detail.clone();
    if !detail.is_object() {
        detail = serde_json::json!({});
    }
    if let Some(event) = change.event {
        detail["event"] = serde_json::to_value(event).unwrap_or_default();
    }
    if let Some(attempt) = &change.attempt {
        detail["key"] = attempt.key.clone().into();
    }
    Some(Note {
        actor: change.by.to_string(),
        action: action.to_owned(),
        run_id: Some(row.run_id.clone()),
        payout_id: Some(change.payout_id.to_string()),
        from_state: Some(from.as_str().to_owned()),
        to_state: to.map(|state| state.as_str().to_owned()),
        reason: change.late.clone().or_else(|| change.failure_reason.clone()).or_else(|| change.cause.clone()),
        detail,
    })
}
