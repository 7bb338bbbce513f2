//! Policies over the control socket: listed with what is in force, set with a reason, refused with a sentence.
use crate::room::Room;
use payout_proto::v1;
use tonic::Code;

const NOW: &str = "2026-12-01T06:00:00Z";

fn set(name: &str, value: &str) -> v1::SetPolicyRequest {
    v1::SetPolicyRequest {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: "the board said so".to_owned(),
        effective_from: String::new(),
    }
}

#[tokio::test]
async fn every_policy_is_listed_with_its_value_in_force_and_what_is_to_come() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    let reply = client.set_policy(set("Cap.usd", "5").clone()).await.unwrap_err();
    assert_eq!(reply.code(), Code::InvalidArgument);
    let done = client.set_policy(set("cap.USD", "5000")).await.unwrap().into_inner();
    let policy = done.policy.unwrap();
    assert_eq!(
        (policy.name.as_str(), policy.value.as_str(), policy.words.as_str(), policy.source.as_str()),
        ("cap.usd", "5000.00", "5,000.00 USD", "person")
    );
    assert!(policy.set_by.starts_with("user:") && policy.reason == "the board said so" && done.seq > 0);
    let later = v1::SetPolicyRequest { effective_from: "2026-12-15T00:00:00Z".to_owned(), ..set("hold_days", "7") };
    client.set_policy(later).await.unwrap();
    let listed = client.list_policies(v1::ListPoliciesRequest {}).await.unwrap().into_inner();
    let value = |name: &str| listed.policies.iter().find(|part| part.name == name).map(|part| part.value.as_str());
    for (name, shown) in [
        ("cap.usd", "5000.00"),
        ("minimum.usd", "10.00"),
        ("hold_days", "0"),
        ("short", "fifo"),
        ("drift_tolerance.<cur>", "none"),
        ("fee_percent", "10"),
    ] {
        assert_eq!(value(name), Some(shown), "{name}");
    }
    assert_eq!((listed.coming.len(), listed.coming[0].name.as_str()), (1, "hold_days"));
    let ask = |name: &str| v1::PolicyHistoryRequest { name: name.to_owned() };
    let days = client.policy_history(ask("hold_days")).await.unwrap().into_inner().versions;
    assert_eq!(days.iter().map(|part| part.value.as_str()).collect::<Vec<_>>(), ["0", "7"]);
    assert_eq!(client.policy_history(ask("hold_dayz")).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(client.policy_history(ask("")).await.unwrap().into_inner().versions.len() > 2);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_with_a_sentence_and_changes_nothing() {
    let room = Room::at(NOW).await;
    let mut client = room.client().await;
    let head = room.store().journal_head().await.unwrap();
    let past = v1::SetPolicyRequest { effective_from: "2026-11-30T00:00:00Z".to_owned(), ..set("hold_days", "7") };
    let never = v1::SetPolicyRequest { effective_from: "tomorrow".to_owned(), ..set("hold_days", "7") };
    let silent = v1::SetPolicyRequest { reason: " ".to_owned(), ..set("hold_days", "7") };
    for (request, code, why) in [
        (past, Code::FailedPrecondition, "for the past"),
        (never, Code::InvalidArgument, "is not a moment"),
        (silent, Code::InvalidArgument, "a reason is needed"),
        (set("hold_days", "many"), Code::InvalidArgument, "a number of days from 0 to 713"),
        (set("reserve_days", "80"), Code::FailedPrecondition, "90 days"),
        (set("luck", "7"), Code::InvalidArgument, "there are minimum"),
    ] {
        let refused = client.set_policy(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(why), "{}", refused.message());
    }
    assert_eq!(room.store().journal_head().await.unwrap(), head);
}
