//! One command's way to the daemon, its deadlines and its output.
use super::error::{Code, Error};
use crate::link::{
    Client,
    dial::{Asking, Way},
};
use serde_json::Value;
use std::{future::Future, io::Write, time::Duration};
use tonic::{Request, Response, Status};

/// A simple question is answered within this time.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// A question over all rows is answered within this time.
pub(super) const DEADLINE_LONG: Duration = Duration::from_secs(600);

/// What a command works with.
#[derive(Debug)]
pub(super) struct Session {
    pub way: Way,
    pub json: bool,
    pub read_only: bool,
}

impl Session {
    /// Connects.
    pub(super) async fn client(&self) -> Result<Client, Error> {
        let channel = self.way.connect(Asking::Allowed).await.map_err(|why| {
            let advice = match &self.way {
                Way::Socket(_) => "is payoutd running (systemctl status payoutd)? another socket: --socket PATH",
                Way::Ssh { .. } => "does `ssh` to it work, and is payout installed there?",
            };
            Error::new(Code::Unreachable, format!("the daemon at {} can't be reached: {why}\n{advice}", self.way))
        })?;
        Ok(Client::new(channel).max_decoding_message_size(64 * 1024 * 1024))
    }

    /// Connects for something that changes something.
    pub(super) async fn acting(&self, tried: &str) -> Result<Client, Error> {
        if self.read_only {
            return Err(Error::new(Code::NotPermitted, format!("{tried}: --read-only was given")));
        }
        self.client().await
    }

    /// Asks one thing, within the deadline.
    pub(super) async fn ask<Q, A, F>(
        &self,
        tried: &str,
        question: Q,
        deadline: Duration,
        rpc: impl FnOnce(Request<Q>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = Request::new(question);
        request.set_timeout(deadline);
        match tokio::time::timeout(deadline + Duration::from_millis(500), rpc(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Error::of(tried, &self.way.to_string(), &status)),
            Err(_) => Err(Error::of(tried, &self.way.to_string(), &Status::deadline_exceeded(""))),
        }
    }

    /// Prints the document, or the lines for people.
    pub(super) fn print(
        &self,
        document: impl FnOnce() -> Value,
        lines: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", document())?;
        } else {
            for line in lines() {
                writeln!(out, "{}", crate::text::clean(&line).trim_end())?;
            }
        }
        out.flush()?;
        Ok(())
    }
}
