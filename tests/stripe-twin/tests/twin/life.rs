//! A scripted life on the twin: played on its Date, in any steps, with every sum right at each of them.

use serde_json::json;
use stripe_twin::LifePlan;

use crate::bench::{Bench, START_MS};

const DAY_MS: i64 = 86_400_000;

fn plan(days: u32) -> LifePlan {
    LifePlan { seed: 7, creators: 30, from_ms: Some(START_MS), days }
}

#[test]
fn a_month_goes_by_with_every_sum_right_and_everything_stripe_does_in_it() {
    let bench = Bench::new("");
    bench.twin.take_life(plan(45)).unwrap();
    for n in 1..=9 {
        // Some whom Stripe itself pays.
        let path = format!("/_twin/accounts/acct_twin00000{n}");
        let schedule = ["daily", "weekly", "manual"][n % 3];
        assert_eq!(bench.control(&path, &json!({ "schedule": schedule }).to_string()).status, 200);
    }
    for _ in 0..90 {
        bench.twin.clock().advance_date_ms(DAY_MS / 2);
        bench.wait(1500);
        bench.conserved();
        let _ = bench.twin.take_events();
    }
    let far = bench.twin.life();
    assert_eq!((far.due, bench.twin.stats().life_due), (0, 0));
    assert!(far.played > 1000 && far.refused * 20 < far.played, "{far:?}");
    let books = bench.ask(&http::Request::get("/_twin/books").body(bytes::Bytes::new()).unwrap()).json;
    let types: std::collections::BTreeSet<&str> = books
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row["by_type"].as_object().unwrap().keys().map(String::as_str))
        .collect();
    for kind in ["charge", "payment", "refund", "payment_refund", "application_fee_refund", "payout"] {
        assert!(types.contains(kind), "{kind} in {types:?}");
    }
    assert!(bench.twin.ledger().iter().any(|row| row.automatic));
}

#[test]
fn nothing_happens_before_its_time_and_steps_of_the_date_change_nothing() {
    let lived = |steps: i64| {
        let bench = Bench::new("");
        bench.twin.check_openapi(false);
        bench.twin.take_life(plan(10)).unwrap();
        assert_eq!(bench.twin.life().played, 0);
        for _ in 0..steps {
            bench.twin.clock().advance_date_ms(10 * DAY_MS / steps);
            let _ = bench.twin.advance();
        }
        let sold = bench.rows("", "/v1/charges?limit=100");
        let sold: Vec<_> = sold.iter().map(|row| (row["created"].clone(), row["amount"].clone())).collect();
        (bench.twin.life().played, sold, bench.balance(""))
    };
    assert_eq!(lived(1), lived(40));
}

#[test]
fn a_life_is_asked_for_at_the_twins_own_door() {
    let bench = Bench::new("");
    let body = json!({ "seed": 1, "creators": 5, "days": 3 }).to_string();
    let taken = bench.control("/_twin/life", &body).json;
    assert!(taken["due"].as_u64().unwrap() > 3, "{taken}");
    assert_eq!(bench.control("/_twin/life", r#"{"seed":1,"creators":2000,"days":4000}"#).status, 400);
    assert_eq!(bench.get("", "/v1/accounts/acct_twin000005").status, 200);
}
