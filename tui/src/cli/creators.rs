//! `payout creators` and `payout creator`.
use super::{
    args,
    error::{Error, aside},
    foreign, holds, json,
    session::{DEADLINE, DEADLINE_LONG, Session},
    table::{Align, csv_cell, table},
};
use crate::text;
use payout_proto::v1;
use std::io::Write;

/// Creators that the daemon looks at for one page.
const PAGE_CREATORS: i64 = 500;
/// Rows that people read.
const TEXT_ROWS: i64 = 100;

const CSV_TITLES: &str = "creator_id,account_id,currency,outcome,amount_minor,reason,sentence";

/// Pages until the limit or the end; as JSON and CSV each page is written as it comes.
pub(super) async fn list(session: &Session, args: args::Creators) -> Result<(), Error> {
    let limit = args.limit.unwrap_or(if session.json || args.csv { i64::MAX } else { TEXT_ROWS });
    let client = session.client().await?;
    let mut query = v1::ListCreatorsRequest {
        why_not: args.why_not,
        reason: args.reason,
        limit: PAGE_CREATORS,
        cursor: String::new(),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let (mut text_rows, mut written) = (Vec::new(), 0_i64);
    match (session.json, args.csv) {
        (true, _) => write!(out, "{{\"creators\":[")?,
        (false, true) => writeln!(out, "{CSV_TITLES}")?,
        (false, false) => {}
    }
    let more = 'pages: loop {
        let (mut client, question) = (client.clone(), query.clone());
        let page =
            session.ask("creators", question, DEADLINE_LONG, |q| async move { client.list_creators(q).await }).await?;
        for line in &page.lines {
            if written >= limit {
                break 'pages true;
            }
            match (session.json, args.csv) {
                (true, _) => write!(out, "{}{}", if written > 0 { "," } else { "" }, json::decision(line))?,
                (false, true) => writeln!(out, "{}", csv_line(line))?,
                (false, false) => text_rows.push(text_cells(line)),
            }
            written += 1;
        }
        if page.next_cursor.is_empty() {
            break false;
        }
        query.cursor = page.next_cursor;
    };
    if session.json {
        writeln!(out, "],\"more\":{more}}}")?;
    } else if !args.csv {
        let titles = [
            ("CREATOR", Align::Left),
            ("ACCOUNT", Align::Left),
            ("NOW", Align::Left),
            ("AMOUNT", Align::Right),
            ("WHY", Align::Left),
        ];
        let lines = if text_rows.is_empty() { vec!["no creators".to_owned()] } else { table(&titles, &text_rows) };
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    if more && !session.json {
        aside(&format!("the first {}; more with --limit N\n", text::count(written)));
    }
    Ok(())
}

fn text_cells(line: &v1::DryRunLine) -> Vec<String> {
    let is_payout = line.outcome == "payout";
    vec![
        line.creator_id.clone(),
        line.account_id.clone(),
        if is_payout { line.outcome.clone() } else { line.reason.clone() },
        if is_payout { text::money_of(line.amount_minor, &line.currency) } else { String::new() },
        line.sentence.clone(),
    ]
}

fn csv_line(line: &v1::DryRunLine) -> String {
    let amount = if line.outcome == "payout" { line.amount_minor.to_string() } else { String::new() };
    let cells =
        [&line.creator_id, &line.account_id, &line.currency, &line.outcome, &amount, &line.reason, &line.sentence];
    cells.map(|cell| csv_cell(cell)).join(",")
}

pub(super) async fn show(session: &Session, creator_id: String) -> Result<(), Error> {
    let tried = format!("creator {creator_id}");
    let mut client = session.client().await?;
    let request = v1::ShowCreatorRequest { creator_id };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.show_creator(q).await }).await?;
    session.print(|| json::shown_creator(&reply), || lines(&reply))
}

pub(super) async fn use_account(
    session: &Session,
    creator_id: String,
    account_id: String,
    reason: String,
) -> Result<(), Error> {
    let tried = format!("creator account {creator_id} {account_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::UseAccountRequest { creator_id: creator_id.clone(), account_id: account_id.clone(), reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.use_account(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "creator_id": creator_id, "account_id": account_id, "already": reply.already,
                "on_their_way": reply.on_their_way, "seq": reply.seq,
            })
        },
        || {
            let is =
                if reply.already { "is the current one already" } else { "is the current one from the next send on" };
            let mut out = vec![format!("creator {creator_id}: account {account_id} {is} (#{})", reply.seq)];
            if reply.on_their_way > 0 {
                let n = text::count(reply.on_their_way);
                out.push(format!("{n} on their way from another account already: these finish there"));
            }
            out
        },
    )
}

fn lines(c: &v1::ShowCreatorReply) -> Vec<String> {
    let mut out = vec![format!("creator   {}", c.creator_id)];
    let off = [
        (!c.user_enabled, "switched off on the platform"),
        (!c.settings_enabled, "switched off in the settings"),
        (!c.beta_open, "not in the open beta"),
    ];
    let off: Vec<&str> = off.into_iter().filter_map(|(is_off, words)| is_off.then_some(words)).collect();
    out.push(format!("payouts   {}", if off.is_empty() { "on".to_owned() } else { off.join(", ") }));
    if !c.cohort_why_out.is_empty() {
        out.push(format!("NOT YET   {}", c.cohort_why_out));
    }
    if !c.cohort.is_empty() {
        out.push(format!("cohort    {}", c.cohort));
    }
    if !c.tags.is_empty() {
        out.push(format!("tags      {}", c.tags.join(", ")));
    }
    if !c.minimum_payout_amount.is_empty() {
        out.push(format!("minimum   {} of their own, in the default currency", c.minimum_payout_amount));
    }
    out.extend(c.holds.iter().map(|hold| format!("HELD      {}", holds::line(hold))));
    out.extend(c.accounts.iter().flat_map(account));
    if c.accounts.is_empty() {
        out.push("account   none is known".to_owned());
    }
    out.push(String::new());
    out.extend(purses(&c.purses));
    out.extend(beside(c));
    out.extend(c.purses.iter().filter_map(|purse| purse.decision.as_ref()).map(now));
    out.extend(c.foreign.iter().map(foreign::line));
    if !c.payouts.is_empty() {
        out.push(String::new());
        out.extend(payouts(&c.payouts));
    }
    out
}

fn account(a: &v1::AccountPart) -> Vec<String> {
    let mut words = vec![a.country.clone()];
    if !a.is_current {
        words.push("an older one".to_owned());
    }
    if a.read_at_ms == 0 {
        words.push("never read from Stripe".to_owned());
    } else {
        words.push(if a.payouts_enabled { "payouts enabled".to_owned() } else { "PAYOUTS DISABLED".to_owned() });
        if !a.disabled_reason.is_empty() {
            words.push(a.disabled_reason.clone());
        }
        words.push(format!(
            "schedule {}",
            if a.schedule_interval.is_empty() { "unknown" } else { &a.schedule_interval }
        ));
        let stale = if a.stale { ", known to be old" } else { "" };
        words.push(format!("read {}{stale}", text::moment(a.read_at_ms)));
    }
    let mut out = vec![format!("account   {} ({})", a.account_id, words.join(", "))];
    out.extend(a.banks.iter().map(|b| {
        let changed =
            if b.changed_at_ms > 0 { format!(", changed {}", text::moment(b.changed_at_ms)) } else { String::new() };
        format!("bank      {} for {}: {}{changed}", b.destination_id, b.currency.to_uppercase(), b.status)
    }));
    out
}

fn purses(purses: &[v1::PursePart]) -> Vec<String> {
    if purses.is_empty() {
        return vec!["no earnings".to_owned()];
    }
    let titles = ["CURRENCY", "PAYABLE", "IMMATURE", "RESERVED", "PLANNED", "IN FLIGHT", "PAID", "RETURNING", "DEBT"]
        .map(|title| (title, Align::Right));
    let rows: Vec<Vec<String>> = purses
        .iter()
        .map(|p| {
            let sums = [
                p.free_minor,
                p.immature_minor,
                p.reserved_minor,
                p.planned_minor,
                p.in_flight_minor,
                p.paid_minor,
                p.returning_minor,
                p.debt_minor,
            ];
            let mut row = vec![p.currency.to_uppercase()];
            row.extend(sums.map(|minor| text::money_of(minor, &p.currency)));
            row
        })
        .collect();
    let mut out = table(&titles, &rows);
    for p in purses {
        let money = |minor| text::money_of(minor, &p.currency);
        if p.disputed_minor != 0 {
            out.push(format!("disputed  {} are held back by disputes (subtracted above)", money(p.disputed_minor)));
        }
        if p.estimated_minor != 0 {
            let sum = money(p.estimated_minor);
            out.push(format!(
                "estimate  {sum} of what isn't paid is told by events and not confirmed by Stripe's balance yet"
            ));
        }
    }
    out
}

/// What customers got back at the platform's expense, and what isn't booked yet.
fn beside(c: &v1::ShowCreatorReply) -> Vec<String> {
    let mut out = Vec::new();
    if c.platform_refunds_total > 0 {
        let n = text::count(c.platform_refunds_total);
        out.push(format!("refunds   {n} without a reversal: the platform paid, the creator keeps the sale"));
        out.extend(c.platform_refunds.iter().map(|r| {
            let amount = text::money_of(r.amount_minor, &r.currency);
            format!("          {} {} of {} on {}", r.refund_id, amount, r.charge_id, text::moment(r.at_ms))
        }));
    }
    if c.facts_waiting > 0 {
        let n = text::count(c.facts_waiting);
        out.push(format!("waiting   {n} of what Stripe told: for a sale, an account or a confirmation"));
    }
    if c.facts_before > 0 {
        let n = text::count(c.facts_before);
        out.push(format!(
            "before    {n} of what Stripe told: of sales from before this database, earned by a file or not at all"
        ));
    }
    out
}

fn now(line: &v1::DryRunLine) -> String {
    let currency = line.currency.to_uppercase();
    if line.outcome == "payout" {
        format!("now       {currency}: would be paid {}", text::money_of(line.amount_minor, &line.currency))
    } else {
        format!("now       {currency}: {} ({})", line.sentence, line.reason)
    }
}

fn payouts(rows: &[v1::PayoutRow]) -> Vec<String> {
    let titles = [
        ("CREATED", Align::Left),
        ("RUN", Align::Left),
        ("STATE", Align::Left),
        ("PAYOUT", Align::Left),
        ("AMOUNT", Align::Right),
        ("CAUSE", Align::Left),
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                text::moment(row.created_at_ms),
                row.run_label.clone(),
                row.state.clone(),
                row.id.clone(),
                row.amount.as_ref().map(text::money).unwrap_or_default(),
                row.cause.clone(),
            ]
        })
        .collect();
    table(&titles, &rows)
}
