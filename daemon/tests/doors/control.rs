//! The control door over a real Unix socket.
use crate::{
    dated::Dated,
    room::{Room, ms},
};
use payout_proto::v1;
use payoutd::{
    doors::control::{BindError, bind},
    stripe::Stripe,
};
use std::{os::unix::fs::PermissionsExt as _, sync::Arc};
use tonic::Code;

const NOW: &str = "2026-12-01T06:00:00Z";

fn start(cycle_date: &str) -> v1::StartRunRequest {
    v1::StartRunRequest {
        cycle_date: cycle_date.to_owned(),
        reason: "test".to_owned(),
        ..v1::StartRunRequest::default()
    }
}

#[tokio::test]
async fn a_second_start_of_a_cycle_makes_no_second_run() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    let first = client.start_run(start("2026-12-01")).await.unwrap().into_inner();
    assert_eq!(first.label, "2026-12-01#1");
    let refused = client.start_run(start("2026-12-01")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("2026-12-01#1"), "{}", refused.message());
    let runs = client.list_runs(v1::ListRunsRequest::default()).await.unwrap().into_inner().runs;
    assert_eq!(runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), [first.run_id.as_str()]);
    let uid = nix::unistd::getuid();
    assert!(runs[0].requested_by.starts_with("user:") && runs[0].requested_by.ends_with(&format!("({uid})")));
    room.wake.woken().await;
}

#[tokio::test]
async fn without_a_cycle_the_run_is_manual_and_judged_at_the_moment_of_asking() {
    let room = Room::at("2026-12-01T23:30:00Z").await;
    let mut client = room.client().await;
    let labels = [client.start_run(start("")).await, client.start_run(start("")).await]
        .map(|run| run.unwrap().into_inner().label);
    assert_eq!(labels, ["2026-12-02#2", "2026-12-02#3"], "by the date in Berlin");
    let run = room.store().run(&labels[0]).await.unwrap();
    assert_eq!((run.cutoff_ms, run.instant_ms), (ms("2026-12-01T23:30:00Z"), ms("2026-12-01T23:30:00Z")));
}

#[tokio::test]
async fn a_missed_cycle_is_started_by_hand_with_its_own_cutoff() {
    let room = Room::at("2026-11-14T12:00:00Z").await;
    room.store().arm(&crate::room::somebody(), "x").await.unwrap();
    let stripe: Arc<dyn Stripe> = Arc::new(Dated::near(&room));
    room.hand.advance(ms(NOW) - ms("2026-11-14T12:00:00Z"));
    let (desk, wake, changed) = (Arc::clone(&room.desk), room.wake.clone(), room.changed.clone());
    payoutd::doors::schedule::Schedule::new(desk, Some(stripe), wake, changed, 86_400_000).tick().await;
    let mut client = room.client().await;
    let started = client.start_run(start("2026-11-15")).await.unwrap().into_inner();
    assert_eq!(started.label, "2026-11-15#2");
    let run = room.store().run(&started.run_id).await.unwrap();
    assert_eq!((run.cutoff_ms, run.instant_ms), (ms("2026-11-14T23:00:00Z"), ms("2026-11-15T05:00:00Z")));
}

#[tokio::test]
async fn what_is_no_cycle_or_has_not_come_or_names_nobody_we_know_starts_nothing() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    for (date, words) in
        [("2026-12-02", "2026-12-15 and 2027-01-01"), ("2026-12-15", "has not come yet"), ("soon", "not a date")]
    {
        let refused = client.start_run(start(date)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    let nobody = v1::StartRunRequest { creator_ids: vec!["ghost".to_owned()], ..start("") };
    let refused = client.start_run(nobody).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("ghost"));
    assert_eq!(room.store().runs(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_pause_is_legal_twice_needs_a_reason_and_stops_new_runs() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    let pause = |reason: &str| v1::PauseRequest { run: String::new(), reason: reason.to_owned() };
    for bad in ["", " ", "a\nb", &"x".repeat(501)] {
        assert_eq!(client.pause(pause(bad)).await.unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
    }
    let resume = v1::ResumeRequest { run: String::new(), reason: "over".to_owned() };
    assert_eq!(client.resume(resume.clone()).await.unwrap_err().code(), Code::AlreadyExists);
    let first = client.pause(pause("bank is down")).await.unwrap().into_inner();
    let second = client.pause(pause("again")).await.unwrap().into_inner();
    assert_eq!((first.state.as_str(), first.in_flight), ("paused", 0));
    assert_eq!(second, first, "the first reason stays");
    let refused = client.start_run(start("")).await.unwrap_err();
    assert!(refused.message().contains("bank is down"), "{}", refused.message());
    let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().daemon.unwrap();
    assert!(status.paused && !status.pausing && status.pause_reason == "bank is down");
    assert_eq!(status.paused_by, format!("user:{}", status.you));
    client.resume(resume).await.unwrap();
    assert!(!room.store().state().await.unwrap().paused);
}

#[tokio::test]
async fn one_run_is_paused_and_resumed_by_its_label() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    client.start_run(start("2026-12-01")).await.unwrap();
    let run = "2026-12-01#1".to_owned();
    let paused =
        client.pause(v1::PauseRequest { run: run.clone(), reason: "wait".to_owned() }).await.unwrap().into_inner();
    assert_eq!((paused.state.as_str(), paused.in_flight), ("paused", 0));
    let resumed =
        client.resume(v1::ResumeRequest { run: run.clone(), reason: "go".to_owned() }).await.unwrap().into_inner();
    assert_eq!(resumed.state, "planning");
    let again = client.resume(v1::ResumeRequest { run, reason: "go".to_owned() }).await.unwrap_err();
    assert!(matches!(again.code(), Code::AlreadyExists | Code::FailedPrecondition), "{again:?}");
    let unknown = v1::PauseRequest { run: "2026-01-01#1".to_owned(), reason: "x".to_owned() };
    assert_eq!(client.pause(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_schedule_is_armed_once_and_only_with_a_cron_secret_and_a_clock_that_stripe_confirms() {
    let set = |armed| v1::SetScheduleRequest { armed, reason: "test".to_owned() };
    let without = Room::with(NOW, false).await;
    let refused = without.client().await.set_schedule(set(true)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("payoutd secret new"));
    let keyless = Room::at(NOW).await;
    let refused = keyless.client().await.set_schedule(set(true)).await.unwrap_err();
    assert!(refused.message().contains("can't be armed while Stripe's time is not known"), "{refused:?}");
    let mut room = Room::at(NOW).await;
    let stripe = Arc::new(Dated::silent(&room));
    room.stripe = Some(Arc::clone(&stripe) as Arc<dyn Stripe>);
    let mut client = room.client().await;
    assert!(client.set_schedule(set(true)).await.unwrap_err().message().contains("not known"));
    stripe.answers();
    room.hand.jump_wall(-120_000);
    let refused = client.set_schedule(set(true)).await.unwrap_err();
    assert!(refused.message().contains("more than 60 s apart"), "{refused:?}");
    room.hand.jump_wall(120_000);
    assert_eq!(client.set_schedule(set(false)).await.unwrap_err().code(), Code::AlreadyExists);
    let armed = client.set_schedule(set(true)).await.unwrap().into_inner();
    assert!(armed.armed && armed.armed_at_ms == ms(NOW));
    assert_eq!(client.set_schedule(set(true)).await.unwrap_err().code(), Code::AlreadyExists);
    let next = client.get_schedule(v1::GetScheduleRequest { count: 2 }).await.unwrap().into_inner();
    let dates: Vec<_> = next.next.iter().map(|cycle| cycle.cycle_date.as_str()).collect();
    assert_eq!((next.timezone.as_str(), dates), ("Europe/Berlin", vec!["2026-12-15", "2027-01-01"]));
    let daemon = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().daemon.unwrap();
    assert_eq!((daemon.armed, daemon.next_run_at.as_str()), (true, "2026-12-15T05:00:00Z"));
}

const HEADER: &str = "creator_id,stripe_account_id,country,currency,gross_minor,fee_minor,earned_at,source_id";

fn file(rows: &[&str]) -> Vec<v1::ImportChunk> {
    let text = format!("{HEADER}\n{}\n", rows.join("\n"));
    // In small pieces, as a network would have it.
    let part = |data: &[u8], last| v1::ImportChunk { data: data.to_vec(), file_name: "november.csv".to_owned(), last };
    let parts = text.as_bytes().chunks(17).map(|data| part(data, false));
    parts.chain(std::iter::once(part(b"", true))).collect()
}

async fn import(room: &Room, rows: &[&str]) -> Result<v1::ImportDone, tonic::Status> {
    import_parts(room, file(rows)).await
}

async fn import_parts(room: &Room, parts: Vec<v1::ImportChunk>) -> Result<v1::ImportDone, tonic::Status> {
    let mut client = room.client().await;
    let mut replies = client.import_earnings(futures::stream::iter(parts)).await?.into_inner();
    let mut done = None;
    while let Some(progress) = replies.message().await? {
        done = progress.done;
    }
    Ok(done.unwrap())
}

const ROWS: [&str; 3] = [
    "alice,acct_a,US,usd,2000,200,2026-11-20T10:00:00Z,ch_1",
    "bob,acct_b,DE,eur,5000,500,2026-11-20T10:00:00Z,ch_2",
    "bob,acct_b,DE,usd,700,70,2026-11-20T10:00:00Z,ch_3",
];

#[tokio::test]
async fn a_file_of_earnings_is_imported_whole_or_not_at_all() {
    let room = Room::at(NOW).await;
    let bad = import(&room, &[ROWS[0], "bob,acct_b,DE,eur,many,0,2026-11-20T10:00:00Z,ch_2"]).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    assert!(bad.message().contains("line 3, gross_minor"), "{}", bad.message());
    let done = import(&room, &ROWS).await.unwrap();
    assert_eq!((done.imported, done.known, done.creators), (3, 0, 2));
    let again = import(&room, &ROWS).await.unwrap();
    assert_eq!((again.imported, again.known), (0, 3));
    let other = import(&room, &["alice,acct_a,US,usd,2001,200,2026-11-20T10:00:00Z,ch_1"]).await.unwrap_err();
    assert!(other.message().contains("line 2, gross_minor"), "{}", other.message());
}

/// A client that dies may end its stream like one that is done: each row that came is whole, and the rest is missing.
#[tokio::test]
async fn a_file_that_ends_without_its_last_part_is_not_imported() {
    let room = Room::at(NOW).await;
    let mut parts = file(&ROWS);
    parts.pop();
    let cut = import_parts(&room, parts).await.unwrap_err();
    assert_eq!(cut.code(), Code::InvalidArgument);
    assert!(cut.message().contains("import it again"), "{}", cut.message());
    assert_eq!(import(&room, &ROWS).await.unwrap().imported, 3, "nothing of it was there");
}

#[tokio::test]
async fn a_dry_run_says_something_of_every_purse_and_writes_nothing() {
    let room = Room::at(NOW).await;
    import(&room, &ROWS).await.unwrap();
    let before = room.store().journal_head().await.unwrap();
    let mut client = room.client().await;
    let mut lines = client.dry_run(v1::DryRunRequest::default()).await.unwrap().into_inner();
    let mut seen = Vec::new();
    let mut total = None;
    while let Some(line) = lines.message().await.unwrap() {
        match line.total {
            Some(sum) => total = Some(sum),
            None => seen.push((line.account_id, line.currency)),
        }
    }
    let purse = |account: &str, currency: &str| (account.to_owned(), currency.to_owned());
    assert_eq!(seen, [purse("acct_a", "usd"), purse("acct_b", "eur"), purse("acct_b", "usd")]);
    let total = total.unwrap();
    assert_eq!(total.payouts + total.skipped, 3);
    assert_eq!(room.store().journal_head().await.unwrap(), before);
    assert_eq!(room.store().runs(10).await.unwrap(), []);
}

#[tokio::test]
async fn words_that_are_none_are_refused_by_name() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    let list = v1::ListPayoutsRequest::default();
    let bad = [
        v1::ListPayoutsRequest { sort: "colour".to_owned(), ..list.clone() },
        v1::ListPayoutsRequest { states: vec!["lost".to_owned()], ..list.clone() },
        v1::ListPayoutsRequest { cursor: "nonsense".to_owned(), ..list.clone() },
    ];
    for request in bad {
        assert_eq!(client.list_payouts(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(client.list_payouts(list).await.unwrap().into_inner().total, 0);
    let missing = v1::ShowPayoutRequest { payout_id: "pay_none".to_owned() };
    assert_eq!(client.show_payout(missing).await.unwrap_err().code(), Code::NotFound);
    let books = client.check_books(v1::CheckBooksRequest {}).await.unwrap().into_inner();
    assert_eq!(books.violations, Vec::<String>::new());
}

#[tokio::test]
async fn health_and_reflection_answer_too() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    let room = Room::at(NOW).await;
    let mut health = HealthClient::new(room.channel().await);
    let asked = HealthCheckRequest { service: "payoutd.v1.Control".to_owned() };
    let status = health.check(asked).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_replaced_and_any_other_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(matches!(bind(&path), Err(BindError::Taken(_))));
    drop(listener);
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "keep").unwrap();
    assert!(matches!(bind(&file), Err(BindError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "keep");
    assert!(matches!(bind(&dir.path().join("nowhere/control.sock")), Err(BindError::Io { .. })));
}
