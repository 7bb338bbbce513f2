//! Resolving: an unknown payout is looked for at Stripe before anything else is done about it.
use super::{Done, Engine};
use crate::{
    clock::BootMs,
    store::{
        StoreError,
        types::{AttemptChange, By, Change, Unresolved},
    },
    stripe::{ListRequest, ReadError, Stripe},
};
use payout_shared::{
    absence::{Absent, AfterAbsence},
    answer::PayoutObject,
    attempt::AttemptState,
    consequence::backoff_ms,
    payout::PayoutEvent,
    plan::SkipReason,
};
use std::sync::Arc;

/// Listings under way at once: the rate limit paces them, this bounds the tasks.
const LISTINGS_MAX: usize = 32;
/// A listing begins this long before the first send, seconds: whatever the clocks say.
const LIST_FROM_S: i64 = 7 * 24 * 60 * 60;
/// Pages of one listing: 100 payouts each; an account with more within a week isn't a creator's.
const PAGES_MAX: usize = 100;
/// A resend leaves within this of the listing that didn't show the payout, or the payout is listed again, milliseconds.
const LISTED_FRESH_MS: i64 = 30_000;

impl Engine {
    /// Starts a listing for each unknown payout whose time has come.
    pub(super) async fn resolve(&mut self) -> Result<(), StoreError> {
        self.forget_old_listings();
        let room = LISTINGS_MAX.saturating_sub(self.listing.len());
        let Some(stripe) = self.parts.stripe.clone() else { return Ok(()) };
        if room == 0 {
            return Ok(());
        }
        let limit = i64::try_from(LISTINGS_MAX * 4).unwrap_or(i64::MAX);
        let waiting: Vec<Unresolved> = self.parts.store.unresolved(limit).await?;
        let open = waiting.into_iter().filter(|payout| {
            !self.resend.get(&payout.run_id).is_some_and(|resend| resend.iter().any(|(id, _)| *id == payout.payout_id))
                && !self.listing.contains(&payout.payout_id)
                && !self.is_arrived_listing(&payout.payout_id)
        });
        for payout in open.take(room).collect::<Vec<_>>() {
            self.listing.insert(payout.payout_id.clone());
            let (stripe, done, at) = (stripe.clone(), self.done_tx.clone(), self.parts.clock.boot());
            tokio::spawn(async move {
                let result = find(&stripe, &payout).await;
                let _ = done.send(Done::Listed { payout, result, at }).await;
            });
        }
        Ok(())
    }

    /// What wasn't sent again soon after its listing (a pause, a shut gate) is looked for again first: it may be there by now.
    pub(super) fn forget_old_listings(&mut self) {
        let now = self.parts.clock.boot();
        self.resend.retain(|_, listed| {
            listed.retain(|(_, at)| now.ms_since(*at) <= LISTED_FRESH_MS);
            !listed.is_empty()
        });
    }

    /// What follows from a listing that didn't show the payout: sent again, listed again later, or proven never executed.
    pub(super) fn absent(&mut self, payout: &Unresolved, listed_ms: i64, listed: BootMs) -> Change {
        let now_ms = self.parts.clock.now_ms();
        let base_ms = self.parts.settings.resolve_first_ms;
        let absent = Absent {
            first_sent_ms: payout.first_sent_stripe_ms,
            last_sent_ms: payout.last_sent_stripe_ms,
            counted_first_ms: payout.absent_first_stripe_ms,
            no_resend: payout.no_resend,
            listings: payout.absent_listings.saturating_add(1),
        };
        let mut change = Change {
            attempt: Some(AttemptChange {
                key: payout.key.clone(),
                absent: Some((listed_ms, absent.counts(listed_ms))),
                ..AttemptChange::default()
            }),
            detail: serde_json::json!({"listing": absent.listings, "stripe_now_ms": listed_ms}),
            ..Change::new(payout.payout_id.clone(), By::Engine)
        };
        if payout.vouched {
            let wait_ms = absent.next_vouched(listed_ms, base_ms);
            if let Some(attempt) = &mut change.attempt {
                attempt.vouched = wait_ms.is_none().then_some(false);
            }
            let what = if wait_ms.is_none() {
                "proven never executed, as two people said"
            } else {
                "looked for until that is proven"
            };
            change.failure_reason = Some(what.to_owned());
            change.not_before_ms = Some(now_ms.saturating_add(wait_ms.unwrap_or(0)));
            return change;
        }
        let (wait_ms, what) = match absent.next(listed_ms, base_ms) {
            AfterAbsence::Resend => {
                let resend = self.resend.entry(payout.run_id.clone()).or_default();
                resend.retain(|(id, _)| *id != payout.payout_id);
                resend.push((payout.payout_id.clone(), listed));
                (backoff_ms(absent.listings, base_ms), "not at Stripe yet: the same key and bytes are sent again")
            }
            AfterAbsence::ListAgain(wait_ms) => (wait_ms, "not at Stripe yet: looked for again later, never re-keyed"),
            AfterAbsence::Proven => {
                tracing::warn!(payout = %payout.payout_id, run = %payout.run_id, "proven never executed: its earnings are free again");
                change.event = Some(PayoutEvent::ProveAbsent);
                if let Some(attempt) = &mut change.attempt {
                    attempt.state = Some(AttemptState::Withdrawn);
                }
                change.cause = Some(SkipReason::NeverExecuted.as_str().to_owned());
                change.skip = Some((SkipReason::NeverExecuted, NEVER_EXECUTED.to_owned()));
                (0, NEVER_EXECUTED)
            }
        };
        change.failure_reason = Some(what.to_owned());
        change.not_before_ms = Some(now_ms.saturating_add(wait_ms));
        change
    }
}

/// Said of a payout that is proven absent.
const NEVER_EXECUTED: &str = "asked for and never executed: Stripe's list did not show it twice, 25 h after it was last sent; its earnings are free for \
    a later run";

/// What a listing showed of one payout.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// Its object; `None` = it isn't there.
    pub(super) object: Option<PayoutObject>,
    /// Stripe's time of the newest page, where it gave one: what came into being later isn't judged.
    pub(super) listed_ms: Option<i64>,
}

/// Lists the account's payouts from a week before the first send and looks for our key in their metadata.
async fn find(stripe: &Arc<dyn Stripe>, payout: &Unresolved) -> Result<Look, ReadError> {
    let (mut starting_after, mut listed_ms) = (None, None);
    for page in 0..PAGES_MAX {
        let is_first = page == 0;
        let page = stripe
            .list(ListRequest {
                account: payout.account.clone(),
                created_from_s: (payout.first_sent_stripe_ms / 1000).saturating_sub(LIST_FROM_S),
                starting_after: starting_after.take(),
            })
            .await?;
        if is_first {
            listed_ms = page.date_ms;
        }
        starting_after = page.payouts.last().map(|last| last.id.to_string());
        if let Some(found) = page.payouts.into_iter().find(|object| object.key.as_deref() == Some(payout.key.as_str()))
        {
            return Ok(Look { object: Some(found), listed_ms });
        }
        if !page.has_more || starting_after.is_none() {
            return Ok(Look { object: None, listed_ms });
        }
    }
    Err(ReadError::Unreadable(format!("more than {PAGES_MAX} pages of payouts on account {}", payout.account)))
}
