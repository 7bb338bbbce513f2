//! A version of a policy to be appended.
use payout_shared::policy::{PolicyName, PolicyValue};

/// What somebody wants to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySetting {
    /// Of which policy.
    pub name: PolicyName,
    /// What.
    pub value: PolicyValue,
    /// From when on, Unix milliseconds; `None` = now.
    pub effective_from_ms: Option<i64>,
    /// Why.
    pub reason: String,
}
