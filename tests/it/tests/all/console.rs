//! The console in a real terminal, with the daemon, the twin and `kill -9`: what an engineer on call does and sees.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time")]
use crate::{
    real::{PROGRAM, alone},
    terminal::Terminal,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Building the market, two processes and the import, on a busy machine.
const UP: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(20);
/// What the console promises, and what a busy machine may add to it.
const LOST_WITHIN: Duration = Duration::from_millis(1500);
const BACK_WITHIN: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(700);

/// A rehearsal with the console in a terminal.
struct Watched {
    terminal: Terminal,
    dir: PathBuf,
    _parent: tempfile::TempDir,
}

impl Watched {
    fn start(columns: u16, rows: u16, creators: u32) -> Self {
        Self::start_with(columns, rows, creators, "")
    }

    fn start_with(columns: u16, rows: u16, creators: u32, more: &str) -> Self {
        let parent = tempfile::Builder::new().prefix("c").tempdir_in("/tmp").unwrap();
        let dir = parent.path().join("r");
        let command =
            format!("{PROGRAM} --creators {creators} --speed 5 {more} --dir {}; echo ended with $?", dir.display());
        let watched = Self { terminal: Terminal::open(columns, rows, &command), dir, _parent: parent };
        watched.terminal.wait_for("the live run", UP, |screen| screen.contains("[TEST]") && screen.contains("RUNNING"));
        watched
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join("run").join(name)).unwrap().trim().to_owned()
    }

    /// Payouts that the twin has executed.
    fn executed(&self) -> u64 {
        let address = self.read("twin.url").trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /_twin/stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()["executed"].as_u64().unwrap()
    }

    fn kill_daemon(&self) -> String {
        let pid = self.read("payoutd.pid");
        kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        pid
    }

    /// Until a daemon that isn't this one takes connections.
    fn wait_for_another(&self, pid: &str) {
        let deadline = Instant::now() + SOON;
        let socket = self.dir.join("run/control.sock");
        while self.read("payoutd.pid") == pid || UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "the daemon didn't come back");
            std::thread::yield_now();
        }
    }

    fn pause(&self) {
        self.terminal.keys(&["p"]);
        self.terminal
            .wait_for("the dialog", SOON, |screen| screen.contains("y ") && screen.to_lowercase().contains("pause"));
        self.terminal.keys(&["y"]);
        self.terminal.wait_for("paused", SOON, |screen| first_line(screen).contains(" PAUSED"));
    }

    /// The ledger doesn't grow while the console's clock goes on for some seconds.
    fn stands_still(&self) {
        let before = self.executed();
        self.seconds_pass(3, &self.terminal.screen());
        assert_eq!(self.executed(), before, "money left while paused");
    }

    /// The console's clock goes on by so much: keys right after a dialog opened are dropped, and the next second may begin at once.
    fn seconds_pass(&self, seconds: u32, screen: &str) {
        let mut clock = clock(screen);
        for _ in 0..seconds {
            let (_, screen) = self.terminal.wait_for("the clock", SOON, |screen| self::clock(screen) != clock);
            clock = self::clock(&screen);
        }
    }

    fn resume(&self) {
        self.terminal.keys(&["R"]);
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let (_, screen) = self.terminal.wait_for("the dialog", SOON, |screen| screen.to_lowercase().contains("resume"));
        self.seconds_pass(2, &screen);
        self.terminal.keys(&[&date, "Tab", "done", "Tab", "y"]);
        self.terminal.wait_for("running again", SOON, |screen| first_line(screen).contains(" RUNNING"));
    }

    /// `B`: the preview's own word, a reason, `y`.
    fn take_back(&self) {
        self.terminal.keys(&["B"]);
        let (_, screen) = self.terminal.wait_for("the preview", SOON, |screen| screen.contains("type ROLLBACK "));
        let (_, rest) = screen.split_once("type ROLLBACK ").unwrap();
        let count: String = rest.chars().take_while(char::is_ascii_digit).collect();
        assert_ne!(count, "0", "{screen}");
        self.seconds_pass(2, &screen);
        self.terminal.keys(&[&format!("ROLLBACK {count}"), "Tab", "wrong amounts in the file", "Tab", "y"]);
        self.terminal.wait_for("it is taken back", SOON, |screen| first_line(screen).contains(" ABORT"));
    }

    fn quit(&self) {
        self.terminal.keys(&["C-c"]);
        self.ends_well();
    }

    fn ends_well(&self) {
        let (_, screen) = self.terminal.wait_for("the end", UP, |screen| code(screen).is_some());
        assert_eq!(code(&screen), Some("0"), "{screen}");
        assert!(screen.contains("good: the books equal what Stripe executed"), "{screen}");
    }
}

/// What the shell says after the rehearsal.
fn code(screen: &str) -> Option<&str> {
    screen.lines().find_map(|line| line.strip_prefix("ended with ")).map(str::trim)
}

fn first_line(screen: &str) -> &str {
    screen.lines().next().unwrap_or_default()
}

/// The clock on the screen; the console draws it anew each second.
fn clock(screen: &str) -> String {
    let at = screen.find("UTC ").map_or("", |at| &screen[at..]);
    at.chars().take("UTC 06:03:41".len()).collect()
}

fn two_keys_pause_and_nothing_leaves_until_resumed(columns: u16, rows: u16) {
    let _alone = alone();
    let watched = Watched::start(columns, rows, 1500);
    watched.pause();
    watched.stands_still();
    watched.resume();
    let before = watched.executed();
    watched.terminal.wait_for("more payouts", SOON, |_| watched.executed() > before);
    watched.quit();
}

#[test]
fn two_keys_pause_and_nothing_leaves_until_resumed_at_80x24() {
    two_keys_pause_and_nothing_leaves_until_resumed(80, 24);
}

#[test]
fn two_keys_pause_and_nothing_leaves_until_resumed_at_140x40() {
    two_keys_pause_and_nothing_leaves_until_resumed(140, 40);
}

#[test]
fn a_half_finished_run_is_taken_back_from_the_console_and_the_books_equal_what_stripe_did() {
    let _alone = alone();
    // Stripe keeps them pending: what is shown stays true while it is typed, and all of them can be canceled.
    let watched = Watched::start_with(80, 24, 1500, "--settle-ms 600000");
    watched.terminal.wait_for("payouts", SOON, |_| watched.executed() > 50);
    watched.pause();
    watched.take_back();
    let (_, screen) = watched.terminal.wait_for("all is back", UP, |screen| screen.contains(" ABORTED "));
    assert!(screen.contains("sent 0 "), "{screen}");
    watched.quit();
}

fn a_dead_daemon_is_seen_without_a_key_and_its_return_too(columns: u16, rows: u16) {
    let _alone = alone();
    let watched = Watched::start(columns, rows, 1500);
    watched.terminal.keys(&["2", "/", "state=paid,pending,in_transit", "Enter"]);
    watched.terminal.wait_for("the filter", SOON, |screen| screen.contains("state=paid"));
    let pid = watched.kill_daemon();
    let (lost, _) = watched.terminal.wait_for("LOST", SOON, |screen| first_line(screen).contains("LOST"));
    assert!(lost <= LOST_WITHIN + BUSY, "seen after {lost:?}");
    watched.wait_for_another(&pid);
    let (back, screen) = watched.terminal.wait_for("the data", SOON, |screen| first_line(screen).contains("data "));
    assert!(back <= BACK_WITHIN + BUSY, "back after {back:?}");
    assert!(screen.contains("state=paid"), "the filter is gone:\n{screen}");
    watched.quit();
}

#[test]
fn a_dead_daemon_is_seen_without_a_key_and_its_return_too_at_80x24() {
    a_dead_daemon_is_seen_without_a_key_and_its_return_too(80, 24);
}

#[test]
fn a_dead_daemon_is_seen_without_a_key_and_its_return_too_at_140x40() {
    a_dead_daemon_is_seen_without_a_key_and_its_return_too(140, 40);
}

#[test]
fn the_console_quits_while_the_daemon_is_dead() {
    let _alone = alone();
    let watched = Watched::start(80, 24, 1500);
    watched.kill_daemon();
    watched.terminal.wait_for("LOST", SOON, |screen| first_line(screen).contains("LOST"));
    let started = Instant::now();
    watched.terminal.keys(&["q"]);
    watched.terminal.wait_for("the console is gone", SOON, |screen| screen.contains("the console was left"));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    watched.ends_well();
}
