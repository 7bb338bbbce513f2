//! What comes in and is recorded: webhooks, earnings, what Stripe says of accounts, holds.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::{
        AccountRead, AccountRow, Done, EarningRow, HoldRow, ImportDone, ImportError, InboxEvent, InboxRow, Released,
    },
    types::{By, Fence},
};
use payout_shared::id::{AccountId, CreatorId};

impl Store {
    /// Stores a webhook whose signature was checked; `false` when its id is known (Stripe repeats itself). After this it may be
    /// answered 200; a crash before means Stripe sends it again.
    ///
    /// # Errors
    /// [`StoreError::Database`]: answer 503. [`StoreError::Refused`]: it can never be stored.
    pub async fn put_event(&self, event: &InboxEvent) -> Result<bool, StoreError> {
        let account = event.account.as_ref().map_or("", AccountId::as_str);
        let object = event.object_id.as_deref().unwrap_or_default();
        for text in [&*event.event_id, &*event.event_type, account, object, &*event.body] {
            plain("the event", text)?;
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::inbox::put(pool, now_ms, event).await)
    }

    /// The oldest webhooks that nobody has looked at, in the order they came.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn inbox_todo(&self, limit: i64) -> Result<Vec<InboxRow>, StoreError> {
        on!(self, pool, sql => sql::inbox::todo(pool, limit.max(0)).await)
    }

    /// True while nobody has looked at an event that came before this moment (Unix milliseconds), or that a sweep has found.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn inbox_unseen(&self, before_ms: i64) -> Result<bool, StoreError> {
        on!(self, pool, sql => sql::inbox::unseen(pool, before_ms).await)
    }

    /// How many webhooks nobody has looked at.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn inbox_backlog(&self) -> Result<i64, StoreError> {
        on!(self, pool, sql => sql::inbox::backlog(pool).await)
    }

    /// When the newest webhook came.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn last_webhook_ms(&self) -> Result<Option<i64>, StoreError> {
        on!(self, pool, sql => sql::inbox::newest_ms(pool).await)
    }

    /// Marks webhooks as looked at, with what came of each. Their effects are committed before: after a crash in between they are looked
    /// at again, which changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn events_done(&self, fence: Fence, outcomes: &[(i64, String)]) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::inbox::done(pool, now_ms, fence, outcomes).await)
    }

    /// Imports the checked rows of a file of earnings in one transaction; `progress` hears how many rows are written so far. A crash
    /// before the commit imports nothing; doing it again is harmless (known).
    ///
    /// # Errors
    /// [`ImportError::Rows`] when rows contradict each other or what is stored; [`ImportError::Store`].
    pub async fn import_earnings(
        &self,
        rows: &[EarningRow],
        file_name: &str,
        by: &By,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<ImportDone, ImportError> {
        plain("the file's name", file_name)?;
        let now_ms = self.clock.now_ms();
        on!(unbounded self, pool, sql => sql::import::import(pool, now_ms, rows, file_name, by, &progress).await)
    }

    /// Records what Stripe said of accounts; unknown ones are left out.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn record_accounts(&self, fence: Fence, reads: &[AccountRead]) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::accounts::record(pool, now_ms, fence, reads).await)
    }

    /// Says that what is known of an account is old: it is read again before it is planned. `false`: no such account is known.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn mark_stale(&self, account: &AccountId) -> Result<bool, StoreError> {
        plain("the account's id", account.as_str())?;
        on!(self, pool, sql => sql::accounts::mark_stale(pool, account).await)
    }

    /// An account, as stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn account_facts(&self, account: &AccountId) -> Result<AccountRow, StoreError> {
        plain("the account's id", account.as_str())?;
        on!(self, pool, sql => sql::accounts::one(pool, account).await)
    }

    /// A creator's accounts, the current one first; none when nobody knows one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn accounts_of(&self, creator: &CreatorId) -> Result<Vec<AccountRow>, StoreError> {
        plain("the creator's id", creator.as_str())?;
        on!(self, pool, sql => sql::accounts::all_of(pool, creator).await)
    }

    /// Makes one of a creator's known accounts the current one: payouts that are planned on another are voided at their send, what is on its
    /// way finishes. Gives also how many of these there are. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an account that isn't the creator's; [`StoreError::Database`].
    pub async fn use_account(
        &self,
        creator: &CreatorId,
        account: &AccountId,
        reason: &str,
        by: &By,
    ) -> Result<(Done, i64), StoreError> {
        let texts =
            [("the creator's id", creator.as_str()), ("the account's id", account.as_str()), ("the reason", reason)];
        for (what, text) in texts {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::current::set(pool, now_ms, creator, account, reason, by).await)
    }

    /// Holds a creator from the next send on. A hold of the same cause in force stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a creator nobody knows; [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn hold(&self, creator: &CreatorId, cause: &str, reason: &str, by: &By) -> Result<Done, StoreError> {
        for (what, text) in [("the creator's id", creator.as_str()), ("the cause", cause), ("the reason", reason)] {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::holds::place(pool, now_ms, creator, cause, reason, by).await)
    }

    /// Takes a creator's hold of this cause back, or all of them; when there is none nothing changes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a creator nobody knows; [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn release_holds(
        &self,
        creator: &CreatorId,
        cause: Option<&str>,
        reason: &str,
        by: &By,
    ) -> Result<Released, StoreError> {
        let texts =
            [("the creator's id", creator.as_str()), ("the cause", cause.unwrap_or("")), ("the reason", reason)];
        for (what, text) in texts {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::holds::release(pool, now_ms, creator, cause, reason, by).await)
    }

    /// Takes the hold of one cause back; when there is none nothing changes.
    ///
    /// # Errors
    /// As [`Store::release_holds`].
    pub async fn release_hold(
        &self,
        creator: &CreatorId,
        cause: &str,
        reason: &str,
        by: &By,
    ) -> Result<Done, StoreError> {
        let done = self.release_holds(creator, Some(cause), reason, by).await?;
        Ok(Done { seq: done.seq, already: done.released.is_empty() })
    }

    /// The holds in force, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn holds(&self) -> Result<Vec<HoldRow>, StoreError> {
        on!(self, pool, sql => sql::holds::in_force(pool).await)
    }
}
