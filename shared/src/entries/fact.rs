//! One object of Stripe's as last told, and how news of it are laid over what is known: the same whatever came first.
use crate::{currency::Currency, id::AccountId};

/// What a fact is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// A destination charge that succeeded.
    Sale,
    /// A transfer reversal.
    Reversal,
    /// A refund of the platform's fee.
    FeeRefund,
    /// A dispute or an inquiry.
    Dispute,
    /// A refund to the customer. What it takes from the creator is its reversal; without one it is the platform's.
    Refund,
    /// A payout with a negative amount that Stripe made by itself.
    Debit,
}

impl FactKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Sale, Self::Reversal, Self::FeeRefund, Self::Dispute, Self::Refund, Self::Debit];

    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Reversal => "reversal",
            Self::FeeRefund => "fee_refund",
            Self::Dispute => "dispute",
            Self::Refund => "refund",
            Self::Debit => "debit",
        }
    }

    /// Reads what [`FactKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Stripe's word for the object: the source of entries made of it.
    #[must_use]
    pub const fn source_type(self) -> &'static str {
        match self {
            Self::Sale => "charge",
            Self::Reversal => "transfer_reversal",
            Self::FeeRefund => "fee_refund",
            Self::Dispute => "dispute",
            Self::Refund => "refund",
            Self::Debit => "payout",
        }
    }
}

/// How a dispute stands, as far as money is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DisputeState {
    /// A question of the bank's: no money moves.
    Inquiry,
    /// The money is at risk.
    Open,
    /// Decided for the platform, or given up by the bank.
    Won,
    /// Decided for the customer.
    Lost,
}

impl DisputeState {
    /// Reads Stripe's word. One that nobody knows yet is a dispute that is open.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            word if word.starts_with("warning_") => Self::Inquiry,
            "won" | "prevented" | "charge_refunded" => Self::Won,
            "lost" => Self::Lost,
            _ => Self::Open,
        }
    }

    /// Closed outranks open, open outranks an inquiry: Stripe's events come in any order.
    const fn rank(self) -> u8 {
        match self {
            Self::Inquiry => 0,
            Self::Open => 1,
            Self::Won | Self::Lost => 2,
        }
    }
}

/// One object of Stripe's as last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its id: `ch_…`, `trr_…`, `fr_…`, `dp_…`, `re_…`, `po_…`.
    pub id: String,
    /// What it is.
    pub kind: FactKind,
    /// The platform's charge that it is about.
    pub charge: Option<String>,
    /// The account that it is about, where it names one.
    pub account: Option<AccountId>,
    /// The transfer that it is about; of a refund the reversal that came with it.
    pub transfer: Option<String>,
    /// What its amounts are of.
    pub currency: Currency,
    /// How much: of a sale what the customer paid, of a debit below 0. Minor units.
    pub amount_minor: i64,
    /// Of a sale: the platform's part.
    pub fee_minor: i64,
    /// Of a sale: what was transferred of the charge, the platform's part included.
    pub moved_minor: i64,
    /// Stripe's word, where it has one.
    pub status: String,
    /// When it came to be, Unix milliseconds by Stripe's clock.
    pub at_ms: i64,
    /// When Stripe said that status.
    pub said_ms: i64,
    /// When the money comes, where it says that; the latest that was said.
    pub due_ms: Option<i64>,
    /// The object that the account's balance transaction names.
    pub balance_source: Option<String>,
    /// How much that moved on the account, in the account's currency; `None`: not confirmed.
    pub settled_minor: Option<i64>,
}

impl Fact {
    /// How a dispute stands.
    #[must_use]
    pub fn dispute(&self) -> DisputeState {
        DisputeState::of(&self.status)
    }

    /// A debit whose money didn't come, or went back.
    #[must_use]
    pub fn debit_failed(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "canceled")
    }

    /// How far its status is from where it began: what is further counts, whatever came first.
    fn rank(&self) -> u8 {
        match self.kind {
            FactKind::Dispute => self.dispute().rank(),
            FactKind::Debit => match self.status.as_str() {
                "failed" | "canceled" => 2,
                "paid" => 1,
                _ => 0,
            },
            FactKind::Sale | FactKind::Reversal | FactKind::FeeRefund | FactKind::Refund => 0,
        }
    }

    /// What is known when `news` is told of the same object: `None` when it changes nothing. Told in any order and any number the same
    /// news come to the same.
    #[must_use]
    pub fn with(&self, news: &Self) -> Option<Self> {
        let mut next = self.clone();
        let (before, after) = (
            (self.rank(), self.said_ms, self.status.as_str(), self.amount_minor),
            (news.rank(), news.said_ms, news.status.as_str(), news.amount_minor),
        );
        if after >= before {
            next.status.clone_from(&news.status);
            next.said_ms = news.said_ms;
            next.amount_minor = news.amount_minor;
        }
        // Of several the latest, so that it can't hang on which of them was told first.
        next.due_ms = self.due_ms.max(news.due_ms);
        next.at_ms = self.at_ms.min(news.at_ms);
        next.charge = self.charge.clone().or_else(|| news.charge.clone());
        next.account = self.account.clone().or_else(|| news.account.clone());
        next.transfer = self.transfer.clone().or_else(|| news.transfer.clone());
        next.balance_source = self.balance_source.clone().or_else(|| news.balance_source.clone());
        next.settled_minor = self.settled_minor.or(news.settled_minor);
        (next != *self).then_some(next)
    }
}
