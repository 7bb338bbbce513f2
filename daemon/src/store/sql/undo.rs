//! Taking back, as the engine does it: planned payouts are voided, pending ones get a committed cancel, paid ones an approved reversal, each
//! with its key before anything leaves; and what is left to do of it.
use super::{DB, FOR_SHARE, FOR_UPDATE_OF_P, Pool, Query, Tx, begin, change, commit, journal, lease, rows, sends};
use crate::store::{
    StoreError,
    types::{AttemptChange, By, Change, Fence, Gate, KnownAttempt, Note, UndoBodies, UndoIntent, UndoLeft, UndoUnresolved},
};
use payout_shared::{
    attempt::{AttemptKind, AttemptState, KeyParts},
    id::{AccountId, DestinationId, Mode, ObjectId, PayoutId, RunId},
    money::Money,
    payout::PayoutEvent,
    plan::SkipReason,
    run::{RunLabel, RunState},
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// Said of a payout that is voided with its run.
const TAKEN_BACK: &str = "its run was taken back before it was sent; its earnings are free";

/// Asks for planned payouts of a run of which nothing can have left.
pub(super) fn void_query(run: &RunId, limit: i64) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT p.id, p.attempts, t.key FROM creator_payouts p LEFT JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' \
         AND t.number = p.attempts WHERE p.state = 'planned' AND (t.key IS NULL OR (NOT t.on_wire AND t.ambiguous_sends = 0)) \
         AND p.run_id = ",
    );
    query.push_bind(run.as_str().to_owned()).push(" ORDER BY p.not_before_ms, p.id LIMIT ").push_bind(limit).push(FOR_UPDATE_OF_P);
    query
}

/// Voids planned payouts of a run that is being taken back; a retry is failed again. Gives how many.
pub(in crate::store) async fn void(pool: &Pool, fence: Fence, now_ms: i64, run: &RunId, limit: i64) -> Result<usize, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    if !is_aborting(&mut tx, run).await? {
        return Ok(0);
    }
    let found = void_query(run, limit).build().fetch_all(&mut *tx).await?;
    let voided = |row| given_up(row, (SkipReason::TakenBack, TAKEN_BACK), By::Engine);
    let changes: Vec<Change> = found.iter().map(voided).collect::<Result<_, _>>()?;
    if changes.is_empty() {
        return Ok(0);
    }
    let (_, notes) = change::in_tx(&mut tx, now_ms, &changes).await?;
    journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(changes.len())
}

/// The change that gives a planned payout up, read as its id, its count of attempts and the key of the newest; a retry is failed again.
pub(super) fn given_up(row: &rows::AnyRow, (reason, sentence): (SkipReason, &str), by: By) -> Result<Change, StoreError> {
    let (id, attempts, key): (String, i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let is_retry = attempts > 1;
    Ok(Change {
        event: Some(if is_retry { PayoutEvent::GiveUp } else { PayoutEvent::Void }),
        cause: Some(reason.as_str().to_owned()),
        failure_reason: Some(sentence.to_owned()),
        attempt: key.map(|key| AttemptChange { key, state: Some(AttemptState::Withdrawn), ..AttemptChange::default() }),
        skip: Some((reason, sentence.to_owned())),
        ..Change::new(PayoutId::new(id), by)
    })
}

/// Locked, so that it stays so until the commit.
async fn is_aborting(tx: &mut Tx, run: &RunId) -> Result<bool, StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!("SELECT state FROM payout_runs WHERE id = $1{FOR_SHARE}")))
        .bind(run.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let state: String = row.try_get(0)?;
    Ok(RunState::parse(&state) == Some(RunState::Aborting))
}

/// Asks for payouts of a run whose cancel, or approved reversal, may leave now.
pub(super) fn wanted_query(kind: AttemptKind, run: &RunId, now_ms: i64, limit: i64) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT p.id, p.account_id, p.currency, p.amount_minor, p.number, p.destination_id, p.stripe_payout_id, u.key, u.body, \
         COALESCE(u.ambiguous_sends, 0) FROM creator_payouts p LEFT JOIN payout_attempts u ON u.payout_id = p.id AND u.kind = ",
    );
    query.push_bind(kind.as_str()).push(" AND u.number = 1 WHERE p.run_id = ").push_bind(run.as_str().to_owned());
    // What is asked for the first time waits for nothing; a pending one whose cancel was refused waits for ever.
    match kind {
        AttemptKind::Cancel | AttemptKind::Create => {
            query.push(" AND p.state = 'pending' AND (u.key IS NULL OR u.state = 'waiting') AND p.not_before_ms <= ").push_bind(now_ms);
        }
        AttemptKind::Reverse => {
            query.push(
                " AND ((p.state IN ('paid', 'settled') AND u.key IS NULL) OR (p.state = 'reversing' AND u.state = 'waiting' \
                 AND p.not_before_ms <= ",
            );
            query.push_bind(now_ms).push(
                ")) AND EXISTS (SELECT 1 FROM rollback_reversals v WHERE v.payout_id = p.id AND v.approved_at_ms IS NOT NULL)",
            );
        }
    }
    query.push(" AND p.stripe_payout_id IS NOT NULL");
    query.push(" ORDER BY p.not_before_ms, p.id LIMIT ").push_bind(limit).push(FOR_UPDATE_OF_P);
    query
}

/// Commits cancels and reversals of a run that is being taken back: key and bytes before anything leaves.
pub(in crate::store) async fn intend(
    pool: &Pool,
    gate: Gate,
    mode: Mode,
    (kind, run): (AttemptKind, &RunId),
    limit: i64,
    bodies: UndoBodies,
) -> Result<Vec<UndoIntent>, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, gate.fence).await?;
    // The pause of this one run doesn't bar it, the pause of everything does.
    let Some(sends::Open { label, .. }) = sends::open_gate(&mut tx, run, RunState::Aborting).await? else { return Ok(Vec::new()) };
    let found = wanted_query(kind, run, gate.now_ms, limit).build().fetch_all(&mut *tx).await?;
    let (mut intents, mut changes, mut notes) = (Vec::with_capacity(found.len()), Vec::new(), Vec::new());
    for row in &found {
        let (intent, is_new) = intent_of(row, gate, (mode, label, kind, run), bodies)?;
        if is_new {
            let destination = DestinationId::new(row.try_get::<String, _>(5)?);
            sends::insert(&mut tx, gate, &of_intent(&intent, &destination)).await?;
        } else {
            sends::again(&mut tx, gate, &intent.key).await?;
        }
        if is_new && kind == AttemptKind::Reverse {
            changes.push(Change {
                event: Some(PayoutEvent::IntendReverse),
                detail: serde_json::json!({"key": intent.key}),
                ..Change::new(intent.payout_id.clone(), By::Engine)
            });
        } else {
            notes.push(note(&intent, gate));
        }
        intents.push(intent);
    }
    if intents.is_empty() {
        return Ok(intents);
    }
    notes.extend(change::in_tx(&mut tx, gate.now_ms, &changes).await?.1);
    journal::append(&mut tx, gate.now_ms, notes).await?;
    commit(tx).await?;
    Ok(intents)
}

fn intent_of(
    row: &rows::AnyRow,
    gate: Gate,
    (mode, label, kind, run): (Mode, RunLabel, AttemptKind, &RunId),
    bodies: UndoBodies,
) -> Result<(UndoIntent, bool), StoreError> {
    let (id, account, code, object): (String, String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(6)?);
    let (currency, account) = (rows::currency(&code)?, AccountId::new(account));
    let number: i64 = row.try_get(4)?;
    let known: Option<String> = row.try_get(7)?;
    let is_new = known.is_none();
    let parts = KeyParts {
        mode,
        account: &account,
        currency,
        label,
        kind,
        payout_number: u32::try_from(number).map_err(|_| StoreError::Broken(format!("payout {id} has the number {number}")))?,
        attempt_number: 1,
    };
    let key = known.unwrap_or_else(|| parts.key());
    let body = match row.try_get::<Option<String>, _>(8)? {
        Some(stored) => stored,
        None => bodies.of(kind, &key),
    };
    let intent = UndoIntent {
        kind,
        payout_id: PayoutId::new(id),
        run_id: run.clone(),
        key,
        body,
        object: ObjectId::new(object),
        amount: Money::new(row.try_get(3)?, currency),
        account,
        ambiguous_before: row.try_get::<i64, _>(9)? > 0,
        token: gate.fence.0,
    };
    Ok((intent, is_new))
}

const fn of_intent<'a>(intent: &'a UndoIntent, destination: &'a DestinationId) -> sends::New<'a> {
    sends::New {
        key: intent.key.as_str(),
        payout: &intent.payout_id,
        kind: intent.kind,
        number: 1,
        body: intent.body.as_str(),
        amount: intent.amount,
        account: &intent.account,
        destination,
        run: &intent.run_id,
    }
}

fn note(intent: &UndoIntent, gate: Gate) -> Note {
    Note {
        actor: By::Engine.to_string(),
        action: format!("payout.intend_{}", intent.kind.as_str()),
        run_id: Some(intent.run_id.to_string()),
        payout_id: Some(intent.payout_id.to_string()),
        detail: serde_json::json!({
            "key": intent.key, "object": intent.object.as_str(), "token": gate.fence.0, "stripe_now_ms": gate.stripe_now_ms,
        }),
        ..Note::default()
    }
}

/// Asks for cancels and reversals whose outcome nobody knows, with nothing of them on the wire.
pub(super) fn unresolved_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT t.payout_id, t.run_id, t.kind, t.key, t.account_id, p.stripe_payout_id, t.no_resend, t.ambiguous_sends, \
         COALESCE(t.first_sent_stripe_ms, 0), COALESCE(t.last_sent_stripe_ms, 0), t.sends, c.key, c.amount_minor, c.currency, c.destination_id \
         FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id \
         JOIN payout_attempts c ON c.payout_id = p.id AND c.kind = 'create' AND c.number = p.attempts \
         WHERE t.kind <> 'create' AND t.state = 'unknown' AND NOT t.on_wire AND p.not_before_ms <= $1 AND p.stripe_payout_id IS NOT NULL \
         ORDER BY p.not_before_ms, p.id LIMIT $2",
    )
    .bind(now_ms)
    .bind(limit)
}

/// Cancels and reversals whose outcome nobody knows: their object is looked up.
pub(in crate::store) async fn unresolved(pool: &Pool, now_ms: i64, limit: i64) -> Result<Vec<UndoUnresolved>, StoreError> {
    let found = unresolved_query(now_ms, limit).fetch_all(pool).await?;
    let read = |row: &rows::AnyRow| {
        let (id, kind): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        let (account, code): (String, String) = (row.try_get(4)?, row.try_get(13)?);
        let (account, object) = (AccountId::new(account), ObjectId::new(row.try_get::<String, _>(5)?));
        Ok(UndoUnresolved {
            create: KnownAttempt {
                payout_id: PayoutId::new(&id),
                key: row.try_get(11)?,
                newest: true,
                state: AttemptState::Executed,
                object: Some(object.clone()),
                amount: Money::new(row.try_get(12)?, rows::currency(&code)?),
                account: account.clone(),
                destination: DestinationId::new(row.try_get::<String, _>(14)?),
            },
            kind: AttemptKind::parse(&kind).ok_or_else(|| rows::strange("an attempt of", &id, &kind))?,
            payout_id: PayoutId::new(id),
            run_id: RunId::new(row.try_get::<String, _>(1)?),
            key: row.try_get(3)?,
            account,
            object,
            no_resend: row.try_get(6)?,
            ambiguous_sends: row.try_get(7)?,
            first_sent_stripe_ms: row.try_get(8)?,
            last_sent_stripe_ms: row.try_get(9)?,
            sends: row.try_get(10)?,
        })
    };
    found.iter().map(read).collect()
}

/// Asks what is left to be done of taking a run back.
pub(super) fn left_query(run: &RunId, now_ms: i64) -> Query {
    let is = |states: &str| format!("EXISTS (SELECT 1 FROM creator_payouts p WHERE p.run_id = $1 AND p.state IN ({states}))");
    let cancelable = "p.state = 'pending' AND NOT EXISTS (SELECT 1 FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'cancel' \
         AND u.state IN ('refused', 'executed'))";
    let reversible = "v.run_id = $1 AND v.approved_at_ms IS NOT NULL AND ((p.state IN ('paid', 'settled') \
         AND NOT EXISTS (SELECT 1 FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'reverse' AND u.state IN ('refused', 'executed'))) \
         OR (p.state = 'reversing' AND p.not_before_ms <= $2 \
           AND EXISTS (SELECT 1 FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'reverse' AND u.state = 'waiting')))";
    let text = format!(
        "SELECT {}, {}, (SELECT COUNT(*) FROM payout_attempts WHERE run_id = $1 AND on_wire), \
         EXISTS (SELECT 1 FROM rollbacks WHERE run_id = $1), \
         EXISTS (SELECT 1 FROM creator_payouts p WHERE p.run_id = $1 AND {cancelable}), \
         (SELECT COUNT(*) FROM (SELECT 1 FROM creator_payouts p WHERE p.run_id = $1 AND p.not_before_ms <= $2 AND {cancelable} LIMIT 100) due), \
         {}, \
         (SELECT COUNT(*) FROM (SELECT 1 FROM rollback_reversals v JOIN creator_payouts p ON p.id = v.payout_id WHERE {reversible} LIMIT 100) due), \
         EXISTS (SELECT 1 FROM rollback_reversals v JOIN creator_payouts p ON p.id = v.payout_id WHERE v.run_id = $1 \
           AND v.approved_at_ms IS NULL AND p.state IN ('paid', 'settled'))",
        is("'planned'"),
        is("'submitting', 'unknown'"),
        is("'in_transit', 'reversing'"),
    );
    sqlx::query::<DB>(AssertSqlSafe(text)).bind(run.as_str().to_owned()).bind(now_ms)
}

/// What is left to be done of taking a run back.
pub(in crate::store) async fn left(pool: &Pool, run: &RunId, now_ms: i64) -> Result<UndoLeft, StoreError> {
    let row = left_query(run, now_ms).fetch_one(pool).await?;
    Ok(UndoLeft {
        planned: row.try_get(0)?,
        unanswered: row.try_get(1)?,
        in_flight: row.try_get(2)?,
        confirmed: row.try_get(3)?,
        cancelable: row.try_get(4)?,
        cancels_due: row.try_get(5)?,
        under_way: row.try_get(6)?,
        reversals_due: row.try_get(7)?,
        undecided: row.try_get(8)?,
    })
}
