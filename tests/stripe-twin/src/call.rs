//! A request as the endpoints see it, and an answer as they give it; the translation from and to HTTP.
//! Invariant: everything an endpoint depends on is in [`Call`]; everything a client may see is in [`Answer`].

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::clock::Now;
use crate::form::Form;
use crate::limits::Limited;
use crate::routes::Endpoint;

/// The decoded request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Form,
    pub(crate) form: Form,
    pub(crate) api_key: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) version: Option<String>,
}

impl Call {
    pub(crate) fn read(request: &Request<Bytes>) -> Self {
        let headers = request.headers();
        let text = |name: &str| header_text(headers, name);
        let api_key = text(AUTHORIZATION.as_str()).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
        });
        let is_post = request.method() == Method::POST;
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: Form::decode(request.uri().query().unwrap_or_default().as_bytes()),
            form: if is_post { Form::decode(request.body()) } else { Form::default() },
            api_key: api_key.filter(|key| !key.is_empty()),
            account: text("stripe-account").filter(|account| !account.is_empty()),
            key: text("idempotency-key").filter(|key| is_post && !key.is_empty()),
            version: text("stripe-version"),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::of(&self.method, &self.path)
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What an endpoint answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
    /// `Stripe-Should-Retry`; absent when Stripe doesn't know either.
    pub(crate) should_retry: Option<bool>,
    pub(crate) limited: Option<Limited>,
    /// The request that executed, for answers kept under a key.
    pub(crate) original: Option<String>,
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn to_http(&self, call: &Call, now: Now) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(DATE.as_str(), &http_date(now.date_s()));
        put("request-id", &self.request_id);
        put("stripe-version", call.version.as_deref().unwrap_or(crate::API_VERSION));
        if let Some(account) = &call.account {
            put("stripe-account", account);
        }
        if let Some(key) = &call.key {
            put("idempotency-key", key);
        }
        if let Some(original) = &self.original {
            put("original-request", original);
        }
        if self.replayed {
            put("idempotent-replayed", "true");
        }
        if let Some(should_retry) = self.should_retry {
            put("stripe-should-retry", if should_retry { "true" } else { "false" });
        }
        if let Some(limited) = self.limited {
            put("stripe-rate-limited-reason", limited.word());
        }
        if self.status == 401 {
            put(WWW_AUTHENTICATE.as_str(), "Bearer realm=\"Stripe\"");
        }
        response
    }
}

/// A second in the form of an HTTP date.
#[must_use]
pub(crate) fn http_date(at_s: i64) -> String {
    let at = jiff::Timestamp::from_second(at_s).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
