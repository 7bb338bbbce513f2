//! `payout payouts` and `payout show`.
use super::{
    args,
    error::{Code, Error, aside},
    json,
    session::{DEADLINE, Session},
    table::{Align, csv_cell, table},
};
use crate::text;
use payout_proto::v1;
use std::io::Write;

/// Rows of one page.
const PAGE_ROWS: i64 = 1_000;
/// Rows that people read.
const TEXT_ROWS: i64 = 100;

const CSV_TITLES: &str = "id,run,creator_id,account_id,amount_minor,currency,state,attempts,cause,failure_reason,stripe_payout_id,request_id,created_at,changed_at";

/// Pages until the limit or the end; as JSON and CSV each page is written as it comes.
pub(super) async fn list(session: &Session, args: args::Payouts) -> Result<(), Error> {
    let limit = args.limit.unwrap_or(if session.json || args.csv { i64::MAX } else { TEXT_ROWS });
    let client = session.client().await?;
    let mut query = v1::ListPayoutsRequest {
        run: args.run,
        states: args.status,
        cause: args.cause,
        creator_id: args.creator,
        ..v1::ListPayoutsRequest::default()
    };
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut text_rows = Vec::new();
    let mut written = 0_i64;
    let total = loop {
        query.limit = limit.saturating_sub(written).min(PAGE_ROWS);
        let (mut client, question) = (client.clone(), query.clone());
        let page = session.ask("payouts", question, DEADLINE, |q| async move { client.list_payouts(q).await }).await?;
        if written == 0 {
            head(&mut out, session.json, args.csv, page.total)?;
        }
        for row in &page.rows {
            match (session.json, args.csv) {
                (true, _) => write!(out, "{}{}", if written > 0 { "," } else { "" }, json::payout(row))?,
                (false, true) => writeln!(out, "{}", csv_line(row))?,
                (false, false) => text_rows.push(text_cells(row)),
            }
            written += 1;
        }
        if page.next_cursor.is_empty() || written >= limit || page.rows.is_empty() {
            break page.total;
        }
        query.cursor = page.next_cursor;
    };
    if session.json {
        writeln!(out, "]}}")?;
    } else if !args.csv {
        for line in text_table(&text_rows) {
            writeln!(out, "{line}")?;
        }
        if total > written {
            aside(&format!("{} of {}; more with --limit N\n", text::count(written), text::count(total)));
        }
    }
    out.flush()?;
    Ok(())
}

fn head(out: &mut impl Write, is_json: bool, is_csv: bool, total: i64) -> std::io::Result<()> {
    match (is_json, is_csv) {
        (true, _) => write!(out, "{{\"total\":{total},\"payouts\":["),
        (false, true) => writeln!(out, "{CSV_TITLES}"),
        (false, false) => Ok(()),
    }
}

fn text_cells(row: &v1::PayoutRow) -> Vec<String> {
    vec![
        text::moment(row.changed_at_ms),
        row.state.clone(),
        row.id.clone(),
        row.creator_id.clone(),
        row.amount.as_ref().map(text::money).unwrap_or_default(),
        row.attempts.to_string(),
        row.cause.clone(),
    ]
}

fn text_table(rows: &[Vec<String>]) -> Vec<String> {
    if rows.is_empty() {
        return vec!["no payouts".to_owned()];
    }
    let titles = [
        ("CHANGED", Align::Left),
        ("STATE", Align::Left),
        ("PAYOUT", Align::Left),
        ("CREATOR", Align::Left),
        ("AMOUNT", Align::Right),
        ("TRY", Align::Right),
        ("CAUSE", Align::Left),
    ];
    table(&titles, rows)
}

fn csv_line(p: &v1::PayoutRow) -> String {
    let (minor, currency) =
        p.amount.as_ref().map_or((String::new(), ""), |m| (m.minor.to_string(), m.currency.as_str()));
    let (created, changed) = (text::rfc3339(p.created_at_ms), text::rfc3339(p.changed_at_ms));
    let attempts = p.attempts.to_string();
    let cells = [
        p.id.as_str(),
        &p.run_label,
        &p.creator_id,
        &p.account_id,
        &minor,
        currency,
        &p.state,
        &attempts,
        &p.cause,
        &p.failure_reason,
        &p.stripe_payout_id,
        &p.request_id,
        created.as_deref().unwrap_or(""),
        changed.as_deref().unwrap_or(""),
    ];
    cells.map(csv_cell).join(",")
}

pub(super) async fn show(session: &Session, payout_id: String) -> Result<(), Error> {
    let tried = format!("show {payout_id}");
    let mut client = session.client().await?;
    let request = v1::ShowPayoutRequest { payout_id };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.show_payout(q).await }).await?;
    if reply.payout.is_none() {
        return Err(Error::new(Code::Failed, format!("{tried}: the daemon's answer has no payout")));
    }
    session.print(|| json::shown_payout(&reply), || lines(&reply))
}

fn lines(reply: &v1::ShowPayoutReply) -> Vec<String> {
    let p = reply.payout.clone().unwrap_or_default();
    let amount = p.amount.as_ref().map(text::money).unwrap_or_default();
    let mut out = vec![
        format!("payout    {} {} {amount}", p.id, p.state.to_uppercase()),
        format!("to        creator {}, account {}, bank account {}", p.creator_id, p.account_id, reply.destination_id),
        format!("run       {}", p.run_label),
    ];
    if !p.cause.is_empty() || !p.failure_reason.is_empty() {
        out.push(format!("why       {} {}", p.cause, p.failure_reason));
    }
    if !reply.what_next.is_empty() {
        out.push(format!("next      {}", reply.what_next));
    }
    for a in &reply.attempts {
        out.push(format!(
            "attempt   {} #{} {}: sent {}x, HTTP {}, {} {} {} {}",
            a.kind,
            a.number,
            a.state,
            a.sends,
            a.http_status,
            a.request_id,
            a.stripe_object_id,
            a.error_code,
            a.error_message
        ));
        out.push(format!("          key {}", a.key));
    }
    out.push(String::new());
    for t in &reply.timeline {
        let change =
            if t.to_state.is_empty() { String::new() } else { format!("  {} -> {}", t.from_state, t.to_state) };
        out.push(format!("{}  #{}  {}{change}  {}  by {}", text::moment(t.at_ms), t.seq, t.action, t.reason, t.actor));
    }
    out.push(String::new());
    let currency = p.amount.map(|m| m.currency).unwrap_or_default();
    for i in &reply.items {
        let money = text::right(&text::money_of(i.amount_minor, &currency), 18);
        let released = if i.released { "  released" } else { "" };
        out.push(format!(
            "{}  {} {money}  {}{released}",
            text::moment(i.earned_at_ms),
            text::left(&i.kind, 14),
            i.source_id
        ));
    }
    let shown = i64::try_from(reply.items.len()).unwrap_or(i64::MAX);
    if reply.items_total > shown {
        out.push(format!("{} of {} items", text::count(shown), text::count(reply.items_total)));
    }
    out
}
