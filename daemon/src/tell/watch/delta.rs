//! What changed between two states of everything: whole parts with their new values.
use payout_proto::v1::{DaemonPart, Live};

/// The parts that differ, or `None`. Another run: all parts, since what a watcher knows was about the old one.
pub(super) fn between(old: &Live, new: &Live) -> Option<Live> {
    let id = |live: &Live| live.run.as_ref().map(|run| run.id.clone());
    if id(old) != id(new) {
        return Some(new.clone());
    }
    let changed = Live {
        daemon: new.daemon.as_ref().filter(|daemon| !same(old.daemon.as_ref(), daemon)).cloned(),
        run: differs(&old.run, &new.run),
        states: differs(&old.states, &new.states),
        rate: differs(&old.rate, &new.rate),
        causes: differs(&old.causes, &new.causes),
        failures: differs(&old.failures, &new.failures),
        log: differs(&old.log, &new.log),
        skips: differs(&old.skips, &new.skips),
        pages_version: differs(&old.pages_version, &new.pages_version),
    };
    (changed != Live::default()).then_some(changed)
}

fn differs<T: Clone + PartialEq>(old: &Option<T>, new: &Option<T>) -> Option<T> {
    new.as_ref().filter(|new| old.as_ref() != Some(new)).cloned()
}

/// The time of the frame is no news: heartbeats carry it.
fn same(old: Option<&DaemonPart>, new: &DaemonPart) -> bool {
    old.is_some_and(|old| DaemonPart { now_ms: new.now_ms, ..old.clone() } == *new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use payout_proto::v1::{RunPart, StateCount, StateCounts};

    fn live(run: &str, in_flight: i64) -> Live {
        Live {
            daemon: Some(DaemonPart { version: "1".to_owned(), now_ms: 5, ..DaemonPart::default() }),
            run: Some(RunPart { id: run.to_owned(), in_flight, ..RunPart::default() }),
            states: Some(StateCounts { states: Vec::new() }),
            ..Live::default()
        }
    }

    #[test]
    fn only_the_parts_that_changed_are_told() {
        let (old, mut new) = (live("run_1", 1), live("run_1", 2));
        new.daemon.as_mut().unwrap().now_ms = 6;
        let delta = between(&old, &new).unwrap();
        assert_eq!(delta, Live { run: new.run.clone(), ..Live::default() });
    }

    #[test]
    fn the_time_alone_is_no_news() {
        let (old, mut new) = (live("run_1", 1), live("run_1", 1));
        new.daemon.as_mut().unwrap().now_ms = 6;
        assert_eq!(between(&old, &new), None);
    }

    #[test]
    fn a_list_that_became_empty_is_told() {
        let (mut old, new) = (live("run_1", 1), live("run_1", 1));
        old.states = Some(StateCounts { states: vec![StateCount { state: "failed".to_owned(), count: 1 }] });
        assert_eq!(between(&old, &new).unwrap().states, Some(StateCounts { states: Vec::new() }));
    }

    #[test]
    fn another_run_is_told_whole() {
        let (old, new) = (live("run_1", 1), live("run_2", 1));
        assert_eq!(between(&old, &new), Some(new));
    }
}
