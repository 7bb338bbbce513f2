//! Pages of payouts by keyset, and the newest journal rows: what lists on screens are made of.
use super::{DB, Pool, REPEAT_WORDS, rows};
use crate::store::{
    StoreError,
    door_types::{PayoutFilter, PayoutPage, PayoutPageRequest, PayoutRow, PayoutSort},
};
use payout_shared::payout::PayoutState;
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeSet;

/// Rows of a page at most.
const PAGE_MAX: i64 = 1000;

/// States that are few among all payouts there ever were, in the words of their indexes (migration 3).
const RARE: [PayoutState; 7] = [
    PayoutState::Unknown,
    PayoutState::Voided,
    PayoutState::Failed,
    PayoutState::Canceled,
    PayoutState::Returned,
    PayoutState::Reversing,
    PayoutState::Reversed,
];

/// One page of payouts. The next page goes on behind the last row's value and id, so rows that change meanwhile are neither
/// repeated nor lost within one sort order of unchanged values.
pub(in crate::store) async fn payouts(
    pool: &Pool,
    filter: &PayoutFilter,
    page: &PayoutPageRequest,
) -> Result<PayoutPage, StoreError> {
    let after = page.cursor.as_deref().filter(|cursor| !cursor.is_empty()).map(parse_cursor).transpose()?;
    let limit = page.limit.clamp(1, PAGE_MAX);
    let mut tx = super::begin_snapshot(pool).await?;
    let total: i64 =
        total_query(filter).build().persistent(false).fetch_one(&mut *tx).await?.try_get(0)?;
    let mut query = list_query(filter, page.sort, page.ascending, after, limit.saturating_add(1));
    let found = query.build().persistent(false).fetch_all(&mut *tx).await?;
    let mut listed: Vec<PayoutRow> = found.iter().map(rows::payout).collect::<Result<_, _>>()?;
    let more = i64::try_from(listed.len()).unwrap_or(i64::MAX) > limit;
    listed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = listed.last().filter(|_| more).map(|row| match page.sort {
        PayoutSort::Changed => format!("{}:{}", row.changed_at_ms, row.id),
        PayoutSort::Amount => format!("{}:{}", row.amount.minor, row.id),
    });
    Ok(PayoutPage { rows: listed, next_cursor, total })
}

/// Asks how many payouts pass a filter.
pub(super) fn total_query(filter: &PayoutFilter) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM creator_payouts p WHERE TRUE");
    push_filter(&mut query, filter, &filter.states, true);
    query
}

/// Asks for the first rows behind a place, in order. Every order there is begins in an index with the run, or with the run and one
/// state; of several states each gives its first rows in order, and only these few are put in order together.
pub(super) fn list_query(
    filter: &PayoutFilter,
    sort: PayoutSort,
    ascending: bool,
    after: Option<(i64, &str)>,
    limit: i64,
) -> QueryBuilder<DB> {
    let column = match sort {
        PayoutSort::Changed => "p.changed_at_ms",
        PayoutSort::Amount => "p.amount_minor",
    };
    let (comparison, direction) = if ascending { (">", "ASC") } else { ("<", "DESC") };
    let ordered = |query: &mut QueryBuilder<DB>, states: &[PayoutState]| {
        push_filter(query, filter, states, sort == PayoutSort::Amount);
        if let Some((value, id)) = after {
            query.push(format!(" AND ({column}, p.id) {comparison} ("));
            query.push_bind(value).push(", ").push_bind(id.to_owned()).push(")");
        }
        query.push(format!(" ORDER BY {column} {direction}, p.id {direction} LIMIT ")).push_bind(limit);
    };
    let mut query = QueryBuilder::<DB>::new("SELECT ");
    query.push(rows::PAYOUT_COLUMNS);
    let states: BTreeSet<PayoutState> = filter.states.iter().copied().collect();
    let is_narrow = filter.cause.is_some() || filter.creator.is_some() || filter.account.is_some();
    if states.len() < 2 || is_narrow {
        query.push(" FROM creator_payouts p JOIN payout_runs r ON r.id = p.run_id WHERE TRUE");
        ordered(&mut query, &filter.states);
        return query;
    }
    query.push(" FROM (");
    for (n, state) in states.iter().enumerate() {
        query.push(if n == 0 { "" } else { " UNION ALL " }).push("SELECT * FROM (SELECT p.id FROM creator_payouts p WHERE TRUE");
        ordered(&mut query, std::slice::from_ref(state));
        query.push(format!(") AS part{n}"));
    }
    query.push(") AS found JOIN creator_payouts p ON p.id = found.id JOIN payout_runs r ON r.id = p.run_id");
    query.push(format!(" ORDER BY {column} {direction}, p.id {direction} LIMIT ")).push_bind(limit);
    query
}

/// The value and the id that a page ended with.
pub(super) fn parse_cursor(cursor: &str) -> Result<(i64, &str), StoreError> {
    cursor
        .split_once(':')
        .and_then(|(value, id)| Some((value.parse().ok()?, id)))
        .filter(|(_, id)| !id.is_empty() && !id.contains('\0'))
        .ok_or_else(|| {
            StoreError::Refused("the cursor is not one that a page gave: start from the first page".to_owned())
        })
}

/// The filter, with these states in place of its own.
fn push_filter(query: &mut QueryBuilder<DB>, filter: &PayoutFilter, states: &[PayoutState], by_amount: bool) {
    if let Some(run) = &filter.run {
        query.push(" AND p.run_id = ").push_bind(run.as_str().to_owned());
    }
    if let [state] = states {
        query.push(format!(" AND p.state = '{}'", state.as_str()));
        if REPEAT_WORDS && filter.run.is_none() && RARE.contains(state) {
            let words: Vec<String> = RARE.iter().map(|state| format!("'{}'", state.as_str())).collect();
            query.push(format!(" AND p.state IN ({})", words.join(", ")));
        }
    } else if !states.is_empty() {
        // Our own words: they can stand in the text, and the planner sees them.
        let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
        query.push(format!(" AND p.state IN ({})", words.join(", ")));
    }
    if let Some(cause) = &filter.cause {
        query.push(" AND p.cause = ").push_bind(cause.clone());
    }
    if let Some(creator) = &filter.creator {
        query.push(" AND p.creator_id = ").push_bind(creator.as_str().to_owned());
    }
    if let Some(account) = &filter.account {
        query.push(" AND p.account_id = ").push_bind(account.as_str().to_owned());
    }
    if let Some(amount) = filter.amount_min_minor {
        // Amounts in no order help nobody who sorts by time: the sum keeps their index out of it.
        query.push(if by_amount { " AND p.amount_minor >= " } else { " AND p.amount_minor + 0 >= " }).push_bind(amount);
    }
    if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
        let pattern = like_pattern(text);
        query.push(" AND (");
        for (n, column) in ["p.id", "p.creator_id", "p.account_id", "p.stripe_payout_id"].into_iter().enumerate() {
            query.push(if n == 0 { "LOWER(" } else { " OR LOWER(" }).push(column);
            query.push(") LIKE ").push_bind(pattern.clone()).push(" ESCAPE '!'");
        }
        query.push(")");
    }
}

/// A part of an id, in lower case; what LIKE would read as a wildcard is taken as it is.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_ascii_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
