//! The one table of what keys do. Hints, help, the palette and read-only mode are made from it; nothing else binds a key.
//!
//! Invariant: an action that acts on money is `acts`; nothing with `acts` runs in a read-only console.
use crate::app::{App, Request, STALE_MS, Screen, detail, dialog, key::Key, keys, palette::Palette, payouts, rollback};
use payout_shared::roles;

/// Where an action can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Everywhere,
    On(Screen),
}

/// One thing a key does.
#[derive(Debug)]
pub struct Action {
    /// The first is shown.
    pub keys: &'static [Key],
    /// For the palette and messages; empty = not in the palette.
    pub name: &'static str,
    /// One or two words for the hints; empty = not hinted.
    pub hint: &'static str,
    /// For the help page.
    pub help: &'static str,
    pub place: Place,
    /// Changes what happens to money.
    pub acts: bool,
    /// Asks for more than two keys.
    pub dangerous: bool,
    pub handler: fn(&mut App) -> Vec<Request>,
    pub why_disabled: fn(&App) -> Option<String>,
}

const fn plain(
    keys: &'static [Key],
    name: &'static str,
    hint: &'static str,
    help: &'static str,
    place: Place,
    handler: fn(&mut App) -> Vec<Request>,
) -> Action {
    Action { keys, name, hint, help, place, acts: false, dangerous: false, handler, why_disabled: |_| None }
}

/// The table, in the order of hints and help.
pub static ALL: &[Action] = &[
    Action {
        acts: true,
        why_disabled: |app| read_only(app, "payout pause").or_else(|| role_disabled(app, roles::Action::Pause)),
        ..plain(
            &[Key::Char('p')],
            "pause",
            "pause",
            "pause the run on screen, or everything: p then y",
            Place::Everywhere,
            dialog::open_pause,
        )
    },
    Action {
        acts: true,
        dangerous: true,
        why_disabled: resume_disabled,
        ..plain(
            &[Key::Char('R')],
            "resume",
            "",
            "take the pause back: type the run's date and a reason",
            Place::Everywhere,
            dialog::open_resume,
        )
    },
    Action {
        acts: true,
        dangerous: true,
        why_disabled: rollback_disabled,
        ..plain(
            &[Key::Char('B')],
            "rollback",
            "",
            "take the run back: look at the preview, type its word and a reason",
            Place::Everywhere,
            rollback::open,
        )
    },
    Action {
        why_disabled: |app| app.live.causes.is_empty().then(|| "nothing fails".to_owned()),
        ..plain(
            &[Key::Enter],
            "rows of this cause",
            "rows",
            "the payouts of the cause under the cursor",
            Place::On(Screen::Live),
            keys::open_cause,
        )
    },
    Action {
        why_disabled: no_row,
        ..plain(
            &[Key::Enter],
            "show this payout",
            "timeline",
            "the payout under the cursor with its timeline",
            Place::On(Screen::Payouts),
            detail::open,
        )
    },
    Action {
        why_disabled: |app| {
            (!app.payouts.filter.states.is_empty()).then(|| "the filter names states itself".to_owned())
        },
        ..plain(
            &[Key::Char('f')],
            "failures only",
            "failures",
            "failed, returned, unknown and canceled only, or all",
            Place::On(Screen::Payouts),
            payouts::toggle_failures,
        )
    },
    plain(
        &[Key::Char('s')],
        "sort",
        "sort",
        "sort by last change, or by amount",
        Place::On(Screen::Payouts),
        payouts::sort,
    ),
    plain(
        &[Key::Char('S')],
        "reverse the order",
        "",
        "turn the order round",
        Place::On(Screen::Payouts),
        payouts::reverse,
    ),
    plain(
        &[Key::Char('/')],
        "filter",
        "filter",
        "state=failed,unknown cause=.. creator=.. acct=.. amt>100 or a part of an id",
        Place::Everywhere,
        keys::open_filter,
    ),
    plain(&[Key::Char('l')], "log", "log", "the log on the whole screen, or not", Place::On(Screen::Live), |app| {
        app.log_open = !app.log_open;
        Vec::new()
    }),
    plain(&[Key::Char('1')], "live", "live", "the live screen", Place::Everywhere, |app| {
        app.go(Screen::Live);
        Vec::new()
    }),
    plain(&[Key::Char('2')], "payouts", "payouts", "the payouts of the run", Place::Everywhere, |app| {
        payouts::open(app, None)
    }),
    plain(&[Key::Char(':')], "palette", "cmd", "actions and screens by name", Place::Everywhere, |app| {
        app.palette = Some(Palette::default());
        Vec::new()
    }),
    plain(&[Key::Char('?')], "help", "help", "this page", Place::Everywhere, |app| {
        app.help_open = true;
        app.help_top = 0;
        Vec::new()
    }),
    plain(&[Key::Char('-')], "last screen", "", "the screen before this one", Place::Everywhere, keys::last_screen),
    plain(&[Key::Char('j'), Key::Down], "", "", "down", Place::Everywhere, |app| keys::step(app, 1)),
    plain(&[Key::Char('k'), Key::Up], "", "", "up", Place::Everywhere, |app| keys::step(app, -1)),
    plain(&[Key::PageDown, Key::Ctrl('d')], "", "", "a page down", Place::Everywhere, |app| keys::page(app, true)),
    plain(&[Key::PageUp, Key::Ctrl('u')], "", "", "a page up", Place::Everywhere, |app| keys::page(app, false)),
    plain(&[Key::Char('g'), Key::Home], "", "", "to the first row", Place::Everywhere, |app| keys::jump(app, false)),
    plain(
        &[Key::Char('G'), Key::End],
        "",
        "",
        "to the last row held; the list goes on with j",
        Place::Everywhere,
        |app| keys::jump(app, true),
    ),
    plain(&[Key::Esc], "", "", "out of what is in front, else back", Place::Everywhere, keys::escape),
    plain(
        &[Key::Char('q')],
        "quit",
        "quit",
        "back; out from the first screen. The run goes on",
        Place::Everywhere,
        keys::back_or_quit,
    ),
    plain(&[Key::Ctrl('c')], "", "", "out, always", Place::Everywhere, |_| vec![Request::Quit]),
    plain(&[Key::Ctrl('l')], "", "", "draw the screen anew", Place::Everywhere, |_| vec![Request::Redraw]),
    plain(&[Key::Ctrl('z')], "", "", "suspend; fg comes back", Place::Everywhere, |_| vec![Request::Suspend]),
];

/// The actions that can be found on a screen.
pub fn of(screen: Screen) -> impl Iterator<Item = &'static Action> {
    ALL.iter().filter(move |action| action.place == Place::Everywhere || action.place == Place::On(screen))
}

/// What a key does on a screen.
#[must_use]
pub fn find(screen: Screen, key: Key) -> Option<&'static Action> {
    of(screen).find(|action| action.keys.contains(&key))
}

fn read_only(app: &App, command: &str) -> Option<String> {
    app.read_only.then(|| format!("this console is read-only; in a shell: {command} --reason .."))
}

/// Mirrors what the daemon would say to this role; one that it didn't name, or that we don't know, is left to the daemon.
fn role_disabled(app: &App, action: roles::Action) -> Option<String> {
    let role = &app.live.daemon.role;
    let mine = roles::Roles::parse(role)?;
    let enough = roles::Role::ALL.into_iter().filter(|role| roles::allows(*role, action)).map(roles::Role::as_str);
    (!mine.allow(action))
        .then(|| format!("you are {role}; to {} you need {}", action.words(), enough.collect::<Vec<_>>().join(" or ")))
}

fn resume_disabled(app: &App) -> Option<String> {
    read_only(app, "payout resume")
        .or_else(|| role_disabled(app, roles::Action::Resume))
        .or_else(|| old_data(app))
        .or_else(|| dialog::resume_target(app).is_none().then(|| "nothing is paused".to_owned()))
}

fn rollback_disabled(app: &App) -> Option<String> {
    read_only(app, "payout rollback")
        .or_else(|| role_disabled(app, roles::Action::Correct))
        .or_else(|| old_data(app))
        .or_else(|| rollback::disabled(app))
}

/// A dangerous action is for fresh data only.
fn old_data(app: &App) -> Option<String> {
    app.is_stale().then(|| match app.age_ms() {
        Some(age) if age > STALE_MS => format!("the data is {} s old", age / 1000),
        Some(_) => "the link is lost".to_owned(),
        None => "no data yet".to_owned(),
    })
}

fn no_row(app: &App) -> Option<String> {
    if let Some(gone) = &app.payouts.cursor.gone {
        return Some(format!(
            "{} left this list; j or k puts the cursor on a row again",
            crate::text::id(gone, 18).trim_end()
        ));
    }
    app.payouts.under_cursor().is_none().then(|| "no row is under the cursor".to_owned())
}
