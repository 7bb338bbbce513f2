//! A soak in pieces: what earlier ones have covered is kept in the file that `PAYOUTD_COVERAGE` names, and counted in. It holds for the code
//! that they walked: with other code begins another file.
use super::{
    coverage::{Coverage, cell, moves},
    fault::Fault,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf};

/// What earlier pieces have walked and covered.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Pieces {
    seeds: Vec<RangeInclusive<u64>>,
    steps: u64,
    moves: u64,
    faults: BTreeMap<String, u64>,
    cells: BTreeMap<String, u64>,
}

fn file() -> Option<PathBuf> {
    std::env::var_os("PAYOUTD_COVERAGE").map(PathBuf::from)
}

impl Pieces {
    /// The pieces that are kept.
    pub(super) fn read() -> Self {
        let Some(file) = file().filter(|file| file.exists()) else { return Self::default() };
        serde_json::from_slice(&std::fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{} keeps no coverage: {error}", file.display()))
    }

    /// How many seeds they have walked.
    pub(super) fn count(&self) -> u64 {
        self.seeds.iter().map(|seeds| seeds.end() - seeds.start() + 1).sum()
    }

    /// # Panics
    /// When some of these seeds are walked already: they would count twice.
    pub(super) fn have_none_of(&self, seeds: &RangeInclusive<u64>) {
        let twice = self.seeds.iter().find(|had| had.start() <= seeds.end() && seeds.start() <= had.end());
        assert!(
            twice.is_none(),
            "the file of PAYOUTD_COVERAGE has the seeds {twice:?} already: choose others or another file"
        );
    }

    /// What they have covered.
    pub(super) fn coverage(&self) -> Coverage {
        let mut all = Coverage { steps: self.steps, moves: self.moves, ..Coverage::default() };
        for fault in Fault::ALL {
            if let Some(count) = self.faults.get(&format!("{fault:?}")) {
                all.faults.insert(fault, *count);
            }
            for step in moves() {
                if let Some(count) = self.cells.get(&cell(fault, step)) {
                    all.cells.insert((fault, step), *count);
                }
            }
        }
        all
    }

    /// Keeps one more piece: from now on this is all that was covered.
    pub(super) fn keep(mut self, seeds: RangeInclusive<u64>, all: &Coverage) {
        let Some(file) = file() else { return };
        self.seeds.push(seeds);
        (self.steps, self.moves) = (all.steps, all.moves);
        self.faults = all.faults.iter().map(|(fault, count)| (format!("{fault:?}"), *count)).collect();
        self.cells = all.cells.iter().map(|((fault, step), count)| (cell(*fault, *step), *count)).collect();
        std::fs::write(file, serde_json::to_vec_pretty(&self).unwrap()).unwrap();
    }
}

#[test]
fn what_a_piece_has_covered_is_kept_as_it_was() {
    let step = *moves().first().unwrap();
    let mut all = Coverage { steps: 220, moves: 7, ..Coverage::default() };
    all.faults.insert(Fault::Crash, 3);
    all.cells.insert((Fault::Crash, step), 2);
    let kept = Pieces {
        seeds: vec![1..=10, 21..=30],
        steps: 220,
        moves: 7,
        faults: [("Crash".to_owned(), 3)].into(),
        cells: [(cell(Fault::Crash, step), 2)].into(),
    };
    let read: Pieces = serde_json::from_slice(&serde_json::to_vec(&kept).unwrap()).unwrap();
    let again = read.coverage();
    assert_eq!((again.steps, again.moves, again.faults, again.cells), (all.steps, all.moves, all.faults, all.cells));
    assert_eq!(read.count(), 20);
    read.have_none_of(&(11..=20));
    assert!(std::panic::catch_unwind(|| read.have_none_of(&(30..=40))).is_err());
}
