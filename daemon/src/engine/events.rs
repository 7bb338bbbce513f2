//! Sweeping the platform's events: what its webhooks lost of sales, refunds, disputes and transfers is found in Stripe's own list of events, page
//! by page, and goes into the inbox as though it had been delivered. Where it goes on is remembered with each page. What is wanted from before
//! the oldest event that Stripe keeps is read from its objects first: charges, transfers, fees, refunds, disputes.
use super::{Done, Engine, lead::Lease};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        door_types::InboxEvent,
        types::{SweepKind, SweepRow},
    },
    stripe::{EventsRequest, MoneyList, ObjectsRequest, ReadError, Stripe, event},
};
use payout_shared::{consequence::backoff_ms, entries::Told, id::Mode};
use std::sync::Arc;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How often: a lost refund is known an hour later at most, for a page or two of reads.
const EVERY_MS: i64 = HOUR_MS;
/// A sweep begins this much before where the last one ended, milliseconds: nothing says how soon Stripe's list shows what has just happened.
const MARGIN_MS: i64 = HOUR_MS;
/// What happened this lately may be on its way here, milliseconds: the next sweep has it too.
const LATELY_MS: i64 = 5 * 60 * 1000;
/// Stripe keeps events for so long, milliseconds.
const KEPT_MS: i64 = 30 * 24 * HOUR_MS;
/// A page that failed is asked for again this much later, milliseconds; it grows with each failure.
const AGAIN_MS: i64 = 5_000;
/// The place of the first event behind the last object.
const EVENTS: &str = "events";
/// After so many failures in a row a plan doesn't wait any longer.
const PATIENCE: u32 = 5;

/// What the engine remembers of the sweep; nothing in it is needed after a crash.
#[derive(Debug, Default)]
pub(super) struct EventSweep {
    under_way: bool,
    failures: u32,
    at: BootMs,
    /// By the wall clock: a machine may have slept.
    due_ms: i64,
}

/// What is taken back, given back or disputed may belong to a sale that is older by this much, milliseconds: Stripe refunds for half a year.
const OLDER_MS: i64 = 180 * 24 * HOUR_MS;

/// A page that was read, and the last one of it when there are more.
#[derive(Debug)]
pub(super) struct Page {
    events: Vec<String>,
    told: Vec<Told>,
    next_after: Option<String>,
}

/// A page of the sweep: from where and when it began, and behind what ("list:id" of objects, an event's id).
#[derive(Clone, Debug)]
pub(super) struct Asked {
    from_ms: i64,
    began_ms: i64,
    behind: String,
    is_wanted: bool,
}

impl Engine {
    /// Begins a sweep when its time has come, and asks for the next page of the one under way.
    pub(super) async fn sweep_events(&mut self, lease: Lease) -> Result<(), StoreError> {
        let (now, now_ms) = (self.parts.clock.boot(), self.parts.clock.now_ms());
        let Some(stripe) = self.parts.stripe.clone() else { return Ok(()) };
        if self.events.under_way || (now < self.events.at && now_ms < self.events.due_ms) {
            return Ok(());
        }
        let Some((stripe_ms, _)) = stripe.time() else { return Ok(()) };
        let Some(row) = self.earnings_row().await? else { return Ok(()) };
        let (Some(from_ms), Some(began_ms)) = (row.from_ms, row.began_ms) else {
            let due_ms = if row.is_wanted { now_ms } else { due_ms(&row) };
            if now_ms < due_ms {
                // Asked again soon enough for one that is wanted meanwhile.
                (self.events.at, self.events.due_ms) = (now.plus_ms(super::IDLE_MS * 10), due_ms);
                return Ok(());
            }
            let from_ms = from(&row);
            self.parts.store.begin_events_sweep(lease.fence, from_ms, stripe_ms).await?;
            self.again = true;
            return Ok(());
        };
        self.events.under_way = true;
        let asked = Asked { from_ms, began_ms, behind: row.place, is_wanted: row.is_wanted };
        let done = self.done_tx.clone();
        tokio::spawn(async move {
            let result = read(&stripe, &asked).await;
            let _ = done.send(Done::Events { asked, result }).await;
        });
        Ok(())
    }

    async fn earnings_row(&self) -> Result<Option<SweepRow>, StoreError> {
        Ok(self.parts.store.sweeps().await?.into_iter().find(|row| row.kind == SweepKind::Earnings))
    }

    /// Records a page.
    pub(super) async fn events_read(
        &mut self,
        lease: Lease,
        asked: Asked,
        result: Result<Page, ReadError>,
    ) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                self.events.failures = self.events.failures.saturating_add(1);
                let wait_ms = backoff_ms(i64::from(self.events.failures.saturating_sub(1)), AGAIN_MS).min(HOUR_MS);
                self.events.at = now.plus_ms(wait_ms);
                self.events.due_ms = self.parts.clock.now_ms().saturating_add(wait_ms);
                if matches!(error, ReadError::Refused(_)) {
                    self.platform.doubt();
                }
                let sentence =
                    format!("events that webhooks may have lost can't be read at Stripe ({error}): tried again");
                if self.parts.health.bad(Topic::Sweeps, sentence) {
                    tracing::warn!(%error, "a page of events could not be read: tried again later");
                }
                return Ok(());
            }
        };
        self.events.failures = 0;
        self.parts.health.good(Topic::Sweeps);
        let latest_ms = if asked.is_wanted { i64::MAX } else { asked.began_ms.saturating_sub(LATELY_MS) };
        // What is told twice is noted once: a crash between the two only tells it again.
        if !page.told.is_empty() {
            self.book(lease, &page.told, &[]).await?;
        }
        let place = after(&asked, page.next_after);
        let events: Vec<InboxEvent> = page.events.into_iter().filter_map(of_page).collect();
        let events: Vec<InboxEvent> =
            events.into_iter().filter(|event| event.created_s.saturating_mul(1_000) <= latest_ms).collect();
        let (sweep, goes) = ((asked.from_ms, asked.began_ms), (asked.behind.as_str(), place.as_deref()));
        let found = self.parts.store.record_events_page(lease.fence, &events, sweep, goes).await?;
        if found > 0 {
            tracing::warn!(found, "events were found that no webhook has brought: they are looked at now");
        }
        (self.events.at, self.events.due_ms) = (now, 0);
        self.again = true;
        self.parts.changed.tell();
        Ok(())
    }

    /// True while a plan should wait for a sweep: one is due or under way, and can be made.
    pub(super) async fn events_behind(&self) -> Result<bool, StoreError> {
        let time = self.parts.stripe.as_ref().and_then(|stripe| stripe.time());
        if time.is_none() || self.events.failures >= PATIENCE {
            return Ok(false);
        }
        let Some(row) = self.earnings_row().await? else { return Ok(false) };
        Ok(row.is_wanted || row.began_ms.is_some() || self.parts.clock.now_ms() >= due_ms(&row))
    }
}

/// When the next sweep begins by itself.
fn due_ms(row: &SweepRow) -> i64 {
    row.ended_at_ms.unwrap_or(row.started_ms).saturating_add(EVERY_MS)
}

/// Where a sweep begins that begins now.
fn from(row: &SweepRow) -> i64 {
    let usual_ms =
        row.swept_ms.map_or(row.started_ms, |swept_ms| swept_ms.saturating_sub(MARGIN_MS).max(row.started_ms));
    row.wanted_from_ms.filter(|_| row.is_wanted).map_or(usual_ms, |wanted_ms| wanted_ms.min(usual_ms))
}

/// The list of objects that a place is in; `None` = events. What is older than any event that Stripe keeps begins with objects.
fn list_of(asked: &Asked) -> (Option<MoneyList>, Option<&str>) {
    match asked.behind.split_once(':') {
        Some((list, id)) => (MoneyList::parse(list), Some(id).filter(|id| !id.is_empty())),
        None if asked.behind.is_empty() && asked.from_ms < asked.began_ms.saturating_sub(KEPT_MS) => {
            (MoneyList::ALL.first().copied(), None)
        }
        None => (None, Some(asked.behind.as_str()).filter(|id| !id.is_empty() && *id != EVENTS)),
    }
}

/// Where the sweep goes on behind a page; `None` = it has ended.
fn after(asked: &Asked, next_after: Option<String>) -> Option<String> {
    match (list_of(asked).0, next_after) {
        (None, next_after) => next_after,
        (Some(list), Some(id)) => Some(format!("{}:{id}", list.as_str())),
        (Some(list), None) => Some(list.next().map_or_else(|| EVENTS.to_owned(), |next| format!("{}:", next.as_str()))),
    }
}

/// The next page.
async fn read(stripe: &Arc<dyn Stripe>, asked: &Asked) -> Result<Page, ReadError> {
    let (list, behind) = list_of(asked);
    let starting_after = behind.map(str::to_owned);
    let Some(list) = list else {
        let created_from_s = asked.from_ms.max(asked.began_ms.saturating_sub(KEPT_MS)).div_euclid(1_000);
        let page = stripe.events(EventsRequest { created_from_s, starting_after }).await?;
        return Ok(Page { events: page.events, told: Vec::new(), next_after: page.next_after });
    };
    // Sales from before that are paid, or were never ours; what happens to one may be told by something older.
    let older_ms = if list == MoneyList::Charges { 0 } else { OLDER_MS };
    let created_from_s = asked.from_ms.saturating_sub(older_ms).max(0).div_euclid(1_000);
    let page = stripe.objects(ObjectsRequest { list, created_from_s, starting_after }).await?;
    Ok(Page { events: Vec::new(), told: page.told, next_after: page.next_after })
}

impl EventSweep {
    /// A page has come back, whatever it brought.
    pub(super) const fn ended(&mut self) {
        self.under_way = false;
    }
}

/// An event as the inbox takes it; one that can't be told apart from others is told and left out.
fn of_page(body: String) -> Option<InboxEvent> {
    match event::parse(body.as_bytes()) {
        Ok(event) => Some(InboxEvent {
            object_id: event.object_id(),
            event_id: event.id,
            event_type: event.kind,
            account: event.account,
            livemode: event.mode.is_some_and(Mode::is_live),
            created_s: event.created_s.unwrap_or_default(),
            body,
        }),
        Err(error) => {
            tracing::error!(%error, "an event of Stripe's list can't be read");
            None
        }
    }
}
