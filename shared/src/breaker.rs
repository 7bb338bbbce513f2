//! The breaker: when too much fails, at Stripe or at one bank, the run pauses by itself before more of the same is sent.
use serde::{Deserialize, Serialize};

/// When it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRules {
    /// Of the newest answered payouts of the run so many percent failed…
    pub percent: i64,
    /// …and at least so many did.
    pub failures_min: i64,
    /// Of those to one bank so many percent failed…
    pub bank_percent: i64,
    /// …and at least so many did.
    pub bank_failures_min: i64,
}

/// So many of the newest answered payouts are looked at.
pub const WINDOW: i64 = 500;

/// What became of the newest payouts to one bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankCount {
    /// The bank as Stripe names it; `None` = no name is known.
    pub bank: Option<String>,
    /// Answered, well or not. What Stripe limited isn't answered, and doesn't count.
    pub answered: i64,
    /// Of these, failed or returned.
    pub failed: i64,
}

/// Does it open? The sentence says what fails, and how many.
#[must_use]
pub fn opens(counts: &[BankCount], rules: &BreakerRules) -> Option<String> {
    let sum = |of: fn(&BankCount) -> i64| counts.iter().map(of).fold(0_i64, i64::saturating_add);
    let (answered, failed) = (sum(|count| count.answered), sum(|count| count.failed));
    if is_too_much(answered, failed, rules.percent, rules.failures_min) {
        return Some(format!(
            "breaker: {failed} of the last {answered} payouts failed ({} %; it opens at {} %)",
            percent(answered, failed),
            rules.percent
        ));
    }
    let worst = counts
        .iter()
        .filter(|count| is_too_much(count.answered, count.failed, rules.bank_percent, rules.bank_failures_min))
        .filter_map(|count| Some((count, count.bank.as_deref()?)))
        .max_by_key(|(count, _)| count.failed);
    worst.map(|(count, bank)| {
        format!(
            "breaker: {} of the last {} payouts to {bank} failed ({} %; it opens at {} % of one bank)",
            count.failed,
            count.answered,
            percent(count.answered, count.failed),
            rules.bank_percent
        )
    })
}

fn percent(answered: i64, failed: i64) -> i64 {
    failed.saturating_mul(100).checked_div(answered).unwrap_or(0)
}

fn is_too_much(answered: i64, failed: i64, limit_percent: i64, failures_min: i64) -> bool {
    failed >= failures_min.max(1) && failed.saturating_mul(100) >= answered.saturating_mul(limit_percent)
}
