//! What tests with real processes share: the rehearsal as a process, one at a time.
use std::{
    path::Path,
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The binary of this package: the rehearsal, and behind `--as ROLE` each program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_it");

/// One rehearsal at a time: three busy processes each, and some of what is looked at is time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a rehearsal ended.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) all: String,
}

impl Rehearsed {
    /// Runs `rehearsal --headless …` to its end.
    pub(crate) fn of(args: &str) -> Self {
        let _alone = alone();
        // What a rehearsal keeps for people goes with the test.
        let dir = tempfile::Builder::new().prefix("r").tempdir_in("/tmp").unwrap();
        let mut command = Command::new(PROGRAM);
        let output =
            command.arg("--headless").args(args.split_whitespace()).env("TMPDIR", dir.path()).output().unwrap();
        Self::from(output)
    }

    fn from(output: Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        Self { code: output.status.code(), stdout, all }
    }

    /// The books equal what Stripe executed, and something was executed.
    pub(crate) fn must_be_good(&self) {
        assert_eq!(self.code, Some(0), "{}", self.all);
        let compared = self.line("compared");
        assert!(compared.ends_with("equal") && !compared.starts_with("compared     0 rows"), "{}", self.all);
        assert!(self.line("result").contains("good"), "{}", self.all);
    }

    /// The line of the summary that begins so.
    pub(crate) fn line(&self, title: &str) -> &str {
        let found = self.stdout.lines().find(|line| line.starts_with(title));
        found.unwrap_or_else(|| panic!("no line {title}: {}", self.all))
    }
}

/// A file of earnings: one creator a row, each with this net.
pub(crate) fn write_earnings(path: &Path, nets: &[i64]) {
    let mut text =
        "creator_id,stripe_account_id,country,currency,gross_minor,fee_minor,earned_at,source_id,available_on\n"
            .to_owned();
    for (n, net) in nets.iter().enumerate() {
        let row = format!("c{n},acct_it{n},US,usd,{net},0,2026-01-05T10:00:00Z,ch_it{n},2026-01-07T00:00:00Z\n");
        text.push_str(&row);
    }
    std::fs::write(path, text).unwrap();
}
