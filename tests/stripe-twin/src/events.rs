//! Events and their signatures: what Stripe tells a webhook endpoint, and how the endpoint knows that Stripe said it.
//! Events are made by the world, carried by the deliverer. Invariant: an event's bytes never change once made.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::clock::Now;
use crate::eventlog::Row;
use crate::faults::{Fault, Strike};
use crate::ids;
use crate::lost::Lost;
use crate::shape::{self, Envelope};
use crate::stats::Stats;
use crate::world::World;

/// Events waiting to be carried off; beyond this the oldest are lost.
const OUTBOX_MAX: usize = 100_000;

/// One event on its way to the webhook endpoint.
#[derive(Debug, Clone)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Such as `payout.paid`.
    pub kind: String,
    /// Not to be delivered before, on the wall clock.
    pub due_wall_ms: i64,
    /// The exact bytes to sign and send.
    pub body: Bytes,
}

/// The `Stripe-Signature` header for these bytes at this second.
#[must_use]
pub fn sign(secret: &str, at_s: i64, body: &[u8]) -> String {
    // An HMAC takes a key of any length; there is no failing case to handle.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(at_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={at_s},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// What made an event happen: a request, or nobody (the bank, time).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cause<'a> {
    pub(crate) request_id: Option<&'a str>,
    pub(crate) idempotency_key: Option<&'a str>,
}

/// One event on its way to one endpoint that was made through the API.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `we_…`.
    pub endpoint: String,
    /// The event, in the endpoint's version.
    pub event: Event,
}

impl World {
    pub(crate) fn emit(
        &mut self,
        now: Now,
        kind: &str,
        account: &str,
        (object, previous): (Value, Option<Value>),
        cause: Cause<'_>,
    ) {
        let id = self.next_id("evt");
        let is_connected = account != crate::PLATFORM_ACCOUNT;
        let envelope = Envelope {
            id: &id,
            kind,
            account: is_connected.then_some(account),
            created_s: now.date_s(),
            livemode: self.rules.livemode,
            request_id: cause.request_id,
            idempotency_key: cause.idempotency_key,
        };
        let mut value = shape::event(&envelope, object, previous);
        self.check_event(&value);
        let body = Bytes::from(value.to_string());
        let roll = ids::mix_text(self.rules.seed, &id);
        let soon_ms = i64::try_from(5 + roll % 40).unwrap_or_default();
        let event = Event { id, kind: kind.to_owned(), due_wall_ms: now.wall_ms + soon_ms, body: body.clone() };
        self.stats.webhooks.made += 1;
        let mut owed = u32::from(self.has_target);
        let sent = self.distort(event.clone(), &event.id);
        if sent.is_empty() {
            self.stats.webhooks.lost += 1;
        }
        sent.into_iter().for_each(|event| self.post_event(event));
        for place in 0..self.hooks.len() {
            let hook = &self.hooks[place];
            if !hook.wants(kind, is_connected) {
                continue;
            }
            owed += 1;
            let (endpoint, name) = (hook.id.clone(), format!("{}/{}", event.id, hook.id));
            let body = match hook.api_version.clone() {
                Some(version) => {
                    value["api_version"] = version.into();
                    Bytes::from(value.to_string())
                }
                None => body.clone(),
            };
            self.stats.endpoints.made += 1;
            let sent = self.distort(Event { body, ..event.clone() }, &name);
            if sent.is_empty() {
                self.stats.endpoints.lost += 1;
                self.lost.push(Lost::of(kind, &value));
            }
            self.mail.extend(sent.into_iter().map(|event| Delivery { endpoint: endpoint.clone(), event }));
            while self.mail.len() > OUTBOX_MAX {
                self.mail.pop_front();
                self.stats.endpoints.lost += 1;
            }
        }
        let (id, kind, account) = (event.id, event.kind, account.to_owned());
        self.log.push(now.date_s(), Row { id, kind, account, created: now.date_s(), body, owed });
    }

    /// What the faults make of one event on its way to one target: nothing, itself (now or later), or two of it.
    fn distort(&mut self, event: Event, name: &str) -> Vec<Event> {
        if self.strikes(Fault::WebhookLost, name).is_some() {
            return Vec::new();
        }
        let mut sent = Vec::new();
        if self.strikes(Fault::WebhookDuplicate, name).is_some() {
            sent.push(Event { due_wall_ms: event.due_wall_ms + 150, ..event.clone() });
        }
        let late = self.strikes(Fault::WebhookDisorder, name);
        let late_ms = late.map_or(0, |strike| 1 + strike.roll % strike.delay_ms.max(1));
        let due_wall_ms = event.due_wall_ms.saturating_add(i64::try_from(late_ms).unwrap_or_default());
        sent.push(Event { due_wall_ms, ..event });
        sent
    }

    fn post_event(&mut self, event: Event) {
        if self.outbox.len() >= OUTBOX_MAX {
            self.outbox.pop_front();
            self.stats.webhooks.lost += 1;
        }
        self.outbox.push_back(event);
    }

    fn strikes(&mut self, fault: Fault, name: &str) -> Option<Strike> {
        let strike = self.faults.on_name(fault, name);
        if strike.is_some() {
            Stats::count(&mut self.stats.faults, fault.name());
        }
        strike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_dot_body() {
        // The same bytes through an independent implementation: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_x
        let header = sign("whsec_x", 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(header, "t=1700000000,v1=b3438763ab46d9634b9844c8722818eaf523f803db1327484c6067462a5fd6d1");
    }
}
