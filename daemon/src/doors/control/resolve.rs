//! Resolving an unknown payout by hand: a person names its Stripe object, the daemon looks at it and believes its own eyes.
use super::{ControlDoor, words};
use crate::store::types::{By, Claimed};
use payout_proto::v1;
use payout_shared::{
    answer::Asked,
    attempt::AttemptKind,
    claim::{Claim, claim},
    id::{ObjectId, PayoutId},
    payout::PayoutState,
};
use tonic::Status;

pub(super) async fn paid(
    door: &ControlDoor,
    by: &By,
    request: v1::ResolvePaidRequest,
) -> Result<v1::ResolvePaidReply, Status> {
    let (payout, object) = (PayoutId::new(request.payout_id.trim()), ObjectId::new(request.object_id.trim()));
    if payout.as_str().is_empty() || object.as_str().is_empty() {
        return Err(Status::invalid_argument("a payout and a Stripe payout (po_…) are needed"));
    }
    let store = &door.desk.store;
    let shown = store.show_payout(&payout).await.map_err(|error| words::status(&error))?;
    let newest = shown.attempts.iter().rfind(|attempt| attempt.kind == AttemptKind::Create);
    let Some(newest) = newest.filter(|_| shown.row.state == PayoutState::Unknown) else {
        let state = shown.row.state.as_str().replace('_', " ");
        return Err(Status::failed_precondition(format!(
            "payout {payout} is {state}: only an unknown one is resolved by hand"
        )));
    };
    let known =
        store.known_attempts(std::slice::from_ref(&newest.key), &[]).await.map_err(|error| words::status(&error))?;
    let Some(known) = known.into_iter().next() else {
        return Err(Status::data_loss(format!("payout {payout} has no attempt {}", newest.key)));
    };
    let asked = Asked {
        key: known.key,
        account: known.account,
        amount_minor: known.amount.minor,
        currency: known.amount.currency,
        mode: store.mode(),
        destination: known.destination,
    };
    let seen = door.look.payout(asked.account.clone(), object).await.map_err(Status::failed_precondition)?;
    let claim = claim(&asked, newest.first_sent_stripe_ms.unwrap_or(0), &seen)
        .map_err(|why| Status::failed_precondition(format!("{why}: payout {payout} stays unknown")))?;
    let how = match claim {
        Claim::ByKey(_) => "by its key",
        Claim::ByAmount(_) => "by its amount and bank account",
    };
    let (id, status) = (seen.id.to_string(), claim.status().as_str());
    let claimed = Claimed { key: asked.key, object: seen, how: how.to_owned() };
    let seq = store.record_claim(&payout, &claimed, by).await.map_err(|error| words::status(&error))?;
    door.recorded();
    tracing::info!(%payout, object = id, %by, status, "payout {payout} is resolved {how}");
    Ok(v1::ResolvePaidReply { state: status.to_owned(), how: how.to_owned(), seq })
}
