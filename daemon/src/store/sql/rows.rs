//! Rows into types: the columns of a run and of a payout's list row, and how a word of the database becomes one of ours.
use super::{DB, Tx};
use crate::store::{StoreError, door_types::PayoutRow, types::RunRow};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId, DestinationId, PayoutId, RunId},
    money::Money,
    payout::PayoutState,
    run::{RunKind, RunLabel, RunState},
};
use sqlx::Row;

pub(super) type AnyRow = <DB as sqlx::Database>::Row;

/// Columns of [`run`], of `payout_runs r`.
pub(super) const RUN_COLUMNS: &str = "r.id, r.cycle_date, r.number, r.kind, r.state, r.cutoff_ms, r.instant_ms, \
     r.named_only, r.plan_finished, r.plan_after, r.requested_by, r.reason, r.pause_reason, r.paused_by, r.created_at_ms, \
     r.started_at_ms, r.finished_at_ms, r.approval_missing, r.canary IS NOT NULL";

/// A run of [`RUN_COLUMNS`].
pub(super) fn run(row: &AnyRow) -> Result<RunRow, StoreError> {
    let id: String = row.try_get(0)?;
    let (date, number): (String, i64) = (row.try_get(1)?, row.try_get(2)?);
    let (kind, state): (String, String) = (row.try_get(3)?, row.try_get(4)?);
    Ok(RunRow {
        label: label(&date, number)?,
        kind: RunKind::parse(&kind).ok_or_else(|| strange("run", &id, &kind))?,
        state: RunState::parse(&state).ok_or_else(|| strange("run", &id, &state))?,
        id: RunId::new(id),
        cutoff_ms: row.try_get(5)?,
        instant_ms: row.try_get(6)?,
        named_only: row.try_get(7)?,
        plan_finished: row.try_get(8)?,
        plan_after: row.try_get(9)?,
        requested_by: row.try_get(10)?,
        reason: row.try_get(11)?,
        pause_reason: row.try_get(12)?,
        paused_by: row.try_get(13)?,
        created_at_ms: row.try_get(14)?,
        started_at_ms: row.try_get(15)?,
        finished_at_ms: row.try_get(16)?,
        approval_missing: row.try_get(17)?,
        canary_judged: row.try_get(18)?,
    })
}

/// Columns of [`payout`], of `creator_payouts p` joined with its `payout_runs r`.
pub(super) const PAYOUT_COLUMNS: &str = "p.id, p.run_id, r.cycle_date, r.number, p.creator_id, p.account_id, p.currency, \
     p.amount_minor, p.destination_id, p.state, p.attempts, p.not_before_ms, p.cause, p.failure_reason, p.stripe_payout_id, \
     (SELECT a.request_id FROM payout_attempts a WHERE a.payout_id = p.id ORDER BY a.created_at_ms DESC, a.number DESC LIMIT 1), \
     p.created_at_ms, p.changed_at_ms, p.released_at_ms, p.retry_at_ms, p.look_at_ms";

/// A list row of [`PAYOUT_COLUMNS`].
pub(super) fn payout(row: &AnyRow) -> Result<PayoutRow, StoreError> {
    let id: String = row.try_get(0)?;
    let (run_id, creator, account): (String, String, String) = (row.try_get(1)?, row.try_get(4)?, row.try_get(5)?);
    let (date, number): (String, i64) = (row.try_get(2)?, row.try_get(3)?);
    let code: String = row.try_get(6)?;
    let (destination, state): (String, String) = (row.try_get(8)?, row.try_get(9)?);
    Ok(PayoutRow {
        run_id: RunId::new(run_id),
        run_label: label(&date, number)?,
        creator: CreatorId::new(creator),
        account: AccountId::new(account),
        amount: Money::new(row.try_get(7)?, currency(&code)?),
        destination: DestinationId::new(destination),
        state: payout_state(&id, &state)?,
        id: PayoutId::new(id),
        attempts: row.try_get(10)?,
        not_before_ms: row.try_get(11)?,
        cause: row.try_get(12)?,
        failure_reason: row.try_get(13)?,
        stripe_payout_id: row.try_get(14)?,
        request_id: row.try_get(15)?,
        created_at_ms: row.try_get(16)?,
        changed_at_ms: row.try_get(17)?,
        released_at_ms: row.try_get(18)?,
        retry_at_ms: row.try_get(19)?,
        look_at_ms: row.try_get(20)?,
    })
}

pub(super) fn label(date: &str, number: i64) -> Result<RunLabel, StoreError> {
    let text = format!("{date}#{number}");
    RunLabel::parse(&text).ok_or(StoreError::Broken(format!("a run has the label {text:?}")))
}

pub(super) fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code).map_err(|error| StoreError::Broken(error.to_string()))
}

pub(super) fn payout_state(id: &str, word: &str) -> Result<PayoutState, StoreError> {
    PayoutState::parse(word).ok_or_else(|| strange("payout", id, word))
}

/// A word of the database that this program doesn't know.
pub(super) fn strange(what: &str, id: &str, word: &str) -> StoreError {
    StoreError::Broken(format!("{what} {id} has the unknown word {word:?}"))
}

/// Is a creator known at all: by an account or by the platform's table?
pub(super) async fn creator_is_known(tx: &mut Tx, creator: &str) -> Result<bool, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT EXISTS (SELECT 1 FROM creator_stripe_accounts WHERE creator_id = $1) \
             OR EXISTS (SELECT 1 FROM users WHERE supabase_id = $1)",
    )
    .bind(creator)
    .fetch_one(&mut **tx)
    .await?;
    Ok(row.try_get(0)?)
}
