//! What the console and the engine ask of a run with very many payouts.
use crate::{Args, fill, place::Place, report::line};
use anyhow::Context as _;
use payout_shared::{id::RunId, payout::PayoutState};
use payoutd::{
    clock::Clock,
    store::{
        Store,
        door_types::{PayoutFilter, PayoutPageRequest, PayoutSort},
    },
};
use std::time::{Duration, Instant};

/// Longer than any of this takes.
const LEASE_MS: i64 = 600_000;
const ROUNDS: u32 = 5;
const ROWS: i64 = 100;

/// The middle one of a few times.
async fn middle<T>(mut ask: impl AsyncFnMut() -> anyhow::Result<T>) -> anyhow::Result<(Duration, T)> {
    let mut last = ask().await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        last = ask().await?;
        times.push(begun.elapsed());
    }
    times.sort();
    Ok((times.get(times.len() / 2).copied().unwrap_or_default(), last))
}

/// Fills and asks.
///
/// # Errors
/// Whatever the database says.
pub async fn measure(place: &Place, args: &Args) -> anyhow::Result<()> {
    println!("\n{}: a run of {} payouts, lists of {ROWS} rows (median of {ROUNDS})", place.engine, args.payouts);
    let store = place.store().await?;
    let now_ms = Clock::system().now_ms();
    place.execute(&fill::creators(place.engine, args.payouts, now_ms)).await?;
    place.execute(&fill::payouts(place.engine, args.payouts, now_ms)).await?;
    place.settle().await?;
    lists(&store).await?;
    let run = RunId::from("run_now");
    let (took, counts) = middle(async || Ok(store.run_counts(&run).await?)).await?;
    line("counts of the run", took, &format!("{} payouts", counts.payouts));
    let (took, causes) = middle(async || Ok(store.causes(&run).await?)).await?;
    line("causes", took, &format!("{}", causes.len()));
    let (took, failures) = middle(async || Ok(store.newest_failures(&run, 50).await?)).await?;
    line("newest failures", took, &format!("{}", failures.len()));
    let (took, left) = middle(async || Ok(store.work_left(&run, 64).await?)).await?;
    line("what is left to do", took, &format!("{left:?}"));
    let (took, unresolved) = middle(async || Ok(store.unresolved(64).await?)).await?;
    line("unresolved", took, &format!("{}", unresolved.len()));
    let (fence, _) = store.lease_acquire("bench", LEASE_MS, true).await?.context("another daemon has the lease")?;
    let (took, _) = middle(async || Ok(store.on_wire(fence).await?)).await?;
    line("on the wire", took, "");
    let (took, _) = middle(async || Ok(store.in_flight().await?)).await?;
    line("in flight", took, "");
    let (took, _) = middle(async || Ok(store.inbox_todo(64).await?)).await?;
    line("webhooks to look at", took, "");
    let context = store.plan_context().await?;
    let (took, _) = middle(async || Ok(store.preview_page(now_ms, now_ms, None, "", 1_000, &context).await?)).await?;
    line("a page of a dry run (nothing free)", took, "");
    Ok(())
}

async fn lists(store: &Store) -> anyhow::Result<()> {
    let run = PayoutFilter { run: Some("run_now".into()), ..PayoutFilter::default() };
    let states = |states: &[PayoutState]| PayoutFilter { states: states.to_vec(), ..run.clone() };
    let filters = [
        ("all runs", PayoutFilter::default()),
        ("the run", run.clone()),
        ("paid", states(&[PayoutState::Paid])),
        ("failed", states(&[PayoutState::Failed])),
        (
            "failures",
            states(&[PayoutState::Failed, PayoutState::Returned, PayoutState::Unknown, PayoutState::Canceled]),
        ),
        ("a cause", PayoutFilter { cause: Some("account_closed".to_owned()), ..run.clone() }),
        ("a creator", PayoutFilter { creator: Some("creator_77".into()), ..run.clone() }),
        ("above an amount", PayoutFilter { amount_min_minor: Some(500_000), ..run.clone() }),
        ("a part of an id", PayoutFilter { text: Some("creator_1999".to_owned()), ..run.clone() }),
    ];
    for (what, filter) in filters {
        for sort in [PayoutSort::Changed, PayoutSort::Amount] {
            let first = PayoutPageRequest { sort, ascending: false, limit: ROWS, cursor: None };
            let (took, page) = middle(async || Ok(store.list_payouts(&filter, &first).await?)).await?;
            let (total, next) = (page.total, page.next_cursor);
            let mut remark = format!("of {total}");
            if let Some(cursor) = next {
                let next = PayoutPageRequest { cursor: Some(cursor), ..first };
                let (took, _) = middle(async || Ok(store.list_payouts(&filter, &next).await?)).await?;
                remark += &format!("; the next page {:.1} ms", took.as_secs_f64() * 1e3);
            }
            line(&format!("{what}, by {sort:?}"), took, &remark);
        }
    }
    Ok(())
}
