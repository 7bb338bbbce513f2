//! The first payouts of a run leave alone; the rest follow when these did well.

/// What is known of the first payouts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// Payouts that were ever sent, or are about to be.
    pub started: i64,
    /// Those of them that have no answer yet.
    pub waiting: i64,
    /// Those of them that failed.
    pub failed: i64,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// So many more may leave; those that were put back may leave again.
    Leave(i64),
    /// All may leave: they did well, or there is no canary.
    Passed,
    /// Too many failed: the run has to be paused.
    Failed,
}

/// Judges the first payouts of a run: `count` of them leave alone, and of these at most `fail_bp` basis points may fail.
#[must_use]
pub fn judge(count: i64, fail_bp: i64, first: First) -> Judgement {
    let First { started, waiting, failed } = first;
    if count <= 0 {
        return Judgement::Passed;
    }
    // Judged as soon as it can't be good any more: what still waits can't make it better.
    if failed.saturating_mul(10_000) > fail_bp.saturating_mul(count.max(started)) {
        return Judgement::Failed;
    }
    if started < count || waiting > 0 {
        Judgement::Leave(count.saturating_sub(started).max(0))
    } else {
        Judgement::Passed
    }
}
