//! Cohorts and tags: made, filled, opened, closed, judged.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::{CohortRow, Definition, Done, Judged, MembersDone, RolloutCount},
    types::By,
};
use payout_shared::{
    cohort::{gate, sample::Earner},
    id::CreatorId,
};

impl Store {
    /// How far the rollout is.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn rollout(&self) -> Result<RolloutCount, StoreError> {
        on!(self, pool, sql => sql::cohort_ask::count(pool).await)
    }

    /// Every cohort, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn cohorts(&self) -> Result<Vec<CohortRow>, StoreError> {
        on!(self, pool, sql => sql::cohort_ask::all(pool).await)
    }

    /// One cohort.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn cohort(&self, name: &str) -> Result<CohortRow, StoreError> {
        plain("the cohort's name", name)?;
        on!(self, pool, sql => sql::cohort_ask::one(pool, name).await)
    }

    /// The creators of a list or with a tag, in order of their ids, behind this one. Of a share nobody is named.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a place that can't be one; [`StoreError::Database`].
    pub async fn cohort_members(
        &self,
        cohort: &CohortRow,
        after: &str,
        limit: i64,
    ) -> Result<Vec<CreatorId>, StoreError> {
        plain("the cursor", after)?;
        on!(self, pool, sql => sql::cohort_ask::members(pool, cohort, after, limit.max(0)).await)
    }

    /// Makes a cohort, closed. The first one means that only creators in open cohorts are paid from the next send on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when there is one of that name, or creators aren't known; [`StoreError::Database`].
    pub async fn create_cohort(&self, name: &str, of: &Definition, by: &By, reason: &str) -> Result<Done, StoreError> {
        texts(name, reason)?;
        match of {
            Definition::List(creators) => all_plain(creators)?,
            Definition::Tag(tag) => plain("the tag", tag)?,
            Definition::Percent(_) => {}
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::create(pool, sql::cohorts::Act { now_ms, by, reason }, name, of).await)
    }

    /// Adds creators to a list; `gate` is kept with the journal row: what allowed it, when the cohort was ever open.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] for a cohort that is no list and for creators that aren't known;
    /// [`StoreError::Database`].
    pub async fn add_to_cohort(
        &self,
        name: &str,
        creators: &[CreatorId],
        gate: &serde_json::Value,
        by: &By,
        reason: &str,
    ) -> Result<MembersDone, StoreError> {
        texts(name, reason)?;
        all_plain(creators)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::add(pool, sql::cohorts::Act { now_ms, by, reason }, name, creators, gate).await)
    }

    /// Takes creators off a list; it counts at the next send.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn remove_from_cohort(
        &self,
        name: &str,
        creators: &[CreatorId],
        by: &By,
        reason: &str,
    ) -> Result<MembersDone, StoreError> {
        texts(name, reason)?;
        all_plain(creators)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::remove(pool, sql::cohorts::Act { now_ms, by, reason }, name, creators).await)
    }

    /// Opens a cohort; it counts at the next plan and send. `judged`: by which cohorts the gate was judged (nothing is opened when others
    /// are open by now); `gate` is kept with the journal row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn open_cohort(
        &self,
        name: &str,
        judged: &[Judged],
        gate: &serde_json::Value,
        by: &By,
        reason: &str,
    ) -> Result<Done, StoreError> {
        texts(name, reason)?;
        let judged: Vec<_> = judged.iter().map(|one| (one.cohort.name.clone(), one.cohort.opened_at_ms)).collect();
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::open(pool, sql::cohorts::Act { now_ms, by, reason }, name, &judged, gate).await)
    }

    /// Closes a cohort; it counts at the next send.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn close_cohort(&self, name: &str, by: &By, reason: &str) -> Result<Done, StoreError> {
        texts(name, reason)?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::close(pool, sql::cohorts::Act { now_ms, by, reason }, name).await)
    }

    /// Gives a creator a tag, or takes it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a creator nobody knows; [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn tag_creator(
        &self,
        creator: &CreatorId,
        tag: &str,
        is_set: bool,
        by: &By,
        reason: &str,
    ) -> Result<Done, StoreError> {
        texts(tag, reason)?;
        plain("the creator's id", creator.as_str())?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::cohorts::tag(pool, sql::cohorts::Act { now_ms, by, reason }, creator, tag, is_set).await)
    }

    /// How these cohorts' payouts went since each was last opened, in the last 30 days at most; all as of one moment.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn judge_cohorts(&self, cohorts: Vec<CohortRow>) -> Result<Vec<Judged>, StoreError> {
        let since_ms = self.clock.now_ms().saturating_sub(gate::WINDOW_MS);
        on!(self, pool, sql => sql::cohort_ask::judge(pool, since_ms, cohorts).await)
    }

    /// Purses of creators that could be paid (account, flags, no hold) and are on no other list: what a sample is taken of.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn earners(&self, cohort: &str) -> Result<Vec<Earner>, StoreError> {
        plain("the cohort's name", cohort)?;
        on!(self, pool, sql => sql::cohort_ask::earners(pool, cohort).await)
    }
}

fn texts(name: &str, reason: &str) -> Result<(), StoreError> {
    plain("the name", name)?;
    plain("the reason", reason)
}

fn all_plain(creators: &[CreatorId]) -> Result<(), StoreError> {
    creators.iter().try_for_each(|creator| plain("a creator's id", creator.as_str()))
}
