//! What goes in and out of the store when Stripe is asked again for what webhooks may have lost.
use payout_shared::{
    id::{AccountId, ObjectId, PayoutId, RunId},
    payout::PayoutState,
};

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SweepKind {
    /// Each account's payouts, listed.
    Payouts,
    /// What the platform was told of money (sales, refunds, disputes, transfers), as its list of events has it.
    Earnings,
}

impl SweepKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Payouts, Self::Earnings];

    /// The word used in the database, in JSON and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payouts => "payouts",
            Self::Earnings => "earnings",
        }
    }

    /// Reads what [`SweepKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How far something is swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepRow {
    /// What.
    pub kind: SweepKind,
    /// When the last sweep ended, by our clock; `None` = there was none.
    pub ended_at_ms: Option<i64>,
    /// Up to where it asked, Stripe's time.
    pub swept_ms: Option<i64>,
    /// The sweep under way asks from here on, Stripe's time.
    pub from_ms: Option<i64>,
    /// When it began, Stripe's time.
    pub began_ms: Option<i64>,
    /// Behind this it goes on.
    pub place: String,
    /// Everything from here on is wanted once more, or was.
    pub wanted_from_ms: Option<i64>,
    /// When that was asked for, by our clock.
    pub wanted_at_ms: Option<i64>,
    /// It is not done yet.
    pub is_wanted: bool,
    /// When this database was made, by our clock: nothing before it is ours to judge.
    pub started_ms: i64,
}

impl SweepRow {
    /// Everything from a moment on (or an earlier one; nothing is older than this database) was asked for once more, then or later.
    #[must_use]
    pub fn was_wanted_since(&self, since_ms: i64, from_ms: i64) -> bool {
        self.wanted_at_ms.is_some_and(|at_ms| at_ms >= since_ms)
            && self.wanted_from_ms.is_some_and(|wanted_ms| wanted_ms <= from_ms.max(self.started_ms))
    }

    /// Somebody wanted everything from this moment on (or an earlier one) asked for once more, and it was done since.
    #[must_use]
    pub fn is_swept_from(&self, from_ms: i64) -> bool {
        !self.is_wanted && self.wanted_from_ms.is_some_and(|wanted_ms| wanted_ms <= from_ms.max(self.started_ms))
    }
}

/// Whose outcome is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A payout of ours.
    Ours {
        /// Which.
        payout: PayoutId,
        /// Its run: who reads are counted for.
        run: RunId,
        /// Where it stands.
        state: PayoutState,
        /// It is settled when a look at this time of Stripe's or later shows it paid.
        settles_at_ms: i64,
    },
    /// A payout object that is none of ours, paid or not.
    Foreign {
        /// Nothing more is awaited once a look shows it paid still.
        paid: bool,
    },
}

/// A payout object to be looked at now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLook {
    /// Whose.
    pub of: Awaited,
    /// Stripe's object.
    pub object: ObjectId,
    /// On which account.
    pub account: AccountId,
    /// It was to be looked at then.
    pub look_at_ms: i64,
    /// When something was last heard of it.
    pub news_ms: i64,
    /// It didn't exist before, by our clock.
    pub created_ms: i64,
    /// The account's payouts were looked through up to here, by Stripe's time; and never before this database was there.
    pub listed_ms: i64,
    /// When this database was made.
    pub started_ms: i64,
}

/// An account whose payouts are to be listed, and up to where they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Which.
    pub account: AccountId,
    /// As in [`DueLook`].
    pub listed_ms: i64,
    /// As in [`DueLook`].
    pub started_ms: i64,
}

/// What follows for the next look at something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextLook {
    /// Whose.
    pub of: Awaited,
    /// Stripe's object.
    pub object: ObjectId,
    /// Only if it is still to be looked at then: news have set a time of their own.
    pub was_ms: i64,
    /// When; `None` = nothing more is awaited.
    pub at_ms: Option<i64>,
}

/// How much is awaited of a sweep, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepsLeft {
    /// Payouts whose look is due, counted up to a bound.
    pub payouts: i64,
    /// Accounts whose payouts are still to be listed for a wanted sweep, counted up to a bound.
    pub accounts: i64,
}
