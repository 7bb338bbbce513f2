//! The control door: gRPC over a Unix socket, for the console and the commands.
//!
//! Who acts is read from the socket's peer credentials, never from a message. Invariant: a pause waits for nobody but the database.
mod ask;
mod earnings;
mod follow;
mod schedule;
mod serve;
mod start;
mod stop;
mod who;
mod words;

pub use serve::{BindError, bind, serve};

use crate::{
    desk::Desk,
    store::{StoreError, types::By},
    tell::watch::Watch,
    wake::{Changed, Wake},
};
use futures::stream::BoxStream;
use payout_proto::v1;
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use who::Names;

/// Frames or lines that wait for a slow reader before we wait for it.
const REPLIES_MAX: usize = 64;

/// The door.
#[derive(Clone, Debug)]
pub struct ControlDoor {
    desk: Arc<Desk>,
    watch: Arc<Watch>,
    wake: Wake,
    changed: Changed,
    names: Names,
    stop: CancellationToken,
}

impl ControlDoor {
    /// A door; its streams end when `stop` is cancelled.
    #[must_use]
    pub fn new(desk: Arc<Desk>, watch: Arc<Watch>, wake: Wake, changed: Changed, stop: CancellationToken) -> Self {
        Self { desk, watch, wake, changed, names: Names::default(), stop }
    }

    async fn by<T: Sync>(&self, request: &Request<T>) -> Result<By, Status> {
        self.names.by(who::uid(request)?).await
    }

    /// Something was recorded: the engine has work, followers have news.
    fn recorded(&self) {
        self.wake.wake();
        self.changed.tell();
    }
}

type Reply<T> = Result<Response<T>, Status>;

/// Generated traits want `Result<Response<T>, Status>`; our steps give `Result<T, Status>`.
fn reply<T>(done: Result<T, Status>) -> Reply<T> {
    done.map(Response::new)
}

#[tonic::async_trait]
impl v1::control_server::Control for ControlDoor {
    async fn get_status(&self, request: Request<v1::GetStatusRequest>) -> Reply<v1::GetStatusReply> {
        let by = self.by(&request).await?;
        reply(ask::status(self, &by).await)
    }

    async fn start_run(&self, request: Request<v1::StartRunRequest>) -> Reply<v1::StartRunReply> {
        let by = self.by(&request).await?;
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
        let by = self.by(&request).await?;
        reply(stop::pause(self, &by, request.into_inner()).await)
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Reply<v1::ResumeReply> {
        let by = self.by(&request).await?;
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
        let uid = who::uid(&request)?;
        let by = self.names.by(uid).await?;
        reply(Ok(earnings::import(self.clone(), by, request.into_inner())))
    }

    async fn get_schedule(&self, request: Request<v1::GetScheduleRequest>) -> Reply<v1::GetScheduleReply> {
        reply(schedule::get(self, request.into_inner().count).await)
    }

    async fn set_schedule(&self, request: Request<v1::SetScheduleRequest>) -> Reply<v1::GetScheduleReply> {
        let by = self.by(&request).await?;
        reply(schedule::set(self, &by, request.into_inner()).await)
    }

    async fn check_books(&self, _: Request<v1::CheckBooksRequest>) -> Reply<v1::CheckBooksReply> {
        let report = self.desk.store.books().await.map_err(|error| words::status(&error));
        reply(report.map(crate::desk::rows::books))
    }

    type WatchStream = BoxStream<'static, Result<v1::WatchFrame, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Reply<Self::WatchStream> {
        let by = self.by(&request).await?;
        reply(follow::stream(self, &by, request.into_inner()).await)
    }
}

/// A run by its id or label.
async fn run_named(door: &ControlDoor, name: &str) -> Result<crate::store::types::RunRow, Status> {
    door.desk.store.run(name).await.map_err(|error: StoreError| words::status(&error))
}
