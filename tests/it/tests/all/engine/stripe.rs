//! Stripe for an engine under test: the twin in this process, with its real answers read by payoutd's own wire code, and whatever goes
//! wrong at a moment that the test names. It also watches the engine: what may not be when a request leaves is written down.
use super::{
    probe::Probe,
    trouble::{Rule, Trouble},
    turns::{Turns, Work},
};
use bytes::Bytes;
use http::{Method, Request, Response};
use payout_shared::{
    answer::{PayoutObject, Sent},
    id::AccountId,
};
use payoutd::{
    clock::{Clock, ManualClock},
    stripe::{Limits, MoneyRequest, ReadError, StripeClock, limits::ReadClass, wire},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};
use stripe_twin::{Twin, Wire};
use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Memory {
    rules: Vec<Rule>,
    reads: Vec<(Option<String>, usize, ReadError)>,
    /// Requests that reached the wire: (key, body).
    left: Vec<(String, String)>,
    bodies: HashMap<String, String>,
    pub(super) listings: usize,
    pub(super) movements: usize,
    pub(super) no_movements: bool,
    /// Which request met which trouble, by its key, until somebody asks.
    met: Vec<(String, Trouble)>,
    /// Every request that reached the twin: when (boot clock) and which endpoint.
    asked: Vec<(i64, &'static str)>,
    /// Reads wait for their turn by these limits, and then so long for their answer (milliseconds).
    pace: Option<(Limits, i64)>,
    wrong: Vec<String>,
    /// Which process may speak: requests of a dead one go nowhere.
    alive: u64,
    no_date: bool,
    /// Payouts are in a state whose word nobody knows.
    strange: bool,
}

pub(super) struct Shared {
    pub(super) twin: Twin,
    clock: Clock,
    hand: ManualClock,
    probe: Probe,
    memory: Mutex<Memory>,
    pub(super) turns: Turns,
    gate: Notify,
    timeout_ms: i64,
}

/// One process's client.
#[derive(Clone)]
pub(super) struct TwinStripe {
    pub(super) shared: Arc<Shared>,
    pub(super) time: Arc<StripeClock>,
    life: u64,
    of_the_test: bool,
}

impl Shared {
    pub(super) fn new(twin: Twin, (clock, hand): (Clock, ManualClock), probe: Probe, timeout_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            twin,
            clock,
            hand,
            probe,
            memory: Mutex::default(),
            turns: Turns::default(),
            gate: Notify::new(),
            timeout_ms,
        })
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    /// A client of a process that begins now; clients before it are dead from here on.
    pub(super) fn client(self: &Arc<Self>) -> TwinStripe {
        let life = {
            let mut memory = self.memory();
            memory.alive += 1;
            memory.alive
        };
        TwinStripe {
            shared: Arc::clone(self),
            time: Arc::new(StripeClock::new(self.clock.clone())),
            life,
            of_the_test: false,
        }
    }

    /// The client of a second process, which lives beside the first.
    pub(super) fn another_client(self: &Arc<Self>) -> TwinStripe {
        let life = self.memory().alive;
        TwinStripe {
            shared: Arc::clone(self),
            time: Arc::new(StripeClock::new(self.clock.clone())),
            life,
            of_the_test: false,
        }
    }

    /// The client of somebody at a door: what it asks for is answered at once.
    pub(super) fn client_of_the_test(self: &Arc<Self>) -> TwinStripe {
        TwinStripe { of_the_test: true, ..self.another_client() }
    }

    /// The next `count` creates (of one account, or of any) meet this.
    pub(super) fn trouble(&self, account: Option<&str>, count: usize, trouble: Trouble) {
        self.memory().rules.push(Rule { after: 0, account: account.map(str::to_owned), left: count, trouble });
    }

    /// The money request after so many others meets this.
    pub(super) fn trouble_after(&self, requests: usize, trouble: Trouble) {
        self.memory().rules.push(Rule { after: requests, account: None, left: 1, trouble });
    }

    pub(super) fn trouble_read(&self, account: Option<&str>, count: usize, error: ReadError) {
        self.memory().reads.push((account.map(str::to_owned), count, error));
    }

    pub(super) fn heal(&self) {
        let mut memory = self.memory();
        memory.rules.clear();
        memory.reads.clear();
    }

    /// Lets go of everything that is held now.
    pub(super) fn let_go(&self) {
        self.gate.notify_waiters();
    }

    /// Answers carry no `Date` from now on.
    pub(super) fn hide_date(&self, hide: bool) {
        self.memory().no_date = hide;
    }

    /// Payouts that are read from now on are in a state whose word nobody knows.
    pub(super) fn speak_strangely(&self, strange: bool) {
        self.memory().strange = strange;
    }

    pub(super) fn heard(&self, mut payout: PayoutObject) -> PayoutObject {
        payout.status = payout.status.filter(|_| !self.memory().strange);
        payout
    }

    pub(super) fn left(&self) -> Vec<(String, String)> {
        self.memory().left.clone()
    }

    /// What met which request since the last look.
    pub(super) fn take_met(&self) -> Vec<(String, Trouble)> {
        std::mem::take(&mut self.memory().met)
    }

    /// From now on reads wait for their turn, as the live client's do, and their answers take so long; what was asked before is forgotten.
    pub(super) fn pace(&self, limits: Limits, latency_ms: i64) {
        let mut memory = self.memory();
        memory.pace = Some((limits, latency_ms));
        memory.asked.clear();
    }

    pub(super) fn paced(&self) -> Option<(Limits, i64)> {
        self.memory().pace.clone()
    }

    /// When each endpoint was asked, milliseconds by the boot clock, in order.
    pub(super) fn asked(&self) -> Vec<(i64, &'static str)> {
        self.memory().asked.clone()
    }

    /// Listings that looked for an unknown payout.
    pub(super) fn listings(&self) -> usize {
        self.memory().listings
    }

    /// Pages of balance transactions that were asked for.
    pub(super) fn movements(&self) -> usize {
        self.memory().movements
    }

    /// Balance transactions can't be read from now on.
    pub(super) fn hide_movements(&self, hide: bool) {
        self.memory().no_movements = hide;
    }

    /// A request that was lost on its way arrives after all.
    pub(super) fn execute_behind_our_back(&self, account: &str, key: &str, body: &str) {
        let http =
            TwinStripe::request(Method::POST, "/v1/payouts", stripe_twin::TEST_KEY, Some(&AccountId::new(account)))
                .header("idempotency-key", key)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Bytes::from(body.to_owned()))
                .unwrap();
        let before = self.twin.ledger().len();
        let _ = self.twin.handle(&http);
        assert_eq!(self.twin.ledger().len(), before + 1);
    }

    /// Somebody else asks Stripe for something, as the platform; the answer.
    pub(super) fn somebody(&self, path: &str, body: &str) -> serde_json::Value {
        self.somebody_of(None, path, body).unwrap_or_else(|refused| panic!("{path}: {refused}"))
    }

    /// The same on an account, and it may be refused.
    pub(super) fn somebody_of(
        &self,
        account: Option<&str>,
        path: &str,
        body: &str,
    ) -> Result<serde_json::Value, serde_json::Value> {
        let asks = body.is_empty() && !path.ends_with("/cancel");
        let method = if asks { Method::GET } else { Method::POST };
        let account = account.map(AccountId::new);
        let http = TwinStripe::request(method, path, stripe_twin::TEST_KEY, account.as_ref())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        let Wire::Answer(response) = self.twin.handle(&http).wire else { panic!("no answer to {path}") };
        let body = serde_json::from_slice(response.body()).unwrap();
        if response.status().is_success() { Ok(body) } else { Err(body) }
    }

    fn has_executed(&self, key: &str) -> bool {
        self.twin.ledger().iter().any(|row| row.idempotency_key.as_deref() == Some(key))
    }

    /// What the engine did that it may never do.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.memory().wrong.clone()
    }

    /// Waits until each task has ended or waits for the test; gives how many ended so far.
    pub(super) async fn quiet(&self) -> u64 {
        self.turns.quiet().await
    }

    fn next_trouble(&self, account: &AccountId) -> Option<Trouble> {
        let mut memory = self.memory();
        let rule = memory
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && rule.account.as_deref().is_none_or(|wanted| wanted == account.as_str()))?;
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        rule.left -= 1;
        Some(rule.trouble.clone())
    }

    fn read_trouble(&self, account: &AccountId) -> Option<ReadError> {
        let mut memory = self.memory();
        let rule = memory
            .reads
            .iter_mut()
            .find(|(wanted, left, _)| *left > 0 && wanted.as_deref().is_none_or(|wanted| wanted == account.as_str()))?;
        rule.1 -= 1;
        Some(rule.2.clone())
    }
}

impl TwinStripe {
    fn is_dead(&self) -> bool {
        self.shared.memory().alive != self.life
    }

    /// A piece of work, when its turn has come.
    pub(super) async fn work(&self) -> Work<'_> {
        if self.of_the_test { Work::of_the_test(&self.shared.turns) } else { Work::begin(&self.shared.turns).await }
    }

    fn saw(&self, response: &Response<Bytes>) {
        let meta = wire::answer::meta(response.headers(), 0);
        if let Some(date_ms) = meta.date_ms.filter(|_| !self.shared.memory().no_date) {
            self.time.saw(date_ms);
        }
    }

    fn request(method: Method, path: &str, key: &str, account: Option<&AccountId>) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {key}"))
            .header("stripe-version", wire::API_VERSION);
        match account {
            Some(account) => request.header("stripe-account", account.as_str()),
            None => request,
        }
    }

    pub(super) async fn money(self, request: MoneyRequest) -> Sent {
        let shared = Arc::clone(&self.shared);
        let work = Work::begin(&shared.turns).await;
        if self.is_dead() {
            return Sent::Lost { detail: "of a dead process".to_owned() };
        }
        let trouble = shared.next_trouble(&request.account);
        let meets = |trouble: &Trouble| shared.memory().met.push((request.key.clone(), trouble.clone()));
        if let Some(Trouble::Frozen(ms)) = trouble {
            meets(&Trouble::Frozen(ms));
            shared.hand.advance(ms);
            shared.twin.clock().tick(ms);
        }
        if shared.clock.boot() > request.send_before {
            return Sent::NeverLeft { detail: "its time to leave has passed".to_owned() };
        }
        if let Some(trouble) = trouble.as_ref().filter(|trouble| !matches!(trouble, Trouble::Frozen(_))) {
            meets(trouble);
        }
        let wrong = self.shared.probe.leaves(&request, &shared.twin, &shared.clock).await;
        let deadline = shared.clock.boot().plus_ms(shared.timeout_ms);
        self.note(&request, wrong);
        match trouble {
            Some(Trouble::Instead(sent)) => *sent,
            Some(Trouble::Refused(sent)) if !shared.has_executed(&request.key) => *sent,
            Some(Trouble::HeldBefore) => {
                if !self.held(&work, deadline).await {
                    return Sent::Lost { detail: "no answer in time".to_owned() };
                }
                self.ask(&request, None)
            }
            Some(Trouble::HeldAfter) => {
                let sent = self.ask(&request, None);
                if self.held(&work, deadline).await {
                    sent
                } else {
                    Sent::Lost { detail: "no answer in time".to_owned() }
                }
            }
            Some(Trouble::Twice) => {
                let first = self.ask(&request, None);
                let _ = self.ask(&request, None);
                first
            }
            Some(Trouble::LimitedThenCopied) => {
                let first = self.ask(&request, Some(&Trouble::Limited));
                // A copy of a reversal would be a second debit a day later, when its key is forgotten: not what is tried here.
                if request.path == "/v1/payouts" {
                    let _ = self.ask(&request, None);
                }
                first
            }
            other => self.ask(&request, other.as_ref()),
        }
    }

    /// Waits until the test lets go (true), the request times out, or the process is dead.
    async fn held(&self, work: &Work<'_>, deadline: payoutd::clock::BootMs) -> bool {
        let go = self.shared.gate.notified();
        let went = work.park(self.shared.clock.until(deadline, go)).await.is_ok();
        went && !self.is_dead()
    }

    /// What is written down of each request as it leaves.
    fn note(&self, request: &MoneyRequest, wrong: Vec<String>) {
        let mut memory = self.shared.memory();
        memory.asked.push((self.shared.clock.boot().0, "create"));
        memory.wrong.extend(wrong);
        memory.left.push((request.key.clone(), request.body.clone()));
        let first = memory.bodies.entry(request.key.clone()).or_insert_with(|| request.body.clone()).clone();
        if first != request.body {
            memory.wrong.push(format!("{}: other bytes than the first time", request.key));
        }
    }

    fn ask(&self, request: &MoneyRequest, trouble: Option<&Trouble>) -> Sent {
        let twin = &self.shared.twin;
        let key = if matches!(trouble, Some(Trouble::BadKey)) { "sk_test_of_nobody" } else { stripe_twin::TEST_KEY };
        let http = Self::request(Method::POST, &request.path, key, Some(&request.account))
            .header("idempotency-key", &request.key)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(request.body.clone()))
            .unwrap();
        let usual = twin.faults();
        if let Some(trouble) = trouble {
            twin.set_faults(trouble.plan(&usual));
        }
        let outcome = twin.handle(&http);
        twin.set_faults(usual);
        match outcome.wire {
            Wire::Answer(response) => {
                self.saw(&response);
                let meta = wire::answer::meta(response.headers(), self.shared.clock.now_ms());
                wire::answer::sent(response.status(), meta, response.body(), &request.account)
            }
            Wire::Cut(response) => {
                self.saw(&response);
                let meta = wire::answer::meta(response.headers(), self.shared.clock.now_ms());
                wire::answer::cut(response.status(), meta, "the connection ended")
            }
            Wire::Close | Wire::Reset | Wire::Late(_) => Sent::Lost { detail: "the connection ended".to_owned() },
        }
    }

    /// The turn of a read by the limits, and the time that its answer takes.
    pub(super) async fn turn(&self, work: &Work<'_>, class: ReadClass, endpoint: &'static str) {
        let pace = self.shared.paced();
        if let Some((limits, _)) = &pace {
            work.park(limits.read(class)).await;
        }
        let now = self.shared.clock.boot();
        self.shared.memory().asked.push((now.0, endpoint));
        if let Some((_, latency_ms)) = pace.filter(|(_, latency_ms)| *latency_ms > 0) {
            work.park(self.shared.clock.sleep_until(now.plus_ms(latency_ms))).await;
        }
    }

    pub(super) fn read(&self, path: &str, account: Option<&AccountId>, about: &AccountId) -> Result<Bytes, ReadError> {
        if self.is_dead() {
            return Err(ReadError::Unreachable("of a dead process".to_owned()));
        }
        if let Some(error) = self.shared.read_trouble(about) {
            return Err(error);
        }
        let http = Self::request(Method::GET, path, stripe_twin::TEST_KEY, account).body(Bytes::new()).unwrap();
        let Wire::Answer(response) = self.shared.twin.handle(&http).wire else {
            return Err(ReadError::Unreachable("no answer".to_owned()));
        };
        self.saw(&response);
        let meta = wire::answer::meta(response.headers(), 0);
        match wire::answer::read_error(response.status(), &meta, response.body(), about) {
            Some(error) => Err(error),
            None => Ok(response.into_body()),
        }
    }
}
