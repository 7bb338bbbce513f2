//! Trying failed payouts again, as somebody asks for it: a set of them that is frozen by when each last changed.
use super::{ControlDoor, words};
use crate::store::types::{By, RetryAsk};
use payout_proto::v1;
use payout_shared::id::PayoutId;
use std::collections::BTreeSet;
use tonic::Status;

/// Payouts named in one request at most.
const PAYOUTS_MAX: usize = 10_000;

pub(super) async fn retry(door: &ControlDoor, by: &By, request: v1::RetryRequest) -> Result<v1::RetryReply, Status> {
    let reason = words::optional_reason(&request.reason)?;
    if request.targets.is_empty() {
        return Err(Status::invalid_argument("no payout is named"));
    }
    if request.targets.len() > PAYOUTS_MAX {
        return Err(Status::invalid_argument(format!("at most {PAYOUTS_MAX} payouts can be tried again at once")));
    }
    let mut named = BTreeSet::new();
    let mut payouts = Vec::with_capacity(request.targets.len());
    for target in request.targets {
        let id = target.payout_id.trim().to_owned();
        if id.is_empty() || id.contains('\0') {
            return Err(Status::invalid_argument("a payout's id is empty or no text"));
        }
        if named.insert(id.clone()) {
            payouts.push((PayoutId::new(id), Some(target.changed_at_ms).filter(|at_ms| *at_ms > 0)));
        }
    }
    let context = door.desk.store.plan_context().await.map_err(|error| words::status(&error))?;
    let ask = RetryAsk { payouts: &payouts, context: &context, by, reason: reason.as_deref(), by_itself: false };
    let done = door.desk.store.retry(None, &ask).await.map_err(|error| words::status(&error))?;
    let retried = done.iter().filter(|one| one.refused.is_none()).count();
    if retried > 0 {
        door.recorded();
        tracing::info!(%by, retried, refused = done.len() - retried, "payouts are tried again");
    }
    let rows = done.into_iter().map(|one| v1::RetriedRow {
        payout_id: one.payout_id.to_string(),
        amount: one.amount.map(|amount| v1::Money { minor: amount.minor, currency: amount.currency.to_string() }),
        refused: one.refused.map_or_else(String::new, |why| why.why().to_owned()),
    });
    Ok(v1::RetryReply { rows: rows.collect(), retried: i64::try_from(retried).unwrap_or(i64::MAX) })
}
