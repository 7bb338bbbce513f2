//! Deliveries to the endpoints made through the API: to each its own, signed with its own secret, first at once and then
//! again for days, as Stripe does. Runs beside the server. Invariant: the waits between tries are the Date's, so a test
//! that moves the Date meets the next try at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::deliver::{AT_ONCE_MAX, HttpClient, Tried, attempt, client, envelope};
use crate::events::Delivery;
use crate::twin::Twin;

/// The longest sleep of the loop: how late a moved Date may be noticed.
const NAP_MS_MAX: i64 = 100;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Live: tried again after so long each time, for three days in all.
const LIVE_WAITS_MS: [i64; 11] = [
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
    4 * HOUR_MS,
];
/// In a sandbox: three tries over a few hours.
const TEST_WAITS_MS: [i64; 2] = [HOUR_MS, 3 * HOUR_MS];

/// How long to wait after so many failed attempts; none when it is given up.
#[must_use]
pub(crate) fn wait_ms(livemode: bool, attempts: usize) -> Option<i64> {
    let waits: &[i64] = if livemode { &LIVE_WAITS_MS } else { &TEST_WAITS_MS };
    waits.get(attempts.checked_sub(1)?).copied()
}

struct Try {
    delivery: Delivery,
    attempts: usize,
}

/// First tries by the wall clock, later ones by the Date.
#[derive(Default)]
struct Queue {
    first: BTreeMap<(i64, u64), Try>,
    again: BTreeMap<(i64, u64), Try>,
    seq: u64,
}

impl Queue {
    fn pop_due(&mut self, wall_ms: i64, date_ms: i64) -> Option<Try> {
        let pop = |tries: &mut BTreeMap<(i64, u64), Try>, now_ms: i64| {
            let first = tries.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
            Some(first.remove())
        };
        pop(&mut self.first, wall_ms).or_else(|| pop(&mut self.again, date_ms))
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

pub(crate) async fn deliver_mail(twin: &Twin, stirred: &Notify, mut stopped: watch::Receiver<bool>) {
    let client = client();
    let mut queue = Queue::default();
    let mut running: JoinSet<(Try, Tried)> = JoinSet::new();
    loop {
        for delivery in twin.take_deliveries() {
            let key = (delivery.event.due_wall_ms, queue.next_seq());
            queue.first.insert(key, Try { delivery, attempts: 0 });
        }
        start_due(twin, &client, &mut queue, &mut running);
        let pending = queue.first.len() + queue.again.len() + running.len();
        twin.count_mail(|counts| {
            counts.pending = u64::try_from(pending).unwrap_or(u64::MAX);
            counts.again = u64::try_from(queue.again.len()).unwrap_or(u64::MAX);
        });
        let next_ms = queue.first.first_key_value().map_or(i64::MAX, |((at_ms, _), _)| *at_ms);
        let nap_ms = next_ms.saturating_sub(twin.now().wall_ms).clamp(1, NAP_MS_MAX);
        tokio::select! {
            _ = stopped.changed() => return,
            () = stirred.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(nap_ms).unwrap_or(1))) => {}
            Some(done) = running.join_next() => {
                if let Ok((item, tried)) = done {
                    settle(twin, &mut queue, item, &tried);
                }
            }
        }
    }
}

fn settle(twin: &Twin, queue: &mut Queue, item: Try, tried: &Tried) {
    if matches!(tried, Tried::Accepted) {
        twin.count_mail(|counts| counts.delivered += 1);
        twin.acknowledge(&item.delivery.event.id);
        return;
    }
    let attempts = item.attempts + 1;
    twin.count_mail(|counts| counts.failed += 1);
    match wait_ms(twin.livemode(), attempts) {
        Some(wait_ms) => {
            let key = (twin.now().date_ms.saturating_add(wait_ms), queue.next_seq());
            queue.again.insert(key, Try { attempts, ..item });
        }
        None => twin.count_mail(|counts| counts.lost += 1),
    }
}

fn start_due(twin: &Twin, client: &HttpClient, queue: &mut Queue, running: &mut JoinSet<(Try, Tried)>) {
    while running.len() < AT_ONCE_MAX {
        let now = twin.now();
        let Some(item) = queue.pop_due(now.wall_ms, now.date_ms) else {
            return;
        };
        let Some(target) = twin.endpoint(&item.delivery.endpoint) else {
            // The endpoint is gone: nobody is owed anything any more.
            twin.acknowledge(&item.delivery.event.id);
            twin.count_mail(|counts| counts.lost += 1);
            continue;
        };
        let request = envelope(&target, &item.delivery.event, now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_tries_go_on_for_three_days_and_a_sandboxs_for_hours() {
        let all = |livemode: bool| (1..).map_while(|attempts| wait_ms(livemode, attempts)).sum::<i64>();
        assert!((70 * HOUR_MS..=72 * HOUR_MS).contains(&all(true)), "{}", all(true));
        assert_eq!(all(false), 4 * HOUR_MS);
        assert_eq!((1..).map_while(|attempts| wait_ms(false, attempts)).count() + 1, 3);
    }
}
