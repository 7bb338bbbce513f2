//! The control API: what the console and the commands say to the daemon over its Unix socket.
//!
//! Who comes in: the daemon's control door and the console. Whom it may call: the core. It decides nothing.

/// Generated from `payoutd/v1/control.proto`.
#[allow(clippy::all, clippy::pedantic, clippy::too_many_lines, missing_debug_implementations, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("payoutd.v1");
}

/// The descriptors of the API, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/control.bin"));

mod convert;
