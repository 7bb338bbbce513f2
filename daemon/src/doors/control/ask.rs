//! Questions of the console and the commands.
use super::{ControlDoor, run_named, who::Caller, words};
use crate::{
    desk::{explain, rows},
    store::{
        StoreError,
        door_types::{PayoutFilter, PayoutPageRequest, PayoutSort},
    },
};
use payout_proto::v1;
use payout_shared::{
    id::{AccountId, CreatorId, PayoutId},
    payout::PayoutState,
};
use tonic::Status;

const RUNS_DEFAULT: i64 = 50;
const RUNS_MAX: i64 = 500;
const PAYOUTS_DEFAULT: i64 = 100;
const PAYOUTS_MAX: i64 = 1_000;

/// Daemon, run of the live screen, its states.
pub(super) async fn status(door: &ControlDoor, caller: &Caller) -> Result<v1::GetStatusReply, Status> {
    let found = async {
        let (you, role) = (caller.you(), caller.roles.to_string());
        let daemon = v1::DaemonPart { you, role, ..door.desk.daemon_part().await? };
        let Some(run) = door.desk.current_run().await? else {
            return Ok(v1::GetStatusReply { daemon: Some(daemon), run: None, states: Vec::new() });
        };
        let view = door.desk.view(run).await?;
        let (run, states) = (Some(door.desk.run_part(&view)), rows::states(&view.counts.states));
        Ok::<_, StoreError>(v1::GetStatusReply { daemon: Some(daemon), run, states })
    };
    found.await.map_err(|error| words::status(&error))
}

/// The newest runs.
pub(super) async fn runs(door: &ControlDoor, limit: i64) -> Result<v1::ListRunsReply, Status> {
    let limit = if limit <= 0 { RUNS_DEFAULT } else { limit.min(RUNS_MAX) };
    let views = door.desk.views(limit).await.map_err(|error| words::status(&error))?;
    Ok(v1::ListRunsReply { runs: views.iter().map(|view| door.desk.run_part(view)).collect() })
}

/// One run.
pub(super) async fn run(door: &ControlDoor, name: &str) -> Result<v1::ShowRunReply, Status> {
    let run = run_named(door, name.trim()).await?;
    let found = async {
        let causes = door.desk.store.causes(&run.id).await?;
        let rollback = door.desk.store.rollback_of(&run.id).await?;
        let view = door.desk.view(run).await?;
        Ok::<_, StoreError>(v1::ShowRunReply {
            run: Some(door.desk.run_part(&view)),
            states: rows::states(&view.counts.states),
            skips: rows::skips(&view.counts.skips),
            causes: causes.into_iter().map(rows::cause).collect(),
            rollback: rollback.map(rows::rollback),
        })
    };
    found.await.map_err(|error| words::status(&error))
}

/// A page of payouts.
pub(super) async fn payouts(
    door: &ControlDoor,
    request: v1::ListPayoutsRequest,
) -> Result<v1::ListPayoutsReply, Status> {
    let sort = match request.sort.as_str() {
        "" | "changed" => PayoutSort::Changed,
        "amount" => PayoutSort::Amount,
        other => {
            return Err(Status::invalid_argument(format!("payouts are sorted by changed or amount, not by {other:?}")));
        }
    };
    let some = |text: String| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let run = match some(request.run) {
        Some(name) => Some(run_named(door, &name).await?.id),
        None => None,
    };
    let filter = PayoutFilter {
        run,
        states: request.states.iter().map(|word| state(word)).collect::<Result<_, _>>()?,
        cause: some(request.cause),
        creator: some(request.creator_id).map(CreatorId::from),
        account: some(request.account_id).map(AccountId::from),
        amount_min_minor: (request.amount_min_minor > 0).then_some(request.amount_min_minor),
        text: some(request.text),
    };
    let page = PayoutPageRequest {
        sort,
        ascending: request.ascending,
        limit: if request.limit <= 0 { PAYOUTS_DEFAULT } else { request.limit.min(PAYOUTS_MAX) },
        cursor: (!request.cursor.is_empty()).then_some(request.cursor),
    };
    let page = door.desk.store.list_payouts(&filter, &page).await.map_err(|error| match error {
        // What is refused here is what was asked: a cursor that no page gave.
        StoreError::Refused(why) => Status::invalid_argument(why),
        error => words::status(&error),
    })?;
    Ok(v1::ListPayoutsReply {
        rows: page.rows.into_iter().map(rows::payout).collect(),
        next_cursor: page.next_cursor.unwrap_or_default(),
        total: page.total,
    })
}

fn state(word: &str) -> Result<PayoutState, Status> {
    PayoutState::parse(word).ok_or_else(|| {
        let known: Vec<&str> = PayoutState::ALL.into_iter().map(PayoutState::as_str).collect();
        Status::invalid_argument(format!("{word:?} is no state of a payout; there are {}", known.join(", ")))
    })
}

/// One payout with its timeline, and what happens next.
pub(super) async fn payout(door: &ControlDoor, id: String) -> Result<v1::ShowPayoutReply, Status> {
    let store = &door.desk.store;
    let found = async {
        let show = store.show_payout(&PayoutId::new(id.trim())).await?;
        let run = store.run(show.row.run_id.as_str()).await?;
        let state = store.state().await?;
        let shut = match (state.paused, state.kept_back) {
            (true, _) => Some(explain::Shut::Paused),
            (false, true) => Some(explain::Shut::Restored),
            (false, false) => None,
        };
        let hold = store.holds().await?.into_iter().find(|hold| hold.creator == show.row.creator);
        let facts = explain::Facts {
            row: &show.row,
            attempts: &show.attempts,
            hold: hold.as_ref(),
            run: run.state,
            shut,
            now_ms: door.desk.clock.now_ms(),
        };
        let what_next = explain::payout(&facts);
        Ok::<_, StoreError>(v1::ShowPayoutReply {
            what_next,
            destination_id: show.row.destination.to_string(),
            payout: Some(rows::payout(show.row)),
            timeline: show.timeline.into_iter().map(rows::timeline).collect(),
            items: show.items.into_iter().map(rows::item).collect(),
            items_total: show.items_total,
            attempts: show.attempts.into_iter().map(rows::attempt).collect(),
            same_cause: show.same_cause,
        })
    };
    found.await.map_err(|error| words::status(&error))
}
