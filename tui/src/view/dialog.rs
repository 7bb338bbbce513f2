//! What stands in front: the pause, the resume, the rollback, the pause that couldn't be delivered, and the line of a filter.
use super::{
    canvas::{Canvas, piece},
    rollback,
    theme::Tone,
};
use crate::{
    app::{
        App,
        dialog::{Dialog, Target, resume_blocked, resume_target},
        form::{Field, Form},
        input::Input,
    },
    text,
};

/// Draws the open dialog, if any.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    match &app.dialog {
        None => {}
        Some(Dialog::Pause { target, reason, editing }) => pause(canvas, app, &target.name(), reason, *editing),
        Some(Dialog::Resume { target, form }) => resume(canvas, app, target, form),
        Some(Dialog::Rollback(open)) => rollback::draw(canvas, app, open),
        Some(Dialog::Undelivered { why, command }) => undelivered(canvas, why, command),
    }
}

/// A typed line with its cursor, the end in sight.
fn typed(canvas: &mut Canvas<'_, '_>, x: usize, y: usize, input: &Input, is_here: bool) {
    let (before, after) = input.halves();
    let room = canvas.width().saturating_sub(x + 1);
    let mut start = 0;
    while text::width(before.get(start..).unwrap_or("")) > room {
        start += before.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    }
    let x = canvas.put(x, y, before.get(start..).unwrap_or(""), Tone::Strong);
    let mut rest = after.chars();
    let under = rest.next().unwrap_or(' ');
    if is_here {
        let x = canvas.put(x, y, &under.to_string(), Tone::Cursor);
        canvas.put(x, y, rest.as_str(), Tone::Strong);
    } else {
        canvas.put(x, y, &after, Tone::Strong);
    }
}

fn pause(canvas: &mut Canvas<'_, '_>, app: &App, target: &str, reason: &Input, editing: bool) {
    let mut popup = canvas.popup(76, 9, "PAUSE", Tone::Warning);
    let in_flight = app.live.run.as_ref().map_or(0, |run| run.in_flight);
    popup.line(0, &[piece(format!("Pause {target}?"), Tone::Strong)]);
    let wire = format!("Nothing new leaves; the {} on the wire are awaited. Safe, also twice.", text::count(in_flight));
    popup.put(0, 1, &wire, Tone::Plain);
    popup.put(0, 3, "reason: ", Tone::Plain);
    typed(&mut popup, 8, 3, reason, editing);
    if app.is_stale() {
        popup.put(0, 4, "The data is old, or the link is lost: it is tried all the same, for 2 s.", Tone::Warning);
    }
    let keys = if editing {
        vec![piece("Tab", Tone::Key), piece(" done", Tone::Plain)]
    } else {
        vec![
            piece("y", Tone::Key),
            piece(" pause   ", Tone::Plain),
            piece("Tab", Tone::Key),
            piece(" edit the reason   ", Tone::Plain),
            piece("Esc", Tone::Key),
            piece(" don't", Tone::Plain),
        ]
    };
    popup.line(6, &keys);
}

fn resume(canvas: &mut Canvas<'_, '_>, app: &App, target: &Target, form: &Form) {
    let mut popup = canvas.popup(76, 13, "RESUME", Tone::Warning);
    popup.put(0, 0, &format!("Resume {}: money leaves again at once.", target.name()), Tone::Strong);
    let daemon = &app.live.daemon;
    let (by, why) = match app.live.run.as_ref().filter(|run| run.id == target.run_id) {
        Some(run) => (&run.paused_by, &run.pause_reason),
        None => (&daemon.paused_by, &daemon.pause_reason),
    };
    let paused = match resume_target(app) {
        Some((now, _)) if now.run_id == target.run_id => format!("paused by {by}: {why}"),
        Some(_) | None => "it isn't paused any more: Esc".to_owned(),
    };
    popup.put(0, 1, &text::cut(&paused, 72), Tone::Plain);
    if let Some(run) = app.live.open_run() {
        let left: Vec<String> =
            run.money.iter().map(|m| text::money_of(m.total_minor.saturating_sub(m.sent_minor), &m.currency)).collect();
        let words = format!(
            "{}: {} planned, {} unknown, {} failed; not yet moved: {}",
            run.label,
            text::count(app.live.count("planned")),
            text::count(app.live.count("unknown")),
            text::count(app.live.failed()),
            left.join(", ")
        );
        popup.put(0, 2, &text::cut(&words, 72), Tone::Plain);
    }
    if target.run_id.is_empty() && app.live.open_run().is_some_and(|run| run.state == "paused") {
        popup.put(0, 3, "The run is paused by itself too: it stays paused.", Tone::Warning);
    }
    form_lines(&mut popup, 5, form, "resume", resume_blocked(app, form));
}

/// A form's lines, from a row on: seven of them.
pub(super) fn form_lines(popup: &mut Canvas<'_, '_>, y: usize, form: &Form, verb: &str, blocked: Option<String>) {
    let here = |field: Field| if form.field == field { ">" } else { " " };
    popup.put(0, y, &format!("{} type {}: ", here(Field::Word), form.word), Tone::Plain);
    typed(popup, text::width(&form.word) + 9, y, &form.typed, form.field == Field::Word);
    popup.put(0, y + 1, &format!("{} reason: ", here(Field::Reason)), Tone::Plain);
    typed(popup, 10, y + 1, &form.reason, form.field == Field::Reason);
    match (form.field, blocked) {
        (Field::Confirm, None) => {
            popup.line(
                y + 3,
                &[piece("> ", Tone::Plain), piece("y", Tone::Key), piece(format!(" {verb}"), Tone::Strong)],
            );
        }
        (Field::Confirm, Some(why)) => {
            popup.put(0, y + 3, &format!("> not yet: {why}"), Tone::Warning);
        }
        (Field::Word | Field::Reason, _) => {}
    }
    let keys = [
        piece("Tab", Tone::Key),
        piece(" next field, then y   ", Tone::Plain),
        piece("Esc", Tone::Key),
        piece(" don't", Tone::Plain),
    ];
    popup.line(y + 5, &keys);
}

fn undelivered(canvas: &mut Canvas<'_, '_>, why: &str, command: &str) {
    let width = canvas.width().saturating_sub(4).clamp(20, 110);
    let mut lines = wrap(&format!("PAUSE {why}"), width.saturating_sub(4));
    let first_of_command = lines.len() + 2;
    lines.push(String::new());
    lines.push("From a shell on that machine:".to_owned());
    lines.extend(wrap(command, width.saturating_sub(4)));
    let mut popup = canvas.popup(width, lines.len() + 4, "NOT PAUSED AS FAR AS IS KNOWN", Tone::Banner);
    for (y, line) in lines.iter().enumerate() {
        popup.put(0, y, line, if y >= first_of_command { Tone::Strong } else { Tone::Plain });
    }
    popup.line(
        lines.len() + 1,
        &[
            piece("p", Tone::Key),
            piece(" try again   ", Tone::Plain),
            piece("Esc", Tone::Key),
            piece(" close", Tone::Plain),
        ],
    );
}

/// Breaks at blanks where it can.
fn wrap(words: &str, columns: usize) -> Vec<String> {
    let words = text::clean(words).into_owned();
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let mut rest = word;
        loop {
            let line = lines.last().map_or(0, |line| text::width(line));
            let gap = usize::from(line > 0);
            if line + gap + text::width(rest) <= columns {
                if let Some(last) = lines.last_mut() {
                    last.push_str(if gap == 1 { " " } else { "" });
                    last.push_str(rest);
                }
                break;
            }
            if line > 0 {
                lines.push(String::new());
                continue;
            }
            let at = rest
                .char_indices()
                .map(|(at, _)| at)
                .take_while(|at| *at <= columns)
                .last()
                .filter(|at| *at > 0)
                .unwrap_or(rest.len());
            let (head, tail) = rest.split_at(at);
            lines.pop();
            lines.push(head.to_owned());
            lines.push(String::new());
            rest = tail;
        }
    }
    lines
}

/// The line of a filter being typed, in the place of the hints; what is wrong with it above.
pub(super) fn filter(canvas: &mut Canvas<'_, '_>, input: &Input, error: Option<&str>) {
    let (width, y) = (canvas.width(), canvas.height().saturating_sub(1));
    let above = error.unwrap_or("state= cause= creator= acct= amt> or a part of an id; Enter uses it, Esc doesn't");
    let tone = if error.is_some() { Tone::Warning } else { Tone::Dim };
    canvas.put(0, y.saturating_sub(1), &text::left(&format!(" {above}"), width), tone);
    canvas.put(0, y, &" ".repeat(width), Tone::Plain);
    canvas.put(0, y, " / ", Tone::Key);
    typed(canvas, 3, y, input, true);
}
