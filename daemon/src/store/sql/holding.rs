//! Money that lies at Stripe for nearly as long as it may: told once per purse and run, by the plan that didn't pay it.
use super::{DB, Pool, purses::PlanRun};
use crate::store::{StoreError, types::Note};
use payout_shared::{
    holding,
    plan::{self, Decision, PlanRules, PurseFacts},
};
use sqlx::Row;

const ACTION: &str = "purse.holding_limit";

/// What a plan says of a purse that it doesn't pay although its money has lain for long.
pub(super) fn note(run: &PlanRun<'_>, facts: &PurseFacts, decision: &Decision, rules: &PlanRules) -> Option<Note> {
    let Decision::Skip { reason, .. } = decision else { return None };
    let (Some(country), Some(since_ms), true) =
        (facts.country, facts.oldest_available_ms, plan::is_alarming(facts, rules))
    else {
        return None;
    };
    Some(Note {
        actor: "engine".to_owned(),
        action: ACTION.to_owned(),
        run_id: Some(run.id.to_owned()),
        reason: Some(format!(
            "not paid ({}), and more than {} % of the {} days that Stripe lets money lie in {} are over",
            reason.as_str(),
            holding::ALERT_PERCENT,
            holding::limit_days(country),
            country.as_str()
        )),
        detail: serde_json::json!({
            "creator": facts.creator.as_str(), "account": facts.account.as_str(), "currency": facts.currency.as_str(),
            "since_ms": since_ms, "payable_minor": facts.mature_minor,
        }),
        ..Note::default()
    })
}

/// How many purses the newest finished plan of a schedule said that of.
pub(in crate::store) async fn count(pool: &Pool) -> Result<i64, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT COUNT(*) FROM journal j WHERE j.payout_id IS NULL AND j.action = $1 AND j.run_id = (SELECT r.id FROM payout_runs r \
         WHERE r.number = 1 AND r.plan_finished ORDER BY r.cycle_date DESC LIMIT 1)",
    )
    .bind(ACTION)
    .fetch_one(pool)
    .await?;
    Ok(row.try_get(0)?)
}
