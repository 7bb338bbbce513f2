//! Observing: "a payout object of Stripe's" becomes events, the same way for an answer, a webhook and a listing.
use super::{Engine, book, lead::Lease, plan::read_of, reversal};
use crate::{
    store::{
        StoreError,
        door_types::InboxRow,
        types::{AttemptChange, By, Change, KnownAttempt, Unresolved},
    },
    stripe::event::{self, Event, EventObject, debit_listed},
};
use payout_shared::{
    answer::PayoutObject,
    attempt::AttemptState,
    entries::Told,
    id::AccountId,
    payout::{ObjectStatus, PayoutEvent, Which},
};

/// Stored webhooks looked at in one pass.
const EVENTS_MAX: i64 = 200;

/// Objects on an account that come and go with its money, and leave what is known of the account as it is.
const OF_MONEY: [&str; 5] = ["charge", "balance", "payment_intent", "refund", "balance_transaction"];

/// What a stored event leads to.
enum Sighting {
    /// A payout object of one of our attempts, or of none.
    Payout(Box<PayoutObject>, Option<String>),
    /// Nothing more to do; the words say what was done.
    Done(String),
}

impl Engine {
    /// Looks at stored webhooks in the order they came. Looking twice is harmless: effects first, then the mark.
    pub(super) async fn observe(&mut self, lease: Lease) -> Result<(), StoreError> {
        let rows = self.parts.store.inbox_todo(EVENTS_MAX).await?;
        if rows.is_empty() {
            return Ok(());
        }
        self.again |= rows.len() >= usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX);
        let (mut done, mut payouts, mut told) = (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
        for row in rows {
            match self.sight(lease, &row, &mut told).await? {
                Sighting::Payout(object, key) => payouts.push((row.seq, *object, key)),
                Sighting::Done(outcome) => done.push((row.seq, outcome)),
            }
        }
        let (changes, foreign, outcomes) = self.sort(payouts).await?;
        if !changes.is_empty() {
            self.write(lease, &changes).await?;
        }
        self.strange(lease, &foreign).await?;
        done.extend(outcomes);
        if told.is_empty() {
            self.parts.store.events_done(lease.fence, &done).await?;
        } else {
            self.book(lease, &told, &done).await?;
        }
        self.parts.changed.tell();
        Ok(())
    }

    async fn sight(&mut self, lease: Lease, row: &InboxRow, told: &mut Vec<Told>) -> Result<Sighting, StoreError> {
        let Event { mode, account, idempotency_key, object, created_s, told: tells, .. } =
            match event::parse(row.event.body.as_bytes()) {
                Ok(event) => event,
                Err(error) => return Ok(Sighting::Done(format!("unreadable: {error}"))),
            };
        if mode != Some(self.parts.store.mode()) {
            tracing::warn!(event = row.event.event_id, "an event of the other mode was set aside");
            return Ok(Sighting::Done("refused: of the other mode".to_owned()));
        }
        let noted = book::words(&tells);
        let owner = tells.iter().find(|told| matches!(told, Told::Owner { .. })).cloned();
        told.extend(tells);
        match (object, account) {
            (EventObject::Payout(_), _) if noted.is_some() => Ok(Sighting::Done(noted.unwrap_or_default())),
            (EventObject::Payout(payout), _) => Ok(Sighting::Payout(Box::new(payout), idempotency_key)),
            (EventObject::Account(object), _) => {
                // An event may be older than what we read: it only says that there is something to read.
                let account = object.id.clone();
                if let Some(owner) = owner {
                    self.book(lease, &[owner], &[]).await?;
                }
                let said_ms = created_s.map_or(0, |s| s.saturating_mul(1_000)).min(self.parts.clock.now_ms());
                if row.event.event_type == "account.updated" && self.is_news(&account, said_ms).await? {
                    let read = read_of(object, account.clone(), said_ms);
                    self.parts.store.record_accounts(lease.fence, &[read]).await?;
                }
                self.parts.store.mark_stale(&account).await?;
                Ok(Sighting::Done("account noted".to_owned()))
            }
            (EventObject::Named { .. }, None) if noted.is_some() => Ok(Sighting::Done(noted.unwrap_or_default())),
            // A payment on the account says nothing of the account itself.
            (EventObject::Named { kind: Some(kind), .. }, Some(_)) if OF_MONEY.contains(&kind.as_str()) => {
                Ok(Sighting::Done("not needed".to_owned()))
            }
            (EventObject::Named { kind, unreadable, .. }, Some(account)) => {
                self.parts.store.mark_stale(&account).await?;
                let kind = kind.unwrap_or_else(|| "?".to_owned());
                Ok(Sighting::Done(unreadable.map_or_else(
                    || format!("{kind}: account is read again before its next plan"),
                    |why| format!("{kind} could not be read: {why}"),
                )))
            }
            (EventObject::Named { .. }, None) => Ok(Sighting::Done("not needed".to_owned())),
        }
    }

    /// What an event says of an account counts only when nothing newer is known (to the second: events aren't told apart further).
    async fn is_news(&self, account: &AccountId, said_ms: i64) -> Result<bool, StoreError> {
        match self.parts.store.account_facts(account).await {
            Ok(known) => Ok(known.read_at_ms.is_none_or(|read_at_ms| said_ms / 1_000 >= read_at_ms / 1_000)),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Records payouts that a list showed, each at a time of Stripe's, the same way as those that webhooks tell of; then these changes. Objects that
    /// none of ours explains are noted where `judged` says so.
    pub(super) async fn listed(
        &mut self,
        lease: Lease,
        listed: Vec<(PayoutObject, i64)>,
        changes: Vec<Change>,
        judged: impl Fn(&PayoutObject) -> bool,
    ) -> Result<(), StoreError> {
        let debits: Vec<Told> =
            listed.iter().filter_map(|(object, said_ms)| debit_listed(object, *said_ms)).map(Told::Fact).collect();
        let (seen, foreign, _) = self.sort(listed.into_iter().map(|(object, _)| (0, object, None)).collect()).await?;
        let seen = seen.into_iter().map(|change| Change { by: By::Engine, ..change });
        let all: Vec<Change> = seen.chain(changes).collect();
        if !all.is_empty() {
            self.write(lease, &all).await?;
        }
        let counts = |object: &PayoutObject| object.amount_minor > 0 || object.reverses().is_some();
        let foreign: Vec<_> =
            foreign.into_iter().filter(|(object, _)| counts(object) && judged(object)).map(judge).collect();
        self.strange(lease, &foreign).await?;
        if !debits.is_empty() {
            self.book(lease, &debits, &[]).await?;
        }
        Ok(())
    }

    /// Remembers objects that none of ours explains. One that takes back a payout of ours becomes its reversal, and goes the way of those.
    async fn strange(&mut self, lease: Lease, foreign: &[(PayoutObject, String)]) -> Result<(), StoreError> {
        if foreign.is_empty() {
            return Ok(());
        }
        self.parts.store.record_foreign(lease.fence, foreign).await?;
        let objects = foreign.iter().map(|(object, _)| object);
        let reversals: Vec<_> =
            objects.filter(|object| object.reverses().is_some()).map(|object| (0, object.clone(), None)).collect();
        if reversals.is_empty() {
            return Ok(());
        }
        let (changes, _, _) = self.sort(reversals).await?;
        if changes.is_empty() { Ok(()) } else { self.write(lease, &changes).await }
    }

    /// Finds whose each payout object is.
    #[allow(clippy::type_complexity, reason = "three lists that only the caller takes apart")]
    pub(super) async fn sort(
        &self,
        payouts: Vec<(i64, PayoutObject, Option<String>)>,
    ) -> Result<(Vec<Change>, Vec<(PayoutObject, String)>, Vec<(i64, String)>), StoreError> {
        let keys: Vec<String> =
            payouts.iter().flat_map(|(_, object, key)| object.key.iter().chain(key).cloned()).collect();
        let ids: Vec<_> = payouts.iter().map(|(_, object, _)| object.id.clone()).collect();
        let known = self.parts.store.known_attempts(&keys, &ids).await?;
        let originals: Vec<_> = payouts.iter().filter_map(|(_, object, _)| object.reverses().cloned()).collect();
        let reversals = self.parts.store.reversals_of(&originals).await?;
        let (mut changes, mut foreign, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for (seq, object, request_key) in payouts {
            let attempt = known.iter().find(|attempt| attempt.object.as_ref() == Some(&object.id)).or_else(|| {
                known.iter().find(|attempt| object.key.as_ref().or(request_key.as_ref()) == Some(&attempt.key))
            });
            if let Some(one) = reversals.iter().find(|one| reversal::is_of(one, &object)) {
                outcomes.push((seq, format!("{} reverses {}", object.id, one.payout_id)));
                changes.push(reversal::sighted(one, object, By::Webhook, self.parts.clock.now_ms()));
                continue;
            }
            match attempt {
                Some(attempt) => {
                    outcomes.push((seq, format!("{} of {}", object.id, attempt.payout_id)));
                    changes.push(seen(attempt, object, By::Webhook));
                }
                None => {
                    tracing::warn!(object = %object.id, account = %object.account, "a payout that is none of ours was noted");
                    outcomes.push((seq, format!("{}: no payout of ours", object.id)));
                    foreign.push((object, "no attempt of ours has this key or object".to_owned()));
                }
            }
        }
        Ok((changes, foreign, outcomes))
    }
}

/// The change that seeing an attempt's object makes.
pub(super) fn seen(attempt: &KnownAttempt, object: PayoutObject, by: By) -> Change {
    let which = if attempt.newest { Which::Newest } else { Which::Older };
    let late = oddity(attempt, &object);
    // A status whose word we don't know is an object all the same: its money may be on its way.
    let status = object.status.unwrap_or(ObjectStatus::Pending);
    let event = late.is_none().then_some(PayoutEvent::Object(status, which));
    Change {
        event,
        cause: object.failure_code.clone(),
        failure_reason: object.failure_message.clone(),
        detail: serde_json::json!({"object": object.id.as_str(), "status": object.status.map(|status| status.as_str())}),
        attempt: Some(AttemptChange {
            key: attempt.key.clone(),
            state: late.is_none().then_some(AttemptState::Executed),
            object: Some(object),
            ..AttemptChange::default()
        }),
        late,
        ..Change::new(attempt.payout_id.clone(), by)
    }
}

/// An object that can't be this attempt's, although it carries its key.
fn oddity(attempt: &KnownAttempt, object: &PayoutObject) -> Option<String> {
    if attempt.object.as_ref().is_some_and(|known| *known != object.id) {
        return Some(format!("a second payout object, {}, carries the key of {}", object.id, attempt.key));
    }
    let same = object.account == attempt.account
        && object.amount_minor == attempt.amount.minor
        && object.currency == attempt.amount.currency
        && object.destination.as_ref().is_none_or(|destination| *destination == attempt.destination);
    (!same).then(|| format!("payout object {} carries our key but not our amount, account or destination", object.id))
}

/// A listing showed an unknown payout's object. One that can't be its own leaves it unknown: it is looked for again at `again_ms`.
pub(super) fn found(payout: &Unresolved, object: PayoutObject, again_ms: i64) -> Change {
    let attempt = KnownAttempt {
        payout_id: payout.payout_id.clone(),
        key: payout.key.clone(),
        newest: true,
        state: AttemptState::Unknown,
        object: None,
        amount: payout.amount,
        account: payout.account.clone(),
        destination: payout.destination.clone(),
    };
    let mut change = seen(&attempt, object, By::Engine);
    change.not_before_ms = change.late.as_ref().map(|_| again_ms);
    if let Some(attempt) = change.attempt.as_mut().filter(|_| payout.vouched) {
        attempt.vouched = Some(false);
    }
    change
}

/// A listing failed: the payout stays as it is and is looked for again.
pub(super) fn looked_in_vain(payout: &Unresolved, not_before_ms: i64, why: &str) -> Change {
    Change {
        failure_reason: Some(why.to_owned()),
        not_before_ms: Some(not_before_ms),
        ..Change::new(payout.payout_id.clone(), By::Engine)
    }
}

/// Why a payout that was listed bars its purse.
fn judge((object, _): (PayoutObject, String)) -> (PayoutObject, String) {
    let why = match &object.key {
        _ if object.amount_minor < 0 => "it takes back a payout, and nobody asked for that here",
        Some(key) => {
            tracing::error!(object = %object.id, account = %object.account, key, "a payout carries a key of ours that the books don't hold");
            "it carries a key of ours that the books don't hold: were they restored from a backup?"
        }
        None => {
            tracing::warn!(object = %object.id, account = %object.account, "a payout that is none of ours: its purse is not paid");
            "made at Stripe, and not by us: the purse is not paid until it is adopted"
        }
    };
    (object, why.to_owned())
}
