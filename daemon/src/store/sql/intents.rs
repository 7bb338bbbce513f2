//! The guard and the intent, in one transaction: a request may leave only when this has committed, and only with the key and the
//! bytes that it stored. The gate (lease, pause) is locked until the commit, so that a pause that has committed is never overtaken.
use super::{
    DB, FOR_UPDATE, Pool, Tx, approvals, begin, change, checks, cohort_ask, commit, facts, journal, lease, plan as planning, purses, sends,
};
use crate::store::{
    StoreError,
    types::{AttemptChange, By, Change, Encode, Gate, Ids, Intended, Intent, Note, PlanContext, Wanted},
};
use payout_shared::{
    attempt::{AttemptKind, AttemptState, KeyParts},
    cohort::Rollout,
    consequence::RESEND_WITHIN_MS,
    id::{AccountId, DestinationId, Mode, PayoutId, RunId},
    money::Money,
    payout::PayoutEvent,
    plan::{self, SkipReason},
    run::{RunLabel, RunState},
};
use sqlx::{QueryBuilder, Row};

/// A sum made longer ago than this is made again before anything leaves, milliseconds.
const PLAN_AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// A payout that may be about to leave.
struct Candidate {
    id: PayoutId,
    number: u32,
    attempts: u32,
    /// Create attempts that were made: a retry is asked for before its attempt is.
    made: u32,
    amount: Money,
    account: AccountId,
    destination: DestinationId,
    barred: Option<(SkipReason, String)>,
    /// A negative entry is in no payout (it came in after the plan, which takes all of them), or the plan is a day old: the sum must
    /// be made again. Told by its being free and not by times: clocks jump.
    outdated: bool,
    /// Stripe's balance of its purse is known and fresh.
    checked: bool,
    /// What Stripe holds in its purse, when that is less than the amount.
    short: Option<Money>,
    newest: Option<Newest>,
}

/// The newest create attempt of a candidate.
struct Newest {
    key: String,
    body: String,
    state: AttemptState,
    ambiguous_sends: i64,
    destination: DestinationId,
    amount_minor: i64,
}

/// What is asked, beside the gate.
pub(in crate::store) struct Ask<'a> {
    pub(in crate::store) mode: Mode,
    pub(in crate::store) ids: &'a Ids,
    pub(in crate::store) run: &'a RunId,
    pub(in crate::store) wanted: Wanted<'a>,
    pub(in crate::store) context: &'a PlanContext,
    pub(in crate::store) encode: Encode,
}

/// Commits intents for payouts of a running run whose guard is open; voids planned ones whose purse clause fails.
pub(in crate::store) async fn intend(pool: &Pool, gate: Gate, ask: &Ask<'_>) -> Result<Intended, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, gate.fence).await?;
    let Some(run) = sends::open_gate(&mut tx, ask.run, RunState::Running).await? else {
        return Ok(Intended::default());
    };
    let candidates = candidates(&mut tx, gate, ask).await?;
    let (mut outcome, mut again) = (Intended::default(), Vec::new());
    let mut changes = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let resend = matches!(ask.wanted, Wanted::Resend(_));
        if let Some(barred) = bar(&candidate) {
            outcome.barred.push((candidate.id.clone(), barred.0));
            let keep = resend || in_doubt(&candidate);
            if (candidate.outdated || candidate.short.is_some()) && !keep && !is_retry(&candidate) {
                again.push((candidate.account.clone(), candidate.amount.currency));
            }
            changes.push(barred_change(&candidate, barred, keep, gate.now_ms));
            continue;
        }
        if !(candidate.checked || resend) {
            continue;
        }
        let intent = write_intent(&mut tx, gate, ask, run.label, &candidate).await?;
        changes.push(intend_change(&intent));
        outcome.intents.push(intent);
    }
    let (_, notes) = change::in_tx(&mut tx, gate.now_ms, &changes).await?;
    let mut notes: Vec<Note> = notes.into_iter().map(|note| with_send(note, gate)).collect();
    count_attempts(&mut tx, &changes).await?;
    if !again.is_empty() {
        let (id, creators) = (ask.run.as_str(), None);
        let plan = purses::PlanRun { id, cutoff_ms: run.cutoff_ms, instant_ms: run.instant_ms, creators };
        let these = planning::Purses::These(&again);
        let writing = planning::Writing { fence: gate.fence, now_ms: gate.now_ms, ids: ask.ids, context: ask.context };
        notes.extend(planning::in_tx(&mut tx, writing, &plan, these).await?.1);
        notes.extend(approvals::bar_if_outgrown(&mut tx, gate.now_ms, ask.run).await?);
    }
    journal::append(&mut tx, gate.now_ms, notes).await?;
    commit(tx).await?;
    Ok(outcome)
}

/// Asks for the payouts that may be about to leave.
pub(super) fn wanted_query(now_ms: i64, stripe_now_ms: i64, run: &RunId, wanted: Wanted<'_>) -> QueryBuilder<DB> {
    let mut ids = QueryBuilder::<DB>::new("SELECT id FROM creator_payouts WHERE run_id = ");
    ids.push_bind(run.as_str().to_owned());
    match wanted {
        Wanted::Due(limit) | Wanted::PutBack(limit) => {
            // Only of those that are looked ahead: however many wait behind them, the rest isn't gone through for a fresh one.
            ids.push(" AND state = 'planned' AND id IN (SELECT c.id FROM ");
            checks::push_due(&mut ids, run, now_ms, checks::AHEAD_MAX, matches!(wanted, Wanted::PutBack(_)));
            ids.push(" WHERE EXISTS (SELECT 1 FROM purse_checks k WHERE k.account_id = c.account_id AND k.currency = c.currency AND ");
            checks::push_fresh(&mut ids, now_ms);
            ids.push(") ORDER BY c.not_before_ms, c.id LIMIT ").push_bind(limit).push(")");
        }
        Wanted::Resend(payouts) => {
            ids.push(" AND state = 'unknown' AND id IN (");
            let mut list = ids.separated(", ");
            for payout in payouts {
                list.push_bind(payout.as_str());
            }
            // Whatever was decided before: a key that Stripe may have forgotten never leaves again.
            ids.push(
                ") AND EXISTS (SELECT 1 FROM payout_attempts t WHERE t.payout_id = creator_payouts.id AND t.kind = 'create' \
                 AND t.number = creator_payouts.attempts AND NOT t.no_resend AND t.first_sent_stripe_ms > ",
            );
            ids.push_bind(stripe_now_ms.saturating_sub(RESEND_WITHIN_MS)).push(") ORDER BY id");
        }
    }
    ids.push(FOR_UPDATE);
    ids
}

/// Asks for what the guard needs to know of these payouts.
pub(super) fn candidates_query(now_ms: i64, ids: &[String]) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    facts::push_columns(&mut query);
    query.push(
        ", q.id AS id, q.number AS number, q.attempts AS attempts, q.amount_minor AS amount, q.destination_id AS destination, \
         (SELECT COUNT(*) FROM payout_attempts m WHERE m.payout_id = q.id AND m.kind = 'create') AS made, \
         COALESCE(q.summed_at_ms, q.created_at_ms) < ",
    );
    query.push_bind(now_ms.saturating_sub(PLAN_AGE_MAX_MS));
    query.push(
        " OR EXISTS (SELECT 1 FROM creator_earnings e WHERE e.account_id = q.account_id AND e.currency = q.currency AND ",
    );
    query.push(purses::TAKES).push(
        " AND NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id AND i.released_at_ms IS NULL)) AS outdated, \
         t.key AS t_key, t.body AS t_body, t.state AS t_state, t.ambiguous_sends AS t_ambiguous, t.destination_id AS t_destination, \
         t.amount_minor AS t_amount \
         FROM creator_payouts q ",
    );
    query.push(facts::JOINS);
    query.push(
        " LEFT JOIN payout_attempts t ON t.payout_id = q.id AND t.kind = 'create' AND t.number = q.attempts WHERE q.id IN (",
    );
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.clone());
    }
    query.push(") ORDER BY q.not_before_ms, q.id");
    query
}

async fn candidates(tx: &mut Tx, gate: Gate, ask: &Ask<'_>) -> Result<Vec<Candidate>, StoreError> {
    let mut wanted = wanted_query(gate.now_ms, gate.stripe_now_ms, ask.run, ask.wanted);
    let ids: Vec<String> =
        wanted.build().fetch_all(&mut **tx).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // A hold, a closed cohort or an entry that takes money back, once it was confirmed to somebody, is never overtaken by a send.
    journal::lock(tx).await?;
    let rollout = cohort_ask::rollout(&mut *tx).await?;
    let mut query = candidates_query(gate.now_ms, &ids);
    query
        .build()
        .fetch_all(&mut **tx)
        .await?
        .iter()
        .map(|row| candidate(row, gate.now_ms, ask.context, &rollout))
        .collect()
}

fn candidate(
    row: &<DB as sqlx::Database>::Row,
    now_ms: i64,
    context: &PlanContext,
    rollout: &Rollout,
) -> Result<Candidate, StoreError> {
    let facts = facts::read(row, context, rollout)?;
    let id: String = row.try_get("id")?;
    let destination = DestinationId::new(row.try_get::<String, _>("destination")?);
    let key: Option<String> = row.try_get("t_key")?;
    let newest = match key {
        None => None,
        Some(key) => {
            let state: String = row.try_get("t_state")?;
            Some(Newest {
                state: AttemptState::parse(&state)
                    .ok_or_else(|| StoreError::Broken(format!("attempt {key} has the unknown state {state:?}")))?,
                key,
                body: row.try_get("t_body")?,
                ambiguous_sends: row.try_get("t_ambiguous")?,
                destination: DestinationId::new(row.try_get::<String, _>("t_destination")?),
                amount_minor: row.try_get("t_amount")?,
            })
        }
    };
    let amount = Money::new(row.try_get("amount")?, facts.currency);
    Ok(Candidate {
        checked: facts.stripe.is_some_and(|stripe| stripe.is_fresh(now_ms)),
        short: plan::short_of(&facts, amount.minor, now_ms),
        barred: plan::guard(&facts, &destination, &context.rules),
        id: PayoutId::new(id),
        number: small(row.try_get("number")?)?,
        attempts: small(row.try_get("attempts")?)?,
        made: small(row.try_get("made")?)?,
        amount,
        account: facts.account,
        destination,
        outdated: row.try_get("outdated")?,
        newest,
    })
}

fn small(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Broken(format!("a count of {number} is stored")))
}

/// Why the payout must not leave now.
fn bar(candidate: &Candidate) -> Option<(SkipReason, String)> {
    if let Some(newest) = candidate.newest.as_ref().filter(|newest| is_elsewhere(newest.state)) {
        let sentence = format!("its attempt {} is {}: broken books, nothing is sent", newest.key, newest.state.as_str());
        return Some((SkipReason::ActivePayout, sentence));
    }
    candidate
        .barred
        .clone()
        .or_else(|| {
            candidate.outdated.then(|| {
                (SkipReason::NothingPayable, "its sum is a day old, or an entry that takes money back came in after it: planned again".to_owned())
            })
        })
        .or_else(|| {
            // What is in doubt may be gone from that balance already: it is only looked for, and asked for again as it was.
            let held = candidate.short.filter(|_| !in_doubt(candidate))?;
            Some((SkipReason::StripeShort, format!("{} was planned, but Stripe holds {held} of it now: planned again", candidate.amount)))
        })
}

/// The attempt may be on the wire, or was executed: its payout can't be planned or unknown with nothing under way.
const fn is_elsewhere(state: AttemptState) -> bool {
    match state {
        AttemptState::Intended | AttemptState::Executed => true,
        AttemptState::Waiting | AttemptState::Unknown | AttemptState::Refused | AttemptState::Withdrawn => false,
    }
}

/// Some send of its newest attempt may have been executed: never voided, only looked for.
fn in_doubt(candidate: &Candidate) -> bool {
    candidate.newest.as_ref().is_some_and(|newest| newest.ambiguous_sends > 0 || is_elsewhere(newest.state))
}

/// It failed once, and is tried again: given up, it is failed again, never voided.
const fn is_retry(candidate: &Candidate) -> bool {
    candidate.attempts > 1
}

/// A planned payout is voided with its outcome (a retry is failed again); one that must be kept is left as it is and looked at again later.
fn barred_change(candidate: &Candidate, skip: (SkipReason, String), keep: bool, now_ms: i64) -> Change {
    const LOOK_AGAIN_MS: i64 = 60_000;
    Change {
        event: (!keep).then_some(if is_retry(candidate) { PayoutEvent::GiveUp } else { PayoutEvent::Void }),
        cause: Some(skip.0.as_str().to_owned()),
        failure_reason: Some(skip.1.clone()),
        attempt: candidate.newest.as_ref().filter(|_| !keep).map(|newest| AttemptChange {
            key: newest.key.clone(),
            state: Some(AttemptState::Withdrawn),
            ..AttemptChange::default()
        }),
        not_before_ms: keep.then(|| now_ms.saturating_add(LOOK_AGAIN_MS)),
        skip: Some(skip),
        detail: serde_json::json!({"guard": "shut"}),
        ..Change::new(candidate.id.clone(), By::Engine)
    }
}

fn intend_change(intent: &Intent) -> Change {
    Change {
        event: Some(PayoutEvent::Intend),
        detail: serde_json::json!({"key": intent.key}),
        ..Change::new(intent.payout_id.clone(), By::Engine)
    }
}

fn with_send(mut note: Note, gate: Gate) -> Note {
    if note.detail.is_object() {
        note.detail["token"] = gate.fence.0.into();
        note.detail["stripe_now_ms"] = gate.stripe_now_ms.into();
    }
    note
}

/// Stores the attempt: the first time with a derived key and an encoded body, later the very same ones again.
async fn write_intent(
    tx: &mut Tx,
    gate: Gate,
    ask: &Ask<'_>,
    label: RunLabel,
    candidate: &Candidate,
) -> Result<Intent, StoreError> {
    let intent = |key: String, body: String, amount: Money, destination: DestinationId, ambiguous_before: bool| Intent {
        payout_id: candidate.id.clone(),
        run_id: ask.run.clone(),
        key,
        body,
        account: candidate.account.clone(),
        amount,
        destination,
        ambiguous_before,
        token: gate.fence.0,
    };
    match &candidate.newest {
        Some(newest) if matches!(newest.state, AttemptState::Waiting | AttemptState::Unknown) => {
            sends::again(tx, gate, &newest.key).await?;
            Ok(intent(
                newest.key.clone(),
                newest.body.clone(),
                Money::new(newest.amount_minor, candidate.amount.currency),
                newest.destination.clone(),
                newest.ambiguous_sends > 0,
            ))
        }
        Some(_) | None => {
            let attempt_number = candidate.made.saturating_add(1);
            let key = KeyParts {
                mode: ask.mode,
                account: &candidate.account,
                currency: candidate.amount.currency,
                label,
                kind: AttemptKind::Create,
                payout_number: candidate.number,
                attempt_number,
            }
            .key();
            let Money { minor, currency } = candidate.amount;
            let body = (ask.encode)(&key, minor, currency, &candidate.destination);
            let new = sends::New {
                key: &key,
                payout: &candidate.id,
                kind: AttemptKind::Create,
                number: i64::from(attempt_number),
                body: &body,
                amount: candidate.amount,
                account: &candidate.account,
                destination: &candidate.destination,
                run: ask.run,
            };
            sends::insert(tx, gate, &new).await?;
            Ok(intent(key, body, candidate.amount, candidate.destination.clone(), false))
        }
    }
}

/// A payout counts its create attempts: the newest one's number.
async fn count_attempts(tx: &mut Tx, changes: &[Change]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<DB>::new(
        "UPDATE creator_payouts SET attempts = (SELECT COALESCE(MAX(t.number), 0) FROM payout_attempts t \
         WHERE t.payout_id = creator_payouts.id AND t.kind = 'create') WHERE id IN (",
    );
    let mut list = query.separated(", ");
    for change in changes {
        list.push_bind(change.payout_id.as_str());
    }
    query.push(")");
    query.build().execute(&mut **tx).await?;
    Ok(())
}
