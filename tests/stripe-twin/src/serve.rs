//! The twin on a socket: accepts, reads, waits as long as Stripe would, and ends connections as the faults say.
//! Decides nothing: every answer is [`Twin`]'s. Invariant: a request that was begun is carried to its end even when
//! its client has gone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::account::AccountSpec;
use crate::clock::Clock;
use crate::deliver::deliver;
use crate::faults::FaultPlan;
use crate::ids;
use crate::live::LifePlan;
use crate::mail::deliver_mail;
use crate::twin::{Twin, WebhookTarget, Wire};
use crate::wire::{Connection, TwinBody};
use crate::world::Rules;

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 4096;
/// The largest body taken: a list of 100,000 accounts fits.
const BODY_BYTES_MAX: usize = 128 << 20;
/// Events of a scripted life that happen between two requests at most: nobody waits long for an answer.
const LIFE_AT_ONCE_MAX: usize = 50;
/// How long open connections may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A twin to be served.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What holds for it.
    pub rules: Rules,
    /// Its accounts at the start.
    pub accounts: Vec<AccountSpec>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// Where events go.
    pub webhook: Option<WebhookTarget>,
    /// The usual time to an answer, before the speed divides it.
    pub latency_ms: u64,
    /// A file with the milliseconds to add to the Date.
    pub clock_offset_file: Option<PathBuf>,
    /// Whether to check everything against the OpenAPI copy.
    pub check_openapi: bool,
    /// A scripted life to play from the start.
    pub life: Option<LifePlan>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            rules: Rules::default(),
            accounts: Vec::new(),
            faults: FaultPlan::default(),
            webhook: None,
            latency_ms: 0,
            clock_offset_file: None,
            check_openapi: false,
            life: None,
        }
    }
}

/// A twin that is being served.
#[derive(Debug)]
pub struct Handle {
    /// The bound address.
    pub addr: SocketAddr,
    /// The twin itself.
    pub twin: Arc<Twin>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Handle {
    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops accepting, lets open requests end for up to two seconds, and returns when all is down.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// Starts a twin in this runtime; it listens when this returns.
///
/// # Errors
/// When the address can't be bound or an account is bad.
pub async fn serve(config: Config) -> anyhow::Result<Handle> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("binding {}", config.listen))?;
    let addr = listener.local_addr()?;
    let speed_milli = config.rules.speed_milli.max(1);
    let seed = config.rules.seed;
    let twin = Arc::new(Twin::new(config.rules, config.faults, Clock::system(config.clock_offset_file)));
    twin.add_accounts(config.accounts).map_err(anyhow::Error::msg)?;
    twin.set_webhook(config.webhook);
    twin.check_openapi(config.check_openapi);
    twin.live_at_once(LIFE_AT_ONCE_MAX);
    if let Some(plan) = config.life {
        twin.take_life(plan).map_err(anyhow::Error::msg)?;
    }
    let (stop, stopped) = watch::channel(false);
    let shell = Arc::new(Shell {
        twin: Arc::clone(&twin),
        latency_us: config.latency_ms.saturating_mul(1_000_000) / speed_milli,
        seed,
        asked: AtomicU64::new(0),
        stirred: Notify::new(),
        stirred_mail: Notify::new(),
    });
    let (mail, mail_stopped) = (Arc::clone(&shell), stopped.clone());
    let tasks = vec![
        tokio::spawn(accept(listener, Arc::clone(&shell), stopped.clone())),
        tokio::spawn(async move { deliver_mail(&mail.twin, &mail.stirred_mail, mail_stopped).await }),
        tokio::spawn(async move { deliver(&shell.twin, &shell.stirred, stopped).await }),
    ];
    Ok(Handle { addr, twin, stop, tasks })
}

#[derive(Debug)]
struct Shell {
    twin: Arc<Twin>,
    latency_us: u64,
    seed: u64,
    asked: AtomicU64,
    /// Told after every request: there may be something new to deliver.
    stirred: Notify,
    stirred_mail: Notify,
}

impl Shell {
    fn stir(&self) {
        self.stirred.notify_one();
        self.stirred_mail.notify_one();
    }
}

async fn accept(listener: TcpListener, shell: Arc<Shell>, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of descriptors, most likely: wait for some connection to end.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        connections.spawn(converse(stream, Arc::clone(&shell), stopped.clone(), permit));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_PATIENCE, all).await;
}

async fn converse(
    stream: TcpStream,
    shell: Arc<Shell>,
    mut stopped: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Connection::new(stream, Arc::clone(&reset)));
    let service = service_fn(move |request| answer(Arc::clone(&shell), request, Arc::clone(&reset)));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(STOP_PATIENCE, connection).await;
        }
    }
}

/// An error ends the connection without a byte.
async fn answer(
    shell: Arc<Shell>,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> Result<Response<TwinBody>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(std::io::Error::other("the body broke off or is too long")),
    };
    let request = Request::from_parts(head, body);
    // In a task of its own: when the client goes, hyper drops this future, but Stripe would carry on.
    let carried = tokio::spawn(async move { carry(&shell, &request).await });
    match carried.await {
        Ok(Wire::Answer(response)) => Ok(response.map(TwinBody::whole)),
        Ok(Wire::Cut(response)) => Ok(response.map(|body| TwinBody::cut(&body))),
        Ok(Wire::Reset) => {
            reset.store(true, Ordering::SeqCst);
            Err(std::io::Error::other("reset on purpose"))
        }
        Ok(Wire::Close | Wire::Late(_)) => Err(std::io::Error::other("dropped on purpose")),
        Err(failed) => Err(std::io::Error::other(failed)),
    }
}

async fn carry(shell: &Shell, request: &Request<Bytes>) -> Wire {
    let (outcome, ticket) = shell.twin.begin(request);
    shell.stir();
    if outcome.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(outcome.delay_ms)).await;
    }
    let wire = match outcome.wire {
        Wire::Late(late) => {
            let left_ms = late.at_wall_ms - shell.twin.now().wall_ms;
            tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or_default() + 1)).await;
            let answer = shell.twin.collect(&late);
            shell.stir();
            answer.map_or(Wire::Late(late), Wire::Answer)
        }
        wire => wire,
    };
    if request.uri().path().starts_with("/v1") && !matches!(wire, Wire::Reset) {
        let roll = ids::mix(shell.seed, shell.asked.fetch_add(1, Ordering::Relaxed));
        let wait_us = shell.latency_us / 1000 * (600 + roll % 401);
        if wait_us > 0 {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
        }
    }
    shell.twin.finish(ticket);
    wire
}
