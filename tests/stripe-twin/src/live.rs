//! Plays a scripted life on the twin's Date: each event at its own instant, through the same doors as the API.
//! Driven by `advance`. Invariant: nothing of a script happens before its time, and what the world refuses (a refund of
//! what is disputed, a payout of nothing) is counted, never forced.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::account::BankSpec;
use crate::books::AccountChange;
use crate::clock::Now;
use crate::dispute::{DisputeStatus, NewDispute};
use crate::errors::ApiError;
use crate::events::Cause;
use crate::life::{LifeEvent, life, life_accounts};
use crate::market::{Metadata, NewIntent, share};
use crate::refund::NewRefund;
use crate::world::World;

/// A script to play.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifePlan {
    /// Where all dice come from.
    pub seed: u64,
    /// How many creators; accounts that aren't there yet are made.
    pub creators: usize,
    /// When it starts, by the Date; left out, now.
    #[serde(default)]
    pub from_ms: Option<i64>,
    /// How many days it takes.
    pub days: u32,
}

/// How far a script has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LifeSoFar {
    /// Events that have happened.
    pub played: u64,
    /// Of them, those the world refused.
    pub refused: u64,
    /// Events still to come.
    pub due: u64,
    /// When the next one will happen, by the Date.
    pub next_ms: Option<i64>,
    /// When the last one will happen, by the Date.
    pub until_ms: Option<i64>,
}

/// Creators times days of one script at most: about as many sales.
const CREATOR_DAYS_MAX: usize = 1_000_000;

#[derive(Debug, Default)]
pub(crate) struct Life {
    script: VecDeque<(i64, LifeEvent)>,
    /// Charges by the script's number of the sale.
    sold: HashMap<u64, usize>,
    played: u64,
    refused: u64,
    /// Events that one `advance` may play; all, unless somebody is waiting for an answer.
    pub(crate) at_once: Option<usize>,
}

impl World {
    /// Takes a script in, and its creators who aren't there yet.
    pub(crate) fn take_life(&mut self, now: Now, plan: LifePlan) -> Result<LifeSoFar, String> {
        let days = usize::try_from(plan.days).unwrap_or(usize::MAX);
        if plan.creators.max(1).saturating_mul(days) > CREATOR_DAYS_MAX {
            return Err(format!("a life has at most {CREATOR_DAYS_MAX} days of all creators together"));
        }
        let from_ms = plan.from_ms.unwrap_or(now.date_ms);
        let mut accounts = life_accounts(plan.seed, plan.creators, from_ms);
        accounts.retain(|account| !self.accounts.contains_key(&account.id));
        let ids: Vec<String> = accounts.iter().map(|account| account.id.clone()).collect();
        self.add_accounts(now, accounts)?;
        for id in ids {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.more.debits_negative = true;
            }
        }
        let mut script: Vec<_> = self.life.script.drain(..).collect();
        script.extend(life(plan.seed, plan.creators, from_ms, plan.days));
        script.sort_by_key(|(at_ms, _)| *at_ms);
        self.life.script = script.into();
        Ok(self.life_so_far())
    }

    pub(crate) fn life_so_far(&self) -> LifeSoFar {
        LifeSoFar {
            played: self.life.played,
            refused: self.life.refused,
            due: u64::try_from(self.life.script.len()).unwrap_or(u64::MAX),
            next_ms: self.life.script.front().map(|(at_ms, _)| *at_ms),
            until_ms: self.life.script.back().map(|(at_ms, _)| *at_ms),
        }
    }

    /// Whether something of the script should have happened by now.
    pub(crate) fn life_is_late(&self, date_ms: i64) -> bool {
        self.life.script.front().is_some_and(|(at_ms, _)| *at_ms <= date_ms)
    }

    /// Plays what is due by the Date, letting money ripen in between.
    pub(crate) fn live(&mut self, now: Now) {
        let mut left = self.life.at_once.unwrap_or(usize::MAX);
        while left > 0 && self.life_is_late(now.date_ms) {
            let Some((at_ms, event)) = self.life.script.pop_front() else {
                return;
            };
            left -= 1;
            let then = Now { wall_ms: now.wall_ms, date_ms: at_ms };
            self.ripen(then.date_s());
            self.life.played += 1;
            if self.happen(then, event).is_err() {
                self.life.refused += 1;
            }
        }
    }

    fn happen(&mut self, now: Now, event: LifeEvent) -> Result<(), ApiError> {
        match event {
            LifeEvent::Sale { sale, account, amount, currency } => self.buy(now, sale, account, (amount, currency)),
            LifeEvent::Refund { sale, per_mille, reverse_transfer, refund_fee } => {
                let charge = &self.market.charges.rows[self.sold(sale)?];
                let left = charge.new.amount - charge.refunded;
                let new = NewRefund {
                    of: charge.id.clone(),
                    amount: Some(share(left, per_mille, 1000).max(1)),
                    reverse_transfer,
                    refund_fee,
                    reason: Some("requested_by_customer".to_owned()),
                    metadata: Metadata::new(),
                };
                self.refund(now, &new, Cause::default()).map(|_| ())
            }
            LifeEvent::Dispute { sale, is_inquiry } => {
                let place = self.sold(sale)?;
                let charge = &self.market.charges.rows[place];
                let amount = charge.new.amount - charge.refunded;
                let new = NewDispute { amount, reason: "fraudulent".to_owned(), is_inquiry };
                self.open_dispute(now, place, &new).map(|_| ())
            }
            LifeEvent::DisputeMoves { sale, to } => {
                let dispute = self.market.charges.rows[self.sold(sale)?].dispute;
                let nothing = || ApiError::no_such("dispute", &to, "dispute", 404);
                let (place, to) = dispute.zip(DisputeStatus::read(&to)).ok_or_else(nothing)?;
                self.move_dispute(now, place, to, Cause::default())
            }
            LifeEvent::BankChange { account, fails_with } => {
                let id = Some(self.next_id("ba"));
                let banks = Some(vec![BankSpec { id, fails_with, ..BankSpec::default() }]);
                self.changes(now, &account, AccountChange { banks, ..AccountChange::default() })
            }
            LifeEvent::Disable { account } => self.changes(now, &account, disabled()),
            LifeEvent::Enable { account } => self.changes(now, &account, enabled()),
            LifeEvent::HandMade { account, per_mille } => self.draw_by_hand(now, &account, per_mille),
            LifeEvent::Night => {
                self.nightly(now);
                Ok(())
            }
        }
    }

    fn buy(&mut self, now: Now, sale: u64, account: String, (amount, currency): (i64, String)) -> Result<(), ApiError> {
        let new = NewIntent {
            amount,
            currency,
            fee: Some(amount / 10),
            destination: Some(account),
            payment_method: Some("pm_card_visa".to_owned()),
            confirm: true,
            metadata: Metadata::from([("sale".to_owned(), sale.to_string())]),
            ..NewIntent::default()
        };
        self.create_intent(now, new, Cause::default())?;
        self.life.sold.insert(sale, self.market.charges.rows.len().saturating_sub(1));
        Ok(())
    }

    fn draw_by_hand(&mut self, now: Now, account: &str, per_mille: i64) -> Result<(), ApiError> {
        let row = self.account_of(account)?;
        let currency = row.spec.currency.clone();
        let available = row.purses.get(&currency).map_or(0, |purse| purse.available);
        let unit = crate::currency::payout_unit(&currency);
        let amount = share(available, per_mille, 1000) / unit * unit;
        if amount < 1 {
            return Err(ApiError::balance_insufficient());
        }
        self.pay_by_hand(now, account, (amount, &currency)).map(|_| ())
    }

    fn changes(&mut self, now: Now, account: &str, change: AccountChange) -> Result<(), ApiError> {
        let done = self.change_account(now, account, change);
        done.map_err(|_| ApiError::no_such("account", account, "account", 404))
    }

    fn sold(&self, sale: u64) -> Result<usize, ApiError> {
        let place = self.life.sold.get(&sale).copied();
        place.ok_or_else(|| ApiError::no_such("charge", &sale.to_string(), "charge", 404))
    }
}

fn disabled() -> AccountChange {
    AccountChange {
        payouts_enabled: Some(false),
        disabled_reason: Some("requirements.past_due".to_owned()),
        past_due: Some(vec!["individual.verification.document".to_owned()]),
        // Sales go on: only the way out is shut.
        capabilities: BTreeMap::from([("transfers".to_owned(), "active".to_owned())]),
        ..AccountChange::default()
    }
}

fn enabled() -> AccountChange {
    AccountChange {
        payouts_enabled: Some(true),
        disabled_reason: Some(String::new()),
        past_due: Some(Vec::new()),
        ..AccountChange::default()
    }
}
