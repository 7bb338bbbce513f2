//! Months of a marketplace's life: the clock goes from midnight to midnight and over each cycle's hour; whatever is told by then is
//! taken in, the scheduled run starts because its hour has come, and then books and Stripe are compared.
use crate::{
    almanac::{self, Stop},
    args::Args,
    books::Books,
    compare,
    database::number,
    flow::Signals,
    life::{self, InBooks},
    opening::{Marketplace, RESERVE_LATER},
    reserves,
    supervisor::log_tail,
    tally,
    twin::Ledger,
};
use anyhow::{Context, bail};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often it is looked whether all is quiet.
const LOOK: Duration = Duration::from_millis(25);
/// The longest that a day, a run or the banks may take in real time.
const PATIENCE: Duration = Duration::from_secs(120);
/// A cycle's hour is let come by itself from so long before.
const BEFORE_MS: i64 = 2_000;
/// By then everything that happened so far is taken in and confirmed: longer than what that takes of the Date.
const TOLD_BEFORE_MS: i64 = 6 * 3_600_000;
/// No account was confirmed for so long of real time: the daemon waits for its next minute.
const CONFIRM_STALL: Duration = Duration::from_millis(1_500);
const MINUTE_MS: i64 = 61_000;
/// Stripe's side and the books are read so often at most until nothing happened in between.
const LOOKS_MAX: u32 = 20;
/// Longer than the first wait of a webhook that was refused, milliseconds of the Date; so often at most.
const NEXT_TRY_MS: i64 = 3_700_000;
const TRIES_MAX: u32 = 4;
/// Sentences of one cycle that are printed.
const WRONG_MAX: usize = 12;

const INBOX: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM webhook_inbox WHERE processed_at_ms IS NULL";
const RUNS: &str =
    "SELECT id, cycle_date, state, kind, CAST(created_at_ms AS TEXT) FROM payout_runs ORDER BY created_at_ms, id";

/// Per account: from when on its estimated sales can be confirmed, and when it is asked about again.
const ESTIMATED: &str = "SELECT CAST(MIN(CASE WHEN e.settles_as_charged THEN e.available_on_ms ELSE 0 END) AS TEXT), \
    CAST(a.confirm_after_ms AS TEXT) FROM creator_earnings e JOIN creator_stripe_accounts a ON a.account_id = e.account_id \
    WHERE NOT e.confirmed GROUP BY e.account_id, a.confirm_after_ms";

/// Plays them. The exit code: 0 everything was equal at each cycle, 1 anything is wrong.
pub(crate) async fn play(args: &Args, months: u32) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let mut market = tokio::select! {
        market = Marketplace::open(args, months) => market?,
        code = signals.next() => return Ok(ExitCode::from(code)),
    };
    let mut wrong = Vec::new();
    let played = tokio::select! {
        played = market.play(args, months, &mut wrong) => played,
        code = signals.next() => {
            market.stage.daemon.stop().await;
            market.stage.twin.stop().await;
            return Ok(ExitCode::from(code));
        }
    };
    if let Err(error) = played {
        wrong.push(format!("{error:#}"));
    }
    market.end(wrong).await
}

impl Marketplace {
    async fn play(&mut self, args: &Args, months: u32, wrong: &mut Vec<String>) -> anyhow::Result<()> {
        let mut cycles = 0;
        let mut newest = None;
        for Stop { at_ms, cycle } in almanac::stops(months)? {
            match cycle {
                None => {
                    self.hour.jump_to(at_ms)?;
                    self.quiet().await?;
                }
                Some(date) => {
                    self.hour.jump_to(at_ms - TOLD_BEFORE_MS)?;
                    self.all_told().await?;
                    // No purse is barred by a webhook that was lost.
                    self.swept().await?;
                    self.hour.jump_to(at_ms - BEFORE_MS)?;
                    self.quiet().await?;
                    let run = self.cycle(&date.to_string(), at_ms).await?;
                    self.all_told().await?;
                    self.judge(&date.to_string(), &run, wrong).await?;
                    newest = Some((date.to_string(), run));
                    cycles += 1;
                    if cycles == almanac::PER_MONTH {
                        self.keep_back(RESERVE_LATER).await?;
                    }
                }
            }
        }
        if let Some((date, run)) = newest {
            self.wait_for_sweeps().await?;
            self.stripe.is_swept = true;
            self.judge(&format!("{date}, and weeks without a webhook"), &run, wrong).await?;
        }
        let (table, missing) = reserves::kinds(&tally::read(&mut self.database).await?, args.creators * months);
        self.stage.say("entries by kind");
        print!("{table}");
        wrong.extend(missing);
        Ok(())
    }

    /// Until the script is played up to now, every webhook is delivered and every stored one looked at.
    pub(crate) async fn quiet(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let twin = self.stage.twin.standing().await?;
            let is_late = twin.next_ms.is_some_and(|next_ms| next_ms <= self.hour.now_ms());
            let waiting = if is_late || twin.under_way > 0 { None } else { Some(self.database.number(INBOX).await?) };
            if waiting == Some(0) {
                return Ok(());
            }
            if let Some(why) = self.stage.daemon.life().given_up {
                bail!("payoutd: {why}");
            }
            if Instant::now() > deadline {
                bail!("not quiet within {} s: {twin:?}, webhooks not looked at: {waiting:?}", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Quiet, the banks have answered, sales are confirmed as far as they can be, and no webhook waits for the hour of its next try.
    pub(crate) async fn all_told(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..TRIES_MAX {
            self.quiet().await?;
            while self.stage.twin.standing().await?.at_banks > 0 {
                if Instant::now() > deadline {
                    bail!("the banks haven't answered within {} s", PATIENCE.as_secs());
                }
                tokio::time::sleep(LOOK).await;
            }
            self.quiet().await?;
            self.confirmed(deadline).await?;
            if self.stage.twin.standing().await?.again == 0 {
                return Ok(());
            }
            self.hour.jump_to(self.hour.now_ms() + NEXT_TRY_MS)?;
        }
        bail!("webhooks were refused {TRIES_MAX} times")
    }

    /// Until no account is left that the daemon would ask about; it does so once a minute, so minutes go by.
    async fn confirmed(&mut self, deadline: Instant) -> anyhow::Result<()> {
        let mut left = self.confirmations_due().await?;
        let mut changed = Instant::now();
        while left > 0 {
            if Instant::now() > deadline {
                bail!("the sales of {left} accounts are not confirmed within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
            let now = self.confirmations_due().await?;
            if now < left {
                changed = Instant::now();
            } else if changed.elapsed() > CONFIRM_STALL {
                self.hour.jump_to(self.hour.now_ms() + MINUTE_MS)?;
                changed = Instant::now();
            }
            left = now;
        }
        Ok(())
    }

    /// Accounts whose sales the daemon can confirm now and hasn't asked about.
    async fn confirmations_due(&mut self) -> anyhow::Result<usize> {
        let now_ms = self.hour.now_ms();
        let mut due = 0;
        for [from, again] in self.database.rows::<2>(ESTIMATED).await? {
            due += usize::from(number(&from)? <= now_ms && number(&again)? <= now_ms);
        }
        Ok(due)
    }

    /// Waits for the hour to come and for its run to be completed; gives the run's id.
    async fn cycle(&mut self, date: &str, due_ms: i64) -> anyhow::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = "no run".to_owned();
        while Instant::now() < deadline {
            let runs = self.database.rows::<5>(RUNS).await?;
            if let Some([id, _, state, kind, created]) = runs.into_iter().find(|[_, cycle, ..]| cycle == date) {
                let early_ms = due_ms - number(&created)?;
                if early_ms > 0 || kind != "scheduled" {
                    bail!("cycle {date}: its {kind} run {id} was there {early_ms} ms before its hour");
                }
                if state.starts_with("completed") {
                    return Ok(id);
                }
                last = state;
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("cycle {date}: {last} after {} s of real time", PATIENCE.as_secs())
    }

    /// Holds everything against everything, prints, and adds what is wrong.
    async fn judge(&mut self, date: &str, run: &str, wrong: &mut Vec<String>) -> anyhow::Result<()> {
        let (ledger, books, entries) = self.look().await?;
        let mut verdict = life::compare(&entries, &self.stripe);
        verdict.wrong.extend(reserves::contradictions(&entries, &self.terms));
        let differences = compare::compare(&books.attempts, &ledger.executed);
        verdict.wrong.extend(differences.iter().map(ToString::to_string));
        verdict.wrong.extend(books.contradictions_of(run));
        verdict.wrong.extend(ledger.not_conserved.iter().map(|what| format!("the twin lost money itself: {what}")));
        let said = self.stage.payout.json(&["books"]).await;
        if !said.as_ref().is_ok_and(|said| said.as_ref().is_some_and(|said| said["clean"] == true)) {
            verdict.wrong.push(format!("payout books isn't clean: {said:?}"));
        }
        self.stage.say(&format!("cycle {date}"));
        print!("{}", tally::lines(run, &books, &entries, &self.stripe, &verdict));
        verdict.wrong.iter().take(WRONG_MAX).for_each(|what| println!("  WRONG      {what}"));
        if verdict.wrong.len() > WRONG_MAX {
            println!("  WRONG      and {} more", verdict.wrong.len() - WRONG_MAX);
        }
        wrong.extend(verdict.wrong.into_iter().map(|what| format!("{date}: {what}")));
        Ok(())
    }

    /// Stripe's side and the books at one moment: the clock goes on while both are read, so what has happened meanwhile is awaited and read again.
    async fn look(&mut self) -> anyhow::Result<(Ledger, Books, InBooks)> {
        for _ in 0..LOOKS_MAX {
            self.quiet().await?;
            let before = self.stage.twin.standing().await?;
            let ledger = self.stage.twin.ledger().await?;
            self.stage.twin.lived(&mut self.stripe, &mut self.moves_next).await?;
            let books = Books::gather(&mut self.database).await?;
            let entries = tally::read(&mut self.database).await?;
            if self.stage.twin.standing().await? == before {
                self.stripe.others.clone_from(&ledger.others);
                self.stripe.asked_for.clone_from(&ledger.asked_for);
                return Ok((ledger, books, entries));
            }
        }
        bail!("something happened in each of {LOOKS_MAX} looks at Stripe and the books")
    }

    /// Stops both, and says how it ended.
    async fn end(self, mut wrong: Vec<String>) -> anyhow::Result<ExitCode> {
        let Self { mut stage, hour, database, .. } = self;
        let standing = stage.twin.standing().await.context("asking the twin for its last word")?;
        let life = stage.daemon.life();
        database.close().await?;
        let ended = stage.daemon.stop().await;
        if life.given_up.is_none() && ended != "exit status: 0" {
            wrong.push(format!("payoutd didn't stop cleanly: {ended}"));
        }
        wrong.extend(life.deaths.iter().map(|death| format!("payoutd died: {death}")));
        stage.twin.stop().await;
        let now = jiff::Timestamp::from_millisecond(hour.now_ms())?;
        println!("played       until {now}; {} webhooks taken, {} lost by faults", standing.delivered, standing.lost);
        if wrong.is_empty() {
            let but = if standing.lost == 0 { "" } else { ", and what no webhook told of was found" };
            println!("result       good: the books equal what Stripe did, at every cycle{but}");
        } else {
            stage.place.keep();
            println!("result       {} THINGS ARE WRONG", wrong.len());
            wrong.iter().take(WRONG_MAX).for_each(|what| println!("  wrong: {what}"));
            println!("{}", log_tail(&stage.place, "payoutd"));
        }
        if stage.place.is_kept() {
            println!("kept         {}", stage.place.dir().display());
        }
        Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
