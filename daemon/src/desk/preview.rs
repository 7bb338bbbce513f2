//! A dry run: the plan's own code, page by page, with no writes anywhere.
use super::{Desk, cycle::Asked};
use crate::store::{StoreError, types::PlannedPurse};
use payout_proto::v1;
use payout_shared::{currency::Currency, id::CreatorId, money::Money, plan::Decision};
use std::collections::{BTreeMap, BTreeSet};

/// A dry run that goes on page by page, so that a million purses need the memory of one page.
#[derive(Debug)]
pub struct Preview<'a> {
    desk: &'a Desk,
    asked: Asked,
    creators: Option<Vec<CreatorId>>,
    unseen: BTreeSet<CreatorId>,
    after: Option<String>,
    payouts: i64,
    skips: BTreeMap<&'static str, i64>,
    amounts: BTreeMap<Currency, i128>,
}

impl<'a> Preview<'a> {
    /// A dry run for everybody, or for these creators.
    #[must_use]
    pub fn new(desk: &'a Desk, asked: Asked, creators: Vec<CreatorId>) -> Self {
        Self {
            desk,
            asked,
            unseen: creators.iter().cloned().collect(),
            creators: (!creators.is_empty()).then_some(creators),
            after: Some(String::new()),
            payouts: 0,
            skips: BTreeMap::new(),
            amounts: BTreeMap::new(),
        }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn next_page(&mut self) -> Result<Option<Vec<v1::DryRunLine>>, StoreError> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let context = self.desk.store.plan_context_of(self.asked.date).await?;
        let creators = self.creators.as_deref();
        let limit = self.desk.settings.plan_page;
        let Asked { cutoff_ms, instant_ms, .. } = self.asked;
        let page = self.desk.store.preview_page(cutoff_ms, instant_ms, creators, &after, limit, &context).await?;
        self.after = page.next_after;
        let mut lines: Vec<v1::DryRunLine> = page.purses.into_iter().map(|purse| self.line(purse)).collect();
        if self.after.is_none() {
            lines.extend(std::mem::take(&mut self.unseen).into_iter().map(unseen));
        }
        Ok(Some(lines))
    }

    fn line(&mut self, purse: PlannedPurse) -> v1::DryRunLine {
        self.unseen.remove(&purse.creator);
        match &purse.decision {
            Decision::Pay { amount, .. } => {
                self.payouts = self.payouts.saturating_add(1);
                *self.amounts.entry(amount.currency).or_default() += i128::from(amount.minor);
            }
            Decision::Skip { reason, .. } => *self.skips.entry(reason.as_str()).or_default() += 1,
        }
        line(purse)
    }

    /// The totals of what was given so far, as the last line.
    #[must_use]
    pub fn total(&self) -> v1::DryRunLine {
        let amount = |(currency, minor): (&Currency, &i128)| {
            // Sums of a whole platform fit; a currency that doesn't is shown at its limit rather than wrapped.
            Money::new(i64::try_from(*minor).unwrap_or(i64::MAX), *currency).into()
        };
        let mut skips: Vec<v1::SkipCount> = self
            .skips
            .iter()
            .map(|(reason, count)| v1::SkipCount { reason: (*reason).to_owned(), count: *count })
            .collect();
        skips.sort_by_key(|skip| std::cmp::Reverse(skip.count));
        let rate = i64::from(self.desk.settings.create_milli_per_s).max(1);
        let total = v1::DryRunTotal {
            payouts: self.payouts,
            skipped: self.skips.values().sum(),
            amounts: self.amounts.iter().map(amount).collect(),
            skips,
            estimated_seconds: self.payouts.saturating_mul(1_000).saturating_add(rate - 1) / rate,
        };
        v1::DryRunLine { total: Some(total), ..v1::DryRunLine::default() }
    }
}

/// A purse with what was decided of it.
pub(super) fn line(purse: PlannedPurse) -> v1::DryRunLine {
    let mut line = v1::DryRunLine {
        creator_id: purse.creator.to_string(),
        account_id: purse.account.to_string(),
        currency: purse.currency.to_string(),
        ..v1::DryRunLine::default()
    };
    match purse.decision {
        Decision::Pay { amount, carry, .. } => {
            "payout".clone_into(&mut line.outcome);
            line.amount_minor = amount.minor;
            line.carry_minor = carry.minor;
        }
        Decision::Skip { reason, sentence } => {
            "skip".clone_into(&mut line.outcome);
            reason.as_str().clone_into(&mut line.reason);
            line.sentence = sentence;
        }
    }
    line
}

/// A creator with no free entry: no purse is considered, so it isn't counted either.
pub(super) fn unseen(creator: CreatorId) -> v1::DryRunLine {
    v1::DryRunLine {
        creator_id: creator.to_string(),
        outcome: "skip".to_owned(),
        reason: "nothing_payable".to_owned(),
        sentence: "no earnings that are free to be paid are known of this creator".to_owned(),
        ..v1::DryRunLine::default()
    }
}
