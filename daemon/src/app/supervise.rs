//! The daemon's tasks: one that ends before it was told to, or panics, takes the whole process down. Nothing limps on.
use super::Failure;
use std::{future::Future, panic, process, sync::mpsc, thread, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// What a panicking process exits with: do restart.
const EXIT_PANIC: i32 = 75;
/// The log has so long to take the news of a panic.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Named tasks that are all to live until `stop`.
#[derive(Debug)]
pub(super) struct Tasks {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: CancellationToken,
}

impl Tasks {
    /// None yet.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), stop }
    }

    /// One more.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, work.await) });
    }

    /// Waits until the process is told to stop (`Ok`), or a task ended by itself.
    pub(super) async fn watch(&mut self) -> Result<(), Failure> {
        let broken = |error: std::io::Error| Failure::Passing(format!("signals cannot be watched: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            ended = self.tasks.join_next() => Err(Self::failure(ended)),
        }
    }

    /// Tells all to stop and waits for them, at most so long.
    pub(super) async fn stop(mut self, at_most: Duration) -> Result<(), Failure> {
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if !matches!(ended, Ok((_, Ok(())))) {
                    return Err(Self::failure(Some(ended)));
                }
            }
            Ok(())
        };
        match tokio::time::timeout(at_most, all).await {
            Ok(done) => done,
            Err(_) => {
                let left = self.tasks.len();
                self.tasks.abort_all();
                Err(Failure::Passing(format!("{left} tasks did not stop within {} s: given up", at_most.as_secs())))
            }
        }
    }

    fn failure(ended: Option<Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>>) -> Failure {
        Failure::Passing(match ended {
            Some(Ok((name, Ok(())))) => format!("{name} ended although nobody stopped it"),
            Some(Ok((name, Err(error)))) => format!("{name} failed: {error:#}"),
            Some(Err(error)) => format!("a task was lost: {error}"),
            None => "no task is left".to_owned(),
        })
    }
}

/// From now on a panic anywhere ends the process at once: a broken invariant is no state to pay people in. What was on the wire is found
/// again by the next start, as after any crash.
pub(super) fn panics_are_fatal() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        default(panic);
        // In a thread of its own: a panic inside logging must not hang in logging.
        let (told, heard) = mpsc::channel();
        let text = panic.to_string();
        let teller = thread::Builder::new().spawn(move || {
            tracing::error!("{text}; the daemon ends");
            let _ = told.send(());
        });
        if teller.is_ok() {
            let _ = heard.recv_timeout(LAST_WORDS);
        }
        process::exit(EXIT_PANIC);
    }));
}
