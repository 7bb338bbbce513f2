//! From what is known to what is seen: one way, no state, one file a screen.
//!
//! Who comes in: the loop in `console`, when something changed. Whom it may call: `app` to read, `text`. It changes nothing.
mod between;
mod canvas;
mod detail;
mod dialog;
mod header;
mod help;
mod live;
mod live_wide;
mod minimal;
mod payouts;
mod rollback;
mod sections;
pub mod theme;

use crate::app::{App, Screen};
use canvas::Canvas;
use ratatui::Frame;
pub use theme::{Theme, Tone};

/// Below this only the minimal view fits.
pub const COLUMNS_MIN: usize = 60;
/// Below this only the minimal view fits.
pub const ROWS_MIN: usize = 16;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>, theme: Theme) {
    let mut canvas = Canvas::new(frame, theme);
    let (width, height) = (canvas.width(), canvas.height());
    if width < COLUMNS_MIN || height < ROWS_MIN {
        minimal::draw(&mut canvas, app);
        return;
    }
    header::top(&mut canvas, app);
    match app.screen {
        Screen::Live if app.log_open => live::draw_log(&mut canvas, app),
        Screen::Live if app.live.open_run().is_none() => between::draw(&mut canvas, app),
        Screen::Live if width >= 120 && height >= 32 => live_wide::draw(&mut canvas, app),
        Screen::Live => live::draw(&mut canvas, app),
        Screen::Payouts => payouts::draw(&mut canvas, app),
        Screen::Detail => detail::draw(&mut canvas, app),
    }
    header::clock(&mut canvas, height - 2, app);
    let alarm_row = alarm_row(app, width, height);
    if header::is_faded(app) {
        canvas.fade(1, alarm_row - 1);
        canvas.fade(alarm_row + 1, height - 2 - alarm_row);
    }
    header::alarm(&mut canvas, alarm_row, app);
    if let Some((input, error)) = &app.filtering {
        dialog::filter(&mut canvas, input, error.as_deref());
    } else {
        header::hints(&mut canvas, height - 1, app);
    }
    if app.help_open {
        help::draw(&mut canvas, app);
    }
    if let Some(palette) = &app.palette {
        help::palette(&mut canvas, app, palette);
    }
    dialog::draw(&mut canvas, app);
}

/// Where the line of alarm is: the fifth line of the live screen, the second of all others.
fn alarm_row(app: &App, width: usize, height: usize) -> usize {
    let is_run = app.screen == Screen::Live && !app.log_open && app.live.open_run().is_some();
    match is_run {
        true if width >= 120 && height >= 32 => live_wide::ALARM_ROW,
        true => live::ALARM_ROW,
        false => 1,
    }
}
