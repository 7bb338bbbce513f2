//! Rows of the store as the control API's messages.
use crate::store::{
    door_types::{AttemptRow, BooksReport, CauseRow, ForeignRow, ItemRow, MoneyCount, PayoutRow},
    types::RollbackShow,
};
use payout_proto::v1;
use payout_shared::{journal::Entry, payout::PayoutState};

/// A row of a list of payouts.
#[must_use]
pub fn payout(row: PayoutRow) -> v1::PayoutRow {
    v1::PayoutRow {
        id: row.id.to_string(),
        run_id: row.run_id.to_string(),
        run_label: row.run_label.to_string(),
        creator_id: row.creator.to_string(),
        account_id: row.account.to_string(),
        amount: Some(row.amount.into()),
        state: row.state.as_str().to_owned(),
        attempts: row.attempts,
        cause: row.cause.unwrap_or_default(),
        failure_reason: row.failure_reason.unwrap_or_default(),
        stripe_payout_id: row.stripe_payout_id.unwrap_or_default(),
        request_id: row.request_id.unwrap_or_default(),
        created_at_ms: row.created_at_ms,
        changed_at_ms: row.changed_at_ms,
    }
}

/// A payout on a creator's account that none of ours explains.
#[must_use]
pub fn foreign(row: ForeignRow) -> v1::ForeignPart {
    v1::ForeignPart {
        bars: row.bars(),
        object_id: row.object.to_string(),
        account_id: row.account.to_string(),
        creator_id: row.creator.to_string(),
        amount: Some(row.amount.into()),
        status: row.status,
        automatic: row.automatic,
        why: row.why,
        created_at_ms: row.created_ms,
        adopted_at_ms: row.adopted_at_ms.unwrap_or_default(),
        adopted_by: row.adopted_by.unwrap_or_default(),
        returned_at_ms: row.returned_at_ms.unwrap_or_default(),
        key: row.key.unwrap_or_default(),
    }
}

/// A cause of trouble, with what happens by itself.
#[must_use]
pub fn cause(row: CauseRow) -> v1::Cause {
    v1::Cause {
        what_next: super::explain::cause(row.state, &row.cause).to_owned(),
        cause: row.cause,
        count: row.count,
        amounts: row.amounts.into_iter().map(Into::into).collect(),
        first_ms: row.first_ms,
        last_ms: row.last_ms,
        creators: row.creators,
        state: row.state.as_str().to_owned(),
        last_10_min: row.last_10_min.to_vec(),
        is_new: row.is_new,
    }
}

/// Counts by state.
#[must_use]
pub fn states(states: &[(PayoutState, i64)]) -> Vec<v1::StateCount> {
    states.iter().map(|(state, count)| v1::StateCount { state: state.as_str().to_owned(), count: *count }).collect()
}

/// Counts by reason.
#[must_use]
pub fn skips(skips: &[(String, i64)]) -> Vec<v1::SkipCount> {
    skips.iter().map(|(reason, count)| v1::SkipCount { reason: reason.clone(), count: *count }).collect()
}

/// Sums by currency.
#[must_use]
pub fn money(money: &[MoneyCount]) -> Vec<v1::MoneyProgress> {
    let one = |count: &MoneyCount| v1::MoneyProgress {
        currency: count.currency.to_string(),
        total_minor: count.total_minor,
        sent_minor: count.sent_minor,
    };
    money.iter().map(one).collect()
}

/// A journal row.
#[must_use]
pub fn timeline(entry: Entry) -> v1::TimelineEntry {
    v1::TimelineEntry {
        seq: entry.seq,
        at_ms: entry.at_ms,
        actor: entry.actor,
        action: entry.action,
        from_state: entry.from_state.unwrap_or_default(),
        to_state: entry.to_state.unwrap_or_default(),
        reason: entry.reason.unwrap_or_default(),
        detail: entry.detail,
    }
}

/// An item.
#[must_use]
pub fn item(row: ItemRow) -> v1::ItemRow {
    v1::ItemRow {
        earning_id: row.earning_id,
        kind: row.kind.as_str().to_owned(),
        amount_minor: row.amount_minor,
        source_id: row.source_id,
        earned_at_ms: row.earned_at_ms,
        released: row.released,
    }
}

/// An attempt.
#[must_use]
pub fn attempt(row: AttemptRow) -> v1::AttemptRow {
    v1::AttemptRow {
        key: row.key,
        kind: row.kind.as_str().to_owned(),
        number: row.number,
        state: row.state.as_str().to_owned(),
        sends: row.sends,
        ambiguous_sends: row.ambiguous_sends,
        stripe_object_id: row.stripe_object_id.unwrap_or_default(),
        http_status: row.http_status.unwrap_or_default(),
        error_type: row.error_type.unwrap_or_default(),
        error_code: row.error_code.unwrap_or_default(),
        error_message: row.error_message.unwrap_or_default(),
        request_id: row.request_id.unwrap_or_default(),
        first_sent_stripe_ms: row.first_sent_stripe_ms.unwrap_or_default(),
        last_sent_stripe_ms: row.last_sent_stripe_ms.unwrap_or_default(),
    }
}

/// What checking the books found.
#[must_use]
pub fn books(report: BooksReport) -> v1::CheckBooksReply {
    let totals = report.totals.into_iter().map(|total| v1::PurseTotal {
        currency: total.currency.to_string(),
        entries_minor: total.entries_minor,
        free_minor: total.free_minor,
        planned_minor: total.planned_minor,
        in_flight_minor: total.in_flight_minor,
        paid_minor: total.paid_minor,
        returning_minor: total.returning_minor,
    });
    v1::CheckBooksReply {
        purses: report.purses,
        payouts: report.payouts,
        journal_rows: report.journal_rows,
        violations: report.violations,
        violations_total: report.violations_total,
        totals: totals.collect(),
        facts_waiting: report.facts_waiting,
        facts_before: report.facts_before,
    }
}

/// A confirmed rollback, and how far it is.
#[must_use]
pub fn rollback(show: RollbackShow) -> v1::RollbackPart {
    v1::RollbackPart {
        hash: show.hash,
        reason: show.reason,
        asked_by: show.asked_by,
        asked_at_ms: show.asked_at_ms,
        left: show.left,
        refused: show.cancels_refused,
        to_approve: show.to_approve,
    }
}
