//! Taking a run back: what can be done about each of its payouts, in which words, and the hash over all of it that a person confirms.
use crate::{
    attempt::AttemptState,
    currency::Currency,
    id::{PayoutId, RunId},
    payout::PayoutState,
};
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// What a rollback does about a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Given up before it was sent; its earnings are free at once.
    Void,
    /// Canceled at Stripe; its earnings are free when the money is seen back.
    Cancel,
    /// Reversed at Stripe, once a second person has approved.
    Reverse,
    /// Nobody knows what became of it: found out first.
    Resolve,
    /// Nothing is possible now.
    Wait,
    /// Nothing is possible.
    Impossible,
    /// Nothing is to be done.
    Back,
}

impl Step {
    /// Every step, in the order people read them.
    pub const ALL: [Self; 7] =
        [Self::Void, Self::Cancel, Self::Reverse, Self::Resolve, Self::Wait, Self::Impossible, Self::Back];

    /// The word used in JSON and in the hash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Cancel => "cancel",
            Self::Reverse => "reverse",
            Self::Resolve => "resolve",
            Self::Wait => "wait",
            Self::Impossible => "impossible",
            Self::Back => "back",
        }
    }

    /// Reads what [`Step::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// Something is done about it once the rollback is confirmed.
    #[must_use]
    pub const fn acts(self) -> bool {
        match self {
            Self::Void | Self::Cancel | Self::Reverse | Self::Resolve => true,
            Self::Wait | Self::Impossible | Self::Back => false,
        }
    }
}

/// What is known of a payout that is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFacts {
    /// Where it stands.
    pub state: PayoutState,
    /// The country of its bank account; `None` = unknown.
    pub bank_country: Option<String>,
    /// The bank account that it went to is still the account's.
    pub bank_is_current: bool,
    /// When it should have arrived, or was made when that isn't known, Unix milliseconds.
    pub arrival_ms: i64,
    /// Its cancel, when one was asked for.
    pub cancel: Option<AttemptState>,
    /// Its reversal, when one was asked for.
    pub reverse: Option<AttemptState>,
}

/// Stripe reverses a payout for so long after its expected arrival, milliseconds.
const REVERSIBLE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Stripe reverses payouts to bank accounts in these countries.
const REVERSIBLE_COUNTRIES: [&str; 2] = ["US", "CA"];

/// What can be done about one payout, and one sentence on it.
#[must_use]
pub fn step(facts: &RowFacts, now_ms: i64) -> (Step, String) {
    let said = |step, why: &str| (step, why.to_owned());
    match facts.state {
        PayoutState::Planned => said(Step::Void, "not sent: given up, its earnings are free"),
        PayoutState::Submitting | PayoutState::Unknown => {
            said(Step::Resolve, "looked for at Stripe first: given up only when it is proven never executed")
        }
        PayoutState::Pending if facts.cancel == Some(AttemptState::Refused) => {
            said(Step::Impossible, "Stripe refused to cancel it")
        }
        PayoutState::Pending => {
            said(Step::Cancel, "canceled at Stripe; its earnings are free when the money is seen back")
        }
        PayoutState::InTransit => said(Step::Wait, "on its way to the bank: nothing is possible before it arrives"),
        PayoutState::Paid | PayoutState::Settled => paid(facts, now_ms),
        PayoutState::Reversing => said(Step::Wait, "its reversal is under way"),
        PayoutState::Reversed => {
            said(Step::Back, "reversed; its earnings are free when the bank has kept to it for 7 days")
        }
        PayoutState::Voided => said(Step::Back, "never executed"),
        PayoutState::Failed | PayoutState::Canceled | PayoutState::Returned => {
            said(Step::Back, "back already, or on its way back")
        }
    }
}

fn paid(facts: &RowFacts, now_ms: i64) -> (Step, String) {
    let never = |why: String| (Step::Impossible, why);
    let country = facts.bank_country.as_deref();
    if facts.reverse == Some(AttemptState::Refused) {
        return never("Stripe refused to reverse it".to_owned());
    }
    if facts.reverse == Some(AttemptState::Executed) {
        return never("it was reversed, and the creator's bank didn't pay: that isn't asked for again".to_owned());
    }
    if !country.is_some_and(|country| REVERSIBLE_COUNTRIES.contains(&country)) {
        let country = country.unwrap_or("an unknown country");
        return never(format!("paid to a bank account in {country}: Stripe reverses only in the US and Canada"));
    }
    if !facts.bank_is_current {
        return never("paid to a bank account that was replaced since".to_owned());
    }
    if now_ms.saturating_sub(facts.arrival_ms) >= REVERSIBLE_MS {
        return never("it arrived 90 days ago or longer: Stripe doesn't reverse it any more".to_owned());
    }
    (Step::Reverse, "debited from the creator's bank account again, once a second person has approved".to_owned())
}

/// The hash over the rows of a rollback, in the order of their ids: what is confirmed is what was shown.
#[derive(Clone, Debug)]
pub struct RollbackHash(sha2::Sha256);

impl RollbackHash {
    /// Of no row yet.
    #[must_use]
    pub fn new(run: &RunId) -> Self {
        let mut hash = sha2::Sha256::new();
        hash.update(format!("rollback of {run}\n").as_bytes());
        Self(hash)
    }

    /// One more row.
    pub fn add(&mut self, payout: &PayoutId, state: PayoutState, step: Step, amount_minor: i64, currency: Currency) {
        let row = format!("{payout} {} {} {amount_minor} {currency}\n", state.as_str(), step.as_str());
        self.0.update(row.as_bytes());
    }

    /// 64 hex digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}
