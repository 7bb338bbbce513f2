//! The console's tests: keys, snapshots of screens, cursors, sizes, and the link against a server on a real Unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cohorts;
mod fake;
mod fixtures;
mod keys;
mod link;
mod pause;
mod program;
mod property;
mod requests;
mod rollback;
mod snapshots;
mod words;
