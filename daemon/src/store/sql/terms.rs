//! The policies that sales are booked by: those in force when each was earned.
use super::{Tx, policies};
use crate::store::StoreError;
use payout_shared::{
    entries::Reserve,
    policy::{Policy, PolicyHistory, PolicyName},
};

const DAY_MS: i64 = 86_400_000;

/// What was in force when.
pub(super) struct Terms(PolicyHistory);

impl Terms {
    /// As a transaction sees them.
    pub(super) async fn read(tx: &mut Tx) -> Result<Self, StoreError> {
        Ok(Self(policies::history_in(tx).await?))
    }

    fn number(&self, policy: Policy, at_ms: i64) -> Option<i64> {
        self.0.in_force(PolicyName::whole(policy), at_ms).map_or(policy.default_value(), |version| version.value).number()
    }

    fn days_ms(&self, policy: Policy, at_ms: i64) -> i64 {
        self.number(policy, at_ms).unwrap_or(0).saturating_mul(DAY_MS)
    }

    /// Is anything ever kept back?
    pub(super) fn keeps(&self) -> bool {
        let says = |version: &payout_shared::policy::PolicyVersion| {
            version.name.policy == Policy::ReservePercent && version.value.number().is_some_and(|bp| bp > 0)
        };
        self.0.versions().iter().any(says)
    }

    /// What is kept back of a sale earned then.
    pub(super) fn reserve(&self, earned_at_ms: i64) -> Reserve {
        Reserve {
            basis_points: self.number(Policy::ReservePercent, earned_at_ms).unwrap_or(0),
            wait_ms: self.days_ms(Policy::ReserveDays, earned_at_ms),
        }
    }

    /// When a sale earned then is expected on the balance.
    pub(super) fn expected_ms(&self, earned_at_ms: i64) -> i64 {
        earned_at_ms.saturating_add(self.days_ms(Policy::SettlementDays, earned_at_ms))
    }
}
