//! How the database would answer what is asked at size: the very statements that the other bodies ask, not copies of them.
use super::{
    DB, EXPLAIN, Pool, Query, accounts, attempts, breaker, checks, cohort_ask, confirm, entries, inbox, intents, pages, plan, purses, retry,
    rollback, run_counts, sweeps, undo,
};
use crate::store::{Question, StoreError, types::Wanted};
use payout_shared::attempt::AttemptKind;
use sqlx::{AssertSqlSafe, Execute, QueryBuilder, Row};
use std::collections::HashMap;

/// The database's own words, a line a step, indented by what it is part of.
pub(in crate::store) async fn explain(pool: &Pool, question: &Question<'_>) -> Result<Vec<String>, StoreError> {
    match question {
        Question::List { filter, page } => {
            let after = page.cursor.as_deref().map(pages::parse_cursor).transpose()?;
            built(pool, pages::list_query(filter, page.sort, page.ascending, after, page.limit)).await
        }
        Question::Total(filter) => built(pool, pages::total_query(filter)).await,
        Question::PlanKeys { run, page } => {
            built(pool, purses::keys_query(&purses::PlanRun::of(run, None), &run.plan_after, *page)).await
        }
        Question::PlanFacts { run, until, context } => {
            let last = key(until)?;
            let reach = purses::Reach::Between(&run.plan_after, last);
            built(pool, purses::facts_query(&purses::PlanRun::of(run, None), &reach, context)).await
        }
        Question::PlanItems { run, payouts, context } => {
            let ids = payouts.iter().map(ToString::to_string);
            built(pool, plan::items_query(&purses::PlanRun::of(run, None), ids, context)).await
        }
        Question::ToRead { run, until, read_before_ms } => {
            built(pool, accounts::to_read_query(run, *read_before_ms, &key(until)?)).await
        }
        Question::AccountsBehind(place) => built(pool, run_counts::accounts_behind_query(place)).await,
        Question::States(run) => asked(pool, run_counts::states_query(run)).await,
        Question::Reasons(run) => asked(pool, run_counts::reasons_query(run)).await,
        Question::Causes(run) => asked(pool, run_counts::causes_query(0, run)).await,
        Question::CauseSums(run) => asked(pool, run_counts::cause_sums_query(run)).await,
        Question::NewestFailures(run) => built(pool, run_counts::newest_failures_query(run, 50)).await,
        Question::WorkLeft(run) => asked(pool, attempts::work_left_query(run, 0, 64)).await,
        Question::Due(run) => built(pool, intents::wanted_query(0, 0, run, Wanted::Due(64))).await,
        Question::Guard(payouts) => {
            let ids: Vec<String> = payouts.iter().map(ToString::to_string).collect();
            built(pool, intents::candidates_query(0, &ids)).await
        }
        Question::Unresolved => asked(pool, attempts::unresolved_query(0, 64)).await,
        Question::OnWire => asked(pool, attempts::on_wire_query()).await,
        Question::InboxTodo => asked(pool, inbox::todo_query(64)).await,
        Question::InboxUnseen => asked(pool, inbox::unseen_query(NOW_MS)).await,
        Question::Ahead(run, put_back) => built(pool, checks::ahead_query(run, 0, 0, 64, *put_back)).await,
        Question::Breaker(run) => asked(pool, breaker::counts_query(run)).await,
        Question::CohortFigures(cohort) => built(pool, cohort_ask::figures_query(cohort, NOW_MS)).await,
        Question::Waiting => built(pool, entries::waiting_query(64)).await,
        Question::ToConfirm(after) => asked(pool, confirm::to_confirm_query(NOW_MS, after, 64)).await,
        Question::Retries => asked(pool, retry::due_query(NOW_MS, 64)).await,
        Question::RollbackPage(run, after) => asked(pool, rollback::page_query(run, after, 1_000)).await,
        Question::ToVoid(run) => built(pool, undo::void_query(run, 64)).await,
        Question::ToCancel(run) => built(pool, undo::wanted_query(AttemptKind::Cancel, run, NOW_MS, 64)).await,
        Question::ToReverse(run) => built(pool, undo::wanted_query(AttemptKind::Reverse, run, NOW_MS, 64)).await,
        Question::UndoUnresolved => asked(pool, undo::unresolved_query(NOW_MS, 64)).await,
        Question::UndoLeft(run) => asked(pool, undo::left_query(run, NOW_MS)).await,
        Question::LooksDue => asked(pool, sweeps::due_query(NOW_MS, 64)).await,
        Question::ForeignLooksDue => asked(pool, sweeps::due_foreign_query(NOW_MS, 64)).await,
        Question::Unlisted(listed_ms, account) => {
            asked(pool, sweeps::unlisted_query(NOW_MS, NOW_MS, (*listed_ms, account), 64)).await
        }
        Question::SweepsLeft => asked(pool, sweeps::left_query(NOW_MS)).await,
        Question::SettledRuns => asked(pool, sweeps::settled_runs_query(NOW_MS)).await,
    }
}

/// A moment like those that are asked about (December 2026), for what is planned by the values that are bound.
const NOW_MS: i64 = 1_796_000_000_000;

fn key(place: &str) -> Result<purses::Key, StoreError> {
    purses::place_key(place)
        .map(|(account, currency)| (account.to_owned(), currency.to_owned()))
        .ok_or_else(|| StoreError::Refused(format!("{place:?} is no place of a plan")))
}

async fn built(pool: &Pool, mut query: QueryBuilder<DB>) -> Result<Vec<String>, StoreError> {
    let (text, mut query) = (query.sql(), query.build());
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
    steps(pool, text.as_str(), arguments).await
}

async fn asked(pool: &Pool, mut query: Query) -> Result<Vec<String>, StoreError> {
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
    steps(pool, query.sql().as_str(), arguments).await
}

async fn steps(
    pool: &Pool,
    text: &str,
    arguments: <DB as sqlx::Database>::Arguments,
) -> Result<Vec<String>, StoreError> {
    let (word, column, tree) = EXPLAIN;
    let text = AssertSqlSafe(format!("{word}{text}"));
    let found = sqlx::query_with::<DB, _>(text, arguments).persistent(false).fetch_all(pool).await?;
    let mut depths = HashMap::new();
    let mut steps = Vec::with_capacity(found.len());
    for row in &found {
        let step: String = row.try_get(column)?;
        let depth = match tree {
            None => 0,
            Some((number, parent)) => {
                let parent: i64 = row.try_get_unchecked(parent)?;
                let depth = depths.get(&parent).map_or(0, |depth| depth + 1);
                depths.insert(row.try_get_unchecked::<i64, _>(number)?, depth);
                depth
            }
        };
        steps.push(format!("{}{step}", "  ".repeat(depth)));
    }
    Ok(steps)
}
