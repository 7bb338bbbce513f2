//! What Stripe's answers, and their absence, do to a payout: money's table of answers, row by row, with a real twin behind it.
use super::{
    trouble::Trouble,
    world::{World, account},
};
use payout_shared::{
    answer::{AnswerMeta, Sent, StripeError},
    run::RunState,
};
use payoutd::stripe::limits::Rates;

/// A run of three in which the first send meets this; what is left afterwards must be paid exactly once.
async fn paid_once_in_spite_of(trouble: Trouble) -> World {
    let mut world = World::of(3).await;
    world.stripe.trouble(Some(&account(1)), 1, trouble);
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    for n in 0..3 {
        assert_eq!(world.executed(n).len(), 1, "creator {n}");
        assert_eq!(world.payout(n).await, "pending", "creator {n}");
        assert!(world.held(n).await.is_empty(), "creator {n} was blamed");
    }
    world.books_equal().await;
    world
}

fn keys_of(world: &World, n: usize) -> Vec<String> {
    world.stripe.left().into_iter().map(|(key, _)| key).filter(|key| key.contains(&account(n))).collect()
}

#[tokio::test]
async fn a_timeout_never_pays_twice() {
    let world = paid_once_in_spite_of(Trouble::HeldAfter).await;
    assert_eq!(keys_of(&world, 1).len(), 1, "found by listing, never sent again");
}

#[tokio::test]
async fn a_request_that_never_arrived_is_sent_again_with_the_same_key_and_bytes() {
    let world = paid_once_in_spite_of(Trouble::HeldBefore).await;
    let keys = keys_of(&world, 1);
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert!(world.stripe.listings() >= 1, "listed before it was sent again");
}

#[tokio::test]
async fn an_executed_then_dropped_answer_is_found_by_listing() {
    let world = paid_once_in_spite_of(Trouble::Twin("executed-then-dropped")).await;
    assert_eq!(keys_of(&world, 1).len(), 1);
}

#[tokio::test]
async fn a_reset_before_anything_happened_is_sent_again_after_a_listing() {
    let world = paid_once_in_spite_of(Trouble::Twin("reset-before")).await;
    assert_eq!(keys_of(&world, 1).len(), 2);
}

#[tokio::test]
async fn a_500_that_rolls_forward_ends_paid_once() {
    paid_once_in_spite_of(Trouble::Twin("500-rolled-forward")).await;
}

#[tokio::test]
async fn an_unreadable_200_is_unknown_and_then_found() {
    let world = paid_once_in_spite_of(Trouble::Twin("unreadable-body")).await;
    assert_eq!(keys_of(&world, 1).len(), 1);
}

#[tokio::test]
async fn a_429_is_put_back_with_the_same_key_and_bytes_and_blames_nobody() {
    let world = paid_once_in_spite_of(Trouble::Limited).await;
    let keys = keys_of(&world, 1);
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    assert_eq!(world.stripe.listings(), 0, "nothing was ambiguous");
}

#[tokio::test]
async fn a_lock_timeout_is_put_back_and_blames_nobody() {
    paid_once_in_spite_of(Trouble::Twin("lock-timeout")).await;
}

#[tokio::test]
async fn what_never_left_leaves_later() {
    let never = Sent::NeverLeft { detail: "no connection".to_owned() };
    paid_once_in_spite_of(Trouble::Instead(Box::new(never))).await;
}

/// Whatever a proxy says: nobody's money waits for years.
#[tokio::test]
async fn a_429_is_put_back_for_a_minute_at_most() {
    let mut world = World::of(1).await;
    let meta = AnswerMeta { retry_after_ms: Some(365 * 86_400_000), ..AnswerMeta::default() };
    let limited = Sent::Error { status: 429, error: StripeError::default(), meta };
    world.stripe.trouble(None, 1, Trouble::Instead(Box::new(limited)));
    let run = world.scheduled().await;
    let began_ms = world.clock.now_ms();
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.state(&run).await), ("pending", RunState::Completed));
    assert!(world.clock.now_ms() - began_ms < 120_000);
    world.books_equal().await;
}

#[tokio::test]
async fn a_429_slows_everybody_down() {
    let mut world = World::of(60).await;
    world.rates = Rates { create_milli_per_s: 14_500, create_concurrency: 28, ..Rates::default() };
    world.stripe.trouble(None, 5, Trouble::Limited);
    world.scheduled().await;
    world.until("the run to begin", async |world| !world.stripe.left().is_empty()).await;
    let begun = world.clock.boot();
    world.settle().await;
    let took_ms = world.clock.boot().ms_since(begun);
    assert!(took_ms > 60 * 1_000 / 14 + 500, "65 creates took {took_ms} ms: nobody slowed down");
    world.books_equal().await;
}

#[tokio::test]
async fn a_429_after_an_ambiguous_send_leaves_it_unknown() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::Twin("reset-before"));
    world.stripe.trouble(None, 1, Trouble::Limited);
    let run = world.scheduled().await;
    world.until("the second send", async |world| world.stripe.left().len() == 2).await;
    world.step().await;
    assert_eq!(world.payout(0).await, "unknown");
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
}

#[tokio::test]
async fn a_refusal_after_an_ambiguous_send_frees_nothing() {
    let mut world = World::of(1).await;
    let refusal = balance_insufficient();
    world.stripe.trouble(None, 1, Trouble::Twin("executed-then-dropped"));
    world.stripe.trouble_read(Some(&account(0)), 0, payoutd::stripe::ReadError::Limited(String::new()));
    world.stripe.trouble(None, 1, Trouble::Instead(Box::new(refusal)));
    world.scheduled().await;
    world.settle().await;
    assert_eq!((world.payout(0).await.as_str(), world.executed(0).len()), ("pending", 1));
    world.books_equal().await;
}

fn balance_insufficient() -> Sent {
    Sent::Error {
        status: 400,
        error: StripeError {
            kind: "invalid_request_error".to_owned(),
            code: Some("balance_insufficient".to_owned()),
            ..StripeError::default()
        },
        meta: AnswerMeta::default(),
    }
}

#[tokio::test]
async fn a_refusal_releases_the_items_at_once_and_failed_has_no_object() {
    let mut world = World::of(2).await;
    // The balance was drained between the look at it and the send.
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Instead(Box::new(balance_insufficient())));
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::CompletedWithFailures);
    assert_eq!(world.payout(0).await, "failed");
    assert_eq!(world.payout_column(0, "cause").await, "balance_insufficient");
    assert_eq!(world.payout_column(0, "COALESCE(stripe_payout_id, '-')").await, "-");
    let locked = "SELECT COUNT(*) FROM payout_items i JOIN creator_payouts p ON p.id = i.payout_id \
                  WHERE p.state = 'failed' AND i.released_at_ms IS NULL";
    assert_eq!(world.probe.number(locked).await, 0);
    assert_eq!(world.payout(1).await, "pending");
    world.books_equal().await;
}

fn no_access(n: usize) -> Sent {
    let message = format!("The provided key does not have access to account '{}'", account(n));
    let error = StripeError {
        kind: "invalid_request_error".to_owned(),
        code: Some("account_invalid".to_owned()),
        message: Some(message),
        ..StripeError::default()
    };
    Sent::Error { status: 403, error, meta: AnswerMeta::default() }
}

#[tokio::test]
async fn a_refusal_of_one_account_holds_its_creator_and_the_run_goes_on() {
    let mut world = World::of(3).await;
    world.stripe.trouble(Some(&account(0)), 1, Trouble::Instead(Box::new(no_access(0))));
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::CompletedWithFailures);
    assert_eq!((world.payout(0).await.as_str(), world.held(0).await.len()), ("failed", 1));
    assert_eq!(world.executed(1).len() + world.executed(2).len(), 2);
    world.books_equal().await;
}

#[tokio::test]
async fn a_refused_key_pauses_the_run_and_blames_nobody() {
    let mut world = World::of(40).await;
    world.rates = Rates { create_milli_per_s: 14_500, create_concurrency: 4, ..Rates::default() };
    world.stripe.trouble(None, usize::MAX, Trouble::BadKey);
    let run = world.scheduled().await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    assert!(world.stripe.left().len() <= 8, "{} creates left with a refused key", world.stripe.left().len());
    assert!(world.store.holds().await.unwrap().is_empty());
    assert_eq!(world.probe.number("SELECT COUNT(*) FROM creator_payouts WHERE state = 'planned'").await, 40);
    world.books_equal().await;
    world.stripe.heal();
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.state(&run).await, RunState::Completed);
    assert_eq!(world.stripe.twin.ledger().len(), 40);
    world.books_equal().await;
}

#[tokio::test]
async fn an_object_that_differs_from_what_was_asked_holds_the_creator() {
    let mut world = World::of(1).await;
    let run = world.planned().await;
    world.stripe.trouble(None, 1, Trouble::HeldAfter);
    world.resume(&run).await;
    world.until("the send", async |world| world.executed(0).len() == 1).await;
    // Stripe tells of the very object with another amount.
    let events = world.stripe.twin.take_events();
    let body = std::str::from_utf8(&events[0].body).unwrap().replace("\"amount\":1000", "\"amount\":1001");
    assert!(body.contains("1001"));
    world.put_body(&body).await;
    world.step().await;
    assert_eq!(world.held(0).await, ["late_execution"]);
    world.stripe.let_go();
    world.settle().await;
    // It was the payout's own: nothing was paid beside it, and nothing is owed.
    let owed = "SELECT COALESCE(SUM(amount_minor), 0) FROM creator_earnings WHERE kind = 'overpaid'";
    assert_eq!(world.probe.number(owed).await, 0);
    world.books_equal().await;
}

/// The key's memory at Stripe ends after a day. A resend that was decided on before may not leave after.
#[tokio::test]
async fn a_resend_that_waited_behind_a_pause_never_leaves_with_a_key_that_may_be_pruned() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    let run = world.scheduled().await;
    world.until("unknown", async |world| world.payout(0).await == "unknown").await;
    world.pause(&run).await;
    world.until("the listing", async |world| world.stripe.listings() > 0).await;
    world.steps(3).await;
    assert_eq!(world.state(&run).await, RunState::Paused);
    // Stripe executes it after all, a day passes, and nobody listens to webhooks.
    let (key, body) = world.stripe.left()[0].clone();
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    for _ in 0..25 {
        world.advance(3_600_000).await;
        world.step().await;
    }
    let _ = world.stripe.twin.take_events();
    world.resume(&run).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1, "paid twice");
    assert_eq!(world.payout(0).await, "paid");
    world.books_equal().await;
}

#[tokio::test]
async fn an_unknown_payout_is_looked_for_while_its_run_is_paused() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    let run = world.scheduled().await;
    world.until("unknown", async |world| world.payout(0).await == "unknown").await;
    world.pause(&run).await;
    world.until("the listing", async |world| world.stripe.listings() > 0).await;
    let (key, body) = world.stripe.left()[0].clone();
    world.stripe.execute_behind_our_back(&account(0), &key, &body);
    world.until("found", async |world| world.payout(0).await == "pending").await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Paused, 1));
    world.books_equal().await;
}

#[tokio::test]
async fn a_key_that_is_a_day_old_is_listed_and_never_sent_again() {
    let mut world = World::of(1).await;
    world.stripe.trouble(None, 1, Trouble::HeldBefore);
    world.scheduled().await;
    world.until("the send", async |world| world.stripe.left().len() == 1).await;
    world.crash();
    world.advance(24 * 3_600_000).await;
    let listings = world.stripe.listings();
    for _ in 0..60 {
        world.step().await;
        world.advance(60_000).await;
    }
    assert_eq!(world.stripe.left().len(), 1);
    assert!(world.stripe.listings() > listings + 3);
    assert_eq!(world.payout(0).await, "unknown", "absence alone proves nothing");
    world.check().await;
}
