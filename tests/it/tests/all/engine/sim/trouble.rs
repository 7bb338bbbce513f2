//! What goes wrong in a walk: on the wire, with the post, with daemons, their database and their clock.
use super::{fault::Fault, walk::Walk};
use payoutd::{engine::Engine, store::fault::CommitFault, stripe::ReadError};
use rand::{Rng, seq::IndexedRandom};
use std::sync::Arc;
use stripe_twin::Event;

/// Our clock is set wrong by one of these, milliseconds.
const WRONG_BY_MS: [i64; 4] = [30_000, 90_000, 3_600_000, 26 * 3_600_000];

impl Walk {
    /// The next money requests meet something.
    pub(super) fn wire(&mut self) {
        let any: Vec<(Fault, u32)> =
            Fault::ALL.into_iter().filter(|fault| fault.trouble().is_some()).map(|fault| (fault, 1)).collect();
        let fond = self.profile.wire.iter().chain(&any).copied().collect::<Vec<_>>();
        let fault = fond.choose_weighted(&mut self.dice, |(_, weight)| *weight).unwrap().0;
        let count = self.dice.random_range(1..3);
        self.note(&format!("{count} requests meet {fault:?}"));
        self.world.stripe.trouble(None, count, fault.trouble().unwrap());
    }

    /// What becomes of the daemon, its database, its connections and its clock.
    pub(super) async fn daemon(&mut self) {
        let fault = match self.dice.random_range(0..9) {
            0 => {
                self.world.crash();
                self.other = None;
                Fault::Crash
            }
            1 => self.commits_fail(CommitFault::Undone),
            2 => self.commits_fail(CommitFault::Unheard),
            3 => {
                self.gone_for = self.dice.random_range(1..6);
                self.world.faults.fail(0, u64::MAX, CommitFault::Undone);
                Fault::DatabaseGone
            }
            4 => {
                self.world.stripe.trouble_read(None, 2, ReadError::Unreachable("down".to_owned()));
                Fault::ReadFails
            }
            5 => {
                self.take_over().await;
                Fault::TakenOver
            }
            6 => self.set_clock(),
            _ => {
                self.note("what was held goes on");
                return self.world.stripe.let_go();
            }
        };
        self.note(&format!("{fault:?}"));
        self.met.all(&mut self.coverage, &self.world, fault).await;
    }

    fn commits_fail(&mut self, how: CommitFault) -> Fault {
        self.world.faults.fail(self.dice.random_range(0..4), self.dice.random_range(1..3), how);
        match how {
            CommitFault::Undone => Fault::CommitUndone,
            CommitFault::Unheard => Fault::CommitUnheard,
        }
    }

    /// Somebody sets our clock: right again, or wrong.
    fn set_clock(&mut self) -> Fault {
        let wrong_ms = if self.skew_ms != 0 && self.dice.random_bool(0.7) {
            0
        } else {
            WRONG_BY_MS.choose(&mut self.dice).unwrap() * if self.dice.random_bool(0.5) { 1 } else { -1 }
        };
        let jump_ms = wrong_ms - self.skew_ms;
        self.world.hand.jump_wall(jump_ms);
        self.skew_ms = wrong_ms;
        if jump_ms > 0 { Fault::ClockAhead } else { Fault::ClockBehind }
    }

    /// The database comes back when its time has come, and so does a clock that was set wrong, sooner or later.
    pub(super) fn time_heals(&mut self) {
        if self.gone_for > 0 {
            self.gone_for -= 1;
            if self.gone_for == 0 {
                self.world.faults.heal();
                self.note("the database is back");
            }
        }
        if self.skew_ms != 0 && self.dice.random_bool(0.25) {
            self.world.hand.jump_wall(-self.skew_ms);
            self.skew_ms = 0;
            self.note("our clock is right again");
        }
    }

    /// A daemon of another name finds the lease expired; the old one lives on and believes in it.
    pub(super) async fn take_over(&mut self) {
        self.world.the_lease_runs_out().await;
        self.daemons += 1;
        self.world.settings.holder = format!("daemon {}", self.daemons);
        let new = Engine::new(self.world.parts(Arc::new(self.world.stripe.another_client())));
        self.other = self.world.engine.replace(new);
    }

    /// Webhooks come in any order, twice, or not before the end.
    pub(super) async fn post(&mut self) {
        self.mail.extend(self.world.stripe.twin.take_events());
        for _ in 0..self.dice.random_range(0..8) {
            if self.mail.is_empty() {
                return;
            }
            let at = if self.dice.random_bool(0.5) { 0 } else { self.dice.random_range(0..self.mail.len()) };
            let event = self.mail[at].clone();
            let how = match self.dice.random_range(0..10) {
                0 => {
                    self.mark(&event, Fault::WebhookLost).await;
                    self.note(&format!("{} {} is lost", event.kind, event.id));
                    self.lost.push(self.mail.remove(at));
                    continue;
                }
                1..3 => {
                    self.mark(&event, Fault::WebhookTwice).await;
                    "comes, and will come again"
                }
                _ if at > 0 => {
                    self.mark(&event, Fault::WebhookOutOfOrder).await;
                    self.mail.remove(at);
                    "overtakes others"
                }
                _ => {
                    self.mail.remove(at);
                    "comes"
                }
            };
            self.note(&format!("{} {} {how}", event.kind, event.id));
            self.world.put(&event).await;
            if event.kind.starts_with("payout.") && self.dice.random_bool(0.05) {
                self.strange_word(&event).await;
            }
        }
    }

    /// The same payout is told once more, in a state that nobody here has a word for.
    async fn strange_word(&mut self, event: &Event) {
        let mut body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
        body["id"] = format!("{}strange", event.id).into();
        body["data"]["object"]["status"] = "on_hold".into();
        self.note(&format!("{} {} comes with a strange word, too", event.kind, event.id));
        self.world.put_body(&body.to_string()).await;
    }

    /// Everything that Stripe has told by now comes, in its order.
    pub(super) async fn all_mail_comes(&mut self) {
        self.mail.extend(self.world.stripe.twin.take_events());
        for event in std::mem::take(&mut self.mail) {
            self.world.put(&event).await;
        }
    }

    /// The payout that an event is about has met this.
    async fn mark(&mut self, event: &Event, fault: Fault) {
        let body: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
        let Some(key) = body["data"]["object"]["metadata"]["payoutd_key"].as_str() else { return };
        let of_key = format!("SELECT payout_id FROM payout_attempts WHERE key = '{key}'");
        if let Some(row) = self.world.probe.texts(&of_key).await.first() {
            self.met.one(&mut self.coverage, &row[0], fault);
        }
    }
}
