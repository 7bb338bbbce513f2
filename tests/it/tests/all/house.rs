//! The house rules that a machine can check: who may depend on whom (from `cargo metadata`), and what is at home where (from
//! the text of the sources). docs/architecture.md says them in words; a rule that isn't here or in clippy isn't kept for long.
mod bugs;

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// The longest hand-written file.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

// ---- Directions ----

struct Packages {
    /// Every package of the resolved graph for this platform, by its id.
    names: BTreeMap<String, String>,
    /// Edges of the resolved graph without dev-dependencies, id to ids.
    edges: BTreeMap<String, Vec<String>>,
    /// Ours: name to what its manifest says.
    ours: BTreeMap<String, Value>,
}

impl Packages {
    fn read() -> Self {
        let version = Command::new("rustc").arg("-vV").output().unwrap();
        let version = String::from_utf8(version.stdout).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        // Only this platform's packages are sure to have been fetched.
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(metadata.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr));
        let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let members: BTreeSet<&str> = texts(&metadata["workspace_members"]).collect();
        let mut names = BTreeMap::new();
        let mut ours = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            names.insert(text(&package["id"]).to_owned(), text(&package["name"]).to_owned());
            if members.contains(text(&package["id"])) {
                ours.insert(text(&package["name"]).to_owned(), package.clone());
            }
        }
        let edges = list(&metadata["resolve"]["nodes"]).map(|node| {
            let used = list(&node["deps"]).filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"] != "dev"));
            (text(&node["id"]).to_owned(), used.map(|dep| text(&dep["pkg"]).to_owned()).collect())
        });
        let edges = edges.collect();
        Self { names, edges, ours }
    }

    /// What a package of ours names in its manifest: normal and build dependencies, or dev-dependencies.
    fn direct(&self, name: &str, dev: bool) -> BTreeSet<String> {
        list(&self.ours[name]["dependencies"])
            .filter(|dep| (dep["kind"] == "dev") == dev)
            .map(|dep| text(&dep["name"]).to_owned())
            .collect()
    }

    /// Everything that a package of ours is linked with or built by.
    fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut todo = vec![text(&self.ours[name]["id"]).to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(id) = todo.pop() {
            if seen.insert(id.clone()) {
                todo.extend(self.edges.get(&id).into_iter().flatten().cloned());
            }
        }
        seen.iter().map(|id| self.names[id].clone()).collect()
    }

    fn is_test(&self, name: &str) -> bool {
        let manifest = Path::new(text(&self.ours[name]["manifest_path"])).to_owned();
        manifest.starts_with(root().join("tests"))
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    list(value).map(text)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_package_stands_where_the_house_says_and_none_is_published() {
    let packages = Packages::read();
    let folders: BTreeMap<&str, String> = (packages.ours.iter())
        .map(|(name, package)| {
            let folder = Path::new(text(&package["manifest_path"])).parent().unwrap().to_owned();
            (name.as_str(), folder.strip_prefix(root()).unwrap().display().to_string())
        })
        .collect();
    for (name, folder) in
        [("payout-shared", "shared"), ("payout-proto", "proto"), ("payoutd", "daemon"), ("payout", "tui")]
    {
        assert_eq!(folders[name], folder);
    }
    for (name, package) in &packages.ours {
        assert_eq!(package["publish"], Value::Array(vec![]), "{name} must say publish = false");
    }
    assert!(packages.ours.len() >= 7, "{folders:?}");
}

#[test]
fn the_core_knows_no_clock_no_randomness_no_io() {
    let packages = Packages::read();
    let allowed = set(&["jiff", "serde", "sha2", "hex", "thiserror", "ulid"]);
    let named = packages.direct("payout-shared", false);
    assert!(named.is_subset(&allowed), "shared depends on {:?}", named.difference(&allowed));
    let named = packages.direct("payout-shared", true);
    assert!(named.is_subset(&set(&["proptest", "serde_json"])), "shared is tested with {named:?}");
    let linked = packages.closure("payout-shared");
    for stranger in ["tokio", "sqlx", "tonic", "axum", "ratatui", "rand", "hyper", "chrono", "async-stripe-types"] {
        assert!(!linked.contains(stranger), "shared is linked with {stranger}");
    }
}

#[test]
fn ours_depend_on_each_other_in_one_direction() {
    let packages = Packages::read();
    let ours: BTreeSet<String> = packages.ours.keys().cloned().collect();
    let may = |name: &str| match name {
        "payout-shared" | "stripe-twin" => set(&[]),
        "payout-proto" => set(&["payout-shared"]),
        "payoutd" | "payout" => set(&["payout-shared", "payout-proto"]),
        _ => ours.clone(),
    };
    for name in &ours {
        for dev in [false, true] {
            let named: BTreeSet<String> = packages.direct(name, dev).intersection(&ours).cloned().collect();
            // The twin knows none of ours, so anybody's own tests may speak to it.
            let mut allowed = may(name);
            allowed.extend(set(if dev { &["stripe-twin"] } else { &[] }));
            assert!(named.is_subset(&allowed), "{name} depends on {named:?}");
            let at_home = packages.is_test(name) || !(named.contains("payoutd") || named.contains("payout"));
            assert!(at_home, "{name} isn't a test and depends on the daemon or the console");
        }
    }
}

#[test]
fn a_dependency_with_a_room_of_its_own_is_named_by_its_owner_only() {
    let packages = Packages::read();
    let owners: [(&str, &[&str]); 9] = [
        ("async-stripe", &["payoutd"]),
        ("sqlx", &["payoutd", "rehearsal", "it", "bench"]),
        ("axum", &["payoutd", "stripe-twin"]),
        ("clokwerk", &["payoutd"]),
        ("chrono", &["payoutd"]),
        ("hyper-rustls", &["payoutd"]),
        ("sd-notify", &["payoutd"]),
        ("ratatui", &["payout", "it"]),
        ("crossterm", &["payout", "it"]),
    ];
    for name in packages.ours.keys() {
        let mut named = packages.direct(name, false);
        named.extend(packages.direct(name, true));
        for (what, owners) in owners {
            let used = named.iter().any(|dep| dep == what || dep.starts_with(&format!("{what}-")));
            assert!(!used || owners.contains(&name.as_str()), "{name} depends on {what}, at home in {owners:?}");
        }
    }
}

#[test]
fn the_console_and_the_twin_are_linked_with_nothing_of_the_daemon() {
    let packages = Packages::read();
    for (name, strangers) in [
        ("payout", &["sqlx", "sqlx-core", "payoutd", "hyper-rustls", "rustls", "clokwerk", "libsqlite3-sys"][..]),
        ("stripe-twin", &["sqlx", "sqlx-core", "payoutd", "payout-shared", "payout-proto", "tonic", "prost"]),
        ("payoutd", &["ratatui", "crossterm", "payout", "stripe-twin", "rehearsal"]),
        ("payout-proto", &["sqlx", "sqlx-core", "payoutd", "ratatui", "clokwerk"]),
    ] {
        let linked = packages.closure(name);
        for stranger in strangers {
            assert!(!linked.contains(*stranger), "{name} is linked with {stranger}");
        }
        let stripe = linked.iter().find(|linked| linked.starts_with("async-stripe"));
        assert!(name == "payoutd" || stripe.is_none(), "{name} is linked with {stripe:?}");
    }
}

// ---- Rooms ----

struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines without their comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// The line with nothing between its quotation marks.
fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// All files with this ending, but for what is built, hidden, or copied from elsewhere.
fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let root = root();
    let mut todo = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = todo.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "proptest-regressions" {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if name.ends_with(ending) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Source { path: path.strip_prefix(&root).unwrap().display().to_string(), text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found
}

/// The word stands alone in the line: not a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |at: Option<char>| at.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let ends_inside = word.ends_with(|c: char| c.is_alphanumeric()) && part(line[at + word.len()..].chars().next());
        !part(line[..at].chars().next_back()) && !ends_inside
    })
}

#[test]
fn each_library_of_the_daemon_is_used_in_its_own_room() {
    let rooms: [(&[&str], &str); 6] = [
        (&["sqlx::", "sqlx!"], "daemon/src/store/"),
        (&["axum::"], "daemon/src/doors/"),
        (&["tonic::", "tonic_health::", "tonic_reflection::"], "daemon/src/doors/"),
        (&["clokwerk::", "chrono::"], "daemon/src/doors/schedule"),
        (
            &["stripe_shared::", "stripe_core::", "stripe_connect::", "stripe_types::", "stripe_client_core::"],
            "daemon/src/stripe/",
        ),
        (&["hyper_rustls::"], "daemon/src/stripe/"),
    ];
    let mut wrong = Vec::new();
    for source in sources("daemon/src", ".rs") {
        for (number, line) in source.code() {
            let bare = without_strings(line);
            for (uses, room) in rooms {
                if !source.path.starts_with(room) && uses.iter().any(|used| has_word(&bare, used)) {
                    wrong.push(format!("{}:{number}: at home in {room}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_stands_in_the_store_only() {
    let statements = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "];
    let mut wrong = Vec::new();
    for folder in ["daemon/src", "shared/src", "proto/src", "tui/src"] {
        for source in sources(folder, ".rs").iter().filter(|source| !source.path.starts_with("daemon/src/store/")) {
            for (number, line) in source.code() {
                if statements.iter().any(|statement| line.contains(&format!("\"{statement}"))) {
                    wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files with a statement that sets `state` of a table.
fn writers_of_state(table: &str) -> BTreeSet<String> {
    let mut files: Vec<Source> = sources("daemon/src", ".rs");
    files.retain(|source| !source.path.ends_with("tests.rs"));
    let mut writers = BTreeSet::new();
    for source in files {
        let words: Vec<&str> = source.text.split_whitespace().collect();
        let text = words.join(" ");
        for (at, found) in text.match_indices(&format!("UPDATE {table}")) {
            let rest = &text[at + found.len()..];
            let set = rest.split(" WHERE ").next().unwrap_or_default().split(" FROM ").next().unwrap_or_default();
            if has_word(set, "state =") {
                writers.insert(source.path.clone());
            }
        }
    }
    writers
}

#[test]
fn the_state_of_a_payout_is_written_in_one_file() {
    let writers = writers_of_state("creator_payouts");
    assert_eq!(writers.len(), 1, "{writers:?}");
    let writers = writers_of_state("payout_runs");
    assert_eq!(writers.len(), 1, "{writers:?}");
}

#[test]
fn no_file_written_by_hand_is_too_long_and_every_longer_one_says_what_it_is_for() {
    let mut wrong = Vec::new();
    let mut lines = Vec::new();
    for folder in ["shared", "proto", "daemon", "tui", "tests"] {
        for source in sources(folder, ".rs") {
            let count = source.text.lines().count();
            lines.push(count);
            if count > FILE_LINES_MAX {
                wrong.push(format!("{}: {count} lines, at most {FILE_LINES_MAX}", source.path));
            }
            // The tests of a room stand beside it, and it has said what it is for.
            if count > 40 && !source.text.starts_with("//!") && !source.path.ends_with("/tests.rs") {
                wrong.push(format!("{}: no opening lines that say what it is for", source.path));
            }
        }
    }
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= 150, "median {} lines, at most 150", lines[lines.len() / 2]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_for_later() {
    let mut wrong = Vec::new();
    for folder in ["shared", "proto", "daemon", "tui", "tests"] {
        for source in sources(folder, ".rs").iter().filter(|source| !source.path.ends_with("all/house.rs")) {
            for (number, line) in source.text.lines().enumerate() {
                let later = ["todo!", "unimplemented!", "TODO", "FIXME"].iter().any(|mark| line.contains(mark));
                if later || line.trim_start().starts_with("#[ignore") {
                    wrong.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn migrations_come_in_pairs_of_one_number_and_name() {
    let names = |engine: &str| -> Vec<String> {
        let folder = format!("migrations/{engine}/");
        let files = sources(&folder, ".sql").into_iter();
        files.map(|source| source.path.trim_start_matches(folder.as_str()).to_owned()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    let numbers: Vec<u32> =
        names("sqlite").iter().map(|name| name.split('_').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "each number once: {numbers:?}");
}
