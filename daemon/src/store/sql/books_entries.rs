//! The books' part about entries: pairs, estimates, what Stripe told of, late executions; and charge by charge what the core says of it.
//! Read by `books`, inside its one moment.
use super::{DB, OBJECT, Tx, before, entries, purses::{TAKES, TRANSFERRED}, terms::Terms};
use crate::store::{StoreError, door_types::BooksReport};
use payout_shared::books;
use sqlx::{AssertSqlSafe, Row};

/// Charges that are looked at together.
const CHARGES_PER_PAGE: usize = 500;

/// As `books::RULES`, of entries and what they are made of. `{object}`: the object that entry `e` is of, `{takes}`: it takes money,
/// `{transferred}`: its transfer is recorded, `{single}`: fact `f` is booked by itself.
pub(super) const RULES: [(&str, &str); 20] = [
    (
        "entry {0} belongs to charge {1}, of which no sale is booked",
        "SELECT CAST(e.id AS TEXT), e.charge_id, '' FROM creator_earnings e WHERE e.charge_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM creator_earnings s WHERE s.source_type = 'charge' AND s.source_id = e.charge_id AND s.kind = 'sale') \
         AND NOT EXISTS (SELECT 1 FROM earning_facts f WHERE f.fact_id = {object} AND {single})",
    ),
    (
        "entry {0} belongs to charge {1} and is not in the purse of its sale ({2})",
        "SELECT CAST(e.id AS TEXT), e.charge_id, s.account_id || ' ' || s.currency FROM creator_earnings e JOIN creator_earnings s \
         ON s.source_type = 'charge' AND s.source_id = e.charge_id AND s.kind = 'sale' WHERE e.charge_id IS NOT NULL \
         AND (e.account_id <> s.account_id OR e.currency <> s.currency OR e.creator_id <> s.creator_id)",
    ),
    (
        "entry {0} ({1}) is made of {2}, of which Stripe told nothing",
        "SELECT CAST(e.id AS TEXT), e.kind, e.source_id FROM creator_earnings e WHERE (e.charge_id IS NOT NULL OR e.kind = 'debt_repaid') \
         AND e.source_type IN ('transfer_reversal', 'fee_refund', 'dispute', 'payout') AND NOT EXISTS (SELECT 1 FROM earning_facts f \
         WHERE f.fact_id = {object} AND f.kind = CASE e.source_type WHEN 'transfer_reversal' THEN 'reversal' WHEN 'payout' THEN 'debit' \
         ELSE e.source_type END)",
    ),
    (
        "{0} of charge {1} is marked as booked, but no sale of that charge is",
        "SELECT f.fact_id, f.charge_id, '' FROM earning_facts f WHERE f.booked AND f.charge_id IS NOT NULL AND f.kind <> 'refund' \
         AND NOT ({single}) AND NOT EXISTS (SELECT 1 FROM creator_earnings s WHERE s.source_type = 'charge' AND s.source_id = f.charge_id AND s.kind = 'sale')",
    ),
    (
        "the entries of {0}, a debit of Stripe's own, come to {1}: it brought {2}",
        "SELECT q.fact_id, CAST(q.booked AS TEXT), CAST(q.brought AS TEXT) FROM (SELECT f.fact_id, \
         CASE WHEN f.status IN ('failed', 'canceled') THEN 0 ELSE -f.amount_minor END AS brought, \
         CAST(COALESCE((SELECT SUM(e.amount_minor) FROM creator_earnings e WHERE e.account_id = f.account_id AND e.currency = f.currency \
         AND e.kind = 'debt_repaid' AND {object} = f.fact_id), 0) AS BIGINT) AS booked \
         FROM earning_facts f WHERE f.kind = 'debit' AND f.booked) q WHERE q.booked <> q.brought",
    ),
    (
        "the entries of {0}, of no sale of ours, come to {1}: it moved {2}",
        "SELECT q.fact_id, CAST(q.booked AS TEXT), CAST(q.moved AS TEXT) FROM (SELECT f.fact_id, CASE f.kind WHEN 'reversal' THEN -1 ELSE 1 END \
         * COALESCE(f.settled_minor, f.amount_minor) AS moved, CAST(COALESCE((SELECT SUM(e.amount_minor) FROM creator_earnings e \
         WHERE e.account_id = f.account_id AND e.currency = f.currency AND e.kind IN ('refund', 'fee_refund') \
         AND e.source_type IN ('transfer_reversal', 'fee_refund') AND {object} = f.fact_id), 0) AS BIGINT) AS booked FROM earning_facts f \
         WHERE f.kind IN ('reversal', 'fee_refund') AND {single} AND f.booked) q WHERE q.booked <> q.moved",
    ),
    (
        "entry {0} is the sale {1}, earned before this database was there ({2}): it was booked from what Stripe told, and not from a file",
        "SELECT CAST(e.id AS TEXT), e.source_id, CAST(f.said_ms AS TEXT) FROM creator_earnings e JOIN earning_facts f \
         ON f.fact_id = e.source_id AND f.kind = 'sale' WHERE e.kind = 'sale' AND NOT e.confirmed AND f.said_ms < {since}",
    ),
    (
        "what the unit left over of payout {0} was carried out as {1}, but in as {2}",
        "SELECT o.source_id, CAST(o.amount_minor AS TEXT), COALESCE(CAST(i.amount_minor AS TEXT), 'nothing') FROM creator_earnings o \
         LEFT JOIN creator_earnings i ON i.source_type = o.source_type AND i.source_id = o.source_id AND i.kind = 'carry_in' \
         AND i.account_id = o.account_id AND i.currency = o.currency \
         WHERE o.kind = 'carry_out' AND (i.id IS NULL OR i.amount_minor <> -o.amount_minor OR o.amount_minor = 0 \
         OR (o.amount_minor > 0 AND NOT EXISTS (SELECT 1 FROM foreign_payouts a WHERE a.object_id = o.source_id AND a.adopted_at_ms IS NOT NULL)))",
    ),
    (
        "{1} of payout {0} were carried in, but nothing out",
        "SELECT i.source_id, CAST(i.amount_minor AS TEXT), '' FROM creator_earnings i WHERE i.kind = 'carry_in' AND NOT EXISTS \
         (SELECT 1 FROM creator_earnings o WHERE o.source_type = i.source_type AND o.source_id = i.source_id AND o.kind = 'carry_out')",
    ),
    (
        "entry {0} carries out of payout {1}, but is no item of it",
        "SELECT CAST(o.id AS TEXT), o.source_id, '' FROM creator_earnings o WHERE o.kind = 'carry_out' AND NOT EXISTS \
         (SELECT 1 FROM payout_items i WHERE i.payout_id = o.source_id AND i.earning_id = o.id)",
    ),
    (
        "entry {0} says that purse {2} was overpaid by {1}, which is neither a late execution nor a reversal of one of its payouts",
        "SELECT CAST(e.id AS TEXT), e.source_id, e.account_id || ' ' || e.currency FROM creator_earnings e WHERE e.kind = 'overpaid' \
         AND NOT EXISTS (SELECT 1 FROM foreign_payouts f WHERE f.object_id = {object} AND f.payout_id IS NOT NULL \
         AND f.account_id = e.account_id AND f.currency = e.currency) AND NOT EXISTS (SELECT 1 FROM creator_payouts p \
         JOIN payout_attempts u ON u.payout_id = p.id AND u.kind = 'reverse' WHERE p.account_id = e.account_id \
         AND p.currency = e.currency AND u.stripe_object_id = {object})",
    ),
    (
        "payout {0} was executed late or its reversal failed: {1} are booked as overpaid, but {2} left beyond its entries",
        "SELECT q.id, CAST(-q.booked AS TEXT), CAST(q.own + q.late - q.locked AS TEXT) FROM (SELECT p.id, \
         CASE WHEN p.stripe_payout_id IS NOT NULL AND p.state IN ('pending', 'in_transit', 'paid', 'settled', 'reversing') \
         THEN p.amount_minor ELSE 0 END AS own, \
         CAST(COALESCE((SELECT SUM(f.amount_minor) FROM foreign_payouts f WHERE f.payout_id = p.id AND f.account_id = p.account_id \
         AND f.currency = p.currency AND f.status NOT IN ('failed', 'canceled') AND f.object_id <> COALESCE(p.stripe_payout_id, '')), 0) \
         AS BIGINT) AS late, \
         CAST(COALESCE((SELECT SUM(i.amount_minor) FROM payout_items i WHERE i.payout_id = p.id AND i.released_at_ms IS NULL), 0) \
         AS BIGINT) AS locked, \
         CAST(COALESCE((SELECT SUM(e.amount_minor) FROM creator_earnings e WHERE e.kind = 'overpaid' AND e.account_id = p.account_id \
         AND e.currency = p.currency AND {object} IN (SELECT f.object_id FROM foreign_payouts f WHERE f.payout_id = p.id \
         UNION ALL SELECT u.stripe_object_id FROM payout_attempts u WHERE u.payout_id = p.id AND u.kind = 'reverse')), 0) \
         AS BIGINT) AS booked \
         FROM creator_payouts p WHERE p.id IN (SELECT f.payout_id FROM foreign_payouts f WHERE f.payout_id IS NOT NULL \
         UNION ALL SELECT u.payout_id FROM payout_attempts u WHERE u.kind = 'reverse')) q \
         WHERE -q.booked <> CASE WHEN q.own + q.late > q.locked THEN q.own + q.late - q.locked ELSE 0 END",
    ),
    (
        "object {0} of account {1} belongs to payout {2}, which is not there or of another account",
        "SELECT f.object_id, f.account_id, f.payout_id FROM foreign_payouts f LEFT JOIN creator_payouts p ON p.id = f.payout_id \
         WHERE f.payout_id IS NOT NULL AND (p.id IS NULL OR p.account_id <> f.account_id)",
    ),
    (
        "object {0} of account {1} is held against its purse as foreign, but it is payout {2}",
        "SELECT f.object_id, f.account_id, p.id FROM foreign_payouts f JOIN creator_payouts p ON p.stripe_payout_id = f.object_id \
         WHERE f.payout_id IS NULL AND f.adopted_at_ms IS NULL",
    ),
    (
        "entry {0} is a {1} and can't be an estimate, but is marked as one",
        "SELECT CAST(e.id AS TEXT), e.kind, '' FROM creator_earnings e WHERE NOT e.confirmed \
         AND e.kind NOT IN ('sale', 'refund', 'fee_refund')",
    ),
    (
        "entry {0} (a {1}) is still marked as an estimate, but the account's balance has said what {2} came to",
        "SELECT CAST(e.id AS TEXT), e.kind, f.fact_id FROM creator_earnings e JOIN earning_facts f ON f.fact_id = {object} \
         WHERE NOT e.confirmed AND e.kind IN ('refund', 'fee_refund') AND e.charge_id IS NOT NULL AND f.settled_minor IS NOT NULL",
    ),
    (
        "entry {0} is an estimate of charge {1}, but {2}",
        "SELECT CAST(e.id AS TEXT), e.source_id, CASE WHEN f.fact_id IS NULL THEN 'Stripe told nothing of that' \
         ELSE 'not the one that Stripe told' END FROM creator_earnings e LEFT JOIN earning_facts f ON f.fact_id = e.source_id AND f.kind = 'sale' \
         WHERE NOT e.confirmed AND e.kind = 'sale' AND (f.fact_id IS NULL OR e.amount_minor <> f.moved_minor - f.fee_minor \
         OR e.currency <> f.currency OR e.account_id <> f.account_id)",
    ),
    (
        "entry {0} is the sale {1}: its amount is not its gross without its fee ({2})",
        "SELECT CAST(e.id AS TEXT), e.source_id, CAST(e.gross_minor - e.fee_minor AS TEXT) FROM creator_earnings e \
         WHERE e.kind = 'sale' AND e.amount_minor <> e.gross_minor - e.fee_minor",
    ),
    (
        "entry {0} (a {1}) has the wrong sign: {2}",
        "SELECT CAST(e.id AS TEXT), e.kind, CAST(e.amount_minor AS TEXT) FROM creator_earnings e WHERE (e.kind = 'dispute_lost' \
         AND e.amount_minor <> 0) OR (e.kind IN ('debt_writeoff', 'carry_in') AND e.amount_minor <= 0 \
         AND NOT EXISTS (SELECT 1 FROM foreign_payouts a WHERE a.object_id = e.source_id AND a.adopted_at_ms IS NOT NULL)) \
         OR (e.kind = 'payout_fee' AND e.amount_minor >= 0)",
    ),
    (
        "payout {0} holds entry {1}, which did not count for its run ({2})",
        "SELECT i.payout_id, CAST(i.earning_id AS TEXT), e.kind FROM payout_items i JOIN creator_payouts p ON p.id = i.payout_id \
         JOIN payout_runs r ON r.id = p.run_id JOIN creator_earnings e ON e.id = i.earning_id WHERE i.released_at_ms IS NULL \
         AND NOT ({takes}) AND e.kind <> 'carry_in' AND (e.earned_at_ms >= r.cutoff_ms OR e.available_on_ms > r.instant_ms \
         OR NOT (e.confirmed OR e.settles_as_charged) OR (e.kind = 'adjustment' AND NOT {transferred}))",
    ),
];

/// A rule's query with its words filled in.
pub(super) fn filled(query: &str) -> String {
    let query = query.replace("{single}", &before::is_single()).replace("{since}", before::SINCE);
    query.replace("{object}", OBJECT).replace("{takes}", TAKES).replace("{transferred}", TRANSFERRED)
}

/// Charges with entries; those without any, but with facts; the other sales, when reserves are kept. Each list behind a place.
const CHARGES: [&str; 3] = [
    "SELECT DISTINCT charge_id FROM creator_earnings WHERE charge_id IS NOT NULL AND charge_id > $1 ORDER BY charge_id",
    "SELECT DISTINCT f.charge_id FROM earning_facts f WHERE f.charge_id IS NOT NULL AND f.charge_id > $1 AND f.kind NOT IN ('sale', 'refund') \
     AND NOT EXISTS (SELECT 1 FROM creator_earnings e WHERE e.charge_id = f.charge_id) ORDER BY f.charge_id",
    "SELECT s.source_id FROM creator_earnings s WHERE s.source_type = 'charge' AND s.kind = 'sale' AND s.source_id > $1 \
     AND NOT EXISTS (SELECT 1 FROM creator_earnings e WHERE e.charge_id = s.source_id) AND NOT EXISTS (SELECT 1 FROM earning_facts f \
     WHERE f.charge_id = s.source_id AND f.kind NOT IN ('sale', 'refund')) ORDER BY s.source_id",
];

/// Every charge of which anything but its sale is known, booked or due, in pages: the core judges each.
pub(super) async fn check_charges(tx: &mut Tx, report: &mut BooksReport) -> Result<(), StoreError> {
    let terms = Terms::read(tx).await?;
    let lists = if terms.keeps() { &CHARGES[..] } else { &CHARGES[..2] };
    for query in lists {
        let (text, mut after) = (format!("{query} LIMIT {CHARGES_PER_PAGE}"), String::new());
        loop {
            let found = sqlx::query::<DB>(AssertSqlSafe(text.clone())).bind(after).fetch_all(&mut **tx).await?;
            let charges = found.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            check_page(tx, &charges.iter().map(String::as_str).collect::<Vec<_>>(), &terms, report).await?;
            match charges.last() {
                Some(last) if charges.len() == CHARGES_PER_PAGE => after = last.clone(),
                _ => break,
            }
        }
    }
    Ok(())
}

async fn check_page(tx: &mut Tx, charges: &[&str], terms: &Terms, report: &mut BooksReport) -> Result<(), StoreError> {
    if charges.is_empty() {
        return Ok(());
    }
    let sales = entries::sales(tx, charges, terms).await?;
    let (mut facts, mut booked) = (entries::facts_of(tx, charges).await?, entries::booked_of(tx, charges).await?);
    for (charge, stored) in sales {
        let (facts, booked) = (facts.remove(&charge).unwrap_or_default(), booked.remove(&charge).unwrap_or_default());
        books::check_charge(&stored.sale, &facts, &booked).into_iter().for_each(|sentence| report.violation(sentence));
    }
    Ok(())
}
