//! What is wrong right now, one sentence a topic: shown in the header of every console. Up, degraded, nothing hidden.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What can be wrong, the gravest first: a screen with room for one sentence shows that. One is kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The database doesn't answer.
    Database,
    /// The books were restored from a backup: nothing leaves until they have caught up.
    Restored,
    /// The figures on screens aren't renewed.
    Figures,
    /// Another daemon holds the lease.
    Lease,
    /// No key, a refused one, or no answer.
    Stripe,
    /// Stripe's Date and ours are too far apart, or it isn't known.
    Clock,
    /// Armed, and yet it starts nothing: no cron secret, or a clock that can't be believed.
    Schedule,
    /// No webhook secret: webhooks are refused.
    Webhooks,
    /// A configured policy can't hold.
    Policies,
    /// Money lies at Stripe for nearly as long as it may.
    Holding,
    /// Stripe holds something else in a purse than the books say.
    Drift,
    /// Where the journal stands can't be kept outside the database.
    Witness,
    /// What webhooks may have lost can't be asked for.
    Sweeps,
    /// Logs can't be written.
    Logs,
}

/// The sentences. Cheap to clone; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Topic, String>>>);

impl Health {
    /// Says what is wrong; true when it wasn't said in these words before.
    pub fn bad(&self, topic: Topic, sentence: impl Into<String>) -> bool {
        let sentence = sentence.into();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(topic, sentence.clone()).is_none_or(|before| before != sentence)
    }

    /// It is well again; true when it wasn't before.
    pub fn good(&self, topic: Topic) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&topic).is_some()
    }

    /// Something is wrong about this topic.
    #[must_use]
    pub fn is_bad(&self, topic: Topic) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&topic)
    }

    /// Everything that is wrong, the gravest first; empty = all is well.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_everything_back_is_said_before_what_drifts() {
        let health = Health::default();
        health.bad(Topic::Drift, "a purse drifts");
        health.bad(Topic::Restored, "these books are a backup");
        assert_eq!(health.sentences(), ["these books are a backup", "a purse drifts"]);
    }
}
