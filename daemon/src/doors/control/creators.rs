//! Creators: who would be paid and why not, one of them whole, and holds by people.
use super::{ControlDoor, words};
use crate::{
    desk::creators::{Wanted, hold as part},
    store::{
        StoreError,
        door_types::{HoldRow, PayoutFilter, PayoutPageRequest},
        types::By,
    },
};
use payout_proto::v1;
use payout_shared::{
    id::{AccountId, CreatorId},
    payout::PayoutState,
    plan::SkipReason,
};
use tonic::Status;

/// The cause of a hold that a person placed. Rules have words of their own.
const PERSON: &str = "person";
const CREATORS_DEFAULT: i64 = 200;
const CREATORS_MAX: i64 = 1_000;

fn creator(id: &str) -> Result<CreatorId, Status> {
    match id.trim() {
        "" => Err(Status::invalid_argument("a creator's id is needed")),
        id => Ok(CreatorId::new(id)),
    }
}

/// A page of creators with what the plan would decide of each purse.
pub(super) async fn list(
    door: &ControlDoor,
    request: v1::ListCreatorsRequest,
) -> Result<v1::ListCreatorsReply, Status> {
    let reason = match request.reason.trim() {
        "" => None,
        word => Some(SkipReason::parse(word).ok_or_else(|| {
            let known: Vec<&str> = SkipReason::ALL.into_iter().map(SkipReason::as_str).collect();
            Status::invalid_argument(format!("{word:?} is no reason to pay nothing; there are {}", known.join(", ")))
        })?),
    };
    let limit = if request.limit <= 0 { CREATORS_DEFAULT } else { request.limit.min(CREATORS_MAX) };
    let wanted = Wanted { why_not: request.why_not, reason };
    let (lines, next) =
        door.desk.creators(wanted, &request.cursor, limit).await.map_err(|error| words::status(&error))?;
    Ok(v1::ListCreatorsReply { lines, next_cursor: next.unwrap_or_default() })
}

/// One creator whole.
pub(super) async fn show(door: &ControlDoor, id: &str) -> Result<v1::ShowCreatorReply, Status> {
    door.desk.creator(&creator(id)?).await.map_err(|error| words::status(&error))
}

/// Says which of a creator's accounts is paid.
pub(super) async fn use_account(
    door: &ControlDoor,
    by: &By,
    request: &v1::UseAccountRequest,
) -> Result<v1::UseAccountReply, Status> {
    let (creator, account) = (creator(&request.creator_id)?, AccountId::new(request.account_id.trim()));
    if account.as_str().is_empty() {
        return Err(Status::invalid_argument("an account (acct_…) is needed"));
    }
    let reason = words::reason(&request.reason, "change a creator's account")?;
    let store = &door.desk.store;
    let (done, on_their_way) =
        store.use_account(&creator, &account, &reason, by).await.map_err(|error| words::status(&error))?;
    if !done.already {
        door.recorded();
        tracing::warn!(%creator, %account, %by, "a creator is paid from another account from now on");
    }
    Ok(v1::UseAccountReply { already: done.already, on_their_way, seq: done.seq })
}

/// Places a person's hold.
pub(super) async fn hold(door: &ControlDoor, by: &By, request: v1::HoldRequest) -> Result<v1::HoldReply, Status> {
    let creator = creator(&request.creator_id)?;
    let reason = words::reason(&request.reason, "hold a creator")?;
    let store = &door.desk.store;
    let placed_at_ms = door.desk.clock.now_ms();
    let done = store.hold(&creator, PERSON, &reason, by).await.map_err(|error| words::status(&error))?;
    if done.already {
        let old = store.holds().await.map_err(|error| words::status(&error))?;
        let old = old.into_iter().find(|hold| hold.creator == creator && hold.cause == PERSON);
        let told = old.map_or_else(String::new, |hold| format!(" by {}: {}", hold.placed_by, hold.reason));
        return Err(Status::already_exists(format!("{creator} is held already{told}")));
    }
    door.recorded();
    tracing::info!(%creator, %by, reason, "creator {creator} is held");
    // Asked after the hold is committed: nothing new of the creator goes on the wire, so there are no others.
    let on_their_way = on_their_way(door, &creator).await.map_err(|error| words::status(&error))?;
    let hold = HoldRow { creator, cause: PERSON.to_owned(), reason, placed_by: by.to_string(), placed_at_ms };
    Ok(v1::HoldReply { hold: Some(part(hold)), seq: done.seq, on_their_way })
}

async fn on_their_way(door: &ControlDoor, creator: &CreatorId) -> Result<i64, StoreError> {
    use PayoutState::{InTransit, Pending, Submitting, Unknown};
    let filter = PayoutFilter {
        creator: Some(creator.clone()),
        states: vec![Submitting, Unknown, Pending, InTransit],
        ..PayoutFilter::default()
    };
    let page = PayoutPageRequest { limit: 1, ..PayoutPageRequest::default() };
    Ok(door.desk.store.list_payouts(&filter, &page).await?.total)
}

/// Takes holds back: of one cause, or all of them.
pub(super) async fn release(
    door: &ControlDoor,
    by: &By,
    request: v1::ReleaseRequest,
) -> Result<v1::ReleaseReply, Status> {
    let creator = creator(&request.creator_id)?;
    let reason = words::reason(&request.reason, "release a creator")?;
    let cause = Some(request.cause.trim()).filter(|cause| !cause.is_empty());
    let store = &door.desk.store;
    let done = store.release_holds(&creator, cause, &reason, by).await.map_err(|error| words::status(&error))?;
    if done.released.is_empty() {
        let causes: Vec<&str> = done.left.iter().map(|hold| hold.cause.as_str()).collect();
        return Err(Status::already_exists(match cause {
            Some(cause) if !causes.is_empty() => {
                format!("{creator} has no hold of cause {cause}; those in force: {}", causes.join(", "))
            }
            Some(_) | None => format!("{creator} isn't held"),
        }));
    }
    door.recorded();
    tracing::info!(%creator, %by, reason, holds = done.released.len(), "creator {creator} is released");
    Ok(v1::ReleaseReply {
        released: done.released.into_iter().map(part).collect(),
        seq: done.seq,
        left: done.left.into_iter().map(part).collect(),
    })
}
