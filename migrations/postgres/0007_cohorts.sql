-- Rollout: cohorts of creators, opened one after another. No row in cohorts: everybody is in.

CREATE TABLE cohorts (
  name           TEXT PRIMARY KEY,
  kind           TEXT NOT NULL CHECK (kind IN ('list', 'tag', 'percent')),
  -- Of kind tag: whoever has this tag is in it.
  tag            TEXT,
  -- Of kind percent: whose bucket is below is in it; 100 = 1 %.
  percent_bp     BIGINT CHECK (percent_bp BETWEEN 1 AND 10000),
  is_open        BOOLEAN NOT NULL DEFAULT FALSE,
  -- When it was last opened and closed; NULL: never.
  opened_at_ms   BIGINT,
  closed_at_ms   BIGINT,
  created_by     TEXT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  CHECK ((kind = 'tag') = (tag IS NOT NULL)),
  CHECK ((kind = 'percent') = (percent_bp IS NOT NULL)),
  CHECK (NOT is_open OR opened_at_ms IS NOT NULL)
);

-- Who is in a cohort of kind list.
CREATE TABLE cohort_members (
  cohort       TEXT NOT NULL REFERENCES cohorts (name),
  creator_id   TEXT NOT NULL,
  added_at_ms  BIGINT NOT NULL,
  PRIMARY KEY (cohort, creator_id)
);
CREATE INDEX cohort_members_creator ON cohort_members (creator_id, cohort);

CREATE TABLE creator_tags (
  creator_id  TEXT NOT NULL,
  tag         TEXT NOT NULL,
  set_by      TEXT NOT NULL,
  set_at_ms   BIGINT NOT NULL,
  PRIMARY KEY (creator_id, tag)
);
CREATE INDEX creator_tags_tag ON creator_tags (tag, creator_id);

-- Payouts of the last 30 days, for the gate between cohorts.
CREATE INDEX creator_payouts_created ON creator_payouts (created_at_ms, id);

-- The bucket of a creator, 0 to 9,999, as the program computes it (a test compares them): it can never be changed.
CREATE FUNCTION cohort_bucket(text) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (SELECT (get_byte(h, 0) * 16777216::bigint + get_byte(h, 1) * 65536::bigint + get_byte(h, 2) * 256::bigint + get_byte(h, 3))
                 % 10000
            FROM sha256(convert_to('cohort:' || $1, 'UTF8')) AS h);

-- Has the rollout come to this creator? As the next send sees it.
CREATE FUNCTION creator_in_cohort(text) RETURNS boolean
  LANGUAGE sql STABLE
  RETURN NOT EXISTS (SELECT 1 FROM cohorts)
      OR EXISTS (SELECT 1 FROM cohorts c WHERE c.is_open AND c.percent_bp > cohort_bucket($1))
      OR EXISTS (SELECT 1 FROM cohort_members m JOIN cohorts c ON c.name = m.cohort WHERE m.creator_id = $1 AND c.is_open)
      OR EXISTS (SELECT 1 FROM creator_tags t JOIN cohorts c ON c.tag = t.tag WHERE t.creator_id = $1 AND c.is_open);

-- Is the creator on? By the flags and the rollout, as the next send reads them.
CREATE OR REPLACE FUNCTION creator_flags_open(text) RETURNS boolean
  LANGUAGE sql STABLE
  RETURN COALESCE((SELECT u.payout_enabled
                          AND (u.payout_beta_enabled OR NOT EXISTS (SELECT 1 FROM daemon_state s WHERE s.beta_open))
                     FROM users u WHERE u.supabase_id::text = $1), FALSE)
     AND COALESCE((SELECT c.payout_enabled FROM creator_payout_settings c WHERE c.creator_id = $1), FALSE)
     AND creator_in_cohort($1);
