//! payoutd: pays a marketplace's creators through Stripe Connect on the 1st and the 15th.
//!
//! Doors record, the engine works, the journal tells. See docs/architecture.md.
mod app;
pub mod clock;
pub mod config;
pub mod desk;
pub mod doors;
pub mod engine;
pub mod health;
pub mod logging;
pub mod store;
pub mod stripe;
pub mod systemd;
pub mod tell;
pub mod wake;

pub use app::main;
pub mod witness;
