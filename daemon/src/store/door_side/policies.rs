//! Policies: what is in force, every version, and appending one.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::PolicySetting,
    types::{By, PlanContext},
};
use payout_shared::policy::{PolicyHistory, PolicyName, PolicySet, PolicyValue, Source};
use std::collections::BTreeMap;

impl Store {
    /// Every version of every policy.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Broken`] for a policy that this program doesn't know.
    pub async fn policies(&self) -> Result<PolicyHistory, StoreError> {
        on!(self, pool, sql => sql::policies::history(pool).await)
    }

    /// All values in force at a moment, Unix milliseconds. Who asks for many moments asks [`Store::policies`] once.
    ///
    /// # Errors
    /// As [`Store::policies`].
    pub async fn policy_at(&self, at_ms: i64) -> Result<PolicySet, StoreError> {
        Ok(self.policies().await?.at(at_ms))
    }

    /// What a plan, a dry run or a guard is judged under now.
    ///
    /// # Errors
    /// As [`Store::policies`].
    pub async fn plan_context(&self) -> Result<PlanContext, StoreError> {
        let now_ms = self.clock.now_ms();
        let policies = self.policy_at(now_ms).await?;
        Ok(PlanContext::new(policies, self.state().await?.default_currency, now_ms))
    }

    /// Appends a person's version of a policy; gives the journal's number. A crash before the commit changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a moment that is over, or days that don't fit into Stripe's holding limit;
    /// [`StoreError::Database`].
    pub async fn set_policy(&self, setting: &PolicySetting, by: &By) -> Result<i64, StoreError> {
        plain("the reason", &setting.reason)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::policies::set(pool, now_ms, setting, by, Source::Person).await)
    }

    /// At a start: appends what the configuration says otherwise than at the last one, and defaults that are new. Gives a sentence for
    /// each value that can't hold and was left out. Doing it again writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn configure_policies(
        &self,
        said: &BTreeMap<PolicyName, (PolicyValue, Source)>,
    ) -> Result<Vec<String>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::policies::configure(pool, now_ms, said).await)
    }
}
