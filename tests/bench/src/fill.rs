//! Rows by the hundred thousand, made by the database itself. The same text serves both, but for the series of numbers.
//!
//! Ids are scattered, so that neighbours in an index aren't neighbours on the disk; everything is a function of its number.

/// The numbers from 0, as something to select `i` from.
fn series(engine: &str, count: u64) -> String {
    if engine == "sqlite" {
        format!(
            "(WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n) AS n"
        )
    } else {
        format!("(SELECT CAST(i AS BIGINT) AS i FROM generate_series(0, {count} - 1) AS g (i)) AS n")
    }
}

/// Creator number `i`'s account.
const ACCOUNT: &str = "'acct_' || CAST(10000000000 + (i * 2654435761) % 4294967296 AS TEXT)";

/// Creators with an account that was read at `read_at_ms`, a bank account, and flags that are open for most.
#[must_use]
pub fn creators(engine: &str, count: u64, read_at_ms: i64) -> String {
    let series = series(engine, count);
    format!(
        "INSERT INTO users (supabase_id, is_creator, payout_enabled, payout_beta_enabled) \
         SELECT 'creator_' || CAST(i AS TEXT), TRUE, i % 50 <> 7, FALSE FROM {series}; \
         INSERT INTO creator_payout_settings (creator_id, payout_enabled) \
         SELECT 'creator_' || CAST(i AS TEXT), TRUE FROM {series}; \
         INSERT INTO creator_stripe_accounts (account_id, creator_id, country, is_current, payouts_enabled, charges_enabled, \
         details_submitted, schedule_interval, read_at_ms, stale, created_at_ms) \
         SELECT {ACCOUNT}, 'creator_' || CAST(i AS TEXT), 'DE', TRUE, TRUE, TRUE, TRUE, 'manual', {read_at_ms}, FALSE, 1 FROM {series}; \
         INSERT INTO account_banks (account_id, currency, destination_id, status) \
         SELECT {ACCOUNT}, CASE WHEN i % 5 = 0 THEN 'eur' ELSE 'usd' END, 'ba_' || CAST(i AS TEXT), 'new' FROM {series}"
    )
}

/// Entries of the creators in turn: sales, every fiftieth a refund, some not available yet; one creator in eleven stays below any
/// minimum. They are earned in the day before `until_ms`. `batch` tells the charges of one call from those of another.
#[must_use]
pub fn earnings(engine: &str, count: u64, creators: u64, until_ms: i64, batch: u64) -> String {
    let series = series(engine, count);
    format!(
        "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
         source_id, earned_at_ms, available_on_ms, created_at_ms) \
         SELECT 'creator_' || CAST(i AS TEXT), {ACCOUNT}, CASE WHEN i % 5 = 0 THEN 'eur' ELSE 'usd' END, \
         CASE WHEN j % 50 = 49 THEN 'refund' ELSE 'sale' END, minor, minor, 0, 'charge', \
         'ch_{batch}_' || CAST(j AS TEXT), {until_ms} - 1 - (j * 7919) % 86000000, \
         CASE WHEN j % 37 = 36 THEN {until_ms} + 86400000 ELSE {until_ms} - 1 END, 1 \
         FROM (SELECT i AS j, i % {creators} AS i, CASE WHEN (i % {creators}) % 11 = 3 THEN 1 WHEN i % 50 = 49 THEN -300 \
         ELSE 500 + (i * 7919) % 20000 END AS minor FROM {series}) AS entries"
    )
}

/// One run that was planned, `count` payouts of it in every state (nine in ten are paid), and their attempts. A tenth as many of an
/// earlier run, all paid. The ids of the runs are `run_now` and `run_before`.
#[must_use]
pub fn payouts(engine: &str, count: u64, now_ms: i64) -> String {
    let mut text = String::new();
    for (run, date, state, count, number) in
        [("run_before", "2026-11-15", "completed", count / 10, 1), ("run_now", "2026-12-01", "running", count, 2)]
    {
        let series = series(engine, count);
        let part = if run == "run_now" { "i % 1000" } else { "0" };
        text += &format!(
            "INSERT INTO payout_runs (id, cycle_date, number, kind, state, cutoff_ms, instant_ms, plan_finished, requested_by, \
             created_at_ms, started_at_ms) VALUES ('{run}', '{date}', 1, 'scheduled', '{state}', {now_ms}, {now_ms}, TRUE, 'schedule', \
             {now_ms} + {number}, {now_ms}); \
             INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, \
             attempts, stripe_payout_id, cause, failure_reason, created_at_ms, changed_at_ms) \
             SELECT 'pay_{number}_' || CAST(1000000000 + i AS TEXT), '{run}', 1, 'creator_' || CAST(i AS TEXT), {ACCOUNT}, \
             CASE WHEN i % 5 = 0 THEN 'eur' ELSE 'usd' END, 1000 + (i * 104729) % 500000, 'ba_' || CAST(i AS TEXT), state, \
             CASE state WHEN 'planned' THEN 0 ELSE 1 END, \
             CASE WHEN state IN ('planned', 'failed', 'unknown') THEN NULL ELSE 'po_{number}_' || CAST(i AS TEXT) END, \
             cause, cause, {now_ms}, {now_ms} + (i * 7919) % 600000 \
             FROM (SELECT i, CASE WHEN part < 900 THEN 'paid' WHEN part < 940 THEN 'pending' WHEN part < 960 THEN 'in_transit' \
             WHEN part < 980 THEN 'planned' WHEN part < 990 THEN 'failed' WHEN part < 995 THEN 'unknown' WHEN part < 998 THEN 'returned' \
             ELSE 'canceled' END AS state, CASE WHEN part < 980 THEN NULL WHEN part < 985 THEN 'account_closed' WHEN part < 990 \
             THEN 'balance_insufficient' WHEN part < 995 THEN 'timeout' WHEN part < 998 THEN 'account_closed' ELSE NULL END AS cause \
             FROM (SELECT i, {part} AS part FROM {series}) AS parts) AS made; \
             INSERT INTO payout_attempts (key, payout_id, kind, number, state, body, amount_minor, currency, account_id, destination_id, \
             run_id, sends, token, send_before_ms, first_sent_stripe_ms, last_sent_stripe_ms, stripe_object_id, created_at_ms) \
             SELECT 'key_' || id, id, 'create', 1, CASE state WHEN 'failed' THEN 'refused' WHEN 'unknown' THEN 'unknown' \
             ELSE 'executed' END, 'body', amount_minor, currency, account_id, destination_id, run_id, 1, 1, 1, 1, 1, stripe_payout_id, 1 \
             FROM creator_payouts WHERE run_id = '{run}' AND state <> 'planned'; \
             INSERT INTO run_outcomes (run_id, account_id, currency, creator_id, payout_id, payable_minor) \
             SELECT run_id, account_id, currency, creator_id, id, amount_minor FROM creator_payouts WHERE run_id = '{run}'; "
        );
    }
    text
}

/// Webhooks that were looked at, but for the newest few.
#[must_use]
pub fn webhooks(engine: &str, count: u64, new: u64) -> String {
    let series = series(engine, count);
    format!(
        "INSERT INTO webhook_inbox (event_id, event_type, livemode, created_s, body, received_at_ms, processed_at_ms) \
         SELECT 'evt_' || CAST(i AS TEXT), 'payout.paid', FALSE, 1, '{{}}', 1, CASE WHEN i + {new} < {count} THEN 1 END FROM {series}"
    )
}
