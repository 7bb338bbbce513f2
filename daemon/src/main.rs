//! The daemon. Everything is in the library, so that tests can run it too.
fn main() -> std::process::ExitCode {
    payoutd::main(std::env::args_os())
}
