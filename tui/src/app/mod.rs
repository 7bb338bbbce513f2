//! The console's mind: what is known, what is on the screen, and what a message changes. No I/O, no terminal, no clock.
//!
//! Who comes in: the loop in `console`, with one [`Msg`] at a time. Whom it may call: the action table. What is to be done
//! outside comes back as [`Request`]s. Invariant: nothing acts on a row number, only on an id that was on the screen.
pub mod detail;
pub mod dialog;
pub mod filter;
pub mod form;
pub mod freshness;
pub mod input;
pub mod key;
pub mod keys;
pub mod live;
pub mod palette;
pub mod payouts;
pub mod rollback;
pub mod standing;

pub use freshness::{Now, STALE_MS};
use payout_proto::v1;
use {detail::Detail, dialog::Dialog, freshness::Freshness, input::Input, key::Key, live::Live, payouts::Payouts};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Msg {
    Tick(Now),
    Key(Key),
    Paste(String),
    Resize(u16, u16),
    /// A frame of the watch stream.
    Frame(Box<v1::WatchFrame>),
    /// The link was lost, or couldn't be made.
    Lost {
        why: String,
        retry_in_ms: i64,
    },
    /// An answer to a request, by its ticket.
    Reply {
        ticket: u64,
        reply: Reply,
    },
}

/// What the daemon answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Paused(v1::PauseReply),
    Resumed(v1::ResumeReply),
    Payouts(Box<v1::ListPayoutsReply>),
    Payout(Box<v1::ShowPayoutReply>),
    Preview(Box<rollback::Preview>),
    RolledBack(v1::ConfirmRollbackReply),
    Failed(Failure),
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// A sentence.
    pub message: String,
}

/// How a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The daemon said no.
    Refused,
    /// The daemon doesn't let us.
    NotPermitted,
    /// It never reached the daemon.
    NotSent,
    /// No answer: it may or may not have been received.
    NoAnswer,
}

/// Something is to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Pause { ticket: u64, run: String, reason: String },
    Resume { ticket: u64, run: String, reason: String },
    ListPayouts { ticket: u64, query: Box<v1::ListPayoutsRequest> },
    ShowPayout { ticket: u64, payout_id: String },
    PreviewRollback { ticket: u64, run: String },
    ConfirmRollback { ticket: u64, run: String, hash: String, reason: String },
    Quit,
    Suspend,
    Redraw,
}

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    #[default]
    Live,
    Payouts,
    Detail,
}

/// The link to the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Not yet reached.
    #[default]
    Connecting,
    /// Frames come.
    Up,
    Lost {
        since_mono_ms: i64,
        why: String,
        retry_at_mono_ms: i64,
    },
}

/// How a message to the operator is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Goes away by itself.
    Note,
    /// Stays until the next key.
    Warning,
    /// Stays until Esc.
    Trouble,
}

/// A message to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub weight: Weight,
    pub text: String,
    pub at_mono_ms: i64,
}

/// How long a note stays.
const NOTE_MS: i64 = 8_000;

/// Everything the console knows.
#[derive(Clone, Debug, Default)]
pub struct App {
    pub now: Now,
    pub size: (u16, u16),
    /// Where we are connected to, for messages.
    pub place: String,
    /// What to type in a shell for the same way: `payout`, with options when they are needed.
    pub command: String,
    pub read_only: bool,
    pub link: LinkState,
    pub fresh: Freshness,
    pub live: Live,
    pub screen: Screen,
    /// Where Esc leads.
    pub back: Vec<Screen>,
    /// Where `-` leads.
    pub last: Option<Screen>,
    /// The cause under the cursor on the live screen, by (cause, state).
    pub cause: Option<(String, String)>,
    pub log_open: bool,
    pub help_open: bool,
    pub help_top: usize,
    pub payouts: Payouts,
    pub detail: Detail,
    pub dialog: Option<Dialog>,
    /// The filter being typed, and what is wrong with it.
    pub filtering: Option<(Input, Option<String>)>,
    pub palette: Option<palette::Palette>,
    pub notice: Option<Notice>,
    /// A deed on its way.
    pub asked: Option<dialog::Asked>,
    pub last_key: Option<Key>,
    pub ticket: u64,
    /// Something on the screen changed.
    pub dirty: bool,
}

/// Takes a message; what comes back is to be done outside.
pub fn update(app: &mut App, msg: Msg) -> Vec<Request> {
    match msg {
        Msg::Tick(now) => tick(app, now),
        Msg::Key(key) => {
            app.dirty = true;
            keys::press(app, key)
        }
        Msg::Paste(text) => {
            app.dirty = true;
            keys::paste(app, &text);
            Vec::new()
        }
        Msg::Resize(columns, rows) => {
            app.dirty = true;
            app.size = (columns, rows);
            payouts::resize(app)
        }
        Msg::Frame(frame) => frame_came(app, *frame),
        Msg::Lost { why, retry_in_ms } => {
            app.dirty = true;
            let since_mono_ms = match &app.link {
                LinkState::Lost { since_mono_ms, .. } => *since_mono_ms,
                LinkState::Connecting | LinkState::Up => app.now.mono_ms,
            };
            app.fresh.reconnect();
            app.link = LinkState::Lost { since_mono_ms, why, retry_at_mono_ms: app.now.mono_ms + retry_in_ms };
            Vec::new()
        }
        Msg::Reply { ticket, reply } => {
            app.dirty = true;
            replied(app, ticket, reply)
        }
    }
}

fn tick(app: &mut App, now: Now) -> Vec<Request> {
    app.dirty |= now.unix_ms.div_euclid(1000) != app.now.unix_ms.div_euclid(1000);
    let was_stale = app.is_stale();
    app.now = now;
    app.dirty |= was_stale != app.is_stale();
    if let Some(notice) = &app.notice
        && notice.weight == Weight::Note
        && now.mono_ms - notice.at_mono_ms > NOTE_MS
    {
        app.notice = None;
        app.dirty = true;
    }
    dialog::expire(app);
    refresh(app)
}

fn frame_came(app: &mut App, frame: v1::WatchFrame) -> Vec<Request> {
    let stamp = match &frame.frame {
        Some(v1::watch_frame::Frame::Heartbeat(beat)) => Some(beat.now_ms),
        Some(v1::watch_frame::Frame::Snapshot(parts) | v1::watch_frame::Frame::Delta(parts)) => {
            parts.daemon.as_ref().map(|daemon| daemon.now_ms)
        }
        None => None,
    };
    let taken = app.live.take(frame);
    if taken == live::Taken::Ignored {
        return Vec::new();
    }
    app.dirty = true;
    match stamp.filter(|ms| *ms > 0) {
        Some(daemon_ms) => app.fresh.frame(app.now, daemon_ms),
        None => app.fresh.frame_unstamped(app.now),
    }
    app.link = LinkState::Up;
    if taken == live::Taken::Snapshot {
        app.payouts.fetch.wanted = true;
        app.detail.fetch.wanted = true;
    }
    keep_cause(app);
    dialog::watch(app);
    refresh(app)
}

/// The cursor on the causes is the cause, not its row; when it has gone, the top one is marked next time a key moves it.
fn keep_cause(app: &mut App) {
    if app.cause.is_none() {
        app.cause = app.live.top_cause().map(|cause| (cause.cause.clone(), cause.state.clone()));
    }
}

fn refresh(app: &mut App) -> Vec<Request> {
    match app.screen {
        Screen::Live => Vec::new(),
        Screen::Payouts => payouts::refresh(app),
        Screen::Detail => detail::refresh(app),
    }
}

fn replied(app: &mut App, ticket: u64, reply: Reply) -> Vec<Request> {
    match reply {
        Reply::Paused(_) | Reply::Resumed(_) | Reply::RolledBack(_) => dialog::answered(app, ticket, Ok(reply)),
        Reply::Payouts(reply) => payouts::arrived(app, ticket, Ok(*reply)),
        Reply::Payout(reply) => detail::arrived(app, ticket, Ok(*reply)),
        Reply::Preview(preview) => rollback::arrived(app, ticket, Ok(*preview)),
        Reply::Failed(failure) => {
            if app.asked.as_ref().is_some_and(|asked| asked.ticket == ticket) {
                dialog::answered(app, ticket, Err(failure));
            } else if app.payouts.fetch.is(ticket) {
                payouts::arrived(app, ticket, Err(failure));
            } else if app.detail.fetch.is(ticket) {
                detail::arrived(app, ticket, Err(failure));
            } else {
                rollback::arrived(app, ticket, Err(failure));
            }
        }
    }
    refresh(app)
}

impl App {
    /// A console that has seen nothing yet.
    #[must_use]
    pub fn new(now: Now, size: (u16, u16), place: &str, read_only: bool) -> Self {
        Self {
            now,
            size,
            place: place.to_owned(),
            command: "payout".to_owned(),
            read_only,
            dirty: true,
            ..Self::default()
        }
    }

    /// A number for a request that no other has.
    pub fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Milliseconds since the data was true; `None` before there is any.
    #[must_use]
    pub fn age_ms(&self) -> Option<i64> {
        self.fresh.age_ms(self.now)
    }

    /// The data can't be acted on: older than three seconds, none yet, or the link is gone.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.link != LinkState::Up || self.age_ms().is_none_or(|age| age > STALE_MS)
    }

    /// Milliseconds until the data is stale unless a frame comes: the screen must say so then, not at the next second.
    #[must_use]
    pub fn stale_in_ms(&self, now: Now) -> Option<i64> {
        if self.is_stale() { None } else { self.fresh.age_ms(now).map(|age| (STALE_MS + 1 - age).max(0)) }
    }

    /// Tells the operator.
    pub fn tell(&mut self, weight: Weight, text: impl Into<String>) {
        self.notice = Some(Notice { weight, text: text.into(), at_mono_ms: self.now.mono_ms });
    }

    /// Goes to a screen; Esc comes back.
    pub fn go(&mut self, screen: Screen) {
        if self.screen != screen {
            self.back.retain(|s| *s != screen);
            self.back.push(self.screen);
            self.last = Some(self.screen);
            self.screen = screen;
        }
    }

    /// Goes back; false when there is nowhere to go back to.
    pub fn go_back(&mut self) -> bool {
        let Some(screen) = self.back.pop() else { return false };
        self.last = Some(self.screen);
        self.screen = screen;
        true
    }
}

/// A page being fetched, and whether another is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// The ticket of what is on its way.
    pub in_flight: Option<u64>,
    /// Ask (again) as soon as allowed.
    pub wanted: bool,
    /// The version of the run's payouts when it was asked.
    pub version: u64,
    /// When it was last asked.
    pub at_mono_ms: Option<i64>,
}

/// A page on the screen is fetched again at most this often.
const FETCH_EVERY_MS: i64 = 1_000;

impl Fetch {
    /// True for the request on its way.
    #[must_use]
    pub fn is(&self, ticket: u64) -> bool {
        self.in_flight == Some(ticket)
    }

    /// True when it is to be asked now.
    #[must_use]
    pub fn is_due(&self, now: Now, version: u64) -> bool {
        let rested = self.at_mono_ms.is_none_or(|at| now.mono_ms - at >= FETCH_EVERY_MS);
        self.in_flight.is_none() && rested && (self.wanted || self.version != version)
    }

    /// It is being asked.
    pub fn ask(&mut self, ticket: u64, now: Now, version: u64) {
        *self = Self { in_flight: Some(ticket), wanted: false, version, at_mono_ms: Some(now.mono_ms) };
    }
}
