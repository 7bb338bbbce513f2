//! The lines of the live screen's log: warnings and errors of this process, and milestones out of the journal.
use crate::logging::LogLine;
use payout_proto::v1;
use payout_shared::journal::Entry;
use std::cmp::Reverse;

/// Lines told at most.
const LINES_MAX: usize = 50;
/// Lines of the same message within so long are one line (milliseconds).
const FOLD_MS: i64 = 5_000;

/// The newest lines, newest first (milestones are given oldest first), those that say the same within five seconds folded into the newest of them.
pub(super) fn lines(recent: &[LogLine], milestones: impl DoubleEndedIterator<Item = v1::LogLine>) -> Vec<v1::LogLine> {
    let mut lines: Vec<v1::LogLine> = Vec::new();
    for line in recent.iter().rev() {
        match lines.last_mut() {
            Some(newer)
                if newer.level == line.level.as_str()
                    && newer.at_ms.saturating_sub(line.at_ms) <= FOLD_MS
                    && message(&newer.text) == message(&line.text) =>
            {
                newer.like_it += 1;
            }
            Some(_) | None => lines.push(v1::LogLine {
                at_ms: line.at_ms,
                level: line.level.as_str().to_owned(),
                text: line.text.clone(),
                like_it: 0,
            }),
        }
    }
    lines.extend(milestones.rev());
    lines.sort_by_key(|line| Reverse(line.at_ms));
    lines.truncate(LINES_MAX);
    lines
}

/// A line without its fields (` run=… payout=…`).
fn message(text: &str) -> &str {
    text.find('=').and_then(|field| text.get(..field)?.rfind(' ')).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A journal row as a line of the log, when it is a milestone: of a run, the schedule, the daemon, a file of earnings, a cohort.
pub(super) fn milestone(entry: &Entry) -> Option<v1::LogLine> {
    let (noun, verb) = entry.action.split_once('.')?;
    if entry.payout_id.is_some() || !matches!(noun, "run" | "schedule" | "daemon" | "earnings" | "cohort") {
        return None;
    }
    let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let name =
        detail["label"].as_str().or(detail["cohort"].as_str()).map_or_else(String::new, |label| format!(" {label}"));
    let state = match &entry.to_state {
        Some(state) => format!(" is {}", state.replace('_', " ")),
        None => String::new(),
    };
    let reason = entry.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let verb = verb.replace('_', " ");
    let text = format!("{noun}{name}{state} ({verb} by {}){reason}", entry.actor);
    Some(v1::LogLine { at_ms: entry.at_ms, level: "INFO".to_owned(), text, like_it: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn line(at_ms: i64, text: &str) -> LogLine {
        LogLine { at_ms, level: Level::WARN, text: text.to_owned() }
    }

    #[test]
    fn lines_of_one_message_are_folded_into_the_newest_and_milestones_stand_in_their_time() {
        let recent = [
            line(1_000, "clock is off"),
            line(2_000, "Stripe refused payout=pay_1 request=req_1"),
            line(3_000, "Stripe refused payout=pay_2 request=req_2"),
            line(9_000, "Stripe refused payout=pay_3 request=req_3"),
        ];
        let began = Entry {
            at_ms: 1_500,
            actor: "engine".to_owned(),
            action: "run.begin".to_owned(),
            to_state: Some("running".to_owned()),
            detail: r#"{"label":"2026-12-01#1"}"#.to_owned(),
            ..Entry::default()
        };
        let told = lines(&recent, milestone(&began).into_iter());
        let told: Vec<_> = told.iter().map(|line| (line.at_ms, line.text.as_str(), line.like_it)).collect();
        assert_eq!(
            told,
            [
                (9_000, "Stripe refused payout=pay_3 request=req_3", 0),
                (3_000, "Stripe refused payout=pay_2 request=req_2", 1),
                (1_500, "run 2026-12-01#1 is running (begin by engine)", 0),
                (1_000, "clock is off", 0),
            ]
        );
    }

    #[test]
    fn what_happens_to_a_payout_is_no_milestone() {
        let entry = |action: &str, payout: Option<&str>| Entry {
            action: action.to_owned(),
            payout_id: payout.map(str::to_owned),
            ..Entry::default()
        };
        assert_eq!(milestone(&entry("payout.move", Some("pay_1"))), None);
        assert_eq!(milestone(&entry("creator.hold", None)), None);
        assert!(milestone(&entry("daemon.pause", None)).is_some());
    }
}
