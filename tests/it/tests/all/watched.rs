//! A rehearsal with the console in a real terminal: what somebody on call types and sees.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time")]
use crate::{real::PROGRAM, terminal::Terminal};
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
pub(crate) const UP: Duration = Duration::from_secs(60);
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A rehearsal with the console in a terminal.
pub(crate) struct Watched {
    pub(crate) terminal: Terminal,
    pub(crate) dir: PathBuf,
    _parent: tempfile::TempDir,
}

impl Watched {
    pub(crate) fn start(columns: u16, rows: u16, creators: u32) -> Self {
        Self::start_with(columns, rows, creators, "")
    }

    pub(crate) fn start_with(columns: u16, rows: u16, creators: u32, more: &str) -> Self {
        let parent = tempfile::Builder::new().prefix("c").tempdir_in("/tmp").unwrap();
        let dir = parent.path().join("r");
        let command =
            format!("{PROGRAM} --creators {creators} --speed 5 {more} --dir {}; echo ended with $?", dir.display());
        let watched = Self { terminal: Terminal::open(columns, rows, &command), dir, _parent: parent };
        watched.terminal.wait_for("the live run", UP, |screen| screen.contains("[TEST]") && screen.contains("RUNNING"));
        watched
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join("run").join(name)).unwrap().trim().to_owned()
    }

    /// Payouts that the twin has executed.
    pub(crate) fn executed(&self) -> u64 {
        let address = self.read("twin.url").trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /_twin/stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()["executed"].as_u64().unwrap()
    }

    pub(crate) fn kill_daemon(&self) -> String {
        let pid = self.read("payoutd.pid");
        kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        pid
    }

    /// Until a daemon that isn't this one takes connections.
    pub(crate) fn wait_for_another(&self, pid: &str) {
        let deadline = Instant::now() + SOON;
        let socket = self.dir.join("run/control.sock");
        while self.read("payoutd.pid") == pid || UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "the daemon didn't come back");
            std::thread::yield_now();
        }
    }

    pub(crate) fn pause(&self) {
        self.terminal.keys(&["p"]);
        self.terminal
            .wait_for("the dialog", SOON, |screen| screen.contains("y ") && screen.to_lowercase().contains("pause"));
        self.terminal.keys(&["y"]);
        self.terminal.wait_for("paused", SOON, |screen| first_line(screen).contains(" PAUSED"));
    }

    /// The ledger doesn't grow while the console's clock goes on for some seconds.
    pub(crate) fn stands_still(&self) {
        let before = self.executed();
        self.seconds_pass(3, &self.terminal.screen());
        assert_eq!(self.executed(), before, "money left while paused");
    }

    /// The console's clock goes on by so much: keys right after a dialog opened are dropped, and the next second may begin at once.
    pub(crate) fn seconds_pass(&self, seconds: u32, screen: &str) {
        let mut clock = clock(screen);
        for _ in 0..seconds {
            let (_, screen) = self.terminal.wait_for("the clock", SOON, |screen| self::clock(screen) != clock);
            clock = self::clock(&screen);
        }
    }

    pub(crate) fn resume(&self) {
        self.terminal.keys(&["R"]);
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let (_, screen) = self.terminal.wait_for("the dialog", SOON, |screen| screen.to_lowercase().contains("resume"));
        self.seconds_pass(2, &screen);
        self.terminal.keys(&[&date, "Tab", "done", "Tab", "y"]);
        self.terminal.wait_for("running again", SOON, |screen| first_line(screen).contains(" RUNNING"));
    }

    /// `B`: the preview's own word, a reason, `y`.
    pub(crate) fn take_back(&self) {
        self.terminal.keys(&["B"]);
        let (_, screen) = self.terminal.wait_for("the preview", SOON, |screen| screen.contains("type ROLLBACK "));
        let (_, rest) = screen.split_once("type ROLLBACK ").unwrap();
        let count: String = rest.chars().take_while(char::is_ascii_digit).collect();
        assert_ne!(count, "0", "{screen}");
        self.seconds_pass(2, &screen);
        self.terminal.keys(&[&format!("ROLLBACK {count}"), "Tab", "wrong amounts in the file", "Tab", "y"]);
        self.terminal.wait_for("it is taken back", SOON, |screen| first_line(screen).contains(" ABORT"));
    }

    pub(crate) fn quit(&self) {
        self.terminal.keys(&["C-c"]);
        self.ends_well();
    }

    pub(crate) fn ends_well(&self) {
        let (_, screen) = self.terminal.wait_for("the end", UP, |screen| code(screen).is_some());
        assert_eq!(code(&screen), Some("0"), "{screen}");
        assert!(screen.contains("good: the books equal what Stripe executed"), "{screen}");
    }
}

/// What the shell says after the rehearsal.
fn code(screen: &str) -> Option<&str> {
    screen.lines().find_map(|line| line.strip_prefix("ended with ")).map(str::trim)
}

pub(crate) fn first_line(screen: &str) -> &str {
    screen.lines().next().unwrap_or_default()
}

/// The clock on the screen; the console draws it anew each second.
fn clock(screen: &str) -> String {
    let at = screen.find("UTC ").map_or("", |at| &screen[at..]);
    at.chars().take("UTC 06:03:41".len()).collect()
}
