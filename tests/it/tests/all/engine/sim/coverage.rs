//! Which moves of a payout were seen after which faults had met that payout: an empty cell is a thing that no seed has tried.
use super::{
    super::world::World,
    fault::Fault,
    impossible::{self, Why},
};
use payout_shared::payout::{self, PayoutEvent, PayoutState, Standing, Verdict};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// From one state to another.
pub(super) type Move = (PayoutState, PayoutState);

/// How often a payout that a fault had met made a move.
#[derive(Default)]
pub(super) struct Coverage {
    pub(super) cells: BTreeMap<(Fault, Move), u64>,
    pub(super) faults: BTreeMap<Fault, u64>,
    pub(super) steps: u64,
    pub(super) moves: u64,
}

/// What one seed knows of its payouts.
#[derive(Default)]
pub(super) struct Met {
    by_payout: BTreeMap<String, BTreeSet<Fault>>,
    seen: i64,
}

/// What a cell is called.
pub(super) fn cell(fault: Fault, (from, to): Move) -> String {
    format!("{fault:?}: {} > {}", from.as_str(), to.as_str())
}

/// Every move that the transition function knows.
pub(super) fn moves() -> BTreeSet<Move> {
    let standings =
        PayoutState::ALL.into_iter().flat_map(|state| [false, true].map(|executed| Standing { state, executed }));
    standings
        .flat_map(|at| PayoutEvent::all().map(move |event| (at.state, payout::apply(at, event))))
        .filter_map(|(from, verdict)| match verdict {
            Verdict::Move(to) => Some((from, to)),
            Verdict::Stale | Verdict::Late | Verdict::Illegal => None,
        })
        .collect()
}

impl Met {
    /// A fault meets one payout.
    pub(super) fn one(&mut self, coverage: &mut Coverage, payout: &str, fault: Fault) {
        *coverage.faults.entry(fault).or_default() += 1;
        self.by_payout.entry(payout.to_owned()).or_default().insert(fault);
    }

    /// The payouts that this fault has met.
    pub(super) fn met(&self, fault: Fault) -> impl Iterator<Item = &str> {
        self.by_payout.iter().filter(move |(_, faults)| faults.contains(&fault)).map(|(payout, _)| payout.as_str())
    }

    /// A fault meets every payout that isn't at its end.
    pub(super) async fn all(&mut self, coverage: &mut Coverage, world: &World, fault: Fault) {
        *coverage.faults.entry(fault).or_default() += 1;
        let open = "SELECT id FROM creator_payouts WHERE state NOT IN ('voided', 'reversed')";
        for row in world.probe.texts(open).await {
            self.by_payout.entry(row[0].clone()).or_default().insert(fault);
        }
    }

    /// Counts the moves since the last look, each under all faults that its payout had met.
    pub(super) async fn look(&mut self, coverage: &mut Coverage, world: &World) {
        for (key, trouble) in world.stripe.take_met() {
            let of_key = format!("SELECT payout_id FROM payout_attempts WHERE key = '{key}'");
            if let (Some(row), Some(fault)) = (world.probe.texts(&of_key).await.first(), Fault::of(&trouble)) {
                self.one(coverage, &row[0], fault);
            }
        }
        let news = format!(
            "SELECT CAST(seq AS TEXT), payout_id, from_state, to_state FROM journal WHERE seq > {} AND action = 'payout.move' ORDER BY seq",
            self.seen
        );
        for row in world.probe.texts(&news).await {
            self.seen = row[0].parse().unwrap();
            let (from, to) = (PayoutState::parse(&row[2]).unwrap(), PayoutState::parse(&row[3]).unwrap());
            coverage.moves += 1;
            for fault in self.by_payout.get(&row[1]).into_iter().flatten() {
                *coverage.cells.entry((*fault, (from, to))).or_default() += 1;
            }
        }
    }
}

impl Coverage {
    pub(super) fn add(&mut self, other: Self) {
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.steps += other.steps;
        self.moves += other.moves;
    }

    /// What is wrong with it: a cell that no seed has reached and that needn't be empty, or one that was reached although it can't be.
    /// `rare`: those that only many seeds reach must be reached, too.
    pub(super) fn wrong(&self, rare: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        for fault in Fault::ALL {
            for (from, to) in moves() {
                let cell = cell(fault, (from, to));
                match (self.cells.get(&(fault, (from, to))), impossible::why(fault, (from, to))) {
                    (None, None) => wrong.push(format!("{cell} was seen in no seed")),
                    (None, Some(Why::Rare(why))) if rare => wrong.push(format!("{cell} was seen in no seed ({why})")),
                    (Some(count), Some(Why::Impossible(why))) => {
                        wrong.push(format!("{cell} was seen {count} times, although {why}"));
                    }
                    (None, Some(_)) | (Some(_), None | Some(Why::Rare(_) | Why::Remote)) => {}
                }
            }
        }
        wrong
    }

    /// One line per move, one column per fault.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            let _ = writeln!(
                table,
                "{number:>4} = {fault:?}, {} times",
                self.faults.get(&fault).copied().unwrap_or_default()
            );
        }
        let _ = write!(table, "{:<26}", "after fault");
        for number in 0..Fault::ALL.len() {
            let _ = write!(table, "{number:>7}");
        }
        table.push('\n');
        for (from, to) in moves() {
            let _ = write!(table, "{:<26}", format!("{} > {}", from.as_str(), to.as_str()));
            for fault in Fault::ALL {
                let _ = write!(table, "{:>7}", self.cells.get(&(fault, (from, to))).copied().unwrap_or_default());
            }
            table.push('\n');
        }
        table
    }
}
