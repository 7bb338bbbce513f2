-- Every kind of entry, and what Stripe told that they are made of. The SQLite file of the same number has the same tables and columns.
ALTER TABLE creator_earnings DROP CONSTRAINT creator_earnings_kind_check;
ALTER TABLE creator_earnings
  ADD CONSTRAINT creator_earnings_kind_check CHECK (kind IN ('sale', 'refund', 'fee_refund', 'dispute_hold', 'dispute_release',
                      'dispute_lost', 'reserve_hold', 'reserve_release', 'carry_out', 'carry_in', 'debt_repaid',
                      'debt_writeoff', 'adjustment', 'overpaid', 'payout_fee')),
  -- What the entry belongs to beside its own object: the charge of anything but a sale, the transfer that an adjustment waits for.
  ADD COLUMN charge_id TEXT,
  ADD COLUMN transfer_id TEXT,
  -- A sale told by an event is estimated until the account's balance transaction confirms it. It settles as charged when the account
  -- has a bank account in the charge's currency; while that isn't sure it counts only once it is confirmed.
  ADD COLUMN confirmed BOOLEAN NOT NULL DEFAULT TRUE,
  ADD COLUMN settles_as_charged BOOLEAN NOT NULL DEFAULT TRUE;

-- What belongs to a charge, and which sales aren't confirmed, account by account.
CREATE INDEX creator_earnings_charge ON creator_earnings (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX creator_earnings_estimated ON creator_earnings (account_id, available_on_ms) WHERE NOT confirmed;

-- Transfers from the platform to an account; charge_id: of a destination charge. An adjustment counts once its transfer is here.
CREATE TABLE transfers (
  transfer_id          TEXT PRIMARY KEY,
  account_id           TEXT NOT NULL,
  amount_minor         BIGINT NOT NULL,
  currency             TEXT NOT NULL,
  charge_id            TEXT,
  destination_payment  TEXT,
  created_ms           BIGINT NOT NULL
);
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
  amount_minor    BIGINT NOT NULL,
  -- Of a sale: the platform's part, and what of the charge was transferred before it.
  fee_minor       BIGINT NOT NULL,
  moved_minor     BIGINT NOT NULL,
  status          TEXT NOT NULL,
  at_ms           BIGINT NOT NULL,
  -- When Stripe said so, and when the money comes where it says that.
  said_ms         BIGINT NOT NULL,
  due_ms          BIGINT,
  -- The object that the account's balance transaction names, and how much that one moved.
  balance_source  TEXT,
  settled_minor   BIGINT,
  booked          BOOLEAN NOT NULL,
  created_at_ms   BIGINT NOT NULL
);
CREATE INDEX earning_facts_charge ON earning_facts (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX earning_facts_waiting ON earning_facts (fact_id) WHERE NOT booked;
CREATE INDEX earning_facts_source ON earning_facts (balance_source) WHERE balance_source IS NOT NULL;

-- Before this an account's balance transactions aren't read for its estimated sales.
ALTER TABLE creator_stripe_accounts ADD COLUMN confirm_after_ms BIGINT NOT NULL DEFAULT 0;

-- A policy that is one number, in force now; NULL when nobody ever said anything. Policies are a table of a later migration: it is
-- looked for when it is asked.
CREATE FUNCTION policy_number(policy text, at_ms bigint) RETURNS bigint
  LANGUAGE plpgsql STABLE AS $$
DECLARE
  found text;
BEGIN
  IF to_regclass('policies') IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT p.value INTO found FROM policies p WHERE p.name = $1 AND p.effective_from_ms <= $2
    ORDER BY p.effective_from_ms DESC, p.id DESC LIMIT 1;
  RETURN CASE WHEN found ~ '^[0-9]{1,9}$' THEN found::bigint END;
END;
$$;

-- What a creator has coming, all accounts together, minor units of one currency (the platform's when none is named).
-- gross, fee, refunds: of entries that no payout holds. held: what would be payable but for a hold. reserved: kept back of sales that
-- count already, until its time. in_flight: locked into payouts that Stripe hasn't ended. Purse by purse: gross - fee - refunds and the
-- rest of its free entries are payable_now + held + immature + reserved - debt. Which entries count now: as the plan of a run asked for now.
CREATE OR REPLACE FUNCTION get_creator_pending_balance(creator_id text, currency text DEFAULT NULL)
  RETURNS TABLE (gross bigint, fee bigint, refunds bigint, held bigint, reserved bigint, in_flight bigint,
                 payable_now bigint, immature bigint, debt bigint)
  LANGUAGE sql STABLE
BEGIN ATOMIC
  WITH clock AS (
    SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) AS now_ms
  ), wanted AS (
    SELECT lower(COALESCE($2, (SELECT s.default_currency FROM daemon_state s), 'usd')) AS code,
           EXISTS (SELECT 1 FROM creator_holds h WHERE h.creator_id = $1 AND h.released_at_ms IS NULL) AS on_hold,
           c.now_ms, c.now_ms - COALESCE(policy_number('hold_days', c.now_ms), 0) * 86400000 AS earned_by_ms
      FROM clock c
  ), entries AS (
    SELECT e.account_id, e.kind, e.amount_minor, e.gross_minor, e.fee_minor, p.state,
           i.earning_id IS NULL AS free,
           e.kind IN ('reserve_hold', 'reserve_release') AS is_reserve,
           (e.amount_minor < 0 AND e.kind NOT IN ('reserve_hold', 'reserve_release')) OR e.kind = 'carry_in'
             OR (e.earned_at_ms < w.now_ms AND e.available_on_ms <= w.now_ms AND e.earned_at_ms <= w.earned_by_ms
                 AND (e.confirmed OR e.settles_as_charged)
                 AND (e.kind <> 'adjustment' OR EXISTS (SELECT 1 FROM transfers t WHERE t.transfer_id = e.transfer_id
                      AND t.account_id = e.account_id AND t.currency = e.currency AND t.amount_minor >= e.amount_minor))) AS mature
      FROM wanted w
      JOIN creator_earnings e ON e.creator_id = $1 AND e.currency = w.code
      LEFT JOIN payout_items i ON i.earning_id = e.id AND i.released_at_ms IS NULL
      LEFT JOIN creator_payouts p ON p.id = i.payout_id
  ), purses AS (
    SELECT COALESCE(SUM(gross_minor) FILTER (WHERE free AND kind = 'sale'), 0) AS gross,
           COALESCE(SUM(fee_minor) FILTER (WHERE free AND kind = 'sale'), 0) AS fee,
           COALESCE(-SUM(amount_minor) FILTER (WHERE free AND kind = 'refund'), 0) AS refunds,
           COALESCE(SUM(amount_minor) FILTER (WHERE free AND mature), 0) AS mature,
           COALESCE(SUM(amount_minor) FILTER (WHERE free AND NOT mature AND NOT is_reserve), 0) AS immature,
           COALESCE(SUM(amount_minor) FILTER (WHERE free AND NOT mature AND is_reserve), 0) AS reserved,
           COALESCE(SUM(amount_minor) FILTER (WHERE state IN ('planned', 'submitting', 'unknown', 'pending', 'in_transit')), 0)
             AS in_flight
      FROM entries GROUP BY account_id
  )
  SELECT CAST(COALESCE(SUM(p.gross), 0) AS BIGINT), CAST(COALESCE(SUM(p.fee), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.refunds), 0) AS BIGINT),
         CAST(COALESCE(SUM(GREATEST(p.mature, 0)) FILTER (WHERE w.on_hold), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.reserved), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.in_flight), 0) AS BIGINT),
         CAST(COALESCE(SUM(GREATEST(p.mature, 0)) FILTER (WHERE NOT w.on_hold), 0) AS BIGINT),
         CAST(COALESCE(SUM(p.immature), 0) AS BIGINT), CAST(COALESCE(SUM(GREATEST(-p.mature, 0)), 0) AS BIGINT)
    FROM wanted w LEFT JOIN purses p ON TRUE;
END;
