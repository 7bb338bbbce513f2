//! The palette: actions and screens by their names. It runs what their keys would run, by the same rules.
use super::{App, Request, input::Input, key::Key, keys};
use crate::actions::{self, Action};

/// The palette, open.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    pub typed: Input,
    pub at: usize,
}

/// Actions whose name contains what was typed.
#[must_use]
pub fn matches(app: &App, palette: &Palette) -> Vec<&'static Action> {
    let typed = palette.typed.text().to_lowercase();
    actions::of(app.screen).filter(|a| !a.name.is_empty() && a.name.contains(typed.trim())).collect()
}

/// A key while the palette is open.
pub fn press(app: &mut App, key: Key) -> Vec<Request> {
    let Some(mut palette) = app.palette.take() else { return Vec::new() };
    let found = matches(app, &palette);
    match key {
        Key::Esc => return Vec::new(),
        Key::Enter => {
            return match found.get(palette.at) {
                Some(action) => keys::run(app, action),
                None => Vec::new(),
            };
        }
        Key::Down | Key::Tab => palette.at = (palette.at + 1).min(found.len().saturating_sub(1)),
        Key::Up | Key::BackTab => palette.at = palette.at.saturating_sub(1),
        _ => {
            palette.typed.key(key);
            palette.at = 0;
        }
    }
    app.palette = Some(palette);
    Vec::new()
}
