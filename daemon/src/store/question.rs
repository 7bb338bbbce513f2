//! What the store is asked at size, each by its name: so that a test can hold every one of them to its indexes.
use super::{
    door_types::{CohortRow, PayoutFilter, PayoutPageRequest},
    types::{PlanContext, RunRow},
};
use payout_shared::id::{PayoutId, RunId};

/// One statement that is asked often, or of very many rows. Places are "account currency".
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// A page of a list.
    List {
        /// Of what passes it.
        filter: &'a PayoutFilter,
        /// In which order, behind which place.
        page: &'a PayoutPageRequest,
    },
    /// How many pass a filter.
    Total(&'a PayoutFilter),
    /// Where a plan's next page ends.
    PlanKeys {
        /// Whose plan.
        run: &'a RunRow,
        /// Purses of a page.
        page: i64,
    },
    /// What is decided on, from the run's place to this one.
    PlanFacts {
        /// Whose plan.
        run: &'a RunRow,
        /// The last purse of the page.
        until: &'a str,
        /// The rules.
        context: &'a PlanContext,
    },
    /// The entries that are locked into payouts.
    PlanItems {
        /// Whose plan.
        run: &'a RunRow,
        /// Into which payouts.
        payouts: &'a [PayoutId],
        /// The rules.
        context: &'a PlanContext,
    },
    /// Accounts to be read, from the run's place to this one.
    ToRead {
        /// Whose plan.
        run: &'a RunRow,
        /// The last purse of the page.
        until: &'a str,
        /// Older reads are old.
        read_before_ms: i64,
    },
    /// Accounts behind a place.
    AccountsBehind(&'a str),
    /// Payouts by state and currency.
    States(&'a RunId),
    /// Outcomes by reason.
    Reasons(&'a RunId),
    /// Causes of trouble.
    Causes(&'a RunId),
    /// Their sums.
    CauseSums(&'a RunId),
    /// The newest failures.
    NewestFailures(&'a RunId),
    /// What a run has left to do.
    WorkLeft(&'a RunId),
    /// Payouts that may leave.
    Due(&'a RunId),
    /// What the guard needs to know of these.
    Guard(&'a [PayoutId]),
    /// Unknown payouts whose time has come.
    Unresolved,
    /// What is on the wire.
    OnWire,
    /// Webhooks that nobody has looked at.
    InboxTodo,
    /// Whether one of them came before a plan.
    InboxUnseen,
    /// Payouts whose turn comes soon; those that were put back once are asked for by themselves.
    Ahead(&'a RunId, bool),
    /// How the newest answers went, bank by bank.
    Breaker(&'a RunId),
    /// How a cohort's payouts went.
    CohortFigures(&'a CohortRow),
    /// What Stripe told, waited, and needn't any more.
    Waiting,
    /// Accounts behind this one whose estimated sales can be confirmed.
    ToConfirm(&'a str),
    /// Failed payouts that are tried again by themselves now.
    Retries,
    /// A page of what a rollback would do, behind this payout.
    RollbackPage(&'a RunId, &'a str),
    /// Planned payouts of a run that is taken back.
    ToVoid(&'a RunId),
    /// Pending payouts of it that are canceled next.
    ToCancel(&'a RunId),
    /// Paid ones that are reversed next.
    ToReverse(&'a RunId),
    /// Cancels and reversals whose outcome nobody knows.
    UndoUnresolved,
    /// What is left of taking it back.
    UndoLeft(&'a RunId),
    /// Payouts to be looked at without having been told of.
    LooksDue,
    /// Objects that are none of ours, likewise.
    ForeignLooksDue,
    /// Accounts whose payouts nobody has listed for a long time, behind this place.
    Unlisted(i64, &'a str),
    /// How much is awaited of the sweeps.
    SweepsLeft,
    /// Completed runs that nothing is awaited of.
    SettledRuns,
}
