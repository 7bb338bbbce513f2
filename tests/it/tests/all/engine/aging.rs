//! The lease as the test's own clock sees it. The database judges it by the machine's clock; here it is made to last, or to have run out, by
//! how much time the test has let pass, so that no walk hangs on how fast the machine is.
use super::world::World;
use payoutd::clock::BootMs;

/// Later than any machine's clock; more than this: renewed once more.
const LASTS_MS: i64 = 4_000_000_000_000;
const RAN_OUT_MS: i64 = 1;

/// Until when, by the test's clock.
#[derive(Default)]
pub(super) struct Aging {
    until: Option<BootMs>,
    seen_ms: i64,
}

impl World {
    /// From now on the lease ages as the test's clock goes.
    pub(super) async fn let_the_lease_age(&mut self) {
        self.aging = Some(Aging::default());
        if self.database.engine == "sqlite" {
            // Made to last as it is renewed: one more write each time would cost as much as the renewal itself.
            let lasts = format!(
                "CREATE TRIGGER lasts AFTER UPDATE OF expires_at_ms ON lease WHEN NEW.expires_at_ms NOT IN (0, {RAN_OUT_MS}) BEGIN \
                 UPDATE lease SET expires_at_ms = MAX(OLD.expires_at_ms, {LASTS_MS}) + 1; END"
            );
            self.probe.execute(&lasts).await;
        }
    }

    /// What the daemon has asked for since, and what time has made of it.
    pub(super) async fn age_the_lease(&mut self) {
        let Some(aging) = &mut self.aging else { return };
        let now = self.clock.boot();
        let stored_ms = self.probe.number("SELECT expires_at_ms FROM lease").await;
        if ![aging.seen_ms, RAN_OUT_MS, 0].contains(&stored_ms) {
            aging.until = Some(now.plus_ms(self.settings.lease_ms));
        }
        aging.seen_ms = match aging.until {
            _ if stored_ms == 0 => 0,
            Some(until) if now < until => stored_ms.max(LASTS_MS),
            Some(_) | None => RAN_OUT_MS,
        };
        if stored_ms != aging.seen_ms {
            self.probe.execute(&format!("UPDATE lease SET expires_at_ms = {}", aging.seen_ms)).await;
        }
    }

    /// Time has passed, and nobody has asked for the lease since: it may have run out, and nothing else.
    pub(super) async fn time_ages_the_lease(&mut self) {
        let now = self.clock.boot();
        let Some(aging) = &self.aging else { return };
        if aging.seen_ms != RAN_OUT_MS && aging.until.is_some_and(|until| until <= now) {
            self.age_the_lease().await;
        }
    }

    /// The lease has run out, whoever believes in it.
    pub(super) async fn the_lease_runs_out(&mut self) {
        self.aging = self.aging.take().map(|_| Aging::default());
        self.probe.execute(&format!("UPDATE lease SET expires_at_ms = {RAN_OUT_MS}")).await;
    }
}
