//! Creators and holds over the control socket.
use crate::room::{Room, ms, somebody};
use payout_proto::v1;
use payout_shared::{
    calendar::CycleRules,
    currency::Currency,
    id::{AccountId, CreatorId},
    plan::SkipReason,
    run::{RunEvent, RunKind, RunState},
};
use payoutd::store::{
    door_types::{AccountRead, BankRead, EarningRow},
    types::{AccountCheck, By, Fence, Gate, NewRun, ReadCount, RunRow, Wanted},
};
use tonic::Code;

const NOW: &str = "2026-12-01T06:00:00Z";

fn usd() -> Currency {
    Currency::parse("usd").unwrap()
}

fn sale(creator: &str, gross_minor: i64, available_on: &str) -> EarningRow {
    EarningRow {
        line: 2,
        creator: CreatorId::new(creator),
        account: AccountId::new(format!("acct_{creator}")),
        country: "US".to_owned(),
        currency: usd(),
        gross_minor,
        fee_minor: 0,
        earned_at_ms: ms("2026-11-20T00:00:00Z"),
        available_on_ms: ms(available_on),
        source_id: format!("ch_{creator}_{available_on}"),
    }
}

fn read(creator: &str) -> AccountRead {
    AccountRead {
        account: AccountId::new(format!("acct_{creator}")),
        read_at_ms: ms(NOW),
        country: None,
        payouts_enabled: creator != "carol",
        charges_enabled: true,
        details_submitted: true,
        disabled_reason: (creator == "carol").then(|| "requirements.past_due".to_owned()),
        schedule_interval: Some("manual".to_owned()),
        banks: vec![BankRead {
            currency: usd(),
            destination: "ba_1".into(),
            status: "new".to_owned(),
            bank_name: None,
            country: None,
        }],
    }
}

/// Alice can be paid, bob has too little, carol's account is disabled, dora's money comes later.
async fn room() -> (Room, Fence) {
    let room = Room::at(NOW).await;
    let soon = "2026-11-25T00:00:00Z";
    let rows = [
        sale("alice", 5_000, soon),
        sale("alice", 700, "2026-12-09T00:00:00Z"),
        sale("bob", 400, soon),
        sale("carol", 5_000, soon),
        sale("dora", 9_000, "2026-12-09T00:00:00Z"),
    ];
    room.store().import_earnings(&rows, "test.csv", &somebody(), |_| ()).await.unwrap();
    let fence = room.store().lease_acquire("test", 600_000, true).await.unwrap().unwrap().0;
    let reads = ["alice", "bob", "carol", "dora"].map(read);
    room.store().record_accounts(fence, &reads).await.unwrap();
    // A payout leaves on a fresh look at its purse only.
    let look = AccountCheck {
        account: AccountId::new("acct_alice"),
        read_at_ms: ms(NOW),
        stripe_ms: ms(NOW),
        purses: vec![(usd(), 5_700, 0)],
        failed: None,
    };
    room.store().record_checks(fence, &[look], &[], &|_| 0).await.unwrap();
    (room, fence)
}

/// A run of everybody, planned and running.
async fn running(room: &Room, fence: Fence) -> RunRow {
    let rules: &CycleRules = &room.desk.settings.rules;
    let new = NewRun {
        cycle_date: jiff::Timestamp::from_millisecond(ms(NOW)).unwrap().to_zoned(rules.zone.clone()).date(),
        kind: RunKind::Manual,
        state: RunState::Planning,
        cutoff_ms: ms(NOW),
        instant_ms: ms(NOW),
        creators: Vec::new(),
        by: By::Schedule,
        reason: None,
    };
    let run = room.store().insert_run(&new).await.unwrap().0;
    let context = room.store().plan_context().await.unwrap();
    room.store().plan_page(fence, &run, 100, &context).await.unwrap();
    for event in [RunEvent::FinishPlan, RunEvent::Begin] {
        room.store().change_run(Some(fence), &run.id, event, &By::Engine, None).await.unwrap();
    }
    room.store().run(run.id.as_str()).await.unwrap()
}

async fn intend(room: &Room, fence: Fence, run: &RunRow) -> payoutd::store::types::Intended {
    let gate = Gate { fence, now_ms: ms(NOW), stripe_now_ms: ms(NOW), send_before_ms: i64::MAX };
    let context = room.store().plan_context().await.unwrap();
    let body =
        |key: &str, amount: i64, _: Currency, to: &payout_shared::id::DestinationId| format!("{key} {amount} {to}");
    room.store().intend(gate, &run.id, Wanted::Due(100), &context, body).await.unwrap()
}

fn hold(creator: &str, reason: &str) -> v1::HoldRequest {
    v1::HoldRequest { creator_id: creator.to_owned(), reason: reason.to_owned() }
}

fn release(creator: &str, cause: &str) -> v1::ReleaseRequest {
    v1::ReleaseRequest { creator_id: creator.to_owned(), reason: "checked".to_owned(), cause: cause.to_owned() }
}

#[tokio::test]
async fn a_hold_counts_at_the_next_send() {
    let (room, fence) = room().await;
    let run = running(&room, fence).await;
    let mut client = room.client().await;
    let placed = client.hold(hold("alice", "looks like fraud")).await.unwrap().into_inner();
    assert_eq!((placed.hold.unwrap().cause.as_str(), placed.on_their_way), ("person", 0));
    let outcome = intend(&room, fence, &run).await;
    assert!(outcome.intents.is_empty(), "nothing leaves");
    assert_eq!(outcome.barred.len(), 1);
    assert_eq!(outcome.barred[0].1, SkipReason::Held);
    let page = client.list_payouts(v1::ListPayoutsRequest::default()).await.unwrap().into_inner();
    assert_eq!(page.rows[0].state, "voided");
    let skips = room.store().run_counts(&run.id).await.unwrap().skips;
    assert!(skips.contains(&("held".to_owned(), 1)), "{skips:?}");
    let books = client.check_books(v1::CheckBooksRequest {}).await.unwrap().into_inner();
    assert_eq!(books.violations, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_hold_the_same_payout_leaves_and_a_hold_then_says_what_it_cannot_stop() {
    let (room, fence) = room().await;
    let run = running(&room, fence).await;
    assert_eq!(intend(&room, fence, &run).await.intents.len(), 1);
    let placed = room.client().await.hold(hold("alice", "too late")).await.unwrap().into_inner();
    assert_eq!(placed.on_their_way, 1);
}

#[tokio::test]
async fn a_persons_hold_is_placed_once_with_a_reason_and_journaled_with_its_actor() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    assert_eq!(client.hold(hold("alice", " ")).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.hold(hold(" ", "x")).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.hold(hold("ghost", "x")).await.unwrap_err().code(), Code::NotFound);
    let placed = client.hold(hold(" alice ", "chargeback")).await.unwrap().into_inner();
    let again = client.hold(hold("alice", "another")).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    assert!(again.message().contains("chargeback"), "{}", again.message());
    let row = room.store().journal_after(placed.seq - 1, 1).await.unwrap().remove(0);
    let uid = nix::unistd::getuid();
    assert_eq!((row.seq, row.action.as_str(), row.reason.as_deref()), (placed.seq, "creator.hold", Some("chargeback")));
    assert!(row.actor.starts_with("user:") && row.actor.ends_with(&format!("({uid})")), "{}", row.actor);
    room.wake.woken().await;
}

#[tokio::test]
async fn release_takes_one_cause_back_or_all_and_lists_them() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    assert_eq!(client.release(release("alice", "")).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(client.release(release("ghost", "")).await.unwrap_err().code(), Code::NotFound);
    client.hold(hold("alice", "fraud?")).await.unwrap();
    let alice = CreatorId::new("alice");
    for cause in ["bank_account_closed", "three_refusals"] {
        room.store().hold(&alice, cause, "by a rule", &By::Engine).await.unwrap();
    }
    let wrong = client.release(release("alice", "nonsense")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::AlreadyExists);
    assert!(wrong.message().contains("bank_account_closed"), "{}", wrong.message());
    let one = client.release(release("alice", "bank_account_closed")).await.unwrap().into_inner();
    let causes = |holds: &[v1::HoldPart]| {
        let mut causes: Vec<String> = holds.iter().map(|hold| hold.cause.clone()).collect();
        causes.sort();
        causes
    };
    assert_eq!(causes(&one.released), ["bank_account_closed"]);
    assert_eq!(causes(&one.left), ["person", "three_refusals"]);
    let all = client.release(release("alice", "")).await.unwrap().into_inner();
    assert_eq!(causes(&all.released), ["person", "three_refusals"]);
    assert!(all.left.is_empty() && room.store().holds().await.unwrap().is_empty());
    let told = room.store().journal_after(all.seq - 2, 9).await.unwrap();
    assert!(told.iter().all(|row| row.action == "creator.release" && row.reason.as_deref() == Some("checked")));
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn creators_are_listed_with_what_a_dry_run_says_of_them() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    let head = room.store().journal_head().await.unwrap();
    let mut stream = client.dry_run(v1::DryRunRequest::default()).await.unwrap().into_inner();
    let mut dry = Vec::new();
    while let Some(line) = stream.message().await.unwrap() {
        dry.extend(line.total.is_none().then_some(line));
    }
    let mut listed = Vec::new();
    let mut request = v1::ListCreatorsRequest { limit: 2, ..v1::ListCreatorsRequest::default() };
    let mut pages = 0;
    loop {
        let page = client.list_creators(request.clone()).await.unwrap().into_inner();
        listed.extend(page.lines);
        pages += 1;
        if page.next_cursor.is_empty() {
            break;
        }
        request.cursor = page.next_cursor;
    }
    assert_eq!((listed, pages), (dry, 3), "four creators, two a page");
    assert_eq!(room.store().journal_head().await.unwrap(), head);
}

#[tokio::test]
async fn why_not_says_the_reason_and_a_sentence_and_can_be_asked_by_reason() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    client.hold(hold("bob", "fraud?")).await.unwrap();
    let ask = v1::ListCreatorsRequest { why_not: true, ..v1::ListCreatorsRequest::default() };
    let lines = client.list_creators(ask.clone()).await.unwrap().into_inner().lines;
    let said: Vec<_> = lines.iter().map(|line| (line.creator_id.as_str(), line.reason.as_str())).collect();
    assert_eq!(said, [("bob", "held"), ("carol", "payouts_disabled"), ("dora", "nothing_payable")]);
    assert_eq!(lines[0].sentence, "held: fraud?");
    assert!(lines[1].sentence.contains("requirements.past_due"), "{}", lines[1].sentence);
    let by_reason = v1::ListCreatorsRequest { reason: "held".to_owned(), ..ask.clone() };
    let lines = client.list_creators(by_reason).await.unwrap().into_inner().lines;
    assert_eq!(lines.iter().map(|line| line.creator_id.as_str()).collect::<Vec<_>>(), ["bob"]);
    let nonsense =
        client.list_creators(v1::ListCreatorsRequest { reason: "ugly".to_owned(), ..ask }).await.unwrap_err();
    assert_eq!(nonsense.code(), Code::InvalidArgument);
    assert!(nonsense.message().contains("below_minimum"), "{}", nonsense.message());
}

#[tokio::test]
async fn one_creator_is_shown_whole() {
    let (room, fence) = room().await;
    running(&room, fence).await;
    let mut client = room.client().await;
    client.hold(hold("alice", "fraud?")).await.unwrap();
    let ask = |id: &str| v1::ShowCreatorRequest { creator_id: id.to_owned() };
    let alice = client.show_creator(ask("alice")).await.unwrap().into_inner();
    assert!(alice.user_enabled && alice.settings_enabled && alice.beta_open);
    let account = &alice.accounts[0];
    assert!(account.payouts_enabled && account.is_current && account.schedule_interval == "manual");
    assert_eq!((account.banks[0].destination_id.as_str(), account.banks[0].status.as_str()), ("ba_1", "new"));
    assert_eq!((alice.holds[0].cause.as_str(), alice.holds[0].reason.as_str()), ("person", "fraud?"));
    assert_eq!(alice.payouts.len(), 1);
    let purse = &alice.purses[0];
    assert_eq!(
        (purse.entries_minor, purse.planned_minor, purse.immature_minor, purse.free_minor),
        (5_700, 5_000, 700, 0)
    );
    assert_eq!(purse.decision.as_ref().unwrap().reason, "held");
    let carol = client.show_creator(ask("carol")).await.unwrap().into_inner();
    assert_eq!(carol.accounts[0].disabled_reason, "requirements.past_due");
    assert_eq!(
        (carol.purses[0].free_minor, carol.purses[0].decision.as_ref().unwrap().reason.as_str()),
        (5_000, "payouts_disabled")
    );
    assert_eq!(client.show_creator(ask("ghost")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn status_says_what_a_run_has_read_of_its_budget_who_was_short_and_who_drifts() {
    let (room, fence) = room().await;
    let run = running(&room, fence).await;
    let read = |listings| [(run.id.clone(), ReadCount { accounts: 1, balances: 2, listings })];
    for listings in [3, 4] {
        room.store().record_checks(fence, &[], &read(listings), &|_| 0).await.unwrap();
    }
    room.sql("UPDATE run_outcomes SET reason = 'stripe_short' WHERE creator_id = 'bob'").await;
    let status = room.client().await.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    let part = status.run.unwrap();
    assert_eq!((part.reads, part.purses, part.reads_budget), (13, 4, 16), "four reads for each purse");
    assert_eq!((part.stripe_short, part.skipped), (1, 3));
    // What of alice's comes later is on her balance already.
    assert_eq!(status.daemon.unwrap().drifting, 1);
}
