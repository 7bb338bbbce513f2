//! `payout status`: daemon, schedule, current run.
use super::{
    error::Error,
    json, run,
    session::{DEADLINE, Session},
};
use crate::text;
use payout_proto::v1;

pub(super) async fn show(session: &Session) -> Result<(), Error> {
    let mut client = session.client().await?;
    let reply =
        session.ask("status", v1::GetStatusRequest {}, DEADLINE, |q| async move { client.get_status(q).await }).await?;
    session.print(
        || {
            let daemon = reply.daemon.as_ref().map(json::daemon);
            serde_json::json!({"daemon": daemon, "run": reply.run.as_ref().map(json::run), "states": json::states(&reply.states)})
        },
        || lines(&reply),
    )
}

fn lines(reply: &v1::GetStatusReply) -> Vec<String> {
    let d = reply.daemon.clone().unwrap_or_default();
    let lease = if d.leader { "holds the lease" } else { "stands by" };
    let mut out = vec![
        format!(
            "daemon    payoutd {} on {}, {} mode, {}, {lease}",
            d.version,
            d.hostname,
            d.mode.to_uppercase(),
            d.database
        ),
        format!("you       {}{}", d.you, if d.role.is_empty() { String::new() } else { format!(", {}", d.role) }),
        match (d.paused, d.pausing) {
            (_, true) => format!("paused    PAUSING everything, by {}: {}", d.paused_by, d.pause_reason),
            (true, false) => format!("paused    EVERYTHING IS PAUSED by {}: {}", d.paused_by, d.pause_reason),
            (false, false) if d.kept_back => {
                "paused    no, but KEPT BACK: these books are a backup and haven't caught up".to_owned()
            }
            (false, false) => "paused    no".to_owned(),
        },
        match (d.armed, text::parse_moment(&d.next_run_at)) {
            (true, Some(ms)) => {
                format!("schedule  armed, next run {} (cycle {}, {})", text::moment(ms), d.next_cycle_date, d.timezone)
            }
            (true, None) => format!("schedule  armed, next run {}", d.next_run_at),
            (false, _) => "schedule  NOT ARMED: no run starts by itself".to_owned(),
        },
        match d.last_webhook_ms {
            ms if ms > 0 => format!("webhooks  newest {}, {} waiting", text::moment(ms), text::count(d.inbox_backlog)),
            _ => format!("webhooks  none yet, {} waiting", text::count(d.inbox_backlog)),
        },
    ];
    out.extend(d.sweeps.iter().map(swept));
    if d.cohorts > 0 {
        out.push(format!(
            "rollout   {} of {} cohorts open: only their creators are paid",
            text::count(d.cohorts_open),
            text::count(d.cohorts)
        ));
    }
    if d.drifting > 0 {
        let n = text::count(d.drifting);
        out.push(format!("drift     {n} purses hold more or less at Stripe than the books say, beyond the tolerance"));
    }
    if d.open_requests > 0 {
        out.push(format!("people    {} waiting for a yes or a no: payout requests", text::count(d.open_requests)));
    }
    if d.degraded.is_empty() {
        out.push("trouble   none".to_owned());
    }
    out.extend(d.degraded.iter().map(|sentence| format!("TROUBLE   {sentence}")));
    match &reply.run {
        None => out.push("run       none yet".to_owned()),
        Some(run) => {
            out.push(String::new());
            out.extend(run::summary(run, &reply.states));
        }
    }
    out
}

/// How far something was asked of Stripe again, in case a webhook was lost.
fn swept(sweep: &v1::SweepPart) -> String {
    let last = match (sweep.swept_ms, sweep.ended_at_ms) {
        (0, _) => "not swept yet".to_owned(),
        (to, ended) => format!("swept {}, up to {}", text::moment(ended), text::moment(to)),
    };
    let (what, last) = match sweep.kind.as_str() {
        "payouts" if sweep.swept_ms == 0 => ("payouts", "looked at when no webhook tells of them".to_owned()),
        "payouts" => ("payouts", last),
        _ => ("earnings", last),
    };
    let awaited = match sweep.awaited {
        0 => String::new(),
        n => format!(", {} to look at", text::count(n)),
    };
    let wanted = match sweep.wanted_from_ms {
        0 => String::new(),
        from => format!(", ALL WANTED from {} on", text::moment(from)),
    };
    let under_way = if sweep.under_way { ", under way" } else { "" };
    format!("{what:<9} {last}{awaited}{under_way}{wanted}")
}
