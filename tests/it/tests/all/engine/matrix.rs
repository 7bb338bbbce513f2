//! The fault matrix: a clean run counts its steps at the two choke points (commits of the store, money requests), then each step goes
//! wrong in turn in each way. Whatever it was, the outcome is that of the clean run, and the books and Stripe's are one.
use super::{
    approvals::person,
    crash::{outcome, small},
    rollback::confirm,
    trouble::Trouble,
    world::{SETTLE_MS, World, ann, creator},
};
use crate::databases::START_MS;
use payout_shared::run::{RunKind, RunState};
use payoutd::store::{
    fault::CommitFault,
    types::{NewRun, RunRow},
};

/// What goes wrong at one step.
#[derive(Clone, Debug)]
enum Kind {
    /// Of a commit: it fails, or its answer is lost; the process lives on, or dies then.
    Commit(CommitFault, bool),
    /// Of a money request: this.
    Send(Trouble),
    /// Of a money request: the process dies with it on the wire, before or after Stripe has it.
    DiesWith(Trouble),
}

fn kinds_of_commits() -> Vec<Kind> {
    let faults = [CommitFault::Undone, CommitFault::Unheard];
    faults.into_iter().flat_map(|fault| [false, true].map(|dies| Kind::Commit(fault, dies))).collect()
}

fn kinds_of_sends() -> Vec<Kind> {
    let mut kinds =
        vec![Kind::DiesWith(Trouble::HeldBefore), Kind::DiesWith(Trouble::HeldAfter), Kind::Send(Trouble::Twice)];
    let faults = ["reset-before", "executed-then-dropped", "500-rolled-forward", "unreadable-body", "lock-timeout"];
    kinds.extend(faults.map(|name| Kind::Send(Trouble::Twin(name))));
    kinds.extend([Trouble::Limited, Trouble::HeldBefore, Trouble::HeldAfter, Trouble::Frozen(20_000)].map(Kind::Send));
    kinds
}

/// What is done while one thing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A run is planned and sent.
    Run,
    /// One creator is paid beside the cycle.
    Named,
    /// A run that was sent is taken back while its payouts are pending.
    Cancels,
    /// A run that was paid is taken back, and a second person has approved its reversals.
    Reversals,
}

impl Work {
    /// What it leaves the run in.
    const fn ends_in(self) -> RunState {
        match self {
            Self::Run | Self::Named => RunState::Completed,
            Self::Cancels | Self::Reversals => RunState::Aborted,
        }
    }
}

async fn one_at_a_time() -> World {
    let mut world = small().await;
    world.rates.create_concurrency = 1;
    world
}

/// Everything up to the moment at which things begin to go wrong.
async fn prepared(work: Work) -> (World, RunRow) {
    let mut world = one_at_a_time().await;
    match work {
        Work::Run => {
            let run = world.scheduled().await;
            (world, run)
        }
        Work::Named => {
            let new = NewRun {
                cycle_date: jiff::civil::date(2026, 12, 2),
                kind: RunKind::Manual,
                state: RunState::Planning,
                cutoff_ms: START_MS,
                instant_ms: START_MS,
                creators: vec![creator(3)],
                by: ann(),
                reason: None,
            };
            let run = world.store.insert_run(&new).await.unwrap().0;
            (world, run)
        }
        Work::Cancels => {
            let run = world.scheduled().await;
            world.settle().await;
            confirm(&world, &run).await;
            (world, run)
        }
        Work::Reversals => {
            let run = world.scheduled().await;
            world.settle().await;
            world.advance(2 * SETTLE_MS.cast_signed()).await;
            world.deliver().await;
            world.settle().await;
            confirm(&world, &run).await;
            world.steps(4).await;
            let request = world.waiting().await.remove(0);
            world.yes(&request, &person("bob", 1001)).await.unwrap();
            (world, run)
        }
    }
}

/// What it has come to, here and at Stripe.
async fn ended(world: &World) -> (Vec<Vec<String>>, Vec<(String, i64)>, Vec<String>) {
    let (purses, paid) = outcome(world).await;
    let mut stands: Vec<String> = world
        .stripe
        .twin
        .ledger()
        .iter()
        .map(|row| format!("{} {} {:?}", row.account, row.amount, row.status))
        .collect();
    stands.sort();
    (purses, paid, stands)
}

async fn goes_wrong(world: &mut World, step: u64, kind: &Kind) {
    let (commits, left) = (world.faults.commits(), world.stripe.left().len());
    match kind {
        Kind::Commit(fault, dies) => {
            world.faults.fail(step, 1, *fault);
            world.until("the fault", async |world| world.faults.commits() > commits + step).await;
            if *dies {
                world.crash();
            }
        }
        Kind::Send(trouble) => world.stripe.trouble_after(usize::try_from(step).unwrap(), trouble.clone()),
        Kind::DiesWith(trouble) => {
            let before = usize::try_from(step).unwrap();
            world.stripe.trouble_after(before, trouble.clone());
            world.until("the request", async |world| world.stripe.left().len() > left + before).await;
            world.crash();
        }
    }
}

/// Each step of this work goes wrong in each way; gives how many commits, requests and cells that were.
async fn whatever_goes_wrong(work: Work) -> (u64, u64, u64) {
    let (mut clean, _) = prepared(work).await;
    let (commits, left) = (clean.faults.commits(), clean.stripe.left().len());
    clean.settle().await;
    let expected = ended(&clean).await;
    let commits = clean.faults.commits() - commits;
    let sends = u64::try_from(clean.stripe.left().len() - left).unwrap();
    let mut cells = 0;
    for (steps, kinds) in [(commits, kinds_of_commits()), (sends, kinds_of_sends())] {
        for step in 0..steps {
            for kind in &kinds {
                let (mut world, run) = prepared(work).await;
                goes_wrong(&mut world, step, kind).await;
                world.settle().await;
                let at = format!("{work:?}, step {step} {kind:?}");
                assert_eq!(ended(&world).await, expected, "{at}");
                assert_eq!(world.state(&run).await, work.ends_in(), "{at}");
                assert_eq!(world.wrong().await, Vec::<String>::new(), "{at}");
                world.books_equal().await;
                cells += 1;
            }
        }
    }
    println!("fault matrix of {work:?}: {commits} commits and {sends} money requests, {cells} cells");
    (commits, sends, cells)
}

#[tokio::test]
async fn every_step_of_a_run_may_go_wrong_in_every_way_and_the_outcome_is_that_of_a_clean_one() {
    let (commits, sends, _) = Box::pin(whatever_goes_wrong(Work::Run)).await;
    assert!(commits > 8 && sends == 3, "{commits} commits, {sends} sends");
}

#[tokio::test]
async fn every_step_of_a_run_for_one_creator_may_go_wrong_in_every_way() {
    let (commits, sends, _) = Box::pin(whatever_goes_wrong(Work::Named)).await;
    assert!(commits > 5 && sends == 1, "{commits} commits, {sends} sends");
}

#[tokio::test]
async fn every_step_of_a_run_that_is_canceled_may_go_wrong_in_every_way() {
    let (commits, sends, _) = Box::pin(whatever_goes_wrong(Work::Cancels)).await;
    assert!(commits > 5 && sends == 3, "{commits} commits, {sends} sends");
}

#[tokio::test]
async fn every_step_of_a_run_that_is_reversed_may_go_wrong_in_every_way() {
    let (commits, sends, _) = Box::pin(whatever_goes_wrong(Work::Reversals)).await;
    assert!(commits > 5 && sends == 3, "{commits} commits, {sends} sends");
}
