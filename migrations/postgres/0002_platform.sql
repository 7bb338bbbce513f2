-- What the platform's existing SQL expects: columns for people beside the exact ones, and two functions.
-- The SQLite file of the same number is empty: nobody but this program reads that database.

-- An adopted users table gets the flags it lacks; they count at the next send.
ALTER TABLE users ADD COLUMN IF NOT EXISTS is_creator BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN IF NOT EXISTS payout_enabled BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN IF NOT EXISTS payout_beta_enabled BOOLEAN NOT NULL DEFAULT FALSE;

-- Decimals between minor units and what people read. The same list as the program's (a test compares them).
CREATE FUNCTION currency_exponent(text) RETURNS integer
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE
    WHEN lower($1) IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf') THEN 0
    WHEN lower($1) IN ('bhd', 'jod', 'kwd', 'omr', 'tnd') THEN 3
    ELSE 2
  END;

-- Minor units as major units, exactly: 1050 usd is 10.50.
CREATE FUNCTION major_units(bigint, text) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE currency_exponent($2)
    WHEN 0 THEN $1::numeric
    WHEN 3 THEN round($1::numeric / 1000, 3)
    ELSE round($1::numeric / 100, 2)
  END;

-- For people, a returned payout has failed; state stays exact.
ALTER TABLE creator_payouts
  ADD COLUMN status text NOT NULL
    GENERATED ALWAYS AS (CASE state WHEN 'returned' THEN 'failed' ELSE state END) STORED,
  ADD COLUMN net_payout_amount numeric NOT NULL
    GENERATED ALWAYS AS (major_units(amount_minor, currency)) STORED,
  ADD COLUMN created_at timestamptz NOT NULL
    GENERATED ALWAYS AS (to_timestamp(created_at_ms / 1000.0)) STORED;
CREATE INDEX creator_payouts_created_at ON creator_payouts (created_at);

-- A run that is pausing or paused hasn't ended.
ALTER TABLE payout_runs
  ADD COLUMN status text NOT NULL
    GENERATED ALWAYS AS (CASE WHEN state IN ('pausing', 'paused') THEN 'running' ELSE state END) STORED,
  ADD COLUMN started_at timestamptz
    GENERATED ALWAYS AS (to_timestamp(started_at_ms / 1000.0)) STORED;

-- Is the creator on? By the flags, as the next send reads them.
CREATE FUNCTION creator_flags_open(text) RETURNS boolean
  LANGUAGE sql STABLE
  RETURN COALESCE((SELECT u.payout_enabled
                          AND (u.payout_beta_enabled OR NOT EXISTS (SELECT 1 FROM daemon_state s WHERE s.beta_open))
                     FROM users u WHERE u.supabase_id::text = $1), FALSE)
     AND COALESCE((SELECT c.payout_enabled FROM creator_payout_settings c WHERE c.creator_id = $1), FALSE);

-- Could a payout leave for this creator, money aside: flags open, no hold, and a current account that Stripe pays out for, on a
-- manual schedule, with a bank account that works.
CREATE FUNCTION can_creator_receive_payouts(creator_id text) RETURNS boolean
  LANGUAGE sql STABLE
  RETURN creator_flags_open($1)
     AND NOT EXISTS (SELECT 1 FROM creator_holds h WHERE h.creator_id = $1 AND h.released_at_ms IS NULL)
     AND EXISTS (SELECT 1 FROM creator_stripe_accounts a
                  WHERE a.creator_id = $1 AND a.is_current AND a.payouts_enabled AND a.schedule_interval = 'manual'
                    AND EXISTS (SELECT 1 FROM account_banks b
                                 WHERE b.account_id = a.account_id
                                   AND b.status NOT IN ('errored', 'verification_failed',
                                                        'tokenized_account_number_deactivated', 'removed')));

-- What a creator has coming, all accounts together, minor units of one currency (the platform's when none is named).
-- gross, fee, refunds: of entries that no payout holds. held: what would be payable but for a hold. in_flight: locked into
-- payouts that Stripe hasn't ended. Purse by purse: gross - fee - refunds and the rest of its free entries are
-- payable_now + held + immature - debt.
CREATE FUNCTION get_creator_pending_balance(creator_id text, currency text DEFAULT NULL)
  RETURNS TABLE (gross bigint, fee bigint, refunds bigint, held bigint, reserved bigint, in_flight bigint,
                 payable_now bigint, immature bigint, debt bigint)
  LANGUAGE sql STABLE
BEGIN ATOMIC
  WITH wanted AS (
    SELECT lower(COALESCE($2, (SELECT s.default_currency FROM daemon_state s), 'usd')) AS code,
           EXISTS (SELECT 1 FROM creator_holds h WHERE h.creator_id = $1 AND h.released_at_ms IS NULL) AS on_hold,
           CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) AS now_ms
  ), entries AS (
    SELECT e.account_id, e.kind, e.amount_minor, e.gross_minor, e.fee_minor, p.state,
           i.earning_id IS NULL AS free,
           e.amount_minor < 0 OR (e.earned_at_ms < w.now_ms AND e.available_on_ms <= w.now_ms) AS mature
      FROM wanted w
      JOIN creator_earnings e ON e.creator_id = $1 AND e.currency = w.code
      LEFT JOIN payout_items i ON i.earning_id = e.id AND i.released_at_ms IS NULL
      LEFT JOIN creator_payouts p ON p.id = i.payout_id
  ), purses AS (
    SELECT COALESCE(SUM(gross_minor) FILTER (WHERE free AND kind = 'sale'), 0) AS gross,
           COALESCE(SUM(fee_minor) FILTER (WHERE free AND kind = 'sale'), 0) AS fee,
           COALESCE(-SUM(amount_minor) FILTER (WHERE free AND kind = 'refund'), 0) AS refunds,
           COALESCE(SUM(amount_minor) FILTER (WHERE free AND mature), 0) AS mature,
           COALESCE(SUM(amount_minor) FILTER (WHERE free AND NOT mature), 0) AS immature,
           COALESCE(SUM(amount_minor) FILTER (WHERE state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit')), 0)
             AS in_flight
      FROM entries GROUP BY account_id
  )
  SELECT CAST(COALESCE(SUM(p.gross), 0) AS BIGINT), CAST(COALESCE(SUM(p.fee), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.refunds), 0) AS BIGINT),
         CAST(COALESCE(SUM(GREATEST(p.mature, 0)) FILTER (WHERE w.on_hold), 0) AS BIGINT), CAST(0 AS BIGINT),
         CAST(COALESCE(SUM(p.in_flight), 0) AS BIGINT),
         CAST(COALESCE(SUM(GREATEST(p.mature, 0)) FILTER (WHERE NOT w.on_hold), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.immature), 0) AS BIGINT), CAST(COALESCE(SUM(GREATEST(-p.mature, 0)), 0) AS BIGINT)
    FROM wanted w LEFT JOIN purses p ON TRUE;
END;
