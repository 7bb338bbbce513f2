//! The doors: where things come in. Each checks, records in the store, wakes the engine, and answers. That is all.
//!
//! Who comes in: people (control), Stripe (webhooks), time (schedule). Whom they may call: the store, the desk, the watch stream.
//! Absent on purpose: no door calls the engine and waits, and none asks Stripe for anything but an object that somebody names, and the time.
pub mod control;
pub mod import;
pub mod schedule;
mod seats;
pub mod webhooks;
