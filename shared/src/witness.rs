//! The witness: where the journal stood is also kept outside the database, so that a database restored from a backup is recognised before it
//! pays anybody again.
use serde::{Deserialize, Serialize};

/// A restored database is asked about from so long before its last row on, milliseconds: longer than anything it knew of can have been on its
/// way, and as far back as Stripe lists events.
pub const HORIZON_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Where a journal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The hash of its first row: which database this is.
    pub first: String,
    /// The number of its newest row.
    pub seq: i64,
    /// The hash of its newest row.
    pub hash: String,
    /// When that was written, Unix milliseconds.
    pub at_ms: i64,
}

/// What a witness says of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Testimony {
    /// It goes on from where it was.
    GoesOn,
    /// It was cut off, or went on otherwise: a backup.
    Restored {
        /// One sentence.
        why: String,
        /// What happened from here on may be missing, Unix milliseconds.
        from_ms: i64,
    },
    /// It is another database's.
    Another,
}

/// Compares the journal with what was kept of it. `at_kept`: the hash of its row with the kept number, where it has one.
#[must_use]
pub fn judge(kept: &Head, now: &Head, at_kept: Option<&str>) -> Testimony {
    if kept.first != now.first {
        return Testimony::Another;
    }
    let why = if now.seq < kept.seq {
        format!("its journal ends at row {}, and was at row {}", now.seq, kept.seq)
    } else if at_kept == Some(kept.hash.as_str()) {
        return Testimony::GoesOn;
    } else {
        format!("row {} of its journal is not the one that was there", kept.seq)
    };
    Testimony::Restored { why, from_ms: kept.at_ms.min(now.at_ms).saturating_sub(HORIZON_MS) }
}
