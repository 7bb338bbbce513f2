//! Looking: what Stripe says of a purse (balance, payouts on its account, and the account itself when what is known of it is old) is read
//! just before its payout's turn, a few seconds of sends ahead, as tasks. A payout leaves only on a fresh look.
//!
//! A look that fails stops nobody else: it is taken again a little later, and when it goes on failing its payout waits with the reason in its row.
use super::{
    Done, Engine,
    lead::Lease,
    plan::{read_of, unpayable},
};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        door_types::AccountRead,
        types::{AccountCheck, Ahead, By, Change, ReadCount, RunRow},
    },
    stripe::{AccountObject, BalanceObject, ListRequest, ReadError, Stripe},
};
use payout_shared::{
    answer::PayoutObject,
    consequence::backoff_ms,
    currency::Currency,
    id::{AccountId, PayoutId, RunId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Looks are this many seconds of sends ahead: longer than a read takes on a bad day, short enough to be fresh at the turn.
const AHEAD_S: i64 = 3;
/// A look that failed is taken again this much later, milliseconds; it grows with each failure.
const AGAIN_MS: i64 = 2_000;
/// Failures in a row until the payout gives its place to those behind it.
const PATIENCE: u32 = 3;
/// A payout whose look goes on failing waits at least this long, milliseconds.
const WAIT_MS: i64 = 15_000;
/// Pages of payouts that one look goes through: 100 each since the last one.
const PAGES_MAX: usize = 20;

/// What the engine remembers of its looks; nothing in it is needed after a crash.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Accounts being looked at.
    under_way: BTreeSet<AccountId>,
    /// Accounts whose looks failed: how often in a row, and not again before.
    failed: BTreeMap<AccountId, (u32, BootMs)>,
    /// The drifts that the books know of were told.
    drifts_told: bool,
}

impl Looks {
    /// A look has ended, whatever it brought: the account may be looked at again.
    pub(super) fn ended(&mut self, account: &AccountId) {
        self.under_way.remove(account);
    }

    fn is_free(&self, account: &AccountId, now: BootMs) -> bool {
        !self.under_way.contains(account) && self.failed.get(account).is_none_or(|(_, at)| now >= *at)
    }
}

/// One look at an account, on behalf of the payouts that wait for it.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) account: AccountId,
    run: RunId,
    payouts: Vec<PayoutId>,
    currencies: Vec<Currency>,
    with_account: bool,
    listed_ms: i64,
    read_at_ms: i64,
    stripe_ms: i64,
}

/// What it brought.
#[derive(Debug)]
pub(super) struct Seen {
    account: Option<AccountObject>,
    balance: BalanceObject,
    payouts: Vec<PayoutObject>,
}

/// A look that has come back, with the reads it took.
pub(super) type Looked = (Look, ReadCount, Result<Seen, ReadError>);

/// What a batch of looks leads to.
#[derive(Default)]
struct Batch {
    checks: Vec<AccountCheck>,
    reads: BTreeMap<RunId, ReadCount>,
    accounts: Vec<AccountRead>,
    payouts: Vec<(PayoutObject, i64)>,
    changes: Vec<Change>,
}

impl Engine {
    /// Starts the looks that the next payouts of a run need, at most so many, and only those that were put back when that is said; gives how
    /// many of these were looked at and may leave.
    pub(super) async fn look_ahead(&mut self, run: &RunRow, most: i64, put_back: bool) -> Result<usize, StoreError> {
        let Some(stripe) = self.parts.stripe.clone() else { return Ok(0) };
        let (now, now_ms) = (self.parts.clock.boot(), self.parts.clock.now_ms());
        let limits = &self.parts.limits;
        let concurrency = i64::try_from(limits.create_concurrency()).unwrap_or(i64::MAX);
        let limit = (limits.create_milli_per_s().saturating_mul(AHEAD_S) / 1_000).max(concurrency).min(most);
        let account_old_ms = now_ms.saturating_sub(self.parts.settings.account_stale_ms);
        let ahead = self.parts.store.ahead(&run.id, account_old_ms, limit, put_back).await?;
        let ready = ahead.iter().filter(|payout| payout.checked).count();
        let mut looks: Vec<Look> = Vec::new();
        let mut places: BTreeMap<AccountId, usize> = BTreeMap::new();
        for payout in ahead.into_iter().filter(|payout| !payout.checked && self.looks.is_free(&payout.account, now)) {
            if let Some(look) = places.get(&payout.account).and_then(|at| looks.get_mut(*at)) {
                look.payouts.push(payout.payout_id);
                look.currencies.push(payout.currency);
            } else {
                places.insert(payout.account.clone(), looks.len());
                looks.push(look_for(payout, &run.id, now_ms, &stripe));
            }
        }
        for look in looks {
            self.looks.under_way.insert(look.account.clone());
            let (stripe, done) = (stripe.clone(), self.done_tx.clone());
            tokio::spawn(async move {
                let (reads, result) = look_at(&stripe, &look).await;
                let _ = done.send(Done::Looked((look, reads, result))).await;
            });
        }
        Ok(ready)
    }

    /// Records what looks brought. The look itself is recorded last: who sees it fresh in the books finds there all that it brought.
    pub(super) async fn record_looks(&mut self, lease: Lease, looked: Vec<Looked>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (look, reads, result) in looked {
            let count = batch.reads.entry(look.run.clone()).or_default();
            *count = count.plus(reads);
            self.looked(look, result, &mut batch);
        }
        let store = self.parts.store.clone();
        self.listed(lease, batch.payouts, batch.changes, |_| true).await?;
        if !batch.accounts.is_empty() {
            store.record_accounts(lease.fence, &batch.accounts).await?;
        }
        let reads: Vec<_> = batch.reads.into_iter().filter(|(_, count)| !count.is_none()).collect();
        if !batch.checks.is_empty() || !reads.is_empty() {
            let tolerance = self.drift_tolerance().await?;
            store.record_checks(lease.fence, &batch.checks, &reads, &tolerance).await?;
        }
        self.looks.drifts_told &= batch.checks.is_empty();
        self.parts.changed.tell();
        Ok(())
    }

    /// How much a purse may hold beyond or below the books, minor units of its currency.
    async fn drift_tolerance(&mut self) -> Result<impl Fn(Currency) -> i64 + Send + Sync + use<>, StoreError> {
        let (policies, usual) = (self.context().await?.rules.policies, self.parts.settings.drift_tolerance_minor);
        Ok(move |currency| policies.drift_tolerance(currency).map_or(usual, |money| money.minor))
    }

    /// What sweeps found may explain what was told of purses that drift.
    pub(super) async fn reckon_drifts(&mut self, lease: Lease) -> Result<(), StoreError> {
        let tolerance = self.drift_tolerance().await?;
        self.looks.drifts_told &= !self.parts.store.reckon_drifts(lease.fence, &tolerance).await?;
        Ok(())
    }

    /// Says how many purses drift, when that may have changed.
    pub(super) async fn tell_drifts(&mut self) -> Result<(), StoreError> {
        if self.looks.drifts_told {
            return Ok(());
        }
        let (count, worst) = self.parts.store.drifts().await?;
        self.looks.drifts_told = true;
        let news = match worst {
            None => self.parts.health.good(Topic::Drift),
            Some(worst) => {
                let word = if worst.amount.minor < 0 { "at worst" } else { "all of it more" };
                let sentence = format!(
                    "Stripe holds something else than the books say in {count} purses ({word} {} on {}): less is paid where it holds less, more is never paid",
                    worst.amount, worst.account
                );
                self.parts.health.bad(Topic::Drift, sentence)
            }
        };
        if news {
            self.parts.changed.tell();
        }
        Ok(())
    }

    fn looked(&mut self, look: Look, result: Result<Seen, ReadError>, batch: &mut Batch) {
        let check = |purses, failed| AccountCheck {
            account: look.account.clone(),
            read_at_ms: look.read_at_ms,
            stripe_ms: look.stripe_ms,
            purses,
            failed,
        };
        match result {
            Ok(seen) => {
                self.looks.failed.remove(&look.account);
                self.parts.health.good(Topic::Stripe);
                batch.checks.push(check(purses(&look.currencies, &seen.balance), None));
                batch
                    .accounts
                    .extend(seen.account.map(|object| read_of(object, look.account.clone(), look.read_at_ms)));
                batch.payouts.extend(seen.payouts.into_iter().map(|object| (object, look.stripe_ms)));
            }
            Err(ReadError::NoAccess(why)) => {
                tracing::warn!(account = %look.account, why, "Stripe does not let us read an account: it is not paid for now");
                let why = format!("no access: {why}");
                let unread = look.currencies.iter().map(|currency| (*currency, 0, 0)).collect();
                batch.checks.push(check(unread, Some(why.clone())));
                batch.accounts.push(unpayable(look.account, look.read_at_ms, why));
            }
            Err(ReadError::Refused(why)) => {
                self.platform.doubt();
                if self.parts.health.bad(Topic::Stripe, format!("Stripe refused the key: {why}")) {
                    tracing::error!(why, "nothing is sent until Stripe takes our key");
                }
            }
            Err(error @ (ReadError::Limited(_) | ReadError::Unreachable(_) | ReadError::Unreadable(_))) => {
                self.look_again(look, &error, &mut batch.changes);
            }
        }
    }

    /// A failed look is taken again; one that goes on failing lets those behind it go first, and says so in its payouts' rows.
    fn look_again(&mut self, look: Look, error: &ReadError, changes: &mut Vec<Change>) {
        let now = self.parts.clock.boot();
        let times = self.looks.failed.get(&look.account).map_or(0, |(times, _)| *times).saturating_add(1);
        self.looks.failed.insert(look.account.clone(), (times, now.plus_ms(AGAIN_MS)));
        tracing::warn!(account = %look.account, %error, times, "an account could not be looked at before its payout");
        if times < PATIENCE {
            return;
        }
        let wait_ms = backoff_ms(i64::from(times.saturating_sub(PATIENCE)), WAIT_MS);
        let not_before_ms = self.parts.clock.now_ms().saturating_add(wait_ms);
        changes.extend(look.payouts.into_iter().map(|payout_id| Change {
            cause: Some("not_read".to_owned()),
            failure_reason: Some(format!("{error}; it leaves once its balance could be read")),
            not_before_ms: Some(not_before_ms),
            detail: serde_json::json!({"looks": times}),
            ..Change::new(payout_id, By::Engine)
        }));
    }
}

fn look_for(payout: Ahead, run: &RunId, now_ms: i64, stripe: &Arc<dyn Stripe>) -> Look {
    Look {
        account: payout.account,
        run: run.clone(),
        payouts: vec![payout.payout_id],
        currencies: vec![payout.currency],
        with_account: payout.account_old,
        listed_ms: payout.listed_ms,
        read_at_ms: now_ms,
        // Before the first answer nothing is looked at: the gate is shut.
        stripe_ms: stripe.time().map_or(payout.listed_ms, |(stripe_ms, _)| stripe_ms),
    }
}

/// All reads of one look at once: each waits for its own endpoint's turn.
async fn look_at(stripe: &Arc<dyn Stripe>, look: &Look) -> (ReadCount, Result<Seen, ReadError>) {
    let account =
        async { if look.with_account { stripe.account(look.account.clone()).await.map(Some) } else { Ok(None) } };
    let (account, balance, (listings, payouts)) =
        tokio::join!(account, stripe.balance(look.account.clone()), payouts_since(stripe, look));
    let reads = ReadCount { accounts: i64::from(look.with_account), balances: 1, listings };
    let result = match (account, balance, payouts) {
        (Ok(account), Ok(balance), Ok(payouts)) => Ok(Seen { account, balance, payouts }),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => Err(error),
    };
    (reads, result)
}

/// The account's payouts since it was last looked through, and how many pages they were on.
async fn payouts_since(stripe: &Arc<dyn Stripe>, look: &Look) -> (i64, Result<Vec<PayoutObject>, ReadError>) {
    let (mut found, mut starting_after, mut pages) = (Vec::new(), None, 0_i64);
    for _ in 0..PAGES_MAX {
        let account = look.account.clone();
        let request =
            ListRequest { account, created_from_s: look.listed_ms / 1_000, starting_after: starting_after.take() };
        pages = pages.saturating_add(1);
        match stripe.list(request).await {
            Ok(page) => {
                starting_after = page.payouts.last().map(|last| last.id.to_string());
                found.extend(page.payouts);
                if !page.has_more || starting_after.is_none() {
                    return (pages, Ok(found));
                }
            }
            Err(error) => return (pages, Err(error)),
        }
    }
    let why = format!("more than {PAGES_MAX} pages of payouts on account {} since the last look", look.account);
    (pages, Err(ReadError::Unreadable(why)))
}

/// What a balance says of each currency that it names or that was asked for: one that it doesn't name holds nothing.
fn purses(asked: &[Currency], balance: &BalanceObject) -> Vec<(Currency, i64, i64)> {
    let of = |list: &[(Currency, i64)], currency| {
        list.iter().find(|(named, _)| *named == currency).map_or(0, |(_, minor)| *minor)
    };
    let mut currencies: Vec<Currency> =
        asked.iter().copied().chain(balance.available.iter().map(|(currency, _)| *currency)).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
        .into_iter()
        .map(|currency| (currency, of(&balance.available, currency), of(&balance.pending, currency)))
        .collect()
}
