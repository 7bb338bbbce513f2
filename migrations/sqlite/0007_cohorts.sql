-- Rollout: cohorts of creators, opened one after another. No row in cohorts: everybody is in.

CREATE TABLE cohorts (
  name           TEXT PRIMARY KEY,
  kind           TEXT NOT NULL CHECK (kind IN ('list', 'tag', 'percent')),
  -- Of kind tag: whoever has this tag is in it.
  tag            TEXT,
  -- Of kind percent: whose bucket is below is in it; 100 = 1 %.
  percent_bp     INTEGER CHECK (percent_bp BETWEEN 1 AND 10000),
  is_open        INTEGER NOT NULL DEFAULT 0 CHECK (is_open IN (0, 1)),
  -- When it was last opened and closed; NULL: never.
  opened_at_ms   INTEGER,
  closed_at_ms   INTEGER,
  created_by     TEXT NOT NULL,
  created_at_ms  INTEGER NOT NULL,
  CHECK ((kind = 'tag') = (tag IS NOT NULL)),
  CHECK ((kind = 'percent') = (percent_bp IS NOT NULL)),
  CHECK (NOT is_open OR opened_at_ms IS NOT NULL)
) STRICT;

-- Who is in a cohort of kind list.
CREATE TABLE cohort_members (
  cohort       TEXT NOT NULL REFERENCES cohorts (name),
  creator_id   TEXT NOT NULL,
  added_at_ms  INTEGER NOT NULL,
  PRIMARY KEY (cohort, creator_id)
) STRICT;
CREATE INDEX cohort_members_creator ON cohort_members (creator_id, cohort);

CREATE TABLE creator_tags (
  creator_id  TEXT NOT NULL,
  tag         TEXT NOT NULL,
  set_by      TEXT NOT NULL,
  set_at_ms   INTEGER NOT NULL,
  PRIMARY KEY (creator_id, tag)
) STRICT;
CREATE INDEX creator_tags_tag ON creator_tags (tag, creator_id);

-- Payouts of the last 30 days, for the gate between cohorts.
CREATE INDEX creator_payouts_created ON creator_payouts (created_at_ms, id);
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('creator_payouts', 'creator_payouts_created', '1000000 1000 1');
ANALYZE sqlite_schema;
