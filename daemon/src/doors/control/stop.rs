//! Pause and resume: one run, or everything. A pause is recorded at once, whatever else goes on; the engine obeys what is recorded.
use super::{ControlDoor, run_named, words};
use crate::store::types::By;
use payout_proto::v1;
use payout_shared::run::{RunEvent, RunState, RunVerdict};
use tonic::Status;

/// Stops money from leaving. Legal at any time, also twice.
pub(super) async fn pause(door: &ControlDoor, by: &By, request: v1::PauseRequest) -> Result<v1::PauseReply, Status> {
    let reason = words::reason(&request.reason, "pause")?;
    let store = &door.desk.store;
    if request.run.trim().is_empty() {
        let seq = store.pause_all(by, &reason).await.map_err(|error| words::status(&error))?;
        door.recorded();
        tracing::info!(%by, reason, "everything is told to pause");
        // Asked after the pause is committed: nothing new goes on the wire, so none in flight now means none until it is resumed.
        let in_flight = store.in_flight().await.map_err(|error| words::status(&error))?;
        let state = if in_flight == 0 { "paused" } else { "pausing" };
        return Ok(v1::PauseReply { state: state.to_owned(), in_flight, seq });
    }
    let run = run_named(door, request.run.trim()).await?;
    let (row, verdict, seq) = store
        .change_run(None, &run.id, RunEvent::Pause, by, Some(&reason))
        .await
        .map_err(|error| words::status(&error))?;
    door.recorded();
    if let RunVerdict::Move(_) = verdict {
        tracing::info!(run = %row.label, %by, reason, "run {} is told to pause", row.label);
    }
    let in_flight = match row.state {
        RunState::Pausing => store.in_flight().await.map_err(|error| words::status(&error))?,
        RunState::Planning
        | RunState::Planned
        | RunState::AwaitingApproval
        | RunState::Running
        | RunState::Paused
        | RunState::Completed
        | RunState::CompletedWithFailures
        | RunState::Settled
        | RunState::Missed
        | RunState::Aborting
        | RunState::Aborted => 0,
    };
    Ok(v1::PauseReply { state: row.state.as_str().to_owned(), in_flight, seq })
}

/// Takes a pause back.
pub(super) async fn resume(door: &ControlDoor, by: &By, request: v1::ResumeRequest) -> Result<v1::ResumeReply, Status> {
    let reason = words::reason(&request.reason, "resume")?;
    let store = &door.desk.store;
    if request.run.trim().is_empty() {
        if !store.state().await.map_err(|error| words::status(&error))?.paused {
            return Err(Status::already_exists("the pause of everything isn't in force: there is nothing to resume"));
        }
        let seq = store.resume_all(by, &reason).await.map_err(|error| words::status(&error))?;
        door.recorded();
        tracing::info!(%by, reason, "the pause of everything is taken back");
        return Ok(v1::ResumeReply { state: "resumed".to_owned(), seq });
    }
    let run = run_named(door, request.run.trim()).await?;
    let (row, verdict, seq) = store
        .change_run(None, &run.id, RunEvent::Resume, by, Some(&reason))
        .await
        .map_err(|error| words::status(&error))?;
    if verdict == RunVerdict::Stale {
        let state = row.state.as_str().replace('_', " ");
        return Err(Status::already_exists(format!(
            "run {} is {state}, not paused: there is nothing to resume",
            row.label
        )));
    }
    door.recorded();
    tracing::info!(run = %row.label, %by, reason, "run {} is resumed", row.label);
    Ok(v1::ResumeReply { state: row.state.as_str().to_owned(), seq })
}
