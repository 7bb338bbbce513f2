//! `payout hold` and `payout release`.
use super::{
    error::Error,
    json,
    session::{DEADLINE, Session},
};
use crate::text;
use payout_proto::v1;

pub(super) async fn hold(session: &Session, creator_id: String, reason: String) -> Result<(), Error> {
    let tried = format!("hold of {creator_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::HoldRequest { creator_id: creator_id.clone(), reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.hold(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "creator_id": creator_id, "hold": reply.hold.as_ref().map(json::hold), "seq": reply.seq,
                "on_their_way": reply.on_their_way,
            })
        },
        || {
            let mut out = vec![format!("creator {creator_id}: held from the next send on (#{})", reply.seq)];
            if reply.on_their_way > 0 {
                let n = text::count(reply.on_their_way);
                out.push(format!("{n} on their way to Stripe or the bank already: a hold doesn't stop these"));
            }
            out
        },
    )
}

pub(super) async fn release(session: &Session, creator_id: String, reason: String, cause: String) -> Result<(), Error> {
    let tried = format!("release of {creator_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::ReleaseRequest { creator_id: creator_id.clone(), reason, cause };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.release(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "creator_id": creator_id, "released": reply.released.iter().map(json::hold).collect::<Vec<_>>(),
                "left": reply.left.iter().map(json::hold).collect::<Vec<_>>(), "seq": reply.seq,
            })
        },
        || {
            let mut out: Vec<String> = reply.released.iter().map(|hold| format!("released  {}", line(hold))).collect();
            out.extend(reply.left.iter().map(|hold| format!("STILL HELD  {}", line(hold))));
            if reply.left.is_empty() {
                out.push(format!("creator {creator_id}: not held any more (#{})", reply.seq));
            }
            out
        },
    )
}

/// A hold in one line.
pub(super) fn line(hold: &v1::HoldPart) -> String {
    format!("{}: {}, by {} at {}", hold.cause, hold.reason, hold.placed_by, text::moment(hold.placed_at_ms))
}
