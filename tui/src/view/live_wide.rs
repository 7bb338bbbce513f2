//! The live screen of a large terminal (from 120x32 up): the same, with plots, all currencies and more columns.
use super::{
    canvas::{Canvas, pack, piece},
    sections,
    theme::Tone,
};
use crate::{app::App, text};
use payout_proto::v1;

/// Where the line of alarm is.
pub(super) const ALARM_ROW: usize = 9;
/// First row below the rule under the progress block.
const BODY_ROW: usize = 11;
/// Columns of the plot on the right.
const PLOT_COLUMNS: usize = 46;

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let Some(run) = app.live.run.as_ref() else { return };
    let (width, height) = (canvas.width(), canvas.height());
    tabs(canvas, app);
    canvas.rule(2);
    let left = width.saturating_sub(PLOT_COLUMNS + 2);
    progress(&mut canvas.part(0, 3, left, 6), app, run);
    for y in 3..9 {
        canvas.put(left, y, "|", Tone::Dim);
    }
    plot(&mut canvas.part(left + 2, 3, PLOT_COLUMNS, 6), app);
    canvas.rule(10);
    let rows = height.saturating_sub(BODY_ROW + 4);
    let causes = (app.live.causes.len() + 1).clamp(2, rows / 4 + 1);
    let log = (rows / 3).max(4);
    let failures = rows.saturating_sub(causes + log);
    let mut y = BODY_ROW;
    sections::causes(&mut canvas.part(0, y, width, causes), app);
    y += causes;
    canvas.rule(y);
    sections::failures(&mut canvas.part(0, y + 1, width, failures), app);
    y += 1 + failures;
    canvas.rule(y);
    sections::log(&mut canvas.part(0, y + 1, width, log), app);
}

/// The screens, the present one marked.
pub(super) fn tabs(canvas: &mut Canvas<'_, '_>, app: &App) {
    let here = |is_here: bool| if is_here { Tone::Cursor } else { Tone::Plain };
    let is_live = app.screen == crate::app::Screen::Live;
    canvas.line(
        1,
        &[
            piece(" ", Tone::Plain),
            piece(" 1 Live ", here(is_live)),
            piece(" ", Tone::Plain),
            piece(" 2 Payouts ", here(!is_live)),
        ],
    );
    let daemon = &app.live.daemon;
    let role = if daemon.leader { "leads" } else { "follows" };
    let version = text::cut(&daemon.version, 12);
    canvas.right(1, &format!("payoutd {version} on {}, {role} ", text::cut(&daemon.database, 10)), Tone::Dim);
}

fn progress(canvas: &mut Canvas<'_, '_>, app: &App, run: &v1::RunPart) {
    let width = canvas.width();
    canvas.put(0, 0, " PROGRESS", Tone::Title);
    canvas.line(1, &sections::progress(app, run, width));
    canvas.line(2, &sections::money_line(run, "sent", width));
    let rate = app.live.rate.clone().unwrap_or_default();
    let pieces = vec![
        (
            9,
            piece(
                format!(
                    " {:.1}/s now, {:.1}/s avg, cap {:.0}/s",
                    rate.now_per_s, rate.average_per_s, app.live.daemon.create_rate
                ),
                Tone::Plain,
            ),
        ),
        (
            7,
            piece(
                format!(
                    "in flight {} of {}",
                    text::count(run.in_flight),
                    text::count(app.live.daemon.create_concurrency)
                ),
                Tone::Plain,
            ),
        ),
        (5, piece(last_webhook(app), Tone::Dim)),
    ];
    canvas.line(3, &pack(pieces, width));
    canvas.line(4, &pack(sections::counts(app, run, run.answered), width));
    let asked = format!(
        " {} purses, {} skipped; asked for by {} {}",
        text::count(run.purses),
        text::count(run.skipped),
        run.requested_by,
        run.reason
    );
    canvas.put(0, 5, &text::cut(&asked, width), Tone::Dim);
}

/// When Stripe last told us something.
#[must_use]
pub(super) fn last_webhook(app: &App) -> String {
    let daemon = &app.live.daemon;
    let backlog = if daemon.inbox_backlog > 0 {
        format!(" (+{} waiting)", text::count(daemon.inbox_backlog))
    } else {
        String::new()
    };
    if daemon.last_webhook_ms <= 0 {
        return format!("no webhook yet{backlog}");
    }
    let ago = app.fresh.daemon_now_ms(app.now).saturating_sub(daemon.last_webhook_ms);
    format!("last webhook {} ago{backlog}", text::span(ago))
}

fn plot(canvas: &mut Canvas<'_, '_>, app: &App) {
    let rate = app.live.rate.clone().unwrap_or_default();
    canvas.put(0, 0, "ANSWERED per 10 s", Tone::Title);
    if app.live.rate.is_none() {
        canvas.put(0, 1, "no rate yet", Tone::Dim);
        return;
    }
    let columns = canvas.width().saturating_sub(6);
    let answered = &rate.answered_10s[rate.answered_10s.len().saturating_sub(columns)..];
    let top = answered.iter().copied().max().unwrap_or(0).max(1);
    for row in 0..3_i64 {
        let label = match row {
            0 => text::compact(top, "jpy"),
            2 => "0".to_owned(),
            _ => String::new(),
        };
        let y = usize::try_from(row).unwrap_or(0) + 1;
        canvas.put(0, y, &format!("{}|", text::right(&label, 5)), Tone::Dim);
        let line: String = answered.iter().map(|v| column(*v, top, 2 - row)).collect();
        canvas.put(6, y, &line, Tone::Good);
    }
    let failed = &rate.failed_10s[rate.failed_10s.len().saturating_sub(columns)..];
    canvas.put(0, 4, "FAIL ", Tone::Plain);
    canvas.put(
        6,
        4,
        &text::spark(failed, columns),
        if failed.iter().any(|v| *v > 0) { Tone::Trouble } else { Tone::Dim },
    );
    let words = format!(
        "STRIPE p50 {:.0}ms p95 {:.0}ms 429 {}/m 5xx {}/m",
        rate.p50_ms, rate.p95_ms, rate.limited_per_min, rate.server_errors_per_min
    );
    let tone = if rate.limited_per_min + rate.server_errors_per_min > 0 { Tone::Warning } else { Tone::Plain };
    canvas.put(0, 5, &words, tone);
}

/// One cell of a column of three: full, half or empty.
fn column(value: i64, top: i64, level: i64) -> char {
    let sixths = i64::try_from(i128::from(value.max(0)) * 6 / i128::from(top)).unwrap_or(0);
    match sixths - level * 2 {
        ..=0 if level == 0 && value > 0 => '.',
        ..=0 => ' ',
        1 => ':',
        _ => '#',
    }
}
