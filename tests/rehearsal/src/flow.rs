//! The rehearsal from beginning to end: set up, watch (in the console or by lines), stop, compare, judge.
use crate::{
    args::Args,
    blows::Blows,
    books::Books,
    cluster::Cluster,
    kills::Kills,
    progress::{PATIENCE, Progress},
    report::{Allowed, judge},
    stage::{Stage, create_rate},
    supervisor::terminate,
};
use anyhow::{Context, bail};
use std::{
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How often a line is printed while numbers change.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// Failures in a row of `payout run show` (a daemon on its way up or down refuses some).
const FAILURES_IN_A_ROW_MAX: u32 = 60;
/// Beyond the time that the twin takes to pay: for its last webhooks.
const WEBHOOKS_TIMEOUT: Duration = Duration::from_secs(15);
/// How a death by kill -9 reads.
const KILLED: [&str; 2] = ["kill -9 by the rehearsal", "signal: 9 (SIGKILL)"];

/// How the watching ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// The run is completed.
    Completed,
    /// Only unknown payouts are left, or the console was left before the end.
    Unfinished,
    /// Told to stop by this signal: nothing is compared.
    Signal(u8),
}

/// Runs it. The exit code: 0 the books are equal, 1 anything is wrong.
pub(crate) async fn rehearse(args: &Args, cluster: Option<Cluster>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let stage = tokio::select! {
        stage = Stage::set_up(args, cluster) => stage?,
        code = signals.next() => return Ok(ExitCode::from(code)),
    };
    let run = stage.start_run().await?;
    let mut wrong = Vec::new();
    let watched = if args.headless {
        tokio::select! {
            ending = headless(args, &stage, &run, &mut wrong) => ending,
            code = signals.next() => Ok(Ending::Signal(code)),
        }
    } else {
        console(&stage, &run, &mut signals).await
    };
    finish(args, stage, watched, wrong).await
}

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// The exit code that the next of them means.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hang_up.recv() => 129,
        }
    }

    /// Ctrl-C belongs to the console while it has the terminal.
    async fn next_but_interrupt(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => 143,
            _ = self.hang_up.recv() => 129,
        }
    }
}

/// The console in this terminal, until it is left.
async fn console(stage: &Stage, run: &str, signals: &mut Signals) -> anyhow::Result<Ending> {
    let mut command = stage.payout.command(&[]);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut console = command.spawn().context("starting the console")?;
    let told = tokio::select! {
        status = console.wait() => {
            let status = status.context("waiting for the console")?;
            if !status.success() {
                stage.say(&format!("the console ended with {status}"));
            }
            None
        }
        code = signals.next_but_interrupt() => Some(code),
    };
    if let Some(code) = told {
        terminate(&mut console).await;
        return Ok(Ending::Signal(code));
    }
    stage.say("the console was left: stopping the daemon, then comparing");
    let shown = stage.payout.json(&["run", "show", run]).await?;
    let finished = shown.as_ref().and_then(Progress::read).is_some_and(|progress| progress.is_finished());
    Ok(if finished { Ending::Completed } else { Ending::Unfinished })
}

async fn headless(args: &Args, stage: &Stage, run: &str, wrong: &mut Vec<String>) -> anyhow::Result<Ending> {
    let kills = Kills::plan(args.seed, args.kill_daemon);
    let blows = Blows::plan(args);
    let (tell, told) = watch::channel(Progress::default());
    let ending = {
        let first = &stage.daemon.member(0)?.daemon;
        let striking = async {
            let mut seen = told.clone();
            kills.first(first).await;
            let payouts = seen.wait_for(Progress::is_planned).await.map_or(0, |progress| progress.payouts);
            kills.others(first, &stage.twin, payouts).await?;
            blows.strike(args, stage, payouts, &told).await
        };
        let following = follow(stage, run, &tell);
        tokio::pin!(striking, following);
        let (ending, struck) = tokio::select! {
            ending = &mut following => (ending, None),
            struck = &mut striking => {
                wrong.extend(told_of(struck));
                (following.await, Some(()))
            }
        };
        if ending.is_ok() && struck.is_none() && !blows.is_empty() {
            // One blow may still be under way.
            wrong.extend(told_of(striking.await));
        }
        stage.heal().await?;
        ending?
    };
    let killed = stage.daemon.life().deaths.iter().filter(|death| *death == KILLED[0]).count();
    if killed < kills.count() {
        wrong.push(format!("the run was over after {killed} of {} kills", kills.count()));
    }
    if ending == Ending::Completed {
        wait_for_banks(args, stage, run).await?;
    }
    Ok(ending)
}

/// What was wrong with the blows; one that couldn't be struck, or from which nothing followed, is wrong too.
fn told_of(struck: anyhow::Result<Vec<String>>) -> Vec<String> {
    struck.unwrap_or_else(|error| vec![format!("{error:#}")])
}

/// Prints how the run goes on until it is over.
async fn follow(stage: &Stage, run: &str, tell: &watch::Sender<Progress>) -> anyhow::Result<Ending> {
    let mut last = Progress::default();
    let (mut changed, mut printed) = (Instant::now(), None::<Instant>);
    let mut failures = 0;
    loop {
        if let Some(why) = stage.daemon.life().given_up {
            bail!("payoutd: {why}");
        }
        match stage.payout.json(&["run", "show", run]).await {
            Ok(None) => {}
            Err(error) if failures >= FAILURES_IN_A_ROW_MAX => return Err(error),
            Err(_) => failures += 1,
            Ok(Some(shown)) => {
                failures = 0;
                let now = Progress::read(&shown).with_context(|| format!("payout run show printed {shown}"))?;
                if now != last {
                    let state_changed = now.state != last.state;
                    changed = Instant::now();
                    last = now;
                    tell.send_replace(last.clone());
                    if state_changed || printed.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
                        stage.say(&last.to_string());
                        printed = Some(Instant::now());
                    }
                }
            }
        }
        if last.is_finished() {
            return Ok(Ending::Completed);
        }
        if changed.elapsed() > PATIENCE && last.only_unknown_is_left() {
            stage.say(&format!("only unknown payouts are left, and nothing has changed for {} s", PATIENCE.as_secs()));
            return Ok(Ending::Unfinished);
        }
        if changed.elapsed() > 2 * PATIENCE {
            bail!("nothing has changed for {} s: {last}", 2 * PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Until every payout is paid or failed in the books, and nothing is still to be executed at Stripe; bounded, and no failure:
/// a lost webhook is not repaired by waiting.
async fn wait_for_banks(args: &Args, stage: &Stage, run: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(args.settle_ms()) + WEBHOOKS_TIMEOUT;
    let mut last = String::new();
    while Instant::now() < deadline {
        let shown = stage.payout.json(&["run", "show", run]).await.unwrap_or(None);
        if let Some(progress) = shown.as_ref().and_then(Progress::read) {
            last = progress.to_string();
            if progress.is_settled_at_banks() && stage.twin.executions_due().await? == 0 {
                break;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    stage.say(&last);
    Ok(())
}

/// Stops the daemon, compares, stops the twin, prints.
async fn finish(
    args: &Args,
    mut stage: Stage,
    watched: anyhow::Result<Ending>,
    mut wrong: Vec<String>,
) -> anyhow::Result<ExitCode> {
    if let Ok(Ending::Signal(code)) = watched {
        stage.daemon.stop().await;
        stage.twin.stop().await;
        return Ok(ExitCode::from(code));
    }
    let unfinished = !args.headless && !matches!(watched, Ok(Ending::Completed));
    if let Err(error) = &watched {
        wrong.push(format!("{error:#}"));
    }
    // It may be dead just now, and about to be started again.
    let up = stage.daemon.up().await;
    let books_said = stage.payout.run(&["books"]).await?;
    if books_said.code != 0 {
        wrong.push(format!("payout books: exit code {}: {} {}", books_said.code, books_said.stdout, books_said.stderr));
    }
    let life = stage.daemon.life();
    if let Err(error) = up {
        wrong.push(format!("{error:#}"));
    }
    wrong.extend(
        life.deaths
            .iter()
            .filter(|death| !KILLED.contains(&death.as_str()))
            .map(|death| format!("payoutd died: {death}")),
    );
    let tails = stage.daemon.log_tails();
    let ended = stage.daemon.stop().await;
    if life.given_up.is_none() && ended != "exit status: 0" && ended != "it was dead already" {
        wrong.push(format!("payoutd didn't stop cleanly: {ended}"));
    }
    let ledger = stage.twin.ledger().await?;
    let books = Books::read(args.database.as_deref(), &stage.place.state()).await?;
    stage.twin.stop().await;
    let allowed = Allowed { unknown: args.may_leave_unknown(), limited: args.may_be_limited(), unfinished };
    let findings = judge(&books, &ledger, allowed, create_rate(args));
    wrong.extend(findings.wrong);
    print!("\n{}", findings.text);
    println!("daemon       died and was started again {} times", life.deaths.len());
    println!("books        {}", books_said.stdout.lines().last().unwrap_or("no answer").trim());
    if wrong.is_empty() {
        println!("result       good: the books equal what Stripe executed");
    } else {
        stage.place.keep();
        println!("result       {} THINGS ARE WRONG", wrong.len());
        wrong.iter().for_each(|what| println!("  wrong: {what}"));
        println!("{tails}");
    }
    if stage.place.is_kept() {
        println!("kept         {}", stage.place.dir().display());
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
