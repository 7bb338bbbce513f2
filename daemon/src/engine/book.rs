//! Booking: what webhooks tell about money becomes entries. The store books it with the inbox's marks in one transaction; what waits is
//! looked at again from time to time. Estimates are confirmed from their accounts' balances, account by account.
use super::{Done, Engine, lead::Lease};
use crate::{
    store::{StoreError, types::Booking},
    stripe::{MovementsRequest, ReadError, Stripe, TransfersRequest},
};
use payout_shared::{
    entries::{Movement, Told},
    id::AccountId,
};
use std::sync::Arc;

/// Facts that waited, booked at most in one pass.
const WAITING_MAX: i64 = 200;
/// What waits is looked at this often, milliseconds.
const WAITING_MS: i64 = 5_000;
/// Accounts asked about at once, and in one question to the store.
const CONFIRM_MAX: usize = 16;
/// When no account is left to confirm, the store is asked again after this, milliseconds.
const CONFIRM_MS: i64 = 60_000;
/// Pages of 100 of one account that are written together; what is older is read as soon as they are.
const PAGES_MAX: usize = 50;
/// Movements older than the oldest estimate by this much are read too, seconds: Stripe dates a charge before its intent succeeds.
const MARGIN_S: i64 = 86_400;

/// What an account is asked for its estimates: its balance's movements, and transfers where one was never told, from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    account: AccountId,
    from_s: i64,
    movements: Place,
    transfers: Place,
}

/// How far a list was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// From its newest on.
    Begin,
    /// From behind this one on.
    Behind(String),
    /// There is no more.
    End,
}

impl Place {
    fn of(next: Option<String>) -> Self {
        next.map_or(Self::End, Self::Behind)
    }

    fn starting_after(&self) -> Option<String> {
        match self {
            Self::Behind(id) => Some(id.clone()),
            Self::Begin | Self::End => None,
        }
    }
}

/// What it said, and what it is asked next.
#[derive(Debug)]
pub(super) struct Moved {
    movements: Vec<Movement>,
    told: Vec<Told>,
    next: Option<Asked>,
}

/// What a webhook told, in a few words for its outcome; `None`: nothing of money.
pub(super) fn words(told: &[Told]) -> Option<String> {
    let names: Vec<&str> = told
        .iter()
        .filter_map(|told| match told {
            Told::Fact(fact) => Some(fact.id.as_str()),
            Told::Transfer(transfer) => Some(transfer.id.as_str()),
            Told::Owner { .. } => None,
        })
        .collect();
    (!names.is_empty()).then(|| format!("noted: {}", names.join(", ")))
}

impl Engine {
    /// Records what was told, with the marks of the webhooks that told it.
    pub(super) async fn book(&self, lease: Lease, told: &[Told], outcomes: &[(i64, String)]) -> Result<(), StoreError> {
        say(&self.parts.store.record_told(lease.fence, told, outcomes).await?);
        Ok(())
    }

    /// Books what waited and needn't any more, and asks Stripe about accounts that have estimates.
    pub(super) async fn keep_books(&mut self, lease: Lease) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        if self.books.waiting_at <= now {
            let booking = self.parts.store.book_waiting(lease.fence, WAITING_MAX).await?;
            self.books.waiting_at = now.plus_ms(WAITING_MS);
            if !booking.entries.is_empty() {
                self.parts.changed.tell();
            }
            say(&booking);
        }
        let now_ms = self.parts.clock.now_ms();
        let is_early = self.books.confirm_at > now && self.books.confirm_at_ms > now_ms;
        if self.stopping || is_early || !self.books.asked.is_empty() {
            return Ok(());
        }
        let Some(stripe) = self.parts.stripe.clone() else { return Ok(()) };
        let limit = i64::try_from(CONFIRM_MAX).unwrap_or(i64::MAX);
        let due = self.parts.store.to_confirm(&self.books.place, limit).await?;
        if due.len() < CONFIRM_MAX {
            self.books.confirm_at = now.plus_ms(CONFIRM_MS);
            self.books.confirm_at_ms = now_ms.saturating_add(CONFIRM_MS);
        }
        self.books.place =
            due.last().filter(|_| due.len() == CONFIRM_MAX).map_or_else(String::new, |last| last.account.to_string());
        for wanted in due {
            let asked = Asked {
                from_s: wanted.earned_from_ms.div_euclid(1_000).saturating_sub(MARGIN_S),
                account: wanted.account,
                movements: Place::Begin,
                transfers: if wanted.lacks_transfer { Place::Begin } else { Place::End },
            };
            self.ask_balance(&stripe, asked);
        }
        Ok(())
    }

    fn ask_balance(&mut self, stripe: &Arc<dyn Stripe>, asked: Asked) {
        self.books.asked.insert(asked.account.clone());
        let (stripe, done) = (stripe.clone(), self.done_tx.clone());
        tokio::spawn(async move {
            let result = read(&stripe, &asked).await;
            let _ = done.send(Done::Moved { account: asked.account, result }).await;
        });
    }

    /// Writes what an account's balance said, and asks on. A read that failed is made again with the next round.
    pub(super) async fn moved(
        &mut self,
        lease: Lease,
        account: &AccountId,
        result: Result<Moved, ReadError>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(Moved { movements, told, next }) => {
                if !told.is_empty() {
                    self.book(lease, &told, &[]).await?;
                }
                let booking = self.parts.store.confirm(lease.fence, account, &movements, next.is_none()).await?;
                say(&booking);
                if let (Some(next), Some(stripe), false) = (next, self.parts.stripe.clone(), self.stopping) {
                    self.ask_balance(&stripe, next);
                }
            }
            Err(error) => {
                tracing::warn!(%account, %error, "the account's estimates were not confirmed: tried again later")
            }
        }
        Ok(())
    }
}

/// The next pages of what an account is asked.
async fn read(stripe: &Arc<dyn Stripe>, asked: &Asked) -> Result<Moved, ReadError> {
    let (told, transfers) = transfers(stripe, asked).await;
    let (movements, place) = movements(stripe, asked).await?;
    let next = Asked { movements: place, transfers, ..asked.clone() };
    let is_over = next.movements == Place::End && next.transfers == Place::End;
    Ok(Moved { movements, told, next: (!is_over).then_some(next) })
}

/// Movements of an account's balance, newest first.
async fn movements(stripe: &Arc<dyn Stripe>, asked: &Asked) -> Result<(Vec<Movement>, Place), ReadError> {
    let (mut all, mut place) = (Vec::new(), asked.movements.clone());
    for _ in 0..PAGES_MAX {
        if place == Place::End {
            break;
        }
        let request = MovementsRequest {
            account: asked.account.clone(),
            created_from_s: asked.from_s,
            starting_after: place.starting_after(),
        };
        let page = stripe.movements(request).await?;
        place = Place::of(page.movements.last().map(|movement| movement.id.clone()).filter(|_| page.has_more));
        all.extend(page.movements);
    }
    Ok((all, place))
}

/// What the platform's transfers to the account tell. None when they can't be read: what they would link is estimated for longer.
async fn transfers(stripe: &Arc<dyn Stripe>, asked: &Asked) -> (Vec<Told>, Place) {
    let (mut all, mut place) = (Vec::new(), asked.transfers.clone());
    for _ in 0..PAGES_MAX {
        if place == Place::End {
            break;
        }
        let request = TransfersRequest {
            destination: asked.account.clone(),
            created_from_s: asked.from_s,
            starting_after: place.starting_after(),
        };
        place = match stripe.transfers(request).await {
            Ok(page) => {
                all.extend(page.told);
                Place::of(page.next_after)
            }
            Err(error) => {
                let account = &asked.account;
                tracing::warn!(%account, %error, "its transfers were not read: sales whose transfer was never told stay estimated");
                Place::End
            }
        };
    }
    (all, place)
}

/// What people must hear of.
fn say(booking: &Booking) {
    for broken in &booking.broken {
        tracing::error!(broken, "nothing of it was booked");
    }
    for differs in &booking.differs {
        tracing::error!(differs, "an earning was confirmed otherwise than it was paid: it was left as it is");
    }
}
