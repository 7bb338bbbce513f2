//! Looking again: what webhooks may have lost of payouts is asked of Stripe, account by account, as tasks. One list of an account's payouts says
//! what became of those that nothing was told of for too long, whether paid ones stayed paid, and what somebody else made there. What it shows
//! goes the way of every sighting; a list that fails is asked for again later, and stops nobody.
use super::{Done, Engine, lead::Lease};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        types::{Awaited, By, Change, DueLook, NextLook, ReadCount, SweepKind},
    },
    stripe::{ListRequest, ReadError, Stripe},
};
use payout_shared::{
    answer::PayoutObject,
    consequence::backoff_ms,
    id::{AccountId, RunId},
    payout::{ObjectStatus, PayoutEvent, PayoutState},
    run::RunEvent,
    sweep::{AGAIN_MIN_MS, SETTLE_AFTER_MS, next_look_ms},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Accounts looked at once while nothing else is read, and while a run is on its way: its own looks go first.
const LOOKS_MAX: usize = 16;
const LOOKS_BESIDE_A_RUN: usize = 2;
/// Rows asked for at once, of each kind.
const ROWS_MAX: i64 = 64;
/// The store is asked this often when nothing was due, milliseconds.
const ASK_MS: i64 = 10_000;
/// … and this often while something comes back, milliseconds.
const ASK_SOON_MS: i64 = 1_000;
/// Every account's payouts are listed at least this often, milliseconds: one read a cycle for those that nobody looks at otherwise. It finds what
/// was made or failed there without a word to us.
const EVERYBODY_MS: i64 = 15 * DAY_MS;
/// A list that failed is asked for again this much later, milliseconds; it grows with each failure, up to a day.
const AGAIN_MS: i64 = 60_000;
/// A list goes back this much before the oldest payout that it is made for, milliseconds: whatever the clocks say.
const MARGIN_MS: i64 = DAY_MS;
/// Pages of one list: 100 payouts each.
const PAGES_MAX: usize = 20;
/// Completed runs and drifts are looked at this often, milliseconds.
const RUNS_MS: i64 = 600_000;

/// The first account's place.
const START: (i64, String) = (i64::MIN, String::new());

/// What the engine remembers of its looks; nothing in it is needed after a crash.
#[derive(Debug, Default)]
pub(super) struct Polls {
    under_way: BTreeSet<AccountId>,
    /// Accounts whose lists failed: how often in a row, and not again before.
    failed: BTreeMap<AccountId, (u32, BootMs)>,
    /// Nobody's is asked for before.
    ask_at: BootMs,
    /// Behind which account the round goes on.
    place: (i64, String),
    runs_at: BootMs,
    /// From where everything was wanted when this round began.
    round: Option<i64>,
}

/// One list of an account's payouts.
#[derive(Debug)]
pub(super) struct Poll {
    account: AccountId,
    /// What it is made for; empty: nobody had listed the account for a long time.
    due: Vec<DueLook>,
    /// From here on, Stripe's time.
    from_ms: i64,
    started_ms: i64,
}

/// What it showed.
#[derive(Debug)]
pub(super) struct Shown {
    payouts: Vec<PayoutObject>,
    /// Stripe's time of its newest page.
    at_ms: i64,
}

/// A list that has come back, and how many reads it took.
pub(super) type Polled = (Poll, i64, Result<Shown, ReadError>);

/// What a batch of lists leads to.
#[derive(Default)]
struct Batch {
    shown: Vec<(PayoutObject, i64)>,
    changes: Vec<Change>,
    listed: Vec<(AccountId, i64)>,
    next: Vec<NextLook>,
    reads: BTreeMap<RunId, ReadCount>,
}

impl Engine {
    /// Starts a list for each account whose time has come, at most so many at once: what is wanted whole first, then what is due, then everybody.
    pub(super) async fn poll(&mut self, lease: Lease, beside_a_run: bool) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        let most = if beside_a_run { LOOKS_BESIDE_A_RUN } else { LOOKS_MAX };
        let room = most.saturating_sub(self.polls.under_way.len());
        let Some(stripe) = self.parts.stripe.clone().filter(|_| room > 0 && now >= self.polls.ask_at) else {
            return Ok(());
        };
        // Without Stripe's time nothing follows from what is paid still.
        let Some((stripe_ms, _)) = stripe.time() else { return Ok(()) };
        self.polls.ask_at = now.plus_ms(ASK_SOON_MS);
        let store = self.parts.store.clone();
        let sweeps = store.sweeps().await?;
        let wanted = sweeps.iter().find(|row| row.kind == SweepKind::Payouts && row.is_wanted);
        let mut polls = match wanted.and_then(|row| row.wanted_from_ms) {
            Some(from_ms) => self.everybody(lease, Some((from_ms, stripe_ms))).await?,
            None => Vec::new(),
        };
        if polls.len() < room {
            let known: BTreeSet<AccountId> = polls.iter().map(|poll| poll.account.clone()).collect();
            let due =
                gather(store.looks_due(ROWS_MAX).await?).into_iter().filter(|poll| !known.contains(&poll.account));
            polls.extend(due.filter(|poll| self.polls.is_free(&poll.account, now)));
        }
        if polls.is_empty() {
            polls = self.everybody(lease, None).await?;
        }
        if polls.is_empty() && self.polls.under_way.is_empty() {
            self.polls.ask_at = now.plus_ms(ASK_MS);
        }
        for poll in polls.into_iter().take(room) {
            self.polls.under_way.insert(poll.account.clone());
            let (stripe, done) = (stripe.clone(), self.done_tx.clone());
            tokio::spawn(async move {
                let (reads, result) = list(&stripe, &poll).await;
                let _ = done.send(Done::Polled((poll, reads, result))).await;
            });
        }
        Ok(())
    }

    /// Accounts whose payouts nobody has listed for a long time; or since everything from a moment on was wanted once more, at this time of
    /// Stripe's: when there is none left, that is done.
    async fn everybody(&mut self, lease: Lease, wanted: Option<(i64, i64)>) -> Result<Vec<Poll>, StoreError> {
        let store = self.parts.store.clone();
        let from_ms = wanted.map(|(from_ms, _)| from_ms);
        if self.polls.round != from_ms {
            (self.polls.round, self.polls.place) = (from_ms, START);
        }
        let old_ms = self.parts.clock.now_ms().saturating_sub(EVERYBODY_MS);
        let before_ms = from_ms.map_or((old_ms, old_ms), |from_ms| (from_ms.saturating_add(1), i64::MAX));
        let place = std::mem::replace(&mut self.polls.place, START);
        let found = store.unlisted(before_ms, (place.0, &place.1), ROWS_MAX).await?;
        if let Some((from_ms, stripe_ms)) = wanted.filter(|_| place == START && found.is_empty()) {
            store.listed_all(lease.fence, from_ms, stripe_ms).await?;
            tracing::info!(from_ms, "every account's payouts were listed");
            self.parts.changed.tell();
        }
        if i64::try_from(found.len()).unwrap_or(i64::MAX) >= ROWS_MAX {
            self.polls.place = found.last().map_or(START, |(listed_ms, last)| (*listed_ms, last.account.to_string()));
        }
        let now = self.parts.clock.boot();
        let free = found.into_iter().map(|(_, one)| one).filter(|one| self.polls.is_free(&one.account, now));
        Ok(free
            .map(|one| Poll {
                account: one.account,
                due: Vec::new(),
                from_ms: one.listed_ms,
                started_ms: one.started_ms,
            })
            .collect())
    }

    /// A read of a sweep has come back, whatever it brought: it may be asked for again.
    pub(super) fn sweep_ended(&mut self, done: &Done) {
        match done {
            Done::Polled(polled) => {
                self.polls.under_way.remove(&polled.0.account);
            }
            Done::Events { .. } => self.events.ended(),
            Done::Sent { .. }
            | Done::Account { .. }
            | Done::Listed { .. }
            | Done::Moved { .. }
            | Done::Undone { .. }
            | Done::LookedUp { .. }
            | Done::Accounts { .. }
            | Done::Looked(_)
            | Done::Reversal { .. }
            | Done::Platform(_) => {}
        }
    }

    /// Records what sweeps read. What fails to be recorded is read again.
    pub(super) async fn record_sweeps(&mut self, lease: Lease, swept: Vec<Done>) -> Result<(), StoreError> {
        let mut polled = Vec::new();
        for done in swept {
            if let Done::Events { asked, result } = done {
                self.events_read(lease, asked, result).await?;
            } else if let Done::Polled(one) = done {
                polled.push(one);
            }
        }
        if polled.is_empty() { Ok(()) } else { self.record_polls(lease, polled).await }
    }

    /// Records what lists showed: the payouts first, then that they were looked at.
    async fn record_polls(&mut self, lease: Lease, polled: Vec<Polled>) -> Result<(), StoreError> {
        self.polls.ask_at = self.polls.ask_at.min(self.parts.clock.boot());
        let mut batch = Batch::default();
        let mut started_ms = i64::MAX;
        let mut asked = BTreeSet::new();
        for (poll, reads, result) in polled {
            started_ms = started_ms.min(poll.started_ms);
            asked.extend(poll.due.iter().map(|due| due.object.clone()));
            count(&poll, reads, &mut batch);
            self.polled(poll, result, &mut batch);
        }
        let Batch { shown, changes, listed, next, reads } = batch;
        // Made before this database was there: not ours to judge, unless it was noted.
        let known =
            |object: &PayoutObject| object.created_s.saturating_mul(1_000) >= started_ms || asked.contains(&object.id);
        self.listed(lease, shown, changes, known).await?;
        let reads: Vec<_> = reads.into_iter().collect();
        self.parts.store.record_swept(lease.fence, &listed, &next, &reads).await?;
        self.parts.changed.tell();
        Ok(())
    }

    fn polled(&mut self, poll: Poll, result: Result<Shown, ReadError>, batch: &mut Batch) {
        let (now, now_ms) = (self.parts.clock.boot(), self.parts.clock.now_ms());
        match result {
            Ok(shown) => {
                self.polls.failed.remove(&poll.account);
                if self.parts.health.good(Topic::Sweeps) {
                    tracing::info!("Stripe's lists can be read again");
                }
                for due in &poll.due {
                    let status = shown.payouts.iter().find(|object| object.id == due.object).and_then(|it| it.status);
                    batch.next.push(after(due, status, shown.at_ms, now_ms));
                    batch.changes.extend(settled(due, status, shown.at_ms));
                }
                batch.listed.push((poll.account, shown.at_ms));
                batch.shown.extend(shown.payouts.into_iter().map(|object| (object, shown.at_ms)));
            }
            Err(ReadError::NoAccess(why)) => {
                // Whoever is gone says nothing any more: what is open there is asked for once a day, and a sweep doesn't wait for it.
                tracing::error!(account = %poll.account, why, due = poll.due.len(), "Stripe does not show an account's payouts");
                let at_ms =
                    self.parts.stripe.as_ref().and_then(|stripe| stripe.time()).map_or(now_ms, |(at_ms, _)| at_ms);
                batch.next.extend(poll.due.iter().map(|due| later(due, now_ms.saturating_add(DAY_MS))));
                batch.listed.push((poll.account, at_ms));
            }
            Err(error) => {
                let times = self.polls.failed.get(&poll.account).map_or(0, |(times, _)| *times).saturating_add(1);
                let wait_ms = backoff_ms(i64::from(times.saturating_sub(1)), AGAIN_MS).min(DAY_MS);
                self.polls.failed.insert(poll.account.clone(), (times, now.plus_ms(wait_ms)));
                batch.next.extend(poll.due.iter().map(|due| later(due, now_ms.saturating_add(wait_ms))));
                if matches!(error, ReadError::Refused(_)) {
                    self.platform.doubt();
                }
                // Nobody answers, or nobody lets us: the others wait too, instead of asking one after the other in vain.
                if matches!(error, ReadError::Refused(_) | ReadError::Unreachable(_) | ReadError::Limited(_)) {
                    self.polls.ask_at = now.plus_ms(AGAIN_MS / 2);
                }
                let sentence = format!("what became of open payouts can't be read at Stripe ({error}): tried again");
                if self.parts.health.bad(Topic::Sweeps, sentence) {
                    tracing::warn!(account = %poll.account, %error, times, "an account's payouts could not be listed: tried again later");
                }
            }
        }
    }

    /// Completed runs all of whose payouts are at an end are settled, a week after they ended at the earliest; and drifts are reckoned anew.
    pub(super) async fn settle_runs(&mut self, lease: Lease) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        if now < self.polls.runs_at {
            return Ok(());
        }
        self.polls.runs_at = now.plus_ms(RUNS_MS);
        let ended_before_ms = self.parts.clock.now_ms().saturating_sub(SETTLE_AFTER_MS);
        for run in self.parts.store.settled_runs(ended_before_ms).await? {
            self.run_event(lease, &run, RunEvent::Settle, None).await?;
        }
        self.reckon_drifts(lease).await
    }
}

impl Polls {
    fn is_free(&self, account: &AccountId, now: BootMs) -> bool {
        !self.under_way.contains(account) && self.failed.get(account).is_none_or(|(_, at)| now >= *at)
    }
}

/// One list for all that is due on an account, in the order of the longest due.
fn gather(due: Vec<DueLook>) -> Vec<Poll> {
    let mut places: BTreeMap<AccountId, usize> = BTreeMap::new();
    let mut polls: Vec<Poll> = Vec::new();
    for due in due {
        let from_ms = due.created_ms.saturating_sub(MARGIN_MS).min(due.listed_ms);
        let at = *places.entry(due.account.clone()).or_insert(polls.len());
        match polls.get_mut(at) {
            Some(poll) => {
                poll.from_ms = poll.from_ms.min(from_ms);
                poll.due.push(due);
            }
            None => {
                polls.push(Poll { account: due.account.clone(), from_ms, started_ms: due.started_ms, due: vec![due] })
            }
        }
    }
    polls
}

/// The account's payouts from there on; what was to be looked at and isn't among them is read by itself.
async fn list(stripe: &Arc<dyn Stripe>, poll: &Poll) -> (i64, Result<Shown, ReadError>) {
    let mut reads = 0_i64;
    let result = async {
        let (mut payouts, mut starting_after, mut at_ms) = (Vec::new(), None, None);
        for page in 0..PAGES_MAX {
            let request = ListRequest {
                account: poll.account.clone(),
                created_from_s: poll.from_ms.div_euclid(1_000),
                starting_after: starting_after.take(),
            };
            reads = reads.saturating_add(1);
            let listed = stripe.list(request).await?;
            if page == 0 {
                at_ms = listed.date_ms;
            }
            starting_after = listed.payouts.last().map(|last| last.id.to_string()).filter(|_| listed.has_more);
            payouts.extend(listed.payouts);
            if starting_after.is_none() {
                break;
            }
        }
        if starting_after.is_some() {
            let why = format!("more than {PAGES_MAX} pages of payouts on account {}", poll.account);
            return Err(ReadError::Unreadable(why));
        }
        let at_ms = at_ms.ok_or_else(|| ReadError::Unreadable("a list without a Date".to_owned()))?;
        for due in &poll.due {
            if !payouts.iter().any(|object| object.id == due.object) {
                reads = reads.saturating_add(1);
                payouts.push(stripe.payout(poll.account.clone(), due.object.clone()).await?);
            }
        }
        Ok(Shown { payouts, at_ms })
    };
    let result = result.await;
    (reads, result)
}

/// Reads are counted for the run of the first payout that they were made for.
fn count(poll: &Poll, listings: i64, batch: &mut Batch) {
    let run = poll.due.iter().find_map(|due| match &due.of {
        Awaited::Ours { run, .. } => Some(run.clone()),
        Awaited::Foreign { .. } => None,
    });
    if let Some(run) = run {
        let count = batch.reads.entry(run).or_default();
        *count = count.plus(ReadCount { listings, ..ReadCount::default() });
    }
}

/// A payout that stayed paid for as long as it must, by Stripe's time of the look, is settled.
fn settled(due: &DueLook, status: Option<ObjectStatus>, shown_ms: i64) -> Option<Change> {
    match &due.of {
        Awaited::Ours { payout, state: PayoutState::Paid, settles_at_ms, .. }
            if status == Some(ObjectStatus::Paid) && shown_ms >= *settles_at_ms =>
        {
            Some(Change {
                event: Some(PayoutEvent::Settle),
                detail: serde_json::json!({"object": due.object.as_str(), "stripe_ms": shown_ms}),
                ..Change::new(payout.clone(), By::Engine)
            })
        }
        Awaited::Ours { .. } | Awaited::Foreign { .. } => None,
    }
}

/// When it is looked at next, unless what was shown is news.
fn after(due: &DueLook, status: Option<ObjectStatus>, shown_ms: i64, now_ms: i64) -> NextLook {
    match &due.of {
        Awaited::Ours { state: PayoutState::Paid, settles_at_ms, .. } if status == Some(ObjectStatus::Paid) => {
            let left_ms = settles_at_ms.saturating_sub(shown_ms).max(AGAIN_MIN_MS);
            later(due, now_ms.saturating_add(left_ms))
        }
        Awaited::Foreign { paid: true } if status == Some(ObjectStatus::Paid) => {
            NextLook { at_ms: None, ..later(due, 0) }
        }
        Awaited::Ours { .. } | Awaited::Foreign { .. } => later(due, next_look_ms(now_ms, due.news_ms)),
    }
}

fn later(due: &DueLook, at_ms: i64) -> NextLook {
    NextLook { of: due.of.clone(), object: due.object.clone(), was_ms: due.look_at_ms, at_ms: Some(at_ms) }
}
