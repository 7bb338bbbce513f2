//! What is said about the whole: the state in the header, the one line of alarm, the reason a pause is pre-filled with.
use super::{App, LinkState, Weight, dialog::Deed};
use crate::text;

/// How a sentence is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    Quiet,
    Note,
    Warning,
    Trouble,
}

/// The state in the header. It claims nothing that the daemon didn't say, and says so when the daemon is silent.
#[must_use]
pub fn state_words(app: &App) -> String {
    if !app.live.known {
        return "CONNECTING".to_owned();
    }
    let daemon = &app.live.daemon;
    let run = app.live.run.as_ref();
    let in_flight = run.map_or(0, |run| run.in_flight);
    let mut words = match app.live.open_run() {
        _ if daemon.pausing => format!("ALL PAUSING ({in_flight} in flight)"),
        _ if daemon.paused => "ALL PAUSED".to_owned(),
        _ if daemon.kept_back => "KEPT BACK: A BACKUP".to_owned(),
        Some(run) if run.state == "pausing" => format!("PAUSING ({in_flight} in flight)"),
        Some(run) if run.reversals_to_approve > 0 => {
            format!("{} ({} to approve)", upper(&run.state), text::count(run.reversals_to_approve))
        }
        Some(run) => upper(&run.state),
        None => "NO OPEN RUN".to_owned(),
    };
    if app.is_stale() {
        words = format!("was {words}");
    }
    match app.asked.as_ref().map(|asked| (asked.deed, asked.accepted_seq)) {
        Some((Deed::Pause, None)) => words.push_str(", pause requested"),
        Some((Deed::Pause, Some(_))) => words.push_str(", pause accepted"),
        Some((deed @ (Deed::Resume | Deed::Rollback), _)) => words.push_str(&format!(", {} requested", deed.word())),
        None => {}
    }
    words
}

/// A state for people.
#[must_use]
pub fn upper(state: &str) -> String {
    text::clean(state).replace('_', " ").to_uppercase()
}

/// The right end of the header: how old what you see is.
#[must_use]
pub fn age_words(app: &App) -> (Alarm, String) {
    let age = app.age_ms();
    match &app.link {
        LinkState::Connecting => (Alarm::Warning, "connecting".to_owned()),
        LinkState::Lost { since_mono_ms, retry_at_mono_ms, .. } => {
            let lost = age.unwrap_or(app.now.mono_ms - since_mono_ms).max(0) / 1000;
            let wait = retry_at_mono_ms - app.now.mono_ms;
            let retry = if wait > 0 { format!("retry in {}s", (wait + 999) / 1000) } else { "retrying".to_owned() };
            (Alarm::Trouble, format!("LOST {lost}s, {retry}"))
        }
        LinkState::Up if app.is_stale() => (Alarm::Trouble, format!("STALLED {}s", age.unwrap_or(0) / 1000)),
        LinkState::Up => {
            let age = age.unwrap_or(0);
            (Alarm::Quiet, format!("data {}.{}s ok", age / 1000, age % 1000 / 100))
        }
    }
}

/// The one line under the header that matters most.
#[must_use]
pub fn alarm(app: &App) -> (Alarm, String) {
    if let Some(found) = link_alarm(app) {
        return found;
    }
    if let Some(notice) = &app.notice {
        return match notice.weight {
            Weight::Note => (Alarm::Note, notice.text.clone()),
            Weight::Warning => (Alarm::Warning, notice.text.clone()),
            Weight::Trouble => (Alarm::Trouble, format!("!{} (Esc)", notice.text)),
        };
    }
    if let Some(asked) = &app.asked {
        let deed = asked.deed.word();
        return (Alarm::Warning, format!("{deed} of {} is on its way: {}", asked.target.name(), asked.reason));
    }
    if !app.live.known {
        return (Alarm::Note, format!("connecting to {}", app.place));
    }
    daemon_alarm(app).or_else(|| run_alarm(app)).or_else(|| people_alarm(app)).unwrap_or((Alarm::Quiet, String::new()))
}

/// Old data is said before anything else; a notice of an action comes after it on the same line.
fn link_alarm(app: &App) -> Option<(Alarm, String)> {
    let notice = app.notice.as_ref().map(|n| format!(" | {}", n.text)).unwrap_or_default();
    let may = match app.live.open_run() {
        None => "p still tries",
        Some(_) if app.size.0 < 90 => "p still tries; money may still move",
        Some(_) => "p still tries; run may still be moving money",
    };
    let sentence = match (&app.link, app.age_ms()) {
        (LinkState::Connecting, _) => return None,
        (LinkState::Lost { why, .. }, None) => format!("!NO DATA YET: {why}"),
        (LinkState::Lost { why, .. }, Some(age)) => {
            format!("!DATA IS {} s OLD: {}. {may}", age / 1000, text::cut(why, 60))
        }
        (LinkState::Up, Some(age)) if app.is_stale() => {
            format!("!DATA IS {} s OLD: the daemon is silent. {may}", age / 1000)
        }
        (LinkState::Up, _) => return None,
    };
    Some((Alarm::Trouble, format!("{sentence}{notice}")))
}

fn daemon_alarm(app: &App) -> Option<(Alarm, String)> {
    let daemon = &app.live.daemon;
    if let Some(first) = daemon.degraded.first() {
        let more =
            if daemon.degraded.len() > 1 { format!(" (+{} more)", daemon.degraded.len() - 1) } else { String::new() };
        return Some((Alarm::Trouble, format!("!{first}{more}")));
    }
    if daemon.paused || daemon.pausing {
        return Some((
            Alarm::Warning,
            format!("everything is paused by {}: {}", daemon.paused_by, daemon.pause_reason),
        ));
    }
    let run = app.live.open_run().filter(|run| matches!(run.state.as_str(), "paused" | "pausing"))?;
    let word = if run.state == "paused" { "paused" } else { "pausing" };
    Some((Alarm::Warning, format!("{word} by {}: {}", run.paused_by, run.pause_reason)))
}

/// Failing far above the usual share (twice it and half a percent more), or anything unknown.
fn run_alarm(app: &App) -> Option<(Alarm, String)> {
    let run = app.live.open_run()?;
    let failed_bp = text::share_bp(app.live.failed(), run.answered)?;
    let usual = run.usual_failed_bp;
    if usual >= 0 && failed_bp > usual.saturating_mul(2).saturating_add(50) {
        let sentence =
            format!("!FAILING {} of answered, usual {}", text::percent(Some(failed_bp)), text::percent(Some(usual)));
        return Some((Alarm::Trouble, sentence));
    }
    let unknown = app.live.count("unknown");
    (unknown > 0).then(|| {
        (Alarm::Warning, format!("{} with unknown outcome: will be asked again, not paid twice", text::count(unknown)))
    })
}

/// What stands still until a person has said yes or no.
fn people_alarm(app: &App) -> Option<(Alarm, String)> {
    let run = app.live.run.as_ref();
    if let Some(run) = run.filter(|run| run.reversals_to_approve > 0) {
        let n = text::count(run.reversals_to_approve);
        return Some((
            Alarm::Warning,
            format!("{n} paid payouts wait for a second person before they are reversed: payout requests"),
        ));
    }
    if let Some(run) = run.filter(|run| run.state == "awaiting_approval") {
        return Some((
            Alarm::Warning,
            format!("run {} waits for two people: payout requests", text::cut(&run.label, 16)),
        ));
    }
    let open = app.live.daemon.open_requests;
    (open > 0).then(|| {
        (Alarm::Note, {
            let requests = if open == 1 { "request waits" } else { "requests wait" };
            format!("{} {requests} for people: payout requests", text::count(open))
        })
    })
}

/// What a pause is pre-filled with: the top cause, in numbers.
#[must_use]
pub fn pause_reason(app: &App) -> String {
    match app.live.top_cause() {
        Some(top) => {
            let share = text::percent(text::share_bp(top.count, app.live.caused()));
            format!("{}: {} payouts, {share} of what fails", text::clean(&top.cause), text::count(top.count))
        }
        None => "paused by hand from the console".to_owned(),
    }
}
