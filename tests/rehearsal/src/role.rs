//! The programs that the rehearsal starts: this binary again, as another process, with the production arguments behind `--as ROLE`.
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::{ExitCode, Stdio},
};
use tokio::process::Command;

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `payoutd`, the daemon.
    Daemon,
    /// `payout`, the console and the commands.
    Payout,
    /// `stripe-twin`.
    Twin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Daemon, Self::Payout, Self::Twin];

    /// The program's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daemon => "payoutd",
            Self::Payout => "payout",
            Self::Twin => "stripe-twin",
        }
    }

    /// Becomes the program in this process. It ends with the rehearsal, whatever ends that.
    pub fn run(self, args: impl Iterator<Item = OsString>) -> ExitCode {
        // A console gives the terminal back first.
        let signal = match self {
            Self::Payout => nix::sys::signal::Signal::SIGTERM,
            Self::Daemon | Self::Twin => nix::sys::signal::Signal::SIGKILL,
        };
        if let Err(error) = nix::sys::prctl::set_pdeathsig(signal) {
            eprintln!("rehearsal: {} may outlive the rehearsal: {error}", self.name());
        }
        let args = std::iter::once(OsString::from(self.name())).chain(args);
        match self {
            Self::Daemon => payoutd::main(args),
            Self::Payout => payout::main(args),
            Self::Twin => stripe_twin::main(args),
        }
    }

    /// A process that becomes the program: `program --as ROLE ARGS…`, nothing on its standard input.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(self, program: &PathBuf, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program);
        command.arg("--as").arg(self.name()).args(args).stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// The role that the arguments ask for: `PROGRAM --as ROLE …`.
#[must_use]
pub fn asked_for(args: &[OsString]) -> Option<Role> {
    let name = args.get(2).filter(|_| args.get(1).is_some_and(|flag| flag == "--as"))?;
    Role::ALL.into_iter().find(|role| name == role.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_as_with_a_known_name_is_a_role() {
        let asked = |text: &str| asked_for(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("rehearsal --as payoutd serve"), Some(Role::Daemon));
        assert_eq!(asked("rehearsal --as payout"), Some(Role::Payout));
        assert_eq!(asked("rehearsal --as stripe-twin --listen 127.0.0.1:0"), Some(Role::Twin));
        assert_eq!(asked("rehearsal --headless --as payoutd"), None);
        assert_eq!(asked("rehearsal --as else"), None);
        assert_eq!(asked("rehearsal --as"), None);
    }
}
