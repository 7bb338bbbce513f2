//! docs/states.md against the code, both ways: people read the document when money is at stake.
use crate::tables::{payout_event_name, payout_standings, run_standings};
use payout_shared::{
    payout::{self, PayoutEvent, Verdict},
    run::{self, RunEvent, RunVerdict},
};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md"));

/// The lines of the only fenced block with this word after its fence.
fn block(word: &str) -> Vec<&'static str> {
    let fence = format!("```{word}");
    let mut found = DOCUMENT.split("\n```").skip(1).step_by(2).filter(|block| block.lines().next() == Some(word));
    let block = found.next().unwrap_or_else(|| panic!("docs/states.md has no block {fence}"));
    assert!(found.next().is_none(), "docs/states.md has two blocks {fence}");
    block.lines().skip(1).filter(|line| !line.trim().is_empty()).collect()
}

fn payout_moves() -> BTreeSet<String> {
    let mut moves = BTreeSet::new();
    for at in payout_standings() {
        for event in PayoutEvent::all() {
            if let Verdict::Move(to) = payout::apply(at, event) {
                moves.insert(format!("{} -> {}: {}", at.state.as_str(), to.as_str(), payout_event_name(event)));
            }
        }
    }
    moves
}

fn run_moves() -> BTreeSet<String> {
    let mut moves = BTreeSet::new();
    for at in run_standings() {
        for event in RunEvent::ALL {
            if let RunVerdict::Move(to) = run::apply(at, event) {
                moves.insert(format!("{} -> {}: {}", at.state.as_str(), to.as_str(), event.as_str()));
            }
        }
    }
    moves
}

fn same(what: &str, documented: &[&str], code: &BTreeSet<String>) {
    let lines: BTreeSet<String> = documented.iter().map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines.len(), documented.len(), "docs/states.md: a line of {what} stands twice");
    let missing: Vec<_> = code.difference(&lines).collect();
    let invented: Vec<_> = lines.difference(code).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "docs/states.md, {what}:\nnot documented: {missing:#?}\nnot in the code: {invented:#?}"
    );
}

/// The arrows of a diagram, without their words; an arrow from a group is one from each of its members.
fn arrows_of(diagram: &str) -> BTreeSet<(String, String)> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut group, mut edges) = (None, Vec::new());
    for line in diagram.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("state ").and_then(|rest| rest.strip_suffix(" {")) {
            group = Some(name);
        } else if line == "}" {
            group = None;
        } else if let Some((from, rest)) = line.split_once(" --> ") {
            edges.push((from, rest.split(':').next().unwrap().trim()));
        } else if let Some(name) = group {
            groups.entry(name).or_default().push(line);
        }
    }
    let members = |name: &str| {
        groups.get(name).map_or_else(|| vec![name.to_owned()], |all| all.iter().map(|n| (*n).to_owned()).collect())
    };
    edges
        .into_iter()
        .filter(|(from, to)| *from != "[*]" && *to != "[*]")
        .flat_map(|(from, to)| members(from).into_iter().map(move |from| (from, to.to_owned())))
        .collect()
}

fn ends(moves: &BTreeSet<String>) -> BTreeSet<(String, String)> {
    moves
        .iter()
        .map(|line| {
            let (from, rest) = line.split_once(" -> ").unwrap();
            (from.to_owned(), rest.split_once(": ").unwrap().0.to_owned())
        })
        .collect()
}

#[test]
fn the_documented_transitions_of_payouts_are_those_of_the_code() {
    same("payout transitions", &block("payout-transitions"), &payout_moves());
}

#[test]
fn the_documented_transitions_of_runs_are_those_of_the_code() {
    same("run transitions", &block("run-transitions"), &run_moves());
}

#[test]
fn the_diagrams_draw_every_transition_and_no_other() {
    let mermaid: Vec<&str> =
        DOCUMENT.split("\n```").skip(1).step_by(2).filter(|block| block.starts_with("mermaid")).collect();
    assert_eq!(mermaid.len(), 2, "one diagram per machine");
    for (diagram, moves) in mermaid.into_iter().zip([payout_moves(), run_moves()]) {
        let drawn = arrows_of(diagram);
        let wanted = ends(&moves);
        let missing: Vec<_> = wanted.difference(&drawn).collect();
        let invented: Vec<_> = drawn.difference(&wanted).collect();
        assert!(missing.is_empty() && invented.is_empty(), "not drawn: {missing:#?}\ndrawn only: {invented:#?}");
    }
}
