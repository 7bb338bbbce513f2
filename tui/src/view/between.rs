//! The live screen between runs: how the last one ended, when the next one comes, and whether it could.
use super::{
    canvas::{Canvas, pack, piece},
    live_wide, sections,
    theme::{Tone, state_tone},
};
use crate::{
    app::{App, standing},
    text,
};
use payout_proto::v1;

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (width, height) = (canvas.width(), canvas.height());
    if !app.live.known {
        canvas.put(1, 3, &format!("connecting to {} ..", app.place), Tone::Strong);
        canvas.put(1, 5, "Nothing is known yet. p pauses everything as soon as the daemon can be reached.", Tone::Dim);
        return;
    }
    let bottom = height.saturating_sub(2);
    let mut y = next_run(canvas, app, 2);
    y = health(canvas, app, y + 1);
    canvas.rule(y);
    y += 1;
    match &app.live.run {
        None => {
            canvas.put(1, y, "LAST RUN  there has been none", Tone::Title);
            y += 2;
        }
        Some(run) => y = last_run(canvas, app, run, y) + 1,
    }
    let left = bottom.saturating_sub(y);
    let causes = if app.live.causes.is_empty() || left < 3 {
        0
    } else {
        (app.live.causes.len() + 1).min(left.saturating_sub(2).max(2)).min(9)
    };
    if causes > 0 {
        sections::causes(&mut canvas.part(0, y, width, causes), app);
        y += causes;
    }
    if bottom > y + 1 {
        canvas.rule(y);
        sections::log(&mut canvas.part(0, y + 1, width, bottom - y - 1), app);
    }
}

fn next_run(canvas: &mut Canvas<'_, '_>, app: &App, y: usize) -> usize {
    let daemon = &app.live.daemon;
    canvas.put(1, y, "NEXT RUN", Tone::Title);
    if !daemon.armed {
        canvas.put(
            11,
            y,
            "the schedule is NOT ARMED: nothing will start by itself (payout schedule arm)",
            Tone::Warning,
        );
        return y + 1;
    }
    let now_ms = app.fresh.daemon_now_ms(app.now);
    let when = text::parse_moment(&daemon.next_run_at);
    let count_down = match when {
        Some(ms) if ms > now_ms => format!("in {}", text::span(ms - now_ms)),
        Some(_) => "due now".to_owned(),
        None => String::new(),
    };
    let pieces = vec![
        (9, piece(count_down, Tone::Strong)),
        (8, piece(when.map_or_else(|| daemon.next_run_at.clone(), text::moment), Tone::Plain)),
        (5, piece(format!("cycle {}", text::clean(&daemon.next_cycle_date)), Tone::Plain)),
        (3, piece(format!("({})", text::clean(&daemon.timezone)), Tone::Dim)),
    ];
    let room = canvas.width().saturating_sub(11);
    canvas.part(11, y, room, 1).line(0, &pack(pieces, room));
    y + 1
}

fn health(canvas: &mut Canvas<'_, '_>, app: &App, y: usize) -> usize {
    let width = canvas.width();
    let daemon = &app.live.daemon;
    canvas.put(1, y, "DAEMON", Tone::Title);
    let role = if daemon.leader { "holds the lease" } else { "stands by: another daemon leads" };
    let rate = format!("cap {:.0}/s", daemon.create_rate);
    let line = format!(
        "{}, {role}, {}, {rate}, {}",
        text::cut(&daemon.version, 12),
        text::cut(&daemon.database, 10),
        live_wide::last_webhook(app)
    );
    canvas.put(11, y, &text::cut(&line, width.saturating_sub(11)), Tone::Plain);
    let mut y = y + 1;
    if daemon.degraded.is_empty() {
        canvas.put(11, y, "nothing is wrong with it", Tone::Good);
        return y + 1;
    }
    for sentence in daemon.degraded.iter().take(4) {
        canvas.put(11, y, &text::cut(&format!("! {sentence}"), width.saturating_sub(11)), Tone::Trouble);
        y += 1;
    }
    y
}

fn last_run(canvas: &mut Canvas<'_, '_>, app: &App, run: &v1::RunPart, y: usize) -> usize {
    let width = canvas.width();
    let failed = app.live.failed();
    let tone = if failed > 0 || run.state == "missed" || run.state == "aborted" { Tone::Warning } else { Tone::Good };
    let took = match (run.started_at_ms, run.finished_at_ms) {
        (start, end) if start > 0 && end >= start => format!("took {}", text::span(end - start)),
        _ => String::new(),
    };
    let pieces = vec![
        (9, piece(" LAST RUN ", Tone::Title)),
        (9, piece(text::cut(&run.label, 18), Tone::Strong)),
        (9, piece(standing::upper(&run.state), tone)),
        (
            5,
            piece(
                if run.finished_at_ms > 0 {
                    format!("ended {}", text::moment(run.finished_at_ms))
                } else {
                    String::new()
                },
                Tone::Plain,
            ),
        ),
        (3, piece(took, Tone::Plain)),
        (
            2,
            piece(
                if run.requested_by.is_empty() {
                    String::new()
                } else {
                    format!("by {}", text::cut(&run.requested_by, 20))
                },
                Tone::Dim,
            ),
        ),
    ];
    canvas.line(y, &pack(pieces, width));
    canvas.line(y + 1, &pack(sections::counts(app, run, run.answered), width));
    let mut states = vec![(9, piece(format!("  {} payouts", text::count(run.payouts)), Tone::Plain))];
    states.extend(
        app.live
            .states
            .iter()
            .filter(|s| s.count > 0)
            .map(|s| (5, piece(format!("{} {}", s.state, text::count(s.count)), state_tone(&s.state)))),
    );
    canvas.line(y + 2, &pack(states, width));
    canvas.line(y + 3, &sections::money_line(run, " sent", width));
    if app.live.skips.is_empty() {
        return y + 4;
    }
    let mut skips = vec![(9, piece("  skipped", Tone::Plain))];
    skips.extend(
        app.live.skips.iter().map(|s| (5, piece(format!("{} {}", s.reason, text::count(s.count)), Tone::Plain))),
    );
    canvas.line(y + 4, &pack(skips, width));
    y + 5
}
