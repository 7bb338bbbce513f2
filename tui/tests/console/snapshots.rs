//! Every screen at every size, with colour and without, as text and as styles. `UPDATE_SNAPSHOTS=1` writes them anew.
use crate::fixtures::{blank, console, detail, ended_parts, key, parts, payouts, press, rollback, snapshot, wait};
use payout::{
    app::{App, Msg, key::Key, update},
    view::{self, Theme},
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};
use std::path::Path;

pub(crate) fn draw(app: &App, colour: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    terminal.draw(|frame| view::draw(app, frame, Theme { colour })).unwrap();
    terminal.backend().buffer().clone()
}

pub(crate) fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width.max(1));
    buffer
        .content
        .chunks(width)
        .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
        .collect()
}

/// One letter a cell: its colours and modifiers.
fn styles(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width.max(1));
    let letter = |cell: &ratatui::buffer::Cell| match (cell.fg, cell.bg, cell.modifier) {
        (_, Color::Red, _) => 'R',
        (_, Color::Cyan, _) => 'C',
        (_, _, m) if m.contains(Modifier::REVERSED) => 'v',
        (Color::Red, ..) => 'r',
        (Color::Yellow, ..) => 'y',
        (Color::Green, ..) => 'g',
        (Color::Cyan, ..) => 'c',
        (Color::DarkGray, ..) => 'd',
        (_, _, m) if m.contains(Modifier::BOLD) => 'b',
        (_, _, m) if m.contains(Modifier::DIM) => '-',
        _ => '.',
    };
    buffer.content.chunks(width).map(|row| row.iter().map(letter).collect::<String>()).collect()
}

fn check(name: &str, app: &App) {
    for (mode, colour) in [("colour", true), ("nocolor", false)] {
        let buffer = draw(app, colour);
        if !colour {
            let has_colour = buffer.content.iter().any(|c| c.fg != Color::Reset || c.bg != Color::Reset);
            assert!(!has_colour, "{name}: NO_COLOR is honoured");
        }
        let found = format!("{}\n=== styles\n{}\n", rows(&buffer).join("\n"), styles(&buffer).join("\n"));
        let file = format!("{name}.{}x{}.{mode}.txt", app.size.0, app.size.1);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(file);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == found, "{} differs; it is now:\n{found}", path.display());
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (140, 40), (60, 16)];

fn everywhere(name: &str, make: impl Fn(u16, u16) -> App) {
    for (columns, rows) in SIZES {
        check(name, &make(columns, rows));
    }
}

#[test]
fn connecting() {
    everywhere("connecting", blank);
}

#[test]
fn live_running() {
    everywhere("live", |c, r| console(c, r, "running"));
}

fn planning(columns: u16, rows: u16, to_read: i64) -> App {
    let mut app = blank(columns, rows);
    let mut parts = parts("planning");
    let run = parts.run.as_mut().unwrap();
    (run.purses, run.to_plan, run.to_read) = (if to_read > 0 { 0 } else { 23_002 }, 20_000, to_read);
    (run.answered, run.in_flight, run.eta_ms, run.payouts) = (0, 0, 0, 0);
    run.money.clear();
    (parts.causes, parts.failures, parts.states, parts.rate) = (None, None, None, None);
    update(&mut app, snapshot(parts));
    app
}

#[test]
fn live_planning() {
    everywhere("planning", |c, r| planning(c, r, 0));
    everywhere("reading", |c, r| planning(c, r, 12_345));
}

#[test]
fn live_pausing() {
    everywhere("pausing", |c, r| console(c, r, "pausing"));
}

#[test]
fn live_stalled() {
    everywhere("stalled", |c, r| {
        let mut app = console(c, r, "running");
        wait(&mut app, 4_200);
        app
    });
}

#[test]
fn live_lost() {
    everywhere("lost", |c, r| {
        let mut app = console(c, r, "running");
        wait(&mut app, 7_000);
        update(&mut app, Msg::Lost { why: "daemon socket refused".into(), retry_in_ms: 2_000 });
        app
    });
}

#[test]
fn between_runs() {
    everywhere("between", |c, r| {
        let mut app = blank(c, r);
        update(&mut app, snapshot(ended_parts()));
        app
    });
}

#[test]
fn list_of_payouts() {
    everywhere("payouts", payouts);
}

#[test]
fn one_payout() {
    everywhere("detail", detail);
}

#[test]
fn the_log() {
    everywhere("log", |c, r| {
        let mut app = console(c, r, "running");
        press(&mut app, "l");
        app
    });
}

#[test]
fn dialogs() {
    everywhere("pause", |c, r| {
        let mut app = console(c, r, "running");
        press(&mut app, "p");
        app
    });
    everywhere("resume", |c, r| {
        let mut app = console(c, r, "paused");
        press(&mut app, "R");
        crate::fixtures::beat(&mut app, 200);
        press(&mut app, "2026-12-01");
        key(&mut app, Key::Tab);
        press(&mut app, "bank is back");
        key(&mut app, Key::Tab);
        app
    });
    everywhere("rollback", |c, r| {
        let mut app = rollback(c, r);
        crate::fixtures::beat(&mut app, 200);
        press(&mut app, "ROLLBACK 303");
        key(&mut app, Key::Tab);
        press(&mut app, "too short");
        key(&mut app, Key::Tab);
        app
    });
    everywhere("undelivered", |c, r| {
        let mut app = console(c, r, "running");
        press(&mut app, "py");
        wait(&mut app, 3_000);
        app
    });
}

#[test]
fn help_and_filter() {
    everywhere("help", |c, r| {
        let mut app = payouts(c, r);
        press(&mut app, "?");
        app
    });
    everywhere("filter", |c, r| {
        let mut app = payouts(c, r);
        press(&mut app, "/state=bogus");
        app
    });
    everywhere("palette", |c, r| {
        let mut app = payouts(c, r);
        press(&mut app, ":pa");
        app
    });
}

#[test]
fn the_minimal_view() {
    for (columns, rows) in [(40, 10), (20, 5), (59, 15), (8, 2)] {
        check("minimal", &console(columns, rows, "running"));
    }
}

fn cell(buffer: &Buffer, text: &str) -> ratatui::buffer::Cell {
    let rows = rows(buffer);
    let (y, row) = rows
        .iter()
        .enumerate()
        .find(|(_, row)| row.contains(text))
        .unwrap_or_else(|| panic!("{text} isn't on {rows:#?}"));
    let x = row[..row.find(text).unwrap()].chars().count();
    buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())].clone()
}

#[test]
fn real_money_is_white_on_red_and_test_money_is_not() {
    assert_eq!(cell(&draw(&console(80, 24, "running"), true), "[LIVE]").bg, Color::Red);
    let mut app = blank(80, 24);
    let mut parts = parts("running");
    parts.daemon.as_mut().unwrap().mode = "test".into();
    update(&mut app, snapshot(parts));
    assert_eq!(cell(&draw(&app, true), "[TEST]").bg, Color::Cyan);
}

#[test]
fn old_data_is_dim_and_its_banner_is_red() {
    let mut app = console(80, 24, "running");
    wait(&mut app, 5_000);
    let buffer = draw(&app, true);
    assert_eq!(cell(&buffer, "FAILING BY CAUSE").fg, Color::DarkGray);
    assert_eq!(cell(&buffer, "!DATA IS 5 s OLD").bg, Color::Red);
    assert_eq!(cell(&buffer, "STALLED").bg, Color::Red);
    let plain = draw(&app, false);
    assert!(cell(&plain, "!DATA IS").modifier.contains(Modifier::REVERSED));
    assert!(cell(&plain, "FAILING BY CAUSE").modifier.contains(Modifier::DIM));
}

#[test]
fn escapes_from_outside_never_reach_a_cell() {
    let mut app = blank(80, 24);
    let mut parts = parts("running");
    let evil = "x\u{1b}[2J\u{202e}\u{7}\r\ny";
    parts.daemon.as_mut().unwrap().hostname = evil.into();
    parts.run.as_mut().unwrap().label = evil.into();
    for cause in &mut parts.causes.as_mut().unwrap().causes {
        cause.cause = evil.into();
    }
    for row in &mut parts.failures.as_mut().unwrap().rows {
        (row.creator_id, row.cause) = (evil.into(), evil.into());
    }
    for line in &mut parts.log.as_mut().unwrap().lines {
        line.text = evil.into();
    }
    update(&mut app, snapshot(parts));
    for keys in ["", "p", "?", ":"] {
        let mut app = app.clone();
        press(&mut app, keys);
        let harmful = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!draw(&app, true).content.iter().any(|cell| cell.symbol().contains(harmful)), "{keys}");
    }
}
