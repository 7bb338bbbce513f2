//! Creators as people ask for them: who would be paid now and why not, and one of them whole. The decisions are the dry run's own.
use super::{
    Desk,
    preview::{line, unseen},
    rows,
};
use crate::store::{
    StoreError,
    door_types::{AccountRow, CreatorShow, HoldRow, PlatformRefund},
    types::PlannedPurse,
};
use payout_proto::v1;
use payout_shared::{books::PurseSums, cohort::Place, id::CreatorId, plan::SkipReason};

/// Payouts past us that are shown of one creator.
const FOREIGN_MAX: i64 = 20;

/// Which lines of a page are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only purses that would get nothing.
    pub why_not: bool,
    /// Only purses that would get nothing for this reason.
    pub reason: Option<SkipReason>,
}

impl Wanted {
    fn takes(self, line: &v1::DryRunLine) -> bool {
        let skipped = line.outcome == "skip";
        match self.reason {
            Some(reason) => skipped && line.reason == reason.as_str(),
            None => skipped || !self.why_not,
        }
    }
}

impl Desk {
    /// What a run asked for now would decide of the next `limit` creators; the place to go on from, `None` after the last.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`]; [`StoreError::Refused`] for a place that can't be one.
    pub async fn creators(
        &self,
        wanted: Wanted,
        after: &str,
        limit: i64,
    ) -> Result<(Vec<v1::DryRunLine>, Option<String>), StoreError> {
        let creators = self.store.creators_after(after, limit).await?;
        let full = i64::try_from(creators.len()).is_ok_and(|n| n >= limit);
        let next = creators.last().filter(|_| full).map(ToString::to_string);
        if creators.is_empty() {
            return Ok((Vec::new(), None));
        }
        let decided = self.decided(&creators).await?;
        let mut lines: Vec<v1::DryRunLine> = decided.into_iter().map(line).collect();
        lines.sort_by(|a, b| {
            (&a.creator_id, &a.account_id, &a.currency).cmp(&(&b.creator_id, &b.account_id, &b.currency))
        });
        let known =
            |creator: &CreatorId| lines.binary_search_by(|line| line.creator_id.as_str().cmp(creator.as_str())).is_ok();
        let idle: Vec<_> = creators.iter().filter(|creator| !known(creator)).cloned().map(unseen).collect();
        lines.extend(idle);
        lines.sort_by(|a, b| a.creator_id.cmp(&b.creator_id));
        lines.retain(|line| wanted.takes(line));
        Ok((lines, next))
    }

    async fn decided(&self, creators: &[CreatorId]) -> Result<Vec<PlannedPurse>, StoreError> {
        let context = self.store.plan_context().await?;
        let now_ms = context.rules.at_ms;
        let (mut decided, mut after) = (Vec::new(), Some(String::new()));
        while let Some(place) = after {
            let page_purses = self.settings.plan_page;
            let page = self.store.preview_page(now_ms, now_ms, Some(creators), &place, page_purses, &context).await?;
            decided.extend(page.purses);
            after = page.next_after;
        }
        Ok(decided)
    }

    /// One creator whole.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn creator(&self, creator: &CreatorId) -> Result<v1::ShowCreatorReply, StoreError> {
        let show = self.store.show_creator(creator, &self.store.plan_context().await?).await?;
        let foreign = self.store.foreign_payouts(Some(creator), false, FOREIGN_MAX).await?;
        let CreatorShow { creator, user_enabled, settings_enabled, beta_open, minimum, cohort, tags, .. } = show;
        let purses = show.purses.into_iter().map(|(sums, decided)| purse(&creator, &sums, decided));
        Ok(v1::ShowCreatorReply {
            purses: purses.collect(),
            creator_id: creator.to_string(),
            user_enabled,
            settings_enabled,
            beta_open,
            cohort_why_out: cohort.why_out().unwrap_or_default(),
            cohort: match cohort {
                Place::In(name) => name,
                Place::NotInUse | Place::Out(_) => String::new(),
            },
            tags,
            minimum_payout_amount: minimum.unwrap_or_default(),
            accounts: show.accounts.into_iter().map(account).collect(),
            holds: show.holds.into_iter().map(hold).collect(),
            payouts: show.payouts.into_iter().map(rows::payout).collect(),
            platform_refunds: show.platform_refunds.into_iter().map(platform_refund).collect(),
            platform_refunds_total: show.platform_refunds_total,
            facts_waiting: show.facts_waiting,
            facts_before: show.facts_before,
            foreign: foreign.into_iter().map(rows::foreign).collect(),
        })
    }
}

fn account(row: AccountRow) -> v1::AccountPart {
    let banks = row.banks.into_iter().map(|(bank, changed_at_ms)| v1::BankPart {
        currency: bank.currency.to_string(),
        destination_id: bank.destination.to_string(),
        status: bank.status,
        changed_at_ms: changed_at_ms.unwrap_or_default(),
    });
    v1::AccountPart {
        account_id: row.account.to_string(),
        country: row.country,
        is_current: row.is_current,
        payouts_enabled: row.payouts_enabled,
        charges_enabled: row.charges_enabled,
        details_submitted: row.details_submitted,
        disabled_reason: row.disabled_reason.unwrap_or_default(),
        schedule_interval: row.schedule_interval.unwrap_or_default(),
        read_at_ms: row.read_at_ms.unwrap_or_default(),
        stale: row.stale,
        banks: banks.collect(),
    }
}

/// A hold in force.
#[must_use]
pub fn hold(row: HoldRow) -> v1::HoldPart {
    v1::HoldPart { cause: row.cause, reason: row.reason, placed_by: row.placed_by, placed_at_ms: row.placed_at_ms }
}

fn platform_refund(refund: PlatformRefund) -> v1::PlatformRefund {
    v1::PlatformRefund {
        refund_id: refund.refund,
        charge_id: refund.charge,
        amount_minor: refund.amount.minor,
        currency: refund.amount.currency.to_string(),
        at_ms: refund.at_ms,
    }
}

/// The parts of a purse: what counts now, what is owed, what counts later, what is kept back, and what payouts hold. They add up to all
/// entries.
fn purse(creator: &CreatorId, sums: &PurseSums, decided: Option<PlannedPurse>) -> v1::PursePart {
    let decision = decided.map_or_else(
        || v1::DryRunLine {
            account_id: sums.account.to_string(),
            currency: sums.currency.to_string(),
            ..unseen(creator.clone())
        },
        line,
    );
    v1::PursePart {
        account_id: sums.account.to_string(),
        currency: sums.currency.to_string(),
        entries_minor: sums.entries_minor,
        free_minor: sums.mature_minor.max(0),
        immature_minor: sums.immature_minor,
        reserved_minor: sums.reserved_minor,
        debt_minor: sums.mature_minor.min(0).saturating_neg(),
        planned_minor: sums.planned_minor,
        in_flight_minor: sums.in_flight_minor,
        paid_minor: sums.paid_minor,
        returning_minor: sums.returning_minor,
        disputed_minor: sums.disputed_minor,
        estimated_minor: sums.estimated_minor,
        decision: Some(decision),
    }
}
