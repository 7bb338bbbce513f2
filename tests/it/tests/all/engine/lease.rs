//! The lease: one engine at a time; whoever lost it writes nothing and sends nothing, and what it left on the wire is waited for.
use super::{
    rollback::confirm,
    trouble::Trouble,
    world::{TIMEOUT_MS, World},
};
use payout_shared::{
    attempt::AttemptState,
    payout::PayoutEvent,
    run::{RunEvent, RunState},
};
use payoutd::{
    clock::BootMs,
    engine::Engine,
    store::{
        StoreError,
        types::{AttemptChange, By, Change, Fence, Gate, Wanted},
    },
    stripe::create_body,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn gate(world: &World, fence: Fence) -> Gate {
    let now_ms = world.clock.now_ms();
    Gate { fence, now_ms, stripe_now_ms: now_ms, send_before_ms: BootMs::NEVER.0 }
}

fn fenced<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Fenced { .. })), "{result:?}");
}

async fn nothing_can_be_written_with(world: &World, run: &payoutd::store::types::RunRow, fence: Fence) {
    let store = &world.store;
    let context = store.plan_context().await.unwrap();
    let before = (
        store.journal_head().await.unwrap(),
        world.probe.texts("SELECT id, state FROM creator_payouts ORDER BY id").await,
    );
    fenced(store.change(fence, &[]).await);
    fenced(store.intend(gate(world, fence), &run.id, Wanted::Due(10), &context, create_body).await);
    fenced(store.plan_page(fence, run, 10, &context).await);
    fenced(store.events_done(fence, &[(1, "seen".to_owned())]).await);
    fenced(store.record_accounts(fence, &[]).await);
    fenced(store.record_foreign(fence, &[]).await);
    fenced(store.change_run(Some(fence), &run.id, RunEvent::Begin, &By::Engine, None).await);
    fenced(store.lease_renew(fence, 15_000).await);
    store.lease_give_back(fence).await.unwrap();
    assert_eq!(
        world.probe.number("SELECT CASE WHEN holder = '' THEN 1 ELSE 0 END FROM lease").await,
        0,
        "given back by another"
    );
    let after = (
        store.journal_head().await.unwrap(),
        world.probe.texts("SELECT id, state FROM creator_payouts ORDER BY id").await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_stale_fence_can_write_nothing() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world.resume(&run).await;
    let (old, _) = world.store.lease_acquire("one", 15_000, true).await.unwrap().unwrap();
    world.store.lease_acquire("two", 15_000, true).await.unwrap().unwrap();
    nothing_can_be_written_with(&world, &run, old).await;
}

#[tokio::test]
async fn a_lease_that_ran_out_can_write_nothing_although_nobody_took_it() {
    let mut world = World::of(2).await;
    let run = world.planned().await;
    world.resume(&run).await;
    let (fence, _) = world.store.lease_acquire("one", 15_000, true).await.unwrap().unwrap();
    world.database.execute("UPDATE lease SET expires_at_ms = 1").await;
    let store = &world.store;
    let context = store.plan_context().await.unwrap();
    fenced(store.change(fence, &[]).await);
    fenced(store.lease_renew(fence, 15_000).await);
    fenced(store.intend(gate(&world, fence), &run.id, Wanted::Due(10), &context, create_body).await);
}

/// The first daemon hangs with two requests on the wire; the second one takes over.
#[tokio::test]
async fn a_new_holder_waits_before_it_judges_what_the_old_one_left_on_the_wire() {
    let mut world = World::of(5).await;
    world.settings.alone = false;
    world.rates.create_concurrency = 2;
    world.stripe.trouble(None, 2, Trouble::HeldAfter);
    let run = world.scheduled().await;
    world.until("two on the wire", async |world| world.stripe.left().len() == 2).await;
    let hangs = world.engine.take().unwrap();
    world.settings.holder = "two".to_owned();
    let mut two = Engine::new(world.parts(Arc::new(world.stripe.another_client())));
    let head = world.store.journal_head().await.unwrap();
    for _ in 0..3 {
        two.step().await;
        world.stripe.quiet().await;
        world.advance(1_000).await;
    }
    assert_eq!(world.store.journal_head().await.unwrap(), head, "it did something without the lease");
    assert!(world.health.sentences().iter().any(|sentence| sentence.contains("lease")));
    world.database.execute("UPDATE lease SET expires_at_ms = 1").await;
    world.pause(&run).await;
    world.engine = Some(two);
    world.step().await;
    let quiet_ms = world.settings.lease_ms + TIMEOUT_MS;
    for _ in 0..(quiet_ms / 1_000 - 1) {
        world.advance(1_000).await;
        world.step().await;
        assert_eq!((world.state(&run).await, world.store.in_flight().await.unwrap()), (RunState::Pausing, 2));
        assert_eq!(world.stripe.left().len(), 2);
    }
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 5));
    world.books_equal().await;
    drop(hangs);
}

/// The second daemon is stopped while it still waits for what the first has on the wire: the third waits as well.
#[tokio::test]
async fn a_holder_that_had_to_wait_hands_its_wait_on_when_it_is_stopped() {
    let (mut world, run, hangs) = asleep().await;
    world.database.execute("UPDATE lease SET expires_at_ms = 1").await;
    world.pause(&run).await;
    world.step().await;
    let stop = CancellationToken::new();
    stop.cancel();
    world.engine.take().unwrap().run(stop).await;
    world.database.execute("UPDATE lease SET expires_at_ms = 1").await;
    world.settings.holder = "three".to_owned();
    world.engine = Some(Engine::new(world.parts(Arc::new(world.stripe.another_client()))));
    for _ in 0..20 {
        world.step().await;
        assert_eq!((world.state(&run).await, world.store.in_flight().await.unwrap()), (RunState::Pausing, 2));
        world.advance(1_000).await;
    }
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    drop(hangs);
}

/// A holder that fell asleep with two of six requests under way, and the world with a second engine in its place.
pub(super) async fn asleep() -> (World, payoutd::store::types::RunRow, Engine) {
    let mut world = World::of(6).await;
    world.settings.alone = false;
    world.rates.create_concurrency = 2;
    world.stripe.trouble(None, 2, Trouble::HeldAfter);
    let run = world.scheduled().await;
    world.until("two on the wire", async |world| world.stripe.left().len() == 2).await;
    let one = world.engine.take().unwrap();
    world.settings.holder = "two".to_owned();
    world.engine = Some(Engine::new(world.parts(Arc::new(world.stripe.another_client()))));
    (world, run, one)
}

/// The first one wakes up after the second has taken over: it sends nothing, and writes nothing.
#[tokio::test]
async fn a_holder_that_wakes_up_without_its_lease_does_nothing() {
    let (mut world, run, mut one) = asleep().await;
    world.database.execute("UPDATE lease SET expires_at_ms = 1").await;
    world.step().await;
    world.stripe.let_go();
    for _ in 0..10 {
        let head = world.store.journal_head().await.unwrap();
        one.step().await;
        world.stripe.quiet().await;
        assert_eq!(world.store.journal_head().await.unwrap(), head);
        world.step().await;
        world.advance(1_000).await;
    }
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.left().len(), 6);
    world.books_equal().await;
}

/// Its decision was made in time, its write wasn't: frozen in between, past the window, the lease, or the life of a key at Stripe.
#[tokio::test]
async fn nothing_leaves_after_its_window_or_its_lease() {
    for frozen_ms in [5_100, 16_000, 3_600_000, 25 * 3_600_000, 72 * 3_600_000] {
        let mut world = World::of(3).await;
        world.stripe.trouble(None, 1, Trouble::Frozen(frozen_ms));
        let run = world.scheduled().await;
        world.settle().await;
        assert_eq!(world.state(&run).await, RunState::Completed);
        assert_eq!(world.stripe.left().len(), 3, "{frozen_ms}");
        assert_eq!(world.stripe.listings(), 0, "it never left: nothing is unknown");
        world.books_equal().await;
    }
}

/// Shorter than a request's own window, as what is left of a lease is when its renewal comes late, milliseconds.
const SHORT_LEASE_MS: i64 = 3_000;

/// The process freezes for so long between the commit of its intents and the first write; how many requests left until it was awake again.
async fn left_after_a_freeze_of(frozen_ms: i64, world: &mut World) -> usize {
    let before = world.stripe.left().len();
    world.stripe.trouble(None, 1, Trouble::Frozen(frozen_ms));
    world.until("the freeze", async |world| !world.stripe.take_met().is_empty()).await;
    world.stripe.left().len() - before
}

async fn with_a_short_lease() -> (World, payoutd::store::types::RunRow) {
    let mut world = World::of(3).await;
    world.settings.lease_ms = SHORT_LEASE_MS;
    world.let_the_lease_age().await;
    let run = world.scheduled().await;
    (world, run)
}

/// Its window is longer than what is left of the lease: the lease counts.
#[tokio::test]
async fn a_create_leaves_only_while_the_lease_lasts() {
    for (frozen_ms, leaves) in [(1_500, true), (SHORT_LEASE_MS + 1, false)] {
        let (mut world, run) = with_a_short_lease().await;
        assert_eq!(left_after_a_freeze_of(frozen_ms, &mut world).await > 0, leaves, "frozen for {frozen_ms} ms");
        world.settle().await;
        assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 3));
        assert_eq!(world.stripe.listings(), 0, "it never left: nothing is unknown");
        world.books_equal().await;
    }
}

/// The same for what takes money back.
#[tokio::test]
async fn a_cancel_leaves_only_while_the_lease_lasts() {
    for (frozen_ms, leaves) in [(1_500, true), (SHORT_LEASE_MS + 1, false)] {
        let (mut world, run) = with_a_short_lease().await;
        world.settle().await;
        confirm(&world, &run).await;
        assert_eq!(left_after_a_freeze_of(frozen_ms, &mut world).await > 0, leaves, "frozen for {frozen_ms} ms");
        world.settle().await;
        assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Aborted, 6));
        world.books_equal().await;
    }
}

/// Daemon one sends and freezes; two judges that send unknown and sends again; then one has the lease again and brings the old answer.
#[tokio::test]
async fn an_answer_to_a_send_that_another_lease_has_judged_frees_nothing() {
    let mut world = World::of(1).await;
    let run = world.planned().await;
    world.resume(&run).await;
    let context = world.store.plan_context().await.unwrap();
    let lease = async |world: &World| world.store.lease_acquire("x", 60_000, true).await.unwrap().unwrap().0;
    let one = lease(&world).await;
    world.look(one).await;
    let intents =
        world.store.intend(gate(&world, one), &run.id, Wanted::Due(1), &context, create_body).await.unwrap().intents;
    let judged = |event: PayoutEvent, state: AttemptState, token: Option<i64>| Change {
        payout_id: intents[0].payout_id.clone(),
        event: Some(event),
        cause: None,
        failure_reason: None,
        attempt: Some(AttemptChange {
            key: intents[0].key.clone(),
            token,
            state: Some(state),
            answered: true,
            ambiguous: event == PayoutEvent::LoseAnswer,
            ..AttemptChange::default()
        }),
        not_before_ms: None,
        hold: None,
        late: None,
        reversal_held: false,
        skip: None,
        by: By::Engine,
        detail: serde_json::Value::Null,
    };
    let two = lease(&world).await;
    world.store.change(two, &[judged(PayoutEvent::LoseAnswer, AttemptState::Unknown, None)]).await.unwrap();
    let ids = [intents[0].payout_id.clone()];
    let again = world
        .store
        .intend(gate(&world, two), &run.id, Wanted::Resend(&ids), &context, create_body)
        .await
        .unwrap()
        .intents;
    assert_eq!((again.len(), &again[0].key, &again[0].body), (1, &intents[0].key, &intents[0].body));
    let third = lease(&world).await;
    let refused = judged(PayoutEvent::Refuse, AttemptState::Refused, Some(intents[0].token));
    world.store.change(third, &[refused]).await.unwrap();
    assert_eq!((world.payout(0).await.as_str(), world.store.in_flight().await.unwrap()), ("unknown", 1));
    // Its own answer counts.
    world
        .store
        .change(third, &[judged(PayoutEvent::Refuse, AttemptState::Refused, Some(again[0].token))])
        .await
        .unwrap();
    assert_eq!((world.payout(0).await.as_str(), world.store.in_flight().await.unwrap()), ("failed", 0));
    world.check().await;
}

#[tokio::test]
async fn an_engine_that_is_told_to_stop_records_what_is_on_the_wire_and_gives_the_lease_back() {
    let mut world = World::of(4).await;
    world.rates.create_concurrency = 2;
    world.stripe.trouble(None, 2, Trouble::HeldAfter);
    world.scheduled().await;
    world.until("two on the wire", async |world| world.stripe.left().len() == 2).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(world.engine.take().unwrap().run(stop.clone()));
    stop.cancel();
    world.stripe.quiet().await;
    world.stripe.let_go();
    running.await.unwrap();
    assert_eq!((world.stripe.left().len(), world.store.in_flight().await.unwrap()), (2, 0));
    assert_eq!(world.probe.number("SELECT CASE WHEN holder = '' THEN 1 ELSE 0 END FROM lease").await, 1);
    world.settle().await;
    world.books_equal().await;
}

#[tokio::test]
async fn an_engine_that_lost_its_lease_can_stop() {
    let mut world = World::of(4).await;
    world.settings.alone = false;
    world.stripe.trouble(None, 4, Trouble::HeldAfter);
    world.scheduled().await;
    world.until("on the wire", async |world| world.stripe.left().len() == 4).await;
    world.store.lease_acquire("two", 3_600_000, true).await.unwrap().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let engine = world.engine.take().unwrap();
    let running = tokio::spawn(engine.run(stop.clone()));
    stop.cancel();
    world.stripe.let_go();
    for _ in 0..60 {
        world.advance(1_000).await;
        if running.is_finished() {
            break;
        }
        // Queries run on threads of their own: give them a turn, however long they take.
        let _ = world.store.journal_head().await.unwrap();
    }
    assert!(running.is_finished(), "it waits for a lease that it will not have");
    world.check().await;
}
