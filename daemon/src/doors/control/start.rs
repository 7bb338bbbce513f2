//! Starting a run, and asking what one would do.
use super::{ControlDoor, REPLIES_MAX, words};
use crate::{
    desk::{
        cycle::{self, Asked},
        preview::Preview,
    },
    store::{
        StoreError,
        types::{By, NewRun},
    },
};
use jiff::Timestamp;
use payout_proto::v1;
use payout_shared::{
    id::CreatorId,
    run::{RunKind, RunState},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Creators named in one request at most.
const CREATORS_MAX: usize = 10_000;

/// Records a run; the engine plans and sends it.
pub(super) async fn start(
    door: &ControlDoor,
    by: By,
    request: v1::StartRunRequest,
) -> Result<v1::StartRunReply, Status> {
    let asked = asked(door, &request.cycle_date)?;
    let creators = creators(request.creator_ids)?;
    let reason = words::optional_reason(&request.reason)?;
    let state = door.desk.store.state().await.map_err(|error| words::status(&error))?;
    if state.paused {
        let (by, why) = (state.paused_by.unwrap_or_default(), state.pause_reason.unwrap_or_default());
        return Err(Status::failed_precondition(format!("everything is paused by {by} ({why}): resume first")));
    }
    let kind = kind(door, asked, &creators).await?;
    let new = NewRun {
        cycle_date: asked.date,
        kind,
        state: RunState::Planning,
        cutoff_ms: asked.cutoff_ms,
        instant_ms: asked.instant_ms,
        creators,
        by,
        reason,
    };
    let (run, already) = door.desk.store.insert_run(&new).await.map_err(|error| words::status(&error))?;
    if already {
        return Err(taken(&run.label.to_string(), run.state));
    }
    tracing::info!(run = %run.label, by = %new.by, "run {} was asked for", run.label);
    door.recorded();
    Ok(v1::StartRunReply { run_id: run.id.to_string(), label: run.label.to_string() })
}

/// A cycle without a run gets its scheduled one, whoever asks, so that it has one for ever. Creators named, a cycle that was missed or
/// taken back, no cycle at all: a manual one beside it.
async fn kind(door: &ControlDoor, asked: Asked, creators: &[CreatorId]) -> Result<RunKind, Status> {
    if !asked.is_cycle {
        return Ok(RunKind::Manual);
    }
    match door.desk.store.run(&format!("{}#1", asked.date)).await {
        Ok(run) if matches!(run.state, RunState::Missed | RunState::Aborted) => Ok(RunKind::Manual),
        Ok(run) => Err(taken(&run.label.to_string(), run.state)),
        Err(StoreError::NotFound { .. }) if creators.is_empty() => Ok(RunKind::Scheduled),
        Err(StoreError::NotFound { .. }) => Ok(RunKind::Manual),
        Err(error) => Err(words::status(&error)),
    }
}

fn taken(label: &str, state: RunState) -> Status {
    let state = state.as_str().replace('_', " ");
    Status::failed_precondition(format!("the cycle has its run already: {label} is {state}; no second one was started"))
}

fn asked(door: &ControlDoor, cycle_date: &str) -> Result<Asked, Status> {
    let now = Timestamp::from_millisecond(door.desk.clock.now_ms())
        .map_err(|_| Status::failed_precondition("the machine's clock is out of any calendar"))?;
    cycle::asked(&door.desk.settings.rules, now, cycle_date)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

fn creators(ids: Vec<String>) -> Result<Vec<CreatorId>, Status> {
    let ids: BTreeSet<String> = ids.into_iter().map(|id| id.trim().to_owned()).collect();
    if ids.contains("") {
        return Err(Status::invalid_argument("a creator's id is empty"));
    }
    if ids.len() > CREATORS_MAX {
        return Err(Status::invalid_argument(format!("at most {CREATORS_MAX} creators can be named")));
    }
    Ok(ids.into_iter().map(CreatorId::from).collect())
}

/// Streams what a run would do. Nothing is written; a reader that goes away ends it.
pub(super) fn dry_run(
    door: &ControlDoor,
    request: &v1::DryRunRequest,
) -> Result<ReceiverStream<Result<v1::DryRunLine, Status>>, Status> {
    let asked = asked(door, &request.cycle_date)?;
    let creators = creators(request.creator_ids.clone())?;
    let (lines, stream) = mpsc::channel(REPLIES_MAX);
    let (desk, stop) = (Arc::clone(&door.desk), door.stop.clone());
    tokio::spawn(async move {
        let mut preview = Preview::new(&desk, asked, creators);
        let all = async {
            while let Some(page) = preview.next_page().await.map_err(|error| words::status(&error))? {
                for line in page {
                    if lines.send(Ok(line)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            let _ = lines.send(Ok(preview.total())).await;
            Ok::<_, Status>(())
        };
        let end = tokio::select! {
            end = all => end,
            () = stop.cancelled() => Err(Status::unavailable("the daemon is stopping")),
        };
        if let Err(status) = end {
            let _ = lines.send(Err(status)).await;
        }
    });
    Ok(ReceiverStream::new(stream))
}
