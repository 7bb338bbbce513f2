//! One creator whole.
use super::{AccountRow, HoldRow, PayoutRow};
use crate::store::types::PlannedPurse;
use payout_shared::{
    books::PurseSums,
    cohort::Place,
    id::{AccountId, CreatorId, ObjectId},
    money::Money,
};

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
    /// Refunds to customers that were the platform's: no reversal took anything from the creator. The newest, newest first.
    pub platform_refunds: Vec<PlatformRefund>,
    /// Of these, all.
    pub platform_refunds_total: i64,
    /// What Stripe told of the creator's accounts and sales that isn't booked yet.
    pub facts_waiting: i64,
    /// … and what is from before this database was there: it is earned by a file or not at all.
    pub facts_before: i64,
}

/// A refund to a customer without a reversal of the creator's transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformRefund {
    /// `re_…`
    pub refund: String,
    /// The charge.
    pub charge: String,
    /// How much, in the charge's currency.
    pub amount: Money,
    /// When, Unix milliseconds by Stripe's clock.
    pub at_ms: i64,
}

/// A payout on a creator's account that none of ours explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRow {
    /// `po_…`
    pub object: ObjectId,
    /// Where it was made.
    pub account: AccountId,
    /// Whose account that is; empty when nobody knows.
    pub creator: CreatorId,
    /// What it took.
    pub amount: Money,
    /// Stripe's word, as last told.
    pub status: String,
    /// Stripe made it by a schedule.
    pub automatic: bool,
    /// How it came to be known.
    pub why: String,
    /// When Stripe made it, Unix milliseconds.
    pub created_ms: i64,
    /// When it was taken into the books.
    pub adopted_at_ms: Option<i64>,
    /// By whom.
    pub adopted_by: Option<String>,
    /// When its money came back after that.
    pub returned_at_ms: Option<i64>,
    /// The key of ours that it carries, although the books don't hold it: they were restored from a backup.
    pub key: Option<String>,
}

impl ForeignRow {
    /// Its purse isn't paid because of it.
    #[must_use]
    pub fn bars(&self) -> bool {
        self.adopted_at_ms.is_none() && !["failed", "canceled"].contains(&self.status.as_str())
    }
}
