//! One money request: a kind, one idempotency key, one exact body, frozen at its first intent.
use crate::{
    currency::Currency,
    id::{AccountId, Mode},
    run::RunLabel,
};
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// What the request asks Stripe to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    /// POST /v1/payouts.
    Create,
    /// POST /v1/payouts/{id}/cancel.
    Cancel,
    /// POST /v1/payouts/{id}/reverse.
    Reverse,
}

impl AttemptKind {
    /// The word used in the database and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Cancel => "cancel",
            Self::Reverse => "reverse",
        }
    }

    /// Reads what [`AttemptKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::Cancel, Self::Reverse].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Committed; a send of it may be on the wire. These are what "in flight" counts.
    Intended,
    /// Its last send was proven not executed and none is ambiguous: the same key and bytes leave again at their time.
    Waiting,
    /// At least one send is ambiguous and none is on the wire.
    Unknown,
    /// It has an object at Stripe.
    Executed,
    /// Stripe refused it for good.
    Refused,
    /// Given up, proven unexecuted.
    Withdrawn,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Intended, Self::Waiting, Self::Unknown, Self::Executed, Self::Refused, Self::Withdrawn];

    /// The word used in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Executed => "executed",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads what [`AttemptState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What an idempotency key is derived from. A database that forgot a run derives the same keys again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyParts<'a> {
    /// Live or test.
    pub mode: Mode,
    /// The connected account that pays out.
    pub account: &'a AccountId,
    /// The purse's currency.
    pub currency: Currency,
    /// The run's label, always with its number.
    pub label: RunLabel,
    /// What is asked.
    pub kind: AttemptKind,
    /// n-th payout row of this purse in this run, voided ones counted, never reused; from 1.
    pub payout_number: u32,
    /// n-th attempt of its kind of that payout; from 1.
    pub attempt_number: u32,
}

impl KeyParts<'_> {
    /// The idempotency key: readable, ASCII, at most 255 characters. Different parts give different keys: in the account everything but
    /// letters, digits, `_`, `-` and `.` is percent-encoded, and an account too long for that is replaced by `%` and its SHA-256, which
    /// no encoded account can be.
    ///
    /// `payoutd:test:acct_1:usd:2026-12-01#1:create:1:1`
    #[must_use]
    pub fn key(&self) -> String {
        let Self { mode, account, currency, label, kind, payout_number, attempt_number } = self;
        format!(
            "{KEY_PREFIX}{}:{}:{currency}:{label}:{}:{payout_number}:{attempt_number}",
            mode.as_str(),
            encoded(account),
            kind.as_str()
        )
    }
}

/// The payout number in a key that [`KeyParts::key`] wrote.
#[must_use]
pub fn payout_number_of(key: &str) -> Option<u32> {
    key.strip_prefix(KEY_PREFIX)?.rsplit(':').nth(1)?.parse().ok()
}

/// The rest of a key takes at most 72 characters of Stripe's 255.
const ACCOUNT_MAX: usize = 180;

fn encoded(account: &AccountId) -> String {
    let mut text = String::with_capacity(account.as_str().len());
    for byte in account.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    if text.len() > ACCOUNT_MAX {
        text = format!("%{}", hex::encode(sha2::Sha256::digest(account.as_str().as_bytes())));
    }
    text
}

/// What every key of ours begins with.
pub const KEY_PREFIX: &str = "payoutd:";

/// The metadata name under which a payout at Stripe carries our key.
pub const METADATA_KEY: &str = "payoutd_key";
