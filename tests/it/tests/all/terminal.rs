//! A real terminal for tests: tmux, a server of its own, woken by what the program prints.
#![expect(clippy::disallowed_methods, reason = "real processes run in real time")]
use std::{
    io::Read,
    path::PathBuf,
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

/// One window of tmux with a program in it.
#[derive(Debug)]
pub(crate) struct Terminal {
    dir: tempfile::TempDir,
    /// Something was printed.
    printed: Receiver<()>,
}

impl Terminal {
    /// Runs a shell command in a window of this size.
    pub(crate) fn open(columns: u16, rows: u16, command: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        let pipe = dir.path().join("printed");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (tell, printed) = channel();
        let from = pipe.clone();
        std::thread::spawn(move || {
            // Opening waits for tmux to open the other end; a read of nothing means that the window is gone.
            let mut bytes = [0; 4096];
            let mut file = std::fs::File::open(from).unwrap();
            while file.read(&mut bytes).is_ok_and(|count| count > 0) && tell.send(()).is_ok() {}
        });
        let terminal = Self { dir, printed };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // The shell stays, so that what the program left on the screen can be read.
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "env",
            "-u",
            "TMUX",
            "bash",
            "--norc",
        ]);
        terminal.tmux(&["pipe-pane", "-O", &format!("exec cat > {}", pipe.display())]);
        terminal.keys(&[&format!("PS1='$ ' {command}"), "Enter"]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let socket: PathBuf = self.dir.path().join("tmux");
        let output =
            Command::new("tmux").args(["-u", "-S"]).arg(socket).args(args).env("LANG", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types, in tmux's names of keys.
    pub(crate) fn keys(&self, keys: &[&str]) {
        let words: Vec<&str> = ["send-keys", "--"].iter().chain(keys).copied().collect();
        self.tmux(&words);
    }

    /// What is on the screen now.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is so, looking whenever something was printed; how long that took.
    pub(crate) fn wait_for(&self, what: &str, within: Duration, so: impl Fn(&str) -> bool) -> (Duration, String) {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if so(&screen) {
                return (started.elapsed(), screen);
            }
            let left = within.saturating_sub(started.elapsed());
            // A second at most: the program may have printed while we looked.
            if left.is_zero() {
                panic!("{what}: not within {within:?}:\n{screen}");
            }
            let _ = self.printed.recv_timeout(left.min(Duration::from_secs(1)));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.dir.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
