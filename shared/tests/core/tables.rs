//! The two machines against their hand-written tables, cell by cell; and what both tests and docs need to walk through a machine.
use payout_shared::{
    payout::{self, PayoutEvent, PayoutState, Standing, Verdict, Which},
    run::{self, RunEvent, RunStanding, RunState, RunVerdict},
};
use std::collections::BTreeSet;

pub(crate) fn payout_event_name(event: PayoutEvent) -> String {
    let name = match event {
        PayoutEvent::Intend => "intend",
        PayoutEvent::PutBack => "put_back",
        PayoutEvent::LoseAnswer => "lose_answer",
        PayoutEvent::Refuse => "refuse",
        PayoutEvent::Object(status, Which::Newest) => return format!("newest {}", status.as_str()),
        PayoutEvent::Object(status, Which::Older) => return format!("older {}", status.as_str()),
        PayoutEvent::Void => "void",
        PayoutEvent::ProveAbsent => "prove_absent",
        PayoutEvent::Requeue => "requeue",
        PayoutEvent::GiveUp => "give_up",
        PayoutEvent::IntendReverse => "intend_reverse",
        PayoutEvent::Reverse => "reverse",
        PayoutEvent::RefuseReverse => "refuse_reverse",
        PayoutEvent::Settle => "settle",
    };
    name.to_owned()
}

/// Every standing of a payout. Only a failed one is told apart by whether it has an object.
pub(crate) fn payout_standings() -> Vec<Standing> {
    PayoutState::ALL.into_iter().flat_map(|state| [true, false].map(|executed| Standing { state, executed })).collect()
}

pub(crate) fn run_standings() -> Vec<RunStanding> {
    let mut standings = Vec::new();
    for state in RunState::ALL {
        for plan_finished in [true, false] {
            for approval_missing in [true, false] {
                standings.extend([0, 1, u64::MAX].map(|in_flight| RunStanding {
                    state,
                    plan_finished,
                    approval_missing,
                    in_flight,
                }));
            }
        }
    }
    standings
}

struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

/// Reads a table whose blocks are parted by `|`; the first block of each line is its name.
fn read(text: &str, name_of_column: impl Fn(usize, &str) -> String) -> Table {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(|line| {
        let mut blocks = line.split('|');
        let name = blocks.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        (name, blocks.map(|block| block.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>())
    });
    let (_, head) = lines.next().expect("the table has a head");
    let columns = head
        .iter()
        .enumerate()
        .flat_map(|(block, names)| names.iter().map(|name| name_of_column(block, name)).collect::<Vec<_>>())
        .collect();
    let rows = lines.map(|(name, cells)| (name, cells.concat().into_iter().map(str::to_owned).collect())).collect();
    Table { columns, rows }
}

impl Table {
    /// One column per event, each row with one cell per column.
    fn has_exactly_these_columns(&self, wanted: &BTreeSet<String>) {
        let columns: BTreeSet<String> = self.columns.iter().cloned().collect();
        assert_eq!(columns.len(), self.columns.len(), "a column stands twice: {:?}", self.columns);
        assert_eq!(&columns, wanted, "the table's columns aren't the events");
        for (name, cells) in &self.rows {
            assert_eq!(cells.len(), self.columns.len(), "row {name:?} has too few or too many cells: {cells:?}");
        }
    }

    fn cell(&self, row: usize, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column).unwrap();
        &self.rows[row].1[at]
    }
}

fn payout_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Move(to) => to.as_str(),
        Verdict::Stale => "stale",
        Verdict::Late => "late",
        Verdict::Illegal => "-",
    }
}

fn run_word(verdict: RunVerdict) -> &'static str {
    match verdict {
        RunVerdict::Move(to) => to.as_str(),
        RunVerdict::Stale => "stale",
        RunVerdict::Illegal => "-",
    }
}

#[test]
fn every_payout_state_meets_every_event_as_the_hand_written_table_says() {
    let table = read(include_str!("../payout_states.txt"), |block, name| match block {
        0 => name.to_owned(),
        1 => format!("newest {name}"),
        _ => format!("older {name}"),
    });
    table.has_exactly_these_columns(&PayoutEvent::all().map(payout_event_name).collect());
    let row_of = |at: Standing| match (at.state, at.executed) {
        (PayoutState::Failed, false) => "failed (no object)".to_owned(),
        (state, _) => state.as_str().to_owned(),
    };
    let wanted: BTreeSet<String> = payout_standings().into_iter().map(row_of).collect();
    let rows: Vec<String> = table.rows.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(rows.len(), wanted.len(), "a row stands twice or is missing: {rows:?}");
    assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), wanted, "the table's rows aren't the states");
    let mut wrong = Vec::new();
    for at in payout_standings() {
        let row = rows.iter().position(|name| *name == row_of(at)).unwrap();
        for event in PayoutEvent::all() {
            let (column, code) = (payout_event_name(event), payout_word(payout::apply(at, event)));
            let cell = table.cell(row, &column);
            if cell != code {
                wrong.push(format!("{} × {column}: the table says {cell}, the code {code}", rows[row]));
            }
        }
    }
    assert!(wrong.is_empty(), "payout_states.txt:\n{}", wrong.join("\n"));
}

#[test]
fn every_standing_of_a_run_meets_every_event_as_the_hand_written_table_says() {
    let table = read(include_str!("../run_states.txt"), |_, name| name.to_owned());
    table.has_exactly_these_columns(&RunEvent::ALL.into_iter().map(|event| event.as_str().to_owned()).collect());
    let fits = |name: &str, at: RunStanding| {
        let words: Vec<&str> = name.split(' ').collect();
        let [state, plan, approval, in_flight] = words[..] else { panic!("row {name:?} needs four words") };
        let is = |word: &str, yes: bool, (one, other): (&str, &str)| {
            assert!([one, other, "any"].contains(&word), "row {name:?}: {word:?} is none of {one}, {other}, any");
            word == "any" || word == if yes { one } else { other }
        };
        assert!(RunState::parse(state).is_some(), "row {name:?} is of no state");
        state == at.state.as_str()
            && is(plan, at.plan_finished, ("finished", "unfinished"))
            && is(approval, at.approval_missing, ("missing", "had"))
            && is(in_flight, at.in_flight > 0, (">0", "0"))
    };
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for at in run_standings() {
        let rows: Vec<usize> = (0..table.rows.len()).filter(|row| fits(&table.rows[*row].0, at)).collect();
        let [row] = rows[..] else { panic!("{at:?} has {} rows in run_states.txt, it needs one", rows.len()) };
        used.insert(row);
        for event in RunEvent::ALL {
            let (column, code) = (event.as_str(), run_word(run::apply(at, event)));
            let cell = table.cell(row, column);
            if cell != code {
                wrong.push(format!("{} × {column}: the table says {cell}, the code {code}", table.rows[row].0));
            }
        }
    }
    assert_eq!(used.len(), table.rows.len(), "a row of run_states.txt is of no standing");
    assert!(wrong.is_empty(), "run_states.txt:\n{}", wrong.join("\n"));
}
