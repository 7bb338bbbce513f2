//! One payout with its timeline. It is named by the id that was under the cursor when it was opened, for good.
use super::{App, Failure, FailureKind, Fetch, Request, Screen, Weight};
use payout_proto::v1;

/// The detail screen.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    pub id: String,
    /// As it was in the list, to show something at once.
    pub row: Option<v1::PayoutRow>,
    pub reply: Option<v1::ShowPayoutReply>,
    pub top: usize,
    pub fetch: Fetch,
    pub as_of_mono_ms: Option<i64>,
    pub error: Option<String>,
}

/// Opens the payout under the cursor.
pub fn open(app: &mut App) -> Vec<Request> {
    let Some(row) = app.payouts.under_cursor().cloned() else {
        app.tell(Weight::Warning, "no row is under the cursor");
        return Vec::new();
    };
    if app.detail.id != row.id {
        app.detail = Detail { id: row.id.clone(), ..Detail::default() };
    }
    app.detail.row = Some(row);
    app.detail.top = 0;
    app.detail.fetch.wanted = true;
    app.detail.fetch.at_mono_ms = None;
    app.go(Screen::Detail);
    refresh(app)
}

/// Asks for the payout when it is due.
pub fn refresh(app: &mut App) -> Vec<Request> {
    let version = app.live.pages_version;
    if app.detail.id.is_empty() || !app.live.known || !app.detail.fetch.is_due(app.now, version) {
        return Vec::new();
    }
    let ticket = app.next_ticket();
    app.detail.fetch.ask(ticket, app.now, version);
    vec![Request::ShowPayout { ticket, payout_id: app.detail.id.clone() }]
}

/// The payout arrived, or didn't.
pub fn arrived(app: &mut App, ticket: u64, answer: Result<v1::ShowPayoutReply, Failure>) {
    let detail = &mut app.detail;
    if !detail.fetch.is(ticket) {
        return;
    }
    detail.fetch.in_flight = None;
    match answer {
        Ok(reply) => {
            detail.error = None;
            detail.as_of_mono_ms = detail.fetch.at_mono_ms;
            detail.row = reply.payout.clone().or(detail.row.take());
            detail.reply = Some(reply);
        }
        Err(failure) => {
            detail.fetch.wanted = matches!(failure.kind, FailureKind::NotSent | FailureKind::NoAnswer);
            detail.error = Some(failure.message);
        }
    }
}

/// Scrolls; the view stops at the end.
pub fn scroll(app: &mut App, by: isize) {
    let lines = app.detail.reply.as_ref().map_or(0, |r| r.timeline.len() + r.items.len() + 4 * r.attempts.len() + 12);
    app.detail.top = app.detail.top.saturating_add_signed(by).min(lines.saturating_sub(1));
}
