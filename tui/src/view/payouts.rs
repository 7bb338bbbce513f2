//! The list of payouts: what is asked for, the rows of one window, and the row under the cursor.
use super::{
    canvas::{Canvas, pack, piece},
    sections,
    theme::{Tone, state_tone},
};
use crate::{
    app::{App, payouts},
    text,
};

/// Header and alarm line.
const TOP_ROWS: usize = 2;

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let width = canvas.width();
    title(canvas, app);
    let columns = if width >= 120 {
        " CHANGED   S STATE      PAYOUT           ACCOUNT          CREATOR                       AMOUNT TRY CAUSE                    STRIPE REQUEST"
    } else {
        " CHANGED  S PAYOUT      CREATOR                  AMOUNT TRY CAUSE"
    };
    canvas.put(0, TOP_ROWS + 1, columns, Tone::Dim);
    let list = &app.payouts;
    let height = payouts::height(app);
    if list.rows.is_empty() {
        let words = match (&list.error, list.as_of_mono_ms) {
            (Some(error), _) => format!("not loaded: {error}"),
            (None, None) => "loading ..".to_owned(),
            (None, Some(_)) if list.filter.is_empty() && !list.failures_only => "no payouts".to_owned(),
            (None, Some(_)) => "no payout passes this filter".to_owned(),
        };
        canvas.put(1, TOP_ROWS + 2, &text::cut(&words, width.saturating_sub(1)), Tone::Strong);
        return;
    }
    for (y, row) in list.rows.iter().skip(list.top).take(height).enumerate() {
        let y = y + TOP_ROWS + 2;
        let is_here = list.cursor.id.as_deref() == Some(row.id.as_str());
        canvas.put(0, y, if is_here { ">" } else { " " }, Tone::Strong);
        canvas.put(1, y, &sections::payout_line(row, width.saturating_sub(1)), state_tone(&row.state));
        if is_here {
            canvas.tint_row(y, Tone::Cursor);
        }
    }
}

fn title(canvas: &mut Canvas<'_, '_>, app: &App) {
    let list = &app.payouts;
    let width = canvas.width();
    let run = list.run.as_ref().map_or_else(|| "all runs".to_owned(), |(_, label)| text::cut(label, 16));
    let filter = match (list.filter.is_empty(), list.failures_only) {
        (true, false) => "filter: none".to_owned(),
        (true, true) => "filter: failures only (f)".to_owned(),
        (false, only) => {
            format!("filter: {}{}", text::cut(&list.filter.text, 44), if only { " + failures only (f)" } else { "" })
        }
    };
    let arrow = if list.ascending { "^" } else { "v" };
    let row = match list.cursor.gone {
        _ if list.rows.is_empty() => format!("{} rows", text::count(list.total)),
        Some(_) => format!("no row of {}", text::count(list.total)),
        None => {
            let at = i64::try_from(list.offset() + list.cursor.at + 1).unwrap_or(i64::MAX);
            format!("row {} of {}", text::count(at), text::count(list.total))
        }
    };
    let age = match list.as_of_mono_ms {
        Some(at)
            if app.now.mono_ms - at >= 3_000
                && (list.fetch.version != app.live.pages_version || list.error.is_some()) =>
        {
            format!("rows {} old", text::span(app.now.mono_ms - at))
        }
        _ => String::new(),
    };
    let error = list
        .error
        .as_ref()
        .filter(|_| !list.rows.is_empty())
        .map(|e| format!("not reloaded: {}", text::cut(e, 40)))
        .unwrap_or_default();
    let pieces = vec![
        (9, piece(format!(" PAYOUTS {run}"), Tone::Title)),
        (8, piece(filter, Tone::Plain)),
        (4, piece(format!("sort: {} {arrow}", list.sort.as_str()), Tone::Plain)),
        (6, piece(row, Tone::Strong)),
        (7, piece(age, Tone::Warning)),
        (5, piece(error, Tone::Warning)),
    ];
    canvas.line(TOP_ROWS, &pack(pieces, width));
}
