//! `payout retry` and `payout resolve`: what people put right by hand.
use super::{
    args,
    error::{Code, Error},
    json,
    session::{DEADLINE, DEADLINE_LONG, Session},
};
use crate::text;
use payout_proto::v1;

/// Rows of one page.
const PAGE_ROWS: i64 = 1_000;
/// Payouts that the daemon takes at once.
const RETRIES_MAX: usize = 10_000;

/// Tries failed payouts again. Those of a run and a cause are listed first, and each is refused when it has changed since.
pub(super) async fn retry(session: &Session, args: args::Retry) -> Result<(), Error> {
    let (tried, targets) = match (args.run, args.cause) {
        (Some(run), Some(cause)) => {
            let tried = format!("retry of what failed in run {run} for {cause}");
            let targets = failed(session, &tried, run, cause).await?;
            if targets.is_empty() {
                return Err(Error::new(Code::Nothing, format!("{tried}: nothing to do: there is none")));
            }
            (tried, targets)
        }
        _ => {
            let by_id = |payout_id| v1::RetryTarget { payout_id, changed_at_ms: 0 };
            (format!("retry of {}", args.payouts.join(" ")), args.payouts.into_iter().map(by_id).collect())
        }
    };
    if targets.len() > RETRIES_MAX {
        return Err(Error::failed(format!(
            "{tried}: {} are more than {RETRIES_MAX} at once: name fewer",
            targets.len()
        )));
    }
    let mut client = session.acting(&tried).await?;
    let request = v1::RetryRequest { targets, reason: args.reason };
    let reply = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.retry_payouts(q).await }).await?;
    session.print(|| retried_json(&reply), || reply.rows.iter().map(retried_line).collect())?;
    match (reply.retried, reply.rows.iter().filter(|row| !row.refused.is_empty()).count()) {
        (0, _) => Err(Error::failed(format!("{tried}: none was taken"))),
        (_, 0) => Ok(()),
        (taken, refused) => Err(Error::failed(format!("{tried}: {taken} taken, {refused} refused"))),
    }
}

/// The failed payouts of a run and a cause, as they are now.
async fn failed(session: &Session, tried: &str, run: String, cause: String) -> Result<Vec<v1::RetryTarget>, Error> {
    let client = session.client().await?;
    let states = vec!["failed".to_owned()];
    let mut query =
        v1::ListPayoutsRequest { run, cause, states, limit: PAGE_ROWS, ..v1::ListPayoutsRequest::default() };
    let mut targets = Vec::new();
    loop {
        let (mut client, question) = (client.clone(), query.clone());
        let page = session.ask(tried, question, DEADLINE, |q| async move { client.list_payouts(q).await }).await?;
        let seen = |row: v1::PayoutRow| v1::RetryTarget { payout_id: row.id, changed_at_ms: row.changed_at_ms };
        targets.extend(page.rows.into_iter().map(seen));
        if page.next_cursor.is_empty() {
            return Ok(targets);
        }
        query.cursor = page.next_cursor;
    }
}

fn retried_json(reply: &v1::RetryReply) -> serde_json::Value {
    let row = |row: &v1::RetriedRow| {
        let refused = Some(&row.refused).filter(|why| !why.is_empty());
        serde_json::json!({
            "payout_id": row.payout_id, "amount": row.amount.as_ref().map(|of| json::money(of.minor, &of.currency)), "refused": refused,
        })
    };
    serde_json::json!({"retried": reply.retried, "payouts": reply.rows.iter().map(row).collect::<Vec<_>>()})
}

fn retried_line(row: &v1::RetriedRow) -> String {
    let amount = row.amount.as_ref().map(text::money).unwrap_or_default();
    match row.refused.as_str() {
        "" => format!("again    {} {amount}", row.payout_id),
        why => format!("REFUSED  {} {amount}: {why}", row.payout_id),
    }
}

pub(super) async fn resolve_paid(session: &Session, payout_id: String, object_id: String) -> Result<(), Error> {
    let tried = format!("resolve {payout_id} --paid {object_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::ResolvePaidRequest { payout_id: payout_id.clone(), object_id: object_id.clone() };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.resolve_paid(q).await }).await?;
    session.print(
        || {
            serde_json::json!({
                "payout_id": payout_id, "object_id": object_id, "state": reply.state, "how": reply.how, "seq": reply.seq,
            })
        },
        || vec![format!("payout {payout_id} is {object_id}, told {}: {} (#{})", reply.how, reply.state, reply.seq)],
    )
}
