//! Several unlikely things in a row, on one payout: it meets something, its answer is late or wrong, and meanwhile Stripe, the bank or
//! somebody in the Dashboard goes on. By chance alone that would take a hundred times as many seeds.
use super::{
    super::world::{account, ann, creator},
    fault::Fault,
    walk::{CREATORS, HOUR_MS, Walk},
};
use payout_shared::{
    id::{CreatorId, PayoutId, RunId},
    run::{RunEvent, RunKind},
};
use payoutd::store::types::RetryAsk;
use rand::{Rng, seq::IndexedRandom};
use stripe_twin::{AccountChange, BankSpec};

/// What its request meets, and how often.
const MEETS: [(Option<Fault>, u32); 8] = [
    (Some(Fault::Copied), 9),
    (Some(Fault::HeldAfter), 8),
    (Some(Fault::ExecutedThenDropped), 6),
    (Some(Fault::ResetBefore), 2),
    (Some(Fault::HeldBefore), 2),
    (Some(Fault::ServerErrorOnly), 1),
    (Some(Fault::Refused), 2),
    (None, 1),
];
/// What it has met before that, when anything: what only puts it back.
const BEFORE: [Fault; 4] = [Fault::LockTimeout, Fault::Limited, Fault::Frozen, Fault::KeyRefused];

const MAY_LEAVE: &str = "p.state = 'planned' AND r.state IN ('planned', 'running', 'pausing', 'paused')";
const MAY_LEAVE_AGAIN: &str = "p.state = 'failed' AND p.attempts = 1 AND r.state IN ('running', 'paused', 'completed', 'completed_with_failures')";

struct Target {
    payout: PayoutId,
    run: RunId,
    account: String,
}

impl Target {
    fn creator(&self) -> Option<CreatorId> {
        (0..CREATORS).find(|n| account(*n) == self.account).map(creator)
    }
}

impl Walk {
    /// A payout that is to leave, or one that failed and is to leave again, is lain in wait for.
    pub(super) async fn ambush(&mut self) {
        let Some(target) = self.about_to_leave().await else { return };
        if self.dice.random_bool(0.25) {
            return self.sent_back(&target).await;
        }
        if self.dice.random_bool(0.05) {
            return self.hold(&target).await;
        }
        if self.dice.random_bool(0.3) {
            self.daemon().await;
        }
        if self.dice.random_bool(0.3) {
            let before = *BEFORE.choose(&mut self.dice).unwrap();
            self.meets(&target, before);
        }
        let meets = MEETS.choose_weighted(&mut self.dice, |(_, weight)| *weight).unwrap().0;
        match meets {
            Some(fault) => self.leaves_and_meets(&target, fault).await,
            None => self.let_it_leave(&target).await,
        };
        if meets == Some(Fault::Copied) {
            // It would leave again within a second, and its answer would tell all.
            self.pause_or_hold(&target).await;
        } else if meets == Some(Fault::HeldAfter) && self.dice.random_bool(0.5) {
            self.take_over().await;
            self.met.all(&mut self.coverage, &self.world, Fault::TakenOver).await;
        }
        self.meanwhile(&target).await;
    }

    /// Its first try is before it, or its second.
    async fn about_to_leave(&mut self) -> Option<Target> {
        if self.dice.random_bool(0.8) {
            self.heal().await;
        }
        let failed = if self.dice.random_bool(0.5) { self.target(MAY_LEAVE_AGAIN).await } else { None };
        let mut again = failed.is_some();
        let target = match failed {
            Some(failed) => failed,
            None => self.planned().await?,
        };
        self.note(&format!("{} of {} is lain in wait for", target.payout, target.account));
        if !again && self.dice.random_bool(0.5) {
            again = true;
            if !self.fails_first(&target).await {
                return None;
            }
        }
        (!again || self.second_chance(&target).await).then_some(target)
    }

    async fn planned(&mut self) -> Option<Target> {
        match self.target(MAY_LEAVE).await {
            Some(planned) => Some(planned),
            None => self.new_target().await,
        }
    }

    /// Its next request meets this.
    fn meets(&mut self, target: &Target, fault: Fault) {
        self.note(&format!("it will meet {fault:?}"));
        self.world.stripe.trouble(Some(&target.account), 1, fault.trouble().unwrap());
    }

    /// Its first try meets something, and its bank refuses it in the end.
    async fn fails_first(&mut self, target: &Target) -> bool {
        let bank = format!("SELECT destination_id FROM creator_payouts WHERE id = '{}'", target.payout);
        let bank = BankSpec {
            id: self.world.probe.texts(&bank).await.concat().pop(),
            fails_with: Some("could_not_process".to_owned()),
            ..BankSpec::default()
        };
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        self.world.stripe.twin.change_account(&target.account, change).unwrap();
        if !self.leaves_in_trouble(target).await {
            return false;
        }
        for _ in 0..10 {
            self.hear_all().await;
            if self.state_of(target).await == "failed" {
                return true;
            }
            self.world.advance((self.profile.settle_ms.cast_signed() / 2).max(60_000)).await;
        }
        false
    }

    /// It leaves and meets something; nothing is held any more.
    async fn leaves_in_trouble(&mut self, target: &Target) -> bool {
        let fault = self.any_fault_of_a_request();
        let has_left = self.leaves_and_meets(target, fault).await;
        self.world.stripe.let_go();
        has_left
    }

    async fn leaves_and_meets(&mut self, target: &Target, fault: Fault) -> bool {
        if fault == Fault::ServerErrorOnly {
            // A copy is executed first: else it would never be.
            self.meets(target, Fault::Copied);
            self.let_it_leave(target).await;
        }
        self.meets(target, fault);
        self.let_it_leave(target).await
    }

    fn any_fault_of_a_request(&mut self) -> Fault {
        let all: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| fault.trouble().is_some()).collect();
        // That one leaves few payouts that anything can come of.
        let weight = |fault: &Fault| if *fault == Fault::ServerErrorOnly { 4 } else { 1 };
        *all.choose_weighted(&mut self.dice, weight).unwrap()
    }

    /// Two people take it back once it is paid, and so does its bank: while its reversal is under way, or after that.
    async fn sent_back(&mut self, target: &Target) {
        self.note("its bank will send it back");
        let settle_ms = self.profile.settle_ms.cast_signed();
        self.world.stripe.twin.set_faults("paid-then-failed=100".parse().unwrap());
        if self.dice.random_bool(0.5) {
            self.leaves_in_trouble(target).await;
        } else {
            self.let_it_leave(target).await;
        }
        self.world.stripe.twin.set_faults(self.profile.bank.parse().unwrap());
        self.world.advance(settle_ms / 10 * 11).await;
        self.hear_all().await;
        let state = self.state_of(target).await;
        self.note(&format!("it is {state}"));
        let Some(run) = self.runs.iter().find(|run| run.id == target.run).cloned() else { return };
        if state != "paid" || !self.take_back_all_of(&run).await {
            return;
        }
        if self.dice.random_bool(0.5) {
            self.daemon().await;
        }
        let on_the_wire = *[Fault::HeldBefore, Fault::HeldAfter].choose(&mut self.dice).unwrap();
        let fault = if self.dice.random_bool(0.5) { on_the_wire } else { self.any_fault_of_a_request() };
        self.meets(target, fault);
        let left = self.let_it_leave(target).await;
        self.note(&format!("its reversal has left: {left}"));
        if self.dice.random_bool(0.5) {
            self.world.steps(2).await;
        }
        self.world.advance(settle_ms / 2).await;
        if self.dice.random_bool(0.8) {
            self.hear_all().await;
        } else {
            self.is_told(target).await;
        }
    }

    async fn target(&mut self, which: &str) -> Option<Target> {
        let query = format!(
            "SELECT p.id, p.run_id, p.account_id FROM creator_payouts p JOIN payout_runs r ON r.id = p.run_id WHERE {which} ORDER BY p.id"
        );
        let rows = self.world.probe.texts(&query).await;
        let row = rows.choose(&mut self.dice)?;
        Some(Target { payout: PayoutId::new(&row[0]), run: RunId::new(&row[1]), account: row[2].clone() })
    }

    /// A creator earns something, and a run is to pay it.
    async fn new_target(&mut self) -> Option<Target> {
        let (n, minor) = (self.dice.random_range(0..CREATORS), self.dice.random_range(2_000..9_000));
        self.earns(n, minor).await;
        self.begin_run(2, RunKind::Manual, self.world.clock.now_ms(), vec![creator(n)]).await;
        let of_it = format!("{MAY_LEAVE} AND r.id = '{}'", self.runs.last()?.id);
        for _ in 0..6 {
            self.world.step().await;
            let planned = self.target(&of_it).await;
            if planned.is_some() {
                return planned;
            }
            self.world.advance(50).await;
        }
        None
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
            self.hear_all().await;
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

    /// Nothing bars it that somebody could lift, and it has its time. Whether a request of its account has left.
    async fn let_it_leave(&mut self, target: &Target) -> bool {
        let store = &self.world.store;
        store.resume_all(&ann(), "walk").await.unwrap();
        for hold in store.holds().await.unwrap() {
            if target.creator().as_ref() == Some(&hold.creator) {
                let _ = store.release_hold(&hold.creator, &hold.cause, "fine", &ann()).await;
            }
        }
        let _ = store.change_run(None, &target.run, RunEvent::Resume, &ann(), None).await;
        let before = self.world.stripe.left().len();
        let mut has_left = false;
        for _ in 0..12 {
            self.world.step().await;
            let keys = self.world.stripe.left();
            has_left = keys[before.min(keys.len())..].iter().any(|(key, _)| key.contains(&target.account));
            if has_left {
                break;
            }
            self.world.advance(400).await;
        }
        self.met.look(&mut self.coverage, &self.world).await;
        has_left
    }

    async fn pause_or_hold(&mut self, target: &Target) {
        self.world.step().await;
        if self.dice.random_bool(0.85) {
            let done = self.world.store.change_run(None, &target.run, RunEvent::Pause, &ann(), Some("walk")).await;
            self.told("its run is paused", done);
        } else {
            self.hold(target).await;
        }
    }

    async fn hold(&mut self, target: &Target) {
        if let Some(creator) = target.creator() {
            let held = self.world.store.hold(&creator, "look", "a look", &ann()).await;
            self.told("its creator is held", held);
        }
    }

    /// Everything that Stripe has told by now comes, and is looked at.
    async fn hear_all(&mut self) {
        self.all_mail_comes().await;
        self.world.steps(2).await;
        self.met.look(&mut self.coverage, &self.world).await;
    }

    /// Stripe, the bank or somebody goes on, and we are told of it.
    async fn meanwhile(&mut self, target: &Target) {
        let settle_ms = self.profile.settle_ms.cast_signed();
        match self.dice.random_range(0..6) {
            0 | 1 => self.cancel_by_hand(&target.account),
            2 => self.world.advance(settle_ms / 2).await,
            3 => self.world.advance(settle_ms * 5 / 4).await,
            4 => self.world.advance(settle_ms * 2).await,
            _ => {}
        }
        self.is_told(target).await;
    }

    /// Some of what Stripe has told comes.
    async fn is_told(&mut self, target: &Target) {
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
