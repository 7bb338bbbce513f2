//! The schedule as people see it: the next cycles, armed or not.
use super::{ControlDoor, words};
use crate::store::types::By;
use payout_proto::v1;
use tonic::Status;

/// Cycles shown when nobody says how many, and at most: ten years.
const CYCLES_DEFAULT: i64 = 4;
const CYCLES_MAX: i64 = 240;

/// The next cycles, and whether they start by themselves.
pub(super) async fn get(door: &ControlDoor, count: i64) -> Result<v1::GetScheduleReply, Status> {
    let state = door.desk.store.state().await.map_err(|error| words::status(&error))?;
    let count = if count <= 0 { CYCLES_DEFAULT } else { count.min(CYCLES_MAX) };
    let next = door.desk.next_cycles(usize::try_from(count).unwrap_or(0)).into_iter().map(|cycle| v1::ScheduledCycle {
        cycle_date: cycle.date.to_string(),
        instant_ms: cycle.instant.as_millisecond(),
        cutoff_ms: cycle.cutoff.as_millisecond(),
    });
    Ok(v1::GetScheduleReply {
        armed: door.desk.is_armed(&state),
        armed_at_ms: state.armed_at_ms.unwrap_or_default(),
        timezone: door.desk.settings.rules.zone.iana_name().unwrap_or("UTC").to_owned(),
        next: next.collect(),
    })
}

/// Arms or disarms it.
pub(super) async fn set(
    door: &ControlDoor,
    by: &By,
    request: v1::SetScheduleRequest,
) -> Result<v1::GetScheduleReply, Status> {
    let store = &door.desk.store;
    let what = if request.armed { "arm the schedule" } else { "disarm the schedule" };
    let reason = words::reason(&request.reason, what)?;
    if request.armed && !door.desk.settings.may_arm {
        return Err(Status::failed_precondition(
            "the schedule can't be armed without a cron secret: set CRON_SECRET_KEY to what `payoutd secret new` prints and restart payoutd",
        ));
    }
    if request.armed {
        // What was due before this moment is never paid by itself, what comes after it is: a wrong clock would draw the line elsewhere.
        door.look.clock(&door.desk.clock).await.map_err(|why| {
            Status::failed_precondition(format!(
                "the schedule can't be armed while {why}: set that right and arm it again"
            ))
        })?;
    }
    let done = if request.armed { store.arm(by, &reason).await } else { store.disarm(by, &reason).await };
    if done.map_err(|error| words::status(&error))?.already {
        let word = if request.armed { "armed" } else { "disarmed" };
        return Err(Status::already_exists(format!("the schedule is {word} already")));
    }
    tracing::info!(%by, reason, armed = request.armed, "the schedule was {}", if request.armed { "armed" } else { "disarmed" });
    door.recorded();
    get(door, 0).await
}
