//! How long Stripe lets money lie on an account whose schedule is manual, and what must fit into that.
use crate::policy::Country;

/// The longest from one cycle to the next (the 15th of a month of 31 days to the 1st), days.
pub const CYCLE_GAP_MAX_DAYS: i64 = 17;
/// Somebody is told when money has lain for this share of its limit, per cent.
pub const ALERT_PERCENT: i64 = 75;
/// A day, milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// Stripe's limit, days since the money is available: 2 years in the United States, 10 days in Thailand, 90 elsewhere.
#[must_use]
pub fn limit_days(country: Country) -> i64 {
    match country.as_str() {
        "US" => 730,
        "TH" => 10,
        _ => 90,
    }
}

fn lain_ms(since_ms: i64, at_ms: i64) -> i64 {
    at_ms.saturating_sub(since_ms)
}

/// Money that is available since `since_ms` would pass its limit before the cycle after `at_ms` (Unix milliseconds): our own minimums
/// don't hold it back any longer.
#[must_use]
pub fn is_due(since_ms: i64, at_ms: i64, country: Country) -> bool {
    let until_next = CYCLE_GAP_MAX_DAYS.saturating_mul(DAY_MS);
    lain_ms(since_ms, at_ms).saturating_add(until_next) > limit_days(country).saturating_mul(DAY_MS)
}

/// More than [`ALERT_PERCENT`] of its limit is over: somebody has to know.
#[must_use]
pub fn is_alarming(since_ms: i64, at_ms: i64, country: Country) -> bool {
    let limit_ms = limit_days(country).saturating_mul(DAY_MS);
    lain_ms(since_ms, at_ms).saturating_mul(100) > limit_ms.saturating_mul(ALERT_PERCENT)
}

/// Whether money that we keep back for so many days still leaves before its limit, in each of these countries: kept back for so long, and
/// then until the next cycle. None kept back always fits. The country that it doesn't fit into, and its limit.
///
/// # Errors
/// The first country whose limit it would pass.
pub fn fits(days: i64, countries: &[Country]) -> Result<(), (Country, i64)> {
    let too_short = |country: &&Country| days > 0 && days.saturating_add(CYCLE_GAP_MAX_DAYS) > limit_days(**country);
    match countries.iter().find(too_short) {
        Some(country) => Err((*country, limit_days(*country))),
        None => Ok(()),
    }
}
