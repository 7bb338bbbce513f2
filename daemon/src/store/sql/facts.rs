//! What is known of a purse beside its sums: flags, holds, the account, its bank. Read by the plan and by the guard of every send
//! from the same columns, so that they can't disagree.
use super::{DB, before::SINCE, checks, cohort_ask};
use crate::store::{StoreError, types::PlanContext};
use payout_shared::{
    cohort::{self, Rollout},
    currency::Currency,
    id::{AccountId, CreatorId, DestinationId},
    money::Money,
    plan::{AccountFacts, BankFacts, PurseFacts},
    policy::Country,
    short::StripeFacts,
};
use sqlx::{QueryBuilder, Row};

/// Pushes what [`read`] reads, by these names, of a query whose purse is `q` (`account_id`, `currency`) and which joins [`JOINS`].
pub(super) fn push_columns(query: &mut QueryBuilder<DB>) {
    query.push(COLUMNS).push(", ").push(FOREIGN).push(SINCE).push(") AS f_foreign, CASE WHEN k.failed IS NULL THEN k.available_minor - ");
    query.push(checks::UNSHOWN).push(" END AS f_stripe, k.read_at_ms AS f_stripe_read_at");
}

/// A payout on the purse's balance that is none of ours: money left it, and nobody has taken that into the books. What came back, what was
/// made before these books answer for it, and what only brings money back to Stripe (its own debits, reversals) isn't meant.
const FOREIGN: &str = "(SELECT MIN(f.object_id) FROM foreign_payouts f WHERE f.account_id = q.account_id AND f.currency = q.currency \
    AND f.payout_id IS NULL AND f.adopted_at_ms IS NULL AND f.amount_minor > 0 AND f.status NOT IN ('failed', 'canceled') \
    AND f.created_ms > ";

const COLUMNS: &str = "q.account_id AS f_account, q.currency AS f_currency, COALESCE(a.creator_id, q.creator_id) AS f_creator, \
    a.read_at_ms AS f_read_at, a.payouts_enabled AS f_payouts_enabled, a.disabled_reason AS f_disabled_reason, \
    a.schedule_interval AS f_schedule, a.country AS f_country, \
    CASE WHEN NOT a.is_current THEN (SELECT c.account_id FROM creator_stripe_accounts c WHERE c.creator_id = a.creator_id AND c.is_current) END \
      AS f_replaced, b.destination_id AS f_bank, b.status AS f_bank_status, b.changed_at_ms AS f_bank_changed, \
    (SELECT MIN(h.reason) FROM creator_holds h WHERE h.creator_id = COALESCE(a.creator_id, q.creator_id) AND h.released_at_ms IS NULL) \
      AS f_hold, \
    u.payout_enabled AS f_user, u.payout_beta_enabled OR NOT (SELECT beta_open FROM daemon_state WHERE id = 1) AS f_beta, \
    (SELECT MIN(CASE WHEN c.is_open THEN '0' ELSE '1' END || c.name) FROM cohort_members m JOIN cohorts c ON c.name = m.cohort \
      WHERE m.creator_id = COALESCE(a.creator_id, q.creator_id)) AS f_listed, \
    (SELECT MIN(CASE WHEN c.is_open THEN '0' ELSE '1' END || c.name) FROM creator_tags t JOIN cohorts c ON c.tag = t.tag \
      WHERE t.creator_id = COALESCE(a.creator_id, q.creator_id)) AS f_tagged, \
    s.payout_enabled AS f_settings, CAST(s.minimum_payout_amount AS TEXT) AS f_minimum";

/// The joins behind [`push_columns`].
pub(super) const JOINS: &str = "LEFT JOIN creator_stripe_accounts a ON a.account_id = q.account_id \
    LEFT JOIN account_banks b ON b.account_id = q.account_id AND b.currency = q.currency \
    LEFT JOIN purse_checks k ON k.account_id = q.account_id AND k.currency = q.currency \
    LEFT JOIN users u ON u.supabase_id = COALESCE(a.creator_id, q.creator_id) \
    LEFT JOIN creator_payout_settings s ON s.creator_id = COALESCE(a.creator_id, q.creator_id)";

/// Bank account words of Stripe that mean it can't be paid to.
pub(super) const BANK_UNUSABLE: [&str; 4] =
    ["errored", "verification_failed", "tokenized_account_number_deactivated", crate::store::door_types::BANK_REMOVED];

/// Reads the columns, of a rollout that stands like this; the sums and the active payout are the caller's to fill in.
pub(super) fn read(
    row: &<DB as sqlx::Database>::Row,
    context: &PlanContext,
    rollout: &Rollout,
) -> Result<PurseFacts, StoreError> {
    let (account, currency): (String, String) = (row.try_get("f_account")?, row.try_get("f_currency")?);
    let currency = Currency::parse(&currency)
        .map_err(|error| StoreError::Broken(format!("purse of account {account}: {error}")))?;
    let read_at: Option<i64> = row.try_get("f_read_at")?;
    let mut hold: Option<String> = row.try_get("f_hold")?;
    let mut creator_minimum_minor = 0;
    if let Some(text) = row.try_get::<Option<String>, _>("f_minimum")?.filter(|_| currency == context.default_currency) {
        match Money::parse_major(&text, currency) {
            Ok(minimum) => creator_minimum_minor = minimum.minor,
            // One creator's settings stop nobody else.
            Err(error) => hold = hold.or_else(|| Some(format!("minimum_payout_amount is broken: {error}"))),
        }
    }
    let creator = CreatorId::new(row.try_get::<String, _>("f_creator")?);
    let overrides =
        || context.overrides.iter().filter(|allowed| allowed.account.as_str() == account && allowed.currency == currency);
    Ok(PurseFacts {
        cohort: cohort::place(rollout, &creator, &cohort_ask::named([row.try_get("f_listed")?, row.try_get("f_tagged")?])),
        creator,
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
        foreign_payout: row.try_get("f_foreign")?,
        replaced_by: row.try_get::<Option<String>, _>("f_replaced")?.map(AccountId::new),
        stripe: row
            .try_get::<Option<i64>, _>("f_stripe")?
            .zip(row.try_get("f_stripe_read_at")?)
            .map(|(available_minor, read_at_ms)| StripeFacts { available_minor, read_at_ms }),
        chosen_minor: None,
        user_enabled: row.try_get::<Option<bool>, _>("f_user")?.unwrap_or(false),
        beta_open: row.try_get::<Option<bool>, _>("f_beta")?.unwrap_or(false),
        settings_enabled: row.try_get::<Option<bool>, _>("f_settings")?.unwrap_or(false),
        creator_minimum_minor,
        country: row.try_get::<Option<String>, _>("f_country")?.and_then(|code| Country::parse(&code)),
        oldest_available_ms: None,
        cap_override_minor: overrides().filter_map(|allowed| allowed.cap_minor).max(),
        bank_overrides: overrides().filter_map(|allowed| allowed.bank.clone()).collect(),
    })
}

fn account_facts(row: &<DB as sqlx::Database>::Row) -> Result<AccountFacts, StoreError> {
    let (destination, status): (Option<String>, Option<String>) = (row.try_get("f_bank")?, row.try_get("f_bank_status")?);
    let interval: Option<String> = row.try_get("f_schedule")?;
    let changed_at_ms: Option<i64> = row.try_get("f_bank_changed")?;
    Ok(AccountFacts {
        payouts_enabled: row.try_get("f_payouts_enabled")?,
        disabled_reason: row.try_get("f_disabled_reason")?,
        schedule_manual: interval.as_deref() == Some("manual"),
        bank: destination.zip(status).map(|(destination, status)| BankFacts {
            destination: DestinationId::new(destination),
            usable: !BANK_UNUSABLE.contains(&status.as_str()),
            status,
            changed_at_ms,
        }),
    })
}
