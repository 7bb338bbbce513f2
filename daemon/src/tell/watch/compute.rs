//! One look at everything. What is dear (counts, causes, failures) is asked again only when something changed.
use super::{Sources, log};
use crate::{
    clock::BootMs,
    desk::{Desk, RunView, rows},
    store::{
        StoreError,
        door_types::{CauseRow, PayoutRow, RunCounts},
        types::RunRow,
    },
};
use payout_proto::v1::{self, Causes, Failures, Live, LogLines, SkipCounts, StateCounts};
use payout_shared::id::RunId;
use std::collections::VecDeque;

/// The newest failures told.
const FAILURES_MAX: i64 = 50;
/// Milestones kept.
const MILESTONES_MAX: usize = 50;
/// Journal rows looked through for milestones at most, in one look.
const JOURNAL_MAX: i64 = 1_000;
/// Causes have a plot by the minute: even when nothing changes they are asked again after this.
const CAUSES_AGE_MAX_MS: i64 = 10_000;

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Memo {
    milestones: VecDeque<v1::LogLine>,
    journal_seq: Option<i64>,
    of_run: Option<OfRun>,
}

/// The dear part.
#[derive(Debug)]
struct OfRun {
    run: RunId,
    usual_failed_bp: i64,
    seq: i64,
    in_flight: i64,
    asked_at: BootMs,
    counts: RunCounts,
    causes: Vec<CauseRow>,
    failures: Vec<PayoutRow>,
}

/// Everything as it is now, of the current run or of this one.
pub(super) async fn look(sources: &Sources, run: Option<&RunId>, memo: &mut Memo) -> Result<Live, StoreError> {
    let desk = &sources.desk;
    let daemon = desk.daemon_part().await?;
    // The journal's number is taken before what it counts is read: what comes in between is told by the next look.
    let (seq, _) = desk.store.journal_head().await?;
    memo.follow_journal(desk, seq).await?;
    let row = match run {
        Some(run) => Some(desk.store.run(run.as_str()).await?),
        None => desk.current_run().await?,
    };
    let log = LogLines { lines: log::lines(&sources.recent.lines(), memo.milestones.iter().cloned()) };
    let everything = Live {
        daemon: Some(daemon),
        log: Some(log),
        pages_version: Some(u64::try_from(seq).unwrap_or(0)),
        ..Live::default()
    };
    let Some(row) = row else {
        return Ok(Live { rate: Some(desk.rate_part(None)), ..everything });
    };
    let of_run = memo.of_run(desk, &row, seq).await?;
    let view = RunView { row, counts: of_run.counts.clone(), usual_failed_bp: of_run.usual_failed_bp };
    Ok(Live {
        run: Some(desk.run_part(&view)),
        states: Some(StateCounts { states: rows::states(&view.counts.states) }),
        rate: Some(desk.rate_part(Some((&view.row, &view.counts)))),
        causes: Some(Causes { causes: of_run.causes.iter().cloned().map(rows::cause).collect() }),
        failures: Some(Failures { rows: of_run.failures.iter().cloned().map(rows::payout).collect() }),
        skips: Some(SkipCounts { skips: rows::skips(&view.counts.skips) }),
        ..everything
    })
}

impl Memo {
    async fn follow_journal(&mut self, desk: &Desk, seq: i64) -> Result<(), StoreError> {
        if self.journal_seq == Some(seq) {
            return Ok(());
        }
        let from = self.journal_seq.unwrap_or(0).max(seq.saturating_sub(JOURNAL_MAX));
        for entry in desk.store.journal_after(from, JOURNAL_MAX).await?.iter().filter(|entry| entry.seq <= seq) {
            self.milestones.extend(log::milestone(entry));
        }
        while self.milestones.len() > MILESTONES_MAX {
            self.milestones.pop_front();
        }
        self.journal_seq = Some(seq);
        Ok(())
    }

    async fn of_run(&mut self, desk: &Desk, row: &RunRow, seq: i64) -> Result<&OfRun, StoreError> {
        let (now, in_flight) = (desk.clock.boot(), desk.store.in_flight().await?);
        let known = self.of_run.take().filter(|known| known.run == row.id);
        let is_good = |known: &OfRun| {
            let is_old = row.state.is_open() && now.ms_since(known.asked_at) >= CAUSES_AGE_MAX_MS;
            known.seq == seq && known.in_flight == in_flight && !is_old
        };
        let of_run = match known {
            Some(known) if is_good(&known) => known,
            known => OfRun {
                run: row.id.clone(),
                usual_failed_bp: match known {
                    Some(known) => known.usual_failed_bp,
                    None => desk.usual_failed_bp(row).await?,
                },
                seq,
                in_flight,
                asked_at: now,
                counts: desk.store.run_counts(&row.id).await?,
                causes: desk.store.causes(&row.id).await?,
                failures: desk.store.newest_failures(&row.id, FAILURES_MAX).await?,
            },
        };
        Ok(self.of_run.insert(of_run))
    }
}
