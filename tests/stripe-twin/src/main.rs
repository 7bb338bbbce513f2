//! The binary: everything is in the library, so that other test programs can be the twin, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    stripe_twin::main(std::env::args_os())
}
