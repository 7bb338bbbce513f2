//! Laws of payouts that hold for every script of events, not only for single cells.
use crate::tables::payout_standings;
use payout_shared::{
    consequence::status_after,
    payout::{ObjectStatus, PayoutEvent, PayoutState, Standing, Verdict, Which, apply},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// What the store does with a verdict: the state moves, and an object that was taken in is remembered until a retry.
fn step(at: Standing, event: PayoutEvent) -> (Standing, Verdict) {
    let verdict = apply(at, event);
    let taken =
        matches!(event, PayoutEvent::Object(_, Which::Newest)) && matches!(verdict, Verdict::Move(_) | Verdict::Stale);
    let retried = event == PayoutEvent::Requeue && matches!(verdict, Verdict::Move(_));
    let state = if let Verdict::Move(to) = verdict { to } else { at.state };
    (Standing { state, executed: !retried && (at.executed || taken) }, verdict)
}

/// The rule of the document, from the set alone.
fn state_of_set(seen: &[ObjectStatus]) -> PayoutState {
    let has = |status| seen.contains(&status);
    if has(ObjectStatus::Failed) && has(ObjectStatus::Paid) {
        PayoutState::Returned
    } else if has(ObjectStatus::Failed) {
        PayoutState::Failed
    } else if has(ObjectStatus::Canceled) {
        PayoutState::Canceled
    } else if has(ObjectStatus::Paid) {
        PayoutState::Paid
    } else if has(ObjectStatus::InTransit) {
        PayoutState::InTransit
    } else {
        PayoutState::Pending
    }
}

fn unanswered() -> impl Strategy<Value = Standing> {
    select(vec![PayoutState::Planned, PayoutState::Submitting, PayoutState::Unknown])
        .prop_map(|state| Standing { state, executed: false })
}

fn events() -> impl Strategy<Value = Vec<PayoutEvent>> {
    vec(select(PayoutEvent::all().collect::<Vec<_>>()), 1..40)
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_of_an_objects_statuses_matters(
        start in unanswered(),
        // Canceled and paid together is nothing that Stripe does, and illegal.
        seen in prop_oneof![
            vec(select(vec![ObjectStatus::Pending, ObjectStatus::InTransit, ObjectStatus::Paid, ObjectStatus::Failed]), 1..12),
            vec(select(vec![ObjectStatus::Pending, ObjectStatus::InTransit, ObjectStatus::Canceled, ObjectStatus::Failed]), 1..12),
        ],
    ) {
        let mut at = start;
        for (n, status) in seen.iter().enumerate() {
            let (next, verdict) = step(at, PayoutEvent::Object(*status, Which::Newest));
            prop_assert_ne!(verdict, Verdict::Late);
            if verdict == Verdict::Illegal {
                prop_assert!(seen.contains(&ObjectStatus::Canceled) && *status == ObjectStatus::InTransit, "{:?}", seen);
            }
            at = next;
            prop_assert_eq!(at.state, state_of_set(&seen[..=n]), "after {:?} of {:?}", n, seen);
        }
        // What is remembered of the object itself tells the same story: returned is a failure that was paid once.
        let remembered = seen.iter().fold(None, |known, news| status_after(known, Some(*news))).map(|status| status.as_str());
        let state = if at.state == PayoutState::Returned { PayoutState::Failed } else { at.state };
        prop_assert_eq!(remembered, Some(state.as_str()));
    }

    #[test]
    fn a_webhook_before_between_or_after_the_lost_answer_ends_the_same(
        seen in vec(select(vec![ObjectStatus::Pending, ObjectStatus::InTransit, ObjectStatus::Paid, ObjectStatus::Failed]), 1..8),
        lost_after in 0_usize..9,
        answer in select(vec![PayoutEvent::LoseAnswer, PayoutEvent::PutBack]),
    ) {
        let mut script: Vec<PayoutEvent> = seen.iter().map(|status| PayoutEvent::Object(*status, Which::Newest)).collect();
        script.insert(lost_after.min(script.len()), answer);
        let mut at = Standing { state: PayoutState::Submitting, executed: false };
        for event in script {
            let (next, verdict) = step(at, event);
            prop_assert_ne!(verdict, Verdict::Illegal, "{:?} at {:?}", event, at);
            at = next;
        }
        prop_assert_eq!(at.state, state_of_set(&seen));
    }

    #[test]
    fn what_was_executed_is_never_planned_unknown_or_voided_again_but_by_a_retry_of_a_failed_one(
        start in unanswered(),
        script in events(),
    ) {
        let mut at = start;
        for event in script {
            let before = at;
            let (next, verdict) = step(at, event);
            at = next;
            let backwards = matches!(
                verdict,
                Verdict::Move(
                    PayoutState::Planned | PayoutState::Submitting | PayoutState::Unknown | PayoutState::Voided
                )
            );
            if before.executed && backwards {
                prop_assert_eq!((before.state, event), (PayoutState::Failed, PayoutEvent::Requeue));
                prop_assert_eq!(verdict, Verdict::Move(PayoutState::Planned));
            }
        }
    }

    #[test]
    fn every_event_twice_changes_nothing_more(start in unanswered(), script in events()) {
        let (mut once, mut twice) = (start, start);
        for event in script {
            once = step(once, event).0;
            twice = step(twice, event).0;
            // A resend is journaled each time, and stays unknown; everything else is said once.
            let (again, verdict) = step(twice, event);
            prop_assert!(!matches!(verdict, Verdict::Move(_)) || again.state == PayoutState::Unknown, "{:?} moved twice", event);
            twice = again;
            prop_assert_eq!(once, twice);
        }
    }
}

#[test]
fn paid_and_canceled_together_always_raise_an_alarm_and_keep_what_is_known() {
    for (first, second) in [(ObjectStatus::Paid, ObjectStatus::Canceled), (ObjectStatus::Canceled, ObjectStatus::Paid)]
    {
        let (at, _) = step(
            Standing { state: PayoutState::Submitting, executed: false },
            PayoutEvent::Object(first, Which::Newest),
        );
        assert_eq!(
            apply(at, PayoutEvent::Object(second, Which::Newest)),
            Verdict::Illegal,
            "{first:?}, then {second:?}"
        );
    }
}

#[test]
fn an_older_attempts_object_never_moves_a_payout_and_a_live_one_is_never_overlooked() {
    for at in payout_standings() {
        for status in ObjectStatus::ALL {
            let expected = if status.is_alive() { Verdict::Late } else { Verdict::Stale };
            assert_eq!(apply(at, PayoutEvent::Object(status, Which::Older)), expected, "{at:?} {status:?}");
        }
    }
}

#[test]
fn a_live_object_of_what_was_judged_unexecuted_is_a_late_execution() {
    for state in [PayoutState::Voided, PayoutState::Failed] {
        for status in ObjectStatus::ALL.into_iter().filter(|status| status.is_alive()) {
            let at = Standing { state, executed: false };
            assert_eq!(apply(at, PayoutEvent::Object(status, Which::Newest)), Verdict::Late, "{at:?} {status:?}");
        }
    }
}

#[test]
fn only_a_failed_payout_is_told_apart_by_its_object() {
    for state in PayoutState::ALL.into_iter().filter(|state| *state != PayoutState::Failed) {
        for event in PayoutEvent::all() {
            let [with, without] = [true, false].map(|executed| apply(Standing { state, executed }, event));
            assert_eq!(with, without, "{state:?} {event:?}");
        }
    }
}

#[test]
fn only_planned_and_unknown_put_a_create_on_the_wire_and_only_paid_money_is_reversed() {
    for at in payout_standings() {
        let may_send = matches!(at.state, PayoutState::Planned | PayoutState::Unknown);
        assert_eq!(matches!(apply(at, PayoutEvent::Intend), Verdict::Move(_)), may_send, "{at:?}");
        assert!(
            may_send || apply(at, PayoutEvent::Intend) == Verdict::Illegal,
            "{at:?}: a second intent is never stale"
        );
        let may_reverse = matches!(at.state, PayoutState::Paid | PayoutState::Settled);
        assert_eq!(matches!(apply(at, PayoutEvent::IntendReverse), Verdict::Move(_)), may_reverse, "{at:?}");
        assert!(may_reverse || apply(at, PayoutEvent::IntendReverse) == Verdict::Illegal, "{at:?}");
    }
}

#[test]
fn nothing_is_voided_while_a_send_may_have_been_executed() {
    for at in payout_standings() {
        for event in PayoutEvent::all() {
            if apply(at, event) == Verdict::Move(PayoutState::Voided) {
                assert!(
                    matches!(
                        (at.state, event),
                        (PayoutState::Planned, PayoutEvent::Void) | (PayoutState::Unknown, PayoutEvent::ProveAbsent)
                    ),
                    "{at:?} {event:?}"
                );
            }
        }
    }
}
