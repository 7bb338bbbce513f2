//! The live screen of a terminal of the usual size, from 60x16 up: what fails is on it before a key is pressed.
use super::{
    canvas::{Canvas, pack, piece},
    sections,
    theme::Tone,
};
use crate::{app::App, text};
use payout_proto::v1;

/// Where the line of alarm is.
pub(super) const ALARM_ROW: usize = 4;
/// Header, progress, rate, counts, alarm.
const TOP_ROWS: usize = 5;
/// Clock and hints.
const BOTTOM_ROWS: usize = 2;

/// Rows of causes, failures and log, titles and rules included, for the rows that are left.
fn shares(rows: usize) -> (usize, usize, usize) {
    if rows < 12 {
        let causes = rows.div_ceil(2).min(5);
        let failures = (rows - causes).div_ceil(2);
        return (causes, failures, rows - causes - failures);
    }
    let rest = rows - 2;
    let causes = (rest / 3).clamp(4, 8);
    let log = (rest / 4).clamp(3, 10);
    (causes, rest - causes - log, log)
}

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let Some(run) = app.live.run.as_ref() else { return };
    let (width, height) = (canvas.width(), canvas.height());
    canvas.line(1, &sections::progress(app, run, width));
    rate_line(canvas, app, run);
    canvas.line(3, &pack(sections::counts(app, run, run.answered), width));
    let rows = height.saturating_sub(TOP_ROWS + BOTTOM_ROWS);
    let (causes, failures, log) = shares(rows);
    let has_rules = rows >= 12;
    let mut y = TOP_ROWS;
    sections::causes(&mut canvas.part(0, y, width, causes), app);
    y += causes;
    if has_rules {
        canvas.rule(y);
        y += 1;
    }
    sections::failures(&mut canvas.part(0, y, width, failures), app);
    y += failures;
    if has_rules {
        canvas.rule(y);
        y += 1;
    }
    sections::log(&mut canvas.part(0, y, width, log), app);
}

/// The log on the whole body.
pub(super) fn draw_log(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (width, height) = (canvas.width(), canvas.height());
    sections::log(&mut canvas.part(0, 2, width, height.saturating_sub(2 + BOTTOM_ROWS)), app);
}

fn rate_line(canvas: &mut Canvas<'_, '_>, app: &App, run: &v1::RunPart) {
    let rate = app.live.rate.clone().unwrap_or_default();
    let cap = app.live.daemon.create_rate;
    let width = canvas.width();
    if app.live.rate.is_none() {
        let money = sections::moved_money(run, width.saturating_sub(40));
        let pieces = vec![
            (9, piece(format!(" no rate yet (cap {cap:.0}/s)"), Tone::Plain)),
            (8, piece(money, Tone::Strong)),
            (7, piece(format!("in flight {}", text::count(run.in_flight)), Tone::Plain)),
        ];
        canvas.line(2, &pack(pieces, width));
        return;
    }
    let limited_tone = if rate.limited_per_min > 0 { Tone::Warning } else { Tone::Plain };
    let mut pieces = vec![
        (9, piece(format!(" {:.1}/s (cap {cap:.0})", rate.now_per_s), Tone::Plain)),
        (6, piece(format!("p95 {:.0}ms", rate.p95_ms), Tone::Plain)),
        (5, piece(format!("429s {}/min", text::count(rate.limited_per_min)), limited_tone)),
    ];
    if rate.server_errors_per_min > 0 {
        pieces.push((7, piece(format!("5xx {}/min", text::count(rate.server_errors_per_min)), Tone::Warning)));
    }
    pieces.push((8, piece(sections::moved_money(run, width.saturating_sub(52)), Tone::Strong)));
    pieces.push((7, piece(format!("in flight {}", text::count(run.in_flight)), Tone::Plain)));
    canvas.line(2, &pack(pieces, width));
}
