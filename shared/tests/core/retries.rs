//! When a failed payout is tried again, and whom a failure is held against.
use payout_shared::{
    answer::{is_bank_code, is_transient_code},
    currency::Currency,
    money::Money,
    payout::PayoutState,
    plan::SkipReason,
    retry::{BANK_HOLD, Blame, NoRetry, RetryFacts, blame, retries_by_itself, retry, takes_retries},
    run::RunState,
};

fn facts() -> RetryFacts {
    RetryFacts {
        state: PayoutState::Failed,
        run: RunState::CompletedWithFailures,
        creates: 1,
        released: true,
        on_wire: false,
        items_gone: 0,
        amount: Money::new(5_000, Currency::parse("usd").unwrap()),
        payable_minor: 5_000,
        new_negative: false,
        active_payout: None,
        barred: None,
    }
}

#[test]
fn a_failed_payout_is_tried_again_when_nothing_of_it_has_changed() {
    assert_eq!(retry(&facts()), Ok(()));
    assert_eq!(retry(&RetryFacts { payable_minor: 9_000, run: RunState::Running, ..facts() }), Ok(()));
}

#[test]
fn everything_else_is_refused_for_now_or_for_good() {
    let barred = Some((SkipReason::Held, "held: a look".to_owned()));
    for (facts, yet, said) in [
        (RetryFacts { creates: 2, ..facts() }, false, "tried twice"),
        (RetryFacts { released: false, ..facts() }, true, "wasn't seen back"),
        (RetryFacts { on_wire: true, ..facts() }, true, "still on the wire"),
        (RetryFacts { items_gone: 1, ..facts() }, false, "another payout has some"),
        (RetryFacts { active_payout: Some("pay_2".to_owned()), ..facts() }, true, "pay_2"),
        (RetryFacts { new_negative: true, ..facts() }, false, "taken back"),
        (RetryFacts { payable_minor: 4_999, ..facts() }, true, "only 49.99 USD of its 50.00 USD"),
        (RetryFacts { barred, ..facts() }, true, "held: a look"),
        (RetryFacts { run: RunState::Aborted, ..facts() }, false, "its run is aborted"),
    ] {
        let refused = retry(&facts).unwrap_err();
        assert!(refused.why().contains(said), "{refused:?}");
        assert_eq!(matches!(refused, NoRetry::Yet(_)), yet, "{refused:?}");
    }
    for state in PayoutState::ALL.into_iter().filter(|state| *state != PayoutState::Failed) {
        assert!(matches!(retry(&RetryFacts { state, ..facts() }), Err(NoRetry::Ever(_))), "{state:?}");
    }
    let runs: Vec<RunState> = RunState::ALL.into_iter().filter(|run| takes_retries(*run)).collect();
    use RunState as R;
    assert_eq!(runs, [R::Running, R::Pausing, R::Paused, R::Completed, R::CompletedWithFailures]);
}

#[test]
fn only_what_passes_is_tried_again_by_itself_and_once() {
    for code in ["balance_insufficient", "insufficient_funds", "payouts_limit_exceeded", "rate_limit"] {
        assert!(is_transient_code(code) && !is_bank_code(code), "{code}");
        assert!(retries_by_itself(code, 1) && !retries_by_itself(code, 2), "{code}");
    }
    for code in ["", "?", "no_account", "could_not_process", "payouts_not_allowed", "invalid_request_error"] {
        assert!(!retries_by_itself(code, 1), "{code}");
    }
}

#[test]
fn a_bank_is_blamed_at_once_a_passing_cause_never_and_others_three_times_in_a_row() {
    let row = |causes: &[&str]| {
        causes.iter().map(|cause| Some(*cause).filter(|c| !c.is_empty()).map(str::to_owned)).collect::<Vec<_>>()
    };
    let other = "payouts_not_allowed";
    for (cause, before, said) in [
        ("no_account", vec![], Blame::Bank),
        ("balance_insufficient", vec![other, other, other], Blame::Nobody),
        (other, vec![], Blame::Nobody),
        (other, vec![other], Blame::Nobody),
        (other, vec![other, other], Blame::Refusals),
        (other, vec![other, "balance_insufficient", other], Blame::Refusals),
        (other, vec![other, "", other], Blame::Nobody),
        (other, vec![other, "account_closed", other], Blame::Nobody),
    ] {
        assert_eq!(blame(cause, &row(&before)), said, "{cause} after {before:?}");
    }
    let causes = [Blame::Nobody, Blame::Bank, Blame::Refusals].map(Blame::hold_cause);
    assert_eq!(causes, [None, Some(BANK_HOLD), Some("refusals")], "only a new bank account lifts the bank's");
}
