//! Taking a run back through the control door: what is confirmed is what was shown, with a reason, and of a run that has begun.
use crate::room::{Room, somebody};
use payout_proto::v1;
use payout_shared::run::{RunEvent, RunKind, RunState};
use payoutd::store::types::{NewRun, RunRow};
use tonic::Code;

async fn run(room: &Room) -> RunRow {
    let now_ms = room.clock.now_ms();
    let new = NewRun {
        cycle_date: jiff::civil::date(2026, 12, 1),
        kind: RunKind::Scheduled,
        state: RunState::Planning,
        cutoff_ms: now_ms,
        instant_ms: now_ms,
        creators: Vec::new(),
        by: somebody(),
        reason: None,
    };
    room.store().insert_run(&new).await.unwrap().0
}

#[tokio::test]
async fn only_what_was_shown_is_confirmed_and_only_with_a_reason() {
    let room = Room::at("2026-12-01T05:00:00Z").await;
    let mut client = room.client().await;
    let label = run(&room).await.label.to_string();
    let mut lines =
        client.preview_rollback(v1::PreviewRollbackRequest { run: label.clone() }).await.unwrap().into_inner();
    let total = lines.message().await.unwrap().unwrap().total.unwrap();
    assert!(lines.message().await.unwrap().is_none());
    assert_eq!((total.hash.len(), total.to_do), (64, 0));
    let hash = total.hash;
    for (hash, reason, code) in [
        (hash.clone(), "too short", Code::InvalidArgument),
        (hash.clone(), "", Code::InvalidArgument),
        ("0".repeat(64), "the file was wrong", Code::FailedPrecondition),
        (hash, "the file was wrong", Code::AlreadyExists),
    ] {
        let request = v1::ConfirmRollbackRequest { run: label.clone(), hash, reason: reason.to_owned() };
        assert_eq!(client.confirm_rollback(request).await.unwrap_err().code(), code, "{reason:?}");
    }
    assert_eq!(room.store().run(&label).await.unwrap().state, RunState::Planning, "nothing was done");
}

#[tokio::test]
async fn a_run_that_has_not_begun_is_paused_first_and_an_abort_is_said_once() {
    let room = Room::at("2026-12-01T05:00:00Z").await;
    let mut client = room.client().await;
    let run = run(&room).await;
    let abort = |reason: &str| v1::AbortRunRequest { run: run.label.to_string(), reason: reason.to_owned() };
    let refused = client.abort_run(abort("enough")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("planning: it cannot be aborted"), "{}", refused.message());
    assert_eq!(client.abort_run(abort(" ")).await.unwrap_err().code(), Code::InvalidArgument);
    room.store().change_run(None, &run.id, RunEvent::Pause, &somebody(), Some("look")).await.unwrap();
    let reply = client.abort_run(abort("enough")).await.unwrap().into_inner();
    assert_eq!(reply.state, "aborting");
    let again = client.abort_run(abort("enough")).await.unwrap().into_inner();
    assert_eq!((again.state, again.seq), ("aborting".to_owned(), reply.seq), "said twice, done once");
}

#[tokio::test]
async fn an_unknown_payout_is_resolved_only_against_stripe() {
    let room = Room::at("2026-12-01T05:00:00Z").await;
    let mut client = room.client().await;
    let request = v1::ResolvePaidRequest { payout_id: "pay_nothing".to_owned(), object_id: "po_1".to_owned() };
    assert_eq!(client.resolve_paid(request.clone()).await.unwrap_err().code(), Code::NotFound);
    let nameless = v1::ResolvePaidRequest { object_id: " ".to_owned(), ..request };
    assert_eq!(client.resolve_paid(nameless).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_adoption_names_its_payout_its_creator_and_why() {
    let room = Room::at("2026-12-01T05:00:00Z").await;
    let mut client = room.client().await;
    let asked = v1::AdoptRequest {
        object_id: "po_1".to_owned(),
        creator_id: "nobody".to_owned(),
        reason: "by hand".to_owned(),
    };
    let unknown = client.adopt(asked.clone()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(unknown.message().contains("creator nobody has no account"), "{}", unknown.message());
    for bad in [
        v1::AdoptRequest { object_id: " ".to_owned(), ..asked.clone() },
        v1::AdoptRequest { creator_id: String::new(), ..asked.clone() },
        v1::AdoptRequest { reason: " ".to_owned(), ..asked },
    ] {
        assert_eq!(client.adopt(bad).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let foreign = client.list_foreign(v1::ListForeignRequest { all: true, ..Default::default() }).await.unwrap();
    assert_eq!(foreign.into_inner().rows, []);
}

#[tokio::test]
async fn a_retry_names_its_payouts_and_says_of_each_what_became_of_it() {
    let room = Room::at("2026-12-01T05:00:00Z").await;
    let mut client = room.client().await;
    let nothing = client.retry_payouts(v1::RetryRequest::default()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let target = |id: &str| v1::RetryTarget { payout_id: id.to_owned(), changed_at_ms: 0 };
    let request = v1::RetryRequest { targets: vec![target("pay_1"), target("pay_1")], reason: String::new() };
    let reply = client.retry_payouts(request).await.unwrap().into_inner();
    assert_eq!((reply.rows.len(), reply.retried), (1, 0));
    assert!(reply.rows[0].refused.contains("no such payout"));
}
