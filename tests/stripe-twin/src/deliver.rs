//! Webhook deliveries: events in the order they are due, a few at once, again and again until the endpoint says 2xx.
//! Runs beside the server for as long as the twin lives; also keeps the world moving while nobody asks. Invariant: an
//! event is forgotten only after a 2xx, and every attempt carries a new time and signature.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock::Now;
use crate::events::{Event, sign};
use crate::twin::{Twin, WebhookTarget};

/// Deliveries at once.
pub(crate) const AT_ONCE_MAX: usize = 16;
/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait after a failed attempt; doubled each time.
const BACKOFF_MS_MIN: i64 = 200;
/// The longest wait between two attempts.
const BACKOFF_MS_MAX: i64 = 5_000;
/// The longest sleep of the loop, in case nobody wakes it.
const NAP_MS_MAX: i64 = 250;
/// Beyond so many waiting deliveries new events stay with the world, whose own bound loses the oldest.
const QUEUE_MAX: usize = 100_000;
/// How much of an endpoint's answer is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

struct Try {
    event: Event,
    attempts: u32,
}

#[derive(Debug)]
pub(crate) enum Tried {
    Accepted,
    Refused,
    Unreachable,
}

struct Queue {
    waiting: BTreeMap<(i64, u64), Try>,
    seq: u64,
    /// Nothing is tried before this: the endpoint can't be reached.
    gate_ms: i64,
    unreachable_in_row: u32,
}

impl Queue {
    fn push(&mut self, at_ms: i64, item: Try) {
        self.seq += 1;
        self.waiting.insert((at_ms, self.seq), item);
    }

    fn pop_due(&mut self, now_ms: i64) -> Option<Try> {
        if now_ms < self.gate_ms {
            return None;
        }
        let first = self.waiting.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(first.remove())
    }

    fn settle(&mut self, now_ms: i64, item: Try, tried: &Tried) {
        match tried {
            Tried::Accepted => {
                self.unreachable_in_row = 0;
                return;
            }
            Tried::Refused => self.unreachable_in_row = 0,
            Tried::Unreachable => {
                // One wait for all: nobody is there, so no other event would fare better.
                if now_ms >= self.gate_ms {
                    self.unreachable_in_row += 1;
                    self.gate_ms = now_ms + backoff_ms(self.unreachable_in_row).min(1_000);
                }
            }
        }
        let attempts = item.attempts + 1;
        self.push(now_ms + backoff_ms(attempts), Try { attempts, ..item });
    }
}

fn backoff_ms(attempts: u32) -> i64 {
    (BACKOFF_MS_MIN << attempts.saturating_sub(1).min(10)).min(BACKOFF_MS_MAX)
}

pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// One signed attempt; the time and the signature are new each time.
pub(crate) fn envelope(target: &WebhookTarget, event: &Event, now: Now) -> http::Result<Request<Full<Bytes>>> {
    Request::post(&target.url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header("stripe-signature", sign(&target.secret, now.date_s(), &event.body))
        .body(Full::new(event.body.clone()))
}

pub(crate) async fn deliver(twin: &Twin, stirred: &Notify, mut stopped: watch::Receiver<bool>) {
    let client = client();
    let mut queue = Queue { waiting: BTreeMap::new(), seq: 0, gate_ms: 0, unreachable_in_row: 0 };
    let mut running: JoinSet<(Try, Tried)> = JoinSet::new();
    loop {
        let next_due_ms = twin.advance();
        let target = twin.webhook();
        if let Some(target) = &target {
            if queue.waiting.len() < QUEUE_MAX {
                for event in twin.take_events() {
                    queue.push(event.due_wall_ms, Try { event, attempts: 0 });
                }
            }
            start_due(twin, &client, target, &mut queue, &mut running);
        }
        let pending = u64::try_from(queue.waiting.len() + running.len()).unwrap_or(u64::MAX);
        twin.count_delivery(|counts| counts.pending = pending);
        let nap = nap(twin.now().wall_ms, next_due_ms, &queue, running.len());
        tokio::select! {
            _ = stopped.changed() => return,
            () = stirred.notified() => {}
            () = tokio::time::sleep(nap) => {}
            Some(done) = running.join_next() => {
                if let Ok((item, tried)) = done {
                    if matches!(tried, Tried::Accepted) {
                        twin.acknowledge(&item.event.id);
                    }
                    twin.count_delivery(|counts| match tried {
                        Tried::Accepted => counts.delivered += 1,
                        Tried::Refused | Tried::Unreachable => counts.failed += 1,
                    });
                    queue.settle(twin.now().wall_ms, item, &tried);
                }
            }
        }
    }
}

fn start_due(
    twin: &Twin,
    client: &HttpClient,
    target: &WebhookTarget,
    queue: &mut Queue,
    running: &mut JoinSet<(Try, Tried)>,
) {
    while running.len() < AT_ONCE_MAX {
        let now = twin.now();
        let Some(item) = queue.pop_due(now.wall_ms) else {
            return;
        };
        let request = envelope(target, &item.event, now);
        let client = client.clone();
        running.spawn(async move {
            let tried = match request {
                Ok(request) => attempt(&client, request).await,
                Err(_) => Tried::Unreachable,
            };
            (item, tried)
        });
    }
}

pub(crate) async fn attempt(client: &HttpClient, request: Request<Full<Bytes>>) -> Tried {
    let asked = async {
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Tried::Unreachable,
            Err(_) => return Tried::Refused,
        };
        let accepted = response.status().is_success();
        // Read to its end, so that the connection can be used again.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        if accepted { Tried::Accepted } else { Tried::Refused }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Tried::Refused)
}

/// How long nothing can be due.
fn nap(now_ms: i64, next_due_ms: Option<i64>, queue: &Queue, running: usize) -> Duration {
    let has_room = running < AT_ONCE_MAX;
    let queued_ms = queue.waiting.first_key_value().map(|((at_ms, _), _)| (*at_ms).max(queue.gate_ms));
    let queued_ms = queued_ms.filter(|_| has_room);
    let next_ms = next_due_ms.into_iter().chain(queued_ms).min().unwrap_or(i64::MAX);
    let nap_ms = next_ms.saturating_sub(now_ms).clamp(1, NAP_MS_MAX);
    Duration::from_millis(u64::try_from(nap_ms).unwrap_or(1))
}
