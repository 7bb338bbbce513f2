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
