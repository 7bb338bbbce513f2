-- Every kind of entry, and what Stripe told that they are made of. SQLite can't change a CHECK: the two tables are built anew beside the
-- old ones, which are dropped child first. The PostgreSQL file of the same number has the same tables and columns.
CREATE TABLE creator_earnings_new (
  id                  INTEGER PRIMARY KEY,
  creator_id          TEXT NOT NULL,
  account_id          TEXT NOT NULL,
  currency            TEXT NOT NULL,
  kind                TEXT NOT NULL CHECK (kind IN ('sale', 'refund', 'fee_refund', 'dispute_hold', 'dispute_release',
                      'dispute_lost', 'reserve_hold', 'reserve_release', 'carry_out', 'carry_in', 'debt_repaid',
                      'debt_writeoff', 'adjustment', 'overpaid', 'payout_fee')),
  amount_minor        INTEGER NOT NULL,
  gross_minor         INTEGER NOT NULL,
  fee_minor           INTEGER NOT NULL,
  source_type         TEXT NOT NULL,
  source_id           TEXT NOT NULL,
  earned_at_ms        INTEGER NOT NULL,
  available_on_ms     INTEGER NOT NULL,
  created_at_ms       INTEGER NOT NULL,
  -- What the entry belongs to beside its own object: the charge of anything but a sale, the transfer that an adjustment waits for.
  charge_id           TEXT,
  transfer_id         TEXT,
  -- A sale told by an event is estimated until the account's balance transaction confirms it. It settles as charged when the account
  -- has a bank account in the charge's currency; while that isn't sure it counts only once it is confirmed.
  confirmed           INTEGER NOT NULL DEFAULT 1 CHECK (confirmed IN (0, 1)),
  settles_as_charged  INTEGER NOT NULL DEFAULT 1 CHECK (settles_as_charged IN (0, 1)),
  UNIQUE (source_type, source_id, kind)
) STRICT;
INSERT INTO creator_earnings_new (id, creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type,
  source_id, earned_at_ms, available_on_ms, created_at_ms)
SELECT id, creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type,
  source_id, earned_at_ms, available_on_ms, created_at_ms FROM creator_earnings ORDER BY id;

CREATE TABLE payout_items_new (
  payout_id       TEXT NOT NULL REFERENCES creator_payouts (id),
  earning_id      INTEGER NOT NULL REFERENCES creator_earnings_new (id),
  amount_minor    INTEGER NOT NULL,
  released_at_ms  INTEGER,
  PRIMARY KEY (payout_id, earning_id)
) STRICT;
INSERT INTO payout_items_new (payout_id, earning_id, amount_minor, released_at_ms)
SELECT payout_id, earning_id, amount_minor, released_at_ms FROM payout_items;

DROP TABLE payout_items;
DROP TABLE creator_earnings;
-- The references follow the name.
ALTER TABLE creator_earnings_new RENAME TO creator_earnings;
ALTER TABLE payout_items_new RENAME TO payout_items;

CREATE INDEX creator_earnings_purse ON creator_earnings (account_id, currency, earned_at_ms);
CREATE INDEX creator_earnings_creator ON creator_earnings (creator_id);
CREATE UNIQUE INDEX payout_items_locked ON payout_items (earning_id) WHERE released_at_ms IS NULL;
-- What belongs to a charge, and which sales aren't confirmed, account by account.
CREATE INDEX creator_earnings_charge ON creator_earnings (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX creator_earnings_estimated ON creator_earnings (account_id, available_on_ms) WHERE NOT confirmed;

-- Transfers from the platform to an account; charge_id: of a destination charge. An adjustment counts once its transfer is here.
CREATE TABLE transfers (
  transfer_id          TEXT PRIMARY KEY,
  account_id           TEXT NOT NULL,
  amount_minor         INTEGER NOT NULL,
  currency             TEXT NOT NULL,
  charge_id            TEXT,
  destination_payment  TEXT,
  created_ms           INTEGER NOT NULL
) STRICT;
CREATE INDEX transfers_charge ON transfers (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX transfers_payment ON transfers (destination_payment) WHERE destination_payment IS NOT NULL;

-- What Stripe told of its objects that entries are made of, one row an object, in whatever order it came. booked: the entries that
-- follow are written; until then it waits for its sale, its account or its transfer.
CREATE TABLE earning_facts (
  fact_id         TEXT PRIMARY KEY,
  kind            TEXT NOT NULL CHECK (kind IN ('sale', 'reversal', 'fee_refund', 'dispute', 'refund', 'debit')),
  charge_id       TEXT,
  account_id      TEXT,
  transfer_id     TEXT,
  currency        TEXT NOT NULL,
  -- As Stripe told it: of a sale what the customer paid.
  amount_minor    INTEGER NOT NULL,
  -- Of a sale: the platform's part, and what of the charge was transferred before it.
  fee_minor       INTEGER NOT NULL,
  moved_minor     INTEGER NOT NULL,
  status          TEXT NOT NULL,
  at_ms           INTEGER NOT NULL,
  -- When Stripe said so, and when the money comes where it says that.
  said_ms         INTEGER NOT NULL,
  due_ms          INTEGER,
  -- The object that the account's balance transaction names, and how much that one moved.
  balance_source  TEXT,
  settled_minor   INTEGER,
  booked          INTEGER NOT NULL CHECK (booked IN (0, 1)),
  created_at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX earning_facts_charge ON earning_facts (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX earning_facts_waiting ON earning_facts (fact_id) WHERE NOT booked;
CREATE INDEX earning_facts_source ON earning_facts (balance_source) WHERE balance_source IS NOT NULL;

-- Before this an account's balance transactions aren't read for its estimated sales.
ALTER TABLE creator_stripe_accounts ADD COLUMN confirm_after_ms INTEGER NOT NULL DEFAULT 0;

-- The tables' shape again (0003 says why): dropping a table drops its rows here.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('creator_earnings', 'sqlite_autoindex_creator_earnings_1', '10000000 5000000 2 1'),
  ('creator_earnings', 'creator_earnings_purse', '10000000 100 80 1'),
  ('creator_earnings', 'creator_earnings_creator', '10000000 100'),
  ('creator_earnings', 'creator_earnings_charge', '1000000 3'),
  ('creator_earnings', 'creator_earnings_estimated', '100000 10 1'),
  ('payout_items', 'sqlite_autoindex_payout_items_1', '10000000 10 1'),
  ('payout_items', 'payout_items_locked', '9000000 1'),
  ('transfers', 'sqlite_autoindex_transfers_1', '10000000 1'),
  ('transfers', 'transfers_charge', '10000000 1'),
  ('transfers', 'transfers_payment', '10000000 1'),
  ('earning_facts', 'sqlite_autoindex_earning_facts_1', '10000000 1'),
  ('earning_facts', 'earning_facts_charge', '10000000 2'),
  ('earning_facts', 'earning_facts_waiting', '1000 1'),
  ('earning_facts', 'earning_facts_source', '10000000 1');
ANALYZE sqlite_schema;
