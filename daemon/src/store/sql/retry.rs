//! Trying failed payouts again, in bulk: their rows are locked, judged by the core on what is so now, and the accepted ones are planned
//! again with the same items, in one transaction.
use super::{DB, FOR_SHARE, FOR_UPDATE, FOR_UPDATE_OF_P, Pool, Query, Tx, begin, change, cohort_ask, commit, facts, journal, lease, overrides, purses, runs};
use crate::store::{
    StoreError,
    types::{Change, Fence, PlanContext, Retried, RetryAsk},
};
use jiff::civil::Date;
use payout_shared::{
    currency::Currency,
    id::{AccountId, DestinationId, PayoutId, RunId},
    money::Money,
    payout::{PayoutEvent, PayoutState},
    plan::{self, PurseFacts},
    retry::{NoRetry, RETRY_AFTER_MS, RETRY_WITHIN_MS, RetryFacts, retry},
    run::{RunEvent, RunState},
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Payouts looked at by one statement.
const CHUNK: usize = 500;

/// A failed payout, as read under its lock.
struct Failed {
    id: PayoutId,
    run_id: String,
    cycle: Date,
    cutoff_ms: i64,
    instant_ms: i64,
    account: AccountId,
    destination: DestinationId,
    changed_at_ms: i64,
    facts: RetryFacts,
}

/// Judges each payout asked for, and plans the accepted ones again. A crash before the commit changes nothing.
pub(in crate::store) async fn retry_all(
    pool: &Pool,
    now_ms: i64,
    fence: Option<Fence>,
    ask: &RetryAsk<'_>,
) -> Result<Vec<Retried>, StoreError> {
    let mut tx = begin(pool).await?;
    if let Some(fence) = fence {
        lease::check(&mut tx, fence).await?;
    }
    let (mut done, mut notes) = (Vec::with_capacity(ask.payouts.len()), Vec::new());
    let (mut purses, mut reopened) = (HashSet::new(), BTreeSet::new());
    lock_runs(&mut tx, ask.payouts).await?;
    for chunk in ask.payouts.chunks(CHUNK) {
        let mut rows = load(&mut tx, chunk).await?;
        ask_purses(&mut tx, &mut rows, ask.context).await?;
        let judged = judge(chunk, rows, &mut purses);
        plan_again(&mut tx, now_ms, &judged.accepted).await?;
        let changes: Vec<Change> = judged.accepted.iter().map(|row| requeue(row, now_ms, ask)).collect();
        notes.extend(change::in_tx(&mut tx, now_ms, &changes).await?.1);
        reopened.extend(judged.accepted.into_iter().filter(|row| is_completed(row.facts.run)).map(|row| row.run_id));
        if ask.by_itself {
            put_off(&mut tx, now_ms, &judged.refused).await?;
        }
        done.extend(judged.done);
    }
    for run in reopened {
        let (_, _, note) = runs::event_in_tx(&mut tx, now_ms, &RunId::new(run), RunEvent::Reopen, ask.by, ask.reason).await?;
        notes.extend(note);
    }
    if notes.is_empty() && !ask.by_itself {
        return Ok(done);
    }
    journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(done)
}

/// What became of a stretch of what was asked for.
#[derive(Default)]
struct Judged {
    accepted: Vec<Failed>,
    /// Each with when it failed, and why it isn't tried again now.
    refused: Vec<(PayoutId, i64, NoRetry)>,
    done: Vec<Retried>,
}

/// Judges each by the core; of one purse only the first is taken.
fn judge(asked: &[(PayoutId, Option<i64>)], rows: Vec<Failed>, purses: &mut HashSet<(AccountId, Currency)>) -> Judged {
    let mut rows: HashMap<PayoutId, Failed> = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut judged = Judged::default();
    for (id, seen_ms) in asked {
        let Some(row) = rows.remove(id) else {
            let refused = Some(NoRetry::Ever("there is no such payout".to_owned()));
            judged.done.push(Retried { payout_id: id.clone(), amount: None, refused });
            continue;
        };
        let refused = match seen_ms.filter(|seen_ms| *seen_ms != row.changed_at_ms) {
            Some(_) => Some(NoRetry::Ever("it has changed since it was listed".to_owned())),
            None => retry(&row.facts).err(),
        };
        let is_second = refused.is_none() && !purses.insert((row.account.clone(), row.facts.amount.currency));
        let refused = refused
            .or_else(|| is_second.then(|| NoRetry::Yet("another payout of its purse is tried again with it".to_owned())));
        judged.done.push(Retried { payout_id: id.clone(), amount: Some(row.facts.amount), refused: refused.clone() });
        match refused {
            None => judged.accepted.push(row),
            Some(why) => judged.refused.push((id.clone(), row.changed_at_ms, why)),
        }
    }
    judged
}

const fn is_completed(run: RunState) -> bool {
    matches!(run, RunState::Completed | RunState::CompletedWithFailures)
}

fn requeue(row: &Failed, now_ms: i64, ask: &RetryAsk<'_>) -> Change {
    Change {
        event: Some(PayoutEvent::Requeue),
        failure_reason: ask.reason.map(str::to_owned),
        not_before_ms: Some(now_ms),
        detail: serde_json::json!({"attempt": row.facts.creates.saturating_add(1), "by_itself": ask.by_itself}),
        ..Change::new(row.id.clone(), ask.by.clone())
    }
}

/// Their runs, before anything of them is judged and until the commit: none ends while one of its payouts is planned again unseen. Shared with
/// what sends; one that ended is to be opened again.
async fn lock_runs(tx: &mut Tx, asked: &[(PayoutId, Option<i64>)]) -> Result<(), StoreError> {
    let mut runs = BTreeSet::<(String, bool)>::new();
    for chunk in asked.chunks(CHUNK) {
        let mut query = QueryBuilder::<DB>::new(
            "SELECT DISTINCT r.id, r.state IN ('completed', 'completed_with_failures') FROM payout_runs r \
             JOIN creator_payouts p ON p.run_id = r.id WHERE p.id IN (",
        );
        let mut list = query.separated(", ");
        for (id, _) in chunk {
            list.push_bind(id.as_str());
        }
        query.push(")");
        for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
            runs.insert((row.try_get(0)?, row.try_get(1)?));
        }
    }
    for (run, has_ended) in runs {
        let how = if has_ended { FOR_UPDATE } else { FOR_SHARE };
        let lock = AssertSqlSafe(format!("SELECT id FROM payout_runs WHERE id = $1{how}"));
        sqlx::query::<DB>(lock).bind(run).fetch_optional(&mut **tx).await?;
    }
    Ok(())
}

/// The rows, what is free of their items, and whether money was taken back since.
async fn load(tx: &mut Tx, asked: &[(PayoutId, Option<i64>)]) -> Result<Vec<Failed>, StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT p.id, p.run_id, p.state, p.attempts, p.amount_minor, p.currency, p.account_id, p.destination_id, \
         p.released_at_ms IS NOT NULL, p.changed_at_ms, r.state, r.cutoff_ms, r.instant_ms, \
         (SELECT COUNT(*) FROM payout_items mine JOIN payout_items o ON o.earning_id = mine.earning_id AND o.released_at_ms IS NULL \
           WHERE mine.payout_id = p.id AND o.payout_id <> p.id), \
         EXISTS (SELECT 1 FROM creator_earnings e WHERE e.account_id = p.account_id AND e.currency = p.currency AND ",
    );
    query.push(purses::TAKES).push(
        " AND NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id AND (i.released_at_ms IS NULL OR i.payout_id = p.id))), \
         r.cycle_date, EXISTS (SELECT 1 FROM payout_attempts t WHERE t.payout_id = p.id AND t.on_wire) \
         FROM creator_payouts p JOIN payout_runs r ON r.id = p.run_id WHERE p.id IN (",
    );
    let mut list = query.separated(", ");
    for (id, _) in asked {
        list.push_bind(id.as_str());
    }
    query.push(") ORDER BY p.id").push(FOR_UPDATE_OF_P);
    query.build().persistent(false).fetch_all(&mut **tx).await?.iter().map(failed).collect()
}

fn failed(row: &<DB as sqlx::Database>::Row) -> Result<Failed, StoreError> {
    let (id, state, currency, run): (String, String, String, String) =
        (row.try_get(0)?, row.try_get(2)?, row.try_get(5)?, row.try_get(10)?);
    let strange = |word: &str| StoreError::Broken(format!("payout {id} or its run has the unknown word {word:?}"));
    let run_state = RunState::parse(&run).ok_or_else(|| strange(&run))?;
    let currency = Currency::parse(&currency).map_err(|_| strange(&currency))?;
    Ok(Failed {
        facts: RetryFacts {
            state: PayoutState::parse(&state).ok_or_else(|| strange(&state))?,
            run: run_state,
            creates: row.try_get(3)?,
            released: row.try_get(8)?,
            on_wire: row.try_get(16)?,
            items_gone: row.try_get(13)?,
            amount: Money::new(row.try_get(4)?, currency),
            payable_minor: 0,
            new_negative: row.try_get(14)?,
            active_payout: None,
            barred: None,
        },
        run_id: row.try_get(1)?,
        cycle: row.try_get::<String, _>(15)?.parse().map_err(|_| strange("cycle_date"))?,
        account: AccountId::new(row.try_get::<String, _>(6)?),
        destination: DestinationId::new(row.try_get::<String, _>(7)?),
        changed_at_ms: row.try_get(9)?,
        cutoff_ms: row.try_get(11)?,
        instant_ms: row.try_get(12)?,
        id: PayoutId::new(id),
    })
}

/// What is payable in their purses, by their own runs' cutoffs, and whether anything may be paid there at all.
async fn ask_purses(tx: &mut Tx, rows: &mut [Failed], context: &PlanContext) -> Result<(), StoreError> {
    let rollout = cohort_ask::rollout(&mut *tx).await?;
    let mut by_run = BTreeMap::<String, Vec<usize>>::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.facts.state == PayoutState::Failed) {
        by_run.entry(row.run_id.clone()).or_default().push(at);
    }
    for (run_id, places) in by_run {
        let Some(first) = places.first().and_then(|at| rows.get(*at)) else { continue };
        let run = purses::PlanRun { id: &run_id, cutoff_ms: first.cutoff_ms, instant_ms: first.instant_ms, creators: None };
        let list: Vec<(AccountId, Currency)> =
            places.iter().filter_map(|at| rows.get(*at)).map(|row| (row.account.clone(), row.facts.amount.currency)).collect();
        let mut known = HashMap::<(AccountId, Currency), PurseFacts>::new();
        let context = &PlanContext { overrides: overrides::of_cycle(&mut **tx, first.cycle).await?, ..context.clone() };
        for row in purses::facts_query(&run, &purses::Reach::These(&list), context).build().persistent(false).fetch_all(&mut **tx).await? {
            let mut purse = facts::read(&row, context, &rollout)?;
            purse.mature_minor = row.try_get("mature")?;
            purse.active_payout = row.try_get("active")?;
            known.insert((purse.account.clone(), purse.currency), purse);
        }
        for at in places {
            let Some(row) = rows.get_mut(at) else { continue };
            let Some(purse) = known.get(&(row.account.clone(), row.facts.amount.currency)) else { continue };
            // A new attempt has a new body: it goes where the purse is paid now.
            let bank = purse.account_facts.as_ref().and_then(|account| account.bank.as_ref());
            let destination = bank.map_or_else(|| row.destination.clone(), |bank| bank.destination.clone());
            row.facts.payable_minor = purse.mature_minor;
            row.facts.active_payout = purse.active_payout.clone();
            row.facts.barred = plan::guard(purse, &destination, &context.rules);
            row.destination = destination;
        }
    }
    Ok(())
}

/// Locks the same items again, and makes the rows ready for an attempt of their own: the old object stays with its attempt.
async fn plan_again(tx: &mut Tx, now_ms: i64, rows: &[Failed]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut items = QueryBuilder::<DB>::new("UPDATE payout_items SET released_at_ms = NULL WHERE payout_id IN (");
    let mut list = items.separated(", ");
    for row in rows {
        list.push_bind(row.id.as_str());
    }
    items.push(")");
    items.build().persistent(false).execute(&mut **tx).await?;
    let mut payouts = QueryBuilder::<DB>::new("UPDATE creator_payouts SET attempts = attempts + 1, stripe_payout_id = NULL, ");
    payouts.push("released_at_ms = NULL, retry_at_ms = NULL, summed_at_ms = ").push_bind(now_ms);
    payouts.push(", destination_id = v.column2 FROM (");
    payouts.push_values(rows, |mut values, row| {
        values.push_bind(row.id.as_str()).push_bind(row.destination.as_str());
    });
    payouts.push(") AS v WHERE creator_payouts.id = v.column1");
    payouts.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

/// What isn't tried again by itself now: later, while it may become possible, and not at all when it was too long ago.
async fn put_off(tx: &mut Tx, now_ms: i64, refused: &[(PayoutId, i64, NoRetry)]) -> Result<(), StoreError> {
    for (id, failed_ms, why) in refused {
        let again_ms = now_ms.saturating_add(RETRY_AFTER_MS);
        let in_time = again_ms.saturating_sub(*failed_ms) <= RETRY_WITHIN_MS;
        let next = matches!(why, NoRetry::Yet(_)).then_some(again_ms).filter(|_| in_time);
        sqlx::query::<DB>("UPDATE creator_payouts SET retry_at_ms = $2 WHERE id = $1")
            .bind(id.as_str())
            .bind(next)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Asks for failed payouts that are to be tried again by themselves now.
pub(super) fn due_query(now_ms: i64, limit: i64) -> Query {
    sqlx::query::<DB>(
        "SELECT id FROM creator_payouts WHERE retry_at_ms IS NOT NULL AND retry_at_ms <= $1 ORDER BY retry_at_ms, id LIMIT $2",
    )
    .bind(now_ms)
    .bind(limit)
}

/// Failed payouts that are to be tried again by themselves now.
pub(in crate::store) async fn due(pool: &Pool, now_ms: i64, limit: i64) -> Result<Vec<PayoutId>, StoreError> {
    let found = due_query(now_ms, limit).fetch_all(pool).await?;
    found.iter().map(|row| Ok(PayoutId::new(row.try_get::<String, _>(0)?))).collect()
}
