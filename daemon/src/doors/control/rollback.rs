//! Taking a run back, as people ask for it: a preview row by row with its hash, the confirmation of exactly that, and the abort that cancels
//! nothing.
use super::{ControlDoor, REPLIES_MAX, run_named, words};
use crate::store::{
    StoreError,
    types::{By, Confirm, RollbackRow, RunRow},
};
use payout_proto::v1;
use payout_shared::{
    id::PayoutId,
    money::Money,
    rollback::{RollbackHash, Step},
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Rows read at once.
const PAGE_ROWS: i64 = 500;
/// A reason to take money back is a sentence.
const REASON_CHARS_MIN: usize = 10;

/// The rows of a rollback, read page by page, and what they come to.
struct Rows<'a> {
    door: &'a ControlDoor,
    run: &'a RunRow,
    after: String,
    hash: RollbackHash,
    steps: BTreeMap<Step, (i64, BTreeMap<String, i64>)>,
    reversals: Vec<PayoutId>,
}

impl<'a> Rows<'a> {
    fn of(door: &'a ControlDoor, run: &'a RunRow) -> Self {
        let hash = RollbackHash::new(&run.id);
        Self { door, run, after: String::new(), hash, steps: BTreeMap::new(), reversals: Vec::new() }
    }

    /// The next page; empty behind the last.
    async fn next(&mut self) -> Result<Vec<RollbackRow>, StoreError> {
        let page = self.door.desk.store.rollback_page(&self.run.id, &self.after, PAGE_ROWS).await?;
        for row in &page {
            self.hash.add(&row.id, row.state, row.step, row.amount.minor, row.amount.currency);
            let (count, sums) = self.steps.entry(row.step).or_default();
            *count = count.saturating_add(1);
            let sum = sums.entry(row.amount.currency.to_string()).or_default();
            *sum = sum.saturating_add(row.amount.minor);
            if row.step == Step::Reverse {
                self.reversals.push(row.id.clone());
            }
        }
        if let Some(last) = page.last() {
            self.after = last.id.to_string();
        }
        Ok(page)
    }

    fn total(self) -> (v1::RollbackTotal, Vec<PayoutId>) {
        let to_do = self.steps.iter().filter(|(step, _)| step.acts()).map(|(_, (count, _))| *count).sum();
        let steps = self.steps.into_iter().map(|(step, (count, sums))| v1::RollbackStep {
            step: step.as_str().to_owned(),
            count,
            amounts: sums.into_iter().map(|(currency, minor)| v1::Money { minor, currency }).collect(),
        });
        (v1::RollbackTotal { hash: self.hash.finish(), steps: steps.collect(), to_do }, self.reversals)
    }
}

/// Streams what a rollback would do, row by row; the last line has the sums and the hash. Nothing is written.
pub(super) async fn preview(
    door: ControlDoor,
    name: &str,
) -> Result<ReceiverStream<Result<v1::RollbackLine, Status>>, Status> {
    let run = run_named(&door, name.trim()).await?;
    let (lines, stream) = mpsc::channel(REPLIES_MAX);
    tokio::spawn(async move {
        let mut rows = Rows::of(&door, &run);
        loop {
            let page = match rows.next().await {
                Ok(page) => page,
                Err(error) => {
                    let _ = lines.send(Err(words::status(&error))).await;
                    return;
                }
            };
            if page.is_empty() {
                break;
            }
            for row in page {
                if lines.send(Ok(line(row))).await.is_err() {
                    return;
                }
            }
        }
        let total = Some(rows.total().0);
        let _ = lines.send(Ok(v1::RollbackLine { total, ..v1::RollbackLine::default() })).await;
    });
    Ok(ReceiverStream::new(stream))
}

fn line(row: RollbackRow) -> v1::RollbackLine {
    let Money { minor, currency } = row.amount;
    v1::RollbackLine {
        payout_id: row.id.to_string(),
        creator_id: row.creator.to_string(),
        state: row.state.as_str().to_owned(),
        step: row.step.as_str().to_owned(),
        amount: Some(v1::Money { minor, currency: currency.to_string() }),
        why: row.why,
        total: None,
    }
}

/// Confirms a rollback: refused when its rows aren't what was shown any more.
pub(super) async fn confirm(
    door: &ControlDoor,
    by: &By,
    request: v1::ConfirmRollbackRequest,
) -> Result<v1::ConfirmRollbackReply, Status> {
    let reason = words::reason(&request.reason, "take a run back")?;
    if reason.chars().count() < REASON_CHARS_MIN {
        return Err(Status::invalid_argument(format!(
            "a reason to take a run back has at least {REASON_CHARS_MIN} characters"
        )));
    }
    let run = run_named(door, request.run.trim()).await?;
    let mut rows = Rows::of(door, &run);
    while !rows.next().await.map_err(|error| words::status(&error))?.is_empty() {}
    let (total, reversals) = rows.total();
    if total.hash != request.hash.trim() {
        return Err(Status::failed_precondition(format!(
            "run {} isn't what was shown any more: nothing was done; pause it, and look at the preview again",
            run.label
        )));
    }
    if total.to_do == 0 {
        return Err(Status::already_exists(format!("nothing of run {} can be taken back", run.label)));
    }
    let to_approve = i64::try_from(reversals.len()).unwrap_or(i64::MAX);
    let confirm = Confirm { hash: total.hash, reversals };
    let (row, seq) =
        door.desk.store.abort_run(&run.id, Some(&confirm), by, &reason).await.map_err(|error| words::status(&error))?;
    door.recorded();
    tracing::warn!(run = %row.label, %by, reason, to_do = total.to_do, to_approve, "run {} is taken back", row.label);
    Ok(v1::ConfirmRollbackReply { state: row.state.as_str().to_owned(), to_do: total.to_do, to_approve, seq })
}

/// Ends a run: what was never sent is given up; what is at Stripe goes on.
pub(super) async fn abort(
    door: &ControlDoor,
    by: &By,
    request: v1::AbortRunRequest,
) -> Result<v1::AbortRunReply, Status> {
    let reason = words::reason(&request.reason, "abort a run")?;
    let run = run_named(door, request.run.trim()).await?;
    let (row, seq) =
        door.desk.store.abort_run(&run.id, None, by, &reason).await.map_err(|error| words::status(&error))?;
    door.recorded();
    tracing::warn!(run = %row.label, %by, reason, "run {} is aborted", row.label);
    Ok(v1::AbortRunReply { state: row.state.as_str().to_owned(), seq })
}
