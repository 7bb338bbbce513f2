//! When Stripe holds less in a purse than is payable: what of it is paid now. Pure; the database writes what is chosen here and checks
//! its sum again.
/// What is known of a purse's balance at Stripe says something about now only when it is at most this old, milliseconds. An older one
/// misses what became available since, so it bounds nothing: the balance is read again before the send anyway.
pub const FRESH_MS: i64 = 60_000;

/// What a purse holds at Stripe (money's S), minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeFacts {
    /// Available there, minus our own sends that it can't show yet; may be negative.
    pub available_minor: i64,
    /// When it was asked for, Unix milliseconds by our clock.
    pub read_at_ms: i64,
}

impl StripeFacts {
    /// It says something about this moment: neither too old nor, after a jump of the clock, from the future.
    #[must_use]
    pub const fn is_fresh(&self, now_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(self.read_at_ms);
        0 <= age_ms && age_ms <= FRESH_MS
    }
}

/// One entry that is payable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// When it was earned, Unix milliseconds.
    pub earned_at_ms: i64,
    /// Signed, minor units.
    pub amount_minor: i64,
}

/// What was chosen of a purse's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Their numbers, ascending.
    pub ids: Vec<i64>,
    /// Their sum: at most what Stripe holds, unless what is negative alone is more than that.
    pub sum_minor: i64,
}

/// All that is not positive, then the longest prefix of the positive ones by (time earned, number) with which the sum stays within
/// `available_minor`. The order in which the entries come makes no difference. `None` = the sums don't fit into 64 bits.
#[must_use]
pub fn fifo(entries: &[Entry], available_minor: i64) -> Option<Chosen> {
    let mut chosen = Chosen::default();
    let mut positive: Vec<&Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.amount_minor > 0 {
            positive.push(entry);
        } else {
            chosen.sum_minor = chosen.sum_minor.checked_add(entry.amount_minor)?;
            chosen.ids.push(entry.id);
        }
    }
    positive.sort_unstable_by_key(|entry| (entry.earned_at_ms, entry.id));
    for entry in positive {
        let sum_minor = chosen.sum_minor.checked_add(entry.amount_minor)?;
        if sum_minor > available_minor {
            break;
        }
        chosen.sum_minor = sum_minor;
        chosen.ids.push(entry.id);
    }
    chosen.ids.sort_unstable();
    Some(chosen)
}
