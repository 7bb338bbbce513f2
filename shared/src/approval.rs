//! What needs two people: which runs, what is asked for exactly, and who counts as two.
use crate::{currency::Currency, money::Money, policy::PolicySet};
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// People that have to agree.
pub const PEOPLE: usize = 2;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// A run above a bound is to leave.
    Run,
    /// One payout over the cap, or to a bank account that was changed a short time ago.
    Override,
    /// An entry that nothing at Stripe explains.
    Adjustment,
    /// Paid payouts of a run that is taken back are debited from their bank accounts again.
    Reversal,
    /// An unknown payout was not paid.
    NotPaid,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Run, Self::Override, Self::Adjustment, Self::Reversal, Self::NotPaid];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Override => "override",
            Self::Adjustment => "adjustment",
            Self::Reversal => "reversal",
            Self::NotPaid => "not_paid",
        }
    }

    /// Reads what [`RequestKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// People are awaited.
    Open,
    /// Two people agreed; what it needs beside them isn't there yet.
    Approved,
    /// It is done.
    Applied,
    /// Somebody said no.
    Rejected,
    /// What it asked for isn't what is there any more.
    Expired,
}

impl RequestState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Approved, Self::Applied, Self::Rejected, Self::Expired];

    /// The word used in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    /// Reads what [`RequestState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The hash of what is asked: whoever approves says it again, so that nobody agrees to something else than they saw. 16 hex digits.
#[must_use]
pub fn hash(kind: RequestKind, subject: &str, detail: &str) -> String {
    let mut hasher = sha2::Sha256::new();
    for field in [kind.as_str(), subject, detail] {
        // A length before each text: no two requests have the same bytes.
        hasher.update(format!("{}:{field}", field.len()).as_bytes());
    }
    hex::encode(hasher.finalize()).chars().take(16).collect()
}

/// Whether this person's yes counts, and whether it is enough. `asked_by` is the person who asked; nobody, for a schedule.
///
/// # Errors
/// One sentence, when the same person said it before.
pub fn count_yes(asked_by: Option<u32>, before: &[u32], now: u32) -> Result<bool, String> {
    if asked_by == Some(now) {
        return Err("whoever asked is the first of two people: another one has to approve".to_owned());
    }
    if before.contains(&now) {
        return Err("you have approved it already: another person has to".to_owned());
    }
    let people: BTreeSet<u32> = before.iter().copied().chain(asked_by).chain([now]).collect();
    Ok(people.len() >= PEOPLE)
}

/// Why a run needs two people, a sentence for each bound that it passes. `last` is what the last completed cycle came to; `None` = there
/// was none. Empty: it needs nobody.
#[must_use]
pub fn bounds_passed(policies: &PolicySet, sums: &[Money], last: Option<&[Money]>) -> Vec<String> {
    let mut why = Vec::new();
    let last: Option<BTreeMap<Currency, i64>> =
        last.map(|sums| sums.iter().map(|money| (money.currency, money.minor)).collect());
    for sum in sums.iter().filter(|sum| sum.minor > 0) {
        let over = |bound: Option<Money>| bound.filter(|bound| sum.minor > bound.minor);
        if let Some(bound) = over(policies.run_cap(sum.currency)) {
            why.push(format!("{sum} is over the cap of {bound} per run"));
        }
        if let Some(bound) = over(policies.approval_above(sum.currency)) {
            why.push(format!("{sum} is above {bound}, from which on two people approve"));
        }
        let (Some(last), Some(growth_bp)) = (&last, policies.growth_cap_bp()) else { continue };
        let before = last.get(&sum.currency).copied().unwrap_or(0);
        // 128 bits: no product of two amounts that fit overflows.
        let most = i128::from(before).saturating_mul(i128::from(growth_bp).saturating_add(10_000));
        if i128::from(sum.minor).saturating_mul(10_000) > most {
            let (percent, rest) = (growth_bp.checked_div(100).unwrap_or(0), growth_bp.checked_rem(100).unwrap_or(0));
            let rest = if rest == 0 { String::new() } else { format!(".{rest:0>2}") };
            why.push(format!(
                "{sum} is more than {percent}{rest} % above the {} of the last completed cycle",
                Money::new(before, sum.currency)
            ));
        }
    }
    why
}

/// Whether what a run comes to now is at most what two people approved, in each currency.
#[must_use]
pub fn is_within(approved: &[Money], now: &[Money]) -> bool {
    now.iter()
        .all(|sum| sum.minor <= 0 || approved.iter().any(|one| one.currency == sum.currency && sum.minor <= one.minor))
}
