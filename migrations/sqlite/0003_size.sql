-- At size: lists of a run with hundreds of thousands of payouts page from indexes, and what the live screen counts is counted in one.

-- A run's payouts of one state in both orders (of several states: the first of each). It serves the newest failures too.
CREATE INDEX creator_payouts_state_changed ON creator_payouts (run_id, state, changed_at_ms, id);
CREATE INDEX creator_payouts_state_amount ON creator_payouts (run_id, state, amount_minor, id);
DROP INDEX creator_payouts_failures;
-- The same over all runs, of the states that are rare: among all payouts there ever were, the others are never far.
CREATE INDEX creator_payouts_rare_changed ON creator_payouts (state, changed_at_ms, id)
  WHERE state IN ('unknown', 'voided', 'failed', 'canceled', 'returned', 'reversing', 'reversed');
CREATE INDEX creator_payouts_rare_amount ON creator_payouts (state, amount_minor, id)
  WHERE state IN ('unknown', 'voided', 'failed', 'canceled', 'returned', 'reversing', 'reversed');
-- Payouts of one cause in both orders, and the counts of causes.
CREATE INDEX creator_payouts_cause_changed ON creator_payouts (run_id, cause, changed_at_ms, id) WHERE cause IS NOT NULL;
CREATE INDEX creator_payouts_cause_amount ON creator_payouts (run_id, cause, amount_minor, id) WHERE cause IS NOT NULL;
CREATE INDEX creator_payouts_account ON creator_payouts (account_id);
-- Counts and sums of a run, without its rows.
CREATE INDEX creator_payouts_sums ON creator_payouts (run_id, state, currency, amount_minor);
-- Which unknown payout is looked for next.
CREATE INDEX creator_payouts_unknown ON creator_payouts (not_before_ms, id) WHERE state = 'unknown';
-- How many accounts are to be read before the plan is done.
CREATE INDEX creator_stripe_accounts_unread ON creator_stripe_accounts (account_id) WHERE stale OR read_at_ms IS NULL;

-- What the tables look like at size, so that SQLite chooses its indexes the same way from the first row on: without it, any equality is
-- as good as another. Shape only (rows, then rows per value of each column so far; noskipscan: an index of runs is no way to what has no
-- run); other numbers make an answer slower, never wrong.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('creator_payouts', 'sqlite_autoindex_creator_payouts_1', '1000000 1'),
  ('creator_payouts', 'sqlite_autoindex_creator_payouts_2', '1000000 50000 1 1 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_one_active', '50000 1 1'),
  ('creator_payouts', 'creator_payouts_object', '900000 1'),
  ('creator_payouts', 'creator_payouts_due', '1000000 50000 10000 100 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_changed', '1000000 50000 2 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_amount', '1000000 50000 5 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_creator', '1000000 10'),
  ('creator_payouts', 'creator_payouts_account', '1000000 10'),
  ('creator_payouts', 'creator_payouts_all_changed', '1000000 2 1'),
  ('creator_payouts', 'creator_payouts_all_amount', '1000000 5 1'),
  ('creator_payouts', 'creator_payouts_state_changed', '1000000 50000 10000 2 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_state_amount', '1000000 50000 10000 5 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_sums', '1000000 50000 10000 5000 5 noskipscan'),
  ('creator_payouts', 'creator_payouts_rare_changed', '30000 5000 2 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_rare_amount', '30000 5000 5 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_cause', '30000 3000 200 noskipscan'),
  ('creator_payouts', 'creator_payouts_cause_changed', '30000 1500 200 2 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_cause_amount', '30000 1500 200 5 1 noskipscan'),
  ('creator_payouts', 'creator_payouts_unknown', '1000 2 1'),
  ('creator_earnings', 'sqlite_autoindex_creator_earnings_1', '10000000 5000000 2 1'),
  ('creator_earnings', 'creator_earnings_purse', '10000000 100 80 1'),
  ('creator_earnings', 'creator_earnings_creator', '10000000 100'),
  ('payout_items', 'sqlite_autoindex_payout_items_1', '10000000 10 1'),
  ('payout_items', 'payout_items_locked', '9000000 1'),
  ('payout_attempts', 'sqlite_autoindex_payout_attempts_1', '1000000 1'),
  ('payout_attempts', 'sqlite_autoindex_payout_attempts_2', '1000000 1 1 1'),
  ('payout_attempts', 'payout_attempts_flight', '100 50'),
  ('creator_stripe_accounts', 'sqlite_autoindex_creator_stripe_accounts_1', '100000 1'),
  ('creator_stripe_accounts', 'creator_stripe_accounts_creator', '100000 1'),
  ('creator_stripe_accounts', 'creator_stripe_accounts_current', '100000 1'),
  ('creator_stripe_accounts', 'creator_stripe_accounts_unread', '10000 1'),
  ('run_outcomes', 'sqlite_autoindex_run_outcomes_1', '2000000 100000 1 1'),
  ('run_outcomes', 'run_outcomes_reason', '2000000 100000 10000');
ANALYZE sqlite_schema;
