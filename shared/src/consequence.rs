//! What follows from a change: when items are released, what an attempt is after new knowledge, how long is waited.
use crate::{
    attempt::AttemptState,
    payout::{ObjectStatus, PayoutState},
};

/// May the payout's items be released? `executed`: its newest attempt has an object; `money_back`: the money was seen back.
///
/// Voided, and failed without an object: at once. Failed, canceled, returned after an execution: when the money is seen back.
/// Reversed ones wait (seven days and a last look), everything else keeps its items.
#[must_use]
pub const fn releases(state: PayoutState, executed: bool, money_back: bool) -> bool {
    match state {
        PayoutState::Voided => true,
        PayoutState::Failed => !executed || money_back,
        PayoutState::Canceled | PayoutState::Returned => money_back,
        PayoutState::Planned
        | PayoutState::Submitting
        | PayoutState::Unknown
        | PayoutState::Pending
        | PayoutState::InTransit
        | PayoutState::Paid
        | PayoutState::Settled
        | PayoutState::Reversing
        | PayoutState::Reversed => false,
    }
}

/// What is known of an attempt after `news`. Once executed, always executed: a late lost answer takes no knowledge away.
/// A refused or withdrawn one only changes when it turns out to be executed.
#[must_use]
pub const fn attempt_after(known: AttemptState, news: AttemptState) -> AttemptState {
    match known {
        AttemptState::Executed => AttemptState::Executed,
        AttemptState::Refused | AttemptState::Withdrawn => match news {
            AttemptState::Executed => AttemptState::Executed,
            AttemptState::Intended
            | AttemptState::Waiting
            | AttemptState::Unknown
            | AttemptState::Refused
            | AttemptState::Withdrawn => known,
        },
        AttemptState::Intended | AttemptState::Waiting | AttemptState::Unknown => news,
    }
}

/// What is known of an object's status after `news`: a late event takes nothing back. What ended it stays (failed, canceled), else the
/// furthest counts.
#[must_use]
pub fn status_after(known: Option<ObjectStatus>, news: Option<ObjectStatus>) -> Option<ObjectStatus> {
    let rank = |status: ObjectStatus| match status {
        ObjectStatus::Pending => 0,
        ObjectStatus::InTransit => 1,
        ObjectStatus::Paid => 2,
        ObjectStatus::Canceled => 3,
        ObjectStatus::Failed => 4,
    };
    known.into_iter().chain(news).max_by_key(|status| rank(*status))
}

/// A key younger than this is surely remembered by Stripe (it may be pruned at 24 h).
pub const RESEND_WITHIN_MS: i64 = 23 * 60 * 60 * 1000;
const LIST_AGAIN_MAX_MS: i64 = 15 * 60 * 1000;

/// Doubles with each try from `base_ms`, up to 15 minutes.
#[must_use]
pub fn backoff_ms(tries: i64, base_ms: i64) -> i64 {
    let doublings = u32::try_from(tries.clamp(0, 20)).unwrap_or(20);
    base_ms.saturating_mul(1_i64.checked_shl(doublings).unwrap_or(i64::MAX)).clamp(1, LIST_AGAIN_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_takes_no_knowledge_of_an_execution_away() {
        for news in AttemptState::ALL {
            assert_eq!(attempt_after(AttemptState::Executed, news), AttemptState::Executed);
        }
    }

    #[test]
    fn a_late_event_takes_no_status_back() {
        for known in ObjectStatus::ALL {
            for news in ObjectStatus::ALL {
                let after = status_after(Some(known), Some(news));
                assert_eq!(after, status_after(Some(news), Some(known)), "the order of events makes no difference");
                assert_eq!(status_after(after, Some(news)), after, "nor does repetition");
            }
            assert_eq!(status_after(None, Some(known)), Some(known));
            assert_eq!(status_after(Some(known), None), Some(known));
        }
        assert_eq!(status_after(Some(ObjectStatus::Failed), Some(ObjectStatus::Pending)), Some(ObjectStatus::Failed));
    }

    #[test]
    fn a_judged_attempt_changes_only_when_it_turns_out_to_be_executed() {
        for known in [AttemptState::Refused, AttemptState::Withdrawn] {
            for news in AttemptState::ALL {
                let expected = if news == AttemptState::Executed { news } else { known };
                assert_eq!(attempt_after(known, news), expected);
            }
        }
    }

    #[test]
    fn paid_and_settled_never_release_and_an_executed_failure_waits_for_the_money() {
        for executed in [false, true] {
            for back in [false, true] {
                assert!(!releases(PayoutState::Paid, executed, back));
                assert!(!releases(PayoutState::Settled, executed, back));
                assert!(!releases(PayoutState::Unknown, executed, back));
                assert!(releases(PayoutState::Voided, executed, back));
            }
        }
        assert!(!releases(PayoutState::Failed, true, false));
        assert!(releases(PayoutState::Failed, true, true));
        assert!(releases(PayoutState::Failed, false, false));
    }

    #[test]
    fn waiting_times_double_up_to_a_quarter_of_an_hour() {
        assert_eq!([0, 1, 2, 3].map(|n| backoff_ms(n, 1000)), [1000, 2000, 4000, 8000]);
        assert_eq!(backoff_ms(i64::MAX, 1000), 900_000);
    }
}
