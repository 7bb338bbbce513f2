//! What is known of a purse beside its sums: flags, holds, the account, its bank. Read by the plan and by the guard of every send
//! from the same columns, so that they can't disagree.
use super::DB;
use crate::store::{StoreError, types::PlanContext};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId, DestinationId},
    money::Money,
    plan::{AccountFacts, BankFacts, PurseFacts},
};
use sqlx::Row;

/// Columns 0 to 14 of a query whose purse is `q` (`account_id`, `currency`) and which joins [`JOINS`].
pub(super) const COLUMNS: &str = "q.account_id, q.currency, COALESCE(a.creator_id, q.creator_id), \
    a.read_at_ms, a.payouts_enabled, a.disabled_reason, a.schedule_interval, \
    b.destination_id, b.status, b.changed_at_ms, \
    (SELECT MIN(h.reason) FROM creator_holds h WHERE h.creator_id = COALESCE(a.creator_id, q.creator_id) AND h.released_at_ms IS NULL), \
    u.payout_enabled, u.payout_beta_enabled OR NOT (SELECT beta_open FROM daemon_state WHERE id = 1), \
    s.payout_enabled, CAST(s.minimum_payout_amount AS TEXT)";

/// The joins behind [`COLUMNS`].
pub(super) const JOINS: &str = "LEFT JOIN creator_stripe_accounts a ON a.account_id = q.account_id \
    LEFT JOIN account_banks b ON b.account_id = q.account_id AND b.currency = q.currency \
    LEFT JOIN users u ON u.supabase_id = COALESCE(a.creator_id, q.creator_id) \
    LEFT JOIN creator_payout_settings s ON s.creator_id = COALESCE(a.creator_id, q.creator_id)";

/// Bank account words of Stripe that mean it can't be paid to.
const BANK_UNUSABLE: [&str; 4] =
    ["errored", "verification_failed", "tokenized_account_number_deactivated", crate::store::door_types::BANK_REMOVED];

/// Reads the columns; the sums and the active payout are the caller's to fill in.
pub(super) fn read(row: &<DB as sqlx::Database>::Row, context: &PlanContext) -> Result<PurseFacts, StoreError> {
    let (account, currency): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let currency = Currency::parse(&currency)
        .map_err(|error| StoreError::Broken(format!("purse of account {account}: {error}")))?;
    let read_at: Option<i64> = row.try_get(3)?;
    let mut hold: Option<String> = row.try_get(10)?;
    let mut creator_minimum_minor = 0;
    if let Some(text) = row.try_get::<Option<String>, _>(14)?.filter(|_| currency == context.default_currency) {
        match Money::parse_major(&text, currency) {
            Ok(minimum) => creator_minimum_minor = minimum.minor,
            // One creator's settings stop nobody else.
            Err(error) => hold = hold.or_else(|| Some(format!("minimum_payout_amount is broken: {error}"))),
        }
    }
    Ok(PurseFacts {
        creator: CreatorId::new(row.try_get::<String, _>(2)?),
        account: AccountId::new(&account),
        currency,
        mature_minor: 0,
        immature_minor: 0,
        account_facts: match read_at {
            Some(_) => Some(account_facts(row)?),
            None => None,
        },
        hold,
        active_payout: None,
        user_enabled: row.try_get::<Option<bool>, _>(11)?.unwrap_or(false),
        beta_open: row.try_get::<Option<bool>, _>(12)?.unwrap_or(false),
        settings_enabled: row.try_get::<Option<bool>, _>(13)?.unwrap_or(false),
        creator_minimum_minor,
    })
}

fn account_facts(row: &<DB as sqlx::Database>::Row) -> Result<AccountFacts, StoreError> {
    let (destination, status): (Option<String>, Option<String>) = (row.try_get(7)?, row.try_get(8)?);
    let interval: Option<String> = row.try_get(6)?;
    let changed_at_ms: Option<i64> = row.try_get(9)?;
    Ok(AccountFacts {
        payouts_enabled: row.try_get(4)?,
        disabled_reason: row.try_get(5)?,
        schedule_manual: interval.as_deref() == Some("manual"),
        bank: destination.zip(status).map(|(destination, status)| BankFacts {
            destination: DestinationId::new(destination),
            usable: !BANK_UNUSABLE.contains(&status.as_str()),
            status,
            changed_at_ms,
        }),
    })
}
