//! `payout cohort …` and `payout creator tag|untag`: the rollout.
use super::{
    args,
    error::{Code, Error},
    json,
    session::{DEADLINE, DEADLINE_LONG, Session},
    table::{Align, table},
};
use crate::text;
use payout_proto::v1;
use payout_shared::cohort::Share;
use std::{io::Read, path::Path};

/// Creators named in one request; a longer list is sent in several.
const CREATORS_PER_REQUEST: usize = 50_000;
/// Creators on a page that people read, and on one of a document.
const MEMBERS_TEXT: i64 = 50;
const MEMBERS_PAGE: i64 = 10_000;

pub(super) async fn run(session: &Session, command: args::Cohort) -> Result<(), Error> {
    match command {
        args::Cohort::List => list(session).await,
        args::Cohort::Show { name } => show(session, name).await,
        args::Cohort::Create { name, of, reason } => create(session, name, of, reason.reason).await,
        args::Cohort::Add { name, creators, file, r#override, reason } => {
            let creators = named(creators, file.as_deref())?;
            change(session, name, creators, reason.reason, false, r#override).await
        }
        args::Cohort::Remove { name, creators, file, reason } => {
            let creators = named(creators, file.as_deref())?;
            change(session, name, creators, reason.reason, true, false).await
        }
        args::Cohort::Sample { name, size, create, reason } => sample(session, name, size, create, reason).await,
        args::Cohort::Open { name, r#override, reason } => open(session, name, r#override, reason.reason).await,
        args::Cohort::Close { name, reason } => close(session, name, reason.reason).await,
        args::Cohort::Gate { name } => gate(session, name).await,
    }
}

/// Creators of the command line and of a file, one a line; `#` begins a comment.
fn named(mut creators: Vec<String>, file: Option<&Path>) -> Result<Vec<String>, Error> {
    if let Some(file) = file {
        let mut text = String::new();
        let read = if file.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).map(drop)
        } else {
            std::fs::read_to_string(file).map(|all| text = all)
        };
        read.map_err(|error| Error::failed(format!("{}: {error}", file.display())))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        creators.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if creators.is_empty() {
        return Err(Error::new(Code::Usage, "no creator is named: give ids, or --file with one id a line"));
    }
    Ok(creators)
}

async fn list(session: &Session) -> Result<(), Error> {
    let mut client = session.client().await?;
    let request = v1::ListCohortsRequest {};
    let reply = session.ask("cohort list", request, DEADLINE, |q| async move { client.list_cohorts(q).await }).await?;
    session.print(
        || serde_json::json!({"cohorts": reply.cohorts.iter().map(json::cohort).collect::<Vec<_>>()}),
        || {
            if reply.cohorts.is_empty() {
                return vec!["no cohorts: everybody is in".to_owned()];
            }
            let titles = [
                ("COHORT", Align::Left),
                ("STATE", Align::Left),
                ("WHO", Align::Left),
                ("CREATORS", Align::Right),
                ("OPENED", Align::Left),
                ("CLOSED", Align::Left),
                ("MADE BY", Align::Left),
            ];
            let rows: Vec<Vec<String>> = reply
                .cohorts
                .iter()
                .map(|c| {
                    vec![
                        c.name.clone(),
                        state(c).to_owned(),
                        who(c),
                        if c.members < 0 { "-".to_owned() } else { text::count(c.members) },
                        text::moment(c.opened_at_ms),
                        text::moment(c.closed_at_ms),
                        c.created_by.clone(),
                    ]
                })
                .collect();
            table(&titles, &rows)
        },
    )
}

const fn state(c: &v1::CohortPart) -> &'static str {
    match (c.open, c.opened_at_ms) {
        (true, _) => "OPEN",
        (false, 0) => "not opened yet",
        (false, _) => "closed",
    }
}

fn who(c: &v1::CohortPart) -> String {
    match Share::of_bp(c.percent_bp) {
        Some(share) => format!("{share} of all"),
        None if c.tag.is_empty() => "a list".to_owned(),
        None => format!("tag {}", c.tag),
    }
}

fn line(c: &v1::CohortPart) -> String {
    let creators = if c.members < 0 { String::new() } else { format!(", {} creators", text::count(c.members)) };
    format!("cohort    {} ({}{creators}): {}", c.name, who(c), state(c))
}

fn judged_lines(j: &v1::JudgedPart) -> Vec<String> {
    let name = j.cohort.as_ref().map_or("", |c| c.name.as_str());
    let mut out = vec![format!("gate      {name}: {} (payouts since {})", j.sentence, text::moment(j.since_ms))];
    out.extend(j.amounts.iter().map(|a| {
        let bp = (a.success_bp >= 0).then_some(a.success_bp);
        format!(
            "amount    {} paid, {} failed = {}",
            text::money_of(a.paid_minor, &a.currency),
            text::money_of(a.failed_minor, &a.currency),
            text::percent(bp)
        )
    }));
    out
}

async fn show(session: &Session, name: String) -> Result<(), Error> {
    let tried = format!("cohort show {name}");
    let mut client = session.client().await?;
    let limit = if session.json { MEMBERS_PAGE } else { MEMBERS_TEXT };
    let mut request = v1::ShowCohortRequest { name, limit, cursor: String::new() };
    let question = request.clone();
    let ask = client.clone();
    let reply = session
        .ask(&tried, question, DEADLINE_LONG, |q| async move {
            let mut ask = ask;
            ask.show_cohort(q).await
        })
        .await?;
    let (judged, mut ids, mut cursor) = (reply.judged.unwrap_or_default(), reply.creator_ids, reply.next_cursor);
    while session.json && !cursor.is_empty() {
        request.cursor = cursor;
        let page = client.show_cohort(request.clone()).await;
        let page = page.map_err(|status| Error::of(&tried, &session.way.to_string(), &status))?.into_inner();
        ids.extend(page.creator_ids);
        cursor = page.next_cursor;
    }
    session.print(
        || serde_json::json!({"judged": json::judged(&judged), "creator_ids": ids}),
        || {
            let cohort = judged.cohort.clone().unwrap_or_default();
            let mut out = vec![line(&cohort)];
            out.extend(judged_lines(&judged));
            out.extend(ids.iter().map(|id| format!("          {id}")));
            if !cursor.is_empty() {
                out.push(format!("          the first {MEMBERS_TEXT}; all of them with --json"));
            }
            out
        },
    )
}

async fn create(session: &Session, name: String, of: args::CohortOf, reason: String) -> Result<(), Error> {
    let is_list = !of.creators.is_empty() || of.file.is_some();
    let creators = if is_list { named(of.creators, of.file.as_deref())? } else { Vec::new() };
    let percent_bp = of.percent.map_or(0, Share::bp);
    make(
        session,
        v1::CreateCohortRequest { name, reason, creator_ids: creators, tag: of.tag.unwrap_or_default(), percent_bp },
    )
    .await
}

/// Makes a cohort; what of a long list doesn't go into one request is added by further ones. It is closed meanwhile.
async fn make(session: &Session, mut request: v1::CreateCohortRequest) -> Result<(), Error> {
    let tried = format!("cohort create {}", request.name);
    let mut client = session.acting(&tried).await?;
    let rest = request.creator_ids.split_off(CREATORS_PER_REQUEST.min(request.creator_ids.len()));
    let (name, reason, total) = (request.name.clone(), request.reason.clone(), request.creator_ids.len() + rest.len());
    let mut adding = client.clone();
    let reply = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.create_cohort(q).await }).await?;
    let (mut cohort, mut seq) = (reply.cohort.unwrap_or_default(), reply.seq);
    for chunk in rest.chunks(CREATORS_PER_REQUEST) {
        let (name, reason) = (name.clone(), reason.clone());
        let more = v1::ChangeMembersRequest { name, reason, creator_ids: chunk.to_vec(), ..Default::default() };
        let done = adding.change_members(more).await.map_err(|status| {
            let why = Error::of(&tried, &session.way.to_string(), &status);
            let n = text::count(cohort.members);
            Error::new(why.code, format!("{}; {n} of {total} creators are on the list, add the rest", why.message))
        })?;
        let done = done.into_inner();
        (cohort, seq) = (done.cohort.unwrap_or_default(), done.seq);
    }
    session.print(
        || serde_json::json!({"cohort": json::cohort(&cohort), "seq": seq, "first": reply.first}),
        || {
            let mut out = vec![format!("{} (#{seq})", line(&cohort))];
            if reply.first {
                out.push(
                    "IN USE    this is the first cohort: from the next send on only creators in open cohorts are paid, and none is open"
                        .to_owned(),
                );
            }
            out.push(format!("next      payout cohort open {} --reason …", text::shell_word(&cohort.name)));
            out
        },
    )
}

async fn change(
    session: &Session,
    name: String,
    creators: Vec<String>,
    reason: String,
    remove: bool,
    is_overridden: bool,
) -> Result<(), Error> {
    let tried = format!("cohort {} {name}", if remove { "remove" } else { "add" });
    let client = session.acting(&tried).await?;
    let (mut changed, mut last, mut nothing) = (0, None, None);
    for chunk in creators.chunks(CREATORS_PER_REQUEST) {
        let (name, reason, creator_ids) = (name.clone(), reason.clone(), chunk.to_vec());
        let request = v1::ChangeMembersRequest { name, reason, creator_ids, remove, r#override: is_overridden };
        let mut client = client.clone();
        let done = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.change_members(q).await }).await;
        match done {
            Ok(reply) => {
                changed += reply.changed;
                last = Some(reply);
            }
            Err(error) if error.code == Code::Nothing => nothing = Some(error),
            Err(error) => return Err(error),
        }
    }
    let Some(reply) = last else {
        return Err(nothing.unwrap_or_else(|| Error::failed(format!("{tried}: nothing was asked"))));
    };
    let cohort = reply.cohort.unwrap_or_default();
    session.print(
        || serde_json::json!({"cohort": json::cohort(&cohort), "changed": changed, "seq": reply.seq}),
        || {
            let word = if remove { "taken off" } else { "added" };
            vec![format!("{word:<9} {} (#{})", text::count(changed), reply.seq), line(&cohort)]
        },
    )
}

async fn sample(session: &Session, name: String, size: i64, create: bool, reason: Option<String>) -> Result<(), Error> {
    let tried = format!("cohort sample {name}");
    let mut client = session.client().await?;
    let request = v1::SampleCohortRequest { name: name.clone(), size };
    let reply = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.sample_cohort(q).await }).await?;
    if create {
        let creator_ids: Vec<String> = reply.picks.iter().map(|pick| pick.creator_id.clone()).collect();
        if creator_ids.is_empty() {
            return Err(Error::failed(format!("{tried}: there is no creator who could be paid, so nothing was made")));
        }
        let reason = reason.unwrap_or_default();
        return make(session, v1::CreateCohortRequest { name, reason, creator_ids, ..Default::default() }).await;
    }
    session.print(
        || {
            let picks: Vec<_> = reply.picks.iter().map(json::sampled).collect();
            serde_json::json!({"name": name, "of": reply.of, "picks": picks})
        },
        || {
            let titles = [
                ("CREATOR", Align::Left),
                ("COUNTRY", Align::Left),
                ("QUARTER", Align::Left),
                ("EARNED", Align::Right),
            ];
            let rows: Vec<Vec<String>> = reply
                .picks
                .iter()
                .map(|p| {
                    let earned = p.earned.as_ref().map(text::money).unwrap_or_default();
                    vec![p.creator_id.clone(), p.country.clone(), quarter(p.quarter).to_owned(), earned]
                })
                .collect();
            let mut out = if rows.is_empty() { Vec::new() } else { table(&titles, &rows) };
            let n = text::count(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            out.push(format!(
                "{n} of {} creators who could be paid; nothing was made (--create)",
                text::count(reply.of)
            ));
            out
        },
    )
}

const fn quarter(number: i64) -> &'static str {
    match number {
        1 => "top",
        2 => "second",
        3 => "third",
        _ => "last",
    }
}

async fn open(session: &Session, name: String, is_overridden: bool, reason: String) -> Result<(), Error> {
    let tried = format!("cohort open {name}");
    let mut client = session.acting(&tried).await?;
    let request = v1::OpenCohortRequest { name, reason, r#override: is_overridden };
    let reply = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.open_cohort(q).await }).await?;
    let cohort = reply.cohort.unwrap_or_default();
    session.print(
        || {
            let judged: Vec<_> = reply.judged.iter().map(json::judged).collect();
            serde_json::json!({"cohort": json::cohort(&cohort), "judged": judged, "seq": reply.seq})
        },
        || {
            let mut out = vec![format!("{} (#{})", line(&cohort), reply.seq)];
            out.extend(reply.judged.iter().flat_map(judged_lines));
            let name = text::shell_word(&cohort.name).to_string();
            out.push(format!("back      payout cohort close {name} --reason …"));
            out
        },
    )
}

async fn close(session: &Session, name: String, reason: String) -> Result<(), Error> {
    let tried = format!("cohort close {name}");
    let mut client = session.acting(&tried).await?;
    let request = v1::CloseCohortRequest { name, reason };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.close_cohort(q).await }).await?;
    let cohort = reply.cohort.unwrap_or_default();
    session.print(
        || serde_json::json!({"cohort": json::cohort(&cohort), "seq": reply.seq}),
        || {
            let counts = "whoever is in no other open cohort isn't paid from the next send on";
            vec![format!("{} (#{})", line(&cohort), reply.seq), format!("          {counts}")]
        },
    )
}

/// 0 when the gate is passed, 1 when it isn't: for scripts.
async fn gate(session: &Session, name: String) -> Result<(), Error> {
    let tried = format!("cohort gate {name}");
    let mut client = session.client().await?;
    let request = v1::JudgeCohortRequest { name };
    let judged = session.ask(&tried, request, DEADLINE_LONG, |q| async move { client.judge_cohort(q).await }).await?;
    session.print(|| json::judged(&judged), || judged_lines(&judged))?;
    if judged.passed { Ok(()) } else { Err(Error::failed(format!("{tried}: {}", judged.sentence))) }
}

pub(super) async fn tag(session: &Session, command: args::Tags) -> Result<(), Error> {
    let (creator_id, tag, reason, remove) = match command {
        args::Tags::Account { creator, account, reason } => {
            return super::creators::use_account(session, creator, account, reason.reason).await;
        }
        args::Tags::Tag { creator, tag, reason } => (creator, tag, reason.reason, false),
        args::Tags::Untag { creator, tag, reason } => (creator, tag, reason.reason, true),
    };
    let tried = format!("creator {} {creator_id}", if remove { "untag" } else { "tag" });
    let mut client = session.acting(&tried).await?;
    let request = v1::TagCreatorRequest { creator_id: creator_id.clone(), tag: tag.clone(), reason, remove };
    let reply = session.ask(&tried, request, DEADLINE, |q| async move { client.tag_creator(q).await }).await?;
    session.print(
        || serde_json::json!({"creator_id": creator_id, "tag": tag, "set": !remove, "seq": reply.seq}),
        || {
            let has = if remove { "doesn't have the tag" } else { "has the tag" };
            vec![format!("creator {creator_id} {has} {tag} (#{})", reply.seq)]
        },
    )
}
