//! One creator whole.
use super::{AccountRow, HoldRow, PayoutRow};
use crate::store::types::PlannedPurse;
use payout_shared::{books::PurseSums, cohort::Place, id::CreatorId};

/// One creator, as of one moment.
#[derive(Clone, Debug)]
pub struct CreatorShow {
    /// Who.
    pub creator: CreatorId,
    /// `users.payout_enabled`.
    pub user_enabled: bool,
    /// `creator_payout_settings.payout_enabled`.
    pub settings_enabled: bool,
    /// In the beta, or none is open.
    pub beta_open: bool,
    /// Their own minimum: major units of the default currency, as stored.
    pub minimum: Option<String>,
    /// Where they stand in the rollout.
    pub cohort: Place,
    /// Their tags, in order.
    pub tags: Vec<String>,
    /// The current one first.
    pub accounts: Vec<AccountRow>,
    /// In force, newest first.
    pub holds: Vec<HoldRow>,
    /// Every purse with an entry, in order of account and currency; with what the plan would decide when anything in it is free.
    pub purses: Vec<(PurseSums, Option<PlannedPurse>)>,
    /// The newest payouts, newest first.
    pub payouts: Vec<PayoutRow>,
}
