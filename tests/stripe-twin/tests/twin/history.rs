//! Random histories with every fault: money is conserved at every instant and a key executes at most once a day.

use std::collections::HashMap;

use proptest::prelude::*;
use stripe_twin::{Status, Wire};

use crate::bench::{Bench, pay, taken_apart};

const FAULTS: &str = "reset-before=10,lock-timeout=10,executed-then-dropped=15,unreadable-body=15,500-rolled-forward=15,\
                      500-not-executed=10,slow=20@700,429-storm=10,paid-then-failed=20,webhook-duplicate=10,webhook-lost=10";
const ACCOUNTS: [&str; 4] = ["acct_a", "acct_failing", "acct_closed", "acct_disabled"];

#[derive(Debug, Clone)]
enum Step {
    Pay { account: usize, key: usize, amount: i64 },
    Wait(i64),
    Credit { account: usize, amount: i64 },
    Mend(usize),
    Switch(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..12_usize, 1..6000_i64).prop_map(|(account, key, amount)| Step::Pay { account, key, amount }),
        4 => (1..900_i64).prop_map(Step::Wait),
        1 => (0..4_usize, -3000..6000_i64).prop_map(|(account, amount)| Step::Credit { account, amount }),
        1 => (0..4_usize).prop_map(Step::Mend),
        1 => (0..4_usize, any::<bool>()).prop_map(|(account, on)| Step::Switch(account, on)),
    ]
}

fn play(bench: &Bench, step: &Step) {
    let change = |account: usize, body: String| {
        assert_eq!(bench.control(&format!("/_twin/accounts/{}", ACCOUNTS[account]), &body).status, 200);
    };
    match step {
        Step::Pay { account, key, amount } => {
            let body = format!("amount={amount}&currency=usd&metadata[n]={key}");
            let outcome = bench.twin.handle(&pay(ACCOUNTS[*account], &format!("k{key}"), &body));
            if let Wire::Answer(response) = outcome.wire {
                assert!([200, 400, 409, 429, 500].contains(&taken_apart(response).status));
            }
        }
        Step::Wait(ms) => bench.wait(*ms),
        Step::Credit { account, amount } => change(*account, format!(r#"{{"credit":{{"usd":{amount}}}}}"#)),
        Step::Mend(account) => change(*account, r#"{"banks":[{}]}"#.to_owned()),
        Step::Switch(account, on) => change(*account, format!(r#"{{"payouts_enabled":{on}}}"#)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_is_conserved_at_every_instant(steps in prop::collection::vec(step(), 1..80)) {
        let bench = Bench::new(FAULTS);
        for step in &steps {
            play(&bench, step);
            let sums = bench.twin.check_conservation();
            prop_assert!(sums.ok, "{:?} after {step:?}", sums.violations);
        }
        bench.wait(60_000);
        prop_assert!(bench.twin.check_conservation().ok);
        let mut by_key: HashMap<(String, String), usize> = HashMap::new();
        for row in bench.twin.ledger() {
            prop_assert!(matches!(row.status, Status::Paid | Status::Failed));
            *by_key.entry((row.account, row.idempotency_key.unwrap_or_default())).or_default() += 1;
        }
        prop_assert!(by_key.values().all(|executed| *executed == 1), "{by_key:?}");
        let stats = bench.twin.stats();
        prop_assert_eq!((stats.money_in_flight, stats.executions_due, stats.settlements_due), (0, 0, 0));
    }

    #[test]
    fn the_same_seed_and_requests_make_the_same_world(steps in prop::collection::vec(step(), 1..40)) {
        let run = || {
            let bench = Bench::new(FAULTS);
            bench.twin.check_openapi(false);
            steps.iter().for_each(|step| play(&bench, step));
            bench.wait(60_000);
            (format!("{:?}", bench.twin.ledger()), format!("{:?}", bench.twin.take_events()))
        };
        prop_assert_eq!(run(), run());
    }
}
