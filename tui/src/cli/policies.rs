//! `payout policy list | set | history`.
use super::{
    args,
    error::Error,
    json,
    session::{DEADLINE, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: args::Policy) -> Result<(), Error> {
    match command {
        args::Policy::List => list(session).await,
        args::Policy::Set { name, value, reason, from } => {
            let request = v1::SetPolicyRequest { name, value, reason: reason.reason, effective_from: from };
            set(session, request).await
        }
        args::Policy::History { name } => history(session, name).await,
    }
}

async fn list(session: &Session) -> Result<(), Error> {
    let mut client = session.client().await?;
    let request = v1::ListPoliciesRequest {};
    let reply = session.ask("policy list", request, DEADLINE, |q| async move { client.list_policies(q).await }).await?;
    session.print(
        || {
            json!({
                "policies": reply.policies.iter().map(document).collect::<Vec<_>>(),
                "coming": reply.coming.iter().map(document).collect::<Vec<_>>(),
            })
        },
        || {
            let titles = [
                ("POLICY", Align::Left),
                ("VALUE", Align::Right),
                ("SINCE", Align::Left),
                ("BY", Align::Left),
                ("WHAT IT DOES", Align::Left),
            ];
            let row = |p: &v1::PolicyPart| vec![p.name.clone(), p.words.clone(), since(p), who(p), p.about.clone()];
            let mut out = table(&titles, &reply.policies.iter().map(row).collect::<Vec<_>>());
            if !reply.coming.is_empty() {
                out.push(String::new());
                out.push("to come:".to_owned());
                out.extend(versions(&reply.coming));
            }
            out
        },
    )
}

async fn history(session: &Session, name: String) -> Result<(), Error> {
    let mut client = session.client().await?;
    let request = v1::PolicyHistoryRequest { name };
    let reply =
        session.ask("policy history", request, DEADLINE, |q| async move { client.policy_history(q).await }).await?;
    session.print(
        || json!({"versions": reply.versions.iter().map(document).collect::<Vec<_>>()}),
        || {
            if reply.versions.is_empty() { vec!["it was never set".to_owned()] } else { versions(&reply.versions) }
        },
    )
}

async fn set(session: &Session, request: v1::SetPolicyRequest) -> Result<(), Error> {
    let tried = format!("policy set {}", request.name);
    let mut client = session.acting(&tried).await?;
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.set_policy(q).await }).await?;
    let policy = reply.policy.ok_or_else(|| Error::failed(format!("{tried}: the daemon's answer has no policy")))?;
    session.print(
        || json!({"policy": document(&policy), "seq": reply.seq}),
        || {
            let from = text::moment(policy.effective_from_ms);
            vec![format!("{} is {} from {from} on (#{})", policy.name, policy.words, reply.seq)]
        },
    )
}

fn since(p: &v1::PolicyPart) -> String {
    if p.effective_from_ms == 0 { "always".to_owned() } else { text::moment(p.effective_from_ms) }
}

fn who(p: &v1::PolicyPart) -> String {
    if p.source == "person" { p.set_by.clone() } else { p.source.clone() }
}

fn versions(versions: &[v1::PolicyPart]) -> Vec<String> {
    let titles = [
        ("POLICY", Align::Left),
        ("VALUE", Align::Right),
        ("FROM", Align::Left),
        ("BY", Align::Left),
        ("WRITTEN", Align::Left),
        ("REASON", Align::Left),
    ];
    let row = |p: &v1::PolicyPart| {
        vec![p.name.clone(), p.words.clone(), since(p), who(p), text::moment(p.created_at_ms), p.reason.clone()]
    };
    table(&titles, &versions.iter().map(row).collect::<Vec<_>>())
}

fn document(p: &v1::PolicyPart) -> Value {
    json!({
        "name": p.name, "value": p.value, "unit": json::word(&p.unit), "source": p.source, "set_by": json::word(&p.set_by),
        "reason": json::word(&p.reason), "effective_from": json::time(p.effective_from_ms),
        "created_at": json::time(p.created_at_ms), "version": p.version, "about": p.about,
    })
}
