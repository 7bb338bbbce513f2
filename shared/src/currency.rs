//! Currencies: the three-letter code, how many decimals people write, and the step a payout's amount must be a multiple of.
use serde::{Deserialize, Serialize};

/// A currency by its ISO 4217 code, kept in lower case as Stripe writes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// The text isn't three ASCII letters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a currency: three letters such as \"usd\" are needed")]
pub struct NotACurrency(pub String);

impl Currency {
    /// Reads a code in either case.
    ///
    /// # Errors
    /// [`NotACurrency`] when the text isn't three ASCII letters. Whether Stripe pays out in it isn't judged here.
    pub fn parse(text: &str) -> Result<Self, NotACurrency> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|l| l.is_ascii_alphabetic()) => {
                Ok(Self([a.to_ascii_lowercase(), b.to_ascii_lowercase(), c.to_ascii_lowercase()]))
            }
            _ => Err(NotACurrency(text.to_owned())),
        }
    }

    /// The code in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII letters by construction.
        std::str::from_utf8(&self.0).unwrap_or("xxx")
    }

    /// Decimals between the minor unit and what people read: 2 for usd, 0 for jpy, 3 for kwd.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"bif" | b"clp" | b"djf" | b"gnf" | b"jpy" | b"kmf" | b"krw" | b"mga" | b"pyg" | b"rwf" | b"vnd"
            | b"vuv" | b"xaf" | b"xof" | b"xpf" => 0,
            b"bhd" | b"jod" | b"kwd" | b"omr" | b"tnd" => 3,
            _ => 2,
        }
    }

    /// A payout's amount must be a multiple of this many minor units (100 for HUF, TWD, ISK, UGX; 10 with three decimals).
    #[must_use]
    pub fn unit(&self) -> i64 {
        match &self.0 {
            b"huf" | b"twd" | b"isk" | b"ugx" => 100,
            _ if self.exponent() == 3 => 10,
            _ => 1,
        }
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Currency {
    type Error = NotACurrency;

    fn try_from(text: String) -> Result<Self, NotACurrency> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}
