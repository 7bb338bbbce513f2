-- The spine: what one payout walks through. Times are Unix milliseconds (UTC), amounts minor units, unless a name says otherwise.
-- The PostgreSQL file of the same number has the same tables and columns (a test compares them).

-- One row: what this database is.
CREATE TABLE daemon_state (
  id                   INTEGER PRIMARY KEY CHECK (id = 1),
  mode                 TEXT NOT NULL CHECK (mode IN ('live', 'test')),
  platform_account_id  TEXT,
  armed_at_ms          INTEGER,
  paused               INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  pause_reason         TEXT,
  paused_by            TEXT,
  paused_at_ms         INTEGER,
  beta_open            INTEGER NOT NULL DEFAULT 0 CHECK (beta_open IN (0, 1)),
  -- What minimums of creators and balances without a currency are in (PLATFORM_DEFAULT_CURRENCY).
  default_currency     TEXT NOT NULL DEFAULT 'usd',
  created_at_ms        INTEGER NOT NULL
) STRICT;

-- The platform's own table: created when absent, its flags count at the next send.
CREATE TABLE IF NOT EXISTS users (
  supabase_id          TEXT PRIMARY KEY,
  is_creator           INTEGER NOT NULL DEFAULT 0,
  payout_enabled       INTEGER NOT NULL DEFAULT 0,
  payout_beta_enabled  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- minimum_payout_amount: major units of the default currency, as decimal text (50.00).
CREATE TABLE creator_payout_settings (
  creator_id             TEXT PRIMARY KEY,
  payout_enabled         INTEGER NOT NULL DEFAULT 0,
  minimum_payout_amount  TEXT
) STRICT;

CREATE TABLE creator_stripe_accounts (
  account_id         TEXT PRIMARY KEY,
  creator_id         TEXT NOT NULL,
  country            TEXT NOT NULL,
  is_current         INTEGER NOT NULL DEFAULT 1,
  payouts_enabled    INTEGER NOT NULL DEFAULT 0,
  charges_enabled    INTEGER NOT NULL DEFAULT 0,
  details_submitted  INTEGER NOT NULL DEFAULT 0,
  disabled_reason    TEXT,
  schedule_interval  TEXT,
  -- NULL: never read from Stripe.
  read_at_ms         INTEGER,
  -- Set when a webhook or an answer says that what we know is old.
  stale              INTEGER NOT NULL DEFAULT 1,
  created_at_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX creator_stripe_accounts_creator ON creator_stripe_accounts (creator_id);
CREATE UNIQUE INDEX creator_stripe_accounts_current ON creator_stripe_accounts (creator_id) WHERE is_current;

-- The bank account that Stripe would use for a currency of an account.
CREATE TABLE account_banks (
  account_id      TEXT NOT NULL,
  currency        TEXT NOT NULL,
  destination_id  TEXT NOT NULL,
  status          TEXT NOT NULL,
  -- When it replaced another one that we had known; NULL for the first one known.
  changed_at_ms   INTEGER,
  PRIMARY KEY (account_id, currency)
) STRICT;

CREATE TABLE creator_earnings (
  id               INTEGER PRIMARY KEY,
  creator_id       TEXT NOT NULL,
  account_id       TEXT NOT NULL,
  currency         TEXT NOT NULL,
  kind             TEXT NOT NULL CHECK (kind IN ('sale', 'refund', 'carry_out', 'carry_in', 'adjustment')),
  amount_minor     INTEGER NOT NULL,
  gross_minor      INTEGER NOT NULL,
  fee_minor        INTEGER NOT NULL,
  source_type      TEXT NOT NULL,
  source_id        TEXT NOT NULL,
  earned_at_ms     INTEGER NOT NULL,
  available_on_ms  INTEGER NOT NULL,
  created_at_ms    INTEGER NOT NULL,
  UNIQUE (source_type, source_id, kind)
) STRICT;
CREATE INDEX creator_earnings_purse ON creator_earnings (account_id, currency, earned_at_ms);
CREATE INDEX creator_earnings_creator ON creator_earnings (creator_id);

CREATE TABLE payout_runs (
  id                TEXT PRIMARY KEY,
  cycle_date        TEXT NOT NULL,
  number            INTEGER NOT NULL CHECK (number > 0),
  kind              TEXT NOT NULL CHECK (kind IN ('scheduled', 'manual')),
  state             TEXT NOT NULL CHECK (state IN ('planning', 'planned', 'awaiting_approval', 'running', 'pausing',
                    'paused', 'completed', 'completed_with_failures', 'settled', 'missed', 'aborting', 'aborted')),
  cutoff_ms         INTEGER NOT NULL,
  -- Nothing of the run leaves before this moment by Stripe's Date.
  instant_ms        INTEGER NOT NULL,
  -- Only the creators named in payout_run_creators.
  named_only        INTEGER NOT NULL DEFAULT 0 CHECK (named_only IN (0, 1)),
  plan_finished     INTEGER NOT NULL DEFAULT 0 CHECK (plan_finished IN (0, 1)),
  -- The last purse that has its outcome ("account currency"), so that planning goes on where it stopped.
  plan_after        TEXT NOT NULL DEFAULT '',
  requested_by      TEXT NOT NULL,
  reason            TEXT,
  pause_reason      TEXT,
  paused_by         TEXT,
  created_at_ms     INTEGER NOT NULL,
  started_at_ms     INTEGER,
  finished_at_ms    INTEGER,
  UNIQUE (cycle_date, number),
  CHECK ((kind = 'scheduled') = (number = 1))
) STRICT;
CREATE INDEX payout_runs_state ON payout_runs (state);

CREATE TABLE payout_run_creators (
  run_id      TEXT NOT NULL REFERENCES payout_runs (id),
  creator_id  TEXT NOT NULL,
  PRIMARY KEY (run_id, creator_id)
) STRICT;

-- Exactly one live outcome per purse considered: a payout or a skip with its reason.
CREATE TABLE run_outcomes (
  run_id        TEXT NOT NULL REFERENCES payout_runs (id),
  account_id    TEXT NOT NULL,
  currency      TEXT NOT NULL,
  creator_id    TEXT NOT NULL,
  payout_id     TEXT,
  reason        TEXT,
  sentence      TEXT,
  payable_minor INTEGER NOT NULL,
  PRIMARY KEY (run_id, account_id, currency),
  CHECK ((payout_id IS NULL) = (reason IS NOT NULL))
) STRICT;
CREATE INDEX run_outcomes_reason ON run_outcomes (run_id, reason);

CREATE TABLE creator_payouts (
  id                TEXT PRIMARY KEY,
  run_id            TEXT NOT NULL REFERENCES payout_runs (id),
  number            INTEGER NOT NULL CHECK (number > 0),
  creator_id        TEXT NOT NULL,
  account_id        TEXT NOT NULL,
  currency          TEXT NOT NULL,
  amount_minor      INTEGER NOT NULL CHECK (amount_minor > 0),
  destination_id    TEXT NOT NULL,
  state             TEXT NOT NULL CHECK (state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit', 'paid',
                    'settled', 'voided', 'failed', 'canceled', 'returned', 'reversing', 'reversed')),
  -- Create attempts so far.
  attempts          INTEGER NOT NULL DEFAULT 0,
  -- Not before this time is it sent, resent or listed again.
  not_before_ms     INTEGER NOT NULL DEFAULT 0,
  stripe_payout_id  TEXT,
  -- A short word for lists of causes, while it is failed, returned, unknown or put back.
  cause             TEXT,
  failure_reason    TEXT,
  -- Its items were released (voided, refused, or the money was seen back).
  released_at_ms    INTEGER,
  created_at_ms     INTEGER NOT NULL,
  changed_at_ms     INTEGER NOT NULL,
  UNIQUE (run_id, account_id, currency, number)
) STRICT;
CREATE UNIQUE INDEX creator_payouts_one_active ON creator_payouts (account_id, currency)
  WHERE state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit');
CREATE UNIQUE INDEX creator_payouts_object ON creator_payouts (stripe_payout_id) WHERE stripe_payout_id IS NOT NULL;
CREATE INDEX creator_payouts_due ON creator_payouts (run_id, state, not_before_ms, id);
CREATE INDEX creator_payouts_changed ON creator_payouts (run_id, changed_at_ms, id);
CREATE INDEX creator_payouts_amount ON creator_payouts (run_id, amount_minor, id);
CREATE INDEX creator_payouts_creator ON creator_payouts (creator_id);
-- Lists over all runs, the newest failures of one, and whether a cause was ever seen before.
CREATE INDEX creator_payouts_all_changed ON creator_payouts (changed_at_ms, id);
CREATE INDEX creator_payouts_all_amount ON creator_payouts (amount_minor, id);
CREATE INDEX creator_payouts_failures ON creator_payouts (run_id, changed_at_ms, id) WHERE state IN ('failed', 'returned');
CREATE INDEX creator_payouts_cause ON creator_payouts (cause, run_id) WHERE cause IS NOT NULL;

-- Entries locked into a payout. Unreleased at most once: no entry is ever in two payouts that count.
CREATE TABLE payout_items (
  payout_id       TEXT NOT NULL REFERENCES creator_payouts (id),
  earning_id      INTEGER NOT NULL REFERENCES creator_earnings (id),
  amount_minor    INTEGER NOT NULL,
  released_at_ms  INTEGER,
  PRIMARY KEY (payout_id, earning_id)
) STRICT;
CREATE UNIQUE INDEX payout_items_locked ON payout_items (earning_id) WHERE released_at_ms IS NULL;

CREATE TABLE payout_attempts (
  key                   TEXT PRIMARY KEY,
  payout_id             TEXT NOT NULL REFERENCES creator_payouts (id),
  kind                  TEXT NOT NULL CHECK (kind IN ('create', 'cancel', 'reverse')),
  number                INTEGER NOT NULL CHECK (number > 0),
  state                 TEXT NOT NULL CHECK (state IN ('intended', 'waiting', 'unknown', 'executed', 'refused', 'withdrawn')),
  -- The exact encoded body: a resend is the same key and these bytes.
  body                  TEXT NOT NULL,
  amount_minor          INTEGER NOT NULL,
  currency              TEXT NOT NULL,
  account_id            TEXT NOT NULL,
  destination_id        TEXT NOT NULL,
  -- The run that pays: what is in flight is counted per run.
  run_id                TEXT NOT NULL,
  sends                 INTEGER NOT NULL DEFAULT 0,
  ambiguous_sends       INTEGER NOT NULL DEFAULT 0,
  -- A send of it has left, or may leave yet, and its answer isn't recorded: what "in flight" counts.
  on_wire               INTEGER NOT NULL DEFAULT 0 CHECK (on_wire IN (0, 1)),
  -- Never resent by itself (Stripe-Should-Retry: false, or a misused key).
  no_resend             INTEGER NOT NULL DEFAULT 0,
  -- Fencing token and last moment of the newest intent.
  token                 INTEGER NOT NULL,
  send_before_ms        INTEGER NOT NULL,
  -- Stripe's time at the first and the last send.
  first_sent_stripe_ms  INTEGER,
  last_sent_stripe_ms   INTEGER,
  -- Listings that didn't show it: how many, and the first and last of them (Stripe's time).
  absent_listings       INTEGER NOT NULL DEFAULT 0,
  stripe_object_id      TEXT,
  object_status         TEXT,
  http_status           INTEGER,
  error_type            TEXT,
  error_code            TEXT,
  error_message         TEXT,
  request_id            TEXT,
  created_at_ms         INTEGER NOT NULL,
  answered_at_ms        INTEGER,
  UNIQUE (payout_id, kind, number)
) STRICT;
CREATE INDEX payout_attempts_flight ON payout_attempts (run_id) WHERE on_wire;

CREATE TABLE creator_holds (
  id              INTEGER PRIMARY KEY,
  creator_id      TEXT NOT NULL,
  cause           TEXT NOT NULL,
  reason          TEXT NOT NULL,
  placed_by       TEXT NOT NULL,
  placed_at_ms    INTEGER NOT NULL,
  released_by     TEXT,
  released_at_ms  INTEGER
) STRICT;
CREATE UNIQUE INDEX creator_holds_active ON creator_holds (creator_id, cause) WHERE released_at_ms IS NULL;

-- Webhooks: stored before they are answered, understood later. outcome: NULL until the engine has looked at it.
CREATE TABLE webhook_inbox (
  seq              INTEGER PRIMARY KEY,
  event_id         TEXT NOT NULL UNIQUE,
  event_type       TEXT NOT NULL,
  account_id       TEXT,
  object_id        TEXT,
  livemode         INTEGER NOT NULL,
  created_s        INTEGER NOT NULL,
  body             TEXT NOT NULL,
  received_at_ms   INTEGER NOT NULL,
  processed_at_ms  INTEGER,
  outcome          TEXT
) STRICT;
CREATE INDEX webhook_inbox_todo ON webhook_inbox (seq) WHERE processed_at_ms IS NULL;

-- Payout objects on our accounts that no payout of ours explains (hand-made, other platforms, late executions).
CREATE TABLE foreign_payouts (
  object_id      TEXT PRIMARY KEY,
  account_id     TEXT NOT NULL,
  currency       TEXT NOT NULL,
  amount_minor   INTEGER NOT NULL,
  status         TEXT NOT NULL,
  automatic      INTEGER NOT NULL,
  payout_id      TEXT,
  why            TEXT NOT NULL,
  first_seen_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE journal (
  seq         INTEGER PRIMARY KEY,
  at_ms       INTEGER NOT NULL,
  actor       TEXT NOT NULL,
  action      TEXT NOT NULL,
  run_id      TEXT,
  payout_id   TEXT,
  from_state  TEXT,
  to_state    TEXT,
  reason      TEXT,
  detail      TEXT NOT NULL,
  hash        TEXT NOT NULL
) STRICT;
CREATE INDEX journal_payout ON journal (payout_id, seq) WHERE payout_id IS NOT NULL;
CREATE INDEX journal_run ON journal (run_id, seq) WHERE run_id IS NOT NULL AND payout_id IS NULL;

CREATE TABLE journal_head (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  seq   INTEGER NOT NULL,
  hash  TEXT NOT NULL
) STRICT;
INSERT INTO journal_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- Who may run the engine, until when by the database's clock. token: every engine write carries it.
CREATE TABLE lease (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  holder         TEXT NOT NULL,
  token          INTEGER NOT NULL,
  expires_at_ms  INTEGER NOT NULL
) STRICT;
INSERT INTO lease (id, holder, token, expires_at_ms) VALUES (1, '', 0, 0);
