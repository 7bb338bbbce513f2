//! The fault matrix: a clean run counts its steps at the two choke points (commits of the store, money requests), then each step goes
//! wrong in turn in each way. Whatever it was, the outcome is that of the clean run, and the books and Stripe's are one.
use super::{
    crash::{outcome, small},
    trouble::Trouble,
    world::World,
};
use payout_shared::run::RunState;
use payoutd::store::fault::CommitFault;

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

async fn one_at_a_time() -> World {
    let mut world = small().await;
    world.rates.create_concurrency = 1;
    world
}

async fn goes_wrong(world: &mut World, step: u64, kind: &Kind) {
    match kind {
        Kind::Commit(fault, dies) => {
            world.faults.fail(step, 1, *fault);
            world.until("the fault", async |world| world.faults.commits() > step).await;
            if *dies {
                world.crash();
            }
        }
        Kind::Send(trouble) => world.stripe.trouble_after(usize::try_from(step).unwrap(), trouble.clone()),
        Kind::DiesWith(trouble) => {
            let before = usize::try_from(step).unwrap();
            world.stripe.trouble_after(before, trouble.clone());
            world.until("the request", async |world| world.stripe.left().len() > before).await;
            world.crash();
        }
    }
}

#[tokio::test]
async fn every_step_of_a_run_may_go_wrong_in_every_way_and_the_outcome_is_that_of_a_clean_one() {
    let mut clean = one_at_a_time().await;
    clean.scheduled().await;
    clean.settle().await;
    let expected = outcome(&clean).await;
    let (commits, sends) = (clean.faults.commits(), u64::try_from(clean.stripe.left().len()).unwrap());
    assert!(commits > 8 && sends == 3, "{commits} commits, {sends} sends");
    let mut cells = 0;
    for (steps, kinds) in [(commits, kinds_of_commits()), (sends, kinds_of_sends())] {
        for step in 0..steps {
            for kind in &kinds {
                let mut world = one_at_a_time().await;
                let run = world.scheduled().await;
                goes_wrong(&mut world, step, kind).await;
                world.settle().await;
                let at = format!("step {step} {kind:?}");
                assert_eq!(outcome(&world).await, expected, "{at}");
                assert_eq!(world.state(&run).await, RunState::Completed, "{at}");
                assert_eq!(world.wrong().await, Vec::<String>::new(), "{at}");
                world.books_equal().await;
                cells += 1;
            }
        }
    }
    println!("fault matrix: {commits} commits and {sends} money requests, {cells} cells");
}
