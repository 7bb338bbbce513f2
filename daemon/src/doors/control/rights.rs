//! Who may ask what: one table of the API's calls, and the gate before all of them. A call that isn't in the table is refused.
//!
//! The gate stands before the service, so that no call can forget it: it judges the peer once and hands the judgement on.
use super::who::{Caller, People};
use payout_shared::roles::Action;
use std::{
    convert::Infallible,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{Status, body::Body, server::NamedService, transport::server::UdsConnectInfo};
use tower::Service;

/// Every call, and what it is for roles.
const RPCS: [(&str, Action); 44] = [
    ("GetStatus", Action::Read),
    ("StartRun", Action::Start),
    ("DryRun", Action::Read),
    ("ListRuns", Action::Read),
    ("ShowRun", Action::Read),
    ("Pause", Action::Pause),
    ("Resume", Action::Resume),
    ("ListPayouts", Action::Read),
    ("ShowPayout", Action::Read),
    ("ImportEarnings", Action::Import),
    ("GetSchedule", Action::Read),
    ("SetSchedule", Action::Arm),
    ("CheckBooks", Action::Read),
    ("ListCreators", Action::Read),
    ("ShowCreator", Action::CreatorDetails),
    ("Hold", Action::Hold),
    ("Release", Action::Hold),
    ("ResolvePaid", Action::Correct),
    ("Adopt", Action::Correct),
    ("ListForeign", Action::Read),
    ("RetryPayouts", Action::Correct),
    ("ListPolicies", Action::Read),
    ("SetPolicy", Action::SetPolicy),
    ("PolicyHistory", Action::Read),
    ("ListCohorts", Action::Read),
    ("ShowCohort", Action::Read),
    ("CreateCohort", Action::Rollout),
    ("ChangeMembers", Action::Rollout),
    ("SampleCohort", Action::Read),
    ("OpenCohort", Action::Rollout),
    ("CloseCohort", Action::Rollout),
    ("JudgeCohort", Action::Read),
    ("TagCreator", Action::Rollout),
    ("UseAccount", Action::Correct),
    ("PreviewRollback", Action::Read),
    ("ConfirmRollback", Action::Correct),
    ("AbortRun", Action::Correct),
    ("ListRequests", Action::Read),
    ("Approve", Action::Approve),
    ("Reject", Action::Approve),
    ("AskOverride", Action::Ask),
    ("AskAdjustment", Action::Ask),
    ("AskNotPaid", Action::Ask),
    ("Watch", Action::Read),
];

fn action(path: &str) -> Option<Action> {
    let name = path.rsplit('/').next()?;
    RPCS.iter().find(|(rpc, _)| *rpc == name).map(|(_, action)| *action)
}

/// The peer's user, as the kernel says it.
fn uid<B>(request: &http::Request<B>) -> Option<u32> {
    Some(request.extensions().get::<UdsConnectInfo>()?.peer_cred?.uid())
}

/// May this peer make this call? Then this is who it is.
async fn admit(people: &People, path: &str, uid: Option<u32>) -> Result<Caller, Status> {
    let uid = uid
        .ok_or_else(|| Status::unauthenticated("the kernel doesn't say who is at the other end of this connection"))?;
    let Some(action) = action(path) else {
        return Err(Status::unimplemented(format!("{path} is no call of this daemon")));
    };
    let caller = people.caller(uid).await;
    if caller.roles.allow(action) {
        return Ok(caller);
    }
    Err(refused(people, &caller, action, path))
}

fn refused(people: &People, caller: &Caller, action: Action, what: &str) -> Status {
    let mut why = people.groups().refusal(&caller.you(), &caller.roles, action);
    if let Some(unknown) = &caller.unknown {
        why = format!("{why}; whose groups could not be looked up: {unknown}");
    }
    tracing::warn!(by = %caller.by, rpc = what, "refused: {why}");
    Status::permission_denied(why)
}

impl People {
    /// May who was let in by the gate also do this, which the call's contents ask for?
    pub(super) fn also(&self, caller: &Caller, action: Action) -> Result<(), Status> {
        if caller.roles.allow(action) { Ok(()) } else { Err(refused(self, caller, action, action.words())) }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub(super) struct Gated<S> {
    service: S,
    people: People,
}

impl<S> Gated<S> {
    pub(super) const fn new(service: S, people: People) -> Self {
        Self { service, people }
    }
}

impl<S: NamedService> NamedService for Gated<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Gated<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        // The one that said it is ready is the one to be called.
        let fresh = self.service.clone();
        let mut service = mem::replace(&mut self.service, fresh);
        let (people, path, uid) = (self.people.clone(), request.uri().path().to_owned(), uid(&request));
        Box::pin(async move {
            match admit(&people, &path, uid).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    service.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::who::Lookup;
    use super::*;
    use crate::clock::Clock;
    use payout_shared::roles::{Role, RoleGroups};
    use std::collections::BTreeSet;
    use tonic::Code;

    #[test]
    fn every_call_of_the_api_is_in_the_table_and_nothing_else() {
        let set: prost_types::FileDescriptorSet = prost::Message::decode(payout_proto::DESCRIPTORS).unwrap();
        let methods = set.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
        let calls: BTreeSet<&str> = methods.map(|method| method.name()).collect();
        let table: BTreeSet<&str> = RPCS.iter().map(|(rpc, _)| *rpc).collect();
        assert_eq!(calls, table);
        assert_eq!(RPCS.len(), table.len(), "each once");
    }

    #[test]
    fn a_call_is_found_by_its_path_and_an_unknown_one_is_not() {
        assert_eq!(action("/payoutd.v1.Control/Pause"), Some(Action::Pause));
        assert_eq!(action("/payoutd.v1.Control/Resume"), Some(Action::Resume));
        for path in ["/payoutd.v1.Control/Nothing", "/payoutd.v1.Control/", "", "/"] {
            assert_eq!(action(path), None, "{path}");
        }
    }

    #[tokio::test]
    async fn whose_groups_cannot_be_looked_up_may_do_nothing_and_is_told_why() {
        let groups = RoleGroups::new([(Role::Admin, "admins".to_owned())].into());
        let people =
            People::new(groups, Lookup::by(|_, _| Err("the directory is down".to_owned())), Clock::manual(0).0);
        let stranger = 4_000_000_001;
        for (rpc, action) in RPCS {
            let refused = admit(&people, &format!("/payoutd.v1.Control/{rpc}"), Some(stranger)).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{rpc}");
            assert!(refused.message().contains("the directory is down"), "{rpc}: {}", refused.message());
            assert!(people.also(&people.caller(stranger).await, action).is_err(), "{rpc}");
        }
        assert_eq!(
            admit(&people, "/payoutd.v1.Control/GetStatus", None).await.unwrap_err().code(),
            Code::Unauthenticated
        );
    }
}
