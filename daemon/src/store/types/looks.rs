//! What goes in and out of the store when purses are looked at before their payouts leave.
use payout_shared::{
    currency::Currency,
    id::{AccountId, PayoutId},
    money::Money,
};

/// A planned payout whose turn comes soon, and what is known for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Which.
    pub payout_id: PayoutId,
    /// Its account.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// Its purse was looked at a short time ago: it may leave on that.
    pub checked: bool,
    /// What is known of the account is old.
    pub account_old: bool,
    /// The account's payouts were looked through up to here: the next look begins here, Unix milliseconds by Stripe's time.
    pub listed_ms: i64,
}

/// What one look at an account said of its purses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountCheck {
    /// Which.
    pub account: AccountId,
    /// When it was begun, Unix milliseconds by our clock.
    pub read_at_ms: i64,
    /// Stripe's time then.
    pub stripe_ms: i64,
    /// Each currency with what is available and what is pending, minor units.
    pub purses: Vec<(Currency, i64, i64)>,
    /// Why nothing could be read: the purses' amounts say nothing then.
    pub failed: Option<String>,
}

/// Reads that a run has asked of Stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCount {
    /// Of accounts: singly, or a page of them.
    pub accounts: i64,
    /// Of balances.
    pub balances: i64,
    /// Pages of payouts.
    pub listings: i64,
}

impl ReadCount {
    /// Nothing was read.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// All of them.
    #[must_use]
    pub const fn all(self) -> i64 {
        self.accounts.saturating_add(self.balances).saturating_add(self.listings)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            accounts: self.accounts.saturating_add(other.accounts),
            balances: self.balances.saturating_add(other.balances),
            listings: self.listings.saturating_add(other.listings),
        }
    }
}

/// A purse where Stripe holds more or less than the books say, beyond the tolerance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Its account.
    pub account: AccountId,
    /// What Stripe holds beyond the books; below 0 it holds less.
    pub amount: Money,
}
