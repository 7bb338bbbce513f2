//! `payout run watch`: lines until the run is finished, for scripts, dumb terminals and screen readers.
#![allow(clippy::disallowed_methods, reason = "the pace of printed lines, nothing that is told")]
use super::{
    error::{Code, Error, aside},
    json,
    session::{DEADLINE, Session},
};
use crate::{
    app::live::{Live, Taken, is_open},
    link::{self, Meaning, backoff::Backoff},
    text,
};
use payout_proto::v1;
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// A line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// A daemon that is silent for this long is lost.
const SILENCE: Duration = Duration::from_secs(8);

struct Printer {
    is_json: bool,
    /// The same line again and again, on a terminal.
    is_rewriting: bool,
    last: String,
    at: Option<Instant>,
}

/// Follows the run to its end. A lost daemon is dialled again for as long as it takes; one that was never there isn't.
pub(super) async fn run(session: &Session, run: Option<String>, plain: bool) -> Result<(), Error> {
    let is_rewriting = !plain && !session.json && std::io::stdout().is_terminal();
    let mut printer = Printer { is_json: session.json, is_rewriting, last: String::new(), at: None };
    let mut client = session.client().await?;
    let run = match run {
        Some(run) => run,
        None => open_run(session, client.clone()).await?,
    };
    let mut backoff = Backoff::new(session.way.is_remote());
    loop {
        match follow(&run, client, &mut printer, &mut backoff).await {
            Ok(finished) => return end(&mut printer, &finished),
            Err(status) if link::meaning(&status) == Meaning::Refused => {
                return Err(Error::of(&format!("run watch {run}"), &session.way.to_string(), &status));
            }
            Err(status) if matches!(link::meaning(&status), Meaning::NotPermitted | Meaning::Nothing) => {
                return Err(Error::of(&format!("run watch {run}"), &session.way.to_string(), &status));
            }
            Err(status) => printer.lost(&link::sentence(&status))?,
        }
        client = loop {
            tokio::time::sleep(backoff.wait(std::process::id())).await;
            match session.client().await {
                Ok(client) => break client,
                Err(error) => printer.lost(&error.message)?,
            }
        };
    }
}

async fn open_run(session: &Session, mut client: link::Client) -> Result<String, Error> {
    let reply = session
        .ask("run watch", v1::GetStatusRequest {}, DEADLINE, |q| async move { client.get_status(q).await })
        .await?;
    reply
        .run
        .filter(is_open)
        .map(|run| run.id)
        .ok_or_else(|| Error::new(Code::Nothing, "run watch: no run is open; name one to see how it ended"))
}

async fn follow(
    run: &str,
    mut client: link::Client,
    printer: &mut Printer,
    backoff: &mut Backoff,
) -> Result<Live, tonic::Status> {
    let request = v1::WatchRequest { run: run.to_owned(), epoch: 0, seq: 0 };
    let silent = |_| tonic::Status::unavailable(format!("silent for {} s", SILENCE.as_secs()));
    let mut stream = tokio::time::timeout(SILENCE, client.watch(request)).await.map_err(silent)??.into_inner();
    let mut live = Live::default();
    loop {
        let frame = tokio::time::timeout(SILENCE, stream.message()).await.map_err(silent)??;
        let Some(frame) = frame else { return Err(tonic::Status::unavailable("the daemon ended the stream")) };
        let is_beat = matches!(frame.frame, Some(v1::watch_frame::Frame::Heartbeat(_)));
        match live.take(frame) {
            Taken::Ignored if !is_beat => return Err(tonic::Status::unavailable("frames were missing")),
            Taken::Ignored => {}
            Taken::Snapshot | Taken::Delta | Taken::Heartbeat => backoff.reset(),
        }
        let is_finished = live.run.as_ref().is_some_and(|run| !is_open(run));
        printer.progress(&live, is_finished).map_err(|error| tonic::Status::aborted(error.to_string()))?;
        if is_finished {
            return Ok(live);
        }
    }
}

impl Printer {
    fn progress(&mut self, live: &Live, is_last: bool) -> std::io::Result<()> {
        let Some(run) = &live.run else { return Ok(()) };
        let line = if self.is_json {
            serde_json::json!({"run": json::run(run), "states": json::states(&live.states)}).to_string()
        } else {
            line(live, run)
        };
        let is_soon = self.at.is_some_and(|at| at.elapsed() < LINE_EVERY);
        if line == self.last || (is_soon && !is_last) {
            return Ok(());
        }
        self.at = Some(Instant::now());
        let mut out = std::io::stdout().lock();
        let stamp = if self.is_json { String::new() } else { format!("{} ", text::clock(live.daemon.now_ms)) };
        if self.is_rewriting {
            write!(out, "\r\x1b[K{stamp}{line}{}", if is_last { "\n" } else { "" })?;
        } else {
            writeln!(out, "{stamp}{line}")?;
        }
        self.last = line;
        out.flush()
    }

    fn lost(&mut self, why: &str) -> std::io::Result<()> {
        let line = format!(
            "daemon lost ({}), trying again; the run may still be moving money",
            text::clean(why).lines().next().unwrap_or("")
        );
        if line != self.last {
            aside(&format!("{}{line}\n", if self.is_rewriting { "\n" } else { "" }));
            self.last = line;
        }
        Ok(())
    }
}

fn line(live: &Live, run: &v1::RunPart) -> String {
    let money: Vec<String> = run
        .money
        .iter()
        .map(|m| {
            format!("{} of {}", text::money_of(m.sent_minor, &m.currency), text::money_of(m.total_minor, &m.currency))
        })
        .collect();
    let top = live
        .top_cause()
        .map(|c| format!("; most: {} {}", text::count(c.count), text::clean(&c.cause)))
        .unwrap_or_default();
    let taken_back = if run.state == "aborting" || run.state == "aborted" {
        let left: i64 = ["planned", "submitting", "unknown", "pending", "reversing"]
            .into_iter()
            .map(|state| live.count(state))
            .sum();
        let (voided, canceled) = (text::count(live.count("voided")), text::count(live.count("canceled")));
        format!("; taken back: {voided} voided, {canceled} canceled, {} not yet", text::count(left))
    } else {
        String::new()
    };
    let paused = if live.daemon.paused { " (EVERYTHING PAUSED)" } else { "" };
    format!(
        "{} {}{paused} {}/{} {} failed {} unknown {} in flight {} {}{top}{taken_back}",
        text::clean(&run.label),
        run.state.to_uppercase(),
        text::count(run.answered),
        text::count(run.payouts),
        text::percent(text::share_bp(run.answered, run.payouts)),
        text::count(live.failed()),
        text::count(live.count("unknown")),
        text::count(run.in_flight),
        money.join(", ")
    )
}

fn end(printer: &mut Printer, live: &Live) -> Result<(), Error> {
    printer.progress(live, true)?;
    let Some(run) = &live.run else { return Ok(()) };
    match run.state.as_str() {
        "completed" | "settled" => Ok(()),
        state => Err(Error::failed(format!("run {} ended as {state}", text::clean(&run.label)))),
    }
}
