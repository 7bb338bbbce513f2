//! `payout adopt`, and the list of what there is to adopt: `payout payouts --foreign`.
use super::{
    args,
    error::{Code, Error, aside},
    json,
    session::{DEADLINE_LONG, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;

/// Rows that people read, and rows at most.
const TEXT_ROWS: i64 = 100;
const ROWS_MAX: i64 = 10_000;

pub(super) async fn adopt(
    session: &Session,
    object_id: String,
    creator_id: String,
    reason: String,
) -> Result<(), Error> {
    let tried = format!("adopt {object_id} of creator {creator_id}");
    let mut client = session.acting(&tried).await?;
    let request = v1::AdoptRequest { object_id: object_id.clone(), creator_id: creator_id.clone(), reason };
    let reply = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.adopt(q).await }).await?;
    session.print(|| adopted_json(&object_id, &creator_id, &reply), || adopted_lines(&object_id, &creator_id, &reply))
}

/// Adopts all that bar a purse and carry a key of ours: the books were restored from a backup, and have forgotten them.
pub(super) async fn adopt_restored(session: &Session, reason: &str) -> Result<(), Error> {
    let tried = "adopt --restored";
    let mut client = session.acting(tried).await?;
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    loop {
        let request = v1::ListForeignRequest { creator_id: String::new(), all: false, limit: ROWS_MAX };
        let mut asking = client.clone();
        let found = session.ask(tried, request, DEADLINE_LONG, |q| async move { asking.list_foreign(q).await }).await?;
        // What is refused stays in the list: each is tried once.
        let fresh = |row: &v1::ForeignPart| !row.key.is_empty() && seen.insert(row.object_id.clone());
        let rows: Vec<v1::ForeignPart> = found.rows.into_iter().filter(fresh).collect();
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let (object_id, creator_id) = (row.object_id.clone(), row.creator_id.clone());
            let request = v1::AdoptRequest { object_id, creator_id, reason: reason.to_owned() };
            match session.ask(tried, request, DEADLINE_LONG, |q| async { client.adopt(q).await }).await {
                Ok(reply) => done.push((row, reply)),
                Err(error) if error.code == Code::Failed => refused.push((row, error.message)),
                Err(error) => return Err(error),
            }
        }
    }
    session.print(
        || {
            serde_json::json!({
                "adopted": done.iter().map(|(row, reply)| adopted_json(&row.object_id, &row.creator_id, reply)).collect::<Vec<_>>(),
                "refused": refused.iter().map(|(row, why)| {
                    serde_json::json!({"object_id": row.object_id, "creator_id": row.creator_id, "why": why})
                }).collect::<Vec<_>>(),
            })
        },
        || {
            let mut out: Vec<String> =
                done.iter().flat_map(|(row, reply)| adopted_lines(&row.object_id, &row.creator_id, reply)).collect();
            out.extend(refused.iter().map(|(row, why)| format!("REFUSED   {}: {why}", row.object_id)));
            out.push(format!(
                "{} adopted, {} refused",
                text::count(i64::try_from(done.len()).unwrap_or(i64::MAX)),
                text::count(i64::try_from(refused.len()).unwrap_or(i64::MAX))
            ));
            out
        },
    )?;
    match refused.len() {
        0 => Ok(()),
        n => Err(Error::failed(format!("{tried}: {n} were refused"))),
    }
}

fn adopted_json(object_id: &str, creator_id: &str, reply: &v1::AdoptReply) -> serde_json::Value {
    let currency = reply.amount.as_ref().map_or("", |amount| amount.currency.as_str());
    serde_json::json!({
        "object_id": object_id, "creator_id": creator_id, "account_id": reply.account_id,
        "amount": reply.amount.as_ref().map(|of| json::money(of.minor, &of.currency)), "entries": reply.entries,
        "payable": json::money(reply.payable_minor, currency), "carried": json::money(reply.carried_minor, currency),
        "voided_payout_id": json::word(&reply.voided_payout_id), "already": reply.already, "seq": reply.seq,
    })
}

fn adopted_lines(object_id: &str, creator_id: &str, reply: &v1::AdoptReply) -> Vec<String> {
    let amount = reply.amount.clone().unwrap_or_default();
    let of = |minor| text::money_of(minor, &amount.currency);
    let how = if reply.already { "already adopted, nothing was changed" } else { "adopted" };
    let mut out = vec![format!("{object_id} of creator {creator_id}: {how}; {} were paid by it", text::money(&amount))];
    out.push(format!("locked    {} payable entries of {}", text::count(reply.entries), of(reply.payable_minor)));
    out.push(match reply.carried_minor {
        0 => "left      nothing".to_owned(),
        debt if debt < 0 => format!("DEBT      {}: more was paid than was payable", of(debt.saturating_neg())),
        rest => format!("left      {}: payable by the next run", of(rest)),
    });
    if !reply.voided_payout_id.is_empty() {
        out.push(format!("voided    {}: it was planned and nothing of it had left", reply.voided_payout_id));
    }
    out
}

pub(super) async fn list(session: &Session, args: args::Payouts) -> Result<(), Error> {
    let limit = args.limit.unwrap_or(if session.json { ROWS_MAX } else { TEXT_ROWS }).min(ROWS_MAX);
    let mut client = session.client().await?;
    let request = v1::ListForeignRequest { creator_id: args.creator, all: args.all, limit };
    let ask = |q| async move { client.list_foreign(q).await };
    let reply = session.ask("payouts --foreign", request, DEADLINE_LONG, ask).await?;
    session.print(
        || serde_json::json!({"foreign": reply.rows.iter().map(part).collect::<Vec<_>>(), "more": reply.more}),
        || rows(&reply.rows),
    )?;
    if reply.more && !session.json {
        aside(&format!("the first {}; more with --limit N\n", text::count(limit)));
    }
    Ok(())
}

fn rows(found: &[v1::ForeignPart]) -> Vec<String> {
    let Some(first) = found.iter().find(|row| row.bars) else {
        return if found.is_empty() { vec!["none that bars a purse".to_owned()] } else { text_table(found) };
    };
    let mut out = text_table(found);
    out.push(format!(
        "each BARS its purse until: payout adopt {} --creator {} --reason TEXT",
        first.object_id, first.creator_id
    ));
    out
}

fn text_table(found: &[v1::ForeignPart]) -> Vec<String> {
    let titles = [
        ("MADE", Align::Left),
        ("STRIPE", Align::Left),
        ("CREATOR", Align::Left),
        ("ACCOUNT", Align::Left),
        ("AMOUNT", Align::Right),
        ("STATUS", Align::Left),
        ("HERE", Align::Left),
    ];
    let cells = |row: &v1::ForeignPart| {
        vec![
            text::moment(row.created_at_ms),
            row.object_id.clone(),
            row.creator_id.clone(),
            row.account_id.clone(),
            row.amount.as_ref().map(text::money).unwrap_or_default(),
            row.status.clone(),
            standing(row),
        ]
    };
    table(&titles, &found.iter().map(cells).collect::<Vec<_>>())
}

/// What it means for its purse.
fn standing(row: &v1::ForeignPart) -> String {
    match (row.bars, row.adopted_at_ms, row.returned_at_ms) {
        (true, ..) if !row.key.is_empty() => "BARS, ours: a backup".to_owned(),
        (true, ..) => "BARS".to_owned(),
        (false, 0, _) => "bars nothing".to_owned(),
        (false, at, 0) => format!("adopted {}", text::moment(at)),
        (false, _, back) => format!("adopted, back {}", text::moment(back)),
    }
}

/// One of them in a line, for its creator.
pub(super) fn line(row: &v1::ForeignPart) -> String {
    let amount = row.amount.as_ref().map(text::money).unwrap_or_default();
    let what = format!("{} {amount}, {}, made {}", row.object_id, row.status, text::moment(row.created_at_ms));
    if row.bars {
        format!("NOT OURS  {what}: payout adopt {} --creator {} --reason TEXT", row.object_id, row.creator_id)
    } else {
        format!("not ours  {what}: {}", standing(row))
    }
}

pub(super) fn part(row: &v1::ForeignPart) -> serde_json::Value {
    let at = |ms| text::rfc3339(ms);
    serde_json::json!({
        "object_id": row.object_id, "account_id": row.account_id, "creator_id": json::word(&row.creator_id),
        "amount": row.amount.as_ref().map(|of| json::money(of.minor, &of.currency)), "status": row.status,
        "automatic": row.automatic, "why": row.why, "created_at": at(row.created_at_ms), "bars": row.bars,
        "adopted_at": at(row.adopted_at_ms), "adopted_by": json::word(&row.adopted_by), "returned_at": at(row.returned_at_ms),
        "key": json::word(&row.key),
    })
}
