//! The journal's chain: each row's hash covers the row and the hash before it, so that a changed row is found.
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// The hash before the first row.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One row: what happened, to what, by whom, why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Gapless number, from 1.
    pub seq: i64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `engine`, `schedule`, `webhook`, or a person as `user:NAME(UID)`.
    pub actor: String,
    /// The verb: `payout.move`, `run.pause`, `earnings.import`, …
    pub action: String,
    /// The run it concerns.
    pub run_id: Option<String>,
    /// The payout it concerns.
    pub payout_id: Option<String>,
    /// State before, for a change of state.
    pub from_state: Option<String>,
    /// State after, for a change of state.
    pub to_state: Option<String>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
    /// Anything more, as one JSON object in text; no secrets.
    pub detail: String,
}

impl Entry {
    /// SHA-256 over the hash before and every field, lengths included, as 64 hex digits.
    #[must_use]
    pub fn hash(&self, before: &str) -> String {
        let mut hasher = sha2::Sha256::new();
        let mut field = |text: Option<&str>| {
            // A length before each text: no two rows have the same bytes.
            hasher.update(text.map_or_else(|| "-".to_owned(), |text| format!("{}:", text.len())).as_bytes());
            hasher.update(text.unwrap_or_default().as_bytes());
        };
        field(Some(before));
        field(Some(&self.seq.to_string()));
        field(Some(&self.at_ms.to_string()));
        field(Some(&self.actor));
        field(Some(&self.action));
        field(self.run_id.as_deref());
        field(self.payout_id.as_deref());
        field(self.from_state.as_deref());
        field(self.to_state.as_deref());
        field(self.reason.as_deref());
        field(Some(&self.detail));
        hex::encode(hasher.finalize())
    }
}

/// Checks a stretch of the chain. `Err(seq)` names the first row whose number or hash isn't what it must be.
///
/// # Errors
/// The number of the first bad row.
pub fn verify(before: (i64, &str), rows: &[(Entry, String)]) -> Result<(), i64> {
    let (mut seq, mut hash) = (before.0, before.1.to_owned());
    for (row, stored) in rows {
        seq = seq.saturating_add(1);
        if row.seq != seq || row.hash(&hash) != *stored {
            return Err(row.seq);
        }
        hash.clone_from(stored);
    }
    Ok(())
}
