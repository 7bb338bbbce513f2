//! `payout pause` and `payout resume`.
use super::{
    args,
    error::Error,
    session::{DEADLINE, Session},
};
use payout_proto::v1;

fn name(run: &str) -> String {
    if run.is_empty() { "everything".to_owned() } else { format!("run {run}") }
}

pub(super) async fn pause(session: &Session, stop: args::Stop) -> Result<(), Error> {
    let what = name(&stop.run);
    let tried = format!("pause of {what}");
    let mut client = session.acting(&tried).await?;
    let request = v1::PauseRequest { run: stop.run, reason: stop.reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.pause(q).await }).await?;
    session.print(
        || serde_json::json!({"state": reply.state, "in_flight": reply.in_flight, "seq": reply.seq}),
        || match reply.state.as_str() {
            "pausing" => vec![format!("{what}: pausing, {} in flight are awaited (#{})", reply.in_flight, reply.seq)],
            state => vec![format!("{what}: {state} (#{})", reply.seq)],
        },
    )
}

pub(super) async fn resume(session: &Session, stop: args::Stop) -> Result<(), Error> {
    let what = name(&stop.run);
    let tried = format!("resume of {what}");
    let mut client = session.acting(&tried).await?;
    let request = v1::ResumeRequest { run: stop.run, reason: stop.reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.resume(q).await }).await?;
    session.print(
        || serde_json::json!({"state": reply.state, "seq": reply.seq}),
        || vec![format!("{what}: {} (#{})", reply.state, reply.seq)],
    )
}
