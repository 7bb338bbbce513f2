//! The work of one cycle, or what an operator asked for, as a state machine.
use jiff::civil;
use serde::{Deserialize, Serialize};

mod transition;
pub use transition::apply;

/// Who asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The schedule: unique per cycle for ever, always #1.
    Scheduled,
    /// An operator, from #2 on.
    Manual,
}

impl RunKind {
    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
        }
    }

    /// Reads what [`RunKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "scheduled" => Some(Self::Scheduled),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }
}

/// What people call a run: `2026-12-01#1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunLabel {
    /// The cycle's civil date, or for a run without a cycle the date it was asked for, in the payout zone.
    pub date: civil::Date,
    /// 1 for the scheduled run, from 2 on for others.
    pub number: u32,
}

impl std::fmt::Display for RunLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.date, self.number)
    }
}

impl RunLabel {
    /// Reads `2026-12-01#1`, and nothing else that a date or a number could be written as: keys are derived from labels, so that a
    /// label has one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, number) = text.split_once('#')?;
        let label = Self { date: date.parse().ok()?, number: number.parse().ok().filter(|n| *n > 0)? };
        (label.to_string() == text).then_some(label)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Purses are being decided, page by page.
    Planning,
    /// Every purse has its outcome; nothing has left.
    Planned,
    /// Above the configured sum: two people are needed.
    AwaitingApproval,
    /// Sending.
    Running,
    /// Nothing more leaves; answers of what is on the wire are awaited.
    Pausing,
    /// Nothing is on the wire and nothing will leave.
    Paused,
    /// No payout is planned, submitting or unknown, and none failed.
    Completed,
    /// The same, and some failed.
    CompletedWithFailures,
    /// All its payouts are terminal.
    Settled,
    /// Its instant passed too long ago to catch up.
    Missed,
    /// Being rolled back.
    Aborting,
    /// Rolled back.
    Aborted,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Planning,
        Self::Planned,
        Self::AwaitingApproval,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Completed,
        Self::CompletedWithFailures,
        Self::Settled,
        Self::Missed,
        Self::Aborting,
        Self::Aborted,
    ];

    /// The word used in the database, in JSON and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Planned => "planned",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::CompletedWithFailures => "completed_with_failures",
            Self::Settled => "settled",
            Self::Missed => "missed",
            Self::Aborting => "aborting",
            Self::Aborted => "aborted",
        }
    }

    /// Reads what [`RunState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Planning, planned, awaiting approval, running, pausing, paused, aborting: it may still do something by itself or when told.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Planning
            | Self::Planned
            | Self::AwaitingApproval
            | Self::Running
            | Self::Pausing
            | Self::Paused
            | Self::Aborting => true,
            Self::Completed | Self::CompletedWithFailures | Self::Settled | Self::Missed | Self::Aborted => false,
        }
    }
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// The last page of purses is decided. A run that was told to pause meanwhile is paused already.
    FinishPlan,
    /// The plan's sum needs two people.
    AskApproval,
    /// Two people agreed.
    Approve,
    /// Begin to send.
    Begin,
    /// An operator, or a breaker.
    Pause,
    /// Nothing is in flight any more.
    Drain,
    /// An operator.
    Resume,
    /// No payout is planned, submitting or unknown; none failed.
    Complete,
    /// The same; some failed.
    CompleteWithFailures,
    /// A retry of one of its payouts.
    Reopen,
    /// All its payouts are terminal.
    Settle,
    /// A rollback was confirmed.
    Abort,
    /// The rollback has done all it can.
    FinishAbort,
}

impl RunEvent {
    /// Every event.
    pub const ALL: [Self; 13] = [
        Self::FinishPlan,
        Self::AskApproval,
        Self::Approve,
        Self::Begin,
        Self::Pause,
        Self::Drain,
        Self::Resume,
        Self::Complete,
        Self::CompleteWithFailures,
        Self::Reopen,
        Self::Settle,
        Self::Abort,
        Self::FinishAbort,
    ];

    /// The word used in the journal (`run.pause`) and in the hand-written table of transitions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FinishPlan => "finish_plan",
            Self::AskApproval => "ask_approval",
            Self::Approve => "approve",
            Self::Begin => "begin",
            Self::Pause => "pause",
            Self::Drain => "drain",
            Self::Resume => "resume",
            Self::Complete => "complete",
            Self::CompleteWithFailures => "complete_with_failures",
            Self::Reopen => "reopen",
            Self::Settle => "settle",
            Self::Abort => "abort",
            Self::FinishAbort => "finish_abort",
        }
    }
}

/// Where a run stands when an event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunStanding {
    /// Its state.
    pub state: RunState,
    /// Every purse has its outcome. A run paused while planning goes back to planning when resumed, one paused while
    /// planned or later goes on.
    pub plan_finished: bool,
    /// It needs two people and hasn't had them: it goes back to awaiting approval when resumed.
    pub approval_missing: bool,
    /// Money requests of it that are on the wire. A pause with none is a pause at once.
    pub in_flight: u64,
}

/// What the transition function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunVerdict {
    /// It goes to this state.
    Move(RunState),
    /// It is so already.
    Stale,
    /// It can't happen: refused with a message, recorded.
    Illegal,
}
