//! The script of a marketplace's life by seed: who sells what when, who wants the money back, whose bank changes.
//! Pure: it makes a list; `live` plays it. Invariant: what happens to creator n of a seed is the same whatever the number
//! of creators, and the list is in the order of time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::account::AccountSpec;
use crate::ids;
use crate::spread::{heavy, place, spread};

/// Something that happens in a marketplace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum LifeEvent {
    /// A customer buys from a creator; a tenth is the platform's.
    Sale {
        /// The number by which later events name it.
        sale: u64,
        /// The creator's account.
        account: String,
        /// What the customer pays, in minor units.
        amount: i64,
        /// In which currency: now and then not the creator's.
        currency: String,
    },
    /// The customer gets money back.
    Refund {
        /// Of which sale.
        sale: u64,
        /// How much of it.
        per_mille: i64,
        /// Whether the creator's part goes back, too.
        reverse_transfer: bool,
        /// Whether the platform gives its fee back.
        refund_fee: bool,
    },
    /// The customer's bank asks, or disputes at once.
    Dispute {
        /// Which sale.
        sale: u64,
        /// Only asks.
        is_inquiry: bool,
    },
    /// A dispute moves on.
    DisputeMoves {
        /// Of which sale.
        sale: u64,
        /// Stripe's word for where it then stands.
        to: String,
    },
    /// A creator has a new bank account.
    BankChange {
        /// Whose.
        account: String,
        /// The code with which it sends payouts back, if it does.
        fails_with: Option<String>,
    },
    /// Stripe stops an account's payouts.
    Disable {
        /// Whose.
        account: String,
    },
    /// Stripe lets them go on.
    Enable {
        /// Whose.
        account: String,
    },
    /// Somebody pays a creator out by hand.
    HandMade {
        /// Whom.
        account: String,
        /// How much of what is available.
        per_mille: i64,
    },
    /// What Stripe does by itself each day: scheduled payouts and debits of negative balances.
    Night,
}

const DAY_MS: i64 = 86_400_000;
/// Refunds in a thousand sales.
const REFUNDS: u64 = 30;
/// Disputes in a thousand sales.
const DISPUTES: u64 = 3;
/// In ten thousand days of a creator: bank changes, payouts stopped, payouts by hand.
const BANK_CHANGES: u64 = 20;
const STOPS: u64 = 5;
const BY_HAND: u64 = 3;
/// Sales that one creator may have in a script.
const SALES_MAX: u64 = 1_000_000;

/// The accounts of a life's creators: as [`spread`] makes them, with nothing on them yet.
#[must_use]
pub fn life_accounts(seed: u64, creators: usize, from_ms: i64) -> Vec<AccountSpec> {
    let accounts = spread(seed, creators, from_ms).into_iter().map(|creator| creator.account);
    accounts
        .map(|mut account| {
            account.available.clear();
            account.pending.clear();
            account
        })
        .collect()
}

/// Everything that happens to `creators` creators of this seed in `days` days from `from_ms` on, oldest first.
#[must_use]
pub fn life(seed: u64, creators: usize, from_ms: i64, days: u32) -> Vec<(i64, LifeEvent)> {
    let until_ms = from_ms.saturating_add(i64::from(days).saturating_mul(DAY_MS));
    let mut script: Vec<(i64, LifeEvent)> = Vec::new();
    let mut night_ms = (from_ms.div_euclid(DAY_MS) + 1) * DAY_MS;
    while night_ms < until_ms {
        script.push((night_ms, LifeEvent::Night));
        night_ms += DAY_MS;
    }
    for (number, account) in (1..).zip(life_accounts(seed, creators, from_ms)) {
        let dice = StdRng::seed_from_u64(ids::mix(ids::mix(seed, 0x11FE), number));
        let smallest = smallest_sale(&account);
        let mut author = Author { dice, account, number, smallest, sales: 0, script: &mut script };
        author.write(from_ms, days);
    }
    script.retain(|(at_ms, _)| *at_ms < until_ms);
    script.sort_by_key(|(at_ms, _)| *at_ms);
    script
}

fn smallest_sale(account: &AccountSpec) -> i64 {
    let same = (0..1000).map(place).find(|(_, currency, _)| *currency == account.currency);
    same.map_or(500, |(_, _, smallest)| smallest)
}

/// One creator's share of the script.
struct Author<'a> {
    dice: StdRng,
    account: AccountSpec,
    number: u64,
    smallest: i64,
    sales: u64,
    script: &'a mut Vec<(i64, LifeEvent)>,
}

impl Author<'_> {
    fn happens(&mut self, chances: u64, of: u64) -> bool {
        self.dice.random_range(0..of) < chances
    }

    fn later(&mut self, at_ms: i64, from_day: i64, to_day: i64) -> i64 {
        at_ms + self.dice.random_range(from_day * DAY_MS..to_day * DAY_MS)
    }

    fn write(&mut self, from_ms: i64, days: u32) {
        // Tenths of a sale a day: a few creators sell most.
        let pace = heavy(&mut self.dice, 2, 7);
        for day in 0..i64::from(days) {
            let day_ms = from_ms + day * DAY_MS;
            let more = i64::from(self.dice.random_range(0..10) < pace % 10);
            for _ in 0..pace / 10 + more {
                let at_ms = day_ms + self.dice.random_range(0..DAY_MS);
                self.sale(at_ms);
            }
            self.changes(day_ms);
        }
    }

    fn sale(&mut self, at_ms: i64) {
        if self.sales >= SALES_MAX {
            return;
        }
        self.sales += 1;
        let sale = self.number * SALES_MAX + self.sales;
        let amount = self.smallest * heavy(&mut self.dice, 1, 8) + self.dice.random_range(0..self.smallest);
        let abroad = self.happens(20, 1000);
        let (currency, amount) = match (abroad, self.account.currency.as_str()) {
            (false, own) => (own.to_owned(), amount),
            (true, own) => {
                let other = if own == "usd" { "eur" } else { "usd" };
                (other.to_owned(), crate::currency::convert(amount, own, other).max(100))
            }
        };
        let account = self.account.id.clone();
        self.script.push((at_ms, LifeEvent::Sale { sale, account, amount, currency }));
        if self.happens(REFUNDS, 1000) {
            let at_ms = self.later(at_ms, 1, 20);
            let per_mille = if self.happens(7, 10) { 1000 } else { self.dice.random_range(50..1000) };
            let reverse_transfer = self.happens(85, 100);
            let refund_fee = reverse_transfer && self.happens(1, 2);
            self.script.push((at_ms, LifeEvent::Refund { sale, per_mille, reverse_transfer, refund_fee }));
        }
        if self.happens(DISPUTES, 1000) {
            self.dispute(sale, at_ms);
        }
    }

    fn dispute(&mut self, sale: u64, sold_ms: i64) {
        let mut moves = |at_ms: i64, to: &str| {
            self.script.push((at_ms, LifeEvent::DisputeMoves { sale, to: to.to_owned() }));
        };
        let opened_ms = sold_ms + self.dice.random_range(3 * DAY_MS..40 * DAY_MS);
        let is_inquiry = self.dice.random_range(0..10) < 3;
        let answered_ms = opened_ms + self.dice.random_range(DAY_MS..7 * DAY_MS);
        let closed_ms = answered_ms + self.dice.random_range(7 * DAY_MS..30 * DAY_MS);
        let end = if self.dice.random_range(0..10) < 4 { "won" } else { "lost" };
        if is_inquiry {
            moves(answered_ms, "warning_under_review");
            moves(closed_ms, if end == "won" { "warning_closed" } else { "needs_response" });
        } else {
            moves(answered_ms, "under_review");
            moves(closed_ms, end);
        }
        self.script.push((opened_ms, LifeEvent::Dispute { sale, is_inquiry }));
    }

    fn changes(&mut self, day_ms: i64) {
        let account = self.account.id.clone();
        if self.happens(BANK_CHANGES, 10_000) {
            let at_ms = self.later(day_ms, 0, 1);
            let fails_with = self.happens(1, 5).then(|| "account_closed".to_owned());
            self.script.push((at_ms, LifeEvent::BankChange { account: account.clone(), fails_with }));
        }
        if self.happens(STOPS, 10_000) {
            let stopped_ms = self.later(day_ms, 0, 1);
            let again_ms = self.later(stopped_ms, 2, 10);
            self.script.push((stopped_ms, LifeEvent::Disable { account: account.clone() }));
            self.script.push((again_ms, LifeEvent::Enable { account: account.clone() }));
        }
        if self.happens(BY_HAND, 10_000) {
            let at_ms = self.later(day_ms, 0, 1);
            let per_mille = self.dice.random_range(100..1000);
            self.script.push((at_ms, LifeEvent::HandMade { account, per_mille }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM_MS: i64 = 1_800_000_000_000;

    fn of(script: &[(i64, LifeEvent)], number: u64) -> Vec<(i64, LifeEvent)> {
        let own = |event: &LifeEvent| matches!(event, LifeEvent::Sale { sale, .. } if sale / SALES_MAX == number);
        script.iter().filter(|(_, event)| own(event)).cloned().collect()
    }

    #[test]
    fn a_script_is_in_order_and_a_creator_lives_the_same_life_in_any_company() {
        let many = life(5, 60, FROM_MS, 30);
        assert!(many.is_sorted_by_key(|(at_ms, _)| *at_ms));
        assert!(many.iter().all(|(at_ms, _)| (FROM_MS..FROM_MS + 30 * DAY_MS).contains(at_ms)));
        assert_eq!(of(&many, 7), of(&life(5, 7, FROM_MS, 30), 7));
        assert_ne!(many, life(6, 60, FROM_MS, 30));
        assert_eq!(many.iter().filter(|(_, event)| *event == LifeEvent::Night).count(), 30);
    }

    #[test]
    fn the_rates_are_a_marketplaces() {
        let script = life(1, 400, FROM_MS, 60);
        let count = |wanted: fn(&LifeEvent) -> bool| script.iter().filter(|(_, event)| wanted(event)).count();
        let sales = count(|event| matches!(event, LifeEvent::Sale { .. }));
        let refunds = count(|event| matches!(event, LifeEvent::Refund { .. }));
        let disputes = count(|event| matches!(event, LifeEvent::Dispute { .. }));
        assert!((15_000..60_000).contains(&sales), "{sales}");
        // Those that fall behind the script's end are cut off.
        assert!((sales * 20 / 1000..sales * 33 / 1000).contains(&refunds), "{refunds} of {sales}");
        assert!((sales / 1000..sales * 4 / 1000).contains(&disputes), "{disputes} of {sales}");
        assert!(count(|event| matches!(event, LifeEvent::BankChange { .. })) > 10);
        assert!(count(|event| matches!(event, LifeEvent::HandMade { .. })) > 0);
    }
}
