//! What people decide in a walk.
use super::{
    super::{
        approvals::person,
        rollback::preview,
        world::{account, ann, creator},
    },
    walk::{CREATORS, Walk},
};
use payout_shared::{
    approval::RequestKind,
    id::{AccountId, ObjectId, PayoutId},
    run::{RunEvent, RunKind},
};
use payoutd::{
    store::{
        StoreError,
        door_types::{Definition, Done, NewRequest, RequestRow},
        types::{AdoptAsk, By, Claimed, RetryAsk, RunRow},
    },
    stripe::Stripe as _,
};
use rand::{Rng, seq::IndexedRandom};
use serde_json::json;

/// What a policy is set to, and back.
const POLICIES: [(&str, &str, &str); 5] = [
    ("minimum.usd", "60.00", "10.00"),
    ("hold_days", "3", "0"),
    ("canary_count", "2", "0"),
    ("cap.usd", "90.00", "1000000.00"),
    ("approval_above.usd", "80.00", "1000000.00"),
];

impl Walk {
    /// Holds, pauses, further runs, retries, rollbacks, policies, cohorts, what Stripe shows, and what two of them decide.
    pub(super) async fn people(&mut self) {
        let n = self.dice.random_range(0..CREATORS);
        match self.dice.random_range(0..44) {
            0..3 => {
                let held = self.world.store.hold(&creator(n), "look", "a look", &ann()).await;
                self.told(&format!("{} is held", creator(n)), held);
            }
            3..8 => self.release(n).await,
            8..15 => self.pause_or_resume().await,
            15 => {
                self.world.store.pause_all(&ann(), "walk").await.unwrap();
                self.note("everything is paused");
            }
            16..19 => {
                self.world.store.resume_all(&ann(), "walk").await.unwrap();
                self.note("everything is resumed");
            }
            19..21 => {
                let named = if self.dice.random_bool(0.5) { vec![creator(n)] } else { Vec::new() };
                self.begin_run(2, RunKind::Manual, self.world.clock.now_ms(), named).await;
            }
            21..25 => self.retry().await,
            25..28 => self.take_back().await,
            28..32 => self.decide_one().await,
            32..34 => self.adopt().await,
            34 => self.claim().await,
            35 => self.say_not_paid().await,
            36 => self.adjust(n).await,
            37 => self.set_policy().await,
            38 => self.roll_out(n).await,
            _ => {
                self.import().await;
                self.begin_run(2, RunKind::Manual, self.world.clock.now_ms(), Vec::new()).await;
            }
        }
    }

    async fn release(&mut self, n: usize) {
        for hold in self.world.store.holds().await.unwrap() {
            if hold.creator == creator(n) {
                let done = self.world.store.release_hold(&hold.creator, &hold.cause, "fine", &ann()).await;
                self.told(&format!("{} is released from {}", hold.creator, hold.cause), done);
            }
        }
    }

    async fn pause_or_resume(&mut self) {
        let run = self.runs.choose(&mut self.dice).unwrap().clone();
        let event = if self.dice.random_bool(0.35) { RunEvent::Pause } else { RunEvent::Resume };
        let done = self.world.store.change_run(None, &run.id, event, &ann(), Some("walk")).await;
        self.told(&format!("{event:?} {}", run.label), done);
    }

    /// Some failed payouts are tried again; refused where it makes no sense.
    async fn retry(&mut self) {
        let failed = self.world.probe.texts("SELECT id FROM creator_payouts WHERE state = 'failed' ORDER BY id").await;
        let some = failed.iter().filter(|_| self.dice.random_bool(0.5)).map(|row| (PayoutId::new(&row[0]), None));
        let payouts: Vec<_> = some.collect();
        let context = self.world.store.plan_context().await.unwrap();
        let ask = RetryAsk { payouts: &payouts, context: &context, by: &ann(), reason: Some("walk"), by_itself: false };
        for done in self.world.store.retry(None, &ask).await.unwrap() {
            let refused = done.refused.map_or_else(String::new, |why| format!(": refused: {}", why.why()));
            self.note(&format!("retry of {}{refused}", done.payout_id));
        }
    }

    /// A run is taken back as it is shown, or given up; refused where it makes no sense.
    async fn take_back(&mut self) {
        let run = self.runs.choose(&mut self.dice).unwrap().clone();
        let as_shown = self.dice.random_bool(0.8);
        self.abort(&run, as_shown).await;
    }

    async fn abort(&mut self, run: &RunRow, as_shown: bool) -> bool {
        let (steps, confirm) = Box::pin(preview(&self.world, run)).await;
        let confirm = as_shown.then_some(confirm);
        let done = self.world.store.abort_run(&run.id, confirm.as_ref(), &ann(), "a walk takes it back").await;
        self.told(&format!("{} is taken back: {steps:?}", run.label), done).is_some()
    }

    /// A whole run is taken back, and a second person agrees.
    pub(super) async fn take_back_all_of(&mut self, run: &RunRow) -> bool {
        let done = self.abort(run, true).await;
        for request in self.world.waiting().await {
            if request.kind == RequestKind::Reversal {
                self.decide(&request, true).await;
            }
        }
        done
    }

    /// A second person says yes or no to something that waits.
    async fn decide_one(&mut self) {
        let waiting = self.world.waiting().await;
        let Some(request) = waiting.choose(&mut self.dice) else { return };
        let yes = self.dice.random_bool(0.8);
        self.decide(request, yes).await;
    }

    async fn decide(&mut self, request: &RequestRow, yes: bool) {
        let (kind, bob) = (request.kind, person("bob", 1001));
        if yes {
            // What was asked by nobody needs two.
            let first = self.world.yes(request, &person("eve", 1002)).await;
            self.told(&format!("yes of eve to {kind:?}"), first);
            let second = self.world.yes(request, &bob).await;
            self.told(&format!("yes of bob to {kind:?}"), second);
        } else {
            let no = self.world.store.reject(&request.id, &bob, "no").await;
            self.told(&format!("no of bob to {kind:?}"), no);
        }
    }

    /// Nothing waits for anybody any more.
    pub(super) async fn decide_all(&mut self) {
        for request in self.world.waiting().await {
            self.decide(&request, true).await;
        }
        // What can't be agreed to any more is turned down.
        for request in self.world.waiting().await {
            self.decide(&request, false).await;
        }
    }

    /// What somebody paid past us is taken into the books.
    async fn adopt(&mut self) {
        let foreign = self.world.store.foreign_payouts(None, true, 10).await.unwrap();
        let Some(row) = foreign.choose(&mut self.dice) else { return };
        let Some(n) = (0..CREATORS).find(|n| account(*n) == row.account.as_str()) else { return };
        let stripe = self.world.stripe.client_of_the_test();
        let Ok(object) = stripe.payout(row.account.clone(), row.object.clone()).await else { return };
        let context = self.world.store.plan_context().await.unwrap();
        let ask = AdoptAsk { object: &object, creator: &creator(n), context: &context, by: &ann(), reason: "by hand" };
        let done = self.world.store.adopt(&ask).await;
        self.told(&format!("{} is adopted", object.id), done);
    }

    async fn an_unknown(&mut self) -> Option<(PayoutId, String, String)> {
        let unknown = "SELECT p.id, t.key, t.account_id FROM creator_payouts p JOIN payout_attempts t ON t.payout_id = p.id \
                       AND t.kind = 'create' AND t.number = p.attempts WHERE p.state = 'unknown' ORDER BY p.id";
        let rows = self.world.probe.texts(unknown).await;
        rows.choose(&mut self.dice).map(|row| (PayoutId::new(&row[0]), row[1].clone(), row[2].clone()))
    }

    /// Somebody names the Stripe object of an unknown payout.
    async fn claim(&mut self) {
        let Some((payout, key, account)) = self.an_unknown().await else { return };
        let ledger = self.world.stripe.twin.ledger();
        let Some(object) = ledger.iter().find(|row| row.idempotency_key.as_ref() == Some(&key)) else { return };
        let stripe = self.world.stripe.client_of_the_test();
        let Ok(object) = stripe.payout(AccountId::new(&account), ObjectId::new(&object.id)).await else { return };
        let claimed = Claimed { key, object, how: "by its key".to_owned() };
        let done = self.world.store.record_claim(&payout, &claimed, &ann()).await;
        self.told(&format!("{payout} is {}", claimed.object.id), done);
    }

    async fn ask(&mut self, kind: RequestKind, subject: String, detail: serde_json::Value) {
        let by = ann().to_string();
        let new = NewRequest { kind, subject, detail, uid: By::uid_in(&by), by, reason: "walk".to_owned() };
        let asked = self.world.store.open_request(&new).await;
        self.told(&format!("asked for {kind:?}: {}", new.detail), asked);
    }

    /// Somebody says of an unknown payout that it was not paid, and may be wrong.
    async fn say_not_paid(&mut self) {
        let Some((payout, key, _)) = self.an_unknown().await else { return };
        let detail = json!({"payout": payout.as_str(), "key": key, "listings": 1});
        self.ask(RequestKind::NotPaid, payout.to_string(), detail).await;
    }

    async fn adjust(&mut self, n: usize) {
        let amount = json!({"minor": -self.dice.random_range(1..900), "currency": "usd"});
        let detail = json!({"kind": "adjustment", "account": account(n), "amount": amount, "transfer": null});
        self.ask(RequestKind::Adjustment, creator(n).to_string(), detail).await;
    }

    async fn set_policy(&mut self) {
        let (name, odd, usual) = *POLICIES.choose(&mut self.dice).unwrap();
        let value = if self.dice.random_bool(0.4) { odd } else { usual };
        self.world.set_policy(name, value).await;
        self.note(&format!("{name} = {value}"));
    }

    /// A cohort is made, opened or closed, or a creator gets a tag or loses it.
    async fn roll_out(&mut self, n: usize) {
        let store = self.world.store.clone();
        let (what, done) = match self.dice.random_range(0..8) {
            0 => {
                let half = (0..CREATORS).filter(|n| n % 2 == 0).map(creator).collect();
                ("made", store.create_cohort("half", &Definition::List(half), &ann(), "walk").await)
            }
            1 => ("made", store.create_cohort("tagged", &Definition::Tag("beta".to_owned()), &ann(), "walk").await),
            2 => ("closed", store.close_cohort("half", &ann(), "walk").await),
            3 => ("tagged", store.tag_creator(&creator(n), "beta", self.dice.random_bool(0.7), &ann(), "walk").await),
            at => {
                let name = if at < 6 { "half" } else { "tagged" };
                ("opened", self.open_cohort(name).await)
            }
        };
        self.told(&format!("a cohort is {what}"), done);
    }

    async fn open_cohort(&self, name: &str) -> Result<Done, StoreError> {
        let store = &self.world.store;
        let open: Vec<_> = store.cohorts().await?.into_iter().filter(|cohort| cohort.is_open).collect();
        let judged = store.judge_cohorts(open).await?;
        store.open_cohort(name, &judged, &json!({}), &ann(), "walk").await
    }
}
