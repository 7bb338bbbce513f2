//! A small world around one engine: a store on a fresh database, a clock that the test moves, Stripe in the same process, and an engine
//! that is stepped by hand. A crash drops it with everything it had on the wire; what was executed by then stays executed.
use super::{aging::Aging, books::LastBooks, probe::Probe, stripe::Shared};
use crate::databases::{Database, START_MS, policies};
use jiff::civil::date;
use payout_shared::{
    breaker::BreakerRules,
    currency::Currency,
    id::{AccountId, CreatorId},
    run::{RunEvent, RunKind, RunState},
};
use payoutd::{
    clock::{BootMs, Clock, ManualClock},
    engine::{Engine, Parts, Settings},
    health::Health,
    store::{
        Store,
        door_types::{EarningRow, InboxEvent},
        fault::CommitFaults,
        types::{AccountCheck, By, Fence, NewRun, RunRow},
    },
    stripe::{
        Limits, Stripe,
        event::{self},
        limits::Rates,
    },
    tell::figures::Figures,
    wake::{Changed, Wake},
    witness::Witness,
};
use std::sync::Arc;
use stripe_twin::{AccountSpec, FaultPlan, Payout, Rules, Twin};

/// From created to paid at the twin, milliseconds: longer than a test's run takes.
pub(super) const SETTLE_MS: u64 = 600_000;
pub(super) const TIMEOUT_MS: i64 = 10_000;
const STEPS_MAX: usize = 3_000;

pub(super) struct World {
    pub(super) database: Database,
    pub(super) probe: Probe,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) hand: ManualClock,
    pub(super) stripe: Arc<Shared>,
    pub(super) faults: CommitFaults,
    pub(super) health: Health,
    pub(super) settings: Settings,
    /// Where the journal's place is kept outside the database.
    pub(super) witness: Option<Arc<Witness>>,
    pub(super) rates: Rates,
    pub(super) engine: Option<Engine>,
    pub(super) aging: Option<Aging>,
    pub(super) books: LastBooks,
    finished: u64,
    charges: u64,
}

pub(super) fn usd() -> Currency {
    Currency::parse("usd").unwrap()
}

pub(super) fn ann() -> By {
    By::Person { name: "ann".to_owned(), uid: 1000 }
}

pub(super) fn account(n: usize) -> String {
    format!("acct_{n:03}")
}

pub(super) fn creator(n: usize) -> CreatorId {
    CreatorId::new(format!("creator{n:03}"))
}

/// A sale of creator n as a file has it, payable.
pub(super) fn imported(n: usize, minor: i64) -> EarningRow {
    EarningRow {
        line: 2,
        creator: creator(n),
        account: AccountId::new(account(n)),
        country: "US".to_owned(),
        currency: usd(),
        gross_minor: minor,
        fee_minor: 0,
        earned_at_ms: START_MS - 30 * 86_400_000,
        available_on_ms: START_MS - 20 * 86_400_000,
        source_id: String::new(),
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        lease_ms: 15_000,
        holder: "one".to_owned(),
        alone: true,
        request_timeout_ms: TIMEOUT_MS,
        resolve_first_ms: 2_000,
        account_stale_ms: 3_600_000,
        breaker: BreakerRules { percent: 8, failures_min: 20, bank_percent: 50, bank_failures_min: 10 },
        plan_page: 100,
        // Each account holds more than was earned; laws about that set their own.
        drift_tolerance_minor: i64::MAX,
    }
}

impl World {
    /// A world with this many creators, n earning (n + 1) × 10.00 USD.
    pub(super) async fn of(creators: usize) -> Self {
        let amounts: Vec<i64> = (1..=creators).map(|n| i64::try_from(n).unwrap() * 1_000).collect();
        Self::with(&amounts).await
    }

    /// A world whose creators have earned this much; their Stripe balances hold it and 1,000.00 USD more.
    pub(super) async fn with(earned_minor: &[i64]) -> Self {
        Self::on(Database::sqlite(), earned_minor).await
    }

    pub(super) async fn on(database: Database, earned_minor: &[i64]) -> Self {
        Self::with_bank(database, earned_minor, (100_000, SETTLE_MS)).await
    }

    /// … whose Stripe balances hold so much more, and whose payouts take so long (milliseconds) from created to paid.
    pub(super) async fn with_bank(database: Database, earned_minor: &[i64], (surplus, settle_ms): (i64, u64)) -> Self {
        let (clock, hand) = Clock::manual(START_MS);
        let store = database.store_at(clock.clone()).await;
        policies(&store, &[("minimum.usd", "10.00")]).await;
        let rules = Rules { settle_ms, ..Rules::default() };
        let twin = Twin::new(rules, FaultPlan::default(), stripe_twin::Clock::manual(START_MS));
        let specs = earned_minor
            .iter()
            .enumerate()
            .map(|(n, minor)| AccountSpec::new(&account(n), "US", "usd", minor + surplus))
            .collect();
        twin.add_accounts(specs).unwrap();
        let probe = Probe::open(&database).await;
        let stripe = Shared::new(twin, (clock.clone(), hand.clone()), Probe::open(&database).await, TIMEOUT_MS);
        let mut world = Self {
            database,
            probe,
            store,
            clock,
            hand,
            stripe,
            faults: CommitFaults::default(),
            health: Health::default(),
            settings: settings(),
            witness: None,
            rates: Rates { create_milli_per_s: 200_000, create_concurrency: 28, ..Rates::default() },
            engine: None,
            aging: None,
            books: LastBooks::default(),
            finished: 0,
            charges: 0,
        };
        for (n, minor) in earned_minor.iter().enumerate() {
            world.earn(n, *minor).await;
        }
        world
    }

    /// A sale of creator n, payable.
    pub(super) async fn earn(&mut self, n: usize, minor: i64) {
        self.charges += 1;
        let row = EarningRow { source_id: format!("ch_{}", self.charges), ..imported(n, minor) };
        self.store.import_earnings(&[row], "test.csv", &ann(), |_| ()).await.unwrap();
    }

    /// An entry that takes money back from creator n, now.
    pub(super) async fn refund(&mut self, n: usize, minor: i64) {
        self.charges += 1;
        let now = self.clock.now_ms();
        self.database
            .execute(&format!(
                "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, \
                 source_type, source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ('{}', '{}', 'usd', 'refund', -{minor}, \
                 -{minor}, 0, 'reversal', 'trr_{}', {now}, {now}, {now})",
                creator(n),
                account(n),
                self.charges
            ))
            .await;
    }

    /// The scheduled run of a day of December 2026 whose instant is the start of the test.
    pub(super) async fn run(&self, day: i8, kind: RunKind) -> RunRow {
        self.run_at(day, kind, START_MS).await
    }

    pub(super) async fn run_at(&self, day: i8, kind: RunKind, instant_ms: i64) -> RunRow {
        let new = NewRun {
            cycle_date: date(2026, 12, day),
            kind,
            state: RunState::Planning,
            cutoff_ms: START_MS,
            instant_ms,
            creators: Vec::new(),
            by: By::Schedule,
            reason: None,
        };
        self.store.insert_run(&new).await.unwrap().0
    }

    /// A run asked for now: what was earned by now counts.
    pub(super) async fn run_now(&self, day: i8) -> RunRow {
        let now_ms = self.clock.now_ms();
        let new = NewRun {
            cycle_date: date(2026, 12, day),
            kind: RunKind::Manual,
            state: RunState::Planning,
            cutoff_ms: now_ms,
            instant_ms: now_ms,
            creators: Vec::new(),
            by: By::Schedule,
            reason: None,
        };
        self.store.insert_run(&new).await.unwrap().0
    }

    pub(super) async fn scheduled(&self) -> RunRow {
        self.run(1, RunKind::Scheduled).await
    }

    pub(super) fn parts(&self, stripe: Arc<dyn Stripe>) -> Parts {
        Parts {
            store: self.store.clone(),
            stripe: Some(stripe),
            limits: self
                .stripe
                .paced()
                .map_or_else(|| Limits::new(self.rates, self.clock.clone()), |(limits, _)| limits),
            clock: self.clock.clone(),
            wake: Wake::default(),
            changed: Changed::default(),
            health: self.health.clone(),
            figures: Figures::new(self.clock.clone()),
            witness: self.witness.clone(),
            settings: self.settings.clone(),
        }
    }

    /// The process dies: nothing of it is left but what it had committed and what Stripe had executed.
    pub(super) fn crash(&mut self) {
        self.engine = None;
        let _ = self.stripe.client();
        self.stripe.let_go();
        self.hand.advance(0);
    }

    /// One step of the engine (a new one when there is none), and everything that its tasks can do by then.
    pub(super) async fn step(&mut self) -> BootMs {
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new(self.parts(Arc::new(self.stripe.client()))),
        };
        let next = self.faults.scope(engine.step()).await;
        self.engine = Some(engine);
        self.age_the_lease().await;
        let before = self.clock.boot();
        let finished = self.stripe.quiet().await;
        if self.clock.boot() != before {
            self.age_the_lease().await;
        }
        let news = finished != self.finished;
        self.finished = finished;
        if news { self.clock.boot() } else { next }
    }

    /// So many steps, with a moment between them.
    pub(super) async fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step().await;
            self.advance(50).await;
        }
    }

    /// Time passes here and at Stripe.
    pub(super) async fn advance(&mut self, ms: i64) {
        self.stripe.twin.clock().tick(ms);
        self.hand.advance(ms);
        let _ = self.stripe.twin.advance();
        self.stripe.quiet().await;
        self.time_ages_the_lease().await;
    }

    /// So many minutes pass, with a look at the world every ten.
    pub(super) async fn wait_minutes(&mut self, minutes: i64) {
        let mut left = minutes;
        while left > 0 {
            self.advance(left.min(10) * 60_000).await;
            self.steps(2).await;
            left -= 10;
        }
    }

    /// Steps, and lets time pass, until this holds.
    pub(super) async fn until(&mut self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            let next = self.step().await;
            if holds(self).await {
                return;
            }
            let wait = next.ms_since(self.clock.boot());
            if wait > 0 {
                let sleeper = self.hand.next_deadline().map_or(wait, |at| at.ms_since(self.clock.boot()));
                self.advance(wait.min(sleeper.max(1))).await;
            }
        }
        panic!("not within {STEPS_MAX} steps: {what}; {}", self.describe().await);
    }

    /// Until no run has anything to do by itself, and every event was looked at.
    pub(super) async fn settle(&mut self) {
        self.until("to settle", async |world| world.is_settled().await).await;
    }

    pub(super) async fn is_settled(&self) -> bool {
        let open = self.store.open_runs().await.unwrap();
        let waits = |run: &RunRow| matches!(run.state, RunState::Paused | RunState::AwaitingApproval);
        open.iter().all(waits)
            && self.store.inbox_backlog().await.unwrap() == 0
            && self.store.in_flight().await.unwrap() == 0
    }

    /// Every purse was looked at just now, and Stripe holds plenty in it.
    pub(super) async fn look(&self, fence: Fence) {
        let now_ms = self.clock.now_ms();
        let accounts = self.probe.texts("SELECT DISTINCT account_id FROM creator_earnings").await;
        let checks: Vec<AccountCheck> = accounts
            .iter()
            .map(|row| AccountCheck {
                account: AccountId::new(&row[0]),
                read_at_ms: now_ms,
                stripe_ms: now_ms,
                purses: vec![(usd(), 10_000_000, 0)],
                failed: None,
            })
            .collect();
        self.store.record_checks(fence, &checks, &[], &|_| i64::MAX).await.unwrap();
    }

    /// A run that is planned and paused: nothing of it has left.
    pub(super) async fn planned(&mut self) -> RunRow {
        let run = self.scheduled().await;
        self.until("the plan", async |world| world.state(&run).await == RunState::Planned).await;
        assert_eq!(self.pause(&run).await, RunState::Paused);
        run
    }

    pub(super) async fn describe(&self) -> String {
        let runs = self.probe.texts("SELECT CAST(cycle_date AS TEXT), state, plan_after FROM payout_runs").await;
        let payouts = self
            .probe
            .texts("SELECT account_id, state, COALESCE(cause, ''), CAST(not_before_ms AS TEXT) FROM creator_payouts LIMIT 20")
            .await;
        let unresolved = self
            .probe
            .texts(
                "SELECT t.key, t.state, CASE WHEN t.on_wire THEN 'on the wire' ELSE '' END, CAST(t.token AS TEXT), \
                 CAST(t.sends AS TEXT), CAST(t.absent_listings AS TEXT), CAST(p.not_before_ms AS TEXT), p.state \
                 FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id WHERE p.state IN ('submitting', 'unknown')",
            )
            .await;
        format!(
            "unresolved {unresolved:?}, runs {runs:?}, payouts {payouts:?}, now {}, health {:?}",
            self.clock.now_ms(),
            self.health.sentences()
        )
    }

    /// Everything that Stripe has to tell, in its order.
    pub(super) async fn deliver(&self) -> usize {
        let events = self.stripe.twin.take_events();
        for event in &events {
            self.put(event).await;
        }
        events.len()
    }

    pub(super) async fn put(&self, event: &stripe_twin::Event) {
        self.put_body(std::str::from_utf8(&event.body).unwrap()).await;
    }

    pub(super) async fn put_body(&self, body: &str) {
        let parsed = event::parse(body.as_bytes()).unwrap();
        let event = InboxEvent {
            event_id: parsed.id,
            event_type: parsed.kind,
            account: parsed.account,
            object_id: None,
            livemode: parsed.mode.is_some_and(payout_shared::id::Mode::is_live),
            created_s: parsed.created_s.unwrap_or(0),
            body: body.to_owned(),
        };
        self.store.put_event(&event).await.unwrap();
    }

    pub(super) async fn pause(&self, run: &RunRow) -> RunState {
        self.store.change_run(None, &run.id, RunEvent::Pause, &ann(), Some("look")).await.unwrap().0.state
    }

    pub(super) async fn resume(&self, run: &RunRow) {
        self.store.change_run(None, &run.id, RunEvent::Resume, &ann(), None).await.unwrap();
    }

    pub(super) async fn state(&self, run: &RunRow) -> RunState {
        self.store.run(run.id.as_str()).await.unwrap().state
    }

    /// State of the newest payout of creator n, or "none".
    pub(super) async fn payout(&self, n: usize) -> String {
        self.payout_column(n, "state").await
    }

    pub(super) async fn payout_column(&self, n: usize, column: &str) -> String {
        let query = format!(
            "SELECT CAST({column} AS TEXT) FROM creator_payouts WHERE account_id = '{}' ORDER BY created_at_ms DESC, number DESC LIMIT 1",
            account(n)
        );
        self.probe.texts(&query).await.first().map_or_else(|| "none".to_owned(), |row| row[0].clone())
    }

    /// Why creator n got nothing in the newest run; empty when there is a payout.
    pub(super) async fn reason(&self, n: usize) -> String {
        let query = format!(
            "SELECT o.reason FROM run_outcomes o JOIN payout_runs r ON r.id = o.run_id WHERE o.account_id = '{}' \
             ORDER BY r.cycle_date DESC, r.number DESC LIMIT 1",
            account(n)
        );
        self.probe.texts(&query).await[0][0].clone()
    }

    pub(super) async fn held(&self, n: usize) -> Vec<String> {
        let holds = self.store.holds().await.unwrap();
        holds.into_iter().filter(|hold| hold.creator == creator(n)).map(|hold| hold.cause).collect()
    }

    /// What Stripe executed for creator n, oldest first.
    pub(super) fn executed(&self, n: usize) -> Vec<Payout> {
        self.stripe.twin.ledger().into_iter().filter(|row| row.account == account(n)).collect()
    }
}
