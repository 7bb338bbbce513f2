//! The plan, a page of purses at a time: the database sums, the core decides, the database writes the items in bulk and their sums
//! are checked again. A dry run is the same reading without the writing.
use super::{
    DB, Pool, Tx, begin, cohort_ask, commit, facts, holding, journal, lease, shorts,
    purses::{End, FREE, PlanRun, Reach, end_of_page, facts_query, place_of, push_mature},
};
use crate::store::{
    StoreError,
    types::{Fence, Ids, Note, PlanContext, PlanPage, PlannedPurse},
};
use payout_shared::{
    attempt::payout_number_of,
    currency::Currency,
    id::{AccountId, PayoutId},
    plan::{self, Decision, PurseFacts},
};
use sqlx::{QueryBuilder, Row};

/// Rows per statement: far below both databases' limits on binds.
pub(super) const ROWS_PER_STATEMENT: usize = 500;

/// Which purses of a run.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Purses<'a> {
    /// The next so many after this place ("account currency"; empty = from the start), whether anything is free in them or not.
    After(&'a str, i64),
    /// These.
    These(&'a [(AccountId, Currency)]),
}

/// A purse and what it gets.
pub(super) struct Decided {
    pub(super) facts: PurseFacts,
    number: i64,
    pub(super) decision: Decision,
    /// The entries that were chosen one by one, because Stripe holds less than is payable; `None` = all that count.
    pub(super) chosen: Option<Vec<i64>>,
}

async fn decide(
    connection: &mut <DB as sqlx::Database>::Connection,
    run: &PlanRun<'_>,
    purses: Purses<'_>,
    context: &PlanContext,
) -> Result<(Vec<Decided>, Option<End>), StoreError> {
    let mut decided = Vec::new();
    let (reach, end) = match purses {
        Purses::These(list) => (Reach::These(list), None),
        Purses::After(place, limit) => match end_of_page(&mut *connection, run, place, limit).await? {
            None => return Ok((decided, None)),
            Some(end) => (Reach::Between(place, end.last.clone()), Some(end)),
        },
    };
    let rollout = cohort_ask::rollout(&mut *connection).await?;
    for row in facts_query(run, &reach, context).build().fetch_all(&mut *connection).await? {
        let mut facts = facts::read(&row, context, &rollout)?;
        facts.mature_minor = row.try_get("mature")?;
        facts.immature_minor = row.try_get("immature")?;
        facts.active_payout = row.try_get("active")?;
        facts.oldest_available_ms = row.try_get("oldest")?;
        // Of a run of this name that these books have forgotten (a backup): what its keys asked for was adopted, and they ask for nothing else.
        let adopted = row.try_get::<Option<String>, _>("adopted")?.and_then(|key| payout_number_of(&key)).unwrap_or(0);
        let number = row.try_get::<i64, _>("number")?.max(i64::from(adopted));
        let decision = plan::decide(&facts, &context.rules)
            .map_err(|error| StoreError::Broken(format!("purse {} {}: {error}", facts.account, facts.currency)))?;
        decided.push(Decided { facts, number: number.saturating_add(1), decision, chosen: None });
    }
    shorts::decide_again(connection, run, context, &mut decided).await?;
    Ok((decided, end))
}

fn page(decided: &[Decided], end: Option<&End>) -> PlanPage {
    PlanPage {
        next_after: end.filter(|end| end.full).map(|end| place_of(&end.last)),
        purses: decided
            .iter()
            .map(|purse| PlannedPurse {
                creator: purse.facts.creator.clone(),
                account: purse.facts.account.clone(),
                currency: purse.facts.currency,
                mature_minor: purse.facts.mature_minor,
                immature_minor: purse.facts.immature_minor,
                decision: purse.decision.clone(),
            })
            .collect(),
    }
}

/// A page of a dry run: writes nothing.
pub(in crate::store) async fn preview(
    pool: &Pool,
    run: &PlanRun<'_>,
    after: &str,
    limit: i64,
    context: &PlanContext,
) -> Result<PlanPage, StoreError> {
    let mut connection = pool.acquire().await?;
    preview_in(&mut connection, run, after, limit, context).await
}

/// The same within a transaction.
pub(super) async fn preview_in(
    connection: &mut <DB as sqlx::Database>::Connection,
    run: &PlanRun<'_>,
    after: &str,
    limit: i64,
    context: &PlanContext,
) -> Result<PlanPage, StoreError> {
    let purses = Purses::After(after, limit);
    let (decided, end) = decide(connection, run, purses, context).await?;
    Ok(page(&decided, end.as_ref()))
}

/// What a page is written with, beside its purses.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Writing<'a> {
    pub(in crate::store) fence: Fence,
    pub(in crate::store) now_ms: i64,
    pub(in crate::store) ids: &'a Ids,
    pub(in crate::store) context: &'a PlanContext,
}

/// Plans a page for real: payouts with their items and carries, one outcome per purse. A crash before the commit changes nothing;
/// after it, the run's place has moved on. Planning the same page twice is impossible: the place is part of the transaction.
pub(in crate::store) async fn write_page(
    pool: &Pool,
    writing: Writing<'_>,
    run: &PlanRun<'_>,
    purses: Purses<'_>,
) -> Result<PlanPage, StoreError> {
    let mut tx = begin(pool).await?;
    lease::check(&mut tx, writing.fence).await?;
    let (page, notes) = in_tx(&mut tx, writing, run, purses).await?;
    journal::append(&mut tx, writing.now_ms, notes).await?;
    commit(tx).await?;
    Ok(page)
}

/// The same inside a transaction of the store's: the caller has checked the fence and appends the notes last.
pub(super) async fn in_tx(
    tx: &mut Tx,
    writing: Writing<'_>,
    run: &PlanRun<'_>,
    purses: Purses<'_>,
) -> Result<(PlanPage, Vec<Note>), StoreError> {
    let Writing { now_ms, ids, context, .. } = writing;
    let (decided, end) = decide(&mut *tx, run, purses, context).await?;
    let page = page(&decided, end.as_ref());
    let payouts: Vec<(PayoutId, &Decided)> = decided
        .iter()
        .filter(|purse| matches!(purse.decision, Decision::Pay { .. }))
        .map(|purse| (ids.payout(now_ms), purse))
        .collect();
    for chunk in payouts.chunks(ROWS_PER_STATEMENT) {
        insert_payouts(tx, now_ms, run, chunk).await?;
        let whole: Vec<String> =
            chunk.iter().filter(|(_, purse)| purse.chosen.is_none()).map(|(id, _)| id.to_string()).collect();
        if !whole.is_empty() {
            items_query(run, whole.into_iter(), context).build().execute(&mut **tx).await?;
        }
        shorts::insert_items(tx, chunk).await?;
        insert_carries(tx, now_ms, run, chunk).await?;
        check_sums(tx, chunk).await?;
    }
    insert_outcomes(tx, run, &decided, &payouts).await?;
    if let Purses::After(place, _) = purses {
        move_place(tx, run, place, end.as_ref()).await?;
    }
    let mut notes = notes(run, &decided, &payouts);
    notes.extend(decided.iter().filter_map(|purse| holding::note(run, &purse.facts, &purse.decision, &context.rules)));
    Ok((page, notes))
}

async fn insert_payouts(
    tx: &mut Tx,
    now_ms: i64,
    run: &PlanRun<'_>,
    payouts: &[(PayoutId, &Decided)],
) -> Result<(), StoreError> {
    let mut insert = QueryBuilder::<DB>::new(
        "INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, \
         created_at_ms, changed_at_ms) ",
    );
    insert.push_values(payouts, |mut row, (id, purse)| {
        let Decision::Pay { amount, destination, .. } = &purse.decision else { return };
        row.push_bind(id.to_string())
            .push_bind(run.id.to_owned())
            .push_bind(purse.number)
            .push_bind(purse.facts.creator.to_string())
            .push_bind(purse.facts.account.to_string())
            .push_bind(purse.facts.currency.to_string())
            .push_bind(amount.minor)
            .push_bind(destination.to_string())
            .push("'planned'")
            .push_bind(now_ms)
            .push_bind(now_ms);
    });
    insert.build().execute(&mut **tx).await?;
    Ok(())
}

fn push_ids(query: &mut QueryBuilder<DB>, payouts: &[(PayoutId, &Decided)]) {
    query.push("(");
    let mut list = query.separated(", ");
    for (id, _) in payouts {
        list.push_bind(id.to_string());
    }
    query.push(")");
}

/// Locks what counts of these payouts' purses into them.
pub(super) fn items_query(
    run: &PlanRun<'_>,
    payouts: impl Iterator<Item = String>,
    context: &PlanContext,
) -> QueryBuilder<DB> {
    let mut insert = QueryBuilder::<DB>::new(
        "INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT p.id, e.id, e.amount_minor FROM creator_payouts p \
         JOIN creator_earnings e ON e.account_id = p.account_id AND e.currency = p.currency WHERE ",
    );
    push_mature(&mut insert, run, context);
    insert.push(" AND ").push(FREE).push(" AND p.id IN (");
    let mut list = insert.separated(", ");
    for id in payouts {
        list.push_bind(id);
    }
    insert.push(")");
    insert
}

/// What the unit leaves over: −r is an item of the payout, +r is free again and counts at once.
async fn insert_carries(
    tx: &mut Tx,
    now_ms: i64,
    run: &PlanRun<'_>,
    payouts: &[(PayoutId, &Decided)],
) -> Result<(), StoreError> {
    let carried: Vec<(PayoutId, &Decided)> = payouts
        .iter()
        .filter(|(_, purse)| matches!(&purse.decision, Decision::Pay { carry, .. } if carry.minor > 0))
        .cloned()
        .collect();
    if carried.is_empty() {
        return Ok(());
    }
    for kind in ["carry_out", "carry_in"] {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) ",
        );
        insert.push_values(&carried, |mut row, (id, purse)| {
            let Decision::Pay { carry, .. } = &purse.decision else { return };
            let minor = if kind == "carry_out" { carry.minor.saturating_neg() } else { carry.minor };
            row.push_bind(purse.facts.creator.to_string())
                .push_bind(purse.facts.account.to_string())
                .push_bind(purse.facts.currency.to_string())
                .push_bind(kind)
                .push_bind(minor)
                .push_bind(minor)
                .push_bind(0_i64)
                .push_bind("payout")
                .push_bind(id.to_string())
                .push_bind(run.cutoff_ms)
                .push_bind(run.instant_ms)
                .push_bind(now_ms);
        });
        insert.build().execute(&mut **tx).await?;
    }
    let mut lock = QueryBuilder::<DB>::new(
        "INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT source_id, id, amount_minor FROM creator_earnings \
         WHERE source_type = 'payout' AND kind = 'carry_out' AND source_id IN ",
    );
    push_ids(&mut lock, &carried);
    lock.build().execute(&mut **tx).await?;
    Ok(())
}

/// Amount = Σ items, checked by the database over what was really written.
async fn check_sums(tx: &mut Tx, payouts: &[(PayoutId, &Decided)]) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<DB>::new(
        "SELECT p.id, p.amount_minor, CAST(COALESCE(SUM(i.amount_minor), 0) AS BIGINT) FROM creator_payouts p \
         LEFT JOIN payout_items i ON i.payout_id = p.id WHERE p.id IN ",
    );
    push_ids(&mut query, payouts);
    query.push(" GROUP BY p.id, p.amount_minor HAVING p.amount_minor <> COALESCE(SUM(i.amount_minor), 0) LIMIT 1");
    if let Some(row) = query.build().fetch_optional(&mut **tx).await? {
        let (id, amount, items): (String, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        return Err(StoreError::Broken(format!(
            "payout {id} of {amount} would have items of {items}: entries came in while the page was planned; it is planned again"
        )));
    }
    Ok(())
}

async fn insert_outcomes(
    tx: &mut Tx,
    run: &PlanRun<'_>,
    decided: &[Decided],
    payouts: &[(PayoutId, &Decided)],
) -> Result<(), StoreError> {
    let of: std::collections::HashMap<(&str, &str), &PayoutId> = payouts
        .iter()
        .map(|(id, purse)| ((purse.facts.account.as_str(), purse.facts.currency.as_str()), id))
        .collect();
    for chunk in decided.chunks(ROWS_PER_STATEMENT) {
        let mut insert = QueryBuilder::<DB>::new(
            "INSERT INTO run_outcomes (run_id, account_id, currency, creator_id, payout_id, reason, sentence, payable_minor) ",
        );
        insert.push_values(chunk, |mut row, purse| {
            let payout = of.get(&(purse.facts.account.as_str(), purse.facts.currency.as_str())).map(ToString::to_string);
            let (reason, sentence) = match &purse.decision {
                Decision::Pay { .. } => (None, None),
                Decision::Skip { reason, sentence } => (Some(reason.as_str()), Some(sentence.clone())),
            };
            row.push_bind(run.id.to_owned())
                .push_bind(purse.facts.account.to_string())
                .push_bind(purse.facts.currency.to_string())
                .push_bind(purse.facts.creator.to_string())
                .push_bind(payout)
                .push_bind(reason)
                .push_bind(sentence)
                .push_bind(purse.facts.mature_minor);
        });
        insert.push(
            " ON CONFLICT (run_id, account_id, currency) DO UPDATE SET payout_id = excluded.payout_id, reason = excluded.reason, \
             sentence = excluded.sentence, payable_minor = excluded.payable_minor",
        );
        insert.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Moves the run's place from where this page began; if it isn't there any more, somebody else planned: nothing is written.
async fn move_place(
    tx: &mut Tx,
    run: &PlanRun<'_>,
    from: &str,
    end: Option<&End>,
) -> Result<(), StoreError> {
    let done = sqlx::query::<DB>(
        "UPDATE payout_runs SET plan_after = $1 WHERE id = $2 AND plan_after = $3 AND state = 'planning'",
    )
    .bind(end.map_or_else(|| from.to_owned(), |end| place_of(&end.last)))
    .bind(run.id)
    .bind(from)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Refused(format!("run {}: planning was paused or moved on; this page was not written", run.id)))
    }
}

fn notes(run: &PlanRun<'_>, decided: &[Decided], payouts: &[(PayoutId, &Decided)]) -> Vec<Note> {
    let mut notes: Vec<Note> = payouts
        .iter()
        .map(|(id, purse)| Note {
            actor: "engine".to_owned(),
            action: "payout.plan".to_owned(),
            run_id: Some(run.id.to_owned()),
            payout_id: Some(id.to_string()),
            to_state: Some("planned".to_owned()),
            detail: match &purse.decision {
                Decision::Pay { amount, carry, destination } => serde_json::json!({
                    "amount_minor": amount.minor, "carry_minor": carry.minor, "currency": amount.currency.as_str(),
                    "destination": destination.as_str(), "number": purse.number,
                }),
                Decision::Skip { .. } => serde_json::Value::Null,
            },
            ..Note::default()
        })
        .collect();
    if !decided.is_empty() {
        notes.push(Note {
            actor: "engine".to_owned(),
            action: "run.plan_page".to_owned(),
            run_id: Some(run.id.to_owned()),
            detail: serde_json::json!({"purses": decided.len(), "payouts": payouts.len()}),
            ..Note::default()
        });
    }
    notes
}
