-- Adopted payouts: money that somebody paid out at Stripe past this program, taken into the books. Their entries are locked like a
-- payout's, so an item's owner is a payout or an adopted object, and no reference can say which (payout books does). SQLite can't drop a
-- reference: the table is built anew.
CREATE TABLE payout_items_new (
  -- A payout, or Stripe's object of one that was adopted (foreign_payouts).
  payout_id       TEXT NOT NULL,
  earning_id      INTEGER NOT NULL REFERENCES creator_earnings (id),
  amount_minor    INTEGER NOT NULL,
  released_at_ms  INTEGER,
  PRIMARY KEY (payout_id, earning_id)
) STRICT;
INSERT INTO payout_items_new (payout_id, earning_id, amount_minor, released_at_ms)
SELECT payout_id, earning_id, amount_minor, released_at_ms FROM payout_items;
DROP TABLE payout_items;
ALTER TABLE payout_items_new RENAME TO payout_items;
CREATE UNIQUE INDEX payout_items_locked ON payout_items (earning_id) WHERE released_at_ms IS NULL;

-- Who adopted it, and when its money came back after that: its entries are free again since.
ALTER TABLE foreign_payouts ADD COLUMN adopted_by TEXT;
ALTER TABLE foreign_payouts ADD COLUMN returned_at_ms INTEGER;
CREATE INDEX foreign_payouts_adopted ON foreign_payouts (account_id, currency) WHERE adopted_at_ms IS NOT NULL;

-- As in migration 3: what these look like at size.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('payout_items', 'sqlite_autoindex_payout_items_1', '10000000 10 1'),
  ('payout_items', 'payout_items_locked', '9000000 1'),
  ('foreign_payouts', 'foreign_payouts_adopted', '900 2 1');
ANALYZE sqlite_schema;
