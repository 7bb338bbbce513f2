//! One blow: what is done, what must follow from it, and how long that took.
use crate::{
    args::Args,
    blows::Blow,
    cluster::Stop,
    lease::{Lease, Seconds, TakeOver, Watch},
    progress::Progress,
    stage::{Stage, wait_until_up},
    wire::Weather,
};
use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};

/// What must follow from a blow is given up after this.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// Nothing was executed for so long: what was on the wire has arrived.
const QUIET: Duration = Duration::from_millis(1_500);
/// How long a lone daemon is frozen, and a database stays away, milliseconds: shorter and longer than the lease.
const AWAY_MS: std::ops::Range<u64> = 500..11_000;
/// Once its database is back, a daemon sends again within this: it tries twice a second, and purses may have to be looked at again.
const BACK_MAX_MS: i64 = 10_000;
/// What a daemon says that finds another one at work.
const FOLLOWS: &str = "another daemon holds the lease";
/// What one says that had the lease and finds it lost.
const LOST: [&str; 2] = ["the lease ran out before it was renewed", "the lease was lost"];

/// What came of a blow.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) wrong: Vec<String>,
}

/// Strikes a stage.
#[derive(Debug)]
pub(crate) struct Strike<'a> {
    stage: &'a Stage,
    program: PathBuf,
    watch: Option<Watch>,
    told: watch::Receiver<Progress>,
    take_over_max_ms: i64,
    dice: StdRng,
}

impl<'a> Strike<'a> {
    pub(crate) fn new(args: &Args, stage: &'a Stage, told: watch::Receiver<Progress>) -> Self {
        Self {
            stage,
            program: std::env::current_exe().unwrap_or_default(),
            watch: args.database.clone().map(Watch::new),
            told,
            take_over_max_ms: i64::from(args.take_over_max_ms),
            dice: StdRng::seed_from_u64(args.seed ^ 0x6177_6179),
        }
    }

    pub(crate) async fn one(&mut self, blow: Blow) -> anyhow::Result<Told> {
        let several = self.stage.daemon.members.len() > 1;
        match blow {
            Blow::Kill if several => self.leader(blow).await,
            Blow::Freeze if several => self.leader(blow).await,
            Blow::Cut | Blow::Swallow => self.leader(blow).await,
            Blow::Kill => self.kill_the_only_one().await,
            Blow::Freeze => self.freeze_the_only_one().await,
            Blow::StopDatabase => self.database_away(Some(Stop::Fast)).await,
            Blow::CrashDatabase => self.database_away(Some(Stop::Immediate)).await,
            Blow::FillDisk => self.database_away(None).await,
        }
    }

    /// The holder of the lease can't go on; another one takes over and sends. Back again, it must follow.
    async fn leader(&mut self, blow: Blow) -> anyhow::Result<Told> {
        let fleet = &self.stage.daemon;
        let watch = self.watch.as_mut().context("only daemons on PostgreSQL have a lease to lose")?;
        let (before, number) = watch.holder(fleet).await?;
        let member = fleet.member(number)?;
        let name = &member.seat.name;
        let log_from = std::fs::metadata(&member.seat.log).map_or(0, |log| log.len());
        fleet.away.set(number, true);
        let cut = |weather| member.wire.as_ref().map(|wire| wire.is(weather)).context("it has no wire");
        let done = match blow {
            Blow::Kill => {
                member.daemon.kill().await;
                "kill -9"
            }
            Blow::Freeze => {
                member.signal(Signal::SIGSTOP)?;
                "SIGSTOP"
            }
            Blow::Cut => {
                cut(Weather::Cut)?;
                "cut off from the database"
            }
            Blow::Swallow | Blow::StopDatabase | Blow::CrashDatabase | Blow::FillDisk => {
                cut(Weather::Swallows)?;
                "cut off, everything swallowed"
            }
        };
        let most_ms = self.take_over_max_ms;
        let took = watch.take_over(fleet, &before, &self.told).await?;
        let mut told = Told { text: format!("{done} of {name}: take-over: {took}"), wrong: late(&took, most_ms) };
        fleet.heal();
        if blow == Blow::Kill {
            wait_until_up(&member.seat.socket, &member.daemon).await?;
            return Ok(told);
        }
        let back = Instant::now();
        self.must_follow(number, &before).await?;
        let seconds = Seconds(millis(back));
        told.text += &format!("; back, {name} follows after {seconds}");
        let said = tail_from(&member.seat.log, log_from)?;
        if !LOST.iter().any(|words| said.contains(words)) {
            told.wrong.push(format!("{name} lost the lease and doesn't say so in its log"));
        }
        Ok(told)
    }

    /// It says itself that another one is at work; and under its old token nothing is written any more.
    async fn must_follow(&mut self, number: usize, before: &Lease) -> anyhow::Result<()> {
        let payout = self.stage.daemon.member(number)?.payout(&self.program);
        let watch = self.watch.as_mut().context("no lease")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = payout.run(&["status", "--json"]).await?;
            if said.code == 0 && said.stdout.contains(FOLLOWS) {
                break;
            }
            // Asked of the lease too: it may rightly be its own again by now.
            let lease = watch.look().await?;
            let own = lease.pid().is_some_and(|pid| self.stage.daemon.with_pid(pid) == Some(number));
            if own && lease.token > before.token + 1 {
                break;
            }
            if Instant::now() > deadline {
                bail!("back again, it doesn't say that it follows: {} {}", said.stdout.trim(), said.stderr.trim());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn kill_the_only_one(&mut self) -> anyhow::Result<Told> {
        let member = self.stage.daemon.member(0)?;
        let from = Instant::now();
        member.daemon.kill().await;
        wait_until_up(&member.seat.socket, &member.daemon).await?;
        self.goes_on(from, "kill -9 of the only daemon").await
    }

    async fn freeze_the_only_one(&mut self) -> anyhow::Result<Told> {
        let ms = self.dice.random_range(AWAY_MS);
        let member = self.stage.daemon.member(0)?;
        self.stage.daemon.away.set(0, true);
        member.signal(Signal::SIGSTOP)?;
        sleep(Duration::from_millis(ms)).await;
        member.signal(Signal::SIGCONT)?;
        self.stage.daemon.away.set(0, false);
        self.goes_on(Instant::now(), &format!("SIGSTOP of the only daemon for {ms} ms")).await
    }

    /// Something more is executed, or the blow came when all was sent.
    async fn goes_on(&mut self, from: Instant, what: &str) -> anyhow::Result<Told> {
        let executed = self.stage.twin.executed().await?;
        let deadline = Instant::now() + PATIENCE;
        while self.stage.twin.executed().await? == executed {
            if self.told.borrow().all_is_sent() {
                return Ok(Told { text: format!("{what}: all was sent"), wrong: Vec::new() });
            }
            if Instant::now() > deadline {
                bail!("{what}: nothing more was executed for {} s", PATIENCE.as_secs());
            }
            sleep(LOOK).await;
        }
        Ok(Told { text: format!("{what}: goes on after {}", Seconds(millis(from))), wrong: Vec::new() })
    }

    /// The database can't be written: the daemons stay up and say so, nothing leaves, and it goes on by itself.
    async fn database_away(&mut self, stop: Option<Stop>) -> anyhow::Result<Told> {
        let ms = self.dice.random_range(AWAY_MS);
        let gone = Instant::now();
        let what = match stop {
            Some(stop) => {
                self.stage.cluster.as_ref().context("there is no PostgreSQL of our own")?.down(stop).await?;
                format!("PostgreSQL stopped ({})", stop.words())
            }
            None => {
                self.stage.disk.as_ref().context("there is no disk of our own")?.fill()?;
                "disk full".to_owned()
            }
        };
        self.must_complain().await?;
        let executed = self.quiet().await?;
        sleep(Duration::from_millis(ms).saturating_sub(gone.elapsed())).await;
        let after = self.reached().await?;
        let mut wrong = Vec::new();
        if after != executed {
            wrong.push(format!("{} payouts were executed while the database was away", after.saturating_sub(executed)));
        }
        match stop {
            Some(_) => self.stage.cluster.as_ref().context("there is no PostgreSQL of our own")?.up().await?,
            None => self.stage.disk.as_ref().context("there is no disk of our own")?.free()?,
        }
        let seconds = Seconds(millis(gone));
        let back = Instant::now();
        let told = self.goes_on(back, &format!("{what} for {seconds}, nothing left meanwhile")).await?;
        if millis(back) > BACK_MAX_MS {
            wrong.push(format!("the database was back, and nothing went on for {}", Seconds(millis(back))));
        }
        Ok(Told { wrong, ..told })
    }

    /// Whoever asks a daemon is told about the database.
    async fn must_complain(&self) -> anyhow::Result<()> {
        for member in &self.stage.daemon.members {
            let payout = member.payout(&self.program);
            let deadline = Instant::now() + PATIENCE;
            loop {
                let said = payout.run(&["status", "--json"]).await?;
                if said.stdout.contains("the database") || said.stderr.contains("database") {
                    break;
                }
                if Instant::now() > deadline {
                    bail!(
                        "{} doesn't say that its database is away: {} {}",
                        member.seat.name,
                        said.stdout,
                        said.stderr
                    );
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Executed, and about to be executed by the twin itself.
    async fn reached(&self) -> anyhow::Result<u64> {
        let due = self.stage.twin.executions_due().await?;
        Ok(self.stage.twin.executed().await? + due)
    }

    /// How much was executed once nothing more is.
    async fn quiet(&self) -> anyhow::Result<u64> {
        let deadline = Instant::now() + PATIENCE;
        let (mut reached, mut since) = (self.reached().await?, Instant::now());
        while since.elapsed() < QUIET {
            sleep(LOOK).await;
            let now = self.reached().await?;
            if now != reached {
                (reached, since) = (now, Instant::now());
            }
            if Instant::now() > deadline {
                bail!("payouts go on being executed {} s after the database went away", PATIENCE.as_secs());
            }
        }
        Ok(reached)
    }
}

fn millis(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn late(took: &TakeOver, most_ms: i64) -> Vec<String> {
    let late = took.is_later_than(most_ms);
    late.then(|| format!("the take-over took longer than {}: {took}", Seconds(most_ms))).into_iter().collect()
}

fn tail_from(log: &Path, from: u64) -> anyhow::Result<String> {
    let mut file = std::fs::File::open(log).with_context(|| format!("opening {}", log.display()))?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
