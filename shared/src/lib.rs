//! The pure core of payoutd: the words both sides speak and every decision about money.
//!
//! Who comes in: the daemon, the protocol crate, the console and tests. Whom it may call: nobody. It knows no clock,
//! no randomness, no files, no network and no database; its Cargo.toml is the proof. What it is not told, it doesn't know.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::wildcard_enum_match_arm
)]

pub mod absence;
pub mod adopt;
pub mod answer;
pub mod approval;
pub mod attempt;
pub mod books;
pub mod breaker;
pub mod calendar;
pub mod canary;
pub mod claim;
pub mod cohort;
pub mod consequence;
pub mod currency;
pub mod earning;
pub mod entries;
pub mod holding;
pub mod id;
pub mod journal;
pub mod money;
pub mod payout;
pub mod plan;
pub mod policy;
pub mod retry;
pub mod roles;
pub mod rollback;
pub mod run;
pub mod short;
pub mod sweep;
pub mod undo;
pub mod witness;
