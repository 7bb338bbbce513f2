//! The help page and the palette, both made from the action table.
use super::{
    canvas::{Canvas, piece},
    theme::Tone,
};
use crate::{
    actions,
    app::{App, palette},
    text,
};

/// The help page: every key of this screen, and why it can't be used now.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (width, height) = (canvas.width(), canvas.height());
    let mut popup =
        canvas.popup(width.saturating_sub(4).min(104), height.saturating_sub(2), "KEYS (j k, Esc)", Tone::Title);
    let rows = popup.height().saturating_sub(3);
    let actions: Vec<&actions::Action> = actions::of(app.screen).collect();
    let top = app.help_top.min(actions.len().saturating_sub(rows));
    let room = popup.width().saturating_sub(14);
    for (y, action) in actions.iter().skip(top).take(rows).enumerate() {
        let keys: Vec<String> = action.keys.iter().map(ToString::to_string).collect();
        popup.put(0, y, &text::left(&keys.join(" "), 13), Tone::Key);
        match (action.why_disabled)(app) {
            None => popup.put(14, y, &text::cut(action.help, room), Tone::Plain),
            Some(why) => popup.put(14, y, &text::cut(&format!("{} (not now: {why})", action.help), room), Tone::Dim),
        };
    }
    let letters = [
        ". planned  > submitting  U unknown  o pending  T in transit  P paid  S settled",
        "F failed  R returned  C canceled  V voided  v reversing  X reversed",
    ];
    for (y, line) in letters.into_iter().enumerate() {
        let line = text::cut(line, popup.width());
        popup.put(0, rows + 1 + y, &line, Tone::Dim);
    }
}

/// The palette: what was typed, and the actions with that in their names.
pub(super) fn palette(canvas: &mut Canvas<'_, '_>, app: &App, palette: &palette::Palette) {
    let found = palette::matches(app, palette);
    let mut popup = canvas.popup(64, found.len() + 5, "COMMAND", Tone::Title);
    popup.line(0, &[piece(": ", Tone::Key), piece(palette.typed.text(), Tone::Strong), piece(" ", Tone::Cursor)]);
    for (y, action) in found.iter().enumerate() {
        let tone = if y == palette.at { Tone::Cursor } else { Tone::Plain };
        let keys = action.keys.first().map(ToString::to_string).unwrap_or_default();
        let why = (action.why_disabled)(app).map(|why| format!("  ({why})")).unwrap_or_default();
        popup.put(
            0,
            y + 2,
            &text::left(&format!("{}{}{why}", text::left(action.name, 22), text::left(&keys, 6)), 60),
            tone,
        );
    }
}
