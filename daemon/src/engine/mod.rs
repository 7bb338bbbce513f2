//! The engine: one loop that asks the store "what is due?" and does it at its own pace. The only place that a money request leaves from.
//!
//! Who comes in: nobody calls it; doors record and wake. Whom it may call: store, stripe, limits, clock.
//! Invariants: it never awaits Stripe inline (sends and reads are tasks whose answers come back through a channel); each step has a
//! work budget, so that a pause is never behind a plan; a restart is just the next pass.
use crate::{
    clock::Clock,
    health::Health,
    store::Store,
    stripe::{Stripe, limits::Limits},
    tell::figures::Figures,
    wake::{Changed, Wake},
    witness::Witness,
};
use futures::future::BoxFuture;
use std::sync::Arc;

/// What the engine is made of.
#[derive(Clone)]
pub struct Parts {
    /// The books.
    pub store: Store,
    /// Stripe; `None` = no key: everything is recorded, nothing is read or sent.
    pub stripe: Option<Arc<dyn Stripe>>,
    /// How fast creates may leave.
    pub limits: Limits,
    /// Time.
    pub clock: Clock,
    /// Wakes it.
    pub wake: Wake,
    /// Told after each commit.
    pub changed: Changed,
    /// Told what is wrong.
    pub health: Health,
    /// Told how Stripe answers.
    pub figures: Figures,
    /// Where the journal's place is kept outside the database; `None` = nowhere.
    pub witness: Option<Arc<Witness>>,
    /// How it works.
    pub settings: Settings,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("stripe", &self.stripe.is_some())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The lease's length, milliseconds.
    pub lease_ms: i64,
    /// This daemon's name in the lease.
    pub holder: String,
    /// A file lock proves that whoever held the lease before is gone (SQLite).
    pub alone: bool,
    /// The longest a request may take, milliseconds.
    pub request_timeout_ms: i64,
    /// The first listing comes this long after a lost answer, milliseconds.
    pub resolve_first_ms: i64,
    /// What is known of an account is old after this, milliseconds.
    pub account_stale_ms: i64,
    /// Purses per page of a plan.
    pub plan_page: i64,
    /// When a run pauses by itself because too much fails.
    pub breaker: BreakerRules,
    /// Stripe may hold this much more or less in a purse than the books say before somebody is told, minor units of its currency, where no
    /// policy says otherwise.
    pub drift_tolerance_minor: i64,
}

mod again;
mod book;
mod check;
mod events;
mod lead;
mod observe;
mod pass;
mod plan;
mod poll;
mod record;
mod remember;
mod resolve;
mod reversal;
mod send;
mod sweep;
mod undo;

use crate::{
    clock::BootMs,
    store::{
        StoreError,
        types::{Intent, KnownReversal, PlanContext, UndoIntent, UndoUnresolved, Unresolved},
    },
    stripe::{AccountObject, AccountPage, ReadError},
};
use payout_shared::{
    answer::{PayoutObject, Sent},
    breaker::BreakerRules,
    id::{AccountId, PayoutId, RunId},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Something that a task of the engine's has finished.
#[derive(Debug)]
enum Done {
    /// A money request.
    Sent { intent: Intent, sent: Sent, latency_ms: i64 },
    /// An account was read.
    Account { account: AccountId, result: Result<AccountObject, ReadError> },
    /// An unknown payout was looked for in its account's list.
    Listed { payout: Unresolved, result: Result<resolve::Look, ReadError>, at: BootMs },
    /// An account's balance was read for its estimates.
    Moved { account: AccountId, result: Result<book::Moved, ReadError> },
    /// A cancel or a reversal was answered.
    Undone { intent: UndoIntent, sent: Sent, latency_ms: i64 },
    /// The object of a cancel or a reversal was looked up, at this time of Stripe's.
    LookedUp { one: UndoUnresolved, result: Box<Result<undo::Seen, ReadError>>, now_ms: Option<i64> },
    /// A page of all accounts was read, behind this one.
    Accounts { after: Option<AccountId>, result: Result<AccountPage, ReadError> },
    /// An account was looked at before its payouts' turn.
    Looked(check::Looked),
    /// A reversal was looked at.
    Reversal { one: KnownReversal, result: Result<PayoutObject, ReadError> },
    /// An account's payouts were listed, since nothing was told of one for too long.
    Polled(poll::Polled),
    /// A page of the platform's events was read.
    Events { asked: events::Asked, result: Result<events::Page, ReadError> },
    /// The platform's account was read: the key works, and Stripe's Date is known.
    Platform(Result<AccountId, ReadError>),
}

/// Answers that may wait for the engine at once; a task waits when it is full.
const DONE_MAX: usize = 4_096;
/// Answers recorded in one transaction.
const RECORD_MAX: usize = 256;
/// The longest the engine sleeps: the backstop behind every wake.
const IDLE_MS: i64 = 1_000;
/// Without the lease: how often it is asked whether it is free. A take-over is late by this at most.
const FOLLOW_MS: i64 = 250;
/// After the database failed, tried again this much later.
const DATABASE_RETRY_MS: i64 = 500;

/// When the books are looked at again, and which accounts are being asked about.
#[derive(Debug, Default)]
struct Books {
    waiting_at: BootMs,
    confirm_at: BootMs,
    /// The same by the wall clock, whichever comes first: what is due is a matter of days, and a machine may have slept through some.
    confirm_at_ms: i64,
    /// The last account that was asked about in this round.
    place: String,
    asked: BTreeSet<AccountId>,
}

/// The engine's memory. Nothing in it is needed after a crash: what counts is in the store.
pub struct Engine {
    parts: Parts,
    done_tx: mpsc::Sender<Done>,
    done_rx: mpsc::Receiver<Done>,
    /// Finished, and not recorded yet: kept until the database takes it.
    arrived: Vec<Done>,
    lease: Option<lead::Lease>,
    /// What is ours on the wire, as far as this process knows: the key, and the token that it was intended under. An older send of the
    /// same key says nothing of a newer one.
    flying: BTreeSet<(String, i64)>,
    /// Accounts of the page that is planned next: those still to be read, those being read, and those whose last read failed, with the
    /// time of the next.
    to_read: VecDeque<AccountId>,
    reading: BTreeSet<AccountId>,
    read_again: BTreeMap<AccountId, BootMs>,
    /// Accounts whose answers could not be read, and how often in a row.
    unreadable: BTreeMap<AccountId, u32>,
    /// Unknown payouts being looked for.
    listing: BTreeSet<PayoutId>,
    /// Unknown payouts that a listing didn't show, when it was made, and whose key is young: to be sent again soon, or listed again.
    resend: BTreeMap<RunId, Vec<(PayoutId, BootMs)>>,
    /// Keys of cancels and reversals whose objects are being looked up.
    looking: BTreeSet<String>,
    /// Runs in which something failed since their breaker was asked.
    failures_in: BTreeSet<RunId>,
    looks: check::Looks,
    sweep: sweep::Sweep,
    memory: remember::Memory,
    polls: poll::Polls,
    events: events::EventSweep,
    platform: send::Platform,
    /// Health says what the newest plan said of Stripe's holding limit.
    holding_told: bool,
    books: Books,
    /// What is judged under in this pass, once somebody has asked.
    context: Option<PlanContext>,
    stopping: bool,
    /// Something is left that needs no wait.
    again: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("lease", &self.lease).field("flying", &self.flying.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that hasn't begun.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (done_tx, done_rx) = mpsc::channel(DONE_MAX);
        Self {
            parts,
            done_tx,
            done_rx,
            arrived: Vec::new(),
            lease: None,
            flying: BTreeSet::new(),
            to_read: VecDeque::new(),
            reading: BTreeSet::new(),
            read_again: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            listing: BTreeSet::new(),
            resend: BTreeMap::new(),
            looking: BTreeSet::new(),
            failures_in: BTreeSet::new(),
            looks: check::Looks::default(),
            sweep: sweep::Sweep::default(),
            memory: remember::Memory::default(),
            polls: poll::Polls::default(),
            events: events::EventSweep::default(),
            platform: send::Platform::default(),
            holding_told: false,
            books: Books::default(),
            context: None,
            stopping: false,
            again: false,
        }
    }

    /// Works until `stop`, then starts nothing more, waits for what is on the wire, records it and gives the lease back.
    pub async fn run(mut self, stop: CancellationToken) {
        let clock = self.parts.clock.clone();
        let wake = self.parts.wake.clone();
        loop {
            // Looked at before each pass: whatever else woke the engine, nothing more leaves once it is told to stop.
            self.stopping |= stop.is_cancelled();
            let next = self.step().await;
            // Without the lease nothing can be recorded any more: whoever holds it looks for what is left.
            if self.stopping && (self.lease.is_none() || (self.flying.is_empty() && self.arrived.is_empty())) {
                self.give_back().await;
                return;
            }
            tokio::select! {
                () = stop.cancelled(), if !self.stopping => {}
                done = self.done_rx.recv() => self.take(done),
                () = wake.woken() => {}
                () = clock.sleep_until(next) => {}
            }
        }
    }

    /// One pass; gives the time of the next. What the database didn't take is kept and tried again. Boxed here, so that the engine is compiled
    /// with this crate, once, and not anew with each that steps it.
    pub fn step(&mut self) -> BoxFuture<'_, BootMs> {
        Box::pin(self.step_once())
    }

    async fn step_once(&mut self) -> BootMs {
        let now = self.parts.clock.boot();
        match self.pass().await {
            Ok(next) => {
                if self.parts.health.good(crate::health::Topic::Database) {
                    tracing::info!("the database answers again");
                }
                next
            }
            Err(StoreError::Fenced { ours, now: token }) => {
                tracing::error!(ours, token, "the lease was lost: nothing is sent or written until it is ours again");
                self.lease = None;
                now.plus_ms(DATABASE_RETRY_MS)
            }
            Err(error) => {
                let sentence = format!("{error}; nothing leaves, what is on the wire is kept until it can be recorded");
                if self.parts.health.bad(crate::health::Topic::Database, &sentence) {
                    tracing::error!(%error, "the store failed: tried again every {DATABASE_RETRY_MS} ms");
                }
                self.parts.changed.tell();
                now.plus_ms(DATABASE_RETRY_MS)
            }
        }
    }

    fn take(&mut self, done: Option<Done>) {
        self.arrived.extend(done);
        while self.arrived.len() < RECORD_MAX {
            match self.done_rx.try_recv() {
                Ok(done) => self.arrived.push(done),
                Err(_) => return,
            }
        }
    }
}
