//! Purses of which Stripe holds less than is payable: the only part of a plan that reads single entries. The core chooses of them, the
//! database writes what was chosen; its sums are checked with everybody's.
use super::{
    DB, Tx,
    plan::{Decided, ROWS_PER_STATEMENT},
    purses::{PlanRun, entries_query},
};
use crate::store::{StoreError, types::PlanContext};
use payout_shared::{
    currency::Currency,
    id::{AccountId, PayoutId},
    plan,
    short::{self, Entry},
};
use sqlx::{QueryBuilder, Row};
use std::collections::HashMap;

/// Purses whose entries are read by one statement.
const PURSES_PER_STATEMENT: usize = 200;

/// Decides the purses of a page again of which Stripe surely holds less than is payable, now by their single entries.
pub(super) async fn decide_again(
    connection: &mut <DB as sqlx::Database>::Connection,
    run: &PlanRun<'_>,
    context: &PlanContext,
    decided: &mut [Decided],
) -> Result<(), StoreError> {
    let mut shorts = Vec::new();
    for (at, purse) in decided.iter().enumerate() {
        let wants = plan::wants_entries(&purse.facts, &context.rules).map_err(|error| broken(purse, &error))?;
        shorts.extend(wants.map(|available_minor| (at, available_minor)));
    }
    for chunk in shorts.chunks(PURSES_PER_STATEMENT) {
        let purses: Vec<(AccountId, Currency)> =
            chunk.iter().map(|(at, _)| (decided[*at].facts.account.clone(), decided[*at].facts.currency)).collect();
        let mut entries: HashMap<(String, String), Vec<Entry>> = HashMap::new();
        for row in entries_query(run, &purses, context).build().fetch_all(&mut *connection).await? {
            let entry = Entry { id: row.try_get(2)?, earned_at_ms: row.try_get(3)?, amount_minor: row.try_get(4)? };
            entries.entry((row.try_get(0)?, row.try_get(1)?)).or_default().push(entry);
        }
        for (at, available_minor) in chunk {
            let purse = &mut decided[*at];
            let of = (purse.facts.account.to_string(), purse.facts.currency.to_string());
            let chosen = short::fifo(entries.get(&of).map_or(&[], Vec::as_slice), *available_minor)
                .ok_or_else(|| broken(purse, &"the sums of its entries do not fit"))?;
            purse.facts.chosen_minor = Some(chosen.sum_minor);
            purse.decision = plan::decide(&purse.facts, &context.rules).map_err(|error| broken(purse, &error))?;
            purse.chosen = Some(chosen.ids);
        }
    }
    Ok(())
}

fn broken(purse: &Decided, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("purse {} {}: {error}", purse.facts.account, purse.facts.currency))
}

/// Locks the chosen entries into their payouts; where none were chosen, nothing.
pub(super) async fn insert_items(tx: &mut Tx, payouts: &[(PayoutId, &Decided)]) -> Result<(), StoreError> {
    for (payout, purse) in payouts {
        for ids in purse.chosen.as_deref().unwrap_or_default().chunks(ROWS_PER_STATEMENT) {
            let mut insert = QueryBuilder::<DB>::new("INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT ");
            insert.push_bind(payout.to_string()).push(", e.id, e.amount_minor FROM creator_earnings e WHERE e.id IN (");
            let mut list = insert.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            insert.push(")");
            insert.build().persistent(false).execute(&mut **tx).await?;
        }
    }
    Ok(())
}
