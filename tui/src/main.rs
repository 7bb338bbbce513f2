//! The binary `payout`: everything is in the library, so that tests can run it as a real process too.
fn main() -> std::process::ExitCode {
    payout::main(std::env::args_os())
}
