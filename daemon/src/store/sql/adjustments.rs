//! Entries that nothing at Stripe explains, by two people: an adjustment of either sign, or a debt that is given up.
use super::{DB, Tx, journal, purses::{FREE, TAKES}, requests, rows};
use crate::store::{
    StoreError,
    door_types::RequestRow,
    types::{By, Note},
};
use payout_shared::{earning::EarningKind, money::Money};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

/// Two people agreed: one entry. A positive adjustment counts once the platform's transfer that it names is recorded.
pub(super) async fn write(
    tx: &mut Tx,
    now_ms: i64,
    request: &RequestRow,
    by: &By,
) -> Result<Vec<Note>, StoreError> {
    let broken = |why: &str| StoreError::Broken(format!("request {}: {why}", request.id));
    let detail = requests::detail(request)?;
    let text = |name: &str| detail[name].as_str().ok_or_else(|| broken(&format!("it has no {name}")));
    let minor = detail["amount"]["minor"].as_i64().ok_or_else(|| broken("it has no amount"))?;
    let currency = detail["amount"]["currency"].as_str().ok_or_else(|| broken("it has no currency"))?;
    let (kind, account) = (text("kind")?, text("account")?);
    // Two requests about one debt, or one transfer: the second one sees what the first one wrote.
    journal::lock(tx).await?;
    if let Some(transfer) = detail["transfer"].as_str() {
        refuse_a_used_transfer(tx, transfer).await?;
    }
    if kind == EarningKind::DebtWriteoff.as_str() {
        refuse_more_than_the_debt(tx, now_ms, account, Money::new(minor, rows::currency(currency)?)).await?;
    }
    sqlx::query::<DB>(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
         source_id, earned_at_ms, available_on_ms, created_at_ms, transfer_id) \
         VALUES ($1, $2, $3, $4, $5, $5, 0, 'request', $6, $7, $7, $7, $8)",
    )
    .bind(&request.subject)
    .bind(account)
    .bind(rows::currency(currency)?.as_str().to_owned())
    .bind(kind)
    .bind(minor)
    .bind(&request.id)
    .bind(now_ms)
    .bind(detail["transfer"].as_str())
    .execute(&mut **tx)
    .await?;
    Ok(vec![Note {
        actor: by.to_string(),
        action: format!("earnings.{kind}"),
        reason: Some(request.reason.clone()),
        detail: json!({
            "request": request.id, "creator": request.subject, "account": account, "amount_minor": minor, "currency": currency,
            "transfer": detail["transfer"],
        }),
        ..Note::default()
    }])
}

/// One transfer carries one adjustment, and a sale's own transfer none.
async fn refuse_a_used_transfer(tx: &mut Tx, transfer: &str) -> Result<(), StoreError> {
    let used = sqlx::query::<DB>(
        "SELECT 1 FROM creator_earnings WHERE transfer_id = $1 AND kind = 'adjustment' \
         UNION ALL SELECT 1 FROM transfers WHERE transfer_id = $1 AND charge_id IS NOT NULL",
    )
    .bind(transfer)
    .fetch_optional(&mut **tx)
    .await?;
    match used {
        None => Ok(()),
        Some(_) => Err(StoreError::Refused(format!("transfer {transfer} carries something else already: an adjustment needs one of its own"))),
    }
}

/// What is given up is at most what is owed now; what is kept back of a sale that isn't there yet is no debt.
async fn refuse_more_than_the_debt(tx: &mut Tx, now_ms: i64, account: &str, given_up: Money) -> Result<(), StoreError> {
    let text = format!(
        "SELECT CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) FROM creator_earnings e WHERE e.account_id = $1 AND e.currency = $2 \
         AND (({TAKES}) OR e.available_on_ms <= $3) AND {FREE}"
    );
    let row = sqlx::query::<DB>(AssertSqlSafe(text))
        .bind(account)
        .bind(given_up.currency.as_str().to_owned())
        .bind(now_ms)
        .fetch_one(&mut **tx)
        .await?;
    let free: i64 = row.try_get(0)?;
    if free.saturating_add(given_up.minor) > 0 {
        let owed = Money::new(free.min(0).saturating_neg(), given_up.currency);
        return Err(StoreError::Refused(format!("{given_up} can't be written off: account {account} owes {owed} now")));
    }
    Ok(())
}
