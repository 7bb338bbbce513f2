//! Everything up: twin, daemon, earnings imported, a run started. And everything down again.
use crate::{
    args::Args,
    books::Books,
    cluster::Cluster,
    commands::Payout,
    disk::Disk,
    fleet::Fleet,
    market,
    place::{Place, Seat},
    supervisor::{Spec, Supervisor, log_tail},
    twin::{API_KEY, Twin, WEBHOOK_SECRET},
};
use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Payout creates a second at speed 1: below Stripe's 15.
const CREATE_RATE_PER_S: f64 = 14.5;
/// Reads of one endpoint a second at speed 1: below Stripe's 25.
const READ_RATE_PER_S: f64 = 20.0;
/// All requests a second at speed 1: 60 % of Stripe's 100.
const GLOBAL_RATE_PER_S: f64 = 60.0;
/// A daemon that opens an empty database is up within seconds.
const UP_TIMEOUT: Duration = Duration::from_secs(60);
/// How often its socket is tried.
const LOOK: Duration = Duration::from_millis(20);
/// With the console it stays dead for long enough to see LOST.
const RESTART_AFTER_SEEN: Duration = Duration::from_secs(3);
/// Headless it comes back as fast as systemd would.
const RESTART_AFTER: Duration = Duration::from_millis(200);

/// The rehearsal, set up.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) twin: Twin,
    pub(crate) daemon: Fleet,
    pub(crate) payout: Payout,
    pub(crate) started: Instant,
    /// A PostgreSQL of our own.
    pub(crate) cluster: Option<Cluster>,
    /// A disk of our own below the state directory.
    pub(crate) disk: Option<Disk>,
}

/// Creates a second that the daemon is configured for.
pub(crate) fn create_rate(args: &Args) -> f64 {
    CREATE_RATE_PER_S * args.speed()
}

impl Stage {
    /// Twin and daemon up, earnings imported. What fails leaves its directory behind, and says where.
    pub(crate) async fn set_up(args: &Args, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        let started = Instant::now();
        let program = std::env::current_exe().context("finding this program's own file")?;
        if let Some(url) = &args.database {
            Books::refuse_used(url).await?;
        }
        let mut place = Place::make(args.dir.as_deref(), args.keep)?;
        let disk = if args.wants_disk() { Some(Disk::mount(&place.state())?) } else { None };
        match Self::set_up_in(args, &mut place, program).await {
            Ok((twin, daemon, payout)) => Ok(Self { place, twin, daemon, payout, started, cluster, disk }),
            Err(error) => Err(not_set_up(&mut place, error)),
        }
    }

    async fn set_up_in(args: &Args, place: &mut Place, program: PathBuf) -> anyhow::Result<(Twin, Fleet, Payout)> {
        let started = Instant::now();
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let (earnings, size) = match &args.earnings {
            Some(file) => (file.clone(), market::accounts_for(file, now_ms, &place.accounts())?),
            None => {
                let file = place.earnings();
                let size = market::make(args.seed, args.creators, now_ms, &file, &place.accounts())?;
                (file, size)
            }
        };
        say(
            started,
            &format!("{} creators with {} earnings, in {}", size.creators, size.earnings, place.dir().display()),
        );
        let twin = Twin::start(&program, args, place).await?;
        say(started, &format!("Stripe's twin on {}", twin.base));
        let daemon = Fleet::start(args, place, &program, &twin.base).await?;
        let payout = daemon.payout(&program);
        for member in &daemon.members {
            let pid = member.daemon.life().pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            say(started, &format!("{} is process {pid}: kill -9 it, and see it go on", member.seat.name));
        }
        let ended = payout.must(&["earnings", "import", &earnings.to_string_lossy()]).await?;
        let last = ended.stdout.lines().last().unwrap_or("imported").trim().to_owned();
        say(started, &format!("payout earnings import: {last}"));
        Ok((twin, daemon, payout))
    }

    /// Starts a run of everybody and gives its id.
    pub(crate) async fn start_run(&self) -> anyhow::Result<String> {
        let started = self.payout.json(&["run", "start", "--reason", "rehearsal"]).await?;
        let started = started.context("payout run start: the daemon can't be reached")?;
        let run = started.get("run_id").or_else(|| started.get("id")).and_then(serde_json::Value::as_str);
        let run = run.with_context(|| format!("payout run start --json printed no run_id: {started}"))?;
        self.say(&format!("payout run start: {run}"));
        Ok(run.to_owned())
    }

    /// Undoes every blow: nobody is frozen or cut off, the database is up, the disk has room.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        self.daemon.heal();
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        match &self.cluster {
            Some(cluster) => cluster.up().await,
            None => Ok(()),
        }
    }

    pub(crate) fn say(&self, text: &str) {
        say(self.started, text);
    }
}

pub(crate) fn say(started: Instant, text: &str) {
    println!("{:>6.1} s  {text}", started.elapsed().as_secs_f64());
}

pub(crate) fn spec(args: &Args, seat: &Seat, program: PathBuf, stripe: &str) -> Spec {
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    let rate = |per_s: f64| (per_s * args.speed()).to_string();
    let mut env: Vec<(String, String)> = [
        ("STRIPE_SECRET_KEY", API_KEY.to_owned()),
        ("STRIPE_API_BASE", stripe.to_owned()),
        ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ("PAYOUTD_STATE_DIR", path(seat.state.clone())),
        ("PAYOUTD_SOCKET", path(seat.socket.clone())),
        ("LOGS_DIRECTORY", path(seat.logs.clone())),
        ("PAYOUTD_HTTP_LISTEN", format!("127.0.0.1:{}", seat.http_port)),
        ("PAYOUTD_CREATE_RATE_PER_S", rate(CREATE_RATE_PER_S)),
        ("PAYOUTD_READ_RATE_PER_S", rate(READ_RATE_PER_S)),
        ("PAYOUTD_GLOBAL_RATE_PER_S", rate(GLOBAL_RATE_PER_S)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    env.extend(args.database.iter().map(|url| ("DATABASE_URL".to_owned(), url.clone())));
    Spec {
        program,
        args: vec!["serve".to_owned()],
        env,
        log: seat.log.clone(),
        pid_file: seat.pid_file.clone(),
        restart_after: if args.headless { RESTART_AFTER } else { RESTART_AFTER_SEEN },
    }
}

/// What fails leaves its directory behind, and says where.
pub(crate) fn not_set_up(place: &mut Place, error: anyhow::Error) -> anyhow::Error {
    place.keep();
    let names = ["payoutd", "payoutd-1", "payoutd-2", "stripe-twin"];
    let written = names.into_iter().filter(|name| place.logs().join(format!("{name}.log")).exists());
    let tails = written.map(|name| log_tail(place, name)).collect::<Vec<_>>().join("\n");
    error.context(format!("{tails}\n\nthe rehearsal couldn't be set up"))
}

/// Until the control socket takes a connection.
pub(crate) async fn wait_until_up(socket: &Path, daemon: &Supervisor) -> anyhow::Result<()> {
    let deadline = Instant::now() + UP_TIMEOUT;
    while tokio::net::UnixStream::connect(socket).await.is_err() {
        if let Some(why) = daemon.life().given_up {
            bail!("payoutd: {why}");
        }
        if Instant::now() > deadline {
            bail!("payoutd: its socket didn't answer within {} s", UP_TIMEOUT.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
