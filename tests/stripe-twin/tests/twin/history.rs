//! Random histories with every fault: money is conserved at every instant and a key executes at most once a day.

use std::collections::HashMap;

use proptest::prelude::*;
use stripe_twin::{Status, Wire};

use crate::bench::{Bench, pay, taken_apart};

const FAULTS: &str = "reset-before=10,lock-timeout=10,executed-then-dropped=15,unreadable-body=15,500-rolled-forward=15,\
                      500-not-executed=10,slow=20@700,429-storm=10,paid-then-failed=20,webhook-duplicate=10,webhook-lost=10,\
                      webhook-disorder=10,reversal-refused=10,reversal-fails=30";
const MOVES: [&str; 6] = ["won", "lost", "under_review", "needs_response", "warning_under_review", "warning_closed"];
const CURRENCIES: [&str; 3] = ["usd", "eur", "huf"];
const ACCOUNTS: [&str; 4] = ["acct_a", "acct_failing", "acct_closed", "acct_disabled"];

#[derive(Debug, Clone)]
enum Step {
    Pay { account: usize, key: usize, amount: i64 },
    Wait(i64),
    Credit { account: usize, amount: i64 },
    Mend(usize),
    Switch(usize, bool),
    Undo { nth: usize, key: usize, reverse: bool },
    Sell { account: usize, amount: i64, currency: &'static str, at_once: bool },
    Refund { nth: usize, amount: Option<i64>, how: usize },
    TakeBack { nth: usize, amount: i64, fee: bool },
    Dispute { nth: usize, is_inquiry: bool },
    Move { nth: usize, to: &'static str },
    Stripes { account: usize, debit: bool },
    Day,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..12_usize, 1..6000_i64).prop_map(|(account, key, amount)| Step::Pay { account, key, amount }),
        4 => (1..900_i64).prop_map(Step::Wait),
        1 => (0..4_usize, -3000..6000_i64).prop_map(|(account, amount)| Step::Credit { account, amount }),
        1 => (0..4_usize).prop_map(Step::Mend),
        1 => (0..4_usize, any::<bool>()).prop_map(|(account, on)| Step::Switch(account, on)),
        2 => (0..9_usize, 0..9_usize, any::<bool>()).prop_map(|(nth, key, reverse)| Step::Undo { nth, key, reverse }),
        9 => market(),
    ]
}

/// What happens on the marketplace's side.
fn market() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, 1..900_i64, prop::sample::select(&CURRENCIES[..]), any::<bool>())
            .prop_map(|(account, amount, currency, at_once)| Step::Sell { account, amount, currency, at_once }),
        3 => (0..4_usize, prop::option::of(1..3000_i64), 0..4_usize)
            .prop_map(|(nth, amount, how)| Step::Refund { nth, amount, how }),
        2 => (0..4_usize, 1..50_i64, any::<bool>()).prop_map(|(nth, amount, fee)| Step::TakeBack { nth, amount, fee }),
        2 => (0..4_usize, any::<bool>()).prop_map(|(nth, is_inquiry)| Step::Dispute { nth, is_inquiry }),
        3 => (0..2_usize, prop::sample::select(&MOVES[..])).prop_map(|(nth, to)| Step::Move { nth, to }),
        1 => (0..4_usize, any::<bool>()).prop_map(|(account, debit)| Step::Stripes { account, debit }),
        1 => Just(Step::Day),
    ]
}

/// The nth newest id of a list, if there are so many.
fn nth(bench: &Bench, path: &str, nth: usize) -> Option<String> {
    let rows = listed(bench, path);
    rows.get(nth)?["id"].as_str().map(str::to_owned)
}

/// A list, whatever the faults answer meanwhile.
fn listed(bench: &Bench, path: &str) -> Vec<serde_json::Value> {
    match bench.twin.handle(&crate::bench::get("", path)).wire {
        Wire::Answer(response) => taken_apart(response).json["data"].as_array().cloned().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

fn play_market(bench: &Bench, step: &Step) {
    let ask = |path: &str, body: String| {
        let answer = bench.post("", path, "", &body);
        assert!([200, 400, 404, 429].contains(&answer.status), "{:?}", answer.json);
    };
    match step {
        Step::Sell { account, amount, currency, at_once } => {
            let method = if *at_once { "pm_card_bypassPending" } else { "pm_card_visa" };
            let body = format!(
                "amount={amount}&currency={currency}&confirm=true&payment_method={method}&application_fee_amount={}\
                 &transfer_data[destination]={}",
                amount / 7,
                ACCOUNTS[*account]
            );
            ask("/v1/payment_intents", body);
        }
        Step::Refund { nth: at, amount, how } => {
            let Some(charge) = nth(bench, "/v1/charges", *at) else { return };
            let amount = amount.map_or(String::new(), |amount| format!("&amount={amount}"));
            let (reverse, fee) = (how % 2 == 1, how / 2 == 1);
            let body = format!("charge={charge}{amount}&reverse_transfer={reverse}&refund_application_fee={fee}");
            ask("/v1/refunds", body);
        }
        Step::TakeBack { nth: at, amount, fee: true } => {
            let Some(fee) = nth(bench, "/v1/application_fees", *at) else { return };
            ask(&format!("/v1/application_fees/{fee}/refunds"), format!("amount={amount}"));
        }
        Step::TakeBack { nth: at, amount, fee: false } => {
            let Some(transfer) = nth(bench, "/v1/transfers", *at) else { return };
            let body = format!("amount={amount}&refund_application_fee=true");
            ask(&format!("/v1/transfers/{transfer}/reversals"), body);
        }
        Step::Dispute { nth: at, is_inquiry } => {
            let Some(charge) = nth(bench, "/v1/charges", *at) else { return };
            bench.control("/_twin/disputes", &format!(r#"{{"charge":"{charge}","inquiry":{is_inquiry}}}"#));
        }
        Step::Move { nth: at, to } => {
            let Some(dispute) = nth(bench, "/v1/disputes", *at) else { return };
            bench.control(&format!("/_twin/disputes/{dispute}"), &format!(r#"{{"to":"{to}"}}"#));
        }
        Step::Stripes { account, debit } => {
            let path = if *debit { "/_twin/debits" } else { "/_twin/payouts" };
            bench.control(path, &format!(r#"{{"account":"{}","currency":"usd"}}"#, ACCOUNTS[*account]));
        }
        Step::Day => bench.twin.clock().advance_date_ms(86_400_000),
        _ => {}
    }
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
        Step::Undo { nth, key, reverse } => {
            let ledger = bench.twin.ledger();
            let Some(row) = ledger.iter().rev().nth(*nth) else { return };
            let verb = if *reverse { "reverse" } else { "cancel" };
            let mut request = pay(&row.account, &format!("u{key}"), "");
            *request.uri_mut() = format!("/v1/payouts/{}/{verb}", row.id).parse().unwrap();
            if let Wire::Answer(response) = bench.twin.handle(&request).wire {
                assert!([200, 400, 409, 429, 500].contains(&taken_apart(response).status));
            }
        }
        other => play_market(bench, other),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn money_is_conserved_at_every_instant(steps in prop::collection::vec(step(), 1..80), days in any::<bool>()) {
        let bench = Bench::new(FAULTS);
        // A key is forgotten after a day, so that only without days it executes at most once.
        for step in steps.iter().filter(|step| days || !matches!(step, Step::Day)) {
            play(&bench, step);
            let sums = bench.twin.check_conservation();
            prop_assert!(sums.ok, "{:?} after {step:?}", sums.violations);
        }
        bench.wait(60_000);
        prop_assert!(bench.twin.check_conservation().ok);
        let mut by_key: HashMap<(String, String), usize> = HashMap::new();
        for row in bench.twin.ledger() {
            prop_assert!(matches!(row.status, Status::Paid | Status::Failed | Status::Canceled));
            if let Some(key) = row.idempotency_key {
                *by_key.entry((row.account, key)).or_default() += 1;
            }
        }
        prop_assert!(days || by_key.values().all(|executed| *executed == 1), "{by_key:?}");
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
