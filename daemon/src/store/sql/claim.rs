//! An unknown payout that a person names the Stripe object of: recorded like any sighting, by the person's name.
use super::{DB, FOR_UPDATE_OF_P, Pool, Tx, begin, change, commit, journal};
use crate::store::{
    StoreError,
    types::{AttemptChange, By, Change, Claimed},
};
use payout_shared::{
    answer::PayoutObject,
    attempt::AttemptState,
    id::PayoutId,
    payout::{ObjectStatus, PayoutEvent, Which},
};
use sqlx::{AssertSqlSafe, Row};

/// Records that this object is the payout. The caller has held it against what was asked for.
pub(in crate::store) async fn record(
    pool: &Pool,
    now_ms: i64,
    payout: &PayoutId,
    claimed: &Claimed,
    by: &By,
) -> Result<i64, StoreError> {
    let (object, id) = (&claimed.object, claimed.object.id.as_str());
    let mut tx = begin(pool).await?;
    still_unknown(&mut tx, payout, &claimed.key).await?;
    refuse_known(&mut tx, object).await?;
    refuse_adopted(&mut tx, object).await?;
    // It may have been seen before, as one that nothing explained.
    sqlx::query::<DB>("DELETE FROM foreign_payouts WHERE object_id = $1 AND payout_id IS NULL").bind(id).execute(&mut *tx).await?;
    let status = object.status.unwrap_or(ObjectStatus::Pending);
    let seen = Change {
        event: Some(PayoutEvent::Object(status, Which::Newest)),
        cause: object.failure_code.clone(),
        failure_reason: object.failure_message.clone(),
        attempt: Some(AttemptChange {
            key: claimed.key.clone(),
            state: Some(AttemptState::Executed),
            object: Some(object.clone()),
            ..AttemptChange::default()
        }),
        detail: serde_json::json!({"object": id, "status": status.as_str(), "named_by": by.to_string(), "how": claimed.how}),
        ..Change::new(payout.clone(), by.clone())
    };
    let (_, notes) = change::in_tx(&mut tx, now_ms, &[seen]).await?;
    let seq = journal::append(&mut tx, now_ms, notes).await?;
    commit(tx).await?;
    Ok(seq)
}

/// Refuses what isn't unknown any more, has another attempt, or is on the wire.
pub(super) async fn still_unknown(tx: &mut Tx, payout: &PayoutId, key: &str) -> Result<(), StoreError> {
    let row = sqlx::query::<DB>(AssertSqlSafe(format!(
        "SELECT p.state, t.key, t.on_wire FROM creator_payouts p LEFT JOIN payout_attempts t \
         ON t.payout_id = p.id AND t.kind = 'create' AND t.number = p.attempts WHERE p.id = $1{FOR_UPDATE_OF_P}"
    )))
    .bind(payout.as_str())
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| StoreError::NotFound { what: "payout", name: payout.to_string() })?;
    let (state, newest): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    if state != "unknown" {
        let state = state.replace('_', " ");
        return Err(StoreError::Refused(format!("payout {payout} is {state}: only an unknown one is resolved by hand")));
    }
    if newest.as_deref() != Some(key) {
        return Err(StoreError::Refused(format!("payout {payout} has another attempt by now: look at it again")));
    }
    if row.try_get::<Option<bool>, _>(2)?.unwrap_or(false) {
        return Err(StoreError::Refused(format!("a request for payout {payout} is on the wire: its answer comes first")));
    }
    Ok(())
}

/// One object is one attempt's.
async fn refuse_known(tx: &mut Tx, object: &PayoutObject) -> Result<(), StoreError> {
    let other = sqlx::query::<DB>("SELECT payout_id FROM payout_attempts WHERE stripe_object_id = $1")
        .bind(object.id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    match other {
        Some(row) => {
            let other: String = row.try_get(0)?;
            Err(StoreError::Refused(format!("{} is payout {other} already", object.id)))
        }
        None => Ok(()),
    }
}

/// What was adopted has entries of its own locked: it can't be a payout's as well.
async fn refuse_adopted(tx: &mut Tx, object: &PayoutObject) -> Result<(), StoreError> {
    let found = sqlx::query::<DB>("SELECT 1 FROM foreign_payouts WHERE object_id = $1 AND adopted_at_ms IS NOT NULL")
        .bind(object.id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    match found {
        Some(_) => Err(StoreError::Refused(format!("{} was adopted: it is in the books already, as no payout of ours", object.id))),
        None => Ok(()),
    }
}
