//! Cohorts and tags in the store: who is in, on both databases; bulk is bulk; every change is in the journal; PostgreSQL's functions say
//! what the program says.
use super::fixtures::{Paid, ann, fence, import, run_of, sale, usd};
use crate::databases::{Database, START_MS, each_database};
use payout_shared::{
    cohort::{Place, Share, bucket, gate::Verdict},
    id::CreatorId,
    plan::{Decision, SkipReason},
    policy::PolicySet,
    run::RunKind,
};
use payoutd::store::{
    Store, StoreError,
    door_types::{AccountRead, BankRead, Definition, Judged, RolloutCount},
    types::PlanContext,
};
use serde_json::Value;
use std::collections::BTreeMap;

fn context() -> PlanContext {
    let policies = PolicySet::default().with("minimum.usd", "10.00").unwrap();
    PlanContext::new(policies.with("bank_changed_days", "0").unwrap(), usd(), START_MS)
}

fn creator(n: u64) -> CreatorId {
    CreatorId::new(format!("creator{n}"))
}

fn list(numbers: &[u64]) -> Definition {
    Definition::List(numbers.iter().map(|n| creator(*n)).collect())
}

fn percent(text: &str) -> Definition {
    Definition::Percent(Share::parse(text).unwrap())
}

async fn create(store: &Store, name: &str, of: &Definition) {
    store.create_cohort(name, of, &ann(), "rollout").await.unwrap();
}

async fn open(store: &Store, name: &str) {
    let open = store.cohorts().await.unwrap().into_iter().filter(|cohort| cohort.is_open).collect();
    let judged = store.judge_cohorts(open).await.unwrap();
    assert!(!store.open_cohort(name, &judged, &Value::Null, &ann(), "go").await.unwrap().already);
}

/// Creators 1 to n with 20.00 USD each and accounts that can be paid.
async fn payable(store: &Store, n: u64) {
    let rows: Vec<_> = (1..=n).map(|n| sale(n, &format!("ch_{n}"), 2_000)).collect();
    import(store, &rows).await;
    let token = fence(store).await;
    let reads: Vec<_> = (1..=n)
        .map(|n| AccountRead {
            account: format!("acct_{n}").as_str().into(),
            read_at_ms: START_MS,
            country: None,
            payouts_enabled: true,
            charges_enabled: true,
            details_submitted: true,
            disabled_reason: None,
            schedule_interval: Some("manual".to_owned()),
            banks: vec![BankRead {
                currency: usd(),
                destination: format!("ba_{n}").as_str().into(),
                status: "new".to_owned(),
                country: None,
                bank_name: None,
            }],
        })
        .collect();
    store.record_accounts(token, &reads).await.unwrap();
}

/// What a dry run says of each creator: `paid`, or the sentence.
async fn outcome(store: &Store) -> BTreeMap<String, String> {
    let page = store.preview_page(START_MS, START_MS, None, "", 1_000, &context()).await.unwrap();
    page.purses
        .into_iter()
        .map(|purse| {
            let said = match purse.decision {
                Decision::Pay { .. } => "paid".to_owned(),
                Decision::Skip { reason, sentence } => {
                    assert_eq!(reason, SkipReason::NotInCohort);
                    sentence
                }
            };
            (purse.creator.to_string(), said)
        })
        .collect()
}

async fn paid(store: &Store) -> Vec<String> {
    outcome(store).await.into_iter().filter(|(_, said)| said == "paid").map(|(creator, _)| creator).collect()
}

#[tokio::test]
async fn without_a_cohort_everybody_is_in_and_with_one_whoever_an_open_one_has() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 4).await;
        assert_eq!((paid(&store).await.len(), store.rollout().await.unwrap()), (4, RolloutCount::default()));
        create(&store, "beta", &list(&[1, 2, 2])).await;
        assert!(paid(&store).await.is_empty(), "a cohort exists, none is open");
        let said = outcome(&store).await;
        assert!(said["creator1"].contains("when cohort beta is opened"), "{said:?}");
        assert!(said["creator3"].contains("no cohort has them"), "{said:?}");
        open(&store, "beta").await;
        create(&store, "friends", &Definition::Tag("friend".to_owned())).await;
        store.tag_creator(&creator(3), "friend", true, &ann(), "a friend").await.unwrap();
        assert_eq!(paid(&store).await, ["creator1", "creator2"]);
        assert!(outcome(&store).await["creator3"].contains("when cohort friends is opened"));
        open(&store, "friends").await;
        assert_eq!(paid(&store).await, ["creator1", "creator2", "creator3"]);
        store.tag_creator(&creator(3), "friend", false, &ann(), "not any more").await.unwrap();
        store.remove_from_cohort("beta", &[creator(1), creator(4)], &ann(), "left").await.unwrap();
        assert_eq!(paid(&store).await, ["creator2"]);
        create(&store, "all", &percent("100")).await;
        assert!(outcome(&store).await["creator1"].contains("when cohort all is opened"));
        open(&store, "all").await;
        assert_eq!((paid(&store).await.len(), store.rollout().await.unwrap()), (4, RolloutCount { open: 3, total: 3 }));
        store.close_cohort("all", &ann(), "back").await.unwrap();
        assert_eq!(paid(&store).await, ["creator2"], "one command back");
        let show = store.show_creator(&creator(2), &context()).await.unwrap();
        assert_eq!((show.cohort, show.tags.len()), (Place::In("beta".to_owned()), 0));
        assert_eq!(
            store.show_creator(&creator(1), &context()).await.unwrap().cohort,
            Place::Out(Some("all".to_owned()))
        );
        assert!(store.verify_journal().await.unwrap().first_bad.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_share_is_the_cores_and_a_larger_one_only_adds() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 60).await;
        let mut before: Vec<String> = Vec::new();
        for text in ["10", "30.5", "70"] {
            create(&store, text, &percent(text)).await;
            open(&store, text).await;
            let share = Share::parse(text).unwrap();
            let mut expected: Vec<String> = (1..=60)
                .map(creator)
                .filter(|creator| share.takes(creator))
                .map(|creator| creator.to_string())
                .collect();
            expected.sort();
            let now = paid(&store).await;
            assert_eq!(now, expected, "{text} %");
            assert!(now.len() > before.len() && before.iter().all(|creator| now.contains(creator)));
            before = now;
        }
    })
    .await;
}

/// The platform asks SQL; it must be told what the next send will do.
#[tokio::test]
async fn postgresqls_functions_say_what_the_program_says() {
    let database = Database::postgres().await;
    let (store, _) = database.store().await;
    payable(&store, 40).await;
    let ids = ["creator1", "", "ü", "0b0e1f3c-91f5-4a7e-8d0b-7f8a1f1f9a55", "日本"];
    for id in ids {
        assert_eq!(
            database.number(&format!("SELECT cohort_bucket('{id}')")).await,
            i64::from(bucket(&CreatorId::new(id))),
            "{id}"
        );
    }
    let may = async || -> Vec<String> {
        let text = "SELECT DISTINCT creator_id FROM creator_stripe_accounts WHERE can_creator_receive_payouts(creator_id) ORDER BY 1";
        database.texts(text).await.into_iter().map(|mut row| row.remove(0)).collect()
    };
    assert_eq!(may().await, paid(&store).await);
    assert_eq!(may().await.len(), 40);
    create(&store, "beta", &list(&[1, 2])).await;
    assert_eq!((may().await.len(), paid(&store).await.len()), (0, 0));
    open(&store, "beta").await;
    assert_eq!((may().await, may().await.len()), (paid(&store).await, 2));
    create(&store, "friends", &Definition::Tag("friend".to_owned())).await;
    store.tag_creator(&creator(7), "friend", true, &ann(), "a friend").await.unwrap();
    open(&store, "friends").await;
    assert_eq!((may().await, may().await.len()), (paid(&store).await, 3));
    create(&store, "third", &percent("33.3")).await;
    open(&store, "third").await;
    assert_eq!(may().await, paid(&store).await);
    assert!(may().await.len() > 8 && may().await.len() < 30);
    drop(store);
    database.drop_it().await;
}

#[tokio::test]
async fn creators_that_nobody_knows_are_refused_all_together() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 3).await;
        let head = store.journal_head().await.unwrap();
        let strangers: Vec<CreatorId> = (1..=30).map(creator).collect();
        let refused = store.create_cohort("beta", &Definition::List(strangers), &ann(), "x").await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "27 of 30 creators aren't known here, so nothing was changed: creator10, creator11, creator12, creator13, creator14, \
             creator15, creator16, creator17, creator18, creator19, …"
        );
        assert_eq!((store.cohorts().await.unwrap(), store.journal_head().await.unwrap()), (Vec::new(), head));
        create(&store, "beta", &list(&[1])).await;
        let again = store.create_cohort("beta", &percent("5"), &ann(), "x").await.unwrap_err();
        assert_eq!(again.to_string(), "there is a cohort beta already: nothing was changed");
        let added = store.add_to_cohort("beta", &[creator(2), creator(99)], &Value::Null, &ann(), "x").await;
        assert!(matches!(added, Err(StoreError::Refused(_))));
        assert_eq!(store.cohort("beta").await.unwrap().members, Some(1));
        create(&store, "share", &percent("5")).await;
        for name in ["share", "nobody"] {
            let added = store.add_to_cohort(name, &[creator(1)], &Value::Null, &ann(), "x").await;
            assert!(matches!(added, Err(StoreError::Refused(_) | StoreError::NotFound { what: "cohort", .. })), "{name}");
        }
        let tagged = store.tag_creator(&creator(99), "friend", true, &ann(), "x").await;
        assert!(matches!(tagged, Err(StoreError::NotFound { what: "creator", .. })));
    })
    .await;
}

#[tokio::test]
async fn every_change_is_told_with_who_and_why_and_the_same_again_changes_nothing() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 3).await;
        let head = store.journal_head().await.unwrap().0;
        create(&store, "beta", &list(&[1])).await;
        assert_eq!(
            store.add_to_cohort("beta", &[creator(1), creator(2)], &Value::Null, &ann(), "more").await.unwrap().changed,
            1
        );
        assert_eq!(store.add_to_cohort("beta", &[creator(2)], &Value::Null, &ann(), "more").await.unwrap().changed, 0);
        open(&store, "beta").await;
        assert!(store.open_cohort("beta", &[], &Value::Null, &ann(), "go").await.unwrap().already);
        assert_eq!(store.remove_from_cohort("beta", &[creator(2)], &ann(), "less").await.unwrap().changed, 1);
        assert_eq!(store.remove_from_cohort("beta", &[creator(2)], &ann(), "less").await.unwrap().changed, 0);
        assert!(!store.close_cohort("beta", &ann(), "back").await.unwrap().already);
        assert!(store.close_cohort("beta", &ann(), "back").await.unwrap().already);
        assert!(!store.tag_creator(&creator(1), "x", true, &ann(), "why").await.unwrap().already);
        assert!(store.tag_creator(&creator(1), "x", true, &ann(), "why").await.unwrap().already);
        assert!(!store.tag_creator(&creator(1), "x", false, &ann(), "why").await.unwrap().already);
        assert!(store.tag_creator(&creator(1), "x", false, &ann(), "why").await.unwrap().already);
        let rows = store.journal_after(head, 99).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.reason.as_deref().unwrap_or(""))).collect();
        assert_eq!(
            told,
            [
                ("cohort.create", "rollout"),
                ("cohort.add", "more"),
                ("cohort.open", "go"),
                ("cohort.remove", "less"),
                ("cohort.close", "back"),
                ("creator.tag", "why"),
                ("creator.untag", "why"),
            ]
        );
        assert!(rows.iter().all(|row| row.actor == "user:ann(1000)" && row.detail.len() > 2));
    })
    .await;
}

/// Two people open two cohorts, each having seen only what was open before.
#[tokio::test]
async fn a_cohort_is_not_opened_past_one_that_nobody_judged() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 3).await;
        for (name, n) in [("one", 1), ("two", 2)] {
            create(&store, name, &list(&[n])).await;
        }
        let seen_by_both: Vec<Judged> = Vec::new();
        assert!(!store.open_cohort("one", &seen_by_both, &Value::Null, &ann(), "go").await.unwrap().already);
        let second = store.open_cohort("two", &seen_by_both, &Value::Null, &ann(), "go").await.unwrap_err();
        assert_eq!(second.to_string(), "another cohort was opened meanwhile: look again, then open two");
        assert_eq!(paid(&store).await, ["creator1"]);
        assert!(matches!(
            store.open_cohort("three", &seen_by_both, &Value::Null, &ann(), "go").await,
            Err(StoreError::NotFound { what: "cohort", .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn fifty_thousand_creators_are_added_in_bulk() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let numbers = if database.engine == "sqlite" {
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000)"
        } else {
            "WITH n AS (SELECT generate_series(1, 50000) AS n)"
        };
        database.execute(&format!("{numbers} INSERT INTO users (supabase_id) SELECT 'creator' || n FROM n")).await;
        let all: Vec<CreatorId> = (1..=50_000).map(creator).collect();
        create(&store, "everybody", &Definition::List(all.clone())).await;
        let cohort = store.cohort("everybody").await.unwrap();
        assert_eq!(cohort.members, Some(50_000));
        let told = store.journal_after(0, 99).await.unwrap().pop().unwrap();
        let detail: Value = serde_json::from_str(&told.detail).unwrap();
        assert_eq!(
            (detail["creators"]["count"].as_i64(), detail["creators"]["sha256_of_sorted_lines"].as_str().map(str::len)),
            (Some(50_000), Some(64))
        );
        assert_eq!(detail["creators"]["first"].as_array().unwrap().len(), 1_000);
        let (mut seen, mut after) = (0, String::new());
        loop {
            let page = store.cohort_members(&cohort, &after, 20_000).await.unwrap();
            let Some(last) = page.last() else { break };
            seen += page.len();
            after = last.to_string();
        }
        assert_eq!(seen, 50_000);
        assert_eq!(store.remove_from_cohort("everybody", &all[..49_990], &ann(), "x").await.unwrap().changed, 49_990);
        assert_eq!(store.cohort("everybody").await.unwrap().members, Some(10));
    })
    .await;
}

/// Payouts of creators 1 to 12, in these states, made at the start.
async fn payouts(database: &Database, store: &Store, states: &[&str]) {
    let run = store.insert_run(&run_of(12, 1, RunKind::Manual)).await.unwrap().0;
    for (n, state) in (1..).zip(states) {
        let id = format!("pay_{n}");
        Paid { id: &id, run: &run, creator: n, state, amount_minor: 100, cause: None, changed_at_ms: 1 }
            .write(database)
            .await;
    }
}

async fn judged(store: &Store, name: &str) -> Judged {
    store.judge_cohorts(vec![store.cohort(name).await.unwrap()]).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_cohort_is_judged_by_its_own_payouts_since_it_was_opened() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        payable(&store, 12).await;
        for (name, of) in [
            ("list", list(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
            ("tag", Definition::Tag("t".to_owned())),
            ("share", percent("60")),
            ("all", percent("100")),
            ("never", list(&[1])),
        ] {
            create(&store, name, &of).await;
        }
        for n in [1, 12] {
            store.tag_creator(&creator(n), "t", true, &ann(), "x").await.unwrap();
        }
        for name in ["list", "tag", "share", "all"] {
            open(&store, name).await;
        }
        let states =
            ["failed", "paid", "settled", "paid", "paid", "paid", "paid", "paid", "paid", "paid", "voided", "pending"];
        payouts(database, &store, &states).await;
        let counts = |judged: &Judged| (judged.figures.paid, judged.figures.failed, judged.figures.undecided);
        let found = judged(&store, "list").await;
        assert_eq!((counts(&found), found.figures.verdict()), ((9, 1, 0), Verdict::TooManyFailed));
        assert_eq!(found.figures.amounts[0].success_bp(), Some(9_000));
        assert_eq!(counts(&judged(&store, "tag").await), (0, 1, 1));
        assert_eq!(
            (counts(&judged(&store, "all").await), judged(&store, "all").await.figures.verdict()),
            ((9, 1, 1), Verdict::Undecided)
        );
        let of_share = (1..).zip(states).filter(|(n, _)| Share::parse("60").unwrap().takes(&creator(*n)));
        let expected = of_share.fold((0, 0, 0), |(paid, failed, open), (_, state)| match state {
            "paid" | "settled" => (paid + 1, failed, open),
            "failed" => (paid, failed + 1, open),
            "pending" => (paid, failed, open + 1),
            _ => (paid, failed, open),
        });
        assert_eq!(counts(&judged(&store, "share").await), expected);
        assert_eq!(counts(&judged(&store, "never").await), (0, 0, 0), "it was never open");
        hand.advance(1_000);
        store.close_cohort("list", &ann(), "look").await.unwrap();
        open(&store, "list").await;
        assert_eq!(counts(&judged(&store, "list").await), (0, 0, 0), "judged anew since it was opened again");
        hand.advance(30 * 86_400_000);
        assert_eq!(counts(&judged(&store, "all").await), (0, 0, 0), "of the last 30 days");
    })
    .await;
}

#[tokio::test]
async fn a_sample_is_taken_of_creators_who_could_be_paid() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        payable(&store, 8).await;
        create(&store, "other", &list(&[1])).await;
        store.hold(&creator(2), "person", "x", &ann()).await.unwrap();
        database
            .execute(
                "UPDATE users SET payout_enabled = FALSE WHERE supabase_id = 'creator3'; \
                 UPDATE creator_stripe_accounts SET payouts_enabled = FALSE WHERE creator_id = 'creator4'; \
                 UPDATE creator_stripe_accounts SET schedule_interval = 'daily' WHERE creator_id = 'creator5'",
            )
            .await;
        let names = async |cohort: &str| -> Vec<String> {
            store.earners(cohort).await.unwrap().into_iter().map(|earner| earner.creator.to_string()).collect()
        };
        assert_eq!(names("beta").await, ["creator6", "creator7", "creator8"]);
        assert_eq!(
            names("other").await,
            ["creator1", "creator6", "creator7", "creator8"],
            "its own list doesn't bar it"
        );
        let earner = store.earners("beta").await.unwrap().remove(0);
        assert_eq!((earner.country.as_str(), earner.earned_minor), ("DE", 1_800));
    })
    .await;
}
