//! On PostgreSQL others work beside the engine: what is locked, until when, and what is seen after.
use super::{
    approvals::{adjustment, asked, person},
    world::{World, account, ann, creator},
};
use crate::databases::Database;
use payout_shared::{
    approval::RequestKind,
    id::PayoutId,
    run::{RunEvent, RunState},
};
use payoutd::{
    clock::BootMs,
    store::{
        StoreError,
        types::{By, Fence, Gate, RetryAsk, RunRow, Wanted},
    },
    stripe::create_body,
};
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;

/// A transaction of somebody else's, which has done this and isn't committed.
async fn somebody(world: &World, did: &[&str]) -> PgConnection {
    let mut other = PgConnection::connect(&world.database.url).await.unwrap();
    for statement in [&["BEGIN"], did].concat() {
        other.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))).await.unwrap();
    }
    other
}

/// What a call comes to that begins before somebody's transaction ends with this statement: it waits for it, or is done before.
async fn beside<T>(world: &World, mut other: PgConnection, last: &str, call: impl Future<Output = T>) -> T {
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let waiting =
        tokio::time::timeout(Duration::from_secs(20), async { while world.database.number(waits).await == 0 {} });
    let mut call = Box::pin(call);
    tokio::select! {
        done = &mut call => {
            other.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{last}; COMMIT")))).await.unwrap();
            done
        }
        waited = waiting => {
            waited.expect("it neither waits nor ends");
            other.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{last}; COMMIT")))).await.unwrap();
            call.await
        }
    }
}

async fn lease(world: &World) -> Fence {
    world.store.lease_acquire("another", 60_000, true).await.unwrap().unwrap().0
}

async fn running() -> (World, RunRow) {
    let mut world = World::on(Database::postgres().await, &[1_000, 2_000]).await;
    let run = world.planned().await;
    world.resume(&run).await;
    world.engine = None;
    (world, run)
}

#[tokio::test]
async fn a_run_of_which_something_is_left_to_send_never_ends() {
    let (world, run) = running().await;
    let fence = lease(&world).await;
    for event in [RunEvent::Complete, RunEvent::CompleteWithFailures] {
        let refused = world.store.change_run(Some(fence), &run.id, event, &By::Engine, None).await;
        assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("not done")), "{refused:?}");
    }
    world.database.drop_it().await;
}

#[tokio::test]
async fn a_run_that_ends_while_one_of_its_payouts_is_tried_again_is_opened_again() {
    let (world, run) = running().await;
    let failed = format!(
        "UPDATE creator_payouts SET state = 'failed', attempts = 1, released_at_ms = 1 WHERE account_id = '{}'; \
         UPDATE payout_items SET released_at_ms = 1 WHERE payout_id IN (SELECT id FROM creator_payouts WHERE state = 'failed')",
        account(0)
    );
    world.database.execute(&failed).await;
    let id = PayoutId::new(world.payout_column(0, "id").await);
    let context = world.store.plan_context().await.unwrap();
    let by = ann();
    let ask = RetryAsk { payouts: &[(id, None)], context: &context, by: &by, reason: None, by_itself: false };
    let lock = format!("SELECT state FROM payout_runs WHERE id = '{}' FOR UPDATE", run.id);
    let ends = format!("UPDATE payout_runs SET state = 'completed_with_failures' WHERE id = '{}'", run.id);
    let other = somebody(&world, &[&lock]).await;
    let done = beside(&world, other, &ends, world.store.retry(None, &ask)).await.unwrap();
    assert_eq!(done[0].refused, None);
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("planned", RunState::Running));
    world.database.drop_it().await;
}

#[tokio::test]
async fn a_hold_that_was_confirmed_is_not_overtaken_by_a_send() {
    let (world, run) = running().await;
    let fence = lease(&world).await;
    world.look(fence).await;
    let now_ms = world.clock.now_ms();
    let gate = Gate { fence, now_ms, stripe_now_ms: now_ms, send_before_ms: BootMs::NEVER.0 };
    let context = world.store.plan_context().await.unwrap();
    // As a door does it, which hasn't committed yet.
    let hold = format!(
        "INSERT INTO creator_holds (creator_id, cause, reason, placed_by, placed_at_ms) VALUES ('{}', 'look', 'a look', 'ann', 1)",
        creator(0)
    );
    let other = somebody(&world, &[&hold, "SELECT seq FROM journal_head WHERE id = 1 FOR UPDATE"]).await;
    let intend = world.store.intend(gate, &run.id, Wanted::Due(10), &context, create_body);
    let done = beside(&world, other, "SELECT 1", intend).await.unwrap();
    assert_eq!((done.intents.len(), done.barred.len()), (1, 1), "{done:?}");
    assert_eq!((world.payout(0).await.as_str(), world.payout(1).await.as_str()), ("voided", "submitting"));
    world.database.drop_it().await;
}

/// A connection broke after its commit was sent, and the commit takes its time.
#[tokio::test]
async fn an_intent_whose_commit_is_under_way_is_found_by_whoever_looks_for_what_was_left() {
    let (world, run) = running().await;
    let fence = lease(&world).await;
    world.look(fence).await;
    let now_ms = world.clock.now_ms();
    let gate = Gate { fence, now_ms, stripe_now_ms: now_ms, send_before_ms: BootMs::NEVER.0 };
    let context = world.store.plan_context().await.unwrap();
    let sent = world.store.intend(gate, &run.id, Wanted::Due(1), &context, create_body).await.unwrap().intents;
    let answered = format!("UPDATE payout_attempts SET on_wire = FALSE WHERE key = '{}'", sent[0].key);
    world.database.execute(&answered).await;
    let again = format!("UPDATE payout_attempts SET on_wire = TRUE WHERE key = '{}'", sent[0].key);
    let other = somebody(&world, &["SELECT token FROM lease WHERE id = 1 FOR SHARE", &again]).await;
    let left = beside(&world, other, "SELECT 1", world.store.on_wire(fence)).await.unwrap();
    assert_eq!(left.into_iter().map(|(_, key, _)| key).collect::<Vec<_>>(), [sent[0].key.clone()]);
    world.database.drop_it().await;
}

#[tokio::test]
async fn one_debt_is_given_up_once_although_two_requests_are_agreed_to_at_once() {
    let mut world = World::on(Database::postgres().await, &[1_000]).await;
    world.refund(0, 3_000).await;
    let asked = asked(&world, RequestKind::Adjustment, adjustment("debt_writeoff", 2_000, None)).await;
    // As another yes does it, to a request of the same debt, which hasn't committed yet.
    let given_up = format!(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, source_id, \
         earned_at_ms, available_on_ms, created_at_ms) VALUES ('{}', '{}', 'usd', 'debt_writeoff', 2000, 2000, 0, 'request', 'req_1', 1, 1, 1)",
        creator(0),
        account(0)
    );
    let other = somebody(&world, &["SELECT seq FROM journal_head WHERE id = 1 FOR UPDATE", &given_up]).await;
    let bob = person("bob", 1001);
    let yes = beside(&world, other, "SELECT 1", world.yes(&asked, &bob)).await;
    assert!(yes.clone().unwrap_err().contains("owes 0.00 USD now"), "{yes:?}");
    world.database.drop_it().await;
}
