//! `payout resolve`: what is settled by hand, after the daemon has looked at Stripe.
use super::{
    error::Error,
    session::{DEADLINE, Session},
};
use payout_proto::v1;

pub(super) async fn resolve_paid(session: &Session, payout_id: String, object_id: String) -> Result<(), Error> {
    let tried = format!("resolve {payout_id} --paid {object_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::ResolvePaidRequest { payout_id: payout_id.clone(), object_id: object_id.clone() };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.resolve_paid(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "payout_id": payout_id, "object_id": object_id, "state": reply.state, "how": reply.how, "seq": reply.seq,
            })
        },
        || vec![format!("payout {payout_id} is {object_id}, told {}: {} (#{})", reply.how, reply.state, reply.seq)],
    )
}
