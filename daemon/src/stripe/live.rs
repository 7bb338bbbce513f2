//! Stripe over HTTP.
//!
//! Who comes in: the engine and the desk, through the trait. Whom it may call: the clock, the limits, its own connections.
//! Invariant: a money request is written at most once per call, with exactly the bytes that were stored; nothing here repeats it.
use super::{
    AccountObject, AccountPage, BalanceObject, EventsPage, EventsRequest, Limits, ListPage, ListRequest, MoneyRequest,
    MovementsPage, MovementsRequest, ObjectsRequest, ReadError, Stripe, StripeClock, TransfersPage, TransfersRequest,
    connect::{Answer, Connections, Failure, Terms},
    limits::ReadClass,
    wire::{self, Get, answer},
};
use crate::clock::{BootMs, Clock};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use payout_shared::{
    answer::{PayoutObject, Sent},
    id::{AccountId, Mode, ObjectId},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;

/// The largest answer read (bytes): a page of 100 payouts is a tenth of it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const USER_AGENT: &str = concat!("payoutd/", env!("CARGO_PKG_VERSION"));

/// What the live client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sk_…` or `rk_…`.
    pub key: SecretString,
    /// `https://api.stripe.com`; plain http on loopback only.
    pub base: String,
    /// To open a connection, TLS included (milliseconds).
    pub connect_timeout_ms: i64,
    /// From the first byte of a request to the last of its answer (milliseconds).
    pub request_timeout_ms: i64,
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a secret or restricted key of Stripe's.
    #[error("the Stripe key is not one: it must begin with sk_live_, sk_test_, rk_live_ or rk_test_")]
    Key,
    /// An address that money must not be asked of.
    #[error("{0:?} is not an address of Stripe's API: https is needed, or http on a loopback host")]
    Base(String),
}

/// The live client. Cheap to clone.
#[derive(Clone)]
pub struct LiveStripe(Arc<Inner>);

struct Inner {
    mode: Mode,
    base: String,
    authorization: HeaderValue,
    connect_ms: i64,
    answer_ms: i64,
    clock: Clock,
    stripe_clock: StripeClock,
    limits: Limits,
    /// Money requests on the wire.
    money: Semaphore,
    connections: Connections,
}

impl std::fmt::Debug for LiveStripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveStripe").field("base", &self.0.base).field("mode", &self.0.mode).finish_non_exhaustive()
    }
}

/// Checks the address of Stripe's API: https, or plain http when the host is a loopback one. Returns it without a slash at the end,
/// and scheme and host alone.
///
/// # Errors
/// [`OpenError::Base`].
pub fn check_base(base: &str) -> Result<(String, Uri), OpenError> {
    let refused = || OpenError::Base(base.to_owned());
    let trimmed = base.trim().trim_end_matches('/');
    let uri: Uri = trimmed.parse().map_err(|_| refused())?;
    let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(refused)?;
    let allowed = scheme == "https" || (scheme == "http" && is_loopback(authority.host()));
    if !allowed || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(refused());
    }
    let host = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query("/").build();
    Ok((trimmed.to_owned(), host.map_err(|_| refused())?))
}

/// True for `localhost`, 127.0.0.0/8 and `[::1]`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl LiveStripe {
    /// A client. It opens no connection before the first request.
    ///
    /// # Errors
    /// [`OpenError`]: the key or the address can't be used.
    pub fn new(settings: &Settings, clock: Clock, limits: Limits) -> Result<Self, OpenError> {
        let key = settings.key.expose_secret();
        let mode = Mode::of_key(key).ok_or(OpenError::Key)?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| OpenError::Key)?;
        authorization.set_sensitive(true);
        let (base, host) = check_base(&settings.base)?;
        let concurrency = limits.create_concurrency();
        Ok(Self(Arc::new(Inner {
            mode,
            base,
            authorization,
            connect_ms: settings.connect_timeout_ms,
            answer_ms: settings.request_timeout_ms,
            stripe_clock: StripeClock::new(clock.clone()),
            money: Semaphore::new(concurrency),
            connections: Connections::new(host, concurrency, clock.clone()),
            limits,
            clock,
        })))
    }
}

impl Stripe for LiveStripe {
    fn send(&self, request: MoneyRequest) -> BoxFuture<'static, Sent> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.send(request).await })
    }

    fn account(&self, account: AccountId) -> BoxFuture<'static, Result<AccountObject, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let body = inner.read(ReadClass::Account, wire::get_account(&account), &account).await?.0;
            let object = wire::account(&body).map_err(ReadError::Unreadable)?;
            if object.id == account {
                Ok(object)
            } else {
                Err(ReadError::Unreadable(format!("asked for account {account}, got {}", object.id)))
            }
        })
    }

    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'static, Result<AccountPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let nobody = AccountId::new("");
            let body = inner.read(ReadClass::Account, wire::list_accounts(after.as_ref()), &nobody).await?.0;
            wire::accounts(&body).map_err(ReadError::Unreadable)
        })
    }

    fn balance(&self, account: AccountId) -> BoxFuture<'static, Result<BalanceObject, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let body = inner.read(ReadClass::Balance, wire::get_balance(&account), &account).await?.0;
            let balance = wire::balance(&body).map_err(ReadError::Unreadable)?;
            if balance.mode == inner.mode {
                Ok(balance)
            } else {
                Err(ReadError::Unreadable(format!("a balance of {} mode", balance.mode.as_str())))
            }
        })
    }

    fn list(&self, request: ListRequest) -> BoxFuture<'static, Result<ListPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let get = wire::list_payouts(&request);
            let (body, date_ms) = inner.read(ReadClass::Payouts, get, &request.account).await?;
            let (payouts, has_more) = wire::payouts(&body, &request.account).map_err(ReadError::Unreadable)?;
            Ok(ListPage { payouts, has_more, date_ms })
        })
    }

    fn payout(&self, account: AccountId, payout: ObjectId) -> BoxFuture<'static, Result<PayoutObject, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let body = inner.read(ReadClass::Payouts, wire::get_payout(&account, &payout), &account).await?.0;
            let object = wire::payout(&body, &account).map_err(ReadError::Unreadable)?;
            if object.id == payout {
                Ok(object)
            } else {
                Err(ReadError::Unreadable(format!("asked for payout {payout}, got {}", object.id)))
            }
        })
    }

    fn movements(&self, request: MovementsRequest) -> BoxFuture<'static, Result<MovementsPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let get = wire::list_movements(&request);
            let body = inner.read(ReadClass::Movements, get, &request.account).await?.0;
            let (movements, has_more) = wire::movements(&body).map_err(ReadError::Unreadable)?;
            Ok(MovementsPage { movements, has_more })
        })
    }

    fn transfers(&self, request: TransfersRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let get = wire::list_transfers(&request);
            let body = inner.read(ReadClass::Transfers, get, &request.destination).await?.0;
            let (told, next_after) = wire::transfers(&body).map_err(ReadError::Unreadable)?;
            Ok(TransfersPage { told, next_after })
        })
    }

    fn objects(&self, request: ObjectsRequest) -> BoxFuture<'static, Result<TransfersPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let nobody = AccountId::new("");
            let (body, date_ms) = inner.read(ReadClass::Events, wire::list_objects(&request), &nobody).await?;
            let said_ms = date_ms.unwrap_or_else(|| request.created_from_s.saturating_mul(1_000));
            let (told, next_after) = wire::objects(&body, said_ms).map_err(ReadError::Unreadable)?;
            Ok(TransfersPage { told, next_after })
        })
    }

    fn events(&self, request: EventsRequest) -> BoxFuture<'static, Result<EventsPage, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let nobody = AccountId::new("");
            let body = inner.read(ReadClass::Events, wire::list_events(&request), &nobody).await?.0;
            let (events, next_after) = wire::events(&body).map_err(ReadError::Unreadable)?;
            Ok(EventsPage { events, next_after })
        })
    }

    fn platform(&self) -> BoxFuture<'static, Result<AccountId, ReadError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let nobody = AccountId::new("");
            let body = inner.read(ReadClass::Account, wire::get_platform(), &nobody).await?.0;
            wire::account(&body).map(|object| object.id).map_err(ReadError::Unreadable)
        })
    }

    fn time(&self) -> Option<(i64, i64)> {
        self.0.stripe_clock.time()
    }

    fn mode(&self) -> Mode {
        self.0.mode
    }
}

impl Inner {
    async fn send(&self, request: MoneyRequest) -> Sent {
        let never_left = |detail: String| Sent::NeverLeft { detail };
        let Ok(Ok(_permit)) = self.clock.until(request.send_before, self.money.acquire()).await else {
            return never_left("its time to leave passed while others were on the wire".to_owned());
        };
        let built = self
            .request(Method::POST, &request.path, Some(&request.account))
            .header("Idempotency-Key", request.key.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(request.body)));
        let built = match built {
            Ok(built) => built,
            Err(error) => return never_left(format!("the request cannot be written as HTTP: {error}")),
        };
        match self.exchange(built, request.send_before).await {
            Ok(Answer { status, headers, body }) => {
                let meta = answer::meta(&headers, self.clock.now_ms());
                match body {
                    Ok(body) => answer::sent(status, meta, &body, &request.account),
                    Err(why) => answer::cut(status, meta, &why),
                }
            }
            Err(Failure::NeverLeft(detail)) => never_left(detail),
            Err(Failure::Lost(detail)) => Sent::Lost { detail },
        }
    }

    /// Body and Stripe's time of a read that succeeded. `about` is the account that a refusal is held against.
    async fn read(&self, class: ReadClass, get: Get, about: &AccountId) -> Result<(Bytes, Option<i64>), ReadError> {
        self.limits.read(class).await;
        let request = self
            .request(Method::GET, &get.path, get.account.as_ref())
            .body(Full::new(Bytes::new()))
            .map_err(|error| ReadError::NoAccess(format!("{about:?} cannot be asked for: {error}")))?;
        let answer = match self.exchange(request, BootMs::NEVER).await {
            Ok(answer) => answer,
            Err(Failure::NeverLeft(why) | Failure::Lost(why)) => return Err(ReadError::Unreachable(why)),
        };
        let meta = answer::meta(&answer.headers, self.clock.now_ms());
        if answer.status.as_u16() == 429 {
            self.limits.slow_down_reads(class, meta.limited_reason.as_deref(), meta.retry_after_ms);
        }
        let body = answer.body.map_err(|why| ReadError::Unreachable(format!("HTTP {}: {why}", answer.status)))?;
        match answer::read_error(answer.status, &meta, &body, about) {
            Some(error) => Err(error),
            None => Ok((body, meta.date_ms)),
        }
    }

    fn request(&self, method: Method, path: &str, account: Option<&AccountId>) -> http::request::Builder {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(headers) = request.headers_mut() {
            headers.insert(header::AUTHORIZATION, self.authorization.clone());
            headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
            headers.insert("stripe-version", HeaderValue::from_static(wire::API_VERSION));
        }
        match account {
            Some(account) => request.header("stripe-account", account.as_str()),
            None => request,
        }
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>, send_before: BootMs) -> Result<Answer, Failure> {
        let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
        if let Some(Ok(host)) = host {
            request.headers_mut().insert(header::HOST, host);
        }
        // On the wire a request names its path only.
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).parse();
        *request.uri_mut() = path.map_err(|error| Failure::NeverLeft(format!("not a path: {error}")))?;
        let terms =
            Terms { send_before, connect_ms: self.connect_ms, answer_ms: self.answer_ms, body_bytes: ANSWER_BYTES_MAX };
        self.connections.exchange(request, terms, |headers: &HeaderMap| self.saw(headers)).await
    }

    fn saw(&self, headers: &HeaderMap) {
        if let Some(date_ms) = answer::meta(headers, 0).date_ms {
            self.stripe_clock.saw(date_ms);
        }
    }
}
