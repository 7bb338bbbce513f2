//! What one cycle of a life came to, in lines; and the reading of what is compared.
use crate::{
    books::Books,
    database::{Database, number},
    life::{AtStripe, Entry, Foreign, InBooks, Verdict},
};
use std::{collections::BTreeMap, fmt::Write as _};

const ENTRIES: &str = "SELECT kind, account_id, currency, CAST(amount_minor AS TEXT), source_id, \
    COALESCE(charge_id, ''), CASE WHEN confirmed THEN 'confirmed' WHEN settles_as_charged THEN 'estimated' ELSE 'waits' END, \
    CAST(earned_at_ms AS TEXT) FROM creator_earnings";
const FOREIGN: &str = "SELECT object_id, account_id, currency, CAST(amount_minor AS TEXT), status FROM foreign_payouts";
const PAID: &str = "SELECT account_id, currency, CAST(SUM(amount_minor) AS TEXT) FROM payout_attempts \
    WHERE kind = 'create' AND state = 'executed' AND COALESCE(object_status, '') NOT IN ('failed', 'canceled') \
    GROUP BY account_id, currency";
const OURS: &str = "SELECT stripe_object_id, COALESCE(object_status, '') FROM payout_attempts \
    WHERE kind = 'create' AND state = 'executed' AND stripe_object_id IS NOT NULL";
/// Lines of explained differences printed for one cycle.
const EXPLAINED_MAX: usize = 3;

/// Reads the entries and the payouts that moved money.
pub(crate) async fn read(database: &mut Database) -> anyhow::Result<InBooks> {
    let mut books = InBooks::default();
    for [kind, account, currency, amount, source_id, charge, sure, earned] in database.rows(ENTRIES).await? {
        let (amount, earned_ms) = (number(&amount)?, number(&earned)?);
        let (confirmed, waits) = (sure == "confirmed", sure == "waits");
        books.entries.push(Entry { kind, account, currency, amount, source_id, charge, confirmed, waits, earned_ms });
    }
    for [object, account, currency, amount, status] in database.rows(FOREIGN).await? {
        let amount = number(&amount)?;
        books.foreign.push(Foreign { object, account, currency, amount, status });
    }
    for [account, currency, sum] in database.rows(PAID).await? {
        books.paid.insert((account, currency), number(&sum)?);
    }
    for [object, status] in database.rows(OURS).await? {
        books.ours.insert(object, status);
    }
    Ok(books)
}

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let texts: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// The lines of a cycle.
pub(crate) fn lines(run_id: &str, books: &Books, life: &InBooks, stripe: &AtStripe, verdict: &Verdict) -> String {
    let mut text = String::new();
    let of_run = || books.payouts.iter().filter(|payout| payout.run_id == run_id);
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for payout in of_run() {
        *sums.entry(&payout.currency).or_default() += payout.amount;
    }
    let sums: Vec<String> = sums.iter().map(|(currency, sum)| format!("{currency} {sum}")).collect();
    let skipped = books.outcomes.iter().filter(|row| row.run_id == run_id && row.payout_id.is_empty());
    // Writing to a String doesn't fail.
    let _ =
        writeln!(text, "  payouts    {}: {}", of_run().count(), counted(of_run().map(|payout| payout.state.as_str())));
    let _ = writeln!(text, "  sums       {} (minor units)", sums.join(", "));
    let _ = writeln!(text, "  skipped    {}", counted(skipped.map(|row| row.reason.as_str())));
    let _ = writeln!(text, "  entries    {}", counted(life.entries.iter().map(|entry| entry.kind.as_str())));
    let _ = writeln!(
        text,
        "  at Stripe  {}; disputes {}; not asked for: {} payouts, {} debits",
        counted(stripe.moves.iter().map(|row| row.what.as_str())),
        counted(stripe.disputes.iter().map(|row| row.status.as_str())),
        stripe.others.iter().filter(|other| other.amount > 0).count(),
        stripe.others.iter().filter(|other| other.amount < 0).count(),
    );
    let estimated = life.entries.iter().filter(|entry| !entry.confirmed).count();
    let _ = writeln!(
        text,
        "  compared   {} entries ({estimated} estimated), {} purses, {} payouts: {}, {} explained",
        life.entries.len(),
        stripe.purses.len(),
        books.attempts.len(),
        if verdict.wrong.is_empty() { "equal".to_owned() } else { format!("{} DIFFERENCES", verdict.wrong.len()) },
        verdict.explained.len(),
    );
    if !verdict.explained.is_empty() {
        let causes = counted(verdict.explained.iter().map(|one| one.cause.as_str()));
        let _ = writeln!(text, "  explained  {causes}; such as:");
    }
    for one in verdict.explained.iter().take(EXPLAINED_MAX) {
        let _ = writeln!(text, "             {}: {}", one.cause, one.text);
    }
    text
}
