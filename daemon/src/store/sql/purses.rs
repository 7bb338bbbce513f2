//! Which purses a plan is of, a page at a time, and what is asked of them. Built here, asked by the plan, by the reads before it and by
//! the counts of what is left.
use super::{DB, facts};
use crate::store::{
    StoreError,
    types::{PlanContext, RunRow},
};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId},
};
use sqlx::{QueryBuilder, Row};

/// What a plan needs to know of its run; a dry run has one that isn't stored.
#[derive(Clone, Debug)]
pub(in crate::store) struct PlanRun<'a> {
    pub(in crate::store) id: &'a str,
    pub(in crate::store) cutoff_ms: i64,
    pub(in crate::store) instant_ms: i64,
    /// Only these creators; `None` = all.
    pub(in crate::store) creators: Option<&'a [CreatorId]>,
}

impl<'a> PlanRun<'a> {
    /// Of a stored run, and the creators named for it.
    pub(in crate::store) fn of(run: &'a RunRow, creators: Option<&'a [CreatorId]>) -> Self {
        Self { id: run.id.as_str(), cutoff_ms: run.cutoff_ms, instant_ms: run.instant_ms, creators }
    }

    /// Of no stored run and all creators, for what asks only which purses there are.
    pub(in crate::store) const fn of_all() -> Self {
        Self { id: "", cutoff_ms: 0, instant_ms: 0, creators: None }
    }
}

/// What a page is of.
pub(super) enum Reach<'a> {
    /// Every purse behind the first place, up to and with the second.
    Between(&'a str, Key),
    /// These.
    These(&'a [(AccountId, Currency)]),
}

/// Where the purses of a page end, and whether more follow.
pub(super) struct End {
    pub(super) last: Key,
    pub(super) full: bool,
}

/// Account and currency.
pub(super) type Key = (String, String);

/// A key as a place.
pub(super) fn place_of((account, currency): &Key) -> String {
    format!("{account} {currency}")
}

/// Entries that take money and count at once.
pub(super) const TAKES: &str = "e.amount_minor < 0 AND e.kind NOT IN ('reserve_hold', 'reserve_release')";

/// The platform's transfer behind a positive adjustment is recorded: of this sum at least, or of a currency that the account converts, where what it
/// came to is the word of the two people who looked.
pub(super) const TRANSFERRED: &str = "EXISTS (SELECT 1 FROM transfers x WHERE x.transfer_id = e.transfer_id AND x.account_id = e.account_id \
    AND x.charge_id IS NULL AND ((x.currency = e.currency AND x.amount_minor >= e.amount_minor) OR (x.currency <> e.currency \
    AND NOT EXISTS (SELECT 1 FROM account_banks k WHERE k.account_id = x.account_id AND k.currency = x.currency AND k.status <> 'removed'))))";

/// Which entries count: [`payout_shared::earning::counts`], asked of rows.
pub(super) fn push_mature(query: &mut QueryBuilder<DB>, run: &PlanRun<'_>, context: &PlanContext) {
    query.push("((").push(TAKES).push(") OR e.kind = 'carry_in' OR (e.earned_at_ms < ").push_bind(run.cutoff_ms);
    query.push(" AND e.available_on_ms <= ").push_bind(run.instant_ms);
    query.push(" AND e.earned_at_ms <= ").push_bind(run.cutoff_ms.saturating_sub(context.hold_ms));
    query.push(" AND (e.confirmed OR e.settles_as_charged) AND (e.kind <> 'adjustment' OR ").push(TRANSFERRED).push(")))");
}

fn push_creators(query: &mut QueryBuilder<DB>, run: &PlanRun<'_>) {
    if let Some(creators) = run.creators {
        query.push(" AND e.creator_id IN (");
        let mut list = query.separated(", ");
        for creator in creators {
            list.push_bind(creator.to_string());
        }
        query.push(")");
    }
}

/// Account and currency of a place; nothing at the start.
pub(super) fn place_key(place: &str) -> Option<(&str, &str)> {
    place.rsplit_once(' ')
}

/// Asks for the next so many purses behind a place, whether anything is free in them or not: read from the index of purses only, so
/// that a page costs the same wherever it is and however many entries are paid already.
pub(super) fn keys_query(run: &PlanRun<'_>, place: &str, limit: i64) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT DISTINCT e.account_id, e.currency FROM creator_earnings e WHERE TRUE");
    push_creators(&mut query, run);
    if let Some((account, currency)) = place_key(place) {
        query.push(" AND (e.account_id, e.currency) > (").push_bind(account.to_owned());
        query.push(", ").push_bind(currency.to_owned()).push(")");
    }
    query.push(" ORDER BY e.account_id, e.currency LIMIT ").push_bind(limit);
    query
}

/// Where the page behind a place ends; `None` when no purse follows.
pub(super) async fn end_of_page(
    connection: &mut <DB as sqlx::Database>::Connection,
    run: &PlanRun<'_>,
    place: &str,
    limit: i64,
) -> Result<Option<End>, StoreError> {
    let keys = keys_query(run, place, limit).build().fetch_all(connection).await?;
    let full = i64::try_from(keys.len()).is_ok_and(|found| found >= limit);
    let Some(last) = keys.last() else { return Ok(None) };
    Ok(Some(End { last: (last.try_get(0)?, last.try_get(1)?), full }))
}

/// No payout that counts has the entry.
pub(super) const FREE: &str = "NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id AND i.released_at_ms IS NULL)";

/// Asks for the single entries that count of these purses: only where Stripe holds less than is payable.
pub(super) fn entries_query(run: &PlanRun<'_>, purses: &[(AccountId, Currency)], context: &PlanContext) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT e.account_id, e.currency, e.id, e.earned_at_ms, e.amount_minor FROM creator_earnings e WHERE ",
    );
    push_mature(&mut query, run, context);
    query.push(" AND ").push(FREE);
    push_creators(&mut query, run);
    push_these(&mut query, purses);
    query
}

fn push_these(query: &mut QueryBuilder<DB>, purses: &[(AccountId, Currency)]) {
    query.push(" AND (");
    for (n, (account, currency)) in purses.iter().enumerate() {
        query.push(if n == 0 { "" } else { " OR " }).push("(e.account_id = ").push_bind(account.to_string());
        query.push(" AND e.currency = ").push_bind(currency.to_string()).push(")");
    }
    query.push(")");
}

/// Asks for what the core decides on, of every purse within reach that has free entries.
pub(super) fn facts_query(run: &PlanRun<'_>, reach: &Reach<'_>, context: &PlanContext) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new(
        "WITH q AS (SELECT e.account_id, e.currency, MIN(e.creator_id) AS creator_id, CAST(SUM(CASE WHEN ",
    );
    push_mature(&mut query, run, context);
    query.push(" THEN e.amount_minor ELSE 0 END) AS BIGINT) AS mature, CAST(SUM(CASE WHEN ");
    push_mature(&mut query, run, context);
    query.push(" THEN 0 ELSE e.amount_minor END) AS BIGINT) AS immature, MIN(CASE WHEN e.amount_minor > 0 AND ");
    push_mature(&mut query, run, context);
    query.push(" THEN e.available_on_ms END) AS oldest FROM creator_earnings e WHERE ").push(FREE);
    push_creators(&mut query, run);
    match reach {
        Reach::Between(place, (account, currency)) => {
            // Both ends, and the accounts once more by themselves: PostgreSQL can't tell how few lie between two pairs, takes a page for
            // half of everything, and would read whole tables for it.
            query.push(" AND e.account_id <= ").push_bind(account.clone());
            query.push(" AND (e.account_id, e.currency) <= (").push_bind(account.clone());
            query.push(", ").push_bind(currency.clone()).push(")");
            if let Some((account, currency)) = place_key(place) {
                query.push(" AND e.account_id >= ").push_bind(account.to_owned());
                query.push(" AND (e.account_id, e.currency) > (").push_bind(account.to_owned());
                query.push(", ").push_bind(currency.to_owned()).push(")");
            }
            query.push(" GROUP BY e.account_id, e.currency");
        }
        Reach::These(list) => {
            push_these(&mut query, list);
            query.push(" GROUP BY e.account_id, e.currency");
        }
    }
    query.push(") SELECT ");
    facts::push_columns(&mut query);
    query.push(
        ", q.mature AS mature, q.immature AS immature, q.oldest AS oldest, (SELECT MIN(p.id) FROM creator_payouts p WHERE p.account_id = q.account_id AND p.currency = q.currency \
         AND p.state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit')) AS active, \
         (SELECT COALESCE(MAX(p.number), 0) FROM creator_payouts p WHERE p.run_id = ",
    );
    query.push_bind(run.id.to_owned());
    query.push(
        " AND p.account_id = q.account_id AND p.currency = q.currency) AS number, (SELECT f.key FROM foreign_payouts f \
         WHERE f.account_id = q.account_id AND f.currency = q.currency AND f.adopted_at_ms IS NOT NULL AND f.key LIKE '%:' || \
         (SELECT r.cycle_date || '#' || CAST(r.number AS TEXT) FROM payout_runs r WHERE r.id = ",
    );
    // The longest of them, and of these the last, has the highest number.
    query.push_bind(run.id.to_owned());
    query.push(") || ':create:%' ORDER BY LENGTH(f.key) DESC, f.key DESC LIMIT 1) AS adopted FROM q ").push(facts::JOINS);
    query.push(" ORDER BY q.account_id, q.currency");
    query
}
