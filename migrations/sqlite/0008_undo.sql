-- Proving, trying again, taking back: what says that nothing was executed, what is tried again, what a rollback does.

-- Listings that didn't show it, by Stripe's time: the first that counts for a proof (25 h after the last send), and the newest.
ALTER TABLE payout_attempts ADD COLUMN absent_first_stripe_ms INTEGER;
ALTER TABLE payout_attempts ADD COLUMN absent_last_stripe_ms INTEGER;
-- Two people said that it was not paid, and no listing has proven it yet: it is looked for until one does.
ALTER TABLE payout_attempts ADD COLUMN vouched_at_ms INTEGER;
-- When its object should arrive at the bank, and when it was first seen to be paid.
ALTER TABLE payout_attempts ADD COLUMN arrival_ms INTEGER;
ALTER TABLE payout_attempts ADD COLUMN paid_seen_ms INTEGER;
CREATE INDEX payout_attempts_vouched ON payout_attempts (payout_id) WHERE vouched_at_ms IS NOT NULL;
-- Cancels and reversals whose outcome is looked up at their object.
CREATE INDEX payout_attempts_undo ON payout_attempts (payout_id) WHERE kind <> 'create' AND state = 'unknown';

-- When a failed payout is tried again by itself, and when a retry made its sum again.
ALTER TABLE creator_payouts ADD COLUMN retry_at_ms INTEGER;
ALTER TABLE creator_payouts ADD COLUMN summed_at_ms INTEGER;
CREATE INDEX creator_payouts_retry ON creator_payouts (retry_at_ms, id) WHERE retry_at_ms IS NOT NULL;
-- Reversed payouts whose money is waited for.
CREATE INDEX creator_payouts_reversed ON creator_payouts (not_before_ms, id) WHERE state = 'reversed' AND released_at_ms IS NULL;

-- Which bank it is, as Stripe names it: many failures at one bank are the bank's.
ALTER TABLE account_banks ADD COLUMN bank_name TEXT;
ALTER TABLE account_banks ADD COLUMN country TEXT;

-- Failures before this moment are known to whoever resumed the run: the breaker counts from here on.
ALTER TABLE payout_runs ADD COLUMN breaker_from_ms INTEGER NOT NULL DEFAULT 0;

-- A confirmed rollback of a run: what was shown, to whom, and why it is done.
CREATE TABLE rollbacks (
  run_id       TEXT NOT NULL REFERENCES payout_runs (id),
  number       INTEGER NOT NULL CHECK (number > 0),
  hash         TEXT NOT NULL,
  reason       TEXT NOT NULL,
  asked_by     TEXT NOT NULL,
  asked_at_ms  INTEGER NOT NULL,
  PRIMARY KEY (run_id, number)
) STRICT;

-- Paid payouts that a rollback reverses, once a second person has approved it.
CREATE TABLE rollback_reversals (
  payout_id       TEXT PRIMARY KEY REFERENCES creator_payouts (id),
  run_id          TEXT NOT NULL,
  number          INTEGER NOT NULL,
  approved_by     TEXT,
  approved_at_ms  INTEGER
) STRICT;
CREATE INDEX rollback_reversals_run ON rollback_reversals (run_id, payout_id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('payout_attempts', 'payout_attempts_vouched', '10 1'),
  ('payout_attempts', 'payout_attempts_undo', '100 1'),
  ('creator_payouts', 'creator_payouts_retry', '1000 2 1'),
  ('creator_payouts', 'creator_payouts_reversed', '1000 2 1'),
  ('rollback_reversals', 'rollback_reversals_run', '1000 500 1');
ANALYZE sqlite_schema;
