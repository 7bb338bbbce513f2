//! Policies: what is in force, every version, and a person's new one.
use super::{ControlDoor, words};
use crate::store::{door_types::PolicySetting, types::By};
use payout_proto::v1;
use payout_shared::policy::{Policy, PolicyHistory, PolicyName, PolicySet, PolicyValue, PolicyVersion, Scope};
use std::collections::BTreeSet;
use tonic::Status;

fn part(version: &PolicyVersion) -> v1::PolicyPart {
    v1::PolicyPart {
        source: version.source.as_str().to_owned(),
        set_by: version.set_by.clone(),
        reason: version.reason.clone(),
        effective_from_ms: version.effective_from_ms,
        created_at_ms: version.created_at_ms,
        version: version.id,
        ..bare(version.name, version.value)
    }
}

/// A value that no version says.
fn bare(name: PolicyName, value: PolicyValue) -> v1::PolicyPart {
    v1::PolicyPart {
        name: name.to_string(),
        value: value.text(name),
        words: value.words(name),
        unit: name.policy.measure().unit().to_owned(),
        source: "default".to_owned(),
        about: name.policy.reason().to_owned(),
        ..v1::PolicyPart::default()
    }
}

/// A policy per currency that has no value yet: how its name is written, and that nothing is set.
fn template(policy: Policy) -> v1::PolicyPart {
    v1::PolicyPart {
        name: policy.template(),
        value: "none".to_owned(),
        words: "none".to_owned(),
        unit: policy.measure().unit().to_owned(),
        source: "default".to_owned(),
        about: policy.reason().to_owned(),
        ..v1::PolicyPart::default()
    }
}

async fn all(door: &ControlDoor) -> Result<PolicyHistory, Status> {
    door.desk.store.policies().await.map_err(|error| words::status(&error))
}

/// What is in force now, in the order of the table, and what will be.
pub(super) async fn list(door: &ControlDoor) -> Result<v1::ListPoliciesReply, Status> {
    let history = all(door).await?;
    let now_ms = door.desk.clock.now_ms();
    let mut names: BTreeSet<PolicyName> = PolicySet::default().iter().map(|(name, _)| name).collect();
    names.extend(history.versions().iter().map(|version| version.name));
    let mut policies = Vec::new();
    for policy in Policy::ALL {
        let before = policies.len();
        for name in names.iter().filter(|name| name.policy == policy) {
            match history.in_force(*name, now_ms) {
                Some(version) => policies.push(part(version)),
                None if policy.scope() == Scope::Whole => policies.push(bare(*name, policy.default_value())),
                None => {}
            }
        }
        if policies.len() == before {
            policies.push(template(policy));
        }
    }
    let coming = history.versions().iter().filter(|version| version.effective_from_ms > now_ms);
    Ok(v1::ListPoliciesReply { policies, coming: coming.map(part).collect() })
}

/// Every version, of one policy or of all.
pub(super) async fn history(door: &ControlDoor, name: &str) -> Result<v1::PolicyHistoryReply, Status> {
    let wanted = match name.trim() {
        "" => None,
        name => Some(PolicyName::parse(name).map_err(Status::invalid_argument)?),
    };
    let history = all(door).await?;
    let versions = history.versions().iter().filter(|version| wanted.is_none_or(|name| version.name == name));
    Ok(v1::PolicyHistoryReply { versions: versions.map(part).collect() })
}

/// Appends a person's version.
pub(super) async fn set(
    door: &ControlDoor,
    by: &By,
    request: v1::SetPolicyRequest,
) -> Result<v1::SetPolicyReply, Status> {
    let name = PolicyName::parse(request.name.trim()).map_err(Status::invalid_argument)?;
    let value = PolicyValue::parse(name, &request.value).map_err(Status::invalid_argument)?;
    let reason = words::reason(&request.reason, "set a policy")?;
    let effective_from_ms = match request.effective_from.trim() {
        "" => None,
        text => Some(text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| {
            Status::invalid_argument(format!("{text:?} is not a moment: write it as 2026-12-01T00:00:00Z"))
        })?),
    };
    let setting = PolicySetting { name, value, effective_from_ms, reason };
    let seq = door.desk.store.set_policy(&setting, by).await.map_err(|error| words::status(&error))?;
    door.recorded();
    let said = value.words(name);
    tracing::info!(%by, reason = setting.reason, "the policy {name} is set to {said}");
    let history = all(door).await?;
    let written = history.versions().iter().filter(|version| version.name == name).max_by_key(|version| version.id);
    Ok(v1::SetPolicyReply { policy: written.map(part), seq })
}
