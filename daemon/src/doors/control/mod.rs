//! The control door: gRPC over a Unix socket, for the console and the commands.
//!
//! Who acts is read from the socket's peer credentials, never from a message. Invariant: a pause waits for nobody but the database.
mod adopt;
mod ask;
mod cohorts;
mod creators;
mod earnings;
mod follow;
mod people;
mod policies;
mod resolve;
mod retry;
mod rights;
mod rollback;
mod schedule;
mod serve;
mod start;
mod stop;
mod who;
mod words;

pub use serve::{BindError, bind, serve};
pub use who::{Lookup, Person, missing_groups};

use crate::{
    desk::{Desk, look::Look},
    store::{StoreError, types::By},
    stripe::Stripe,
    tell::watch::Watch,
    wake::{Changed, Wake},
};
use futures::stream::BoxStream;
use payout_proto::v1;
use payout_shared::roles::RoleGroups;
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use who::{Caller, People};

/// Frames or lines that wait for a slow reader before we wait for it.
const REPLIES_MAX: usize = 64;

/// The door.
#[derive(Clone, Debug)]
pub struct ControlDoor {
    desk: Arc<Desk>,
    watch: Arc<Watch>,
    wake: Wake,
    changed: Changed,
    people: People,
    look: Look,
    stop: CancellationToken,
}

impl ControlDoor {
    /// A door; its streams end when `stop` is cancelled. Until [`ControlDoor::with_roles`] roles aren't in use.
    #[must_use]
    pub fn new(desk: Arc<Desk>, watch: Arc<Watch>, wake: Wake, changed: Changed, stop: CancellationToken) -> Self {
        let people = People::new(RoleGroups::default(), Lookup::system(), desk.clock.clone());
        Self { desk, watch, wake, changed, people, look: Look::default(), stop }
    }

    /// The same with roles, given by these groups.
    #[must_use]
    pub fn with_roles(self, groups: RoleGroups, lookup: Lookup) -> Self {
        let people = People::new(groups, lookup, self.desk.clock.clone());
        Self { people, ..self }
    }

    /// The same with a way to look at Stripe.
    #[must_use]
    pub fn with_stripe(self, stripe: Option<Arc<dyn Stripe>>) -> Self {
        Self { look: Look::new(stripe), ..self }
    }

    /// Something was recorded: the engine has work, followers have news.
    fn recorded(&self) {
        self.wake.wake();
        self.changed.tell();
    }
}

/// Who the gate judged to be calling.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| Status::internal("a call came past the gate: nothing was done"))
}

fn by<T>(request: &Request<T>) -> Result<By, Status> {
    caller(request).map(|caller| caller.by)
}

type Reply<T> = Result<Response<T>, Status>;

/// Generated traits want `Result<Response<T>, Status>`; our steps give `Result<T, Status>`.
fn reply<T>(done: Result<T, Status>) -> Reply<T> {
    done.map(Response::new)
}

#[tonic::async_trait]
impl v1::control_server::Control for ControlDoor {
    async fn get_status(&self, request: Request<v1::GetStatusRequest>) -> Reply<v1::GetStatusReply> {
        let caller = caller(&request)?;
        reply(ask::status(self, &caller).await)
    }

    async fn start_run(&self, request: Request<v1::StartRunRequest>) -> Reply<v1::StartRunReply> {
        let by = by(&request)?;
        reply(start::start(self, by, request.into_inner()).await)
    }

    type DryRunStream = ReceiverStream<Result<v1::DryRunLine, Status>>;

    async fn dry_run(&self, request: Request<v1::DryRunRequest>) -> Reply<Self::DryRunStream> {
        reply(start::dry_run(self, &request.into_inner()))
    }

    async fn list_runs(&self, request: Request<v1::ListRunsRequest>) -> Reply<v1::ListRunsReply> {
        reply(ask::runs(self, request.into_inner().limit).await)
    }

    async fn show_run(&self, request: Request<v1::ShowRunRequest>) -> Reply<v1::ShowRunReply> {
        reply(ask::run(self, &request.into_inner().run).await)
    }

    async fn pause(&self, request: Request<v1::PauseRequest>) -> Reply<v1::PauseReply> {
        let by = by(&request)?;
        reply(stop::pause(self, &by, request.into_inner()).await)
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Reply<v1::ResumeReply> {
        let by = by(&request)?;
        reply(stop::resume(self, &by, request.into_inner()).await)
    }

    async fn list_payouts(&self, request: Request<v1::ListPayoutsRequest>) -> Reply<v1::ListPayoutsReply> {
        reply(ask::payouts(self, request.into_inner()).await)
    }

    async fn show_payout(&self, request: Request<v1::ShowPayoutRequest>) -> Reply<v1::ShowPayoutReply> {
        reply(ask::payout(self, request.into_inner().payout_id).await)
    }

    type ImportEarningsStream = ReceiverStream<Result<v1::ImportProgress, Status>>;

    async fn import_earnings(&self, request: Request<Streaming<v1::ImportChunk>>) -> Reply<Self::ImportEarningsStream> {
        let by = by(&request)?;
        reply(Ok(earnings::import(self.clone(), by, request.into_inner())))
    }

    async fn get_schedule(&self, request: Request<v1::GetScheduleRequest>) -> Reply<v1::GetScheduleReply> {
        reply(schedule::get(self, request.into_inner().count).await)
    }

    async fn set_schedule(&self, request: Request<v1::SetScheduleRequest>) -> Reply<v1::GetScheduleReply> {
        let by = by(&request)?;
        reply(schedule::set(self, &by, request.into_inner()).await)
    }

    async fn check_books(&self, _: Request<v1::CheckBooksRequest>) -> Reply<v1::CheckBooksReply> {
        let report = self.desk.store.books().await.map_err(|error| words::status(&error));
        reply(report.map(crate::desk::rows::books))
    }

    async fn list_creators(&self, request: Request<v1::ListCreatorsRequest>) -> Reply<v1::ListCreatorsReply> {
        reply(creators::list(self, request.into_inner()).await)
    }

    async fn show_creator(&self, request: Request<v1::ShowCreatorRequest>) -> Reply<v1::ShowCreatorReply> {
        reply(creators::show(self, &request.into_inner().creator_id).await)
    }

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Reply<v1::HoldReply> {
        let by = by(&request)?;
        reply(creators::hold(self, &by, request.into_inner()).await)
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Reply<v1::ReleaseReply> {
        let by = by(&request)?;
        reply(creators::release(self, &by, request.into_inner()).await)
    }

    async fn resolve_paid(&self, request: Request<v1::ResolvePaidRequest>) -> Reply<v1::ResolvePaidReply> {
        let by = by(&request)?;
        reply(resolve::paid(self, &by, request.into_inner()).await)
    }

    async fn use_account(&self, request: Request<v1::UseAccountRequest>) -> Reply<v1::UseAccountReply> {
        let by = by(&request)?;
        reply(creators::use_account(self, &by, &request.into_inner()).await)
    }

    async fn adopt(&self, request: Request<v1::AdoptRequest>) -> Reply<v1::AdoptReply> {
        let by = by(&request)?;
        reply(adopt::adopt(self, &by, request.into_inner()).await)
    }

    async fn list_foreign(&self, request: Request<v1::ListForeignRequest>) -> Reply<v1::ListForeignReply> {
        reply(adopt::list(self, &request.into_inner()).await)
    }

    async fn retry_payouts(&self, request: Request<v1::RetryRequest>) -> Reply<v1::RetryReply> {
        let by = by(&request)?;
        reply(retry::retry(self, &by, request.into_inner()).await)
    }

    async fn list_policies(&self, _: Request<v1::ListPoliciesRequest>) -> Reply<v1::ListPoliciesReply> {
        reply(policies::list(self).await)
    }

    async fn set_policy(&self, request: Request<v1::SetPolicyRequest>) -> Reply<v1::SetPolicyReply> {
        let by = by(&request)?;
        reply(policies::set(self, &by, request.into_inner()).await)
    }

    async fn policy_history(&self, request: Request<v1::PolicyHistoryRequest>) -> Reply<v1::PolicyHistoryReply> {
        reply(policies::history(self, &request.into_inner().name).await)
    }

    async fn list_cohorts(&self, _: Request<v1::ListCohortsRequest>) -> Reply<v1::ListCohortsReply> {
        reply(cohorts::list(self).await)
    }

    async fn show_cohort(&self, request: Request<v1::ShowCohortRequest>) -> Reply<v1::ShowCohortReply> {
        reply(cohorts::show(self, request.into_inner()).await)
    }

    async fn create_cohort(&self, request: Request<v1::CreateCohortRequest>) -> Reply<v1::CreateCohortReply> {
        let caller = caller(&request)?;
        reply(cohorts::create(self, &caller, request.into_inner()).await)
    }

    async fn change_members(&self, request: Request<v1::ChangeMembersRequest>) -> Reply<v1::ChangeMembersReply> {
        let caller = caller(&request)?;
        reply(cohorts::members(self, &caller, request.into_inner()).await)
    }

    async fn sample_cohort(&self, request: Request<v1::SampleCohortRequest>) -> Reply<v1::SampleCohortReply> {
        reply(cohorts::sample(self, request.into_inner()).await)
    }

    async fn open_cohort(&self, request: Request<v1::OpenCohortRequest>) -> Reply<v1::OpenCohortReply> {
        let caller = caller(&request)?;
        reply(cohorts::open(self, &caller, request.into_inner()).await)
    }

    async fn close_cohort(&self, request: Request<v1::CloseCohortRequest>) -> Reply<v1::CloseCohortReply> {
        let caller = caller(&request)?;
        reply(cohorts::close(self, &caller, request.into_inner()).await)
    }

    async fn judge_cohort(&self, request: Request<v1::JudgeCohortRequest>) -> Reply<v1::JudgedPart> {
        reply(cohorts::judge(self, &request.into_inner()).await)
    }

    async fn tag_creator(&self, request: Request<v1::TagCreatorRequest>) -> Reply<v1::TagCreatorReply> {
        let caller = caller(&request)?;
        reply(cohorts::tag(self, &caller, request.into_inner()).await)
    }

    type PreviewRollbackStream = ReceiverStream<Result<v1::RollbackLine, Status>>;

    async fn preview_rollback(
        &self,
        request: Request<v1::PreviewRollbackRequest>,
    ) -> Reply<Self::PreviewRollbackStream> {
        reply(rollback::preview(self.clone(), &request.into_inner().run).await)
    }

    async fn confirm_rollback(&self, request: Request<v1::ConfirmRollbackRequest>) -> Reply<v1::ConfirmRollbackReply> {
        let by = by(&request)?;
        reply(rollback::confirm(self, &by, request.into_inner()).await)
    }

    async fn abort_run(&self, request: Request<v1::AbortRunRequest>) -> Reply<v1::AbortRunReply> {
        let by = by(&request)?;
        reply(rollback::abort(self, &by, request.into_inner()).await)
    }

    async fn list_requests(&self, request: Request<v1::ListRequestsRequest>) -> Reply<v1::ListRequestsReply> {
        reply(people::list(self, &request.into_inner()).await)
    }

    async fn approve(&self, request: Request<v1::ApproveRequest>) -> Reply<v1::DecideReply> {
        let by = by(&request)?;
        reply(people::approve(self, &by, &request.into_inner()).await)
    }

    async fn reject(&self, request: Request<v1::RejectRequest>) -> Reply<v1::DecideReply> {
        let by = by(&request)?;
        reply(people::reject(self, &by, &request.into_inner()).await)
    }

    async fn ask_override(&self, request: Request<v1::AskOverrideRequest>) -> Reply<v1::DecideReply> {
        let by = by(&request)?;
        reply(people::ask_override(self, &by, request.into_inner()).await)
    }

    async fn ask_adjustment(&self, request: Request<v1::AskAdjustmentRequest>) -> Reply<v1::DecideReply> {
        let by = by(&request)?;
        reply(people::ask_adjustment(self, &by, request.into_inner()).await)
    }

    async fn ask_not_paid(&self, request: Request<v1::AskNotPaidRequest>) -> Reply<v1::DecideReply> {
        let by = by(&request)?;
        reply(people::ask_not_paid(self, &by, request.into_inner()).await)
    }

    type WatchStream = BoxStream<'static, Result<v1::WatchFrame, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Reply<Self::WatchStream> {
        let caller = caller(&request)?;
        reply(follow::stream(self, &caller, request.into_inner()).await)
    }
}

/// A run by its id or label.
async fn run_named(door: &ControlDoor, name: &str) -> Result<crate::store::types::RunRow, Status> {
    door.desk.store.run(name).await.map_err(|error: StoreError| words::status(&error))
}
