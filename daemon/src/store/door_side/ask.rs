//! Questions: pages, one payout, the journal, the books. Nothing here writes.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::{BooksReport, CreatorShow, JournalCheck, PayoutFilter, PayoutPage, PayoutPageRequest, PayoutShow},
    types::PlanContext,
};
use futures::future::BoxFuture;
use payout_shared::{
    id::{AccountId, CreatorId, PayoutId, RunId},
    journal::Entry,
};

impl Store {
    /// A page of payouts.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a cursor that no page gave; [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn list_payouts(
        &self,
        filter: &PayoutFilter,
        page: &PayoutPageRequest,
    ) -> Result<PayoutPage, StoreError> {
        let texts = [
            filter.run.as_ref().map(RunId::as_str),
            filter.cause.as_deref(),
            filter.creator.as_ref().map(CreatorId::as_str),
            filter.account.as_ref().map(AccountId::as_str),
            filter.text.as_deref(),
        ];
        for text in texts.into_iter().flatten() {
            plain("the filter", text)?;
        }
        on!(self, pool, sql => sql::pages::payouts(pool, filter, page).await)
    }

    /// One payout with everything known of it, as of one moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn show_payout(&self, id: &PayoutId) -> Result<PayoutShow, StoreError> {
        plain("the payout's id", id.as_str())?;
        on!(self, pool, sql => sql::show::payout(pool, id).await)
    }

    /// The creators that have an account, in order of their ids, behind this one.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Refused`] for a place that can't be one.
    pub async fn creators_after(&self, after: &str, limit: i64) -> Result<Vec<CreatorId>, StoreError> {
        plain("the cursor", after)?;
        on!(self, pool, sql => sql::creators::after(pool, after, limit.max(0)).await)
    }

    /// One creator whole, as of one moment; decisions are those of a run asked for now under this policy.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a creator nobody knows; [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn show_creator(&self, creator: &CreatorId, context: &PlanContext) -> Result<CreatorShow, StoreError> {
        plain("the creator's id", creator.as_str())?;
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::creators::show(pool, creator, now_ms, context).await)
    }

    /// Journal rows behind a number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn journal_after(&self, seq: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
        on!(self, pool, sql => sql::journal_read::after(pool, seq, limit.max(0)).await)
    }

    /// The number and hash of the journal's newest row: also kept outside the database, to know a restored one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn journal_head(&self) -> Result<(i64, String), StoreError> {
        on!(self, pool, sql => sql::journal_read::head(pool).await)
    }

    /// Checks the journal's whole chain.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn verify_journal(&self) -> Result<JournalCheck, StoreError> {
        on!(unbounded self, pool, sql => sql::journal_read::verify(pool).await)
    }

    /// Checks every invariant of the books on one moment of the database. Boxed: compiled with this crate, once.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`] for words that can't be read.
    pub fn books(&self) -> BoxFuture<'_, Result<BooksReport, StoreError>> {
        Box::pin(self.check_books(true))
    }

    /// [`Self::books`] but for the journal. Where its chain was broken once it stays broken: whoever checks the books after each step may
    /// leave it for the last one.
    ///
    /// # Errors
    /// As [`Self::books`].
    pub fn books_but_journal(&self) -> BoxFuture<'_, Result<BooksReport, StoreError>> {
        Box::pin(self.check_books(false))
    }

    async fn check_books(&self, with_journal: bool) -> Result<BooksReport, StoreError> {
        let context = self.plan_context().await?;
        let now_ms = context.rules.at_ms;
        on!(unbounded self, pool, sql => sql::books::check(pool, now_ms, &context, with_journal).await)
    }
}
