//! Earnings: one append-only list of signed entries per purse.
use serde::{Deserialize, Serialize};

/// What an entry is. Its sign and identity are money's rules, see docs/money in architecture.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarningKind {
    /// + net of a charge.
    Sale,
    /// − what a transfer reversal took from the account.
    Refund,
    /// − what a payout's unit leaves over; an item of that payout.
    CarryOut,
    /// + the same amount, free for the next plan.
    CarryIn,
    /// ± by two people.
    Adjustment,
}

impl EarningKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Sale, Self::Refund, Self::CarryOut, Self::CarryIn, Self::Adjustment];

    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::CarryOut => "carry_out",
            Self::CarryIn => "carry_in",
            Self::Adjustment => "adjustment",
        }
    }

    /// Reads what [`EarningKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
