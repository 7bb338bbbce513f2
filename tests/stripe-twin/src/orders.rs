//! From a request to an executed change: the key first, then the parameters, then the money, then what a fault makes of it.
//! Called by the world for everything but reads. Invariant: what was executed under a key is answered again, never again
//! executed, until the key is pruned.

use bytes::Bytes;

use crate::act::{Act, Asker};
use crate::call::{Answer, Call};
use crate::clock::Now;
use crate::create::Origin;
use crate::errors::ApiError;
use crate::faults::{Fault, Strike};
use crate::keys::{Asked, KEY_CHARS_MAX, Kept, ScopedKey, Seen};
use crate::lifecycle::Due;
use crate::routes::Endpoint;
use crate::stats::Stats;
use crate::world::{KeyScope, Reply, Ticket, World, executed};

/// Payouts, charges and keys the twin holds at most, of each.
const HELD_MAX: usize = 2_000_000;

/// A change on its way to execution.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) call: Call,
    pub(crate) key: Option<ScopedKey>,
    pub(crate) request_id: String,
    pub(crate) class: &'static str,
    pub(crate) act: Act,
}

impl World {
    /// The key first, then the parameters, then the money.
    pub(crate) fn order(
        &mut self,
        now: Now,
        (call, endpoint): (&Call, &Endpoint),
        request_id: &str,
        strike: Option<Strike>,
        ticket: &mut Ticket,
    ) -> (Reply, u64) {
        let fault = strike.map(|strike| strike.fault);
        let refused = |answer: Answer| (Reply::Answer(answer), 0);
        if fault == Some(Fault::LockTimeout) {
            Stats::count(&mut self.stats.limited, "lock_timeout");
            return refused(self.refuse(request_id, Some(true), &ApiError::lock_timeout()));
        }
        let asked = Asked { path: call.path.clone(), account: call.account.clone(), form: call.form.clone() };
        let key = call.key.as_ref().map(|key| (self.scope(call), key.clone()));
        if let Some(scoped) = &key {
            match self.seen(scoped, &asked, now, request_id) {
                Err(refusal) => return refused(*refusal),
                Ok(Some(replay)) => return self.spoil(replay, strike),
                Ok(None) => {}
            }
        }
        let act = match Act::read(endpoint, &call.form) {
            Ok(act) => act,
            Err(error) => return refused(self.refuse(request_id, Some(false), &error)),
        };
        let held = self.payouts.len().max(self.keys.len()).max(self.market.charges.rows.len());
        if held >= HELD_MAX {
            return refused(self.refuse(request_id, None, &ApiError::twin_full()));
        }
        if let Some(scoped) = key.clone() {
            self.keys.begin(scoped, asked, now.date_ms);
        }
        let order = Order { call: call.clone(), key, request_id: request_id.to_owned(), class: endpoint.class(), act };
        if let Some(Strike { fault: Fault::Slow, delay_ms, roll }) = strike
            && roll % 2 == 1
        {
            return self.put_off(now, order, delay_ms, ticket);
        }
        ticket.key.clone_from(&order.key);
        let answer = self.carry_out(now, order, strike);
        self.spoil(answer, strike)
    }

    /// A slow request whose execution is slow: its key stays in use until then, whether anyone waits or not.
    fn put_off(&mut self, now: Now, order: Order, delay_ms: u64, ticket: &mut Ticket) -> (Reply, u64) {
        let id = self.next_count();
        let at_ms = now.wall_ms.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX));
        self.late.insert(id, None);
        self.stats.executions_due += 1;
        self.due.insert((at_ms, id), Due::Late(Box::new(order)));
        ticket.late = Some(id);
        (Reply::Late(id, at_ms), 0)
    }

    fn scope(&self, call: &Call) -> String {
        match self.rules.key_scope {
            KeyScope::Account => call.account.clone().unwrap_or_default(),
            KeyScope::Platform => String::new(),
        }
    }

    fn seen(
        &mut self,
        key: &ScopedKey,
        asked: &Asked,
        now: Now,
        request_id: &str,
    ) -> Result<Option<Answer>, Box<Answer>> {
        if key.1.chars().count() > KEY_CHARS_MAX {
            return Err(Box::new(self.refuse(request_id, Some(false), &ApiError::key_too_long())));
        }
        match self.keys.look(key, asked, now.date_ms) {
            Seen::New => Ok(None),
            Seen::InUse => Err(Box::new(self.refuse(request_id, Some(true), &ApiError::key_in_use(&key.1)))),
            Seen::Mismatch => Err(Box::new(self.refuse(request_id, Some(false), &ApiError::key_mismatch(&key.1)))),
            Seen::Replay(kept) => {
                self.stats.replays += 1;
                let mut answer = executed(request_id, kept.status, kept.body);
                answer.original = Some(kept.request_id);
                answer.replayed = true;
                Ok(Some(answer))
            }
        }
    }

    /// Executes, and keeps the answer under the key, as Stripe does once execution has begun.
    pub(crate) fn carry_out(&mut self, now: Now, order: Order, strike: Option<Strike>) -> Answer {
        let fault = strike.map(|strike| strike.fault);
        let (status, body) = if matches!(fault, Some(Fault::RolledForward500 | Fault::NotExecuted500)) {
            (500, ApiError::server_error().body(&order.request_id, self.rules.livemode).to_string())
        } else {
            self.execute(now, &order, fault.map_or("answered", Fault::name))
        };
        let body = Bytes::from(body);
        let mut answer = executed(&order.request_id, status, body.clone());
        if let Some(key) = &order.key {
            answer.original = Some(order.request_id.clone());
            self.keys.keep(key, Kept { status, body, request_id: order.request_id.clone() });
        }
        if let Some(Strike { fault: Fault::RolledForward500, delay_ms, roll }) = strike {
            let in_ms = i64::try_from(delay_ms / 2 + roll % delay_ms.max(1)).unwrap_or(i64::MAX);
            let seq = self.next_count();
            self.stats.executions_due += 1;
            self.due.insert((now.wall_ms.saturating_add(in_ms), seq), Due::RollForward(Box::new(order)));
        }
        answer
    }

    /// Executes; the status and body are the answer, whether it is the object or Stripe's refusal.
    pub(crate) fn execute(&mut self, now: Now, order: &Order, how: &'static str) -> (u16, String) {
        let account = order.call.account.as_deref().unwrap_or(crate::PLATFORM_ACCOUNT);
        let origin = Origin { how, automatic: false, request_id: &order.request_id, key: order.call.key.as_deref() };
        match self.act(now, &order.act, Asker { account, origin }) {
            Ok(object) => (200, object.to_string()),
            Err(error) => (error.status, error.body(&order.request_id, self.rules.livemode).to_string()),
        }
    }

    /// Turns an answer into what the fault makes of it on the wire.
    fn spoil(&self, mut answer: Answer, strike: Option<Strike>) -> (Reply, u64) {
        let Some(Strike { fault, delay_ms, roll }) = strike else {
            return (Reply::Answer(answer), 0);
        };
        match fault {
            Fault::ExecutedThenDropped => (Reply::Close, 0),
            Fault::UnreadableBody if roll % 2 == 0 => (Reply::Cut(answer), 0),
            Fault::UnreadableBody => {
                answer.body = answer.body.slice(..answer.body.len() / 2);
                (Reply::Answer(answer), 0)
            }
            Fault::Slow => (Reply::Answer(answer), delay_ms),
            _ => (Reply::Answer(answer), 0),
        }
    }
}
