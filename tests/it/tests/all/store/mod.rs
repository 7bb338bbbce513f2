//! The store's laws, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]
mod accounts;
mod before;
mod books;
mod books_entries;
mod cohorts;
mod connections;
mod creators;
mod csv;
mod daemon;
mod dry_runs;
pub(crate) mod fixtures;
mod import;
mod inbox;
mod journal;
mod pages;
mod platform;
mod policies;
mod runs;
mod schema;
