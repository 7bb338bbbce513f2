//! What must be kept back of each sale by the terms that were asked for, and the kinds of entries that a life must have had.
//!
//! Pure. Invariant: it knows what was asked of the daemon, and nothing of how that reckons.
use crate::life::{Entry, InBooks};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// From a moment on (Unix milliseconds) so much of each sale is kept back, basis points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) from_ms: i64,
    pub(crate) basis_points: i64,
}

/// A change of terms and a sale so near to each other may have happened in either order, milliseconds.
const NEAR_MS: i64 = 5_000;

/// Sales that are sure and of which nothing was taken back: each keeps back floor(net × basis points ÷ 10,000), and all of it is released.
pub(crate) fn contradictions(books: &InBooks, terms: &[Terms]) -> Vec<String> {
    let mut of: BTreeMap<&str, (i64, i64, bool)> = BTreeMap::new();
    for entry in books.entries.iter().filter(|entry| !entry.charge.is_empty()) {
        let (hold, release, is_plain) = of.entry(&entry.charge).or_insert((0, 0, true));
        match entry.kind.as_str() {
            "reserve_hold" => *hold += entry.amount,
            "reserve_release" => *release += entry.amount,
            _ => *is_plain = false,
        }
    }
    let mut wrong = Vec::new();
    for sale in books.entries.iter().filter(|entry| entry.kind == "sale" && !entry.waits) {
        let (hold, release, is_plain) = of.get(sale.source_id.as_str()).copied().unwrap_or((0, 0, true));
        let is_near = terms.iter().any(|terms| (terms.from_ms - sale.earned_ms).abs() < NEAR_MS);
        let kept = kept(sale, terms);
        if is_plain && !is_near && (hold, release) != (-kept, kept) {
            wrong.push(format!(
                "{} of {} {}: {kept} must be kept back, held is {hold}, released {release}",
                sale.source_id, sale.amount, sale.currency
            ));
        }
    }
    wrong
}

fn kept(sale: &Entry, terms: &[Terms]) -> i64 {
    let basis_points =
        terms.iter().rfind(|terms| terms.from_ms <= sale.earned_ms).map_or(0, |terms| terms.basis_points);
    i64::try_from(i128::from(sale.amount.max(0)) * i128::from(basis_points) / 10_000).unwrap_or(i64::MAX)
}

/// Every kind that a life brings by itself. Not among them: what needs two people (adjustment, debt_writeoff), a late execution
/// (overpaid), an instant payout (payout_fee).
const KINDS: [&str; 11] = [
    "sale",
    "refund",
    "fee_refund",
    "dispute_hold",
    "dispute_release",
    "dispute_lost",
    "reserve_hold",
    "reserve_release",
    "carry_out",
    "carry_in",
    "debt_repaid",
];
/// Creators times months, from which on each of them must have come.
const ALL_FROM: u32 = 1_500;
/// In a smaller life these must, too.
const ALWAYS: [&str; 3] = ["sale", "reserve_hold", "reserve_release"];

/// The table of kinds, and the ones that are missing from a life of so many creators times months.
pub(crate) fn kinds(books: &InBooks, size: u32) -> (String, Vec<String>) {
    let mut counts: BTreeMap<&str, usize> = KINDS.iter().map(|kind| (*kind, 0)).collect();
    for entry in &books.entries {
        *counts.entry(&entry.kind).or_default() += 1;
    }
    let must: BTreeSet<&str> = if size >= ALL_FROM { KINDS.into() } else { ALWAYS.into() };
    let (mut table, mut missing) = (String::new(), Vec::new());
    for (kind, count) in counts {
        // Writing to a String doesn't fail.
        let _ = writeln!(table, "  {kind:<16} {count:>9}");
        if count == 0 && must.contains(kind) {
            missing.push(format!("no entry of the kind {kind} in the whole life"));
        }
    }
    (table, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, id: &str, charge: &str, amount: i64, earned_ms: i64) -> Entry {
        Entry {
            kind: kind.to_owned(),
            account: "acct_1".to_owned(),
            currency: "usd".to_owned(),
            amount,
            source_id: id.to_owned(),
            charge: charge.to_owned(),
            confirmed: true,
            waits: false,
            earned_ms,
        }
    }

    const TERMS: [Terms; 2] =
        [Terms { from_ms: 100_000, basis_points: 1_000 }, Terms { from_ms: 200_000, basis_points: 500 }];

    fn books(hold: i64, release: i64) -> InBooks {
        let entries = vec![
            entry("sale", "ch_0", "", 999, 50_000),
            entry("sale", "ch_1", "", 999, 150_000),
            entry("reserve_hold", "ch_1", "ch_1", -99, 150_000),
            entry("reserve_release", "ch_1", "ch_1", 99, 150_000),
            entry("sale", "ch_2", "", 999, 250_000),
            entry("reserve_hold", "ch_2", "ch_2", hold, 250_000),
            entry("reserve_release", "ch_2", "ch_2", release, 250_000),
        ];
        InBooks { entries, ..InBooks::default() }
    }

    #[test]
    fn each_sale_keeps_back_what_was_in_force_when_it_was_earned() {
        assert_eq!(contradictions(&books(-49, 49), &TERMS), Vec::<String>::new());
        for (hold, release) in [(-50, 50), (-49, 48), (0, 0), (-99, 99)] {
            assert_eq!(contradictions(&books(hold, release), &TERMS).len(), 1, "{hold} {release}");
        }
        assert_eq!(contradictions(&books(-49, 49), &[]).len(), 2, "nothing was asked for");
        let mut refunded = books(-40, 40);
        refunded.entries.push(entry("refund", "trr_1", "ch_2", -100, 260_000));
        assert_eq!(contradictions(&refunded, &TERMS), Vec::<String>::new(), "what was taken back closes its share");
    }

    #[test]
    fn a_kind_that_must_come_and_did_not_is_named() {
        assert_eq!(kinds(&books(-49, 49), 60).1, Vec::<String>::new());
        let (table, missing) = kinds(&books(-49, 49), ALL_FROM);
        assert_eq!(missing.len(), KINDS.len() - ALWAYS.len());
        assert!(table.contains("sale                     3"), "{table}");
        assert_eq!(kinds(&InBooks::default(), 60).1.len(), ALWAYS.len());
    }
}
