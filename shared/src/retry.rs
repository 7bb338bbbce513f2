//! Trying a failed payout again: when a person may, and when it happens by itself. A retry is a new create attempt of the same payout, of
//! the same items and the same amount, under a new key.
use crate::{
    answer::{is_bank_code, is_transient_code},
    money::Money,
    payout::PayoutState,
    plan::SkipReason,
    run::RunState,
};

/// Create attempts that a payout has at most: a third would hide what is wrong.
pub const CREATES_MAX: i64 = 2;
/// A passing cause gets so long to pass before the payout is tried again by itself, milliseconds.
pub const RETRY_AFTER_MS: i64 = 15 * 60 * 1000;
/// Longer after its failure nothing is tried again by itself, milliseconds: the next run pays it.
pub const RETRY_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;
/// So many refusals in a row hold the creator.
pub const REFUSALS_MAX: usize = 3;

/// Everything that is asked before a payout is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryFacts {
    /// Where it stands.
    pub state: PayoutState,
    /// Where its run stands.
    pub run: RunState,
    /// Create attempts so far.
    pub creates: i64,
    /// Its items are free: nothing was executed, or the money was seen back.
    pub released: bool,
    /// A request of it may still be on the wire, as far as is stored.
    pub on_wire: bool,
    /// Items of it that another payout has by now.
    pub items_gone: i64,
    /// What it is to pay.
    pub amount: Money,
    /// Σ of what is free and counts in its purse.
    pub payable_minor: i64,
    /// An entry that takes money back came in after it.
    pub new_negative: bool,
    /// The purse has another payout on its way.
    pub active_payout: Option<String>,
    /// Why nothing may be paid to this purse now.
    pub barred: Option<(SkipReason, String)>,
}

/// Why a payout isn't tried again: for now, or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRetry {
    /// It may be possible later.
    Yet(String),
    /// It never will be: what is free is paid by a later run.
    Ever(String),
}

impl NoRetry {
    /// The sentence for people.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Yet(why) | Self::Ever(why) => why,
        }
    }
}

/// May it be tried again now?
///
/// # Errors
/// [`NoRetry`] with one sentence.
pub fn retry(facts: &RetryFacts) -> Result<(), NoRetry> {
    let ever = |why: &str| Err(NoRetry::Ever(why.to_owned()));
    if facts.state != PayoutState::Failed {
        let state = facts.state.as_str().replace('_', " ");
        return Err(NoRetry::Ever(format!("it is {state}: only a failed payout is tried again")));
    }
    if !takes_retries(facts.run) {
        let run = facts.run.as_str().replace('_', " ");
        return Err(NoRetry::Ever(format!("its run is {run}: nothing of it is sent any more")));
    }
    if facts.creates >= CREATES_MAX {
        return ever("it was tried twice already: what is free is paid by a later run");
    }
    if facts.on_wire {
        return Err(NoRetry::Yet("a request of it is still on the wire: its answer comes first".to_owned()));
    }
    if !facts.released {
        return Err(NoRetry::Yet("its money wasn't seen back at Stripe yet".to_owned()));
    }
    if facts.items_gone > 0 {
        return ever("another payout has some of its earnings by now");
    }
    if let Some(active) = &facts.active_payout {
        return Err(NoRetry::Yet(format!("payout {active} of the same purse is still on its way")));
    }
    if facts.new_negative {
        return ever("money was taken back from its purse since: a later run pays what is left");
    }
    if facts.payable_minor < facts.amount.minor {
        let payable = Money::new(facts.payable_minor, facts.amount.currency);
        return Err(NoRetry::Yet(format!("only {payable} of its {} is payable now", facts.amount)));
    }
    match &facts.barred {
        Some((_, sentence)) => Err(NoRetry::Yet(sentence.clone())),
        None => Ok(()),
    }
}

/// Does a run in this state send what is tried again? A completed one is opened again by it.
#[must_use]
pub const fn takes_retries(run: RunState) -> bool {
    match run {
        RunState::Running
        | RunState::Pausing
        | RunState::Paused
        | RunState::Completed
        | RunState::CompletedWithFailures => true,
        RunState::Planning
        | RunState::Planned
        | RunState::AwaitingApproval
        | RunState::Settled
        | RunState::Missed
        | RunState::Aborting
        | RunState::Aborted => false,
    }
}

/// A payout that failed for this cause is tried again by itself after [`RETRY_AFTER_MS`].
#[must_use]
pub fn retries_by_itself(cause: &str, creates: i64) -> bool {
    is_transient_code(cause) && creates < CREATES_MAX
}

/// How a failure is held against its creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Not at all.
    Nobody,
    /// Held until the bank account changes.
    Bank,
    /// Held until a person has looked: several refusals in a row.
    Refusals,
}

impl Blame {
    /// The hold's cause.
    #[must_use]
    pub const fn hold_cause(self) -> Option<&'static str> {
        match self {
            Self::Nobody => None,
            Self::Bank => Some(BANK_HOLD),
            Self::Refusals => Some("refusals"),
        }
    }
}

/// The cause of the hold that a failure of the bank account places, and its change lifts.
pub const BANK_HOLD: &str = "bank_failure";

/// Who is to blame for a failure of this cause? `before`: the causes of the creator's attempts before it, newest first, `None` for one that
/// went well. A passing cause never counts against a creator, and a good attempt ends a row of bad ones.
#[must_use]
pub fn blame(cause: &str, before: &[Option<String>]) -> Blame {
    if is_bank_code(cause) {
        return Blame::Bank;
    }
    if is_transient_code(cause) {
        return Blame::Nobody;
    }
    let counts = |earlier: &&Option<String>| earlier.as_deref().is_none_or(|cause| !is_transient_code(cause));
    let row =
        before.iter().filter(counts).take_while(|earlier| earlier.as_deref().is_some_and(|cause| !is_bank_code(cause)));
    if row.count().saturating_add(1) >= REFUSALS_MAX { Blame::Refusals } else { Blame::Nobody }
}
