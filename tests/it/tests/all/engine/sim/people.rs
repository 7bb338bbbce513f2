//! What people do in the simulation.
use super::{
    super::{
        approvals::person,
        rollback::preview,
        world::{ann, creator},
    },
    walk::{CREATORS, Walk},
};
use payout_shared::{
    id::PayoutId,
    run::{RunEvent, RunKind},
};
use payoutd::store::types::RetryAsk;
use rand::{Rng, seq::IndexedRandom};

impl Walk {
    /// What people do: holds, pauses, further runs, retries, rollbacks and what two of them decide.
    pub(super) async fn people(&mut self) {
        let n = self.dice.random_range(0..CREATORS);
        match self.dice.random_range(0..26) {
            0..4 => {
                let _ = self.world.store.hold(&creator(n), "look", "a look", &ann()).await.unwrap();
            }
            4..9 => {
                for hold in self.world.store.holds().await.unwrap() {
                    if hold.creator == creator(n) {
                        self.world.store.release_hold(&hold.creator, &hold.cause, "fine", &ann()).await.unwrap();
                    }
                }
            }
            9..15 => {
                let run = self.runs.choose(&mut self.dice).unwrap();
                let event = if self.dice.random_bool(0.35) { RunEvent::Pause } else { RunEvent::Resume };
                // Refused where it makes no sense.
                let _ = self.world.store.change_run(None, &run.id, event, &ann(), Some("walk")).await;
            }
            15 => {
                self.world.store.pause_all(&ann(), "walk").await.unwrap();
            }
            16..19 => {
                self.world.store.resume_all(&ann(), "walk").await.unwrap();
            }
            19 => {
                self.manual += 1;
                self.runs.push(self.world.run(self.manual, RunKind::Manual).await);
            }
            20..22 => self.retry().await,
            22..24 => self.take_back().await,
            _ => self.decide_one().await,
        }
    }

    /// Some failed payouts are tried again; refused where it makes no sense.
    async fn retry(&mut self) {
        let failed = self.world.probe.texts("SELECT id FROM creator_payouts WHERE state = 'failed' ORDER BY id").await;
        let some = failed.iter().filter(|_| self.dice.random_bool(0.5)).map(|row| (PayoutId::new(&row[0]), None));
        let payouts: Vec<_> = some.collect();
        let context = self.world.store.plan_context().await.unwrap();
        let ask = RetryAsk { payouts: &payouts, context: &context, by: &ann(), reason: Some("walk"), by_itself: false };
        self.world.store.retry(None, &ask).await.unwrap();
    }

    /// A run is taken back as it is shown, or given up; refused where it makes no sense.
    async fn take_back(&mut self) {
        let run = self.runs.choose(&mut self.dice).unwrap().clone();
        let (_, confirm) = Box::pin(preview(&self.world, &run)).await;
        let confirm = self.dice.random_bool(0.8).then_some(confirm);
        let _ = self.world.store.abort_run(&run.id, confirm.as_ref(), &ann(), "a walk takes it back").await;
    }

    /// A second person says yes or no to something that waits.
    async fn decide_one(&mut self) {
        let waiting = self.world.waiting().await;
        let Some(request) = waiting.choose(&mut self.dice) else { return };
        if self.dice.random_bool(0.8) {
            self.world.yes(request, &person("bob", 1001)).await.unwrap();
        } else {
            self.world.store.reject(&request.id, &person("bob", 1001), "no").await.unwrap();
        }
    }

    /// Nothing waits for anybody any more.
    pub(super) async fn decide_all(&mut self) {
        while !self.world.waiting().await.is_empty() {
            self.decide_one().await;
        }
    }
}
