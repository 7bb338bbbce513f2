//! The first payouts of a run leave alone: how many more may leave, judged in the transaction that pauses the run when they did badly.
use super::{DB, Pool, begin, commit, journal, lease, runs};
use crate::store::{
    StoreError,
    types::{By, Fence},
};
use payout_shared::{
    canary::{self, First, Judgement},
    id::RunId,
    run::RunEvent,
};
use sqlx::Row;

/// Judges a run's first payouts and keeps the judgement; a run whose first ones failed is paused with the reason.
pub(in crate::store) async fn judge(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    run: &RunId,
    rule: (i64, i64),
) -> Result<Judgement, StoreError> {
    let (count, fail_bp) = rule;
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let row = sqlx::query::<DB>(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN p.state IN ('planned', 'submitting', 'unknown') THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN p.state IN ('failed', 'returned') THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id WHERE t.run_id = $1 AND t.number = 1 AND t.kind = 'create'",
    )
    .bind(run.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let first = First { started: row.try_get(0)?, waiting: row.try_get(1)?, failed: row.try_get(2)? };
    let judgement = canary::judge(count, fail_bp, first);
    let word = match judgement {
        Judgement::Leave(_) => return Ok(judgement),
        Judgement::Passed => "passed",
        Judgement::Failed => "failed",
    };
    sqlx::query::<DB>("UPDATE payout_runs SET canary = $2 WHERE id = $1")
        .bind(run.as_str())
        .bind(word)
        .execute(&mut *tx)
        .await?;
    if judgement == Judgement::Failed {
        let why = format!(
            "canary: {} of the first {} payouts failed; look at why, then resume to send the rest",
            first.failed, first.started
        );
        let (_, _, note) = runs::event_in_tx(&mut tx, now_ms, run, RunEvent::Pause, &By::Engine, Some(&why)).await?;
        journal::append(&mut tx, now_ms, note.into_iter().collect()).await?;
    }
    commit(tx).await?;
    Ok(judgement)
}
