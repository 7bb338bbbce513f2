//! A big plan holds nothing up: a pause is never behind more than the page that is being planned, and watchers see each page.
use crate::databases::{Database, START_MS, each_database};
use crate::store::fixtures::{a_run, ann};
use payout_proto::v1::{Live, watch_frame::Frame};
use payout_shared::{
    calendar::CycleRules,
    run::{RunEvent, RunState},
};
use payoutd::{
    clock::{Clock, ManualClock},
    desk::{self, Desk},
    engine::{Engine, Parts, Settings},
    health::Health,
    logging::RecentLog,
    store::{Store, types::RunRow},
    stripe::limits::{Limits, Rates},
    tell::{
        figures::Figures,
        watch::{Follower, Place, Watch},
    },
    wake::{Changed, Wake},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const CREATORS: u64 = 20_000;
const EARNINGS: u64 = 60_000;
const PAGE: i64 = 1_000;

/// A daemon's engine and its watch stream on a manual clock, with accounts that are all read.
struct Daemon {
    hand: ManualClock,
    store: Store,
    engine: Engine,
    watch: Arc<Watch>,
    changed: Changed,
    run: RunRow,
}

impl Daemon {
    async fn on(database: &Database) -> Self {
        let (clock, hand) = Clock::manual(START_MS);
        let store = database.store_at(clock.clone()).await;
        database.execute(&bench::fill::creators(database.engine, CREATORS, START_MS)).await;
        database.execute(&bench::fill::earnings(database.engine, EARNINGS, CREATORS, START_MS, 0)).await;
        let run = a_run(&store).await;
        let (health, figures) = (Health::default(), Figures::new(clock.clone()));
        let limits = Limits::new(Rates::default(), clock.clone());
        let changed = Changed::default();
        bench::plan::set_policies(&store).await.unwrap();
        let desk = Desk {
            store: store.clone(),
            clock: clock.clone(),
            health: health.clone(),
            figures: figures.clone(),
            limits: limits.clone(),
            settings: desk::Settings {
                hostname: "here".to_owned(),
                rules: CycleRules::new("Europe/Berlin", jiff::civil::time(6, 0, 0, 0)).unwrap(),
                may_arm: true,
                create_milli_per_s: 14_500,
                plan_page: PAGE,
            },
        };
        let recent = RecentLog::new(clock.clone());
        let watch = Arc::new(Watch::new(Arc::new(desk), recent, changed.clone(), CancellationToken::new()));
        let settings = Settings {
            lease_ms: 10_000,
            holder: "here".to_owned(),
            alone: true,
            request_timeout_ms: 1_000,
            resolve_first_ms: 1_000,
            account_stale_ms: 86_400_000,
            breaker: payout_shared::breaker::BreakerRules {
                percent: 8,
                failures_min: 20,
                bank_percent: 50,
                bank_failures_min: 10,
            },
            plan_page: PAGE,
            drift_tolerance_minor: 100,
        };
        let engine = Engine::new(Parts {
            store: store.clone(),
            stripe: None,
            limits,
            clock,
            wake: Wake::default(),
            changed: changed.clone(),
            health,
            figures,
            witness: None,
            settings,
        });
        Self { hand, store, engine, watch, changed, run }
    }

    async fn now(&self) -> RunRow {
        self.store.run(self.run.id.as_str()).await.unwrap()
    }

    /// Purses that have their outcome, and pages planned: by the run's own journal rows.
    async fn planned(&self, database: &Database) -> (i64, i64) {
        let purses = database.number("SELECT COUNT(*) FROM run_outcomes").await;
        (purses, database.number("SELECT COUNT(*) FROM journal WHERE action = 'run.plan_page'").await)
    }
}

#[tokio::test]
async fn each_pass_plans_one_page_and_after_a_pause_none() {
    each_database(async |database| {
        let mut daemon = Daemon::on(database).await;
        for pages in 1..=3 {
            daemon.engine.step().await;
            assert_eq!(daemon.planned(database).await, (pages * PAGE, pages), "one page a pass, however much is left");
        }
        let counts = daemon.store.run_counts(&daemon.run.id).await.unwrap();
        let left = i64::try_from(CREATORS).unwrap() - 3 * PAGE;
        assert_eq!((counts.purses, counts.to_plan, counts.to_read), (3 * PAGE, left, 0));

        // A page that read its run before the pause: it writes nothing.
        let before = daemon.now().await;
        daemon.store.change_run(None, &daemon.run.id, RunEvent::Pause, &ann(), Some("wait")).await.unwrap();
        let (fence, _) = daemon.store.lease_acquire("late", 600_000, true).await.unwrap().unwrap();
        let context = daemon.store.plan_context().await.unwrap();
        let late = daemon.store.plan_page(fence, &before, PAGE, &context).await;
        assert!(matches!(late, Err(payoutd::store::StoreError::Refused(_))), "{late:?}");
        daemon.store.lease_give_back(fence).await.unwrap();
        for _ in 0..5 {
            daemon.engine.step().await;
            daemon.hand.advance(1_000);
        }
        assert_eq!(daemon.planned(database).await, (3 * PAGE, 3), "paused: nothing further");
        assert_eq!(daemon.now().await.state, RunState::Paused);

        daemon.store.change_run(None, &daemon.run.id, RunEvent::Resume, &ann(), None).await.unwrap();
        let mut passes = 0;
        while daemon.now().await.state == RunState::Planning {
            daemon.engine.step().await;
            passes += 1;
            assert!(passes < 30, "the plan ends");
        }
        assert_eq!(daemon.planned(database).await.0, i64::try_from(CREATORS).unwrap(), "every purse once");
    })
    .await;
}

#[tokio::test]
async fn watchers_see_every_page_and_a_sign_of_life_each_second_while_it_is_planned() {
    each_database(async |database| {
        let mut daemon = Daemon::on(database).await;
        let watch = Arc::clone(&daemon.watch);
        tokio::spawn(async move { watch.run().await });
        let mut follower = daemon.watch.follow(None, Place::default()).await.unwrap();
        let Some(Frame::Snapshot(all)) = follower.next().await.unwrap().frame.clone() else { panic!("no snapshot") };
        assert_eq!(all.run.unwrap().to_plan, i64::try_from(CREATORS).unwrap());
        for pages in 1..=6 {
            daemon.engine.step().await;
            let (mut beats, mut seen) = (0, None);
            while seen != Some(pages * PAGE) || beats == 0 {
                quiet(&daemon).await;
                daemon.hand.advance(1_000);
                let live = news(&mut follower, &mut beats).await;
                seen = live.run.map(|run| run.purses).or(seen);
            }
        }
    })
    .await;
}

/// What the next frame tells; a sign of life is counted and tells nothing.
async fn news(follower: &mut Follower, beats: &mut u32) -> Live {
    match follower.next().await.unwrap().frame.clone().unwrap() {
        Frame::Heartbeat(_) => {
            *beats += 1;
            Live::default()
        }
        Frame::Snapshot(live) | Frame::Delta(live) => live,
    }
}

/// No look is being taken: the feed sleeps for the tick and until it may look again. Only then may time pass.
async fn quiet(daemon: &Daemon) {
    daemon.changed.tell();
    daemon.hand.wait_until(|sleepers, _| sleepers == 2).await;
}
