//! The deliberate bugs of `tests/bugs`: each can be tried (its patch applies to the sources as they are), says what it is and which test
//! must turn red, and there are enough of them. Whether each is caught is what `./tests/run --bugs` shows.
use super::root;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// Fewer than this many patches say little about the tests.
const PATCHES_MIN: usize = 30;
/// So many of them are wrong in two places together: what one room forgets another one must not save.
const OF_TWO_FILES_MIN: usize = 10;

fn patches() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("tests/bugs")).unwrap().map(|file| file.unwrap().path());
    let mut patches: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind == "patch")).collect();
    patches.sort();
    patches
}

fn name(patch: &Path) -> &str {
    patch.file_stem().unwrap().to_str().unwrap()
}

/// What a patch says of itself before its first hunk.
fn header<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let mut lines = text.lines().take_while(|line| !line.starts_with("--- "));
    lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(": ")).filter(|value| !value.trim().is_empty())
}

/// The sources that it touches.
fn touched(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("+++ b/")).collect()
}

#[test]
fn there_are_enough_deliberate_bugs_each_with_a_number_of_its_own() {
    let patches = patches();
    assert!(patches.len() >= PATCHES_MIN, "{} patches, {PATCHES_MIN} are needed", patches.len());
    let of_two = patches.iter().filter(|patch| touched(&std::fs::read_to_string(patch).unwrap()).len() >= 2).count();
    assert!(of_two >= OF_TWO_FILES_MIN, "{of_two} patches touch two files or more, {OF_TWO_FILES_MIN} are needed");
    let mut numbers = BTreeSet::new();
    for patch in &patches {
        let (number, words) = name(patch).split_once('_').unwrap_or_default();
        assert!(
            number.len() == 2 && number.parse::<u32>().is_ok() && !words.is_empty(),
            "{}: its name is no number of two digits, `_` and words",
            name(patch)
        );
        assert!(numbers.insert(number.to_owned()), "{}: another patch has this number", name(patch));
    }
}

#[test]
fn each_deliberate_bug_says_what_it_is_what_it_costs_and_what_must_turn_red() {
    for patch in patches() {
        let (name, text) = (name(&patch).to_owned(), std::fs::read_to_string(&patch).unwrap());
        for field in ["Bug", "Why", "Red", "Files"] {
            assert!(header(&text, field).is_some(), "{name}: it has no `{field}:`");
        }
        assert!(header(&text, "Red").is_some_and(|red| red.starts_with("-p ")), "{name}: Red names no package");
        let files = touched(&text);
        assert!(files.iter().all(|file| !file.starts_with("tests/")), "{name}: it changes a test: {files:?}");
        assert_eq!(
            header(&text, "Files"),
            Some(files.len().to_string().as_str()),
            "{name}: Files; it touches {files:?}"
        );
    }
}

#[test]
fn each_deliberate_bug_applies_to_the_sources_as_they_are() {
    let root = root();
    for patch in patches() {
        // A copy of the sources may lie inside another repository: git must not take the paths for that one's.
        let tried = Command::new("git")
            .args(["apply", "--check", "--whitespace=nowarn"])
            .arg(&patch)
            .current_dir(&root)
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap())
            .output()
            .unwrap();
        assert!(tried.status.success(), "{}: {}", name(&patch), String::from_utf8_lossy(&tried.stderr));
    }
}
