//! Creators and holds: what is shown of one adds up, pages lose nobody, and releasing is all or one.
use super::fixtures::{Paid, a_run, ann, fence, import, run_of, sale, usd};
use crate::databases::{START_MS, each_database};
use payout_shared::{
    plan::{Decision, SkipReason},
    policy::PolicySet,
    run::RunKind,
};
use payoutd::store::{
    StoreError,
    door_types::{AccountRead, BankRead},
    types::PlanContext,
};

fn context() -> PlanContext {
    let policies = PolicySet::default().with("minimum.usd", "10.00").unwrap();
    PlanContext::new(policies.with("bank_changed_days", "0").unwrap(), usd(), START_MS)
}

fn read() -> AccountRead {
    AccountRead {
        account: "acct_1".into(),
        read_at_ms: START_MS,
        country: None,
        payouts_enabled: true,
        charges_enabled: true,
        details_submitted: true,
        disabled_reason: None,
        schedule_interval: Some("manual".to_owned()),
        banks: vec![BankRead {
            currency: usd(),
            destination: "ba_1".into(),
            status: "new".to_owned(),
            bank_name: None,
            country: None,
        }],
    }
}

#[tokio::test]
async fn what_is_shown_of_a_purse_adds_up_to_its_entries() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let later =
            payoutd::store::door_types::EarningRow { available_on_ms: START_MS + 1, ..sale(1, "ch_later", 700) };
        import(&store, &[sale(1, "ch_now", 2_000), later, sale(2, "ch_other", 5_000)]).await;
        let token = fence(&store).await;
        store.record_accounts(token, &[read()]).await.unwrap();
        for (day, id, state, amount_minor) in [(1, "a", "planned", 100), (2, "b", "paid", 400), (3, "c", "failed", 800)]
        {
            // A purse has one outcome per run.
            let run = store.insert_run(&run_of(12, day, RunKind::Manual)).await.unwrap().0;
            Paid { id, run: &run, creator: 1, state, amount_minor, cause: None, changed_at_ms: 1 }
                .write(database)
                .await;
        }
        let show = store.show_creator(&"creator1".into(), &context()).await.unwrap();
        let (sums, decided) = &show.purses[0];
        let decided = decided.as_ref().unwrap();
        assert_eq!((decided.mature_minor, decided.immature_minor), (1_800 + 800, 630));
        assert_eq!((sums.planned_minor, sums.in_flight_minor, sums.paid_minor), (100, 0, 400));
        assert_eq!(sums.free_minor, decided.mature_minor + decided.immature_minor);
        let parts =
            sums.free_minor + sums.planned_minor + sums.in_flight_minor + sums.paid_minor + sums.returning_minor;
        assert_eq!(parts, sums.entries_minor);
        assert!(matches!(decided.decision, Decision::Skip { reason: SkipReason::ActivePayout, .. }));
        assert_eq!((show.purses.len(), show.payouts.len(), show.accounts.len()), (1, 3, 1));
        assert!(show.user_enabled && show.settings_enabled && show.beta_open && show.holds.is_empty());
        assert!(matches!(store.show_creator(&"nobody".into(), &context()).await, Err(StoreError::NotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_six_payouts_are_shown() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1_000)]).await;
        let run = a_run(&store).await;
        for n in 0..9 {
            let id = format!("pay_{n}");
            Paid { id: &id, run: &run, creator: 1, state: "voided", amount_minor: 5, cause: None, changed_at_ms: 1 }
                .write(database)
                .await;
        }
        let show = store.show_creator(&"creator1".into(), &context()).await.unwrap();
        let ids: Vec<_> = show.payouts.iter().map(|row| row.id.to_string()).collect();
        assert_eq!(ids, ["pay_8", "pay_7", "pay_6", "pay_5", "pay_4", "pay_3"]);
    })
    .await;
}

#[tokio::test]
async fn pages_of_creators_name_each_once() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let rows: Vec<_> = (10..35).map(|n| sale(n, &format!("ch_{n}"), 100)).collect();
        import(&store, &rows).await;
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = store.creators_after(&after, 10).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.to_string();
            seen.extend(page);
        }
        let all: Vec<_> = (10..35).map(|n| format!("creator{n}").as_str().into()).collect();
        assert_eq!(seen, all);
        assert!(matches!(store.creators_after("a\0b", 10).await, Err(StoreError::Refused(_))));
    })
    .await;
}

#[tokio::test]
async fn a_release_without_a_cause_takes_every_hold_with_a_journal_row_each() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1_000), sale(2, "ch_2", 1_000)]).await;
        let (one, two) = ("creator1".into(), "creator2".into());
        for (creator, cause) in [(&one, "person"), (&one, "bank"), (&two, "person")] {
            store.hold(creator, cause, "why", &ann()).await.unwrap();
        }
        let head = store.journal_head().await.unwrap().0;
        let none = store.release_holds(&one, Some("fraud"), "fine", &ann()).await.unwrap();
        assert_eq!((none.released.len(), none.left.len(), none.seq), (0, 2, head));
        let done = store.release_holds(&one, None, "fine", &ann()).await.unwrap();
        assert_eq!((done.released.len(), done.left.len(), done.seq), (2, 0, head + 2));
        let rows = store.journal_after(head, 9).await.unwrap();
        assert!(rows.iter().all(|row| row.action == "creator.release" && row.actor == "user:ann(1000)"));
        assert!(
            rows.iter().any(|row| row.detail.contains("bank")) && rows.iter().any(|row| row.detail.contains("person"))
        );
        assert_eq!(store.holds().await.unwrap().len(), 1, "the other's stays");
        let nobody = store.release_holds(&"nobody".into(), None, "x", &ann()).await;
        assert!(matches!(nobody, Err(StoreError::NotFound { what: "creator", .. })));
        assert!(store.verify_journal().await.unwrap().first_bad.is_none());
    })
    .await;
}

#[tokio::test]
async fn what_is_reserved_disputed_estimated_refunded_by_the_platform_and_waiting_is_shown() {
    each_database(async |database| {
        let store = super::books_entries::everything(database).await;
        let show = store.show_creator(&"creator1".into(), &context()).await.unwrap();
        let (sums, decided) = &show.purses[0];
        let kept: i64 = (900 - 180) + 450 + (360 - 180) + 360;
        assert_eq!(
            sums.reserved_minor, kept,
            "a tenth of each sale since the policy, without what refunds and losses closed"
        );
        assert_eq!(sums.disputed_minor, 4_500, "of the open dispute; the lost one's is gone, the won one's came back");
        assert_eq!(sums.estimated_minor, 9_000 + 4_500 + 3_600 + 3_600, "the file's sale is none");
        let decided = decided.as_ref().unwrap();
        assert_eq!((sums.mature_minor, sums.immature_minor + kept), (decided.mature_minor, decided.immature_minor));
        let parts = sums.mature_minor + sums.immature_minor + sums.reserved_minor;
        assert_eq!((parts, parts), (sums.free_minor, sums.entries_minor));
        let refunds: Vec<_> = show.platform_refunds.iter().map(|r| (&*r.refund, &*r.charge, r.amount.minor)).collect();
        assert_eq!((refunds, show.platform_refunds_total), (vec![("re_1", "ch_open", 70)], 1));
        assert_eq!(show.facts_waiting, 1, "a reversal on this account of a sale that isn't there");
        // And that sale, of an account that nobody knows.
        assert_eq!(store.books().await.unwrap().facts_waiting, 2);
        let later = super::books_entries::told(
            payout_shared::entries::FactKind::Reversal,
            "trr_early",
            Some("ch_early"),
            10,
            "",
        );
        let token = fence(&store).await;
        store.record_told(token, &[later], &[]).await.unwrap();
        assert_eq!(store.show_creator(&"creator1".into(), &context()).await.unwrap().facts_waiting, 2);
    })
    .await;
}
