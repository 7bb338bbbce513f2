//! The webhook door: Stripe's events over HTTP. Verify on the raw bytes, store, 200, wake; the engine understands them later.
//!
//! Who comes in: Stripe, through a proxy; and whoever finds the port. Invariants: nothing unsigned is stored, and without a secret
//! nothing is believed; 200 is said only after the commit, so that Stripe sends again what we couldn't store.
use super::seats::Seats;
use crate::{
    clock::Clock,
    store::{Store, StoreError, door_types::InboxEvent},
    stripe::{
        event::{self, Event},
        signature::{self, SignatureError},
    },
    wake::{Changed, Wake},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use secrecy::SecretString;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the door needs.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Where events are stored.
    pub store: Store,
    /// Signatures are judged by it.
    pub clock: Clock,
    /// Told that an event is stored.
    pub wake: Wake,
    /// Told likewise.
    pub changed: Changed,
    /// The endpoints' secrets; none = nothing is believed.
    pub secrets: Arc<[SecretString]>,
    /// The largest body taken (bytes).
    pub body_bytes_max: usize,
}

/// Connections at once: a proxy's, and whoever finds the port. Far below the file descriptors that a process has.
const CONNECTIONS_MAX: usize = 256;

type Answer = (StatusCode, &'static str);

/// The routes.
pub fn router(door: Webhooks) -> Router {
    let limit = DefaultBodyLimit::max(door.body_bytes_max);
    Router::new()
        .route("/webhooks/stripe", post(take).layer(limit))
        .route("/healthz", get(async || "ok\n"))
        .with_state(door)
}

/// Serves until `stop`; requests at work are finished.
///
/// # Errors
/// The listener broke.
pub async fn serve(door: Webhooks, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    axum::serve(Seats::new(listener, CONNECTIONS_MAX), router(door))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}

async fn take(State(door): State<Webhooks>, headers: HeaderMap, body: Bytes) -> Answer {
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    match signature::verify(header, &body, &door.secrets, door.clock.now_ms()) {
        Ok(_) => {}
        Err(SignatureError::NoSecret) => {
            tracing::error!("a webhook was refused: no STRIPE_WEBHOOK_SECRET is configured");
            return (StatusCode::SERVICE_UNAVAILABLE, "no webhook secret is configured\n");
        }
        Err(error) => {
            tracing::warn!(%error, bytes = body.len(), "a webhook was refused: it is not proven to be Stripe's");
            return (StatusCode::BAD_REQUEST, "the signature is missing, wrong or too old\n");
        }
    }
    match event::parse(&body) {
        Ok(event) => store(&door, event, &body).await,
        Err(error) => {
            tracing::warn!(%error, "a signed webhook cannot be read");
            (StatusCode::BAD_REQUEST, "not an event\n")
        }
    }
}

async fn store(door: &Webhooks, event: Event, body: &[u8]) -> Answer {
    let (id, kind) = (event.id.clone(), event.kind.clone());
    // An endpoint of live mode also receives test events: recorded like any other, and set aside by the engine.
    if event.mode != Some(door.store.mode()) {
        let mode = event.mode.map_or("no", payout_shared::id::Mode::as_str);
        tracing::warn!(
            event = id,
            kind,
            mode,
            "a webhook of the other mode: it is recorded, and nothing follows from it"
        );
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return (StatusCode::BAD_REQUEST, "not UTF-8\n");
    };
    match door.store.put_event(&inbox_event(event, text.to_owned())).await {
        Ok(true) => {
            door.wake.wake();
            door.changed.tell();
            tracing::debug!(event = id, kind, "stored");
            (StatusCode::OK, "stored\n")
        }
        Ok(false) => (StatusCode::OK, "known\n"),
        Err(error @ StoreError::Refused(_)) => {
            tracing::error!(event = id, kind, %error, "a webhook can never be stored");
            (StatusCode::BAD_REQUEST, "it cannot be stored\n")
        }
        Err(error) => {
            tracing::error!(event = id, kind, %error, "a webhook was not stored: Stripe will send it again");
            (StatusCode::SERVICE_UNAVAILABLE, "not stored: send it again\n")
        }
    }
}

fn inbox_event(event: Event, body: String) -> InboxEvent {
    InboxEvent {
        object_id: event.object_id(),
        event_id: event.id,
        event_type: event.kind,
        account: event.account,
        livemode: event.mode.is_some_and(payout_shared::id::Mode::is_live),
        created_s: event.created_s.unwrap_or_default(),
        body,
    }
}
