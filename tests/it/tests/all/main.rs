//! All integration tests: one binary, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails by panicking, as the test does")]
mod blows;
mod console;
mod databases;
mod engine;
mod entries;
mod house;
mod killed;
mod real;
mod rehearsal;
mod restored;
mod size;
mod store;
mod terminal;
mod watched;
