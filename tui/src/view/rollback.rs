//! The preview of a rollback: what happens to how many payouts, its first rows with what is impossible and why, and the form to confirm it.
use super::{
    canvas::{Canvas, piece},
    dialog::form_lines,
    theme::Tone,
};
use crate::{
    app::{
        App,
        rollback::{Preview, Rollback, Shown, blocked},
    },
    text,
};
use payout_proto::v1;

/// Rows of the form, with the blank one above it.
const FORM_ROWS: usize = 7;

/// Draws the dialog over the screen.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App, open: &Rollback) {
    let width = canvas.width().min(116);
    let name = open.target.name();
    match &open.shown {
        Shown::Asked => {
            note(canvas, width, &format!("Take back {name}? The daemon works out what that would do .."), Tone::Plain)
        }
        Shown::Failed(why) => note(canvas, width, &format!("There is no preview of {name}: {why}"), Tone::Warning),
        Shown::Here(preview) if preview.total.to_do == 0 => {
            let sentence = format!("Nothing of {name} can be taken back: {}", steps_in_words(&preview.total));
            note(canvas, width, &sentence, Tone::Strong);
        }
        Shown::Here(preview) => whole(canvas, app, open, preview, width),
    }
}

fn note(canvas: &mut Canvas<'_, '_>, width: usize, sentence: &str, tone: Tone) {
    let mut popup = canvas.popup(width, 6, "ROLLBACK", Tone::Warning);
    let room = popup.width();
    popup.put(0, 0, &text::cut(sentence, room), tone);
    popup.line(2, &[piece("Esc", Tone::Key), piece(" close", Tone::Plain)]);
}

fn steps_in_words(total: &v1::RollbackTotal) -> String {
    let words: Vec<String> =
        total.steps.iter().map(|step| format!("{} {}", text::count(step.count), step.step)).collect();
    if words.is_empty() { "it has no payouts".to_owned() } else { words.join(", ") }
}

fn whole(canvas: &mut Canvas<'_, '_>, app: &App, open: &Rollback, preview: &Preview, width: usize) {
    let steps = preview.total.steps.len();
    // Borders, the sentence, the steps, what is left out, the form; what is left over is for rows.
    let fixed = 2 + 1 + steps + 1 + FORM_ROWS;
    let rows = inside(canvas.height()).saturating_sub(fixed).min(preview.rows.len());
    let mut popup = canvas.popup(width, fixed + rows, "ROLLBACK", Tone::Warning);
    let room = popup.width().saturating_sub(1);
    let all = i64::try_from(preview.count).unwrap_or(i64::MAX);
    let to_do = text::count(preview.total.to_do);
    let sentence = format!("Take back {}: {to_do} of {} payouts", open.target.name(), text::count(all));
    popup.put(0, 0, &text::cut(&sentence, room), Tone::Strong);
    for (y, step) in preview.total.steps.iter().enumerate() {
        let sums: Vec<String> = step.amounts.iter().map(text::money).collect();
        let (name, count) = (text::left(&step.step, 10), text::right(&text::count(step.count), 7));
        let line = format!("{name} {count}  {}  {}", sums.join(", "), meaning(&step.step));
        popup.put(1, 1 + y, &text::cut(&line, room), tone_of(&step.step));
    }
    for (y, row) in preview.rows.iter().take(rows).enumerate() {
        popup.put(1, 1 + steps + y, &text::cut(&row_line(row), room), Tone::Dim);
    }
    let more = all.saturating_sub(i64::try_from(rows).unwrap_or(0));
    if more > 0 {
        let command = format!("{} rollback {} --preview", app.command, text::shell_word(&open.target.label));
        let words = format!("and {} more: {command}", text::count(more));
        popup.put(1, 1 + steps + rows, &text::cut(&words, room), Tone::Dim);
    }
    form_lines(&mut popup, 1 + steps + rows + 2, &open.form, "take back", blocked(app, open));
}

/// Rows that the box may have: the top line, with the age of the data, stays in sight where there is room for it.
fn inside(height: usize) -> usize {
    if height >= 22 { height - 4 } else { height }
}

fn row_line(row: &v1::RollbackLine) -> String {
    let amount = row.amount.as_ref().map(text::money).unwrap_or_default();
    let why = if row.why.is_empty() { row.state.clone() } else { format!("{}: {}", row.state, row.why) };
    format!("{} {}  {}  {why}", text::left(&row.step, 10), text::right(&amount, 16), text::left(&row.creator_id, 14))
}

/// What a step does, in a few words. One that isn't known to us is shown without.
fn meaning(step: &str) -> &'static str {
    match step {
        "void" => "never sent: given up",
        "cancel" => "canceled at Stripe",
        "reverse" => "reversed, after a second person's yes",
        "resolve" => "looked for first",
        "wait" => "on its way to the bank: stays",
        "impossible" => "stays",
        "back" => "is back already",
        _ => "",
    }
}

fn tone_of(step: &str) -> Tone {
    match step {
        "reverse" | "impossible" | "wait" => Tone::Warning,
        _ => Tone::Plain,
    }
}
