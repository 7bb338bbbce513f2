//! Runs: unique per cycle, numbered from two, moved by the core only.
use super::fixtures::{Paid, a_run, ann, fence, import, run_of, sale};
use crate::databases::{START_MS, each_database};
use jiff::civil::date;
use payout_shared::{
    id::CreatorId,
    payout::PayoutState,
    run::{self, RunEvent, RunKind, RunStanding, RunState, RunVerdict},
};
use payoutd::store::{
    StoreError,
    types::{By, Fence, NewRun},
};

#[tokio::test]
async fn a_cycle_has_one_scheduled_run_whoever_asks_and_however_often() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let asked = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.insert_run(&run_of(12, 1, RunKind::Scheduled)).await.unwrap() })
        });
        let mut answers = Vec::new();
        for asking in asked.collect::<Vec<_>>() {
            answers.push(asking.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|(_, already)| !already).count(), 1);
        assert!(answers.iter().all(|(run, _)| run.id == answers[0].0.id && run.label.to_string() == "2026-12-01#1"));
        assert_eq!(store.runs(10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn manual_runs_are_numbered_from_two_without_a_gap_even_all_at_once() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let asked: Vec<_> = (0..6)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(
                    async move { store.insert_run(&run_of(12, 3, RunKind::Manual)).await.unwrap().0.label.number },
                )
            })
            .collect();
        let mut numbers = Vec::new();
        for asking in asked {
            numbers.push(asking.await.unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    })
    .await;
}

#[tokio::test]
async fn a_run_for_creators_nobody_knows_is_refused_by_name_and_not_stored() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        let creators = ["creator1", "nobody", "no\u{fc}ne"].map(CreatorId::from).to_vec();
        let asked = NewRun { creators, ..run_of(12, 3, RunKind::Manual) };
        let refused = store.insert_run(&asked).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Refused(why) if why.contains("nobody") && why.contains("noüne") && !why.contains("creator1")));
        assert!(store.runs(10).await.unwrap().is_empty());
        let named = NewRun { creators: vec!["creator1".into(), "creator1".into()], ..run_of(12, 3, RunKind::Manual) };
        let (run, _) = store.insert_run(&named).await.unwrap();
        assert!(run.named_only);
        assert_eq!(store.run("2026-12-03#2").await.unwrap(), run);
    })
    .await;
}

#[tokio::test]
async fn a_run_is_found_by_id_and_label_and_not_by_anything_else() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        assert_eq!(store.run(run.id.as_str()).await.unwrap(), run);
        assert_eq!(store.run("2026-12-01#1").await.unwrap(), run);
        for name in ["2026-12-01#2", "2026-12-01", "", "run_x", "2026-12-01#1 "] {
            assert!(matches!(store.run(name).await, Err(StoreError::NotFound { what: "run", .. })), "{name:?}");
        }
        assert_eq!(store.last_run().await.unwrap(), Some(run));
    })
    .await;
}

#[tokio::test]
async fn a_run_walks_from_planning_to_completed_and_every_step_is_in_the_journal() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        let run = a_run(&store).await;
        let fence = fence(&store).await;
        hand.advance(10);
        let steps = [
            (RunEvent::FinishPlan, RunState::Planned),
            (RunEvent::Begin, RunState::Running),
            (RunEvent::Complete, RunState::Completed),
        ];
        for (event, state) in steps {
            let (after, verdict, _) = store.change_run(Some(fence), &run.id, event, &By::Engine, None).await.unwrap();
            assert_eq!((after.state, verdict), (state, RunVerdict::Move(state)));
            assert_eq!(store.run(run.id.as_str()).await.unwrap(), after);
            hand.advance(10);
        }
        let run = store.run(run.id.as_str()).await.unwrap();
        assert!(run.plan_finished);
        assert_eq!((run.started_at_ms, run.finished_at_ms), (Some(START_MS + 20), Some(START_MS + 30)));
        let told = store.journal_after(0, 100).await.unwrap();
        let walk: Vec<_> = told
            .iter()
            .filter(|row| row.action.starts_with("run."))
            .map(|row| (row.action.as_str(), row.from_state.as_deref(), row.to_state.as_deref()))
            .collect();
        assert_eq!(
            walk,
            [
                ("run.insert", None, Some("planning")),
                ("run.finish_plan", Some("planning"), Some("planned")),
                ("run.begin", Some("planned"), Some("running")),
                ("run.complete", Some("running"), Some("completed")),
            ]
        );
        assert!(store.open_runs().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_pause_is_pausing_while_a_request_is_on_the_wire_and_paused_when_none_is() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        for event in [RunEvent::FinishPlan, RunEvent::Begin] {
            store.change_run(None, &run.id, event, &By::Engine, None).await.unwrap();
        }
        Paid {
            id: "pay_1",
            run: &run,
            creator: 1,
            state: "submitting",
            amount_minor: 5,
            cause: None,
            changed_at_ms: 1,
        }
        .write(database)
        .await;
        assert_eq!(store.in_flight().await.unwrap(), 1);
        let (pausing, ..) = store.change_run(None, &run.id, RunEvent::Pause, &ann(), Some("look")).await.unwrap();
        assert_eq!(pausing.state, RunState::Pausing);
        let (twice, verdict, _) =
            store.change_run(None, &run.id, RunEvent::Pause, &By::Engine, Some("no")).await.unwrap();
        assert_eq!((verdict, twice.pause_reason.as_deref()), (RunVerdict::Stale, Some("look")));
        database.execute("UPDATE payout_attempts SET on_wire = FALSE").await;
        let (paused, ..) = store.change_run(None, &run.id, RunEvent::Drain, &By::Engine, None).await.unwrap();
        assert_eq!(paused.state, RunState::Paused);
        assert_eq!(paused.paused_by.as_deref(), Some("user:ann(1000)"), "the drain isn't who paused it");
        let (running, ..) = store.change_run(None, &run.id, RunEvent::Resume, &ann(), Some("fine")).await.unwrap();
        assert_eq!((running.state, running.pause_reason, running.paused_by), (RunState::Running, None, None));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_happen_to_a_run_is_refused_in_words_and_leaves_no_trace() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        for event in [RunEvent::FinishPlan, RunEvent::Begin, RunEvent::Complete] {
            store.change_run(None, &run.id, event, &By::Engine, None).await.unwrap();
        }
        let head = store.journal_head().await.unwrap();
        let refused = store.change_run(None, &run.id, RunEvent::Pause, &ann(), None).await.unwrap_err();
        assert_eq!(refused.to_string(), "run 2026-12-01#1 is completed: it cannot be paused");
        assert_eq!(store.journal_head().await.unwrap(), head);
    })
    .await;
}

#[tokio::test]
async fn a_stale_fencing_token_moves_no_run() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let run = a_run(&store).await;
        let token = fence(&store).await;
        let stale = Fence(token.0 - 1);
        let refused = store.change_run(Some(stale), &run.id, RunEvent::FinishPlan, &By::Engine, None).await;
        assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
        assert_eq!(store.run(run.id.as_str()).await.unwrap().state, RunState::Planning);
    })
    .await;
}

#[tokio::test]
async fn known_cycles_are_the_scheduled_and_missed_ones_from_a_date_on() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        store.insert_run(&run_of(11, 1, RunKind::Scheduled)).await.unwrap();
        store.insert_run(&NewRun { state: RunState::Missed, ..run_of(11, 15, RunKind::Scheduled) }).await.unwrap();
        store.insert_run(&run_of(12, 15, RunKind::Manual)).await.unwrap();
        a_run(&store).await;
        let known = store.known_cycles(date(2026, 11, 2)).await.unwrap();
        assert_eq!(known, [date(2026, 11, 15), date(2026, 12, 1)]);
        assert_eq!(store.open_runs().await.unwrap().len(), 3, "a missed one isn't open");
    })
    .await;
}

#[tokio::test]
async fn counts_causes_and_failures_of_a_run_add_up() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        let run = a_run(&store).await;
        let other = store.insert_run(&run_of(12, 15, RunKind::Scheduled)).await.unwrap().0;
        let minute = 60_000;
        let rows = [
            ("pay_1", "paid", 100, None, START_MS),
            ("pay_2", "pending", 200, None, START_MS),
            ("pay_3", "planned", 400, Some("rate_limit"), START_MS - minute),
            ("pay_4", "unknown", 800, Some("timeout"), START_MS - 5 * minute),
            ("pay_5", "failed", 1600, Some("account_closed"), START_MS - minute / 2),
            ("pay_6", "failed", 3200, Some("account_closed"), START_MS - 20 * minute),
            ("pay_7", "returned", 6400, Some("no_account"), START_MS - 9 * minute - 1),
            ("pay_8", "voided", 12800, Some("held"), START_MS),
            ("pay_9", "submitting", 25600, None, START_MS),
        ];
        for (n, (id, state, amount_minor, cause, changed_at_ms)) in (1..).zip(rows) {
            Paid { id, run: &run, creator: n, state, amount_minor, cause, changed_at_ms }.write(database).await;
        }
        Paid {
            id: "pay_x",
            run: &other,
            creator: 50,
            state: "failed",
            amount_minor: 1,
            cause: Some("account_closed"),
            changed_at_ms: 1,
        }
        .write(database)
        .await;
        database
            .execute(&format!(
                "INSERT INTO run_outcomes (run_id, account_id, currency, creator_id, reason, sentence, payable_minor) \
                 VALUES ('{}', 'acct_90', 'usd', 'creator90', 'below_minimum', 'needs more', 5)",
                run.id
            ))
            .await;
        let counts = store.run_counts(&run.id).await.unwrap();
        assert_eq!((counts.payouts, counts.answered, counts.purses, counts.skipped, counts.in_flight), (9, 6, 9, 1, 1));
        assert_eq!(counts.skips, [("below_minimum".to_owned(), 1)]);
        assert_eq!((counts.money[0].total_minor, counts.money[0].sent_minor), (51100 - 12800, 300));
        assert!(counts.states.contains(&(PayoutState::Failed, 2)) && counts.states.len() == 8);

        hand.advance(0);
        let causes = store.causes(&run.id).await.unwrap();
        let shape: Vec<_> = causes.iter().map(|row| (row.cause.as_str(), row.state, row.count, row.is_new)).collect();
        assert_eq!(
            shape,
            [
                ("account_closed", PayoutState::Failed, 2, false),
                ("no_account", PayoutState::Returned, 1, true),
                ("rate_limit", PayoutState::Planned, 1, true),
                ("timeout", PayoutState::Unknown, 1, true),
            ]
        );
        assert_eq!((causes[0].creators, causes[0].amounts[0].minor), (2, 4800));
        assert_eq!((causes[0].first_ms, causes[0].last_ms), (START_MS - 20 * minute, START_MS - minute / 2));
        assert_eq!(causes[0].last_10_min, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(causes[1].last_10_min, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        let failures = store.newest_failures(&run.id, 2).await.unwrap();
        assert_eq!(failures.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["pay_5", "pay_7"]);
        assert_eq!(failures[0].request_id.as_deref(), Some("req_pay_5"));
    })
    .await;
}

#[tokio::test]
async fn purses_still_to_plan_are_counted_behind_the_place_of_the_plan() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000), sale(2, "ch_2", 1000), sale(2, "ch_3", 1000), sale(3, "ch_4", 1000)])
            .await;
        let run = a_run(&store).await;
        assert_eq!(store.run_counts(&run.id).await.unwrap().to_plan, 3);
        database.execute("UPDATE payout_runs SET plan_after = 'acct_2 usd'").await;
        assert_eq!(store.run_counts(&run.id).await.unwrap().to_plan, 1);
        let named = NewRun { creators: vec!["creator2".into()], ..run_of(12, 3, RunKind::Manual) };
        let named = store.insert_run(&named).await.unwrap().0;
        assert_eq!(store.run_counts(&named.id).await.unwrap().to_plan, 1);
        store.change_run(None, &run.id, RunEvent::FinishPlan, &By::Engine, None).await.unwrap();
        assert_eq!(store.run_counts(&run.id).await.unwrap().to_plan, 0);
    })
    .await;
}

#[tokio::test]
async fn the_store_moves_a_run_exactly_as_the_core_says() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let id = a_run(&store).await.id;
        for state in RunState::ALL {
            let plan_finished = state != RunState::Planning;
            let planned = if plan_finished { "TRUE" } else { "FALSE" };
            database
                .execute(&format!("UPDATE payout_runs SET state = '{}', plan_finished = {planned}", state.as_str()))
                .await;
            let mut before = store.run(id.as_str()).await.unwrap();
            for event in RunEvent::ALL {
                let standing = RunStanding { state, plan_finished, approval_missing: false, in_flight: 0 };
                let head = store.journal_head().await.unwrap().0;
                let answer = store.change_run(None, &id, event, &ann(), Some("why")).await;
                let after = store.run(id.as_str()).await.unwrap();
                match run::apply(standing, event) {
                    RunVerdict::Move(to) => {
                        let (told, verdict, seq) = answer.unwrap();
                        assert_eq!(
                            (told.state, verdict, seq),
                            (to, RunVerdict::Move(to), head + 1),
                            "{state:?} {event:?}"
                        );
                        assert_eq!(after, told);
                        let back =
                            format!("UPDATE payout_runs SET state = '{}', plan_finished = {planned}", state.as_str());
                        database.execute(&back).await;
                        before = store.run(id.as_str()).await.unwrap();
                        continue;
                    }
                    RunVerdict::Stale => assert_eq!(answer.unwrap().1, RunVerdict::Stale, "{state:?} {event:?}"),
                    RunVerdict::Illegal => {
                        assert!(matches!(answer, Err(StoreError::Refused(_))), "{state:?} {event:?} gave {answer:?}");
                    }
                }
                assert_eq!(
                    (after, store.journal_head().await.unwrap().0),
                    (before.clone(), head),
                    "{state:?} {event:?}"
                );
            }
        }
        assert_eq!(store.verify_journal().await.unwrap().first_bad, None);
    })
    .await;
}
