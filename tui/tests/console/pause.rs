//! Pause and resume: friction follows danger, and the screen never claims what the daemon didn't say.
use crate::{
    fixtures::{RUN, beat, blank, console, delta, key, parts, press, run, snapshot, wait},
    snapshots::{draw, rows},
};
use payout::app::{App, Failure, FailureKind, Msg, Reply, Request, dialog::Dialog, key::Key, standing, update};
use payout_proto::v1;

fn reply(app: &mut App, requests: &[Request], reply: Reply) {
    let ticket = match requests {
        [Request::Pause { ticket, .. } | Request::Resume { ticket, .. }] => *ticket,
        other => panic!("one request was expected: {other:?}"),
    };
    update(app, Msg::Reply { ticket, reply });
}

fn failed(kind: FailureKind, message: &str) -> Reply {
    Reply::Failed(Failure { kind, message: message.into() })
}

fn state(app: &mut App, seq: u64, state: &str, in_flight: i64) {
    let run = v1::RunPart { in_flight, ..run(state) };
    update(app, delta(seq, v1::Live { run: Some(run), ..v1::Live::default() }));
}

#[test]
fn two_keys_pause_the_run_with_the_top_cause_as_the_reason() {
    let mut app = console(80, 24, "running");
    let requests = press(&mut app, "py");
    let [Request::Pause { run, reason, .. }] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(run, RUN);
    assert_eq!(reason, "payouts_not_allowed: 303 payouts, 88.3% of what fails");
}

#[test]
fn without_an_open_run_everything_is_paused() {
    for mut app in [console(80, 24, "completed"), blank(80, 24)] {
        let requests = press(&mut app, "py");
        assert!(matches!(requests.as_slice(), [Request::Pause { run, .. }] if run.is_empty()), "{requests:?}");
    }
}

#[test]
fn paused_is_only_what_the_daemon_said() {
    let mut app = console(80, 24, "running");
    let requests = press(&mut app, "py");
    assert_eq!(standing::state_words(&app), "RUNNING, pause requested");
    reply(&mut app, &requests, Reply::Paused(v1::PauseReply { state: "pausing".into(), in_flight: 24, seq: 9 }));
    assert_eq!(standing::state_words(&app), "RUNNING, pause accepted");
    state(&mut app, 2, "pausing", 3);
    assert_eq!(standing::state_words(&app), "PAUSING (3 in flight)");
    state(&mut app, 3, "paused", 0);
    assert_eq!(standing::state_words(&app), "PAUSED");
}

#[test]
fn enter_never_confirms_and_p_twice_does_not_pause() {
    let mut app = console(80, 24, "running");
    press(&mut app, "p");
    assert!(key(&mut app, Key::Enter).is_empty());
    assert!(press(&mut app, "pP Y").is_empty());
    assert!(matches!(app.dialog, Some(Dialog::Pause { .. })));
}

#[test]
fn tab_edits_the_reason_and_an_empty_one_does_not_block() {
    let mut app = console(80, 24, "running");
    press(&mut app, "p");
    key(&mut app, Key::Tab);
    key(&mut app, Key::Ctrl('u'));
    assert!(press(&mut app, "by hand").is_empty());
    key(&mut app, Key::Tab);
    let requests = press(&mut app, "y");
    assert!(matches!(requests.as_slice(), [Request::Pause { reason, .. }] if reason == "by hand"), "{requests:?}");
    press(&mut app, "p");
    key(&mut app, Key::Tab);
    key(&mut app, Key::Ctrl('u'));
    key(&mut app, Key::Tab);
    assert!(matches!(press(&mut app, "y").as_slice(), [Request::Pause { reason, .. }] if !reason.is_empty()));
}

#[test]
fn a_pause_is_sent_when_the_link_is_lost_and_the_shell_command_is_shown_when_it_fails() {
    let mut app = console(80, 24, "running");
    update(&mut app, Msg::Lost { why: "daemon socket refused".into(), retry_in_ms: 500 });
    let requests = press(&mut app, "py");
    reply(&mut app, &requests, failed(FailureKind::NotSent, "daemon socket refused"));
    let Some(Dialog::Undelivered { why, command }) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert!(why.contains("NOT SENT"), "{why}");
    assert_eq!(
        command,
        "payout pause --run 2026-12-01#1 --reason \"payouts_not_allowed: 303 payouts, 88.3% of what fails\""
    );
    assert!(matches!(press(&mut app, "py").as_slice(), [Request::Pause { .. }]), "p tries again");
}

#[test]
fn a_reason_can_not_break_out_of_the_shell_command() {
    let word = payout::text::shell_word;
    assert_eq!(word("$(rm -rf /)"), "'$(rm -rf /)'");
    assert_eq!(word("it's \"x\""), "'it'\\''s \"x\"'");
    assert_eq!(word("a\u{1b}[2Jb\nc"), "\"a?[2Jb c\"");
    assert_eq!(word("2026-12-01#1"), "2026-12-01#1");
}

#[test]
fn no_answer_is_not_said_to_be_no_pause() {
    let mut app = console(80, 24, "running");
    press(&mut app, "py");
    wait(&mut app, 3_000);
    let Some(Dialog::Undelivered { why, .. }) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert!(why.contains("may or may not"), "{why}");
    assert!(app.asked.is_none());
}

#[test]
fn a_refusal_is_said_in_the_daemons_words() {
    let mut app = console(80, 24, "running");
    let requests = press(&mut app, "py");
    reply(&mut app, &requests, failed(FailureKind::NotPermitted, "operators only"));
    assert!(app.dialog.is_none());
    assert_eq!(app.notice.as_ref().unwrap().text, "NOT PAUSED: operators only");
    assert_eq!(standing::state_words(&app), "RUNNING");
}

fn open_resume(app: &mut App) {
    press(app, "R");
    beat(app, 200);
}

#[test]
fn resume_takes_the_date_a_reason_and_another_key() {
    let mut app = console(80, 24, "paused");
    open_resume(&mut app);
    press(&mut app, "2026-12-01");
    key(&mut app, Key::Enter);
    press(&mut app, "bank is back");
    key(&mut app, Key::Enter);
    assert!(key(&mut app, Key::Enter).is_empty(), "Enter never confirms");
    assert!(press(&mut app, "R").is_empty(), "nor does the key that opened it");
    let requests = press(&mut app, "y");
    assert!(
        matches!(requests.as_slice(), [Request::Resume { run, reason, .. }] if run == RUN && reason == "bank is back"),
        "{requests:?}"
    );
}

#[test]
fn no_answer_to_a_resume_is_not_said_to_be_none() {
    for (kind, said) in [
        (FailureKind::NoAnswer, "NO ANSWER, it may or may not be resumed: 2 s are over"),
        (FailureKind::NotSent, "NOT RESUMED: 2 s are over"),
        (FailureKind::Refused, "NOT RESUMED: 2 s are over"),
    ] {
        let mut app = console(80, 24, "paused");
        open_resume(&mut app);
        press(&mut app, "2026-12-01");
        key(&mut app, Key::Tab);
        press(&mut app, "bank is back");
        key(&mut app, Key::Tab);
        let requests = press(&mut app, "y");
        reply(&mut app, &requests, failed(kind, "2 s are over"));
        assert_eq!(app.notice.as_ref().unwrap().text, said);
    }
}

#[test]
fn resume_needs_the_right_date_and_a_reason() {
    for (date, reason) in [("2026-12-15", "x"), ("2026-12-01", ""), ("", "x")] {
        let mut app = console(80, 24, "paused");
        open_resume(&mut app);
        press(&mut app, date);
        key(&mut app, Key::Tab);
        press(&mut app, reason);
        key(&mut app, Key::Tab);
        assert!(press(&mut app, "y").is_empty(), "{date:?} {reason:?}");
    }
}

#[test]
fn keys_right_after_the_resume_dialog_opened_are_dropped() {
    let mut app = console(80, 24, "paused");
    press(&mut app, "R2026");
    let Some(Dialog::Resume { form, .. }) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(form.typed.text(), "");
}

#[test]
fn resume_is_off_on_old_data_also_when_the_dialog_is_open() {
    let mut app = console(80, 24, "paused");
    wait(&mut app, 3_100);
    press(&mut app, "R");
    assert!(app.dialog.is_none());
    assert!(app.notice.as_ref().unwrap().text.contains("old"), "{:?}", app.notice);

    let mut app = console(80, 24, "paused");
    open_resume(&mut app);
    press(&mut app, "2026-12-01");
    key(&mut app, Key::Tab);
    press(&mut app, "x");
    key(&mut app, Key::Tab);
    wait(&mut app, 4_000);
    assert!(press(&mut app, "y").is_empty());
}

#[test]
fn nothing_paused_means_nothing_to_resume() {
    let mut app = console(80, 24, "running");
    press(&mut app, "R");
    assert!(app.dialog.is_none());
}

/// Somebody took the run back while the dialog was open.
#[test]
fn a_resume_dialog_says_when_its_run_is_not_paused_any_more() {
    let mut app = console(80, 24, "paused");
    open_resume(&mut app);
    let says = |app: &App, words: &str| rows(&draw(app, false)).iter().any(|row| row.contains(words));
    assert!(says(&app, "paused by") && !says(&app, "any more"));
    state(&mut app, 2, "aborting", 0);
    assert!(says(&app, "it isn't paused any more: Esc") && !says(&app, "paused by"));
    assert!(press(&mut app, "y").is_empty());
}

#[test]
fn the_pause_of_everything_is_resumed_before_that_of_the_run() {
    let mut app = blank(80, 24);
    let mut parts = parts("paused");
    parts.daemon.as_mut().unwrap().paused = true;
    update(&mut app, snapshot(parts));
    assert_eq!(standing::state_words(&app), "ALL PAUSED");
    open_resume(&mut app);
    press(&mut app, "2026-12-01");
    key(&mut app, Key::Tab);
    press(&mut app, "x");
    key(&mut app, Key::Tab);
    let requests = press(&mut app, "y");
    assert!(matches!(requests.as_slice(), [Request::Resume { run, .. }] if run.is_empty()), "{requests:?}");
}

fn as_role(app: &mut App, role: &str) {
    let daemon = v1::DaemonPart { role: role.to_owned(), ..crate::fixtures::daemon() };
    update(app, delta(2, v1::Live { daemon: Some(daemon), ..v1::Live::default() }));
}

#[test]
fn a_role_that_may_not_is_told_which_one_may_and_nothing_is_sent() {
    let mut app = console(80, 24, "running");
    as_role(&mut app, "viewer");
    assert_eq!(press(&mut app, "p"), []);
    let said = app.notice.clone().unwrap().text;
    assert_eq!(said, "pause: you are viewer; to pause you need operator or admin");
    assert_eq!(press(&mut app, "y"), []);
    let mut app = console(80, 24, "paused");
    as_role(&mut app, "support+approver");
    press(&mut app, "R");
    assert!(app.dialog.is_none());
    assert!(app.notice.unwrap().text.contains("to resume you need operator or admin"));
}

#[test]
fn a_role_that_the_console_does_not_know_is_left_to_the_daemon() {
    for role in ["", "emperor", "operator", "admin"] {
        let mut app = console(80, 24, "running");
        as_role(&mut app, role);
        assert_eq!(press(&mut app, "py").len(), 1, "{role}");
    }
}
