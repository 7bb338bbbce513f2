-- What needs two people: requests with the hash of what is asked, who agreed, and overrides that came of them.
CREATE TABLE requests (
  id             TEXT PRIMARY KEY,
  kind           TEXT NOT NULL,
  -- The run or the creator that it is about.
  subject        TEXT NOT NULL,
  detail         TEXT NOT NULL,
  hash           TEXT NOT NULL,
  requested_by   TEXT NOT NULL,
  -- NULL: nobody asked, a schedule did.
  requested_uid  INTEGER,
  reason         TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('open', 'approved', 'applied', 'rejected', 'expired')),
  created_at_ms  INTEGER NOT NULL,
  decided_at_ms  INTEGER,
  decided_by     TEXT,
  decided_why    TEXT
) STRICT;
CREATE INDEX requests_state ON requests (state, created_at_ms);
CREATE INDEX requests_newest ON requests (created_at_ms, id);
CREATE UNIQUE INDEX requests_open_run ON requests (subject) WHERE kind = 'run' AND state = 'open';

CREATE TABLE request_approvals (
  request_id   TEXT NOT NULL REFERENCES requests (id),
  uid          INTEGER NOT NULL,
  approved_by  TEXT NOT NULL,
  reason       TEXT NOT NULL,
  at_ms        INTEGER NOT NULL,
  PRIMARY KEY (request_id, uid)
) STRICT;

-- One purse, one cycle: what two people allow beyond the rules. Exactly this bank account, or up to this amount.
CREATE TABLE overrides (
  request_id      TEXT NOT NULL REFERENCES requests (id),
  kind            TEXT NOT NULL CHECK (kind IN ('cap', 'bank_changed')),
  cycle_date      TEXT NOT NULL,
  account_id      TEXT NOT NULL,
  currency        TEXT NOT NULL,
  amount_minor    INTEGER,
  destination_id  TEXT,
  approved_at_ms  INTEGER NOT NULL,
  PRIMARY KEY (request_id, account_id, currency)
) STRICT;
CREATE INDEX overrides_cycle ON overrides (cycle_date);

-- A run above a bound that two people haven't approved yet.
ALTER TABLE payout_runs ADD COLUMN approval_missing INTEGER NOT NULL DEFAULT 0 CHECK (approval_missing IN (0, 1));
-- What became of its first payouts; NULL: not judged yet.
ALTER TABLE payout_runs ADD COLUMN canary TEXT CHECK (canary IN ('passed', 'failed'));
-- The first payouts of a run are few among its attempts.
CREATE INDEX payout_attempts_first ON payout_attempts (run_id, payout_id) WHERE number = 1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('payout_attempts', 'payout_attempts_first', '1000000 50000 1');
ANALYZE sqlite_schema;
