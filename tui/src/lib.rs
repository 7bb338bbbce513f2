//! `payout`: the console of payoutd and its commands.
//!
//! Rooms: `app` (what is known and what a message changes; pure), `view` (from that to cells), `actions` (the one table of
//! keys), `link` (the way to the daemon), `term` (the terminal), `console` (the loop), `cli` (the commands), `text`.
//! Direction: `console` and `cli` see all; `view` sees `app`; `app` sees neither the terminal nor the network nor a clock.
pub mod actions;
pub mod app;
pub mod cli;
pub mod console;
pub mod link;
mod term;
pub mod text;
pub mod view;

use std::{ffi::OsString, process::ExitCode};

/// The whole program, for the binary and for tests that start it as a process of their own.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    cli::main(args)
}
