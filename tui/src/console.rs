//! The console's loop: keys, frames, signals and the clock go into `update`, what comes out goes to the link or the terminal.
//!
//! Invariant: nothing is awaited here but the next event; a request never holds up a key.
#![allow(clippy::disallowed_methods, reason = "the pace of drawing on this terminal, nothing that is told")]
use crate::{
    app::{App, Failure, FailureKind, Msg, Now, Reply, Request, update},
    link::{
        ask,
        dial::{Asking, Way},
        watch,
    },
    term,
    view::{self, Theme},
};
use crossterm::event::EventStream;
use futures::StreamExt;
use std::{io, mem::ManuallyDrop, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
    time::Instant,
};

/// At most so many frames a second; keys are drawn at once.
const DRAW_EVERY: Duration = Duration::from_millis(33);
/// Messages from the link that wait for the loop.
const MESSAGES_MAX: usize = 256;
/// Requests that wait for the link.
const REQUESTS_MAX: usize = 32;

/// How the console is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    pub way: Way,
    /// What to type for the same way in a shell.
    pub command: String,
    pub read_only: bool,
}

/// How it ended: the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Quit,
    /// SIGTERM or SIGINT.
    Told(u8),
    /// The terminal went away.
    TerminalGone,
}

/// Why it never began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// The daemon's machine can't be reached.
    Unreachable(String),
    /// There is nothing to draw on.
    NoTerminal(String),
}

/// Both clocks of this machine.
#[must_use]
pub fn now() -> Now {
    use nix::time::{ClockId, clock_gettime};
    // A laptop that slept must see that its data is old: this clock goes on while it sleeps.
    #[cfg(target_os = "linux")]
    let clock = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    let ms = |id| clock_gettime(id).map_or(0, |at| at.tv_sec() * 1000 + at.tv_nsec() / 1_000_000);
    Now { unix_ms: ms(ClockId::CLOCK_REALTIME), mono_ms: ms(clock) }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    go_on: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            go_on: signal(SignalKind::from_raw(nix::libc::SIGCONT))?,
        })
    }
}

/// Runs the console until it ends.
///
/// # Errors
/// Over ssh: no connection could be made before the screen was taken. Else: there is no terminal.
pub async fn run(options: Options) -> Result<Ended, NotBegun> {
    // ssh may ask for a passphrase: before the screen is ours, and only then.
    let first = match options.way.is_remote() {
        true => Some(options.way.connect(Asking::Allowed).await.map_err(NotBegun::Unreachable)?),
        false => None,
    };
    let mut signals =
        Signals::new().map_err(|error| NotBegun::NoTerminal(format!("signals can't be watched: {error}")))?;
    // Never dropped: its own clean-up prints an error, and a terminal that has gone would make a panic of that.
    let mut screen = ManuallyDrop::new(
        term::take().map_err(|error| NotBegun::NoTerminal(format!("no terminal to draw on: {error}")))?,
    );
    let ended = drive(&options, first, &mut screen, &mut signals).await;
    term::give_back();
    Ok(ended.unwrap_or(Ended::TerminalGone))
}

struct Loop<'a> {
    app: App,
    theme: Theme,
    screen: &'a mut term::Screen,
    requests: mpsc::Sender<Request>,
    next_draw: Instant,
}

async fn drive(
    options: &Options,
    first: Option<tonic::transport::Channel>,
    screen: &mut term::Screen,
    signals: &mut Signals,
) -> io::Result<Ended> {
    let (out, mut messages) = mpsc::channel(MESSAGES_MAX);
    let (requests, asked) = mpsc::channel(REQUESTS_MAX);
    let size = screen.size()?;
    let mut app = App::new(now(), (size.width, size.height), &options.way.to_string(), options.read_only);
    app.command.clone_from(&options.command);
    let theme = Theme { colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    let mut console = Loop { app, theme, screen, requests, next_draw: Instant::now() };
    console.draw()?;
    let (current, channel) = tokio::sync::watch::channel(None);
    tokio::spawn(ask::serve(options.way.clone(), channel, asked, out.clone()));
    tokio::spawn(watch::stream(options.way.clone(), first, current, out));
    let mut gone: oneshot::Receiver<()> = term::gone();
    let mut events = EventStream::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut gone => return Ok(Ended::TerminalGone),
            _ = signals.hang_up.recv() => return Ok(Ended::TerminalGone),
            _ = signals.terminate.recv() => return Ok(Ended::Told(143)),
            _ = signals.interrupt.recv() => return Ok(Ended::Told(130)),
            _ = signals.go_on.recv() => { term::resume(console.screen)?; console.app.dirty = true; console.draw()?; }
            event = events.next() => match event {
                None | Some(Err(_)) => return Ok(Ended::TerminalGone),
                Some(Ok(event)) => {
                    if let Some(msg) = term::translate(event)
                        && let Some(ended) = console.feed(msg)?
                    {
                        return Ok(ended);
                    }
                    console.draw()?;
                }
            },
            msg = messages.recv() => {
                let Some(msg) = msg else { return Ok(Ended::Quit) };
                console.feed(msg)?;
                for _ in 0..MESSAGES_MAX {
                    let Ok(msg) = messages.try_recv() else { break };
                    console.feed(msg)?;
                }
            }
            () = tokio::time::sleep_until(console.next_wake()) => { console.tick()?; }
        }
        if console.app.dirty && Instant::now() >= console.next_draw {
            console.draw()?;
        }
    }
}

impl Loop<'_> {
    /// When there is something to do without an event: a frame that waits, or the next second of the clock.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        if self.app.dirty {
            return self.next_draw.max(now);
        }
        let clocks = self::now();
        let to_second = 1000 - clocks.unix_ms.rem_euclid(1000);
        let wait = self.app.stale_in_ms(clocks).map_or(to_second, |stale| stale.min(to_second));
        now + Duration::from_millis(u64::try_from(wait).unwrap_or(1000))
    }

    fn tick(&mut self) -> io::Result<Option<Ended>> {
        let requests = update(&mut self.app, Msg::Tick(now()));
        self.carry_out(requests)
    }

    fn feed(&mut self, msg: Msg) -> io::Result<Option<Ended>> {
        if let Some(ended) = self.tick()? {
            return Ok(Some(ended));
        }
        let requests = update(&mut self.app, msg);
        self.carry_out(requests)
    }

    fn carry_out(&mut self, requests: Vec<Request>) -> io::Result<Option<Ended>> {
        for request in requests {
            match request {
                Request::Quit => return Ok(Some(Ended::Quit)),
                Request::Suspend => {
                    term::suspend(self.screen)?;
                    self.app.dirty = true;
                }
                Request::Redraw => {
                    term::redraw(self.screen)?;
                    self.app.dirty = true;
                }
                Request::Pause { ticket, .. }
                | Request::Resume { ticket, .. }
                | Request::ListPayouts { ticket, .. }
                | Request::ShowPayout { ticket, .. }
                | Request::PreviewRollback { ticket, .. }
                | Request::ConfirmRollback { ticket, .. } => {
                    if self.requests.try_send(request).is_err() {
                        let message = "this console has too many requests on their way".to_owned();
                        let reply = Reply::Failed(Failure { kind: FailureKind::NotSent, message });
                        update(&mut self.app, Msg::Reply { ticket, reply });
                    }
                }
            }
        }
        Ok(None)
    }

    fn draw(&mut self) -> io::Result<()> {
        let (app, theme) = (&self.app, self.theme);
        self.screen.draw(|frame| view::draw(app, frame, theme))?;
        self.app.dirty = false;
        self.next_draw = Instant::now() + DRAW_EVERY;
        Ok(())
    }
}
