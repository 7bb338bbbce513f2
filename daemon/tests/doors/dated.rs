//! A Stripe of which only the time matters.
use crate::room::Room;
use futures::future::BoxFuture;
use payout_shared::{
    answer::{PayoutObject, Sent},
    id::{AccountId, Mode, ObjectId},
};
use payoutd::{
    clock::{BootMs, Clock},
    stripe::{
        AccountObject, AccountPage, BalanceObject, EventsPage, EventsRequest, ListPage, ListRequest, MoneyRequest,
        MovementsPage, MovementsRequest, ObjectsRequest, ReadError, Stripe, TransfersPage, TransfersRequest,
    },
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A Stripe that only has a time, and tells it when it is asked.
pub(crate) struct Dated {
    clock: Clock,
    began: (i64, BootMs),
    told: AtomicBool,
    answers: AtomicBool,
    asked: AtomicUsize,
}

impl Dated {
    /// It has just told its time, which is the room's.
    pub(crate) fn near(room: &Room) -> Self {
        Self { told: AtomicBool::new(true), ..Self::silent(room) }
    }

    /// It has told nothing yet, and doesn't answer.
    pub(crate) fn silent(room: &Room) -> Self {
        let clock = room.clock.clone();
        let began = (clock.now_ms(), clock.boot());
        let (told, answers, asked) = (AtomicBool::default(), AtomicBool::default(), AtomicUsize::default());
        Self { clock, began, told, answers, asked }
    }

    pub(crate) fn answers(&self) {
        self.answers.store(true, Ordering::Relaxed);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Stripe for Dated {
    fn send(&self, _: MoneyRequest) -> BoxFuture<'static, Sent> {
        unreachable!("a door sends nothing")
    }
    fn account(&self, _: AccountId) -> BoxFuture<'static, Result<AccountObject, ReadError>> {
        unreachable!("a door reads nothing")
    }
    fn accounts(&self, _: Option<AccountId>) -> BoxFuture<'static, Result<AccountPage, ReadError>> {
        unreachable!("a door reads nothing")
    }
    fn balance(&self, _: AccountId) -> BoxFuture<'static, Result<BalanceObject, ReadError>> {
        unreachable!("a door reads nothing")
    }
    fn list(&self, _: ListRequest) -> BoxFuture<'static, Result<ListPage, ReadError>> {
        unreachable!("a door lists nothing")
    }
    fn payout(&self, _: AccountId, _: ObjectId) -> BoxFuture<'static, Result<PayoutObject, ReadError>> {
        unreachable!("a door reads nothing")
    }
    fn movements(&self, _: MovementsRequest) -> BoxFuture<'static, Result<MovementsPage, ReadError>> {
        unreachable!("a door confirms nothing")
    }
    fn transfers(&self, _: TransfersRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        unreachable!("a door confirms nothing")
    }
    fn objects(&self, _: ObjectsRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        unreachable!("a door sweeps nothing")
    }
    fn events(&self, _: EventsRequest) -> BoxFuture<'static, Result<EventsPage, ReadError>> {
        unreachable!("a door sweeps nothing")
    }
    fn platform(&self) -> BoxFuture<'static, Result<AccountId, ReadError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answers = self.answers.load(Ordering::Relaxed);
        self.told.fetch_or(answers, Ordering::Relaxed);
        let answer = if answers {
            Ok(AccountId::new("acct_platform"))
        } else {
            Err(ReadError::Unreachable("silence".to_owned()))
        };
        Box::pin(async move { answer })
    }
    fn time(&self) -> Option<(i64, i64)> {
        let (began_ms, began) = self.began;
        let told = self.told.load(Ordering::Relaxed);
        told.then(|| (began_ms + self.clock.boot().ms_since(began), 1_000))
    }
    fn mode(&self) -> Mode {
        Mode::Test
    }
}
