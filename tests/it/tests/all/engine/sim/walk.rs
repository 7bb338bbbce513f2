//! One seed: a walk through months of a small marketplace in which everything that can go wrong does, in any order. After every step the
//! invariants must hold; when everything is healed and heard, our books and Stripe's are one. The same seed walks the same way each time.
use super::{
    super::world::{World, account},
    coverage::{Coverage, Met},
    profile::{self, Act, Profile},
};
use crate::databases::{Database, START_MS};
use payout_shared::{
    id::CreatorId,
    run::{RunKind, RunState},
};
use payoutd::{
    engine::Engine,
    store::types::{By, NewRun, RunRow},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;
use std::collections::BTreeMap;
use stripe_twin::{AccountChange, BankSpec, Event, FaultPlan};

pub(super) const CREATORS: usize = 8;
pub(super) const STEPS: u64 = 200;
/// Lines of its story that a failed walk tells.
const TOLD: usize = 60;
pub(super) const HOUR_MS: i64 = 3_600_000;
/// Before these books, milliseconds.
const LONG_AGO_MS: i64 = 20 * 24 * HOUR_MS;
/// Days between two cycles.
const CYCLE_DAYS: i64 = 14;

pub(super) struct Walk {
    pub(super) world: World,
    pub(super) dice: StdRng,
    pub(super) profile: &'static Profile,
    pub(super) runs: Vec<RunRow>,
    /// A daemon that lost the lease and doesn't know it yet.
    pub(super) other: Option<Engine>,
    /// Told by Stripe, in its order: not delivered yet, or to be delivered again.
    pub(super) mail: Vec<Event>,
    /// Told by Stripe and lost until the end.
    pub(super) lost: Vec<Event>,
    /// Charges and disputes at Stripe.
    pub(super) charges: Vec<Value>,
    pub(super) disputes: Vec<String>,
    pub(super) daemons: u32,
    /// What sales from before these books had brought each account.
    pub(super) before: Vec<BTreeMap<String, i64>>,
    /// How far our clock was set wrong, milliseconds.
    pub(super) skew_ms: i64,
    /// Steps until the database comes back.
    pub(super) gone_for: u32,
    pub(super) met: Met,
    pub(super) coverage: Coverage,
    cycles: i64,
    story: Story,
}

/// What has happened so far; the last of it is told when the walk fails.
struct Story {
    seed: u64,
    fond_of: &'static str,
    lines: Vec<String>,
}

/// What a walk leaves: its database, what it covered, and everything that happened.
pub(super) struct Walked {
    pub(super) database: Database,
    pub(super) coverage: Coverage,
    pub(super) story: String,
}

/// Walks one seed to its end.
pub(super) async fn walk(database: Database, seed: u64) -> Walked {
    let mut walk = Walk::begin(database, seed).await;
    for step in 0..STEPS {
        walk.note(&format!("step {step}"));
        Box::pin(walk.step()).await;
        walk.holds(&format!("step {step}")).await;
    }
    walk.end().await;
    walk.coverage.steps = STEPS;
    let story = walk.whole_story().await;
    Walked { database: walk.world.database, coverage: walk.coverage, story }
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.lines.len().saturating_sub(TOLD);
            eprintln!("PAYOUTD_SEED={}, fond of {}:\n{}", self.seed, self.fond_of, self.lines[from..].join("\n"));
        }
    }
}

/// Sales that the system before this one has paid, with what is still told of them to come.
fn sold_before(world: &World, dice: &mut StdRng) -> Vec<Value> {
    let clock = world.stripe.twin.clock();
    clock.set_offset_ms(-LONG_AGO_MS);
    let charges = (0..CREATORS / 2).map(|_| {
        let (n, amount) = (dice.random_range(0..CREATORS), dice.random_range(100..9_000));
        let body = serde_json::json!({"account": account(n), "amount": amount, "currency": "usd", "at_once": true});
        world.stripe.somebody("/_twin/sales", &body.to_string())
    });
    let charges = charges.collect();
    clock.set_offset_ms(0);
    let _heard = world.stripe.twin.take_events();
    charges
}

impl Walk {
    async fn begin(database: Database, seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let profile = profile::of(seed);
        let amounts: Vec<i64> = (0..CREATORS).map(|_| dice.random_range(500..20_000)).collect();
        let mut world = World::with_bank(database, &amounts, (profile.surplus_minor, profile.settle_ms)).await;
        world.settings.plan_page = dice.random_range(1..6);
        world.settings.alone = false;
        world.let_the_lease_age().await;
        world.stripe.turns.one_by_one();
        world.rates.create_concurrency = dice.random_range(1..8);
        world.rates.create_milli_per_s = dice.random_range(2_000..20_000);
        world.stripe.twin.set_faults(profile.bank.parse::<FaultPlan>().unwrap());
        let bank = BankSpec { fails_with: Some("account_closed".to_owned()), ..BankSpec::default() };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        world.stripe.twin.change_account(&account(0), change).unwrap();
        let charges = sold_before(&world, &mut dice);
        let before = (0..CREATORS).map(|n| world.moved(&account(n))).collect();
        let runs = vec![world.scheduled().await];
        Self {
            world,
            dice,
            profile,
            runs,
            other: None,
            mail: Vec::new(),
            lost: Vec::new(),
            charges,
            before,
            disputes: Vec::new(),
            daemons: 1,
            skew_ms: 0,
            gone_for: 0,
            met: Met::default(),
            coverage: Coverage::default(),
            cycles: 0,
            story: Story { seed, fond_of: profile.name, lines: Vec::new() },
        }
    }

    /// A line of the story.
    pub(super) fn note(&mut self, what: &str) {
        let now = self.world.stripe.twin.clock().now();
        self.story.lines.push(format!("{:>12} ms  {what}", now.date_ms - START_MS));
    }

    /// What somebody was told when they asked for something.
    pub(super) fn told<T, E: std::fmt::Display>(&mut self, what: &str, answer: Result<T, E>) -> Option<T> {
        match answer {
            Ok(done) => {
                self.note(what);
                Some(done)
            }
            Err(error) => {
                self.note(&format!("{what}: refused: {error}"));
                None
            }
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
            self.world.age_the_lease().await;
            self.world.stripe.quiet().await;
            self.other = self.dice.random_bool(0.7).then_some(other);
        }
        let ms = *self.profile.times_ms.choose(&mut self.dice).unwrap();
        self.world.advance(ms).await;
        self.time_heals();
        self.met.look(&mut self.coverage, &self.world).await;
    }

    async fn something(&mut self) {
        let act = self.profile.acts.choose_weighted(&mut self.dice, |(_, weight)| *weight).unwrap().0;
        match act {
            Act::Wire => self.wire(),
            Act::Mail => self.post().await,
            Act::Daemon => self.daemon().await,
            Act::People => self.people().await,
            Act::Market => self.market(),
            Act::Hand => self.by_hand().await,
            Act::Cycle => self.cycle().await,
            Act::Ambush => self.ambush().await,
        }
    }

    /// Days pass, and the next cycle is due.
    async fn cycle(&mut self) {
        let instant_ms = START_MS + (self.cycles + 1) * CYCLE_DAYS * 24 * HOUR_MS;
        let days = self.dice.random_range(1..=CYCLE_DAYS);
        self.world.advance(days * 24 * HOUR_MS).await;
        self.note(&format!("{days} days have passed"));
        if self.world.stripe.twin.clock().now().date_ms >= instant_ms {
            self.cycles += 1;
            self.import().await;
            let day = i8::try_from(1 + self.cycles).unwrap().min(28);
            self.begin_run(day, RunKind::Scheduled, instant_ms, Vec::new()).await;
        }
    }

    /// A file of earnings comes in.
    pub(super) async fn import(&mut self) {
        for n in 0..CREATORS {
            if self.dice.random_bool(0.5) {
                let minor = self.dice.random_range(500..9_000);
                self.earns(n, minor).await;
            }
        }
    }

    /// A file says so, and Stripe has the money.
    pub(super) async fn earns(&mut self, n: usize, minor: i64) {
        self.world.earn(n, minor).await;
        let credit = [("usd".to_owned(), minor)].into();
        let change = AccountChange { credit, ..AccountChange::default() };
        self.world.stripe.twin.change_account(&account(n), change).unwrap();
        self.note(&format!("{minor} earned by {} in a file", account(n)));
    }

    /// A run of this instant: what was earned by then counts.
    pub(super) async fn begin_run(&mut self, day: i8, kind: RunKind, instant_ms: i64, creators: Vec<CreatorId>) {
        let new = NewRun {
            cycle_date: jiff::civil::date(2026, 12, day),
            kind,
            state: RunState::Planning,
            cutoff_ms: instant_ms,
            instant_ms,
            creators,
            by: By::Schedule,
            reason: None,
        };
        let run = self.world.store.insert_run(&new).await.unwrap().0;
        self.note(&format!("run {} of {:?}", run.label, new.creators));
        self.runs.push(run);
    }

    pub(super) async fn holds(&self, at: &str) {
        let mut wrong = self.world.wrong().await;
        if wrong.is_empty() {
            return;
        }
        let late = self.follows_from_late_ones().await;
        wrong.retain(|sentence| !late.explains(sentence));
        if !wrong.is_empty() {
            self.write_story().await;
        }
        assert!(wrong.is_empty(), "PAYOUTD_SEED={}, {at}: {wrong:#?}", self.seed());
    }

    pub(super) fn seed(&self) -> u64 {
        self.story.seed
    }

    /// The whole story goes into the file that `PAYOUTD_STORY` names.
    pub(super) async fn write_story(&self) {
        if let Ok(path) = std::env::var("PAYOUTD_STORY") {
            std::fs::write(path, self.whole_story().await).unwrap();
        }
    }

    /// Everything that happened: what was done, what was asked of Stripe, what the journal says, what Stripe executed.
    async fn whole_story(&self) -> String {
        let mut story = self.story.lines.join("\n");
        for (key, body) in self.world.stripe.left() {
            story += &format!("\n{key} {body}");
        }
        let journal = "SELECT CAST(seq AS TEXT), CAST(at_ms AS TEXT), actor, action, run_id, payout_id, from_state, to_state, reason, \
                       detail, hash FROM journal ORDER BY seq";
        for row in self.world.probe.texts(journal).await {
            story += &format!("\n{}", row.join(" "));
        }
        for row in self.world.stripe.twin.ledger() {
            story += &format!("\n{row:?}");
        }
        story
    }
}
