//! A control server on a real Unix socket that says what a test tells it to.
mod control;

use payout_proto::v1::{self, control_server::ControlServer};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Response, Status, transport::Server};

/// A watch stream that a client opened: what it asked for, and where to put frames.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) request: v1::WatchRequest,
    pub(crate) frames: mpsc::Sender<Result<v1::WatchFrame, Status>>,
}

/// What the server says and has heard.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) parts: v1::Live,
    pub(crate) rows: Vec<v1::PayoutRow>,
    pub(crate) shown: v1::ShowPayoutReply,
    pub(crate) pause: Option<Status>,
    pub(crate) paused: Vec<v1::PauseRequest>,
    pub(crate) resumed: Vec<v1::ResumeRequest>,
    pub(crate) rolled_back: Vec<v1::ConfirmRollbackRequest>,
    pub(crate) imported: Option<Vec<u8>>,
    pub(crate) books: v1::CheckBooksReply,
    pub(crate) schedule: Option<Status>,
    /// Creators: lines of the list, one whole, what holds and releases say and have heard.
    pub(crate) creators: Vec<v1::DryRunLine>,
    pub(crate) creator: v1::ShowCreatorReply,
    pub(crate) hold: Option<Status>,
    pub(crate) held: Vec<v1::HoldRequest>,
    pub(crate) released: Vec<v1::ReleaseRequest>,
    /// Cohorts: one, how it went, and the requests that change something as they came, in words.
    pub(crate) cohort: v1::JudgedPart,
    pub(crate) cohort_refusal: Option<Status>,
    pub(crate) rollout: Vec<String>,
    /// What waits for two people; what was decided or asked, in words.
    pub(crate) requests: Vec<v1::RequestPart>,
    pub(crate) decided: Vec<String>,
    /// Calls hang for ever.
    pub(crate) hangs: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) script: Arc<Mutex<Script>>,
    watchers: mpsc::Sender<Watcher>,
}

/// A running server; dropping it cuts every connection.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) watchers: mpsc::Receiver<Watcher>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Fake {
    pub(crate) fn start(socket: &Path, parts: v1::Live) -> Self {
        let (tell, watchers) = mpsc::channel(16);
        let script = Arc::new(Mutex::new(Script { parts, ..Script::default() }));
        let handle = Handle { script: Arc::clone(&script), watchers: tell };
        let _ = std::fs::remove_file(socket);
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let served = Server::builder().add_service(ControlServer::new(handle)).serve_with_incoming(incoming);
            tokio::select! { _ = served => {}, _ = stopped => {} }
        });
        Self { script, watchers, stop: Some(stop), task }
    }

    /// Stops, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        while let Ok(watcher) = self.watchers.try_recv() {
            let _ = watcher.frames.send(Err(Status::unavailable("gone"))).await;
        }
        let _ = self.task.await;
    }
}

/// A socket in a directory of its own.
pub(crate) fn socket() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    (dir, path)
}

impl Handle {
    /// Notes what was asked to be changed, unless it is refused; the cohort as it is.
    fn change(&self, asked: String) -> Result<Option<v1::CohortPart>, Status> {
        let mut script = self.script.lock().unwrap();
        script.rollout.push(asked);
        match script.cohort_refusal.clone() {
            Some(status) => Err(status),
            None => Ok(script.cohort.cohort.clone()),
        }
    }

    fn decide(&self, state: &str, asked: String) -> Result<Response<v1::DecideReply>, Status> {
        let mut script = self.script.lock().unwrap();
        script.decided.push(asked);
        let first = script.requests.first().cloned();
        let part = first.ok_or_else(|| Status::failed_precondition("you have approved it already"))?;
        Ok(Response::new(v1::DecideReply {
            request: Some(v1::RequestPart { state: state.to_owned(), ..part }),
            seq: 31,
        }))
    }

    async fn ready(&self) {
        if self.script.lock().unwrap().hangs {
            std::future::pending::<()>().await;
        }
    }
}
