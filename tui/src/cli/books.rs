//! `payout books`: every invariant of the books; 1 when one is broken.
use super::{
    error::Error,
    json,
    session::{DEADLINE_LONG, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;

pub(super) async fn check(session: &Session) -> Result<(), Error> {
    let mut client = session.client().await?;
    let reply = session
        .ask("books", v1::CheckBooksRequest {}, DEADLINE_LONG, |q| async move { client.check_books(q).await })
        .await?;
    session.print(|| document(&reply), || lines(&reply))?;
    match reply.violations_total.max(i64::try_from(reply.violations.len()).unwrap_or(i64::MAX)) {
        0 => Ok(()),
        n => Err(Error::failed(format!("books: {} invariants are broken; nothing was changed", text::count(n)))),
    }
}

fn document(reply: &v1::CheckBooksReply) -> serde_json::Value {
    let totals: Vec<_> = reply
        .totals
        .iter()
        .map(|t| {
            let money = |minor| json::money(minor, &t.currency);
            serde_json::json!({
                "currency": t.currency, "entries": money(t.entries_minor), "free": money(t.free_minor),
                "planned": money(t.planned_minor), "in_flight": money(t.in_flight_minor), "paid": money(t.paid_minor),
                "returning": money(t.returning_minor),
            })
        })
        .collect();
    serde_json::json!({
        "clean": reply.violations_total == 0 && reply.violations.is_empty(), "purses": reply.purses,
        "payouts": reply.payouts, "journal_rows": reply.journal_rows, "violations": reply.violations,
        "violations_total": reply.violations_total, "facts_waiting": reply.facts_waiting,
        "facts_before": reply.facts_before, "totals": totals,
    })
}

fn lines(reply: &v1::CheckBooksReply) -> Vec<String> {
    let mut out = vec![format!(
        "checked {} purses, {} payouts, {} journal rows",
        text::count(reply.purses),
        text::count(reply.payouts),
        text::count(reply.journal_rows)
    )];
    let titles =
        ["CURRENCY", "ENTRIES", "FREE", "PLANNED", "IN FLIGHT", "PAID", "RETURNING"].map(|title| (title, Align::Right));
    let rows: Vec<Vec<String>> = reply
        .totals
        .iter()
        .map(|t| {
            let money = |minor| text::money_of(minor, &t.currency);
            vec![
                t.currency.to_uppercase(),
                money(t.entries_minor),
                money(t.free_minor),
                money(t.planned_minor),
                money(t.in_flight_minor),
                money(t.paid_minor),
                money(t.returning_minor),
            ]
        })
        .collect();
    out.extend(table(&titles, &rows));
    if reply.facts_waiting > 0 {
        let n = text::count(reply.facts_waiting);
        out.push(format!("waiting for its sale, account or confirmation: {n} of what Stripe told"));
    }
    if reply.facts_before > 0 {
        let n = text::count(reply.facts_before);
        out.push(format!(
            "from before this database: {n} of what Stripe told, not booked: what is still owed of it, import (payout earnings import)"
        ));
    }
    out.extend(reply.violations.iter().map(|sentence| format!("BROKEN  {sentence}")));
    if reply.violations.is_empty() && reply.violations_total == 0 {
        out.push("the books are clean".to_owned());
    }
    out
}
