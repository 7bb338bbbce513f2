//! The world behind the API: accounts, payouts, keys, limits, faults and what is due; one request at a time.
//! Entered through `begin`, `collect`, `finish` and `advance`, always with the time as an argument; does no I/O.
//! Invariant: between two calls, no money has been made or lost (`conservation`).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use crate::account::{Account, AccountSpec};
use crate::call::{Answer, Call};
use crate::clock::Now;
use crate::errors::ApiError;
use crate::eventlog::EventLog;
use crate::events::{Delivery, Event};
use crate::faults::{Fault, FaultPlan, Faults, Strike};
use crate::hooks::Hook;
use crate::ids;
use crate::keys::{KeyStore, ScopedKey};
use crate::lifecycle::Due;
use crate::limits::{LimitProfile, Limited, Limiter};
use crate::live::Life;
use crate::market::Market;
use crate::payout::Payout;
use crate::routes::{Endpoint, Route};
use crate::stats::Stats;
use crate::txn::Txn;

/// What an idempotency key is unique within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyScope {
    /// Each connected account has its own keys.
    Account,
    /// All accounts of the platform share their keys.
    Platform,
}

/// What holds for one twin from start to end.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where all dice come from.
    pub seed: u64,
    /// Live or test mode.
    pub livemode: bool,
    /// API keys that are let in.
    pub api_keys: Vec<String>,
    /// Whose limits.
    pub limits: LimitProfile,
    /// Multiplies the limits; thousandths.
    pub speed_milli: u64,
    /// From created to paid, on the wall clock.
    pub settle_ms: u64,
    /// What keys are unique within.
    pub key_scope: KeyScope,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            seed: 1,
            livemode: false,
            api_keys: vec![crate::TEST_KEY.to_owned()],
            limits: LimitProfile::None,
            speed_milli: 1000,
            settle_ms: 3000,
            key_scope: KeyScope::Account,
        }
    }
}

/// How the answer, or its lack, looks on the wire.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    Cut(Answer),
    Close,
    Reset,
    Late(u64, i64),
}

/// What a begun request holds until it is finished.
#[derive(Debug, Default)]
pub struct Ticket {
    class: Option<&'static str>,
    pub(crate) key: Option<ScopedKey>,
    is_money: bool,
    pub(crate) late: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) reply: Reply,
    pub(crate) delay_ms: u64,
    pub(crate) ticket: Ticket,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) accounts: HashMap<String, Account>,
    /// Account ids, oldest first.
    pub(crate) account_order: Vec<String>,
    pub(crate) payouts: Vec<Payout>,
    pub(crate) payout_places: HashMap<String, usize>,
    pub(crate) txns: Vec<Txn>,
    pub(crate) txn_places: HashMap<String, usize>,
    /// Transactions that ripen, by the second at which they do.
    pub(crate) ripening: BTreeSet<(i64, usize)>,
    pub(crate) market: Market,
    pub(crate) life: Life,
    pub(crate) log: EventLog,
    pub(crate) hooks: Vec<Hook>,
    /// Events on their way to the endpoints made through the API.
    pub(crate) mail: VecDeque<Delivery>,
    /// Deliveries that a fault took away.
    pub(crate) lost: Vec<crate::lost::Lost>,
    /// Whether the one webhook target of the command line is there.
    pub(crate) has_target: bool,
    pub(crate) checks_openapi: bool,
    pub(crate) keys: KeyStore,
    limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) due: BTreeMap<(i64, u64), Due>,
    pub(crate) late: HashMap<u64, Option<Answer>>,
    pub(crate) outbox: VecDeque<Event>,
    pub(crate) stats: Stats,
    counter: u64,
}

impl World {
    pub(crate) fn new(rules: Rules, plan: FaultPlan) -> Self {
        let mut platform = AccountSpec::new(crate::PLATFORM_ACCOUNT, "US", "usd", 0);
        platform.schedule = "daily".to_owned();
        let mut world = Self {
            limiter: Limiter::new(rules.limits, rules.speed_milli),
            faults: Faults::new(rules.seed, plan),
            rules,
            accounts: HashMap::new(),
            account_order: Vec::new(),
            payouts: Vec::new(),
            payout_places: HashMap::new(),
            txns: Vec::new(),
            txn_places: HashMap::new(),
            ripening: BTreeSet::new(),
            market: Market::default(),
            life: Life::default(),
            log: EventLog::default(),
            hooks: Vec::new(),
            mail: VecDeque::new(),
            lost: Vec::new(),
            has_target: false,
            checks_openapi: false,
            keys: KeyStore::default(),
            due: BTreeMap::new(),
            late: HashMap::new(),
            outbox: VecDeque::new(),
            stats: Stats::default(),
            counter: 0,
        };
        world.accounts.insert(platform.id.clone(), Account::new(platform, 1_400_000_000));
        world
    }

    pub(crate) fn next_count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn next_id(&mut self, prefix: &str) -> String {
        let counter = self.next_count();
        ids::id(prefix, self.rules.seed, counter)
    }

    /// Answers one request; the ticket must be given to `finish` when the answer has left.
    pub(crate) fn begin(&mut self, now: Now, call: &Call) -> Begun {
        self.advance(now);
        let endpoint = call.endpoint();
        let request_id = self.next_id("req");
        let mut ticket = Ticket::default();
        Stats::count(&mut self.stats.requests, endpoint.class());
        let mut strike = None;
        if endpoint.is_money() {
            ticket.is_money = true;
            self.stats.money_arrives(now, endpoint.route == Route::PayoutCreate);
            strike = self.faults.on_create(call.key.as_deref());
        }
        if let Some(Strike { fault, .. }) = strike {
            Stats::count(&mut self.stats.faults, fault.name());
            if fault == Fault::ResetBefore {
                return Begun { reply: Reply::Reset, delay_ms: 0, ticket };
            }
        }
        let begun = self.admit(now, call, &endpoint, &request_id, &mut ticket);
        let (reply, delay_ms) = match begun {
            Err(refusal) => (Reply::Answer(*refusal), 0),
            Ok(()) => self.route(now, (call, &endpoint), &request_id, strike, &mut ticket),
        };
        if let Reply::Answer(answer) | Reply::Cut(answer) = &reply {
            self.count_answer(endpoint.class(), answer);
        }
        if let (Reply::Answer(answer), None) = (&reply, strike) {
            self.check_openapi(call, &endpoint, answer);
        }
        Begun { reply, delay_ms, ticket }
    }

    /// Checks what was accepted and what is answered against Stripe's own description, when asked to.
    fn check_openapi(&mut self, call: &Call, endpoint: &Endpoint, answer: &Answer) {
        if !self.checks_openapi {
            return;
        }
        if answer.status == 200 {
            self.stats.openapi.request(endpoint.class(), &call.query, &call.form);
        }
        self.stats.openapi.answer(endpoint.class(), answer.status, &answer.body);
    }

    pub(crate) fn check_event(&mut self, event: &serde_json::Value) {
        if self.checks_openapi {
            self.stats.openapi.event(event);
        }
    }

    /// Who may come in, and when: keys, limits, accounts. Nothing of this is ever stored under a key.
    fn admit(
        &mut self,
        now: Now,
        call: &Call,
        endpoint: &Endpoint,
        request_id: &str,
        ticket: &mut Ticket,
    ) -> Result<(), Box<Answer>> {
        let Some(api_key) = call.api_key.as_deref() else {
            return Err(Box::new(self.refuse(request_id, None, &ApiError::no_key())));
        };
        if !self.rules.api_keys.iter().any(|known| known == api_key) {
            return Err(Box::new(self.refuse(request_id, None, &ApiError::bad_key(api_key))));
        }
        let admitted = if self.faults.storms(now.wall_ms) {
            Stats::count(&mut self.stats.faults, Fault::Storm429.name());
            Err(Limited::GlobalRate)
        } else {
            self.limiter.admit(endpoint.class(), now.wall_ms)
        };
        if let Err(limited) = admitted {
            Stats::count(&mut self.stats.limited, limited.word());
            let mut answer = self.refuse(request_id, None, &ApiError::rate_limited());
            answer.limited = Some(limited);
            return Err(Box::new(answer));
        }
        ticket.class = Some(endpoint.class());
        if !endpoint.is_write() {
            self.stats.reads.read(now);
        }
        let account = endpoint.account().or(call.account.as_deref());
        let may_act = |id: &str| self.accounts.get(id).is_some_and(|account| !account.more.is_deauthorized);
        match account.filter(|account| !may_act(account)) {
            Some(unknown) => {
                let should_retry = endpoint.is_money().then_some(false);
                Err(Box::new(self.refuse(request_id, should_retry, &ApiError::no_access(api_key, unknown))))
            }
            None => Ok(()),
        }
    }

    fn route(
        &mut self,
        now: Now,
        (call, endpoint): (&Call, &Endpoint),
        request_id: &str,
        strike: Option<Strike>,
        ticket: &mut Ticket,
    ) -> (Reply, u64) {
        let account = call.account.as_deref().unwrap_or(crate::PLATFORM_ACCOUNT);
        let read = match endpoint.route {
            Route::Unknown => Err(ApiError::unrecognized_url(call.method.as_str(), &call.path)),
            _ if endpoint.is_write() => return self.order(now, (call, endpoint), request_id, strike, ticket),
            _ => self.read(now, account, endpoint, &call.query),
        };
        let answer = match read {
            Ok(object) => plain(request_id, 200, object.to_string().into()),
            Err(error) => self.refuse(request_id, None, &error),
        };
        (Reply::Answer(answer), 0)
    }

    /// The answer of a late execution, once it is there.
    pub(crate) fn collect(&mut self, now: Now, (late, call): (u64, &Call)) -> Option<Answer> {
        self.advance(now);
        let answer = self.late.get_mut(&late)?.take()?;
        self.count_answer(call.endpoint().class(), &answer);
        Some(answer)
    }

    /// The answer has left (or never will): gives back the key, the slots and the place among those in flight.
    pub(crate) fn finish(&mut self, ticket: Ticket) {
        if let Some(class) = ticket.class {
            self.limiter.leave(class);
        }
        if let Some(key) = &ticket.key {
            self.keys.release(key);
        }
        if ticket.is_money {
            self.stats.money_leaves();
        }
        if let Some(late) = ticket.late {
            self.late.remove(&late);
        }
    }

    pub(crate) fn refuse(&self, request_id: &str, should_retry: Option<bool>, error: &ApiError) -> Answer {
        let body = error.body(request_id, self.rules.livemode).to_string();
        Answer { should_retry, ..plain(request_id, error.status, body.into()) }
    }

    fn count_answer(&mut self, class: &str, answer: &Answer) {
        Stats::count(&mut self.stats.answers, &format!("{class} {}", answer.status));
    }
}

pub(crate) fn plain(request_id: &str, status: u16, body: Bytes) -> Answer {
    let request_id = request_id.to_owned();
    Answer { status, body, request_id, should_retry: None, limited: None, original: None, replayed: false }
}

/// An answer of an execution that began: `Stripe-Should-Retry: false`, unless it is a 500.
pub(crate) fn executed(request_id: &str, status: u16, body: Bytes) -> Answer {
    Answer { should_retry: (status < 500).then_some(false), ..plain(request_id, status, body) }
}
