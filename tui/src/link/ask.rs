//! Requests of the console: each in a task of its own, with a deadline, on the connection that the stream has or on a new one.
use super::{
    Client,
    dial::{Asking, Way},
};
use crate::app::{
    Failure, FailureKind, Msg, Reply, Request,
    rollback::{Preview, ROWS_MAX},
};
use payout_proto::v1;
use std::{future::Future, time::Duration};
use tokio::sync::{mpsc, watch};
use tonic::{Response, Status, transport::Channel};

/// A pause or resume is done within this time or reported.
pub const DEADLINE_ACT: Duration = Duration::from_secs(2);
/// A page is shown within this time or reported.
pub const DEADLINE_READ: Duration = Duration::from_secs(5);
/// A rollback's preview, and the same again before it is confirmed, goes through all payouts of a run.
pub const DEADLINE_ROLLBACK: Duration = Duration::from_secs(30);

/// Serves requests until the console has gone.
pub async fn serve(
    way: Way,
    channel: watch::Receiver<Option<Channel>>,
    mut requests: mpsc::Receiver<Request>,
    out: mpsc::Sender<Msg>,
) {
    while let Some(request) = requests.recv().await {
        let (way, channel, out) = (way.clone(), channel.borrow().clone(), out.clone());
        tokio::spawn(async move {
            if let Some((ticket, reply)) = ask(&way, channel, request).await {
                // The console has gone: nobody is left to tell.
                let _ = out.send(Msg::Reply { ticket, reply }).await;
            }
        });
    }
}

async fn ask(way: &Way, channel: Option<Channel>, request: Request) -> Option<(u64, Reply)> {
    Some(match request {
        Request::Pause { ticket, run, reason } => {
            let request = v1::PauseRequest { run, reason };
            let done = call(way, channel, DEADLINE_ACT, |mut c| async move { c.pause(request).await });
            (ticket, done.await.map_or_else(Reply::Failed, Reply::Paused))
        }
        Request::Resume { ticket, run, reason } => {
            let request = v1::ResumeRequest { run, reason };
            let done = call(way, channel, DEADLINE_ACT, |mut c| async move { c.resume(request).await });
            (ticket, done.await.map_or_else(Reply::Failed, Reply::Resumed))
        }
        Request::ListPayouts { ticket, query } => {
            let done = call(way, channel, DEADLINE_READ, |mut c| async move { c.list_payouts(*query).await });
            (ticket, done.await.map_or_else(Reply::Failed, |reply| Reply::Payouts(Box::new(reply))))
        }
        Request::ShowPayout { ticket, payout_id } => {
            let request = v1::ShowPayoutRequest { payout_id };
            let done = call(way, channel, DEADLINE_READ, |mut c| async move { c.show_payout(request).await });
            (ticket, done.await.map_or_else(Reply::Failed, |reply| Reply::Payout(Box::new(reply))))
        }
        Request::PreviewRollback { ticket, run } => {
            let request = v1::PreviewRollbackRequest { run };
            let done = call(way, channel, DEADLINE_ROLLBACK, |c| preview(c, request));
            (ticket, done.await.map_or_else(Reply::Failed, |preview| Reply::Preview(Box::new(preview))))
        }
        Request::ConfirmRollback { ticket, run, hash, reason } => {
            let request = v1::ConfirmRollbackRequest { run, hash, reason };
            let done = call(way, channel, DEADLINE_ROLLBACK, |mut c| async move { c.confirm_rollback(request).await });
            (ticket, done.await.map_or_else(Reply::Failed, Reply::RolledBack))
        }
        Request::Quit | Request::Suspend | Request::Redraw => return None,
    })
}

/// Reads a preview to its end: without its totals it is cut short, and must not look whole.
async fn preview(mut client: Client, request: v1::PreviewRollbackRequest) -> Result<Response<Preview>, Status> {
    let mut lines = client.preview_rollback(request).await?.into_inner();
    let mut preview = Preview::default();
    while let Some(line) = lines.message().await? {
        if let Some(total) = line.total {
            preview.total = total;
            return Ok(Response::new(preview));
        }
        preview.count += 1;
        if preview.rows.len() < ROWS_MAX {
            preview.rows.push(line);
        }
    }
    Err(Status::data_loss("the daemon ended the list before its totals"))
}

async fn call<T, F>(
    way: &Way,
    channel: Option<Channel>,
    limit: Duration,
    rpc: impl FnOnce(Client) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let work = async {
        let channel = match channel {
            Some(channel) => channel,
            None => way
                .connect(Asking::Forbidden)
                .await
                .map_err(|message| Failure { kind: FailureKind::NotSent, message })?,
        };
        rpc(Client::new(channel)).await.map(Response::into_inner).map_err(|status| Failure::from(&status))
    };
    let late = |_| Failure { kind: FailureKind::NoAnswer, message: format!("no answer within {} s", limit.as_secs()) };
    tokio::time::timeout(limit, work).await.map_err(late)?
}
