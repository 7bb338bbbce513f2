//! What needs two people: the list, a yes, a no, and the two things that a person can ask for by name.
use super::{ControlDoor, words};
use crate::{
    desk::asked::sentence,
    store::{
        door_types::{Approved, NewRequest, RequestRow},
        types::By,
    },
};
use jiff::civil::Date;
use payout_proto::v1;
use payout_shared::{
    approval::RequestKind,
    attempt::AttemptKind,
    currency::Currency,
    earning::EarningKind,
    id::{CreatorId, PayoutId},
    money::Money,
    payout::PayoutState,
    plan::{Decision, SkipReason},
};
use serde_json::json;
use tonic::Status;

const REQUESTS_DEFAULT: i64 = 100;
const REQUESTS_MAX: i64 = 1_000;
/// Purses of one creator.
const PURSES: i64 = 1_000;

fn part(row: RequestRow) -> v1::RequestPart {
    let yes = row.approvals.iter().map(|yes| v1::YesPart {
        by: yes.by.clone(),
        reason: yes.reason.clone(),
        at_ms: yes.at_ms,
    });
    v1::RequestPart {
        approvals: yes.collect(),
        sentence: sentence(&row),
        id: row.id,
        kind: row.kind.as_str().to_owned(),
        subject: row.subject,
        detail: row.detail,
        hash: row.hash,
        state: row.state.as_str().to_owned(),
        requested_by: row.requested_by,
        reason: row.reason,
        created_at_ms: row.created_at_ms,
        decided_at_ms: row.decided_at_ms.unwrap_or_default(),
        decided_by: row.decided_by.unwrap_or_default(),
        decided_why: row.decided_why.unwrap_or_default(),
    }
}

fn decided(done: Approved) -> v1::DecideReply {
    v1::DecideReply { request: Some(part(done.request)), seq: done.seq }
}

/// The newest requests.
pub(super) async fn list(
    door: &ControlDoor,
    request: &v1::ListRequestsRequest,
) -> Result<v1::ListRequestsReply, Status> {
    let limit = if request.limit <= 0 { REQUESTS_DEFAULT } else { request.limit.min(REQUESTS_MAX) };
    let rows = door.desk.store.requests(request.all, limit).await.map_err(|error| words::status(&error))?;
    Ok(v1::ListRequestsReply { requests: rows.into_iter().map(part).collect() })
}

/// A yes; the second one does it.
pub(super) async fn approve(
    door: &ControlDoor,
    by: &By,
    request: &v1::ApproveRequest,
) -> Result<v1::DecideReply, Status> {
    let reason = words::reason(&request.reason, "approve")?;
    if request.hash.trim().is_empty() {
        return Err(Status::invalid_argument("the hash of what is asked is needed: payout requests shows it"));
    }
    let (id, hash) = (request.request.trim(), request.hash.trim());
    let done = door.desk.store.approve(id, hash, by, &reason).await;
    // Also when it was refused: what has changed may be asked anew.
    door.recorded();
    let done = done.map_err(|error| words::status(&error))?;
    tracing::info!(%by, reason, "request {id} is approved by one person and {}", done.request.state.as_str());
    Ok(decided(done))
}

/// A no.
pub(super) async fn reject(
    door: &ControlDoor,
    by: &By,
    request: &v1::RejectRequest,
) -> Result<v1::DecideReply, Status> {
    let reason = words::reason(&request.reason, "reject")?;
    let id = request.request.trim();
    let done = door.desk.store.reject(id, by, &reason).await.map_err(|error| words::status(&error))?;
    door.recorded();
    tracing::info!(%by, reason, "request {id} is rejected");
    Ok(decided(done))
}

async fn open(
    door: &ControlDoor,
    by: &By,
    kind: RequestKind,
    subject: &str,
    detail: serde_json::Value,
    reason: String,
) -> Result<v1::DecideReply, Status> {
    let by = by.to_string();
    let uid = By::uid_in(&by);
    let new = NewRequest { kind, subject: subject.to_owned(), detail, by, uid, reason };
    let (request, seq) = door.desk.store.open_request(&new).await.map_err(|error| words::status(&error))?;
    door.recorded();
    tracing::info!(by = new.by, "request {} asks two people for: {}", request.id, sentence(&request));
    Ok(decided(Approved { request, seq }))
}

fn creator(id: &str) -> Result<CreatorId, Status> {
    match id.trim() {
        "" => Err(Status::invalid_argument("a creator's id is needed")),
        id => Ok(CreatorId::new(id)),
    }
}

fn amount(text: &str, currency: Currency) -> Result<Money, Status> {
    Money::parse_major(text.trim(), currency).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// Asks for one payout over the cap, or to a bank account that was changed lately: for what stands in the way of that cycle now.
pub(super) async fn ask_override(
    door: &ControlDoor,
    by: &By,
    request: v1::AskOverrideRequest,
) -> Result<v1::DecideReply, Status> {
    let creator = creator(&request.creator_id)?;
    let reason = words::reason(&request.reason, "ask for an override")?;
    let barred = match request.kind.as_str() {
        "cap" => SkipReason::OverCap,
        "bank_changed" => SkipReason::BankChanged,
        other => {
            return Err(Status::invalid_argument(format!("{other:?} is no override: there are cap and bank_changed")));
        }
    };
    let date: Date = request.cycle_date.trim().parse().map_err(|_| {
        Status::invalid_argument(format!("{:?} is not a date: write it as 2026-12-01", request.cycle_date))
    })?;
    let store = &door.desk.store;
    let now_ms = door.desk.clock.now_ms();
    let (cutoff_ms, instant_ms) = door.desk.settings.rules.cycle(date).map_or((now_ms, now_ms), |cycle| {
        (cycle.cutoff.as_millisecond().max(now_ms), cycle.instant.as_millisecond().max(now_ms))
    });
    let context = store.plan_context().await.map_err(|error| words::status(&error))?;
    let named = [creator.clone()];
    let page = store.preview_page(cutoff_ms, instant_ms, Some(&named), "", PURSES, &context).await;
    let mut purses = Vec::new();
    for purse in page.map_err(|error| words::status(&error))?.purses {
        if !matches!(&purse.decision, Decision::Skip { reason, .. } if *reason == barred) {
            continue;
        }
        let mut detail = json!({ "account": purse.account.as_str(), "currency": purse.currency.as_str() });
        if barred == SkipReason::OverCap {
            let up_to = match request.up_to.trim() {
                "" => purse.mature_minor,
                text => amount(text, purse.currency)?.minor,
            };
            detail["up_to_minor"] = up_to.into();
        } else {
            let account = store.account_facts(&purse.account).await.map_err(|error| words::status(&error))?;
            let bank = account.banks.into_iter().find(|(bank, _)| bank.currency == purse.currency);
            detail["destination"] = bank.map(|(bank, _)| bank.destination.to_string()).into();
        }
        purses.push(detail);
    }
    if purses.is_empty() {
        return Err(Status::failed_precondition(format!(
            "nothing of {creator} is skipped for {} in a run of {date} as things stand: payout creator {creator} says why",
            barred.as_str()
        )));
    }
    let detail =
        json!({ "override": request.kind, "creator": creator.as_str(), "cycle": date.to_string(), "purses": purses });
    open(door, by, RequestKind::Override, creator.as_str(), detail, reason).await
}

/// Asks for an adjustment, or for a debt to be given up.
pub(super) async fn ask_adjustment(
    door: &ControlDoor,
    by: &By,
    request: v1::AskAdjustmentRequest,
) -> Result<v1::DecideReply, Status> {
    let creator = creator(&request.creator_id)?;
    let reason = words::reason(&request.reason, "ask for an adjustment")?;
    let currency =
        Currency::parse(request.currency.trim()).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let amount = amount(&request.amount, currency)?;
    let transfer = request.transfer_id.trim();
    let kind = if request.write_off { EarningKind::DebtWriteoff } else { EarningKind::Adjustment };
    let wrong = match (kind, amount.minor) {
        (_, 0) => Some("an amount of 0 adjusts nothing"),
        (EarningKind::DebtWriteoff, ..0) => Some("a debt is written off by a positive amount"),
        (EarningKind::DebtWriteoff, _) if !transfer.is_empty() => Some("a debt is written off without a transfer"),
        (EarningKind::Adjustment, 1..) if transfer.is_empty() => Some(
            "a positive adjustment needs the platform's transfer that brings its money to the account: --transfer tr_…, and it counts once that is recorded",
        ),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(Status::invalid_argument(wrong));
    }
    let store = &door.desk.store;
    let context = store.plan_context().await.map_err(|error| words::status(&error))?;
    let show = store.show_creator(&creator, &context).await.map_err(|error| words::status(&error))?;
    let wanted = request.account_id.trim();
    let account = show
        .accounts
        .iter()
        .find(|row| if wanted.is_empty() { row.is_current } else { row.account.as_str() == wanted });
    let Some(account) = account else {
        let which = if wanted.is_empty() { "no current account".to_owned() } else { format!("no account {wanted}") };
        return Err(Status::failed_precondition(format!("{creator} has {which}: nothing was asked")));
    };
    let detail = json!({
        "kind": kind.as_str(), "creator": creator.as_str(), "account": account.account.as_str(),
        "amount": { "minor": amount.minor, "currency": currency.as_str() },
        "transfer": if transfer.is_empty() { serde_json::Value::Null } else { transfer.into() },
    });
    open(door, by, RequestKind::Adjustment, creator.as_str(), detail, reason).await
}

/// Asks two people to say that an unknown payout was not paid: it was looked for at least once, and nothing of it is on the wire.
pub(super) async fn ask_not_paid(
    door: &ControlDoor,
    by: &By,
    request: v1::AskNotPaidRequest,
) -> Result<v1::DecideReply, Status> {
    let payout = PayoutId::new(request.payout_id.trim());
    let reason = words::reason(&request.reason, "say that a payout was not paid")?;
    if payout.as_str().is_empty() {
        return Err(Status::invalid_argument("a payout's id is needed"));
    }
    let shown = door.desk.store.show_payout(&payout).await.map_err(|error| words::status(&error))?;
    let newest = shown.attempts.iter().rfind(|attempt| attempt.kind == AttemptKind::Create);
    let Some(newest) = newest.filter(|_| shown.row.state == PayoutState::Unknown) else {
        let state = shown.row.state.as_str().replace('_', " ");
        return Err(Status::failed_precondition(format!(
            "payout {payout} is {state}: only an unknown one is resolved by hand"
        )));
    };
    if newest.absent_listings == 0 {
        return Err(Status::failed_precondition(format!(
            "payout {payout} has not been looked for at Stripe yet: ask when a list didn't show it"
        )));
    }
    let detail = json!({
        "payout": payout.as_str(), "creator": shown.row.creator.as_str(), "account": shown.row.account.as_str(), "key": newest.key,
        "amount": { "minor": shown.row.amount.minor, "currency": shown.row.amount.currency.as_str() },
        "sends": newest.sends, "listings": newest.absent_listings,
    });
    open(door, by, RequestKind::NotPaid, payout.as_str(), detail, reason).await
}
