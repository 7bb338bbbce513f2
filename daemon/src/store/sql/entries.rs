//! Booking: from facts to entries, charge by charge as the core says, written in bulk. What waits (for its sale, its account, its transfer)
//! keeps its fact unbooked and is looked at again. Repeating it books nothing: what is booked is read in the same transaction.
use super::{DB, Pool, Tx, before, begin, commit, journal, lease, rows, terms::Terms, told};
use crate::store::{
    StoreError,
    types::{Booking, Fence, Note},
};
use payout_shared::{
    earning::EarningKind,
    entries::{self, Booked, Entry, Fact, FactKind, Sale, TooMuch},
    money::Money,
};
use sqlx::{QueryBuilder, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Charges per statement, and rows of fourteen binds: far below both databases' limits.
const ROWS_PER_STATEMENT: usize = 500;
/// Names of what was booked that the journal keeps.
const NAMED_MAX: usize = 20;

/// An entry and where it belongs.
struct Line {
    creator: String,
    account: String,
    currency: String,
    charge: Option<String>,
    entry: Entry,
    gross_minor: i64,
    fee_minor: i64,
    confirmed: bool,
    settles: bool,
}

impl Line {
    /// An entry of one of Stripe's own amounts.
    fn of(entry: Entry, [creator, account, currency]: [&str; 3], charge: Option<&str>) -> Self {
        Self {
            creator: creator.to_owned(),
            account: account.to_owned(),
            currency: currency.to_owned(),
            charge: charge.map(str::to_owned),
            gross_minor: entry.amount_minor,
            fee_minor: 0,
            confirmed: !entry.is_estimated,
            settles: true,
            entry,
        }
    }
}

/// A sale as stored, with its purse.
pub(super) struct Stored {
    pub(super) purse: [String; 3],
    pub(super) sale: Sale,
}

/// Books what follows from these facts, and whatever else is known of their charges.
pub(super) async fn book(tx: &mut Tx, now_ms: i64, facts: &[Fact]) -> Result<Booking, StoreError> {
    let charges: BTreeSet<&str> = facts.iter().filter_map(|fact| fact.charge.as_deref()).collect();
    let singles: BTreeSet<&str> =
        facts.iter().filter(|fact| fact.charge.is_none()).map(|fact| fact.id.as_str()).collect();
    let mut booking = Booking::default();
    if charges.is_empty() && singles.is_empty() {
        return Ok(booking);
    }
    let terms = Terms::read(tx).await?;
    let charges: Vec<&str> = charges.into_iter().collect();
    for chunk in charges.chunks(ROWS_PER_STATEMENT) {
        book_sales(tx, now_ms, chunk, &terms, &mut booking).await?;
        book_charges(tx, now_ms, chunk, &terms, &mut booking).await?;
        book_singles(tx, now_ms, "f.charge_id", chunk, &mut booking).await?;
    }
    let singles: Vec<&str> = singles.into_iter().collect();
    for chunk in singles.chunks(ROWS_PER_STATEMENT) {
        book_singles(tx, now_ms, "f.fact_id", chunk, &mut booking).await?;
    }
    Ok(booking)
}

/// Of sales that were imported now: their reserves, and what was told of them before.
pub(super) async fn book_imported(
    tx: &mut Tx,
    now_ms: i64,
    charges: impl Iterator<Item = (&str, i64)>,
) -> Result<(), StoreError> {
    let terms = Terms::read(tx).await?;
    let charges: Vec<(&str, i64)> = charges.collect();
    for chunk in charges.chunks(ROWS_PER_STATEMENT) {
        let names: Vec<&str> = chunk.iter().map(|(charge, _)| *charge).collect();
        let mut wanted: BTreeSet<String> = told_of(tx, &names).await?;
        if terms.keeps() {
            let kept = chunk.iter().filter(|(_, earned_at_ms)| terms.reserve(*earned_at_ms).basis_points > 0);
            wanted.extend(kept.map(|(charge, _)| (*charge).to_owned()));
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        if !wanted.is_empty() {
            let mut booking = Booking::default();
            book_charges(tx, now_ms, &wanted, &terms, &mut booking).await?;
            if let Some(broken) = booking.broken.pop() {
                return Err(StoreError::Broken(broken));
            }
        }
    }
    Ok(())
}

/// Those charges of which Stripe told something.
async fn told_of(tx: &mut Tx, charges: &[&str]) -> Result<BTreeSet<String>, StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT DISTINCT charge_id FROM earning_facts WHERE charge_id IN (");
    push_list(&mut query, charges);
    query.push(")");
    let found = query.build().persistent(false).fetch_all(&mut **tx).await?;
    found.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn push_list(query: &mut QueryBuilder<DB>, list: &[&str]) {
    let mut separated = query.separated(", ");
    for one in list {
        separated.push_bind((*one).to_owned());
    }
}

/// Sales of ours that were told and aren't booked, of accounts that are known.
async fn book_sales(
    tx: &mut Tx,
    now_ms: i64,
    charges: &[&str],
    terms: &Terms,
    booking: &mut Booking,
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(
        ", a.creator_id AS creator, EXISTS (SELECT 1 FROM account_banks b WHERE b.account_id = f.account_id AND b.currency = f.currency \
         AND b.status <> 'removed') AS settles FROM earning_facts f JOIN creator_stripe_accounts a ON a.account_id = f.account_id \
         WHERE NOT f.booked AND NOT EXISTS (SELECT 1 FROM creator_earnings e WHERE e.source_type = 'charge' \
         AND e.source_id = f.fact_id AND e.kind = 'sale') AND ",
    );
    query.push(before::is_sale()).push(" AND f.fact_id IN (");
    push_list(&mut query, charges);
    query.push(") ORDER BY f.fact_id");
    let mut lines = Vec::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (fact, _) = told::fact(&row)?;
        let (creator, settles): (String, bool) = (row.try_get("creator")?, row.try_get("settles")?);
        let net = fact.moved_minor.checked_sub(fact.fee_minor).filter(|_| fact.amount_minor >= 0);
        let Some((amount_minor, fee_minor)) = net.and_then(|net| Some((net, fact.amount_minor.checked_sub(net)?))) else {
            booking.broken.push(TooMuch(fact.id).to_string());
            continue;
        };
        let entry = Entry {
            kind: EarningKind::Sale,
            source_type: FactKind::Sale.source_type(),
            source_id: fact.id.clone(),
            amount_minor,
            earned_at_ms: fact.at_ms,
            available_on_ms: terms.expected_ms(fact.at_ms),
            is_estimated: true,
        };
        let account = fact.account.as_ref().map_or("", |account| account.as_str());
        lines.push(Line {
            gross_minor: fact.amount_minor,
            fee_minor,
            settles,
            ..Line::of(entry, [&creator, account, fact.currency.as_str()], None)
        });
    }
    insert(tx, now_ms, &lines, booking).await
}

/// Sales of these charges as they are stored, by charge.
pub(super) async fn sales(
    tx: &mut Tx,
    charges: &[&str],
    terms: &Terms,
) -> Result<BTreeMap<String, Stored>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT e.source_id, e.creator_id, e.account_id, e.currency, e.amount_minor, e.gross_minor, e.earned_at_ms, e.available_on_ms, \
         e.confirmed, e.settles_as_charged, f.amount_minor, f.moved_minor, f.currency, t.amount_minor, t.currency FROM creator_earnings e \
         LEFT JOIN earning_facts f ON f.fact_id = e.source_id AND f.kind = 'sale' \
         LEFT JOIN transfers t ON t.transfer_id = (SELECT MIN(o.transfer_id) FROM transfers o WHERE o.charge_id = e.source_id \
         AND o.account_id = e.account_id) WHERE e.source_type = 'charge' AND e.kind = 'sale' AND e.source_id IN (",
    );
    push_list(&mut query, charges);
    query.push(")");
    let mut sales = BTreeMap::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (charge, currency): (String, String) = (row.try_get(0)?, row.try_get(3)?);
        let (gross, earned_at_ms): (i64, i64) = (row.try_get(5)?, row.try_get(6)?);
        let told: (Option<i64>, Option<i64>, Option<String>) = (row.try_get(10)?, row.try_get(11)?, row.try_get(12)?);
        let charged = told.2.as_deref().unwrap_or(&currency);
        let converted = charged != currency;
        let transfer: (Option<i64>, Option<String>) = (row.try_get(13)?, row.try_get(14)?);
        let transferred = match transfer {
            (Some(minor), Some(code)) => Some(Money::new(minor, rows::currency(&code)?)),
            _ => None,
        };
        let moved_minor = told.1.unwrap_or(gross);
        let sale = Sale {
            charge: charge.clone(),
            gross_minor: told.0.unwrap_or(gross),
            charged: rows::currency(charged)?,
            moved_minor,
            transferred,
            arrived_minor: if converted { gross } else { moved_minor },
            net_minor: row.try_get(4)?,
            converted,
            earned_at_ms,
            available_on_ms: row.try_get(7)?,
            reserve: terms.reserve(earned_at_ms),
            is_sure: row.try_get::<bool, _>(8)? || row.try_get::<bool, _>(9)?,
        };
        sales.insert(charge, Stored { purse: [row.try_get(1)?, row.try_get(2)?, currency], sale });
    }
    Ok(sales)
}

/// What the core finds missing of charges whose sale is there.
pub(super) async fn book_charges(
    tx: &mut Tx,
    now_ms: i64,
    charges: &[&str],
    terms: &Terms,
    booking: &mut Booking,
) -> Result<(), StoreError> {
    let sales = sales(tx, charges, terms).await?;
    // Entries before facts: whoever books beside this one (an import beside the engine) between the two leaves entries that are missing here, and
    // these can't be written a second time. The other way round they would seem to follow from nothing, and be taken back.
    let (mut booked, mut facts) = (booked_of(tx, charges).await?, facts_of(tx, charges).await?);
    let (mut lines, mut done) = (Vec::new(), Vec::new());
    for (charge, Stored { purse, sale }) in &sales {
        let (facts, booked) = (facts.remove(charge).unwrap_or_default(), booked.remove(charge).unwrap_or_default());
        match entries::due(sale, &facts, &booked) {
            Ok(entries) => {
                let [creator, account, currency] = purse;
                lines.extend(entries.into_iter().map(|entry| Line::of(entry, [creator, account, currency], Some(charge))));
                // What hangs on a sale that isn't sure goes on waiting.
                let hangs = |fact: &Fact| fact.kind != FactKind::Sale && !sale.is_sure;
                done.extend(facts.into_iter().filter(|(fact, booked)| !booked && !hangs(fact)).map(|(fact, _)| fact.id));
            }
            Err(too_much) => booking.broken.push(too_much.to_string()),
        }
    }
    insert(tx, now_ms, &lines, booking).await?;
    mark(tx, &done).await
}

/// Facts of charges, the sales' own among them.
pub(super) async fn facts_of(tx: &mut Tx, charges: &[&str]) -> Result<BTreeMap<String, Vec<(Fact, bool)>>, StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(" FROM earning_facts f WHERE f.kind <> 'refund' AND f.charge_id IN (");
    push_list(&mut query, charges);
    query.push(") ORDER BY f.fact_id");
    let mut facts: BTreeMap<String, Vec<(Fact, bool)>> = BTreeMap::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let (fact, booked) = told::fact(&row)?;
        facts.entry(fact.charge.clone().unwrap_or_default()).or_default().push((fact, booked));
    }
    Ok(facts)
}

fn booked(row: &rows::AnyRow) -> Result<Booked, StoreError> {
    let (word, source_id): (String, String) = (row.try_get(1)?, row.try_get(3)?);
    let kind = EarningKind::parse(&word).ok_or_else(|| rows::strange("the entry of", &source_id, &word))?;
    Ok(Booked { kind, source_type: row.try_get(2)?, source_id, amount_minor: row.try_get(4)? })
}

pub(super) async fn booked_of(tx: &mut Tx, charges: &[&str]) -> Result<BTreeMap<String, Vec<Booked>>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT charge_id, kind, source_type, source_id, amount_minor FROM creator_earnings WHERE charge_id IN (",
    );
    push_list(&mut query, charges);
    query.push(") ORDER BY id");
    let mut all: BTreeMap<String, Vec<Booked>> = BTreeMap::new();
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        all.entry(row.try_get(0)?).or_default().push(booked(&row)?);
    }
    Ok(all)
}

/// Facts that are booked by themselves: debits, reversals of transfers that the platform made by themselves, and what is taken or given back of
/// sales from before. Those whose `column` is one of these.
async fn book_singles(
    tx: &mut Tx,
    now_ms: i64,
    column: &'static str,
    of: &[&str],
    booking: &mut Booking,
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(
        ", a.creator_id AS creator FROM earning_facts f JOIN creator_stripe_accounts a ON a.account_id = f.account_id \
         WHERE NOT f.booked AND ",
    );
    query.push(before::is_single()).push(" AND ").push(column).push(" IN (");
    push_list(&mut query, of);
    query.push(") ORDER BY f.fact_id");
    let (mut lines, mut done) = (Vec::new(), Vec::new());
    for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
        let ((fact, _), creator): (_, String) = (told::fact(&row)?, row.try_get("creator")?);
        let before = booked_from(tx, &fact).await?;
        let entry = match fact.kind {
            FactKind::Debit => entries::debit(&fact, &before),
            FactKind::Reversal => entries::plain_reversal(&fact, &before),
            FactKind::FeeRefund => entries::plain_fee_refund(&fact, &before),
            FactKind::Sale | FactKind::Dispute | FactKind::Refund => Ok(None),
        };
        match entry {
            Ok(entry) => {
                let account = fact.account.as_ref().map_or("", |account| account.as_str());
                let (purse, charge) = ([&*creator, account, fact.currency.as_str()], fact.charge.as_deref());
                lines.extend(entry.map(|entry| Line::of(entry, purse, charge)));
                done.push(fact.id);
            }
            Err(too_much) => booking.broken.push(too_much.to_string()),
        }
    }
    insert(tx, now_ms, &lines, booking).await?;
    mark(tx, &done).await
}

/// What was made of one object; these are rare (a debit, a plain transfer taken back).
async fn booked_from(tx: &mut Tx, fact: &Fact) -> Result<Vec<Booked>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT charge_id, kind, source_type, source_id, amount_minor FROM creator_earnings WHERE source_type = $1 \
         AND source_id >= $2 AND source_id < $3 AND (source_id = $2 OR source_id LIKE $4)",
    )
    .bind(fact.kind.source_type())
    .bind(&fact.id)
    .bind(format!("{}$", fact.id))
    .bind(format!("{}#%", fact.id))
    .fetch_all(&mut **tx)
    .await?;
    found.iter().map(booked).collect()
}

async fn insert(tx: &mut Tx, now_ms: i64, lines: &[Line], booking: &mut Booking) -> Result<(), StoreError> {
    for chunk in lines.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms, charge_id, confirmed, settles_as_charged) ",
        );
        insert.push_values(chunk, |mut row, line| {
            row.push_bind(&line.creator)
                .push_bind(&line.account)
                .push_bind(&line.currency)
                .push_bind(line.entry.kind.as_str())
                .push_bind(line.entry.amount_minor)
                .push_bind(line.gross_minor)
                .push_bind(line.fee_minor)
                .push_bind(line.entry.source_type)
                .push_bind(&line.entry.source_id)
                .push_bind(line.entry.earned_at_ms)
                .push_bind(line.entry.available_on_ms)
                .push_bind(now_ms)
                .push_bind(&line.charge)
                .push_bind(line.confirmed)
                .push_bind(line.settles);
        });
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    for line in lines {
        let count = booking.entries.entry(line.entry.kind).or_default();
        *count = count.saturating_add(1);
        if booking.of.len() < NAMED_MAX && !booking.of.contains(&line.entry.source_id) {
            booking.of.push(line.entry.source_id.clone());
        }
    }
    Ok(())
}

async fn mark(tx: &mut Tx, ids: &[String]) -> Result<(), StoreError> {
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let mut update = QueryBuilder::<DB>::new("UPDATE earning_facts SET booked = TRUE WHERE fact_id IN (");
        push_list(&mut update, &chunk.iter().map(String::as_str).collect::<Vec<_>>());
        update.push(")");
        update.build().persistent(false).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The journal row of a booking; none when nothing was written.
pub(super) fn note(booking: &Booking) -> Option<Note> {
    if booking.entries.is_empty() {
        return None;
    }
    let counts: BTreeMap<&str, usize> = booking.entries.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    Some(Note {
        actor: "engine".to_owned(),
        action: "earnings.book".to_owned(),
        detail: serde_json::json!({"entries": counts, "of": booking.of}),
        ..Note::default()
    })
}

/// Books what waited and can be booked by now: a sale whose account has become known, what belongs to a sale that is there.
pub(in crate::store) async fn book_waiting(pool: &Pool, now_ms: i64, fence: Fence, limit: i64) -> Result<Booking, StoreError> {
    if waiting_query(limit).build().fetch_optional(pool).await?.is_none() {
        return Ok(Booking::default());
    }
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let found = waiting_query(limit).build().fetch_all(&mut *tx).await?;
    let facts = found.iter().map(|row| Ok(told::fact(row)?.0)).collect::<Result<Vec<_>, StoreError>>()?;
    let booking = book(&mut tx, now_ms, &facts).await?;
    let notes: Vec<Note> = note(&booking).into_iter().collect();
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    commit(tx).await?;
    Ok(booking)
}

/// Asks for facts that wait and needn't any more.
pub(super) fn waiting_query(limit: i64) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(told::COLUMNS).push(
        format!(" FROM earning_facts f WHERE NOT f.booked AND (({} OR {}) \
         AND EXISTS (SELECT 1 FROM creator_stripe_accounts a WHERE a.account_id = f.account_id) \
         OR f.kind <> 'sale' AND EXISTS (SELECT 1 FROM creator_earnings e WHERE e.source_type = 'charge' AND e.source_id = f.charge_id \
         AND e.kind = 'sale' AND (e.confirmed OR e.settles_as_charged))) ORDER BY f.fact_id LIMIT ", before::is_sale(), before::is_single()),
    );
    query.push_bind(limit);
    query
}
