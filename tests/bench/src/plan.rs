//! The plan of a cycle through the engine's own path, beside the database's own `INSERT … SELECT` of the rows that it wrote.
use crate::{
    Args, fill,
    place::Place,
    report::{forget_peak, line, memory_mib, per_second, ratio},
};
use jiff::civil::date;
use payout_shared::{
    currency::Currency,
    policy::{Policy, PolicyName, PolicyValue, Source},
    run::{RunKind, RunState},
};
use payoutd::{
    clock::Clock,
    engine::{Engine, Parts, Settings},
    health::Health,
    store::{
        Store,
        types::{By, NewRun, RunRow},
    },
    stripe::limits::{Limits, Rates},
    tell::figures::Figures,
    wake::{Changed, Wake},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What everything is measured by: at least 10.00 in both currencies.
///
/// # Errors
/// Whatever the database says.
pub async fn set_policies(store: &Store) -> anyhow::Result<()> {
    let mut said = BTreeMap::new();
    for code in ["usd", "eur"] {
        said.insert(
            PolicyName::of(Policy::Minimum, Currency::parse(code)?),
            (PolicyValue::Number(1_000), Source::Environment),
        );
    }
    store.configure_policies(&said).await?;
    Ok(())
}

/// Fills, plans and compares, cycle by cycle.
///
/// # Errors
/// Whatever the database says.
pub async fn measure(place: &Place, args: &Args) -> anyhow::Result<()> {
    println!(
        "\n{}: {} creators, {} earnings a cycle, pages of {}",
        place.engine, args.creators, args.earnings, args.page
    );
    let store = place.store().await?;
    set_policies(&store).await?;
    let clock = Clock::system();
    let now_ms = clock.now_ms();
    place.execute(&fill::creators(place.engine, args.creators, now_ms)).await?;
    for cycle in 0..args.cycles {
        let begun = Instant::now();
        place.execute(&fill::earnings(place.engine, args.earnings, args.creators, now_ms, cycle)).await?;
        place.settle().await?;
        line("the rows filled in", begun.elapsed(), "");
        let day = i8::try_from(cycle % 28)?.saturating_add(1);
        let new = NewRun {
            cycle_date: date(2026, 12, day),
            kind: RunKind::Scheduled,
            state: RunState::Planning,
            cutoff_ms: now_ms,
            instant_ms: now_ms,
            creators: Vec::new(),
            by: By::Schedule,
            reason: None,
        };
        let (run, _) = store.insert_run(&new).await?;
        let plan = planned(&store, &clock, args, &run).await?;
        own(place, &run, plan).await?;
        // The engine of the next cycle plans that cycle only.
        place
            .execute(
                "UPDATE creator_payouts SET state = 'paid' WHERE state = 'planned'; \
                 UPDATE payout_runs SET state = 'completed' WHERE state <> 'completed'",
            )
            .await?;
    }
    Ok(())
}

async fn planned(store: &Store, clock: &Clock, args: &Args, run: &RunRow) -> anyhow::Result<Duration> {
    let health = Health::default();
    let settings = Settings {
        lease_ms: 10_000,
        holder: "bench".to_owned(),
        alone: true,
        request_timeout_ms: 1_000,
        resolve_first_ms: 1_000,
        account_stale_ms: 86_400_000,
        breaker: payout_shared::breaker::BreakerRules {
            percent: 8,
            failures_min: 20,
            bank_percent: 50,
            bank_failures_min: 10,
        },
        plan_page: args.page,
        drift_tolerance_minor: 100,
    };
    let mut engine = Engine::new(Parts {
        store: store.clone(),
        stripe: None,
        limits: Limits::new(Rates::default(), clock.clone()),
        clock: clock.clone(),
        wake: Wake::default(),
        changed: Changed::default(),
        health: health.clone(),
        figures: Figures::new(clock.clone()),
        witness: None,
        settings,
    });
    forget_peak();
    let (_, before) = memory_mib();
    let (begun, mut longest, mut passes) = (Instant::now(), Duration::ZERO, 0_u64);
    // The first and the last tenth of the passes: equal when a page doesn't cost more the more was planned before.
    let mut times = Vec::new();
    loop {
        let pass = Instant::now();
        engine.step().await;
        let took = pass.elapsed();
        longest = longest.max(took);
        times.push(took);
        passes += 1;
        let wrong = health.sentences();
        anyhow::ensure!(wrong.iter().all(|said| !said.contains("nothing leaves")), "the store failed: {wrong:?}");
        if store.run(run.id.as_str()).await?.state != RunState::Planning {
            break;
        }
    }
    let took = begun.elapsed();
    let (peak, _) = memory_mib();
    let counts = store.run_counts(&run.id).await?;
    let purses = u64::try_from(counts.purses)?;
    line(
        "the plan, by the engine",
        took,
        &format!(
            "{purses} purses, {} payouts, {:.0} purses/s, {passes} passes, longest {:.0} ms, memory {before} → peak {peak} MiB",
            counts.payouts,
            per_second(purses, took),
            longest.as_secs_f64() * 1e3
        ),
    );
    let tenth = (times.len() / 10).max(1);
    let first: Duration = times.iter().take(tenth).sum();
    let last: Duration = times.iter().rev().take(tenth).sum();
    line("  its first tenth of passes", first, "");
    line("  its last tenth of passes", last, "");
    Ok(took)
}

/// Tables and the columns that the plan wrote.
const TABLES: [(&str, &str, &str); 4] = [
    (
        "creator_payouts",
        "id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, created_at_ms, changed_at_ms",
        "run_id = $",
    ),
    (
        "payout_items",
        "payout_id, earning_id, amount_minor",
        "payout_id IN (SELECT id FROM creator_payouts WHERE run_id = $)",
    ),
    (
        "run_outcomes",
        "run_id, account_id, currency, creator_id, payout_id, reason, sentence, payable_minor",
        "run_id = $",
    ),
    (
        "journal",
        "seq, at_ms, actor, action, run_id, payout_id, from_state, to_state, reason, detail, hash",
        "run_id = $",
    ),
];

/// The database's own `INSERT … SELECT` of the same rows into tables of the same form, indexes and foreign keys.
async fn own(place: &Place, run: &RunRow, plan: Duration) -> anyhow::Result<()> {
    let mut all = Duration::ZERO;
    for (table, _, _) in TABLES {
        place.execute(&same_form(place, table).await?).await?;
    }
    for (table, columns, of_run) in TABLES {
        let of_run = of_run.replace('$', &format!("'{}'", run.id));
        let begun = Instant::now();
        place
            .execute(&format!("INSERT INTO own_{table} ({columns}) SELECT {columns} FROM {table} WHERE {of_run}"))
            .await?;
        let took = begun.elapsed();
        all += took;
        let rows = place.number(&format!("SELECT COUNT(*) FROM own_{table}")).await?;
        line(
            &format!("  INSERT … SELECT of its {table}"),
            took,
            &format!("{rows} rows, {:.0}/s", per_second(rows, took)),
        );
    }
    line("  INSERT … SELECT of all its rows", all, &format!("the plan took {:.2} times as long", ratio(plan, all)));
    let drops: Vec<String> = TABLES.iter().rev().map(|(table, _, _)| format!("DROP TABLE own_{table}")).collect();
    place.execute(&drops.join("; ")).await?;
    Ok(())
}

/// Statements that make an empty table like another one.
async fn same_form(place: &Place, table: &str) -> anyhow::Result<String> {
    if place.engine == "postgres" {
        let keys = match table {
            "payout_items" => {
                "; ALTER TABLE own_payout_items ADD FOREIGN KEY (earning_id) REFERENCES creator_earnings (id)"
            }
            "creator_payouts" => {
                "; ALTER TABLE own_creator_payouts ADD FOREIGN KEY (run_id) REFERENCES payout_runs (id)"
            }
            "run_outcomes" => "; ALTER TABLE own_run_outcomes ADD FOREIGN KEY (run_id) REFERENCES payout_runs (id)",
            _ => "",
        };
        return Ok(format!("CREATE TABLE own_{table} (LIKE {table} INCLUDING ALL){keys}"));
    }
    let made =
        place.texts(&format!("SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL")).await?;
    let mut text = made.join(";\n");
    for (table, _, _) in TABLES {
        // A table that a migration made anew is quoted there.
        text = text.replace(&format!("\"{table}\""), table).replace(&format!(" {table} "), &format!(" own_{table} "));
    }
    Ok(text.replace("INDEX ", "INDEX own_"))
}
