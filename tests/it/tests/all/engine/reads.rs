//! Stripe for an engine under test, as the engine sees it: each request is answered by the twin, in its turn.
use super::stripe::TwinStripe;
use crate::databases::START_MS;
use futures::future::BoxFuture;
use payout_shared::{
    answer::{PayoutObject, Sent},
    id::{AccountId, Mode, ObjectId},
};
use payoutd::stripe::{
    AccountObject, AccountPage, BalanceObject, EventsPage, EventsRequest, ListPage, ListRequest, MoneyRequest,
    MovementsPage, MovementsRequest, ObjectsRequest, ReadError, Stripe, TransfersPage, TransfersRequest,
    limits::ReadClass, wire,
};

impl Stripe for TwinStripe {
    fn send(&self, request: MoneyRequest) -> BoxFuture<'static, Sent> {
        Box::pin(self.clone().money(request))
    }

    fn account(&self, account: AccountId) -> BoxFuture<'static, Result<AccountObject, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Account, "account").await;
            let body = this.read(&format!("/v1/accounts/{account}"), None, &account)?;
            wire::account(&body).map_err(ReadError::Unreadable)
        })
    }

    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'static, Result<AccountPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Account, "accounts").await;
            let body = this.read(&wire::list_accounts(after.as_ref()).path, None, &AccountId::new("all accounts"))?;
            wire::accounts(&body).map_err(ReadError::Unreadable)
        })
    }

    fn balance(&self, account: AccountId) -> BoxFuture<'static, Result<BalanceObject, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Balance, "balance").await;
            let body = this.read("/v1/balance", Some(&account), &account)?;
            wire::balance(&body).map_err(ReadError::Unreadable)
        })
    }

    fn list(&self, request: ListRequest) -> BoxFuture<'static, Result<ListPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Payouts, "payouts").await;
            // Who looks for an unknown payout begins long before its first send; a look at a purse never before the database was there.
            this.shared.memory().listings += usize::from(request.created_from_s < START_MS / 1_000);
            let after = request.starting_after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let path = format!("/v1/payouts?created[gte]={}&limit=100{after}", request.created_from_s);
            let body = this.read(&path, Some(&request.account), &request.account)?;
            let (payouts, has_more) = wire::payouts(&body, &request.account).map_err(ReadError::Unreadable)?;
            let payouts = payouts.into_iter().map(|payout| this.shared.heard(payout)).collect();
            Ok(ListPage { payouts, has_more, date_ms: this.time.time().map(|(now_ms, _)| now_ms) })
        })
    }

    fn payout(&self, account: AccountId, payout: ObjectId) -> BoxFuture<'static, Result<PayoutObject, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let _work = this.work().await;
            let body = this.read(&format!("/v1/payouts/{payout}"), Some(&account), &account)?;
            wire::payout(&body, &account).map(|payout| this.shared.heard(payout)).map_err(ReadError::Unreadable)
        })
    }

    fn movements(&self, request: MovementsRequest) -> BoxFuture<'static, Result<MovementsPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let _work = this.work().await;
            this.shared.memory().movements += 1;
            if this.shared.memory().no_movements {
                return Err(ReadError::Unreachable("no answer".to_owned()));
            }
            let after = request.starting_after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let path = format!("/v1/balance_transactions?created[gte]={}&limit=100{after}", request.created_from_s);
            let body = this.read(&path, Some(&request.account), &request.account)?;
            let (movements, has_more) = wire::movements(&body).map_err(ReadError::Unreadable)?;
            Ok(MovementsPage { movements, has_more })
        })
    }

    fn transfers(&self, request: TransfersRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Transfers, "transfers").await;
            let body = this.read(&wire::list_transfers(&request).path, None, &request.destination)?;
            let (told, next_after) = wire::transfers(&body).map_err(ReadError::Unreadable)?;
            Ok(TransfersPage { told, next_after })
        })
    }

    fn objects(&self, request: ObjectsRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Events, "objects").await;
            let body = this.read(&wire::list_objects(&request).path, None, &AccountId::new("objects"))?;
            let said_ms = this.time.time().map_or(0, |(now_ms, _)| now_ms);
            let (told, next_after) = wire::objects(&body, said_ms).map_err(ReadError::Unreadable)?;
            Ok(TransfersPage { told, next_after })
        })
    }

    fn events(&self, request: EventsRequest) -> BoxFuture<'static, Result<EventsPage, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let work = this.work().await;
            this.turn(&work, ReadClass::Events, "events").await;
            let body = this.read(&wire::list_events(&request).path, None, &AccountId::new("events"))?;
            let (events, next_after) = wire::events(&body).map_err(ReadError::Unreadable)?;
            Ok(EventsPage { events, next_after })
        })
    }

    fn platform(&self) -> BoxFuture<'static, Result<AccountId, ReadError>> {
        let this = self.clone();
        Box::pin(async move {
            let _work = this.work().await;
            let body = this.read("/v1/account", None, &AccountId::new(""))?;
            wire::account(&body).map(|object| object.id).map_err(ReadError::Unreadable)
        })
    }

    fn time(&self) -> Option<(i64, i64)> {
        self.time.time()
    }

    fn mode(&self) -> Mode {
        Mode::Test
    }
}
