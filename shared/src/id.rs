//! Names of things. Every id has a type of its own, so that a payout's id can't be passed for a run's.
//!
//! Ids from outside (creator, account, Stripe objects) are opaque text: their prefixes aren't contractual and aren't checked.
use serde::{Deserialize, Serialize};

/// Whether money is real. One database has one mode for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Real money: `sk_live_`, `rk_live_`.
    Live,
    /// Stripe's test mode, or a twin: `sk_test_`, `rk_test_`.
    Test,
}

impl Mode {
    /// The word used in the database, in keys and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// Reads what [`Mode::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// The mode that a Stripe secret key acts in, by its prefix; `None` for anything that isn't a secret or restricted key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        if key.starts_with("sk_live_") || key.starts_with("rk_live_") {
            Some(Self::Live)
        } else if key.starts_with("sk_test_") || key.starts_with("rk_test_") {
            Some(Self::Test)
        } else {
            None
        }
    }

    /// True for [`Mode::Live`]: what Stripe calls `livemode`.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// A run, `run_` + ULID. People see its [`crate::run::RunLabel`].
    RunId
);
text_id!(
    /// A payout, `pay_` + ULID.
    PayoutId
);
text_id!(
    /// A creator, by the platform's own id.
    CreatorId
);
text_id!(
    /// A Stripe connected account (`acct_…`).
    AccountId
);
text_id!(
    /// A Stripe payout object (`po_…`).
    ObjectId
);
text_id!(
    /// An external (bank) account at Stripe (`ba_…`).
    DestinationId
);

impl RunId {
    /// Makes an id of a time (Unix milliseconds) and 80 random bits (the upper 48 of `random` are ignored).
    #[must_use]
    pub fn from_parts(ms: u64, random: u128) -> Self {
        Self(format!("run_{}", ulid::Ulid::from_parts(ms, random)))
    }
}

impl PayoutId {
    /// Makes an id of a time (Unix milliseconds) and 80 random bits (the upper 48 of `random` are ignored).
    #[must_use]
    pub fn from_parts(ms: u64, random: u128) -> Self {
        Self(format!("pay_{}", ulid::Ulid::from_parts(ms, random)))
    }
}
