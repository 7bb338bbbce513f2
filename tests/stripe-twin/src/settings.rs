//! What an account may be told about its payouts: the schedule, the delay, debits of negative balances, through
//! `POST /v1/accounts/{id}` and `POST /v1/balance_settings`. Called by endpoints. Invariant: both doors change the same
//! settings and tell the same two events.

use serde_json::{Value, json};

use crate::account::Account;
use crate::clock::Now;
use crate::errors::ApiError;
use crate::events::Cause;
use crate::form::{Form, check_metadata};
use crate::market::Metadata;
use crate::shape;
use crate::world::World;

const INTERVALS: [&str; 4] = ["daily", "manual", "monthly", "weekly"];
const WEEKDAYS: [&str; 7] = ["friday", "monday", "saturday", "sunday", "thursday", "tuesday", "wednesday"];
const DELAY_DAYS_MAX: i64 = 31;

/// What is to change; what is left out stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingsChange {
    interval: Option<String>,
    weekly_anchor: Option<String>,
    monthly_anchor: Option<i64>,
    delay_days: Option<u32>,
    debits_negative: Option<bool>,
    statement_descriptor: Option<String>,
    email: Option<String>,
    metadata: Metadata,
}

/// Refuses what isn't among `known`, by its whole name.
fn only(form: &Form, known: &[&str]) -> Result<(), ApiError> {
    for (name, _) in form.pairs() {
        let is_metadata = name.starts_with("metadata[") && known.contains(&"metadata");
        let is_item = name.rsplit_once('[').is_some_and(|(list, _)| known.contains(&list));
        if !is_metadata && !is_item && !known.contains(&name.as_str()) {
            return Err(ApiError::unknown_parameter(name));
        }
    }
    Ok(())
}

fn one_of(form: &Form, name: &str, known: &[&str]) -> Result<Option<String>, ApiError> {
    let value = form.text(name);
    if value.as_deref().is_some_and(|value| !known.contains(&value)) {
        let text = format!("Invalid {name}: must be one of {}", known.join(", "));
        return Err(ApiError::invalid(name, &text));
    }
    Ok(value)
}

fn days(form: &Form, name: &str) -> Result<Option<u32>, ApiError> {
    if form.get(name) == Some("minimum") {
        return Ok(Some(2));
    }
    let Some(days) = form.integer(name)? else {
        return Ok(None);
    };
    let days = u32::try_from(days).ok().filter(|days| i64::from(*days) <= DELAY_DAYS_MAX);
    days.map(Some).ok_or_else(|| ApiError::invalid(name, "The delay must be between 0 and 31 days."))
}

fn month_day(form: &Form, name: &str) -> Result<Option<i64>, ApiError> {
    let day = form.integer(name)?;
    if day.is_some_and(|day| !(1..=31).contains(&day)) {
        return Err(ApiError::invalid(name, "The day of the month must be between 1 and 31."));
    }
    Ok(day)
}

impl SettingsChange {
    /// `POST /v1/accounts/{id}`.
    pub(crate) fn of_account(form: &Form) -> Result<Self, ApiError> {
        const AT: &str = "settings[payouts][schedule]";
        let at = |name: &str| format!("{AT}[{name}]");
        let (interval, weekly, monthly, delay) =
            (at("interval"), at("weekly_anchor"), at("monthly_anchor"), at("delay_days"));
        let debits = "settings[payouts][debit_negative_balances]";
        let descriptor = "settings[payouts][statement_descriptor]";
        only(form, &[&interval, &weekly, &monthly, &delay, debits, descriptor, "email", "metadata", "expand"])?;
        let metadata = form.map("metadata");
        check_metadata(&metadata)?;
        Ok(Self {
            interval: one_of(form, &interval, &INTERVALS)?,
            weekly_anchor: one_of(form, &weekly, &WEEKDAYS)?,
            monthly_anchor: month_day(form, &monthly)?,
            delay_days: days(form, &delay)?,
            debits_negative: form.boolean(debits)?,
            statement_descriptor: form.text(descriptor),
            email: form.text("email"),
            metadata,
        })
    }

    /// `POST /v1/balance_settings`.
    pub(crate) fn of_balance(form: &Form) -> Result<Self, ApiError> {
        let interval = "payments[payouts][schedule][interval]";
        let weekly = "payments[payouts][schedule][weekly_payout_days]";
        let monthly = "payments[payouts][schedule][monthly_payout_days]";
        let delay = "payments[settlement_timing][delay_days_override]";
        let debits = "payments[debit_negative_balances]";
        let descriptor = "payments[payouts][statement_descriptor]";
        only(form, &[interval, weekly, monthly, delay, debits, descriptor, "expand"])?;
        let weekdays = form.list(weekly);
        if let Some(unknown) = weekdays.iter().find(|day| !WEEKDAYS.contains(&day.as_str())) {
            return Err(ApiError::invalid(weekly, &format!("Invalid day of the week: {unknown}")));
        }
        let month_days: Result<Vec<i64>, _> = form.list(monthly).iter().map(|day| day.parse()).collect();
        let month_days = month_days.map_err(|_| ApiError::invalid(monthly, "A day of the month is an integer."))?;
        Ok(Self {
            interval: one_of(form, interval, &INTERVALS)?,
            weekly_anchor: weekdays.into_iter().next(),
            monthly_anchor: month_days.into_iter().next(),
            delay_days: days(form, delay)?,
            debits_negative: form.boolean(debits)?,
            statement_descriptor: form.text(descriptor),
            ..Self::default()
        })
    }
}

impl World {
    /// Changes an account's settings and tells so, if anything changed.
    pub(crate) fn change_settings(
        &mut self,
        now: Now,
        id: &str,
        change: &SettingsChange,
        cause: Cause<'_>,
    ) -> Result<(), ApiError> {
        let before = self.seen_settings(id)?;
        if let Some(account) = self.accounts.get_mut(id) {
            apply(account, change.clone());
        }
        self.tell_of_settings(now, id, &before, cause)
    }

    /// The account and its balance settings, as the API shows them now.
    pub(crate) fn seen_settings(&self, id: &str) -> Result<(Value, Value), ApiError> {
        let account = self.account_of(id)?;
        Ok((shape::account(account, id == crate::PLATFORM_ACCOUNT), balance_settings(account)))
    }

    /// Tells what changed since `before`.
    pub(crate) fn tell_of_settings(
        &mut self,
        now: Now,
        id: &str,
        before: &(Value, Value),
        cause: Cause<'_>,
    ) -> Result<(), ApiError> {
        let after = self.seen_settings(id)?;
        if let Some(changed) = shape::previous(&before.0, &after.0) {
            self.emit(now, "account.updated", id, (after.0, Some(changed)), cause);
        }
        if let Some(changed) = shape::previous(&before.1, &after.1) {
            self.emit(now, "balance_settings.updated", id, (after.1, Some(changed)), cause);
        }
        Ok(())
    }
}

fn apply(account: &mut Account, change: SettingsChange) {
    let (spec, more) = (&mut account.spec, &mut account.more);
    if let Some(interval) = change.interval {
        spec.schedule = interval;
    }
    if let Some(delay_days) = change.delay_days {
        spec.delay_days = delay_days;
    }
    more.weekly_anchor = change.weekly_anchor.or(more.weekly_anchor.take());
    more.monthly_anchor = change.monthly_anchor.or(more.monthly_anchor);
    more.debits_negative = change.debits_negative.unwrap_or(more.debits_negative);
    more.statement_descriptor = change.statement_descriptor.or(more.statement_descriptor.take());
    spec.email = change.email.or(spec.email.take());
    for (key, value) in change.metadata {
        if value.is_empty() {
            spec.metadata.remove(&key);
        } else {
            spec.metadata.insert(key, value);
        }
    }
}

/// `GET /v1/balance_settings`.
pub(crate) fn balance_settings(account: &Account) -> Value {
    let (spec, more) = (&account.spec, &account.more);
    let mut schedule = json!({ "interval": spec.schedule });
    match spec.schedule.as_str() {
        "weekly" => schedule["weekly_payout_days"] = json!([more.weekly_anchor.as_deref().unwrap_or("monday")]),
        "monthly" => schedule["monthly_payout_days"] = json!([more.monthly_anchor.unwrap_or(1)]),
        _ => {}
    }
    let mut object = shape::laid_over("balance_settings", json!({}));
    let payments = &mut object["payments"];
    if let Some(payouts) = payments["payouts"].as_object_mut() {
        // The official SDKs read it as a map, and a null as a fault: where there is nothing, there is no field.
        payouts.remove("automatic_transfer_rules_by_currency");
    }
    payments["debit_negative_balances"] = more.debits_negative.into();
    payments["payouts"]["schedule"] = schedule;
    payments["payouts"]["statement_descriptor"] = json!(more.statement_descriptor);
    payments["payouts"]["status"] = if spec.payouts_enabled { "enabled" } else { "disabled" }.into();
    payments["settlement_timing"] = json!({
        "delay_days": spec.delay_days, "start_of_day": { "hour": 0, "minutes": 0, "timezone": "Etc/UTC" },
    });
    object
}
