//! The lease as the database has it, looked at from beside: who holds it, and how long after a blow another one holds it and sends.
use crate::{
    database::{Database, number},
    fleet::Fleet,
    progress::Progress,
};
use anyhow::{Context, bail};
use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The daemons' own default.
const LEASE_MS: i64 = 8_000;
/// Nobody at all took over: given up.
const NOBODY: Duration = Duration::from_secs(90);
/// How often the lease is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Who holds it until when, the database's clock, the newest token under which something was committed to be sent, and how much could be
/// sent now: what an earlier holder left on the wire can't, it is waited for.
const LEASE: &str = "SELECT CAST(holder AS TEXT), CAST(token AS TEXT), CAST(expires_at_ms AS TEXT), \
    CAST(CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS TEXT), \
    CAST((SELECT COALESCE(MAX(token), 0) FROM payout_attempts) AS TEXT), \
    CAST((SELECT COUNT(*) FROM creator_payouts WHERE state = 'planned' \
    AND COALESCE(not_before_ms, 0) <= EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS TEXT) FROM lease WHERE id = 1";

/// The lease at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    /// `host:process`, or empty.
    holder: String,
    pub(crate) token: i64,
    expires_ms: i64,
    /// The database's clock.
    pub(crate) now_ms: i64,
    sent_token: i64,
    due: i64,
}

impl Lease {
    /// The process that holds it.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.holder.rsplit_once(':')?.1.parse().ok()
    }

    fn is_held(&self) -> bool {
        !self.holder.is_empty() && self.expires_ms > self.now_ms
    }
}

/// Looks at it; connects again when the database was away.
#[derive(Debug)]
pub(crate) struct Watch {
    url: String,
    database: Option<Database>,
}

impl Watch {
    pub(crate) const fn new(url: String) -> Self {
        Self { url, database: None }
    }

    pub(crate) async fn look(&mut self) -> anyhow::Result<Lease> {
        let mut database = match self.database.take() {
            Some(database) => database,
            None => Database::open(Some(&self.url), &PathBuf::new()).await?,
        };
        let rows = database.rows::<6>(LEASE).await?;
        self.database = Some(database);
        let [[holder, token, expires, now, sent, due]] = rows.as_slice() else {
            bail!("the lease has {} rows", rows.len())
        };
        Ok(Lease {
            holder: holder.clone(),
            token: number(token)?,
            expires_ms: number(expires)?,
            now_ms: number(now)?,
            sent_token: number(sent)?,
            due: number(due)?,
        })
    }

    /// The lease while somebody holds it, and which of the daemons that is.
    pub(crate) async fn holder(&mut self, fleet: &Fleet) -> anyhow::Result<(Lease, usize)> {
        let deadline = Instant::now() + NOBODY;
        loop {
            if let Ok(lease) = self.look().await
                && lease.is_held()
                && let Some(number) = lease.pid().and_then(|pid| fleet.with_pid(pid))
            {
                return Ok((lease, number));
            }
            if Instant::now() > deadline {
                bail!("no daemon has held the lease for {} s", NOBODY.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// From the blow (`before` was seen just before it) until another one holds the lease and has committed to send.
    pub(crate) async fn take_over(
        &mut self,
        fleet: &Fleet,
        before: &Lease,
        told: &watch::Receiver<Progress>,
    ) -> anyhow::Result<TakeOver> {
        let deadline = Instant::now() + NOBODY;
        let mut renewed_ms = before.expires_ms - LEASE_MS;
        let mut taken: Option<(i64, i64, String)> = None;
        loop {
            let now = self.look().await.context("looking at the lease")?;
            if now.token == before.token {
                renewed_ms = renewed_ms.max(now.expires_ms - LEASE_MS);
            } else if taken.is_none() && now.is_held() {
                let by = now.pid().and_then(|pid| fleet.with_pid(pid));
                let by = by.map_or(Ok(now.holder.clone()), |by| fleet.member(by).map(|one| one.seat.name.clone()))?;
                taken = Some((now.token, now.expires_ms - LEASE_MS, by));
            }
            if let Some((token, at_ms, by)) = &taken {
                let sent = now.sent_token >= *token;
                if sent || now.due == 0 || told.borrow().is_finished() {
                    let since = |ms: i64| ms - before.now_ms;
                    let sent_ms = sent.then(|| since(now.now_ms));
                    return Ok(TakeOver {
                        by: by.clone(),
                        after_ms: since(*at_ms),
                        unrenewed_ms: at_ms - renewed_ms,
                        sent_ms,
                    });
                }
            }
            if Instant::now() > deadline {
                bail!("nobody has taken over and sent within {} s", NOBODY.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How a take-over went, by the database's clock.
#[derive(Clone, Debug)]
pub(crate) struct TakeOver {
    by: String,
    /// From the blow to the new lease.
    after_ms: i64,
    /// From the old one's last renewal to the new lease.
    unrenewed_ms: i64,
    /// From the blow to the first send committed under the new lease; `None` when nothing could be sent.
    sent_ms: Option<i64>,
}

impl TakeOver {
    /// It took longer than so many milliseconds.
    pub(crate) fn is_later_than(&self, most_ms: i64) -> bool {
        self.after_ms.max(self.sent_ms.unwrap_or(0)) > most_ms
    }
}

/// Milliseconds as seconds.
pub(crate) struct Seconds(pub(crate) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} s", self.0 / 1_000, (self.0 % 1_000).abs() / 100)
    }
}

impl fmt::Display for TakeOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, after_ms, unrenewed_ms, sent_ms } = self;
        write!(f, "{by} has the lease after {}, ", Seconds(*after_ms))?;
        match sent_ms {
            Some(ms) => write!(f, "sends after {}", Seconds(*ms))?,
            None => write!(f, "nothing can be sent just now")?,
        }
        write!(f, " ({} after the last renewal)", Seconds(*unrenewed_ms))
    }
}
