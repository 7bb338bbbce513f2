//! The daemon's tasks: one that ends before it was told to, or panics, takes the whole process down. Nothing limps on.
use super::Failure;
use std::{future::Future, panic, process, sync::mpsc, thread, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// What a panicking process exits with: do restart.
const EXIT_PANIC: i32 = 75;
/// Requests at work when the daemon stops have so long to end.
const DOOR_PATIENCE: Duration = Duration::from_secs(3);
/// A stop that takes longer says what it waits for, again and again.
const QUIET_PATIENCE: Duration = Duration::from_secs(5);
/// The log has so long to take the news of a panic.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Named tasks that are all to live until `stop`.
#[derive(Debug)]
pub(super) struct Tasks {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    names: Vec<&'static str>,
    stop: CancellationToken,
    terminate: Signal,
    interrupt: Signal,
}

impl Tasks {
    /// None yet. From now on a signal to stop is heard, and waits until somebody looks.
    pub(super) fn new(stop: CancellationToken) -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Passing(format!("signals cannot be watched: {error}")));
        let (terminate, interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        Ok(Self { tasks: JoinSet::new(), names: Vec::new(), stop, terminate, interrupt })
    }

    /// One more.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.names.push(name);
        self.tasks.spawn(async move { (name, work.await) });
    }

    /// One more, that serves others: once told to stop it has [`DOOR_PATIENCE`] to finish, since a peer that never ends what it began must
    /// not hold up the stop.
    pub(super) fn spawn_door(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            let late = async {
                stop.cancelled().await;
                tokio::time::sleep(DOOR_PATIENCE).await;
            };
            tokio::select! {
                done = work => done,
                () = late => {
                    tracing::warn!("{name} had requests that did not end: they are cut off");
                    Ok(())
                }
            }
        });
    }

    /// Waits until the process is told to stop (`Ok`), or a task ended by itself.
    pub(super) async fn watch(&mut self) -> Result<(), Failure> {
        tokio::select! {
            _ = self.terminate.recv() => Ok(()),
            _ = self.interrupt.recv() => Ok(()),
            ended = self.tasks.join_next() => Err(Self::failure(ended)),
        }
    }

    /// Tells all to stop and waits for them, at most so long.
    pub(super) async fn stop(mut self, at_most: Duration) -> Result<(), Failure> {
        self.stop.cancel();
        let all = async {
            loop {
                let ended = match tokio::time::timeout(QUIET_PATIENCE, self.tasks.join_next()).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(ended)) => ended,
                    Err(_) => {
                        tracing::info!("still waiting for {}", self.names.join(", "));
                        continue;
                    }
                };
                let Ok((name, Ok(()))) = ended else { return Err(Self::failure(Some(ended))) };
                self.names.retain(|left| *left != name);
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: &str = "PAYOUTD_TEST_PANICS";

    #[test]
    fn a_panic_in_any_thread_ends_the_process_with_75() {
        if std::env::var_os(CHILD).is_some() {
            panics_are_fatal();
            let _ = thread::spawn(|| panic!("an invariant is broken")).join();
            process::exit(0);
        }
        let name = "app::supervise::tests::a_panic_in_any_thread_ends_the_process_with_75";
        let itself = std::env::current_exe().unwrap();
        let child =
            process::Command::new(itself).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert_eq!(child.status.code(), Some(EXIT_PANIC));
        assert!(String::from_utf8_lossy(&child.stderr).contains("an invariant is broken"));
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_a_failure_to_be_restarted() {
        let mut tasks = Tasks::new(CancellationToken::new()).unwrap();
        tasks.spawn("the engine", async { Ok(()) });
        let failure = tasks.watch().await.unwrap_err();
        assert_eq!((failure.code(), failure.to_string().as_str()), (75, "the engine ended although nobody stopped it"));
    }

    #[tokio::test]
    async fn tasks_that_end_when_told_to_end_well() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone()).unwrap();
        tasks.spawn("the watch stream", async move {
            stop.cancelled().await;
            Ok(())
        });
        assert!(tasks.stop(Duration::from_secs(60)).await.is_ok());
    }
}
