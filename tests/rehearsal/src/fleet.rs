//! The daemons of a rehearsal: one, or several on one PostgreSQL, each with its own way there and a balancer before their webhooks.
use crate::{
    args::Args,
    commands::{Away, Payout},
    place::{Place, Seat},
    stage::{spec, wait_until_up},
    supervisor::{Life, Supervisor, tail_of},
    wire::{Weather, Wire},
};
use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::postgres::PgConnectOptions;
use std::{path::Path, str::FromStr};

/// How a daemon that stopped because it was told to says so.
const STOPPED: [&str; 2] = ["exit status: 0", "it was dead already"];

/// A daemon.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) seat: Seat,
    pub(crate) daemon: Supervisor,
    /// Its way to the database, when that can be cut.
    pub(crate) wire: Option<Wire>,
}

/// All of them; never none.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
    pub(crate) away: Away,
    _balancer: Option<Wire>,
}

impl Member {
    /// Sends its process a signal, as far as it has one.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.daemon.life().pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.with_context(|| format!("{} has no process just now", self.seat.name))?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("{signal} to {}", self.seat.name))
    }

    /// `payout` with this daemon only.
    pub(crate) fn payout(&self, program: &Path) -> Payout {
        Payout::new(program, &self.seat.socket)
    }
}

impl Fleet {
    pub(crate) fn of_one(seat: Seat, daemon: Supervisor) -> Self {
        let members = vec![Member { seat, daemon, wire: None }];
        Self { members, away: Away::default(), _balancer: None }
    }

    /// As many as were asked for, up.
    pub(crate) async fn start(args: &Args, place: &Place, program: &Path, stripe: &str) -> anyhow::Result<Self> {
        let fleet = if args.daemons == 1 {
            let seat = place.seat();
            let daemon = Supervisor::start(spec(args, &seat, program.to_owned(), stripe));
            Self::of_one(seat, daemon)
        } else {
            Self::several(args, place, program, stripe).await?
        };
        fleet.up().await?;
        Ok(fleet)
    }

    async fn several(args: &Args, place: &Place, program: &Path, stripe: &str) -> anyhow::Result<Self> {
        let url = args.database.as_deref().context("several daemons need PostgreSQL: name one with --database")?;
        let options = PgConnectOptions::from_str(url).context("the --database URL")?;
        let (mut members, away) = (Vec::<Member>::new(), Away::default());
        let seats = place.seats(args.daemons)?;
        let targets = seats.iter().map(|seat| ("127.0.0.1".to_owned(), seat.http_port)).collect();
        for seat in seats {
            let wire = Wire::to((options.get_host().to_owned(), options.get_port())).await?;
            let mut spec = spec(args, &seat, program.to_owned(), stripe);
            spec.env.retain(|(name, _)| name != "DATABASE_URL");
            spec.env.push(("DATABASE_URL".to_owned(), through(url, wire.port)?));
            let daemon = Supervisor::start(spec);
            // The first one migrates the database; the others find it done.
            wait_until_up(&seat.socket, &daemon).await?;
            members.push(Member { seat, daemon, wire: Some(wire) });
        }
        let balancer = Wire::listen(place.http_port, targets, away.clone()).await?;
        Ok(Self { members, away, _balancer: Some(balancer) })
    }

    /// `payout` with whichever of them is there.
    pub(crate) fn payout(&self, program: &Path) -> Payout {
        let sockets = self.members.iter().map(|member| member.seat.socket.clone()).collect();
        Payout::any(program, sockets, self.away.clone())
    }

    /// Until the sockets of all take connections.
    pub(crate) async fn up(&self) -> anyhow::Result<()> {
        for member in &self.members {
            wait_until_up(&member.seat.socket, &member.daemon).await.with_context(|| member.seat.name.clone())?;
        }
        Ok(())
    }

    /// The one whose process has this number.
    pub(crate) fn with_pid(&self, pid: u32) -> Option<usize> {
        self.members.iter().position(|member| member.daemon.life().pid == Some(pid))
    }

    pub(crate) fn member(&self, number: usize) -> anyhow::Result<&Member> {
        match self.members.get(number) {
            Some(member) => Ok(member),
            None => bail!("no daemon has the number {number}"),
        }
    }

    /// What became of all of them: the first one's number, everyone's deaths.
    pub(crate) fn life(&self) -> Life {
        let mut all = Life::default();
        for member in &self.members {
            let life = member.daemon.life();
            all.pid = all.pid.or(life.pid);
            all.deaths.extend(life.deaths);
            all.given_up = all.given_up.or_else(|| life.given_up.map(|why| format!("{}: {why}", member.seat.name)));
        }
        all
    }

    /// Undoes everything that was done to them from outside: nobody is frozen, every wire is whole.
    pub(crate) fn heal(&self) {
        for (number, member) in self.members.iter().enumerate() {
            // One that is dead needs none.
            let _ = member.signal(Signal::SIGCONT);
            if let Some(wire) = &member.wire {
                wire.is(Weather::Fair);
            }
            self.away.set(number, false);
        }
    }

    /// Stops all, one after the other. How the first one ended that didn't end well; else how the last one did.
    pub(crate) async fn stop(self) -> String {
        let mut ended = String::new();
        let mut bad = None;
        for member in self.members {
            ended = member.daemon.stop().await;
            if !STOPPED.contains(&ended.as_str()) {
                bad = bad.or(Some(ended.clone()));
            }
        }
        bad.unwrap_or(ended)
    }

    /// The ends of their logs.
    pub(crate) fn log_tails(&self) -> String {
        let tails: Vec<String> = self.members.iter().map(|member| tail_of(&member.seat.log)).collect();
        tails.join("\n")
    }
}

/// The same database by way of this port.
fn through(url: &str, port: u16) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").context("the --database URL has no ://")?;
    let (authority, path) =
        rest.split_once('/').map_or((rest, String::new()), |(authority, path)| (authority, format!("/{path}")));
    let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    Ok(format!("{scheme}://{user}127.0.0.1:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_are_replaced() {
        let led = |url| through(url, 7).unwrap();
        assert_eq!(
            led("postgres://a:b@db.example:5432/x?sslmode=disable"),
            "postgres://a:b@127.0.0.1:7/x?sslmode=disable"
        );
        assert_eq!(led("postgres://localhost/x"), "postgres://127.0.0.1:7/x");
        assert_eq!(led("postgresql://u@h"), "postgresql://u@127.0.0.1:7");
        assert!(through("nonsense", 7).is_err());
    }
}
