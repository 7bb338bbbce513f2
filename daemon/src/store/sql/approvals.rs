//! Which runs need two people: judged when the plan is finished, asked for while the run waits, and asked anew when the plan has changed.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, commit, journal, lease, policies, requests, rows, runs};
use crate::store::{
    StoreError,
    door_types::{NewRequest, RequestRow},
    types::{By, Fence, Note, RunRow},
};
use payout_shared::{
    approval::{self, RequestKind, RequestState},
    id::RunId,
    money::Money,
    run::RunEvent,
};
use serde_json::{Value, json};
use sqlx::Row;

/// What a run's payouts come to, by currency: voided ones don't count.
async fn sums(tx: &mut Tx, run: &str) -> Result<(i64, Vec<Money>), StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT currency, CAST(SUM(amount_minor) AS BIGINT), COUNT(*) FROM creator_payouts WHERE run_id = $1 AND state <> 'voided' \
         GROUP BY currency ORDER BY currency",
    )
    .bind(run)
    .fetch_all(&mut **tx)
    .await?;
    let (mut payouts, mut sums) = (0_i64, Vec::new());
    for row in found {
        let currency: String = row.try_get(0)?;
        sums.push(Money::new(row.try_get(1)?, rows::currency(&currency)?));
        payouts = payouts.saturating_add(row.try_get(2)?);
    }
    Ok((payouts, sums))
}

/// What the last completed cycle before this run's came to.
async fn last_cycle(tx: &mut Tx, run: &RunRow) -> Result<Option<Vec<Money>>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT id FROM payout_runs WHERE number = 1 AND cycle_date < $1 AND state IN ('completed', 'completed_with_failures', \
         'settled') ORDER BY cycle_date DESC LIMIT 1",
    )
    .bind(run.label.date.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let id: String = row.try_get(0)?;
    Ok(Some(sums(tx, &id).await?.1))
}

/// The bounds that a finished plan passes, a sentence each; empty: it needs nobody.
async fn bounds(tx: &mut Tx, now_ms: i64, run: &RunRow) -> Result<Vec<String>, StoreError> {
    let policies = policies::history_in(tx).await?.at(now_ms);
    let (_, sums) = sums(tx, run.id.as_str()).await?;
    let last = last_cycle(tx, run).await?;
    Ok(approval::bounds_passed(&policies, &sums, last.as_deref()))
}

/// A plan is finished: does its run need two people?
pub(super) async fn is_needed(tx: &mut Tx, now_ms: i64, run: &RunRow) -> Result<bool, StoreError> {
    Ok(!bounds(tx, now_ms, run).await?.is_empty())
}

/// Purses of a running run were planned again: a run that passes a bound then by more than two people saw is paused, and when it is
/// resumed it waits for two people again.
pub(super) async fn bar_if_outgrown(tx: &mut Tx, now_ms: i64, id: &RunId) -> Result<Vec<Note>, StoreError> {
    let run = runs::find(tx, id.as_str(), FOR_UPDATE).await?;
    let why = bounds(tx, now_ms, &run).await?;
    if why.is_empty() || approval::is_within(&approved(tx, id).await?, &sums(tx, id.as_str()).await?.1) {
        return Ok(Vec::new());
    }
    sqlx::query::<DB>("UPDATE payout_runs SET approval_missing = TRUE WHERE id = $1").bind(id.as_str()).execute(&mut **tx).await?;
    let why = format!("planned again, the run comes to more than two people approved: {}", why.join("; "));
    Ok(runs::event_in_tx(tx, now_ms, id, RunEvent::Pause, &By::Engine, Some(&why)).await?.2.into_iter().collect())
}

/// What two people approved of a run last; nothing when they never did.
async fn approved(tx: &mut Tx, run: &RunId) -> Result<Vec<Money>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT id, detail FROM requests WHERE kind = 'run' AND subject = $1 AND state = 'applied' ORDER BY decided_at_ms DESC, id DESC LIMIT 1",
    )
    .bind(run.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = found else { return Ok(Vec::new()) };
    let (request, detail): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let broken = || StoreError::Broken(format!("request {request}: its amounts can't be read"));
    let detail: Value = serde_json::from_str(&detail).map_err(|_| broken())?;
    detail["amounts"]
        .as_array()
        .ok_or_else(broken)?
        .iter()
        .map(|sum| {
            let currency = sum["currency"].as_str().ok_or_else(broken)?;
            Ok(Money::new(sum["minor"].as_i64().ok_or_else(broken)?, rows::currency(currency)?))
        })
        .collect()
}

/// An event that people's decision is for the run they decided about.
pub(super) async fn run_event(
    tx: &mut Tx,
    now_ms: i64,
    request: &RequestRow,
    event: RunEvent,
    by: &By,
    reason: &str,
) -> Result<Vec<Note>, StoreError> {
    let run = RunId::new(request.subject.clone());
    Ok(runs::event_in_tx(tx, now_ms, &run, event, by, Some(reason)).await?.2.into_iter().collect())
}

/// A run waits: asks for it in a transaction of the engine's, unless that was done; `true` when it was asked for now.
pub(in crate::store) async fn ask_for(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    new_id: &str,
    run: &RunRow,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let notes = ask(&mut tx, now_ms, new_id, run).await?;
    if notes.is_empty() {
        return Ok(false);
    }
    journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(true)
}

async fn asked(tx: &mut Tx, run: &str, label: &str, why: Value) -> Result<Value, StoreError> {
    let (payouts, sums) = sums(tx, run).await?;
    let amounts: Vec<Value> =
        sums.iter().map(|sum| json!({ "minor": sum.minor, "currency": sum.currency.as_str() })).collect();
    Ok(json!({ "run": label, "payouts": payouts, "amounts": amounts, "why": why }))
}

async fn ask(tx: &mut Tx, now_ms: i64, new_id: &str, run: &RunRow) -> Result<Vec<Note>, StoreError> {
    let open = sqlx::query::<DB>("SELECT id FROM requests WHERE kind = 'run' AND subject = $1 AND state = 'open'")
        .bind(run.id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if open.is_some() {
        return Ok(Vec::new());
    }
    let why = json!(bounds(tx, now_ms, run).await?);
    let detail = asked(tx, run.id.as_str(), &run.label.to_string(), why).await?;
    let new = NewRequest {
        kind: RequestKind::Run,
        subject: run.id.to_string(),
        detail,
        by: run.requested_by.clone(),
        uid: By::uid_in(&run.requested_by),
        reason: run.reason.clone().unwrap_or_else(|| "the plan passes a bound".to_owned()),
    };
    Ok(vec![requests::insert(tx, now_ms, new_id, &new).await?])
}

/// Asks anew when a run would pay something else than a request says: the old one expires. `None`: it is as it was.
pub(super) async fn renewed(
    tx: &mut Tx,
    now_ms: i64,
    new_id: &str,
    request: &RequestRow,
) -> Result<Option<Vec<Note>>, StoreError> {
    let said = requests::detail(request)?;
    let label = said["run"].as_str().unwrap_or_default();
    let now = asked(tx, &request.subject, label, said["why"].clone()).await?;
    if now == said {
        return Ok(None);
    }
    let why = "the run would pay something else now";
    requests::decide(tx, now_ms, &request.id, RequestState::Expired, &By::Engine, why).await?;
    let new = NewRequest {
        kind: RequestKind::Run,
        subject: request.subject.clone(),
        detail: now,
        by: request.requested_by.clone(),
        uid: request.requested_uid,
        reason: request.reason.clone(),
    };
    let opened = requests::insert(tx, now_ms, new_id, &new).await?;
    Ok(Some(vec![requests::note(request, "expire", &By::Engine, why), opened]))
}
