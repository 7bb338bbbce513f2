//! Cohorts and tags, changed by people: made, filled, opened, closed; each with its reason in the journal. Many creators are written in
//! bulk, and checked in bulk before.
use super::{DB, FOR_UPDATE, Pool, Tx, begin, rows, state};
use crate::store::{
    StoreError,
    door_types::{Definition, Done, MembersDone},
    types::{By, Note},
};
use payout_shared::{cohort::CohortKind, id::CreatorId};
use sha2::Digest;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use std::collections::BTreeSet;

/// Rows per statement: far below both databases' limits on binds.
const ROWS_PER_STATEMENT: usize = 1_000;
/// Unknown creators named in a refusal.
const NAMED: usize = 10;
/// Creators written out in a journal row; of more, the first ones and a hash of all.
const TOLD: usize = 1_000;

/// Who, when, and why.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Act<'a> {
    pub(in crate::store) now_ms: i64,
    pub(in crate::store) by: &'a By,
    pub(in crate::store) reason: &'a str,
}

impl Act<'_> {
    fn note(self, action: &str, detail: serde_json::Value) -> Note {
        Note {
            actor: self.by.to_string(),
            action: action.to_owned(),
            reason: Some(self.reason.to_owned()),
            detail,
            ..Note::default()
        }
    }
}

/// Makes a cohort, closed.
pub(in crate::store) async fn create(pool: &Pool, act: Act<'_>, name: &str, of: &Definition) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    let (tag, bp) = match of {
        Definition::List(_) => (None, None),
        Definition::Tag(tag) => (Some(tag.clone()), None),
        Definition::Percent(share) => (None, Some(share.bp())),
    };
    let done = sqlx::query::<DB>(
        "INSERT INTO cohorts (name, kind, tag, percent_bp, created_by, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(of.kind().as_str())
    .bind(tag.clone())
    .bind(bp)
    .bind(act.by.to_string())
    .bind(act.now_ms)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Refused(format!("there is a cohort {name} already: nothing was changed")));
    }
    let mut detail = serde_json::json!({"cohort": name, "kind": of.kind().as_str(), "tag": tag, "percent_bp": bp});
    if let Definition::List(creators) = of {
        let creators: BTreeSet<&str> = creators.iter().map(CreatorId::as_str).collect();
        put(&mut tx, act.now_ms, name, &creators).await?;
        detail["creators"] = told(&creators);
    }
    state::finish(tx, act.now_ms, act.note("cohort.create", detail)).await
}

/// Adds creators to a list.
pub(in crate::store) async fn add(
    pool: &Pool,
    act: Act<'_>,
    name: &str,
    creators: &[CreatorId],
    gate: &serde_json::Value,
) -> Result<MembersDone, StoreError> {
    let mut tx = begin(pool).await?;
    list(&mut tx, name).await?;
    let creators: BTreeSet<&str> = creators.iter().map(CreatorId::as_str).collect();
    let changed = put(&mut tx, act.now_ms, name, &creators).await?;
    let detail = serde_json::json!({"cohort": name, "creators": told(&creators), "added": changed, "gate": gate});
    members_done(tx, act, changed, "cohort.add", detail).await
}

/// Takes creators off a list.
pub(in crate::store) async fn remove(
    pool: &Pool,
    act: Act<'_>,
    name: &str,
    creators: &[CreatorId],
) -> Result<MembersDone, StoreError> {
    let mut tx = begin(pool).await?;
    list(&mut tx, name).await?;
    let creators: BTreeSet<&str> = creators.iter().map(CreatorId::as_str).collect();
    let all: Vec<&str> = creators.iter().copied().collect();
    let mut changed = 0;
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let mut delete = QueryBuilder::<DB>::new("DELETE FROM cohort_members WHERE cohort = ");
        delete.push_bind(name.to_owned()).push(" AND creator_id IN (");
        let mut ids = delete.separated(", ");
        for creator in chunk {
            ids.push_bind((*creator).to_owned());
        }
        delete.push(")");
        changed += delete.build().execute(&mut *tx).await?.rows_affected();
    }
    let detail = serde_json::json!({"cohort": name, "creators": told(&creators), "removed": changed});
    members_done(tx, act, changed, "cohort.remove", detail).await
}

async fn members_done(
    mut tx: Tx,
    act: Act<'_>,
    changed: u64,
    action: &str,
    detail: serde_json::Value,
) -> Result<MembersDone, StoreError> {
    let done = if changed == 0 {
        state::already(&mut tx).await?
    } else {
        state::finish(tx, act.now_ms, act.note(action, detail)).await?
    };
    Ok(MembersDone { seq: done.seq, changed })
}

/// Opens a cohort. `judged`: the cohorts, open ones and when each was opened, that the gate was judged by; when these aren't the
/// open ones any more, nothing is changed.
pub(in crate::store) async fn open(
    pool: &Pool,
    act: Act<'_>,
    name: &str,
    judged: &[(String, Option<i64>)],
    gate: &serde_json::Value,
) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    // Every row, so that two people can't open two cohorts at the same moment.
    let text = format!("SELECT name, is_open, opened_at_ms FROM cohorts ORDER BY name{FOR_UPDATE}");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).fetch_all(&mut *tx).await?;
    let mut now_open = Vec::new();
    let mut this = None;
    for row in &found {
        let (other, is_open): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if other == name {
            this = Some(is_open);
        } else if is_open {
            now_open.push((other, row.try_get::<Option<i64>, _>(2)?));
        }
    }
    match this {
        None => return Err(StoreError::NotFound { what: "cohort", name: name.to_owned() }),
        Some(true) => return state::already(&mut tx).await,
        Some(false) => {}
    }
    if !now_open.iter().all(|open| judged.contains(open)) {
        return Err(StoreError::Refused(format!("another cohort was opened meanwhile: look again, then open {name}")));
    }
    sqlx::query::<DB>("UPDATE cohorts SET is_open = TRUE, opened_at_ms = $2 WHERE name = $1")
        .bind(name)
        .bind(act.now_ms)
        .execute(&mut *tx)
        .await?;
    state::finish(tx, act.now_ms, act.note("cohort.open", serde_json::json!({"cohort": name, "gate": gate}))).await
}

/// Closes a cohort: whoever is in no other open one isn't paid from the next send on.
pub(in crate::store) async fn close(pool: &Pool, act: Act<'_>, name: &str) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    let done = sqlx::query::<DB>("UPDATE cohorts SET is_open = FALSE, closed_at_ms = $2 WHERE name = $1 AND is_open")
        .bind(name)
        .bind(act.now_ms)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        kind(&mut tx, name).await?;
        return state::already(&mut tx).await;
    }
    state::finish(tx, act.now_ms, act.note("cohort.close", serde_json::json!({"cohort": name}))).await
}

/// Gives a creator a tag, or takes it.
pub(in crate::store) async fn tag(
    pool: &Pool,
    act: Act<'_>,
    creator: &CreatorId,
    tag: &str,
    is_set: bool,
) -> Result<Done, StoreError> {
    let mut tx = begin(pool).await?;
    if !rows::creator_is_known(&mut tx, creator.as_str()).await? {
        return Err(StoreError::NotFound { what: "creator", name: creator.to_string() });
    }
    let query = if is_set {
        sqlx::query::<DB>("INSERT INTO creator_tags (creator_id, tag, set_by, set_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(creator.as_str())
            .bind(tag)
            .bind(act.by.to_string())
            .bind(act.now_ms)
    } else {
        sqlx::query::<DB>("DELETE FROM creator_tags WHERE creator_id = $1 AND tag = $2").bind(creator.as_str()).bind(tag)
    };
    if query.execute(&mut *tx).await?.rows_affected() == 0 {
        return state::already(&mut tx).await;
    }
    let action = if is_set { "creator.tag" } else { "creator.untag" };
    let detail = serde_json::json!({"creator": creator.as_str(), "tag": tag});
    state::finish(tx, act.now_ms, act.note(action, detail)).await
}

async fn kind(tx: &mut Tx, name: &str) -> Result<CohortKind, StoreError> {
    let row = sqlx::query::<DB>("SELECT kind FROM cohorts WHERE name = $1").bind(name).fetch_optional(&mut **tx).await?;
    let row = row.ok_or_else(|| StoreError::NotFound { what: "cohort", name: name.to_owned() })?;
    let word: String = row.try_get(0)?;
    CohortKind::parse(&word).ok_or_else(|| rows::strange("cohort", name, &word))
}

async fn list(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    match kind(tx, name).await? {
        CohortKind::List => Ok(()),
        CohortKind::Tag => Err(StoreError::Refused(format!(
            "cohort {name} is of a tag: give creators the tag, or take it (payout creator tag, untag)"
        ))),
        CohortKind::Percent => Err(StoreError::Refused(format!(
            "cohort {name} is a percentage: nobody is named for it; make a larger one to let more in"
        ))),
    }
}

/// Writes members, all of whom must be known creators; gives how many are new.
async fn put(tx: &mut Tx, now_ms: i64, name: &str, creators: &BTreeSet<&str>) -> Result<u64, StoreError> {
    let all: Vec<&str> = creators.iter().copied().collect();
    let mut unknown: Vec<String> = Vec::new();
    let mut new = 0;
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<DB>::new("SELECT v.column1 FROM (");
        query.push_values(chunk, |mut row, creator| {
            row.push_bind((*creator).to_owned());
        });
        query.push(
            ") AS v WHERE NOT EXISTS (SELECT 1 FROM creator_stripe_accounts a WHERE a.creator_id = v.column1) \
             AND NOT EXISTS (SELECT 1 FROM users u WHERE u.supabase_id = v.column1)",
        );
        for row in query.build().persistent(false).fetch_all(&mut **tx).await? {
            unknown.push(row.try_get(0)?);
        }
        if !unknown.is_empty() {
            continue;
        }
        let mut insert = QueryBuilder::<DB>::new("INSERT INTO cohort_members (cohort, creator_id, added_at_ms) ");
        insert.push_values(chunk, |mut row, creator| {
            row.push_bind(name.to_owned()).push_bind((*creator).to_owned()).push_bind(now_ms);
        });
        insert.push(" ON CONFLICT DO NOTHING");
        new += insert.build().persistent(false).execute(&mut **tx).await?.rows_affected();
    }
    if unknown.is_empty() {
        return Ok(new);
    }
    unknown.sort();
    let named: Vec<&str> = unknown.iter().take(NAMED).map(String::as_str).collect();
    let more = if unknown.len() > named.len() { ", …" } else { "" };
    Err(StoreError::Refused(format!(
        "{} of {} creators aren't known here, so nothing was changed: {}{more}",
        unknown.len(),
        creators.len(),
        named.join(", ")
    )))
}

/// Creators for a journal row: how many, who, and, when these are too many, what tells whether a list is the same.
fn told(creators: &BTreeSet<&str>) -> serde_json::Value {
    let first: Vec<&str> = creators.iter().take(TOLD).copied().collect();
    let sha256 = (creators.len() > first.len()).then(|| {
        let mut hasher = sha2::Sha256::new();
        for creator in creators {
            hasher.update(creator);
            hasher.update("\n");
        }
        hex::encode(hasher.finalize())
    });
    serde_json::json!({"count": creators.len(), "first": first, "sha256_of_sorted_lines": sha256})
}
