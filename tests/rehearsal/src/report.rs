//! The summary at the end, and whether it is good: books against ledger, skips with reasons, sums, 429s, conservation.
use crate::{
    books::{Books, Run},
    compare::{Difference, Standing, compare},
    twin::Ledger,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// What is allowed to be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Payouts may stay unknown: a fault asked for it, or the console was left before the end.
    pub unknown: bool,
    /// 429s may come: a fault asked for them.
    pub limited: bool,
    /// The run may be unfinished.
    pub unfinished: bool,
}

/// What the rehearsal found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Lines for people.
    pub text: String,
    /// What is wrong, one sentence each; empty = the rehearsal is good.
    pub wrong: Vec<String>,
}

/// Differences printed at most; the rest is counted.
const SHOWN_MAX: usize = 200;

/// Holds the books against the ledger.
#[must_use]
pub fn judge(books: &Books, ledger: &Ledger, allowed: Allowed, rate_configured: f64) -> Findings {
    let mut findings = Findings::default();
    counts(books, ledger, &mut findings.text);
    for run in &books.runs {
        pace(books, run, rate_configured, &mut findings);
        let excused = allowed.unfinished || (allowed.unknown && run.state == "running");
        // Only a person takes a run back: it has come to its end like any other.
        let has_ended = run.state.starts_with("completed") || run.state == "aborted";
        if !excused && !has_ended {
            findings.wrong.push(format!("run {} is {}, at no end", run.label, run.state));
        }
    }
    skips(books, &mut findings.text);
    sums(books, ledger, &mut findings.text);
    differences(books, ledger, allowed, &mut findings);
    findings.wrong.extend(books.contradictions());
    unknowns(books, allowed, &mut findings);
    limits(ledger, allowed, &mut findings);
    let others = ledger
        .others
        .iter()
        .map(|row| format!("nobody asked for {} {} {} {}", row.id, row.account, row.amount, row.currency));
    findings.wrong.extend(others);
    findings.wrong.extend(ledger.not_conserved.iter().map(|what| format!("the twin lost money itself: {what}")));
    findings
}

fn counts(books: &Books, ledger: &Ledger, text: &mut String) {
    let creators: std::collections::BTreeSet<&str> =
        books.payouts.iter().map(|payout| payout.creator.as_str()).collect();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for payout in &books.payouts {
        *states.entry(&payout.state).or_default() += 1;
    }
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{state} {count}")).collect();
    let _ = writeln!(text, "purses       {} with earnings", books.purses.len());
    let _ =
        writeln!(text, "payouts      {} to {} creators: {}", books.payouts.len(), creators.len(), states.join(", "));
    let (sends, ambiguous) = books.sends;
    let _ = writeln!(text, "sends        {sends}, {ambiguous} without a certain answer");
    let _ = writeln!(text, "at Stripe    {} executed: {}", ledger.executed.len(), ledger.states_text());
}

fn pace(books: &Books, run: &Run, configured: f64, findings: &mut Findings) {
    let payouts = books.payouts.iter().filter(|payout| payout.run_id == run.id).count();
    let ms = run.finished_at_ms.saturating_sub(run.started_at_ms);
    if run.started_at_ms == 0 || run.finished_at_ms == 0 || ms <= 0 {
        let _ = writeln!(findings.text, "run          {} {}: {payouts} payouts", run.label, run.state);
        return;
    }
    let seconds = std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
    let rate = f64::from(u32::try_from(payouts).unwrap_or(u32::MAX)) / seconds;
    let _ = writeln!(
        findings.text,
        "run          {} {}: {payouts} payouts in {seconds:.1} s, {rate:.1}/s of {configured:.1}/s configured",
        run.label, run.state
    );
}

fn skips(books: &Books, text: &mut String) {
    let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for outcome in books.outcomes.iter().filter(|outcome| outcome.payout_id.is_empty()) {
        reasons.entry(&outcome.reason).or_insert((0, &outcome.sentence)).0 += 1;
    }
    let total: usize = reasons.values().map(|(count, _)| count).sum();
    let _ = writeln!(text, "skipped      {total} purses, each with a reason:");
    for (reason, (count, sentence)) in reasons {
        let _ = writeln!(text, "  {count:>6}  {reason}  (such as: {sentence})");
    }
}

fn sums(books: &Books, ledger: &Ledger, text: &mut String) {
    let mut both: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in books.attempts.iter().filter(|row| row.standing == Standing::Executed) {
        both.entry(&row.currency).or_default().0 += row.amount;
    }
    for row in &ledger.executed {
        both.entry(&row.currency).or_default().1 += row.amount;
    }
    let _ = writeln!(text, "executed, minor units:       books          Stripe");
    for (currency, (in_books, at_stripe)) in both {
        let mark = if in_books == at_stripe { "equal" } else { "DIFFERENT" };
        let _ = writeln!(text, "  {currency}  {in_books:>26}  {at_stripe:>14}  {mark}");
    }
}

fn differences(books: &Books, ledger: &Ledger, allowed: Allowed, findings: &mut Findings) {
    let found = compare(&books.attempts, &ledger.executed);
    let (open, hard): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.is_open());
    findings.wrong.extend(hard.iter().take(SHOWN_MAX).map(|found| found.to_string()));
    if hard.len() > SHOWN_MAX {
        findings.wrong.push(format!("and {} more differences", hard.len() - SHOWN_MAX));
    }
    let open: Vec<String> = open.into_iter().map(Difference::to_string).collect();
    if allowed.unknown || allowed.unfinished {
        for line in open.iter().take(SHOWN_MAX) {
            let _ = writeln!(findings.text, "open         {line}");
        }
    } else {
        findings.wrong.extend(open);
    }
    let executed = books.attempts.iter().filter(|row| row.standing == Standing::Executed).count();
    let _ = writeln!(
        findings.text,
        "compared     {executed} rows of the books with {} of the ledger, both ways, on key, account, amount, currency, \
         destination and object: {}",
        ledger.executed.len(),
        if hard.is_empty() { "equal".to_owned() } else { format!("{} DIFFERENCES", hard.len()) }
    );
}

fn unknowns(books: &Books, allowed: Allowed, findings: &mut Findings) {
    for payout in books.payouts.iter().filter(|payout| payout.state == "unknown") {
        let line = format!(
            "unknown: {} {} {} {} {} {}",
            payout.id, payout.account, payout.amount, payout.currency, payout.cause, payout.sentence
        );
        if allowed.unknown || allowed.unfinished {
            let _ = writeln!(findings.text, "open         {line}");
        } else {
            findings.wrong.push(line);
        }
    }
}

fn limits(ledger: &Ledger, allowed: Allowed, findings: &mut Findings) {
    let total: u64 = ledger.limited.values().sum();
    let reasons: Vec<String> = ledger.limited.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let _ = writeln!(
        findings.text,
        "limits       {total} times 429{}{}; at most {} creates within a second, {} at once",
        if reasons.is_empty() { "" } else { ": " },
        reasons.join(", "),
        ledger.per_second_max,
        ledger.at_once_max
    );
    if total > 0 && !allowed.limited {
        findings
            .wrong
            .push(format!("Stripe answered 429 {total} times ({}) and no fault asked for it", reasons.join(", ")));
    }
    if !ledger.faults.is_empty() {
        let faults: Vec<String> = ledger.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(findings.text, "faults       {}", faults.join(", "));
    }
}
