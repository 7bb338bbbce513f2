//! `payout requests | approve | reject | override | adjust`.
use super::{
    args,
    error::Error,
    json,
    session::{DEADLINE, Session},
};
use crate::text;
use payout_proto::v1;
use serde_json::{Value, json};

pub(super) async fn list(session: &Session, all: bool) -> Result<(), Error> {
    let mut client = session.client().await?;
    let request = v1::ListRequestsRequest { all, limit: 0 };
    let reply = session.ask("requests", request, DEADLINE, |q| async move { client.list_requests(q).await }).await?;
    session.print(
        || json!({"requests": reply.requests.iter().map(document).collect::<Vec<_>>()}),
        || {
            if reply.requests.is_empty() {
                return vec![
                    if all { "nobody ever asked for anything" } else { "nothing waits for anybody" }.to_owned(),
                ];
            }
            let mut out = Vec::new();
            for part in &reply.requests {
                if !out.is_empty() {
                    out.push(String::new());
                }
                out.extend(lines(part));
            }
            out
        },
    )
}

pub(super) async fn approve(session: &Session, request: v1::ApproveRequest) -> Result<(), Error> {
    let tried = format!("approval of {}", request.request);
    let mut client = session.acting(&tried).await?;
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.approve(q).await }).await?;
    decided(session, &tried, reply)
}

pub(super) async fn reject(session: &Session, request: v1::RejectRequest) -> Result<(), Error> {
    let tried = format!("rejection of {}", request.request);
    let mut client = session.acting(&tried).await?;
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.reject(q).await }).await?;
    decided(session, &tried, reply)
}

pub(super) async fn ask_override(session: &Session, asked: args::Override) -> Result<(), Error> {
    let tried = format!("override for {}", asked.creator);
    let mut client = session.acting(&tried).await?;
    let request = v1::AskOverrideRequest {
        creator_id: asked.creator,
        kind: if asked.cap { "cap" } else { "bank_changed" }.to_owned(),
        cycle_date: asked.cycle,
        up_to: asked.up_to,
        reason: asked.reason.reason,
    };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.ask_override(q).await }).await?;
    decided(session, &tried, reply)
}

pub(super) async fn ask_adjustment(session: &Session, asked: args::Adjust) -> Result<(), Error> {
    let tried = format!("adjustment for {}", asked.creator);
    let mut client = session.acting(&tried).await?;
    let request = v1::AskAdjustmentRequest {
        creator_id: asked.creator,
        amount: asked.amount,
        currency: asked.currency,
        account_id: asked.account,
        transfer_id: asked.transfer,
        write_off: asked.write_off,
        reason: asked.reason.reason,
    };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.ask_adjustment(q).await }).await?;
    decided(session, &tried, reply)
}

pub(super) async fn ask_not_paid(session: &Session, payout: String, reason: String) -> Result<(), Error> {
    let tried = format!("resolve {payout} --not-paid");
    let mut client = session.acting(&tried).await?;
    let request = v1::AskNotPaidRequest { payout_id: payout, reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.ask_not_paid(q).await }).await?;
    decided(session, &tried, reply)
}

fn decided(session: &Session, tried: &str, reply: v1::DecideReply) -> Result<(), Error> {
    let seq = reply.seq;
    let part = reply.request.ok_or_else(|| Error::failed(format!("{tried}: the daemon's answer has no request")))?;
    session.print(
        || json!({"request": document(&part), "seq": seq}),
        || {
            let mut out = lines(&part);
            if part.state == "open" {
                let id = text::shell_word(&part.id);
                out.push(format!("another person agrees with: payout approve {id} --hash {} --reason …", part.hash));
            }
            out
        },
    )
}

fn lines(part: &v1::RequestPart) -> Vec<String> {
    let mut out = vec![
        format!("{}  {}  hash {}", part.id, part.state.to_uppercase(), part.hash),
        format!("  {}", part.sentence),
        format!("  asked by {} at {}: {}", part.requested_by, text::moment(part.created_at_ms), part.reason),
    ];
    for yes in &part.approvals {
        out.push(format!("  approved by {} at {}: {}", yes.by, text::moment(yes.at_ms), yes.reason));
    }
    if part.decided_at_ms > 0 {
        let at = text::moment(part.decided_at_ms);
        out.push(format!("  {} by {} at {at}: {}", part.state, part.decided_by, part.decided_why));
    }
    out
}

fn document(part: &v1::RequestPart) -> Value {
    let detail = serde_json::from_str(&part.detail).unwrap_or(Value::Null);
    let yes: Vec<Value> = part
        .approvals
        .iter()
        .map(|yes| json!({"by": yes.by, "reason": yes.reason, "at": json::time(yes.at_ms)}))
        .collect();
    json!({
        "id": part.id, "kind": part.kind, "subject": part.subject, "detail": detail, "hash": part.hash, "state": part.state,
        "requested_by": part.requested_by, "reason": part.reason, "created_at": json::time(part.created_at_ms),
        "approvals": yes, "decided_at": json::time(part.decided_at_ms), "decided_by": json::word(&part.decided_by),
        "decided_why": json::word(&part.decided_why), "sentence": part.sentence,
    })
}
