//! The top line, the alarm line, the clock line and the hints: the same on every screen.
use super::{
    canvas::{Canvas, Piece, pack, piece},
    theme::Tone,
};
use crate::{
    actions,
    app::{
        App, LinkState, Screen,
        standing::{self, Alarm},
    },
    text,
};
use payout_proto::v1;

/// The badge: real money or not, by the daemon's word only.
#[must_use]
pub(super) fn badge(app: &App) -> Piece {
    match app.live.daemon.mode.as_str() {
        _ if !app.live.known => piece("[....]", Tone::Dim),
        "live" => piece("[LIVE]", Tone::BadgeLive),
        "test" => piece("[TEST]", Tone::BadgeTest),
        _ => piece("[MODE?]", Tone::Warning),
    }
}

/// The tone of the state in the header.
#[must_use]
pub(super) fn state_tone(app: &App) -> Tone {
    let state = app.live.open_run().map(|run| run.state.as_str());
    if app.is_stale() {
        return Tone::Warning;
    }
    let daemon = &app.live.daemon;
    if daemon.paused || daemon.pausing || daemon.kept_back {
        return Tone::Warning;
    }
    match state {
        Some("running") => Tone::Good,
        Some("pausing" | "paused" | "awaiting_approval" | "aborting") => Tone::Warning,
        Some(_) | None => Tone::Strong,
    }
}

/// Top line: where, which run, in what state, who you are, how old it is.
pub(super) fn top(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (alarm, age) = standing::age_words(app);
    let age_tone = tone_of(alarm);
    let live = &app.live;
    let mut pieces = vec![(9, badge(app))];
    pieces.push((4, piece(text::cut(&live.daemon.hostname, 24), Tone::Plain)));
    if let Some(run) = &live.run {
        let which = if live.open_run().is_some() { "run" } else { "last run" };
        pieces.push((6, piece(format!("{which} {}", text::cut(&run.label, 16)), Tone::Strong)));
    }
    pieces.push((8, piece(standing::state_words(app), state_tone(app))));
    if let Some(run) = live.open_run().filter(|run| run.started_at_ms > 0) {
        pieces.push((1, piece(format!("since {}Z", text::clock(run.started_at_ms)), Tone::Dim)));
    }
    if !live.daemon.you.is_empty() {
        let read_only = if app.read_only { " read-only" } else { "" };
        // With a role it is plain without a word that this is you; 80 columns have no room for one.
        let word = if canvas.width() < 120 && !live.daemon.role.is_empty() { "" } else { "you: " };
        pieces.push((3, piece(format!("{word}{}{read_only}", you(&live.daemon)), Tone::Dim)));
    }
    if canvas.width() >= 120 {
        pieces.push((2, piece(format!("UTC {}", text::clock(app.fresh.daemon_now_ms(app.now))), Tone::Dim)));
    }
    let room = canvas.width().saturating_sub(text::width(&age) + 2);
    canvas.line(0, &pack(pieces, room));
    canvas.right(0, &format!(" {age}"), age_tone);
}

/// `oncall (operator)`; from a daemon that says no role, the number in its place.
fn you(daemon: &v1::DaemonPart) -> String {
    if daemon.role.is_empty() {
        return text::cut(&daemon.you, 20);
    }
    let name = daemon.you.rsplit_once('(').map_or(daemon.you.as_str(), |(name, _)| name);
    format!("{} ({})", text::cut(name, 16), text::cut(&daemon.role, 18))
}

/// The tone of an alarm.
#[must_use]
pub(super) fn tone_of(alarm: Alarm) -> Tone {
    match alarm {
        Alarm::Quiet => Tone::Dim,
        Alarm::Note => Tone::Strong,
        Alarm::Warning => Tone::Warning,
        Alarm::Trouble => Tone::Banner,
    }
}

/// The line of alarm; blank when all is well.
pub(super) fn alarm(canvas: &mut Canvas<'_, '_>, y: usize, app: &App) {
    let (alarm, sentence) = standing::alarm(app);
    if sentence.is_empty() {
        return;
    }
    let tone = tone_of(alarm);
    let sign = if alarm == Alarm::Trouble { "" } else { " " };
    canvas.clear_row(y);
    canvas.put(0, y, &text::left(&format!("{sign}{sentence}"), canvas.width()), tone);
}

/// The line above the hints: clocks, the next run, what was pressed.
pub(super) fn clock(canvas: &mut Canvas<'_, '_>, y: usize, app: &App) {
    let now_ms = app.fresh.daemon_now_ms(app.now);
    let daemon = &app.live.daemon;
    let next = match text::parse_moment(&daemon.next_run_at) {
        _ if !app.live.known => String::new(),
        _ if !daemon.armed => "schedule NOT ARMED".to_owned(),
        Some(ms) => format!("next run {}", short_moment(ms)),
        None => format!("next run {}", text::cut(&daemon.next_run_at, 20)),
    };
    let key = app.last_key.map_or_else(|| "-".to_owned(), |key| key.to_string());
    let next_tone = if daemon.armed || !app.live.known { Tone::Dim } else { Tone::Warning };
    let pieces = vec![
        (5, piece(format!(" UTC {}", text::clock(now_ms)), Tone::Dim)),
        (2, piece(local(now_ms), Tone::Dim)),
        (4, piece(next, next_tone)),
        (1, piece(format!("last key: {key}"), Tone::Dim)),
        (3, piece(if app.read_only { "READ-ONLY" } else { "" }, Tone::Warning)),
    ];
    canvas.line(y, &pack(pieces, canvas.width()));
}

fn short_moment(ms: i64) -> String {
    let full = text::moment(ms);
    full.strip_suffix(":00Z").map_or_else(|| full.clone(), |minutes| format!("{minutes}Z"))
}

fn local(ms: i64) -> String {
    let zone = jiff::tz::TimeZone::system();
    jiff::Timestamp::from_millisecond(ms)
        .ok()
        .map(|at| at.to_zoned(zone))
        .filter(|at| at.offset() != jiff::tz::Offset::UTC)
        .map(|at| format!("local {}", at.strftime("%H:%M:%S %Z")))
        .unwrap_or_default()
}

/// Hints, made from the action table. What can't be done now isn't hinted.
pub(super) fn hints(canvas: &mut Canvas<'_, '_>, y: usize, app: &App) {
    let mut x = 1;
    let width = canvas.width();
    let resume = actions::of(app.screen).find(|a| a.name == "resume" && (a.why_disabled)(app).is_none());
    let hinted = actions::of(app.screen).filter(|a| !a.hint.is_empty() && (a.why_disabled)(app).is_none());
    let here =
        |a: &&actions::Action| !matches!((a.name, app.screen), ("live", Screen::Live) | ("payouts", Screen::Payouts));
    for action in resume.into_iter().chain(hinted.filter(here)) {
        let Some(key) = action.keys.first() else { continue };
        let hint = if action.hint.is_empty() { action.name } else { action.hint };
        if x + text::width(&format!("{key} {hint}")) > width {
            return;
        }
        x = canvas.put(x, y, &key.to_string(), Tone::Key);
        x = canvas.put(x, y, &format!(" {hint}"), Tone::Plain) + 2;
    }
}

/// True when the body shows old data and must look like it.
#[must_use]
pub(super) fn is_faded(app: &App) -> bool {
    app.live.known && app.is_stale() && app.link != LinkState::Connecting
}
