//! `payout run start|list|show`.
use super::{
    error::Error,
    json,
    session::{DEADLINE, DEADLINE_LONG, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;
use std::io::Write;
use tonic::Request;

pub(super) async fn start(session: &Session, request: v1::StartRunRequest) -> Result<(), Error> {
    let mut client = session.acting("run start").await?;
    let reply = session.ask("run start", request, DEADLINE, |q| async move { client.start_run(q).await }).await?;
    session.print(
        || serde_json::json!({"run_id": reply.run_id, "label": reply.label}),
        || {
            vec![format!(
                "run {} ({}) is asked for; follow it: payout run watch {}",
                reply.label,
                reply.run_id,
                text::shell_word(&reply.label)
            )]
        },
    )
}

/// What a run would pay; lines as they come, so that a million of them need no memory.
pub(super) async fn dry_run(session: &Session, request: v1::DryRunRequest) -> Result<(), Error> {
    let place = session.way.to_string();
    let mut client = session.client().await?;
    let mut question = Request::new(request);
    question.set_timeout(DEADLINE_LONG);
    let failed = |status: tonic::Status| Error::of("run start --dry-run", &place, &status);
    let mut lines = client.dry_run(question).await.map_err(failed)?.into_inner();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut total = None;
    let mut is_first = true;
    if session.json {
        write!(out, "{{\"lines\":[")?;
    }
    while let Some(line) = lines.message().await.map_err(failed)? {
        if line.total.is_some() {
            total = line.total;
            continue;
        }
        if session.json {
            write!(out, "{}{}", if is_first { "" } else { "," }, dry_json(&line))?;
        } else {
            writeln!(out, "{}", text::clean(&dry_line(&line)).trim_end())?;
        }
        is_first = false;
    }
    // Without its totals the list was cut short, and must not look whole.
    let Some(total) = total else {
        return Err(Error::failed("run start --dry-run: the daemon ended the list before its totals"));
    };
    if session.json {
        writeln!(out, "],\"total\":{}}}", total_json(&total))?;
    } else {
        let sums: Vec<String> = total.amounts.iter().map(text::money).collect();
        let skips: Vec<String> = total.skips.iter().map(|s| format!("{} {}", text::count(s.count), s.reason)).collect();
        writeln!(out, "\n{} payouts: {}", text::count(total.payouts), sums.join(", "))?;
        writeln!(out, "{} skipped: {}", text::count(total.skipped), text::clean(&skips.join(", ")))?;
        writeln!(
            out,
            "about {} at the configured rate; nothing was written",
            text::span(total.estimated_seconds.saturating_mul(1000))
        )?;
    }
    out.flush()?;
    Ok(())
}

fn dry_line(line: &v1::DryRunLine) -> String {
    let amount = text::right(&text::money_of(line.amount_minor, &line.currency), 18);
    let why = if line.sentence.is_empty() { &line.reason } else { &line.sentence };
    format!("{} {amount}  {}  {}  {why}", text::left(&line.outcome, 7), line.creator_id, line.account_id)
}

fn dry_json(line: &v1::DryRunLine) -> serde_json::Value {
    serde_json::json!({
        "creator_id": line.creator_id, "account_id": line.account_id, "outcome": line.outcome,
        "amount": json::money(line.amount_minor, &line.currency), "carry": json::money(line.carry_minor, &line.currency),
        "reason": line.reason, "sentence": line.sentence,
    })
}

fn total_json(total: &v1::DryRunTotal) -> serde_json::Value {
    let amounts: Vec<_> = total.amounts.iter().map(|m| json::money(m.minor, &m.currency)).collect();
    serde_json::json!({
        "payouts": total.payouts, "skipped": total.skipped, "amounts": amounts, "skips": json::skips(&total.skips),
        "estimated_seconds": total.estimated_seconds,
    })
}

pub(super) async fn list(session: &Session, limit: i64) -> Result<(), Error> {
    let mut client = session.client().await?;
    let reply = session
        .ask("run list", v1::ListRunsRequest { limit }, DEADLINE, |q| async move { client.list_runs(q).await })
        .await?;
    session.print(
        || serde_json::json!({"runs": reply.runs.iter().map(json::run).collect::<Vec<_>>()}),
        || {
            let titles = [
                ("RUN", Align::Left),
                ("STATE", Align::Left),
                ("KIND", Align::Left),
                ("STARTED", Align::Left),
                ("ANSWERED", Align::Right),
                ("PAYOUTS", Align::Right),
                ("SKIPPED", Align::Right),
                ("SENT", Align::Left),
            ];
            let rows: Vec<Vec<String>> = reply
                .runs
                .iter()
                .map(|r| {
                    let sent: Vec<String> = r.money.iter().map(|m| text::money_of(m.sent_minor, &m.currency)).collect();
                    vec![
                        r.label.clone(),
                        r.state.clone(),
                        r.kind.clone(),
                        text::moment(r.started_at_ms),
                        text::count(r.answered),
                        text::count(r.payouts),
                        text::count(r.skipped),
                        sent.join(", "),
                    ]
                })
                .collect();
            if rows.is_empty() { vec!["no runs yet".to_owned()] } else { table(&titles, &rows) }
        },
    )
}

pub(super) async fn show(session: &Session, run: String) -> Result<(), Error> {
    let mut client = session.client().await?;
    let tried = format!("run show {run}");
    let reply =
        session.ask(&tried, v1::ShowRunRequest { run }, DEADLINE, |q| async move { client.show_run(q).await }).await?;
    let run = reply.run.clone().ok_or_else(|| Error::failed(format!("{tried}: the daemon's answer has no run")))?;
    session.print(
        || {
            serde_json::json!({
                "run": json::run(&run), "states": json::states(&reply.states), "skips": json::skips(&reply.skips),
                "causes": reply.causes.iter().map(json::cause).collect::<Vec<_>>(),
                "rollback": reply.rollback.as_ref().map(super::rollback::part_json),
            })
        },
        || {
            let mut out = summary(&run, &reply.states);
            if !reply.skips.is_empty() {
                let skips: Vec<String> =
                    reply.skips.iter().map(|s| format!("{} {}", text::count(s.count), s.reason)).collect();
                out.push(format!("skipped   {}", skips.join(", ")));
            }
            if let Some(rollback) = &reply.rollback {
                out.push(format!("rollback  {}", super::rollback::part_line(rollback)));
            }
            if !reply.causes.is_empty() {
                out.push(String::new());
                out.extend(causes(&reply.causes));
            }
            out
        },
    )
}

/// A run in a few lines.
pub(super) fn summary(run: &v1::RunPart, states: &[v1::StateCount]) -> Vec<String> {
    let by = if run.requested_by.is_empty() { String::new() } else { format!(", by {}", run.requested_by) };
    let mut out = vec![
        format!("run       {} {} ({}, {}{by})", run.label, run.state.to_uppercase(), run.id, run.kind),
        format!("time      started {}, ended {}", text::moment(run.started_at_ms), text::moment(run.finished_at_ms)),
        format!(
            "payouts   {} of {} answered ({}), {} in flight, {} purses skipped",
            text::count(run.answered),
            text::count(run.payouts),
            text::percent(text::share_bp(run.answered, run.payouts)),
            text::count(run.in_flight),
            text::count(run.skipped)
        ),
    ];
    if run.reads > 0 {
        let over = if run.reads > run.reads_budget { ": OVER BUDGET" } else { "" };
        let (reads, budget) = (text::count(run.reads), text::count(run.reads_budget));
        out.push(format!("reads     {reads} of a budget of {budget} asked of Stripe{over}"));
    }
    if run.reversals_to_approve > 0 {
        let n = text::count(run.reversals_to_approve);
        out.push(format!(
            "people    {n} paid payouts wait for a second person before they are reversed: payout requests"
        ));
    }
    if run.stripe_short > 0 {
        let n = text::count(run.stripe_short);
        out.push(format!("short     {n} purses skipped: Stripe holds less than is payable"));
    }
    if run.eta_ms > 0 {
        out.push(format!("eta       {}", text::moment(run.eta_ms)));
    }
    if !run.reason.is_empty() {
        out.push(format!("reason    {}", run.reason));
    }
    if matches!(run.state.as_str(), "paused" | "pausing") {
        out.push(format!("paused    by {}: {}", run.paused_by, run.pause_reason));
    }
    let counts: Vec<String> =
        states.iter().filter(|s| s.count > 0).map(|s| format!("{} {}", s.state, text::count(s.count))).collect();
    if !counts.is_empty() {
        out.push(format!("states    {}", counts.join(", ")));
    }
    for m in &run.money {
        let (sent, total) = (text::money_of(m.sent_minor, &m.currency), text::money_of(m.total_minor, &m.currency));
        out.push(format!("money     {sent} of {total}"));
    }
    out
}

fn causes(causes: &[v1::Cause]) -> Vec<String> {
    let titles = [
        ("CAUSE", Align::Left),
        ("STATE", Align::Left),
        ("N", Align::Right),
        ("AMOUNT", Align::Right),
        ("WHAT NEXT", Align::Left),
    ];
    let rows: Vec<Vec<String>> = causes
        .iter()
        .map(|c| {
            let amounts: Vec<String> = c.amounts.iter().map(text::money).collect();
            vec![c.cause.clone(), c.state.clone(), text::count(c.count), amounts.join(", "), c.what_next.clone()]
        })
        .collect();
    table(&titles, &rows)
}
