//! Idempotency keys, as Stripe keeps them: the first status and body under a key, for 24 hours by the twin's Date.
//! Called by the world after the limiters and before any endpoint. Invariant: a stored answer is never changed.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::form::Form;

/// Keys younger than this are never forgotten.
pub(crate) const KEPT_MS: i64 = 24 * 3_600_000;

/// The longest key Stripe takes, in characters.
pub(crate) const KEY_CHARS_MAX: usize = 255;

/// What a key's request was; any difference is an idempotency error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) account: Option<String>,
    pub(crate) form: Form,
}

/// The answer kept under a key.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
}

#[derive(Debug)]
struct Entry {
    asked: Asked,
    since_ms: i64,
    busy: bool,
    kept: Option<Kept>,
}

/// What the store says to a request with a key.
#[derive(Debug)]
pub(crate) enum Seen {
    New,
    InUse,
    Mismatch,
    Replay(Kept),
}

/// `(scope, key)`: the scope is the connected account, or empty when keys belong to the whole platform.
pub(crate) type ScopedKey = (String, String);

/// All keys of one platform account.
#[derive(Debug, Default)]
pub(crate) struct KeyStore {
    entries: HashMap<ScopedKey, Entry>,
    order: VecDeque<(i64, ScopedKey)>,
}

impl KeyStore {
    pub(crate) fn look(&mut self, key: &ScopedKey, asked: &Asked, date_ms: i64) -> Seen {
        self.prune(date_ms);
        let Some(entry) = self.entries.get(key) else {
            return Seen::New;
        };
        if entry.busy {
            return Seen::InUse;
        }
        let Some(kept) = &entry.kept else {
            return Seen::New;
        };
        // The clock may have been set back and forth, so the queue's order alone can't be trusted.
        if date_ms.saturating_sub(entry.since_ms) >= KEPT_MS {
            self.entries.remove(key);
            return Seen::New;
        }
        if entry.asked != *asked {
            return Seen::Mismatch;
        }
        Seen::Replay(kept.clone())
    }

    /// Marks the key as executing.
    pub(crate) fn begin(&mut self, key: ScopedKey, asked: Asked, date_ms: i64) {
        self.entries.insert(key, Entry { asked, since_ms: date_ms, busy: true, kept: None });
    }

    /// Keeps the executed answer; the key stays in use until released.
    pub(crate) fn keep(&mut self, key: &ScopedKey, kept: Kept) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.kept = Some(kept);
            self.order.push_back((entry.since_ms, key.clone()));
        }
    }

    /// The request under this key has been answered.
    pub(crate) fn release(&mut self, key: &ScopedKey) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.busy = false;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn prune(&mut self, date_ms: i64) {
        while let Some((since_ms, key)) = self.order.front() {
            if date_ms.saturating_sub(*since_ms) < KEPT_MS {
                return;
            }
            let same = self.entries.get(key).is_some_and(|entry| entry.since_ms == *since_ms && !entry.busy);
            if same {
                self.entries.remove(key);
            }
            self.order.pop_front();
        }
    }
}
