//! How the newest payouts of a run went, bank by bank: what the breaker is judged on.
use super::{DB, Pool, Query};
use crate::store::StoreError;
use payout_shared::{
    breaker::{BankCount, WINDOW},
    id::RunId,
};
use sqlx::Row;

/// Asks for the newest answered payouts of a run since its last resume, by bank. What waits, is unknown or was given up isn't answered.
pub(super) fn counts_query(run: &RunId) -> Query {
    sqlx::query::<DB>(
        "SELECT b.bank_name, COUNT(*), CAST(SUM(CASE WHEN w.state IN ('failed', 'returned') THEN 1 ELSE 0 END) AS BIGINT) \
         FROM (SELECT p.account_id, p.currency, p.state FROM creator_payouts p WHERE p.run_id = $1 \
           AND p.changed_at_ms > (SELECT r.breaker_from_ms FROM payout_runs r WHERE r.id = $1) \
           AND p.state NOT IN ('planned', 'submitting', 'unknown', 'voided') \
           ORDER BY p.changed_at_ms DESC, p.id DESC LIMIT $2) w \
         LEFT JOIN account_banks b ON b.account_id = w.account_id AND b.currency = w.currency GROUP BY b.bank_name",
    )
    .bind(run.as_str().to_owned())
    .bind(WINDOW)
}

/// The newest answered payouts of a run, by bank.
pub(in crate::store) async fn counts(pool: &Pool, run: &RunId) -> Result<Vec<BankCount>, StoreError> {
    let found = counts_query(run).fetch_all(pool).await?;
    found
        .iter()
        .map(|row| Ok(BankCount { bank: row.try_get(0)?, answered: row.try_get(1)?, failed: row.try_get(2)? }))
        .collect()
}
