//! Adopting a payout that somebody made at Stripe past this program: everything payable of its purse is locked by it, a pair of carries makes
//! that its amount, and a planned payout of the purse is given up. One transaction.
use super::{
    DB, FOR_UPDATE, FOR_UPDATE_OF_P, Pool, Tx, begin, change, commit, foreign, journal,
    purses::{FREE, PlanRun, push_mature},
    rows, undo,
};
use crate::store::{
    StoreError,
    types::{Adopted, AdoptAsk, Note},
};
use payout_shared::{
    adopt::{self, ActivePayout, AdoptFacts},
    answer::PayoutObject,
    id::PayoutId,
    money::Money,
    payout::ObjectStatus,
    plan::SkipReason,
};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

/// Takes an object that was read at Stripe just now into the books. A second time it changes nothing.
pub(in crate::store) async fn adopt(pool: &Pool, now_ms: i64, ask: &AdoptAsk<'_>) -> Result<Adopted, StoreError> {
    let object = ask.object;
    let mut tx = begin(pool).await?;
    whose(&mut tx, ask).await?;
    foreign::record(&mut tx, now_ms, object, None, "made at Stripe, and not by us").await?;
    let (facts, adopted) = facts(&mut tx, object).await?;
    if adopted {
        return already(tx, object).await;
    }
    let given_up = adopt::adopt(&facts).map_err(StoreError::Refused)?.map(|active| PayoutId::new(&active.id));
    let mut notes = Vec::new();
    if let Some(payout) = &given_up {
        notes.extend(give_up(&mut tx, now_ms, payout, ask).await?);
    }
    lock_payable(&mut tx, now_ms, ask).await?;
    let (entries, payable_minor) = locked(&mut tx, object).await?;
    let carried_minor = adopt::carried(payable_minor, object.amount_minor)
        .ok_or_else(|| StoreError::Broken(format!("what is payable on {} does not fit into 64 bits", object.account)))?;
    if carried_minor != 0 {
        carry(&mut tx, now_ms, ask, carried_minor).await?;
    }
    sqlx::query::<DB>("UPDATE foreign_payouts SET adopted_at_ms = $2, adopted_by = $3 WHERE object_id = $1")
        .bind(object.id.as_str())
        .bind(now_ms)
        .bind(ask.by.to_string())
        .execute(&mut *tx)
        .await?;
    notes.push(Note {
        actor: ask.by.to_string(),
        action: "payout.adopt".to_owned(),
        reason: Some(ask.reason.to_owned()),
        detail: serde_json::json!({
            "object": object.id.as_str(), "account": object.account.as_str(), "creator": ask.creator.as_str(),
            "amount_minor": object.amount_minor, "currency": object.currency.as_str(), "entries": entries,
            "payable_minor": payable_minor, "carried_minor": carried_minor, "voided": given_up.as_ref().map(PayoutId::as_str),
        }),
        ..Note::default()
    });
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(Adopted { amount: facts.amount, entries, payable_minor, carried_minor, voided: given_up, seq, already: false })
}

/// The account is this creator's; locked, so that one adoption of it comes after another.
async fn whose(tx: &mut Tx, ask: &AdoptAsk<'_>) -> Result<(), StoreError> {
    let text = format!("SELECT creator_id FROM creator_stripe_accounts WHERE account_id = $1{FOR_UPDATE}");
    let found = sqlx::query::<DB>(AssertSqlSafe(text)).bind(ask.object.account.as_str()).fetch_optional(&mut **tx).await?;
    let Some(row) = found else {
        return Err(StoreError::NotFound { what: "account", name: ask.object.account.to_string() });
    };
    let owner: String = row.try_get(0)?;
    if owner == ask.creator.as_str() {
        return Ok(());
    }
    let (object, account) = (&ask.object.id, &ask.object.account);
    Err(StoreError::Refused(format!("{object} lies on account {account} of creator {owner}, not of {}", ask.creator)))
}

/// What the core judges; and whether it was adopted before.
async fn facts(tx: &mut Tx, object: &PayoutObject) -> Result<(AdoptFacts, bool), StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT f.status, f.adopted_at_ms IS NOT NULL, f.created_ms <= d.created_at_ms - 1000, \
         COALESCE(f.payout_id, (SELECT MIN(t.payout_id) FROM payout_attempts t WHERE t.stripe_object_id = f.object_id OR t.key = $2)) \
         FROM foreign_payouts f JOIN daemon_state d ON d.id = 1 WHERE f.object_id = $1",
    )
    .bind(object.id.as_str())
    .bind(object.key.as_deref().unwrap_or_default())
    .fetch_one(&mut **tx)
    .await?;
    let status: String = row.try_get(0)?;
    let facts = AdoptFacts {
        object: object.id.to_string(),
        amount: Money::new(object.amount_minor, object.currency),
        status: ObjectStatus::parse(&status),
        is_older: row.try_get(2)?,
        ours: row.try_get(3)?,
        active: active(tx, object).await?,
    };
    Ok((facts, row.try_get(1)?))
}

async fn active(tx: &mut Tx, object: &PayoutObject) -> Result<Option<ActivePayout>, StoreError> {
    let text = format!(
        "SELECT p.id, p.state, EXISTS (SELECT 1 FROM payout_attempts t WHERE t.payout_id = p.id AND t.kind = 'create' \
         AND (t.on_wire OR t.state IN ('intended', 'unknown') OR (t.ambiguous_sends > 0 AND t.number = p.attempts))) \
         FROM creator_payouts p WHERE p.account_id = $1 AND p.currency = $2 \
         AND p.state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit'){FOR_UPDATE_OF_P}"
    );
    let found = sqlx::query::<DB>(AssertSqlSafe(text))
        .bind(object.account.as_str())
        .bind(object.currency.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let (id, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(ActivePayout { state: rows::payout_state(&id, &state)?, id, in_doubt: row.try_get(2)? }))
}

/// It was adopted before: what that came to.
async fn already(mut tx: Tx, object: &PayoutObject) -> Result<Adopted, StoreError> {
    let (entries, sum_minor) = locked(&mut tx, object).await?;
    let row = sqlx::query::<DB>(
        "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT), COUNT(*), (SELECT seq FROM journal_head WHERE id = 1) \
         FROM creator_earnings WHERE source_type = 'payout' AND source_id = $1 AND kind = 'carry_in'",
    )
    .bind(object.id.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let (carried_minor, pairs): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Adopted {
        amount: Money::new(object.amount_minor, object.currency),
        entries: entries.saturating_sub(pairs),
        payable_minor: sum_minor.saturating_add(carried_minor),
        carried_minor,
        voided: None,
        seq: row.try_get(2)?,
        already: true,
    })
}

/// A planned payout gives way; its purse's outcome says why.
async fn give_up(tx: &mut Tx, now_ms: i64, payout: &PayoutId, ask: &AdoptAsk<'_>) -> Result<Vec<Note>, StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT p.id, p.attempts, t.key FROM creator_payouts p LEFT JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' \
         AND t.number = p.attempts WHERE p.id = $1",
    )
    .bind(payout.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let sentence = format!(
        "payout {} was made on this balance, and not by us; it was adopted, and what it left over is planned by the next run",
        ask.object.id
    );
    let change = undo::given_up(&row, (SkipReason::ForeignPayout, &sentence), ask.by.clone())?;
    Ok(change::in_tx(tx, now_ms, &[change]).await?.1)
}

/// Locks what a run asked for now would count of the purse.
async fn lock_payable(tx: &mut Tx, now_ms: i64, ask: &AdoptAsk<'_>) -> Result<(), StoreError> {
    let run = PlanRun { id: "", cutoff_ms: now_ms, instant_ms: now_ms, creators: None };
    let mut insert = QueryBuilder::<DB>::new("INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT ");
    insert.push_bind(ask.object.id.to_string());
    insert.push(", e.id, e.amount_minor FROM creator_earnings e WHERE e.account_id = ").push_bind(ask.object.account.to_string());
    insert.push(" AND e.currency = ").push_bind(ask.object.currency.to_string()).push(" AND ");
    push_mature(&mut insert, &run, ask.context);
    insert.push(" AND ").push(FREE);
    insert.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

/// How many entries the object holds or held, and their sum.
async fn locked(tx: &mut Tx, object: &PayoutObject) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query::<DB>(
        "SELECT COUNT(*), CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM payout_items WHERE payout_id = $1",
    )
    .bind(object.id.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// What was paid and what was payable differ: −d is locked with the entries, +d is free and counts at once.
async fn carry(tx: &mut Tx, now_ms: i64, ask: &AdoptAsk<'_>, carried_minor: i64) -> Result<(), StoreError> {
    let object = ask.object;
    for (kind, minor) in [("carry_out", carried_minor.saturating_neg()), ("carry_in", carried_minor)] {
        sqlx::query::<DB>(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $5, 0, 'payout', $6, $7, $7, $7)",
        )
        .bind(ask.creator.as_str())
        .bind(object.account.as_str())
        .bind(object.currency.as_str())
        .bind(kind)
        .bind(minor)
        .bind(object.id.as_str())
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query::<DB>(
        "INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT source_id, id, amount_minor FROM creator_earnings \
         WHERE source_type = 'payout' AND kind = 'carry_out' AND source_id = $1",
    )
    .bind(object.id.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
