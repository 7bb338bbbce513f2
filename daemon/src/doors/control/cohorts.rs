//! Cohorts and tags: the rollout, changed and asked for.
use super::{ControlDoor, who::Caller, words};
use crate::{
    desk::cohorts::{evidence, judged_part, part, passes},
    store::{
        StoreError,
        door_types::{Definition, Judged},
    },
};
use payout_proto::v1;
use payout_shared::{
    cohort::{self, Share},
    id::CreatorId,
    roles::Action,
};
use tonic::Status;

/// Creators named in one request at most.
const CREATORS_MAX: usize = 50_000;
const MEMBERS_DEFAULT: i64 = 200;
const MEMBERS_MAX: i64 = 10_000;
const SAMPLE_MAX: i64 = 10_000;

fn told(error: StoreError) -> Status {
    words::status(&error)
}

fn name(text: &str) -> Result<String, Status> {
    cohort::name(text.trim(), "name of a cohort").map_err(|bad| Status::invalid_argument(bad.to_string()))
}

fn tag_word(text: &str) -> Result<String, Status> {
    cohort::name(text.trim(), "tag").map_err(|bad| Status::invalid_argument(bad.to_string()))
}

fn creators(ids: &[String]) -> Result<Vec<CreatorId>, Status> {
    if ids.len() > CREATORS_MAX {
        let n = ids.len();
        return Err(Status::invalid_argument(format!(
            "{n} creators are named, at most {CREATORS_MAX} can be in one request: add the rest by further ones"
        )));
    }
    let ids: Vec<CreatorId> = ids.iter().map(|id| CreatorId::new(id.trim())).collect();
    if ids.iter().any(|id| id.as_str().is_empty()) {
        return Err(Status::invalid_argument("a creator's id is empty"));
    }
    Ok(ids)
}

/// Every cohort.
pub(super) async fn list(door: &ControlDoor) -> Result<v1::ListCohortsReply, Status> {
    let cohorts = door.desk.store.cohorts().await.map_err(told)?;
    Ok(v1::ListCohortsReply { cohorts: cohorts.iter().map(part).collect() })
}

/// One of them with a page of creators.
pub(super) async fn show(door: &ControlDoor, request: v1::ShowCohortRequest) -> Result<v1::ShowCohortReply, Status> {
    let judged = door.desk.judged(&name(&request.name)?).await.map_err(told)?;
    let limit = if request.limit <= 0 { MEMBERS_DEFAULT } else { request.limit.min(MEMBERS_MAX) };
    let members = door.desk.store.cohort_members(&judged.cohort, &request.cursor, limit).await.map_err(told)?;
    let is_full = i64::try_from(members.len()).is_ok_and(|n| n >= limit);
    let next_cursor = members.last().filter(|_| is_full).map(ToString::to_string).unwrap_or_default();
    let creator_ids = members.iter().map(ToString::to_string).collect();
    Ok(v1::ShowCohortReply { judged: Some(judged_part(&judged)), creator_ids, next_cursor })
}

/// Makes one.
pub(super) async fn create(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::CreateCohortRequest,
) -> Result<v1::CreateCohortReply, Status> {
    let name = name(&request.name)?;
    let reason = words::reason(&request.reason, "make a cohort")?;
    let of = match (request.creator_ids.is_empty(), request.tag.trim(), request.percent_bp) {
        (false, "", 0) => Definition::List(creators(&request.creator_ids)?),
        (true, "", bp) if bp != 0 => Definition::Percent(
            Share::of_bp(bp).ok_or_else(|| Status::invalid_argument("a percentage is more than 0 and at most 100"))?,
        ),
        (true, tag, 0) if !tag.is_empty() => Definition::Tag(tag_word(tag)?),
        _ => {
            return Err(Status::invalid_argument(
                "a cohort is of creators, or of a tag, or of a percentage: one of them is needed",
            ));
        }
    };
    let store = &door.desk.store;
    let is_first = store.rollout().await.map_err(told)?.total == 0;
    let done = store.create_cohort(&name, &of, &caller.by, &reason).await.map_err(told)?;
    door.recorded();
    tracing::info!(cohort = name, by = %caller.by, reason, "cohort {name} was made");
    let cohort = store.cohort(&name).await.map_err(told)?;
    Ok(v1::CreateCohortReply { cohort: Some(part(&cohort)), seq: done.seq, first: is_first })
}

/// Adds to a list, or takes off it. Adding to a list that was ever open is letting more in: its own gate must be passed.
pub(super) async fn members(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::ChangeMembersRequest,
) -> Result<v1::ChangeMembersReply, Status> {
    let name = name(&request.name)?;
    let creators = creators(&request.creator_ids)?;
    if creators.is_empty() {
        return Err(Status::invalid_argument("no creator is named"));
    }
    let store = &door.desk.store;
    let (done, word) = if request.remove {
        let reason = words::reason(&request.reason, "take creators off a cohort")?;
        (store.remove_from_cohort(&name, &creators, &caller.by, &reason).await.map_err(told)?, "off")
    } else {
        let reason = words::reason(&request.reason, "add creators to a cohort")?;
        let judged = door.desk.judged(&name).await.map_err(told)?;
        let judged = if judged.cohort.opened_at_ms.is_some() { vec![judged] } else { Vec::new() };
        pass(door, caller, &judged, request.r#override, &format!("nobody was added to {name}"))?;
        let gate = evidence(&judged, request.r#override);
        (store.add_to_cohort(&name, &creators, &gate, &caller.by, &reason).await.map_err(told)?, "on")
    };
    if done.changed == 0 {
        return Err(Status::already_exists(format!("all of them are {word} the list of {name} already")));
    }
    door.recorded();
    tracing::info!(cohort = name, by = %caller.by, changed = done.changed, remove = request.remove, "creators of {name} changed");
    let cohort = store.cohort(&name).await.map_err(told)?;
    let changed = i64::try_from(done.changed).unwrap_or(i64::MAX);
    Ok(v1::ChangeMembersReply { cohort: Some(part(&cohort)), seq: done.seq, changed })
}

/// The gate: everything judged passes, or an admin says that it doesn't matter.
fn pass(
    door: &ControlDoor,
    caller: &Caller,
    judged: &[Judged],
    is_overridden: bool,
    consequence: &str,
) -> Result<(), Status> {
    if is_overridden {
        return door.people.also(caller, Action::OverrideGate);
    }
    let shut: Vec<String> = judged
        .iter()
        .filter(|one| !passes(one))
        .map(|one| format!("the gate of cohort {} is {}", one.cohort.name, one.figures.sentence()))
        .collect();
    if shut.is_empty() {
        return Ok(());
    }
    Err(Status::failed_precondition(format!("{}; {consequence} (an admin may with --override)", shut.join("; "))))
}

/// Proposes a mix of creators.
pub(super) async fn sample(
    door: &ControlDoor,
    request: v1::SampleCohortRequest,
) -> Result<v1::SampleCohortReply, Status> {
    let name = name(&request.name)?;
    let size = Some(request.size).filter(|size| (1..=SAMPLE_MAX).contains(size)).and_then(|n| usize::try_from(n).ok());
    let size = size.ok_or_else(|| Status::invalid_argument(format!("a sample has 1 to {SAMPLE_MAX} creators")))?;
    door.desk.sample(&name, size).await.map_err(told)
}

/// Opens one, when the gate of those before it is passed.
pub(super) async fn open(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::OpenCohortRequest,
) -> Result<v1::OpenCohortReply, Status> {
    let name = name(&request.name)?;
    let reason = words::reason(&request.reason, "open a cohort")?;
    let judged = door.desk.judged_before(&name).await.map_err(told)?;
    let store = &door.desk.store;
    if store.cohort(&name).await.map_err(told)?.is_open {
        return Err(Status::already_exists(format!("cohort {name} is open already")));
    }
    pass(door, caller, &judged, request.r#override, &format!("{name} was not opened"))?;
    let gate = evidence(&judged, request.r#override);
    let done = store.open_cohort(&name, &judged, &gate, &caller.by, &reason).await.map_err(told)?;
    if done.already {
        return Err(Status::already_exists(format!("cohort {name} is open already")));
    }
    door.recorded();
    tracing::info!(cohort = name, by = %caller.by, reason, overridden = request.r#override, "cohort {name} was opened");
    let cohort = store.cohort(&name).await.map_err(told)?;
    let judged = judged.iter().map(judged_part).collect();
    Ok(v1::OpenCohortReply { cohort: Some(part(&cohort)), seq: done.seq, judged })
}

/// Closes one.
pub(super) async fn close(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::CloseCohortRequest,
) -> Result<v1::CloseCohortReply, Status> {
    let name = name(&request.name)?;
    let reason = words::reason(&request.reason, "close a cohort")?;
    let store = &door.desk.store;
    let done = store.close_cohort(&name, &caller.by, &reason).await.map_err(told)?;
    if done.already {
        return Err(Status::already_exists(format!("cohort {name} is closed already")));
    }
    door.recorded();
    tracing::info!(cohort = name, by = %caller.by, reason, "cohort {name} was closed");
    let cohort = store.cohort(&name).await.map_err(told)?;
    Ok(v1::CloseCohortReply { cohort: Some(part(&cohort)), seq: done.seq })
}

/// How one's payouts went.
pub(super) async fn judge(door: &ControlDoor, request: &v1::JudgeCohortRequest) -> Result<v1::JudgedPart, Status> {
    let judged = door.desk.judged(&name(&request.name)?).await.map_err(told)?;
    Ok(judged_part(&judged))
}

/// Gives a creator a tag, or takes it.
pub(super) async fn tag(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::TagCreatorRequest,
) -> Result<v1::TagCreatorReply, Status> {
    let tag = tag_word(&request.tag)?;
    let reason = words::reason(&request.reason, "change a creator's tags")?;
    let creator = creators(std::slice::from_ref(&request.creator_id))?.remove(0);
    let is_set = !request.remove;
    let done = door.desk.store.tag_creator(&creator, &tag, is_set, &caller.by, &reason).await.map_err(told)?;
    if done.already {
        return Err(Status::already_exists(if is_set {
            format!("{creator} has the tag {tag} already")
        } else {
            format!("{creator} doesn't have the tag {tag}")
        }));
    }
    door.recorded();
    tracing::info!(%creator, tag, by = %caller.by, reason, is_set, "tags of creator {creator} changed");
    Ok(v1::TagCreatorReply { seq: done.seq })
}
