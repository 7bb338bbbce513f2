//! The one transition function of runs, one small function per event. Every state is named in every one of them, and the table in
//! tests/run_states.txt is compared cell by cell.
use super::{
    RunEvent, RunStanding,
    RunState::{
        self, Aborted, Aborting, AwaitingApproval, Completed, CompletedWithFailures, Missed, Paused, Pausing, Planned,
        Planning, Running, Settled,
    },
    RunVerdict,
};

/// The one transition function of runs: every state × event, no default arm.
#[must_use]
pub const fn apply(at: RunStanding, event: RunEvent) -> RunVerdict {
    match event {
        RunEvent::FinishPlan => finish_plan(at),
        RunEvent::AskApproval => ask_approval(at.state),
        RunEvent::Approve => approve(at),
        RunEvent::Begin => begin(at),
        RunEvent::Pause => pause(at),
        RunEvent::Drain => drain(at),
        RunEvent::Resume => resume(at),
        RunEvent::Complete => complete(at.state, Completed),
        RunEvent::CompleteWithFailures => complete(at.state, CompletedWithFailures),
        RunEvent::Reopen => reopen(at.state),
        RunEvent::Settle => settle(at.state),
        RunEvent::Abort => abort(at.state),
        RunEvent::FinishAbort => finish_abort(at),
    }
}

const fn finish_plan(at: RunStanding) -> RunVerdict {
    match at.state {
        Planning => RunVerdict::Move(Planned),
        // Told to pause while its last page was decided: it stays paused, and goes on from a finished plan when resumed.
        Pausing | Paused => RunVerdict::Stale,
        Planned | AwaitingApproval | Running | Completed | CompletedWithFailures | Settled if at.plan_finished => {
            RunVerdict::Stale
        }
        // Beyond planning without a plan: broken books.
        Planned | AwaitingApproval | Running | Completed | CompletedWithFailures | Settled => RunVerdict::Illegal,
        Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

const fn ask_approval(state: RunState) -> RunVerdict {
    match state {
        Planned => RunVerdict::Move(AwaitingApproval),
        AwaitingApproval => RunVerdict::Stale,
        Planning
        | Running
        | Pausing
        | Paused
        | Completed
        | CompletedWithFailures
        | Settled
        | Missed
        | Aborting
        | Aborted => RunVerdict::Illegal,
    }
}

const fn approve(at: RunStanding) -> RunVerdict {
    match at.state {
        // To planned, not to running: only Begin starts a run, and whoever says Begin has looked at Stripe's Date.
        AwaitingApproval => RunVerdict::Move(Planned),
        // Approved before, and on its way since.
        Planned | Running | Pausing | Paused if !at.approval_missing => RunVerdict::Stale,
        Planned | Running | Pausing | Paused => RunVerdict::Illegal,
        Planning | Completed | CompletedWithFailures | Settled | Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

const fn begin(at: RunStanding) -> RunVerdict {
    match at.state {
        Planned if at.approval_missing => RunVerdict::Illegal,
        Planned => RunVerdict::Move(Running),
        Running => RunVerdict::Stale,
        Planning
        | AwaitingApproval
        | Pausing
        | Paused
        | Completed
        | CompletedWithFailures
        | Settled
        | Missed
        | Aborting
        | Aborted => RunVerdict::Illegal,
    }
}

const fn pause(at: RunStanding) -> RunVerdict {
    match at.state {
        Planning | Planned | AwaitingApproval | Running if at.in_flight == 0 => RunVerdict::Move(Paused),
        Planning | Planned | AwaitingApproval | Running => RunVerdict::Move(Pausing),
        Pausing | Paused => RunVerdict::Stale,
        Completed | CompletedWithFailures | Settled | Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

const fn drain(at: RunStanding) -> RunVerdict {
    match at.state {
        // Paused is a promise that nothing is on the wire.
        Pausing | Paused if at.in_flight > 0 => RunVerdict::Illegal,
        Pausing => RunVerdict::Move(Paused),
        Paused => RunVerdict::Stale,
        // Resumed or aborted before the last answer was counted.
        Planning | Planned | AwaitingApproval | Running | Aborting => RunVerdict::Stale,
        Completed | CompletedWithFailures | Settled | Missed | Aborted => RunVerdict::Illegal,
    }
}

const fn resume(at: RunStanding) -> RunVerdict {
    match at.state {
        Pausing | Paused if !at.plan_finished => RunVerdict::Move(Planning),
        Pausing | Paused if at.approval_missing => RunVerdict::Move(AwaitingApproval),
        Pausing | Paused => RunVerdict::Move(Running),
        Planning | Planned | AwaitingApproval | Running => RunVerdict::Stale,
        Completed | CompletedWithFailures | Settled | Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

/// `done` is one of the two completed states. The other one isn't the same thing said twice.
const fn complete(state: RunState, done: RunState) -> RunVerdict {
    match state {
        Running => RunVerdict::Move(done),
        Completed => stale_or_illegal(matches!(done, Completed)),
        CompletedWithFailures => stale_or_illegal(matches!(done, CompletedWithFailures)),
        // A paused run stays paused even when nothing is left to do: only a person resumes it.
        Pausing | Paused => RunVerdict::Illegal,
        Planning | Planned | AwaitingApproval | Settled | Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

const fn stale_or_illegal(same: bool) -> RunVerdict {
    if same { RunVerdict::Stale } else { RunVerdict::Illegal }
}

const fn reopen(state: RunState) -> RunVerdict {
    match state {
        Completed | CompletedWithFailures => RunVerdict::Move(Running),
        // Open already: the retried payout leaves with the others, or when the run is resumed.
        Running | Pausing | Paused => RunVerdict::Stale,
        Planning | Planned | AwaitingApproval | Settled | Missed | Aborting | Aborted => RunVerdict::Illegal,
    }
}

const fn settle(state: RunState) -> RunVerdict {
    match state {
        Completed | CompletedWithFailures => RunVerdict::Move(Settled),
        Settled => RunVerdict::Stale,
        Planning | Planned | AwaitingApproval | Running | Pausing | Paused | Missed | Aborting | Aborted => {
            RunVerdict::Illegal
        }
    }
}

const fn abort(state: RunState) -> RunVerdict {
    match state {
        Running | Pausing | Paused | Completed | CompletedWithFailures => RunVerdict::Move(Aborting),
        Aborting | Aborted => RunVerdict::Stale,
        // Nothing has left: pause it first, so that the preview of the rollback stays true.
        Planning | Planned | AwaitingApproval => RunVerdict::Illegal,
        Settled | Missed => RunVerdict::Illegal,
    }
}

const fn finish_abort(at: RunStanding) -> RunVerdict {
    match at.state {
        Aborting if at.in_flight > 0 => RunVerdict::Illegal,
        Aborting => RunVerdict::Move(Aborted),
        Aborted => RunVerdict::Stale,
        Planning
        | Planned
        | AwaitingApproval
        | Running
        | Pausing
        | Paused
        | Completed
        | CompletedWithFailures
        | Settled
        | Missed => RunVerdict::Illegal,
    }
}
