//! From a key to what it does: what is in front gets it first, then the action table of the screen.
use super::{App, Request, Screen, Weight, detail, dialog, filter::Filter, input::Input, key::Key, palette, payouts};
use crate::actions::{self, Action};

/// A key was pressed.
pub fn press(app: &mut App, key: Key) -> Vec<Request> {
    app.last_key = Some(key);
    if app
        .notice
        .as_ref()
        .is_some_and(|n| n.weight == Weight::Warning || (n.weight == Weight::Trouble && key == Key::Esc))
    {
        let was_trouble = app.notice.take().is_some_and(|n| n.weight == Weight::Trouble);
        if was_trouble && app.dialog.is_none() {
            return Vec::new();
        }
    }
    match key {
        Key::Ctrl('c') => return vec![Request::Quit],
        Key::Ctrl('l') => return vec![Request::Redraw],
        Key::Ctrl('z') => return vec![Request::Suspend],
        _ => {}
    }
    if app.dialog.is_some() {
        return dialog::press(app, key);
    }
    if app.filtering.is_some() {
        return press_filter(app, key);
    }
    if app.palette.is_some() {
        return palette::press(app, key);
    }
    if app.help_open && press_help(app, key) {
        return Vec::new();
    }
    match actions::find(app.screen, key) {
        Some(action) => run(app, action),
        None => Vec::new(),
    }
}

/// Does what an action does, or says why not.
pub fn run(app: &mut App, action: &'static Action) -> Vec<Request> {
    if let Some(why) = (action.why_disabled)(app) {
        app.tell(Weight::Warning, format!("{}: {why}", action.name));
        return Vec::new();
    }
    (action.handler)(app)
}

/// Text was pasted: only lines being typed take it.
pub fn paste(app: &mut App, text: &str) {
    if dialog::paste(app, text) {
        return;
    }
    match (&app.dialog, &mut app.filtering, &mut app.palette) {
        (None, Some((input, error)), _) => {
            input.insert(text);
            *error = Filter::parse(&input.text()).err();
        }
        (None, None, Some(palette)) => palette.typed.insert(text),
        (Some(_), _, _) | (None, None, None) => app.tell(Weight::Warning, "pasted text is ignored here"),
    }
}

fn press_filter(app: &mut App, key: Key) -> Vec<Request> {
    let Some((mut input, _)) = app.filtering.take() else { return Vec::new() };
    match key {
        Key::Esc => return Vec::new(),
        Key::Enter => match Filter::parse(&input.text()) {
            Ok(filter) => return payouts::set_filter(app, filter),
            Err(why) => app.filtering = Some((input, Some(why))),
        },
        _ => {
            input.key(key);
            let error = Filter::parse(&input.text()).err();
            app.filtering = Some((input, error));
        }
    }
    Vec::new()
}

/// True when the help page took the key; acting keys fall through it.
fn press_help(app: &mut App, key: Key) -> bool {
    match key {
        Key::Esc | Key::Char('?' | 'q') => app.help_open = false,
        Key::Down | Key::Char('j') => app.help_top = app.help_top.saturating_add(1).min(actions::ALL.len()),
        Key::Up | Key::Char('k') => app.help_top = app.help_top.saturating_sub(1),
        Key::PageDown => app.help_top = app.help_top.saturating_add(10).min(actions::ALL.len()),
        Key::PageUp => app.help_top = app.help_top.saturating_sub(10),
        _ => {
            app.help_open = false;
            return false;
        }
    }
    true
}

/// Esc: out of what is in front, else back.
pub fn escape(app: &mut App) -> Vec<Request> {
    if app.log_open {
        app.log_open = false;
    } else {
        app.go_back();
    }
    super::refresh(app)
}

/// q: back, and out from the first screen.
pub fn back_or_quit(app: &mut App) -> Vec<Request> {
    if app.log_open {
        app.log_open = false;
        return Vec::new();
    }
    if app.go_back() { super::refresh(app) } else { vec![Request::Quit] }
}

/// `-`: the screen before this one.
pub fn last_screen(app: &mut App) -> Vec<Request> {
    if let Some(last) = app.last {
        app.go(last);
    }
    super::refresh(app)
}

/// `/`: types a filter of the payouts.
pub fn open_filter(app: &mut App) -> Vec<Request> {
    let requests = if app.screen == Screen::Payouts { Vec::new() } else { payouts::open(app, None) };
    app.filtering = Some((Input::new(&app.payouts.filter.text), None));
    requests
}

/// Moves the cursor of the screen by rows.
pub fn step(app: &mut App, by: isize) -> Vec<Request> {
    match app.screen {
        Screen::Live => step_cause(app, by),
        Screen::Payouts => return payouts::step(app, by),
        Screen::Detail => detail::scroll(app, by),
    }
    Vec::new()
}

/// Moves by most of a screen.
pub fn page(app: &mut App, down: bool) -> Vec<Request> {
    let rows = isize::try_from(payouts::height(app).saturating_sub(1).max(1)).unwrap_or(1);
    step(app, if down { rows } else { -rows })
}

/// To the first row, or the last one held.
pub fn jump(app: &mut App, to_end: bool) -> Vec<Request> {
    let far = isize::try_from(1_000_000).unwrap_or(isize::MAX);
    match app.screen {
        Screen::Payouts => payouts::jump(app, to_end),
        Screen::Live | Screen::Detail => step(app, if to_end { far } else { -far }),
    }
}

fn step_cause(app: &mut App, by: isize) {
    let causes = &app.live.causes;
    if causes.is_empty() {
        return;
    }
    let here = app
        .cause
        .as_ref()
        .and_then(|(cause, state)| causes.iter().position(|c| c.cause == *cause && c.state == *state));
    let to = here.map_or(0, |at| at.saturating_add_signed(by).min(causes.len() - 1));
    app.cause = causes.get(to).map(|c| (c.cause.clone(), c.state.clone()));
}

/// The rows of the cause under the cursor.
pub fn open_cause(app: &mut App) -> Vec<Request> {
    let known = app
        .cause
        .clone()
        .filter(|(cause, state)| app.live.causes.iter().any(|c| c.cause == *cause && c.state == *state));
    match known {
        Some((cause, state)) => payouts::open(app, Some(Filter::of_cause(&cause, &state))),
        None => {
            app.tell(Weight::Warning, "the cause under the cursor has gone; j or k picks another");
            Vec::new()
        }
    }
}
