//! `payout rollback` and `payout run abort`.
use super::{
    args,
    error::Error,
    json,
    session::{DEADLINE, DEADLINE_LONG, Session},
};
use crate::text;
use payout_proto::v1;
use std::io::Write;
use tonic::Request;

pub(super) async fn rollback(session: &Session, args: args::Rollback) -> Result<(), Error> {
    match args.confirm {
        Some(hash) => confirm(session, args.run, hash, args.reason.unwrap_or_default()).await,
        None => preview(session, args.run).await,
    }
}

/// What a rollback would do, row by row as they come, then the sums and the hash to confirm.
async fn preview(session: &Session, run: String) -> Result<(), Error> {
    let tried = format!("rollback {run} --preview");
    let place = session.way.to_string();
    let mut client = session.client().await?;
    let mut question = Request::new(v1::PreviewRollbackRequest { run: run.clone() });
    question.set_timeout(DEADLINE_LONG);
    let failed = |status: tonic::Status| Error::of(&tried, &place, &status);
    let mut lines = client.preview_rollback(question).await.map_err(failed)?.into_inner();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let (mut total, mut is_first) = (None, true);
    if session.json {
        write!(out, "{{\"rows\":[")?;
    }
    while let Some(line) = lines.message().await.map_err(failed)? {
        if line.total.is_some() {
            total = line.total;
            continue;
        }
        if session.json {
            write!(out, "{}{}", if is_first { "" } else { "," }, row_json(&line))?;
        } else {
            writeln!(out, "{}", text::clean(&row_line(&line)).trim_end())?;
        }
        is_first = false;
    }
    // Without its totals the list was cut short, and must not look whole.
    let Some(total) = total else {
        return Err(Error::failed(format!("{tried}: the daemon ended the list before its totals")));
    };
    if session.json {
        writeln!(out, "],\"total\":{}}}", total_json(&total))?;
    } else {
        writeln!(out)?;
        for step in &total.steps {
            let sums: Vec<String> = step.amounts.iter().map(text::money).collect();
            writeln!(
                out,
                "{} {}  {}",
                text::left(&step.step, 10),
                text::right(&text::count(step.count), 9),
                sums.join(", ")
            )?;
        }
        writeln!(out, "nothing was written; to do exactly this:")?;
        writeln!(out, "  payout rollback {} --confirm {} --reason ..", text::shell_word(&run), total.hash)?;
    }
    out.flush()?;
    Ok(())
}

fn row_line(line: &v1::RollbackLine) -> String {
    let amount = line.amount.as_ref().map(text::money).unwrap_or_default();
    let step = text::left(&line.step, 10);
    format!("{step} {} {}  {}  {}  {}", text::right(&amount, 18), line.payout_id, line.creator_id, line.state, line.why)
}

fn row_json(line: &v1::RollbackLine) -> serde_json::Value {
    serde_json::json!({
        "payout_id": line.payout_id, "creator_id": line.creator_id, "state": line.state, "step": line.step, "why": line.why,
        "amount": line.amount.as_ref().map(|of| json::money(of.minor, &of.currency)),
    })
}

fn total_json(total: &v1::RollbackTotal) -> serde_json::Value {
    let step = |step: &v1::RollbackStep| {
        let amounts: Vec<_> = step.amounts.iter().map(|of| json::money(of.minor, &of.currency)).collect();
        serde_json::json!({"step": step.step, "count": step.count, "amounts": amounts})
    };
    serde_json::json!({"hash": total.hash, "to_do": total.to_do, "steps": total.steps.iter().map(step).collect::<Vec<_>>()})
}

async fn confirm(session: &Session, run: String, hash: String, reason: String) -> Result<(), Error> {
    let tried = format!("rollback of run {run}");
    let mut client = session.acting(&tried).await?;
    let request = v1::ConfirmRollbackRequest { run: run.clone(), hash, reason };
    let reply =
        session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.confirm_rollback(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "run": run, "state": reply.state, "to_do": reply.to_do, "to_approve": reply.to_approve, "seq": reply.seq,
            })
        },
        || {
            let mut out = vec![format!("run {run}: {}, {} to take back (#{})", reply.state, text::count(reply.to_do), reply.seq)];
            if reply.to_approve > 0 {
                let n = text::count(reply.to_approve);
                out.push(format!("{n} of them are paid: each is reversed only once a second person has approved it: payout requests"));
            }
            out.push(format!("how far it is: payout run show {}", text::shell_word(&run)));
            out
        },
    )
}

pub(super) async fn abort(session: &Session, run: String, reason: String) -> Result<(), Error> {
    let tried = format!("abort of run {run}");
    let mut client = session.acting(&tried).await?;
    let request = v1::AbortRunRequest { run: run.clone(), reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.abort_run(q).await }).await?;
    session.print(
        || serde_json::json!({"run": run, "state": reply.state, "seq": reply.seq}),
        || {
            vec![
                format!("run {run}: {} (#{})", reply.state, reply.seq),
                format!("what Stripe has goes on; to cancel that as well: payout rollback {}", text::shell_word(&run)),
            ]
        },
    )
}

/// How far a confirmed rollback is.
pub(super) fn part_json(part: &v1::RollbackPart) -> serde_json::Value {
    serde_json::json!({
        "hash": part.hash, "reason": part.reason, "asked_by": part.asked_by, "asked_at": text::rfc3339(part.asked_at_ms),
        "left": part.left, "refused": part.refused, "to_approve": part.to_approve,
    })
}

pub(super) fn part_line(part: &v1::RollbackPart) -> String {
    let left = text::count(part.left);
    let mut out = format!("{left} left; by {} at {}: {}", part.asked_by, text::moment(part.asked_at_ms), part.reason);
    if part.refused > 0 {
        out.push_str(&format!("; Stripe refused to cancel {}", text::count(part.refused)));
    }
    if part.to_approve > 0 {
        out.push_str(&format!("; {} reversals wait for a second person", text::count(part.to_approve)));
    }
    out
}
