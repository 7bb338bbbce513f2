//! Laws of runs: pause is a barrier, and nothing is lost by pausing.
use crate::tables::run_standings;
use payout_shared::run::{RunEvent, RunStanding, RunState, RunVerdict, apply};
use proptest::{collection::vec, prelude::*, sample::select};

#[test]
fn paused_and_aborted_are_never_said_while_something_is_in_flight() {
    for at in run_standings().into_iter().filter(|at| at.in_flight > 0) {
        for event in RunEvent::ALL {
            let verdict = apply(at, event);
            assert_ne!(verdict, RunVerdict::Move(RunState::Paused), "{at:?} {event:?}");
            assert_ne!(verdict, RunVerdict::Move(RunState::Aborted), "{at:?} {event:?}");
        }
    }
}

#[test]
fn only_begin_resume_and_reopen_make_a_run_send() {
    for at in run_standings() {
        for event in RunEvent::ALL {
            if apply(at, event) == RunVerdict::Move(RunState::Running) {
                assert!(matches!(event, RunEvent::Begin | RunEvent::Resume | RunEvent::Reopen), "{at:?} {event:?}");
            }
        }
    }
}

#[test]
fn missed_settled_and_aborted_are_the_ends_of_a_run() {
    for at in run_standings() {
        for event in RunEvent::ALL {
            let moved = matches!(apply(at, event), RunVerdict::Move(_));
            let end = matches!(at.state, RunState::Missed | RunState::Settled | RunState::Aborted);
            assert!(!(end && moved), "{at:?} {event:?}");
        }
    }
}

#[test]
fn no_event_leads_to_where_the_run_is() {
    for at in run_standings() {
        for event in RunEvent::ALL {
            assert_ne!(apply(at, event), RunVerdict::Move(at.state), "{event:?}: that is a duplicate");
        }
    }
}

#[test]
fn a_run_goes_on_where_it_was_paused() {
    let at =
        |state, plan_finished, approval_missing| RunStanding { state, plan_finished, approval_missing, in_flight: 0 };
    for before in [
        at(RunState::Planning, false, false),
        at(RunState::Planning, false, true),
        at(RunState::AwaitingApproval, true, true),
        at(RunState::Running, true, false),
    ] {
        for in_flight in [0, 3] {
            let RunVerdict::Move(halted) = apply(RunStanding { in_flight, ..before }, RunEvent::Pause) else {
                panic!("{before:?} can't be paused");
            };
            let resumed = apply(RunStanding { state: halted, in_flight, ..before }, RunEvent::Resume);
            assert_eq!(resumed, RunVerdict::Move(before.state), "{before:?} with {in_flight} in flight");
        }
    }
}

#[test]
fn a_run_that_needs_two_people_never_begins_without_them() {
    for at in run_standings().into_iter().filter(|at| at.approval_missing && at.plan_finished) {
        for event in [RunEvent::Begin, RunEvent::Resume] {
            assert_ne!(apply(at, event), RunVerdict::Move(RunState::Running), "{at:?} {event:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_paused_run_sends_nothing_until_somebody_resumes_it(
        script in vec((select(RunEvent::ALL.to_vec()), any::<bool>(), any::<bool>(), 0_u64..3), 1..40),
        in_flight in 0_u64..3,
    ) {
        let start = RunStanding { state: RunState::Running, plan_finished: true, approval_missing: false, in_flight };
        let RunVerdict::Move(mut state) = apply(start, RunEvent::Pause) else { panic!("not paused") };
        for (event, plan_finished, approval_missing, in_flight) in script {
            // A person's decisions; an abort sends no create, and is told apart by its own state.
            if matches!(event, RunEvent::Resume | RunEvent::Abort) {
                continue;
            }
            if let RunVerdict::Move(to) = apply(RunStanding { state, plan_finished, approval_missing, in_flight }, event) {
                state = to;
            }
            prop_assert!(matches!(state, RunState::Pausing | RunState::Paused), "{:?} led to {:?}", event, state);
        }
    }
}
