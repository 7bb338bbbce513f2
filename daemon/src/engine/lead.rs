//! The lease: only its holder runs the engine. Its time is counted from before the renewal was asked, on a clock that counts suspend.
use super::Engine;
use crate::{
    clock::BootMs,
    health::Topic,
    store::{
        StoreError,
        types::{AttemptChange, By, Change, Fence},
    },
};
use payout_shared::{attempt::AttemptState, payout::PayoutEvent};

/// A lease in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) fence: Fence,
    /// Nothing leaves after this.
    pub(super) until: BootMs,
    renew_at: BootMs,
    /// What an earlier holder left on the wire is judged from here on; `None` = done.
    inherit_at: Option<BootMs>,
}

impl Engine {
    /// Takes or renews the lease; `None` = another daemon has it.
    pub(super) async fn lead(&mut self) -> Result<Option<Lease>, StoreError> {
        let (clock, ttl) = (self.parts.clock.clone(), self.parts.settings.lease_ms);
        let asked = clock.boot();
        match self.lease {
            Some(lease) if asked >= lease.until => {
                tracing::error!("the lease ran out before it was renewed (frozen, or the database was away)");
                self.lease = None;
            }
            Some(lease) if asked >= lease.renew_at => {
                self.parts.store.lease_renew(lease.fence, ttl).await?;
                self.lease = Some(Lease { until: asked.plus_ms(ttl), renew_at: asked.plus_ms(ttl / 3), ..lease });
            }
            Some(_) | None => {}
        }
        // One that stops takes the lease again only to record what it has on the wire.
        let needed = !self.stopping || !self.flying.is_empty() || !self.arrived.is_empty();
        if self.lease.is_none() && needed {
            let alone = self.parts.settings.alone;
            match self.parts.store.lease_acquire(&self.parts.settings.holder, ttl, alone).await? {
                None => {
                    self.parts.health.bad(Topic::Lease, "another daemon holds the lease and runs the engine");
                }
                Some((fence, wait)) => {
                    self.parts.health.good(Topic::Lease);
                    let quiet = if wait { ttl.saturating_add(self.parts.settings.request_timeout_ms) } else { 0 };
                    self.lease = Some(Lease {
                        fence,
                        until: asked.plus_ms(ttl),
                        renew_at: asked.plus_ms(ttl / 3),
                        inherit_at: Some(asked.plus_ms(quiet)),
                    });
                    tracing::info!(token = fence.0, quiet_ms = quiet, "the lease is ours");
                    self.parts.changed.tell();
                }
            }
        }
        Ok(self.lease)
    }

    /// Judges what is on the wire in the books but not in this process: a dead engine sent it, or was about to. Nobody knows: unknown.
    /// Waits until nothing of the old holder can leave or be answered any more.
    pub(super) async fn inherit(&mut self, lease: Lease) -> Result<(), StoreError> {
        let Some(at) = lease.inherit_at else { return Ok(()) };
        if self.parts.clock.boot() < at {
            return Ok(());
        }
        let now_ms = self.parts.clock.now_ms();
        let changes: Vec<Change> = self
            .parts
            .store
            .on_wire(lease.fence)
            .await?
            .into_iter()
            .filter(|(_, key, token)| !self.flying.contains(&(key.clone(), *token)) && !self.is_arrived(key, *token))
            .map(|(payout_id, key, token)| Change {
                event: Some(PayoutEvent::LoseAnswer),
                cause: Some("died_while_sending".to_owned()),
                failure_reason: Some(
                    "the daemon ended while the request was on its way; it is looked for at Stripe before it is sent again"
                        .to_owned(),
                ),
                attempt: Some(AttemptChange {
                    key,
                    state: Some(AttemptState::Unknown),
                    answered: true,
                    ambiguous: true,
                    ..AttemptChange::default()
                }),
                not_before_ms: Some(now_ms),
                detail: serde_json::json!({"token": token}),
                ..Change::new(payout_id, By::Engine)
            })
            .collect();
        if !changes.is_empty() {
            tracing::warn!(
                count = changes.len(),
                "requests were on the wire when the engine before this one ended: unknown"
            );
            self.write(lease, &changes).await?;
            self.parts.changed.tell();
        }
        if let Some(lease) = &mut self.lease {
            lease.inherit_at = None;
        }
        Ok(())
    }

    /// After a failed commit nobody knows what the books hold: look again at what is on the wire.
    pub(super) fn doubt(&mut self) {
        let now = self.parts.clock.boot();
        if let Some(lease) = &mut self.lease {
            lease.inherit_at = Some(lease.inherit_at.map_or(now, |at| at.max(now)));
        }
    }

    /// Gives the lease back, so that the next holder needn't wait; not while this one has to, for what may be on the wire from before it.
    pub(super) async fn give_back(&mut self) {
        let now = self.parts.clock.boot();
        let Some(lease) = self.lease.take() else { return };
        if lease.inherit_at.is_some_and(|at| now < at) {
            tracing::info!(
                "the lease is left to run out: what its holder before this one sent may still be on the wire"
            );
        } else if let Err(error) = self.parts.store.lease_give_back(lease.fence).await {
            tracing::warn!(%error, "the lease could not be given back: the next holder waits until it runs out");
        }
    }
}
