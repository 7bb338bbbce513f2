//! The real program: exit codes and messages that units and scripts act on.
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

const KEY: &str = "sk_test_0123456789";

/// payoutd with nothing in its environment but this; Stripe is where nobody listens.
fn payoutd(env: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payoutd"));
    command.env_clear().env("STRIPE_API_BASE", "http://127.0.0.1:9").env("PAYOUTD_HTTP_LISTEN", "127.0.0.1:0");
    command.envs(env.iter().copied()).args(args).stdin(Stdio::null());
    command
}

fn serve(env: &[(&str, &str)], state_dir: &Path) -> Command {
    payoutd(env, &["serve", "--state-dir", state_dir.to_str().unwrap()])
}

fn ends_with(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words:?} is not in: {said}");
}

/// A daemon that has said it is ready.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready: "));
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.count());
        let running = Self(child);
        assert!(ready, "it never became ready");
        running
    }

    fn stop(mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn usage_is_2_and_help_and_version_are_0() {
    for args in [&["serve", "--nope"][..], &["nothing"], &[]] {
        assert_eq!(payoutd(&[], args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
    for args in [&["--version"][..], &["--help"]] {
        assert_eq!(payoutd(&[], args).output().unwrap().status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn wrong_settings_are_78_and_all_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("STRIPE_SECRET_KEY", "pk_live_1"), ("PAYOUT_TIMEZONE", "Mars/Olympus"), ("DATABASE_URL", "mysql://x")];
    let output = serve(&env, dir.path()).output().unwrap();
    for words in ["STRIPE_SECRET_KEY", "PAYOUT_TIMEZONE", "DATABASE_URL"] {
        ends_with(&output, 78, words);
    }
    ends_with(&payoutd(&[], &["serve"]).output().unwrap(), 78, "--state-dir");
}

#[test]
fn a_directory_or_socket_that_cannot_be_made_is_78() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    ends_with(&serve(&[("STRIPE_SECRET_KEY", KEY)], &file.join("state")).output().unwrap(), 78, "state directory");
    let nowhere = dir.path().join("nowhere/control.sock");
    let env = [("STRIPE_SECRET_KEY", KEY), ("PAYOUTD_SOCKET", nowhere.to_str().unwrap())];
    ends_with(&serve(&env, dir.path()).output().unwrap(), 78, "control socket");
}

#[test]
fn the_first_start_needs_a_key_and_later_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    ends_with(&serve(&[], dir.path()).output().unwrap(), 78, "STRIPE_SECRET_KEY is not set");
    let running = Running::start(serve(&[("STRIPE_SECRET_KEY", KEY)], dir.path()));
    assert_eq!(running.stop(Signal::SIGTERM), Some(0));
    let keyless = Running::start(serve(&[], dir.path()));
    assert_eq!(keyless.stop(Signal::SIGINT), Some(0));
    let live = [("STRIPE_SECRET_KEY", "sk_live_0123456789"), ("STRIPE_API_BASE", "https://127.0.0.1:9")];
    ends_with(&serve(&live, dir.path()).output().unwrap(), 78, "test mode");
}

#[test]
fn a_second_daemon_is_78_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("STRIPE_SECRET_KEY", KEY)];
    let first = Running::start(serve(&env, dir.path()));
    ends_with(&serve(&env, dir.path()).output().unwrap(), 78, "another payoutd");
    let elsewhere = tempfile::tempdir().unwrap();
    let books = format!("sqlite://{}", dir.path().join("payoutd.sqlite").display());
    let same_books = [("STRIPE_SECRET_KEY", KEY), ("DATABASE_URL", books.as_str())];
    ends_with(&serve(&same_books, elsewhere.path()).output().unwrap(), 78, "another payoutd");
    assert_eq!(first.stop(Signal::SIGTERM), Some(0));
    assert_eq!(Running::start(serve(&env, dir.path())).stop(Signal::SIGTERM), Some(0));
}

#[test]
fn systemd_is_told_that_it_serves_and_for_how_long_it_may_await_what_is_on_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = systemd.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let env = [
        ("STRIPE_SECRET_KEY", KEY),
        ("PAYOUTD_REQUEST_TIMEOUT_MS", "120000"),
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
    ];
    let running = Running::start(serve(&env, dir.path()));
    assert!(told().lines().any(|line| line == "READY=1"));
    assert_eq!(running.stop(Signal::SIGTERM), Some(0));
    let stopping = told();
    assert!(stopping.lines().any(|line| line == "STOPPING=1"), "{stopping}");
    let most_us = stopping.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")).unwrap();
    assert!(most_us.parse::<u64>().unwrap() > 120_000_000, "{stopping}");
}

#[test]
fn a_database_that_cannot_be_reached_is_75_and_one_that_is_none_78() {
    let dir = tempfile::tempdir().unwrap();
    let away = [("STRIPE_SECRET_KEY", KEY), ("DATABASE_URL", "postgres://me:secret@127.0.0.1:9/books")];
    let output = serve(&away, dir.path()).output().unwrap();
    ends_with(&output, 75, "cannot be reached");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
    std::fs::write(dir.path().join("payoutd.sqlite"), "this is no database, whatever its name says. ".repeat(50))
        .unwrap();
    ends_with(&serve(&[("STRIPE_SECRET_KEY", KEY)], dir.path()).output().unwrap(), 78, "payoutd.sqlite");
}

#[test]
fn a_secret_is_64_hex_digits_and_new_each_time() {
    let secret = || String::from_utf8(payoutd(&[], &["secret", "new"]).output().unwrap().stdout).unwrap();
    let (first, second) = (secret(), secret());
    assert!(first.trim_end().len() == 64 && first.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(first, second);
}

#[test]
fn a_schema_is_checked_without_being_changed_and_then_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let migrate = |args: &[&str]| {
        let all = [&["migrate", "--state-dir", dir.path().to_str().unwrap()], args].concat();
        payoutd(&[], &all).output().unwrap().status.code()
    };
    assert_eq!(migrate(&["--check"]), Some(78));
    assert!(!dir.path().join("payoutd.sqlite").exists());
    assert_eq!((migrate(&[]), migrate(&[]), migrate(&["--check"])), (Some(0), Some(0), Some(0)));
    ends_with(&serve(&[], dir.path()).output().unwrap(), 78, "no daemon has used this database");
}

#[test]
fn the_settings_are_explained_with_their_secrets_masked() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["config", "explain", "--state-dir", dir.path().to_str().unwrap()];
    let output = payoutd(&[("STRIPE_SECRET_KEY", "sk_test_verysecret")], &args).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("STRIPE_SECRET_KEY") && said.contains("PAYOUT_TIMEZONE") && !said.contains("verysecret"));
}
