//! What happens next by itself, or what is awaited until when: one sentence, from what is stored.
use super::{moment, time_of_day};
use crate::store::door_types::{AttemptRow, HoldRow, PayoutRow};
use payout_shared::{
    absence::{Absent, PROOF_APART_MS},
    answer::{is_bank_code, is_transient_code},
    attempt::AttemptKind,
    consequence::RESEND_WITHIN_MS,
    payout::PayoutState,
    run::RunState,
};

/// Why nothing leaves at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Everything is told to pause.
    Paused,
    /// The books were restored from a backup and haven't caught up.
    Restored,
}

/// Everything the sentence depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The payout.
    pub row: &'a PayoutRow,
    /// Its attempts.
    pub attempts: &'a [AttemptRow],
    /// A hold on its creator.
    pub hold: Option<&'a HoldRow>,
    /// Its run's state.
    pub run: RunState,
    /// Nothing leaves at all.
    pub shut: Option<Shut>,
    /// Our clock, Unix milliseconds.
    pub now_ms: i64,
}

/// What happens to one payout next.
#[must_use]
pub fn payout(facts: &Facts<'_>) -> String {
    let released = facts.row.released_at_ms.is_some();
    let next = match facts.row.state {
        PayoutState::Planned => return planned(facts),
        PayoutState::Submitting => {
            "its request is on the wire: the answer is awaited; without one it is looked for at Stripe before it is sent again"
                .to_owned()
        }
        PayoutState::Unknown => return unknown(facts),
        PayoutState::Pending => {
            format!("Stripe has it and sends it to the bank by itself; Stripe says when it arrived{}", untold(facts.row))
        }
        PayoutState::InTransit => format!("on its way to the bank; Stripe says when it arrived{}", untold(facts.row)),
        PayoutState::Paid => match facts.row.look_at_ms {
            Some(look_ms) => format!(
                "paid; a bank can still send it back, which would show here; settled when Stripe still shows it paid after {}",
                moment(look_ms)
            ),
            None => "paid; a bank can still send it back, which would show here".to_owned(),
        },
        PayoutState::Settled => "settled: nothing more happens by itself".to_owned(),
        PayoutState::Voided => "given up before anything was executed: its earnings are free for a later run".to_owned(),
        PayoutState::Failed if facts.row.retry_at_ms.is_some() => {
            let at = time_of_day(facts.row.retry_at_ms.unwrap_or_default());
            format!("its cause passes by itself: it is tried again at {at}, with a new key; its earnings stay with it until a later run takes them")
        }
        PayoutState::Failed | PayoutState::Returned | PayoutState::Canceled if released => {
            "not sent again by itself; its earnings are free for a later run".to_owned()
        }
        PayoutState::Failed | PayoutState::Returned | PayoutState::Canceled => {
            format!(
                "not sent again by itself; its earnings stay locked until Stripe shows the money back{}",
                untold(facts.row)
            )
        }
        PayoutState::Reversing => "a reversal was asked for: Stripe's answer is awaited".to_owned(),
        PayoutState::Reversed => "reversed at Stripe".to_owned(),
    };
    match facts.hold {
        Some(hold) => format!("{next}; {}", held(hold)),
        None => next,
    }
}

/// When Stripe is asked if it says nothing by then.
fn untold(row: &PayoutRow) -> String {
    row.look_at_ms
        .map_or_else(String::new, |look_ms| format!("; without a word it is looked at there at {}", moment(look_ms)))
}

fn planned(facts: &Facts<'_>) -> String {
    if let Some(hold) = facts.hold {
        return format!("{}: it won't leave; at its turn it is taken out and its earnings are free again", held(hold));
    }
    match facts.shut {
        Some(Shut::Paused) => return "everything is paused: it leaves after that is resumed".to_owned(),
        Some(Shut::Restored) => {
            return "these books were restored from a backup: nothing leaves until they have caught up with Stripe"
                .to_owned();
        }
        None => {}
    }
    match facts.run {
        RunState::Paused | RunState::Pausing => "its run is paused: it leaves after the run is resumed".to_owned(),
        RunState::AwaitingApproval => "its run waits for two people: payout requests says for what".to_owned(),
        RunState::Aborting | RunState::Aborted => "its run is being taken back: it is voided".to_owned(),
        RunState::Planning | RunState::Planned => "it leaves when its run begins to send".to_owned(),
        RunState::Running
        | RunState::Completed
        | RunState::CompletedWithFailures
        | RunState::Settled
        | RunState::Missed => match &facts.row.cause {
            None if facts.row.attempts > 1 => {
                "it is tried again at its turn, with a new key; it is failed again if it can't leave".to_owned()
            }
            Some(cause) if facts.row.not_before_ms > facts.now_ms => {
                let at = time_of_day(facts.row.not_before_ms);
                format!("put back ({cause}): it leaves again by itself at {at}, with the same key")
            }
            Some(cause) => format!("put back ({cause}): it leaves again by itself at its turn, with the same key"),
            None => "it leaves at its turn".to_owned(),
        },
    }
}

/// Locked until it is proven what became of it, whatever else is so.
fn unknown(facts: &Facts<'_>) -> String {
    let newest = facts.attempts.iter().rev().find(|attempt| attempt.kind == AttemptKind::Create);
    let when = if facts.row.not_before_ms > facts.now_ms {
        format!("at {}", time_of_day(facts.row.not_before_ms))
    } else {
        "now".to_owned()
    };
    let then = newest.map_or_else(String::new, |attempt| after_next_look(attempt, facts.now_ms));
    let barred = match facts.run {
        _ if facts.shut == Some(Shut::Paused) => " (nothing is sent while everything is paused)",
        _ if facts.shut.is_some() => " (nothing is sent until these books, a backup, have caught up)",
        RunState::Paused | RunState::Pausing => " (nothing is sent while its run is paused)",
        RunState::Aborting | RunState::Aborted => " (nothing is sent again: its run is being taken back)",
        RunState::Planning
        | RunState::Planned
        | RunState::AwaitingApproval
        | RunState::Running
        | RunState::Completed
        | RunState::CompletedWithFailures
        | RunState::Settled
        | RunState::Missed => "",
    };
    format!("looked for in Stripe's list {when}{then}{barred}; locked until it is proven, never paid twice")
}

/// What is known, and what is awaited until when, of an attempt that nobody has seen.
fn after_next_look(attempt: &AttemptRow, now_ms: i64) -> String {
    let (Some(first_sent_ms), Some(last_sent_ms)) = (attempt.first_sent_stripe_ms, attempt.last_sent_stripe_ms) else {
        return String::new();
    };
    let absent = Absent {
        first_sent_ms,
        last_sent_ms,
        counted_first_ms: attempt.absent_first_stripe_ms,
        no_resend: attempt.no_resend,
        listings: attempt.absent_listings,
    };
    let looks = match attempt.absent_listings {
        0 => String::new(),
        1 => " (not there at the one look so far)".to_owned(),
        n => format!(" (not there at {n} looks so far)"),
    };
    if !attempt.no_resend && now_ms.saturating_sub(first_sent_ms) < RESEND_WITHIN_MS {
        return format!("{looks}; if it isn't there it is asked for again with the same key");
    }
    let proof_ms = match absent.counted_first_ms {
        Some(first) => first.saturating_add(PROOF_APART_MS),
        None => absent.counts_from_ms().saturating_add(PROOF_APART_MS),
    };
    format!("{looks}; if it still isn't there it is proven never executed at {} at the earliest", moment(proof_ms))
}

fn held(hold: &HoldRow) -> String {
    if hold.cause == "bank_failure" {
        format!("its creator is held until the bank account changes ({})", hold.reason)
    } else {
        format!("its creator is held by {}: {}", hold.placed_by, hold.reason)
    }
}

/// What happens by itself to all payouts of one cause.
#[must_use]
pub fn cause(state: PayoutState, cause: &str) -> &'static str {
    match state {
        PayoutState::Planned => "leaves again by itself",
        PayoutState::Submitting => "answer awaited",
        PayoutState::Unknown if cause == "idempotency_error" => "needs a person: never re-keyed by itself",
        PayoutState::Unknown => "looked for, then asked again with the same key",
        PayoutState::Failed | PayoutState::Returned if is_bank_code(cause) => {
            "creator held until the bank account changes"
        }
        PayoutState::Failed if is_transient_code(cause) => "tried again once by itself",
        PayoutState::Failed => "not sent again by itself: payout retry",
        PayoutState::Returned => "free for a later run when the money is back",
        PayoutState::Canceled => "canceled at Stripe",
        PayoutState::Pending | PayoutState::InTransit => "on its way",
        PayoutState::Paid | PayoutState::Settled => "paid",
        PayoutState::Voided => "free for a later run",
        PayoutState::Reversing => "reversal awaited",
        PayoutState::Reversed => "reversed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payout_shared::{
        currency::Currency,
        id::{AccountId, CreatorId, DestinationId, PayoutId, RunId},
        money::Money,
        run::RunLabel,
    };

    const NOW: i64 = 1_796_104_800_000;

    fn row(state: PayoutState) -> PayoutRow {
        PayoutRow {
            id: PayoutId::new("pay_1"),
            run_id: RunId::new("run_1"),
            run_label: RunLabel::parse("2026-12-01#1").unwrap(),
            creator: CreatorId::new("c"),
            account: AccountId::new("acct_1"),
            amount: Money::new(100, Currency::parse("usd").unwrap()),
            destination: DestinationId::new("ba_1"),
            state,
            attempts: 1,
            not_before_ms: 0,
            cause: None,
            failure_reason: None,
            stripe_payout_id: None,
            request_id: None,
            created_at_ms: 0,
            changed_at_ms: 0,
            released_at_ms: None,
            retry_at_ms: None,
            look_at_ms: None,
        }
    }

    fn say(row: &PayoutRow, run: RunState, all_paused: bool, hold: Option<&HoldRow>) -> String {
        say_while(row, run, all_paused.then_some(Shut::Paused), hold)
    }

    fn say_while(row: &PayoutRow, run: RunState, shut: Option<Shut>, hold: Option<&HoldRow>) -> String {
        payout(&Facts { row, attempts: &[], hold, run, shut, now_ms: NOW })
    }

    #[test]
    fn what_books_from_a_backup_hold_is_never_said_to_leave_by_itself() {
        for state in [PayoutState::Planned, PayoutState::Unknown] {
            let said = say_while(&row(state), RunState::Running, Some(Shut::Restored), None);
            assert!(said.contains("backup"), "{said}");
        }
    }

    #[test]
    fn what_is_paused_is_never_said_to_leave_by_itself() {
        let planned = row(PayoutState::Planned);
        for state in [RunState::Paused, RunState::Pausing] {
            assert!(say(&planned, state, false, None).contains("paused"), "{state:?}");
        }
        assert!(say(&planned, RunState::Running, true, None).contains("everything is paused"));
        assert_eq!(say(&planned, RunState::Running, false, None), "it leaves at its turn");
    }

    #[test]
    fn an_open_one_says_when_it_is_looked_at_without_a_word() {
        for state in [PayoutState::Pending, PayoutState::InTransit, PayoutState::Paid, PayoutState::Returned] {
            let mut open = row(state);
            let before = say(&open, RunState::Completed, false, None);
            open.look_at_ms = Some(NOW + 86_400_000);
            let said = say(&open, RunState::Completed, false, None);
            assert!(said.starts_with(&before) && said.contains("2026-12-02"), "{said}");
        }
    }

    #[test]
    fn an_unknown_one_is_locked_and_asked_again_only_while_its_key_is_surely_remembered() {
        let mut unknown = row(PayoutState::Unknown);
        unknown.not_before_ms = NOW + 15_000;
        let said = say(&unknown, RunState::Running, false, None);
        assert_eq!(
            said, "looked for in Stripe's list at 06:00:15Z; locked until it is proven, never paid twice",
            "without a known send nothing is promised"
        );
    }

    #[test]
    fn a_failure_says_where_its_earnings_are_and_why_its_creator_is_held() {
        let mut failed = row(PayoutState::Failed);
        assert!(say(&failed, RunState::Running, false, None).contains("stay locked"));
        failed.released_at_ms = Some(1);
        let hold = HoldRow {
            creator: CreatorId::new("c"),
            cause: "bank_failure".to_owned(),
            reason: "account closed".to_owned(),
            placed_by: "engine".to_owned(),
            placed_at_ms: 0,
        };
        let said = say(&failed, RunState::Running, false, Some(&hold));
        assert!(said.contains("free for a later run; its creator is held until the bank account changes"), "{said}");
    }
}
