//! The rollback from the console: only what was shown, typed and reasoned, on fresh data, of a run that stands still.
use crate::{
    fake::{Fake, socket},
    fixtures::{
        RUN, beat, blank, console, delta, ended_parts, key, parts, press, preview, rollback, run, snapshot, wait,
    },
};
use payout::{
    app::{
        App, Failure, FailureKind, Msg, Reply, Request, Weight,
        dialog::Dialog,
        key::Key,
        rollback::{Preview, Shown},
        standing, update,
    },
    link::{ask, dial::Way},
};
use payout_proto::v1;

fn shown(app: &App) -> &Shown {
    let Some(Dialog::Rollback(open)) = &app.dialog else { panic!("{:?}", app.dialog) };
    &open.shown
}

/// The word, a reason, and `y`.
fn confirm(app: &mut App, word: &str, reason: &str) -> Vec<Request> {
    beat(app, 200);
    press(app, word);
    key(app, Key::Tab);
    press(app, reason);
    key(app, Key::Tab);
    press(app, "y")
}

fn failed(kind: FailureKind, message: &str) -> Reply {
    Reply::Failed(Failure { kind, message: message.into() })
}

#[test]
fn what_was_shown_is_what_is_confirmed() {
    let mut app = rollback(80, 24);
    let requests = confirm(&mut app, "ROLLBACK 303", "wrong amounts in the file");
    let [Request::ConfirmRollback { run, hash, reason, ticket }] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((run.as_str(), hash.as_str(), reason.as_str()), (RUN, "c0ffee", "wrong amounts in the file"));
    assert_eq!(standing::state_words(&app), "PAUSED, rollback requested");
    let reply = v1::ConfirmRollbackReply { state: "aborting".into(), to_do: 303, to_approve: 13, seq: 94 };
    update(&mut app, Msg::Reply { ticket: *ticket, reply: Reply::RolledBack(reply) });
    let notice = app.notice.clone().unwrap();
    assert_eq!(notice.text, "rollback of 2026-12-01#1 accepted (#94): 303 to do, 13 wait for a second yes");
    assert_eq!(standing::state_words(&app), "PAUSED", "aborting is only what the daemon said");
}

#[test]
fn nothing_is_confirmed_without_the_word_a_sentence_and_another_key() {
    for (word, reason) in [
        ("ROLLBACK 302", "wrong amounts in the file"),
        ("ROLLBACK 303", "too short"),
        ("", "wrong amounts in the file"),
    ] {
        let mut app = rollback(80, 24);
        assert_eq!(confirm(&mut app, word, reason), [], "{word:?} {reason:?}");
        assert!(
            app.notice.as_ref().is_some_and(|notice| notice.text.starts_with("not taken back")),
            "{:?}",
            app.notice
        );
    }
    let mut app = rollback(80, 24);
    beat(&mut app, 200);
    press(&mut app, "ROLLBACK 303");
    key(&mut app, Key::Tab);
    press(&mut app, "wrong amounts in the file");
    key(&mut app, Key::Enter);
    assert_eq!(key(&mut app, Key::Enter), [], "Enter never confirms");
    assert_eq!(press(&mut app, "B"), [], "nor does the key that opened it");
}

#[test]
fn keys_meant_for_what_was_there_before_are_dropped() {
    let mut app = rollback(80, 24);
    press(&mut app, "ROLL");
    let Some(Dialog::Rollback(open)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(open.form.typed.text(), "");
    update(&mut app, Msg::Paste("ROLLBACK 303".into()));
    let Some(Dialog::Rollback(open)) = &app.dialog else { panic!("{:?}", app.dialog) };
    assert_eq!(open.form.typed.text(), "", "the word is typed");
}

#[test]
fn a_preview_that_nobody_waits_for_any_more_opens_nothing() {
    let mut app = console(80, 24, "paused");
    let asked = press(&mut app, "B");
    let [Request::PreviewRollback { ticket, run }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(run, RUN);
    assert_eq!(shown(&app), &Shown::Asked);
    key(&mut app, Key::Esc);
    update(&mut app, Msg::Reply { ticket: *ticket, reply: Reply::Preview(Box::new(preview())) });
    assert!(app.dialog.is_none());
    press(&mut app, "B");
    update(&mut app, Msg::Reply { ticket: *ticket, reply: Reply::Preview(Box::new(preview())) });
    assert_eq!(shown(&app), &Shown::Asked, "an answer to an earlier question isn't this one's");
}

#[test]
fn a_preview_that_cannot_be_had_or_has_nothing_in_it_lets_nothing_be_typed() {
    let nothing = v1::RollbackTotal { hash: "x".into(), ..v1::RollbackTotal::default() };
    for reply in [
        failed(FailureKind::NoAnswer, "no answer within 30 s"),
        Reply::Preview(Box::new(Preview { total: nothing, ..Preview::default() })),
    ] {
        let mut app = console(80, 24, "paused");
        let asked = press(&mut app, "B");
        let [Request::PreviewRollback { ticket, .. }] = asked.as_slice() else { panic!("{asked:?}") };
        update(&mut app, Msg::Reply { ticket: *ticket, reply });
        assert_eq!(confirm(&mut app, "", "wrong amounts in the file"), []);
        assert!(app.dialog.is_some());
        key(&mut app, Key::Esc);
        assert!(app.dialog.is_none());
    }
}

#[test]
fn a_run_that_moves_is_paused_first_and_one_that_is_over_is_left_alone() {
    for (state, says) in [
        ("running", "pause it first"),
        ("planning", "pause it first"),
        ("pausing", "pause it first"),
        ("awaiting_approval", "pause it first"),
        ("aborted", "is over"),
        ("missed", "is over"),
        ("levitating", "doesn't know"),
    ] {
        let mut app = console(80, 24, state);
        assert_eq!(press(&mut app, "B"), [], "{state}");
        assert!(app.notice.as_ref().is_some_and(|notice| notice.text.contains(says)), "{state}: {:?}", app.notice);
    }
    for state in ["paused", "aborting", "completed", "completed_with_failures", "settled"] {
        assert_eq!(press(&mut console(80, 24, state), "B").len(), 1, "{state}");
    }
    let mut app = blank(80, 24);
    update(&mut app, snapshot(ended_parts()));
    assert_eq!(press(&mut app, "B").len(), 1, "the last run is the one on screen");
    let mut app = blank(80, 24);
    let mut all_paused = parts("running");
    all_paused.daemon.as_mut().unwrap().paused = true;
    update(&mut app, snapshot(all_paused));
    assert_eq!(press(&mut app, "B").len(), 1, "nothing leaves while everything is paused");
}

#[test]
fn old_data_and_a_run_that_goes_on_bar_it_also_when_the_dialog_is_open() {
    let mut app = console(80, 24, "paused");
    wait(&mut app, 3_100);
    assert_eq!(press(&mut app, "B"), []);
    assert!(app.dialog.is_none());

    let mut app = rollback(80, 24);
    beat(&mut app, 200);
    press(&mut app, "ROLLBACK 303");
    key(&mut app, Key::Tab);
    press(&mut app, "wrong amounts in the file");
    key(&mut app, Key::Tab);
    let mut stale = app.clone();
    wait(&mut stale, 4_000);
    assert_eq!(press(&mut stale, "y"), []);
    update(&mut app, delta(2, v1::Live { run: Some(run("running")), ..v1::Live::default() }));
    assert_eq!(press(&mut app, "y"), [], "somebody resumed it meanwhile");
}

#[test]
fn a_refusal_is_said_and_no_answer_is_not_said_to_be_one() {
    for (kind, says) in [
        (FailureKind::Refused, "NOT TAKEN BACK: it isn't what was shown any more"),
        (FailureKind::NoAnswer, "NO ANSWER, it may or may not be taken back"),
    ] {
        let mut app = rollback(80, 24);
        let requests = confirm(&mut app, "ROLLBACK 303", "wrong amounts in the file");
        let [Request::ConfirmRollback { ticket, .. }] = requests.as_slice() else { panic!("{requests:?}") };
        update(&mut app, Msg::Reply { ticket: *ticket, reply: failed(kind, "it isn't what was shown any more") });
        let notice = app.notice.clone().unwrap();
        assert!(notice.text.starts_with(says) && notice.weight == Weight::Trouble, "{notice:?}");
        assert_eq!(standing::state_words(&app), "PAUSED");
    }
    let mut app = rollback(80, 24);
    confirm(&mut app, "ROLLBACK 303", "wrong amounts in the file");
    wait(&mut app, 32_000);
    assert!(app.notice.clone().unwrap().text.starts_with("NO ANSWER"), "{:?}", app.notice);
}

#[test]
fn a_viewer_is_told_who_may_and_a_read_only_console_which_command_does() {
    let mut app = console(80, 24, "paused");
    let daemon = v1::DaemonPart { role: "viewer".into(), ..crate::fixtures::daemon() };
    update(&mut app, delta(2, v1::Live { daemon: Some(daemon), ..v1::Live::default() }));
    assert_eq!(press(&mut app, "B"), []);
    assert!(app.notice.as_ref().unwrap().text.contains("you need operator or admin"), "{:?}", app.notice);
    let mut app = console(80, 24, "paused");
    app.read_only = true;
    assert_eq!(press(&mut app, "B"), []);
    assert!(app.notice.as_ref().unwrap().text.contains("payout rollback"), "{:?}", app.notice);
}

#[test]
fn what_waits_for_people_is_said_on_the_line_of_alarm() {
    let said = |app: &App| standing::alarm(app).1;
    let mut app = console(80, 24, "aborting");
    update(&mut app, delta(2, v1::Live { states: Some(v1::StateCounts::default()), ..v1::Live::default() }));
    let waiting = v1::RunPart { reversals_to_approve: 13, usual_failed_bp: -1, ..run("aborting") };
    update(&mut app, delta(3, v1::Live { run: Some(waiting), ..v1::Live::default() }));
    assert_eq!(said(&app), "13 paid payouts wait for a second person before they are reversed: payout requests");
    assert_eq!(standing::state_words(&app), "ABORTING (13 to approve)");
    let awaiting = v1::RunPart { usual_failed_bp: -1, ..run("awaiting_approval") };
    update(&mut app, delta(4, v1::Live { run: Some(awaiting), ..v1::Live::default() }));
    assert_eq!(said(&app), "run 2026-12-01#1 waits for two people: payout requests");
    let mut app = blank(80, 24);
    let mut parts = ended_parts();
    parts.daemon.as_mut().unwrap().open_requests = 2;
    update(&mut app, snapshot(parts));
    assert_eq!(said(&app), "2 requests wait for people: payout requests");
}

#[tokio::test]
async fn the_daemons_preview_is_read_to_its_end_and_what_was_shown_is_confirmed() {
    let (_dir, path) = socket();
    let fake = Fake::start(&path, parts("paused"));
    let (out, mut messages) = tokio::sync::mpsc::channel(8);
    let (requests, asked) = tokio::sync::mpsc::channel(8);
    let (_current, channel) = tokio::sync::watch::channel(None);
    tokio::spawn(ask::serve(Way::Socket(path), channel, asked, out));
    requests.send(Request::PreviewRollback { ticket: 1, run: RUN.into() }).await.unwrap();
    let Some(Msg::Reply { ticket: 1, reply: Reply::Preview(preview) }) = messages.recv().await else { panic!() };
    assert_eq!((preview.count, preview.rows.len(), preview.total.hash.as_str()), (1, 1, "c0ffee"));
    for (hash, good) in [("c0ffee", true), ("beef", false)] {
        let (hash, reason) = (hash.to_owned(), "wrong amounts in the file".to_owned());
        requests.send(Request::ConfirmRollback { ticket: 2, run: RUN.into(), hash, reason }).await.unwrap();
        let Some(Msg::Reply { ticket: 2, reply }) = messages.recv().await else { panic!() };
        assert_eq!(matches!(reply, Reply::RolledBack(_)), good, "{reply:?}");
    }
    assert_eq!(fake.script.lock().unwrap().rolled_back.len(), 1);
    fake.stop().await;
}
