//! Earnings: one append-only list of signed entries per purse, and which of them count for a run.
use serde::{Deserialize, Serialize};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarningKind {
    /// + net of a charge.
    Sale,
    /// − what a transfer reversal took from the account.
    Refund,
    /// + what the platform gave back of its fee.
    FeeRefund,
    /// − what a dispute puts at risk; Stripe's balance doesn't show it.
    DisputeHold,
    /// + the same, when the dispute is won or a reversal took its place.
    DisputeRelease,
    /// 0: the dispute is lost, its hold stays.
    DisputeLost,
    /// − what is kept back of a sale for a time.
    ReserveHold,
    /// + the same, when the time is over.
    ReserveRelease,
    /// − what a payout's unit leaves over; an item of that payout.
    CarryOut,
    /// + the same amount, free for the next plan.
    CarryIn,
    /// + what Stripe debited from the bank account for a negative balance.
    DebtRepaid,
    /// + by two people: a debt that is given up.
    DebtWriteoff,
    /// ± by two people.
    Adjustment,
    /// − what a payout took that was executed late, when its entries were spent otherwise.
    Overpaid,
    /// − what an instant payout costs.
    PayoutFee,
}

impl EarningKind {
    /// Every kind there is.
    pub const ALL: [Self; 15] = [
        Self::Sale,
        Self::Refund,
        Self::FeeRefund,
        Self::DisputeHold,
        Self::DisputeRelease,
        Self::DisputeLost,
        Self::ReserveHold,
        Self::ReserveRelease,
        Self::CarryOut,
        Self::CarryIn,
        Self::DebtRepaid,
        Self::DebtWriteoff,
        Self::Adjustment,
        Self::Overpaid,
        Self::PayoutFee,
    ];

    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::FeeRefund => "fee_refund",
            Self::DisputeHold => "dispute_hold",
            Self::DisputeRelease => "dispute_release",
            Self::DisputeLost => "dispute_lost",
            Self::ReserveHold => "reserve_hold",
            Self::ReserveRelease => "reserve_release",
            Self::CarryOut => "carry_out",
            Self::CarryIn => "carry_in",
            Self::DebtRepaid => "debt_repaid",
            Self::DebtWriteoff => "debt_writeoff",
            Self::Adjustment => "adjustment",
            Self::Overpaid => "overpaid",
            Self::PayoutFee => "payout_fee",
        }
    }

    /// Reads what [`EarningKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Is an entry of this amount the trace of money that came to or left Stripe's balance of the account? The others only say what of it
    /// may be paid. Of adjustments only what gives has a transfer behind it.
    #[must_use]
    pub const fn moves_money(self, amount_minor: i64) -> bool {
        match self {
            Self::Sale | Self::Refund | Self::FeeRefund | Self::DebtRepaid | Self::PayoutFee => true,
            Self::Adjustment => amount_minor > 0,
            Self::DisputeHold
            | Self::DisputeRelease
            | Self::DisputeLost
            | Self::ReserveHold
            | Self::ReserveRelease
            | Self::CarryOut
            | Self::CarryIn
            | Self::DebtWriteoff
            | Self::Overpaid => false,
        }
    }

    /// A part of a reserve: each matures by itself, whatever its sign.
    #[must_use]
    pub const fn is_reserve(self) -> bool {
        matches!(self, Self::ReserveHold | Self::ReserveRelease)
    }
}

/// What an entry says of when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maturity {
    /// What it is.
    pub kind: EarningKind,
    /// Its amount, minor units.
    pub amount_minor: i64,
    /// When it was earned, Unix milliseconds.
    pub earned_at_ms: i64,
    /// When Stripe has the money, Unix milliseconds.
    pub available_on_ms: i64,
    /// Its amount and currency are confirmed, or can't be others.
    pub is_sure: bool,
    /// The platform's transfer behind it is recorded; asked of positive adjustments only.
    pub has_transfer: bool,
}

/// Does an entry count for a run of this cutoff and instant, when earnings wait `hold_ms` (all milliseconds)?
///
/// What takes money counts at once, even after the cutoff, but for reserves; so does what an earlier payout's unit left over. The rest waits
/// for the cutoff, for Stripe and for the platform's own patience. The database asks the same of its rows.
#[must_use]
pub fn counts(entry: &Maturity, cutoff_ms: i64, instant_ms: i64, hold_ms: i64) -> bool {
    if entry.kind == EarningKind::CarryIn || (entry.amount_minor < 0 && !entry.kind.is_reserve()) {
        return true;
    }
    entry.earned_at_ms < cutoff_ms
        && entry.available_on_ms <= instant_ms
        && entry.earned_at_ms <= cutoff_ms.saturating_sub(hold_ms)
        && entry.is_sure
        && (entry.kind != EarningKind::Adjustment || entry.has_transfer)
}
