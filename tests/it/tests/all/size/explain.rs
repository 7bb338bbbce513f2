//! The databases' own words about the statements that the store really asks, on a run of 200,000 payouts.
use crate::databases::{Database, START_MS};
use payout_shared::{currency::Currency, id::RunId, payout::PayoutState, policy::PolicySet};
use payoutd::store::{
    Question, Store,
    door_types::{PayoutFilter, PayoutPageRequest, PayoutSort},
    types::PlanContext,
};

const PAYOUTS: u64 = 200_000;
const CREATORS: u64 = 20_000;
const EARNINGS: u64 = 100_000;

fn context() -> PlanContext {
    let policies = PolicySet::default().with("minimum.usd", "10.00").unwrap();
    PlanContext::new(policies, Currency::parse("usd").unwrap(), START_MS)
}

async fn fill(database: &Database) {
    let engine = database.engine;
    let parts = [
        bench::fill::creators(engine, CREATORS, START_MS),
        bench::fill::earnings(engine, EARNINGS, CREATORS, START_MS, 0),
        bench::fill::payouts(engine, PAYOUTS, START_MS),
        "INSERT INTO payout_items (payout_id, earning_id, amount_minor) SELECT p.id, e.id, e.amount_minor FROM creator_earnings e \
         JOIN creator_payouts p ON p.account_id = e.account_id AND p.run_id = 'run_now' WHERE e.id <= 40000"
            .to_owned(),
        // The inbox of a year, three of them new.
        bench::fill::webhooks(engine, 20_000, 3),
    ];
    // Nobody needs these rows after a crash. By this size autovacuum has been there.
    let quick = if engine == "sqlite" {
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA foreign_keys = OFF; "
    } else {
        ""
    };
    database.execute(&format!("{quick}BEGIN; {}; COMMIT", parts.join("; "))).await;
    if engine == "postgres" {
        database.execute("VACUUM ANALYZE").await;
    }
}

/// The tables of the books by name, and by what the statements call them.
const TABLES: [(&str, &str); 6] = [
    ("creator_payouts", "p"),
    ("creator_earnings", "e"),
    ("payout_items", "i"),
    ("payout_attempts", "t a"),
    ("webhook_inbox", ""),
    ("run_outcomes", ""),
];

/// What may be put in order.
#[derive(Clone, Copy, PartialEq)]
enum Sorts {
    /// Nothing: rows come in the order of an index.
    Nothing,
    /// What was found by then: a page, or the few rows of one creator, account or cause.
    Few,
}

/// What is wrong with how a question would be answered: a whole table of the books read, or more put in order than is asked for.
async fn wrong(store: &Store, what: &str, question: &Question<'_>, sorts: Sorts) -> Option<String> {
    let steps = store.explain(question).await.unwrap();
    let depth = |step: &str| step.len() - step.trim_start().len();
    let words = |step: &str| step.trim_start().trim_start_matches("->").trim_start().to_owned();
    let reads_all = |step: &str| {
        TABLES.iter().any(|(table, aliases)| {
            // A run that is nearly all there is may be counted by reading all there is.
            words(step).contains(&format!("Seq Scan on {table}")) && !matches!(question, Question::States(_))
                || std::iter::once(*table).chain(aliases.split(' ')).any(|name| words(step) == format!("SCAN {name}"))
        })
    };
    let puts_in_order = |at: usize, step: &str| {
        let is_sort = words(step).contains("TEMP B-TREE FOR")
            || words(step).starts_with("Sort ")
            || words(step).starts_with("Incremental Sort");
        // The attempts of one payout are always few.
        let of_one = steps[..at]
            .iter()
            .rev()
            .find(|above| depth(above) < depth(step))
            .is_some_and(|above| above.contains("CORRELATED SCALAR SUBQUERY"))
            || steps[..at].iter().any(|above| above.trim_start().starts_with("SubPlan") && depth(above) < depth(step));
        is_sort && !of_one && (sorts == Sorts::Nothing)
    };
    let is_wrong = steps.iter().enumerate().any(|(at, step)| reads_all(step) || puts_in_order(at, step));
    // Few are what a creator, an account or a cause has: they must be had by its index.
    let narrow = match question {
        Question::List { filter, .. } | Question::Total(filter) => [
            (filter.cause.is_some() && filter.run.is_some(), "creator_payouts_cause"),
            (filter.creator.is_some(), "creator_payouts_creator"),
            (filter.account.is_some(), "account_id"),
        ],
        Question::Unlisted(..) => [(true, "creator_stripe_accounts_listed"), (false, ""), (false, "")],
        _ => [(false, ""); 3],
    };
    let is_wrong =
        is_wrong || narrow.iter().any(|(asked, index)| *asked && !steps.iter().any(|step| step.contains(index)));
    is_wrong.then(|| format!("{} {what}\n{}", store.database(), steps.join("\n")))
}

/// Each database in a test of its own, since filling takes the most of it.
#[tokio::test]
async fn every_list_and_what_is_asked_often_is_answered_from_an_index_by_sqlite() {
    hold_to_indexes(&Database::sqlite()).await;
}

#[tokio::test]
async fn every_list_and_what_is_asked_often_is_answered_from_an_index_by_postgres() {
    let database = Database::postgres().await;
    hold_to_indexes(&database).await;
    database.drop_it().await;
}

async fn hold_to_indexes(database: &Database) {
    let (store, _) = database.store().await;
    fill(database).await;
    let mut wrongs = lists(&store).await;
    wrongs.extend(engine(&store).await);
    assert!(wrongs.is_empty(), "{} wrong:\n\n{}", wrongs.len(), wrongs.join("\n\n"));
    store.close().await;
}

async fn lists(store: &Store) -> Vec<String> {
    let mut wrongs = Vec::new();
    let run = Some(RunId::from("run_now"));
    let failures = vec![PayoutState::Failed, PayoutState::Returned, PayoutState::Unknown, PayoutState::Canceled];
    let state_lists = [Vec::new(), vec![PayoutState::Paid], vec![PayoutState::Failed], failures];
    // Not a part of an id: that is found by reading the list.
    let narrowings: [fn(&mut PayoutFilter); 5] = [
        |_| (),
        |filter| filter.cause = Some("account_closed".to_owned()),
        |filter| filter.creator = Some("creator_77".into()),
        |filter| filter.account = Some("acct_10000000000".into()),
        |filter| filter.amount_min_minor = Some(400_000),
    ];
    let mut asked = 0;
    for run in [run, None] {
        for states in &state_lists {
            for (n, narrow) in narrowings.iter().enumerate() {
                let mut filter = PayoutFilter { run: run.clone(), states: states.clone(), ..PayoutFilter::default() };
                narrow(&mut filter);
                // A creator's or an account's few payouts may be put in order by hand; so may a cause's of one state or of all runs, and
                // what PostgreSQL's statistics say is few.
                let is_rare = run.is_none() && states[..] == [PayoutState::Failed] && store.database() == "postgres";
                let of_few = matches!(n, 2 | 3) || n == 1 && (run.is_none() || !states.is_empty()) || is_rare;
                for sort in [PayoutSort::Changed, PayoutSort::Amount] {
                    for (ascending, cursor) in
                        [(true, None), (false, None), (false, Some("1796104900000:pay_2_1000000005"))]
                    {
                        let page = PayoutPageRequest { sort, ascending, limit: 101, cursor: cursor.map(str::to_owned) };
                        let sorts = if of_few || states.len() > 1 { Sorts::Few } else { Sorts::Nothing };
                        let what = format!("{filter:?} by {sort:?}, ascending {ascending}");
                        wrongs
                            .extend(wrong(store, &what, &Question::List { filter: &filter, page: &page }, sorts).await);
                        asked += 1;
                    }
                }
                // How many there are of nearly everything is known by counting everything; of less, an index knows.
                let of_less =
                    filter.cause.is_some() || filter.creator.is_some() || filter.account.is_some() || states.len() > 1;
                if of_less || store.database() == "sqlite" && run.is_some() {
                    wrongs.extend(
                        wrong(store, &format!("how many: {filter:?}"), &Question::Total(&filter), Sorts::Nothing).await,
                    );
                }
            }
        }
    }
    assert_eq!(asked, 2 * 4 * 5 * 2 * 3);
    wrongs
}

async fn engine(store: &Store) -> Vec<String> {
    let mut wrongs = Vec::new();
    let run = RunId::from("run_now");
    let row = store.run("run_now").await.unwrap();
    let mid = payoutd::store::types::RunRow { plan_after: "acct_12000000000 usd".to_owned(), ..row.clone() };
    let until = "acct_12200000000 usd";
    let payouts: Vec<_> = (0..64).map(|n| format!("pay_2_{}", 1_000_000_000 + n).into()).collect();
    let context = context();
    let questions = [
        ("the first page of a plan", Question::PlanKeys { run: &row, page: 1_000 }),
        ("a page in the middle", Question::PlanKeys { run: &mid, page: 1_000 }),
        ("its purses", Question::PlanFacts { run: &mid, until, context: &context }),
        ("its items", Question::PlanItems { run: &mid, payouts: &payouts, context: &context }),
        ("its accounts", Question::ToRead { run: &mid, until, read_before_ms: 1 }),
        ("accounts behind it", Question::AccountsBehind(&mid.plan_after)),
        ("states", Question::States(&run)),
        ("reasons", Question::Reasons(&run)),
        ("causes", Question::Causes(&run)),
        ("sums of causes", Question::CauseSums(&run)),
        ("newest failures", Question::NewestFailures(&run)),
        ("what is left", Question::WorkLeft(&run)),
        ("what is due", Question::Due(&run)),
        ("the guard", Question::Guard(&payouts)),
        ("unresolved", Question::Unresolved),
        ("on the wire", Question::OnWire),
        ("webhooks", Question::InboxTodo),
        ("webhooks before a plan", Question::InboxUnseen),
        ("looks that are due", Question::LooksDue),
        ("looks at what is none of ours", Question::ForeignLooksDue),
        ("accounts that nobody has listed", Question::Unlisted(0, "acct_12000000000")),
        ("what is left of the sweeps", Question::SweepsLeft),
        ("runs at an end", Question::SettledRuns),
    ];
    for (what, question) in questions {
        let sorts = match question {
            Question::PlanKeys { .. }
            | Question::WorkLeft(_)
            | Question::Due(_)
            | Question::Unresolved
            | Question::Unlisted(..)
            | Question::SweepsLeft => Sorts::Nothing,
            _ => Sorts::Few,
        };
        wrongs.extend(wrong(store, what, &question, sorts).await);
    }
    wrongs
}
