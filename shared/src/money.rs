//! Money: integer minor units with a currency beside them. No floats, no silent overflow, no sum over two currencies.
use crate::currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount of one currency; negative for what is owed. Serialises as `{"minor": 1234, "currency": "usd"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units (cents for usd, yen for jpy).
    pub minor: i64,
    /// The currency that the units are of.
    pub currency: Currency,
}

/// Why two amounts can't be combined, or a text isn't an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The sum doesn't fit.
    #[error("{0} and {1} minor units of {2} do not fit into 64 bits")]
    Overflow(i64, i64, Currency),
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added: they are different currencies")]
    CurrencyMismatch(Currency, Currency),
    /// Not a decimal number with at most the currency's decimals.
    #[error("{0:?} is not an amount of {1}: digits with at most {2} decimals are needed")]
    NotAnAmount(String, Currency, u32),
}

impl Money {
    /// So many minor units of a currency.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        self.minor.checked_add(other.minor).map(|minor| Self { minor, ..self }).ok_or(MoneyError::Overflow(
            self.minor,
            other.minor,
            self.currency,
        ))
    }

    /// The difference of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        self.minor.checked_sub(other.minor).map(|minor| Self { minor, ..self }).ok_or(MoneyError::Overflow(
            self.minor,
            other.minor,
            self.currency,
        ))
    }

    /// Reads major units ("50", "50.00", "-3.5") exactly.
    ///
    /// # Errors
    /// [`MoneyError::NotAnAmount`] for anything else, more decimals than the currency has (zeros beyond them are fine), or too much.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::NotAnAmount(text.to_owned(), currency, currency.exponent());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(wrong());
        }
        let exponent = usize::try_from(currency.exponent()).map_err(|_| wrong())?;
        let (kept, beyond) = fraction.split_at(fraction.len().min(exponent));
        if beyond.bytes().any(|byte| byte != b'0') {
            return Err(wrong());
        }
        let minor: i64 =
            format!("{}{whole}{kept:0<exponent$}", if negative { "-" } else { "" }).parse().map_err(|_| wrong())?;
        Ok(Self { minor, currency })
    }

    /// Major units with the currency's decimals and no grouping: "1234.50", "-0.05", "1200" for jpy.
    #[must_use]
    pub fn to_major(self) -> String {
        let (sign, whole, fraction) = self.parts();
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Sign, whole units and decimals, as digits.
    fn parts(self) -> (&'static str, String, String) {
        let exponent = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(exponent));
        (if self.minor < 0 { "-" } else { "" }, whole.to_owned(), fraction.to_owned())
    }
}

impl std::fmt::Display for Money {
    /// "1,234.50 USD": grouped major units, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, whole, fraction) = self.parts();
        let mut grouped = String::with_capacity(whole.len().saturating_mul(2));
        for (n, digit) in whole.chars().enumerate() {
            if n > 0 && whole.len().saturating_sub(n).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{grouped}{point}{fraction} {}", self.currency.as_str().to_ascii_uppercase())
    }
}
