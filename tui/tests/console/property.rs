//! Laws under random input: the id under the cursor is the id that is sent; no size and no frame panics.
use crate::fixtures::{
    answer, beat, blank, console, delta, detail, key, parts, payouts, press, rollback, row, snapshot,
};
use crate::snapshots::draw;
use payout::app::{Msg, Request, key::Key, update};
use payout_proto::v1;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_payout_under_the_cursor_is_the_one_that_is_asked_for(
        steps in proptest::collection::vec((any::<u8>(), proptest::sample::subsequence((1..=20_i64).collect::<Vec<_>>(), 1..20).prop_shuffle()), 1..12),
    ) {
        let mut app = payouts(80, 24);
        for (seq, (move_key, order)) in (2..).zip(steps) {
            press(&mut app, ["j", "k", "g", "G"][usize::from(move_key % 4)]);
            let before = app.payouts.cursor.clone();
            beat(&mut app, 1_100);
            let asked = update(&mut app, delta(seq, v1::Live { pages_version: Some(seq), ..v1::Live::default() }));
            if asked.is_empty() {
                continue;
            }
            answer(&mut app, &asked, order.iter().map(|n| row(*n)).collect(), 20, "");
            let still_there = before.id.as_ref().is_some_and(|id| order.iter().any(|n| row(*n).id == *id));
            prop_assert_eq!(app.payouts.cursor.id.is_some() && before.id.is_some(), still_there);
            let mut opened = app.clone();
            let requests = key(&mut opened, Key::Enter);
            match (&app.payouts.cursor.id, requests.as_slice()) {
                (Some(id), [.., Request::ShowPayout { payout_id, .. }]) => {
                    prop_assert_eq!(id, payout_id);
                    prop_assert!(before.id.is_none() || before.id.as_ref() == Some(id));
                }
                (None, []) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn no_size_and_no_frame_panics(
        sizes in proptest::collection::vec((1_u16..300, 1_u16..100), 1..6),
        keys in "[pRBy12fsSlq?:/jkgG-]{0,8}",
        numbers in proptest::collection::vec(any::<i64>(), 8),
        text in "\\PC{0,40}",
        state in proptest::sample::select(vec!["planning", "running", "paused", "completed", ""]),
    ) {
        let mut app = blank(80, 24);
        let mut parts = parts(state);
        let run = parts.run.as_mut().unwrap();
        (run.payouts, run.answered, run.in_flight, run.purses, run.to_plan) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]);
        (run.eta_ms, run.started_at_ms, run.usual_failed_bp) = (numbers[5], numbers[6], numbers[7]);
        run.label.clone_from(&text);
        run.money[0].sent_minor = numbers[2];
        run.money[0].total_minor = numbers[3];
        run.money[1].currency.clone_from(&text);
        let daemon = parts.daemon.as_mut().unwrap();
        (daemon.hostname, daemon.next_run_at, daemon.you) = (text.clone(), text.clone(), text.clone());
        (daemon.last_webhook_ms, daemon.now_ms) = (numbers[0], numbers[1] / 4);
        for cause in &mut parts.causes.as_mut().unwrap().causes {
            (cause.count, cause.first_ms, cause.cause) = (numbers[6] / 8, numbers[7], text.clone());
            cause.last_10_min.clone_from(&numbers);
        }
        parts.rate.as_mut().unwrap().answered_10s.clone_from(&numbers);
        update(&mut app, snapshot(parts));
        press(&mut app, &keys);
        for (columns, rows) in sizes {
            update(&mut app, Msg::Resize(columns, rows));
            draw(&app, true);
        }
    }
}

#[test]
fn every_size_is_drawn_on_every_screen() {
    for mut app in [blank(1, 1), payouts(80, 24), detail(80, 24), rollback(80, 24), console(80, 24, "running")] {
        for (columns, rows) in (1..=70).flat_map(|c| [1, 2, 3, 8, 15, 16, 17, 30].map(|r| (c, r))).chain([
            (300, 100),
            (120, 32),
            (119, 31),
        ]) {
            for keys in ["", "p", "?"] {
                let mut app = app.clone();
                update(&mut app, Msg::Resize(columns, rows));
                press(&mut app, keys);
                draw(&app, false);
            }
        }
        update(&mut app, Msg::Resize(1, 1));
        draw(&app, true);
    }
}
