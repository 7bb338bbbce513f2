//! What Stripe said of a purse just before a payout leaves it: its balance, and from that its drift against the books. The guard of every
//! send believes a look only while it is fresh.
use super::{DB, Pool, Tx, begin, commit, journal, lease, rows};
use crate::store::{
    StoreError,
    types::{AccountCheck, Ahead, Drift, Fence, Note, ReadCount},
};
use payout_shared::{
    currency::Currency,
    earning::EarningKind,
    id::{AccountId, PayoutId, RunId},
    money::Money,
    short::FRESH_MS,
};
use sqlx::{QueryBuilder, Row};

/// Payouts of a run that are looked ahead at most: those behind them wait, whatever they are.
pub(super) const AHEAD_MAX: i64 = 512;
/// Looks per statement: seven binds each stay far below both databases' limits.
const CHECKS_PER_STATEMENT: usize = 500;
/// A look begins this much before where the last one ended: nothing says how soon Stripe's list shows what was just made, milliseconds.
const LIST_AGAIN_MS: i64 = 3_600_000;

/// Where the next listing of an account's payouts begins: a little before the last one's end, and never before this database was there. What
/// the platform paid before that isn't ours to judge.
pub(super) fn list_from(listed_ms: i64, started_ms: i64) -> i64 {
    listed_ms.saturating_sub(LIST_AGAIN_MS).max(started_ms)
}

/// Words that are true of a look `k` that is fresh now. One from before a payout of its purse that had been sent was given up is none: had
/// Stripe executed it nevertheless, only a look from after that shows it, before its earnings leave again.
pub(super) fn push_fresh(query: &mut QueryBuilder<DB>, now_ms: i64) {
    query.push("k.read_at_ms >= ").push_bind(now_ms.saturating_sub(FRESH_MS));
    query.push(" AND k.read_at_ms <= ").push_bind(now_ms);
    query.push(
        " AND NOT EXISTS (SELECT 1 FROM creator_payouts v WHERE v.account_id = k.account_id AND v.currency = k.currency \
         AND v.attempts > 0 AND v.released_at_ms > k.read_at_ms AND v.released_at_ms <= ",
    );
    query.push_bind(now_ms).push(")");
}

/// The first payouts of a run that are due, as `c`, whether their purses were looked at or not; or of those only that were sent before and
/// put back.
pub(super) fn push_due(query: &mut QueryBuilder<DB>, run: &RunId, now_ms: i64, limit: i64, put_back: bool) {
    query.push(
        "(SELECT id, account_id, currency, not_before_ms FROM creator_payouts WHERE state = 'planned' AND run_id = ",
    );
    query.push_bind(run.as_str().to_owned()).push(" AND not_before_ms <= ").push_bind(now_ms);
    query.push(if put_back { " AND attempts > 0" } else { "" });
    query.push(" ORDER BY not_before_ms, id LIMIT ").push_bind(limit).push(") c");
}

/// Asks which payouts' turns come next. None while everything is paused: what is read now would be old by then.
pub(super) fn ahead_query(run: &RunId, now_ms: i64, account_old_ms: i64, limit: i64, put_back: bool) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::<DB>::new("SELECT c.id AS id, c.account_id AS account, c.currency AS currency, COALESCE(");
    push_fresh(&mut query, now_ms);
    query.push(", FALSE) AS checked, COALESCE(a.stale OR a.read_at_ms IS NULL OR a.read_at_ms < ").push_bind(account_old_ms);
    query.push(", FALSE) AS account_old, COALESCE(a.payouts_listed_ms, 0) AS listed, d.created_at_ms AS started FROM ");
    push_due(&mut query, run, now_ms, limit.min(AHEAD_MAX), put_back);
    query.push(
        " JOIN daemon_state d ON d.id = 1 AND NOT d.paused \
         LEFT JOIN purse_checks k ON k.account_id = c.account_id AND k.currency = c.currency \
         LEFT JOIN creator_stripe_accounts a ON a.account_id = c.account_id ORDER BY c.not_before_ms, c.id",
    );
    query
}

/// The payouts whose turns come next, in their order.
pub(in crate::store) async fn ahead(
    pool: &Pool,
    run: &RunId,
    now_ms: i64,
    account_old_ms: i64,
    limit: i64,
    put_back: bool,
) -> Result<Vec<Ahead>, StoreError> {
    let found = ahead_query(run, now_ms, account_old_ms, limit, put_back).build().fetch_all(pool).await?;
    found
        .iter()
        .map(|row| {
            let (listed, started): (i64, i64) = (row.try_get("listed")?, row.try_get("started")?);
            Ok(Ahead {
                payout_id: PayoutId::new(row.try_get::<String, _>("id")?),
                account: AccountId::new(row.try_get::<String, _>("account")?),
                currency: currency(&row.try_get::<String, _>("currency")?)?,
                checked: row.try_get("checked")?,
                account_old: row.try_get("account_old")?,
                listed_ms: list_from(listed, started),
            })
        })
        .collect()
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code).map_err(|error| StoreError::Broken(format!("a purse: {error}")))
}

/// Records looks at accounts, each with its drift, and how many reads they took; one journal row for each purse whose drift is beyond the
/// tolerance and another than the one told last. Foreign payouts that a look saw are recorded before it. Crash before the commit: nothing;
/// they are looked at again.
pub(in crate::store) async fn record(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    checks: &[AccountCheck],
    reads: &[(RunId, ReadCount)],
    tolerance_minor: &(dyn Fn(Currency) -> i64 + Send + Sync),
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let rows: Vec<(&AccountCheck, Currency, i64, i64)> = checks
        .iter()
        .flat_map(|check| check.purses.iter().map(move |(currency, available, pending)| (check, *currency, *available, *pending)))
        .collect();
    let mut notes = Vec::new();
    for chunk in rows.chunks(CHECKS_PER_STATEMENT) {
        write_checks(&mut tx, chunk).await?;
        let purses: Vec<(&AccountId, Currency)> =
            chunk.iter().filter(|(check, ..)| check.failed.is_none()).map(|(check, currency, ..)| (&check.account, *currency)).collect();
        notes.extend(write_drifts(&mut tx, &purses, tolerance_minor).await?);
    }
    for check in checks.iter().filter(|check| check.failed.is_none()) {
        sqlx::query::<DB>(
            "UPDATE creator_stripe_accounts SET payouts_listed_ms = $2 WHERE account_id = $1 AND payouts_listed_ms < $2",
        )
        .bind(check.account.as_str())
        .bind(check.stripe_ms)
        .execute(&mut *tx)
        .await?;
    }
    for (run, count) in reads {
        count_reads(&mut tx, run, *count).await?;
    }
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
    }
    Ok(commit(tx).await?)
}

/// Reckons the drifts that were told anew, by the balances as they were read and by what the books know of that moment since; `true` when one is
/// another now, or gone.
pub(in crate::store) async fn reckon(
    pool: &Pool,
    now_ms: i64,
    fence: Fence,
    tolerance_minor: &(dyn Fn(Currency) -> i64 + Send + Sync),
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, fence).await?;
    let found = sqlx::query::<DB>(
        "SELECT account_id, currency FROM purse_checks WHERE told_drift_minor IS NOT NULL AND failed IS NULL \
         ORDER BY account_id, currency LIMIT $1",
    )
    .bind(i64::try_from(CHECKS_PER_STATEMENT).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await?;
    let mut purses = Vec::with_capacity(found.len());
    for row in &found {
        purses.push((AccountId::new(row.try_get::<String, _>(0)?), currency(&row.try_get::<String, _>(1)?)?));
    }
    let purses: Vec<(&AccountId, Currency)> = purses.iter().map(|(account, currency)| (account, *currency)).collect();
    let notes = write_drifts(&mut tx, &purses, tolerance_minor).await?;
    let is_news = !notes.is_empty();
    if is_news {
        journal::append(&mut tx, now_ms, notes).await?;
        commit(tx).await?;
    }
    Ok(is_news)
}

async fn write_checks(tx: &mut Tx, rows: &[(&AccountCheck, Currency, i64, i64)]) -> Result<(), StoreError> {
    let mut insert = QueryBuilder::<DB>::new(
        "INSERT INTO purse_checks (account_id, currency, available_minor, pending_minor, read_at_ms, stripe_ms, failed, drift_minor) ",
    );
    insert.push_values(rows, |mut row, (check, currency, available, pending)| {
        row.push_bind(check.account.as_str().to_owned())
            .push_bind(currency.as_str().to_owned())
            .push_bind(*available)
            .push_bind(*pending)
            .push_bind(check.read_at_ms)
            .push_bind(check.stripe_ms)
            .push_bind(check.failed.clone())
            .push("0");
    });
    insert.push(
        " ON CONFLICT (account_id, currency) DO UPDATE SET available_minor = excluded.available_minor, \
         pending_minor = excluded.pending_minor, read_at_ms = excluded.read_at_ms, stripe_ms = excluded.stripe_ms, \
         failed = excluded.failed, drift_minor = excluded.drift_minor",
    );
    insert.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

/// Sends of purse `k` that its balance can't show yet, minor units.
pub(super) const UNSHOWN: &str = "COALESCE((SELECT CAST(SUM(t.amount_minor) AS BIGINT) FROM creator_payouts p \
     JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' \
     WHERE p.account_id = k.account_id AND p.currency = k.currency AND (t.on_wire OR t.state IN ('intended', 'unknown') \
     OR (t.state = 'executed' AND t.answered_at_ms >= k.read_at_ms))), 0)";

/// What of purse `k` has left it by our payouts and adopted ones and isn't back, as far as its balance can show it.
const PAID_OUT: &str = "COALESCE((SELECT CAST(SUM(t.amount_minor) AS BIGINT) FROM creator_payouts p \
     JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' \
     WHERE p.account_id = k.account_id AND p.currency = k.currency AND t.state = 'executed' AND p.state <> 'reversed' \
     AND COALESCE(t.object_status, '') NOT IN ('failed', 'canceled') AND COALESCE(t.answered_at_ms, 0) < k.read_at_ms), 0) \
     + COALESCE((SELECT CAST(SUM(f.amount_minor) AS BIGINT) FROM foreign_payouts f WHERE f.account_id = k.account_id \
     AND f.currency = k.currency AND f.adopted_at_ms IS NOT NULL AND f.returned_at_ms IS NULL AND f.created_ms < k.stripe_ms), 0)";

/// Entries of purse `k` that are the trace of money at Stripe ([`EarningKind::moves_money`]) and are there by the time of the look.
fn push_at_stripe(query: &mut QueryBuilder<DB>) {
    query.push(
        "COALESCE((SELECT CAST(SUM(e.amount_minor) AS BIGINT) FROM creator_earnings e \
         WHERE e.account_id = k.account_id AND e.currency = k.currency AND (",
    );
    for (sign, words) in [(-1, "e.amount_minor < 0"), (1, " OR e.amount_minor > 0 AND e.available_on_ms <= k.stripe_ms")] {
        query.push(words).push(" AND e.kind IN (");
        let mut kinds = query.separated(", ");
        for kind in EarningKind::ALL.into_iter().filter(|kind| kind.moves_money(sign)) {
            kinds.push_bind(kind.as_str());
        }
        query.push(")");
    }
    query.push(")), 0)");
}

/// Reckons the drift of purses that were just written; gives a journal row for each that is news.
async fn write_drifts(
    tx: &mut Tx,
    purses: &[(&AccountId, Currency)],
    tolerance_minor: &(dyn Fn(Currency) -> i64 + Send + Sync),
) -> Result<Vec<Note>, StoreError> {
    if purses.is_empty() {
        return Ok(Vec::new());
    }
    let mut update = QueryBuilder::<DB>::new("UPDATE purse_checks AS k SET drift_minor = k.available_minor + ");
    update.push(PAID_OUT).push(" - ");
    push_at_stripe(&mut update);
    update.push(" WHERE ");
    push_purses(&mut update, purses);
    update.push(" RETURNING account_id, currency, drift_minor, told_drift_minor");
    let found = update.build().persistent(false).fetch_all(&mut **tx).await?;
    let mut notes = Vec::new();
    for row in &found {
        let (account, code): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (drift, told): (i64, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
        let now = (drift.saturating_abs() > tolerance_minor(rows::currency(&code)?)).then_some(drift);
        if now == told {
            continue;
        }
        sqlx::query::<DB>("UPDATE purse_checks SET told_drift_minor = $3 WHERE account_id = $1 AND currency = $2")
            .bind(&account)
            .bind(&code)
            .bind(now)
            .execute(&mut **tx)
            .await?;
        let amount = Money::new(drift, currency(&code)?);
        notes.push(Note {
            actor: "engine".to_owned(),
            action: "purse.drift".to_owned(),
            reason: Some(match (now, drift < 0) {
                (None, _) => "Stripe holds what the books say again".to_owned(),
                (Some(_), true) => format!("Stripe holds less than the books say: {amount}"),
                (Some(_), false) => format!("Stripe holds {amount} more than the books say: it is never paid"),
            }),
            detail: serde_json::json!({
                "account": account, "currency": code, "drift_minor": drift, "told_minor": told,
            }),
            ..Note::default()
        });
    }
    Ok(notes)
}

fn push_purses(query: &mut QueryBuilder<DB>, purses: &[(&AccountId, Currency)]) {
    for (n, (account, currency)) in purses.iter().enumerate() {
        query.push(if n == 0 { "(" } else { " OR " }).push("(k.account_id = ").push_bind(account.as_str().to_owned());
        query.push(" AND k.currency = ").push_bind(currency.as_str().to_owned()).push(")");
    }
    query.push(")");
}

pub(super) async fn count_reads(tx: &mut Tx, run: &RunId, count: ReadCount) -> Result<(), StoreError> {
    sqlx::query::<DB>(
        "INSERT INTO run_reads (run_id, accounts, balances, listings) VALUES ($1, $2, $3, $4) ON CONFLICT (run_id) DO UPDATE SET \
         accounts = run_reads.accounts + excluded.accounts, balances = run_reads.balances + excluded.balances, \
         listings = run_reads.listings + excluded.listings",
    )
    .bind(run.as_str())
    .bind(count.accounts)
    .bind(count.balances)
    .bind(count.listings)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Reads that a run has asked of Stripe so far.
pub(in crate::store) async fn reads<'c>(
    database: impl sqlx::Executor<'c, Database = DB>,
    run: &RunId,
) -> Result<ReadCount, StoreError> {
    let row = sqlx::query::<DB>("SELECT accounts, balances, listings FROM run_reads WHERE run_id = $1")
        .bind(run.as_str())
        .fetch_optional(database)
        .await?;
    match row {
        Some(row) => Ok(ReadCount { accounts: row.try_get(0)?, balances: row.try_get(1)?, listings: row.try_get(2)? }),
        None => Ok(ReadCount::default()),
    }
}

/// Purses whose drift is beyond the tolerance: how many, and the one where Stripe holds the least against the books.
pub(in crate::store) async fn drifts(pool: &Pool) -> Result<(i64, Option<Drift>), StoreError> {
    let found = sqlx::query::<DB>(
        "SELECT account_id, currency, told_drift_minor, (SELECT COUNT(*) FROM purse_checks n WHERE n.told_drift_minor IS NOT NULL) \
         FROM purse_checks WHERE told_drift_minor IS NOT NULL ORDER BY told_drift_minor, account_id, currency LIMIT 1",
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = found else { return Ok((0, None)) };
    let amount = Money::new(row.try_get(2)?, currency(&row.try_get::<String, _>(1)?)?);
    Ok((row.try_get(3)?, Some(Drift { account: AccountId::new(row.try_get::<String, _>(0)?), amount })))
}
