//! The doors from outside: a real Unix socket, real HTTP, a real database, a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]
mod cohorts;
mod control;
mod creators;
mod dated;
mod policies;
mod program;
mod requests;
mod roles;
mod rollback;
mod room;
mod schedule;
mod watch;
mod webhooks;
