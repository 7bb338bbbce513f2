//! Adopting a payout that somebody made at Stripe past us: a person names it, the daemon looks at it and takes in what it sees.
use super::{ControlDoor, words};
use crate::{
    desk::rows,
    store::types::{AdoptAsk, By},
};
use payout_proto::v1;
use payout_shared::{
    answer::PayoutObject,
    id::{AccountId, CreatorId, ObjectId},
};
use tonic::Status;

/// Rows of one answer.
const ROWS_DEFAULT: i64 = 100;
const ROWS_MAX: i64 = 10_000;

pub(super) async fn adopt(door: &ControlDoor, by: &By, request: v1::AdoptRequest) -> Result<v1::AdoptReply, Status> {
    let (object, creator) = (ObjectId::new(request.object_id.trim()), CreatorId::new(request.creator_id.trim()));
    if object.as_str().is_empty() || creator.as_str().is_empty() {
        return Err(Status::invalid_argument(
            "a Stripe payout (po_…) and the creator whose account it lies on are needed",
        ));
    }
    let reason = words::reason(&request.reason, "adopt a payout")?;
    let store = &door.desk.store;
    let context = store.plan_context().await.map_err(|error| words::status(&error))?;
    let seen = look(door, &object, &creator).await?;
    let ask = AdoptAsk { object: &seen, creator: &creator, context: &context, by, reason: &reason };
    let done = store.adopt(&ask).await.map_err(|error| words::status(&error))?;
    if !done.already {
        door.recorded();
        tracing::info!(%object, %creator, %by, amount = %done.amount, "a payout made past us was adopted");
    }
    Ok(v1::AdoptReply {
        account_id: seen.account.to_string(),
        amount: Some(done.amount.into()),
        entries: done.entries,
        payable_minor: done.payable_minor,
        carried_minor: done.carried_minor,
        voided_payout_id: done.voided.map_or_else(String::new, |payout| payout.to_string()),
        already: done.already,
        seq: done.seq,
    })
}

/// The object as Stripe shows it now, on whichever account of the creator it lies: the one it is known of first.
async fn look(door: &ControlDoor, object: &ObjectId, creator: &CreatorId) -> Result<PayoutObject, Status> {
    let store = &door.desk.store;
    let status = |error| words::status(&error);
    let known = store.foreign_payouts(Some(creator), false, ROWS_MAX).await.map_err(status)?;
    let known = known.into_iter().find(|row| row.object == *object).map(|row| row.account);
    let accounts: Vec<AccountId> = match known {
        Some(account) => vec![account],
        None => store.accounts_of(creator).await.map_err(status)?.into_iter().map(|row| row.account).collect(),
    };
    let mut why = Vec::new();
    for account in accounts {
        match door.look.payout(account, object.clone()).await {
            Ok(seen) => return Ok(seen),
            Err(error) => why.push(error),
        }
    }
    if why.is_empty() {
        return Err(Status::not_found(format!(
            "creator {creator} has no account that is known: {object} can't be looked for"
        )));
    }
    Err(Status::failed_precondition(format!("{object} was not seen on an account of {creator}: {}", why.join("; "))))
}

/// Payouts that none of ours explains.
pub(super) async fn list(door: &ControlDoor, request: &v1::ListForeignRequest) -> Result<v1::ListForeignReply, Status> {
    let limit = if request.limit <= 0 { ROWS_DEFAULT } else { request.limit.min(ROWS_MAX) };
    let creator = Some(request.creator_id.trim()).filter(|id| !id.is_empty()).map(CreatorId::new);
    let store = &door.desk.store;
    let found = store.foreign_payouts(creator.as_ref(), !request.all, limit.saturating_add(1)).await;
    let mut rows: Vec<_> = found.map_err(|error| words::status(&error))?.into_iter().map(rows::foreign).collect();
    let more = i64::try_from(rows.len()).is_ok_and(|found| found > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(v1::ListForeignReply { rows, more })
}
