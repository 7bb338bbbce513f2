//! What the engine does in the store. Every write carries its fencing token and is refused when the lease is another's.
use super::{
    Question, Store, StoreError,
    types::{
        AccountCheck, Ahead, Booking, Change, Changed, Drift, Encode, Fence, Gate, Intended, KnownAttempt, PlanContext,
        PlanPage, ReadCount, RunRow, ToConfirm, Unresolved, Wanted, WorkLeft,
    },
};
use payout_shared::{
    answer::PayoutObject,
    canary::Judgement,
    currency::Currency,
    entries::{Movement, Told},
    id::{AccountId, CreatorId, ObjectId, PayoutId, RunId},
};

impl Store {
    /// Takes the lease when it is free, given back or expired; `proven_gone`: the old holder can't be alive (SQLite's file lock).
    /// Gives the token, and whether somebody may have left requests on the wire without giving the lease back.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn lease_acquire(
        &self,
        holder: &str,
        ttl_ms: i64,
        proven_gone: bool,
    ) -> Result<Option<(Fence, bool)>, StoreError> {
        on!(self, pool, sql => sql::lease::acquire(pool, holder, ttl_ms, proven_gone).await)
    }

    /// Extends the lease to `ttl_ms` from now by the database's clock.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when it ran out or is another's; [`StoreError::Database`].
    pub async fn lease_renew(&self, fence: Fence, ttl_ms: i64) -> Result<(), StoreError> {
        on!(self, pool, sql => sql::lease::renew(pool, fence, ttl_ms).await)
    }

    /// Gives the lease back when nothing is on the wire any more: the next holder needn't wait.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn lease_give_back(&self, fence: Fence) -> Result<(), StoreError> {
        on!(self, pool, sql => sql::lease::give_back(pool, fence).await)
    }

    /// Applies a batch of changes in one transaction, in their order. A crash before the commit changes nothing, after it all of it;
    /// repeating it is harmless (stale).
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::NotFound`], [`StoreError::Broken`].
    pub async fn change(&self, fence: Fence, changes: &[Change]) -> Result<Vec<Changed>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::change::change(pool, fence, now_ms, changes).await)
    }

    /// The guard and the intents of a run, in one transaction; what was voided because its sum is another now is planned again in it,
    /// under its next payout number. A send may leave only after this returned it.
    /// A crash after the commit leaves attempts on the wire as far as anybody knows: unknown.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn intend(
        &self,
        gate: Gate,
        run: &RunId,
        wanted: Wanted<'_>,
        context: &PlanContext,
        encode: Encode,
    ) -> Result<Intended, StoreError> {
        on!(self, pool, sql => {
            let ask = sql::intents::Ask { mode: self.mode, ids: &self.ids, run, wanted, context, encode };
            sql::intents::intend(pool, gate, &ask).await
        })
    }

    /// The payouts of a run whose turns come next, at most so many, and whether what is known of their purses and accounts is good enough for
    /// that: an account's facts are old when they were read before `account_old_ms`. None while everything is paused.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn ahead(
        &self,
        run: &RunId,
        account_old_ms: i64,
        limit: i64,
        put_back: bool,
    ) -> Result<Vec<Ahead>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::checks::ahead(pool, run, now_ms, account_old_ms, limit, put_back).await)
    }

    /// Records looks at accounts with their drifts, and how many reads they took; one journal row per purse whose drift is beyond the
    /// tolerance (minor units) and another than the one told last.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn record_checks(
        &self,
        fence: Fence,
        checks: &[AccountCheck],
        reads: &[(RunId, ReadCount)],
        tolerance_minor: &(dyn Fn(Currency) -> i64 + Send + Sync),
    ) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::checks::record(pool, now_ms, fence, checks, reads, tolerance_minor).await)
    }

    /// Reckons the drifts that were told anew: what was booked since may explain them. `true` when one is another now, or gone.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn reckon_drifts(
        &self,
        fence: Fence,
        tolerance_minor: &(dyn Fn(Currency) -> i64 + Send + Sync),
    ) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::checks::reckon(pool, now_ms, fence, tolerance_minor).await)
    }

    /// Reads that a run has asked of Stripe so far.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn run_reads(&self, run: &RunId) -> Result<ReadCount, StoreError> {
        on!(self, pool, sql => sql::checks::reads(pool, run).await)
    }

    /// How many purses hold more or less at Stripe than the books say, beyond the tolerance, and the worst of them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn drifts(&self) -> Result<(i64, Option<Drift>), StoreError> {
        on!(self, pool, sql => sql::checks::drifts(pool).await)
    }

    /// How many accounts there are, and what is known of how many of them is old (never read, said to be old, or read before that time).
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn old_accounts(&self, read_before_ms: i64) -> Result<(i64, i64), StoreError> {
        on!(self, pool, sql => sql::accounts::old(pool, read_before_ms).await)
    }

    /// Accounts that must be read before the next page of a run's plan can be decided: with free entries, and never read, known to be
    /// old, or read before `read_before_ms`. In order of their ids, at most as many as the page has purses.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn stale_accounts(
        &self,
        run: &RunRow,
        read_before_ms: i64,
        page: i64,
    ) -> Result<Vec<AccountId>, StoreError> {
        let creators = self.named(run).await?;
        on!(self, pool, sql => sql::accounts::to_read(pool, run, creators.as_deref(), read_before_ms, page).await)
    }

    /// Plans the next page of a run: decisions, items, carries, outcomes and the run's place in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the run is not planning there any more; [`StoreError::Broken`] when entries came in meanwhile
    /// (try again); [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn plan_page(
        &self,
        fence: Fence,
        run: &RunRow,
        limit: i64,
        context: &PlanContext,
    ) -> Result<PlanPage, StoreError> {
        let creators = self.named(run).await?;
        let (now_ms, ids) = (self.clock.now_ms(), &self.ids);
        on!(self, pool, sql => {
            let writing = sql::plan::Writing { fence, now_ms, ids, context };
            let of = sql::purses::PlanRun::of(run, creators.as_deref());
            sql::plan::write_page(pool, writing, &of, sql::plan::Purses::After(&run.plan_after, limit)).await
        })
    }

    /// One page of a dry run, after a place ("account currency"; empty = from the start). Writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn preview_page(
        &self,
        cutoff_ms: i64,
        instant_ms: i64,
        creators: Option<&[CreatorId]>,
        after: &str,
        limit: i64,
        context: &PlanContext,
    ) -> Result<PlanPage, StoreError> {
        on!(self, pool, sql => {
            let run = sql::purses::PlanRun { id: "", cutoff_ms, instant_ms, creators };
            sql::plan::preview(pool, &run, after, limit, context).await
        })
    }

    /// Asks two people for a run that waits for them, unless that was done; `true` when it was asked for now.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn ask_approval(&self, fence: Fence, run: &RunRow) -> Result<bool, StoreError> {
        let now_ms = self.clock.now_ms();
        let new_id = self.ids.request(now_ms);
        on!(self, pool, sql => sql::approvals::ask_for(pool, now_ms, fence, &new_id, run).await)
    }

    /// Judges a run's first payouts by (how many leave alone, how many of them may fail in basis points); when they did badly the run is
    /// paused in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`]; [`StoreError::Refused`] when the run can't be paused any more.
    pub async fn judge_canary(&self, fence: Fence, run: &RunId, rule: (i64, i64)) -> Result<Judgement, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::canary::judge(pool, now_ms, fence, run, rule).await)
    }

    /// How many purses the newest scheduled plan left unpaid although Stripe's holding limit is near.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn near_holding_limit(&self) -> Result<i64, StoreError> {
        on!(self, pool, sql => sql::holding::count(pool).await)
    }

    async fn named(&self, run: &RunRow) -> Result<Option<Vec<CreatorId>>, StoreError> {
        if !run.named_only {
            return Ok(None);
        }
        on!(self, pool, sql => sql::attempts::run_creators(pool, &run.id).await).map(Some)
    }

    /// Unknown payouts whose time has come.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn unresolved(&self, limit: i64) -> Result<Vec<Unresolved>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::attempts::unresolved(pool, now_ms, limit).await)
    }

    /// Attempts whose sends have no recorded answer: payout, key, and the token they were intended under.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn on_wire(&self, fence: Fence) -> Result<Vec<(PayoutId, String, i64)>, StoreError> {
        on!(self, pool, sql => sql::attempts::on_wire(pool, fence).await)
    }

    /// The create attempts that these keys or Stripe objects are of.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn known_attempts(&self, keys: &[String], objects: &[ObjectId]) -> Result<Vec<KnownAttempt>, StoreError> {
        on!(self, pool, sql => sql::attempts::known(pool, keys, objects).await)
    }

    /// Remembers Stripe payouts that no attempt of ours explains.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`].
    pub async fn record_foreign(&self, fence: Fence, objects: &[(PayoutObject, String)]) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::attempts::foreign(pool, fence, now_ms, objects).await)
    }

    /// Records what webhooks tell about money, books the entries that follow, and marks the webhooks as looked at, in one transaction. What
    /// waits (for its sale, its account) is kept and booked when that comes. Telling it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn record_told(
        &self,
        fence: Fence,
        told: &[Told],
        outcomes: &[(i64, String)],
    ) -> Result<Booking, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::told::record(pool, now_ms, fence, told, outcomes).await)
    }

    /// Books what was told before and waited, as far as it needn't wait any more: at most so many facts.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn book_waiting(&self, fence: Fence, limit: i64) -> Result<Booking, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::entries::book_waiting(pool, now_ms, fence, limit).await)
    }

    /// Accounts behind a place (in order of their ids) whose estimates can be confirmed by now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn to_confirm(&self, after: &str, limit: i64) -> Result<Vec<ToConfirm>, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::confirm::to_confirm(pool, now_ms, after, limit).await)
    }

    /// Confirms an account's estimates by what its balance says, in one transaction; after the last of it (`is_all`) the account is asked again a
    /// day later. What was paid by then isn't changed: it is told in the journal and given back.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn confirm(
        &self,
        fence: Fence,
        account: &AccountId,
        movements: &[Movement],
        is_all: bool,
    ) -> Result<Booking, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::confirm::confirm(pool, now_ms, fence, account, movements, is_all).await)
    }

    /// How the database would answer a question, in its own words, a line a step: for whoever wonders why something is slow, and for the
    /// tests that hold it to its indexes. It reads nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a place or cursor that is none; [`StoreError::Database`].
    pub async fn explain(&self, question: &Question<'_>) -> Result<Vec<String>, StoreError> {
        on!(self, pool, sql => sql::explain::explain(pool, question).await)
    }

    /// What a run has left to do; payouts that are due are counted up to `due_max`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn work_left(&self, run: &RunId, due_max: i64) -> Result<WorkLeft, StoreError> {
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::attempts::work_left(pool, run, now_ms, due_max).await)
    }
}
