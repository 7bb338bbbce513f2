//! Cohorts as people ask for them: lists, how one's payouts went, what the gate says before the next one, a proposed first one.
use super::Desk;
use crate::store::{
    StoreError,
    door_types::{CohortRow, Judged},
};
use payout_proto::v1;
use payout_shared::cohort::{gate::Verdict, sample};
use std::collections::BTreeSet;

impl Desk {
    /// One cohort and how its payouts went.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn judged(&self, name: &str) -> Result<Judged, StoreError> {
        let cohort = self.store.cohort(name).await?;
        let judged = self.store.judge_cohorts(vec![cohort]).await?.pop();
        judged.ok_or_else(|| StoreError::Broken(format!("cohort {name} was not judged")))
    }

    /// What must be good before this cohort is opened: every other open one; when none is open, the other one that was opened last, so
    /// that closing a cohort that went badly doesn't open the way for the next.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn judged_before(&self, name: &str) -> Result<Vec<Judged>, StoreError> {
        let this = self.store.cohort(name).await?;
        let others: Vec<CohortRow> =
            self.store.cohorts().await?.into_iter().filter(|other| other.name != this.name).collect();
        let (mut open, closed): (Vec<_>, Vec<_>) = others.into_iter().partition(|other| other.is_open);
        if open.is_empty() {
            open.extend(closed.into_iter().filter(|other| other.opened_at_ms.is_some()).max_by_key(|c| c.opened_at_ms));
        }
        self.store.judge_cohorts(open).await
    }

    /// A proposal, and of how many creators it was taken.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn sample(&self, name: &str, size: usize) -> Result<v1::SampleCohortReply, StoreError> {
        let earners = self.store.earners(name).await?;
        let of: BTreeSet<_> = earners.iter().map(|earner| &earner.creator).collect();
        let of = i64::try_from(of.len()).unwrap_or(i64::MAX);
        let picks = sample::sample(&earners, size, name).into_iter().map(|pick| v1::Sampled {
            creator_id: pick.earner.creator.to_string(),
            country: pick.earner.country,
            quarter: i64::try_from(pick.quarter).unwrap_or(i64::MAX),
            earned: Some(payout_shared::money::Money::new(pick.earner.earned_minor, pick.earner.currency).into()),
        });
        Ok(v1::SampleCohortReply { picks: picks.collect(), of })
    }
}

/// A cohort.
#[must_use]
pub fn part(row: &CohortRow) -> v1::CohortPart {
    v1::CohortPart {
        name: row.name.clone(),
        kind: row.kind.as_str().to_owned(),
        tag: row.tag.clone().unwrap_or_default(),
        percent_bp: row.share.map_or(0, payout_shared::cohort::Share::bp),
        open: row.is_open,
        opened_at_ms: row.opened_at_ms.unwrap_or_default(),
        closed_at_ms: row.closed_at_ms.unwrap_or_default(),
        created_by: row.created_by.clone(),
        created_at_ms: row.created_at_ms,
        members: row.members.unwrap_or(-1),
    }
}

/// How a cohort's payouts went.
#[must_use]
pub fn judged_part(judged: &Judged) -> v1::JudgedPart {
    let Judged { cohort, since_ms, figures } = judged;
    let amounts = figures.amounts.iter().map(|amounts| v1::JudgedAmount {
        currency: amounts.currency().to_string(),
        paid_minor: amounts.paid.minor,
        failed_minor: amounts.failed.minor,
        success_bp: amounts.success_bp().unwrap_or(-1),
    });
    v1::JudgedPart {
        cohort: Some(part(cohort)),
        since_ms: *since_ms,
        paid: figures.paid,
        failed: figures.failed,
        undecided: figures.undecided,
        success_bp: figures.success_bp().unwrap_or(-1),
        amounts: amounts.collect(),
        passed: passes(judged),
        verdict: figures.verdict().as_str().to_owned(),
        sentence: figures.sentence(),
    }
}

/// The gate lets the next one open.
#[must_use]
pub fn passes(judged: &Judged) -> bool {
    judged.figures.verdict() == Verdict::Passed
}

/// Verdicts for the journal row of what they allowed, or didn't.
#[must_use]
pub fn evidence(judged: &[Judged], is_overridden: bool) -> serde_json::Value {
    let of: Vec<serde_json::Value> = judged
        .iter()
        .map(|one| {
            serde_json::json!({
                "cohort": one.cohort.name, "verdict": one.figures.verdict().as_str(), "paid": one.figures.paid,
                "failed": one.figures.failed, "undecided": one.figures.undecided,
            })
        })
        .collect();
    serde_json::json!({"judged": of, "overridden": is_overridden})
}
