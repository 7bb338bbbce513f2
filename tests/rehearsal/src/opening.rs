//! The marketplace opens: twin and daemon on one clock, the endpoints, the accounts made known, the schedule armed. From here on
//! webhooks are the only way in.
use crate::{
    almanac,
    args::Args,
    books::Books,
    commands::Payout,
    database::Database,
    fleet::Fleet,
    hour::Hour,
    life::AtStripe,
    place::Place,
    reserves::Terms,
    stage::{Stage, not_set_up, say, spec},
    supervisor::Supervisor,
    twin::Twin,
};
use anyhow::Context;
use std::{fmt::Write as _, path::Path, time::Instant};

/// Lets the scheduler be armed; nobody calls the endpoints that it guards.
const CRON_SECRET: &str = "rehearsal-cron-secret-0123456789abcdef";

/// How long what is kept back of a sale is kept, days: some of it comes back within a month's life.
const RESERVE_DAYS: &str = "12";
/// Kept back of each sale, per cent: from the beginning, and from the second month on.
const RESERVE_AT_FIRST: u32 = 10;
pub(crate) const RESERVE_LATER: u32 = 5;

/// A life that is being played.
#[derive(Debug)]
pub(crate) struct Marketplace {
    pub(crate) stage: Stage,
    pub(crate) hour: Hour,
    pub(crate) database: Database,
    /// What is known of Stripe's side, and from where on to ask for more.
    pub(crate) stripe: AtStripe,
    pub(crate) moves_next: usize,
    /// What was asked to be kept back, oldest first.
    pub(crate) terms: Vec<Terms>,
}

impl Marketplace {
    /// Everything up, at the beginning of the story. What fails leaves its directory behind.
    pub(crate) async fn open(args: &Args, months: u32) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program's own file")?;
        if let Some(url) = &args.database {
            Books::refuse_used(url).await?;
        }
        let mut place = Place::make(args.dir.as_deref(), args.keep)?;
        let started = Instant::now();
        match up(args, &place, &program, started).await {
            Ok((twin, daemon, payout, hour, database)) => {
                let stage = Stage { place, twin, daemon, payout, started, cluster: None, disk: None };
                let stripe = AtStripe::default();
                let mut market = Self { stage, hour, database, stripe, moves_next: 0, terms: Vec::new() };
                match market.begin(args, months).await {
                    Ok(()) => Ok(market),
                    Err(error) => Err(not_set_up(&mut market.stage.place, error)),
                }
            }
            Err(error) => Err(not_set_up(&mut place, error)),
        }
    }

    /// The terms of the beginning, and life goes on from here.
    async fn begin(&mut self, args: &Args, months: u32) -> anyhow::Result<()> {
        self.stage.payout.must(&["policy", "set", "reserve_days", RESERVE_DAYS, "--reason", "rehearsal"]).await?;
        self.keep_back(RESERVE_AT_FIRST).await?;
        let (begin_ms, days) = (almanac::begin_ms()?, almanac::days(months)?);
        self.stage.twin.live(args, begin_ms, days).await?;
        let begin = jiff::Timestamp::from_millisecond(begin_ms)?;
        let place = self.stage.place.dir().display();
        self.stage.say(&format!("{} creators, {days} days from {begin} on, {place}", args.creators));
        Ok(())
    }

    /// From now on so much of each sale is kept back, per cent.
    pub(crate) async fn keep_back(&mut self, percent: u32) -> anyhow::Result<()> {
        let value = percent.to_string();
        let args = ["policy", "set", "reserve_percent", &value, "--reason", "rehearsal"];
        let said = self.stage.payout.json(&args).await?.context("the daemon can't be reached")?;
        let from = said["policy"]["effective_from"].as_str().context("the policy doesn't say from when on")?;
        let from_ms = from.parse::<jiff::Timestamp>()?.as_millisecond();
        self.terms.push(Terms { from_ms, basis_points: i64::from(percent) * 100 });
        Ok(())
    }
}

async fn up(
    args: &Args,
    place: &Place,
    program: &Path,
    started: Instant,
) -> anyhow::Result<(Twin, Fleet, Payout, Hour, Database)> {
    let begin_ms = almanac::begin_ms()?;
    let hour = Hour::start(&place.hour(), begin_ms)?;
    let twin = Twin::start(program, args, place).await?;
    let secrets = twin.endpoints(&place.webhook_url()).await?;
    say(
        started,
        &format!("Stripe's twin on {}, with an endpoint for the platform and one for its accounts", twin.base),
    );
    let mut spec = spec(args, &place.seat(), program.to_owned(), &twin.base);
    let settings = [
        ("STRIPE_WEBHOOK_SECRET", secrets.join(",")),
        ("CRON_SECRET_KEY", CRON_SECRET.to_owned()),
        ("PAYOUT_TIMEZONE", almanac::ZONE.to_owned()),
        ("PAYOUTD_CLOCK_OFFSET_FILE", place.hour().to_string_lossy().into_owned()),
    ];
    spec.env.retain(|(name, _)| settings.iter().all(|(own, _)| own != name));
    spec.env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    let daemon = Fleet::of_one(place.seat(), Supervisor::start(spec));
    let payout = Payout::new(program, &place.socket());
    daemon.up().await?;
    let mut database = Database::open(args.database.as_deref(), &place.state()).await?;
    database.execute(known(args, begin_ms)?).await.context("making the creators known to the platform")?;
    payout.must(&["schedule", "arm", "--reason", "rehearsal"]).await?;
    Ok((twin, daemon, payout, hour, database))
}

/// What the platform itself writes when a creator connects an account: who they are, and that payouts are wanted.
fn known(args: &Args, now_ms: i64) -> anyhow::Result<String> {
    let count = usize::try_from(args.creators).context("the number of creators")?;
    let made = stripe_twin::spread(args.seed, count, now_ms);
    let mut sql = String::new();
    // Writing to a String doesn't fail. The names are the twin's own: no quotes in them.
    for creators in made.chunks(500) {
        let list = |row: &dyn Fn(&stripe_twin::Creator) -> String| {
            creators.iter().map(|creator| format!("({})", row(creator))).collect::<Vec<_>>().join(", ")
        };
        let users = list(&|creator| format!("'{}', TRUE, TRUE, TRUE", creator.creator_id));
        let settings = list(&|creator| format!("'{}', TRUE", creator.creator_id));
        let accounts = list(&|creator| {
            format!("'{}', '{}', '{}', {now_ms}", creator.account.id, creator.creator_id, creator.account.country)
        });
        let _ = write!(
            sql,
            "INSERT INTO users (supabase_id, is_creator, payout_enabled, payout_beta_enabled) VALUES {users}; \
             INSERT INTO creator_payout_settings (creator_id, payout_enabled) VALUES {settings}; \
             INSERT INTO creator_stripe_accounts (account_id, creator_id, country, created_at_ms) VALUES {accounts}; "
        );
    }
    Ok(sql)
}
