//! The JSON that scripts read: stable snake_case names, money as minor units with a currency, times in RFC 3339 UTC.
use crate::text;
use payout_proto::v1;
use serde_json::{Value, json};

pub(super) fn time(ms: i64) -> Value {
    text::rfc3339(ms).map_or(Value::Null, Value::String)
}

pub(super) fn word(words: &str) -> Value {
    if words.is_empty() { Value::Null } else { Value::String(words.to_owned()) }
}

pub(super) fn money(minor: i64, currency: &str) -> Value {
    json!({"minor": minor, "currency": currency})
}

fn amount(money_of: Option<&v1::Money>) -> Value {
    money_of.map_or(Value::Null, |m| money(m.minor, &m.currency))
}

pub(super) fn daemon(d: &v1::DaemonPart) -> Value {
    json!({
        "version": d.version, "mode": d.mode, "hostname": d.hostname, "database": d.database, "leader": d.leader,
        "paused": d.paused, "pausing": d.pausing, "pause_reason": word(&d.pause_reason), "paused_by": word(&d.paused_by),
        "armed": d.armed, "next_run_at": word(&d.next_run_at), "next_cycle_date": word(&d.next_cycle_date),
        "timezone": d.timezone, "degraded": d.degraded, "now": time(d.now_ms), "you": d.you, "role": word(&d.role),
        "last_webhook_at": time(d.last_webhook_ms), "inbox_backlog": d.inbox_backlog,
        "create_rate": d.create_rate, "create_concurrency": d.create_concurrency,
        "cohorts": {"open": d.cohorts_open, "total": d.cohorts}, "drifting": d.drifting, "open_requests": d.open_requests,
        "kept_back": d.kept_back,
        "sweeps": d.sweeps.iter().map(sweep).collect::<Vec<_>>(),
    })
}

fn sweep(s: &v1::SweepPart) -> Value {
    json!({
        "kind": s.kind, "ended_at": time(s.ended_at_ms), "swept_to": time(s.swept_ms), "awaited": s.awaited,
        "under_way": s.under_way, "wanted_from": time(s.wanted_from_ms),
    })
}

pub(super) fn cohort(c: &v1::CohortPart) -> Value {
    json!({
        "name": c.name, "kind": c.kind, "tag": word(&c.tag), "open": c.open, "opened_at": time(c.opened_at_ms),
        "percent_bp": if c.percent_bp > 0 { json!(c.percent_bp) } else { Value::Null }, "closed_at": time(c.closed_at_ms),
        "created_by": c.created_by, "created_at": time(c.created_at_ms),
        "creators": if c.members < 0 { Value::Null } else { json!(c.members) },
    })
}

pub(super) fn judged(j: &v1::JudgedPart) -> Value {
    let bp = |bp: i64| if bp < 0 { Value::Null } else { json!(bp) };
    let amounts: Vec<Value> = j
        .amounts
        .iter()
        .map(|a| {
            let money = |minor| money(minor, &a.currency);
            json!({"paid": money(a.paid_minor), "failed": money(a.failed_minor), "success_bp": bp(a.success_bp)})
        })
        .collect();
    json!({
        "cohort": j.cohort.as_ref().map(cohort), "since": time(j.since_ms), "paid": j.paid, "failed": j.failed,
        "undecided": j.undecided, "success_bp": bp(j.success_bp), "amounts": amounts, "passed": j.passed,
        "verdict": j.verdict, "sentence": j.sentence,
    })
}

pub(super) fn sampled(p: &v1::Sampled) -> Value {
    json!({"creator_id": p.creator_id, "country": p.country, "quarter": p.quarter, "earned": amount(p.earned.as_ref())})
}

pub(super) fn run(r: &v1::RunPart) -> Value {
    let progress: Vec<Value> = r
        .money
        .iter()
        .map(|m| json!({"total": money(m.total_minor, &m.currency), "sent": money(m.sent_minor, &m.currency)}))
        .collect();
    json!({
        "id": r.id, "label": r.label, "state": r.state, "kind": r.kind, "created_at": time(r.created_at_ms),
        "started_at": time(r.started_at_ms), "finished_at": time(r.finished_at_ms), "in_flight": r.in_flight,
        "payouts": r.payouts, "answered": r.answered, "purses": r.purses, "skipped": r.skipped, "to_plan": r.to_plan,
        "to_read": r.to_read, "reads": {"used": r.reads, "budget": r.reads_budget}, "stripe_short": r.stripe_short,
        "reversals_to_approve": r.reversals_to_approve,
        "requested_by": word(&r.requested_by), "reason": word(&r.reason), "pause_reason": word(&r.pause_reason),
        "paused_by": word(&r.paused_by), "eta": time(r.eta_ms), "eta_early": time(r.eta_early_ms),
        "eta_late": time(r.eta_late_ms),
        "usual_failed_bp": if r.usual_failed_bp < 0 { Value::Null } else { json!(r.usual_failed_bp) }, "money": progress,
    })
}

pub(super) fn states(states: &[v1::StateCount]) -> Value {
    Value::Object(states.iter().map(|s| (s.state.clone(), json!(s.count))).collect())
}

pub(super) fn skips(skips: &[v1::SkipCount]) -> Value {
    Value::Object(skips.iter().map(|s| (s.reason.clone(), json!(s.count))).collect())
}

pub(super) fn cause(c: &v1::Cause) -> Value {
    let amounts: Vec<Value> = c.amounts.iter().map(|m| money(m.minor, &m.currency)).collect();
    json!({
        "cause": c.cause, "state": c.state, "count": c.count, "amounts": amounts, "creators": c.creators,
        "first_at": time(c.first_ms), "last_at": time(c.last_ms), "is_new": c.is_new, "what_next": c.what_next,
        "last_10_min": c.last_10_min,
    })
}

pub(super) fn payout(p: &v1::PayoutRow) -> Value {
    json!({
        "id": p.id, "run_id": p.run_id, "run": p.run_label, "creator_id": p.creator_id, "account_id": p.account_id,
        "amount": amount(p.amount.as_ref()), "state": p.state, "attempts": p.attempts, "cause": word(&p.cause),
        "failure_reason": word(&p.failure_reason), "stripe_payout_id": word(&p.stripe_payout_id),
        "request_id": word(&p.request_id), "created_at": time(p.created_at_ms), "changed_at": time(p.changed_at_ms),
    })
}

pub(super) fn shown_payout(reply: &v1::ShowPayoutReply) -> Value {
    let currency = reply.payout.as_ref().and_then(|p| p.amount.as_ref()).map_or("", |m| m.currency.as_str());
    let timeline: Vec<Value> = reply
        .timeline
        .iter()
        .map(|t| {
            let detail = serde_json::from_str(&t.detail).unwrap_or_else(|_| word(&t.detail));
            json!({
                "seq": t.seq, "at": time(t.at_ms), "actor": t.actor, "action": t.action, "from_state": word(&t.from_state),
                "to_state": word(&t.to_state), "reason": word(&t.reason), "detail": detail,
            })
        })
        .collect();
    let items: Vec<Value> = reply
        .items
        .iter()
        .map(|i| {
            json!({
                "earning_id": i.earning_id, "kind": i.kind, "amount": money(i.amount_minor, currency),
                "source_id": i.source_id, "earned_at": time(i.earned_at_ms), "released": i.released,
            })
        })
        .collect();
    let attempts: Vec<Value> = reply
        .attempts
        .iter()
        .map(|a| {
            json!({
                "key": a.key, "kind": a.kind, "number": a.number, "state": a.state, "sends": a.sends,
                "ambiguous_sends": a.ambiguous_sends, "stripe_object_id": word(&a.stripe_object_id),
                "http_status": a.http_status, "error_type": word(&a.error_type), "error_code": word(&a.error_code),
                "error_message": word(&a.error_message), "request_id": word(&a.request_id),
                "first_sent_at": time(a.first_sent_stripe_ms), "last_sent_at": time(a.last_sent_stripe_ms),
            })
        })
        .collect();
    json!({
        "payout": reply.payout.as_ref().map(payout), "destination_id": word(&reply.destination_id),
        "what_next": word(&reply.what_next), "same_cause": reply.same_cause, "items_total": reply.items_total,
        "timeline": timeline, "attempts": attempts, "items": items,
    })
}

pub(super) fn schedule(s: &v1::GetScheduleReply) -> Value {
    let next: Vec<Value> = s
        .next
        .iter()
        .map(|c| json!({"cycle_date": c.cycle_date, "at": time(c.instant_ms), "cutoff": time(c.cutoff_ms)}))
        .collect();
    json!({"armed": s.armed, "armed_at": time(s.armed_at_ms), "timezone": s.timezone, "next": next})
}

/// A purse with what was decided of it; also a line of a dry run.
pub(super) fn decision(line: &v1::DryRunLine) -> Value {
    let (amount, carry) = if line.currency.is_empty() {
        (Value::Null, Value::Null)
    } else {
        (money(line.amount_minor, &line.currency), money(line.carry_minor, &line.currency))
    };
    json!({
        "creator_id": line.creator_id, "account_id": word(&line.account_id), "outcome": line.outcome, "amount": amount,
        "carry": carry, "reason": word(&line.reason), "sentence": word(&line.sentence),
    })
}

pub(super) fn hold(h: &v1::HoldPart) -> Value {
    json!({"cause": h.cause, "reason": h.reason, "placed_by": h.placed_by, "placed_at": time(h.placed_at_ms)})
}

fn account(a: &v1::AccountPart) -> Value {
    let banks: Vec<Value> = a
        .banks
        .iter()
        .map(|b| {
            json!({
                "currency": b.currency, "destination_id": b.destination_id, "status": b.status,
                "changed_at": time(b.changed_at_ms),
            })
        })
        .collect();
    json!({
        "account_id": a.account_id, "country": a.country, "is_current": a.is_current,
        "payouts_enabled": a.payouts_enabled, "charges_enabled": a.charges_enabled,
        "details_submitted": a.details_submitted, "disabled_reason": word(&a.disabled_reason),
        "schedule_interval": word(&a.schedule_interval), "read_at": time(a.read_at_ms), "stale": a.stale, "banks": banks,
    })
}

fn platform_refund(r: &v1::PlatformRefund) -> Value {
    json!({
        "refund_id": r.refund_id, "charge_id": r.charge_id, "amount": money(r.amount_minor, &r.currency), "at": time(r.at_ms),
    })
}

pub(super) fn shown_creator(c: &v1::ShowCreatorReply) -> Value {
    let purses: Vec<Value> = c
        .purses
        .iter()
        .map(|p| {
            let of = |minor| money(minor, &p.currency);
            json!({
                "account_id": p.account_id, "currency": p.currency, "entries": of(p.entries_minor), "free": of(p.free_minor),
                "immature": of(p.immature_minor), "debt": of(p.debt_minor), "planned": of(p.planned_minor),
                "in_flight": of(p.in_flight_minor), "paid": of(p.paid_minor), "returning": of(p.returning_minor),
                "reserved": of(p.reserved_minor), "disputed": of(p.disputed_minor), "estimated": of(p.estimated_minor),
                "decision": p.decision.as_ref().map(decision),
            })
        })
        .collect();
    json!({
        "creator_id": c.creator_id, "user_enabled": c.user_enabled, "settings_enabled": c.settings_enabled,
        "beta_open": c.beta_open, "minimum_payout_amount": word(&c.minimum_payout_amount),
        "accounts": c.accounts.iter().map(account).collect::<Vec<_>>(),
        "cohort": word(&c.cohort), "cohort_why_out": word(&c.cohort_why_out), "tags": c.tags,
        "holds": c.holds.iter().map(hold).collect::<Vec<_>>(), "purses": purses,
        "payouts": c.payouts.iter().map(payout).collect::<Vec<_>>(),
        "platform_refunds": c.platform_refunds.iter().map(platform_refund).collect::<Vec<_>>(),
        "platform_refunds_total": c.platform_refunds_total, "facts_waiting": c.facts_waiting, "facts_before": c.facts_before,
        "foreign": c.foreign.iter().map(super::foreign::part).collect::<Vec<_>>(),
    })
}
