//! A marketplace's life against the daemon's books: each movement of money at Stripe is one entry, each payout one of ours or one
//! that is known as foreign, and what the entries leave in a purse is what Stripe has in it.
//!
//! Pure. Invariant: it knows the words of the tables and of Stripe, and no rule of the daemon's.
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// An account's money in one currency: (account, currency).
pub(crate) type PurseId = (String, String);

/// An entry in the books.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) source_id: String,
    /// The charge it belongs to; empty for a sale, which is its own, and for what belongs to none.
    pub(crate) charge: String,
    /// Its amount and currency were read from Stripe's balance transactions.
    pub(crate) confirmed: bool,
    /// A sale whose currency isn't sure: what hangs on it waits for its confirmation.
    pub(crate) waits: bool,
    /// Unix milliseconds.
    pub(crate) earned_ms: i64,
}

/// A payout that the books know as none of ours.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    pub(crate) object: String,
    pub(crate) account: String,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) status: String,
}

/// A movement of a connected account's money at Stripe.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Move {
    pub(crate) what: String,
    pub(crate) id: String,
    pub(crate) charge: Option<String>,
    pub(crate) account: String,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    /// It was another currency before.
    pub(crate) converted: bool,
}

/// A dispute at Stripe.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) status: String,
    /// No mere question: it took money from the platform.
    pub(crate) took_money: bool,
}

/// A payout at Stripe.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
}

/// What Stripe has.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtStripe {
    pub(crate) moves: Vec<Move>,
    pub(crate) disputes: Vec<Dispute>,
    /// Those that the API was asked for.
    pub(crate) asked_for: Vec<Paid>,
    /// Those that nobody asked the API for: by hand, by schedule, or a debit (negative).
    pub(crate) others: Vec<Paid>,
    /// What nobody was told of, because a fault lost it: objects, and the charges they are about.
    pub(crate) lost: BTreeSet<String>,
    /// The daemon had all the time to find by itself what was lost: nothing may be missing for that.
    pub(crate) is_swept: bool,
    /// Available and pending together.
    pub(crate) purses: BTreeMap<PurseId, i64>,
}

/// What the books have.
#[derive(Clone, Debug, Default)]
pub(crate) struct InBooks {
    pub(crate) entries: Vec<Entry>,
    pub(crate) foreign: Vec<Foreign>,
    /// By payouts of ours whose object is neither failed nor canceled.
    pub(crate) paid: BTreeMap<PurseId, i64>,
    /// The last status known of each object of ours.
    pub(crate) ours: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// One sentence each.
    pub(crate) wrong: Vec<String>,
    /// Differences that are as they must be: an estimate that isn't confirmed yet, an event that a fault lost.
    pub(crate) explained: Vec<Explained>,
    /// Stripe less books, by the rows that differ.
    gaps: BTreeMap<PurseId, i64>,
}

/// A difference that is as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    /// `estimated sale`, `not told dispute`, …: what is counted.
    pub(crate) cause: String,
    /// One sentence.
    pub(crate) text: String,
}

/// The entry that each movement is.
const FACTS: [(&str, &str); 3] = [("sale", "sale"), ("reversal", "refund"), ("fee_refund", "fee_refund")];
/// Kinds that aren't money at Stripe but say what of it may be paid.
const NO_MONEY: [&str; 9] = [
    "dispute_hold",
    "dispute_release",
    "dispute_lost",
    "reserve_hold",
    "reserve_release",
    "carry_out",
    "carry_in",
    "debt_writeoff",
    "overpaid",
];

/// A part of a conversion is reckoned with this much of an error, minor units.
const PART_OFF_BY: i64 = 1;

/// Every difference, both ways. What Stripe has and the books don't is explained only where an event was lost that names it.
#[must_use]
pub(crate) fn compare(books: &InBooks, stripe: &AtStripe) -> Verdict {
    let mut verdict = Verdict::default();
    for (what, kind) in FACTS {
        facts(books, stripe, (what, kind), &mut verdict);
    }
    ours(books, stripe, &mut verdict);
    debits(books, stripe, &mut verdict);
    foreign(books, stripe, &mut verdict);
    disputes(books, stripe, &mut verdict);
    pairs(books, &mut verdict);
    purses(books, stripe, &mut verdict);
    verdict
}

impl Verdict {
    fn gap(&mut self, account: &str, currency: &str, stripe_less_books: i64) {
        *self.gaps.entry((account.to_owned(), currency.to_owned())).or_default() += stripe_less_books;
    }

    fn explain(&mut self, cause: &str, what: &str, text: &str) {
        self.explained.push(Explained { cause: format!("{cause} {what}"), text: text.to_owned() });
    }

    /// Stripe has it or knows better; `told`: an event that would have said so was lost.
    fn not_told(&mut self, is_lost: bool, what: &str, text: &str) {
        if is_lost {
            self.explain("not told", what, text);
        } else {
            self.wrong.push(text.to_owned());
        }
    }

    /// Only Stripe has it.
    fn missing(&mut self, is_lost: bool, what: &str, text: &str) {
        if is_lost {
            self.explain("not told", what, text);
        } else {
            self.wrong.push(format!("only at Stripe: {text}"));
        }
    }
}

impl InBooks {
    /// Charges whose sale isn't sure: nothing else of theirs is booked yet.
    fn waiting(&self) -> BTreeSet<&str> {
        let sales = self.entries.iter().filter(|entry| entry.kind == "sale" && entry.waits);
        sales.map(|sale| sale.source_id.as_str()).collect()
    }
}

impl AtStripe {
    /// An event that names this object, or the charge that it is about, was lost.
    fn is_lost(&self, id: &str, charge: Option<&str>) -> bool {
        !self.is_swept && (self.lost.contains(id) || charge.is_some_and(|charge| self.lost.contains(charge)))
    }
}

/// An object's id without the number of a later correction (`trr_1#2`).
fn base(id: &str) -> &str {
    id.split('#').next().unwrap_or(id)
}

/// What the books say of one object: its sums by purse, without those that come to nothing, and whether all of it is confirmed.
#[derive(Default)]
struct Known<'a> {
    sums: BTreeMap<(&'a str, &'a str), i64>,
    estimated: bool,
}

fn facts(books: &InBooks, stripe: &AtStripe, (what, kind): (&str, &str), verdict: &mut Verdict) {
    let mut booked: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    let waiting = books.waiting();
    for entry in books.entries.iter().filter(|entry| entry.kind == kind) {
        let known = booked.entry(base(&entry.source_id)).or_default();
        *known.sums.entry((&entry.account, &entry.currency)).or_default() += entry.amount;
        known.estimated |= !entry.confirmed;
    }
    for row in stripe.moves.iter().filter(|row| row.what == what) {
        let known = booked.remove(row.id.as_str());
        let mut rest = known.as_ref().map(|known| known.sums.clone()).unwrap_or_default();
        *rest.entry((&row.account, &row.currency)).or_default() -= row.amount;
        rest.retain(|_, amount| *amount != 0);
        if rest.is_empty() {
            continue;
        }
        for ((account, currency), amount) in &rest {
            verdict.gap(account, currency, -amount);
        }
        let told = format!("{what} {} {} {} {}", row.id, row.account, row.amount, row.currency);
        match known {
            None if row.charge.as_deref().is_some_and(|charge| waiting.contains(charge)) => {
                verdict.explain("waits for its sale", what, &told);
            }
            None => verdict.missing(stripe.is_lost(&row.id, row.charge.as_deref()), what, &told),
            Some(known) => {
                let text = format!("{told}; in the books {:?}", known.sums);
                // Before the account says what a sale came to it stands in the charge's currency; what is taken of it is off by a rounding.
                let is_near = if what == "sale" {
                    !known.sums.contains_key(&(row.account.as_str(), row.currency.as_str()))
                } else {
                    rest.values().all(|amount| amount.abs() <= PART_OFF_BY)
                };
                if known.estimated && row.converted && is_near {
                    verdict.explain("estimated", what, &text);
                } else {
                    verdict.wrong.push(text);
                }
            }
        }
    }
    for (id, known) in booked {
        for ((account, currency), amount) in &known.sums {
            verdict.gap(account, currency, -amount);
        }
        verdict.wrong.push(format!("only in the books: {kind} {id} {:?}", known.sums));
    }
}

fn is_back(status: &str) -> bool {
    matches!(status, "failed" | "canceled")
}

/// Our payouts: what the bank sent back is back in the books as well. That all of them are there is compared elsewhere.
fn ours(books: &InBooks, stripe: &AtStripe, verdict: &mut Verdict) {
    for payout in &stripe.asked_for {
        let Some(status) = books.ours.get(&payout.id) else { continue };
        if is_back(status) == is_back(&payout.status) {
            continue;
        }
        let gap = if is_back(&payout.status) { payout.amount } else { -payout.amount };
        verdict.gap(&payout.account, &payout.currency, gap);
        let Paid { id, account, amount, currency, status: at_stripe } = payout;
        let text = format!("our payout {id} ({at_stripe}) {account} {amount} {currency}; in the books {status}");
        verdict.not_told(stripe.is_lost(id, None), "payout of ours", &text);
    }
}

/// What Stripe took from bank accounts for negative balances.
fn debits(books: &InBooks, stripe: &AtStripe, verdict: &mut Verdict) {
    let mut repaid: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for entry in books.entries.iter().filter(|entry| entry.kind == "debt_repaid") {
        *repaid.entry((base(&entry.source_id), &entry.account, &entry.currency)).or_default() += entry.amount;
    }
    for debit in stripe.others.iter().filter(|other| other.amount < 0) {
        let expected = if is_back(&debit.status) { 0 } else { -debit.amount };
        let booked = repaid.remove(&(&debit.id, &debit.account, &debit.currency));
        if booked.unwrap_or(0) != expected {
            verdict.gap(&debit.account, &debit.currency, expected - booked.unwrap_or(0));
            let text =
                format!("debit {} ({}) {} {} {}", debit.id, debit.status, debit.account, expected, debit.currency);
            match booked {
                None => verdict.missing(stripe.is_lost(&debit.id, None), "debit", &text),
                Some(booked) => {
                    let text = format!("{text}; in the books {booked}");
                    verdict.not_told(stripe.is_lost(&debit.id, None), "debit", &text);
                }
            }
        }
    }
    for ((id, account, currency), amount) in repaid {
        verdict.gap(account, currency, -amount);
        verdict.wrong.push(format!("only in the books: debit {id} {account} {amount} {currency}"));
    }
}

/// Payouts by hand and by Stripe's own schedule: each is known as foreign, and nothing else is.
fn foreign(books: &InBooks, stripe: &AtStripe, verdict: &mut Verdict) {
    let mut known: BTreeMap<&str, &Foreign> = books.foreign.iter().map(|row| (row.object.as_str(), row)).collect();
    for other in stripe.others.iter().filter(|other| other.amount > 0) {
        let moved = if is_back(&other.status) { 0 } else { -other.amount };
        let told =
            format!("payout {} ({}) {} {} {}", other.id, other.status, other.account, other.amount, other.currency);
        let Some(row) = known.remove(other.id.as_str()) else {
            verdict.gap(&other.account, &other.currency, moved);
            verdict.missing(stripe.is_lost(&other.id, None), "payout", &told);
            continue;
        };
        let same = (&row.account, &row.currency, row.amount) == (&other.account, &other.currency, other.amount);
        if !same || is_back(&row.status) != is_back(&other.status) {
            verdict.gap(&other.account, &other.currency, moved);
            verdict.gap(&row.account, &row.currency, if is_back(&row.status) { 0 } else { row.amount });
            let text = format!("{told}; in the books {} {} {} {}", row.status, row.account, row.amount, row.currency);
            verdict.not_told(same && stripe.is_lost(&other.id, None), "payout", &text);
        }
    }
    for row in known.into_values() {
        verdict.gap(&row.account, &row.currency, if is_back(&row.status) { 0 } else { row.amount });
        verdict.wrong.push(format!(
            "known as foreign, and none of Stripe's own: {} {} {} {}",
            row.object, row.account, row.amount, row.currency
        ));
    }
}

/// The entries about one charge's disputes.
#[derive(Debug, Default)]
struct Held {
    hold: i64,
    release: i64,
    is_lost: bool,
}

/// A dispute that took money holds what was left of its sale; won, it lets it go.
fn disputes(books: &InBooks, stripe: &AtStripe, verdict: &mut Verdict) {
    let mut held: BTreeMap<&str, Held> = BTreeMap::new();
    for entry in &books.entries {
        let of = held.entry(&entry.charge);
        match entry.kind.as_str() {
            "dispute_hold" => of.or_default().hold += entry.amount,
            "dispute_release" => of.or_default().release += entry.amount,
            "dispute_lost" => of.or_default().is_lost = true,
            _ => {}
        }
    }
    let (mut nets, mut sales): (BTreeMap<&str, i64>, BTreeMap<&str, i64>) = (BTreeMap::new(), BTreeMap::new());
    for row in &stripe.moves {
        if let Some(charge) = row.charge.as_deref() {
            *nets.entry(charge).or_default() += row.amount;
            *sales.entry(charge).or_default() += if row.what == "sale" { row.amount } else { 0 };
        }
    }
    let waiting = books.waiting();
    for dispute in &stripe.disputes {
        let is_known = held.contains_key(dispute.charge.as_str());
        let Held { hold, release, is_lost } = held.remove(dispute.charge.as_str()).unwrap_or_default();
        let of = |map: &BTreeMap<&str, i64>| map.get(dispute.charge.as_str()).copied().unwrap_or(0);
        let good = match (dispute.took_money, dispute.status.as_str()) {
            (false, _) => !is_known,
            (true, "won") => hold + release == 0 && !is_lost,
            (true, status) => is_lost == (status == "lost") && release == 0 && (hold < 0 || of(&nets) <= 0),
        };
        if good && (-of(&sales)..=0).contains(&hold) {
            continue;
        }
        let text = format!(
            "dispute {} ({}) of {}, of {} is left {}: hold {hold}, release {release}, lost {is_lost}",
            dispute.id,
            dispute.status,
            dispute.charge,
            of(&sales),
            of(&nets)
        );
        if !is_known && waiting.contains(dispute.charge.as_str()) {
            verdict.explain("waits for its sale", "dispute", &text);
        } else {
            verdict.not_told(stripe.is_lost(&dispute.id, Some(&dispute.charge)), "dispute", &text);
        }
    }
    verdict.wrong.extend(
        held.into_iter().map(|(charge, held)| format!("no dispute of {charge} at Stripe, in the books {held:?}")),
    );
}

/// What is only moved in time comes to nothing: carries of a purse, reserves of a charge.
fn pairs(books: &InBooks, verdict: &mut Verdict) {
    let mut sums: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for entry in &books.entries {
        let Some((pair @ ("carry" | "reserve"), _)) = entry.kind.split_once('_') else { continue };
        *sums.entry((pair, &entry.account, &entry.currency)).or_default() += entry.amount;
    }
    let open = sums.into_iter().filter(|(_, sum)| *sum != 0);
    verdict.wrong.extend(
        open.map(|((pair, account, currency), sum)| format!("{account} {currency}: {pair} entries come to {sum}")),
    );
}

/// What the entries leave is what Stripe has, but for the rows that are already named.
fn purses(books: &InBooks, stripe: &AtStripe, verdict: &mut Verdict) {
    let mut sums: BTreeMap<PurseId, i64> = BTreeMap::new();
    let of = |account: &str, currency: &str| (account.to_owned(), currency.to_owned());
    for entry in books.entries.iter().filter(|entry| !NO_MONEY.contains(&entry.kind.as_str())) {
        *sums.entry(of(&entry.account, &entry.currency)).or_default() += entry.amount;
    }
    for row in books.foreign.iter().filter(|row| row.amount > 0 && !is_back(&row.status)) {
        *sums.entry(of(&row.account, &row.currency)).or_default() -= row.amount;
    }
    for (purse, amount) in &books.paid {
        *sums.entry(purse.clone()).or_default() -= amount;
    }
    let all: BTreeSet<&PurseId> = sums.keys().chain(stripe.purses.keys()).collect();
    for purse in all {
        let at = |map: &BTreeMap<PurseId, i64>| map.get(purse).copied().unwrap_or(0);
        let (has, makes, named) = (at(&stripe.purses), at(&sums), at(&verdict.gaps));
        if has - makes != named {
            let (account, currency) = purse;
            verdict.wrong.push(format!(
                "{account} {currency}: Stripe has {has}, the books make {makes}; rows that differ make {named} of it"
            ));
        }
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
