//! The binary that the integration tests start as real processes: the rehearsal, and behind `--as ROLE` each of the programs.
use std::process::ExitCode;

fn main() -> ExitCode {
    rehearsal::main(std::env::args_os())
}
