//! What goes in and out of the store on the doors' side.
mod cohorts;
mod creators;
mod lists;
mod policies;
mod recorded;
mod requests;

pub use cohorts::{CohortRow, Definition, Judged, MembersDone, RolloutCount};
pub use creators::{CreatorShow, ForeignRow, PlatformRefund};
pub use lists::{
    AttemptRow, BooksReport, CauseRow, ItemRow, JournalCheck, MoneyCount, PayoutFilter, PayoutPage, PayoutPageRequest,
    PayoutRow, PayoutShow, PayoutSort, PurseTotal, RunCounts,
};
pub use policies::PolicySetting;
pub use recorded::{
    AccountRead, AccountRow, BANK_REMOVED, BankRead, EarningRow, HoldRow, ImportDone, ImportError, InboxEvent,
    InboxRow, Released, RowError,
};
pub use requests::{Approved, NewRequest, RequestRow, Yes};

use payout_shared::{
    currency::Currency,
    id::{AccountId, Mode},
    run::RunEvent,
};

/// What this database is, and what is said to the whole daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonState {
    /// Stamped at first start, for ever.
    pub mode: Mode,
    /// The platform's own account, stamped at the first good answer.
    pub platform: Option<AccountId>,
    /// Since when the schedule is armed; only cycles whose instant lies after it are due.
    pub armed_at_ms: Option<i64>,
    /// Everything is told to pause.
    pub paused: bool,
    /// Why.
    pub pause_reason: Option<String>,
    /// Who.
    pub paused_by: Option<String>,
    /// When.
    pub paused_at_ms: Option<i64>,
    /// Only creators of the beta are paid.
    pub beta_open: bool,
    /// What creators' own minimums are in.
    pub default_currency: Currency,
    /// These books were restored from a backup and haven't caught up with Stripe: nothing is planned or leaves.
    pub kept_back: bool,
}

/// Something that may be so already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The journal's number of it; of its newest row when nothing was to be done.
    pub seq: i64,
    /// It was so already: nothing was written.
    pub already: bool,
}

/// What a run's event asks of it, as the end of "it cannot be …".
#[must_use]
pub(in crate::store) const fn event_participle(event: RunEvent) -> &'static str {
    match event {
        RunEvent::FinishPlan => "marked as planned",
        RunEvent::AskApproval => "put up for approval",
        RunEvent::Approve => "approved",
        RunEvent::Begin => "begun",
        RunEvent::Pause => "paused",
        RunEvent::Drain => "drained",
        RunEvent::Resume => "resumed",
        RunEvent::Complete | RunEvent::CompleteWithFailures => "completed",
        RunEvent::Reopen => "reopened",
        RunEvent::Settle => "settled",
        RunEvent::Abort => "aborted",
        RunEvent::FinishAbort => "marked as aborted",
    }
}
