//! Blows that a run must survive, at moments that follow from the seed: the daemon that holds the lease is killed, frozen or cut off, the
//! database goes away. Each is over, and what must follow from it seen, before the next one falls.
use crate::{args::Args, progress::Progress, stage::Stage, strike::Strike};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::time::Duration;
use tokio::sync::watch;

/// Payouts executed, in percent, at which they fall: never before the first, never after nearly all.
const WITHIN: std::ops::Range<u64> = 2..85;
/// How often the twin is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// What can happen to a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// kill -9 of the daemon that holds the lease; it is started again.
    Kill,
    /// SIGSTOP of it, until another one sends, or for a while when there is no other.
    Freeze,
    /// Its way to the database is cut, until another one sends.
    Cut,
    /// The same, but nobody is told: everything is swallowed.
    Swallow,
    /// The database is stopped as an administrator does it, and started again.
    StopDatabase,
    /// The database is stopped as a crash does it, and started again.
    CrashDatabase,
    /// The disk below the embedded database is full for a while.
    FillDisk,
}

/// The blows of a run, and when they fall.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Blows(Vec<(u64, Blow)>);

impl Blows {
    /// What was asked for, in an order and at moments that follow from the seed.
    pub(crate) fn plan(args: &Args) -> Self {
        let mut dice = StdRng::seed_from_u64(args.seed ^ 0x626c_6f77);
        let mut kinds = Vec::new();
        for (count, either) in [
            (args.kill_leader, [Blow::Kill, Blow::Kill]),
            (args.stop_leader, [Blow::Freeze, Blow::Freeze]),
            (args.cut_leader, [Blow::Cut, Blow::Swallow]),
            (args.restart_database, [Blow::StopDatabase, Blow::CrashDatabase]),
            (args.fill_disk, [Blow::FillDisk, Blow::FillDisk]),
        ] {
            kinds.extend(either.into_iter().cycle().take(count.try_into().unwrap_or(usize::MAX)));
        }
        let possible = possible(args);
        kinds.extend((0..args.chaos).filter_map(|_| possible.get(dice.random_range(0..possible.len())).copied()));
        kinds.shuffle(&mut dice);
        let mut moments: Vec<u64> = kinds.iter().map(|_| dice.random_range(WITHIN)).collect();
        moments.sort_unstable();
        Self(moments.into_iter().zip(kinds).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Strikes each time the twin has executed so many of the payouts, and never before something was executed since the last blow.
    /// What was wrong.
    pub(crate) async fn strike(
        &self,
        args: &Args,
        stage: &Stage,
        payouts: u64,
        told: &watch::Receiver<Progress>,
    ) -> anyhow::Result<Vec<String>> {
        let mut strike = Strike::new(args, stage, told.clone());
        let mut wrong = Vec::new();
        let mut at_last = 0;
        if !self.is_empty() {
            stage.say(&format!("{} blows, as seed {} has it", self.0.len(), args.seed));
        }
        for (number, (percent, blow)) in self.0.iter().enumerate() {
            loop {
                let executed = stage.twin.executed().await?;
                if executed > at_last && executed * 100 >= payouts * percent {
                    at_last = executed;
                    break;
                }
                if told.borrow().is_finished() {
                    wrong.push(format!("the run was over after {number} of {} blows", self.0.len()));
                    return Ok(wrong);
                }
                tokio::time::sleep(LOOK).await;
            }
            let said = strike.one(*blow).await;
            stage.heal().await?;
            let said = said?;
            stage.say(&format!("blow {:>2}  {}", number + 1, said.text));
            wrong.extend(said.wrong);
        }
        Ok(wrong)
    }
}

/// What chaos chooses from.
fn possible(args: &Args) -> Vec<Blow> {
    let mut all = vec![Blow::Kill, Blow::Freeze];
    if args.daemons > 1 {
        all.extend([Blow::Cut, Blow::Swallow]);
    }
    if args.own_postgres {
        all.extend([Blow::StopDatabase, Blow::CrashDatabase]);
    }
    if !args.is_postgres() {
        all.push(Blow::FillDisk);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn plan(text: &str) -> Blows {
        let words = format!("rehearsal --headless {text}");
        Blows::plan(&Args::read(words.split(' ').map(OsString::from).collect()).unwrap())
    }

    #[test]
    fn the_same_seed_strikes_the_same_and_as_often_as_asked() {
        let text = "--own-postgres --daemons 2 --kill-leader 3 --cut-leader 2 --restart-database 2 --seed 4";
        let blows = plan(text);
        assert_eq!(blows, plan(text));
        assert_ne!(blows, plan(&text.replace("seed 4", "seed 5")));
        let count = |kind| blows.0.iter().filter(|(_, blow)| *blow == kind).count();
        assert_eq!(
            [Blow::Kill, Blow::Cut, Blow::Swallow, Blow::StopDatabase, Blow::CrashDatabase].map(count),
            [3, 1, 1, 1, 1]
        );
        assert!(blows.0.is_sorted_by_key(|(percent, _)| *percent));
        assert!(plan("--seed 1").is_empty());
    }

    #[test]
    fn chaos_chooses_what_there_is() {
        let kinds = |text: &str| plan(text).0.into_iter().map(|(_, blow)| blow).collect::<Vec<_>>();
        let one = kinds("--chaos 60");
        assert_eq!(one.len(), 60);
        assert!(one.contains(&Blow::FillDisk) && !one.contains(&Blow::Cut) && !one.contains(&Blow::CrashDatabase));
        let many = kinds("--chaos 60 --daemons 3 --own-postgres");
        assert!(
            many.contains(&Blow::Swallow) && many.contains(&Blow::CrashDatabase) && !many.contains(&Blow::FillDisk)
        );
    }
}
