//! One payout: what it is, what happens next, its attempts at Stripe, its timeline and what is in it.
use super::{
    canvas::{Canvas, Piece, piece},
    theme::{Tone, state_tone},
};
use crate::{app::App, text};
use payout_proto::v1;

/// Header and alarm line.
const TOP_ROWS: usize = 2;

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, app: &App) {
    let (width, height) = (canvas.width(), canvas.height());
    let detail = &app.detail;
    let room = height.saturating_sub(TOP_ROWS + 2);
    let mut body = canvas.part(0, TOP_ROWS, width, room);
    let mut lines = Vec::new();
    if let Some(row) = &detail.row {
        head(&mut lines, row, width);
    }
    match (&detail.reply, &detail.error) {
        (Some(reply), error) => {
            if let Some(error) = error {
                lines.push(vec![piece(format!(" not reloaded: {error}"), Tone::Warning)]);
            }
            next(&mut lines, reply);
            attempts(&mut lines, reply, width);
            timeline(&mut lines, reply, width);
            items(&mut lines, reply);
        }
        (None, Some(error)) => lines.push(vec![piece(format!(" not loaded: {error}"), Tone::Warning)]),
        (None, None) => lines.push(vec![piece(" loading ..", Tone::Strong)]),
    }
    let top = detail.top.min(lines.len().saturating_sub(room));
    for (y, line) in lines.iter().skip(top).take(room).enumerate() {
        body.line(y, line);
    }
    if lines.len() > top + room {
        body.right(room.saturating_sub(1), &format!(" {} more lines: j ", lines.len() - top - room), Tone::Cursor);
    }
}

fn head(lines: &mut Vec<Vec<Piece>>, row: &v1::PayoutRow, width: usize) {
    let amount = row.amount.as_ref().map(text::money).unwrap_or_default();
    lines.push(vec![
        piece(" PAYOUT ", Tone::Title),
        piece(format!("{}  ", row.id), Tone::Strong),
        piece(row.state.to_uppercase(), state_tone(&row.state)),
        piece(format!("  {amount}"), Tone::Strong),
    ]);
    let object = if row.stripe_payout_id.is_empty() { "none known" } else { &row.stripe_payout_id };
    let facts = [
        format!("creator {}", row.creator_id),
        format!("account {}", row.account_id),
        format!("run {}", row.run_label),
        format!("attempts {}", row.attempts),
        format!("Stripe payout {object}"),
        format!("changed {}", text::moment(row.changed_at_ms)),
        format!("created {}", text::moment(row.created_at_ms)),
    ];
    flow(lines, &facts, width);
    if !row.cause.is_empty() || !row.failure_reason.is_empty() {
        lines.push(vec![
            piece("  why: ", Tone::Plain),
            piece(row.cause.clone(), state_tone(&row.state)),
            piece(format!("  {}", row.failure_reason), Tone::Plain),
        ]);
    }
}

/// Facts one after another, on as many lines as they need.
fn flow(lines: &mut Vec<Vec<Piece>>, facts: &[String], width: usize) {
    let mut line = String::new();
    for fact in facts {
        if !line.is_empty() && text::width(&line) + text::width(fact) + 2 > width {
            lines.push(vec![piece(std::mem::take(&mut line), Tone::Plain)]);
        }
        line.push_str("  ");
        line.push_str(fact);
    }
    lines.push(vec![piece(line, Tone::Plain)]);
}

fn next(lines: &mut Vec<Vec<Piece>>, reply: &v1::ShowPayoutReply) {
    if !reply.what_next.is_empty() {
        lines.push(vec![piece("  next: ", Tone::Plain), piece(reply.what_next.clone(), Tone::Strong)]);
    }
    let destination = if reply.destination_id.is_empty() { "not known" } else { &reply.destination_id };
    lines.push(vec![piece(
        format!("  to {destination}; {} others of this run have the same cause", text::count(reply.same_cause)),
        Tone::Plain,
    )]);
}

fn attempts(lines: &mut Vec<Vec<Piece>>, reply: &v1::ShowPayoutReply, width: usize) {
    lines.push(vec![piece(" ATTEMPTS", Tone::Title)]);
    if reply.attempts.is_empty() {
        lines.push(vec![piece("  none: nothing of it has left", Tone::Dim)]);
    }
    for a in &reply.attempts {
        let http = if a.http_status > 0 { format!("HTTP {}", a.http_status) } else { "no answer".to_owned() };
        let ambiguous =
            if a.ambiguous_sends > 0 { format!(", {} AMBIGUOUS", a.ambiguous_sends) } else { String::new() };
        lines.push(vec![
            piece(format!("  {} #{} ", a.kind, a.number), Tone::Strong),
            piece(a.state.clone(), if a.ambiguous_sends > 0 { Tone::Warning } else { Tone::Plain }),
            piece(
                format!("  sent {}x{ambiguous}  {http}  {}  {}", a.sends, a.request_id, a.stripe_object_id),
                Tone::Plain,
            ),
        ]);
        lines.push(vec![piece(
            format!(
                "    key {}  sent {} to {} (Stripe's clock)",
                text::cut(&a.key, width.saturating_sub(50).max(16)),
                text::clock(a.first_sent_stripe_ms),
                text::clock(a.last_sent_stripe_ms)
            ),
            Tone::Dim,
        )]);
        if !a.error_type.is_empty() || !a.error_code.is_empty() {
            let words = format!("    {} {}: {}", a.error_type, a.error_code, a.error_message);
            lines.push(vec![piece(text::cut(&words, width), Tone::Trouble)]);
        }
    }
}

fn timeline(lines: &mut Vec<Vec<Piece>>, reply: &v1::ShowPayoutReply, width: usize) {
    lines.push(vec![piece(" TIMELINE", Tone::Title)]);
    let mut day = String::new();
    for entry in &reply.timeline {
        let moment = text::moment(entry.at_ms);
        let (date, _) = moment.split_once(' ').unwrap_or((&moment, ""));
        if date != day {
            date.clone_into(&mut day);
            lines.push(vec![piece(format!("  {day}"), Tone::Dim)]);
        }
        let change = match (entry.from_state.as_str(), entry.to_state.as_str()) {
            ("", "") => String::new(),
            ("", to) => format!("  -> {to}"),
            (from, to) => format!("  {from} -> {to}"),
        };
        let reason = if entry.reason.is_empty() { String::new() } else { format!("  {}", entry.reason) };
        let words = format!("{}{change}{reason}  by {}", entry.action, entry.actor);
        lines.push(vec![
            piece(format!("  {}  #{:<7} ", text::clock_ms(entry.at_ms), entry.seq), Tone::Dim),
            piece(text::cut(&words, width.saturating_sub(25)), state_tone(&entry.to_state)),
        ]);
    }
}

fn items(lines: &mut Vec<Vec<Piece>>, reply: &v1::ShowPayoutReply) {
    let currency =
        reply.payout.as_ref().and_then(|p| p.amount.as_ref()).map(|m| m.currency.clone()).unwrap_or_default();
    let shown = i64::try_from(reply.items.len()).unwrap_or(i64::MAX);
    let more = if reply.items_total > shown { format!(" (the first {})", text::count(shown)) } else { String::new() };
    lines.push(vec![piece(format!(" ITEMS {}{more}", text::count(reply.items_total)), Tone::Title)]);
    for item in &reply.items {
        let released = if item.released { "  released" } else { "" };
        lines.push(vec![piece(
            format!(
                "  {}  {} {}  {}  #{}{released}",
                text::moment(item.earned_at_ms).get(..10).unwrap_or("-"),
                text::left(&item.kind, 14),
                text::right(&text::money_of(item.amount_minor, &currency), 18),
                item.source_id,
                item.earning_id
            ),
            Tone::Plain,
        )]);
    }
}
