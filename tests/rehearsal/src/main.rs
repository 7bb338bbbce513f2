//! The binary `rehearsal`: see the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    rehearsal::main(std::env::args_os())
}
