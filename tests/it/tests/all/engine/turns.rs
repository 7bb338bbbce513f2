//! Who is at work between the engine and Stripe. A test waits here until nobody is; and where it asks for that, everything is done one by
//! one in the order it was asked for, so that what happens doesn't hang on which thread of a database answers first.
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};
use tokio::sync::{Notify, oneshot};

/// Turns of the scheduler in which each task that can go on gets as far as its next wait.
const YIELDS: usize = 6;

#[derive(Default)]
pub(super) struct Turns {
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Default)]
struct Line {
    one_by_one: bool,
    waiting: VecDeque<oneshot::Sender<()>>,
    working: i64,
    finished: u64,
}

impl Turns {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap()
    }

    /// From now on nobody begins before [`Turns::quiet`] says so, one at a time.
    pub(super) fn one_by_one(&self) {
        self.line().one_by_one = true;
    }

    /// Waits until each task has ended or waits for the test; gives how many ended so far.
    pub(super) async fn quiet(&self) -> u64 {
        loop {
            let changed = self.changed.notified();
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
            let next = {
                let mut line = self.line();
                let next = if line.working == 0 { line.waiting.pop_front() } else { None };
                line.working += i64::from(next.is_some());
                if line.working == 0 {
                    return line.finished;
                }
                next
            };
            match next {
                Some(next) => {
                    if next.send(()).is_err() {
                        self.count(-1, 0);
                    }
                }
                None => changed.await,
            }
        }
    }

    async fn turn(&self) {
        let turn = {
            let mut line = self.line();
            if line.one_by_one {
                let (go, turn) = oneshot::channel();
                line.waiting.push_back(go);
                turn
            } else {
                line.working += 1;
                drop(line);
                self.changed.notify_waiters();
                return;
            }
        };
        self.changed.notify_waiters();
        turn.await.unwrap();
    }

    fn count(&self, working: i64, finished: u64) {
        {
            let mut line = self.line();
            line.working += working;
            line.finished += finished;
        }
        self.changed.notify_waiters();
    }
}

/// Work under way: while it waits for the test it doesn't count.
pub(super) struct Work<'a>(&'a Turns);

impl<'a> Work<'a> {
    pub(super) async fn begin(turns: &'a Turns) -> Self {
        turns.turn().await;
        Self(turns)
    }

    /// What the test itself asks for: it waits for nobody.
    pub(super) fn of_the_test(turns: &'a Turns) -> Self {
        turns.count(1, 0);
        Self(turns)
    }

    pub(super) async fn park<T>(&self, wait: impl Future<Output = T>) -> T {
        self.0.count(-1, 0);
        let done = wait.await;
        self.0.turn().await;
        done
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.count(-1, 1);
    }
}
