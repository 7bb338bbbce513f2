//! One seed: a walk through months of a small marketplace in which everything that can go wrong does, in any order. After every step the
//! invariants must hold; when everything is healed and heard, our books and Stripe's are one.
use super::{
    super::{
        trouble::Trouble,
        world::{SETTLE_MS, World, account, ann},
    },
    coverage::{Coverage, Met},
    fault::Fault,
};
use crate::databases::{Database, START_MS};
use payout_shared::run::{RunKind, RunState};
use payoutd::{
    engine::Engine,
    store::{fault::CommitFault, types::RunRow},
    stripe::ReadError,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::sync::Arc;
use stripe_twin::{AccountChange, BankSpec, Event, FaultPlan};

pub(super) const CREATORS: usize = 8;
pub(super) const STEPS: u64 = 200;
const HOUR_MS: i64 = 3_600_000;
/// Days between two cycles.
const CYCLE_DAYS: i64 = 14;

pub(super) struct Walk {
    pub(super) world: World,
    pub(super) dice: StdRng,
    pub(super) runs: Vec<RunRow>,
    /// A daemon that lost the lease and doesn't know it yet.
    other: Option<Engine>,
    /// Told by Stripe, in its order: not delivered yet, or to be delivered again.
    mail: Vec<Event>,
    /// Told by Stripe and lost until the end.
    lost: Vec<Event>,
    pub(super) manual: i8,
    cycles: i64,
    daemons: u32,
    seed: u64,
    met: Met,
    coverage: Coverage,
}

/// Walks one seed to its end.
pub(super) async fn walk(database: Database, seed: u64) -> (Database, Coverage) {
    let mut walk = Walk::begin(database, seed).await;
    for step in 0..STEPS {
        Box::pin(walk.step()).await;
        walk.holds(&format!("step {step}")).await;
    }
    walk.end().await;
    walk.coverage.steps = STEPS;
    (walk.world.database, walk.coverage)
}

impl Walk {
    async fn begin(database: Database, seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let amounts: Vec<i64> = (0..CREATORS).map(|_| dice.random_range(500..20_000)).collect();
        let mut world = World::on(database, &amounts).await;
        world.settings.plan_page = dice.random_range(1..6);
        world.settings.alone = false;
        world.lease_ages = true;
        world.rates.create_concurrency = dice.random_range(1..8);
        world.rates.create_milli_per_s = dice.random_range(2_000..20_000);
        world
            .stripe
            .twin
            .set_faults("paid-then-failed=15,reversal-refused=10,reversal-fails=20".parse::<FaultPlan>().unwrap());
        for n in 0..2 {
            let bank = BankSpec { fails_with: Some("account_closed".to_owned()), ..BankSpec::default() };
            let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
            world.stripe.twin.change_account(&account(n), change).unwrap();
        }
        let runs = vec![world.scheduled().await];
        Self {
            world,
            dice,
            runs,
            other: None,
            mail: Vec::new(),
            lost: Vec::new(),
            manual: 1,
            cycles: 0,
            daemons: 1,
            seed,
            met: Met::default(),
            coverage: Coverage::default(),
        }
    }

    /// Something happens, the engine goes on a little, and time passes.
    async fn step(&mut self) {
        self.something().await;
        for _ in 0..self.dice.random_range(1..4) {
            self.world.step().await;
        }
        if let Some(mut other) = self.other.take() {
            // It may write nothing and send nothing any more, whatever it believes.
            self.world.faults.scope(other.step()).await;
            self.world.stripe.quiet().await;
            self.other = self.dice.random_bool(0.7).then_some(other);
        }
        let ms = *[5, 50, 500, 1_000, 3_000, 20_000, HOUR_MS].choose(&mut self.dice).unwrap();
        self.world.advance(ms).await;
        self.met.look(&mut self.coverage, &self.world).await;
    }

    async fn something(&mut self) {
        match self.dice.random_range(0..100) {
            0..22 => self.trouble(),
            22..42 => self.mail().await,
            42..60 => self.daemon().await,
            60..80 => self.people().await,
            80..96 => self.market().await,
            _ => self.cycle().await,
        }
    }

    /// The next creates meet something.
    fn trouble(&mut self) {
        let troubles: Vec<Trouble> = Fault::ALL.into_iter().filter_map(Fault::trouble).collect();
        let trouble = troubles.choose(&mut self.dice).unwrap().clone();
        let count = self.dice.random_range(1..3);
        self.world.stripe.trouble(None, count, trouble);
    }

    /// What becomes of the daemon, its database and its connections.
    async fn daemon(&mut self) {
        let fault = match self.dice.random_range(0..6) {
            0 => {
                self.world.crash();
                self.other = None;
                Fault::Crash
            }
            1 => {
                self.world.faults.fail(self.dice.random_range(0..4), self.dice.random_range(1..3), CommitFault::Undone);
                Fault::CommitUndone
            }
            2 => {
                self.world.faults.fail(
                    self.dice.random_range(0..4),
                    self.dice.random_range(1..3),
                    CommitFault::Unheard,
                );
                Fault::CommitUnheard
            }
            3 => {
                self.world.stripe.trouble_read(None, 2, ReadError::Unreachable("down".to_owned()));
                Fault::ReadFails
            }
            4 => {
                self.take_over().await;
                Fault::TakenOver
            }
            _ => return self.world.stripe.let_go(),
        };
        self.met.all(&mut self.coverage, &self.world, fault).await;
    }

    /// A daemon of another name finds the lease expired; the old one lives on and believes in it.
    async fn take_over(&mut self) {
        self.world.probe.execute("UPDATE lease SET expires_at_ms = 1").await;
        self.daemons += 1;
        self.world.settings.holder = format!("daemon {}", self.daemons);
        let new = Engine::new(self.world.parts(Arc::new(self.world.stripe.another_client())));
        self.other = self.world.engine.replace(new);
    }

    /// Webhooks come in any order, twice, or not before the end.
    async fn mail(&mut self) {
        self.mail.extend(self.world.stripe.twin.take_events());
        for _ in 0..self.dice.random_range(0..5) {
            if self.mail.is_empty() {
                return;
            }
            let at = self.dice.random_range(0..self.mail.len());
            let event = self.mail[at].clone();
            match self.dice.random_range(0..10) {
                0 => {
                    self.mark(&event, Fault::WebhookLost).await;
                    self.lost.push(self.mail.remove(at));
                    continue;
                }
                1..3 => self.mark(&event, Fault::WebhookTwice).await,
                _ => {
                    if at > 0 {
                        self.mark(&event, Fault::WebhookOutOfOrder).await;
                    }
                    self.mail.remove(at);
                }
            }
            self.world.put(&event).await;
        }
    }

    /// The payout that an event is about has met this.
    async fn mark(&mut self, event: &Event, fault: Fault) {
        let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
        let Some(key) = body["data"]["object"]["metadata"]["payoutd_key"].as_str() else { return };
        let of_key = format!("SELECT payout_id FROM payout_attempts WHERE key = '{key}'");
        if let Some(row) = self.world.probe.texts(&of_key).await.first() {
            self.met.one(&mut self.coverage, &row[0], fault);
        }
    }

    /// What happens in the marketplace.
    async fn market(&mut self) {
        let n = self.dice.random_range(0..CREATORS);
        match self.dice.random_range(0..10) {
            0..5 => {
                let minor = self.dice.random_range(1..9_000);
                self.world.earn(n, minor).await;
            }
            5..8 => {
                let minor = self.dice.random_range(1..900);
                self.world.refund(n, minor).await;
            }
            _ => {
                let fails_with = self.dice.random_bool(0.2).then(|| "account_closed".to_owned());
                let bank = BankSpec {
                    id: Some(format!("ba_new_{n}_{}", self.world.clock.now_ms())),
                    fails_with,
                    ..BankSpec::default()
                };
                let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
                self.world.stripe.twin.change_account(&account(n), change).unwrap();
            }
        }
    }

    /// Days pass, and the next cycle is due.
    async fn cycle(&mut self) {
        let instant_ms = START_MS + (self.cycles + 1) * CYCLE_DAYS * 24 * HOUR_MS;
        let days = self.dice.random_range(1..=CYCLE_DAYS);
        self.world.advance(days * 24 * HOUR_MS).await;
        if self.world.clock.now_ms() >= instant_ms {
            self.cycles += 1;
            let day = i8::try_from(1 + self.cycles).unwrap();
            let run = self.world.run_at(day.min(28), RunKind::Scheduled, instant_ms).await;
            self.runs.push(run);
        }
    }

    async fn holds(&self, at: &str) {
        let wrong = self.world.wrong().await;
        assert!(wrong.is_empty(), "PAYOUTD_SEED={}, {at}: {wrong:#?}", self.seed);
    }

    /// Everything is healed, released, resumed, delivered: nothing may be left open.
    async fn end(&mut self) {
        self.other = None;
        self.decide_all().await;
        let world = &mut self.world;
        world.stripe.heal();
        world.stripe.let_go();
        world.faults.heal();
        world.store.resume_all(&ann(), "the end").await.unwrap();
        for hold in world.store.holds().await.unwrap() {
            world.store.release_hold(&hold.creator, &hold.cause, "the end", &ann()).await.unwrap();
        }
        for run in &self.runs {
            if matches!(world.state(run).await, RunState::Paused | RunState::Pausing) {
                world.resume(run).await;
            }
        }
        self.mail.append(&mut self.lost);
        // Unknown ones whose bank account was replaced meanwhile are only listed; none of theirs is at Stripe that a listing doesn't show.
        for round in 0..3 {
            let settled = world.settled_but_for_the_barred().await;
            assert!(settled, "PAYOUTD_SEED={}: round {round}: {}", self.seed, world.describe().await);
            world.advance(SETTLE_MS.cast_signed()).await;
            self.mail.extend(world.stripe.twin.take_events());
            for event in self.mail.drain(..) {
                world.put(&event).await;
            }
        }
        let taken_back = "SELECT COUNT(*) FROM payout_runs r WHERE r.state = 'aborting' AND NOT EXISTS (SELECT 1 FROM creator_payouts p \
                          WHERE p.run_id = r.id AND p.state = 'unknown')";
        self.world.until("all is taken back", async |world| world.probe.number(taken_back).await == 0).await;
        self.met.look(&mut self.coverage, &self.world).await;
        self.holds("the end").await;
        self.world.ledgers_equal().await;
    }
}
