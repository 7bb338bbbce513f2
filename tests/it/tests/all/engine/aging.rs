//! The lease as the test's own clock sees it. The database judges it by the machine's clock; here it is made to last, or to have run out, by
//! how much time the test has let pass, so that no walk hangs on how fast the machine is.
use super::world::World;
use payoutd::clock::BootMs;

/// Later than any machine's clock.
const LASTS_MS: i64 = 4_000_000_000_000;
const RAN_OUT_MS: i64 = 1;

/// Until when, by the test's clock.
#[derive(Default)]
pub(super) struct Aging(Option<BootMs>);

impl World {
    /// From now on the lease ages as the test's clock goes.
    pub(super) fn let_the_lease_age(&mut self) {
        self.aging = Some(Aging::default());
    }

    /// What the daemon has asked for since, and what time has made of it.
    pub(super) async fn age_the_lease(&mut self) {
        let Some(aging) = &mut self.aging else { return };
        let now = self.clock.boot();
        let stored_ms = self.probe.number("SELECT expires_at_ms FROM lease").await;
        if ![LASTS_MS, RAN_OUT_MS, 0].contains(&stored_ms) {
            aging.0 = Some(now.plus_ms(self.settings.lease_ms));
        }
        let wanted_ms = if aging.0.is_some_and(|until| now < until) { LASTS_MS } else { RAN_OUT_MS };
        if stored_ms != 0 && stored_ms != wanted_ms {
            self.probe.execute(&format!("UPDATE lease SET expires_at_ms = {wanted_ms}")).await;
        }
    }

    /// The lease has run out, whoever believes in it.
    pub(super) async fn the_lease_runs_out(&mut self) {
        self.aging = self.aging.take().map(|_| Aging::default());
        self.probe.execute(&format!("UPDATE lease SET expires_at_ms = {RAN_OUT_MS}")).await;
    }
}
