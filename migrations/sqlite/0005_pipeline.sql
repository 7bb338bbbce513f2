-- The live pipeline: what Stripe said of a purse just before a payout leaves it.

-- The last look at each purse. A payout leaves only on one that is fresh.
CREATE TABLE purse_checks (
  account_id       TEXT NOT NULL,
  currency         TEXT NOT NULL,
  -- Stripe's balance, as it was said: our own sends that it doesn't show yet are subtracted when it is used.
  available_minor  INTEGER NOT NULL,
  pending_minor    INTEGER NOT NULL,
  -- When it was asked for by our clock, and Stripe's time then.
  read_at_ms       INTEGER NOT NULL,
  stripe_ms        INTEGER NOT NULL,
  -- What Stripe holds beyond what our entries and payouts say it should (below 0: less); 0 at a look that failed.
  drift_minor      INTEGER NOT NULL,
  -- The drift that the journal last told of; NULL: none so far, or it is gone.
  told_drift_minor INTEGER,
  -- Why nothing could be read; NULL: it was.
  failed           TEXT,
  PRIMARY KEY (account_id, currency)
) STRICT;
CREATE INDEX purse_checks_drift ON purse_checks (account_id, currency) WHERE told_drift_minor IS NOT NULL;

-- The account's payouts were looked through up to here, by Stripe's time; 0: never.
ALTER TABLE creator_stripe_accounts ADD COLUMN payouts_listed_ms INTEGER NOT NULL DEFAULT 0;

-- When Stripe made it (0: before this was kept), and when somebody took it into the books.
ALTER TABLE foreign_payouts ADD COLUMN created_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE foreign_payouts ADD COLUMN adopted_at_ms INTEGER;
CREATE INDEX foreign_payouts_open ON foreign_payouts (account_id, currency)
  WHERE payout_id IS NULL AND adopted_at_ms IS NULL;

-- Reads that a run has asked of Stripe for its plan and its sends.
CREATE TABLE run_reads (
  run_id    TEXT PRIMARY KEY REFERENCES payout_runs (id),
  accounts  INTEGER NOT NULL,
  balances  INTEGER NOT NULL,
  listings  INTEGER NOT NULL
) STRICT;

-- As in migration 3: what these look like at size.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('purse_checks', 'sqlite_autoindex_purse_checks_1', '200000 2 1'),
  ('purse_checks', 'purse_checks_drift', '100 2 1'),
  ('foreign_payouts', 'sqlite_autoindex_foreign_payouts_1', '1000 1'),
  ('foreign_payouts', 'foreign_payouts_open', '100 2 1');
ANALYZE sqlite_schema;
