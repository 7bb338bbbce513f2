//! The gate between a cohort and the next one: how its payouts went, and whether that is good enough to go on.
use crate::{
    currency::Currency,
    money::{Money, MoneyError},
    payout::PayoutState,
};

/// Payouts with an outcome that the gate needs: of fewer, nothing can be said.
pub const NEEDED: i64 = 10;
/// Of 100 payouts with an outcome, so many are paid at least.
pub const PERCENT: i64 = 98;
/// Payouts made longer ago than this don't count, milliseconds: 30 days.
pub const WINDOW_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How payouts went: each payout once, by where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Paid or settled.
    pub paid: i64,
    /// Failed or returned.
    pub failed: i64,
    /// On their way yet.
    pub undecided: i64,
    /// The same by amount, one a currency.
    pub amounts: Vec<Amounts>,
}

/// One currency of [`Figures`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Σ paid or settled.
    pub paid: Money,
    /// Σ failed or returned.
    pub failed: Money,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// On to the next one.
    Passed,
    /// Some are on their way yet.
    Undecided,
    /// Fewer than [`NEEDED`].
    TooFew,
    /// Less than [`PERCENT`] of them are paid.
    TooManyFailed,
}

impl Verdict {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Undecided => "undecided",
            Self::TooFew => "too_few",
            Self::TooManyFailed => "too_many_failed",
        }
    }
}

impl Figures {
    /// Counts so many payouts in, which stand there and are worth so much together. Voided, canceled and reversed ones are outside.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when the sums don't fit.
    pub fn add(&mut self, state: PayoutState, count: i64, amount: Money) -> Result<(), MoneyError> {
        let zero = Money::zero(amount.currency);
        let (paid, failed) = match state {
            PayoutState::Paid | PayoutState::Settled => {
                self.paid = self.paid.saturating_add(count);
                (amount, zero)
            }
            PayoutState::Failed | PayoutState::Returned => {
                self.failed = self.failed.saturating_add(count);
                (zero, amount)
            }
            PayoutState::Planned
            | PayoutState::Submitting
            | PayoutState::Unknown
            | PayoutState::Pending
            | PayoutState::InTransit => {
                self.undecided = self.undecided.saturating_add(count);
                return Ok(());
            }
            PayoutState::Voided | PayoutState::Canceled | PayoutState::Reversing | PayoutState::Reversed => {
                return Ok(());
            }
        };
        match self.amounts.iter_mut().find(|known| known.paid.currency == amount.currency) {
            Some(known) => {
                (known.paid, known.failed) = (known.paid.plus(paid)?, known.failed.plus(failed)?);
            }
            None => {
                self.amounts.push(Amounts { paid, failed });
                self.amounts.sort_by_key(|known| known.paid.currency);
            }
        }
        Ok(())
    }

    /// Payouts with an outcome.
    #[must_use]
    pub const fn decided(&self) -> i64 {
        self.paid.saturating_add(self.failed)
    }

    /// Paid of those with an outcome, in 1/10000, rounded down; `None` when there is none.
    #[must_use]
    pub fn success_bp(&self) -> Option<i64> {
        share_bp(self.paid, self.failed)
    }

    /// The gate's verdict: every payout has an outcome, these are enough, and enough of them are paid.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (paid, decided) = (i128::from(self.paid), i128::from(self.decided()));
        let enough = paid.saturating_mul(100) >= decided.saturating_mul(i128::from(PERCENT));
        if self.undecided > 0 {
            Verdict::Undecided
        } else if self.decided() < NEEDED {
            Verdict::TooFew
        } else if enough {
            Verdict::Passed
        } else {
            Verdict::TooManyFailed
        }
    }

    /// The verdict and the figures behind it, in one sentence for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = format!("{} of {} payouts paid", self.paid, self.decided());
        let rate = self.success_bp().map_or_else(String::new, |bp| format!(" = {}", percent(bp)));
        match self.verdict() {
            Verdict::Passed => format!("passed: {of}{rate}, at least {PERCENT} % are needed"),
            Verdict::Undecided => format!(
                "not passed: {} on their way without an outcome yet; {of}{rate}, at least {PERCENT} % of {NEEDED} or more are needed",
                self.undecided
            ),
            Verdict::TooFew => {
                format!("not passed: {of}{rate}, and at least {NEEDED} payouts with an outcome are needed")
            }
            Verdict::TooManyFailed => format!("not passed: {of}{rate}, at least {PERCENT} % are needed"),
        }
    }
}

impl Amounts {
    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.paid.currency
    }

    /// Paid of what has an outcome, by amount, in 1/10000, rounded down; `None` when there is none.
    #[must_use]
    pub fn success_bp(&self) -> Option<i64> {
        share_bp(self.paid.minor, self.failed.minor)
    }
}

fn share_bp(part: i64, rest: i64) -> Option<i64> {
    let (part, rest) = (i128::from(part), i128::from(rest));
    let bp = part.checked_mul(10_000)?.checked_div(part.checked_add(rest)?)?;
    i64::try_from(bp).ok()
}

/// `97.99 %` of basis points.
fn percent(bp: i64) -> String {
    format!("{}.{:02} %", bp.checked_div(100).unwrap_or(0), bp.checked_rem(100).unwrap_or(0))
}
