//! Reversals: what two people decide about them, and what is known of those that Stripe has made.
use super::{DB, FOR_UPDATE_OF_P, Pool, Tx, change, requests, rows};
use crate::store::{
    StoreError,
    door_types::{NewRequest, RequestRow},
    types::{By, Change, Confirm, Fence, KnownReversal, Note, RunRow},
};
use payout_shared::{
    answer::PayoutObject,
    approval::{RequestKind, RequestState},
    attempt::KEY_PREFIX,
    id::{AccountId, ObjectId, PayoutId, RunId},
    payout::{ObjectStatus, PayoutEvent},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

const IDS_PER_STATEMENT: usize = 500;

/// Reversals of a run that wait for a second person.
pub(super) async fn to_approve(tx: &mut Tx, run: &RunId) -> Result<i64, StoreError> {
    let row = sqlx::query::<DB>("SELECT COUNT(*) FROM rollback_reversals WHERE run_id = $1 AND approved_at_ms IS NULL")
        .bind(run.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get(0)?)
}

/// Asks a second person for the reversals of a rollback that was just confirmed; what an earlier one of the run waited for expires.
pub(super) async fn ask(
    tx: &mut Tx,
    now_ms: i64,
    new_id: &str,
    (run, number): (&RunRow, i64),
    confirm: &Confirm,
    (by, reason): (&By, &str),
) -> Result<Vec<Note>, StoreError> {
    // What waited and can't be reversed any more waits for nobody.
    sqlx::query::<DB>("DELETE FROM rollback_reversals WHERE run_id = $1 AND approved_at_ms IS NULL")
        .bind(run.id.as_str())
        .execute(&mut **tx)
        .await?;
    for chunk in confirm.reversals.chunks(IDS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new("INSERT INTO rollback_reversals (payout_id, run_id, number) ");
        insert.push_values(chunk, |mut values, id| {
            values.push_bind(id.as_str()).push_bind(run.id.as_str()).push_bind(number);
        });
        insert.push(" ON CONFLICT (payout_id) DO NOTHING");
        insert.build().persistent(false).execute(&mut **tx).await?;
    }
    let mut notes = Vec::new();
    for old in requests::open_about(tx, RequestKind::Reversal, run.id.as_str()).await? {
        let why = "the run's rollback was confirmed again";
        requests::decide(tx, now_ms, &old.id, RequestState::Expired, &By::Engine, why).await?;
        notes.push(requests::note(&old, "expire", &By::Engine, why));
    }
    let found = sqlx::query::<DB>(
        "SELECT p.currency, CAST(SUM(p.amount_minor) AS BIGINT), COUNT(*) FROM rollback_reversals v JOIN creator_payouts p \
         ON p.id = v.payout_id WHERE v.run_id = $1 AND v.number = $2 AND v.approved_at_ms IS NULL GROUP BY p.currency ORDER BY p.currency",
    )
    .bind(run.id.as_str())
    .bind(number)
    .fetch_all(&mut **tx)
    .await?;
    let (mut amounts, mut payouts) = (Vec::new(), 0_i64);
    for row in found {
        let (currency, minor, count): (String, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        amounts.push(json!({ "minor": minor, "currency": currency }));
        payouts = payouts.saturating_add(count);
    }
    if payouts == 0 {
        return Ok(notes);
    }
    let by = by.to_string();
    let new = NewRequest {
        kind: RequestKind::Reversal,
        subject: run.id.to_string(),
        detail: json!({
            "run": run.label.to_string(), "rollback": number, "preview": confirm.hash, "payouts": payouts, "amounts": amounts,
        }),
        uid: By::uid_in(&by),
        by,
        reason: reason.to_owned(),
    };
    notes.push(requests::insert(tx, now_ms, new_id, &new).await?);
    Ok(notes)
}

fn number_of(request: &RequestRow) -> Result<i64, StoreError> {
    requests::detail(request)?["rollback"].as_i64().ok_or_else(|| StoreError::Broken(format!("request {} names no rollback", request.id)))
}

/// Two people agreed: the reversals of that rollback may leave.
pub(super) async fn approve(tx: &mut Tx, now_ms: i64, request: &RequestRow, by: &By) -> Result<Vec<Note>, StoreError> {
    sqlx::query::<DB>(
        "UPDATE rollback_reversals SET approved_by = $3, approved_at_ms = $4 WHERE run_id = $1 AND number = $2 AND approved_at_ms IS NULL",
    )
    .bind(&request.subject)
    .bind(number_of(request)?)
    .bind(by.to_string())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(Vec::new())
}

/// Somebody said no: they are forgotten, and a new rollback may ask for them again.
pub(super) async fn give_up(tx: &mut Tx, request: &RequestRow) -> Result<(), StoreError> {
    sqlx::query::<DB>("DELETE FROM rollback_reversals WHERE run_id = $1 AND number = $2 AND approved_at_ms IS NULL")
        .bind(&request.subject)
        .bind(number_of(request)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

const REVERSALS: &str = "SELECT p.id, p.account_id, p.stripe_payout_id, u.key, u.stripe_object_id, u.paid_seen_ms FROM creator_payouts p \
     JOIN payout_attempts u ON u.payout_id = p.id AND u.kind = 'reverse' AND u.number = 1 WHERE p.stripe_payout_id IS NOT NULL AND ";

fn reversal(row: &rows::AnyRow) -> Result<KnownReversal, StoreError> {
    Ok(KnownReversal {
        payout_id: PayoutId::new(row.try_get::<String, _>(0)?),
        account: AccountId::new(row.try_get::<String, _>(1)?),
        original: ObjectId::new(row.try_get::<String, _>(2)?),
        key: row.try_get(3)?,
        object: row.try_get::<Option<String>, _>(4)?.map(ObjectId::new),
        paid_seen_ms: row.try_get(5)?,
    })
}

/// The reversals of ours of these payout objects.
pub(in crate::store) async fn of_originals(pool: &Pool, originals: &[ObjectId]) -> Result<Vec<KnownReversal>, StoreError> {
    if originals.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<DB>::new(REVERSALS);
    query.push("p.stripe_payout_id IN (");
    let mut list = query.separated(", ");
    for original in originals {
        list.push_bind(original.as_str());
    }
    query.push(")");
    query.build().persistent(false).fetch_all(pool).await?.iter().map(reversal).collect()
}

/// Why a creator is held whose payout was taken back at Stripe past this program.
const FOUND: &str = "reversed_at_stripe";

/// A reversal of a paid payout of ours that nobody asked for here, or that these books have forgotten: it becomes the payout's reversal, and the
/// creator is held until somebody has looked, so that its entries aren't paid again unseen. `None`: it is none.
pub(super) async fn found(
    tx: &mut Tx,
    now_ms: i64,
    fence: Fence,
    object: &PayoutObject,
) -> Result<Option<Vec<Note>>, StoreError> {
    let Some(original) = object.reverses().filter(|_| !object.is_dead()) else { return Ok(None) };
    let text = format!(
        "SELECT p.id, u.key, u.state, u.object_status FROM creator_payouts p LEFT JOIN payout_attempts u \
         ON u.payout_id = p.id AND u.kind = 'reverse' AND u.number = 1 WHERE p.stripe_payout_id = $1 AND p.account_id = $2 \
         AND p.currency = $3 AND p.amount_minor = $4 AND p.state IN ('paid', 'settled'){FOR_UPDATE_OF_P}"
    );
    let row = sqlx::query::<DB>(AssertSqlSafe(text))
        .bind(original.as_str())
        .bind(object.account.as_str())
        .bind(object.currency.as_str())
        .bind(object.amount_minor.checked_neg())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (payout, before): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    if before.is_some() {
        // One of ours that came to nothing gives its place to the one that is there.
        let (state, status): (String, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
        let status = status.as_deref().and_then(ObjectStatus::parse);
        if state != "refused" && status.is_none_or(ObjectStatus::is_alive) {
            return Ok(None);
        }
        sqlx::query::<DB>("DELETE FROM payout_attempts WHERE payout_id = $1 AND kind = 'reverse' AND number = 1")
            .bind(&payout)
            .execute(&mut **tx)
            .await?;
    }
    let ours = object.key.clone().filter(|key| key.starts_with(KEY_PREFIX));
    let key = ours.unwrap_or_else(|| format!("stripe:{}", object.id));
    sqlx::query::<DB>(
        "INSERT INTO payout_attempts (key, payout_id, kind, number, state, body, amount_minor, currency, account_id, destination_id, run_id, \
         token, send_before_ms, stripe_object_id, created_at_ms) SELECT $1, p.id, 'reverse', 1, 'executed', '', p.amount_minor, p.currency, \
         p.account_id, p.destination_id, p.run_id, $2, 0, $3, $4 FROM creator_payouts p WHERE p.id = $5",
    )
    .bind(&key)
    .bind(fence.0)
    .bind(object.id.as_str())
    .bind(now_ms)
    .bind(&payout)
    .execute(&mut **tx)
    .await?;
    let why = format!("payout {payout} was taken back at Stripe ({}), and nobody asked for that here", object.id);
    tracing::error!(%payout, reversal = %object.id, before, "a payout was taken back at Stripe, and nobody asked for that here");
    let change = Change {
        event: Some(PayoutEvent::IntendReverse),
        failure_reason: Some(why.clone()),
        hold: Some((FOUND.to_owned(), why)),
        detail: json!({ "reversal": object.id.as_str(), "key": key, "instead_of": before }),
        ..Change::new(PayoutId::new(payout), By::Engine)
    };
    Ok(Some(change::in_tx(tx, now_ms, &[change]).await?.1))
}

/// Reversed payouts whose money is waited for, and whose reversal is to be looked at now.
pub(in crate::store) async fn due(pool: &Pool, now_ms: i64, limit: i64) -> Result<Vec<KnownReversal>, StoreError> {
    let text = format!(
        "{REVERSALS}p.state = 'reversed' AND p.released_at_ms IS NULL AND u.stripe_object_id IS NOT NULL AND p.not_before_ms <= $1 \
         ORDER BY p.not_before_ms, p.id LIMIT $2"
    );
    sqlx::query::<DB>(AssertSqlSafe(text)).bind(now_ms).bind(limit).fetch_all(pool).await?.iter().map(reversal).collect()
}
