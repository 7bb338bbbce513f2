//! Cohorts, asked: what the guard and the plan need of the rollout, lists, how a cohort's payouts went, and who could be in a sample.
use super::{DB, Pool, Tx, begin_snapshot, rows};
use crate::store::{
    StoreError,
    door_types::{CohortRow, Judged, RolloutCount},
};
use payout_shared::{
    cohort::{self, CohortKind, Named, Place, Rollout, Share, gate::Figures, sample::Earner},
    id::CreatorId,
    money::Money,
    payout::PayoutState,
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// Payouts read at once where the core must look at each creator.
const PAGE: i64 = 5_000;

/// Columns of [`cohort`], of `cohorts c`.
const COLUMNS: &str = "c.name, c.kind, c.tag, c.percent_bp, c.is_open, c.opened_at_ms, c.closed_at_ms, c.created_by, c.created_at_ms, \
    CASE c.kind WHEN 'list' THEN (SELECT COUNT(*) FROM cohort_members m WHERE m.cohort = c.name) \
                WHEN 'tag' THEN (SELECT COUNT(*) FROM creator_tags t WHERE t.tag = c.tag) END";

/// What is the same for every creator. Read with the facts that it is held against, in one transaction.
pub(super) async fn rollout(connection: &mut <DB as sqlx::Database>::Connection) -> Result<Rollout, StoreError> {
    let found = sqlx::query::<DB>("SELECT name, percent_bp, is_open FROM cohorts ORDER BY name").fetch_all(connection).await?;
    let mut rollout = Rollout { in_use: !found.is_empty(), shares: Vec::new() };
    for row in &found {
        let name: String = row.try_get(0)?;
        if let Some(bp) = row.try_get::<Option<i64>, _>(1)? {
            rollout.shares.push((name.clone(), share(&name, bp)?, row.try_get(2)?));
        }
    }
    Ok(rollout)
}

/// Cohorts that name a creator, the first by list and the first by tag: each with a digit before its name, 0 for an open one.
pub(super) fn named(first: [Option<String>; 2]) -> Named {
    let first = first.into_iter().flatten().min();
    match first.as_deref().map(|first| first.split_at(1)) {
        None => Named::default(),
        Some(("0", name)) => Named { open: Some(name.to_owned()), closed: None },
        Some((_, name)) => Named { open: None, closed: Some(name.to_owned()) },
    }
}

/// Where one creator stands in the rollout.
pub(super) async fn place(tx: &mut Tx, creator: &CreatorId) -> Result<Place, StoreError> {
    let rollout = rollout(&mut *tx).await?;
    let row = sqlx::query::<DB>(
        "SELECT (SELECT MIN(CASE WHEN c.is_open THEN '0' ELSE '1' END || c.name) FROM cohort_members m JOIN cohorts c ON c.name = m.cohort \
          WHERE m.creator_id = $1), \
         (SELECT MIN(CASE WHEN c.is_open THEN '0' ELSE '1' END || c.name) FROM creator_tags t JOIN cohorts c ON c.tag = t.tag \
          WHERE t.creator_id = $1)",
    )
    .bind(creator.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok(cohort::place(&rollout, creator, &named([row.try_get(0)?, row.try_get(1)?])))
}

/// How many are open, of how many.
pub(in crate::store) async fn count(pool: &Pool) -> Result<RolloutCount, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT CAST(COALESCE(SUM(CASE WHEN is_open THEN 1 ELSE 0 END), 0) AS BIGINT), COUNT(*) FROM cohorts",
    )
    .fetch_one(pool)
    .await?;
    Ok(RolloutCount { open: row.try_get(0)?, total: row.try_get(1)? })
}

/// Every cohort, in the order in which they were made.
pub(in crate::store) async fn all(pool: &Pool) -> Result<Vec<CohortRow>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM cohorts c ORDER BY c.created_at_ms, c.name");
    sqlx::query::<DB>(AssertSqlSafe(text)).fetch_all(pool).await?.iter().map(cohort).collect()
}

/// One of them.
pub(in crate::store) async fn one(pool: &Pool, name: &str) -> Result<CohortRow, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM cohorts c WHERE c.name = $1");
    match sqlx::query::<DB>(AssertSqlSafe(text)).bind(name.to_owned()).fetch_optional(pool).await? {
        Some(row) => cohort(&row),
        None => Err(StoreError::NotFound { what: "cohort", name: name.to_owned() }),
    }
}

/// Creators of a list or with a tag, in order of their ids, behind this one.
pub(in crate::store) async fn members(
    pool: &Pool,
    cohort: &CohortRow,
    after: &str,
    limit: i64,
) -> Result<Vec<CreatorId>, StoreError> {
    let (text, key) = match (cohort.kind, &cohort.tag) {
        (CohortKind::List, _) => {
            ("SELECT creator_id FROM cohort_members WHERE cohort = $1 AND creator_id > $2 ORDER BY creator_id LIMIT $3", &cohort.name)
        }
        (CohortKind::Tag, Some(tag)) => {
            ("SELECT creator_id FROM creator_tags WHERE tag = $1 AND creator_id > $2 ORDER BY creator_id LIMIT $3", tag)
        }
        (CohortKind::Tag | CohortKind::Percent, _) => return Ok(Vec::new()),
    };
    let found = sqlx::query::<DB>(text).bind(key).bind(after).bind(limit).fetch_all(pool).await?;
    found.iter().map(|row| Ok(CreatorId::new(row.try_get::<String, _>(0)?))).collect()
}

/// A creator's tags, in order.
pub(super) async fn tags(tx: &mut Tx, creator: &CreatorId) -> Result<Vec<String>, StoreError> {
    let found = sqlx::query::<DB>("SELECT tag FROM creator_tags WHERE creator_id = $1 ORDER BY tag")
        .bind(creator.as_str())
        .fetch_all(&mut **tx)
        .await?;
    found.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// How these cohorts' payouts went since each was last opened, not longer ago than `since_ms`; all of one moment.
pub(in crate::store) async fn judge(pool: &Pool, since_ms: i64, cohorts: Vec<CohortRow>) -> Result<Vec<Judged>, StoreError> {
    let mut tx = begin_snapshot(pool).await?;
    let mut judged = Vec::with_capacity(cohorts.len());
    for cohort in cohorts {
        let since_ms = cohort.opened_at_ms.map_or(since_ms, |opened| opened.max(since_ms));
        let figures = match (cohort.opened_at_ms, cohort.share) {
            // Nothing was ever paid for it.
            (None, _) => Figures::default(),
            (Some(_), Some(share)) if !share.is_all() => of_share(&mut tx, share, since_ms).await?,
            (Some(_), _) => of_named(&mut tx, &cohort, since_ms).await?,
        };
        judged.push(Judged { cohort, since_ms, figures });
    }
    Ok(judged)
}

/// Asks for the payouts of creators who are in it by name, or of all creators, counted.
pub(super) fn figures_query(cohort: &CohortRow, since_ms: i64) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT p.state, p.currency, COUNT(*), CAST(SUM(p.amount_minor) AS BIGINT) FROM creator_payouts p WHERE p.created_at_ms >= ",
    );
    query.push_bind(since_ms);
    match cohort.kind {
        CohortKind::List => {
            query.push(" AND p.creator_id IN (SELECT m.creator_id FROM cohort_members m WHERE m.cohort = ");
            query.push_bind(cohort.name.clone()).push(")");
        }
        CohortKind::Tag => {
            query.push(" AND p.creator_id IN (SELECT t.creator_id FROM creator_tags t WHERE t.tag = ");
            query.push_bind(cohort.tag.clone()).push(")");
        }
        CohortKind::Percent => {}
    }
    query.push(" GROUP BY p.state, p.currency ORDER BY p.state, p.currency");
    query
}

async fn of_named(tx: &mut Tx, cohort: &CohortRow, since_ms: i64) -> Result<Figures, StoreError> {
    let mut figures = Figures::default();
    for row in figures_query(cohort, since_ms).build().fetch_all(&mut **tx).await? {
        let (state, code): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        add(&mut figures, &state, &code, row.try_get(2)?, row.try_get(3)?)?;
    }
    Ok(figures)
}

/// Which creators a share has only the core knows: their payouts are read page by page.
async fn of_share(tx: &mut Tx, share: Share, since_ms: i64) -> Result<Figures, StoreError> {
    let mut figures = Figures::default();
    let mut place = (since_ms, String::new());
    loop {
        let found = sqlx::query::<DB>(
            "SELECT creator_id, state, currency, amount_minor, created_at_ms, id FROM creator_payouts \
             WHERE (created_at_ms, id) > ($1, $2) ORDER BY created_at_ms, id LIMIT $3",
        )
        .bind(place.0)
        .bind(place.1.clone())
        .bind(PAGE)
        .fetch_all(&mut **tx)
        .await?;
        for row in &found {
            let creator = CreatorId::new(row.try_get::<String, _>(0)?);
            if share.takes(&creator) {
                let (state, code): (String, String) = (row.try_get(1)?, row.try_get(2)?);
                add(&mut figures, &state, &code, 1, row.try_get(3)?)?;
            }
        }
        match found.last() {
            Some(last) if i64::try_from(found.len()).is_ok_and(|n| n >= PAGE) => place = (last.try_get(4)?, last.try_get(5)?),
            Some(_) | None => return Ok(figures),
        }
    }
}

fn add(figures: &mut Figures, state: &str, code: &str, count: i64, minor: i64) -> Result<(), StoreError> {
    let known = PayoutState::parse(state).ok_or_else(|| rows::strange("a payout", "", state))?;
    figures
        .add(known, count, Money::new(minor, rows::currency(code)?))
        .map_err(|error| StoreError::Broken(format!("sums of payouts: {error}")))
}

/// Purses whose creators could be paid now, rollout and money aside, and who are in no other cohort by name: what a sample is taken of.
pub(in crate::store) async fn earners(pool: &Pool, cohort: &str) -> Result<Vec<Earner>, StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT a.creator_id, a.country, e.currency, CAST(SUM(e.amount_minor) AS BIGINT) FROM creator_stripe_accounts a \
         JOIN creator_earnings e ON e.account_id = a.account_id AND e.kind = 'sale' \
         JOIN users u ON u.supabase_id = a.creator_id AND u.payout_enabled \
         JOIN creator_payout_settings s ON s.creator_id = a.creator_id AND s.payout_enabled \
         WHERE a.is_current AND a.payouts_enabled AND a.schedule_interval = 'manual' \
           AND NOT EXISTS (SELECT 1 FROM creator_holds h WHERE h.creator_id = a.creator_id AND h.released_at_ms IS NULL) \
           AND NOT EXISTS (SELECT 1 FROM cohort_members m WHERE m.creator_id = a.creator_id AND m.cohort <> $1) \
         GROUP BY a.creator_id, a.country, e.currency ORDER BY a.creator_id, e.currency",
    )
    .bind(cohort)
    .fetch_all(pool)
    .await?;
    found
        .iter()
        .map(|row| {
            let (creator, code): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            Ok(Earner {
                creator: CreatorId::new(creator),
                country: row.try_get(1)?,
                currency: rows::currency(&code)?,
                earned_minor: row.try_get(3)?,
            })
        })
        .collect()
}

fn share(name: &str, bp: i64) -> Result<Share, StoreError> {
    Share::of_bp(bp).ok_or_else(|| StoreError::Broken(format!("cohort {name} is of {bp} of 10,000 creators")))
}

fn cohort(row: &rows::AnyRow) -> Result<CohortRow, StoreError> {
    let (name, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let bp: Option<i64> = row.try_get(3)?;
    Ok(CohortRow {
        kind: CohortKind::parse(&kind).ok_or_else(|| rows::strange("cohort", &name, &kind))?,
        tag: row.try_get(2)?,
        share: bp.map(|bp| share(&name, bp)).transpose()?,
        is_open: row.try_get(4)?,
        opened_at_ms: row.try_get(5)?,
        closed_at_ms: row.try_get(6)?,
        created_by: row.try_get(7)?,
        created_at_ms: row.try_get(8)?,
        members: row.try_get(9)?,
        name,
    })
}
