//! Pieces of screens that more than one screen shows: causes, failures, log, bars, money.
use super::{
    canvas::{Canvas, Piece, piece},
    theme::{Tone, state_letter, state_tone},
};
use crate::{app::App, text};
use payout_proto::v1;

/// `[#####-----]`, full only when all is done.
#[must_use]
pub(super) fn bar(part: i64, of: i64, columns: usize) -> String {
    let inside = columns.saturating_sub(2);
    let bp = text::share_bp(part, of).unwrap_or(0).clamp(0, 10_000);
    let full = usize::try_from(bp).unwrap_or(0) * inside / 10_000;
    format!("[{}{}]", "#".repeat(full), "-".repeat(inside.saturating_sub(full)))
}

/// Progress, bar, count and estimated end on one line.
#[must_use]
pub(super) fn progress(app: &App, run: &v1::RunPart, width: usize) -> Vec<Piece> {
    if run.state == "planning" {
        let (decided, purses) = (run.purses, run.purses.saturating_add(run.to_plan));
        let words = if run.to_read > 0 {
            format!("  planning: {} of {} accounts still to be read", text::count(run.to_read), text::count(purses))
        } else {
            format!("  planning: {} of {} purses decided", text::count(decided), text::count(purses))
        };
        let room = width.saturating_sub(text::width(&words) + 10);
        return vec![
            piece(format!("{:>6}  ", text::percent(text::share_bp(decided, purses))), Tone::Strong),
            piece(bar(decided, purses, room.min(40)), Tone::Plain),
            piece(words, Tone::Plain),
        ];
    }
    let eta = eta(app, run, width >= 90);
    let counted = format!("  {}/{}   {eta}", text::count(run.answered), text::count(run.payouts));
    let room = width.saturating_sub(text::width(&counted) + 9);
    vec![
        piece(format!("{:>6} ", text::percent(text::share_bp(run.answered, run.payouts))), Tone::Strong),
        piece(bar(run.answered, run.payouts, room.min(90)), Tone::Plain),
        piece(counted, Tone::Plain),
    ]
}

/// The estimated end, with its range when there is room. Nothing is estimated while nothing leaves.
#[must_use]
pub(super) fn eta(app: &App, run: &v1::RunPart, is_long: bool) -> String {
    let still = app.live.daemon.paused || app.live.daemon.pausing || matches!(run.state.as_str(), "paused" | "pausing");
    if still {
        return "ETA - (paused)".to_owned();
    }
    if run.eta_ms <= 0 {
        return "ETA -".to_owned();
    }
    let range = if is_long && run.eta_early_ms > 0 && run.eta_late_ms > 0 {
        let minutes = |ms: i64| text::clock(ms).get(..5).unwrap_or("?").to_owned();
        format!(" ({}..{})", minutes(run.eta_early_ms), minutes(run.eta_late_ms))
    } else {
        String::new()
    };
    format!("ETA {}Z{range}", text::clock(run.eta_ms))
}

/// Money that Stripe has, of what is planned: as many currencies as fit, largest first.
#[must_use]
pub(super) fn moved_money(run: &v1::RunPart, room: usize) -> String {
    let mut money: Vec<&v1::MoneyProgress> = run.money.iter().collect();
    money.sort_by_key(|m| std::cmp::Reverse(m.total_minor));
    let mut out = String::new();
    for (at, part) in money.iter().enumerate() {
        let code = text::cut(&part.currency.to_uppercase(), 3);
        let one = format!(
            "{code} {} of {}",
            text::compact(part.sent_minor, &part.currency),
            text::compact(part.total_minor, &part.currency)
        );
        let gap = if out.is_empty() { "" } else { ", " };
        if !out.is_empty() && text::width(&out) + text::width(&one) + 10 > room {
            out.push_str(&format!(" +{} cur", money.len() - at));
            break;
        }
        out.push_str(gap);
        out.push_str(&one);
    }
    out
}

/// Money that Stripe has, of what is planned, in full: as many currencies as fit.
#[must_use]
pub(super) fn money_line(run: &v1::RunPart, word: &str, width: usize) -> Vec<Piece> {
    let mut money: Vec<&v1::MoneyProgress> = run.money.iter().collect();
    money.sort_by_key(|m| std::cmp::Reverse(m.total_minor));
    let mut out = vec![piece(format!(" {word} "), Tone::Plain)];
    let mut used = text::width(word) + 2;
    for (at, m) in money.iter().enumerate() {
        let words = format!(" {}", text::money_progress(m));
        used += text::width(&words) + 1;
        let more = if at + 1 < money.len() { 15 } else { 0 };
        if at > 0 && used + more > width {
            out.push(piece(format!(" +{} currencies", money.len() - at), Tone::Dim));
            break;
        }
        out.push(piece(words, Tone::Strong));
        out.push(piece(" ", Tone::Plain));
    }
    out
}

/// paid, FAILED with its share, held, unknown, planned: the counts that are watched.
#[must_use]
pub(super) fn counts(app: &App, run: &v1::RunPart, answered: i64) -> Vec<(u8, Piece)> {
    let live = &app.live;
    let failed = live.failed();
    let share = text::percent(text::share_bp(failed, answered));
    let usual = match run.usual_failed_bp {
        bp if bp < 0 => String::new(),
        bp => format!(" (usual {})", text::percent(Some(bp))),
    };
    let failed_tone = if failed > 0 { Tone::Trouble } else { Tone::Plain };
    let unknown = live.count("unknown");
    let skipped = run.skipped;
    vec![
        (8, piece(format!(" sent {}", text::count(live.sent())), Tone::Plain)),
        (3, piece(format!("paid {}", text::count(live.count("paid") + live.count("settled"))), Tone::Plain)),
        (
            9,
            piece(
                if failed > 0 {
                    format!("FAILED {} = {share}{usual}", text::count(failed))
                } else {
                    "failed 0".to_owned()
                },
                failed_tone,
            ),
        ),
        (7, piece(format!("unknown {}", text::count(unknown)), if unknown > 0 { Tone::Warning } else { Tone::Plain })),
        (6, piece(format!("planned {}", text::count(live.count("planned"))), Tone::Plain)),
        (2, piece(format!("skipped {}", text::count(skipped)), Tone::Plain)),
    ]
}

/// The title and the rows of the causes; long rows have more columns.
pub(super) fn causes(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (width, height) = (canvas.width(), canvas.height());
    let is_long = width >= 120;
    let name = if is_long { 30 } else { width.saturating_sub(if width >= 76 { 55 } else { 35 }).clamp(14, 30) };
    let amount = if is_long { 18 } else { 15 };
    let tail = match width {
        120.. => "  first     last      creators  what next               last 10 min  new?",
        76..120 => "  first     10 min",
        _ => "",
    };
    let head = text::left("FAILING BY CAUSE", name);
    let title = format!(" {head}{:>8}{:>8} {:>amount$}{tail}", "n", "share", "amount");
    canvas.put(0, 0, &title, Tone::Title);
    let causes = &app.live.causes;
    if causes.is_empty() {
        canvas.put(1, 1, "nothing has failed in this run", Tone::Good);
        return;
    }
    let rows = height.saturating_sub(1);
    let here = app.cause.as_ref().and_then(|(c, s)| causes.iter().position(|k| k.cause == *c && k.state == *s));
    let top = here.map_or(0, |at| (at + 1).saturating_sub(rows));
    for (y, cause) in causes.iter().skip(top).take(rows).enumerate() {
        let is_here = here == Some(top + y);
        canvas.put(0, y + 1, if is_here { ">" } else { " " }, Tone::Strong);
        let tone = if cause.state == "planned" { Tone::Plain } else { state_tone(&cause.state) };
        let line = cause_line(app, cause, name, is_long, width);
        canvas.put(1, y + 1, &line, tone);
        if is_here && app.live.known {
            canvas.put(1, y + 1, &text::left(&cause.cause, name.min(text::width(&cause.cause))), Tone::Cursor);
        }
    }
}

fn cause_line(app: &App, cause: &v1::Cause, name: usize, is_long: bool, width: usize) -> String {
    let share = text::percent(text::share_bp(cause.count, app.live.caused()));
    let amount = match cause.amounts.as_slice() {
        [] => String::new(),
        [one] => text::money(one),
        [first, rest @ ..] => format!("{} +{}", text::money(first), rest.len()),
    };
    let suffix = match cause.state.as_str() {
        "planned" => " auto",
        "unknown" => " UNKNOWN",
        "returned" => " RETURNED",
        _ => "",
    };
    let shown = format!("{}{suffix}", text::clean(&cause.cause));
    let mut line = format!(
        "{}{:>8}{share:>8} {}",
        text::left(&shown, name),
        text::count(cause.count),
        text::right(&amount, if is_long { 18 } else { 15 }),
    );
    if width >= 76 {
        line.push_str(&format!("  {}", text::clock(cause.first_ms)));
    }
    if is_long {
        let news = if cause.is_new { "NEW" } else { "" };
        line.push_str(&format!(
            "  {}  {:>8}  {}  {}  {news}",
            text::clock(cause.last_ms),
            text::count(cause.creators),
            text::left(&cause.what_next, 22),
            text::left(&text::spark(&cause.last_10_min, 10), 11)
        ));
    } else if width >= 76 {
        line.push_str(&format!("  {}", text::spark(&cause.last_10_min, 10)));
    }
    line
}

/// One payout on one line.
#[must_use]
pub(super) fn payout_line(row: &v1::PayoutRow, width: usize) -> String {
    let amount = row.amount.as_ref().map(text::money).unwrap_or_default();
    let why = if row.cause.is_empty() { &row.failure_reason } else { &row.cause };
    let (time, letter) = (text::clock(row.changed_at_ms), state_letter(&row.state));
    if width >= 120 {
        return format!(
            "{time}  {letter} {} {} {} {} {} x{:<2} {} {}",
            text::left(&row.state, 10),
            text::id(&row.id, 16),
            text::id(&row.account_id, 16),
            text::id(&row.creator_id, 18),
            text::right(&amount, 17),
            row.attempts.clamp(0, 99),
            text::left(why, 24),
            text::cut(&row.request_id, 18),
        );
    }
    let rest = width.saturating_sub(8 + 1 + 11 + 14 + 16 + 3 + 7);
    format!(
        "{time} {letter} {} {} {} x{:<2} {}",
        text::id(&row.id, 11),
        text::id(&row.creator_id, 14),
        text::right(&amount, 16),
        row.attempts.clamp(0, 99),
        text::cut(why, rest)
    )
}

/// The newest failures under a title.
pub(super) fn failures(canvas: &mut Canvas<'_, '_>, app: &App) {
    let width = canvas.width();
    canvas.put(0, 0, " NEWEST FAILURES", Tone::Title);
    if app.live.failures.is_empty() {
        canvas.put(1, 1, "none", Tone::Dim);
    } else {
        canvas.right(0, "Enter: rows of the cause  2: all payouts ", Tone::Dim);
    }
    let rows = canvas.height().saturating_sub(1);
    for (y, row) in app.live.failures.iter().take(rows).enumerate() {
        canvas.put(1, y + 1, &payout_line(row, width.saturating_sub(1)), state_tone(&row.state));
    }
}

/// The log, newest first.
pub(super) fn log(canvas: &mut Canvas<'_, '_>, app: &App) {
    let width = canvas.width();
    let is_long = width >= 120 || canvas.height() > 8;
    canvas.put(0, 0, " LOG warn+", Tone::Title);
    let (first_row, indent) = if is_long { (1, 2) } else { (0, 13) };
    if app.live.log.is_empty() {
        canvas.put(indent, first_row, "quiet", Tone::Dim);
    }
    for (y, line) in app.live.log.iter().take(canvas.height().saturating_sub(first_row)).enumerate() {
        let folded = if line.like_it > 0 { format!(" (+{} like it)", line.like_it) } else { String::new() };
        let time = if is_long { text::clock_ms(line.at_ms) } else { text::clock(line.at_ms) };
        let tone = match line.level.as_str() {
            "ERROR" => Tone::Trouble,
            "WARN" => Tone::Warning,
            _ => Tone::Plain,
        };
        let x = canvas.put(indent, y + first_row, &format!("{time} "), Tone::Dim);
        let x = canvas.put(x, y + first_row, &format!("{} ", text::left(&line.level, 5)), tone);
        canvas.put(
            x,
            y + first_row,
            &text::cut(&format!("{}{folded}", line.text), width.saturating_sub(x)),
            Tone::Plain,
        );
    }
}
