//! What customers, banks, Stripe and people in the Dashboard do in a walk.
use super::{
    super::world::account,
    walk::{CREATORS, Walk},
};
use rand::{Rng, seq::IndexedRandom};
use serde_json::json;
use stripe_twin::{AccountChange, BankSpec, Status};

impl Walk {
    /// Customers buy, get money back and dispute; creators change their accounts; Stripe debits what is owed.
    pub(super) fn market(&mut self) {
        let n = self.dice.random_range(0..CREATORS);
        match self.dice.random_range(0..20) {
            0..8 => self.sell(n),
            8..11 => self.give_back(),
            11 => self.reverse_transfer(),
            12..14 => self.dispute(),
            14..16 => self.decide_dispute(),
            16..18 => self.swap_bank(n),
            18 => self.change_account(n),
            _ => {
                let debit = json!({"account": account(n), "currency": "usd"});
                let done = self.world.stripe.somebody_of(None, "/_twin/debits", &debit.to_string());
                self.told("Stripe debits what is owed", done);
            }
        }
    }

    fn sell(&mut self, n: usize) {
        let (amount, at_once) = (self.dice.random_range(100..9_000), self.dice.random_bool(0.7));
        let body = json!({"account": account(n), "amount": amount, "currency": "usd", "at_once": at_once});
        let sold = self.world.stripe.somebody_of(None, "/_twin/sales", &body.to_string());
        let charge = self.told(&format!("a sale of {amount} for {}", account(n)), sold);
        self.charges.extend(charge);
    }

    /// With the creator's part or without, with the platform's fee or without.
    fn give_back(&mut self) {
        let Some(charge) = self.charges.choose(&mut self.dice).cloned() else { return };
        let (id, most) = (charge["id"].as_str().unwrap(), charge["amount"].as_i64().unwrap());
        let amount = self.dice.random_range(1..=most);
        let (reverse, fee) = (self.dice.random_bool(0.7), self.dice.random_bool(0.5));
        let body = format!("charge={id}&amount={amount}&reverse_transfer={reverse}&refund_application_fee={fee}");
        let done = self.world.stripe.somebody_of(None, "/v1/refunds", &body);
        self.told(&format!("refund: {body}"), done);
    }

    fn reverse_transfer(&mut self) {
        let Some(charge) = self.charges.choose(&mut self.dice).cloned() else { return };
        let Some(transfer) = charge["transfer"].as_str() else { return };
        let body = format!("amount={}", self.dice.random_range(1..500));
        let done = self.world.stripe.somebody_of(None, &format!("/v1/transfers/{transfer}/reversals"), &body);
        self.told(&format!("a reversal of {transfer}: {body}"), done);
    }

    fn dispute(&mut self) {
        let Some(charge) = self.charges.choose(&mut self.dice).cloned() else { return };
        let amount = self.dice.random_range(1..=charge["amount"].as_i64().unwrap());
        let body = json!({"charge": charge["id"], "amount": amount, "inquiry": self.dice.random_bool(0.2)});
        let opened = self.world.stripe.somebody_of(None, "/_twin/disputes", &body.to_string());
        if let Some(dispute) = self.told(&format!("a dispute: {body}"), opened) {
            self.disputes.push(dispute["id"].as_str().unwrap().to_owned());
        }
    }

    fn decide_dispute(&mut self) {
        let Some(dispute) = self.disputes.choose(&mut self.dice).cloned() else { return };
        let ends = ["under_review", "won", "lost", "needs_response", "warning_under_review", "warning_closed"];
        let to = ends.choose(&mut self.dice).unwrap();
        let path = format!("/_twin/disputes/{dispute}");
        let done = self.world.stripe.somebody_of(None, &path, &json!({"to": to}).to_string());
        self.told(&format!("{dispute} is {to}"), done);
    }

    fn swap_bank(&mut self, n: usize) {
        let bank = BankSpec {
            id: Some(format!("ba_new_{n}_{}", self.world.stripe.twin.clock().now().date_ms)),
            fails_with: self.dice.random_bool(0.2).then(|| "account_closed".to_owned()),
            refused_with: self.dice.random_bool(0.1).then(|| "bank_account_unusable".to_owned()),
            ..BankSpec::default()
        };
        self.note(&format!("{} has the bank account {bank:?}", account(n)));
        let change = AccountChange { banks: Some(vec![bank]), ..AccountChange::default() };
        self.world.stripe.twin.change_account(&account(n), change).unwrap();
    }

    fn change_account(&mut self, n: usize) {
        let good = self.dice.random_bool(0.7);
        let change = if self.dice.random_bool(0.5) {
            AccountChange { payouts_enabled: Some(good), ..AccountChange::default() }
        } else {
            let schedule = if good { "manual" } else { "weekly" };
            AccountChange { schedule: Some(schedule.to_owned()), ..AccountChange::default() }
        };
        self.note(&format!("{} changes: good {good}", account(n)));
        self.world.stripe.twin.change_account(&account(n), change).unwrap();
    }

    /// In the Dashboard: payouts of ours are canceled, others are made.
    pub(super) async fn by_hand(&mut self) {
        if self.dice.random_bool(0.2) {
            let n = self.dice.random_range(0..CREATORS);
            let body = json!({"account": account(n), "amount": self.dice.random_range(1..900), "currency": "usd"});
            let done = self.world.stripe.somebody_of(None, "/_twin/payouts", &body.to_string());
            self.told(&format!("paid by hand: {body}"), done);
            return;
        }
        if self.dice.random_bool(0.1) {
            return self.take_back_by_hand();
        }
        let pending: Vec<_> = self
            .world
            .stripe
            .twin
            .ledger()
            .into_iter()
            .filter(|row| row.status == Status::Pending && row.amount > 0 && row.metadata.contains_key("payoutd_key"))
            .collect();
        // What the books don't know of yet is the more telling case.
        let open = "SELECT t.key FROM payout_attempts t JOIN creator_payouts p ON p.id = t.payout_id WHERE t.kind = 'create' \
                    AND p.state IN ('planned', 'submitting', 'unknown')";
        let unheard = self.world.probe.texts(open).await.concat();
        let weight = |key: &Option<String>| if key.as_ref().is_some_and(|key| unheard.contains(key)) { 8 } else { 1 };
        let Ok(row) = pending.choose_weighted(&mut self.dice, |row| weight(&row.idempotency_key)) else { return };
        let (account, id) = (row.account.clone(), row.id.clone());
        self.cancel(&account, &id);
    }

    /// What is paid is debited again, and nobody here asked for that.
    fn take_back_by_hand(&mut self) {
        let paid: Vec<_> = self
            .world
            .stripe
            .twin
            .ledger()
            .into_iter()
            .filter(|row| row.status == Status::Paid && row.amount > 0 && row.reversed_by.is_none())
            .collect();
        let Some(row) = paid.choose(&mut self.dice) else { return };
        let path = format!("/v1/payouts/{}/reverse", row.id);
        let done = self.world.stripe.somebody_of(Some(&row.account), &path, "metadata[by]=hand");
        self.told(&format!("{} of {} is taken back by hand", row.id, row.account), done);
    }

    /// What is pending on this account is canceled.
    pub(super) fn cancel_by_hand(&mut self, account: &str) {
        for row in self.world.stripe.twin.ledger() {
            if row.account == account && row.status == Status::Pending && row.amount > 0 {
                self.cancel(account, &row.id);
            }
        }
    }

    fn cancel(&mut self, account: &str, id: &str) {
        let done = self.world.stripe.somebody_of(Some(account), &format!("/v1/payouts/{id}/cancel"), "");
        self.told(&format!("{id} of {account} is canceled by hand"), done);
    }
}
