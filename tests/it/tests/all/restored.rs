//! A backup put in the place of newer books, with real programs: the daemon says so, catches up, and nobody is paid again.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time")]
use crate::{
    databases::Database,
    real::{PROGRAM, alone},
    watched::{SOON, UP, Watched, first_line},
};
use std::{path::PathBuf, process::Command, time::Instant};

impl Watched {
    fn books(&self) -> PathBuf {
        self.dir.join("state/payoutd.sqlite")
    }

    /// A command of the console's binary; what it printed, when it went well.
    fn payout(&self, args: &[&str]) -> String {
        let socket = self.dir.join("run/control.sock");
        let output =
            Command::new(PROGRAM).args(["--as", "payout", "--socket"]).arg(socket).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "payout {args:?}: {}{said}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// kill -9, and other books in the place of those before it is started again.
    fn restore(&self, backup: &std::path::Path) {
        let pid = self.kill_daemon();
        let deadline = Instant::now() + SOON;
        while std::path::Path::new(&format!("/proc/{pid}")).exists() {
            assert!(Instant::now() < deadline, "the daemon doesn't die");
            std::thread::yield_now();
        }
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.books().display()));
        }
        std::fs::rename(backup, self.books()).unwrap();
        self.wait_for_another(&pid);
    }
}

#[test]
fn a_backup_from_the_middle_of_a_run_pays_nobody_again() {
    let _alone = alone();
    let watched = Watched::start(80, 24, 600);
    watched.terminal.wait_for("payouts", SOON, |_| watched.executed() > 50);
    watched.pause();
    let backup = watched.dir.join("backup.sqlite");
    let books = Database::at(&watched.books());
    let copy = format!("VACUUM INTO '{}'", backup.display());
    tokio::runtime::Runtime::new().unwrap().block_on(books.execute(&copy));
    let at_backup = watched.executed();
    watched.resume();
    watched.terminal.wait_for("the end of the run", UP, |screen| first_line(screen).contains("NO OPEN RUN"));
    let executed = watched.executed();
    assert!(executed > at_backup + 100, "{at_backup} {executed}");

    watched.restore(&backup);
    watched.terminal.wait_for("it is recognised", SOON, |screen| first_line(screen).contains("KEPT BACK"));
    watched.terminal.wait_for("it has caught up", UP, |screen| first_line(screen).contains(" PAUSED"));
    assert_eq!(watched.executed(), executed);
    assert!(watched.payout(&["status"]).contains("restored from a backup: holds"));
    let all = |screen: &str| first_line(screen).contains(" ALL PAUSED");
    watched.terminal.wait_for("a person is waited for", SOON, all);
    watched.payout(&["resume", "--reason", "the holds are set again"]);
    watched.terminal.wait_for("only the run is paused", SOON, |screen| !all(screen));
    watched.resume();
    watched.terminal.wait_for("the end of the run", UP, |screen| first_line(screen).contains("NO OPEN RUN"));
    assert_eq!(watched.executed(), executed, "somebody was paid again");

    watched.payout(&["adopt", "--restored", "--reason", "the backup of this morning"]);
    let left: serde_json::Value = serde_json::from_str(&watched.payout(&["payouts", "--foreign", "--json"])).unwrap();
    assert_eq!(left["foreign"], serde_json::json!([]));
    assert!(watched.payout(&["books"]).contains("clean"));
    assert_eq!(watched.executed(), executed);
    watched.terminal.keys(&["C-c"]);
}
