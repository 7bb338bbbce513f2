//! Policies: versions are appended and never changed; what is in force at a moment is the core's to say.
use super::{DB, Pool, Tx, begin, commit, journal, rows};
use crate::store::{
    StoreError,
    door_types::PolicySetting,
    types::{By, Note},
};
use payout_shared::{
    holding,
    policy::{Country, Policy, PolicyHistory, PolicyName, PolicyValue, PolicyVersion, Source},
};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: &str = "id, name, value, effective_from_ms, set_by, reason, source, created_at_ms";

fn version(row: &rows::AnyRow) -> Result<PolicyVersion, StoreError> {
    let (name, value, source): (String, String, String) = (row.try_get(1)?, row.try_get(2)?, row.try_get(6)?);
    let broken = |why: String| StoreError::Broken(format!("the policy {name} = {value}: {why}"));
    let of = PolicyName::parse(&name).map_err(broken)?;
    Ok(PolicyVersion {
        id: row.try_get(0)?,
        name: of,
        value: PolicyValue::parse(of, &value).map_err(broken)?,
        effective_from_ms: row.try_get(3)?,
        set_by: row.try_get(4)?,
        reason: row.try_get(5)?,
        source: Source::parse(&source).ok_or_else(|| broken(format!("its source is {source:?}")))?,
        created_at_ms: row.try_get(7)?,
    })
}

fn all() -> sqlx::AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {COLUMNS} FROM policies ORDER BY id"))
}

/// Every version that there is.
pub(in crate::store) async fn history(pool: &Pool) -> Result<PolicyHistory, StoreError> {
    let found = sqlx::query::<DB>(all()).fetch_all(pool).await?;
    Ok(PolicyHistory::new(found.iter().map(version).collect::<Result<_, _>>()?))
}

/// The same as a transaction sees it.
pub(super) async fn history_in(tx: &mut Tx) -> Result<PolicyHistory, StoreError> {
    let found = sqlx::query::<DB>(all()).fetch_all(&mut **tx).await?;
    Ok(PolicyHistory::new(found.iter().map(version).collect::<Result<_, _>>()?))
}

/// The countries of the accounts that are current; Stripe's most common limit where none is known.
async fn countries(tx: &mut Tx) -> Result<Vec<Country>, StoreError> {
    let found = sqlx::query::<DB>("SELECT DISTINCT country FROM creator_stripe_accounts WHERE is_current")
        .fetch_all(&mut **tx)
        .await?;
    let codes: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let known: Vec<Country> = codes.iter().filter_map(|code| Country::parse(code)).collect();
    Ok(if known.is_empty() { Country::parse("DE").into_iter().collect() } else { known })
}

/// Refuses what would keep money on an account for longer than Stripe lets it lie there.
async fn refuse_what_cannot_fit(tx: &mut Tx, name: PolicyName, value: PolicyValue) -> Result<(), StoreError> {
    let (Policy::HoldDays | Policy::ReserveDays, Some(days)) = (name.policy, value.number()) else { return Ok(()) };
    let gap = holding::CYCLE_GAP_MAX_DAYS;
    holding::fits(days, &countries(tx).await?).map_err(|(country, limit)| {
        StoreError::Refused(format!(
            "{name} = {days}: with up to {gap} days to the next cycle, money of accounts in {} would lie longer than the {limit} days that \
             Stripe allows there; at most {} days fit",
            country.as_str(),
            limit.saturating_sub(gap).max(0)
        ))
    })
}

/// Appends a version, to count from a moment that isn't over. Gives the journal's number.
pub(in crate::store) async fn set(
    pool: &Pool,
    now_ms: i64,
    setting: &PolicySetting,
    by: &By,
    source: Source,
) -> Result<i64, StoreError> {
    let PolicySetting { name, value, effective_from_ms, .. } = *setting;
    let from_ms = effective_from_ms.unwrap_or(now_ms);
    if from_ms < now_ms {
        return Err(StoreError::Refused(format!(
            "{name} can't be set for the past: what was earned and decided by then stays as it was; leave --from out for now"
        )));
    }
    let mut tx = begin(pool).await?;
    refuse_what_cannot_fit(&mut tx, name, value).await?;
    let note = append(&mut tx, now_ms, setting, from_ms, by, source).await?;
    let seq = journal::append(&mut tx, now_ms, vec![note]).await?;
    commit(tx).await?;
    Ok(seq)
}

async fn append(
    tx: &mut Tx,
    now_ms: i64,
    setting: &PolicySetting,
    from_ms: i64,
    by: &By,
    source: Source,
) -> Result<Note, StoreError> {
    let PolicySetting { name, value, .. } = *setting;
    sqlx::query::<DB>(
        "INSERT INTO policies (name, value, effective_from_ms, set_by, reason, source, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(name.to_string())
    .bind(value.text(name))
    .bind(from_ms)
    .bind(by.to_string())
    .bind(&setting.reason)
    .bind(source.as_str())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(Note {
        actor: by.to_string(),
        action: "policy.set".to_owned(),
        reason: Some(setting.reason.clone()),
        detail: serde_json::json!({
            "name": name.to_string(), "value": value.text(name), "effective_from_ms": from_ms, "source": source.as_str(),
        }),
        ..Note::default()
    })
}

/// Writes what a start has to write: what the configuration says otherwise than before, and defaults that are new. What can't be is left
/// out, a sentence each.
pub(in crate::store) async fn configure(
    pool: &Pool,
    now_ms: i64,
    said: &BTreeMap<PolicyName, (PolicyValue, Source)>,
) -> Result<Vec<String>, StoreError> {
    let mut tx = begin(pool).await?;
    let history = history_in(&mut tx).await?;
    let whole = payout_shared::policy::PolicySet::default();
    let mut names: BTreeSet<PolicyName> = said.keys().copied().collect();
    names.extend(whole.iter().map(|(name, _)| name));
    names.extend(history.versions().iter().map(|version| version.name));
    let (mut notes, mut refused) = (Vec::new(), Vec::new());
    for name in names {
        let Some((value, source)) = history.to_write(name, said.get(&name).copied()) else { continue };
        match refuse_what_cannot_fit(&mut tx, name, value).await {
            Err(StoreError::Refused(why)) => refused.push(why),
            Err(error) => return Err(error),
            Ok(()) => {
                let reason = match source {
                    Source::Default => "what holds when nobody says anything",
                    Source::Environment | Source::Person => "the configuration says so",
                };
                let setting = PolicySetting { name, value, effective_from_ms: None, reason: reason.to_owned() };
                notes.push(append(&mut tx, now_ms, &setting, now_ms, &By::Engine, source).await?);
            }
        }
    }
    if !notes.is_empty() {
        journal::append(&mut tx, now_ms, notes).await?;
        commit(tx).await?;
    }
    Ok(refused)
}
