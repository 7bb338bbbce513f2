//! When Stripe is asked what became of a payout that nothing was told of: a webhook gets lost now and then, and a purse must not wait for it
//! for ever. The same times say when a paid payout is settled.
use crate::payout::{ObjectStatus, PayoutState};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Nothing was told of a payout for so long after it should have arrived (or began, where that isn't known), milliseconds: Stripe tells within
/// minutes, and tries an endpoint that is down again for longer; by then it is likely to be lost.
pub const UNTOLD_MS: i64 = DAY_MS;
/// A payout has to stay paid for so long, milliseconds: banks send most of what they send back within five working days.
pub const SETTLE_AFTER_MS: i64 = 7 * DAY_MS;
/// A look that showed nothing new is made again after a quarter of the time since the last news, within these bounds, milliseconds.
pub const AGAIN_MIN_MS: i64 = 6 * HOUR_MS;
/// See [`AGAIN_MIN_MS`].
pub const AGAIN_MAX_MS: i64 = DAY_MS;

/// When a payout that has just come into a state is looked at if nothing is told of it; `None` = nothing of it is awaited. `money_out`: money
/// left the account's balance for it, and hasn't been seen back. `arrival_ms`: when it should be at the bank, where Stripe said so.
#[must_use]
pub fn first_look_ms(state: PayoutState, money_out: bool, now_ms: i64, arrival_ms: Option<i64>) -> Option<i64> {
    let arrived_ms = arrival_ms.map_or(now_ms, |arrival_ms| arrival_ms.max(now_ms));
    match state {
        PayoutState::Pending | PayoutState::InTransit => Some(arrived_ms.saturating_add(UNTOLD_MS)),
        PayoutState::Paid => Some(arrived_ms.saturating_add(SETTLE_AFTER_MS)),
        // Its entries are locked until the money is seen back.
        PayoutState::Failed | PayoutState::Canceled | PayoutState::Returned => {
            money_out.then(|| now_ms.saturating_add(UNTOLD_MS))
        }
        // Not at Stripe as far as is known, looked for by themselves, or at an end.
        PayoutState::Planned
        | PayoutState::Submitting
        | PayoutState::Unknown
        | PayoutState::Settled
        | PayoutState::Voided
        | PayoutState::Reversing
        | PayoutState::Reversed => None,
    }
}

/// The same of a payout object that is none of ours.
#[must_use]
pub fn first_look_at_object_ms(
    status: Option<ObjectStatus>,
    money_back: bool,
    now_ms: i64,
    arrival_ms: Option<i64>,
) -> Option<i64> {
    let state = match status {
        Some(ObjectStatus::Paid) => PayoutState::Paid,
        Some(ObjectStatus::Failed) => PayoutState::Failed,
        Some(ObjectStatus::Canceled) => PayoutState::Canceled,
        Some(ObjectStatus::Pending | ObjectStatus::InTransit) | None => PayoutState::Pending,
    };
    first_look_ms(state, !money_back, now_ms, arrival_ms)
}

/// When it is looked at after a look that showed nothing new; `news_ms`: when something was last heard of it.
#[must_use]
pub fn next_look_ms(now_ms: i64, news_ms: i64) -> i64 {
    let quarter_ms = now_ms.saturating_sub(news_ms) / 4;
    now_ms.saturating_add(quarter_ms.clamp(AGAIN_MIN_MS, AGAIN_MAX_MS))
}

/// When a paid payout is settled, if a look at that time or later still shows it paid; Stripe's time. `paid_seen_ms`: when it was first seen
/// paid.
#[must_use]
pub fn settles_at_ms(paid_seen_ms: i64, arrival_ms: Option<i64>) -> i64 {
    arrival_ms.map_or(paid_seen_ms, |arrival_ms| arrival_ms.max(paid_seen_ms)).saturating_add(SETTLE_AFTER_MS)
}
