//! The twin without sockets: a world, its clock and its webhook target behind one lock.
//! Used by the HTTP shell and, in process, by seeded simulations with a manual clock. Invariant: every request is
//! answered under the lock, so what one request executed the next one sees.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;

use crate::account::AccountSpec;
use crate::books::AccountChange;
use crate::call::{Answer, Call};
use crate::clock::{Clock, Now};
use crate::events::{Delivery, Event};
use crate::faults::FaultPlan;
use crate::live::{LifePlan, LifeSoFar};
use crate::payout::Payout;
use crate::proof::Conservation;
use crate::stats::{Stats, Webhooks};
use crate::world::{Reply, Rules, Ticket, World};

/// Where events go.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// `http://…`.
    pub url: String,
    /// `whsec_…`.
    pub secret: String,
}

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "WebhookTarget({}, secret hidden)", self.url)
    }
}

/// What a client gets, and how late.
#[derive(Debug)]
pub struct Outcome {
    /// The answer is held back for so long, on top of any latency.
    pub delay_ms: u64,
    /// What then happens on the wire.
    pub wire: Wire,
}

/// What happens on the wire.
#[derive(Debug)]
pub enum Wire {
    /// A whole answer.
    Answer(Response<Bytes>),
    /// Status and headers come, the body ends half-way.
    Cut(Response<Bytes>),
    /// The connection closes without a byte; the request was executed.
    Close,
    /// The connection is reset; nothing was executed.
    Reset,
    /// Nothing is executed until this instant of the wall clock; then [`Twin::collect`] has the answer.
    Late(Late),
}

/// An execution that is still to come.
#[derive(Debug)]
pub struct Late {
    /// When, on the wall clock.
    pub at_wall_ms: i64,
    id: u64,
    call: Box<Call>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Twin {
    world: Mutex<World>,
    clock: Clock,
    webhook: Mutex<Option<WebhookTarget>>,
    delivered: Mutex<Webhooks>,
    mailed: Mutex<Webhooks>,
}

impl Twin {
    /// A world of its own with the platform's account and no other.
    #[must_use]
    pub fn new(rules: Rules, plan: FaultPlan, clock: Clock) -> Self {
        Self {
            world: Mutex::new(World::new(rules, plan)),
            clock,
            webhook: Mutex::new(None),
            delivered: Mutex::new(Webhooks::default()),
            mailed: Mutex::new(Webhooks::default()),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock that everything goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Answers one request as if it took no time. A crash of the caller before or after changes nothing of what was
    /// executed: the ledger knows.
    #[must_use]
    pub fn handle(&self, request: &Request<Bytes>) -> Outcome {
        let (outcome, ticket) = self.begin(request);
        self.finish(ticket);
        outcome
    }

    /// Answers one request; until [`Twin::finish`] its key is in use and its slots are taken.
    #[must_use]
    pub fn begin(&self, request: &Request<Bytes>) -> (Outcome, Ticket) {
        if request.uri().path().starts_with("/_twin") {
            let wire = Wire::Answer(self.control(request));
            return (Outcome { delay_ms: 0, wire }, Ticket::default());
        }
        let now = self.clock.now();
        let call = Call::read(request);
        let begun = self.world().begin(now, &call);
        let http = |answer: Answer| answer.to_http(&call, now);
        let wire = match begun.reply {
            Reply::Answer(answer) => Wire::Answer(http(answer)),
            Reply::Cut(answer) => Wire::Cut(http(answer)),
            Reply::Close => Wire::Close,
            Reply::Reset => Wire::Reset,
            Reply::Late(id, at_wall_ms) => Wire::Late(Late { at_wall_ms, id, call: Box::new(call) }),
        };
        (Outcome { delay_ms: begun.delay_ms, wire }, begun.ticket)
    }

    /// The answer of a late execution, once its time has come.
    #[must_use]
    pub fn collect(&self, late: &Late) -> Option<Response<Bytes>> {
        let now = self.clock.now();
        let answer = self.world().collect(now, (late.id, &late.call))?;
        Some(answer.to_http(&late.call, now))
    }

    /// The answer has left, or never will.
    pub fn finish(&self, ticket: Ticket) {
        self.world().finish(ticket);
    }

    /// Lets happen what is due, and says when the next thing will be, on the wall clock.
    pub fn advance(&self) -> Option<i64> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        if world.life_is_late(now.date_ms) { Some(now.wall_ms) } else { world.next_due_ms() }
    }

    /// Takes the events made since the last time, in the order they were made.
    #[must_use]
    pub fn take_events(&self) -> Vec<Event> {
        self.world().outbox.drain(..).collect()
    }

    /// Takes the deliveries for the endpoints made through the API, in the order they were made.
    #[must_use]
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        self.world().mail.drain(..).collect()
    }

    /// Where an endpoint made through the API is, and what it is signed with; none when it is gone.
    #[must_use]
    pub fn endpoint(&self, id: &str) -> Option<WebhookTarget> {
        let world = self.world();
        let hook = world.hooks.iter().find(|hook| hook.id == id)?;
        Some(WebhookTarget { url: hook.url.clone(), secret: hook.secret.clone() })
    }

    /// One of the targets that an event was owed to has accepted it: `delivery_success` goes by this.
    pub fn acknowledge(&self, event: &str) {
        self.world().log.settle(event);
    }

    /// Takes a scripted life in; it is played as the Date goes on.
    ///
    /// # Errors
    /// When it is too long, or has too many creators.
    pub fn take_life(&self, plan: LifePlan) -> Result<LifeSoFar, String> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.take_life(now, plan)
    }

    /// How far the scripted life has come.
    #[must_use]
    pub fn life(&self) -> LifeSoFar {
        self.world().life_so_far()
    }

    /// At most so many events of the scripted life happen between two requests.
    pub(crate) fn live_at_once(&self, events: usize) {
        self.world().life.at_once = Some(events);
    }

    /// Checks every accepted request, every answer and every event against the OpenAPI copy; `stats` has the findings.
    pub fn check_openapi(&self, on: bool) {
        self.world().checks_openapi = on;
    }

    pub(crate) fn livemode(&self) -> bool {
        self.world().rules.livemode
    }

    /// Every executed payout, oldest first.
    #[must_use]
    pub fn ledger(&self) -> Vec<Payout> {
        self.advance();
        self.world().payouts.clone()
    }

    pub(crate) fn ledger_rows(&self) -> Vec<Payout> {
        self.ledger()
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.advance();
        let world = self.world();
        let mut stats = world.stats.clone();
        let delivered = *self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        stats.webhooks.delivered = delivered.delivered;
        stats.webhooks.failed = delivered.failed;
        stats.webhooks.lost += delivered.lost;
        let waiting = |events: usize| u64::try_from(events).unwrap_or(u64::MAX);
        // Without a target, but with endpoints of the API's, nobody waits for what lies in the outbox.
        let is_awaited = world.has_target || world.hooks.is_empty();
        stats.webhooks.pending = delivered.pending + if is_awaited { waiting(world.outbox.len()) } else { 0 };
        let mailed = *self.mailed.lock().unwrap_or_else(PoisonError::into_inner);
        stats.endpoints.delivered = mailed.delivered;
        stats.endpoints.failed = mailed.failed;
        stats.endpoints.lost += mailed.lost;
        stats.endpoints.again = mailed.again;
        stats.endpoints.pending = mailed.pending + waiting(world.mail.len());
        stats.reads.sum_up(self.clock.now());
        stats.life_due = world.life_so_far().due;
        stats
    }

    /// Proves that no money was made or lost.
    #[must_use]
    pub fn check_conservation(&self) -> Conservation {
        self.advance();
        self.world().conservation()
    }

    /// Takes accounts in, all or (on a bad or known id) none.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn add_accounts(&self, specs: Vec<AccountSpec>) -> Result<usize, String> {
        let now = self.clock.now();
        self.world().add_accounts(now, specs)
    }

    /// Changes an account, with the events that go with it.
    ///
    /// # Errors
    /// When there is no such account, or a balance would overflow.
    pub fn change_account(&self, id: &str, change: AccountChange) -> Result<(), String> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.change_account(now, id, change)
    }

    /// Which faults strike from now on.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.world().faults.set(plan);
    }

    /// Which faults strike.
    #[must_use]
    pub fn faults(&self) -> FaultPlan {
        self.world().faults.plan().clone()
    }

    /// Where events go from now on; without a target they are kept until there is one, as far as the bound allows.
    pub fn set_webhook(&self, target: Option<WebhookTarget>) {
        self.world().has_target = target.is_some();
        *self.webhook.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Where events go.
    #[must_use]
    pub fn webhook(&self) -> Option<WebhookTarget> {
        self.webhook.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count_delivery(&self, count: impl FnOnce(&mut Webhooks)) {
        count(&mut self.delivered.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn count_mail(&self, count: impl FnOnce(&mut Webhooks)) {
        count(&mut self.mailed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }
}
