//! What happens by itself: payouts settle or fail, 500s roll forward, late requests execute, banks break.
//! Driven by `advance` with the wall clock. Invariant: things happen in the order they are due, each at its own time.

use crate::account::BankSpec;
use crate::clock::Now;
use crate::events::Cause;
use crate::faults::Fault;
use crate::orders::Order;
use crate::payout::{Status, failure_message};
use crate::shape;
use crate::stats::Stats;
use crate::txn::TxnKind;
use crate::world::World;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Due {
    /// A payout moves on.
    Step { place: usize, to: Status },
    /// A request answered with 500 executes after all.
    RollForward(Box<Order>),
    /// A slow request executes.
    Late(Box<Order>),
}

impl World {
    /// Lets everything happen that is due by now: money ripens and life goes on by the Date, the rest each on its own
    /// instant of the wall clock.
    pub(crate) fn advance(&mut self, now: Now) {
        self.live(now);
        self.ripen(now.date_s());
        while let Some(entry) = self.due.first_entry() {
            let (at_ms, seq) = *entry.key();
            if at_ms > now.wall_ms {
                return;
            }
            let due = entry.remove();
            let then = Now { wall_ms: at_ms, date_ms: now.date_ms - (now.wall_ms - at_ms) };
            match due {
                Due::Step { place, to } => self.step(then, place, to),
                Due::RollForward(order) => {
                    self.stats.executions_due -= 1;
                    self.execute(then, &order, Fault::RolledForward500.name());
                }
                Due::Late(order) => self.execute_late(then, seq, *order),
            }
        }
    }

    /// When the next thing is due, on the wall clock.
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.due.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    fn execute_late(&mut self, now: Now, id: u64, order: Order) {
        self.stats.executions_due -= 1;
        let (key, class) = (order.key.clone(), order.class);
        let mut answer = self.carry_out(now, order, None);
        answer.replayed = false;
        if let Some(key) = &key {
            self.keys.release(key);
        }
        match self.late.get_mut(&id) {
            Some(waiting) => *waiting = Some(answer),
            None => Stats::count(&mut self.stats.answers, &format!("{class} unheard")),
        }
    }

    /// Plans a new payout's whole life: in transit after two fifths of the settling time, then paid or failed.
    pub(crate) fn settle_later(&mut self, now: Now, place: usize) {
        let settle_ms = i64::try_from(self.rules.settle_ms).unwrap_or(i64::MAX / 4);
        let in_transit_ms = now.wall_ms + settle_ms / 5 * 2;
        self.plan_step(in_transit_ms, place, Status::InTransit);
        let name = self.fault_name(place);
        let mut fails = self.bank_of(place).is_some_and(|bank| bank.fails_with.is_some());
        let mut late_failure = self.faults.on_name(Fault::PaidThenFailed, &name).is_some();
        if self.payouts[place].original_payout.is_some() {
            let strike = self.faults.on_name(Fault::ReversalFails, &name);
            fails |= strike.is_some_and(|strike| strike.roll % 2 == 0);
            late_failure = strike.is_some_and(|strike| strike.roll % 2 == 1);
        }
        let end = if fails { Status::Failed } else { Status::Paid };
        self.plan_step(now.wall_ms + settle_ms, place, end);
        if end == Status::Paid && late_failure {
            self.plan_step(now.wall_ms + settle_ms + settle_ms / 2, place, Status::Failed);
        }
    }

    fn plan_step(&mut self, at_ms: i64, place: usize, to: Status) {
        let seq = self.next_count();
        self.stats.settlements_due += 1;
        self.due.insert((at_ms, seq), Due::Step { place, to });
    }

    /// By what a payout is told apart when faults are drawn: its key, so that arrival order doesn't matter.
    fn fault_name(&self, place: usize) -> String {
        let payout = &self.payouts[place];
        payout.idempotency_key.clone().unwrap_or_else(|| payout.id.clone())
    }

    fn bank_of(&self, place: usize) -> Option<&crate::account::Bank> {
        let payout = &self.payouts[place];
        self.accounts.get(&payout.account)?.bank(&payout.destination)
    }

    fn step(&mut self, now: Now, place: usize, to: Status) {
        self.stats.settlements_due -= 1;
        let payout = &self.payouts[place];
        if !payout.status.next(to) {
            return;
        }
        match to {
            Status::InTransit => {
                let before = shape::payout(payout, self.rules.livemode);
                self.payouts[place].status = to;
                self.emit_payout(now, place, "payout.updated", Some(&before), Cause::default());
            }
            Status::Paid => {
                let payout = payout.clone();
                let account = self.accounts.get_mut(&payout.account);
                let purse = account.and_then(|account| account.purses.get_mut(&payout.currency));
                if purse.is_some_and(|purse| purse.pay(payout.amount).is_ok()) {
                    if payout.amount < 0 {
                        self.ripen_debit(now, &payout);
                    }
                    self.payouts[place].status = to;
                    self.payouts[place].was_paid = true;
                    self.emit_payout(now, place, "payout.paid", None, Cause::default());
                }
            }
            Status::Failed => self.fail(now, place),
            Status::Pending | Status::Canceled => {}
        }
    }

    /// The bank sends a payout back: the money returns, the bank account is marked and takes no more. A debit that fails
    /// takes back what it brought, and marks nothing.
    fn fail(&mut self, now: Now, place: usize) {
        let payout = self.payouts[place].clone();
        let is_debit = payout.amount < 0;
        let given = self.bank_of(place).and_then(|bank| bank.fails_with.clone());
        let usual = if is_debit { "debit_not_authorized" } else { "could_not_process" };
        let code = given.unwrap_or_else(|| usual.to_owned());
        let reversal = payout.reversed_by.as_ref().and_then(|id| self.payout_places.get(id));
        let reversal = reversal.map(|place| self.payouts[*place].status);
        if matches!(reversal, Some(Status::InTransit | Status::Paid)) {
            // The bank has answered for the reversal by now, so it won't send the original back, too.
            return;
        }
        let Some(txn) = self.give_back(now, place, TxnKind::PayoutFailure) else {
            return;
        };
        if payout.status == Status::Paid {
            let fault = if is_debit { Fault::ReversalFails } else { Fault::PaidThenFailed };
            Stats::count(&mut self.stats.faults, fault.name());
        }
        let failed = &mut self.payouts[place];
        failed.status = Status::Failed;
        failed.failure_message = Some(failure_message(&code).to_owned());
        failed.failure_code = Some(code);
        failed.failure_balance_transaction = Some(txn);
        self.emit_payout(now, place, "payout.failed", None, Cause::default());
        if !is_debit {
            self.mark_bank(now, &payout.account, &payout.destination, "errored");
            self.cancel_reversal_of(now, place);
        }
    }

    fn mark_bank(&mut self, now: Now, account_id: &str, bank_id: &str, status: &str) {
        let Some(account) = self.accounts.get_mut(account_id) else {
            return;
        };
        let Some(at) = account.banks.iter().position(|bank| bank.id == bank_id && bank.status != status) else {
            return;
        };
        let before = shape::bank(account, &account.banks[at]);
        account.banks[at].status = status.to_owned();
        let after = shape::bank(account, &account.banks[at]);
        let changed = shape::previous(&before, &after);
        self.emit(now, "account.external_account.updated", account_id, (after, changed), Cause::default());
    }

    /// Replaces an account's banks, with an event for each that came, changed or went.
    pub(crate) fn replace_banks(&mut self, now: Now, account_id: &str, banks: Vec<BankSpec>) {
        let Some(account) = self.accounts.get_mut(account_id) else {
            return;
        };
        let old: Vec<_> = account.banks.iter().map(|bank| (bank.id.clone(), shape::bank(account, bank))).collect();
        account.set_banks(banks);
        let new: Vec<_> = account.banks.iter().map(|bank| (bank.id.clone(), shape::bank(account, bank))).collect();
        for (id, after) in &new {
            let before = old.iter().find(|(other, _)| other == id).map(|(_, before)| before);
            let changed = before.and_then(|before| shape::previous(before, after));
            let kind = match (before, &changed) {
                (None, _) => "account.external_account.created",
                (Some(_), Some(_)) => "account.external_account.updated",
                (Some(_), None) => continue,
            };
            self.emit(now, kind, account_id, (after.clone(), changed), Cause::default());
        }
        for (_, gone) in old.into_iter().filter(|(id, _)| !new.iter().any(|(other, _)| other == id)) {
            self.emit(now, "account.external_account.deleted", account_id, (gone, None), Cause::default());
        }
    }

    pub(crate) fn emit_payout(
        &mut self,
        now: Now,
        place: usize,
        kind: &str,
        before: Option<&serde_json::Value>,
        cause: Cause<'_>,
    ) {
        let payout = &self.payouts[place];
        let account = payout.account.clone();
        let object = shape::payout(payout, self.rules.livemode);
        let changed = before.and_then(|before| shape::previous(before, &object));
        self.emit(now, kind, &account, (object, changed), cause);
    }
}
