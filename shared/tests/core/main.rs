//! The laws of the pure core: tables, properties and examples, in one binary. A failure names the law and the cell.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod absences;
mod answers;
mod approvals;
mod books;
mod breakers;
mod calendar;
mod charges;
mod claims;
mod cohorts;
mod documented;
mod earnings;
mod entries;
mod keys;
mod money;
mod payouts;
mod plans;
mod policies;
mod retries;
mod roles;
mod rollbacks;
mod runs;
mod short;
mod sweeps;
mod tables;
mod waits;
mod witness;
mod words;
