//! What every money request is committed by, a create as well as a cancel or a reversal: its gate in the books, and its attempt's row.
use super::{DB, FOR_SHARE, Tx, rows};
use crate::store::{StoreError, types::Gate};
use payout_shared::{
    attempt::AttemptKind,
    id::{AccountId, DestinationId, PayoutId, RunId},
    money::Money,
    run::{RunLabel, RunState},
};
use sqlx::{AssertSqlSafe, Row};

/// What an open gate says of its run.
pub(super) struct Open {
    pub(super) label: RunLabel,
    pub(super) cutoff_ms: i64,
    pub(super) instant_ms: i64,
}

/// The gate that stored state answers: everything isn't paused, the books aren't a backup that forgot something, and the run is in this state. Locked, so that it stays open until the commit.
pub(super) async fn open_gate(tx: &mut Tx, run: &RunId, wanted: RunState) -> Result<Option<Open>, StoreError> {
    let text = format!("SELECT paused OR reconcile_since_ms IS NOT NULL FROM daemon_state WHERE id = 1{FOR_SHARE}");
    let shut: bool = sqlx::query::<DB>(AssertSqlSafe(text)).fetch_one(&mut **tx).await?.try_get(0)?;
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT state, cycle_date, number, cutoff_ms, instant_ms FROM payout_runs WHERE id = $1{FOR_SHARE}"
    )))
    .bind(run.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let (state, date): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let label = rows::label(&date, row.try_get(2)?)?;
    let open = Open { label, cutoff_ms: row.try_get(3)?, instant_ms: row.try_get(4)? };
    Ok((!shut && RunState::parse(&state) == Some(wanted)).then_some(open))
}

/// An attempt that is made now.
pub(super) struct New<'a> {
    pub(super) key: &'a str,
    pub(super) payout: &'a PayoutId,
    pub(super) kind: AttemptKind,
    pub(super) number: i64,
    pub(super) body: &'a str,
    pub(super) amount: Money,
    pub(super) account: &'a AccountId,
    pub(super) destination: &'a DestinationId,
    pub(super) run: &'a RunId,
}

/// Its first send: key and bytes are in the books before anything leaves.
pub(super) async fn insert(tx: &mut Tx, gate: Gate, new: &New<'_>) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "INSERT INTO payout_attempts (key, payout_id, kind, number, state, body, amount_minor, currency, account_id, destination_id, \
         run_id, sends, on_wire, token, send_before_ms, first_sent_stripe_ms, last_sent_stripe_ms, created_at_ms) \
         VALUES ($1, $2, $3, $4, 'intended', $5, $6, $7, $8, $9, $10, 1, TRUE, $11, $12, $13, $13, $14)",
    )
    .bind(new.key)
    .bind(new.payout.as_str())
    .bind(new.kind.as_str())
    .bind(new.number)
    .bind(new.body)
    .bind(new.amount.minor)
    .bind(new.amount.currency.as_str())
    .bind(new.account.as_str())
    .bind(new.destination.as_str())
    .bind(new.run.as_str())
    .bind(gate.fence.0)
    .bind(gate.send_before_ms)
    .bind(gate.stripe_now_ms)
    .bind(gate.now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One more send of the same key and bytes.
pub(super) async fn again(tx: &mut Tx, gate: Gate, key: &str) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "UPDATE payout_attempts SET state = 'intended', on_wire = TRUE, sends = sends + 1, token = $2, send_before_ms = $3, \
         last_sent_stripe_ms = $4, first_sent_stripe_ms = COALESCE(first_sent_stripe_ms, $4), absent_first_stripe_ms = NULL \
         WHERE key = $1",
    )
    .bind(key)
    .bind(gate.fence.0)
    .bind(gate.send_before_ms)
    .bind(gate.stripe_now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
