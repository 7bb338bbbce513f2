//! Creators as a marketplace has them: countries, currencies, heavy-tailed earnings, and the few with whom something is
//! wrong. Used by the twin for its accounts and by a rehearsal for the earnings that belong to them. Invariant: creator
//! n of a seed is the same whatever the number of creators, and (short ones apart) owns exactly the net of their sales.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::account::{AccountSpec, BankSpec};
use crate::ids;

/// What is special about a creator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing.
    Ordinary,
    /// Earned less than most thresholds ask for.
    Small,
    /// Payouts disabled: requirements past due.
    Disabled,
    /// The bank takes the payout and sends it back.
    BankFails,
    /// Stripe refuses payouts to the closed bank account.
    BankClosed,
    /// Stripe pays this one by itself.
    NotManual,
    /// Less available than earned: a part has not matured.
    Short,
}

/// One sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// `ch_…`.
    pub charge_id: String,
    /// What the customer paid, in minor units.
    pub gross_minor: i64,
    /// The platform's tenth, already kept by the platform.
    pub fee_minor: i64,
    /// Milliseconds since the epoch.
    pub earned_at_ms: i64,
}

impl Sale {
    /// What the creator got.
    #[must_use]
    pub fn net_minor(&self) -> i64 {
        self.gross_minor - self.fee_minor
    }
}

/// One creator, with the account at Stripe and the sales that filled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// `creator-0001`.
    pub creator_id: String,
    /// What is special.
    pub kind: Kind,
    /// The account; its id is `acct_twin…`.
    pub account: AccountSpec,
    /// In the fifteen days before the cutoff, oldest first.
    pub sales: Vec<Sale>,
}

const DAY_MS: i64 = 86_400_000;

/// Country, currency, share in thousandths, the smallest usual sale in minor units.
const PLACES: [(&str, &str, u64, i64); 8] = [
    ("US", "usd", 450, 500),
    ("GB", "gbp", 150, 400),
    ("DE", "eur", 120, 450),
    ("FR", "eur", 90, 450),
    ("NL", "eur", 50, 450),
    ("JP", "jpy", 60, 700),
    ("HU", "huf", 40, 180_000),
    ("SE", "sek", 40, 5_000),
];

/// `n` creators of this seed, with sales in the fifteen days before `cutoff_ms`.
#[must_use]
pub fn spread(seed: u64, n: usize, cutoff_ms: i64) -> Vec<Creator> {
    (1..=n).map(|number| creator(seed, number, cutoff_ms)).collect()
}

fn creator(seed: u64, number: usize, cutoff_ms: i64) -> Creator {
    let own_seed = ids::mix(seed, u64::try_from(number).unwrap_or_default());
    let mut dice = StdRng::seed_from_u64(own_seed);
    let kind = kind(dice.random_range(0..1000));
    let (country, currency, smallest) = place(dice.random_range(0..1000));
    let sales = sales(&mut dice, own_seed, kind, smallest, cutoff_ms);
    let net: i64 = sales.iter().map(Sale::net_minor).sum();
    let mut account = AccountSpec::new(&format!("acct_twin{number:06}"), country, currency, net);
    account.email = Some(format!("creator-{number:04}@example.com"));
    dress(&mut account, kind, currency, net, own_seed);
    Creator { creator_id: format!("creator-{number:04}"), kind, account, sales }
}

fn kind(roll: u64) -> Kind {
    match roll {
        0..30 => Kind::Disabled,
        30..40 => Kind::BankFails,
        40..50 => Kind::BankClosed,
        50..60 => Kind::NotManual,
        60..70 => Kind::Short,
        70..150 => Kind::Small,
        _ => Kind::Ordinary,
    }
}

pub(crate) fn place(mut roll: u64) -> (&'static str, &'static str, i64) {
    for (country, currency, share, smallest) in PLACES {
        if roll < share {
            return (country, currency, smallest);
        }
        roll -= share;
    }
    ("US", "usd", 500)
}

fn sales(dice: &mut StdRng, own_seed: u64, kind: Kind, smallest: i64, cutoff_ms: i64) -> Vec<Sale> {
    let count = if kind == Kind::Small { 1 } else { 2 + heavy(dice, 2, 5) };
    let mut sales: Vec<Sale> = (0..count)
        .map(|n| {
            let gross_minor = if kind == Kind::Small {
                (smallest / 5).max(1) + dice.random_range(0..=smallest / 5)
            } else {
                smallest * heavy(dice, 2, 7) + dice.random_range(0..smallest)
            };
            Sale {
                charge_id: ids::id("ch", own_seed, n.unsigned_abs()),
                gross_minor,
                fee_minor: gross_minor / 10,
                earned_at_ms: cutoff_ms - 1 - dice.random_range(0..15 * DAY_MS),
            }
        })
        .collect();
    sales.sort_by_key(|sale| sale.earned_at_ms);
    sales
}

/// An integer with a heavy tail: each doubling is half as likely, `doublings` of them at most.
pub(crate) fn heavy(dice: &mut StdRng, start: i64, doublings: u32) -> i64 {
    let doubled = (0..doublings).take_while(|_| dice.random_range(0..2) == 1).count();
    let low = start << doubled;
    dice.random_range(low..2 * low)
}

fn dress(account: &mut AccountSpec, kind: Kind, currency: &str, net: i64, own_seed: u64) {
    let bank = |bank: BankSpec| Some(vec![bank]);
    match kind {
        Kind::Ordinary | Kind::Small => {}
        Kind::Disabled => {
            account.payouts_enabled = false;
            account.disabled_reason = Some("requirements.past_due".to_owned());
            account.past_due = vec!["individual.verification.document".to_owned()];
        }
        Kind::BankFails => {
            let code = if own_seed.is_multiple_of(2) { "account_closed" } else { "could_not_process" };
            account.banks = bank(BankSpec { fails_with: Some(code.to_owned()), ..BankSpec::default() });
        }
        Kind::BankClosed => {
            account.banks = bank(BankSpec { refused_with: Some("account_closed".to_owned()), ..BankSpec::default() });
        }
        Kind::NotManual => "daily".clone_into(&mut account.schedule),
        Kind::Short => {
            let pending = net / 3;
            account.available = BTreeMap::from([(currency.to_owned(), net - pending)]);
            account.pending = BTreeMap::from([(currency.to_owned(), pending)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_owns_the_net_of_the_sales() {
        let cutoff_ms = 1_800_000_000_000;
        for creator in spread(3, 2000, cutoff_ms) {
            let net: i64 = creator.sales.iter().map(Sale::net_minor).sum();
            let account = &creator.account;
            let owned: i64 = account.available.values().chain(account.pending.values()).sum();
            assert_eq!(owned, net);
            assert!(creator.sales.iter().all(|sale| (cutoff_ms - 15 * DAY_MS..cutoff_ms).contains(&sale.earned_at_ms)));
            assert_eq!(account.pending.is_empty(), creator.kind != Kind::Short);
        }
    }

    #[test]
    fn the_spread_is_the_same_for_any_number_and_has_every_kind() {
        let many = spread(9, 3000, 1_800_000_000_000);
        assert_eq!(many[..50], spread(9, 50, 1_800_000_000_000)[..]);
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for creator in &many {
            *kinds.entry(creator.kind).or_default() += 1;
        }
        assert!((60..130).contains(&kinds[&Kind::Disabled]), "{kinds:?}");
        assert!((170..310).contains(&kinds[&Kind::Small]), "{kinds:?}");
        assert!((12..55).contains(&kinds[&Kind::BankFails]), "{kinds:?}");
        assert!(kinds.len() == 7);
    }
}
