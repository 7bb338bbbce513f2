//! What a seed is fond of. All seeds do everything; each of these does some of it much more often, so that a few hundred seeds reach what
//! needs several unlikely things in a row.
use super::fault::Fault;

/// What may happen in a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// The next money requests meet something.
    Wire,
    /// Webhooks come.
    Mail,
    /// Something becomes of a daemon, its database, its clock.
    Daemon,
    /// People decide something.
    People,
    /// Customers, banks and Stripe.
    Market,
    /// Somebody works at Stripe past us.
    Hand,
    /// Days pass, and a cycle is due.
    Cycle,
    /// One payout is lain in wait for.
    Ambush,
}

pub(super) struct Profile {
    pub(super) name: &'static str,
    /// From created to paid at Stripe, milliseconds.
    pub(super) settle_ms: u64,
    /// What an account holds at Stripe beyond what was earned, minor units.
    pub(super) surplus_minor: i64,
    /// How much time may pass in a step, milliseconds.
    pub(super) times_ms: &'static [i64],
    pub(super) acts: [(Act, u32); 8],
    /// What money requests meet, and how often; all others once in a while.
    pub(super) wire: &'static [(Fault, u32)],
    /// What goes wrong at the bank's.
    pub(super) bank: &'static str,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

const fn acts(weights: [u32; 8]) -> [(Act, u32); 8] {
    [
        (Act::Wire, weights[0]),
        (Act::Mail, weights[1]),
        (Act::Daemon, weights[2]),
        (Act::People, weights[3]),
        (Act::Market, weights[4]),
        (Act::Hand, weights[5]),
        (Act::Cycle, weights[6]),
        (Act::Ambush, weights[7]),
    ]
}

const BANK: &str = "paid-then-failed=15,reversal-refused=10,reversal-fails=20";
const HELD: &[(Fault, u32)] = &[(Fault::HeldAfter, 8), (Fault::HeldBefore, 3), (Fault::Limited, 2)];
const REFUSED: &[(Fault, u32)] = &[(Fault::Refused, 10)];
const COPIED: &[(Fault, u32)] = &[(Fault::Copied, 12), (Fault::LockTimeout, 2)];

const PROFILES: [Profile; 8] = [
    Profile {
        name: "of everything",
        settle_ms: 600_000,
        surplus_minor: 100_000,
        times_ms: &[5, 50, 500, 1_000, 3_000, 20_000, HOUR_MS],
        acts: acts([22, 18, 18, 18, 12, 6, 6, 6]),
        wire: &[],
        bank: BANK,
    },
    Profile {
        name: "a bank that is faster than the answer",
        settle_ms: 5_000,
        surplus_minor: 100_000,
        times_ms: &[5, 50, 500, 1_000, 2_000, 3_000],
        acts: acts([24, 30, 14, 14, 8, 6, 4, 14]),
        wire: HELD,
        bank: "paid-then-failed=30,reversal-refused=5,reversal-fails=30",
    },
    Profile {
        name: "daemons that fight",
        settle_ms: 20_000,
        surplus_minor: 20_000,
        times_ms: &[50, 500, 1_000, 3_000, 6_000, 20_000],
        acts: acts([20, 24, 30, 10, 6, 6, 4, 12]),
        wire: HELD,
        bank: BANK,
    },
    Profile {
        name: "causes that pass, and retries",
        settle_ms: 60_000,
        surplus_minor: 100_000,
        times_ms: &[50, 500, 1_000, 3_000, 20_000, HOUR_MS / 4],
        acts: acts([26, 16, 12, 28, 6, 4, 8, 12]),
        wire: REFUSED,
        bank: BANK,
    },
    Profile {
        name: "requests that the network repeats",
        settle_ms: 30_000,
        surplus_minor: 100_000,
        times_ms: &[5, 500, 3_000, 8_000, 12_000, 20_000],
        acts: acts([26, 26, 10, 14, 6, 14, 4, 14]),
        wire: COPIED,
        bank: "paid-then-failed=30,reversal-refused=5,reversal-fails=20",
    },
    Profile {
        name: "people who take back",
        settle_ms: 3 * HOUR_MS.cast_unsigned(),
        surplus_minor: 100_000,
        times_ms: &[500, 3_000, 20_000, HOUR_MS / 6, HOUR_MS / 4, HOUR_MS / 2],
        acts: acts([14, 16, 12, 36, 6, 8, 8, 8]),
        wire: &[(Fault::ExecutedThenDropped, 4), (Fault::HeldAfter, 4)],
        bank: "paid-then-failed=45,reversal-refused=5,reversal-fails=25",
    },
    Profile {
        name: "months of a marketplace",
        settle_ms: DAY_MS.cast_unsigned(),
        surplus_minor: 3_000,
        times_ms: &[1_000, 20_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS],
        acts: acts([12, 22, 10, 12, 26, 4, 14, 6]),
        wire: &[],
        bank: BANK,
    },
    Profile {
        name: "retries that fail again",
        settle_ms: 4_000,
        surplus_minor: 100_000,
        times_ms: &[50, 500, 1_000, 3_000, 20_000],
        acts: acts([24, 26, 14, 26, 2, 4, 4, 18]),
        wire: &[(Fault::Refused, 6), (Fault::HeldAfter, 3), (Fault::Copied, 3), (Fault::ServerErrorRolledForward, 2)],
        bank: "paid-then-failed=20,reversal-refused=5,reversal-fails=20",
    },
];

/// What this seed is fond of.
pub(super) const fn of(seed: u64) -> &'static Profile {
    #[allow(clippy::cast_possible_truncation, reason = "below eight")]
    let place = (seed % PROFILES.len() as u64) as usize;
    &PROFILES[place]
}
