//! Remembering: a database that was restored from a backup has forgotten what was paid since. It is recognised by what is kept of its journal
//! outside it, or by a payout that carries a key of ours which it doesn't hold; then nothing is planned, sent, voided or taken back until
//! Stripe was asked for everything again.
use super::{Engine, lead::Lease};
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        types::{By, Reconcile},
    },
    witness::Looked,
};

/// The journal's place is looked at and kept this often, milliseconds.
const LOOK_MS: i64 = 1_000;

/// What is known of the books' own memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    look_at: BootMs,
    catch_up_at: BootMs,
    reconcile: Option<Reconcile>,
}

impl Engine {
    /// These books are a backup, and haven't caught up yet.
    pub(super) const fn is_kept_back(&self) -> bool {
        self.memory.reconcile.is_some()
    }

    /// Looks at where the journal stands: once a second, and in each pass before the lease is taken.
    pub(super) async fn remember(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        if self.lease.is_some() && now < self.memory.look_at {
            return Ok(());
        }
        let Looked { reconcile, not_kept } = match &self.parts.witness {
            Some(witness) => witness.look(&self.parts.store).await?,
            None => Looked { reconcile: self.parts.store.standing(0).await?.2, not_kept: None },
        };
        self.memory.look_at = now.plus_ms(LOOK_MS);
        let health = &self.parts.health;
        let told = match &not_kept {
            Some(sentence) => health.bad(Topic::Witness, sentence),
            None => health.good(Topic::Witness),
        };
        let news = match &reconcile {
            Some(Reconcile { why, .. }) => health.bad(
                Topic::Restored,
                format!("this database was restored from a backup ({why}): nothing leaves until it has caught up with Stripe and somebody resumes"),
            ),
            None => health.good(Topic::Restored),
        };
        if let Some(why) = not_kept.filter(|_| told) {
            tracing::error!(why, "the journal has no witness");
        }
        if news {
            match &reconcile {
                Some(Reconcile { why, from_ms, .. }) => {
                    tracing::error!(
                        why,
                        from_ms,
                        "this database was restored from a backup: nothing leaves until it has caught up"
                    );
                }
                None => tracing::info!("the books have caught up with Stripe: paused until somebody has looked"),
            }
        }
        if told || news {
            self.parts.changed.tell();
        }
        self.memory.reconcile = reconcile;
        Ok(())
    }

    /// Asks Stripe for everything again that these books may have forgotten; once it is there, people take over.
    pub(super) async fn catch_up(&mut self, lease: Lease) -> Result<(), StoreError> {
        let now = self.parts.clock.boot();
        let Some(Reconcile { since_ms, from_ms, .. }) = self.memory.reconcile.clone() else { return Ok(()) };
        if self.stopping || now < self.memory.catch_up_at {
            return Ok(());
        }
        self.memory.catch_up_at = now.plus_ms(LOOK_MS);
        let mut is_done = true;
        for sweep in self.parts.store.sweeps().await? {
            if !sweep.was_wanted_since(since_ms, from_ms) {
                self.parts.store.want_sweep(sweep.kind, from_ms, &By::Engine).await?;
                is_done = false;
            }
            is_done &= !sweep.is_wanted;
        }
        // What was asked for is in the books only once it was looked at.
        if is_done
            && self.parts.store.inbox_backlog().await? == 0
            && self.parts.store.clear_restored(lease.fence, since_ms).await?
        {
            self.memory.look_at = now;
            self.again = true;
        }
        Ok(())
    }
}
