//! Roles over a real Unix socket: each call of the API is open to exactly the roles it should be. The peer is this process, so the
//! user database is the test's: it says whom the peer is taken for.
use crate::room::Room;
use futures::StreamExt as _;
use payout_proto::v1::{self, control_client::ControlClient, watch_frame::Frame};
use payout_shared::roles::{Action, Role, RoleGroups, Roles, allows};
use payoutd::doors::control::{Lookup, Person};
use std::sync::{Arc, Mutex};
use tonic::{Code, Status, transport::Channel};

const NOW: &str = "2026-12-01T06:00:00Z";
/// Nobody's: neither root's nor that of whoever runs the tests.
const UID: u32 = 3_999_999_999;
/// Past the age at which groups are looked up again.
const LATER_MS: i64 = 31_000;

fn groups() -> RoleGroups {
    RoleGroups::new(Role::ALL.into_iter().map(|role| (role, format!("payout-{}", role.as_str()))).collect())
}

/// A room whose peer is `oncall(3999999999)`, in the groups that the mutex holds.
async fn room() -> (Room, Arc<Mutex<Vec<String>>>) {
    let member = Arc::new(Mutex::new(Vec::<String>::new()));
    let known = Arc::clone(&member);
    let lookup = Lookup::by(move |_, wanted| {
        let groups = known.lock().unwrap().iter().filter(|group| wanted.contains(group)).cloned().collect();
        Ok(Person { uid: UID, name: Some("oncall".to_owned()), groups })
    });
    let room = Room { roles: Some((groups(), lookup)), ..Room::at(NOW).await };
    (room, member)
}

fn become_(room: &Room, member: &Mutex<Vec<String>>, role: Option<Role>) {
    *member.lock().unwrap() = role.map(|role| format!("payout-{}", role.as_str())).into_iter().collect();
    room.hand.advance(LATER_MS);
}

/// Every call with a request that does as little as can be, and what it answered.
async fn all_calls(mut c: ControlClient<Channel>) -> Vec<(&'static str, Action, Result<(), Status>)> {
    let reason = || "test".to_owned();
    let run = || v1::StartRunRequest { creator_ids: vec!["ghost".to_owned()], ..v1::StartRunRequest::default() };
    let chunks = || futures::stream::iter([v1::ImportChunk::default()]);
    vec![
        ("GetStatus", Action::Read, c.get_status(v1::GetStatusRequest {}).await.map(drop)),
        ("StartRun", Action::Start, c.start_run(run()).await.map(drop)),
        ("DryRun", Action::Read, c.dry_run(v1::DryRunRequest::default()).await.map(drop)),
        ("ListRuns", Action::Read, c.list_runs(v1::ListRunsRequest::default()).await.map(drop)),
        ("ShowRun", Action::Read, c.show_run(v1::ShowRunRequest::default()).await.map(drop)),
        ("Pause", Action::Pause, c.pause(v1::PauseRequest { run: String::new(), reason: reason() }).await.map(drop)),
        (
            "Resume",
            Action::Resume,
            c.resume(v1::ResumeRequest { run: String::new(), reason: reason() }).await.map(drop),
        ),
        ("ListPayouts", Action::Read, c.list_payouts(v1::ListPayoutsRequest::default()).await.map(drop)),
        ("ShowPayout", Action::Read, c.show_payout(v1::ShowPayoutRequest::default()).await.map(drop)),
        ("ImportEarnings", Action::Import, c.import_earnings(chunks()).await.map(drop)),
        ("GetSchedule", Action::Read, c.get_schedule(v1::GetScheduleRequest::default()).await.map(drop)),
        (
            "SetSchedule",
            Action::Arm,
            c.set_schedule(v1::SetScheduleRequest { armed: false, reason: reason() }).await.map(drop),
        ),
        ("CheckBooks", Action::Read, c.check_books(v1::CheckBooksRequest {}).await.map(drop)),
        ("ListCreators", Action::Read, c.list_creators(v1::ListCreatorsRequest::default()).await.map(drop)),
        ("ShowCreator", Action::CreatorDetails, c.show_creator(v1::ShowCreatorRequest::default()).await.map(drop)),
        ("Hold", Action::Hold, c.hold(v1::HoldRequest::default()).await.map(drop)),
        ("Release", Action::Hold, c.release(v1::ReleaseRequest::default()).await.map(drop)),
        ("ListPolicies", Action::Read, c.list_policies(v1::ListPoliciesRequest {}).await.map(drop)),
        ("SetPolicy", Action::SetPolicy, c.set_policy(v1::SetPolicyRequest::default()).await.map(drop)),
        ("PolicyHistory", Action::Read, c.policy_history(v1::PolicyHistoryRequest::default()).await.map(drop)),
        ("ListCohorts", Action::Read, c.list_cohorts(v1::ListCohortsRequest {}).await.map(drop)),
        ("ShowCohort", Action::Read, c.show_cohort(v1::ShowCohortRequest::default()).await.map(drop)),
        ("CreateCohort", Action::Rollout, c.create_cohort(v1::CreateCohortRequest::default()).await.map(drop)),
        ("ChangeMembers", Action::Rollout, c.change_members(v1::ChangeMembersRequest::default()).await.map(drop)),
        ("SampleCohort", Action::Read, c.sample_cohort(v1::SampleCohortRequest::default()).await.map(drop)),
        ("OpenCohort", Action::Rollout, c.open_cohort(v1::OpenCohortRequest::default()).await.map(drop)),
        ("CloseCohort", Action::Rollout, c.close_cohort(v1::CloseCohortRequest::default()).await.map(drop)),
        ("JudgeCohort", Action::Read, c.judge_cohort(v1::JudgeCohortRequest::default()).await.map(drop)),
        ("TagCreator", Action::Rollout, c.tag_creator(v1::TagCreatorRequest::default()).await.map(drop)),
        ("UseAccount", Action::Correct, c.use_account(v1::UseAccountRequest::default()).await.map(drop)),
        ("Adopt", Action::Correct, c.adopt(v1::AdoptRequest::default()).await.map(drop)),
        ("ListForeign", Action::Read, c.list_foreign(v1::ListForeignRequest::default()).await.map(drop)),
        ("ListRequests", Action::Read, c.list_requests(v1::ListRequestsRequest::default()).await.map(drop)),
        ("Approve", Action::Approve, c.approve(v1::ApproveRequest::default()).await.map(drop)),
        ("Reject", Action::Approve, c.reject(v1::RejectRequest::default()).await.map(drop)),
        ("AskOverride", Action::Ask, c.ask_override(v1::AskOverrideRequest::default()).await.map(drop)),
        ("AskAdjustment", Action::Ask, c.ask_adjustment(v1::AskAdjustmentRequest::default()).await.map(drop)),
        ("AskNotPaid", Action::Ask, c.ask_not_paid(v1::AskNotPaidRequest::default()).await.map(drop)),
        ("Watch", Action::Read, c.watch(v1::WatchRequest::default()).await.map(drop)),
    ]
}

#[tokio::test]
async fn every_call_is_open_to_exactly_the_roles_of_the_table() {
    let (room, member) = room().await;
    let client = room.client().await;
    for role in Role::ALL {
        become_(&room, &member, Some(role));
        for (rpc, action, answer) in all_calls(client.clone()).await {
            let refused = answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied);
            assert_eq!(refused, !allows(role, action), "{rpc} by {role:?}: {answer:?}");
        }
    }
    become_(&room, &member, None);
    for (rpc, _, answer) in all_calls(client).await {
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied, "{rpc} by nobody");
    }
}

#[tokio::test]
async fn a_refusal_names_the_person_the_roles_and_the_groups_and_changes_nothing() {
    let (room, member) = room().await;
    become_(&room, &member, Some(Role::Support));
    let head = room.store().journal_head().await.unwrap();
    let mut client = room.client().await;
    let refused = client.pause(v1::PauseRequest { run: String::new(), reason: "x".to_owned() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.message(),
        "oncall(3999999999) is support; to pause the role operator or admin is needed \
         (group payout-operator gives operator, group payout-admin gives admin)"
    );
    assert_eq!(room.store().journal_head().await.unwrap(), head);
    assert!(!room.store().state().await.unwrap().paused);
}

#[tokio::test]
async fn who_may_see_is_told_what_they_are_by_status_and_by_the_stream() {
    let (room, member) = room().await;
    become_(&room, &member, Some(Role::Operator));
    member.lock().unwrap().push("payout-approver".to_owned());
    room.hand.advance(LATER_MS);
    let mut client = room.client().await;
    let daemon = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().daemon.unwrap();
    assert_eq!((daemon.you.as_str(), daemon.role.as_str()), ("oncall(3999999999)", "operator+approver"));
    assert!(Roles::parse(&daemon.role).unwrap().allow(Action::Approve));
    let mut frames = client.watch(v1::WatchRequest::default()).await.unwrap().into_inner();
    let Some(Frame::Snapshot(live)) = frames.next().await.unwrap().unwrap().frame else { panic!("a snapshot first") };
    assert_eq!(live.daemon.unwrap().role, "operator+approver");
}

#[tokio::test]
async fn a_name_service_that_is_down_does_not_lock_the_daemons_own_user_out() {
    let lookup = Lookup::by(|_, _| Err("the directory is down".to_owned()));
    let room = Room { roles: Some((groups(), lookup)), ..Room::at(NOW).await };
    let status = room.client().await.get_status(v1::GetStatusRequest {}).await;
    assert_eq!(status.unwrap().into_inner().daemon.unwrap().role, "admin", "the peer is this process");
}

#[tokio::test]
async fn a_call_that_the_table_does_not_know_is_refused() {
    let (room, member) = room().await;
    become_(&room, &member, Some(Role::Admin));
    let mut grpc = tonic::client::Grpc::new(room.channel().await);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::GetStatusRequest, v1::GetStatusReply>::default();
    let path = http::uri::PathAndQuery::from_static("/payoutd.v1.Control/StealEverything");
    let answer = grpc.unary(tonic::Request::new(v1::GetStatusRequest {}), path, codec).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
}
