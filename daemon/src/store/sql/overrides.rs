//! What two people allow one purse in one cycle beyond the rules: a payout over the cap, or a bank account that was changed lately.
use super::{DB, Tx, requests, rows};
use crate::store::{
    StoreError,
    door_types::RequestRow,
    types::{Note, Override},
};
use jiff::civil::Date;
use payout_shared::id::{AccountId, DestinationId};
use serde_json::Value;
use sqlx::{Executor, Row};

/// What is in force for a cycle. A cap that is lifted is for one payout: when the purse has one since, which wasn't released, it is used up.
pub(in crate::store) async fn of_cycle<'c>(on: impl Executor<'c, Database = DB>, date: Date) -> Result<Vec<Override>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT o.account_id, o.currency, o.amount_minor, o.destination_id, o.kind = 'cap' AND EXISTS (SELECT 1 FROM creator_payouts p \
         JOIN payout_runs r ON r.id = p.run_id WHERE p.account_id = o.account_id AND p.currency = o.currency \
         AND r.cycle_date = o.cycle_date AND p.created_at_ms >= o.approved_at_ms AND p.released_at_ms IS NULL) \
         FROM overrides o WHERE o.cycle_date = $1",
    )
    .bind(date.to_string())
    .fetch_all(on)
    .await?;
    let mut overrides = Vec::new();
    for row in found {
        let (account, currency): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if row.try_get::<bool, _>(4)? {
            continue;
        }
        overrides.push(Override {
            account: AccountId::new(account),
            currency: rows::currency(&currency)?,
            cap_minor: row.try_get(2)?,
            bank: row.try_get::<Option<String>, _>(3)?.map(DestinationId::new),
        });
    }
    Ok(overrides)
}

/// Two people agreed.
pub(super) async fn write(tx: &mut Tx, now_ms: i64, request: &RequestRow) -> Result<Vec<Note>, StoreError> {
    let broken = |why: &str| StoreError::Broken(format!("request {}: {why}", request.id));
    let detail = requests::detail(request)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| broken("a part of its detail is missing"));
    for purse in detail["purses"].as_array().ok_or_else(|| broken("it names no purses"))? {
        sqlx::query::<DB>(
            "INSERT INTO overrides (request_id, kind, cycle_date, account_id, currency, amount_minor, destination_id, approved_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&request.id)
        .bind(text(&detail["override"])?)
        .bind(text(&detail["cycle"])?)
        .bind(text(&purse["account"])?)
        .bind(text(&purse["currency"])?)
        .bind(purse["up_to_minor"].as_i64())
        .bind(purse["destination"].as_str())
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    }
    Ok(Vec::new())
}
