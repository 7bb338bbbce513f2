//! Several unlikely things in a row, on one payout: it meets something, its answer is late or wrong, and meanwhile Stripe, the bank or
//! somebody in the Dashboard goes on. By chance alone that would take a hundred times as many seeds.
use super::{
    super::world::{account, ann, creator},
    fault::Fault,
    walk::{CREATORS, HOUR_MS, Walk},
};
use payout_shared::{
    id::{PayoutId, RunId},
    run::RunEvent,
};
use payoutd::store::types::RetryAsk;
use rand::{Rng, seq::IndexedRandom};
use stripe_twin::{AccountChange, BankSpec};

/// What its request meets, and how often.
const MEETS: [(Option<Fault>, u32); 8] = [
    (Some(Fault::Copied), 9),
    (Some(Fault::HeldAfter), 8),
    (Some(Fault::ExecutedThenDropped), 2),
    (Some(Fault::ResetBefore), 2),
    (Some(Fault::HeldBefore), 2),
    (Some(Fault::ServerErrorOnly), 1),
    (Some(Fault::Refused), 2),
    (None, 1),
];
/// What it has met before that, when anything: what only puts it back.
const BEFORE: [Fault; 4] = [Fault::LockTimeout, Fault::Limited, Fault::Frozen, Fault::KeyRefused];

struct Target {
    payout: PayoutId,
    run: RunId,
    account: String,
}

impl Walk {
    /// A payout that is to leave, or one that failed and is to leave again, is lain in wait for.
    pub(super) async fn ambush(&mut self) {
        let again = self.dice.random_bool(0.5);
        let Some(target) = self.target(if again { "failed" } else { "planned" }).await else { return };
        self.note(&format!("{} of {} is lain in wait for", target.payout, target.account));
        if again && !self.second_chance(&target).await {
            return;
        }
        if self.dice.random_bool(0.3) {
            self.daemon().await;
        }
        if self.dice.random_bool(0.3) {
            let before = BEFORE.choose(&mut self.dice).unwrap().trouble().unwrap();
            self.world.stripe.trouble(Some(&target.account), 1, before);
        }
        let meets = MEETS.choose_weighted(&mut self.dice, |(_, weight)| *weight).unwrap().0;
        if let Some(fault) = meets {
            self.note(&format!("it will meet {fault:?}"));
            self.world.stripe.trouble(Some(&target.account), 1, fault.trouble().unwrap());
        }
        self.let_it_leave(&target).await;
        if meets == Some(Fault::Copied) {
            // It would leave again within a second, and its answer would tell all.
            self.pause_or_hold(&target).await;
        } else if meets == Some(Fault::HeldAfter) && self.dice.random_bool(0.5) {
            self.take_over().await;
            self.met.all(&mut self.coverage, &self.world, Fault::TakenOver).await;
        }
        self.meanwhile(&target).await;
    }

    async fn target(&mut self, state: &str) -> Option<Target> {
        let query = format!("SELECT id, run_id, account_id FROM creator_payouts WHERE state = '{state}' ORDER BY id");
        let rows = self.world.probe.texts(&query).await;
        let row = rows.choose(&mut self.dice)?;
        Some(Target { payout: PayoutId::new(&row[0]), run: RunId::new(&row[1]), account: row[2].clone() })
    }

    /// What it failed for is mended, and it is tried again.
    async fn second_chance(&mut self, target: &Target) -> bool {
        let bank = BankSpec {
            id: Some(format!("ba_mended_{}", self.world.stripe.twin.clock().now().date_ms)),
            fails_with: self.dice.random_bool(0.2).then(|| "could_not_process".to_owned()),
            ..BankSpec::default()
        };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        self.world.stripe.twin.change_account(&target.account, change).unwrap();
        self.world.stripe.heal();
        for round in 0..3 {
            self.mail.extend(self.world.stripe.twin.take_events());
            for event in std::mem::take(&mut self.mail) {
                self.world.put(&event).await;
            }
            self.world.steps(2).await;
            if round == 0 {
                // A bank account counts when it is some days old.
                self.world.advance(4 * 24 * HOUR_MS).await;
            }
        }
        for hold in self.world.store.holds().await.unwrap() {
            let _ = self.world.store.release_hold(&hold.creator, &hold.cause, "mended", &ann()).await;
        }
        let context = self.world.store.plan_context().await.unwrap();
        let asked = [(target.payout.clone(), None)];
        let ask = RetryAsk { payouts: &asked, context: &context, by: &ann(), reason: Some("mended"), by_itself: false };
        let done = self.world.store.retry(None, &ask).await.unwrap().remove(0);
        let why = done.refused.as_ref().map_or("is tried again", |why| why.why()).to_owned();
        self.note(&format!("{}: {why}", target.payout));
        done.refused.is_none()
    }

    async fn state_of(&self, target: &Target) -> String {
        let query = format!("SELECT state FROM creator_payouts WHERE id = '{}'", target.payout);
        self.world.probe.texts(&query).await.concat().concat()
    }

    async fn let_it_leave(&mut self, target: &Target) {
        let _ = self.world.store.change_run(None, &target.run, RunEvent::Resume, &ann(), None).await;
        let left = self.world.stripe.left().len();
        for _ in 0..12 {
            self.world.step().await;
            let keys = self.world.stripe.left();
            if keys[left.min(keys.len())..].iter().any(|(key, _)| key.contains(&target.account)) {
                break;
            }
            self.world.advance(400).await;
        }
        self.met.look(&mut self.coverage, &self.world).await;
    }

    async fn pause_or_hold(&mut self, target: &Target) {
        self.world.step().await;
        if self.dice.random_bool(0.85) {
            let done = self.world.store.change_run(None, &target.run, RunEvent::Pause, &ann(), Some("walk")).await;
            self.told("its run is paused", done);
        } else if let Some(n) = (0..CREATORS).find(|n| account(*n) == target.account) {
            let held = self.world.store.hold(&creator(n), "look", "a look", &ann()).await;
            self.told("its creator is held", held);
        }
    }

    /// Stripe, the bank or somebody goes on, and we are told.
    async fn meanwhile(&mut self, target: &Target) {
        let settle_ms = self.profile.settle_ms.cast_signed();
        match self.dice.random_range(0..6) {
            0 | 1 => self.cancel_by_hand(&target.account),
            2 => self.world.advance(settle_ms / 2).await,
            3 => self.world.advance(settle_ms * 5 / 4).await,
            4 => self.world.advance(settle_ms * 2).await,
            _ => {}
        }
        self.mail.extend(self.world.stripe.twin.take_events());
        // What is told of it comes first, the newest of it as often as the oldest.
        let about = |event: &stripe_twin::Event| {
            event.kind.starts_with("payout.") && std::str::from_utf8(&event.body).unwrap().contains(&target.account)
        };
        let (mut of_it, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.mail).into_iter().partition(about);
        if self.dice.random_bool(0.5) {
            of_it.reverse();
        }
        of_it.extend(others);
        self.mail = of_it;
        for _ in 0..self.dice.random_range(1..4) {
            self.post().await;
            self.world.step().await;
            self.met.look(&mut self.coverage, &self.world).await;
            let state = self.state_of(target).await;
            self.note(&format!("{} is {state}", target.payout));
        }
    }
}
