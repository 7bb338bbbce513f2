//! Every key on every screen, and what stands in front of screens.
use crate::fixtures::{answer, beat, console, detail, key, now, parts, payouts, press, row, snapshot};
use payout::{
    actions,
    app::{App, Msg, Request, Screen, dialog::Dialog, filter::Filter, key::Key, update},
};

fn all_keys() -> Vec<Key> {
    let named = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::Left,
        Key::Right,
        Key::Up,
        Key::Down,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
    ];
    (' '..='~').map(Key::Char).chain(('a'..='z').map(Key::Ctrl)).chain(named).collect()
}

fn screens() -> Vec<App> {
    vec![
        console(80, 24, "running"),
        console(80, 24, "completed"),
        console(80, 24, "paused"),
        payouts(80, 24),
        detail(80, 24),
    ]
}

#[test]
fn no_key_means_two_things_on_a_screen() {
    for screen in [Screen::Live, Screen::Payouts, Screen::Detail] {
        let mut keys: Vec<Key> = actions::of(screen).flat_map(|action| action.keys).copied().collect();
        let all = keys.len();
        keys.sort_by_key(|key| format!("{key:?}"));
        keys.dedup();
        assert_eq!(keys.len(), all, "{screen:?}");
    }
}

#[test]
fn no_single_key_acts_on_money_anywhere() {
    for app in screens() {
        for pressed in all_keys() {
            let mut app = app.clone();
            let requests = key(&mut app, pressed);
            let acts = requests
                .iter()
                .any(|r| matches!(r, Request::Pause { .. } | Request::Resume { .. } | Request::ConfirmRollback { .. }));
            assert!(!acts, "{pressed} on {:?}", app.screen);
        }
    }
}

#[test]
fn only_the_keys_of_the_table_change_a_screen() {
    for app in screens() {
        for pressed in all_keys().into_iter().filter(|k| actions::find(app.screen, *k).is_none()) {
            let mut pressed_app = app.clone();
            assert!(key(&mut pressed_app, pressed).is_empty(), "{pressed}");
            pressed_app.last_key = app.last_key;
            pressed_app.dirty = app.dirty;
            pressed_app.notice = app.notice.clone();
            assert_eq!(format!("{pressed_app:?}"), format!("{app:?}"), "{pressed}");
        }
    }
}

#[test]
fn ctrl_c_quits_from_everywhere() {
    for app in screens() {
        for before in ["", "p", "R", "/", ":", "?", "2/"] {
            let mut app = app.clone();
            press(&mut app, before);
            assert_eq!(key(&mut app, Key::Ctrl('c')), vec![Request::Quit], "after {before:?}");
        }
    }
}

#[test]
fn q_goes_back_and_then_out() {
    let mut app = detail(80, 24);
    assert!(!press(&mut app, "q").contains(&Request::Quit));
    assert_eq!(app.screen, Screen::Payouts);
    press(&mut app, "q");
    assert_eq!(app.screen, Screen::Live);
    assert_eq!(press(&mut app, "q"), vec![Request::Quit]);
}

#[test]
fn minus_goes_to_the_last_screen_and_back() {
    let mut app = payouts(80, 24);
    press(&mut app, "-");
    assert_eq!(app.screen, Screen::Live);
    press(&mut app, "-");
    assert_eq!(app.screen, Screen::Payouts);
}

#[test]
fn enter_on_a_cause_asks_for_its_rows() {
    let mut app = console(80, 24, "running");
    let asked = key(&mut app, Key::Enter);
    let [Request::ListPayouts { query, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(
        (query.cause.as_str(), query.states.as_slice()),
        ("payouts_not_allowed", ["failed".to_owned()].as_slice())
    );
    assert_eq!(query.run, crate::fixtures::RUN);
}

#[test]
fn the_cursor_stays_on_its_cause_when_another_overtakes_it() {
    let mut app = console(80, 24, "running");
    press(&mut app, "j");
    let mut parts = payout_proto::v1::Live { causes: parts("running").causes, ..Default::default() };
    parts.causes.as_mut().unwrap().causes.iter_mut().find(|c| c.cause == "insufficient_funds").unwrap().count = 9_999;
    update(&mut app, crate::fixtures::delta(2, parts));
    assert_eq!(app.cause.as_ref().unwrap().0, "insufficient_funds");
}

#[test]
fn a_filter_is_understood_whole_or_refused_with_a_reason() {
    let filter = Filter::parse("state=failed,unknown cause=x creator=c acct=a amt>100.50 pay_9").unwrap();
    assert_eq!(filter.amount_min_minor, 10_051);
    assert_eq!((filter.states.len(), filter.part.as_str()), (2, "pay_9"));
    assert_eq!(Filter::parse("amt>=100").unwrap().amount_min_minor, 10_000);
    for wrong in ["state=nope", "color=red", "amt>x", "amt>1.234", "a b", "state="] {
        assert!(Filter::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_filter_is_typed_applied_and_kept_over_other_screens() {
    let mut app = payouts(80, 24);
    press(&mut app, "/state=failed amt>5");
    let asked = key(&mut app, Key::Enter);
    let [Request::ListPayouts { query, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((query.states.as_slice(), query.amount_min_minor), (["failed".to_owned()].as_slice(), 501));
    answer(&mut app, &asked, vec![row(5)], 1, "");
    press(&mut app, "12");
    assert_eq!(app.payouts.filter.text, "state=failed amt>5");
    update(&mut app, snapshot(parts("running")));
    assert_eq!(app.payouts.filter.text, "state=failed amt>5");
}

#[test]
fn a_wrong_filter_is_not_applied() {
    let mut app = payouts(80, 24);
    press(&mut app, "/state=bogus");
    assert!(key(&mut app, Key::Enter).is_empty());
    assert!(app.filtering.as_ref().unwrap().1.as_ref().unwrap().contains("bogus"));
    key(&mut app, Key::Esc);
    assert!(app.payouts.filter.is_empty());
}

#[test]
fn letters_typed_into_a_line_are_never_actions() {
    let mut app = payouts(80, 24);
    press(&mut app, "/pyRq");
    assert_eq!(app.filtering.as_ref().unwrap().0.text(), "pyRq");
    assert!(app.dialog.is_none());
}

#[test]
fn failures_only_never_turns_into_all_rows() {
    let mut app = payouts(80, 24);
    let asked = press(&mut app, "f");
    let [Request::ListPayouts { query, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(query.states, ["failed", "returned", "unknown", "canceled"]);
    press(&mut app, "/state=paid");
    key(&mut app, Key::Enter);
    assert!(!app.payouts.failures_only);
    press(&mut app, "f");
    assert!(!app.payouts.failures_only, "the filter names states itself");
}

#[test]
fn an_answer_to_an_old_question_is_dropped() {
    let mut app = console(80, 24, "running");
    let old = press(&mut app, "2");
    let new = press(&mut app, "s");
    answer(&mut app, &old, vec![row(99)], 1, "");
    assert!(app.payouts.rows.is_empty());
    answer(&mut app, &new, vec![row(1)], 1, "");
    assert_eq!(app.payouts.rows.len(), 1);
}

#[test]
fn the_list_goes_on_over_the_windows_edge_and_back() {
    let mut app = payouts(80, 24);
    press(&mut app, "G");
    let asked = press(&mut app, "j");
    let [Request::ListPayouts { query, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(query.cursor, "next");
    answer(&mut app, &asked, (31..=40).map(row).collect(), 41_880, "");
    assert_eq!(app.payouts.cursor.id, Some(row(31).id));
    assert_eq!(app.payouts.offset(), 30);
    let asked = press(&mut app, "k");
    let [Request::ListPayouts { query, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(query.cursor, "");
    answer(&mut app, &asked, (1..=30).map(row).collect(), 41_880, "next");
    assert_eq!(app.payouts.cursor.id, Some(row(30).id));
}

#[test]
fn a_row_that_leaves_blocks_the_action_until_a_key_moves_the_cursor() {
    let mut app = payouts(80, 24);
    press(&mut app, "jj");
    let gone = row(3).id;
    let mut parts = payout_proto::v1::Live { pages_version: Some(2), ..Default::default() };
    parts.pages_version = Some(2);
    beat(&mut app, 1_500);
    let asked = update(&mut app, crate::fixtures::delta(2, parts));
    answer(&mut app, &asked, (1..=30).filter(|n| *n != 3).map(row).collect(), 29, "");
    assert_eq!(app.payouts.cursor.gone.as_deref(), Some(gone.as_str()));
    assert!(key(&mut app, Key::Enter).is_empty());
    assert_eq!(app.screen, Screen::Payouts);
    assert!(app.notice.as_ref().unwrap().text.contains("left this list"));
    press(&mut app, "j");
    let asked = key(&mut app, Key::Enter);
    assert!(
        asked.iter().any(|r| matches!(r, Request::ShowPayout { payout_id, .. } if *payout_id == row(4).id)),
        "{asked:?}"
    );
}

#[test]
fn pasted_text_goes_into_lines_only() {
    let mut app = payouts(80, 24);
    update(&mut app, Msg::Paste("py\nq".into()));
    assert!(app.dialog.is_none());
    assert!(app.notice.as_ref().unwrap().text.contains("ignored"));
    press(&mut app, "p");
    update(&mut app, Msg::Paste("y".into()));
    assert!(matches!(app.dialog, Some(Dialog::Pause { .. })), "a pasted y doesn't confirm");
    key(&mut app, Key::Esc);
    press(&mut app, "/");
    update(&mut app, Msg::Paste("cause=x\n".into()));
    assert_eq!(app.filtering.as_ref().unwrap().0.text(), "cause=x");
}

#[test]
fn the_palette_does_what_the_key_does() {
    let mut app = console(80, 24, "running");
    press(&mut app, ":payouts");
    assert!(key(&mut app, Key::Enter).iter().any(|r| matches!(r, Request::ListPayouts { .. })));
    press(&mut app, ":pause");
    assert!(key(&mut app, Key::Enter).is_empty(), "the palette opens the dialog, it doesn't pause");
    assert!(matches!(app.dialog, Some(Dialog::Pause { .. })));
}

#[test]
fn a_read_only_console_never_acts_and_says_how_to() {
    let mut app = App::new(now(), (80, 24), "sock", true);
    update(&mut app, snapshot(parts("running")));
    assert!(press(&mut app, "py").is_empty());
    assert!(app.dialog.is_none());
    press(&mut app, "p");
    assert!(app.notice.as_ref().unwrap().text.contains("payout pause --reason"));
}

#[test]
fn p_pauses_from_the_help_page_too() {
    let mut app = console(80, 24, "running");
    let requests = press(&mut app, "?py");
    assert!(matches!(requests.as_slice(), [Request::Pause { .. }]), "{requests:?}");
}

#[test]
fn nothing_is_asked_of_the_daemon_again_and_again() {
    let mut app = payouts(80, 24);
    for _ in 0..50 {
        let requests = beat(&mut app, 20);
        assert!(requests.is_empty(), "{requests:?}");
    }
}
