//! What needs two people, through the control door: two uids, the hash of what was seen, sentences for what can't be asked.
use crate::room::{Room, ms, policies, somebody};
use payout_proto::v1::{self, control_client::ControlClient};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId},
    roles::{Role, RoleGroups},
};
use payoutd::{
    doors::control::{Lookup, Person},
    store::door_types::{AccountRead, BankRead, EarningRow},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tonic::{Code, transport::Channel};

const NOW: &str = "2026-12-01T06:00:00Z";
const ANN: u32 = 3_999_000_001;
const BOB: u32 = 3_999_000_002;

/// A room in which everybody may ask and approve, and whose peer is the person of this number. Alice has 90.00 USD, ready to be paid.
async fn room() -> (Room, Arc<AtomicU32>) {
    let uid = Arc::new(AtomicU32::new(ANN));
    let now = Arc::clone(&uid);
    let lookup = Lookup::by(move |_, wanted| {
        let uid = now.load(Ordering::SeqCst);
        Ok(Person { uid, name: Some(format!("person{}", uid % 10)), groups: wanted.to_vec() })
    });
    let groups = RoleGroups::new([(Role::Admin, "admins".to_owned())].into_iter().collect());
    let room = Room { roles: Some((groups, lookup)), ..Room::at(NOW).await };
    let row = EarningRow {
        line: 2,
        creator: CreatorId::new("alice"),
        account: AccountId::new("acct_alice"),
        country: "US".to_owned(),
        currency: Currency::parse("usd").unwrap(),
        gross_minor: 9_000,
        fee_minor: 0,
        earned_at_ms: ms("2026-11-20T00:00:00Z"),
        available_on_ms: ms("2026-11-25T00:00:00Z"),
        source_id: "ch_1".to_owned(),
    };
    room.store().import_earnings(&[row], "test.csv", &somebody(), |_| ()).await.unwrap();
    let fence = room.store().lease_acquire("test", 600_000, true).await.unwrap().unwrap().0;
    let bank = BankRead {
        currency: Currency::parse("usd").unwrap(),
        destination: "ba_1".into(),
        status: "new".to_owned(),
        bank_name: None,
        country: None,
    };
    let read = AccountRead {
        account: AccountId::new("acct_alice"),
        read_at_ms: ms(NOW),
        country: None,
        payouts_enabled: true,
        charges_enabled: true,
        details_submitted: true,
        disabled_reason: None,
        schedule_interval: Some("manual".to_owned()),
        banks: vec![bank],
    };
    room.store().record_accounts(fence, &[read]).await.unwrap();
    (room, uid)
}

/// The same door, asked by somebody else: who the peer is is remembered for a while.
fn as_(room: &Room, uid: &AtomicU32, who: u32) {
    uid.store(who, Ordering::SeqCst);
    room.hand.advance(31_000);
}

fn adjust(amount: &str, transfer: &str) -> v1::AskAdjustmentRequest {
    v1::AskAdjustmentRequest {
        creator_id: "alice".to_owned(),
        amount: amount.to_owned(),
        currency: "usd".to_owned(),
        transfer_id: transfer.to_owned(),
        reason: "a sale was booked twice".to_owned(),
        ..v1::AskAdjustmentRequest::default()
    }
}

fn yes(part: &v1::RequestPart) -> v1::ApproveRequest {
    v1::ApproveRequest { request: part.id.clone(), hash: part.hash.clone(), reason: "I looked".to_owned() }
}

async fn listed(client: &mut ControlClient<Channel>, all: bool) -> Vec<v1::RequestPart> {
    client.list_requests(v1::ListRequestsRequest { all, limit: 0 }).await.unwrap().into_inner().requests
}

#[tokio::test]
async fn whoever_asked_is_the_first_of_two_and_the_second_one_does_it() {
    let (room, uid) = room().await;
    let mut client = room.client().await;
    let asked = client.ask_adjustment(adjust("-15.00", "")).await.unwrap().into_inner().request.unwrap();
    assert_eq!((asked.kind.as_str(), asked.state.as_str(), asked.hash.len()), ("adjustment", "open", 16));
    assert!(asked.sentence.contains("alice: adjustment of -15.00 USD on acct_alice"), "{}", asked.sentence);
    assert!(asked.requested_by.ends_with(&format!("({ANN})")), "{}", asked.requested_by);
    let refused = client.approve(yes(&asked)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("another one has to approve"), "{}", refused.message());
    as_(&room, &uid, BOB);
    let other = v1::ApproveRequest { hash: "0".repeat(16), ..yes(&asked) };
    assert!(client.approve(other).await.unwrap_err().message().contains("has the hash"));
    let silent = v1::ApproveRequest { reason: " ".to_owned(), ..yes(&asked) };
    assert_eq!(client.approve(silent).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(listed(&mut client, false).await.len(), 1, "nothing was decided so far");
    let done = client.approve(yes(&asked)).await.unwrap().into_inner().request.unwrap();
    assert_eq!((done.state.as_str(), done.approvals.len()), ("applied", 1));
    assert!(listed(&mut client, false).await.is_empty());
    assert_eq!(listed(&mut client, true).await[0].decided_why, "I looked");
    assert_eq!(client.approve(yes(&asked)).await.unwrap_err().code(), Code::FailedPrecondition);
    let purse = client.show_creator(v1::ShowCreatorRequest { creator_id: "alice".to_owned() }).await.unwrap();
    assert_eq!(purse.into_inner().purses[0].free_minor, 7_500);
}

#[tokio::test]
async fn one_no_ends_it_and_nothing_is_done() {
    let (room, uid) = room().await;
    let mut client = room.client().await;
    let asked = client.ask_adjustment(adjust("-15.00", "")).await.unwrap().into_inner().request.unwrap();
    as_(&room, &uid, BOB);
    let reject = |reason: &str| v1::RejectRequest { request: asked.id.clone(), reason: reason.to_owned() };
    assert_eq!(client.reject(reject("")).await.unwrap_err().code(), Code::InvalidArgument);
    let done = client.reject(reject("it was not")).await.unwrap().into_inner().request.unwrap();
    assert_eq!((done.state.as_str(), done.decided_why.as_str()), ("rejected", "it was not"));
    assert_eq!(client.approve(yes(&asked)).await.unwrap_err().code(), Code::FailedPrecondition);
    let ghost = v1::RejectRequest { request: "req_x".to_owned(), ..reject("no") };
    assert_eq!(client.reject(ghost).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_override_is_asked_for_only_where_something_is_in_the_way() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    let ask = |kind: &str, cycle: &str, up_to: &str| v1::AskOverrideRequest {
        creator_id: "alice".to_owned(),
        kind: kind.to_owned(),
        cycle_date: cycle.to_owned(),
        up_to: up_to.to_owned(),
        reason: "a large month".to_owned(),
    };
    for (request, code, why) in [
        (ask("luck", "2026-12-01", ""), Code::InvalidArgument, "there are cap and bank_changed"),
        (ask("cap", "tomorrow", ""), Code::InvalidArgument, "is not a date"),
        (ask("cap", "2026-12-01", ""), Code::FailedPrecondition, "nothing of alice is skipped for over_cap"),
    ] {
        let refused = client.ask_override(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(why), "{}", refused.message());
    }
    policies(room.store(), &[("cap.usd", "50.00"), ("minimum.usd", "10.00"), ("bank_changed_days", "0")]).await;
    let whole = client.ask_override(ask("cap", "2026-12-01", "")).await.unwrap().into_inner().request.unwrap();
    assert!(
        whole.sentence.contains("override of cap in the cycle 2026-12-01: acct_alice up to 90.00 USD"),
        "{}",
        whole.sentence
    );
    let less = client.ask_override(ask("cap", "2026-12-01", "80")).await.unwrap().into_inner().request.unwrap();
    assert!(less.sentence.contains("up to 80.00 USD"), "{}", less.sentence);
    assert_ne!(whole.hash, less.hash);
}

#[tokio::test]
async fn what_adjusts_nothing_or_brings_no_money_is_refused_with_a_sentence() {
    let (room, _) = room().await;
    let mut client = room.client().await;
    let head = room.store().journal_head().await.unwrap();
    let write_off = |amount: &str| v1::AskAdjustmentRequest { write_off: true, ..adjust(amount, "") };
    for (request, code, why) in [
        (adjust("0", ""), Code::InvalidArgument, "adjusts nothing"),
        (adjust("7.00", ""), Code::InvalidArgument, "needs the platform's transfer"),
        (adjust("7.001", "tr_1"), Code::InvalidArgument, "usd"),
        (adjust("lots", ""), Code::InvalidArgument, "lots"),
        (write_off("-1.00"), Code::InvalidArgument, "by a positive amount"),
        (v1::AskAdjustmentRequest { currency: "US".to_owned(), ..adjust("-1", "") }, Code::InvalidArgument, "US"),
        (v1::AskAdjustmentRequest { reason: String::new(), ..adjust("-1", "") }, Code::InvalidArgument, "reason"),
        (v1::AskAdjustmentRequest { creator_id: "nobody".to_owned(), ..adjust("-1", "") }, Code::NotFound, "nobody"),
        (
            v1::AskAdjustmentRequest { account_id: "acct_x".to_owned(), ..adjust("-1", "") },
            Code::FailedPrecondition,
            "no account acct_x",
        ),
    ] {
        let refused = client.ask_adjustment(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(why), "{}", refused.message());
    }
    assert_eq!(room.store().journal_head().await.unwrap(), head, "nothing was asked");
}
