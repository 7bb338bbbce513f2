//! What fits when almost nothing fits: state, n of total, failed, top cause, `p`.
use super::{
    canvas::{Canvas, piece},
    header,
    theme::Tone,
};
use crate::{
    app::{App, dialog::Dialog, form::Form, rollback::Shown, standing},
    text,
};

/// Draws from the most important line down; what doesn't fit is left out.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let width = canvas.width();
    let (_, age) = standing::age_words(app);
    let (alarm, sentence) = standing::alarm(app);
    let mut lines = Vec::new();
    if let Some(dialog) = &app.dialog {
        lines.extend(dialog_lines(dialog).into_iter().map(|line| vec![piece(line, Tone::Warning)]));
    }
    lines.push(vec![
        header::badge(app),
        piece(" ", Tone::Plain),
        piece(standing::state_words(app), header::state_tone(app)),
    ]);
    if let Some(run) = &app.live.run {
        let failed = app.live.failed();
        let tone = if failed > 0 { Tone::Trouble } else { Tone::Plain };
        lines.push(vec![
            piece(format!("{}/{} ", text::count(run.answered), text::count(run.payouts)), Tone::Strong),
            piece(format!("FAILED {}", text::count(failed)), tone),
        ]);
    }
    if let Some(top) = app.live.top_cause() {
        lines.push(vec![piece(format!("{} {}", text::count(top.count), top.cause), Tone::Plain)]);
    }
    lines.push(vec![piece(age, if app.is_stale() { Tone::Banner } else { Tone::Dim })]);
    lines.push(vec![
        piece(if app.read_only { "" } else { "p" }, Tone::Key),
        piece(if app.read_only { "read-only  " } else { " pause  " }, Tone::Plain),
        piece("q", Tone::Key),
        piece(" quit", Tone::Plain),
    ]);
    if !sentence.is_empty() {
        lines.push(vec![piece(sentence, header::tone_of(alarm))]);
    }
    for (y, line) in lines.iter().enumerate().take(canvas.height()) {
        let mut x = 0;
        for (words, tone) in line {
            let room = width.saturating_sub(x);
            x = canvas.put(x, y, &text::cut(words, room), *tone);
        }
    }
}

fn dialog_lines(dialog: &Dialog) -> Vec<String> {
    match dialog {
        Dialog::Pause { target, reason, .. } => vec![format!("y pause {} Esc no", target.name()), reason.text()],
        Dialog::Resume { form, .. } => form_lines("resume", form),
        Dialog::Rollback(open) => match &open.shown {
            Shown::Asked => vec!["rollback: the daemon works out what it would do".to_owned()],
            Shown::Failed(why) => vec![format!("no preview: {why}")],
            Shown::Here(preview) if preview.total.to_do == 0 => vec!["nothing can be taken back".to_owned()],
            Shown::Here(_) => form_lines("rollback", &open.form),
        },
        Dialog::Undelivered { why, command } => vec![why.clone(), command.clone()],
    }
}

fn form_lines(verb: &str, form: &Form) -> Vec<String> {
    vec![
        format!("{verb}? type {}: {}", form.word, form.typed.text()),
        format!("reason: {}", form.reason.text()),
        "Tab, then y".to_owned(),
    ]
}
