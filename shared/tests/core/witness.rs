//! What a witness says of a journal.
use payout_shared::witness::{HORIZON_MS, Head, Testimony, judge};

fn head(first: &str, seq: i64, hash: &str, at_ms: i64) -> Head {
    Head { first: first.to_owned(), seq, hash: hash.to_owned(), at_ms }
}

const AT_MS: i64 = 1_796_104_800_000;

#[test]
fn a_journal_that_goes_on_is_the_one_that_was_there() {
    let kept = head("a", 7, "h7", AT_MS);
    assert_eq!(judge(&kept, &kept, Some("h7")), Testimony::GoesOn);
    assert_eq!(judge(&kept, &head("a", 9, "h9", AT_MS + 5), Some("h7")), Testimony::GoesOn);
}

#[test]
fn one_that_was_cut_off_or_went_on_otherwise_was_restored_and_is_asked_about_from_long_before() {
    let kept = head("a", 7, "h7", AT_MS);
    for (now, at_kept, says) in [
        (head("a", 6, "h6", AT_MS - 10), None, "ends at row 6, and was at row 7"),
        (head("a", 7, "x7", AT_MS - 10), Some("x7"), "row 7 of its journal is not the one"),
        (head("a", 9, "x9", AT_MS + 10), Some("x7"), "row 7 of its journal is not the one"),
        (head("a", 9, "x9", AT_MS + 10), None, "row 7 of its journal is not the one"),
    ] {
        let Testimony::Restored { why, from_ms } = judge(&kept, &now, at_kept) else { panic!("{now:?}") };
        assert!(why.contains(says), "{why}");
        assert_eq!(from_ms, now.at_ms.min(AT_MS) - HORIZON_MS);
    }
}

#[test]
fn another_databases_journal_is_not_a_restored_one() {
    let kept = head("a", 7, "h7", AT_MS);
    for seq in [1, 7, 9] {
        assert_eq!(judge(&kept, &head("b", seq, "h7", AT_MS), Some("h7")), Testimony::Another);
    }
}
