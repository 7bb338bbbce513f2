-- What people decide: policies, each an append-only list of versions with the moment they count from. Nothing is ever updated.
CREATE TABLE policies (
  id                 INTEGER PRIMARY KEY,
  name               TEXT NOT NULL,
  value              TEXT NOT NULL,
  effective_from_ms  INTEGER NOT NULL,
  set_by             TEXT NOT NULL,
  reason             TEXT NOT NULL,
  source             TEXT NOT NULL CHECK (source IN ('default', 'environment', 'person')),
  created_at_ms      INTEGER NOT NULL
) STRICT;
