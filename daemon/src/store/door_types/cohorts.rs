//! Cohorts and tags.
use payout_shared::{
    cohort::{CohortKind, Share, gate::Figures},
    id::CreatorId,
};

/// A cohort to be made: who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// These, and whoever is added later.
    List(Vec<CreatorId>),
    /// Whoever has this tag.
    Tag(String),
    /// This share of all creators.
    Percent(Share),
}

impl Definition {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CohortKind {
        match self {
            Self::List(_) => CohortKind::List,
            Self::Tag(_) => CohortKind::Tag,
            Self::Percent(_) => CohortKind::Percent,
        }
    }
}

/// A cohort, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortRow {
    /// Its name.
    pub name: String,
    /// How it says who is in it.
    pub kind: CohortKind,
    /// Of kind tag.
    pub tag: Option<String>,
    /// Of kind percent.
    pub share: Option<Share>,
    /// Its creators are paid.
    pub is_open: bool,
    /// When it was last opened; `None` = never.
    pub opened_at_ms: Option<i64>,
    /// When it was last closed; `None` = never.
    pub closed_at_ms: Option<i64>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at_ms: i64,
    /// Creators in it; of a share nobody counts them.
    pub members: Option<i64>,
}

/// How a cohort's payouts went since it was last opened, and not longer ago than the gate looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The cohort.
    pub cohort: CohortRow,
    /// Payouts made from this time on, Unix milliseconds.
    pub since_ms: i64,
    /// Its payouts.
    pub figures: Figures,
}

/// What naming creators did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembersDone {
    /// The journal's number of it; of its newest row when nothing was to be done.
    pub seq: i64,
    /// How many are in, or out, now that weren't before.
    pub changed: u64,
}

/// How far a rollout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutCount {
    /// Cohorts that are open.
    pub open: i64,
    /// Cohorts in all; 0 = no rollout is in use.
    pub total: i64,
}
