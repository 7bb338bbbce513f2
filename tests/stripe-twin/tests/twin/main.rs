//! The twin's own proofs: its laws in process with a manual clock, random histories, and the wire over real sockets.
#![allow(clippy::unwrap_used)]

mod bench;
mod connect;
mod events;
mod faults;
mod history;
mod laws;
mod life;
mod market;
mod refusals;
mod undo;
mod webhooks;
mod wire;
