//! Connections to Stripe, one request at a time on each, and what is known when one fails.
//!
//! Who comes in: the live client. Whom it may call: the clock, the gate.
//! Invariant: a request is written at most once. It goes on to another connection only when the first gave it back unwritten,
//! and the gate agrees.
use super::gate::{Gate, Gated};
use crate::clock::{BootMs, Clock};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::task::AbortHandle;
use tower::ServiceExt as _;

/// An idle connection older than this (milliseconds) isn't used again: the longer it lay, the likelier the other side is closing it just
/// as we write, and then the outcome would be unknown.
const IDLE_MAX_MS: i64 = 20_000;

/// What one exchange may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// From here on nothing begins.
    pub(super) send_before: BootMs,
    /// To open a connection (milliseconds).
    pub(super) connect_ms: i64,
    /// From the request to the end of its answer (milliseconds).
    pub(super) answer_ms: i64,
    /// The largest body taken (bytes).
    pub(super) body_bytes: usize,
}

/// An answer as it arrived.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, or why it isn't whole.
    pub(super) body: Result<Bytes, String>,
}

/// No answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not one byte was written, and none will be.
    NeverLeft(String),
    /// Something may have been written.
    Lost(String),
}

/// The connections to one host.
pub(super) struct Connections {
    clock: Clock,
    host: Uri,
    connector: HttpsConnector<HttpConnector>,
    idle_max: usize,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    gate: Gate,
    driver: AbortHandle,
    used: BootMs,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gate.shut();
        self.driver.abort();
    }
}

impl Connections {
    /// To `host` (scheme and authority), keeping at most `idle_max` open while nothing is asked.
    pub(super) fn new(host: Uri, idle_max: usize, clock: Clock) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Whether plain http is allowed for this host was decided when the address was checked.
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
        Self { clock, host, connector, idle_max, idle: Mutex::new(Vec::new()) }
    }

    /// Sends one request once, and reads its answer. `on_headers` sees the headers the moment they are in.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        terms: Terms,
        on_headers: impl Fn(&HeaderMap),
    ) -> Result<Answer, Failure> {
        loop {
            let (mut connection, reused) = self.connection(terms).await?;
            connection.gate.open(terms.send_before);
            let deadline = self.clock.boot().plus_ms(terms.answer_ms);
            let outcome = self.clock.until(deadline, connection.sender.try_send_request(request)).await;
            match outcome {
                Ok(Ok(response)) => {
                    on_headers(response.headers());
                    return Ok(self.read(connection, response, deadline, terms.body_bytes).await);
                }
                Ok(Err(mut failed)) => {
                    let why = causes(failed.error());
                    if connection.gate.shut() {
                        return Err(Failure::Lost(why));
                    }
                    match failed.take_message() {
                        // The other side had closed it while it lay idle.
                        Some(unwritten) if reused => request = unwritten,
                        Some(_) | None => return Err(Failure::NeverLeft(why)),
                    }
                }
                Err(_) => {
                    let why = format!("no answer within {} ms", terms.answer_ms);
                    return Err(if connection.gate.shut() { Failure::Lost(why) } else { Failure::NeverLeft(why) });
                }
            }
        }
    }

    /// An idle connection that is ready, or a new one.
    async fn connection(&self, terms: Terms) -> Result<(Connection, bool), Failure> {
        let deadline = self.clock.boot().plus_ms(terms.connect_ms).min(terms.send_before);
        while let Some(mut connection) = self.take_idle() {
            // One that the other side has closed makes room for the next.
            if let Ok(Ok(())) = self.clock.until(deadline, connection.sender.ready()).await {
                return Ok((connection, true));
            }
        }
        match self.clock.until(deadline, self.open()).await {
            Ok(Ok(connection)) => Ok((connection, false)),
            Ok(Err(why)) => Err(Failure::NeverLeft(format!("no connection to {}: {why}", self.host))),
            Err(_) => Err(Failure::NeverLeft(format!("no connection to {} in time", self.host))),
        }
    }

    async fn open(&self) -> Result<Connection, String> {
        let stream = self.connector.clone().oneshot(self.host.clone()).await.map_err(|error| causes(&*error))?;
        let gate = Gate::new(self.clock.clone());
        let gated = Gated { io: stream, gate: gate.clone() };
        let (sender, driver) = handshake(gated).await.map_err(|error| causes(&error))?;
        // An error of the connection reaches the request that is on it; without one nobody needs it.
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        Ok(Connection { sender, gate, driver, used: self.clock.boot() })
    }

    async fn read(&self, of: Connection, response: Response<Incoming>, deadline: BootMs, body_bytes: usize) -> Answer {
        let (head, body) = response.into_parts();
        let body = match self.clock.until(deadline, Limited::new(body, body_bytes).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(causes(&*error)),
            Err(_) => Err("it did not end in time".to_owned()),
        };
        if body.is_ok() {
            self.keep(of);
        }
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Takes the connection used last: the others get old and are let go.
    fn take_idle(&self) -> Option<Connection> {
        let now = self.clock.boot();
        let mut idle = self.idle();
        idle.retain(|connection| now.ms_since(connection.used) < IDLE_MAX_MS && !connection.sender.is_closed());
        idle.pop()
    }

    fn keep(&self, mut connection: Connection) {
        connection.gate.shut();
        connection.used = self.clock.boot();
        let mut idle = self.idle();
        if idle.len() < self.idle_max && !connection.sender.is_closed() {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with all its causes: "connection error: Connection reset by peer (os error 104)".
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// A connection that looks ready, and whose other side has gone without its driver having noticed.
    async fn stale(clock: &Clock) -> Connection {
        let (ours, theirs) = tokio::io::duplex(1_024);
        let gate = Gate::new(clock.clone());
        let gated = Gated { io: TokioIo::new(ours), gate: gate.clone() };
        let (mut sender, driver) = handshake(gated).await.unwrap();
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        sender.ready().await.unwrap();
        drop(theirs);
        Connection { sender, gate, driver, used: clock.boot() }
    }

    #[tokio::test]
    async fn a_request_given_back_unwritten_goes_out_on_a_new_connection_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (clock, _hand) = Clock::manual(0);
        let connections = Connections::new(host, 4, clock.clone());
        let request =
            Request::post("/v1/payouts").header("host", "h").body(Full::new(Bytes::from("amount=1"))).unwrap();
        let terms = |ms| Terms { send_before: clock.boot().plus_ms(ms), connect_ms: 1, answer_ms: 1, body_bytes: 10 };
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"amount=1") {
                stream.read_buf(&mut heard).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            stream
        });
        let stale = stale(&clock).await;
        assert!(!stale.sender.is_closed(), "nobody has noticed");
        connections.idle().push(stale);
        let answer = connections.exchange(request, terms(10), |_| {}).await;
        assert_eq!(answer.unwrap().body.unwrap(), "{}");
        drop(server.await.unwrap());
    }
}
