//! `payout schedule [next N | arm | disarm]`.
use super::{
    args,
    error::Error,
    json,
    session::{DEADLINE, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;

/// Cycles shown when no number is given.
const CYCLES: i64 = 6;

pub(super) async fn show(session: &Session, count: i64) -> Result<(), Error> {
    let mut client = session.client().await?;
    let request = v1::GetScheduleRequest { count };
    let reply = session.ask("schedule", request, DEADLINE, |q| async move { client.get_schedule(q).await }).await?;
    print(session, &reply)
}

pub(super) async fn set(session: &Session, armed: bool, reason: String) -> Result<(), Error> {
    let tried = if armed { "schedule arm" } else { "schedule disarm" };
    let mut client = session.acting(tried).await?;
    let request = v1::SetScheduleRequest { armed, reason };
    let reply = session.ask(tried, request, DEADLINE, |q| async move { client.set_schedule(q).await }).await?;
    print(session, &reply)
}

pub(super) async fn run(session: &Session, command: Option<args::Schedule>) -> Result<(), Error> {
    match command {
        None => show(session, CYCLES).await,
        Some(args::Schedule::Next { n }) => show(session, n).await,
        Some(args::Schedule::Arm(args::Reason { reason })) => set(session, true, reason).await,
        Some(args::Schedule::Disarm(args::Reason { reason })) => set(session, false, reason).await,
    }
}

fn print(session: &Session, reply: &v1::GetScheduleReply) -> Result<(), Error> {
    session.print(
        || json::schedule(reply),
        || {
            let mut out = vec![if reply.armed {
                format!("armed since {}; dates are of {}", text::moment(reply.armed_at_ms), reply.timezone)
            } else {
                format!("NOT ARMED: no run starts by itself; dates are of {}", reply.timezone)
            }];
            let rows: Vec<Vec<String>> = reply
                .next
                .iter()
                .map(|c| vec![c.cycle_date.clone(), text::moment(c.instant_ms), text::moment(c.cutoff_ms)])
                .collect();
            out.extend(table(
                &[("CYCLE", Align::Left), ("STARTS", Align::Left), ("EARNED BEFORE", Align::Left)],
                &rows,
            ));
            out
        },
    )
}
