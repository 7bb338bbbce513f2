//! A faithful stand-in for the part of Stripe that a marketplace with payouts meets: real HTTP, real signatures, the refusals and failures of the real one.
//!
//! `World` decides, `Twin` locks it and speaks HTTP types, `serve` puts it on a socket with latency and faults.
//! It depends on no crate of the product: what it proves, it proves from outside.

mod account;
mod act;
mod args;
mod autopay;
mod backdoor;
mod books;
mod call;
mod clock;
mod control;
mod create;
mod currency;
mod deliver;
mod dispute;
mod errors;
mod eventlog;
mod events;
mod faults;
mod form;
mod hooks;
mod ids;
mod keys;
mod life;
mod lifecycle;
mod limits;
mod links;
mod lists;
mod live;
mod lost;
mod mail;
mod market;
mod moves;
mod openapi;
mod orders;
mod payout;
mod proof;
mod purse;
mod read;
mod refund;
mod routes;
mod sell;
mod serve;
mod settings;
mod shape;
mod shape_market;
mod spread;
mod stats;
mod twin;
mod txn;
mod undo;
mod wire;
mod world;

pub use account::{AccountSpec, BankSpec};
pub use args::main;
pub use books::AccountChange;
pub use clock::{Clock, Now};
pub use events::{Delivery, Event, sign};
pub use faults::{FAULTS, Fault, FaultPlan, Odds};
pub use life::{LifeEvent, life, life_accounts};
pub use limits::LimitProfile;
pub use live::{LifePlan, LifeSoFar};
pub use openapi::Findings;
pub use payout::{Payout, Status};
pub use proof::{Conservation, Outside};
pub use purse::Purse;
pub use serve::{Config, Handle, serve};
pub use spread::{Creator, Kind, Sale, spread};
pub use stats::{Reads, Stats, Webhooks};
pub use twin::{Late, Outcome, Twin, WebhookTarget, Wire};
pub use world::{KeyScope, Rules, Ticket};

/// The platform's own account.
pub const PLATFORM_ACCOUNT: &str = "acct_1TwinPlatform000";
/// The API key of a twin in test mode that was told no other.
pub const TEST_KEY: &str = "sk_test_twin00000000000000000000";
/// The API key of a twin in live mode that was told no other.
pub const LIVE_KEY: &str = "sk_live_twin00000000000000000000";
/// The API version that events are rendered in, and that requests get unless they ask for another.
pub const API_VERSION: &str = "2026-09-30.endive";
