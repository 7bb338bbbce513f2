//! Rows to test with, written past the store where the store would need the engine.
use crate::databases::{Database, START_MS};
use jiff::civil::date;
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId},
    run::{RunKind, RunState},
};
use payoutd::store::{
    Store,
    door_types::{EarningRow, ImportDone},
    types::{By, Fence, NewRun, RunRow},
};

pub(crate) fn usd() -> Currency {
    Currency::parse("usd").unwrap()
}

pub(crate) fn ann() -> By {
    By::Person { name: "ann".to_owned(), uid: 1000 }
}

/// A sale of creator n on her one account, 10 % of it the platform's.
pub(crate) fn sale(n: u64, charge: &str, gross_minor: i64) -> EarningRow {
    EarningRow {
        line: 2,
        creator: CreatorId::new(format!("creator{n}")),
        account: AccountId::new(format!("acct_{n}")),
        country: "DE".to_owned(),
        currency: usd(),
        gross_minor,
        fee_minor: gross_minor / 10,
        earned_at_ms: START_MS - 86_400_000,
        available_on_ms: START_MS - 3_600_000,
        source_id: charge.to_owned(),
    }
}

pub(crate) async fn import(store: &Store, rows: &[EarningRow]) -> ImportDone {
    store.import_earnings(rows, "test.csv", &ann(), |_| ()).await.unwrap()
}

/// The scheduled run of a date in 2026, or a manual one.
pub(crate) fn run_of(month: i8, day: i8, kind: RunKind) -> NewRun {
    NewRun {
        cycle_date: date(2026, month, day),
        kind,
        state: RunState::Planning,
        cutoff_ms: START_MS,
        instant_ms: START_MS,
        creators: Vec::new(),
        by: By::Schedule,
        reason: None,
    }
}

pub(crate) async fn a_run(store: &Store) -> RunRow {
    store.insert_run(&run_of(12, 1, RunKind::Scheduled)).await.unwrap().0
}

pub(crate) async fn fence(store: &Store) -> Fence {
    store.lease_acquire("test", 600_000, true).await.unwrap().unwrap().0
}

/// A payout as the engine would have left it.
pub(crate) struct Paid<'a> {
    pub(crate) id: &'a str,
    pub(crate) run: &'a RunRow,
    pub(crate) creator: u64,
    pub(crate) state: &'a str,
    pub(crate) amount_minor: i64,
    pub(crate) cause: Option<&'a str>,
    pub(crate) changed_at_ms: i64,
}

impl Paid<'_> {
    pub(crate) fn object(&self) -> Option<String> {
        let executed = ["pending", "in_transit", "paid", "settled", "returned", "canceled"].contains(&self.state);
        executed.then(|| format!("po_{}", self.id))
    }

    /// Writes the payout with one item of its whole amount, its outcome and, when it was executed, its attempt.
    pub(crate) async fn write(&self, database: &Database) {
        let Self { id, creator, state, amount_minor, changed_at_ms, .. } = self;
        let run = &self.run.id;
        let text = |value: Option<String>| value.map_or("NULL".to_owned(), |value| format!("'{value}'"));
        let released = if *state == "voided" || *state == "failed" { "1" } else { "NULL" };
        let (object, cause) = (text(self.object()), text(self.cause.map(str::to_owned)));
        let number = database
            .number(&format!("SELECT COUNT(*) + 1 FROM creator_payouts WHERE account_id = 'acct_{creator}'"))
            .await;
        let mut sql = format!(
            "INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, \
             attempts, stripe_payout_id, cause, failure_reason, released_at_ms, created_at_ms, changed_at_ms) VALUES ('{id}', '{run}', \
             {number}, 'creator{creator}', 'acct_{creator}', 'usd', {amount_minor}, 'ba_{creator}', '{state}', 1, {object}, {cause}, \
             {cause}, {released}, {START_MS}, {changed_at_ms}); \
             INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ('creator{creator}', 'acct_{creator}', 'usd', 'sale', \
             {amount_minor}, {amount_minor}, 0, 'charge', 'ch_{id}', 1, 1, 1); \
             INSERT INTO payout_items (payout_id, earning_id, amount_minor, released_at_ms) \
             SELECT '{id}', id, amount_minor, {released} FROM creator_earnings WHERE source_id = 'ch_{id}'; "
        );
        if *state != "voided" {
            sql += &format!(
                "INSERT INTO run_outcomes (run_id, account_id, currency, creator_id, payout_id, payable_minor) \
                 VALUES ('{run}', 'acct_{creator}', 'usd', 'creator{creator}', '{id}', {amount_minor}); "
            );
        }
        let attempt = match *state {
            "planned" | "voided" => None,
            "submitting" => Some("intended"),
            "unknown" => Some("unknown"),
            "failed" => Some("refused"),
            _ => Some("executed"),
        };
        if let Some(attempt) = attempt {
            let on_wire = if attempt == "intended" { "TRUE" } else { "FALSE" };
            let status = if *state == "returned" { "failed" } else { *state };
            sql += &format!(
                "INSERT INTO payout_attempts (key, payout_id, kind, number, state, on_wire, body, amount_minor, currency, account_id, \
                 destination_id, run_id, token, send_before_ms, stripe_object_id, object_status, request_id, created_at_ms) \
                 VALUES ('key_{id}', '{id}', 'create', 1, '{attempt}', {on_wire}, 'body_{id}', {amount_minor}, 'usd', 'acct_{creator}', \
                 'ba_{creator}', '{run}', 1, 0, {object}, '{status}', 'req_{id}', 1)"
            );
        }
        database.execute(&sql).await;
    }
}
