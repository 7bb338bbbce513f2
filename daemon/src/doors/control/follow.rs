//! The watch stream of one watcher.
use super::{ControlDoor, run_named, who::Caller};
use crate::tell::watch::{Follower, Place};
use futures::{StreamExt as _, stream};
use payout_proto::v1;
use tonic::Status;

/// Frames for one watcher until it goes away or the daemon stops. It resumes where it was when that is remembered.
pub(super) async fn stream(
    door: &ControlDoor,
    caller: &Caller,
    request: v1::WatchRequest,
) -> Result<futures::stream::BoxStream<'static, Result<v1::WatchFrame, Status>>, Status> {
    let run = match request.run.trim() {
        "" => None,
        name => Some(run_named(door, name).await?.id),
    };
    let place = Place { epoch: request.epoch, seq: request.seq };
    let known = door.watch.follow(run, place).await;
    let follower = known.map_err(|error| Status::unavailable(error.to_string()))?;
    let (you, role, stop) = (caller.you(), caller.roles.to_string(), door.stop.clone());
    let frames = stream::unfold(follower, |mut follower: Follower| async move {
        let frame = follower.next().await?;
        Some((frame, follower))
    });
    let frames = frames.map(move |frame| Ok(signed(&you, &role, &frame))).take_until(stop.cancelled_owned());
    Ok(frames.boxed())
}

/// The frame as this watcher gets it: with who is asking, and what they were when they came.
fn signed(you: &str, role: &str, frame: &v1::WatchFrame) -> v1::WatchFrame {
    use v1::watch_frame::Frame;
    let mut frame = frame.clone();
    if let Some(Frame::Snapshot(parts) | Frame::Delta(parts)) = &mut frame.frame
        && let Some(daemon) = &mut parts.daemon
    {
        you.clone_into(&mut daemon.you);
        role.clone_into(&mut daemon.role);
    }
    frame
}
