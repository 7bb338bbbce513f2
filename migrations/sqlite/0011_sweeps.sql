-- Sweeping: what Stripe has told gets lost now and then, so that it is asked for again, and nobody's money waits for a webhook for ever.

-- What is swept, and how far. Times without another word are ours.
CREATE TABLE sweeps (
  kind            TEXT PRIMARY KEY CHECK (kind IN ('payouts', 'earnings')),
  -- When the last one ended, and up to where (Stripe's time) everything was asked for then.
  ended_at_ms     INTEGER,
  swept_ms        INTEGER,
  -- The one that is under way: from where and when it began (Stripe's time), and where it goes on.
  from_ms         INTEGER,
  began_ms        INTEGER,
  place           TEXT NOT NULL DEFAULT '',
  -- Somebody wants everything from this moment on (Stripe's time) asked for once more; when that was done.
  wanted_from_ms  INTEGER,
  wanted_at_ms    INTEGER,
  wanted_done_ms  INTEGER
) STRICT;
INSERT INTO sweeps (kind) VALUES ('payouts'), ('earnings');

-- When a payout is looked at again without having been told of. NULL: nothing of it is awaited.
ALTER TABLE creator_payouts ADD COLUMN look_at_ms INTEGER;
ALTER TABLE foreign_payouts ADD COLUMN look_at_ms INTEGER;
UPDATE creator_payouts SET look_at_ms = changed_at_ms + 86400000
WHERE state IN ('pending', 'in_transit')
  OR state IN ('failed', 'canceled', 'returned') AND stripe_payout_id IS NOT NULL AND released_at_ms IS NULL;
UPDATE creator_payouts SET look_at_ms = changed_at_ms + 604800000 WHERE state = 'paid';
UPDATE foreign_payouts SET look_at_ms = first_seen_ms + 86400000 WHERE status NOT IN ('failed', 'canceled');
CREATE INDEX creator_payouts_look ON creator_payouts (look_at_ms, id) WHERE look_at_ms IS NOT NULL;
CREATE INDEX foreign_payouts_look ON foreign_payouts (look_at_ms, object_id) WHERE look_at_ms IS NOT NULL;
-- Whose payouts were not listed for a long time.
CREATE INDEX creator_stripe_accounts_listed ON creator_stripe_accounts (payouts_listed_ms, account_id);

-- It was found by a sweep: no webhook had brought it by then.
ALTER TABLE webhook_inbox ADD COLUMN swept INTEGER NOT NULL DEFAULT 0 CHECK (swept IN (0, 1));

-- As in migration 3: what these look like at size.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('creator_payouts', 'creator_payouts_look', '200000 2 1'),
  ('foreign_payouts', 'foreign_payouts_look', '100 2 1'),
  ('creator_stripe_accounts', 'creator_stripe_accounts_listed', '100000 2 1');
ANALYZE sqlite_schema;
