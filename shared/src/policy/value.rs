//! Values of policies: read strictly, written in one way, and said with their unit.
use super::name::PolicyName;
use crate::{currency::Currency, money::Money};

/// What is done when Stripe's balance is short of what is payable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// The oldest earnings that fit are paid.
    Fifo,
    /// Nothing is paid.
    Skip,
}

/// What a policy's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Money, written in major units; `none` = no such bound.
    Amount,
    /// Percent, with at most two decimals; kept in basis points.
    BasisPoints {
        /// The most.
        max: i64,
        /// `none` is a value.
        may_be_none: bool,
    },
    /// Days.
    Days {
        /// The most.
        max: i64,
    },
    /// So many.
    Count {
        /// The most.
        max: i64,
    },
    /// `fifo` or `skip`.
    Word,
}

impl Measure {
    /// For lists and JSON.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::BasisPoints { .. } => "percent",
            Self::Days { .. } => "days",
            Self::Count { .. } => "payouts",
            Self::Word => "",
        }
    }
}

/// A value: minor units, basis points, days or a count; a word; or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyValue {
    /// No bound.
    None,
    /// In the unit that the policy's [`Measure`] says.
    Number(i64),
    /// Of `short`.
    Short(Short),
}

impl PolicyValue {
    /// The number, when it is one.
    #[must_use]
    pub const fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::None | Self::Short(_) => None,
        }
    }

    /// Reads a value of this policy: an amount in major units, a percentage, days, a count, or `none`.
    ///
    /// # Errors
    /// One sentence that says what is needed.
    pub fn parse(name: PolicyName, text: &str) -> Result<Self, String> {
        let text = text.trim();
        match (name.policy.measure(), name.currency) {
            (Measure::Amount | Measure::BasisPoints { may_be_none: true, .. }, _) if text == "none" => Ok(Self::None),
            (Measure::Amount, Some(currency)) => amount(text, currency).map(Self::Number),
            (Measure::Amount, None) => Err(format!("{name} has no currency: write {}", name.policy.template())),
            (Measure::BasisPoints { max, may_be_none }, _) => {
                let or_none = if may_be_none { ", or none" } else { "" };
                let most = max.checked_div(100).unwrap_or(max);
                basis_points(text).filter(|bp| *bp <= max).map(Self::Number).ok_or_else(|| {
                    format!("{name} is a percentage from 0 to {most} with at most two decimals, as in 10 or 2.5{or_none}; {text:?} is none")
                })
            }
            (Measure::Days { max }, _) => whole(text, max)
                .map(Self::Number)
                .ok_or_else(|| format!("{name} is a number of days from 0 to {max}; {text:?} is none")),
            (Measure::Count { max }, _) => whole(text, max)
                .map(Self::Number)
                .ok_or_else(|| format!("{name} is a whole number from 0 to {max}; {text:?} is none")),
            (Measure::Word, _) => match text {
                "fifo" => Ok(Self::Short(Short::Fifo)),
                "skip" => Ok(Self::Short(Short::Skip)),
                _ => Err(format!("{name} is fifo or skip; {text:?} is neither")),
            },
        }
    }

    /// As it is stored, and as [`PolicyValue::parse`] reads it.
    #[must_use]
    pub fn text(self, name: PolicyName) -> String {
        match (self, name.policy.measure(), name.currency) {
            (Self::None, _, _) => "none".to_owned(),
            (Self::Short(Short::Fifo), _, _) => "fifo".to_owned(),
            (Self::Short(Short::Skip), _, _) => "skip".to_owned(),
            (Self::Number(minor), Measure::Amount, Some(currency)) => Money::new(minor, currency).to_major(),
            (Self::Number(bp), Measure::BasisPoints { .. }, _) => percent(bp),
            (Self::Number(number), _, _) => number.to_string(),
        }
    }

    /// For people: with its unit.
    #[must_use]
    pub fn words(self, name: PolicyName) -> String {
        let text = self.text(name);
        match (self, name.policy.measure(), name.currency) {
            (Self::None | Self::Short(_), _, _) => text,
            (Self::Number(minor), Measure::Amount, Some(currency)) => Money::new(minor, currency).to_string(),
            (Self::Number(_), Measure::BasisPoints { .. }, _) => format!("{text} %"),
            (Self::Number(_), Measure::Days { .. }, _) => format!("{text} days"),
            (Self::Number(_), Measure::Count { .. } | Measure::Amount | Measure::Word, _) => text,
        }
    }
}

fn amount(text: &str, currency: Currency) -> Result<i64, String> {
    let money = Money::parse_major(text, currency).map_err(|error| error.to_string())?;
    if money.minor < 0 {
        return Err(format!("{text:?} is negative: an amount of at least 0 is needed, or none"));
    }
    Ok(money.minor)
}

fn whole(text: &str, max: i64) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= max)
}

/// "2.5" is 250.
fn basis_points(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || text.ends_with('.') || !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

/// 250 is "2.5".
fn percent(bp: i64) -> String {
    let digits = format!("{bp:0>3}");
    let (whole, part) = digits.split_at(digits.len().saturating_sub(2));
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}
