//! How a walk ends: everything is healed, released, resumed, decided and delivered, and it must all come to rest.
use super::{
    super::world::ann,
    walk::{CREATORS, HOUR_MS, Walk},
};
use crate::engine::world::account;
use payout_shared::run::RunState;
use stripe_twin::Status;

/// So often time passes at the end: what is unknown needs more than a day to be proven absent, an estimate asks once a day.
const ROUNDS: usize = 40;
/// The first rounds are an hour apart, the others more.
const HOURLY: usize = 3;

impl Walk {
    /// Everything is healed, released, resumed, delivered: nothing may be left open.
    pub(super) async fn end(&mut self) {
        self.note("the end");
        self.heal().await;
        self.decide_all().await;
        self.allow_all().await;
        self.mail.append(&mut self.lost);
        self.rest().await;
        self.write_story().await;
        self.met.look(&mut self.coverage, &self.world).await;
        self.holds("the end").await;
        self.world.journal_holds().await;
        self.world.ledgers_equal().await;
        self.payouts_are_what_stripe_says().await;
        self.earnings_are_what_stripe_moved().await;
    }

    /// What went wrong with the wire, the database and our clock is over.
    pub(super) async fn heal(&mut self) {
        (self.other, self.gone_for) = (None, 0);
        let world = &mut self.world;
        world.stripe.heal();
        world.stripe.let_go();
        world.faults.heal();
        world.hand.jump_wall(-self.skew_ms);
        self.skew_ms = 0;
    }

    async fn allow_all(&mut self) {
        let store = &self.world.store;
        store.resume_all(&ann(), "the end").await.unwrap();
        for hold in store.holds().await.unwrap() {
            store.release_hold(&hold.creator, &hold.cause, "the end", &ann()).await.unwrap();
        }
        for run in &self.runs {
            if matches!(self.world.state(run).await, RunState::Paused | RunState::Pausing) {
                self.world.resume(run).await;
            }
        }
    }

    /// Time passes, webhooks come, people agree, until nothing is left to do or to find out.
    async fn rest(&mut self) {
        let mut open = Vec::new();
        for round in 0..ROUNDS {
            self.all_mail_comes().await;
            // Longer than a new holder of the lease waits for what the old one may have sent.
            for _ in 0..6 {
                self.world.step().await;
                self.world.advance(5_000).await;
            }
            self.decide_all().await;
            self.resume_stopped().await;
            open = self.left_open().await;
            if round > HOURLY && open.is_empty() {
                return;
            }
            self.world.advance(if round < HOURLY { HOUR_MS } else { 5 * HOUR_MS }).await;
        }
        self.write_story().await;
        panic!("PAYOUTD_SEED={}: no rest, {open:?}: {}", self.seed(), self.world.describe().await);
    }

    /// A breaker or somebody's no may have stopped a run again.
    async fn resume_stopped(&mut self) {
        for run in &self.runs {
            if matches!(self.world.state(run).await, RunState::Paused | RunState::Pausing) {
                let _ = self
                    .world
                    .store
                    .change_run(None, &run.id, payout_shared::run::RunEvent::Resume, &ann(), None)
                    .await;
            }
        }
    }

    async fn left_open(&self) -> Vec<String> {
        let questions = [
            "SELECT 'payout', id, state FROM creator_payouts WHERE state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit', \
             'reversing')",
            "SELECT 'run', id, state FROM payout_runs WHERE state NOT IN ('completed', 'completed_with_failures', 'settled', 'missed', \
             'aborted')",
            "SELECT 'attempt', key, state FROM payout_attempts WHERE on_wire OR state IN ('intended', 'unknown')",
            "SELECT 'estimate', source_id, kind FROM creator_earnings WHERE NOT confirmed",
            "SELECT 'webhook', event_id, event_type FROM webhook_inbox WHERE processed_at_ms IS NULL",
        ];
        let mut open: Vec<String> = self.mail.iter().map(|event| event.kind.clone()).collect();
        for question in questions {
            open.extend(self.world.probe.texts(question).await.into_iter().map(|row| row.join(" ")));
        }
        open
    }

    /// Each payout of ours stands where its object at Stripe does, also when it was tried again in vain since; one that was given
    /// up before it was executed stays that.
    async fn payouts_are_what_stripe_says(&self) {
        let newest =
            "SELECT state, stripe_payout_id FROM creator_payouts WHERE stripe_payout_id IS NOT NULL ORDER BY id";
        let (ledger, late) = (self.world.stripe.twin.ledger(), self.late_objects().await);
        for row in self.world.probe.texts(newest).await {
            let object = ledger.iter().find(|object| object.id == row[1]).unwrap();
            let reversed = ledger.iter().any(|other| {
                other.original_payout.as_ref() == Some(&object.id)
                    && !matches!(other.status, Status::Failed | Status::Canceled)
            });
            let expected: &[&str] = match object.status {
                _ if late.contains(&object.id) => &["voided", "failed"],
                Status::Pending | Status::InTransit => &[],
                Status::Paid if reversed => &["reversed"],
                Status::Paid => &["paid", "settled"],
                Status::Failed if object.was_paid => &["returned"],
                Status::Failed => &["failed"],
                Status::Canceled => &["canceled"],
            };
            assert!(expected.contains(&row[0].as_str()), "PAYOUTD_SEED={}: {row:?} is {object:?}", self.seed());
        }
    }

    /// What the books say moved Stripe's money is what Stripe's balance moved, to the cent.
    async fn earnings_are_what_stripe_moved(&self) {
        for n in 0..CREATORS {
            let (booked, mut moved) = (self.world.booked(&account(n)).await, self.world.moved(&account(n)));
            // What was sold before is nobody's to earn here; what is taken back of it now is.
            for (currency, before) in &self.before[n] {
                *moved.entry(currency.clone()).or_default() -= before;
            }
            moved.retain(|_, sum| *sum != 0);
            assert_eq!(booked, moved, "PAYOUTD_SEED={}: {}", self.seed(), account(n));
        }
    }
}
